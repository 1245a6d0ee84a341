#include <string.h>

#include "runtime/data.h"

// The column that fills an input: its own tensor's, else the one of the same name.
static const Column *column_for(const Dataset *d, const Tensor *t) {
    for (int i = 0; i < d->n; i++) {
        if (d->column[i].tensor == t) return &d->column[i];
    }
    for (int i = 0; i < d->n; i++) {
        const Column *c = &d->column[i];
        bool is_alike =
            c->tensor->elem == t->elem && tensor_row_count(c->tensor) == tensor_row_count(t);
        if (is_alike && strcmp(c->name, t->name) == 0) return c;
    }
    return NULL;
}

void batch_check(const Entry *entry, const Dataset *data) {
    for (int i = 0; i < entry->n_input; i++) {
        const Tensor *t = entry->input[i];
        if (t->kind == TENSOR_input && !column_for(data, t)) {
            fail("this program's data have no field for input %s of %s", t->name, entry->name);
        }
    }
}

static void gather(char *to, const Column *c, const Split *split, const int64_t *order,
                   int64_t begin, int64_t rows) {
    for (int64_t i = begin; i < begin + rows; i++) {
        int64_t row = split->row[order ? order[i] : i];
        memcpy(to, column_row(c, row), (size_t)c->row_bytes);
        to += c->row_bytes;
    }
}

// The numbers of the samples.
static void number_samples(int32_t *to, const Split *split, const int64_t *order, int64_t begin,
                           int64_t rows) {
    for (int64_t i = begin; i < begin + rows; i++) {
        *to++ = (int32_t)(split->data->first + split->row[order ? order[i] : i]);
    }
}

void batch_fill(Machine *m, const Entry *entry, const Split *split, const int64_t *order,
                int64_t begin, int64_t rows) {
    for (int i = 0; i < entry->n_input; i++) {
        const Tensor *t = entry->input[i];
        char *to = machine_data(m, t);
        size_t used;
        if (tensor_is_sample(t)) {
            number_samples((int32_t *)to, split, order, begin, rows);
            used = (size_t)rows * sizeof(int32_t);
        } else if (t->kind == TENSOR_input) {
            const Column *c = column_for(split->data, t);
            int64_t filled = t->by_batch ? rows : 1;
            gather(to, c, split, order, begin, filled);
            used = (size_t)(filled * c->row_bytes);
        } else {
            continue;
        }
        memset(to + used, 0, (size_t)tensor_bytes(t) - used);
    }
}
