#include "ir/eval_loops.h"

#include <math.h>
#include <string.h>

#include "base/die.h"
#include "ir/build.h"
#include "ir/eval.h"
#include "ir/fold.h"

// A tile under way, or the whole kernel: one point.
typedef struct Tile Tile;
struct Tile {
    const Stmt *stmt;  // NULL for the kernel
    int64_t n, point;
    Tile *outer;
};

typedef struct Cell {  // a temp: one value for each point of the tile that declares it
    const Tile *tile;
    double *value;
} Cell;

struct LoopEval {
    const Program *p;
    Arena *arena, *scratch;  // scratch: of a kernel
    const int64_t *extent;
    uint32_t seed, step;
    char **at;   // by place in p->buffers
    Map *place;  // Buffer * to its place plus one
    const Kernel *kernel;
    int64_t *var;
    Map *temps;  // Temp * to Cell *
    Tile *tile;
    double *value;  // by Scalar.id, of the evaluation `stamp`
    int64_t *stamp, now;
    double *stored;  // what a store writes, by point
    int64_t n_stored;
};

// ---- memory

LoopEval *loop_eval_new(const Program *p, Arena *a, const int64_t *extent, uint32_t seed,
                        uint32_t step) {
    LoopEval *e = NEW(a, LoopEval);
    *e = (LoopEval){.p = p, .arena = a, .extent = extent, .seed = seed, .step = step};
    char *arena = arena_alloc(a, (size_t)p->arena_bytes);
    char *scratch = arena_alloc(a, (size_t)p->scratch_bytes);
    e->at = NEW_ARRAY(a, char *, p->buffers.n);
    e->place = map_new(a);
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        char *base = b->kind == BUFFER_arena ? arena : scratch;
        map_set(e->place, b, (void *)(intptr_t)(i + 1));
        if (b->offset >= 0)
            e->at[i] = base + b->offset;
        else
            e->at[i] = arena_alloc(a, (size_t)(b->count * elem_size[b->elem]));
    }
    return e;
}

static char *element(const LoopEval *e, const Buffer *b, int64_t at) {
    int place = (int)(intptr_t)map_get(e->place, b) - 1;
    if (place < 0) BUG("eval: the buffer %s is not of this program", b->name);
    if (at < 0 || at >= b->count)
        BUG("eval: kernel %s reaches %s at %lld of %lld", e->kernel ? e->kernel->name : "none",
            b->name, (long long)at, (long long)b->count);
    return e->at[place] + at * elem_size[b->elem];
}

double loop_eval_get(const LoopEval *e, const Buffer *b, int64_t at) {
    const char *from = element(e, b, at);
    float f32;
    double f64;
    int32_t i32;
    switch (b->elem) {
        case ELEM_f32: memcpy(&f32, from, sizeof f32); return f32;
        case ELEM_f64: memcpy(&f64, from, sizeof f64); return f64;
        case ELEM_i32: memcpy(&i32, from, sizeof i32); return i32;
        default: return *(const unsigned char *)from;
    }
}

void loop_eval_put(LoopEval *e, const Buffer *b, int64_t at, double x) {
    char *to = element(e, b, at);
    float f32 = (float)x;
    switch (b->elem) {
        case ELEM_f32: memcpy(to, &f32, sizeof f32); break;
        case ELEM_f64: memcpy(to, &x, sizeof x); break;
        case ELEM_i32: memcpy(to, &(int32_t){(int32_t)x}, sizeof(int32_t)); break;
        default: *(unsigned char *)to = (unsigned char)x;
    }
}

// ---- scalars, at the current point

static double scalar(LoopEval *e, const Scalar *s);

static int64_t affine(const LoopEval *e, Affine a) {
    int64_t x = a.k;
    for (int i = 0; i < a.n; i++) x += a.t[i].c * e->var[a.t[i].slot];
    return x;
}

static bool guards_hold(LoopEval *e, const Guard *guard, int n) {
    for (int i = 0; i < n; i++) {
        int64_t x = affine(e, guard[i].e) + (guard[i].s ? (int64_t)scalar(e, guard[i].s) : 0);
        if (guard[i].mod ? x % guard[i].mod != 0 : x < 0) return false;
    }
    return true;
}

static int64_t access_place(LoopEval *e, const Access *a) {
    int64_t at = affine(e, a->at);
    for (int i = 0; i < a->n_dyn; i++) at += a->dyn[i].c * (int64_t)scalar(e, a->dyn[i].s);
    return at;
}

// The temp's value at the current point of the tile that declares it.
static double *temp_value(LoopEval *e, const Temp *t) {
    const Cell *cell = map_get(e->temps, t);
    if (!cell) BUG("eval: the temp %s.%d is not declared", t->name, t->id);
    return &cell->value[cell->tile->point];
}

static double compute(LoopEval *e, const Scalar *s) {
    double arg[MAX_ARGS] = {0};
    switch (s->op) {
        case OP_const: return s->elem == ELEM_f32 ? (float)s->real : scalar_const_value(s);
        case OP_iv: return (double)e->var[s->slot];
        case OP_temp: return *temp_value(e, s->temp);
        case OP_load:
            if (!guards_hold(e, s->load->guard, s->load->n_guard))
                return scalar(e, s->load->otherwise);
            return loop_eval_get(e, s->load->access.buffer, access_place(e, &s->load->access));
        case OP_rand:
            return eval_rand(e->seed, s->site, e->step, (uint32_t)(int64_t)scalar(e, s->arg[0]));
        default: break;
    }
    for (int i = 0; i < op_info[s->op].arity; i++) arg[i] = scalar(e, s->arg[i]);
    return eval_op(s->op, s->elem, s->arg[0]->elem, arg);
}

static double scalar(LoopEval *e, const Scalar *s) {
    if (e->stamp[s->id] == e->now) return e->value[s->id];
    double x = compute(e, s);
    e->value[s->id] = x;
    e->stamp[s->id] = e->now;
    return x;
}

// ---- statements

static void run_block(LoopEval *e, const Block *b);

// Goes to a point of the current tile, the last variable fastest.
static void go_to(LoopEval *e, int64_t point) {
    Tile *t = e->tile;
    t->point = point;
    e->now++;
    for (int i = t->stmt ? t->stmt->tile.n : 0; i-- > 0;) {
        const TileVar *v = &t->stmt->tile.var[i];
        e->var[v->var] = point % v->size;
        point /= v->size;
    }
}

static void declare(LoopEval *e, const Temp *t) {
    Cell *cell = map_get(e->temps, t);
    if (!cell) {
        cell = NEW(e->scratch, Cell);
        cell->value = NEW_ARRAY(e->scratch, double, e->tile->n);  // one place, so one size
        map_set(e->temps, t, cell);
    }
    cell->tile = e->tile;
}

static void run_set(LoopEval *e, const Stmt *s) {
    if (s->kind == STMT_let) declare(e, s->set.temp);
    for (int64_t i = 0; i < e->tile->n; i++) {
        go_to(e, i);
        *temp_value(e, s->set.temp) = scalar(e, s->set.value);
    }
}

static void run_store(LoopEval *e, const Stmt *s) {
    if (e->n_stored < e->tile->n) {
        e->n_stored = e->tile->n;
        e->stored = NEW_ARRAY(e->scratch, double, e->n_stored);
    }
    for (int64_t i = 0; i < e->tile->n; i++) {
        go_to(e, i);
        e->stored[i] = scalar(e, s->store.value);  // all are computed, then stored
    }
    for (int64_t i = 0; i < e->tile->n; i++) {
        go_to(e, i);
        if (!guards_hold(e, s->store.guard, s->store.n_guard)) continue;
        loop_eval_put(e, s->store.access.buffer, access_place(e, &s->store.access), e->stored[i]);
    }
}

static double combine(RedKind red, Elem elem, double a, double b) {
    double arg[MAX_ARGS] = {a, b};
    switch (red) {
        case RED_sum: return eval_op(OP_add, elem, elem, arg);
        case RED_prod: return eval_op(OP_mul, elem, elem, arg);
        case RED_max: return isnan(a) || a >= b ? a : b;
        case RED_min: return isnan(a) || a <= b ? a : b;
        case RED_any: return a || b;
        case RED_all: return a && b;
        default: BUG("eval: no tree for %s", red_name[red]);
    }
}

static void run_combine(LoopEval *e, const Stmt *s) {
    const Cell *from = map_get(e->temps, s->combine.from),
               *into = map_get(e->temps, s->combine.into);
    Elem elem = s->combine.from->elem;
    double lane[LANES];
    if (!from || !into || from->tile != e->tile || into->tile == e->tile || e->tile->n > LANES)
        BUG("eval: a combine of other than one vector into a temp outside its tile");
    double identity = scalar_const_value(red_identity(e->p->m, s->combine.red, elem));
    for (int l = 0; l < LANES; l++) lane[l] = l < e->tile->n ? from->value[l] : identity;
    for (int half = LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] = combine(s->combine.red, elem, lane[l], lane[l + half]);
    into->value[into->tile->point] = lane[0];
}

static int64_t bound(const LoopEval *e, Bound b) {
    int64_t n = b.d.by ? b.d.n * e->extent[b.d.by->id] : b.d.n;
    return n - n % b.multiple;
}

static void run_for(LoopEval *e, const Stmt *s) {
    int64_t high = bound(e, s->loop.high);
    if (!guards_hold(e, s->loop.guard, s->loop.n_guard)) return;
    for (int64_t i = bound(e, s->loop.low); i < high; i += s->loop.step) {
        e->var[s->loop.var] = i;
        run_block(e, &s->loop.body);
    }
}

// A tile inside a tile runs for each of its points in turn.
static void run_tile(LoopEval *e, const Stmt *s) {
    Tile *outer = e->tile, inner = {.stmt = s, .n = 1, .outer = outer};
    for (int i = 0; i < s->tile.n; i++) inner.n *= s->tile.var[i].size;
    for (int64_t i = 0; i < outer->n; i++) {
        go_to(e, i);
        e->tile = &inner;
        run_block(e, &s->tile.body);
        e->tile = outer;
    }
}

static void run_stmt(LoopEval *e, const Stmt *s) {
    e->now++;
    switch (s->kind) {
        case STMT_for: return run_for(e, s);
        case STMT_tile: return run_tile(e, s);
        case STMT_let:
        case STMT_set: return run_set(e, s);
        case STMT_store: return run_store(e, s);
        case STMT_fetch: return;
        case STMT_combine: return run_combine(e, s);
    }
}

static void run_block(LoopEval *e, const Block *b) {
    for (int i = 0; i < b->n; i++) run_stmt(e, b->at[i]);
}

static void run_kernel(LoopEval *e, const Kernel *k) {
    e->scratch = arena_new();
    e->kernel = k;
    e->var = NEW_ARRAY(e->scratch, int64_t, k->n_var);
    e->temps = map_new(e->scratch);
    e->value = NEW_ARRAY(e->scratch, double, e->p->m->n_scalar);
    e->stamp = NEW_ARRAY(e->scratch, int64_t, e->p->m->n_scalar);
    e->now = 1;
    e->n_stored = 0;
    Tile whole = {.n = 1};
    e->tile = &whole;
    run_block(e, &k->body);
    arena_free(e->scratch);
}

void loop_eval_run(LoopEval *e, const LoopFunction *f) {
    for (int i = 0; i < f->kernels.n; i++) run_kernel(e, f->kernels.at[i]);
}
