// The textual form reads back to itself, and the reader survives what is no module.
#include "ir_test.h"

static const char everything[] =
    "module whole f32\n"
    "extent batch <= 128\n"
    "param w f32[784, 512]\n"
    "param x f32[4]\n"
    "param table f32[65, 16]\n"
    "state x f32[]\n"
    "state \"odd name\" i32<10>[4]\n"
    "\n"
    "function train_step(image f32[batch, 784], word i32<65>[batch], byte u8<9>[3], x f32[8]) {\n"
    "  %0.h = index [i<batch, j<512 | a<784] sum %image[i, a] * %w[a, j]\n"
    "  %1 = index [i<batch, j<512] max(%0.h[i, j], 0.0)\n"
    "  %2 = index [i<8] (%x[i - 1] if i - 1 >= 0 else 0.0) + %param:x[(i) / 2] * %state:x[]\n"
    "  %3 = index [i<8] (%x[(i + 1) / 2] if i + 1 == 0 mod 2 else -1.0)\n"
    "  %4 = index [i<batch, j<16] %table[{%word[i]}, j]\n"
    "  %5.e = accumulate f32[65, 16] [i<batch, j<16] sum at [{%word[i]}, j]: %4[i, j]\n"
    "  %6 = accumulate f32[65, 16] [i<batch, j<16] sum where (i - j >= 0, {%word[i]} >= 0) "
    "at [{%word[i]}, j] from %5.e: 2.0 - %4[i, j]\n"
    "  %7 = index [i<8 | a<8] sum.seq where (i - a >= 0) %x[a]\n"
    "  %8 = index [ | a<8] sum.lanes16 %x[a]\n"
    "  %9 = index [ | a<8] sum.blocks(4) exp(%x[a])\n"
    "  %10 = index [i<8] if %x[i] < 0.0 then -%x[i] else if i <= 3 then 1.0 else rand(7, i + 8)\n"
    "  %11 = reshape %2 to [2, 4]\n"
    "  %12 = join axis 0 extent 20 [%2 at 0 step 2, %3 at 1 step 2, %param:x at 16] fill 0.5\n"
    "  %13 = grad %8 wrt %param:x\n"
    "  %14 = index [ | a<8] argmax %x[a]\n"
    "  %15 = index [i<3] to_int(%byte[i]) * 2 + i\n"
    "  %16 = index [i<3] %byte[i] == 3u8 and not (to_real(%15[i]) <= 2.5 or i == 1)\n"
    "  %17 = index [ | a<3] any %16[a]\n"
    "  %18 = index [i<8]\n"
    "      let t0 = exp(%x[i] * 2.0);\n"
    "      let t1 = (t0 + 1.0) / (t0 - 1.0);\n"
    "      t1 * t1 / (t0 * t1)\n"
    "  %19 = cotangent 3 f32[8]\n"
    "  %20 = index [i<8] -%19[i]\n"
    "  %21 = own %7 at 0 from [%19] to [%2 = %20]\n"
    "  %22.c = carry f32[5, 8]\n"
    "  %23 = carry f32[5, 2]\n"
    "  %24 = index [i<5, j<8 | a<2] sum %22.c[i, j] * %23[i, a]\n"
    "  %25 = index [i<5, j<2] tanh(%23[i, j] + %24[i, 4*j + 3])\n"
    "  %26 = carry f32[5, 3, 8]\n"
    "  %27 = index [i<5, j<3, k<8] %26[i, j, k] * %24[i, k]\n"
    "  %28 = scan axis 1 [%26 from %22.c to %27]\n"
    "  %29 = part 0 of %28\n"
    "  %30 = index [i<5, j<8] %29[i, 3, j]\n"
    "  %31 = index [i<2] 0.5\n"
    "  %32 = scan axis 0 reverse [%22.c from %2 to %30, %23 from %31 to %25] tap [%24]\n"
    "  %33 = part 1 of %32\n"
    "  %34 = part 2 of %32\n"
    "  result loss = %8\n"
    "  result \"all\" = %17\n"
    "  result a = %1\n"
    "  result b = %6\n"
    "  result c = %7\n"
    "  result d = %9\n"
    "  result e = %10\n"
    "  result f = %11\n"
    "  result g = %12\n"
    "  result h = %14\n"
    "  result i = %18\n"
    "  result j = %21\n"
    "  result k = %33\n"
    "  result l = %34\n"
    "  update %param:x = %13\n"
    "  update %state:x = %8\n"
    "}\n";

static const char frozen[] =
    "module net f32 frozen\n"
    "extent batch <= 4\n"
    "param w f32[3, 2]\n"
    "\n"
    "function predict(x f32[batch, 3]) {\n"
    "  %0 = index [i<batch, j<2 | a<3] sum.seq mac(%x[i, a], %w[a, j])\n"
    "  %1 = index [i<batch, j<2] fma(%0[i, j], 0.1, scale2(%0[i, j], 3)) * -1.0 + 0.0\n"
    "  result output = %1\n"
    "}\n";

static void round_trip(const char *text) {
    Module *m = read_text(text);
    const char *once = printed(m);
    Module *again = read_text(once);
    ck_assert_str_eq(once, printed(again));
    test_free(again);
    test_free(m);
}

START_TEST(everything_reads_back) {
    Module *m = read_text(everything);
    const char *wrong = verify_module(m, LEVEL_G);
    ck_assert_msg(!wrong, "%s", wrong);
    test_free(m);
    round_trip(everything);
}
END_TEST

START_TEST(frozen_reads_back_to_the_same_text) {
    Module *m = read_text(frozen);
    ck_assert(m->is_frozen);
    ck_assert_str_eq(printed(m), frozen);
    ck_assert_ptr_null(verify_module(m, LEVEL_F));
    test_free(m);
}
END_TEST

START_TEST(commuted_twins_are_one) {
    Module *m = read_text(
        "module m f32\nparam x f32[3]\nfunction f() {\n"
        "%0 = index [i<3] %x[i] * exp(%x[i])\n"
        "%1 = index [i<3] exp(%x[i]) * %x[i]\n"
        "result a = %0\nresult b = %1\n}\n");
    ck_assert_ptr_eq(result_of(m, "f", "a"), result_of(m, "f", "b"));
    test_free(m);
}
END_TEST

START_TEST(own_slot_names_and_bounds_in_boxes) {
    Module *m = read_text(
        "module m f32\nparam w f32[5, 7]\nfunction f(x f32[n<=9, 5]) {\n"
        "# a comment\n"
        "%7.y = index [row<n<=9, u<7 | k<5] sum.seq %x[row, k] * %w[k, u] @12:9 @layers.nn:3:1\n"
        "result y = %7.y\n}\n");
    ck_assert_ptr_nonnull(
        strstr(printed(m), "%0.y = index [i<n, j<7 | a<5] sum.seq %x[i, a] * %w[a, j]"));
    test_free(m);
}
END_TEST

// ---- errors

static void refused(const char *text, const char *why) {
    Compiler *c = test_compiler();
    ck_assert_msg(!read_text_in(c, text), "read: %s", text);
    ck_assert_int_ge(diag_errors(c->diags), 1);
    char *shown = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&shown, &size);
    diag_show(c->diags, f);
    fclose(f);
    ck_assert_msg(strstr(shown, why) != NULL, "expected `%s` in: %s", why, shown);
    free(shown);
    arena_free(c->arena);
}

static void body_refused(const char *body, const char *why) {
    char text[4096];
    snprintf(text, sizeof text,
             "module m f32\nextent batch <= 8\nparam x f32[8]\nfunction f(k i32[8]) {\n%s\n}\n",
             body);
    refused(text, why);
}

START_TEST(errors_have_reasons) {
    refused("", "unexpected the end");
    refused("module m i32", "f32 or f64");
    refused("module m f32 param w f64[3]", "f64 in a module of f32");
    refused("module m f32 param w f32[3] param w f32[3]", "a second time");
    refused("module m f32 param w f32[99999999999999999999]", "out of range");
    refused("module m f32 param w f32[1000000, 1000000, 1000000]", "too large");
    refused("module m f32 param w f32[1,1,1,1,1,1,1,1,1]", "more than 8");
    refused("module m f32 param w f32[rows]", "no extent is called rows");
    body_refused("%0 = index [i<8] %y[i]", "no leaf is called y");
    body_refused("%0 = index [i<8] %x[j]", "no slot is called j");
    body_refused("%0 = index [i<8] %x[i, i]", "2 subscripts, and rank 1");
    body_refused("%0 = index [i<8] %3[i]", "no value has the number 3");
    body_refused("%0 = index [i<8] %x[i] + %k[i]", "add takes arguments of one element");
    body_refused("%0 = index [i<8] exp(%x[i], %x[i])", "exp takes 1");
    body_refused("%0 = index [i<8] load(%x[i])", "no operation is called load");
    body_refused("%0 = index [i<8 | a<8] %x[i]", "reduced slots without a reduction");
    body_refused("%0 = index [i<8] sum %x[i]", "one without slots");
    body_refused("%0 = index [i<8, i<8] %x[i]", "two slots i");
    body_refused("%0 = index [i<8] %x[99999999999*i]", "out of range");
    body_refused("%0 = index [i<8] %x[(i) / 0]", "a divisor");
    body_refused("%0 = index [i<8] (%x[i] if i >= 1 else 0.0)", "not 0");
    body_refused("%0 = index [i<8] (%x[i] if i >= 0 else 1)", "f32 here and i32 outside");
    body_refused("%0 = join axis 3 extent 9 [%x at 0] fill 0.0", "no axis 3");
    body_refused("%0 = index [i<8] %x[i]\n%0 = index [i<8] 1.0", "two values with the number 0");
    body_refused("update %k = %x", "only a param or a state");
    body_refused("%0 = index [i<8] ` 1.0", "a character that means nothing");
}
END_TEST

START_TEST(deep_nesting_is_refused) {
    Compiler *c = test_compiler();
    Text *t = text_new(c->arena);
    text_add(t, "module m f32 function f(x f32[1]) { %0 = index [i<1] %x[i]");
    for (int n = 0; n < 100000; n++) text_add(t, " - exp(%x[i])");
    text_add(t, "}");
    ck_assert_ptr_null(read_text_in(c, t->at));
    t = text_new(c->arena);
    text_add(t, "module m f32 function f(x f32[1]) { %0 = index [i<1] ");
    for (int n = 0; n < 100000; n++) text_add(t, "(");
    ck_assert_ptr_null(read_text_in(c, t->at));
    arena_free(c->arena);
}
END_TEST

START_TEST(shared_parts_do_not_multiply) {
    Compiler *c = test_compiler();
    Text *t = text_new(c->arena);
    text_add(t,
             "module m f32 function f(x f32[1], k i32<4>[1]) { %0 = index [i<1] let t0 = %x[i];");
    for (int n = 0; n < 200; n++) text_printf(t, "let t%d = t%d * t%d + exp(t%d);", n + 1, n, n, n);
    text_add(t, "t200 result y = %0 %1 = index [i<1] let t0 = %k[i];");
    for (int n = 0; n < 200; n++) text_printf(t, "let t%d = t%d + t%d * t%d;", n + 1, n, n, n);
    text_add(t, "t200 result z = %1 }");
    Module *m = read_text_in(c, t->at);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_lt(strlen(printed(m)), 40000);
    ck_assert_ptr_null(verify_module(m, LEVEL_G));
    round_trip(printed(m));
    arena_free(c->arena);
}
END_TEST

// Bytes of a module changed at random: read or refused, never a crash.
START_TEST(garbage_is_survived) {
    uint32_t state = 12345;
    size_t length = strlen(everything);
    for (int run = 0; run < 3000; run++) {
        Compiler *c = test_compiler();
        char *text = arena_copy(c->arena, everything, length + 1);
        for (int n = 0; n < 1 + run % 5; n++) {
            state = state * 1664525u + 1013904223u;
            size_t at = (state >> 8) % length;
            state = state * 1664525u + 1013904223u;
            if (state >> 31)
                text[at] = everything[(state >> 8) % length];
            else
                text[at] = (char)(32 + (state >> 8) % 95);
        }
        Module *m = read_text_in(c, text);
        if (m) verify_module(m, LEVEL_G);
        if (m) printed(m);
        arena_free(c->arena);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir_text");
    TCase *t = tcase_create("text");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, everything_reads_back);
    tcase_add_test(t, frozen_reads_back_to_the_same_text);
    tcase_add_test(t, commuted_twins_are_one);
    tcase_add_test(t, own_slot_names_and_bounds_in_boxes);
    tcase_add_test(t, errors_have_reasons);
    tcase_add_test(t, deep_nesting_is_refused);
    tcase_add_test(t, shared_parts_do_not_multiply);
    tcase_add_test(t, garbage_is_survived);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
