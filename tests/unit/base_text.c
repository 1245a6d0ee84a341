#include <float.h>
#include <math.h>
#include <string.h>

#include "base/text.h"

#include "suite.h"

static Arena *a;
static void setup(void) {
    a = arena_new();
}
static void teardown(void) {
    arena_free(a);
}

static const char *real(double x) {
    Text *t = text_new(a);
    text_real(t, x);
    return t->at;
}

START_TEST(text_grows) {
    Text *t = text_new(a);
    ck_assert_str_eq(t->at, "");
    for (int i = 0; i < 1000; i++) text_printf(t, "%d,", i % 10);
    text_add(t, "end");
    text_add_n(t, "ings", 2);
    ck_assert_uint_eq(t->n, 2005);
    ck_assert_str_eq(t->at + 1994, "7,8,9,endin");
    text_printf(t, "%*s", 1000, "far");
    ck_assert_uint_eq(t->n, 3005);
}
END_TEST

START_TEST(reals_are_short_and_exact) {
    ck_assert_str_eq(real(0), "0.0");
    ck_assert_str_eq(real(-0.0), "-0.0");
    ck_assert_str_eq(real(1), "1.0");
    ck_assert_str_eq(real(0.1), "0.1");
    ck_assert_str_eq(real(1e-3), "0.001");
    ck_assert_str_eq(real(1e-7), "1e-07");
    ck_assert_str_eq(real(1.0 / 3), "0.3333333333333333");
    ck_assert_str_eq(real(INFINITY), "inf");
    ck_assert_str_eq(real(-INFINITY), "-inf");
    ck_assert_str_eq(real(NAN), "nan");
}
END_TEST

START_TEST(reals_read_back) {
    double x[] = {DBL_MAX, DBL_MIN, DBL_EPSILON, 4.9406564584124654e-324, 123456789012345678.0,
                  -2.5e17, 1e22,    1e23};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        ck_assert_double_eq(strtod(real(x[i]), NULL), x[i]);
        ck_assert_ptr_nonnull(strpbrk(real(x[i]), ".e"));
    }
    unsigned long long state = 1;
    for (int i = 0; i < 2000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double y;
        memcpy(&y, &state, sizeof y);
        if (isfinite(y)) ck_assert_double_eq(strtod(real(y), NULL), y);
    }
}
END_TEST

int main(void) {
    TCase *t = tcase_create("text");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, text_grows);
    tcase_add_test(t, reals_are_short_and_exact);
    tcase_add_test(t, reals_read_back);
    Suite *s = suite_create("text");
    suite_add_tcase(s, t);
    return run_suite(s);
}
