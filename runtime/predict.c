// predict FILE: the outputs of the model for each row of a file, as CSV.
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/output.h"
#include "runtime/reader.h"
#include "runtime/run.h"

static Dataset read_rows(Run *run, const Entry *entry) {
    const char *path = run->options.file;
    Dataset d = dataset_of_inputs(&run->mem, run->manifest, entry);
    if (d.n == 0) fail("this program's model has no input to read from %s", path);
    reader_of_file(path)->rows(&d, &run->mem, path);
    return d;
}

// Results that have a row for each sample, in the entry's order.
static bool is_shown(const Result *r) {
    return r->tensor->by_batch;
}

// The winning element is a class where labels of that many classes are what is trained on.
static bool has_class(const Manifest *m, const Tensor *t) {
    if (t->rank != 2 || !elem_is_real(t->elem)) return false;
    for (int i = 0; i < m->data.n_field; i++) {
        if (m->data.field[i].below == t->dim[1] && t->dim[1] > 1) return true;
    }
    return false;
}

static void print_header(Buffer *b, const Manifest *m, const Entry *entry) {
    const char *comma = "";
    for (int i = 0; i < entry->n_result; i++) {
        const Result *r = &entry->result[i];
        if (!is_shown(r)) continue;
        int64_t n = tensor_row_count(r->tensor);
        for (int64_t k = 0; k < n; k++) {
            buffer_format(b, "%s%s", comma, r->name);
            if (n > 1) buffer_format(b, ".%" PRId64, k);
            comma = ",";
        }
        bool is_alone = strcmp(r->name, "output") == 0;
        if (has_class(m, r->tensor))
            buffer_format(b, ",%s%sclass", is_alone ? "" : r->name, is_alone ? "" : ".");
    }
    buffer_format(b, "\n");
}

static void print_tensor_row(Buffer *b, const Manifest *m, const Tensor *t, const char *data,
                             int64_t row, bool is_first) {
    int64_t n = tensor_row_count(t), best = 0;
    for (int64_t k = 0; k < n; k++) {
        double x = elem_load(t->elem, data, row * n + k);
        if (x > elem_load(t->elem, data, row * n + best)) best = k;
        if (!is_first || k > 0) buffer_add(b, ",", 1);
        buffer_format(b, "%.*g", t->elem == ELEM_f64 ? 17 : 9, x);
    }
    if (has_class(m, t)) buffer_format(b, ",%" PRId64, best);
}

static void print_row(Buffer *b, const Machine *m, const Entry *entry, int64_t row) {
    bool is_first = true;
    for (int i = 0; i < entry->n_result; i++) {
        const Tensor *t = entry->result[i].tensor;
        if (!is_shown(&entry->result[i])) continue;
        print_tensor_row(b, m->manifest, t, machine_data(m, t), row, is_first);
        is_first = false;
    }
    buffer_format(b, "\n");
}

static void emit(Output *o, Buffer *b) {
    output_write(o, b->data, b->length);
    b->length = 0;
}

static void print_all(Run *run, const Entry *entry, const Split *split, Output *o) {
    Machine *m = &run->machine;
    Buffer b = {0};
    print_header(&b, run->manifest, entry);
    int64_t batch = run->manifest->batch;
    for (int64_t begin = 0; begin < split->rows; begin += batch) {
        int64_t n = split->rows - begin < batch ? split->rows - begin : batch;
        batch_fill(m, entry, split, NULL, begin, n);
        machine_run_batch(m, entry, begin / batch, n);
        for (int64_t row = 0; row < n; row++) print_row(&b, m, entry, row);
        emit(o, &b);
    }
    buffer_free(&b);
}

int run_predict(Run *run) {
    const Entry *entry = machine_entry(&run->machine, "predict");
    bool shows = false;
    for (int i = 0; i < entry->n_result; i++) shows |= is_shown(&entry->result[i]);
    if (!shows) fail("this program's model has no output with a row for each sample");
    Dataset d = read_rows(run, entry);
    Split split = {&d, d.rows, mem_array(&run->mem, (size_t)d.rows, sizeof *split.row)};
    for (int64_t i = 0; i < d.rows; i++) split.row[i] = i;
    run_load_trained(run);

    Output o = {.path = "standard output", .file = STDOUT_FILENO};
    const char *path = run->options.output;
    if (path && strcmp(path, "-") != 0) output_open(&o, &run->mem, path);
    print_all(run, entry, &split, &o);
    if (!output_close(&o)) fail("%s: cannot write: %s", o.path, strerror(o.error));
    dataset_free(&d);
    return 0;
}
