#include "ir/own.h"

#include "base/die.h"
#include "ir/build.h"

static bool is_among(Value *const *at, int n, const Value *v) {
    for (int i = 0; i < n; i++)
        if (at[i] == v) return true;
    return false;
}

// ---- what the function reads

typedef struct Inside {
    const Own *own;
    Arena *arena;
    Map *depends;  // on an argument: Value * to itself; NULL where it does not
    Values inputs;
} Inside;

static Values read_by(const Value *v, Arena *arena) {
    return v->op == VAL_own ? own_inputs(v, arena) : value_operands(v, arena);
}

static bool depends(Inside *in, Value *v) {
    if (map_has(in->depends, v)) return map_get(in->depends, v) != NULL;
    bool is_below = is_among(in->own->wrt, in->own->n, v) || v->op == VAL_carry;
    Values operands = {0};
    if (!is_below) operands = read_by(v, in->arena);
    for (int i = 0; i < operands.n; i++) is_below |= depends(in, operands.at[i]);
    map_set(in->depends, v, is_below ? v : NULL);
    return is_below;
}

static void add_input(Inside *in, Value *v) {
    if (!is_among(in->inputs.at, in->inputs.n, v)) vec_push(in->arena, &in->inputs, v);
}

// What depends on an argument, or lies inside a scan, is the function's own; what that reads and
// does not, is its input.
static void find_inputs(Inside *in, Value *v, Map *seen) {
    if (map_has(seen, v)) return;
    map_set(seen, v, v);
    if (is_among(in->own->wrt, in->own->n, v) || v->op == VAL_carry) return;
    if (!depends(in, v)) return add_input(in, v);
    Values operands = read_by(v, in->arena);
    for (int i = 0; i < operands.n; i++) find_inputs(in, operands.at[i], seen);
}

Values own_inputs(const Value *own, Arena *arena) {
    Inside in = {.own = &own->own, .arena = arena, .depends = map_new(arena)};
    for (int i = 0; i < own->own.n; i++) add_input(&in, own->own.wrt[i]);
    find_inputs(&in, own->own.of, map_new(arena));
    return in.inputs;
}

// ---- what the gradient gives

typedef struct Given {
    Module *m;
    const Own *own;
    const Dim *dim;  // in front
    int rank;
    Arena *arena;
    Map *moves;  // does it depend on a cotangent? Value * to itself, or NULL
    Map *made;   // Value * to what stands for it
    Affine behind[MAX_SLOTS];
    bool fails;
} Given;

// What v reads; of another own with the same cotangents, a copy, they are none of ours.
static Values moved_by(Given *g, const Value *v) {
    if (v->op != VAL_own || v->own.cot[0] != g->own->cot[0]) return value_operands(v, g->arena);
    Values all = {0};
    vec_push(g->arena, &all, v->own.of);
    for (int i = 0; i < v->own.n; i++) vec_push(g->arena, &all, v->own.wrt[i]);
    return all;
}

static bool moves(Given *g, Value *v) {
    if (map_has(g->moves, v)) return map_get(g->moves, v) != NULL;
    bool is_moved = is_among(g->own->cot, g->own->n_cot, v);
    bool is_argument = is_among(g->own->wrt, g->own->n, v);
    Values operands = {0};
    if (!is_moved && !is_argument) operands = moved_by(g, v);
    for (int i = 0; i < operands.n; i++) is_moved |= moves(g, operands.at[i]);
    map_set(g->moves, v, is_moved ? v : NULL);
    return is_moved;
}

static Value *make(Given *g, Value *v);

static Scalar *make_read(void *context, Module *m, Scalar *s) {
    Given *g = context;
    if (s->op != OP_read || !moves(g, s->read->v)) return s;
    const Read *r = s->read;
    Subscript sub[2 * MAX_RANK];
    for (int i = 0; i < g->rank; i++) sub[i] = (Subscript){affine_slot(m, i), 1, NULL};
    for (int i = 0; i < r->v->type.rank; i++) sub[g->rank + i] = r->sub[i];
    Value *v = make(g, r->v);
    return g->fails ? s : scalar_read(m, v, sub, r->guard, r->n_guard, r->otherwise);
}

static Scalar *make_scalar(Given *g, Scalar *s) {
    if (!s) return NULL;
    if (g->rank) s = scalar_subst(g->m, s, g->behind);
    return scalar_rewrite(g->m, s, make_read, g);
}

static Guard *make_guards(Given *g, const Guard *guard, int n) {
    Guard *out = NEW_ARRAY(g->arena, Guard, n + 1);
    for (int i = 0; i < n; i++)
        out[i] = (Guard){g->rank ? affine_subst(g->m, guard[i].e, g->behind) : guard[i].e,
                         make_scalar(g, guard[i].s), guard[i].mod};
    return out;
}

static Dim *make_extents(Given *g, const Dim *extent, int n) {
    Dim *out = NEW_ARRAY(g->arena, Dim, g->rank + n + 1);
    for (int i = 0; i < g->rank; i++) out[i] = g->dim[i];
    for (int i = 0; i < n; i++) out[g->rank + i] = extent[i];
    return out;
}

static Type make_type(Given *g, const Type *t) {
    Type out = type_tensor(t->elem, g->rank + t->rank, make_extents(g, t->dim, t->rank));
    out.below = t->below;
    return out;
}

// v itself, once for each point of the axes in front.
static Value *repeated(Given *g, Value *v) {
    if (g->rank + v->type.rank > MAX_RANK) return g->fails = true, v;
    Type t = make_type(g, &v->type);
    Affine at[MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) at[i] = affine_slot(g->m, g->rank + i);
    return build_map(g->m, t.rank, t.dim, scalar_read_at(g->m, v, at), v->span, v->hint);
}

static Value *make_each(Given *g, Value *v) {
    return moves(g, v) ? make(g, v) : g->rank ? repeated(g, v) : v;
}

static Value *make_index(Given *g, Value *v) {
    Index x = v->index;
    x.np += g->rank;
    if (x.np + x.nr > MAX_SLOTS) return g->fails = true, v;
    x.extent = make_extents(g, v->index.extent, v->index.np + x.nr);
    x.where = make_guards(g, x.where, x.n_where);
    x.body = make_scalar(g, x.body);
    return build_index(g->m, &x, v->span, v->hint);
}

static Value *make_accumulate(Given *g, Value *v) {
    Accumulate x = v->accumulate;
    Subscript target[MAX_RANK];
    if (x.n + g->rank > MAX_SLOTS) return g->fails = true, v;
    for (int i = 0; i < g->rank; i++) target[i] = (Subscript){affine_slot(g->m, i), 1, NULL};
    for (int i = 0; i < v->type.rank; i++) {
        Subscript s = x.target[i];
        if (g->rank) s.a = affine_subst(g->m, s.a, g->behind);
        s.gather = make_scalar(g, s.gather);
        target[g->rank + i] = s;
    }
    x.extent = make_extents(g, x.extent, x.n);
    x.n += g->rank;
    x.target = target;
    x.where = make_guards(g, x.where, x.n_where);
    x.body = make_scalar(g, x.body);
    if (x.init) x.init = make_each(g, x.init);
    Type t = make_type(g, &v->type);
    return build_accumulate(g->m, &x, &t, v->span, v->hint);
}

static Value *make_join(Given *g, Value *v) {
    const Join *j = &v->join;
    Piece *piece = NEW_ARRAY(g->arena, Piece, j->n);
    for (int i = 0; i < j->n; i++) {
        piece[i] = j->piece[i];
        piece[i].v = make_each(g, piece[i].v);
    }
    return build_join(g->m, g->rank + j->axis, v->type.dim[j->axis], piece, j->n, j->fill, v->span);
}

// What depends on the cotangents of o, too.
static Given inside_own(Given *g, const Own *o) {
    Given inner = *g;
    inner.moves = map_new(g->arena);
    for (int i = 0; i < o->n_cot; i++) {
        if (map_has(g->made, o->cot[i])) continue;
        g->fails |= g->rank + o->cot[i]->type.rank > MAX_RANK;
        if (g->fails) return inner;
        Type t = make_type(g, &o->cot[i]->type);
        map_set(g->made, o->cot[i], build_cotangent(g->m, g->m->n_cotangent, &t, o->cot[i]->span));
    }
    for (int i = 0; i < g->made->n; i++) {
        Value *v = (Value *)(uintptr_t)g->made->key[i];
        if (v->op == VAL_cotangent) map_set(inner.moves, v, v);
    }
    return inner;
}

// Another function with a gradient of its own. With axes in front its cotangents have them, too,
// and so has all that depends on those.
static Value *make_own(Given *g, Value *v) {
    Own o = v->own;
    bool is_copy = o.cot[0] == g->own->cot[0];
    Value **cot = NEW_ARRAY(g->arena, Value *, o.n_cot);
    Value **wrt = NEW_ARRAY(g->arena, Value *, o.n + 1);
    Value **gives = NEW_ARRAY(g->arena, Value *, o.n + 1);
    if (g->rank && is_copy) return g->fails = true, v;
    Given inner = g->rank ? inside_own(g, &o) : *g;
    if (g->fails) return v;
    for (int i = 0; i < o.n_cot; i++) cot[i] = g->rank ? map_get(g->made, o.cot[i]) : o.cot[i];
    for (int i = 0; i < o.n; i++) {
        wrt[i] = make_each(g, o.wrt[i]);
        gives[i] = is_copy ? o.gives[i] : make_each(&inner, o.gives[i]);
    }
    o.of = make_each(g, o.of);
    o.cot = cot;
    o.wrt = wrt;
    o.gives = gives;
    g->fails |= inner.fails;
    return g->fails ? v : build_own(g->m, &o, v->span);
}

static Value *make_new(Given *g, Value *v) {
    if (g->rank + v->type.rank > MAX_RANK) return g->fails = true, v;
    switch (v->op) {
        case VAL_index: return make_index(g, v);
        case VAL_accumulate: return make_accumulate(g, v);
        case VAL_join: return make_join(g, v);
        case VAL_reshape: {
            Type t = make_type(g, &v->type);
            return build_reshape(g->m, make(g, v->of), t.rank, t.dim, v->span);
        }
        case VAL_own: return make_own(g, v);
        default: BUG("a %s depends on a cotangent", value_op_name[v->op]);
    }
}

static Value *make(Given *g, Value *v) {
    Value *made = map_get(g->made, v);
    if (made || g->fails) return made ? made : v;
    made = make_new(g, v);
    map_set(g->made, v, made);
    return made;
}

Value *own_gives(Module *m, const Own *own, int i, Value *const *cot, const Dim *dim, int rank,
                 Arena *arena) {
    Given g = {.m = m, .own = own, .dim = dim, .rank = rank, .arena = arena};
    if (rank + own->wrt[i]->type.rank > MAX_RANK) return NULL;
    g.moves = map_new(arena);
    g.made = map_new(arena);
    for (int k = 0; k < own->n_cot; k++) map_set(g.made, own->cot[k], cot[k]);
    for (int k = 0; k < MAX_SLOTS; k++) g.behind[k] = affine_slot(m, k + rank);
    Value *v = make_each(&g, own->gives[i]);
    return g.fails ? NULL : v;
}

// ---- cotangents outside of what they are given to

static bool is_free(const Value *cotangent, Values order, const Function *f, Arena *arena) {
    Own own = {.n_cot = 1, .cot = (Value *const[]){(Value *)cotangent}};
    Given g = {.own = &own, .arena = arena, .moves = map_new(arena)};
    for (int i = 0; i < order.n; i++) {
        Value *v = order.at[i];
        bool gives = v->op == VAL_own && is_among(v->own.cot, v->own.n_cot, cotangent);
        if (!gives) {
            moves(&g, v);
            continue;
        }
        bool is_moved = moves(&g, v->own.of);
        for (int k = 0; k < v->own.n; k++) is_moved |= moves(&g, v->own.wrt[k]);
        map_set(g.moves, v, is_moved ? v : NULL);
    }
    for (int i = 0; i < f->results.n; i++)
        if (moves(&g, f->results.at[i].v)) return true;
    for (int i = 0; i < f->updates.n; i++)
        if (moves(&g, f->updates.at[i].v)) return true;
    return false;
}

const Value *free_cotangent(const Function *f, Arena *arena) {
    Values order = function_order(f, arena);
    for (int i = 0; i < order.n; i++)
        if (order.at[i]->op == VAL_cotangent && is_free(order.at[i], order, f, arena))
            return order.at[i];
    return NULL;
}
