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

// A worker that keeps the calling thread waiting for so much longer than parts take has lost its
// core to something else. What that takes is held against the time that the threads have worked
// together before: where waiting takes more, the calling thread works alone for a while, for longer
// where that has happened again soon after the last time.
enum {
    LATE_NANOSECONDS = 300 * 1000,
    MOST_TOGETHER = 12 * 1000 * 1000,  // that counts
    SHORTEST_REST = 4 * 1000 * 1000,
    LONGEST_REST = 128 * 1000 * 1000,
    SOON_NANOSECONDS = 50 * 1000 * 1000,
};

// A thread's share of a job, in equal parts. `next` holds the job's number above and, below, how
// many parts nobody has taken yet: whoever lowers it has one, the share's own thread or one that
// has finished its own share. So nobody waits for a thread that has not woken up or does something
// else. The rest of the share is read by who has taken a part; it stays until the job is over.
typedef struct Share {
    _Alignas(128) atomic_uint_least64_t next;
    const NnStep *step;
    const NnContext *context;
    int64_t begin, end;
    int parts;
    atomic_uint is_asleep;  // the thread that it belongs to
} Share;

typedef struct Worker {
    NnPool *pool;
    int number;  // from 1
    pthread_t thread;
    char *scratch;
} Worker;

struct NnPool {
    _Alignas(128) atomic_uint left;  // parts of the job that are not finished
    atomic_uint joiner_sleeps;
    atomic_bool is_over;
    _Alignas(128) uint32_t job;
    int64_t together;      // nanoseconds, those that waiting took subtracted
    int64_t together_from; // since when it is to be counted
    int64_t rest;          // the last time alone, nanoseconds
    int64_t alone_until;   // its end
    bool is_alone;
    int threads;
    bool may_spin;
    Worker *worker;                  // [threads]; the first is the calling thread's place
    Share share[];                   // [threads]
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

static unsigned parts_left(Share *s) {
    return (uint32_t)atomic_load_explicit(&s->next, memory_order_acquire);
}

static bool has_parts(void *share) {
    return parts_left(share) > 0;
}

static bool is_done(void *pool) {
    return atomic_load_explicit(&((NnPool *)pool)->left, memory_order_acquire) == 0;
}

// Spins until the condition holds; false when the time is up.
static bool spin_until(const NnPool *pool, bool (*holds)(void *), void *of) {
    if (!pool->may_spin) return holds(of);
    int64_t end = 0;
    for (;;) {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            if (holds(of)) return true;
            pause_core();
        }
        int64_t now = nanoseconds();
        if (end == 0) end = now + SPIN_NANOSECONDS;
        if (now > end) return false;
    }
}

// The number of a part that is now the caller's, or -1.
static int take(Share *s) {
    uint64_t next = atomic_load(&s->next);
    while ((uint32_t)next > 0)
        if (atomic_compare_exchange_weak(&s->next, &next, next - 1))
            return s->parts - (int)(uint32_t)next;
    return -1;
}

static void run_part(const Share *s, int part, char *scratch) {
    NnContext context = *s->context;
    context.scratch = scratch;
    context.pool = NULL;  // a kernel that calls nn_parallel itself runs it alone
    int64_t begin = s->begin, end = s->end, count = end - begin;
    if (s->parts > 1) {
        begin = s->begin + count * part / s->parts;
        end = s->begin + count * (part + 1) / s->parts;
    }
    if (begin < end) s->step->kernel(&context, begin, end, s->step->table);
}

// Runs what nobody has taken yet of a share. The number of parts.
static unsigned run_share(Share *s, char *scratch) {
    unsigned n = 0;
    for (int part; (part = take(s)) >= 0; n++) run_part(s, part, scratch);
    return n;
}

// First the thread's own share, then what others have left; shares in one part are left to the
// calling thread.
static unsigned run_shares(NnPool *pool, int number, char *scratch) {
    unsigned n = run_share(&pool->share[number], scratch);
    bool helps = number == 0 || (n && pool->share[number].parts > 1);
    for (int i = 1; helps && i < pool->threads; i++)
        n += run_share(&pool->share[(number + i) % pool->threads], scratch);
    // The store to `left` and the load of `joiner_sleeps`, and the opposite order in join, are
    // sequentially consistent, so that one of the two sees the other.
    if (n && atomic_fetch_sub(&pool->left, n) == n && atomic_load(&pool->joiner_sleeps))
        futex_wake(&pool->left);
    return n;
}

static void note_wait(NnPool *pool, int64_t now, int64_t waited, int64_t part) {
    if (waited < LATE_NANOSECONDS + 2 * part || !pool->may_spin) return;
    pool->together += now - waited - pool->together_from;
    if (pool->together > MOST_TOGETHER) pool->together = MOST_TOGETHER;
    pool->together -= waited;
    pool->together_from = now;
    if (pool->together >= 0) return;
    pool->together = 0;
    bool again = now - pool->alone_until < SOON_NANOSECONDS;
    pool->rest = !again ? SHORTEST_REST : pool->rest < LONGEST_REST ? 2 * pool->rest : LONGEST_REST;
    pool->alone_until = pool->together_from = now + pool->rest;
    pool->is_alone = true;
}

// The calling thread has done so many parts since `begun` (0: a few microseconds ago).
static void join(NnPool *pool, int64_t begun, unsigned parts) {
    for (int i = 0; i < SPINS_PER_LOOK; i++) {
        if (is_done(pool)) return;
        pause_core();
    }
    int64_t start = nanoseconds();
    while (!spin_until(pool, is_done, pool)) {
        atomic_store(&pool->joiner_sleeps, 1);
        unsigned left = atomic_load(&pool->left);
        if (left) futex_wait(&pool->left, left);
        atomic_store(&pool->joiner_sleeps, 0);
    }
    int64_t now = nanoseconds();
    note_wait(pool, now, now - start, begun && parts ? (start - begun) / parts : 0);
}

// Who was woken for what others have done by then spins again: a thread that sleeps through one
// short job must not sleep through all of them.
static void wait_for_parts(NnPool *pool, Share *s) {
    while (!spin_until(pool, has_parts, s)) {
        atomic_store(&s->is_asleep, 1);
        if ((uint32_t)atomic_load(&s->next) == 0) futex_wait(&s->is_asleep, 1);
        atomic_store(&s->is_asleep, 0);
    }
}

static void offer(Share *s, uint64_t next) {
    atomic_store(&s->next, next);
    if (atomic_load(&s->is_asleep) && atomic_exchange(&s->is_asleep, 0)) futex_wake(&s->is_asleep);
}

static void *work(void *argument) {
    Worker *w = argument;
    for (;;) {
        wait_for_parts(w->pool, &w->pool->share[w->number]);
        if (atomic_load(&w->pool->is_over)) return NULL;
        run_shares(w->pool, w->number, w->scratch);
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

// One thread for each core: every worker has a core, and none is where the calling thread is now.
// Else the system, when it has more to run than cores, puts two of them on one.
static void keep_apart(NnPool *pool) {
    cpu_set_t set, one;
    if (pool->threads != threads_available() || sched_getaffinity(0, sizeof set, &set)) return;
    int here = sched_getcpu(), number = 1;
    if (here < 0 || !CPU_ISSET(here, &set)) return;
    for (int cpu = 0; cpu < CPU_SETSIZE && number < pool->threads; cpu++) {
        if (cpu == here || !CPU_ISSET(cpu, &set)) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        pthread_setaffinity_np(pool->worker[number++].thread, sizeof one, &one);
    }
}

NnPool *threads_start(int threads, char *scratch, int64_t scratch_bytes) {
    if (threads <= 1) return NULL;
    size_t bytes = sizeof(NnPool) + (size_t)threads * sizeof(Share);
    NnPool *pool = aligned_alloc(128, bytes);
    Worker *worker = calloc((size_t)threads, sizeof *worker);
    if (!pool || !worker) fail_memory((double)bytes, "threads");
    memset(pool, 0, bytes);
    pool->worker = worker;
    pool->threads = threads;
    pool->may_spin = threads_available() >= threads;
    pool->together_from = nanoseconds();
    for (int i = 1; i < threads; i++) {
        worker[i] = (Worker){.pool = pool, .number = i, .scratch = scratch + i * scratch_bytes};
        start_worker(&worker[i]);
    }
    keep_apart(pool);
    return pool;
}

void threads_stop(NnPool *pool) {
    if (!pool) return;
    atomic_store(&pool->is_over, true);
    for (int i = 1; i < pool->threads; i++) offer(&pool->share[i], 1);
    for (int i = 1; i < pool->threads; i++) pthread_join(pool->worker[i].thread, NULL);
    free(pool->worker);
    free(pool);
}

static bool is_alone(NnPool *pool) {
    if (pool->is_alone && nanoseconds() > pool->alone_until) pool->is_alone = false;
    return pool->is_alone;
}

void nn_parallel(const NnStep *step, const NnContext *context, int64_t iterations) {
    int parts = step->parts;
    NnPool *pool = context->pool;
    if (!pool || iterations <= 1 || is_alone(pool)) {
        if (iterations > 0) step->kernel(context, 0, iterations, step->table);
        return;
    }
    int64_t begun = parts > 1 ? nanoseconds() : 0;
    int threads = pool->threads, n = iterations < threads ? (int)iterations : threads;
    int64_t each = iterations / n, rest = iterations % n;  // the first `rest` get one more
    uint64_t next = (uint64_t)++pool->job << 32 | (uint32_t)parts;
    int from = parts == 1;  // a share in one part is begun at once by the calling thread
    atomic_store_explicit(&pool->left, (unsigned)((n - from) * parts), memory_order_relaxed);
    for (int i = n - 1; i >= 0; i--) {
        Share *s = &pool->share[i];
        s->step = step;
        s->context = context;
        s->begin = i * each + (i < rest ? i : rest);
        s->end = s->begin + each + (i < rest);
        s->parts = parts;
        if (i >= from) offer(s, next);
    }
    if (from) run_part(&pool->share[0], 0, context->scratch);
    if (is_done(pool)) return;
    unsigned done = run_shares(pool, 0, context->scratch);
    if (!is_done(pool)) join(pool, begun, done);
}
