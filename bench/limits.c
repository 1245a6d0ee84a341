// What this machine can do, as tab-separated lines: threads, bytes of a vector register,
// GFLOP/s, and GB/s of a triad in L1, L2, L3 and memory.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/limits.h"

static bool has(int vector_bytes) {
#if defined(__x86_64__)
    if (vector_bytes == 64) return __builtin_cpu_supports("avx512f");
    if (vector_bytes == 32) return __builtin_cpu_supports("avx") && __builtin_cpu_supports("fma");
#endif
    return vector_bytes == 16;
}

int main(void) {
    for (int threads = 1; threads <= 2; threads++)
        for (int bytes = 64; bytes >= 16; bytes /= 2) {
            if (!has(bytes)) continue;
            NnPool *pool = threads_start(threads, NULL, 0);
            Limits l = limits_measure(pool, threads, bytes);
            printf("%d\t%d\t%.1f", threads, bytes, 1e-9 * l.flops);
            for (int i = 0; i < N_LEVEL; i++) printf("\t%.1f", 1e-9 * l.bytes[i]);
            printf("\n");
            threads_stop(pool);
        }
    return 0;
}
