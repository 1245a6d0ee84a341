// The memory plan: lives, sharing, alignment, the report.
#include "loops_test.h"

#include "pass/memory.h"

static Buffer *buffer(World *w, const char *label, BufferKind kind, int64_t bytes, bool is_kept) {
    Buffer *b = NEW(w->c->arena, Buffer);
    *b = (Buffer){w->p->buffers.n, name(w->c->names, label), kind, ELEM_u8, bytes, -1, is_kept};
    vec_push(w->c->arena, &w->p->buffers, b);
    return b;
}

// A kernel `to = from`.
static void copy(World *w, Buffer *from, Buffer *to) {
    Arena *a = w->c->arena;
    Kernel *k = NEW(a, Kernel);
    k->id = w->f->kernels.n;
    k->name = name(w->c->names, "copy");
    store(w, &k->body, to, affine_const(0), load(w, from, affine_const(0)));
    vec_push(a, &w->f->kernels, k);
}

START_TEST(temporaries_share_bytes) {
    World w = world_new(ELEM_f32);
    new_function(&w, "run");
    Buffer *in = buffer(&w, "in", BUFFER_arena, 1000, true), *t[6];
    for (int i = 0; i < 6; i++)
        t[i] = buffer(&w, arena_printf(w.c->arena, "t%d", i), BUFFER_arena, 1000, false);
    copy(&w, in, t[0]);
    for (int i = 0; i < 5; i++) copy(&w, t[i], t[i + 1]);
    plan_memory(w.p);
    ck_assert_ptr_null(verify_memory(w.p));
    ck_assert_int_eq(w.p->arena_bytes, 3 * 1024 + MEMORY_SLACK);  // in, and two by turns
    for (int i = 0; i < 6; i++) ck_assert_int_eq(t[i]->offset % MEMORY_ALIGN, 0);
    Text *report = text_new(w.c->arena);
    print_memory(report, w.p);
    ck_assert_ptr_nonnull(strstr(report->at, "peak of run: 2048 bytes of temporaries"));
    test_free(w.m);
}
END_TEST

START_TEST(functions_share_their_temporaries) {
    World w = world_new(ELEM_f32);
    Buffer *kept = buffer(&w, "kept", BUFFER_arena, 64, true);
    Buffer *both = buffer(&w, "both", BUFFER_arena, 64, false);
    Buffer *a = buffer(&w, "a", BUFFER_arena, 640, false), *b = buffer(&w, "b", BUFFER_arena, 320, false);
    new_function(&w, "one");
    copy(&w, kept, a);
    copy(&w, a, both);
    new_function(&w, "two");
    copy(&w, both, b);
    copy(&w, b, kept);
    plan_memory(w.p);
    ck_assert_ptr_null(verify_memory(w.p));
    ck_assert_int_eq(w.p->arena_bytes, 64 + 64 + 640 + MEMORY_SLACK);
    ck_assert_int_eq(a->offset, b->offset);
    test_free(w.m);
}
END_TEST

START_TEST(scratch_lives_in_a_kernel) {
    World w = world_new(ELEM_f32);
    new_function(&w, "run");
    Buffer *in = buffer(&w, "in", BUFFER_arena, 64, true);
    Buffer *s = buffer(&w, "s", BUFFER_scratch, 100, false), *t = buffer(&w, "t", BUFFER_scratch, 60, false);
    copy(&w, in, s);
    copy(&w, s, t);
    Buffer *u = buffer(&w, "u", BUFFER_scratch, 100, false);
    copy(&w, in, u);
    plan_memory(w.p);
    ck_assert_ptr_null(verify_memory(w.p));
    ck_assert_int_eq(w.p->scratch_bytes, 128 + 64 + MEMORY_SLACK);
    test_free(w.m);
}
END_TEST

START_TEST(an_input_has_one_place) {
    World w = world_new(ELEM_f32);
    Dim n = dim_const(10);
    Buffer *b[2];
    for (int i = 0; i < 2; i++) {
        new_function(&w, i ? "two" : "one");
        Function *f = function_new(w.m, i ? "two" : "one");
        Buffer *out = buffer(&w, "out", BUFFER_arena, 10, true);
        b[i] = buffer(&w, "x", BUFFER_arena, 10, true);
        b[i]->v = build_input(f, "x", type_tensor(ELEM_u8, 1, &n), (Span){0});
        copy(&w, b[i], out);
    }
    plan_memory(w.p);
    ck_assert_ptr_null(verify_memory(w.p));
    ck_assert_int_eq(b[0]->offset, b[1]->offset);
    ck_assert_int_eq(w.p->arena_bytes, 3 * 64 + MEMORY_SLACK);
    test_free(w.m);
}
END_TEST

int main(void) {
    Suite *s = suite_create("memory");
    TCase *t = tcase_create("plan");
    tcase_add_test(t, temporaries_share_bytes);
    tcase_add_test(t, functions_share_their_temporaries);
    tcase_add_test(t, scratch_lives_in_a_kernel);
    tcase_add_test(t, an_input_has_one_place);
    suite_add_tcase(s, t);
    return run_suite(s);
}
