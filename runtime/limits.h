// What this machine can do, measured: multiply-adds, and bytes from each level of memory.
#ifndef NN_RUNTIME_LIMITS_H
#define NN_RUNTIME_LIMITS_H

#include <stdint.h>

#include "runtime/threads.h"

#pragma GCC visibility push(hidden)

enum { LEVEL_1, LEVEL_2, LEVEL_3, LEVEL_memory, N_LEVEL };
extern const char *const level_name[N_LEVEL];

typedef struct Limits {
    double flops;              // a second: fused multiply-adds count as two
    double bytes[N_LEVEL];     // a second: two arrays are read, one is written
    int64_t holds[N_LEVEL];    // bytes; the caches of each core count for every thread
} Limits;

// All threads of the pool at once, by registers of so many bytes: 16, or where the processor has
// them 32 or 64. Takes some tenths of a second.
Limits limits_measure(NnPool *pool, int threads, int vector_bytes);

// The level that holds so many bytes.
int limits_level(const Limits *l, int64_t bytes);

#pragma GCC visibility pop

#endif
