// Random numbers of the fuzzer: splitmix64 (Steele, Lea and Flood 2014). The same seed gives
// the same function on every machine.
#ifndef NNC_FUZZ_RANDOM_H
#define NNC_FUZZ_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Random {
    uint64_t state;
} Random;

static inline uint64_t random_next(Random *r) {
    uint64_t z = (r->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline Random random_from(uint64_t seed, uint64_t stream) {
    Random r = {seed * 0xD1342543DE82EF95u + stream * 0x2545F4914F6CDD1Du + 1};
    random_next(&r);
    return r;
}

// In [0, n).
static inline int64_t random_below(Random *r, int64_t n) {
    return n <= 1 ? 0 : (int64_t)(random_next(r) % (uint64_t)n);
}

// In [low, high], both included.
static inline int64_t random_between(Random *r, int64_t low, int64_t high) {
    return low + random_below(r, high - low + 1);
}

static inline bool random_chance(Random *r, int percent) {
    return random_below(r, 100) < percent;
}

// In [0, 1).
static inline double random_unit(Random *r) {
    return (double)(random_next(r) >> 11) * 0x1p-53;
}

#endif
