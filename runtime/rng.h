// The generator of everything the runtime draws itself: splits, the order of an epoch,
// synthetic data. (The random numbers of a model are drawn in compiled code.)
//
// SplitMix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
#ifndef NN_RUNTIME_RNG_H
#define NN_RUNTIME_RNG_H

#include <stdint.h>

#pragma GCC visibility push(hidden)

typedef struct Rng {
    uint64_t state;
} Rng;

Rng rng_start(uint64_t seed, uint64_t stream);  // unrelated for any two pairs
uint64_t rng_next(Rng *r);
uint64_t rng_below(Rng *r, uint64_t n);  // uniform without bias; n > 0
double rng_uniform(Rng *r);              // [0, 1)

// Fisher and Yates' shuffle of 0 .. n - 1: a function of the seed and the stream alone.
void rng_permutation(int64_t *order, int64_t n, uint64_t seed, uint64_t stream);

#pragma GCC visibility pop

#endif
