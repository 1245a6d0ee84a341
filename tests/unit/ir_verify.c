// The verifier accepts what can be proved and names what is broken.
#include "ir/loops.h"
#include "ir_test.h"

static const char *verdict(const char *header, const char *body, unsigned level, Compiler *c) {
    char text[8192];
    snprintf(
        text, sizeof text,
        "%s\nextent batch <= 8\nextent rows <= 20\nparam x f32[8]\nparam w f32[4, 6]\n"
        "state s i32<5>[3]\nfunction f(k i32<8>[5], big i32<99>[5], b f32[batch, 6]) {\n%s\n}\n",
        header, body);
    Module *m = read_text_in(c, text);
    if (!m) diag_show(c->diags, stderr);
    ck_assert_msg(m != NULL, "%s", body);
    return verify_module(m, level);
}

static void accepted(const char *body) {
    Compiler *c = test_compiler();
    const char *wrong = verdict("module m f32", body, LEVEL_G, c);
    ck_assert_msg(!wrong, "%s: %s", body, wrong);
    arena_free(c->arena);
}

static void rejected_at(const char *header, unsigned level, const char *body, const char *why) {
    Compiler *c = test_compiler();
    const char *wrong = verdict(header, body, level, c);
    ck_assert_msg(wrong && strstr(wrong, why), "%s: expected `%s`, got: %s", body, why,
                  wrong ? wrong : "nothing");
    arena_free(c->arena);
}

static void rejected(const char *body, const char *why) {
    rejected_at("module m f32", LEVEL_G, body, why);
}

START_TEST(ranges_that_are_proved) {
    accepted("%0 = index [i<8] %x[i] result y = %0");
    accepted("%0 = index [i<4, j<2] %x[2*i + j] result y = %0");
    accepted("%0 = index [i<8] %x[-i + 7] result y = %0");
    accepted("%0 = index [i<16] %x[(i) / 2] result y = %0");
    accepted(
        "%0 = index [i<8, j<3] (%x[i + j - 1] if i + j - 1 >= 0, -i - j + 8 >= 0 else 0.0) result "
        "y = %0");
    accepted("%0 = index [i<9] (%x[2*i - 4] if i - 2 >= 0, 5 - i >= 0 else 0.0) result y = %0");
    accepted(
        "%0 = index [i<30, j<3] (%x[(i - j) / 2] if i - j >= 0, 15 - i + j >= 0, i + j == 0 mod 2 "
        "else 0.0) result y = %0");
    accepted("%0 = index [i<8 | a<12] sum where (i - a >= 0) %x[a] result y = %0");
    accepted("%0 = index [i<30, j<2] (%x[i] if 15 - 2*i - j >= 0 else 0.0) result y = %0");
    accepted("%0 = index [i<5] %x[{%k[i]}] result y = %0");
    accepted(
        "%0 = accumulate f32[8] [i<5, j<4] sum where (i - j >= 0) at [i - j]: 1.0 result y = %0");
}
END_TEST

START_TEST(ranges_that_are_not) {
    rejected("%0 = index [i<9] %x[i] result y = %0", "x, axis 0: not provably in range");
    rejected("%0 = index [i<8] %x[i - 1] result y = %0", "not provably");
    rejected("%0 = index [i<8] (%x[i + 1] if i - 1 >= 0 else 0.0) result y = %0", "not provably");
    rejected("%0 = index [i<30, j<2] (%x[i] if 16 - 2*i - j >= 0 else 0.0) result y = %0",
             "not provably");
    rejected("%0 = index [i<17] %x[(i) / 2] result y = %0", "not provably");
    rejected("%0 = index [i<5] %x[{%big[i]}] result y = %0", "not provably");
    rejected("%0 = index [i<5] %w[i, i] result y = %0", "w, axis 0");
    rejected("%0 = accumulate f32[8] [i<9] sum at [i]: 1.0 result y = %0", "the target, axis 0");
    rejected("%0 = index [i<2 | a<12] sum where ({%s[a]} >= 0) %x[0] result y = %0", "s, axis 0");
    // The outer guard does not help the read inside the gather.
    rejected("%0 = index [i<8] (%x[{%k[i]}] if 4 - i >= 0 else 0.0) result y = %0", "k, axis 0");
}
END_TEST

START_TEST(run_time_extents) {
    accepted("%0 = index [i<batch, j<6] %b[i, j] result y = %0");
    accepted("%0 = index [j<6] %b[0, j] result y = %0");
    accepted("%0 = index [i<batch] (%b[i - 1, 0] if i - 1 >= 0 else 0.0) result y = %0");
    accepted("%0 = reshape %b to [6*batch] %1 = index [i<batch, j<6] %0[6*i + j] result y = %1");
    accepted(
        "%0 = reshape %b to [2*batch, 3] %1 = index [i<batch, j<2] %0[2*i - j + 1, 0] result y = "
        "%1");
    accepted("%0 = index [i<6*batch] %b[(i) / 6, 0] result y = %0");
    rejected("%0 = index [i<8] %b[i, 0] result y = %0", "b, axis 0");  // batch may be smaller
    rejected("%0 = index [i<rows] %b[i, 0] result y = %0", "b, axis 0");
    rejected("%0 = index [j<6] %b[1, j] result y = %0", "b, axis 0");
    rejected("%0 = index [i<batch] %b[i + 1, 0] result y = %0", "b, axis 0");
    rejected("%0 = reshape %b to [6*batch] %1 = index [i<batch, j<7] %0[6*i + j] result y = %1",
             "axis 0");
}
END_TEST

START_TEST(elements_and_levels) {
    rejected("%0 = index [i<8 | a<2] any %x[i] result y = %0", "any over f32");
    rejected("%0 = index [i<3 | a<2] sum %s[i] == 1 result y = %0", "sum over bool");
    rejected_at("module m f32", LEVEL_F, "%0 = index [i<8] mac(%x[i], 2.0) result y = %0",
                "mac stands elsewhere");
    rejected_at("module m f32", LEVEL_F, "%0 = index [| a<8] max mac(%x[a], 2.0) result y = %0",
                "mac");
    rejected_at("module m f32", LEVEL_F,
                "%0 = index [| a<8] sum mac(%x[a], 2.0) + 1.0 result y = %0", "mac");
    rejected("%0 = index [i<8] fma(%x[i], %x[i], 1.0) result y = %0",
             "fma may not stand at this level");
    rejected_at("module m f32", LEVEL_F, "%0 = index [i<8] exp(%x[i]) result y = %0",
                "exp may not");
    rejected_at("module m f32", LEVEL_F, "%0 = index [i<8] stop(%x[i]) result y = %0",
                "stop may not");
    rejected_at("module m f32", LEVEL_F,
                "%0 = index [| a<8] sum %x[a] %1 = grad %0 wrt %x result y = %1",
                "a gradient may not");
    rejected("%0 = index [i<8] i %1 = grad %0 wrt %x result y = %1", "of what is not real");
    rejected("%0 = index [i<8] i %1 = grad %x wrt %0 result y = %1", "by what is not real");
    accepted("%1 = grad %x wrt %x result y = %1");
    const char *own = "%0 = index [i<8] -%x[i] %1 = cotangent 0 f32[8] %2 = index [i<8] -%1[i] "
                      "%3 = own %0 at 0 from [%1] to [%x = %2] result y = %3";
    accepted(own);
    rejected_at("module m f32", LEVEL_F, own, "a cotangent may not");
    rejected("%0 = cotangent 0 f32[8] result y = %0", "a cotangent outside of what it is given to");
    rejected("%0 = index [i<8] -%x[i] %1 = cotangent 0 f32[8] %2 = index [i<8] -%1[i] "
             "%3 = own %0 at 0 from [%1] to [%x = %2] result y = %3 result z = %2",
             "a cotangent outside");
    rejected("%1 = cotangent 0 f32[8] %0 = index [i<8] -%1[i] %2 = index [i<8] -%1[i] "
             "%3 = own %0 at 0 from [%1] to [%x = %2] result y = %3",
             "a cotangent outside");
    rejected("%0 = index [i<8] -%x[i] %1 = cotangent 0 f32[8] %2 = index [i<7] -%1[i] "
             "%3 = own %0 at 0 from [%1] to [%x = %2] result y = %3",
             "receives has another type");
    rejected("%0 = index [i<8] -%x[i] %1 = cotangent 0 f32[7] %2 = index [i<8] -%x[i] "
             "%3 = own %0 at 0 from [%1] to [%x = %2] result y = %3",
             "a cotangent of another type");
    rejected("%0 = index [i<8] -%x[i] %3 = own %0 at 0 from [%x] to [%x = %x] result y = %3",
             "cotangent 0 is none");
    rejected("%0 = index [i<8] -%x[i] %1 = cotangent 0 f32[8] "
             "%3 = own %0 at 0 from [%1, %1] to [%x = %x] result y = %3",
             "cotangents 0 and 1 are one");
    rejected("%0 = index [i<8] -%x[i] %1 = cotangent 0 i32[8] "
             "%3 = own %0 at 0 from [%1] to [%x = %x] result y = %3",
             "a cotangent that is not real");
    rejected_at("module m f32 frozen", LEVEL_F, "%0 = index [| a<8] sum %x[a] result y = %0",
                "without an order");
    rejected("%0 = index [| a<3] sum.seq %s[a] result y = %0", "an order where nothing rounds");
}
END_TEST

START_TEST(structure) {
    accepted("%0 = join axis 0 extent 17 [%x at 0 step 2, %x at 1 step 2] fill 0.0 result y = %0");
    rejected("%0 = join axis 0 extent 16 [%x at 0 step 2, %x at 2 step 2] fill 0.0 result y = %0",
             "reaches outside");
    rejected("%0 = join axis 0 extent 40 [%x at 0 step 2, %x at 2 step 3] fill 0.0 result y = %0",
             "pieces 0 and 1 overlap");
    rejected("%0 = join axis 0 extent 40 [%x at 0, %x at 7] fill 0.0 result y = %0", "overlap");
    rejected("%0 = join axis 0 extent 40 [%x at 0, %w at 8] fill 0.0 result y = %0",
             "another type");
    rejected("%0 = reshape %x to [9] result y = %0", "another count");
    rejected("%0 = reshape %b to [6*rows] result y = %0", "another count");
    rejected("%0 = reshape %b to [6, batch] result y = %0", "moves run-time extents");
    accepted("%0 = reshape %b to [2*batch, 3] result y = %0");
    accepted("%0 = index [i<6, j<batch] %b[j, i] %1 = reshape %0 to [2, 3, batch] result y = %1");
    rejected("%0 = accumulate f32[8] [i<8] sum at [i] from %w: 1.0 result y = %0", "starts from");
    rejected("%0 = accumulate f32[8] [i<8] sum at [i]: 1 result y = %0", "sum over i32 into f32");
}
END_TEST

START_TEST(scans) {
    accepted("%0 = carry f32[5, 8] %1 = index [i<5, j<8] %0[i, -j + 7] * %x[j] "
             "%2 = scan axis 0 reverse [%0 from %x to %1] %3 = part 0 of %2 result y = %3");
    rejected("%0 = carry f32[5, 8] %1 = index [i<5, j<8] %0[i, j] * %x[j] "
             "%2 = scan axis 1 [%0 from %x to %1] %3 = part 0 of %2 result y = %3",
             "what a scan starts from has another type");
    rejected("%0 = carry f32[5, 8] %1 = index [i<5, j<8] %0[-i + 4, j] "
             "%2 = scan axis 0 [%0 from %x to %1] %3 = part 0 of %2 result y = %3",
             "another step than its own");
    rejected("%0 = carry f32[5, 8] %1 = index [i<5, j<8] (%0[i - 1, j] if i - 1 >= 0 else 0.0) "
             "%2 = scan axis 0 [%0 from %x to %1] %3 = part 0 of %2 result y = %3",
             "another step than its own");
    rejected("%0 = carry f32[5, 8] %4 = index [i<8 | a<5] sum %0[a, i] "
             "%1 = index [i<5, j<8] %4[j] %2 = scan axis 0 [%0 from %x to %1] "
             "%3 = part 0 of %2 result y = %3",
             "lacks the steps' axis");
    rejected("%0 = carry f32[5, 8] %4 = reshape %0 to [8, 5] %1 = index [i<5, j<8] %4[j, i] "
             "%2 = scan axis 0 [%0 from %x to %1] %3 = part 0 of %2 result y = %3",
             "lacks the steps' axis");
    rejected("%0 = carry f32[5, 8] %1 = index [i<5, j<8] %0[i, j] + 1.0 result y = %1",
             "a carry outside of its scan");
    rejected("%0 = carry f32[5, 8] %4 = carry f32[5, 8] %1 = index [i<5, j<8] %0[i, j] + %4[i, j] "
             "%2 = scan axis 0 [%0 from %x to %1] %3 = part 0 of %2 result y = %3",
             "a carry outside of its scan");
    rejected("%0 = carry f32[5, 8] %4 = index [j<8] %0[0, j] %1 = index [i<5, j<8] %0[i, j] + 1.0 "
             "%2 = scan axis 0 [%0 from %4 to %1] %3 = part 0 of %2 result y = %3",
             "starts from its own carry");
    rejected("%0 = carry f32[5, 8] %4 = carry f32[6, 8] %1 = index [i<5, j<8] %0[i, j] + 1.0 "
             "%5 = index [i<6, j<8] %4[i, j] * 0.5 "
             "%2 = scan axis 0 [%0 from %x to %1, %4 from %x to %5] %3 = part 0 of %2 result y = %3",
             "carries of different steps");
    rejected("%0 = carry i32<8>[5, 5] %1 = index [i<5, j<5] %0[i, j] + 1 "
             "%2 = scan axis 0 [%0 from %k to %1] %3 = part 0 of %2 result y = %3",
             "may leave its bound");
}
END_TEST

// Each scan reads what all before it gave: what they see is found once.
START_TEST(many_scans) {
    Compiler *c = test_compiler();
    Text *t = text_new(c->arena);
    text_add(t, "module m f32 function f(x f32[4, 3], z f32[3]) { %0 = index [i<4, j<3] %x[i, j] + 1.0 ");
    for (int n = 0, k = 1; n < 100; n++, k += 5)
        text_printf(t,
                    "%%%d = carry f32[4, 3] %%%d = index [i<4, j<3] tanh(%%%d[i, j] + %%%d[i, j]) "
                    "%%%d = scan axis 0 [%%%d from %%z to %%%d] %%%d = part 0 of %%%d "
                    "%%%d = index [i<4, j<3] %%%d[i, j] + %%%d[i + 1, j] ",
                    k, k + 1, k - 1, k, k + 2, k, k + 1, k + 3, k + 2, k + 4, k - 1, k + 3);
    text_add(t, "result y = %500 }");
    Module *m = read_text_in(c, t->at);
    ck_assert_ptr_nonnull(m);
    ck_assert_ptr_null(verify_module(m, LEVEL_G));
    arena_free(c->arena);
}
END_TEST

START_TEST(long_chains_in_scans) {
    enum { LENGTH = 100000 };
    Compiler *c = test_compiler();
    Text *t = text_new(c->arena);
    text_add(t, "module m f32 function f(z f32[3]) { %0 = carry f32[4, 3] ");
    for (int n = 0; n < LENGTH; n++)
        text_printf(t, "%%%d = index [i<4, j<3] %%%d[i, j] + 1.5 ", n + 1, n);
    text_printf(t, "%%%d = scan axis 0 [%%0 from %%z to %%%d] ", LENGTH + 1, LENGTH);
    text_printf(t, "%%%d = part 0 of %%%d result y = %%%d }", LENGTH + 2, LENGTH + 1, LENGTH + 2);
    Module *m = read_text_in(c, t->at);
    ck_assert_ptr_nonnull(m);
    ck_assert_ptr_null(verify_module(m, LEVEL_G));
    arena_free(c->arena);
}
END_TEST

START_TEST(updates) {
    accepted("%0 = index [i<8] %x[i] * 2.0 update %x = %0");
    accepted("%0 = index [i<3] mod(%s[i] + 1, 5) update %s = %0");
    rejected("update %x = %w", "the update of x has another type");
    rejected("%0 = index [i<8] %x[i] * 2.0 update %x = %0 update %x = %x", "two updates of x");
    rejected("%0 = index [i<3] %s[i] + 1 update %s = %0", "may leave its bound");
}
END_TEST

START_TEST(what_no_constructor_makes) {
    Module *m = read_text(
        "module m f32 param x f32[8] function f() { %0 = index [i<8] exp(%x[i]) result y = %0 }");
    ck_assert_ptr_null(verify_module(m, LEVEL_G));
    Value *y = result_of(m, "f", "y");
    Scalar *body = y->index.body, copy = *body;
    y->index.body = &copy;
    ck_assert_ptr_nonnull(strstr(verify_module(m, LEVEL_G), "not shared"));
    y->index.body = body;
    body->elem = ELEM_i32;
    ck_assert_ptr_nonnull(verify_module(m, LEVEL_G));
    body->elem = ELEM_f32;
    y->type.dim[0].n = 7;
    ck_assert_ptr_nonnull(verify_module(m, LEVEL_G));
    test_free(m);
    m = read_text(
        "module m f32 function f(x f32[8]) { result y = %x } function g(z f32[8]) { result y = %z "
        "}");
    m->fns.at[1]->results.at[0].v = m->fns.at[0]->inputs.at[0];
    ck_assert_ptr_nonnull(strstr(verify_module(m, LEVEL_G), "not one of this function"));
    test_free(m);
}
END_TEST

// ---- loops: for n in 0 .. batch { tile [l < 16 lanes] { acc = 0; for i ...; combine; store } }

typedef struct Loops {
    Module *m;
    Program *p;
    Kernel *k;
    Buffer *x, *y;
    Temp acc, total;
    Stmt *outer, *inner, *tile, *set, *store;
} Loops;

static Stmt *stmt(Module *m, StmtKind kind) {
    Stmt *s = NEW(m->arena, Stmt);
    s->kind = kind;
    return s;
}

static void append(Module *m, Block *b, Stmt *s) {
    vec_push(m->arena, b, s);
}

static Buffer *buffer(Program *p, const char *name_of, int64_t count) {
    Buffer *b = NEW(p->m->arena, Buffer);
    *b = (Buffer){
        .id = p->buffers.n, .name = name_of, .elem = ELEM_f32, .count = count, .offset = -1};
    vec_push(p->m->arena, &p->buffers, b);
    return b;
}

static Stmt *assign(Module *m, StmtKind kind, const Temp *t, Scalar *value) {
    Stmt *s = stmt(m, kind);
    s->set.temp = t;
    s->set.value = value;
    return s;
}

static Affine form(Module *m, int64_t c0, int64_t c1, int64_t c2) {
    Affine a = affine_add(m, affine_scale(m, affine_slot(m, 0), c0),
                          affine_scale(m, affine_slot(m, 1), c1));
    return affine_add(m, a, affine_scale(m, affine_slot(m, 2), c2));
}

static Stmt *loop(Module *m, int var, Dim high, int64_t step) {
    Stmt *s = stmt(m, STMT_for);
    s->loop.var = var;
    s->loop.low = (Bound){dim_const(0), 1};
    s->loop.high = (Bound){high, 1};
    s->loop.low.d.n = 0;
    s->loop.step = step;
    return s;
}

// Row sums of x[batch <= 8, 64] into y[batch].
static Loops *row_sums(void) {
    static const char *const names[] = {"n", "i", "l"};
    Module *m = test_module(ELEM_f32);
    Loops *t = NEW(m->arena, Loops);
    Dim batch = dim_of(module_extent(m, "batch", 8));
    t->m = m;
    t->p = NEW(m->arena, Program);
    t->p->m = m;
    t->x = buffer(t->p, "x", 512);
    t->y = buffer(t->p, "y", 8);
    t->acc = (Temp){0, ELEM_f32, "acc"};
    t->total = (Temp){1, ELEM_f32, "total"};
    t->k = NEW(m->arena, Kernel);
    *t->k = (Kernel){.name = "k0", .n_var = 3, .var_name = names, .is_parallel = true};
    t->outer = loop(m, 0, batch, 1);
    t->inner = loop(m, 1, dim_const(64), 16);
    t->tile = stmt(m, STMT_tile);
    t->tile->tile.n = 1;
    t->tile->tile.var[0] = (TileVar){2, 16, true};
    Access at = {.buffer = t->x, .at = form(m, 64, 1, 1)};
    Scalar *sum =
        scalar_binary(m, OP_add, scalar_temp(m, &t->acc), scalar_load(m, &at, NULL, 0, NULL));
    t->set = assign(m, STMT_set, &t->acc, sum);
    Stmt *combine = stmt(m, STMT_combine);
    combine->combine.into = &t->total;
    combine->combine.from = &t->acc;
    combine->combine.red = RED_sum;
    combine->combine.lane = 2;
    t->store = stmt(m, STMT_store);
    t->store->store.access = (Access){.buffer = t->y, .at = form(m, 1, 0, 0)};
    t->store->store.value = scalar_temp(m, &t->total);
    append(m, &t->k->body, t->outer);
    append(m, &t->outer->loop.body, assign(m, STMT_let, &t->total, scalar_real(m, 0)));
    append(m, &t->outer->loop.body, t->tile);
    append(m, &t->outer->loop.body, t->store);
    append(m, &t->tile->tile.body, assign(m, STMT_let, &t->acc, scalar_real(m, 0)));
    append(m, &t->tile->tile.body, t->inner);
    append(m, &t->tile->tile.body, combine);
    append(m, &t->inner->loop.body, t->set);
    LoopFunction *f = NEW(m->arena, LoopFunction);
    f->name = "predict";
    vec_push(m->arena, &f->kernels, t->k);
    vec_push(m->arena, &t->p->fns, f);
    return t;
}

START_TEST(loops_print) {
    Loops *t = row_sums();
    const char *wrong = verify_program(t->p);
    ck_assert_msg(!wrong, "%s", wrong);
    Text *text = text_new(t->m->arena);
    print_program(text, t->p);
    ck_assert_str_eq(text->at,
                     "buffer x arena f32[512]\nbuffer y arena f32[8]\n\nfunction predict\n\n"
                     "  kernel k0 parallel\n"
                     "    for n in 0 .. batch\n"
                     "      temp total.1 f32 = 0.0\n"
                     "      tile [l < 16 lanes]\n"
                     "        temp acc.0 f32 = 0.0\n"
                     "        for i in 0 .. 64 step 16\n"
                     "          acc.0 = acc.0 + x[64*n + i + l]\n"
                     "        total.1 = sum[l] acc.0\n"
                     "      y[n] = total.1\n");
    test_free(t->m);
}
END_TEST

static void broken(Loops *t, const char *why) {
    const char *wrong = verify_program(t->p);
    ck_assert_msg(wrong && strstr(wrong, why), "expected `%s`, got: %s", why,
                  wrong ? wrong : "nothing");
    test_free(t->m);
}

START_TEST(loops_that_are_broken) {
    Loops *t = row_sums();
    t->x->count = 511;
    broken(t, "x is reached at 0 .. 511, and has 511 elements");
    t = row_sums();
    t->inner->loop.high.d.n = 65;
    broken(t, "x is reached at 0 .. 527");
    t = row_sums();
    t->store->store.access.at = form(t->m, 1, 0, 1);
    broken(t, "the variable l is used outside its loop");
    t = row_sums();
    t->store->store.value = scalar_temp(t->m, &t->acc);
    broken(t, "the temp acc.0 is used where it is not declared");
    t = row_sums();
    t->store->store.value = scalar_int(t->m, 1);
    broken(t, "i32 is stored into y of f32");
    t = row_sums();
    t->store->store.value = scalar_unary(t->m, OP_exp, scalar_temp(t->m, &t->total));
    broken(t, "exp may not stand in loops");
    t = row_sums();
    t->inner->loop.var = 0;
    broken(t, "n is set by two nested loops");
    t = row_sums();
    t->tile->tile.var[0].is_lanes = false;
    broken(t, "a combine over what are no lanes");
    t = row_sums();
    append(t->m, &t->k->body, t->outer);
    broken(t, "a parallel kernel is one loop");
    t = row_sums();
    t->x->offset = 32;
    t->p->arena_bytes = 2048;
    broken(t, "the buffer x lies outside");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir_verify");
    TCase *t = tcase_create("verify");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, ranges_that_are_proved);
    tcase_add_test(t, ranges_that_are_not);
    tcase_add_test(t, run_time_extents);
    tcase_add_test(t, elements_and_levels);
    tcase_add_test(t, structure);
    tcase_add_test(t, scans);
    tcase_add_test(t, many_scans);
    tcase_add_test(t, long_chains_in_scans);
    tcase_add_test(t, updates);
    tcase_add_test(t, what_no_constructor_makes);
    tcase_add_test(t, loops_print);
    tcase_add_test(t, loops_that_are_broken);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
