// Order of kernels and runs of them again: under every budget that can be met the same values.
#include "loops_test.h"

#include "ir/build.h"
#include "ir/eval_loops.h"
#include "pass/memory.h"
#include "pass/pass.h"

enum { N = 256, BYTES = 4 * N };

static Buffer *buffer(World *w, const char *label, bool is_kept) {
    Buffer *b = NEW(w->c->arena, Buffer);
    *b = (Buffer){w->p->buffers.n, name(w->c->names, label), BUFFER_arena, ELEM_f32, N, -1, is_kept};
    vec_push(w->c->arena, &w->p->buffers, b);
    return b;
}

static Kernel *kernel(World *w, double cost) {
    static const Dim extent = {N, NULL};
    Kernel *k = NEW(w->c->arena, Kernel);
    k->id = w->f->kernels.n;
    k->name = name(w->c->names, "k");
    k->n_var = 1;
    k->var_name = arena_copy(w->c->arena, &k->name, sizeof k->name);
    k->var_extent = &extent;
    k->cost = cost;
    vec_push(w->c->arena, &w->f->kernels, k);
    return k;
}

static Scalar *at(World *w, Buffer *b) {
    return load(w, b, AT(w, 0, 0, 1));
}

static Scalar *plus(World *w, Scalar *a, Scalar *b) {
    return scalar_op(w->m, OP_add, a, b, NULL);
}

// to[i] = a[i] + b[i], or a[i] + 1.
static Kernel *sum(World *w, Buffer *to, Buffer *a, Buffer *b) {
    Kernel *k = kernel(w, 100);
    Scalar *other = b ? at(w, b) : scalar_const(w->m, ELEM_f32, 1);
    store(w, count(w, &k->body, 0, N, 1), to, AT(w, 0, 0, 1), plus(w, at(w, a), other));
    return k;
}

// A chain of n, and then a sum that wants it from its end on: what training does.
static Buffer *there_and_back(World *w, Buffer *in, int n) {
    Buffer *x[32], *out = buffer(w, "out", true), *y = NULL;
    for (int i = 0; i < n; i++) {
        x[i] = buffer(w, arena_printf(w->c->arena, "x%d", i), false);
        sum(w, x[i], i ? x[i - 1] : in, NULL);
    }
    for (int i = n - 1; i >= 0; i--) {
        Buffer *next = i ? buffer(w, arena_printf(w->c->arena, "y%d", i), false) : out;
        sum(w, next, x[i], y);
        y = next;
    }
    return out;
}

static bool run_passes(World *w, int64_t budget) {
    w->c->opt.memory_budget = budget;
    w->c->diags = diags_new(w->c->arena, w->c->sources);
    Pass p = {.c = w->c, .m = w->m, .program = w->p};
    pass_peak(&p);
    pass_memory(&p);
    ck_assert_ptr_null(verify_program(w->p));
    return !diag_errors(w->c->diags);
}

static void check_value(World *w, Buffer *in, Buffer *out, double expected) {
    int64_t extent[1] = {0};
    LoopEval *e = loop_eval_new(w->p, w->c->arena, extent, 1, 1);
    for (int i = 0; i < N; i++) loop_eval_put(e, in, i, i);
    loop_eval_run(e, w->f);
    for (int i = 0; i < N; i++) ck_assert_double_eq(loop_eval_get(e, out, i), expected + i * 16);
}

static int again(const World *w) {
    int n = 0;
    for (int i = 0; i < w->f->kernels.n; i++) n += w->f->kernels.at[i]->again != NULL;
    return n;
}

START_TEST(order_lowers_the_peak) {
    World w = world_new(ELEM_f32);
    new_function(&w, "run");
    Buffer *in = buffer(&w, "in", true), *x[8], *y = NULL;
    for (int i = 0; i < 8; i++) sum(&w, x[i] = buffer(&w, "x", false), in, NULL);
    for (int i = 0; i < 8; i++) {
        Buffer *next = i < 7 ? buffer(&w, "y", false) : buffer(&w, "out", true);
        sum(&w, next, x[i], y);
        y = next;
    }
    ck_assert(run_passes(&w, 0));
    ck_assert_int_eq(again(&w), 0);
    // Two kept, an x, and two of y at most.
    ck_assert_int_le(w.p->arena_bytes, 5 * BYTES + MEMORY_SLACK);
    int64_t extent[1] = {0};
    LoopEval *e = loop_eval_new(w.p, w.c->arena, extent, 1, 1);
    loop_eval_put(e, in, 3, 5);
    loop_eval_run(e, w.f);
    ck_assert_double_eq(loop_eval_get(e, y, 3), 8 * 6 + 1);
    test_free(w.m);
}
END_TEST

// A budget that can't be met is an error, and what it needs can; the values are the same.
START_TEST(a_chain_is_run_again) {
    int64_t least = 0;
    for (int round = 0; round < 4; round++) {
        World w = world_new(ELEM_f32);
        new_function(&w, "run");
        Buffer *in = buffer(&w, "in", true), *out = there_and_back(&w, in, 16);
        int64_t budget[] = {0, 1, least, 12 * BYTES};
        bool is_met = run_passes(&w, budget[round]);
        ck_assert_int_eq(is_met, round != 1);
        if (round == 0) ck_assert_int_eq(again(&w), 0);
        else ck_assert_int_gt(again(&w), 0);
        if (round == 1) least = w.p->arena_bytes;
        if (round == 1) ck_assert_int_le(least, 2 * BYTES + 9 * BYTES + MEMORY_SLACK);
        if (round > 1) ck_assert_int_le(w.p->arena_bytes, budget[round]);
        check_value(&w, in, out, 16 * 17 / 2 + 1);
        test_free(w.m);
    }
}
END_TEST

// What is run again is the part that makes what is wanted again, and no update runs twice.
START_TEST(only_a_part_is_run_again) {
    World w = world_new(ELEM_f32);
    new_function(&w, "run");
    Buffer *in = buffer(&w, "in", true), *state = buffer(&w, "state", true), *out = buffer(&w, "out", true);
    Buffer *a = buffer(&w, "a", false), *big[6];
    Kernel *k = kernel(&w, 100);
    Block *b = count(&w, &k->body, 0, N, 1);
    store(&w, b, a, AT(&w, 0, 0, 1), plus(&w, at(&w, in), scalar_const(w.m, ELEM_f32, 1)));
    store(&w, b, state, AT(&w, 0, 0, 1), plus(&w, at(&w, state), at(&w, in)));
    for (int i = 0; i < 6; i++)
        sum(&w, big[i] = buffer(&w, "x", false), i ? big[i - 1] : in, i ? i > 1 ? big[i - 2] : NULL : a);
    sum(&w, out, big[5], a);
    ck_assert(!run_passes(&w, 1));
    ck_assert_int_eq(again(&w), 1);
    ck_assert_int_eq(w.p->arena_bytes, 3 * BYTES + 3 * BYTES + MEMORY_SLACK);
    int64_t extent[1] = {0};
    LoopEval *e = loop_eval_new(w.p, w.c->arena, extent, 1, 1);
    loop_eval_put(e, in, 7, 2);
    loop_eval_put(e, state, 7, 10);
    loop_eval_run(e, w.f);
    ck_assert_double_eq(loop_eval_get(e, state, 7), 12);
    ck_assert_double_eq(loop_eval_get(e, out, 7), 48);  // 5 6 11 17 28 45, and 3
    test_free(w.m);
}
END_TEST

// One kernel makes the whole chain: it goes without most of its values, which later runs make again.
START_TEST(a_kernel_stores_less) {
    World w = world_new(ELEM_f32);
    new_function(&w, "run");
    Buffer *in = buffer(&w, "in", true), *out = buffer(&w, "out", true), *x[16], *y = NULL;
    Kernel *k = kernel(&w, 100);
    Block *b = count(&w, &k->body, 0, N, 1);
    for (int i = 0; i < 16; i++) {
        x[i] = buffer(&w, arena_printf(w.c->arena, "x%d", i), false);
        Scalar *one = scalar_const(w.m, ELEM_f32, 1);
        store(&w, b, x[i], AT(&w, 0, 0, 1), plus(&w, at(&w, i ? x[i - 1] : in), one));
        vec_push(w.c->arena, &k->writes, x[i]);
    }
    for (int i = 15; i >= 0; i--) {
        Buffer *next = i ? buffer(&w, "y", false) : out;
        sum(&w, next, x[i], y);
        y = next;
    }
    ck_assert(!run_passes(&w, 1));
    ck_assert_int_gt(again(&w), 0);
    ck_assert_int_le(w.p->arena_bytes, 2 * BYTES + 5 * BYTES + MEMORY_SLACK);
    check_value(&w, in, out, 16 * 17 / 2 + 1);
    test_free(w.m);
}
END_TEST

// A neighbour's element is no iteration's own, so what is read by it stays in memory.
START_TEST(what_iterations_share_is_stored) {
    World w = world_new(ELEM_f32);
    new_function(&w, "run");
    Buffer *in = buffer(&w, "in", true), *out = buffer(&w, "out", true), *big[4];
    Buffer *a = buffer(&w, "a", false), *b = buffer(&w, "b", false);
    Kernel *k = kernel(&w, 100);
    Block *body = count(&w, &k->body, 0, N, 1);
    store(&w, body, a, AT(&w, 0, 0, 1), at(&w, in));
    store(&w, body, b, AT(&w, 0, 0, 1), load(&w, a, affine_const(0)));  // the first one's
    vec_push(w.c->arena, &k->writes, a);
    vec_push(w.c->arena, &k->writes, b);
    for (int i = 0; i < 4; i++) sum(&w, big[i] = buffer(&w, "x", false), i ? big[i - 1] : b, i ? NULL : b);
    sum(&w, out, big[3], a);
    run_passes(&w, 1);
    int64_t extent[1] = {0};
    LoopEval *e = loop_eval_new(w.p, w.c->arena, extent, 1, 1);
    for (int i = 0; i < N; i++) loop_eval_put(e, in, i, i + 5);
    loop_eval_run(e, w.f);
    for (int i = 0; i < N; i++) ck_assert_double_eq(loop_eval_get(e, out, i), 10 + 3 + i + 5);
    test_free(w.m);
}
END_TEST

// A parameter that was moved meanwhile is not what it was.
START_TEST(what_has_changed_is_not_read_again) {
    World w = world_new(ELEM_f32);
    new_function(&w, "run");
    Buffer *p = buffer(&w, "p", true), *out = buffer(&w, "out", true), *a = buffer(&w, "a", false), *x[6];
    sum(&w, a, p, NULL);
    sum(&w, p, p, p);
    for (int i = 0; i < 6; i++) sum(&w, x[i] = buffer(&w, "x", false), i ? x[i - 1] : p, i > 1 ? x[i - 2] : NULL);
    sum(&w, out, x[5], a);
    ck_assert(!run_passes(&w, 1));
    ck_assert_int_eq(again(&w), 0);
    int64_t extent[1] = {0};
    LoopEval *e = loop_eval_new(w.p, w.c->arena, extent, 1, 1);
    loop_eval_put(e, p, 0, 2);
    loop_eval_run(e, w.f);
    ck_assert_double_eq(loop_eval_get(e, p, 0), 4);
    test_free(w.m);
}
END_TEST

int main(void) {
    Suite *s = suite_create("peak");
    TCase *t = tcase_create("peak");
    tcase_add_test(t, order_lowers_the_peak);
    tcase_add_test(t, a_chain_is_run_again);
    tcase_add_test(t, only_a_part_is_run_again);
    tcase_add_test(t, a_kernel_stores_less);
    tcase_add_test(t, what_iterations_share_is_stored);
    tcase_add_test(t, what_has_changed_is_not_read_again);
    suite_add_tcase(s, t);
    return run_suite(s);
}
