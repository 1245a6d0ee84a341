#define _GNU_SOURCE
#include "runtime/threads.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/fail.h"

// Longer than the gaps between kernels, shorter than what a person notices: a thread that
// has slept costs 15 to 60 microseconds to wake.
enum { SPIN_NANOSECONDS = 1000 * 1000, SPINS_PER_LOOK = 256 };

typedef struct Worker {
    NnPool *pool;
    int number;  // from 1
    pthread_t thread;
    char *scratch;
} Worker;

// A job is published by its number and joined when `pending` comes back to zero. Both words
// stand on lines of their own: workers watch one and write the other.
struct NnPool {
    _Alignas(128) atomic_uint job;
    atomic_uint sleepers;  // workers that may be asleep on `job`
    atomic_bool is_over;
    NnKernel *kernel;
    const NnContext *context;
    int64_t iterations;

    _Alignas(128) atomic_uint pending;  // workers that have not finished the job
    atomic_uint joiner_sleeps;

    _Alignas(128) int threads;
    bool may_spin;
    Worker worker[];
};

int threads_available(void) {
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                        : (int)sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
}

static void pause_core(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void futex_wait(atomic_uint *word, unsigned value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

// Spins while the word is `value`: true once it has changed, false when the time is up.
static bool spin_while(const NnPool *pool, atomic_uint *word, unsigned value) {
    if (!pool->may_spin) return atomic_load_explicit(word, memory_order_acquire) != value;
    int64_t end = 0;
    for (;;) {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != value) return true;
            pause_core();
        }
        int64_t now = nanoseconds();
        if (end == 0) end = now + SPIN_NANOSECONDS;
        if (now > end) return false;
    }
}

static void run_part(const NnPool *pool, const NnContext *context, int number) {
    int64_t n = pool->iterations, threads = pool->threads;
    int64_t share = n / threads, rest = n % threads;  // the first `rest` get one more
    int64_t begin = number * share + (number < rest ? number : rest);
    int64_t end = begin + share + (number < rest);
    if (begin < end) pool->kernel(context, begin, end);
}

// A store to `job` and a load of `sleepers` here, and the opposite order in the worker, are
// sequentially consistent, so that one of the two sees the other.
static void wait_for_job(NnPool *pool, unsigned last) {
    if (spin_while(pool, &pool->job, last)) return;
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->job) == last) futex_wait(&pool->job, last);
    atomic_fetch_sub(&pool->sleepers, 1);
}

static void publish(NnPool *pool) {
    atomic_store_explicit(&pool->pending, (unsigned)pool->threads - 1, memory_order_relaxed);
    atomic_fetch_add(&pool->job, 1);
    if (atomic_load(&pool->sleepers)) futex_wake(&pool->job);
}

static void finish(NnPool *pool) {
    if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->joiner_sleeps)) {
        futex_wake(&pool->pending);
    }
}

static void join(NnPool *pool) {
    for (unsigned n; (n = atomic_load_explicit(&pool->pending, memory_order_acquire));) {
        if (spin_while(pool, &pool->pending, n)) continue;
        atomic_store(&pool->joiner_sleeps, 1);
        if ((n = atomic_load(&pool->pending))) futex_wait(&pool->pending, n);
        atomic_store(&pool->joiner_sleeps, 0);
    }
}

static void *work(void *argument) {
    Worker *w = argument;
    NnPool *pool = w->pool;
    for (unsigned job = 0;; job++) {
        wait_for_job(pool, job);
        if (atomic_load_explicit(&pool->is_over, memory_order_acquire)) return NULL;
        NnContext context = *pool->context;
        context.scratch = w->scratch;
        context.pool = NULL;
        run_part(pool, &context, w->number);
        finish(pool);
    }
}

// Signals are the main thread's.
static void start_worker(Worker *w) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) fail("cannot start thread %d: %s", w->number + 1, strerror(error));
}

NnPool *threads_start(int threads, char *scratch, int64_t scratch_bytes) {
    if (threads <= 1) return NULL;
    size_t bytes = sizeof(NnPool) + (size_t)(threads - 1) * sizeof(Worker);
    bytes = (bytes + 127) & ~(size_t)127;
    NnPool *pool = aligned_alloc(128, bytes);
    if (!pool) fail_memory((double)bytes, "threads");
    memset(pool, 0, bytes);
    pool->threads = threads;
    pool->may_spin = threads_available() >= threads;
    for (int i = 0; i < threads - 1; i++) {
        Worker *w = &pool->worker[i];
        *w = (Worker){.pool = pool, .number = i + 1};
        w->scratch = scratch + (i + 1) * scratch_bytes;
        start_worker(w);
    }
    return pool;
}

void threads_stop(NnPool *pool) {
    if (!pool) return;
    atomic_store(&pool->is_over, true);
    publish(pool);
    for (int i = 0; i < pool->threads - 1; i++) pthread_join(pool->worker[i].thread, NULL);
    free(pool);
}

void nn_parallel(NnKernel *kernel, const NnContext *context, int64_t iterations) {
    NnPool *pool = context->pool;
    if (!pool || iterations <= 1) {
        if (iterations > 0) kernel(context, 0, iterations);
        return;
    }
    pool->kernel = kernel;
    pool->context = context;
    pool->iterations = iterations;
    publish(pool);
    NnContext own = *context;
    own.pool = NULL;  // a kernel that calls nn_parallel itself runs it alone
    run_part(pool, &own, 0);
    join(pool);
}
