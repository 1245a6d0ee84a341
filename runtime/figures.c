#include "runtime/figures.h"

#include <math.h>
#include <string.h>

Figures figures_of(const Entry *entry) {
    Figures f = {0};
    for (int i = 0; entry && i < entry->n_result && f.n < MAX_FIGURES; i++) {
        if (entry->result[i].tensor->rank == 0) f.name[f.n++] = entry->result[i].name;
    }
    return f;
}

void figures_add(Figures *f, const Entry *entry, const char *arena, int64_t rows) {
    int n = 0;
    for (int i = 0; i < entry->n_result && n < f->n; i++) {
        const Tensor *t = entry->result[i].tensor;
        if (t->rank > 0) continue;
        f->sum[n++] += elem_load(t->elem, arena + t->offset, 0) * (double)rows;
    }
    f->rows += (double)rows;
}

double figures_mean(const Figures *f, int i) {
    return f->rows > 0 ? f->sum[i] / f->rows : NAN;
}

double figures_find(const Figures *f, const char *name) {
    for (int i = 0; i < f->n; i++) {
        if (strcmp(f->name[i], name) == 0) return figures_mean(f, i);
    }
    return NAN;
}

void figures_clear(Figures *f) {
    memset(f->sum, 0, sizeof f->sum);
    f->rows = 0;
}

void figures_print(Buffer *b, const Figures *f) {
    for (int i = 0; i < f->n; i++) {
        buffer_format(b, "%s%s %.4g", i ? ", " : "", f->name[i], figures_mean(f, i));
    }
}
