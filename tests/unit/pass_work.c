// What kernels compute and touch, counted from hand-built loops.
#include "loops_test.h"

#include "pass/work.h"

static Buffer *buffer(World *w, BufferKind kind, int64_t count) {
    Buffer *b = NEW(w->c->arena, Buffer);
    *b = (Buffer){.name = name(w->c->names, "b"), .kind = kind, .elem = ELEM_f32, .count = count};
    return b;
}

static Scalar *op(World *w, Op o, Scalar *a, Scalar *b, Scalar *c) {
    return scalar_op(w->m, o, a, b, c);
}

// c[8, 32] = max(a[8, 20] @ b[20, 32] + d[32], 0) by tiles of 4 x 16.
START_TEST(a_product_counts_two_for_each_multiply_add) {
    World w = world_new(ELEM_f32);
    Buffer *a = buffer(&w, BUFFER_arena, 8 * 20), *b = buffer(&w, BUFFER_arena, 20 * 32);
    Buffer *c = buffer(&w, BUFFER_arena, 8 * 32), *d = buffer(&w, BUFFER_arena, 32);
    enum { I, J, P, Q, R };
    Block *inner = count(&w, count(&w, &w.k->body, I, 8, 4), J, 32, 16);
    Stmt *tile = add(&w, inner, STMT_tile);
    tile->tile.var[0] = (TileVar){P, 4, false};
    tile->tile.var[1] = (TileVar){Q, 16, true};
    tile->tile.n = 2;
    Block *body = &tile->tile.body;
    const Temp *acc = let(&w, body, ELEM_f32, scalar_real(w.m, 0));
    Scalar *x = load(&w, a, AT(&w, 0, I, 20, P, 20, R, 1)), *y = load(&w, b, AT(&w, 0, J, 1, Q, 1, R, 32));
    set(&w, count(&w, body, R, 20, 1), acc, op(&w, OP_fma, x, y, scalar_temp(w.m, acc)));
    Scalar *sum = op(&w, OP_add, scalar_temp(w.m, acc), load(&w, d, AT(&w, 0, J, 1, Q, 1)), NULL);
    store(&w, body, c, AT(&w, 0, I, 32, P, 32, J, 1, Q, 1), op(&w, OP_max, sum, scalar_real(w.m, 0), NULL));
    Work work = kernel_work(w.k);
    ck_assert_double_eq(work.flops, 2 * 8 * 20 * 32 + 8 * 32);
    ck_assert_double_eq(work.ops, 8 * 20 * 32 + 2 * 8 * 32);
    ck_assert_double_eq(work.bytes, 4 * (8 * 20 + 20 * 32 + 8 * 32 + 32));
    test_free(w.m);
}
END_TEST

// y[n, u] = (x[n] * x[n]) * (x[n] * x[n]): the square is one value, which a loop over u repeats
// only where it stands outside.
START_TEST(what_does_not_vary_counts_once) {
    for (int is_inner = 0; is_inner < 2; is_inner++) {
        World w = world_new(ELEM_f32);
        Buffer *x = buffer(&w, BUFFER_arena, 10), *y = buffer(&w, BUFFER_arena, 70);
        enum { N, U };
        Block *body = is_inner ? count(&w, count(&w, &w.k->body, U, 7, 1), N, 10, 1)
                               : count(&w, count(&w, &w.k->body, N, 10, 1), U, 7, 1);
        Scalar *v = load(&w, x, AT(&w, 0, N, 1)), *square = op(&w, OP_mul, v, v, NULL);
        store(&w, body, y, AT(&w, 0, N, 7, U, 1), op(&w, OP_mul, square, square, NULL));
        Work work = kernel_work(w.k);
        ck_assert_double_eq(work.flops, is_inner ? 140 : 20);
        ck_assert_double_eq(work.bytes, 4 * (10 + 70));
        test_free(w.m);
    }
}
END_TEST

// Whole blocks of the largest batch, and nothing for a rest that it does not have; what is read
// after it was written, and what lies in scratch, is not traffic.
START_TEST(counts_at_the_largest_extents) {
    World w = world_new(ELEM_f32);
    const Extent batch = {.name = name(w.c->names, "batch"), .max = 64};
    Buffer *x = buffer(&w, BUFFER_arena, 64), *y = buffer(&w, BUFFER_arena, 64);
    Buffer *s = buffer(&w, BUFFER_scratch, 64);
    Dim n = {.n = 1, .by = &batch};
    for (int rest = 0; rest < 2; rest++) {
        Bound low = rest ? (Bound){n, 16} : (Bound){dim_const(0), 1}, high = {n, rest ? 1 : 16};
        Block *b = loop(&w, &w.k->body, rest, low, high, 1);
        Affine at = AT(&w, 0, rest, 1);
        store(&w, b, y, at, op(&w, OP_add, load(&w, x, at), scalar_real(w.m, 1), NULL));
        store(&w, b, s, at, op(&w, OP_add, load(&w, y, at), scalar_real(w.m, 1), NULL));
    }
    Work work = kernel_work(w.k);
    ck_assert_double_eq(work.flops, 128);
    ck_assert_double_eq(work.bytes, 4 * 128);
    test_free(w.m);
}
END_TEST

// A filter of three taps over eight points: the two taps that fall outside are left out.
START_TEST(guards_of_loops_leave_points_out) {
    World w = world_new(ELEM_f32);
    Buffer *x = buffer(&w, BUFFER_arena, 8), *y = buffer(&w, BUFFER_arena, 8);
    enum { N, A, R };
    Block *body = count(&w, count(&w, &w.k->body, N, 8, 1), A, 3, 1);
    Block *inner = count(&w, body, R, 1, 1);
    Affine at = affine_add_const(AT(&w, 0, N, 1, A, 1), -1);
    Affine from_end = affine_add_const(affine_scale(w.m, at, -1), 7);
    Guard guard[2] = {{.e = at, .s = NULL}, {.e = from_end, .s = NULL}};
    body->at[0]->loop.guard = guard;
    body->at[0]->loop.n_guard = 2;
    store(&w, inner, y, AT(&w, 0, N, 1), op(&w, OP_mul, load(&w, x, at), load(&w, x, at), NULL));
    Work work = kernel_work(w.k);
    ck_assert_double_eq_tol(work.flops, 8 * 3 - 2, 1e-9);
    test_free(w.m);
}
END_TEST

int main(void) {
    Suite *s = suite_create("work");
    TCase *t = tcase_create("work");
    tcase_add_test(t, a_product_counts_two_for_each_multiply_add);
    tcase_add_test(t, what_does_not_vary_counts_once);
    tcase_add_test(t, counts_at_the_largest_extents);
    tcase_add_test(t, guards_of_loops_leave_points_out);
    suite_add_tcase(s, t);
    return run_suite(s);
}
