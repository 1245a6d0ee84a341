// Gradients against central differences.
#ifndef NNC_FUZZ_DIFFERENCES_H
#define NNC_FUZZ_DIFFERENCES_H

#include "tests/fuzz/check.h"
#include "tests/fuzz/outputs.h"

// What is wrong with a derivative among the outputs, which are those after the pass `grad`;
// NULL where nothing is.
const char *check_derivative(const Made *made, Module *m, const Outputs *outputs,
                             const Derivative *d, Tally *tally);

#endif
