// The interpreter against results worked out by hand; orders bit by bit; draws.
#include <math.h>

#include "ir_test.h"

static const int64_t no_extent[1] = {3};

static const Tensor *evaluate(Module *m, EvalMode mode, const double *x) {
    Function *f = module_function(m, "f");
    Eval *e = eval_new(m, m->arena, mode, no_extent, 7, 2);
    if (f->inputs.n) eval_bind(e, f->inputs.at[0], tensor_of(m, f->inputs.at[0], no_extent, x));
    return eval_value(e, result_of(m, "f", "y"));
}

static Module *module_of(const char *type, const char *body) {
    char text[4096];
    snprintf(text, sizeof text,
             "module m f32\nextent batch <= 8\nfunction f(x %s) {\n%s\nresult y = %%0\n}\n", type,
             body);
    Module *m = read_text(text);
    const char *wrong = verify_module(m, LEVEL_G | LEVEL_F);
    ck_assert_msg(!wrong, "%s", wrong);
    return m;
}

static void expect(const char *type, const char *body, const double *x, int n, const double *y) {
    Module *m = module_of(type, body);
    expect_tensor(evaluate(m, EVAL_wide, x), n, y);
    expect_tensor(evaluate(m, EVAL_exact, x), n, y);
    test_free(m);
}

#define LIST(...) ((const double[]){__VA_ARGS__})

START_TEST(product_of_matrices) {
    expect("f32[batch, 2]", "%0 = index [i<batch, j<batch | a<2] sum %x[i, a] * %x[j, a]",
           LIST(1, 2, 3, 4, 5, 6), 9, LIST(5, 11, 17, 11, 25, 39, 17, 39, 61));
}
END_TEST

START_TEST(guards_divisions_strides) {
    expect("f32[4]", "%0 = index [i<4] (%x[i - 1] if i - 1 >= 0 else 9.0)", LIST(1, 2, 3, 4), 4,
           LIST(9, 1, 2, 3));
    expect("f32[3]", "%0 = index [i<5] (%x[(i) / 2] if i == 0 mod 2 else 0.0)", LIST(1, 2, 3), 5,
           LIST(1, 0, 2, 0, 3));
    expect("f32[6]", "%0 = index [i<2] %x[3*i + 1]", LIST(0, 1, 2, 3, 4, 5), 2, LIST(1, 4));
    expect("f32[4]", "%0 = index [i<4 | a<4] sum where (i - a >= 0) %x[a]", LIST(1, 2, 3, 4), 4,
           LIST(1, 3, 6, 10));
}
END_TEST

START_TEST(gathers_and_scatters) {
    expect("i32<4>[3]", "%0 = index [i<3] to_real(%x[{%x[i] - %x[i]} ] + i)", LIST(3, 0, 3), 3,
           LIST(3, 4, 5));
    expect("i32<4>[3]", "%0 = accumulate f32[4] [i<3] sum at [{%x[i]}]: to_real(i + 1)",
           LIST(3, 0, 3), 4, LIST(2, 0, 0, 4));
    expect(
        "i32<4>[3]",
        "%1 = index [i<4] 10.0\n"
        "%0 = accumulate f32[4] [i<3] max where (i - 1 >= 0) at [{%x[i]}] from %1: to_real(i * 9)",
        LIST(3, 0, 3), 4, LIST(10, 10, 10, 18));
}
END_TEST

START_TEST(structure) {
    expect("f32[2, 2]", "%0 = join axis 1 extent 5 [%x at 0 step 3, %x at 1] fill -1.0",
           LIST(1, 2, 3, 4), 10, LIST(1, 1, 2, 2, -1, 3, 3, 4, 4, -1));
    expect("f32[2, 3]", "%1 = reshape %x to [3, 2]\n%0 = index [i<3] %1[i, 1]",
           LIST(1, 2, 3, 4, 5, 6), 3, LIST(2, 4, 6));
}
END_TEST

START_TEST(reductions) {
    const double x[] = {2, -3, 5, 5};
    expect("f32[4]", "%0 = index [| a<4] prod %x[a]", x, 1, LIST(-150));
    expect("f32[4]", "%0 = index [| a<4] max %x[a]", x, 1, LIST(5));
    expect("f32[4]", "%0 = index [| a<4] min %x[a]", x, 1, LIST(-3));
    expect("f32[4]", "%0 = index [| a<4] argmax %x[a]", x, 1, LIST(2));
    expect("f32[4]", "%0 = index [| a<2, b<2] argmin %x[2*a + b]", x, 1, LIST(1));
    expect("f32[4]", "%0 = index [| a<4] any %x[a] == 5.0", x, 1, LIST(1));
    expect("f32[4]", "%0 = index [| a<4] all %x[a] == 5.0", x, 1, LIST(0));
    expect("f32[4]", "%0 = index [i<2 | a<4] sum where (a - 5 + i >= 0) %x[a]", x, 2, LIST(0, 0));
    expect("f32[4]", "%0 = index [| a<4] sum to_int(%x[a])", x, 1, LIST(9));
}
END_TEST

START_TEST(nan_wins) {
    const double x[] = {2, NAN, 5, NAN};
    expect("f32[4]", "%0 = index [| a<4] argmax %x[a]", x, 1, LIST(1));
    expect("f32[4]", "%0 = index [| a<4] argmin %x[a]", x, 1, LIST(1));
    Module *m = module_of("f32[4]", "%0 = index [| a<4] max %x[a]");
    ck_assert(isnan(evaluate(m, EVAL_exact, x)->at[0]));
    test_free(m);
    // The operations give their second argument where either is NaN.
    expect("f32[4]", "%0 = index [i<4] max(%x[i], 1.0)", x, 4, LIST(2, 1, 5, 1));
    expect("f32[4]", "%0 = index [i<4] min(%x[i], 1.0)", x, 4, LIST(1, 1, 1, 1));
}
END_TEST

START_TEST(integers) {
    expect("i32[4]", "%0 = index [i<4] idiv(%x[i], 3)", LIST(7, -7, 6, -1), 4, LIST(2, -3, 2, -1));
    expect("i32[4]", "%0 = index [i<4] mod(%x[i], 3)", LIST(7, -7, 6, -1), 4, LIST(1, 2, 0, 2));
    expect("i32[4]", "%0 = index [i<4] %x[i] * 65536", LIST(65536, 32768, 1, -1), 4,
           LIST(0, -2147483648.0, 65536, -65536));
    expect("f32[4]", "%0 = index [i<4] to_int(%x[i])", LIST(1.5, -1.5, 1e20, NAN), 4,
           LIST(1, -2, 2147483647, 0));
    expect("f32[4]", "%0 = index [i<4] round(%x[i])", LIST(0.5, 1.5, -2.5, 2.6), 4,
           LIST(0, 2, -2, 3));
    expect("f32[4]", "%0 = index [i<4] mod(%x[i], 2.0)", LIST(5, -5, 4, -0.5), 4,
           LIST(1, 1, 0, 1.5));
    expect("f32[2]", "%0 = index [i<2] mantissa(%x[i]) + to_real(exponent(%x[i]))", LIST(12, -0.75),
           2, LIST(4.5, -2.5));
}
END_TEST

// ---- roundings and orders

START_TEST(exact_rounds_every_operation) {
    Module *m = module_of("f32[1]", "%0 = index [i<1] (%x[i] + 1e-8) - %x[i]");
    ck_assert(evaluate(m, EVAL_exact, LIST(1))->at[0] == 0);
    ck_assert(evaluate(m, EVAL_wide, LIST(1))->at[0] == (1 + 1e-8) - 1);
    test_free(m);
    m = module_of("f32[1]", "%0 = index [i<1] fma(%x[i], %x[i], -1.0)");
    float a = 1 + 0x1p-13f;
    ck_assert(evaluate(m, EVAL_exact, LIST(a))->at[0] == fmaf(a, a, -1));
    ck_assert(evaluate(m, EVAL_exact, LIST(a))->at[0] != a * a - 1);
    test_free(m);
}
END_TEST

enum { N_TERMS = 45 };

static float term(int i) {
    return (float)(1.0 / (1 + (i * 7) % 23)) * (i % 3 ? 1.0f : -1.7f);
}

static double sum_in_order(const char *order, bool is_mac) {
    char body[200];
    double x[N_TERMS];
    for (int i = 0; i < N_TERMS; i++) x[i] = term(i);
    snprintf(body, sizeof body, "%%0 = index [| a<3, b<15] sum.%s %s", order,
             is_mac ? "mac(%x[15*a + b], %x[15*a + b])" : "%x[15*a + b]");
    Module *m = module_of("f32[45]", body);
    double y = evaluate(m, EVAL_exact, x)->at[0];
    test_free(m);
    return y;
}

START_TEST(orders_bit_by_bit) {
    float chain = 0, mac = 0;
    for (int i = 0; i < N_TERMS; i++) {
        chain += term(i);
        mac = fmaf(term(i), term(i), mac);
    }
    ck_assert(sum_in_order("seq", false) == chain);
    ck_assert(sum_in_order("seq", true) == mac);

    float lane[16] = {0};
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 15; b++) lane[b % 16] += term(15 * a + b);
    for (int half = 8; half; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    ck_assert(sum_in_order("lanes16", false) == lane[0]);

    float total = 0;
    for (int leaf = 0; leaf < 3; leaf += 2) {
        float part = 0;
        for (int a = leaf; a < leaf + 2 && a < 3; a++)
            for (int b = 0; b < 15; b++) part += term(15 * a + b);
        total += part;
    }
    ck_assert(sum_in_order("blocks(2)", false) == total);
    ck_assert(chain != lane[0] && chain != total);  // or the test shows nothing
}
END_TEST

START_TEST(lanes_over_a_long_row) {
    double x[45];
    float lane[16] = {0};
    for (int i = 0; i < 45; i++) x[i] = term(i);
    for (int i = 0; i < 45; i++) lane[i % 16] = fmaf(term(i), term(i), lane[i % 16]);
    for (int half = 8; half; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    Module *m = module_of("f32[45]", "%0 = index [| a<45] sum.lanes16 mac(%x[a], %x[a])");
    ck_assert(evaluate(m, EVAL_exact, x)->at[0] == lane[0]);
    test_free(m);
}
END_TEST

// ---- draws

// Known answers of Random123 1.09 (kat_vectors), philox4x32 with 10 and with 7 rounds.
START_TEST(philox_known_answers) {
    const uint32_t zero[4] = {0}, ones[4] = {~0u, ~0u, ~0u, ~0u};
    const uint32_t pi[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};
    const uint32_t pi_key[2] = {0xa4093822, 0x299f31d0};
    const uint32_t want10[3][4] = {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
                                   {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                                   {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    const uint32_t want7[3][4] = {{0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48},
                                  {0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662},
                                  {0x4dfccaba, 0x190a87f0, 0xc47362ba, 0xb6b5242a}};
    const uint32_t *counter[3] = {zero, ones, pi}, *key[3] = {zero, ones, pi_key};
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        philox4x32(10, counter[i], key[i], out);
        ck_assert_mem_eq(out, want10[i], sizeof out);
        philox4x32(7, counter[i], key[i], out);
        ck_assert_mem_eq(out, want7[i], sizeof out);
    }
}
END_TEST

START_TEST(a_draw_is_a_word_of_its_counter) {
    uint32_t counter[4] = {16 + 5, 0, 2, 0}, key[2] = {7, 3}, word[4];
    philox4x32(7, counter, key, word);
    double want = (word[2] >> 8) / 16777216.0;  // place 64 + 2 * 16 + 5
    ck_assert(eval_rand(7, 3, 2, 101) == want);
    Module *m = module_of("f32[1]", "%0 = index [i<3] rand(3, i + 99)");
    ck_assert(evaluate(m, EVAL_exact, LIST(0))->at[2] == want);
    test_free(m);
}
END_TEST

enum { DRAWS = 1 << 16 };

START_TEST(a_draw_by_sample_is_a_word_of_its_key_sample_and_place) {
    const uint32_t counter[4] = {2, (uint32_t)-5, 9, 1}, key[2] = {0x243F6A88, 0x85A308D3};
    uint32_t word[4];
    philox4x32(7, counter, key, word);
    Module *m = module_of("f32[1]", "%0 = index [i<3] draw(i + 9, i - 5, i * 3 + 2)");
    const double *at = evaluate(m, EVAL_exact, LIST(0))->at;
    ck_assert(at[0] == (double)(word[0] >> 8) * 0x1p-24);
    ck_assert(at[1] != at[0] && at[2] != at[1] && at[2] != at[0]);
    test_free(m);
}
END_TEST

// Of two sequences of draws, the second perhaps the first one shifted; 0 expected, in units of
// its standard deviation.
static double correlation(const double *x, const double *y, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (x[i] - 0.5) * (y[i] - 0.5) * 12;
    return fabs(sum) / sqrt(n);
}

static void draw(double *x, uint32_t seed, uint32_t site, uint32_t step) {
    for (uint32_t i = 0; i < DRAWS; i++) x[i] = eval_rand(seed, site, step, i);
}

START_TEST(draws_are_uniform_and_independent) {
    enum { BINS = 64 };
    static double x[DRAWS], y[DRAWS];
    draw(x, 7, 3, 2);
    double sum = 0, squares = 0, chi = 0;
    int count[BINS] = {0};
    for (int i = 0; i < DRAWS; i++) {
        ck_assert(x[i] >= 0 && x[i] < 1);
        sum += x[i] - 0.5;
        squares += (x[i] - 0.5) * (x[i] - 0.5);
        count[(int)(x[i] * BINS)]++;
    }
    ck_assert(fabs(sum) < 4 * sqrt(DRAWS / 12.0));
    ck_assert(fabs(squares - DRAWS / 12.0) < 4 * sqrt(DRAWS / 180.0));
    for (int b = 0; b < BINS; b++)
        chi += (count[b] - DRAWS / BINS) * (double)(count[b] - DRAWS / BINS) * BINS / DRAWS;
    ck_assert(chi < BINS - 1 + 4 * sqrt(2.0 * (BINS - 1)));
    static const int lag[] = {1, 2, 15, 16, 17, 32, 48, 63, 64, 65, 768};  // words, blocks, rows
    for (size_t i = 0; i < sizeof lag / sizeof *lag; i++)
        ck_assert(correlation(x, x + lag[i], DRAWS - lag[i]) < 4);
    static const uint32_t other[][3] = {{8, 3, 2}, {7, 4, 2}, {7, 3, 3}, {3, 7, 2}};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        draw(y, other[i][0], other[i][1], other[i][2]);
        ck_assert(correlation(x, y, DRAWS) < 4);
    }
}
END_TEST

START_TEST(run_time_extents) {
    Module *m = module_of("f32[batch]", "%0 = index [i<batch, j<2] %x[i]");
    const Tensor *t = evaluate(m, EVAL_exact, LIST(1, 2, 3));
    ck_assert_int_eq(t->dim[0], 3);
    expect_tensor(t, 6, LIST(1, 1, 2, 2, 3, 3));
    test_free(m);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir_eval");
    TCase *t = tcase_create("eval");
    tcase_add_test(t, product_of_matrices);
    tcase_add_test(t, guards_divisions_strides);
    tcase_add_test(t, gathers_and_scatters);
    tcase_add_test(t, structure);
    tcase_add_test(t, reductions);
    tcase_add_test(t, nan_wins);
    tcase_add_test(t, integers);
    tcase_add_test(t, exact_rounds_every_operation);
    tcase_add_test(t, orders_bit_by_bit);
    tcase_add_test(t, lanes_over_a_long_row);
    tcase_add_test(t, philox_known_answers);
    tcase_add_test(t, draws_are_uniform_and_independent);
    tcase_add_test(t, a_draw_is_a_word_of_its_counter);
    tcase_add_test(t, a_draw_by_sample_is_a_word_of_its_key_sample_and_place);
    tcase_add_test(t, run_time_extents);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
