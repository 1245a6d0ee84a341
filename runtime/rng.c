#include "runtime/rng.h"

static uint64_t mix(uint64_t z) {
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);

Rng rng_start(uint64_t seed, uint64_t stream) {
    return (Rng){mix(mix(seed + golden) ^ (stream + 1) * golden)};
}

uint64_t rng_next(Rng *r) {
    return mix(r->state += golden);
}

// Lemire 2019: the high half of a product, rejecting the low halves that would be biased.
uint64_t rng_below(Rng *r, uint64_t n) {
    uint64_t least = -n % n;
    for (;;) {
        unsigned __int128 product = (unsigned __int128)rng_next(r) * n;
        if ((uint64_t)product >= least) return (uint64_t)(product >> 64);
    }
}

double rng_uniform(Rng *r) {
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

void rng_permutation(int64_t *order, int64_t n, uint64_t seed, uint64_t stream) {
    Rng r = rng_start(seed, stream);
    for (int64_t i = 0; i < n; i++) order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)rng_below(&r, (uint64_t)i + 1), held = order[i];
        order[i] = order[j];
        order[j] = held;
    }
}
