// simplify keeps values, and what it leaves is what a reader would have written.
#include "pass_test.h"

static const char *network =
    "module m %s\nextent batch <= 4\nparam w f%d[6, 5]\nparam b f%d[5]\nparam g f%d[5]\n"
    "function f(x f%d[batch, 6], y i32<5>[batch], run.inv_rows f%d[]) {\n"
    "%%0 = index [n<batch, u<5 | a<6] sum %%x[n, a] * %%w[a, u]\n"
    "%%1 = index [n<batch, u<5] %%0[n, u] + %%b[u]\n"
    "%%2 = index [u<5 | n<batch] sum %%1[n, u]\n%%3 = index [u<5] %%2[u] * %%run.inv_rows[]\n"
    "%%4 = index [u<5 | n<batch] sum (%%1[n, u] - %%3[u]) * (%%1[n, u] - %%3[u])\n"
    "%%5 = index [n<batch, u<5] %%g[u] * (%%1[n, u] - %%3[u]) / sqrt(%%4[u] * %%run.inv_rows[] + "
    "0.01)\n"
    "%%6 = index [n<batch, u<5] max(%%5[n, u], 0.0) * tanh(%%b[u])\n"
    "%%7 = index [n<batch | a<5] max %%6[n, a]\n"
    "%%8 = index [n<batch, u<5] exp(%%6[n, u] - %%7[n])\n%%9 = index [n<batch | a<5] sum %%8[n, "
    "a]\n"
    "%%10 = index [n<batch, u<5] log(%%8[n, u] / %%9[n])\n"
    "%%11 = index [| n<batch] sum -%%10[n, {%%y[n]}]\n%%12 = index [] %%11[] * %%run.inv_rows[]\n"
    "%%13 = grad %%12 wrt %%w\n%%14 = grad %%12 wrt %%b\n%%15 = grad %%12 wrt %%g\n"
    "%%16 = index [i<6, j<5] %%w[i, j] - 0.1 * %%13[i, j]\n"
    "result loss = %%12\nresult p = %%10\nresult gw = %%13\nresult gb = %%14\nresult gg = %%15\n"
    "result new = %%16\n}\n";

static Module *read_network(bool wide) {
    char text[4096];
    int bits = wide ? 64 : 32;
    snprintf(text, sizeof text, network, wide ? "f64" : "f32", bits, bits, bits, bits, bits);
    return read_text(text);
}

static const int64_t extent[] = {3};

static void expect_same_results(Module *m, const Leaves *l, const Function *f,
                                const Tensor *const *before, EvalMode mode, double tolerance) {
    for (int i = 0; i < f->results.n; i++) {
        const Tensor *t = test_eval(m, m->arena, mode, extent, l, f->results.at[i].v);
        for (int64_t j = 0; j < tensor_count(t); j++) {
            double x = t->at[j], y = before[i]->at[j];
            ck_assert_msg(fabs(x - y) <= tolerance * fmax(1, fabs(y)),
                          "%s[%d]: %.17g, before %.17g", f->results.at[i].name, (int)j, x, y);
        }
    }
}

static void keep_results(Module *m, const Leaves *l, const Function *f, EvalMode mode,
                         const Tensor **out) {
    for (int i = 0; i < f->results.n; i++)
        out[i] = test_eval(m, m->arena, mode, extent, l, f->results.at[i].v);
}

START_TEST(values_stay) {
    Module *m = read_network(true);
    run_pass(m, pass_grad, LEVEL_G);
    Function *f = m->fns.at[0];
    Leaves l = test_leaves(m, f, extent);
    const Tensor *before[8];
    keep_results(m, &l, f, EVAL_wide, before);
    run_pass(m, pass_simplify, LEVEL_G);
    expect_same_results(m, &l, f, before, EVAL_wide, 1e-12);
    run_pass(m, pass_expand, LEVEL_F);
    expect_same_results(m, &l, f, before, EVAL_wide, 1e-10);
    run_pass(m, pass_fma, LEVEL_F);
    expect_same_results(m, &l, f, before, EVAL_wide, 1e-10);
    run_pass(m, pass_order, LEVEL_F);
    expect_same_results(m, &l, f, before, EVAL_wide, 1e-10);
    test_free(m);
}
END_TEST

START_TEST(sharing_keeps_every_bit) {
    Module *m = read_network(false);
    PassFn *const first[] = {pass_grad, pass_simplify, pass_expand, pass_fma, pass_order};
    for (int i = 0; i < 5; i++) run_pass(m, first[i], i < 2 ? LEVEL_G : LEVEL_F);
    Function *f = m->fns.at[0];
    Leaves l = test_leaves(m, f, extent);
    for (int i = 0; i < l.n; i++)
        for (int64_t j = 0; j < tensor_count(l.at[i].tensor); j++)
            l.at[i].tensor->at[j] = (float)l.at[i].tensor->at[j];
    const Tensor *before[8];
    keep_results(m, &l, f, EVAL_exact, before);
    run_pass(m, pass_share, LEVEL_F);
    expect_same_results(m, &l, f, before, EVAL_exact, 0);
    test_free(m);
}
END_TEST

START_TEST(a_second_time_changes_nothing) {
    PassFn *const pass[] = {pass_grad, pass_simplify, pass_expand,
                            pass_fma,  pass_order,    pass_share};
    Module *m = read_network(false);
    for (int i = 0; i < 6; i++) {
        run_pass(m, pass[i], i < 2 ? LEVEL_G : LEVEL_F);
        const char *once = printed(m);
        run_pass(m, pass[i], i < 2 ? LEVEL_G : LEVEL_F);
        ck_assert_str_eq(printed(m), once);
    }
    test_free(m);
}
END_TEST

START_TEST(the_text_is_the_same_every_time) {
    const char *first = NULL;
    for (int i = 0; i < 3; i++) {
        Module *m = read_network(false);
        run_pass(m, pass_grad, LEVEL_G);
        run_pass(m, pass_simplify, LEVEL_G);
        if (!first) first = strdup(printed(m));
        ck_assert_str_eq(printed(m), first);
        test_free(m);
    }
    free((char *)first);
}
END_TEST

// ---- rules, one by one

// The one line of `body` over x and y of 8 elements, b of 4 by 8, and scalars p and q.
static void becomes(const char *body, const char *expected) {
    char text[2048];
    snprintf(text, sizeof text,
             "module m f32\nparam x f32[8]\nparam y f32[8]\nparam b f32[4, 8]\nparam p f32[]\n"
             "param q f32[]\nparam k i32<8>[4]\nfunction f() {\n%s\nresult r = %%9\n}\n",
             body);
    Module *m = read_text(text);
    run_pass(m, pass_simplify, LEVEL_G);
    const char *shown = strstr(printed(m), "{\n");
    ck_assert_msg(strstr(shown, expected) != NULL, "expected `%s` in:\n%s", expected, shown);
    test_free(m);
}

static void scalar_becomes(const char *body, const char *expected) {
    char line[1024], want[1024];
    snprintf(line, sizeof line, "%%9 = index [i<8] %s", body);
    snprintf(want, sizeof want, "index [i<8] %s\n", expected);
    becomes(line, want);
}

START_TEST(scalars) {
    scalar_becomes("%x[i] * %y[i] - %y[i] * %x[i] + 1.0", "1.0");
    becomes("%9 = index [i<8] %x[i] * %y[i] / %x[i]", "result r = %y\n");
    becomes("%9 = index [i<8] %x[i] + %x[i] - 2.0 * %x[i] + %y[i]", "result r = %y\n");
    scalar_becomes("(%x[i] - 1.0) * %p[] - %x[i] * %p[]", "-%p[]");
    scalar_becomes("(if %x[i] < 0.0 then %y[i] else 0.0) * %x[i]",
                   "if %x[i] < 0.0 then %y[i] * %x[i] else 0.0");
    scalar_becomes("(if %x[i] < 0.0 then %y[i] else 0.0) + (if %x[i] < 0.0 then %x[i] else 0.0)",
                   "if %x[i] < 0.0 then %y[i] + %x[i] else 0.0");
    scalar_becomes("if %x[i] < 0.0 then (if %x[i] < 0.0 then %y[i] else 1.0) else %p[]",
                   "if %x[i] < 0.0 then %y[i] else %p[]");
    scalar_becomes("pow(%x[i], 3.0)", "%x[i] * %x[i] * %x[i]");
    scalar_becomes("pow(%x[i], 0.5)", "sqrt(%x[i])");
    scalar_becomes("pow(%x[i], -1.0)", "1.0 / %x[i]");
    scalar_becomes("if 0.0 < max(%x[i], 0.0) then %y[i] else %p[]",
                   "if 0.0 < %x[i] then %y[i] else %p[]");
    scalar_becomes("stop(%x[i]) + stop(%y[i])", "%x[i] + %y[i]");
    scalar_becomes("sqrt(%y[i]) * sqrt(%y[i]) * %x[i]", "%y[i] * %x[i]");
    scalar_becomes("%x[i] * %p[] + %y[i] * %p[]", "%p[] * (%x[i] + %y[i])");
    becomes("%9 = index [i<8] (%x[i] - %y[i]) * (%x[i] - %y[i])",
            "let t0 = %x[i] - %y[i];\n      t0 * t0\n");
    scalar_becomes("%p[] * %x[i] + (1.0 - %p[]) * %y[i]", "%p[] * %x[i] + (1.0 - %p[]) * %y[i]");
}
END_TEST

START_TEST(sums) {
    becomes("%9 = index [i<4 | a<8] sum %b[i, a] * %p[] * 2.0", "sum %b[i, a]\n");
    becomes("%9 = index [i<4 | a<8] sum %b[i, a] / %q[]", "sum %b[i, a]\n");
    becomes("%9 = index [i<4 | a<8] sum if a == %k[i] then %b[i, a] else 0.0",
            "index [i<4] %b[i, {%k[i]}]");
    becomes("%9 = index [i<4 | a<8] sum (if a == %k[i] then %p[] else 0.0) + %b[i, a]",
            "sum %b[i, a]\n");
    becomes("%9 = index [i<4 | a<8] sum %p[]", "index [i<4] %p[] * 8.0");
    becomes(
        "%0 = index [i<4 | a<8] sum exp(%b[i, a])\n%1 = index [i<4] 1.0 / %0[i]\n"
        "%9 = index [i<4 | a<8] sum exp(%b[i, a]) * %1[i]",
        "index [i<4] 1.0");
    becomes(
        "%0 = index [i<4 | a<8] sum %b[i, a]\n%1 = index [i<4] %0[i] / 8.0\n"
        "%9 = index [i<4 | a<8] sum (%b[i, a] - %1[i]) * %p[]",
        "index [i<4] 0.0");
    // Where no point fulfils the condition the sum is 0, even if %x[i] is.
    becomes("%9 = index [i<4 | a<8] sum if %b[i, a] < 0.0 then %b[i, a] / %x[i] else 0.0",
            "sum if %b[i, a] < 0.0 then %b[i, a] / %x[i] else 0.0");
    becomes("%9 = index [i<4 | a<1, c<8] sum %b[i, a + c]", "index [i<4 | a<8] sum %b[i, a]");
}
END_TEST

START_TEST(substitution) {
    // A contraction stays a sum of products of reads.
    becomes(
        "%0 = index [i<4, j<8] %b[i, j] * 2.0 + %x[j]\n"
        "%9 = index [i<4, j<4 | a<8] sum %0[i, a] * %b[j, a]",
        "sum %0[i, a] * %b[j, a]");
    // Nothing costly is computed twice.
    becomes("%0 = index [i<8] exp(%x[i])\n%9 = index [i<4, j<8] %0[j] * %b[i, j] + %0[7 - j]",
            "index [i<8] exp(%x[i])");
    // Views and single uses vanish.
    becomes(
        "%0 = index [i<8, j<4] %b[j, i]\n%1 = index [i<8, j<4] %0[i, j] * %x[i]\n"
        "%9 = index [i<8, j<4] max(%1[i, j], 0.0)",
        "%0 = index [i<8, j<4] max(%b[j, i] * %x[i], 0.0)");
    becomes("%0 = reshape %x to [2, 4]\n%9 = reshape %0 to [4, 2]", "%0 = reshape %x to [4, 2]");
    becomes(
        "%0 = index [i<2, j<4] exp(%b[i, j])\n%1 = reshape %0 to [8]\n"
        "%9 = index [i<8] %1[i] * %x[i]",
        "%2 = reshape %1 to [8]");
}
END_TEST

int main(void) {
    Suite *s = suite_create("simplify");
    TCase *t = tcase_create("simplify");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, values_stay);
    tcase_add_test(t, sharing_keeps_every_bit);
    tcase_add_test(t, a_second_time_changes_nothing);
    tcase_add_test(t, the_text_is_the_same_every_time);
    tcase_add_test(t, scalars);
    tcase_add_test(t, sums);
    tcase_add_test(t, substitution);
    suite_add_tcase(s, t);
    return run_suite(s);
}
