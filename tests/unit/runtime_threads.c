// nn_parallel: every iteration once, in fixed contiguous ranges, with a scratch of its own for
// each thread.
#include "runtime_fixture.h"

#include <sched.h>
#include <stdatomic.h>

#include "runtime/progress.h"
#include "runtime/threads.h"

enum { MOST = 4096, STRIDE = 4096 };

typedef struct Seen {
    int32_t times[MOST], begin[MOST], end[MOST];  // the range that an iteration came in
} Seen;

static void note(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    Seen *seen = (Seen *)c->arena;
    ck_assert_int_eq(c->extent[0], 7);
    ck_assert_uint_eq(c->step, 5);
    memset(c->scratch, 1, STRIDE);
    for (int64_t i = begin; i < end; i++) {
        seen->times[i]++;
        seen->begin[i] = (int32_t)begin;
        seen->end[i] = (int32_t)end;
    }
}

typedef struct Team {
    NnContext context;
    Seen *seen;
} Team;

static Team start(int threads) {
    Team t = {.seen = calloc(1, sizeof(Seen) + (size_t)threads * STRIDE)};
    t.context = (NnContext){
        .arena = (char *)t.seen, .scratch = (char *)(t.seen + 1), .extent = {7}, .step = 5};
    t.context.pool = threads_start(threads, t.context.scratch, STRIDE);
    return t;
}

static void stop(Team *t) {
    threads_stop(t->context.pool);
    free(t->seen);
}

// The range that thread k of so many has, as documented: equal parts, the first ones longer. All
// of them at once where the machine has kept some thread from working.
static void assert_parts(const Seen *seen, int n, int threads) {
    int begin = 0;
    if (seen->begin[0] == 0 && seen->end[0] == n) return;
    for (int k = 0; k < threads && n > 1; k++) {
        int end = begin + n / threads + (k < n % threads);
        for (int i = begin; i < end; i++) {
            ck_assert_int_eq(seen->begin[i], begin);
            ck_assert_int_eq(seen->end[i], end);
        }
        begin = end;
    }
}

START_TEST(covers_every_iteration_once) {
    for (int threads = 1; threads <= 9; threads += 2) {
        Team t = start(threads);
        for (int n = 0; n <= 64; n++) {
            memset(t.seen, 0, sizeof *t.seen);
            nn_parallel(&(NnStep){.kernel = note, .parts = 1}, &t.context, n);
            for (int i = 0; i < MOST; i++) ck_assert_int_eq(t.seen->times[i], i < n);
            assert_parts(t.seen, n, threads);
        }
        stop(&t);
    }
}
END_TEST

START_TEST(survives_many_jobs_and_pauses) {
    Team t = start(3);
    for (int i = 0; i < 3000; i++) {
        memset(t.seen->times, 0, 8 * sizeof(int32_t));
        nn_parallel(&(NnStep){.kernel = note, .parts = 1 + i % 3}, &t.context, 8);
        for (int k = 0; k < 8; k++) ck_assert_int_eq(t.seen->times[k], 1);
        if (i % 1000 == 0) usleep(5000);  // long enough to fall asleep
    }
    stop(&t);
}
END_TEST

static void nothing(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    (void)c;
    (void)begin;
    (void)end;
}

static void note_parts(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    atomic_int *times = (atomic_int *)c->arena;
    memset(c->scratch, 1, STRIDE);
    for (int64_t i = begin; i < end; i++) atomic_fetch_add(&times[i], 1);
}

// Shares in parts, some of them empty, and taken by whoever is there.
START_TEST(parts_cover_every_iteration_once) {
    for (int threads = 2; threads <= 7; threads++) {
        Team t = start(threads);
        atomic_int times[MOST];
        t.context.arena = (char *)times;
        for (int n = 0; n <= 64; n += 1 + n / 8)
            for (int parts = 1; parts <= 9; parts += 2) {
                memset(times, 0, sizeof times);
                nn_parallel(&(NnStep){.kernel = note_parts, .parts = parts}, &t.context, n);
                for (int i = 0; i < MOST; i++) ck_assert_int_eq(times[i], i < n);
            }
        stop(&t);
    }
}
END_TEST

// Waits until the other thread is here, too.
static void meet(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    atomic_int *here = (atomic_int *)c->arena;
    (void)end;
    atomic_store(&here[begin], 1);
    double start = seconds_now();
    while (!atomic_load(&here[1 - begin]) && seconds_now() - start < 10) sched_yield();
}

START_TEST(wakes_for_what_takes_longer) {
    Team t = start(2);
    for (int i = 0; i < 5; i++) {
        atomic_int here[2] = {0};
        usleep(2000);  // asleep
        nn_parallel(&(NnStep){.kernel = nothing, .parts = 1}, &t.context, 2);
        t.context.arena = (char *)here;
        double start = seconds_now();
        nn_parallel(&(NnStep){.kernel = meet, .parts = 1}, &t.context, 2);
        ck_assert(seconds_now() - start < 10);
    }
    t.context.arena = (char *)t.seen;
    stop(&t);
}
END_TEST

// The second half keeps the first waiting.
static void come_late_by(const NnContext *c, int64_t begin, unsigned microseconds) {
    atomic_int *has_begun = (atomic_int *)c->arena;
    if (begin) {
        atomic_store(has_begun, 1);
        usleep(microseconds);
    } else {
        double start = seconds_now();
        while (!atomic_load(has_begun) && seconds_now() - start < 10) sched_yield();
    }
}

static void come_late(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    (void)end;
    come_late_by(c, begin, 20000);
}

static void come_a_bit_late(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    (void)end;
    come_late_by(c, begin, 2000);
}

static void note_first(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    if (!begin) *(int64_t *)c->arena = end;
}

START_TEST(works_alone_after_a_late_thread) {
    Team t = start(2);
    atomic_int has_begun = 0;
    int64_t end = 0;
    double begun = seconds_now();
    t.context.arena = (char *)&has_begun;
    nn_parallel(&(NnStep){.kernel = come_late, .parts = 1}, &t.context, 2);
    ck_assert(seconds_now() - begun < 10);
    t.context.arena = (char *)&end;
    nn_parallel(&(NnStep){.kernel = note_first, .parts = 1}, &t.context, 2);
    if (threads_available() >= 2) ck_assert_int_eq(end, 2);
    usleep(20000);  // and together again
    nn_parallel(&(NnStep){.kernel = note_first, .parts = 1}, &t.context, 2);
    ck_assert_int_eq(end, 1);
    t.context.arena = (char *)t.seen;
    stop(&t);
}
END_TEST

// One wait is no reason where the threads have worked together for longer.
START_TEST(forgives_a_late_thread_now_and_then) {
    Team t = start(2);
    int64_t end = 0;
    t.context.arena = (char *)&end;
    usleep(100000);
    nn_parallel(&(NnStep){.kernel = note_first, .parts = 1}, &t.context, 2);
    atomic_int has_begun = 0;
    t.context.arena = (char *)&has_begun;
    nn_parallel(&(NnStep){.kernel = come_a_bit_late, .parts = 1}, &t.context, 2);
    t.context.arena = (char *)&end;
    nn_parallel(&(NnStep){.kernel = note_first, .parts = 1}, &t.context, 2);
    ck_assert_int_eq(end, 1);
    t.context.arena = (char *)t.seen;
    stop(&t);
}
END_TEST

static void nested(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    (void)begin;
    (void)end;
    ck_assert_ptr_null(c->pool);
}

START_TEST(kernels_run_alone_what_they_call_themselves) {
    Team t = start(2);
    nn_parallel(&(NnStep){.kernel = nested, .parts = 1}, &t.context, 2);
    stop(&t);
}
END_TEST

START_TEST(stops_asleep_and_awake) {
    for (int i = 0; i < 20; i++) {
        Team t = start(4);
        if (i & 1) usleep(3000);
        stop(&t);
    }
}
END_TEST

// Steps of an entry point: fixed counts, whole blocks of a run-time extent, and what they leave.
START_TEST(counts_iterations) {
    NnContext c = {.extent = {37}};
    NnStep fixed = {.count = 90, .until = 1, .stride = 16, .by = -1};
    ck_assert_int_eq(nn_iterations(&c, &fixed), 6);
    NnStep blocks = {.count = 3, .until = 8, .stride = 8, .by = 0};
    ck_assert_int_eq(nn_iterations(&c, &blocks), 13);
    NnStep rest = {.count = 3, .from = 8, .until = 1, .stride = 1, .by = 0};
    ck_assert_int_eq(nn_iterations(&c, &rest), 7);
    NnStep between = {.count = 1, .from = 16, .until = 4, .stride = 4, .by = 0};
    ck_assert_int_eq(nn_iterations(&c, &between), 1);
    NnStep none = {.until = 1, .stride = 1, .by = -1};
    ck_assert_int_eq(nn_iterations(&c, &none), 0);
}
END_TEST

int main(int argc, char **argv) {
    if (argc > 1) {  // prints microseconds to fork and join so many threads
        Team t = start(atoi(argv[1]));
        for (int i = 0; i < 10000; i++) nn_parallel(&(NnStep){.kernel = nothing, .parts = 1}, &t.context, 2);
        double begin = seconds_now();
        for (int i = 0; i < 100000; i++) nn_parallel(&(NnStep){.kernel = nothing, .parts = 1}, &t.context, 2);
        printf("%.3f us\n", (seconds_now() - begin) * 10);
        stop(&t);
        return 0;
    }
    Suite *s = suite_create("threads");
    TCase *t = tcase_create("threads");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, covers_every_iteration_once);
    tcase_add_test(t, parts_cover_every_iteration_once);
    tcase_add_test(t, wakes_for_what_takes_longer);
    tcase_add_test(t, works_alone_after_a_late_thread);
    tcase_add_test(t, forgives_a_late_thread_now_and_then);
    tcase_add_test(t, survives_many_jobs_and_pauses);
    tcase_add_test(t, kernels_run_alone_what_they_call_themselves);
    tcase_add_test(t, stops_asleep_and_awake);
    tcase_add_test(t, counts_iterations);
    suite_add_tcase(s, t);
    return run_suite(s);
}
