// What a function gives: its results, and what its updates leave in their targets.
#ifndef NNC_FUZZ_OUTPUTS_H
#define NNC_FUZZ_OUTPUTS_H

#include "tests/fuzz/generate.h"

typedef struct Output {
    Name name;
    Value *v;
    Value *target;    // updates
    const Tensor *t;  // NULL where it can't be evaluated yet
} Output;

typedef struct Outputs {
    Output *at;
    int n, cap;
} Outputs;

// As the function stands in m, which may be another module than it was generated in. Passes
// replace results but never change values, so that what is kept here stays good.
Outputs outputs_of(const Made *made, Module *m, Arena *a);
// Evaluates them all, but for what needs a gradient that is not formed yet.
void evaluate(Outputs *x, Eval *e, Arena *a);

// The first element that differs by more than `tolerance`, relatively; -1 for none. 0 asks
// for the same bits.
int64_t first_difference(const Tensor *a, const Tensor *b, double tolerance, int64_t from);

#endif
