#include "runtime/whole.h"

#include <inttypes.h>
#include <string.h>

static const char *field_of(const Tensor *t) {
    const char *dot = strchr(t->name, '.');
    return dot && (dot = strchr(dot + 1, '.')) ? dot + 1 : t->name;
}

static const Column *column_of(const Dataset *d, const Tensor *t) {
    for (int i = 0; i < d->n; i++) {
        const Column *c = &d->column[i];
        if (strcmp(c->name, field_of(t)) == 0 && c->tensor->elem == t->elem) return c;
    }
    fail("this program's data have no field for input %s", t->name);
}

static void check_rows(const Run *run, const RowExtent *x, int64_t rows) {
    const char *path = run->manifest->data.path;
    if (rows == 0) fail("%s: this program reads its %s split whole, which has no rows", path, x->name);
    if (rows <= x->most) return;
    fail("%s: %" PRId64 " rows in the %s split, expected at most %" PRId64
         ": `rows` in the data block says how many there may be",
         path, rows, x->name, x->most);
}

static void copy_rows(char *to, const Column *c, const Split *split) {
    for (int64_t i = 0; i < split->rows; i++) {
        memcpy(to, column_row(c, split->row[i]), (size_t)c->row_bytes);
        to += c->row_bytes;
    }
}

// The numbers of the samples, as run.sample gives them for a batch.
static void number_rows(int32_t *to, const Split *split) {
    for (int64_t i = 0; i < split->rows; i++) to[i] = (int32_t)(split->data->first + split->row[i]);
}

static void fill(Run *run, const Tensor *t, const RowExtent *x) {
    const Split *split = &run->data.split[x->split];
    char *to = machine_data(&run->machine, t);
    bool are_numbers = strcmp(field_of(t), "run.sample") == 0;
    if (!run->data.is_loaded) dataset_random(t, to, run->machine.context.seed);
    else if (are_numbers) number_rows((int32_t *)to, split);
    else copy_rows(to, column_of(split->data, t), split);
}

// Does an entry point that the command runs read some? `generate` runs those whose names it begins.
static bool is_needed(const Run *run) {
    const char *command = command_name[run->options.command];
    for (int i = 0; i < run->manifest->n_entry; i++) {
        const Entry *e = &run->manifest->entry[i];
        bool is_run = strncmp(e->name, command, strlen(command)) == 0;
        for (int k = 0; k < e->n_input && is_run; k++)
            if (e->input[k]->kind == TENSOR_split) return true;
    }
    return false;
}

bool whole_fill(Run *run) {
    const Manifest *m = run->manifest;
    const char *from = run->options.data;
    Command command = run->options.command;
    if (!run->data.is_loaded && (command == COMMAND_predict || command == COMMAND_generate)) {
        if (run->has_weights && !from && !is_needed(run)) return false;
        data_load(&run->data, &run->mem, &run->machine, from);
    }
    for (int i = 1; i <= m->n_extent; i++) {
        const RowExtent *x = &m->extent[i];
        int64_t rows = run->data.is_loaded ? run->data.split[x->split].rows : x->most;
        check_rows(run, x, rows);
        run->machine.rows[i] = rows;
    }
    for (int i = 0; i < m->n_tensor; i++) {
        const Tensor *t = &m->tensor[i];
        if (t->kind == TENSOR_split) fill(run, t, &m->extent[t->by]);
    }
    return true;
}
