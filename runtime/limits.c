#include "runtime/limits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/input.h"
#include "runtime/progress.h"

const char *const level_name[N_LEVEL] = {"L1", "L2", "L3", "memory"};

// ---- multiply-adds

enum { CHAINS = 12, TURNS = 100000 };  // independent sums, enough for any latency

#define CHAIN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define LOOP(start, X, end) start "1:\n" CHAIN(X) "sub $1, %0\n jnz 1b\n" end

#if defined(__x86_64__)
#define CLOBBERED                                                                              \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",   \
        "xmm11", "xmm14", "xmm15", "cc"
#define ZERO(r) "xorps %%xmm" #r ", %%xmm" #r "\n"
#define STEP_16(r) "mulps %%xmm14, %%xmm" #r "\n addps %%xmm15, %%xmm" #r "\n"
#define STEP_32(r) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #r "\n"
#define STEP_64(r) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" #r "\n"

static void add_16(int64_t n) {
    __asm__ volatile(LOOP(CHAIN(ZERO) ZERO(14) ZERO(15), STEP_16, "") : "+r"(n)::CLOBBERED);
}

static void add_32(int64_t n) {
    __asm__ volatile(LOOP("vzeroall\n", STEP_32, "vzeroupper\n") : "+r"(n)::CLOBBERED);
}

static void add_64(int64_t n) {
    __asm__ volatile(LOOP("vzeroall\n", STEP_64, "vzeroupper\n") : "+r"(n)::CLOBBERED);
}
#else
typedef float Vector __attribute__((vector_size(16)));

static void add_16(int64_t n) {
    Vector sum[CHAINS] = {0}, x = {0};
    for (; n > 0; n--)
        for (int i = 0; i < CHAINS; i++) {
#if defined(__aarch64__)
            __asm__ volatile("fmla %0.4s, %1.4s, %1.4s" : "+w"(sum[i]) : "w"(x));
#else
            sum[i] += x * x;
            __asm__ volatile("" : "+m"(sum[i]));
#endif
        }
}
#endif

// ---- memory

#define TRIAD(name, size, ...)                                                            \
    __VA_ARGS__ static void name(float *a, const float *b, const float *c, int64_t n) {   \
        typedef float V __attribute__((vector_size(size)));                               \
        for (int64_t i = 0; i < n; i += size / 4)                                         \
            *(V *)(a + i) = *(const V *)(b + i) + *(const V *)(c + i) * 3.0f;             \
    }
TRIAD(triad_16, 16)
#if defined(__x86_64__)
TRIAD(triad_32, 32, __attribute__((target("avx"))))
TRIAD(triad_64, 64, __attribute__((target("avx512f"))))
#endif

typedef struct Job {  // what a thread does; the context's arena
    int width;
    float *memory;    // of thread 0; NULL to multiply and add
    int64_t count;    // floats of each array of a thread, in whole cache lines
    int64_t turns;
} Job;

static void add_once(const Job *j) {
#if defined(__x86_64__)
    if (j->width == 64) return add_64(TURNS);
    if (j->width == 32) return add_32(TURNS);
#endif
    add_16(TURNS);
}

static void triad_once(const Job *j, float *a) {
    float *b = a + j->count, *c = b + j->count;
#if defined(__x86_64__)
    if (j->width == 64) return triad_64(a, b, c, j->count);
    if (j->width == 32) return triad_32(a, b, c, j->count);
#endif
    triad_16(a, b, c, j->count);
}

static void work(const NnContext *context, int64_t begin, int64_t end, const void *table) {
    (void)table;
    const Job *j = (const Job *)(const void *)context->arena;
    for (int64_t thread = begin; thread < end; thread++)
        for (int64_t i = 0; i < j->turns; i++) {
            if (j->memory) triad_once(j, j->memory + thread * 3 * j->count);
            else add_once(j);
        }
}

// The shortest of several runs by all threads: what else the machine does must not count.
static double shortest(NnPool *pool, int threads, Job *j, int runs) {
    NnContext context = {.arena = (char *)j, .pool = pool};
    double best = 1e9;
    for (int i = 0; i <= runs; i++) {  // the first warms up
        double start = seconds_now();
        nn_parallel(&(NnStep){.kernel = work, .parts = 1}, &context, threads);
        double seconds = seconds_now() - start;
        if (i && seconds < best) best = seconds;
    }
    return best;
}

static int64_t cache_bytes(int name, int64_t otherwise) {
    long n = sysconf(name);
    return n > 0 ? n : otherwise;
}

// As the kernel knows it: sysconf may add up the caches of all cores of a processor.
static int64_t third_level_bytes(void) {
    static const char path[] = "/sys/devices/system/cpu/cpu0/cache/index3/size";
    int64_t kilobytes = 0;
    if (path_exists(path)) {
        size_t bytes;
        char *text = file_read(path, &bytes);  // 32768K
        kilobytes = strtoll(text, NULL, 10);
        free(text);
    }
    return kilobytes > 0 ? kilobytes << 10 : cache_bytes(_SC_LEVEL3_CACHE_SIZE, 32 << 20);
}

static double triad_rate(NnPool *pool, int threads, int width, int64_t bytes) {
    Job j = {.width = width, .count = bytes / threads / 3 / 64 * 16};
    size_t all = (size_t)threads * 3 * (size_t)j.count * sizeof(float);
    size_t mapped = all;
    j.memory = mem_map(&mapped, "measuring");
    memset(j.memory, 0, all);  // else all would read one page of zeros
    j.turns = 1 + (int64_t)(8 << 20) / (int64_t)all;
    double seconds = shortest(pool, threads, &j, 7);
    munmap(j.memory, mapped);
    return (double)all * (double)j.turns / seconds;
}

Limits limits_measure(NnPool *pool, int threads, int vector_bytes) {
    int width = vector_bytes;
    Job adds = {.width = width, .turns = 1};
    Limits l = {0};
    l.flops = (double)TURNS * CHAINS * 2 * (width / 4.0) * threads /
              shortest(pool, threads, &adds, 30);
    l.holds[LEVEL_1] = threads * cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10);
    l.holds[LEVEL_2] = threads * cache_bytes(_SC_LEVEL2_CACHE_SIZE, 1 << 20);
    l.holds[LEVEL_3] = third_level_bytes();
    l.holds[LEVEL_memory] = INT64_MAX;
    for (int i = 0; i < LEVEL_memory; i++)
        l.bytes[i] = triad_rate(pool, threads, width, l.holds[i] / 2);
    l.bytes[LEVEL_memory] = triad_rate(pool, threads, width, 3 * l.holds[LEVEL_3]);
    return l;
}

int limits_level(const Limits *l, int64_t bytes) {
    int level = 0;
    while (level < LEVEL_memory && bytes > l->holds[level]) level++;
    return level;
}
