#include "tests/fuzz/generate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/rewrite.h"
#include "tests/fuzz/gen.h"

const char *const kind_name[N_KIND] = {"map",  "reduce", "contract", "conv",
                                       "pool", "rows",   "scatter",  "structure", "scan"};

// ---- extents

static const int64_t extent_max[N_EXTENT] = {5, 16, 20, 3};

void make_extents(Module *m) {
    static const char *const extent_name[N_EXTENT] = {"batch", "rows", "many", "few"};
    for (int i = 0; i < N_EXTENT; i++) module_extent(m, extent_name[i], extent_max[i]);
}

int64_t pick_extent(Gen *g, int64_t most) {
    static const int64_t common[] = {1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 12, 15,
                                     16, 16, 17, 20, 24, 31, 32, 33, 48, 50, 64, 65};
    for (int attempt = 0; attempt < 8; attempt++) {
        int64_t n = chance(g, 55) ? g->favourite[pick(g, 4)]
                                  : common[pick(g, sizeof common / sizeof *common)];
        if (n <= most) return n;
    }
    return between(g, 1, most < 4 ? most : 4);
}

Dim pick_dim(Gen *g, int64_t most) {
    if (chance(g, 20) && dim_max(g->batch) <= most) return g->batch;
    if (chance(g, 6) && dim_max(g->rows) <= most) return g->rows;
    return dim_const(pick_extent(g, most));
}

double box_size(const Dim *extent, int n) {
    double points = 1;
    for (int i = 0; i < n; i++) points *= (double)dim_max(extent[i]);
    return points;
}

bool spend(Gen *g, const Box *b) {
    double points = box_size(b->extent, box_slots(b));
    if (points > g->budget) return false;
    g->budget -= points;
    return true;
}

// ---- data

// An element that f32 holds, so that both precisions start from the same numbers.
static double random_element(Random *r, const Type *t, double spread) {
    switch (t->elem) {
        case ELEM_bool: return (double)random_below(r, 2);
        case ELEM_u8: return (double)random_below(r, t->below ? t->below : 256);
        case ELEM_i32:
            return (double)(t->below ? random_below(r, t->below) : random_between(r, -20, 20));
        default: return (float)(spread * (2 * random_unit(r) - 1) + (spread > 1.6 ? 1 : 0));
    }
}

Tensor *random_tensor(const Made *made, Random *r, const Type *t) {
    Tensor *x = tensor_new(made->arena, t, made->extent);
    double spread = random_chance(r, 20) ? 3 : random_chance(r, 20) ? 0.1 : 1.5;
    int64_t n = tensor_count(x);
    for (int64_t i = 0; i < n; i++) x->at[i] = random_element(r, t, spread);
    return x;
}

// ---- the pool

static void add_item(Gen *g, Value *v, const Tensor *t, bool is_closed) {
    for (int i = 0; i < g->pool.n; i++)
        if (g->pool.at[i].v == v) return;
    Item item = {.v = v, .is_closed = is_closed};
    int64_t n = t ? tensor_count(t) : 0;
    for (int64_t i = 0; i < n; i++) {
        item.low = fmin(i ? item.low : t->at[0], t->at[i]);
        item.high = fmax(i ? item.high : t->at[0], t->at[i]);
    }
    if (elem_is_real(v->type.elem)) {  // room for data that are nudged
        double room = 1e-3 * (1 + item.high - item.low);
        item.low -= room;
        item.high += room;
    }
    vec_push(g->a, &g->pool, item);
}

static bool is_finite(const Tensor *t) {
    for (int64_t i = 0, n = tensor_count(t); i < n; i++)
        if (!isfinite(t->at[i])) return false;
    return true;
}

static double largest(const Tensor *t) {
    double x = 0;
    for (int64_t i = 0, n = tensor_count(t); i < n; i++) x = fmax(x, fabs(t->at[i]));
    return x;
}

static Value *map_of(Gen *g, Value *v, Scalar *body) {
    return build_map(g->m, v->type.rank, v->type.dim, body, (Span){0}, NULL);
}

// max(min(v, 3), -3): the identities of max and min where nothing took part.
static Value *clamped(Gen *g, Value *v) {
    Scalar *x = scalar_read_identity(g->m, v);
    Elem e = v->type.elem;
    if (!elem_is_real(e) && e != ELEM_i32) return v;
    x = scalar_binary(g->m, OP_min, x, scalar_const(g->m, e, 3));
    return map_of(g, v, scalar_binary(g->m, OP_max, x, scalar_const(g->m, e, -3)));
}

static Value *scaled(Gen *g, Value *v, double by) {
    Scalar *x = scalar_read_identity(g->m, v);
    return map_of(g, v, scalar_binary(g->m, OP_mul, x, scalar_real(g->m, by)));
}

Value *add_value(Gen *g, Value *v) {
    enum { LARGE = 300, HUGE_INT = 100000 };
    if (v->op <= VAL_state) return v;
    const Tensor *t = eval_value(g->eval, v);
    bool is_int = v->type.elem == ELEM_i32;
    if (is_int ? largest(t) > HUGE_INT : !is_finite(t)) {
        add_item(g, v, t, true);
        v = clamped(g, v);
    } else if (largest(t) > LARGE && elem_is_real(v->type.elem)) {
        add_item(g, v, t, true);
        v = scaled(g, v, floor(1e7 / largest(t)) * 1e-7);
    }
    add_item(g, v, eval_value(g->eval, v), false);
    return v;
}

// Parameters are real and of a known shape.
static ValueOp leaf_op(Gen *g, Elem elem, int rank, const Dim *dim) {
    bool is_param = elem_is_real(elem);
    for (int i = 0; i < rank; i++) is_param &= dim[i].by == NULL;
    int64_t how = pick(g, 10);
    return how < 5 || (how < 8 && !is_param) ? VAL_input : how < 8 ? VAL_param : VAL_state;
}

Value *new_leaf(Gen *g, Elem elem, int rank, const Dim *dim, int64_t below) {
    char text[64];
    Type t = type_tensor(elem, rank, dim);
    t.below = below;
    ValueOp op = leaf_op(g, elem, rank, dim);
    snprintf(text, sizeof text, "s%llu%c%d", (unsigned long long)g->made->seed, "xps"[op],
             g->n_leaf);
    Value *v = op == VAL_input   ? build_input(g->f, text, t, (Span){0})
               : op == VAL_param ? build_param(g->m, text, t, (Span){0})
                                 : build_state(g->m, text, t, (Span){0});
    Random r = random_from(g->made->seed, 1000 + (uint64_t)g->n_leaf);
    Tensor *data = random_tensor(g->made, &r, &t);
    g->n_leaf++;
    vec_push(g->a, &g->made->leaves, ((LeafData){v, data}));
    eval_bind(g->eval, v, data);
    add_item(g, v, data, false);
    return v;
}

Item *find_item(Gen *g, Elem elem, int min_rank, int max_rank) {
    for (int attempt = 0; attempt < 12 && g->pool.n; attempt++) {
        // Later ones more often, and those that nothing reads yet.
        int64_t i = pick(g, g->pool.n);
        if (chance(g, 50)) i = g->pool.n - 1 - pick(g, g->pool.n < 6 ? g->pool.n : 6);
        Item *item = &g->pool.at[i];
        if (item->is_closed || item->v->type.elem != elem) continue;
        if (item->v->type.rank < min_rank || item->v->type.rank > max_rank) continue;
        if (item->is_read && attempt < 4 && chance(g, 40)) continue;
        return item;
    }
    return NULL;
}

static Value *found_operand(Gen *g, const Type *t) {
    Value *found = NULL;
    int n = 0;
    for (int i = 0; i < g->pool.n; i++) {
        Item *item = &g->pool.at[i];
        if (item->is_closed || item->v->type.elem != t->elem || !type_same_shape(&item->v->type, t))
            continue;
        if (steps_of(g, item->v)) continue;
        if (pick(g, ++n) == 0) found = item->v;
        item->is_read |= found == item->v;
    }
    return found;
}

Value *operand(Gen *g, int rank, const Dim *dim) {
    Type t = type_tensor(g->m->real, rank, dim);
    Value *v = chance(g, 60) ? found_operand(g, &t) : NULL;
    if (v) return v;
    Box b = {.np = rank};
    memcpy(b.extent, dim, sizeof *dim * (size_t)rank);
    if (chance(g, 25) && g->pool.n && !g->n_step && spend(g, &b)) {
        begin_body(g);
        Scalar *body = gen_real(g, &b, 1).s;
        return add_value(g, build_map(g->m, rank, dim, body, (Span){0}, NULL));
    }
    return new_leaf(g, g->m->real, rank, dim, 0);
}

// ---- a function

static void choose_extents(Gen *g) {
    for (int i = 0; i < N_EXTENT; i++)
        g->made->extent[i] = chance(g, 50) ? extent_max[i] : between(g, 1, extent_max[i]);
    static const int64_t wide[] = {3, 4, 5, 7, 8, 10, 16, 17, 20, 32};
    for (int i = 0; i < 4; i++) g->favourite[i] = wide[pick(g, 10)];
    g->favourite[0] = between(g, 1, 4);
    g->batch = chance(g, 50) ? dim_of(g->m->extents.at[pick(g, N_EXTENT)])
                             : dim_const(g->favourite[pick(g, 4)]);
    g->rows = chance(g, 40) ? dim_of(g->m->extents.at[pick(g, N_EXTENT)]) : g->batch;
}

Made *generate(Module *m, Arena *a, const Request *r) {
    char text[32];
    Made *made = NEW(a, Made);
    *made = (Made){.seed = r->seed, .arena = a};
    snprintf(text, sizeof text, "f%llu", (unsigned long long)r->seed);
    made->f = function_new(m, text);
    Gen g = {.m = m, .f = made->f, .a = a, .r = random_from(r->seed, 0), .made = made};
    choose_extents(&g);
    g.eval = eval_new(m, a, EVAL_wide, made->extent, FUZZ_SEED, FUZZ_STEP);
    g.budget = 50000;
    g.allows_stop = chance(&g, 8);
    made->is_differentiable = !g.allows_stop;
    int n_block = (int)between(&g, 1, chance(&g, 20) ? 7 : 4);
    for (int i = 0; i < n_block; i++) add_block(&g, r->only >= 0 ? r->only : pick(&g, N_KIND));
    add_ends(&g, r);
    made->n_value = g.pool.n;
    return made;
}

// The leaf of that name in m, which may be another module than the one generated.
static Value *leaf_in(const Made *made, Module *m, Value *v) {
    if (made->f->m == m) return v;
    Function *f = module_function(m, made->f->name);
    int n = v->op == VAL_input ? f->inputs.n : v->op == VAL_param ? m->params.n : m->states.n;
    Value **at = v->op == VAL_input ? f->inputs.at : v->op == VAL_param ? m->params.at : m->states.at;
    for (int i = 0; i < n; i++)
        if (!strcmp(at[i]->leaf.name, v->leaf.name)) return at[i];
    return v;  // not printed, and so not needed
}

Eval *made_eval(const Made *made, Module *m, Arena *a, EvalMode mode, double nudge, uint64_t salt) {
    Eval *e = eval_new(m, a, mode, made->extent, FUZZ_SEED, FUZZ_STEP);
    Random r = random_from(salt, 7);
    for (int i = 0; i < made->leaves.n; i++) {
        const LeafData *l = &made->leaves.at[i];
        const Tensor *t = l->data;
        if (nudge != 0 && elem_is_real(t->elem)) {
            Tensor *moved = tensor_new(a, &l->v->type, made->extent);
            for (int64_t k = 0, n = tensor_count(t); k < n; k++)
                moved->at[k] = t->at[k] * (1 + nudge * (2 * random_unit(&r) - 1));
            t = moved;
        }
        eval_bind(e, leaf_in(made, m, l->v), t);
    }
    return e;
}
