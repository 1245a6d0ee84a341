// Figures: the rank-0 results of an entry point (loss, accuracy ...), averaged over the rows
// of many batches.
#ifndef NN_RUNTIME_FIGURES_H
#define NN_RUNTIME_FIGURES_H

#include "runtime/manifest.h"

enum { MAX_FIGURES = 16 };

typedef struct Figures {
    int n;
    const char *name[MAX_FIGURES];
    double sum[MAX_FIGURES];  // weighted by rows
    double rows;
} Figures;

Figures figures_of(const Entry *entry);  // no rows yet; entry may be null
void figures_add(Figures *f, const Entry *entry, const char *arena, int64_t rows);
double figures_mean(const Figures *f, int i);             // NaN without rows
double figures_find(const Figures *f, const char *name);  // NaN without such a figure
void figures_clear(Figures *f);
void figures_print(Buffer *b, const Figures *f);  // "loss 0.0714, accuracy 0.979"

#endif
