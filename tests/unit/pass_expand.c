// The functions that `expand` writes out, against libm over dense ranges, as the interpreter
// computes them in the module's own precision.
#include <float.h>

#include "pass_test.h"

enum { POINTS = 40001 };

// y = body(x) over POINTS values of x, expanded.
static Module *expanded(const char *real, const char *body) {
    char text[512];
    snprintf(text, sizeof text,
             "module m %s\nfunction f(x %s[%d]) {\n%%0 = index [i<%d] %s\nresult y = %%0\n}\n",
             real, real, POINTS, POINTS, body);
    Module *m = read_text(text);
    run_pass(m, pass_expand, LEVEL_F);
    m->is_frozen = true;
    return m;
}

static double round_to(const Module *m, double x) {
    return m->real == ELEM_f32 ? (float)x : x;
}

// The distance of neighbouring numbers at x.
static double ulp(const Module *m, double x) {
    int digits = m->real == ELEM_f32 ? 24 : 53, least = m->real == ELEM_f32 ? -149 : -1074;
    if (x == 0) return ldexp(1, least);
    int e = ilogb(x) - digits + 1;
    return ldexp(1, e < least ? least : e);
}

typedef long double Exact(long double x);

typedef struct Case {
    const char *body;
    Exact *exact;
    double low, high;       // the range, walked evenly
    double ulps, absolute;  // either bound is enough
} Case;

static void check_points(const char *real, const Case *c, const double *x, int n) {
    const int64_t extent[] = {1};
    Module *m = expanded(real, c->body);
    Leaves l = test_leaves(m, m->fns.at[0], extent);
    for (int i = 0; i < POINTS; i++) l.at[0].tensor->at[i] = round_to(m, x[i < n ? i : 0]);
    const Tensor *y = test_eval(m, m->arena, EVAL_exact, extent, &l, result_of(m, "f", "y"));
    double worst = 0, at = 0;
    for (int i = 0; i < n; i++) {
        double in = l.at[0].tensor->at[i], got = y->at[i];
        long double exact = c->exact(in);
        double want = round_to(m, (double)exact);
        if (isnan(want) || isinf(want)) {
            ck_assert_msg(isnan(want) ? isnan(got) : got == want, "%s %s at %.9g: %.9g, not %.9g",
                          real, c->body, in, got, want);
            continue;
        }
        double error = (double)fabsl((long double)got - exact);
        if (error <= c->absolute) continue;
        double in_ulps = error / ulp(m, want);
        if (in_ulps > worst || isnan(in_ulps)) worst = in_ulps, at = in;
    }
    ck_assert_msg(worst <= c->ulps, "%s %s: %.2f ulp at %.17g", real, c->body, worst, at);
    test_free(m);
}

static void check_range(const char *real, const Case *c) {
    double *x = malloc(sizeof *x * POINTS);
    for (int i = 0; i < POINTS; i++) x[i] = c->low + (c->high - c->low) * i / (POINTS - 1);
    check_points(real, c, x, POINTS);
    free(x);
}

static long double exact_sigmoid(long double x) {
    return 1 / (1 + expl(-x));
}

static long double exact_cube(long double x) {
    return powl(x, 3);
}

static long double exact_root(long double x) {
    return powl(x, 0.3L);
}

static const Case cases_f32[] = {
    {"exp(%x[i])", expl, -110, 92, 2, 0},
    {"exp(%x[i])", expl, -1, 1, 2, 0},
    {"log(%x[i])", logl, -1, 50, 2, 0},
    {"log(%x[i])", logl, 0.5, 1.5, 2, 0},
    {"log(%x[i])", logl, 0, 1e-37, 2, 0},
    {"log(%x[i])", logl, 0, 3e38, 2, 0},
    {"log1p(%x[i])", log1pl, -1.01, 4, 2, 0},
    {"log1p(%x[i])", log1pl, -1e-3, 1e-3, 2, 0},
    {"log1p(%x[i])", log1pl, 0, 1e30, 2, 0},
    {"tanh(%x[i])", tanhl, -12, 12, 4, 4e-7},
    {"tanh(%x[i])", tanhl, -0.1, 0.1, 5, 0},
    {"sigmoid(%x[i])", exact_sigmoid, -80, 30, 4, 0},
    {"sigmoid(%x[i])", exact_sigmoid, -110, -80, 4, 1e-37},
    {"erf(%x[i])", erfl, -5, 5, 4, 4e-7},
    {"sin(%x[i])", sinl, -10, 10, 4, 0},
    {"sin(%x[i])", sinl, -1e5, 1e5, 4, 0},
    {"cos(%x[i])", cosl, -10, 10, 4, 0},
    {"cos(%x[i])", cosl, -1e5, 1e5, 4, 0},
    {"pow(%x[i], 3.0)", exact_cube, -20, 20, 16, 0},
    {"pow(%x[i], 0.3)", exact_root, -1, 1e6, 16, 0},
};

static const Case cases_f64[] = {
    {"exp(%x[i])", expl, -750, 712, 2, 0},
    {"exp(%x[i])", expl, -1, 1, 2, 0},
    {"log(%x[i])", logl, -1, 50, 2, 0},
    {"log(%x[i])", logl, 0.5, 1.5, 2, 0},
    {"log(%x[i])", logl, 0, 1e-307, 2, 0},
    {"log1p(%x[i])", log1pl, -1.01, 4, 2, 0},
    {"log1p(%x[i])", log1pl, -1e-7, 1e-7, 2, 0},
    {"tanh(%x[i])", tanhl, -25, 25, 3, 0},
    {"tanh(%x[i])", tanhl, -0.1, 0.1, 3, 0},
    {"sigmoid(%x[i])", exact_sigmoid, -700, 40, 4, 0},
    {"erf(%x[i])", erfl, -7, 7, 3, 0},
    {"erf(%x[i])", erfl, -0.1, 0.1, 3, 0},
    {"sin(%x[i])", sinl, -10, 10, 3, 0},
    {"sin(%x[i])", sinl, -1e6, 1e6, 3, 0},
    {"cos(%x[i])", cosl, -10, 10, 3, 0},
    {"cos(%x[i])", cosl, -1e6, 1e6, 3, 0},
    {"pow(%x[i], 3.0)", exact_cube, -20, 20, 20, 0},
};

START_TEST(f32_ranges) {
    for (size_t i = 0; i < sizeof cases_f32 / sizeof *cases_f32; i++)
        check_range("f32", &cases_f32[i]);
}
END_TEST

START_TEST(f64_ranges) {
    for (size_t i = 0; i < sizeof cases_f64 / sizeof *cases_f64; i++)
        check_range("f64", &cases_f64[i]);
}
END_TEST

// 0, infinities, NaN, large numbers, numbers below the normal range.
START_TEST(limits) {
    static const double x[] = {0.0,    INFINITY, -INFINITY, NAN, 1e4,     -1e4,    1e-40,
                               -1e-40, 1e-45,    1,         -1,  FLT_MAX, -FLT_MAX};
    int n = sizeof x / sizeof *x;
    static const char *const real[] = {"f32", "f64"};
    for (int r = 0; r < 2; r++) {
        const Case *table = r ? cases_f64 : cases_f32;
        int n_case = r ? (int)(sizeof cases_f64 / sizeof *cases_f64)
                       : (int)(sizeof cases_f32 / sizeof *cases_f32);
        for (int i = 0; i < n_case; i++) {
            Case c = table[i];
            bool is_circle = c.exact == sinl || c.exact == cosl,
                 is_power = strstr(c.body, "pow") != NULL;
            if (is_power) continue;
            c.absolute = fmax(c.absolute, 1e-37);  // below the normal range digits are few
            check_points(real[r], &c, x, is_circle ? 11 : n);
        }
    }
}
END_TEST

START_TEST(powers_at_limits) {
    static const struct {
        double x, y, is;
    } pow_of[] = {{0, 2.5, 0},
                  {0, 0, 1},
                  {2, 0, 1},
                  {-2, 3, -8},
                  {-2, 2, 4},
                  {0, -1, INFINITY},
                  {INFINITY, 2, INFINITY},
                  {INFINITY, -2, 0},
                  {-3, 0, 1},
                  {NAN, 0, 1}};
    for (size_t i = 0; i < sizeof pow_of / sizeof *pow_of; i++) {
        Module *m = test_module(ELEM_f32);
        Value *x = build_param(m, "x", type_scalar(ELEM_f32), (Span){0});
        Value *y = build_param(m, "y", type_scalar(ELEM_f32), (Span){0});
        Function *f = function_new(m, "f");
        Scalar *p =
            scalar_binary(m, OP_pow, scalar_read_identity(m, x), scalar_read_identity(m, y));
        function_result(f, "p", build_map(m, 0, NULL, p, (Span){0}, NULL));
        run_pass(m, pass_expand, LEVEL_F);
        const int64_t extent[] = {1};
        Leaves l = test_leaves(m, f, extent);
        l.at[0].tensor->at[0] = pow_of[i].x;
        l.at[1].tensor->at[0] = pow_of[i].y;
        double got = test_eval(m, m->arena, EVAL_exact, extent, &l, f->results.at[0].v)->at[0];
        bool near = got == pow_of[i].is || fabs(got - pow_of[i].is) < 1e-5 * fabs(pow_of[i].is);
        ck_assert_msg(near, "pow(%g, %g) is %g", pow_of[i].x, pow_of[i].y, got);
        test_free(m);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("expand");
    TCase *t = tcase_create("functions");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, f32_ranges);
    tcase_add_test(t, f64_ranges);
    tcase_add_test(t, limits);
    tcase_add_test(t, powers_at_limits);
    suite_add_tcase(s, t);
    return run_suite(s);
}
