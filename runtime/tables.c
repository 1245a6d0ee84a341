// Metrics that are vectors or matrices, as tables: vectors of one length side by side, with their
// means below.
#include <inttypes.h>

#include "runtime/table.h"

enum { MOST_COLUMNS = 40, MOST_ROWS = 200 };

static void add_label(Table *t, const Manifest *m, int64_t of, int64_t i) {
    (void)m, (void)of;
    table_cell(t, "%" PRId64, i);
}

static void add_vectors(Buffer *out, const Manifest *m, const Figures *f, int first) {
    int64_t n = f->figure[first].tensor->count;
    Table t = {0};
    for (int64_t row = -1; row <= n; row++) {
        if (row < 0) table_cell(&t, "class");
        else if (row < n) add_label(&t, m, n, row);
        else table_cell(&t, "mean");
        for (int i = first; i < f->n; i++) {
            const Figure *x = &f->figure[i];
            if (x->tensor->rank != 1 || x->tensor->count != n) continue;
            double sum = 0;
            for (int64_t k = 0; k < n; k++) sum += x->value[k];
            if (row < 0) table_cell(&t, "%s", x->name);
            else table_cell(&t, "%.4g", row < n ? x->value[row] : sum / (double)n);
        }
        table_row(&t);
    }
    table_print(out, &t);
}

static void add_matrix(Buffer *out, const Manifest *m, const Figure *x) {
    int64_t rows = x->tensor->dim[0], columns = x->tensor->dim[1];
    Table t = {0};
    table_cell(&t, "%s", x->name);
    for (int64_t j = 0; j < columns; j++) add_label(&t, m, columns, j);
    table_row(&t);
    for (int64_t i = 0; i < rows; i++) {
        add_label(&t, m, rows, i);
        for (int64_t j = 0; j < columns; j++) table_cell(&t, "%.6g", x->value[i * columns + j]);
        table_row(&t);
    }
    table_print(out, &t);
}

// Was a vector of this length shown before?
static bool is_shown(const Figures *f, int i) {
    for (int k = 0; k < i; k++) {
        const Tensor *t = f->figure[k].tensor;
        if (t->rank == 1 && t->count == f->figure[i].tensor->count) return true;
    }
    return false;
}

void show_tables(Buffer *out, const Manifest *m, const Figures *f) {
    for (int i = 0; i < f->n; i++) {
        const Tensor *t = f->figure[i].tensor;
        if (t->rank == 0 || (t->rank == 1 && is_shown(f, i))) continue;
        buffer_add(out, "\n", 1);
        if (t->dim[0] > MOST_ROWS || (t->rank > 1 && t->dim[1] > MOST_COLUMNS)) {
            buffer_format(out, "%s: too large to show; --log FILE has it\n", f->figure[i].name);
        } else if (t->rank == 1) {
            add_vectors(out, m, f, i);
        } else {
            add_matrix(out, m, &f->figure[i]);
        }
    }
}
