// The memory plan: lives, sharing, alignment, the report.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ir/build.h"
#include "pass/memory.h"

typedef struct World {
    Compiler *c;
    Module *m;
    Program *p;
    LoopFunction *f;
} World;

static World world_new(void) {
    Arena *a = arena_new();
    Compiler *c = NEW(a, Compiler);
    c->arena = a;
    c->names = names_new(a);
    c->sources = sources_new(a);
    c->diags = diags_new(a, c->sources);
    World w = {.c = c, .m = module_new(c, name(c->names, "test"), ELEM_f32), .p = NEW(a, Program)};
    w.p->m = w.m;
    return w;
}

static void new_function(World *w, const char *label) {
    w->f = NEW(w->c->arena, LoopFunction);
    w->f->name = name(w->c->names, label);
    vec_push(w->c->arena, &w->p->fns, w->f);
}

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
    Access in = {.buffer = from}, out = {.buffer = to};
    Stmt *s = NEW(a, Stmt);
    s->kind = STMT_store;
    s->store.access = out;
    s->store.value = scalar_load(w->m, &in, NULL, 0, NULL);
    vec_push(a, &k->body, s);
    vec_push(a, &w->f->kernels, k);
}

START_TEST(temporaries_share_bytes) {
    World w = world_new();
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
    arena_free(w.c->arena);
}
END_TEST

START_TEST(functions_share_their_temporaries) {
    World w = world_new();
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
    arena_free(w.c->arena);
}
END_TEST

START_TEST(scratch_lives_in_a_kernel) {
    World w = world_new();
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
    arena_free(w.c->arena);
}
END_TEST

START_TEST(an_input_has_one_place) {
    World w = world_new();
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
    arena_free(w.c->arena);
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
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
