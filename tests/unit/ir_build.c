// Sharing, folding, substitution and rewriting.
#include <math.h>

#include "ir_test.h"

static const Span nowhere = {0};

static Value *vector(Module *m, const char *name_of, Elem elem, int64_t n) {
    Dim d = dim_const(n);
    return build_param(m, name_of, type_tensor(elem, 1, &d), nowhere);
}

static Scalar *element(Module *m, Value *v, int slot) {
    Affine a = affine_slot(m, slot);
    return scalar_read_at(m, v, &a);
}

static void shows(Module *m, const Scalar *s, const char *text) {
    ck_assert_str_eq(scalar_text(m, s, 8), text);
}

START_TEST(equal_scalars_are_one) {
    Module *m = test_module(ELEM_f32);
    Value *x = vector(m, "x", ELEM_f32, 4), *y = vector(m, "y", ELEM_f32, 4);
    Scalar *a = element(m, x, 0), *b = element(m, y, 0);
    ck_assert_ptr_eq(a, element(m, x, 0));
    ck_assert_ptr_ne(a, b);
    ck_assert_ptr_eq(scalar_binary(m, OP_add, a, b), scalar_binary(m, OP_add, b, a));
    ck_assert_ptr_eq(scalar_binary(m, OP_mul, a, b), scalar_binary(m, OP_mul, b, a));
    ck_assert_ptr_ne(scalar_binary(m, OP_sub, a, b), scalar_binary(m, OP_sub, b, a));
    ck_assert_ptr_ne(scalar_binary(m, OP_max, a, b), scalar_binary(m, OP_max, b, a));
    ck_assert_ptr_ne(scalar_rand(m, 1, scalar_iv(m, 0)), scalar_rand(m, 2, scalar_iv(m, 0)));
    ck_assert_ptr_ne(scalar_real(m, 0.0), scalar_real(m, -0.0));
    ck_assert_ptr_eq(scalar_real(m, NAN), scalar_real(m, -NAN));
    test_free(m);
}
END_TEST

START_TEST(equal_values_are_one_whatever_their_spans) {
    Module *m = test_module(ELEM_f32);
    Value *x = vector(m, "x", ELEM_f32, 4);
    Dim d = dim_const(4);
    Scalar *body = scalar_unary(m, OP_exp, element(m, x, 0));
    Value *a = build_map(m, 1, &d, body, (Span){1, 2, 3}, "first");
    ck_assert_ptr_eq(a, build_map(m, 1, &d, body, (Span){1, 7, 9}, NULL));
    ck_assert_str_eq(a->hint, "first");
    ck_assert_ptr_eq(x, build_map(m, 1, &d, element(m, x, 0), nowhere, NULL));
    ck_assert_ptr_eq(x, build_param(m, "x", x->type, nowhere));
    ck_assert_ptr_eq(
        build_reshape(m, build_reshape(m, x, 2, (Dim[]){dim_const(2), dim_const(2)}, nowhere), 1,
                      &d, nowhere),
        x);
    test_free(m);
}
END_TEST

START_TEST(reals_fold_before_the_freeze) {
    Module *m = test_module(ELEM_f32);
    Scalar *x = element(m, vector(m, "x", ELEM_f32, 4), 0);
    Scalar *zero = scalar_real(m, 0), *one = scalar_real(m, 1), *two = scalar_real(m, 2);
    ck_assert_ptr_eq(scalar_binary(m, OP_add, x, zero), x);
    ck_assert_ptr_eq(scalar_binary(m, OP_add, zero, x), x);
    ck_assert_ptr_eq(scalar_binary(m, OP_sub, x, zero), x);
    ck_assert_ptr_eq(scalar_binary(m, OP_mul, one, x), x);
    ck_assert_ptr_eq(scalar_binary(m, OP_div, x, one), x);
    shows(m, scalar_binary(m, OP_sub, zero, x), "-%x[i]");
    shows(m, scalar_binary(m, OP_mul, x, zero), "%x[i] * 0.0");  // x may be infinite
    shows(m, scalar_binary(m, OP_mul, two, x), "%x[i] * 2.0");   // constants last
    shows(m, scalar_binary(m, OP_div, x, two), "%x[i] / 2.0");
    shows(m, scalar_binary(m, OP_pow, x, two), "%x[i] * %x[i]");
    shows(m, scalar_binary(m, OP_add, x, scalar_unary(m, OP_neg, scalar_unary(m, OP_exp, x))),
          "%x[i] - exp(%x[i])");
    ck_assert_ptr_eq(scalar_unary(m, OP_neg, scalar_unary(m, OP_neg, x)), x);
    ck_assert(scalar_binary(m, OP_div, one, scalar_real(m, 3))->real == 1.0 / 3);
    ck_assert(scalar_unary(m, OP_to_real, scalar_int(m, 3))->real == 3);
    ck_assert_ptr_eq(scalar_unary(m, OP_stop, two), two);
    test_free(m);
}
END_TEST

START_TEST(frozen_folding_keeps_every_bit) {
    Module *m = test_module(ELEM_f32);
    m->is_frozen = true;
    Scalar *x = element(m, vector(m, "x", ELEM_f32, 4), 0);
    shows(m, scalar_binary(m, OP_add, x, scalar_real(m, 0)), "%x[i] + 0.0");
    shows(m, scalar_binary(m, OP_pow, x, scalar_real(m, 2)), "pow(%x[i], 2.0)");
    ck_assert_ptr_eq(scalar_binary(m, OP_mul, x, scalar_real(m, 1)), x);
    Scalar *third = scalar_binary(m, OP_div, scalar_real(m, 1), scalar_real(m, 3));
    ck_assert(third->real == (double)(1.0f / 3.0f));
    Scalar *sum = scalar_binary(m, OP_add, scalar_real(m, 0.1), scalar_real(m, 0.2));
    ck_assert(sum->real == (double)(0.1f + 0.2f));
    test_free(m);
}
END_TEST

START_TEST(integers_fold_as_affine_forms) {
    Module *m = test_module(ELEM_f32);
    Scalar *i = scalar_iv(m, 0), *j = scalar_iv(m, 1), *three = scalar_int(m, 3);
    Scalar *k = element(m, vector(m, "k", ELEM_i32, 4), 0);
    shows(m,
          scalar_binary(m, OP_add, scalar_binary(m, OP_mul, i, three),
                        scalar_binary(m, OP_sub, scalar_int(m, 5), i)),
          "i * 2 + 5");
    shows(m, scalar_binary(m, OP_sub, j, scalar_binary(m, OP_add, i, three)), "j - i - 3");
    shows(m,
          scalar_binary(m, OP_add, scalar_binary(m, OP_add, k, three),
                        scalar_binary(m, OP_sub, i, three)),
          "%k[i] + i");
    shows(m, scalar_binary(m, OP_sub, scalar_binary(m, OP_add, k, three), k), "3");
    shows(m, scalar_binary(m, OP_mul, k, scalar_int(m, 0)), "0");
    ck_assert_ptr_eq(scalar_binary(m, OP_lt, i, scalar_binary(m, OP_add, i, three)),
                     scalar_bool(m, true));
    shows(m, scalar_unary(m, OP_not, scalar_binary(m, OP_lt, i, j)), "j <= i");
    Affine a;
    ck_assert(scalar_as_affine(m, scalar_binary(m, OP_sub, j, i), &a));
    ck_assert_int_eq(affine_coef(a, 0), -1);
    ck_assert(!scalar_as_affine(m, k, &a));
    test_free(m);
}
END_TEST

START_TEST(conditions_fold) {
    Module *m = test_module(ELEM_f32);
    Scalar *x = element(m, vector(m, "x", ELEM_f32, 4), 0), *y = scalar_unary(m, OP_exp, x);
    Scalar *less = scalar_binary(m, OP_lt, x, y), *yes = scalar_bool(m, true),
           *no = scalar_bool(m, false);
    ck_assert_ptr_eq(scalar_select(m, yes, x, y), x);
    ck_assert_ptr_eq(scalar_select(m, less, x, x), x);
    ck_assert_ptr_eq(scalar_select(m, scalar_unary(m, OP_not, less), x, y),
                     scalar_select(m, less, y, x));
    ck_assert_ptr_eq(scalar_select(m, less, yes, no), less);
    ck_assert_ptr_eq(scalar_binary(m, OP_and, yes, less), less);
    ck_assert_ptr_eq(scalar_binary(m, OP_or, less, yes), yes);
    ck_assert_ptr_eq(scalar_binary(m, OP_and, less, less), less);
    ck_assert_ptr_eq(scalar_unary(m, OP_not, scalar_unary(m, OP_not, less)), less);
    shows(m, scalar_unary(m, OP_not, less), "not %x[i] < exp(%x[i])");  // NaN
    test_free(m);
}
END_TEST

// ---- reads

static Affine form(Module *m, int64_t c0, int64_t c1, int64_t k) {
    Affine a = affine_add(m, affine_scale(m, affine_slot(m, 0), c0),
                          affine_scale(m, affine_slot(m, 1), c1));
    return affine_add_const(a, k);
}

START_TEST(guards_have_one_form) {
    Module *m = test_module(ELEM_f32);
    Value *x = vector(m, "x", ELEM_f32, 9);
    Subscript at = {.a = form(m, 1, 0, 0), .div = 1};
    Scalar *zero = scalar_real(m, 0);
    Guard a[] = {{.e = form(m, 2, 0, -3)},
                 {.e = affine_const(4)},
                 {.e = form(m, 1, 0, -1)},
                 {.e = form(m, -1, 0, 8)}};
    Guard b[] = {{.e = form(m, -2, 0, 17)}, {.e = form(m, 1, 0, -2)}};
    Scalar *s = scalar_read(m, x, &at, a, 4, zero);
    shows(m, s, "(%x[i] if i - 2 >= 0, -i + 8 >= 0 else 0.0)");
    ck_assert_ptr_eq(s, scalar_read(m, x, &at, b, 2, zero));
    Guard never = {.e = affine_const(-1)};
    ck_assert_ptr_eq(scalar_read(m, x, &at, &never, 1, zero), zero);
    Guard odd = {.e = form(m, 4, 0, 1), .mod = 2};
    ck_assert_ptr_eq(scalar_read(m, x, &at, &odd, 1, zero), scalar_read(m, x, &at, &odd, 1, zero));
    test_free(m);
}
END_TEST

START_TEST(subscripts_have_one_form) {
    Module *m = test_module(ELEM_f32);
    Value *x = vector(m, "x", ELEM_f32, 99);
    Scalar *k = element(m, vector(m, "k", ELEM_i32, 4), 0);
    Scalar *moved =
        scalar_binary(m, OP_add, k, scalar_binary(m, OP_add, scalar_iv(m, 1), scalar_int(m, 2)));
    Subscript a = {.a = form(m, 1, 0, 0), .div = 1, .gather = moved};
    shows(m, scalar_read(m, x, &a, NULL, 0, NULL), "%x[i + j + 2 + {%k[i]}]");
    Subscript b = {.a = form(m, 4, 0, 7), .div = 2};
    shows(m, scalar_read(m, x, &b, NULL, 0, NULL), "%x[2*i + 3]");
    Subscript c = {.a = form(m, 4, 2, 3), .div = 8};
    shows(m, scalar_read(m, x, &c, NULL, 0, NULL), "%x[(2*i + j + 1) / 4]");
    test_free(m);
}
END_TEST

START_TEST(boxes_decide_guards_and_divisions) {
    Module *m = read_text(
        "module m f32\nparam x f32[12]\nfunction f() {\n"
        "%0 = index [i<6, j<2] (%x[2*i + j] if 2*i + j >= 0, 11 - 2*i - j >= 0 else 7.0)\n"
        "%1 = index [i<6, j<2] (%x[i] if i - 6 >= 0 else 7.0)\n"
        "%2 = index [i<6, j<2] %x[(2*i + j) / 2] + to_real(mod(2*i + j, 2))\n"
        "%3 = index [i<6, j<2] if i < 6 then 1.0 else %x[i]\n"
        "result a = %0\nresult b = %1\nresult c = %2\nresult d = %3\n}\n");
    ck_assert_ptr_nonnull(strstr(printed(m), "%0 = index [i<6, j<2] %x[2*i + j]\n"));
    ck_assert_ptr_nonnull(strstr(printed(m), "%1 = index [i<6, j<2] 7.0\n"));
    ck_assert_ptr_nonnull(strstr(printed(m), "%2 = index [i<6, j<2] %x[i] + to_real(j)\n"));
    ck_assert_ptr_nonnull(strstr(printed(m), "%3 = index [i<6, j<2] 1.0\n"));
    test_free(m);
}
END_TEST

START_TEST(bounds_of_elements_follow) {
    Module *m = read_text(
        "module m f32\nfunction f(k i32<10>[4], x f32[4, 5]) {\n"
        "%0 = index [i<4] %k[i] + 2\n%1 = index [i<4] mod(%k[i] * 7, 3)\n"
        "%2 = index [i<4 | a<5] argmax %x[i, a]\n%3 = index [i<4] i - 1\n"
        "%4 = index [i<4] if %x[i, 0] < 0.0 then %k[i] else 12\n"
        "result a = %0\nresult b = %1\nresult c = %2\nresult d = %3\nresult e = %4\n}\n");
    ck_assert_int_eq(result_of(m, "f", "a")->type.below, 12);
    ck_assert_int_eq(result_of(m, "f", "b")->type.below, 3);
    ck_assert_int_eq(result_of(m, "f", "c")->type.below, 5);
    ck_assert_int_eq(result_of(m, "f", "c")->type.elem, ELEM_i32);
    ck_assert_int_eq(result_of(m, "f", "d")->type.below, 0);
    ck_assert_int_eq(result_of(m, "f", "e")->type.below, 13);
    test_free(m);
}
END_TEST

// ---- rewriting

static Module *substituted(void) {
    return read_text(
        "module m f32\nparam x f32[9]\nparam k i32[9]\nfunction f() {\n"
        "%0 = index [i<9, j<9] (%x[j + {%k[i]}] if i - j >= 0 else 0.0) + "
        "rand(1, i) * to_real(i)\nresult y = %0\n}\n");
}

START_TEST(slots_become_affine_forms) {
    Module *m = substituted();
    Scalar *body = result_of(m, "f", "y")->index.body;
    Affine to[MAX_SLOTS] = {form(m, 0, 1, 2), {.n = -1}};
    shows(m, scalar_subst(m, body, to), "%x[j + {%k[j + 2]}] + rand(1, j + 2) * to_real(j + 2)");
    ck_assert(scalar_uses_slot(body, 0) && scalar_uses_slot(body, 1));
    ck_assert(!scalar_uses_slot(scalar_subst(m, body, to), 0));
    test_free(m);
}
END_TEST

START_TEST(slots_become_scalars) {
    Module *m = substituted();
    Value *k = m->params.at[1];
    Scalar *body = result_of(m, "f", "y")->index.body;
    Scalar *to[MAX_SLOTS] = {NULL, scalar_binary(m, OP_add, element(m, k, 0), scalar_int(m, 1))};
    shows(m, scalar_subst_scalar(m, body, to),
          "(%x[1 + {%k[i] + %k[i]}] if i - 1 + {-%k[i]} >= 0 else 0.0) + rand(1, i) * to_real(i)");
    test_free(m);
}
END_TEST

START_TEST(reads_and_operands_in_order) {
    Module *m = substituted();
    Value *y = result_of(m, "f", "y");
    Reads reads = scalar_reads(y->index.body, m->arena);
    ck_assert_int_eq(reads.n, 2);
    ck_assert_str_eq(reads.at[0]->read->v->leaf.name, "x");
    ck_assert_str_eq(reads.at[1]->read->v->leaf.name, "k");
    ck_assert_int_eq(value_operands(y, m->arena).n, 2);
    Values order = function_order(module_function(m, "f"), m->arena);
    ck_assert_int_eq(order.n, 3);
    ck_assert_ptr_eq(order.at[2], y);
    test_free(m);
}
END_TEST

// More reads than the walk remembers in place: each once all the same, and found once.
START_TEST(many_operands_in_order) {
    Module *m = substituted();
    Dim extent = dim_const(3);
    Value *p[100];
    Type type = type_tensor(ELEM_f32, 1, &extent);
    Scalar *sum = NULL;
    for (int i = 0; i < 100; i++) {
        p[i] = build_param(m, arena_printf(m->arena, "p%d", i), type, (Span){0});
        Scalar *read = element(m, p[i], 0);
        sum = sum ? scalar_binary(m, OP_add, sum, read) : read;
    }
    for (int i = 0; i < 100; i++) sum = scalar_binary(m, OP_add, sum, element(m, p[i], 0));
    Value *v = build_map(m, 1, &extent, sum, (Span){0}, NULL);
    ck_assert_int_eq(scalar_reads(sum, m->arena).n, 100);
    Values operands = value_operands(v, m->arena);
    ck_assert_int_eq(operands.n, 100);
    for (int i = 0; i < 100; i++) ck_assert_ptr_eq(operands.at[i], p[i]);
    ck_assert_ptr_eq(operands.at, value_operands(v, m->arena).at);
    test_free(m);
}
END_TEST

// log becomes log1p, everywhere.
static Scalar *log_to_log1p(void *context, Module *m, Scalar *s) {
    ++*(int *)context;
    return s->op == OP_log ? scalar_unary(m, OP_log1p, s->arg[0]) : s;
}

static Value *rewrite_value(void *context, Module *m, Value *v) {
    if (v->op != VAL_index) return v;
    Index x = v->index;
    x.body = scalar_rewrite(m, x.body, log_to_log1p, context);
    return build_index(m, &x, v->span, v->hint);
}

START_TEST(graphs_are_rebuilt_bottom_up) {
    Module *m = read_text(
        "module m f32\nparam x f32[4]\nfunction f() {\n"
        "%0.a = index [i<4] log(%x[i])\n"
        "%1 = reshape %0.a to [2, 2]\n"
        "%2 = join axis 0 extent 4 [%1 at 0, %1 at 2] fill 0.0\n"
        "%3 = accumulate f32[4] [i<4] sum at [0] from %0.a: exp(%2[i, 1])\n"
        "result y = %3\nupdate %x = %0\n}\n");
    int seen = 0;
    function_rewrite(module_function(m, "f"), rewrite_value, &seen);
    ck_assert_int_gt(seen, 0);
    ck_assert_ptr_null(verify_module(m, LEVEL_G));
    ck_assert_str_eq(printed(m),
                     "module m f32\nparam x f32[4]\n\nfunction f() {\n"
                     "  %0.a = index [i<4] log1p(%x[i])\n"
                     "  %1 = reshape %0.a to [2, 2]\n"
                     "  %2 = join axis 0 extent 4 [%1 at 0, %1 at 2] fill 0.0\n"
                     "  %3 = accumulate f32[4] [i<4] sum at [0] from %0.a: exp(%2[i, 1])\n"
                     "  result y = %3\n  update %x = %0.a\n}\n");
    test_free(m);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir_build");
    TCase *t = tcase_create("build");
    tcase_add_test(t, equal_scalars_are_one);
    tcase_add_test(t, equal_values_are_one_whatever_their_spans);
    tcase_add_test(t, reals_fold_before_the_freeze);
    tcase_add_test(t, frozen_folding_keeps_every_bit);
    tcase_add_test(t, integers_fold_as_affine_forms);
    tcase_add_test(t, conditions_fold);
    tcase_add_test(t, guards_have_one_form);
    tcase_add_test(t, subscripts_have_one_form);
    tcase_add_test(t, boxes_decide_guards_and_divisions);
    tcase_add_test(t, bounds_of_elements_follow);
    tcase_add_test(t, slots_become_affine_forms);
    tcase_add_test(t, slots_become_scalars);
    tcase_add_test(t, reads_and_operands_in_order);
    tcase_add_test(t, many_operands_in_order);
    tcase_add_test(t, graphs_are_rebuilt_bottom_up);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
