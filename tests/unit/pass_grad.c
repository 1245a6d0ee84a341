// Gradients against central differences by the interpreter in f64, before and after
// `simplify`: every kind of value by every form of read.
#include "pass_test.h"

// The loss weighs every element of %9 by a different number, so that nothing cancels. %9 has a
// Jacobian, too, and so has what is made of it.
static void vector_grads(const char *leaves, const char *inputs, const char *body, int n) {
    char text[8192];
    snprintf(text, sizeof text,
             "module m f64\nextent batch <= 4\n%s\nfunction f(%s) {\n%s\n"
             "%%99 = index [| a<%d] sum %%9[a] * sin(to_real(a) * 1.3 + 0.7) * (%%9[a] + 2.0)\n"
             "%%98 = index [i<%d] %%9[i] * %%9[%d - i]\n"
             "result loss = %%99 result y = %%9 result z = %%98\n}\n",
             leaves, inputs, body, n, n, n - 1);
    check_gradients(text);
}

static void matrix_grads(const char *leaves, const char *inputs, const char *body, const char *n,
                         const char *k) {
    char text[8192];
    snprintf(text, sizeof text,
             "module m f64\nextent batch <= 4\n%s\nfunction f(%s) {\n%s\n"
             "%%99 = index [| a<%s, b<%s] sum %%9[a, b] * sin(to_real(a * 7 + b) * 1.3 + 0.7) * "
             "(%%9[a, b] + 2.0)\n%%98 = index [j<%s, i<%s] %%9[i, j] * %%9[i, j]\n"
             "result loss = %%99 result y = %%9 result z = %%98\n}\n",
             leaves, inputs, body, n, k, k, n);
    check_gradients(text);
}

// ---- scalars

START_TEST(functions_of_one_argument) {
    static const char *const body[] = {
        "-%x[i]",
        "abs(%x[i])",
        "min(%x[i], 0.4)",
        "max(%x[i], 0.0)",
        "max(0.0, %x[i])",
        "sqrt(abs(%x[i]) + 1.0)",
        "exp(%x[i])",
        "log(abs(%x[i]))",
        "log1p(abs(%x[i]))",
        "tanh(%x[i])",
        "sigmoid(%x[i])",
        "erf(%x[i])",
        "sin(%x[i])",
        "cos(%x[i])",
        "pow(abs(%x[i]), 2.5)",
        "pow(abs(%x[i]), -1.0)",
        "pow(%x[i], 3.0)",
        "1.0 / %x[i]",
        "pow(abs(%x[i]) + 0.5, %x[i])",
        "mod(%x[i], 0.7)",
        "%x[i] * floor(%x[i] * 3.0)",
        "if %x[i] < 0.3 then %x[i] * %x[i] else exp(%x[i])",
        "%x[i] * sigmoid(%x[i] * 1.7)",
        "0.5 * %x[i] * (1.0 + erf(%x[i] * 0.7071067811865476))",
        "max(%x[i], 0.0) + log1p(exp(min(-%x[i], %x[i])))",
        "max(%x[i], 0.0) + log1p(exp(-abs(%x[i])))",
        "tanh(%x[i]) * tanh(%x[i]) + exp(%x[i]) / (1.0 + exp(%x[i]))",
        "%x[i] * to_real(i) + rand(3, i)",
        "max(min(%x[i], 0.5), -0.5)",
        "%x[i] / sqrt(%x[i] * %x[i] + 0.1)",
    };
    for (size_t i = 0; i < sizeof body / sizeof *body; i++) {
        char line[512];
        snprintf(line, sizeof line, "%%9 = index [i<7] %s", body[i]);
        vector_grads("param x f64[7]", "", line, 7);
    }
}
END_TEST

START_TEST(functions_of_two_arguments) {
    static const char *const body[] = {
        "%x[i] + %y[i]",
        "%x[i] - %y[i]",
        "%x[i] * %y[i]",
        "%x[i] / %y[i]",
        "min(%x[i], %y[i])",
        "max(%x[i], %y[i])",
        "pow(abs(%x[i]), %y[i])",
        "mod(%x[i], abs(%y[i]) + 0.1)",
        "if %x[i] < %y[i] then %x[i] * %y[i] else %x[i] - %y[i]",
        "(%x[i] - %y[i]) * (%x[i] - %y[i]) / (abs(%x[i]) + 1.0)",
    };
    for (size_t i = 0; i < sizeof body / sizeof *body; i++) {
        char line[512];
        snprintf(line, sizeof line, "%%9 = index [i<7] %s", body[i]);
        vector_grads("param x f64[7] param y f64[7]", "", line, 7);
    }
}
END_TEST

START_TEST(the_side_not_taken_contributes_nothing) {
    const char *text =
        "module m f64\nparam x f64[4]\nfunction f() {\n"
        "%0 = index [i<4] %x[i] - %x[i] * to_real(mod(i, 2))\n"
        "%1 = index [i<4] log(%0[i])\n"
        "%2 = index [i<4] if mod(i, 2) == 1 then 1.0 else %1[i]\n"
        "%3 = index [| a<4] sum %2[a]\n%4 = grad %3 wrt %x\nresult g = %4\n}\n";
    for (int simplified = 0; simplified < 2; simplified++) {
        Module *m = read_text(text);
        run_pass(m, pass_grad, LEVEL_G);
        if (simplified) run_pass(m, pass_simplify, LEVEL_G);
        const int64_t extent[] = {1};
        Leaves l = test_leaves(m, m->fns.at[0], extent);
        for (int i = 0; i < 4; i++) l.at[0].tensor->at[i] = 2;
        const Tensor *g = test_eval(m, m->arena, EVAL_wide, extent, &l, result_of(m, "f", "g"));
        expect_tensor(g, 4, (double[]){0.5, 0, 0.5, 0});
        test_free(m);
    }
}
END_TEST

// ---- reads

START_TEST(shifts_and_guards) {
    vector_grads("param x f64[9]", "", "%9 = index [i<6] %x[i + 2] * %x[i]", 6);
    vector_grads("param x f64[9]", "", "%9 = index [i<9] exp(%x[8 - i]) * %x[i]", 9);
    vector_grads("param x f64[6]", "",
                 "%9 = index [i<9] (%x[i - 2] if i - 2 >= 0, 7 - i >= 0 else 3.0) * 1.5 + 1.0", 9);
    vector_grads("param x f64[6] param z f64[9]", "",
                 "%9 = index [i<9] (%x[i - 2] if i - 2 >= 0, 7 - i >= 0 else exp(%z[i]))", 9);
    vector_grads("param x f64[6]", "",
                 "%9 = index [i<9] exp((%x[i - 2] if i - 2 >= 0, 7 - i >= 0 else 0.5))", 9);
    vector_grads("param x f64[5, 5]", "", "%9 = index [i<5] %x[i, i] * %x[i, 3] + %x[2, i]", 5);
    vector_grads("param x f64[5, 5]", "",
                 "%9 = index [i<3 | a<3] sum %x[i + a, a] * %x[a, 2] * %x[i, i]", 3);
    vector_grads("param x f64[7]", "", "%9 = index [i<4] %x[3] * %x[i]", 4);
}
END_TEST

START_TEST(strides) {
    vector_grads("param x f64[9]", "", "%9 = index [i<4] exp(%x[2*i + 1])", 4);
    vector_grads("param x f64[11]", "", "%9 = index [i<4] exp(%x[3*i]) * %x[3*i + 1]", 4);
    vector_grads("param x f64[9]", "", "%9 = index [i<9] %x[8 - i] * %x[(i) / 2] * %x[(i + 1) / 3]",
                 9);
    vector_grads("param x f64[12]", "", "%9 = index [i<5] exp(%x[10 - 2*i])", 5);
}
END_TEST

START_TEST(convolutions) {
    static const char *const body[] = {
        "%9 = index [i<7 | a<3] sum %x[i + a] * %k[a]",
        "%9 = index [i<9 | a<3] sum (%x[i + a - 1] if i + a - 1 >= 0, 9 - i - a >= 0 else 0.0) * "
        "%k[a]",
        "%9 = index [i<4 | a<3] sum %x[2*i + a] * %k[a]",
        "%9 = index [i<5 | a<3] sum (%x[2*i + a - 1] if 2*i + a - 1 >= 0, 9 - 2*i - a >= 0 else "
        "0.0) * %k[a]",
        "%9 = index [i<3 | a<3] sum %x[3*i + a] * %k[a]",
        "%9 = index [i<2 | a<3] sum %x[4*i + a] * %k[a]",
        "%9 = index [i<3 | a<3] sum %x[3*i + a + 0] * exp(%k[a] * %x[i])",
        "%9 = index [i<5 | a<3] sum %x[i + 2*a] * %k[a]",
        "%9 = index [i<3 | a<3] sum %x[2*i + 2*a] * %k[a]",
        "%9 = index [i<2 | a<3] sum %x[3*i + 2*a] * %k[a]",
        "%9 = index [i<4 | a<3] sum %x[i + a] * %x[i + 2*a] * %k[a]",
        "%9 = index [i<3 | a<2, b<2] sum %x[i + a + 2*b] * %k[a + b]",
        "%9 = index [i<2 | a<2, b<2] sum %x[4*i + 2*a + b] * %k[a + b]",
        "%9 = index [i<2 | a<2, b<3] sum %x[2*i + 2*a + b] * %k[b]",
        "%9 = index [i<3 | a<3] sum %x[8 - 2*i - a] * %k[a]",
    };
    for (size_t i = 0; i < sizeof body / sizeof *body; i++)
        vector_grads("param x f64[10] param k f64[3]", "", body[i],
                     (int)strtol(strstr(body[i], "i<") + 2, NULL, 10));
}
END_TEST

START_TEST(images) {
    const char *leaves = "param x f64[2, 6, 7, 2] param k f64[3, 3, 2, 2]";
    matrix_grads(leaves, "",
                 "%1 = index [n<2, i<3, j<4, f<2 | a<3, b<3, c<2] sum "
                 "(%x[n, 2*i + a - 1, 2*j + b - 1, c] if 2*i + a - 1 >= 0, 6 - 2*i - a >= 0, "
                 "2*j + b - 1 >= 0, 7 - 2*j - b >= 0 else 0.0) * %k[a, b, c, f]\n"
                 "%9 = reshape %1 to [2, 24]",
                 "2", "24");
    matrix_grads(
        leaves, "",
        "%1 = index [n<2, i<4, j<5, g<2 | a<3, b<3] sum %x[n, i + a, j + b, g] * %k[a, b, g, 1]\n"
        "%9 = reshape %1 to [2, 40]",
        "2", "40");
}
END_TEST

START_TEST(run_time_batches) {
    const char *leaves = "param w f64[5, 4] param b f64[4]";
    matrix_grads(leaves, "x f64[batch, 5]",
                 "%0 = index [n<batch, u<4 | a<5] sum %x[n, a] * %w[a, u]\n"
                 "%9 = index [n<batch, u<4] tanh(%0[n, u] + %b[u])",
                 "batch", "4");
    matrix_grads("param w f64[3, 5] param v f64[4]", "x f64[batch, 9]",
                 "%0 = index [n<batch, i<5 | a<3, b<5] sum %x[n, i + b] * %w[a, b] * %v[a]\n"
                 "%9 = reshape %0 to [batch, 5]",
                 "batch", "5");
    matrix_grads(leaves, "x f64[batch, 5]",
                 "%0 = index [n<batch, u<4 | a<5] sum %x[n, a] * %w[a, u]\n"
                 "%1 = index [ u<4 | n<batch ] sum %0[n, u]\n"
                 "%9 = index [n<batch, u<4] %0[n, u] * %1[u] * %b[u]",
                 "batch", "4");
}
END_TEST

// ---- gathers

START_TEST(gathers) {
    vector_grads("param x f64[7]", "k i32<7>[5]", "%9 = index [i<5] exp(%x[{%k[i]}])", 5);
    matrix_grads("param x f64[7, 3]", "k i32<7>[5]", "%9 = index [i<5, j<3] exp(%x[{%k[i]}, j])",
                 "5", "3");
    vector_grads("param x f64[5, 4]", "k i32<4>[5]", "%9 = index [i<5] %x[i, {%k[i]}] * %x[i, 0]",
                 5);
    vector_grads("param x f64[5, 4, 3]", "k i32<4>[5], l i32<3>[5]",
                 "%9 = index [i<5] %x[i, {%k[i]}, {%l[i]}] + 1.0", 5);
    vector_grads("param x f64[9]", "k i32<5>[5]", "%9 = index [i<5] exp(%x[i + {%k[i]}])", 5);
    vector_grads("param x f64[6]", "k i32<7>[5]",
                 "%9 = index [i<5] (%x[-1 + {%k[i]}] if -1 + {%k[i]} >= 0 else 2.0) * 3.0", 5);
    vector_grads("param x f64[4]", "k i32<4>[5, 3]",
                 "%9 = index [i<5 | a<3] sum %x[{%k[i, a]}] * %x[a]", 5);
}
END_TEST

// ---- reductions

START_TEST(reductions) {
    const char *leaves = "param x f64[4, 5]";
    vector_grads(leaves, "", "%9 = index [i<4 | a<5] prod %x[i, a]", 4);
    vector_grads(leaves, "", "%9 = index [i<4 | a<5] max %x[i, a] * %x[i, a]", 4);
    vector_grads(leaves, "", "%9 = index [i<4 | a<5] min exp(%x[i, a])", 4);
    vector_grads(leaves, "", "%9 = index [i<5 | a<4] max %x[a, i]", 5);
    vector_grads(leaves, "", "%9 = index [i<4 | a<5] sum where (i - a >= 0) %x[i, a] * %x[i, 0]",
                 4);
    vector_grads(leaves, "", "%9 = index [i<4 | a<5] prod where (i - a + 1 >= 0) %x[i, a] + 0.1",
                 4);
    vector_grads(leaves, "", "%9 = index [i<4 | a<5] max where (i - a >= 0) %x[i, a]", 4);
    vector_grads(leaves, "", "%9 = index [i<2 | a<2, b<5] max %x[2*i + a, b] * 2.0", 2);
}
END_TEST

// Ties: the first winner gets everything. A zero among the factors: the others' product.
START_TEST(ties_and_zeros) {
    const char *text =
        "module m f64\nparam x f64[4]\nfunction f() {\n"
        "%0 = index [ | a<4] max %x[a]\n%1 = grad %0 wrt %x\n"
        "%2 = index [ | a<4] prod %x[a]\n%3 = grad %2 wrt %x\n"
        "%4 = index [i<4] max(%x[i], 3.0)\n%5 = index [| a<4] sum %4[a]\n"
        "%6 = grad %5 wrt %x\nresult a = %1\nresult b = %3\nresult c = %6\n}\n";
    for (int simplified = 0; simplified < 2; simplified++) {
        Module *m = read_text(text);
        run_pass(m, pass_grad, LEVEL_G);
        if (simplified) run_pass(m, pass_simplify, LEVEL_G);
        const int64_t extent[] = {1};
        Leaves l = test_leaves(m, m->fns.at[0], extent);
        memcpy(l.at[0].tensor->at, (double[]){2, 3, 0, 3}, 4 * sizeof(double));
        Arena *a = m->arena;
        expect_tensor(test_eval(m, a, EVAL_wide, extent, &l, result_of(m, "f", "a")), 4,
                      (double[]){0, 1, 0, 0});
        expect_tensor(test_eval(m, a, EVAL_wide, extent, &l, result_of(m, "f", "b")), 4,
                      (double[]){0, 0, 18, 0});
        expect_tensor(test_eval(m, a, EVAL_wide, extent, &l, result_of(m, "f", "c")), 4,
                      (double[]){0, 0, 0, 0});
        test_free(m);
    }
}
END_TEST

START_TEST(pooling) {
    static const struct {
        const char *body, *n;
    } pool[] = {
        {"%1 = index [n<2, i<3, j<3 | a<2, b<2] max %x[n, 2*i + a, 2*j + b]", "9"},
        {"%1 = index [n<2, i<2, j<2 | a<3, b<3] max %x[n, 2*i + a, 2*j + b]", "4"},
        {"%1 = index [n<2, i<2, j<3 | a<3, b<2] sum %x[n, 3*i + a, 2*j + b] * 0.25", "6"},
        {"%1 = index [n<2, i<5, j<5 | a<2, b<2] max %x[n, i + a, j + b] * %x[n, i + a, 0]", "25"},
        {"%1 = index [n<2, i<3, j<2 | a<2, b<2] sum %x[n, 2*i + a, 1 + 2*j + b] * %x[n, i, j]",
         "6"},
        {"%0 = index [n<2, i<6, j<7] max(%x[n, i, j] + 0.3, 0.0)\n"
         "%1 = index [n<2, i<3, j<3 | a<2, b<2] max %0[n, 2*i + a, 2*j + b]",
         "9"},
        {"%0 = index [n<2, i<6, j<6] max(%x[n, i, j] + 0.3, 0.0)\n"
         "%1 = index [n<2, i<3, j<2 | a<2, b<3] min %0[n, 2*i + a, 3*j + b] * 1.0",
         "6"},
        {"%0 = index [n<2, i<6, j<6] tanh(%x[n, i, j])\n"
         "%1 = index [n<2, i<3, j<3 | a<2, b<2] max %0[n, 2*i + a, 2*j + b]",
         "9"},
    };
    for (size_t i = 0; i < sizeof pool / sizeof *pool; i++) {
        char body[512];
        snprintf(body, sizeof body, "%s\n%%9 = reshape %%1 to [2, %s]", pool[i].body, pool[i].n);
        matrix_grads("param x f64[2, 6, 7]", "", body, "2", pool[i].n);
    }
}
END_TEST

// ---- the other values

START_TEST(structure) {
    vector_grads("param x f64[12]", "",
                 "%1 = reshape %x to [3, 4]\n%2 = index [i<4, j<3] exp(%1[j, i])\n"
                 "%9 = reshape %2 to [12]",
                 12);
    vector_grads("param x f64[4] param y f64[3]", "",
                 "%1 = index [i<4] %x[i] * %x[i]\n%2 = index [i<3] sin(%y[i])\n"
                 "%9 = join axis 0 extent 12 [%1 at 0 step 2, %2 at 8, %y at 1 step 2] fill 0.5",
                 12);
    vector_grads("param x f64[4, 3]", "",
                 "%1 = join axis 1 extent 8 [%x at 1 step 2] fill 0.0\n"
                 "%2 = index [i<4, j<8] exp(%1[i, j])\n%3 = reshape %2 to [32]\n"
                 "%9 = index [i<32] %3[i] * %3[31 - i]",
                 32);
    vector_grads("param x f64[12]", "", "%9 = index [i<3 | a<4] sum %x[4*i + a] * %x[a]", 3);
    vector_grads("param x f64[13]", "", "%9 = index [i<3 | a<4] sum exp(%x[4*i + a + 1])", 3);
    matrix_grads("param x f64[6, 5]", "",
                 "%9 = index [i<3, j<5 | a<2] sum exp(%x[2*i + a, j]) * %x[i, j]", "3", "5");
}
END_TEST

START_TEST(accumulates) {
    vector_grads("param x f64[5]", "k i32<4>[5]",
                 "%9 = accumulate f64[4] [i<5] sum at [{%k[i]}]: exp(%x[i])", 4);
    vector_grads(
        "param x f64[5] param z f64[4]", "k i32<4>[5]",
        "%1 = index [i<4] %z[i] * %z[i]\n"
        "%9 = accumulate f64[4] [i<5] sum where (3 - i >= 0) at [{%k[i]}] from %1: exp(%x[i])",
        4);
    vector_grads("param x f64[3] param k f64[4]", "",
                 "%9 = accumulate f64[8] [i<3, a<4] sum at [2*i + a]: %x[i] * %k[a]", 8);
    vector_grads("param x f64[5] param z f64[4]", "k i32<4>[5]",
                 "%9 = accumulate f64[4] [i<5] max at [{%k[i]}] from %z: %x[i] * 1.5", 4);
    matrix_grads("param x f64[5, 3]", "k i32<4>[5]",
                 "%1 = accumulate f64[4, 3] [i<5, j<3] sum at [{%k[i]}, j]: exp(%x[i, j])\n"
                 "%9 = index [i<5, j<3] %1[{%k[i]}, j] * %x[i, j]",
                 "5", "3");
}
END_TEST

START_TEST(stop_blocks) {
    Module *m = read_text(
        "module m f64\nparam x f64[3]\nfunction f() {\n"
        "%0 = index [| a<3] sum %x[a] * stop(%x[a] * %x[a])\n"
        "%1 = grad %0 wrt %x\nresult g = %1\n}\n");
    run_pass(m, pass_grad, LEVEL_G);
    run_pass(m, pass_simplify, LEVEL_G);
    ck_assert_ptr_nonnull(strstr(printed(m), "index [i<3] %x[i] * %x[i]"));
    test_free(m);
}
END_TEST

// Each smooth scalar function twice: its first derivative as a vector, which is then differentiated.
START_TEST(second_derivatives_of_functions) {
    static const char *const f[] = {
        "exp(%x[i])", "log(abs(%x[i]) + 0.2)", "log1p(%x[i] * %x[i])", "tanh(%x[i])",
        "sigmoid(%x[i])", "erf(%x[i])", "sin(%x[i])", "cos(%x[i])", "sqrt(%x[i] * %x[i] + 0.3)",
        "1.0 / (%x[i] * %x[i] + 0.5)", "%x[i] / (2.0 + sin(%x[i]))", "pow(abs(%x[i]) + 0.3, 2.5)",
        "pow(%x[i], 3.0)", "pow(exp(%x[i]), %x[i])", "pow(2.0, %x[i])", "%x[i] * %x[i] * %x[i]",
        "max(%x[i], 0.0) + log1p(exp(min(-%x[i], %x[i])))",
        "0.5 * %x[i] * (1.0 + erf(%x[i] * 0.7071067811865476))", "%x[i] * sigmoid(%x[i])",
        "if %x[i] < 0.3 then exp(%x[i]) * %x[i] else sin(%x[i] * 2.0)",
    };
    for (size_t i = 0; i < sizeof f / sizeof *f; i++) {
        char line[512];
        snprintf(line, sizeof line,
                 "%%0 = index [i<5] %s\n%%1 = index [| a<5] sum %%0[a] * to_real(a + 1)\n"
                 "%%9 = grad %%1 wrt %%x",
                 f[i]);
        vector_grads("param x f64[5]", "", line, 5);
    }
}
END_TEST

START_TEST(shared_parameters_and_networks) {
    matrix_grads("param w f64[4, 4] param g f64[4]", "x f64[batch, 4]",
                 "%0 = index [n<batch, u<4 | a<4] sum %x[n, a] * %w[a, u]\n"
                 "%1 = index [n<batch, u<4] tanh(%0[n, u])\n"
                 "%2 = index [n<batch, u<4 | a<4] sum %1[n, a] * %w[u, a]\n"
                 "%9 = index [n<batch, u<4] %1[n, u] + max(%2[n, u] * %g[u], 0.0)",
                 "batch", "4");
    // Layer normalization.
    matrix_grads("param x f64[3, 5] param g f64[5] param b f64[5]", "",
                 "%0 = index [n<3 | a<5] sum %x[n, a]\n%1 = index [n<3] %0[n] / 5.0\n"
                 "%2 = index [n<3 | a<5] sum (%x[n, a] - %1[n]) * (%x[n, a] - %1[n])\n"
                 "%3 = index [n<3] %2[n] / 5.0\n"
                 "%9 = index [n<3, j<5] %g[j] * (%x[n, j] - %1[n]) / sqrt(%3[n] + 0.01) + %b[j]",
                 "3", "5");
    // Batch normalization.
    matrix_grads(
        "param w f64[5, 4] param g f64[4]", "x f64[batch, 5], run.inv_rows f64[]",
        "%4 = index [n<batch, u<4 | a<5] sum %x[n, a] * %w[a, u]\n"
        "%0 = index [u<4 | n<batch] sum %4[n, u]\n%1 = index [u<4] %0[u] * %run.inv_rows[]\n"
        "%2 = index [u<4 | n<batch] sum (%4[n, u] - %1[u]) * (%4[n, u] - %1[u])\n"
        "%3 = index [u<4] %2[u] * %run.inv_rows[]\n"
        "%9 = index [n<batch, j<4] %g[j] * (%4[n, j] - %1[j]) / sqrt(%3[j] + 0.01)",
        "batch", "4");
    // Attention over one head, causal.
    matrix_grads(
        "param q f64[4, 3] param k f64[4, 3] param v f64[4, 3]", "",
        "%0 = index [t<4, s<4 | e<3] sum %q[t, e] * %k[s, e]\n"
        "%1 = index [t<4, s<4] if s <= t then %0[t, s] * 0.5 else -inf\n"
        "%2 = index [t<4 | s<4] max %1[t, s]\n%3 = index [t<4, s<4] exp(%1[t, s] - %2[t])\n"
        "%4 = index [t<4 | s<4] sum %3[t, s]\n%5 = index [t<4, s<4] %3[t, s] / %4[t]\n"
        "%9 = index [t<4, e<3 | s<4] sum %5[t, s] * %v[s, e]",
        "4", "3");
}
END_TEST

START_TEST(losses) {
    static const char *const loss[] = {
        "%5 = index [n<3 | a<4] max %z[n, a]\n%6 = index [n<3 | a<4] sum exp(%z[n, a] - %5[n])\n"
        "%9 = index [n<3] %5[n] + log(%6[n]) - %z[n, {%y[n]}]",
        "%5 = index [n<3 | a<4] max %z[n, a]\n%6 = index [n<3, k<4] exp(%z[n, k] - stop(%5[n]))\n"
        "%7 = index [n<3 | a<4] sum %6[n, a]\n%8 = index [n<3, k<4] %6[n, k] / %7[n]\n"
        "%9 = index [n<3] -log(%8[n, {%y[n]}])",
        "%5 = index [n<3 | a<4] sum exp(%z[n, a])\n%6 = index [n<3, k<4] %z[n, k] - log(%5[n])\n"
        "%9 = index [n<3] -%6[n, {%y[n]}]",
        "%5 = index [n<3, k<4] sigmoid(%z[n, k])\n"
        "%9 = index [n<3 | a<4] sum -log(%5[n, a]) * 0.3 - log(1.0 - %5[n, a]) * 0.7",
        "%9 = index [n<3 | a<4] sum if a == %y[n] then 0.0 else max(%z[n, a] - %z[n, {%y[n]}] + "
        "1.0, 0.0)",
        "%9 = index [n<3 | a<4] sum if abs(%z[n, a]) < 0.5 then %z[n, a] * %z[n, a] else abs(%z[n, "
        "a]) - 0.25",
    };
    for (size_t i = 0; i < sizeof loss / sizeof *loss; i++)
        vector_grads("param z f64[3, 4]", "y i32<4>[3]", loss[i], 3);
}
END_TEST

START_TEST(second_derivatives) {
    static const char *const body[] = {
        "%0 = index [| a<4] sum exp(%x[a] * %x[3 - a]) * %x[a]\n%9 = grad %0 wrt %x",
        "%0 = index [i<4 | a<2] sum tanh(%x[i] * to_real(a + 1))\n%1 = index [| a<4] sum %0[a] * "
        "%0[a]\n"
        "%9 = grad %1 wrt %x",
        "%0 = index [i<3] exp(%x[i] * %x[i + 1])\n%1 = index [| a<3] sum %0[a]\n%2 = grad %1 wrt "
        "%x\n"
        "%3 = index [| a<4] sum %2[a] * %2[a]\n%9 = grad %3 wrt %x",
        "%0 = index [ | a<4] prod %x[a]\n%9 = grad %0 wrt %x",
        "%0 = index [ | a<4] max %x[a] * %x[a]\n%1 = index [] %0[] * %0[]\n%9 = grad %1 wrt %x",
        "%0 = index [i<2 | a<3] sum %x[i + a] * %x[a]\n%1 = index [| a<2] sum sin(%0[a])\n%9 = "
        "grad %1 wrt %x",
    };
    for (size_t i = 0; i < sizeof body / sizeof *body; i++)
        vector_grads("param x f64[4]", "", body[i], 4);
}
END_TEST

// ---- functions with gradients of their own: the right ones

START_TEST(own_gradients) {
    vector_grads("param x f64[4]", "",
                 "%0 = index [i<4] sin(%x[i]) %1 = cotangent 0 f64[4]\n"
                 "%2 = index [i<4] cos(%x[i]) * %1[i]\n"
                 "%3 = own %0 at 0 from [%1] to [%x = %2]\n"
                 "%9 = index [i<4] %3[i] * %x[3 - i]",
                 4);
    // As what is differentiated, and of the whole of x by way of every kind of value.
    vector_grads("param x f64[6]", "k i32<6>[6]",
                 "%0 = index [i<6] %x[{%k[i]}] * %x[i] %1 = cotangent 7 f64[6]\n"
                 "%2 = index [i<6] %1[i] * %x[{%k[i]}]\n"
                 "%3 = accumulate f64[6] [i<6] sum at [{%k[i]}] from %2: %1[i] * %x[i]\n"
                 "%4 = reshape %3 to [2, 3] %5 = index [i<3] %4[0, i] %6 = index [i<3] %4[1, i]\n"
                 "%7 = join axis 0 extent 6 [%5 at 0, %6 at 3] fill 0.0\n"
                 "%9 = own %0 at 0 from [%1] to [%x = %7]",
                 6);
    // Two results, and parameters beside the arguments.
    matrix_grads("param x f64[3, 2] param z f64[3, 2] param w f64[2, 2]", "",
                 "%0 = index [i<3, j<2 | a<2] sum %x[i, a] * %w[a, j]\n"
                 "%1 = index [i<3, j<2] %0[i, j] * %z[i, j]\n"
                 "%2 = cotangent 1 f64[3, 2] %3 = cotangent 2 f64[3, 2]\n"
                 "%4 = index [i<3, j<2] %2[i, j] + %3[i, j] * %z[i, j]\n"
                 "%5 = index [i<3, j<2 | a<2] sum %4[i, a] * %w[j, a]\n"
                 "%6 = index [i<3, j<2] %3[i, j] * %0[i, j]\n"
                 "%7 = own %0 at 0 from [%2, %3] to [%x = %5, %z = %6]\n"
                 "%8 = own %1 at 1 from [%2, %3] to [%x = %5, %z = %6]\n"
                 "%9 = index [i<3, j<2] tanh(%7[i, j]) + %8[i, j] * %x[i, j]",
                 "3", "2");
}
END_TEST

START_TEST(own_gradients_inside_others) {
    // The gradient of the outer one calls the inner one with what depends on its cotangent.
    static const char *const body[] = {"%9 = index [i<4] %13[i] * %13[i] + %x[i]",
                                       "%14 = index [| a<4] sum %13[a] * to_real(a + 1)\n"
                                       "%9 = grad %14 wrt %x",
                                       "%14 = index [| a<4] sum %13[a] * %13[a]\n"
                                       "%15 = grad %14 wrt %x %16 = index [| a<4] sum %15[a] * %x[a]\n"
                                       "%9 = grad %16 wrt %w"};
    for (size_t i = 0; i < sizeof body / sizeof *body; i++) {
        char line[2048];
        snprintf(line, sizeof line,
                 "%%0 = index [i<4] %%x[i] * %%x[i] * %%x[i] * %%w[i] %%1 = cotangent 0 f64[4]\n"
                 "%%2 = index [i<4] %%1[i] * %%x[i]\n"  // times x, by a product of its own
                 "%%3 = index [i<4] %%2[i] * %%x[i] %%4 = cotangent 1 f64[4]\n"
                 "%%5 = index [i<4] %%4[i] * %%x[i] %%6 = index [i<4] %%4[i] * %%2[i]\n"
                 "%%7 = own %%3 at 0 from [%%4] to [%%2 = %%5, %%x = %%6]\n"
                 "%%8 = index [i<4] 3.0 * %%7[i] * %%w[i]\n"
                 "%%13 = own %%0 at 0 from [%%1] to [%%x = %%8]\n%s",
                 body[i]);
        vector_grads("param x f64[4] param w f64[4]", "", line, 4);
    }
}
END_TEST

// What was made of a result with a cotangent can be differentiated with the same one again.
START_TEST(own_gradients_of_their_own_results) {
    vector_grads("param x f64[3]", "",
                 "%0 = index [i<3] %x[i] * %x[i] * %x[i] %1 = cotangent 0 f64[3]\n"
                 "%2 = index [i<3] %1[i] * %x[i] %3 = index [i<3] %2[i] * %x[i]\n"
                 "%4 = cotangent 1 f64[3] %5 = index [i<3] %4[i] * %x[i]\n"
                 "%6 = index [i<3] %4[i] * %2[i]\n"
                 "%7 = own %3 at 0 from [%4] to [%2 = %5, %x = %6]\n"
                 "%8 = index [i<3] 3.0 * %7[i] %10 = own %0 at 0 from [%1] to [%x = %8]\n"
                 "%11 = index [| a<3] sum %10[a] %12 = grad %11 wrt %x\n"
                 "%13 = index [| a<3] sum %10[a] * %12[a] %14 = grad %13 wrt %x\n"
                 "%15 = index [| a<3] sum %14[a] * %12[a] * %10[a]\n%9 = grad %15 wrt %x",
                 3);
}
END_TEST

int main(void) {
    Suite *s = suite_create("grad");
    TCase *t = tcase_create("differences");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, functions_of_one_argument);
    tcase_add_test(t, functions_of_two_arguments);
    tcase_add_test(t, the_side_not_taken_contributes_nothing);
    tcase_add_test(t, shifts_and_guards);
    tcase_add_test(t, strides);
    tcase_add_test(t, convolutions);
    tcase_add_test(t, images);
    tcase_add_test(t, run_time_batches);
    tcase_add_test(t, gathers);
    tcase_add_test(t, reductions);
    tcase_add_test(t, ties_and_zeros);
    tcase_add_test(t, pooling);
    tcase_add_test(t, structure);
    tcase_add_test(t, accumulates);
    tcase_add_test(t, own_gradients);
    tcase_add_test(t, own_gradients_inside_others);
    tcase_add_test(t, own_gradients_of_their_own_results);
    tcase_add_test(t, stop_blocks);
    tcase_add_test(t, shared_parameters_and_networks);
    tcase_add_test(t, losses);
    tcase_add_test(t, second_derivatives);
    tcase_add_test(t, second_derivatives_of_functions);
    suite_add_tcase(s, t);
    return run_suite(s);
}
