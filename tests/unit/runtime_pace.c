// The pace of short entry points: both ways are tried, the faster one is taken for a while.
#include "runtime/pace.h"

#include "suite.h"

typedef struct World {
    Pace pace;
    double now, together, alone;  // seconds of a run
} World;

// One run, 10 us after the last one: was it alone?
static bool run(World *w, int64_t rows) {
    w->now += 1e-5;
    bool alone = pace_is_alone(&w->pace, rows, w->now);
    double seconds = alone ? w->alone : w->together;
    w->now += seconds;
    pace_note(&w->pace, rows, seconds, w->now);
    return alone;
}

static int count_alone(World *w, int runs) {
    int n = 0;
    for (int i = 0; i < runs; i++) n += run(w, 10);
    return n;
}

START_TEST(takes_the_faster_way) {
    World slow = {.now = 100, .together = 45e-6, .alone = 15e-6};
    ck_assert_int_eq(count_alone(&slow, 20), 10);
    ck_assert_int_eq(count_alone(&slow, 300), 300);
    World fast = {.now = 100, .together = 9e-6, .alone = 15e-6};
    ck_assert_int_eq(count_alone(&fast, 20), 10);
    ck_assert_int_eq(count_alone(&fast, 300), 0);
}
END_TEST

START_TEST(looks_again) {
    World w = {.now = 100, .together = 45e-6, .alone = 15e-6};
    count_alone(&w, 100);
    w.together = 9e-6;
    w.now += 1;
    ck_assert_int_eq(count_alone(&w, 20), 10);
    ck_assert_int_eq(count_alone(&w, 100), 0);
}
END_TEST

// Something else has the other core for as long as a trial takes.
START_TEST(one_bad_trial_changes_nothing) {
    World w = {.now = 100, .together = 9e-6, .alone = 15e-6};
    count_alone(&w, 100);
    w.now += 1;
    w.together = 5e-4;
    count_alone(&w, 10);
    w.together = 9e-6;
    count_alone(&w, 10);
    ck_assert_int_eq(count_alone(&w, 100), 0);
}
END_TEST

START_TEST(a_slower_way_is_left_in_the_end) {
    World w = {.now = 100, .together = 9e-6, .alone = 15e-6};
    count_alone(&w, 100);
    w.together = 45e-6;
    for (int i = 0; i < 10; i++) {
        w.now += 1;
        count_alone(&w, 20);
    }
    ck_assert_int_eq(count_alone(&w, 100), 100);
}
END_TEST

START_TEST(long_ones_are_never_alone) {
    World w = {.now = 100, .together = 0.02, .alone = 0.01};
    ck_assert_int_eq(count_alone(&w, 200), 0);
}
END_TEST

START_TEST(other_numbers_of_rows_count_for_nothing) {
    World w = {.now = 100, .together = 45e-6, .alone = 15e-6};
    run(&w, 10);
    for (int i = 0; i < 50; i++) ck_assert(!run(&w, 3));
    count_alone(&w, 19);
    ck_assert(run(&w, 10));
    ck_assert(run(&w, 3));
}
END_TEST

int main(void) {
    Suite *s = suite_create("pace");
    TCase *t = tcase_create("pace");
    tcase_add_test(t, takes_the_faster_way);
    tcase_add_test(t, looks_again);
    tcase_add_test(t, one_bad_trial_changes_nothing);
    tcase_add_test(t, a_slower_way_is_left_in_the_end);
    tcase_add_test(t, long_ones_are_never_alone);
    tcase_add_test(t, other_numbers_of_rows_count_for_nothing);
    suite_add_tcase(s, t);
    return run_suite(s);
}
