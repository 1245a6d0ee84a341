// Hand-built loops, compiled, loaded and held bit for bit against plain C or the evaluator.
#include <math.h>

#include "loops_test.h"

#include "emit/load.h"

enum { MAX_VAR = 16 };

static World program_new(Elem real, int opt_level) {
    World w = world_new(real);
    w.c->opt.opt_level = opt_level;
    w.p->scratch_bytes = 4096;
    new_function(&w, "run");
    return w;
}

static void new_kernel(World *w, const char *label) {
    Kernel *k = w->k = NEW(w->c->arena, Kernel);
    k->id = w->f->kernels.n;
    k->name = name(w->c->names, label);
    Name *names = NEW_ARRAY(w->c->arena, Name, MAX_VAR);
    Dim *extents = NEW_ARRAY(w->c->arena, Dim, MAX_VAR);
    for (int i = 0; i < MAX_VAR; i++) {
        names[i] = name(w->c->names, arena_printf(w->c->arena, "v%d", i));
        extents[i] = dim_const(1 << 20);
    }
    k->n_var = MAX_VAR;
    k->var_name = names;
    k->var_extent = extents;
    vec_push(w->c->arena, &w->f->kernels, k);
}

static Buffer *buffer(World *w, const char *label, Elem e, int64_t count) {
    Buffer *b = NEW(w->c->arena, Buffer);
    *b = (Buffer){w->p->buffers.n, name(w->c->names, label), BUFFER_arena, e, count, w->at, true};
    w->at += (count * elem_size[e] + 63) / 64 * 64;
    w->p->arena_bytes = w->at + 128;
    vec_push(w->c->arena, &w->p->buffers, b);
    return b;
}

static Block *tile(World *w, Block *b, int p, int64_t points, int q, int64_t lanes) {
    Stmt *s = add(w, b, STMT_tile);
    if (points) s->tile.var[s->tile.n++] = (TileVar){p, points, false};
    if (lanes) s->tile.var[s->tile.n++] = (TileVar){q, lanes, true};
    return &s->tile.body;
}

static void run(World *w, const int64_t *extent) {
    if (!w->loaded) w->loaded = load_program(w->c, w->p);
    ck_assert(load_run(w->loaded, "run", extent, 7, 3));
}

static void fill(World *w, Buffer *b, unsigned seed) {
    if (!w->loaded) w->loaded = load_program(w->c, w->p);
    for (int64_t i = 0; i < b->count; i++) {
        seed = seed * 1664525 + 1013904223;
        load_set(w->loaded, b, i, elem_is_real(b->elem) ? ((int)(seed >> 8) % 2000 - 1000) / 250.0
                                                        : (seed >> 8) % 100);
    }
}

static bool same(double a, double b) {
    return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

static void done(World *w) {
    load_free(w->loaded);
    arena_free(w->c->arena);
}

// ---- every operation of the table

static const double reals[] = {
    0, -0.0, 1, -1, 0.5, 2.5, -2.5, 3.5, 1e-3, 7.25, -100.75, 1e10, -3e9, 1e-40, -1e-42, 1e-300,
    3e38, -3e38, 1e308, INFINITY, -INFINITY, NAN, 1.17e-38, 2147483648.0, 0.1, -0.1, 16777217, 1.5,
    -7, 3, 2, 1e-45};
static const double integers[] = {0, 1, -1, 2, -2, 3, 7, -7, 16, 100, -100, 2147483647,
                                  -2147483648.0, 12345, -99999, 31, 64, -64, 5, 1000000,
                                  0, 1, 2, 3, -149, -1074, 127, 1023, -127, 150, -1022, 300};
enum { N_CASE = 32 };

typedef struct OpTest {
    Op op;
    Elem elem, from[MAX_ARGS];
} OpTest;

static double sample(Elem e, int i) {
    if (e == ELEM_bool) return i % 2;
    if (e == ELEM_u8) return (i * 37) % 256;
    if (e == ELEM_i32) return integers[i % N_CASE];
    return e == ELEM_f32 ? (float)reals[i % N_CASE] : reals[i % N_CASE];
}

// lanes: of the tiles; 0 for single numbers.
static void check_op(OpTest t, int lanes, int level, const char *cpu) {
    World w = program_new(t.elem == ELEM_f64 || t.from[0] == ELEM_f64 ? ELEM_f64 : ELEM_f32, level);
    w.c->opt.cpu = cpu;
    int n = op_info[t.op].arity;
    Buffer *in[MAX_ARGS], *out = buffer(&w, "out", t.elem, N_CASE * N_CASE);
    Scalar *arg[MAX_ARGS] = {0};
    new_kernel(&w, "op");
    Block *b = count(&w, &w.k->body, 1, N_CASE * N_CASE, lanes ? lanes : 1);
    if (lanes) b = tile(&w, b, 0, 0, 0, lanes);
    Affine at = lanes ? AT(&w, 0, 1, 1, 0, 1) : AT(&w, 0, 1, 1);
    for (int i = 0; i < n; i++) {
        in[i] = buffer(&w, "in", t.from[i], N_CASE * N_CASE);
        arg[i] = load(&w, in[i], at);
    }
    Scalar *s = scalar_op(w.m, t.op, arg[0], arg[1], arg[2]);
    ck_assert_int_eq(s->elem, t.elem);
    store(&w, b, out, at, s);
    w.loaded = load_program(w.c, w.p);
    for (int i = 0; i < N_CASE * N_CASE; i++)
        for (int j = 0; j < n; j++)
            load_set(w.loaded, in[j], i,
                     sample(t.from[j], j == 0 ? i % N_CASE : j == 1 ? i / N_CASE : i * 7 % N_CASE));
    run(&w, NULL);
    for (int i = 0; i < N_CASE * N_CASE; i++) {
        double a[MAX_ARGS];
        for (int j = 0; j < n; j++) a[j] = load_get(w.loaded, in[j], i);
        double want = eval_op(t.op, t.elem, t.from[t.op == OP_select ? 1 : 0], a);
        if (t.op == OP_exponent && (a[0] == 0 || !isfinite(a[0]))) continue;
        double got = load_get(w.loaded, out, i);
        bool agrees = elem_is_real(t.elem) ? same(got, want) : got == want;
        ck_assert_msg(agrees, "%s %s by %d lanes of %a %a %a: %a, not %a", op_info[t.op].name,
                      elem_name[t.elem], lanes, a[0], n > 1 ? a[1] : 0,
                      n > 2 ? a[2] : 0, got, want);
    }
    done(&w);
}

static int op_tests(Op op, Elem real, OpTest *out) {
    Elem r = real, i = ELEM_i32, b = ELEM_bool;
    int n = 0;
    switch ((Rule)op_info[op].rule) {
    case RULE_NUMBER:
        if (op != OP_idiv) out[n++] = (OpTest){op, r, {r, r, r}};
        if (real == ELEM_f32) out[n++] = (OpTest){op, i, {i, i, i}};
        break;
    case RULE_REAL: out[n++] = (OpTest){op, r, {r, r, r}}; break;
    case RULE_COMPARE:
        out[n++] = (OpTest){op, b, {r, r}};
        if (real == ELEM_f32) out[n++] = (OpTest){op, b, {i, i}};
        break;
    case RULE_LOGIC: if (real == ELEM_f32) out[n++] = (OpTest){op, b, {b, b}}; break;
    case RULE_SELECT:
        out[n++] = (OpTest){op, r, {b, r, r}};
        if (real == ELEM_f32) out[n++] = (OpTest){op, i, {b, i, i}};
        break;
    case RULE_TO_REAL:
        out[n++] = (OpTest){op, r, {b}};
        out[n++] = (OpTest){op, r, {i}};
        out[n++] = (OpTest){op, r, {ELEM_u8}};
        break;
    case RULE_TO_INT:
        out[n++] = (OpTest){op, i, {r}};
        if (real == ELEM_f32) out[n++] = (OpTest){op, i, {b}}, out[n++] = (OpTest){op, i, {ELEM_u8}};
        break;
    case RULE_SCALE: out[n++] = (OpTest){op, r, {r, i}}; break;
    case RULE_EXPONENT: out[n++] = (OpTest){op, i, {r}}; break;
    case RULE_DRAW: out[n++] = (OpTest){op, r, {i, i, i}}; break;
    case RULE_LEAF: break;
    }
    return n;
}

START_TEST(every_operation) {
    Op op = (Op)_i;
    if (!(op_info[op].levels & LEVEL_L)) return;
    for (Elem real = ELEM_f32; real <= ELEM_f64; real++) {
        OpTest t[4];
        int n = op_tests(op, real, t);
        for (int i = 0; i < n; i++) {
            check_op(t[i], N_CASE * N_CASE, 2, NULL);
            check_op(t[i], 8, 2, NULL);
            check_op(t[i], 4, 1, NULL);
            check_op(t[i], 0, 1, NULL);
            bool is_own =
                op_info[op].rule == RULE_SCALE || op == OP_floor || op == OP_round || op == OP_mod;
            if (op == OP_fma || (!is_own && _i % 5)) continue;  // a processor without AVX
            check_op(t[i], N_CASE * N_CASE, 2, "x86-64");
            check_op(t[i], 8, 2, "x86-64");
            check_op(t[i], 0, 2, "x86-64");
        }
    }
}
END_TEST

// ---- contractions

static Scalar *relu_of(World *w, const Temp *acc, Scalar *bias) {
    Scalar *sum = scalar_binary(w->m, OP_add, scalar_temp(w->m, acc), bias);
    return scalar_binary(w->m, OP_max, sum, scalar_real(w->m, 0));
}

typedef struct Dense {
    Buffer *x, *weight, *bias, *y;
    int64_t rows, in, out;
} Dense;

// Variables 0 row, 1 column, 2 k; 3 and 4 in the tile.
static void dense_tile(World *w, Block *b, const Dense *d, int64_t row, int64_t column,
                       int64_t points, int64_t lanes) {
    Block *t = tile(w, b, 3, points, 4, lanes);
    int in = (int)d->in, out = (int)d->out;
    Elem real = w->m->real;
    const Temp *acc = let(w, t, real, scalar_real(w->m, 0));
    Block *k = count(w, t, 2, d->in, 1);
    Scalar *x = load(w, d->x, AT(w, row * in, 0, in, 3, in, 2, 1));
    Scalar *f = load(w, d->weight, AT(w, column, 2, out, 1, 1, 4, 1));
    set(w, k, acc, scalar_op(w->m, OP_fma, x, f, scalar_temp(w->m, acc)));
    Scalar *bias = load(w, d->bias, AT(w, column, 1, 1, 4, 1));
    store(w, t, d->y, AT(w, row * out + column, 0, out, 3, out, 1, 1, 4, 1), relu_of(w, acc, bias));
}

static void check_dense(Elem real, int level, int64_t rows, int64_t in, int64_t out) {
    World w = program_new(real, level);
    Dense d = {.rows = rows, .in = in, .out = out};
    d.x = buffer(&w, "x", real, rows * in);
    d.weight = buffer(&w, "w", real, in * out);
    d.bias = buffer(&w, "b", real, out);
    d.y = buffer(&w, "y", real, rows * out);
    new_kernel(&w, "dense");
    int64_t full = rows / 6 * 6, wide = out / 64 * 64;
    Block *n = count(&w, &w.k->body, 0, full, 6);
    if (wide) dense_tile(&w, count(&w, n, 1, wide, 64), &d, 0, 0, 6, 64);
    Block *u = loop(&w, n, 1, bound(dim_const(wide)), bound(dim_const(wide + 1)), 1);
    if (out > wide) dense_tile(&w, u, &d, 0, 0, 6, out - wide);
    Block *rest = loop(&w, &w.k->body, 0, bound(dim_const(full)), bound(dim_const(rows)), 1);
    Block *all = count(&w, rest, 1, 1, 1);
    dense_tile(&w, all, &d, 0, 0, 1, out);
    fill(&w, d.x, 1), fill(&w, d.weight, 2), fill(&w, d.bias, 3);
    run(&w, NULL);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < out; j++) {
            double acc = 0;
            for (int64_t k = 0; k < in; k++) {
                double a[3] = {load_get(w.loaded, d.x, i * in + k),
                               load_get(w.loaded, d.weight, k * out + j), acc};
                acc = eval_op(OP_fma, real, real, a);
            }
            double sum[2] = {acc, load_get(w.loaded, d.bias, j)};
            double h[2] = {eval_op(OP_add, real, real, sum), 0};
            double want = eval_op(OP_max, real, real, h), got = load_get(w.loaded, d.y, i * out + j);
            ck_assert_msg(same(want, got), "[%d, %d]: %a, not %a", (int)i, (int)j, got, want);
        }
    done(&w);
}

START_TEST(dense_layers) {
    check_dense(ELEM_f32, 2, 14, 37, 74);
    check_dense(ELEM_f32, 0, 7, 5, 10);
    check_dense(ELEM_f32, 3, 12, 64, 128);
    check_dense(ELEM_f64, 2, 13, 6, 70);
    check_dense(ELEM_f32, 1, 6, 1, 16);
    check_dense(ELEM_f32, 2, 7, 12, 6);
    check_dense(ELEM_f32, 2, 7, 12, 67);
    check_dense(ELEM_f64, 2, 6, 5, 3);
}
END_TEST

// ---- guards, gathers, lanes

START_TEST(guarded_loads) {
    enum { N = 50 };
    for (int shift = -3; shift <= 3; shift++) {
        World w = program_new(ELEM_f32, 2);
        Buffer *x = buffer(&w, "x", ELEM_f32, N), *y = buffer(&w, "y", ELEM_f32, N);
        Buffer *z = buffer(&w, "z", ELEM_f32, 4 * N);
        new_kernel(&w, "shift");
        Scalar *otherwise = scalar_real(w.m, -5);
        Guard in_range[2] = {{AT(&w, shift, 0, 1), NULL, 0}, {AT(&w, N - 1 - shift, 0, -1), NULL, 0}};
        Block *t = tile(&w, &w.k->body, 0, 0, 0, N);
        store(&w, t, y, affine_slot(w.m, 0),
              load_if(&w, x, AT(&w, shift, 0, 1), in_range, 2, otherwise));
        // A guard that does not vary along the lanes: rows 1 and 2 of 4.
        new_kernel(&w, "rows");
        Block *rows = count(&w, &w.k->body, 1, 4, 1);
        Block *u = tile(&w, rows, 0, 0, 0, N);
        Guard rows_in[2] = {{AT(&w, -1, 1, 1), NULL, 0}, {AT(&w, 2, 1, -1), NULL, 0}};
        store(&w, u, z, AT(&w, 0, 1, N, 0, 1),
              load_if(&w, y, AT(&w, -100, 0, 1, 1, 50), rows_in, 2, otherwise));
        w.loaded = load_program(w.c, w.p);
        fill(&w, x, 9);
        run(&w, NULL);
        for (int i = 0; i < N; i++) {
            bool in = i + shift >= 0 && i + shift < N;
            ck_assert(load_get(w.loaded, y, i) == (in ? load_get(w.loaded, x, i + shift) : -5));
        }
        for (int i = 0; i < N; i++) {
            ck_assert(load_get(w.loaded, z, i) == -5);
            ck_assert(load_get(w.loaded, z, 3 * N + i) == -5);
            ck_assert(load_get(w.loaded, z, 2 * N + i) == load_get(w.loaded, y, i));
        }
        done(&w);
    }
}
END_TEST

START_TEST(guarded_stores) {
    World w = program_new(ELEM_f32, 2);
    Buffer *y = buffer(&w, "y", ELEM_f32, 80);
    new_kernel(&w, "fill");
    store(&w, tile(&w, &w.k->body, 0, 0, 0, 80), y, affine_slot(w.m, 0), scalar_real(w.m, 1));
    new_kernel(&w, "some");
    Guard odd = {AT(&w, 1, 1, 1), NULL, 2}, below = {AT(&w, 4, 0, -1), NULL, 0};
    Block *rows = count(&w, &w.k->body, 1, 8, 1);
    Stmt *s = store(&w, tile(&w, rows, 0, 0, 0, 10), y, AT(&w, 0, 1, 10, 0, 1),
                    scalar_affine(w.m, affine_const(2)));
    s->store.value = scalar_unary(w.m, OP_to_real, scalar_affine(w.m, AT(&w, 100, 0, 1, 1, 10)));
    Guard both[2] = {odd, below};
    s->store.guard = both;
    s->store.n_guard = 2;
    run(&w, NULL);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 10; j++)
            ck_assert(load_get(w.loaded, y, 10 * i + j) ==
                      (i % 2 == 1 && j <= 4 ? 100 + j + 10 * i : 1));
    done(&w);
}
END_TEST

START_TEST(gathers_and_strides) {
    enum { N = 40 };
    World w = program_new(ELEM_f32, 2);
    Buffer *x = buffer(&w, "x", ELEM_f32, 3 * 100), *at = buffer(&w, "at", ELEM_u8, N);
    Buffer *y = buffer(&w, "y", ELEM_f32, N), *z = buffer(&w, "z", ELEM_f32, 3 * N);
    Buffer *row = buffer(&w, "row", ELEM_f32, N);
    new_kernel(&w, "gather");
    Block *t = tile(&w, &w.k->body, 0, 0, 0, N);
    Scalar *number = scalar_unary(w.m, OP_to_int, load(&w, at, affine_slot(w.m, 0)));
    struct Dyn dyn = {3, number};
    Access gather = {x, affine_const(1), 1, &dyn};
    store(&w, t, y, affine_slot(w.m, 0), scalar_load(w.m, &gather, NULL, 0, NULL));
    store(&w, t, z, AT(&w, 2, 0, 3), load(&w, x, AT(&w, 0, 0, 3)));
    // A gather that is the same for all lanes.
    Scalar *first = scalar_unary(w.m, OP_to_int, load(&w, at, affine_const(5)));
    struct Dyn same_dyn = {1, first};
    Access window = {x, affine_slot(w.m, 0), 1, &same_dyn};
    store(&w, t, row, affine_slot(w.m, 0), scalar_load(w.m, &window, NULL, 0, NULL));
    w.loaded = load_program(w.c, w.p);
    fill(&w, x, 4), fill(&w, at, 5);
    run(&w, NULL);
    for (int i = 0; i < N; i++) {
        int g = (int)load_get(w.loaded, at, i);
        ck_assert(load_get(w.loaded, y, i) == load_get(w.loaded, x, 3 * g + 1));
        ck_assert(load_get(w.loaded, z, 3 * i + 2) == load_get(w.loaded, x, 3 * i));
        ck_assert(load_get(w.loaded, row, i) ==
                  load_get(w.loaded, x, i + (int)load_get(w.loaded, at, 5)));
    }
    done(&w);
}
END_TEST

START_TEST(scatter_adds_in_order) {
    enum { N = 60 };
    World w = program_new(ELEM_f32, 2);
    Buffer *at = buffer(&w, "at", ELEM_u8, N), *x = buffer(&w, "x", ELEM_f32, N);
    Buffer *y = buffer(&w, "y", ELEM_f32, 100);
    new_kernel(&w, "scatter");
    Block *b = count(&w, &w.k->body, 0, N, 1);
    struct Dyn dyn = {1, scalar_unary(w.m, OP_to_int, load(&w, at, affine_slot(w.m, 0)))};
    Access to = {y, affine_const(0), 1, &dyn};
    Stmt *s = add(&w, b, STMT_store);
    s->store.access = to;
    s->store.value = scalar_binary(w.m, OP_add, scalar_load(w.m, &to, NULL, 0, NULL),
                                   load(&w, x, affine_slot(w.m, 0)));
    w.loaded = load_program(w.c, w.p);
    fill(&w, x, 4), fill(&w, at, 5);
    run(&w, NULL);
    float want[100] = {0};
    for (int i = 0; i < N; i++)
        want[(int)load_get(w.loaded, at, i)] += (float)load_get(w.loaded, x, i);
    for (int i = 0; i < 100; i++) ck_assert(load_get(w.loaded, y, i) == want[i]);
    done(&w);
}
END_TEST

START_TEST(small_strides) {
    static const int lanes[] = {1, 4, 5, 16, 20, 37};
    for (int stride = 2; stride <= 6; stride++)
        for (int i = 0; i < 6; i++) {
            World w = program_new(ELEM_f32, 2);
            int n = lanes[i];
            Buffer *x = buffer(&w, "x", ELEM_f32, stride * n + 3), *y = buffer(&w, "y", ELEM_f32, n);
            Buffer *u = buffer(&w, "u", ELEM_u8, stride * n + 3), *v = buffer(&w, "v", ELEM_u8, n);
            new_kernel(&w, "pick");
            Block *t = tile(&w, &w.k->body, 0, 0, 0, n);
            store(&w, t, y, affine_slot(w.m, 0), load(&w, x, AT(&w, 2, 0, stride)));
            store(&w, t, v, affine_slot(w.m, 0), load(&w, u, AT(&w, 1, 0, stride)));
            fill(&w, x, 1), fill(&w, u, 2);
            run(&w, NULL);
            for (int j = 0; j < n; j++) {
                ck_assert(load_get(w.loaded, y, j) == load_get(w.loaded, x, stride * j + 2));
                ck_assert(load_get(w.loaded, v, j) == load_get(w.loaded, u, stride * j + 1));
            }
            done(&w);
        }
}
END_TEST

// Rows along the lanes: y[q, p] = sum over k of x[q, k] * f[k, p], for a known or a run-time
// number of k.
static void check_rows(int64_t rows, int64_t columns, int64_t ks, int level, bool at_run_time) {
    World w = program_new(ELEM_f32, level);
    Extent *extent = module_extent(w.m, "batch", ks);
    Buffer *x = buffer(&w, "x", ELEM_f32, rows * (ks + 3)), *f = buffer(&w, "f", ELEM_f32, ks * columns);
    Buffer *y = buffer(&w, "y", ELEM_f32, rows * (columns + 2)), *top = buffer(&w, "top", ELEM_i32, rows);
    new_kernel(&w, "rows");
    Block *t = tile(&w, &w.k->body, 0, columns, 1, rows);
    const Temp *acc = let(&w, t, ELEM_f32, scalar_real(w.m, 0));
    Block *k = loop(&w, t, 2, bound(dim_const(0)), bound(at_run_time ? dim_of(extent) : dim_const(ks)), 1);
    Scalar *a = load(&w, x, AT(&w, 1, 1, (int)ks + 3, 2, 1));
    Scalar *b = load(&w, f, AT(&w, 0, 2, (int)columns, 0, 1));
    set(&w, k, acc, scalar_op(w.m, OP_fma, a, b, scalar_temp(w.m, acc)));
    store(&w, t, y, AT(&w, 1, 1, (int)columns + 2, 0, 1), scalar_temp(w.m, acc));
    new_kernel(&w, "top");
    t = tile(&w, &w.k->body, 0, 0, 1, rows);
    const Temp *best = let(&w, t, ELEM_i32, scalar_int(w.m, -1));
    k = count(&w, t, 2, columns, 1);
    Scalar *is_positive = scalar_binary(w.m, OP_lt, scalar_real(w.m, 0),
                                        load(&w, y, AT(&w, 1, 1, (int)columns + 2, 2, 1)));
    set(&w, k, best, scalar_select(w.m, is_positive, scalar_iv(w.m, 2), scalar_temp(w.m, best)));
    store(&w, t, top, affine_slot(w.m, 1), scalar_temp(w.m, best));
    fill(&w, x, 1), fill(&w, f, 2);
    int64_t actual[4] = {ks};
    run(&w, actual);
    for (int64_t i = 0; i < rows; i++) {
        int last = -1;
        for (int64_t j = 0; j < columns; j++) {
            float want = 0;
            for (int64_t n = 0; n < ks; n++)
                want = fmaf((float)load_get(w.loaded, x, i * (ks + 3) + n + 1),
                            (float)load_get(w.loaded, f, n * columns + j), want);
            ck_assert(load_get(w.loaded, y, i * (columns + 2) + j + 1) == want);
            if (want > 0) last = (int)j;
        }
        ck_assert(load_get(w.loaded, top, i) == last);
    }
    ck_assert(load_get(w.loaded, y, 0) == 0);
    ck_assert(load_get(w.loaded, y, columns + 1) == 0);
    done(&w);
}

START_TEST(rows_along_lanes) {
    check_rows(32, 10, 50, 2, false);
    check_rows(21, 3, 16, 2, false);
    check_rows(16, 10, 7, 1, false);
    check_rows(5, 20, 33, 0, false);
    check_rows(32, 10, 50, 2, true);
    check_rows(16, 2, 9, 2, true);
}
END_TEST

// A loop of one tile copies a transposed panel.
START_TEST(packs_rows) {
    enum { LANES_N = 48, K = 37, PITCH = 41 };
    World w = program_new(ELEM_f32, 2);
    Buffer *x = buffer(&w, "x", ELEM_f32, LANES_N * PITCH), *y = buffer(&w, "y", ELEM_f32, LANES_N * K);
    new_kernel(&w, "pack");
    Block *r = count(&w, &w.k->body, 0, K, 1);
    Block *t = tile(&w, r, 0, 0, 1, LANES_N);
    store(&w, t, y, AT(&w, 0, 0, LANES_N, 1, 1), load(&w, x, AT(&w, 0, 0, 1, 1, PITCH)));
    fill(&w, x, 1);
    run(&w, NULL);
    for (int i = 0; i < K; i++)
        for (int j = 0; j < LANES_N; j++)
            ck_assert(load_get(w.loaded, y, i * LANES_N + j) == load_get(w.loaded, x, j * PITCH + i));
    done(&w);
}
END_TEST

// A loop of one tile whose stores lie along the loop, a row apart along the lanes.
START_TEST(stores_rows) {
    static const int lengths[] = {6, 16, 37};
    for (int i = 0; i < 6; i++) {
        enum { LANES_N = 21, PITCH = 41 };
        int n = lengths[i % 3];
        World w = program_new(ELEM_f32, 2);
        Extent *extent = module_extent(w.m, "batch", n);
        Buffer *x = buffer(&w, "x", ELEM_f32, n * LANES_N), *y = buffer(&w, "y", ELEM_f32, 3 * LANES_N * PITCH);
        new_kernel(&w, "unpack");
        Block *outer = count(&w, &w.k->body, 3, 3, 1);
        Block *r = loop(&w, outer, 0, bound(dim_const(0)), bound(i < 3 ? dim_const(n) : dim_of(extent)), 1);
        Block *t = tile(&w, r, 0, 0, 1, LANES_N);
        Scalar *value = scalar_binary(w.m, OP_add, load(&w, x, AT(&w, 0, 0, LANES_N, 1, 1)),
                                      scalar_unary(w.m, OP_to_real, scalar_iv(w.m, 3)));
        store(&w, t, y, AT(&w, 2, 0, 1, 1, PITCH, 3, LANES_N * PITCH), value);
        fill(&w, x, 1);
        int64_t actual[4] = {n};
        run(&w, actual);
        for (int o = 0; o < 3; o++)
            for (int j = 0; j < LANES_N; j++)
                for (int k = 0; k < PITCH; k++) {
                    bool is_in = k >= 2 && k - 2 < n;
                    float want = is_in ? (float)load_get(w.loaded, x, (k - 2) * LANES_N + j) + o : 0;
                    if (!is_in && k < 2 && (j || o)) continue;
                    ck_assert(load_get(w.loaded, y, (o * LANES_N + j) * PITCH + k) == want);
                }
        done(&w);
    }
}
END_TEST

// Two loops around such a tile: the outer one goes on where the inner one's rows stop, or not.
START_TEST(stores_rows_of_two_loops) {
    enum { ROWS = 2, COLUMNS = 6, N = 14, PITCH = 20 };
    for (int apart = COLUMNS; apart <= COLUMNS + 2; apart++) {
        World w = program_new(ELEM_f32, 2);
        Buffer *x = buffer(&w, "x", ELEM_f32, COLUMNS * N), *y = buffer(&w, "y", ELEM_f32, 3 * N * PITCH);
        new_kernel(&w, "unpack");
        Block *outer = count(&w, &w.k->body, 3, 3, 1);
        Block *inner = count(&w, count(&w, outer, 2, ROWS, 1), 0, COLUMNS, 1);
        Block *t = tile(&w, inner, 0, 0, 1, N);
        Scalar *value = scalar_binary(w.m, OP_add, load(&w, x, AT(&w, 0, 0, N, 1, 1)),
                                      scalar_unary(w.m, OP_to_real, scalar_iv(w.m, 2)));
        store(&w, t, y, AT(&w, 1, 0, 1, 1, PITCH, 2, apart, 3, N * PITCH), value);
        fill(&w, x, 1);
        run(&w, NULL);
        for (int o = 0; o < 3; o++)
            for (int j = 0; j < N; j++)
                for (int r = 0; r < ROWS; r++)
                    for (int c = 0; c < COLUMNS; c++) {
                        float want = (float)load_get(w.loaded, x, c * N + j) + r;
                        int at = (o * N + j) * PITCH + 1 + r * apart + c;
                        ck_assert(load_get(w.loaded, y, at) == want);
                    }
        done(&w);
    }
}
END_TEST

// A tile with a loop inside: what it stores along the loop around it becomes rows as well.
START_TEST(stores_rows_of_sums) {
    enum { COLUMNS = 20, N = 6, PITCH = 23, K = 9 };
    World w = program_new(ELEM_f32, 2);
    Buffer *x = buffer(&w, "x", ELEM_f32, K * N), *f = buffer(&w, "f", ELEM_f32, COLUMNS * K);
    Buffer *y = buffer(&w, "y", ELEM_f32, N * PITCH);
    new_kernel(&w, "sums");
    Block *t = tile(&w, count(&w, &w.k->body, 0, COLUMNS, 1), 0, 0, 1, N);
    const Temp *acc = let(&w, t, ELEM_f32, scalar_real(w.m, 0));
    Block *k = count(&w, t, 2, K, 1);
    set(&w, k, acc, scalar_op(w.m, OP_fma, load(&w, x, AT(&w, 0, 2, N, 1, 1)),
                              load(&w, f, AT(&w, 0, 0, K, 2, 1)), scalar_temp(w.m, acc)));
    store(&w, t, y, AT(&w, 1, 0, 1, 1, PITCH), scalar_temp(w.m, acc));
    fill(&w, x, 1), fill(&w, f, 2);
    run(&w, NULL);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < COLUMNS; j++) {
            float want = 0;
            for (int n = 0; n < K; n++)
                want = fmaf((float)load_get(w.loaded, x, n * N + i),
                            (float)load_get(w.loaded, f, j * K + n), want);
            ck_assert(load_get(w.loaded, y, i * PITCH + j + 1) == want);
        }
    ck_assert(load_get(w.loaded, y, COLUMNS + 1) == 0);
    done(&w);
}
END_TEST

// Points are in lockstep: every load of a tile's statements comes before its stores.
START_TEST(lockstep) {
    World w = program_new(ELEM_f32, 2);
    Buffer *x = buffer(&w, "x", ELEM_f32, 5 * 16);
    new_kernel(&w, "shift");
    Block *t = tile(&w, &w.k->body, 0, 4, 1, 16);
    const Temp *old = let(&w, t, ELEM_f32, load(&w, x, AT(&w, 0, 0, 16, 1, 1)));
    store(&w, t, x, AT(&w, 16, 0, 16, 1, 1), scalar_temp(w.m, old));
    w.loaded = load_program(w.c, w.p);
    for (int i = 0; i < 80; i++) load_set(w.loaded, x, i, i);
    run(&w, NULL);
    for (int i = 0; i < 80; i++) ck_assert(load_get(w.loaded, x, i) == (i < 16 ? i : i - 16));
    done(&w);
}
END_TEST

// ---- reductions along the lanes

START_TEST(lanes_reduction) {
    static const RedKind kinds[] = {RED_sum, RED_prod, RED_max, RED_min};
    enum { ROWS = 3, N = 53 };
    RedKind red = kinds[_i];
    World w = program_new(ELEM_f32, 2);
    Buffer *x = buffer(&w, "x", ELEM_f32, ROWS * N), *y = buffer(&w, "y", ELEM_f32, ROWS);
    new_kernel(&w, "rows");
    Block *row = count(&w, &w.k->body, 0, ROWS, 1);
    Scalar *identity = red_identity(w.m, red, ELEM_f32);
    const Temp *sum = let(&w, row, ELEM_f32, identity);
    Block *t = tile(&w, row, 0, 0, 1, LANES);
    const Temp *acc = let(&w, t, ELEM_f32, identity);
    Op op = red == RED_sum ? OP_add : red == RED_prod ? OP_mul : red == RED_max ? OP_max : OP_min;
    Block *k = count(&w, t, 2, N, LANES);
    Guard tail = {AT(&w, N - 1, 1, -1, 2, -1), NULL, 0};
    Scalar *point = load_if(&w, x, AT(&w, 0, 0, N, 1, 1, 2, 1), &tail, 1, identity);
    set(&w, k, acc, scalar_binary(w.m, op, scalar_temp(w.m, acc), point));
    Stmt *s = add(&w, t, STMT_combine);
    s->combine.into = sum;
    s->combine.from = acc;
    s->combine.red = red;
    s->combine.lane = 1;
    store(&w, row, y, affine_slot(w.m, 0), scalar_temp(w.m, sum));
    w.loaded = load_program(w.c, w.p);
    fill(&w, x, 11);
    run(&w, NULL);
    for (int i = 0; i < ROWS; i++) {
        double lane[LANES];
        for (int l = 0; l < LANES; l++) {
            lane[l] = identity->real;
            for (int j = l; j < N; j += LANES) {
                double a[2] = {lane[l], load_get(w.loaded, x, i * N + j)};
                lane[l] = eval_op(op, ELEM_f32, ELEM_f32, a);
            }
        }
        for (int half = 8; half; half /= 2)
            for (int l = 0; l < half; l++) {
                double a[2] = {lane[l], lane[l + half]};
                lane[l] = eval_op(op, ELEM_f32, ELEM_f32, a);
            }
        ck_assert(load_get(w.loaded, y, i) == lane[0]);
    }
    done(&w);
}
END_TEST

// ---- draws

START_TEST(draws) {
    enum { ROWS = 3, N = 150, LIMITS = 7 };
    World w = program_new(ELEM_f32, 2);
    Buffer *even = buffer(&w, "even", ELEM_f32, ROWS * 128), *odd = buffer(&w, "odd", ELEM_f32, ROWS * N);
    Buffer *one = buffer(&w, "one", ELEM_f32, N);
    new_kernel(&w, "even");
    Block *row = count(&w, &w.k->body, 0, ROWS, 1), *u = count(&w, row, 2, 128, 64);
    Affine place = AT(&w, 0, 0, 128, 1, 1, 2, 1);
    store(&w, tile(&w, u, 0, 0, 1, 64), even, place, scalar_rand(w.m, 21, scalar_affine(w.m, place)));
    new_kernel(&w, "odd");
    row = count(&w, &w.k->body, 0, ROWS, 1);
    place = AT(&w, 0, 0, N, 1, 1);
    store(&w, tile(&w, row, 0, 0, 1, N), odd, place, scalar_rand(w.m, 22, scalar_affine(w.m, place)));
    new_kernel(&w, "one");
    store(&w, count(&w, &w.k->body, 0, N, 1), one, affine_slot(w.m, 0),
          scalar_rand(w.m, 23, scalar_iv(w.m, 0)));
    // Conditions; the first place of a tile is 48, 176, ...
    static const double limit[LIMITS] = {0.3, 0.5, 0, -1, 1, 0x1p-24, NAN};
    Buffer *below[LIMITS];
    new_kernel(&w, "below");
    row = count(&w, &w.k->body, 0, ROWS, 1);
    Block *in = tile(&w, row, 0, 0, 1, 64);
    place = AT(&w, 0, 0, 64, 1, 1);
    Affine drawn = affine_add_const(AT(&w, 0, 0, 128, 1, 1), 48);
    for (int i = 0; i < LIMITS; i++) {
        below[i] = buffer(&w, "below", ELEM_bool, ROWS * 64);
        Scalar *draw = scalar_rand(w.m, 24, scalar_affine(w.m, drawn));
        store(&w, in, below[i], place, scalar_binary(w.m, OP_lt, draw, scalar_real(w.m, limit[i])));
    }
    run(&w, NULL);
    for (unsigned i = 0; i < ROWS * 128; i++)
        ck_assert(load_get(w.loaded, even, i) == eval_rand(7, 21, 3, i));
    for (unsigned i = 0; i < ROWS * N; i++)
        ck_assert(load_get(w.loaded, odd, i) == eval_rand(7, 22, 3, i));
    for (unsigned i = 0; i < N; i++) ck_assert(load_get(w.loaded, one, i) == eval_rand(7, 23, 3, i));
    for (int l = 0; l < LIMITS; l++)
        for (unsigned i = 0; i < ROWS * 64; i++) {
            double x = eval_rand(7, 24, 3, i / 64 * 128 + i % 64 + 48);
            ck_assert_int_eq(load_get(w.loaded, below[l], i), x < (float)limit[l]);
        }
    done(&w);
}
END_TEST

// ---- parallel kernels over the batch, reductions over it, shared code

START_TEST(batch_at_run_time) {
    enum { MAX = 40, N = 20 };
    World w = program_new(ELEM_f32, 2);
    Extent *batch = module_extent(w.m, "batch", MAX);
    Buffer *x = buffer(&w, "x", ELEM_f32, MAX * N), *y = buffer(&w, "y", ELEM_f32, MAX * N);
    Buffer *sum = buffer(&w, "sum", ELEM_f32, N);
    new_kernel(&w, "twice");
    w.k->is_parallel = true;
    Block *row = loop(&w, &w.k->body, 0, bound(dim_const(0)), bound(dim_of(batch)), 1);
    Affine at = AT(&w, 0, 0, N, 1, 1);
    Scalar *twice = scalar_binary(w.m, OP_mul, load(&w, x, at), scalar_real(w.m, 2));
    store(&w, tile(&w, row, 0, 0, 1, N), y, at, twice);
    new_kernel(&w, "sum");
    Block *t = tile(&w, &w.k->body, 0, 0, 1, N);
    const Temp *acc = let(&w, t, ELEM_f32, scalar_real(w.m, 0));
    Block *k = loop(&w, t, 0, bound(dim_const(0)), bound(dim_of(batch)), 1);
    set(&w, k, acc, scalar_binary(w.m, OP_add, scalar_temp(w.m, acc), load(&w, y, at)));
    store(&w, t, sum, affine_slot(w.m, 1), scalar_temp(w.m, acc));
    w.loaded = load_program(w.c, w.p);
    for (int64_t rows = 0; rows <= MAX; rows += rows < 10 ? 1 : 15) {
        int64_t extent[4] = {rows};
        fill(&w, x, 3);
        for (int i = 0; i < MAX * N; i++) load_set(w.loaded, y, i, -1);
        run(&w, extent);
        for (int j = 0; j < N; j++) {
            float want = 0;
            for (int i = 0; i < rows; i++) want += 2 * (float)load_get(w.loaded, x, i * N + j);
            ck_assert(load_get(w.loaded, sum, j) == want);
        }
        for (int i = 0; i < MAX * N; i++)
            ck_assert(load_get(w.loaded, y, i) ==
                      (i < rows * N ? 2 * (float)load_get(w.loaded, x, i) : -1));
    }
    done(&w);
}
END_TEST

START_TEST(equal_kernels_share_code) {
    World w = program_new(ELEM_f32, 2);
    Buffer *x[3];
    for (int i = 0; i < 3; i++) x[i] = buffer(&w, "x", ELEM_f32, 32);
    for (int i = 0; i < 2; i++) {
        new_kernel(&w, "add");
        Scalar *more = scalar_binary(w.m, OP_add, load(&w, x[i], affine_slot(w.m, 0)),
                                     scalar_real(w.m, 1));
        store(&w, tile(&w, &w.k->body, 0, 0, 0, 32), x[i + 1], affine_slot(w.m, 0), more);
    }
    Code *code = code_new(w.c, w.p, &(EmitOptions){0});
    const char *text = code_llvm(code, w.c->arena);
    int bodies = 0;
    for (const char *at = text; (at = strstr(at, "fadd")); at++) bodies++;
    ck_assert_int_eq(bodies, 2);  // two groups of lanes, once
    code_free(code);
    fill(&w, x[0], 3);
    run(&w, NULL);
    for (int i = 0; i < 32; i++)
        ck_assert(load_get(w.loaded, x[2], i) == (float)((float)load_get(w.loaded, x[0], i) + 1) + 1);
    done(&w);
}
END_TEST

// out[j] becomes the sum of in[i + j] in a long nest, then each is divided by two, in a place or two.
static void add_sums(World *w, Buffer *in, Buffer *out, bool with_halves) {
    new_kernel(w, "sums");
    Block *loop = count(w, &w->k->body, 0, 200, 1);
    Block *t = tile(w, loop, 0, 0, 1, 32);
    Affine at = affine_slot(w->m, 1), from = AT(w, 0, 0, 1, 1, 1);
    Scalar *sum = scalar_binary(w->m, OP_add, load(w, out, at), load(w, in, from));
    store(w, t, out, at, sum);
    if (!with_halves) return;
    Block *second = tile(w, &w->k->body, 0, 0, 1, 32);
    store(w, second, out, at, scalar_binary(w->m, OP_mul, load(w, out, at), scalar_real(w->m, 0.5)));
}

static Objects objects_of(World *w, int64_t split_at) {
    Code *code = code_new(w->c, w->p, &(EmitOptions){.split_at = split_at});
    code_optimize(code);
    Objects objects = code_objects(code, w->c->arena);
    code_free(code);
    return objects;
}

// A nest that kernels of both objects call, and kernels of the second in the first one's table.
START_TEST(two_objects_are_one_program) {
    enum { N = 232 };
    World w = program_new(ELEM_f32, 2);
    Buffer *x = buffer(&w, "x", ELEM_f32, N), *y[4];
    for (int i = 0; i < 4; i++) {
        y[i] = buffer(&w, "y", ELEM_f32, 32);
        add_sums(&w, x, y[i], i % 2);
    }
    new_kernel(&w, "more");
    Block *t = tile(&w, &w.k->body, 0, 0, 0, 32);
    Affine at = affine_slot(w.m, 0);
    store(&w, t, y[0], at, scalar_binary(w.m, OP_sub, load(&w, y[0], at), load(&w, y[1], at)));
    ck_assert_int_eq(objects_of(&w, 0).n, 1);
    ck_assert_int_eq(objects_of(&w, LARGE_PROGRAM).n, 1);
    Objects first = objects_of(&w, 1), again = objects_of(&w, 1);
    ck_assert_int_eq(first.n, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(first.at[i]->n, again.at[i]->n);
        ck_assert(!memcmp(first.at[i]->at, again.at[i]->at, (size_t)first.at[i]->n));
    }
    double got[2][4][32];
    for (int split = 0; split < 2; split++) {
        w.loaded = load_program_with(w.c, w.p, &(EmitOptions){.split_at = split});
        fill(&w, x, 9);
        run(&w, NULL);
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 32; j++) got[split][i][j] = load_get(w.loaded, y[i], j);
        if (!split) load_free(w.loaded);
    }
    ck_assert(!memcmp(got[0], got[1], sizeof got[0]));
    for (int j = 0; j < 32; j++) {
        float sum = 0;
        for (int i = 0; i < 200; i++) sum += (float)load_get(w.loaded, x, i + j);
        ck_assert(got[1][1][j] == sum * 0.5f && got[1][2][j] == sum && got[1][0][j] == sum - sum * 0.5f);
    }
    done(&w);
}
END_TEST

// A value read before and after its buffer is stored is read twice; updates in a loop that
// runs inside a tile are carried.
START_TEST(stores_are_seen) {
    World w = program_new(ELEM_f32, 2);
    Buffer *x = buffer(&w, "x", ELEM_f32, 20), *y = buffer(&w, "y", ELEM_f32, 20);
    new_kernel(&w, "again");
    Block *t = tile(&w, &w.k->body, 0, 0, 0, 20);
    Scalar *now = load(&w, x, affine_slot(w.m, 0));
    store(&w, t, x, affine_slot(w.m, 0), scalar_binary(w.m, OP_add, now, scalar_real(w.m, 1)));
    store(&w, t, y, affine_slot(w.m, 0), now);
    Block *k = count(&w, t, 1, 3, 1);
    store(&w, k, x, affine_slot(w.m, 0), scalar_binary(w.m, OP_mul, now, scalar_real(w.m, 2)));
    w.loaded = load_program(w.c, w.p);
    for (int i = 0; i < 20; i++) load_set(w.loaded, x, i, i);
    run(&w, NULL);
    for (int i = 0; i < 20; i++) {
        ck_assert(load_get(w.loaded, y, i) == i + 1);
        ck_assert(load_get(w.loaded, x, i) == 8 * (i + 1));
    }
    done(&w);
}
END_TEST

// Rows that end in a masked vector and change in place: the next row is loaded before a masked
// store that touches its first bytes.
START_TEST(masked_stores_wait_for_loads) {
    enum { ROWS = 5, N = 30 };
    World w = program_new(ELEM_f32, 2);
    w.c->opt.triple = "x86_64-linux-gnu";
    w.c->opt.cpu = "x86-64-v4";
    Buffer *x = buffer(&w, "x", ELEM_f32, ROWS * N);
    new_kernel(&w, "update");
    Block *t = tile(&w, &w.k->body, 0, ROWS, 1, N);
    Affine at = AT(&w, 0, 0, N, 1, 1);
    const Temp *next = let(&w, t, ELEM_f32, scalar_binary(w.m, OP_mul, load(&w, x, at), scalar_real(w.m, 3)));
    store(&w, t, x, at, scalar_temp(w.m, next));
    Code *code = code_new(w.c, w.p, &(EmitOptions){0});
    const char *text = code_llvm(code, w.c->arena), *stored = strstr(text, "call void @llvm.masked.store");
    int loads = 0;
    for (const char *l = text; (l = strstr(l, "load <16 x float>")) && l < stored; l++) loads++;
    ck_assert_int_eq(loads, 2);
    code_free(code);
    w.c->opt.triple = w.c->opt.cpu = NULL;
    fill(&w, x, 1);
    double before[ROWS * N];
    for (int i = 0; i < ROWS * N; i++) before[i] = load_get(w.loaded, x, i);
    run(&w, NULL);
    for (int i = 0; i < ROWS * N; i++) ck_assert(load_get(w.loaded, x, i) == (float)before[i] * 3);
    done(&w);
}
END_TEST

int main(void) {
    Suite *s = suite_create("emit");
    TCase *t = tcase_create("kernels");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, every_operation, 0, N_OP);
    tcase_add_test(t, dense_layers);
    tcase_add_test(t, guarded_loads);
    tcase_add_test(t, guarded_stores);
    tcase_add_test(t, gathers_and_strides);
    tcase_add_test(t, scatter_adds_in_order);
    tcase_add_test(t, small_strides);
    tcase_add_test(t, rows_along_lanes);
    tcase_add_test(t, packs_rows);
    tcase_add_test(t, stores_rows);
    tcase_add_test(t, stores_rows_of_two_loops);
    tcase_add_test(t, stores_rows_of_sums);
    tcase_add_test(t, lockstep);
    tcase_add_loop_test(t, lanes_reduction, 0, 4);
    tcase_add_test(t, draws);
    tcase_add_test(t, batch_at_run_time);
    tcase_add_test(t, equal_kernels_share_code);
    tcase_add_test(t, two_objects_are_one_program);
    tcase_add_test(t, stores_are_seen);
    tcase_add_test(t, masked_stores_wait_for_loads);
    suite_add_tcase(s, t);
    return run_suite(s);
}
