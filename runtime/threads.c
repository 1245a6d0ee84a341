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

// A worker's share of a job is offered in `ticket` (the job's number, never 0) and belongs to
// whoever swaps it for 0: the worker, or the calling thread, which does not wait for a worker
// that has not woken up yet. What the pool says of a job is read after a ticket was taken, and
// holds until `done` has the job's number.
typedef struct Worker {
    _Alignas(128) atomic_uint ticket;
    atomic_uint is_asleep;
    _Alignas(128) atomic_uint done;
    _Alignas(128) NnPool *pool;
    int number;  // from 1
    pthread_t thread;
    char *scratch;
} Worker;

struct NnPool {
    unsigned job;
    NnKernel *kernel;
    const NnContext *context;
    int64_t iterations;
    int threads;
    bool may_spin;
    atomic_bool is_over;
    atomic_uint joiner_sleeps;
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

// The store to `ticket` and the load of `is_asleep` when a job is offered, and the opposite
// order here, are sequentially consistent, so that one of the two sees the other.
static void wait_for_ticket(Worker *w) {
    if (spin_while(w->pool, &w->ticket, 0)) return;
    atomic_store(&w->is_asleep, 1);
    while (atomic_load(&w->ticket) == 0) futex_wait(&w->ticket, 0);
    atomic_store(&w->is_asleep, 0);
}

static void offer(Worker *w, unsigned job) {
    atomic_store(&w->ticket, job);
    if (atomic_load(&w->is_asleep)) futex_wake(&w->ticket);
}

static bool take(Worker *w, unsigned job) {
    return job && atomic_compare_exchange_strong(&w->ticket, &job, 0);
}

static void join(NnPool *pool, Worker *w, unsigned job) {
    for (unsigned n; (n = atomic_load_explicit(&w->done, memory_order_acquire)) != job;) {
        if (spin_while(pool, &w->done, n)) continue;
        atomic_store(&pool->joiner_sleeps, 1);
        if ((n = atomic_load(&w->done)) != job) futex_wait(&w->done, n);
        atomic_store(&pool->joiner_sleeps, 0);
    }
}

static void *work(void *argument) {
    Worker *w = argument;
    NnPool *pool = w->pool;
    for (;;) {
        wait_for_ticket(w);
        unsigned job = atomic_load(&w->ticket);
        if (!take(w, job)) continue;
        if (atomic_load_explicit(&pool->is_over, memory_order_acquire)) return NULL;
        NnContext context = *pool->context;
        context.scratch = w->scratch;
        context.pool = NULL;
        run_part(pool, &context, w->number);
        atomic_store(&w->done, job);
        if (atomic_load(&pool->joiner_sleeps)) futex_wake(&w->done);
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
        w->pool = pool;
        w->number = i + 1;
        w->scratch = scratch + (i + 1) * scratch_bytes;
        start_worker(w);
    }
    return pool;
}

void threads_stop(NnPool *pool) {
    if (!pool) return;
    atomic_store(&pool->is_over, true);
    for (int i = 0; i < pool->threads - 1; i++) offer(&pool->worker[i], 1);
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
    unsigned job = pool->job = pool->job + 1 ? pool->job + 1 : 1;
    for (int i = 0; i < pool->threads - 1; i++) offer(&pool->worker[i], job);
    NnContext own = *context;
    own.pool = NULL;  // a kernel that calls nn_parallel itself runs it alone
    run_part(pool, &own, 0);
    for (int i = 0; i < pool->threads - 1; i++) {
        Worker *w = &pool->worker[i];
        if (take(w, job))
            run_part(pool, &own, w->number);
        else
            join(pool, w, job);
    }
}
