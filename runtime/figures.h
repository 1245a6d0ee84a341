// Figures of a split (loss, accuracy, a confusion matrix ...): what an entry point gives for
// each batch, averaged over the rows; results total.NAME, summed; and what `eval_end` makes of
// these sums. All sums are exact to the order of the batches: in f64, one after the other.
#ifndef NN_RUNTIME_FIGURES_H
#define NN_RUNTIME_FIGURES_H

#include "runtime/manifest.h"

#pragma GCC visibility push(hidden)

struct Machine;

typedef struct Figure {
    const char *name;
    const Tensor *tensor;
    double *value;  // its elements, NaN without rows
} Figure;

typedef struct Figures {
    const Entry *step, *end;  // may be null
    int n;
    Figure *figure;
    int64_t n_sum;
    double *sum;  // the elements of all of the step's results; averages' are weighted by rows
    double rows;
} Figures;

Figures figures_of(Mem *mem, const Entry *step, const Entry *end);  // no rows yet
void figures_add(Figures *f, const char *arena, int64_t rows);
void figures_settle(Figures *f, struct Machine *m);  // from the sums to the figures
void figures_clear(Figures *f);

const Figure *figures_find(const Figures *f, const char *name);  // or null
double figures_scalar(const Figures *f, const char *name);  // NaN without such a scalar
static inline bool figure_is_scalar(const Figure *f) {
    return f->tensor->rank == 0;
}
void figures_print(Buffer *b, const Figures *f);  // "loss 0.0714, accuracy 0.979": the scalars

#pragma GCC visibility pop

#endif
