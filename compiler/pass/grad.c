// grad: replaces every VAL_grad by the graph that computes it.
//
// Needs a verified module. Leaves no VAL_grad. Reverse mode: the adjoint of a value is the
// sum of what each of its readers sends it; it is asked for lazily, from the wanted leaves
// upwards, so that only paths that reach them are differentiated, and all gradients of one
// scalar share one sweep.
#include "base/die.h"
#include "ir/build.h"
#include "ir/rewrite.h"
#include "pass/access.h"
#include "pass/derive.h"
#include "pass/pass.h"
#include "pass/solve.h"

typedef struct Readers {
    Value **at;
    int n, cap;
} Readers;

typedef struct Sweep {
    Module *m;
    Arena *arena;
    Value *of;
    Map *readers;  // Value * to Readers *, below `of`
    Map *adjoint;  // Value * to Value *; NULL is zero
    Map *derived;  // Value * to ReadAdjoints *: what its body sends
} Sweep;

typedef struct Contributions {
    Contribution *at;
    int n, cap;
} Contributions;

// ---- the graph below `of`

static void find_readers(Sweep *s, Value *v, Map *seen) {
    if (map_has(seen, v)) return;
    map_set(seen, v, v);
    Values operands = value_operands(v, s->arena);
    for (int i = 0; i < operands.n; i++) {
        Value *x = operands.at[i];
        Readers *r = map_get(s->readers, x);
        if (!r) {
            r = NEW(s->arena, Readers);
            map_set(s->readers, x, r);
        }
        vec_push(s->arena, r, v);
        find_readers(s, x, seen);
    }
}

// ---- reductions

// The row-major number of the reduced slots.
static Scalar *reduced_number(Module *m, const Index *x) {
    Affine number = affine_const(0);
    for (int i = x->np; i < x->np + x->nr; i++)
        number = affine_add(m, affine_scale(m, number, dim_max(x->extent[i])), affine_slot(m, i));
    return scalar_affine(m, number);
}

// Max and min send everything to the first winner.
static Scalar *seed_of_winner(Sweep *s, Value *y, Scalar *dy) {
    Index winner = y->index;
    winner.red = y->index.red == RED_max ? RED_argmax : RED_argmin;
    winner.order = (Order){0};
    Value *at = build_index(s->m, &winner, y->span, NULL);
    Scalar *is_winner =
        scalar_binary(s->m, OP_eq, reduced_number(s->m, &y->index), scalar_read_identity(s->m, at));
    return scalar_select(s->m, is_winner, dy, scalar_real(s->m, 0));
}

// Exclusive products: the reduced slots once more, without the point itself. Right where
// factors are zero, and quadratic in the reduced extent.
static Scalar *seed_of_factor(Sweep *s, Value *y, Scalar *dy) {
    Module *m = s->m;
    const Index *x = &y->index;
    int np = x->np + x->nr;
    if (np > MAX_RANK || np + x->nr > MAX_SLOTS) BUG("grad: a product has too many axes");
    Affine to[MAX_SLOTS];
    Dim extent[MAX_SLOTS];
    Scalar *same = scalar_bool(m, true);
    for (int i = 0; i < np; i++) {
        to[i] = affine_slot(m, i < x->np ? i : i + x->nr);
        extent[i] = x->extent[i];
        if (i < x->np) continue;
        extent[i + x->nr] = x->extent[i];
        same = scalar_binary(m, OP_and, same,
                             scalar_binary(m, OP_eq, scalar_iv(m, i), scalar_iv(m, i + x->nr)));
    }
    Guard *where = NEW_ARRAY(s->arena, Guard, x->n_where);
    for (int i = 0; i < x->n_where; i++) {
        where[i] = x->where[i];
        where[i].e = affine_subst(m, where[i].e, to);
        if (where[i].s) where[i].s = scalar_subst(m, where[i].s, to);
    }
    Index others = {.np = np,
                    .nr = x->nr,
                    .extent = extent,
                    .red = RED_prod,
                    .n_where = x->n_where,
                    .where = where};
    others.body = scalar_select(m, same, scalar_real(m, 1), scalar_subst(m, x->body, to));
    Value *v = build_index(m, &others, y->span, NULL);
    return adjoint_times(m, dy, scalar_read_identity(m, v));
}

static bool is_zero(const Scalar *s) {
    return s->op == OP_const && elem_is_real(s->elem) && s->real == 0;
}

// Does s say where it is zero? Then its readers must see that (derive.h).
static bool shows_zeros(const Scalar *s, int depth) {
    if (!depth) return false;
    switch (s->op) {
        case OP_select: return is_zero(s->arg[1]) || is_zero(s->arg[2]);
        case OP_neg: return shows_zeros(s->arg[0], depth - 1);
        case OP_add:
        case OP_sub: return shows_zeros(s->arg[0], depth - 1) || shows_zeros(s->arg[1], depth - 1);
        default: return false;
    }
}

// May the derivative of s be infinite where s is finite or not wanted?
static bool is_risky(const Scalar *s, int depth) {
    if (!depth) return true;
    switch (s->op) {
        case OP_div:
            if (s->arg[1]->op != OP_const) return true;
            break;
        case OP_log:
        case OP_log1p:
        case OP_sqrt:
        case OP_pow: return true;
        default: break;
    }
    for (int i = 0; i < op_info[s->op].arity; i++)
        if (is_risky(s->arg[i], depth - 1)) return true;
    return false;
}

// dy at y's parallel slots: its body where that is next to nothing, or where it shows zeros
// that must not meet what is infinite.
static Scalar *seed_of(Sweep *s, Value *y, Value *dy) {
    if (dy->op == VAL_index && !dy->index.nr) {
        Scalar *body = dy->index.body;
        bool meets = shows_zeros(body, 4) && !is_contraction(y) && is_risky(y->index.body, 12);
        if (body->op == OP_const || meets) return body;
        if (body->op == OP_read && body->read->v->type.rank == 0 && !body->read->n_guard)
            return body;
    }
    return scalar_read_identity(s->m, dy);
}

static Scalar *seed_of_reduction(Sweep *s, Value *y, Scalar *dy) {
    switch (y->index.red) {
        case RED_none:
        case RED_sum: return dy;
        case RED_max:
        case RED_min: return seed_of_winner(s, y, dy);
        case RED_prod: return seed_of_factor(s, y, dy);
        default: return NULL;
    }
}

// ---- what a reader sends to the values that it reads

static const ReadAdjoints *derive_body(Sweep *s, Value *y, Scalar *body, Scalar *seed,
                                       Scalar *result) {
    ReadAdjoints *r = map_get(s->derived, y);
    if (r) return r;
    r = NEW(s->arena, ReadAdjoints);
    *r = derive_reads(s->m, s->arena, body, seed, result);
    map_set(s->derived, y, r);
    return r;
}

// One read of x in the body of a box: its guards and the box's say which points take part.
static void send_through(Sweep *s, Value *y, int n, const Dim *extent, const Guard *where,
                         int n_where, const ReadAdjoint *r, Contributions *out) {
    const Read *read = r->read->read;
    Guard *guard = NEW_ARRAY(s->arena, Guard, n_where + read->n_guard);
    int n_guard = 0;
    for (int i = 0; i < n_where; i++) guard[n_guard++] = where[i];
    for (int i = 0; i < read->n_guard; i++) guard[n_guard++] = read->guard[i];
    Scatter scatter = {.n = n,
                       .extent = extent,
                       .n_guard = n_guard,
                       .guard = guard,
                       .target = read->sub,
                       .type = read->v->type,
                       .term = r->adjoint,
                       .span = y->span};
    scatter.type.below = 0;
    vec_push(s->arena, out, solve_scatter(s->m, s->arena, &scatter));
}

static void send_index(Sweep *s, Value *y, Value *dy, Value *x, Contributions *out) {
    const Index *index = &y->index;
    if (!elem_is_real(y->type.elem)) return;
    Scalar *seed = seed_of_reduction(s, y, seed_of(s, y, dy));
    if (!seed) return;
    Scalar *result = index->nr ? NULL : scalar_read_identity(s->m, y);
    const ReadAdjoints *reads = derive_body(s, y, index->body, seed, result);
    for (int i = 0; i < reads->n; i++)
        if (reads->at[i].read->read->v == x)
            send_through(s, y, index->np + index->nr, index->extent, index->where, index->n_where,
                         &reads->at[i], out);
}

// y[target(u)] += body(u): each point sends on what its target receives. For max and min
// every point that equals the result counts as a winner.
static void send_accumulate(Sweep *s, Value *y, Value *dy, Value *x, Contributions *out) {
    Module *m = s->m;
    const Accumulate *a = &y->accumulate;
    Scalar *zero = scalar_real(m, 0);
    Guard *where = NEW_ARRAY(s->arena, Guard, a->n_where);
    for (int i = 0; i < a->n_where; i++) where[i] = a->where[i];
    Scalar *seed = scalar_read(m, dy, a->target, where, a->n_where, a->n_where ? zero : NULL);
    if (a->red != RED_sum) {
        Scalar *y_at = scalar_read(m, y, a->target, where, a->n_where, a->n_where ? zero : NULL);
        seed = scalar_select(m, scalar_binary(m, OP_eq, a->body, y_at), seed, zero);
    }
    const ReadAdjoints *reads = derive_body(s, y, a->body, seed, NULL);
    for (int i = 0; i < reads->n; i++)
        if (reads->at[i].read->read->v == x)
            send_through(s, y, a->n, a->extent, a->where, a->n_where, &reads->at[i], out);
    if (a->init != x) return;
    Scalar *to_init = scalar_read_identity(m, dy);
    if (a->red != RED_sum)
        to_init = scalar_select(
            m, scalar_binary(m, OP_eq, scalar_read_identity(m, x), scalar_read_identity(m, y)),
            to_init, zero);
    vec_push(s->arena, out, ((Contribution){.body = to_init}));
}

// A piece receives the slice on which it lay.
static void send_join(Sweep *s, Value *y, Value *dy, Value *x, Contributions *out) {
    for (int i = 0; i < y->join.n; i++) {
        const Piece *p = &y->join.piece[i];
        if (p->v != x) continue;
        Affine at[MAX_RANK];
        for (int j = 0; j < y->type.rank; j++) at[j] = affine_slot(s->m, j);
        at[y->join.axis] =
            affine_add_const(affine_scale(s->m, at[y->join.axis], p->step), p->start);
        vec_push(s->arena, out, ((Contribution){.body = scalar_read_at(s->m, dy, at)}));
    }
}

static void send(Sweep *s, Value *y, Value *dy, Value *x, Contributions *out) {
    switch (y->op) {
        case VAL_index: send_index(s, y, dy, x, out); break;
        case VAL_accumulate: send_accumulate(s, y, dy, x, out); break;
        case VAL_join: send_join(s, y, dy, x, out); break;
        case VAL_reshape: {
            Value *v = build_reshape(s->m, dy, x->type.rank, x->type.dim, y->span);
            vec_push(s->arena, out, ((Contribution){.v = v}));
            break;
        }
        default: BUG("grad: %s has operands", value_op_name[y->op]);
    }
}

// ---- adjoints

static Name adjoint_name(Sweep *s, const Value *x) {
    if (!x->hint) return NULL;
    return name(s->m->c->names, arena_printf(s->arena, "d_%s", x->hint));
}

static Value *sum_of(Sweep *s, const Value *x, const Contributions *c) {
    Module *m = s->m;
    Scalar *sum = NULL;
    for (int i = 0; i < c->n; i++) {
        Scalar *one = c->at[i].body ? c->at[i].body : scalar_read_identity(m, c->at[i].v);
        if (is_zero(one)) continue;
        sum = sum ? scalar_binary(m, OP_add, sum, one) : one;
    }
    if (!sum) return NULL;
    if (c->n == 1 && c->at[0].v) return c->at[0].v;
    return build_map(m, x->type.rank, x->type.dim, sum, x->span, adjoint_name(s, x));
}

static Value *adjoint_of(Sweep *s, Value *x) {
    if (map_has(s->adjoint, x)) return map_get(s->adjoint, x);
    Value *dx = NULL;
    const Readers *readers = map_get(s->readers, x);
    if (x == s->of) {
        dx = build_map(s->m, 0, NULL, scalar_real(s->m, 1), x->span, NULL);
    } else if (elem_is_real(x->type.elem) && readers) {
        Contributions c = {0};
        for (int i = 0; i < readers->n; i++) {
            Value *y = readers->at[i], *dy = adjoint_of(s, y);
            if (dy) send(s, y, dy, x, &c);
        }
        dx = sum_of(s, x, &c);
    }
    map_set(s->adjoint, x, dx);
    return dx;
}

static Sweep *sweep_new(Module *m, Arena *arena, Value *of) {
    Sweep *s = NEW(arena, Sweep);
    *s = (Sweep){.m = m, .arena = arena, .of = of};
    s->readers = map_new(arena);
    s->adjoint = map_new(arena);
    s->derived = map_new(arena);
    find_readers(s, of, map_new(arena));
    return s;
}

// ---- the pass

typedef struct Grads {
    Arena *arena;
    Map *sweep;  // Value * to Sweep *
} Grads;

// Operands come first, so a grad of a grad meets the inner one replaced already.
static Value *replace_grad(void *context, Module *m, Value *v) {
    Grads *g = context;
    if (v->op != VAL_grad) return v;
    Value *of = v->grad.of, *wrt = v->grad.wrt;
    Sweep *s = map_get(g->sweep, of);
    if (!s) {
        s = sweep_new(m, g->arena, of);
        map_set(g->sweep, of, s);
    }
    Value *dx = adjoint_of(s, wrt);
    if (dx) return dx;
    return build_map(m, wrt->type.rank, wrt->type.dim, scalar_real(m, 0), v->span, NULL);
}

void pass_grad(Pass *p) {
    Arena *arena = arena_new();
    Grads g = {.arena = arena, .sweep = map_new(arena)};
    for (int i = 0; i < p->m->fns.n; i++) function_rewrite(p->m->fns.at[i], replace_grad, &g);
    arena_free(arena);
}
