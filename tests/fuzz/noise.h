// How far errors of rounding, or of the costly functions, move a value.
#ifndef NNC_FUZZ_NOISE_H
#define NNC_FUZZ_NOISE_H

#include "tests/fuzz/generate.h"

// v with every real operation of these traits off by up to epsilon, relatively, by another
// amount in each trial. The arguments decide the amount: an operation of equal ones stays equal
// wherever it stands, as roundings and polynomials do, so that a winner is still found by `==`.
Value *with_noise(Module *m, Value *v, unsigned traits, double epsilon, int trial);

#endif
