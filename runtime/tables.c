// Metrics that are vectors or matrices, as tables: vectors of one length side by side, with their
// means below.
#include <inttypes.h>

#include "runtime/run.h"
#include "runtime/table.h"
#include "runtime/words.h"

enum { MOST_COLUMNS = 40, MOST_ROWS = 200 };

// The words of the one field that has so many classes; null where several have, or they have none.
static const Words *words_for(const Run *run, int64_t classes) {
    const DataBlock *d = &run->manifest->data;
    const Words *words = NULL;
    int n = 0;
    for (int i = 0; i < d->n_field; i++) {
        if (d->field[i].below != classes || d->field[i].words_of != i) continue;
        n++;
        if (d->field[i].is_words) words = &run->data.words[i];
    }
    return n == 1 ? words : NULL;
}

// A class by its name, where the data have names.
static void add_label(Table *t, const Words *w, int64_t i) {
    if (w && i < w->n) table_cell(t, "%s", w->word[i]);
    else table_cell(t, "%" PRId64, i);
}

static void add_vectors(Buffer *out, const Run *run, const Figures *f, int first) {
    int64_t n = f->figure[first].tensor->count;
    const Words *words = words_for(run, n);
    Table t = {0};
    for (int64_t row = -1; row <= n; row++) {
        if (row < 0) table_cell(&t, "class");
        else if (row < n) add_label(&t, words, row);
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

static void add_matrix(Buffer *out, const Run *run, const Figure *x) {
    int64_t rows = x->tensor->dim[0], columns = x->tensor->dim[1];
    const Words *words = words_for(run, columns), *of_rows = words_for(run, rows);
    Table t = {0};
    table_cell(&t, "%s", x->name);
    for (int64_t j = 0; j < columns; j++) add_label(&t, words, j);
    table_row(&t);
    for (int64_t i = 0; i < rows; i++) {
        add_label(&t, of_rows, i);
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

void show_tables(Buffer *out, const Run *run, const Figures *f) {
    for (int i = 0; i < f->n; i++) {
        const Tensor *t = f->figure[i].tensor;
        if (t->rank == 0 || (t->rank == 1 && is_shown(f, i))) continue;
        buffer_add(out, "\n", 1);
        if (t->dim[0] > MOST_ROWS || (t->rank > 1 && t->dim[1] > MOST_COLUMNS)) {
            buffer_format(out, "%s: too large to show; --log FILE has it\n", f->figure[i].name);
        } else if (t->rank == 1) {
            add_vectors(out, run, f, i);
        } else {
            add_matrix(out, run, &f->figure[i]);
        }
    }
}
