#include "runtime/figures.h"

#include <math.h>
#include <string.h>

#include "runtime/machine.h"

static bool is_total(const char *name) {
    return strncmp(name, "total.", 6) == 0;
}

static void add_figure(Figures *f, Mem *mem, const Result *r) {
    double *value = mem_array(mem, (size_t)r->tensor->count, sizeof *value);
    f->figure[f->n++] = (Figure){r->name, r->tensor, value};
}

Figures figures_of(Mem *mem, const Entry *step, const Entry *end) {
    Figures f = {.step = step, .end = end};
    int n = (step ? step->n_result : 0) + (end ? end->n_result : 0);
    f.figure = mem_array(mem, (size_t)n, sizeof *f.figure);
    for (int i = 0; step && i < step->n_result; i++) {
        f.n_sum += step->result[i].tensor->count;
        if (!is_total(step->result[i].name)) add_figure(&f, mem, &step->result[i]);
    }
    for (int i = 0; end && i < end->n_result; i++) add_figure(&f, mem, &end->result[i]);
    f.sum = mem_array(mem, (size_t)f.n_sum, sizeof *f.sum);
    figures_clear(&f);
    return f;
}

void figures_add(Figures *f, const char *arena, int64_t rows) {
    double *sum = f->sum;
    for (int i = 0; i < f->step->n_result; i++) {
        const Result *r = &f->step->result[i];
        double weight = is_total(r->name) ? 1 : (double)rows;
        for (int64_t k = 0; k < r->tensor->count; k++) {
            *sum++ += elem_load(r->tensor->elem, arena + r->tensor->offset, k) * weight;
        }
    }
    f->rows += (double)rows;
}

static void store_totals(const Figures *f, Machine *m) {
    const double *sum = f->sum;
    for (int i = 0; i < f->step->n_result; i++) {
        const Result *r = &f->step->result[i];
        const Tensor *to = is_total(r->name) ? manifest_input(f->end, r->name) : NULL;
        if (to && to->count != r->tensor->count) fail("this program's manifest: %s", r->name);
        for (int64_t k = 0; to && k < to->count; k++) {
            elem_store(to->elem, machine_data(m, to), k, sum[k]);
        }
        sum += r->tensor->count;
    }
}

void figures_settle(Figures *f, Machine *m) {
    const double *sum = f->sum;
    int n = 0;
    if (!(f->rows > 0)) return;
    for (int i = 0; i < f->step->n_result; i++) {
        int64_t count = f->step->result[i].tensor->count;
        bool is_figure = !is_total(f->step->result[i].name);
        for (int64_t k = 0; is_figure && k < count; k++) f->figure[n].value[k] = sum[k] / f->rows;
        n += is_figure;
        sum += count;
    }
    if (!f->end) return;
    store_totals(f, m);
    machine_run(m, f->end, 0);
    for (; n < f->n; n++) {
        const Tensor *t = f->figure[n].tensor;
        for (int64_t k = 0; k < t->count; k++) {
            f->figure[n].value[k] = elem_load(t->elem, machine_data(m, t), k);
        }
    }
}

void figures_clear(Figures *f) {
    memset(f->sum, 0, (size_t)f->n_sum * sizeof *f->sum);
    f->rows = 0;
    for (int i = 0; i < f->n; i++) {
        for (int64_t k = 0; k < f->figure[i].tensor->count; k++) f->figure[i].value[k] = NAN;
    }
}

const Figure *figures_find(const Figures *f, const char *name) {
    for (int i = 0; i < f->n; i++) {
        if (strcmp(f->figure[i].name, name) == 0) return &f->figure[i];
    }
    return NULL;
}

double figures_scalar(const Figures *f, const char *name) {
    const Figure *figure = figures_find(f, name);
    return figure && figure_is_scalar(figure) ? *figure->value : NAN;
}

void figures_print(Buffer *b, const Figures *f) {
    const char *comma = "";
    for (int i = 0; i < f->n; i++) {
        if (!figure_is_scalar(&f->figure[i])) continue;
        buffer_format(b, "%s%s %.4g", comma, f->figure[i].name, *f->figure[i].value);
        comma = ", ";
    }
}
