// Reductions in loops, each in the order that it carries.
#include "pass/lower.h"

#include <string.h>

static Scalar *is_nan(Module *m, Scalar *x) {
    return scalar_binary(m, OP_ne, x, x);
}

static Scalar *is_better(Module *m, RedKind red, Scalar *so_far, Scalar *body) {
    bool is_max = red == RED_max || red == RED_argmax;
    return is_max ? scalar_binary(m, OP_lt, so_far, body) : scalar_binary(m, OP_lt, body, so_far);
}

// Does `body` beat the running extreme of an argmax or argmin? NaN wins, the first of equals stays.
static Scalar *beats(Module *m, RedKind red, Scalar *so_far, Scalar *body) {
    Scalar *better = is_better(m, red, so_far, body);
    if (!elem_is_real(body->elem)) return better;
    Scalar *wins = scalar_binary(m, OP_or, better, is_nan(m, body));
    return scalar_binary(m, OP_and, wins, scalar_unary(m, OP_not, is_nan(m, so_far)));
}

// The same for the extreme alone. Whether `body` is NaN does not wait for the chain; asked the
// other way round, LLVM would make one longer condition of both.
static Scalar *extreme(Module *m, RedKind red, Scalar *so_far, Scalar *body) {
    if (!elem_is_real(body->elem))
        return scalar_select(m, is_better(m, red, so_far, body), body, so_far);
    Scalar *next = scalar_binary(m, red == RED_max ? OP_max : OP_min, body, so_far);
    return scalar_select(m, scalar_binary(m, OP_eq, body, body), next, body);
}

Scalar *reduce_step(Module *m, RedKind red, Scalar *so_far, Scalar *body) {
    switch (red) {
        case RED_sum:
            if (body->op == OP_mac)
                return scalar_op(m, OP_fma, body->arg[0], body->arg[1], so_far);
            return scalar_binary(m, OP_add, so_far, body);
        case RED_prod: return scalar_binary(m, OP_mul, so_far, body);
        case RED_any: return scalar_binary(m, OP_or, so_far, body);
        case RED_all: return scalar_binary(m, OP_and, so_far, body);
        case RED_max:
        case RED_min: return extreme(m, red, so_far, body);
        default: BUG("lower: no step for %s", red_name[red]);
    }
}

// The step of a sum whose body is a mac keeps the mac's operands apart: lower_scalar would
// look for a loop form of mac, and there is none.
static Scalar *lowered_step(NestLower *n, const Index *x, Scalar *so_far) {
    Module *m = n->l->m;
    Scalar *body = x->body, *next;
    if (body->op == OP_mac)
        next = scalar_op(m, OP_fma, lower_scalar(n, body->arg[0]), lower_scalar(n, body->arg[1]),
                         so_far);
    else
        next = reduce_step(m, x->red, so_far, lower_scalar(n, body));
    if (!n->n_where) return next;
    return scalar_select(m, scalar_guard(m, n->where, n->n_where), next, so_far);
}

static const Slot *reduced_slot(const NestLower *n, int i) {
    return &n->nest->slot[n->nest->n_parallel + i];
}

static void set_slot(NestLower *n, const Slot *s, Affine value) {
    set_slot_value(n, (int)(s - n->nest->slot), value);
}

// ---- filters that hold or fail for a whole tile

// The last reduced slot (from 0) that the guard looks at, or -1; n_reduced where the guard
// differs between the tile's points.
static int guarded_up_to(const NestLower *n, const Guard *g) {
    int np = n->nest->members.at[0].v->index.np, last = -1;
    if (g->s) return n->nest->n_reduced;
    for (int i = 0; i < g->e.n; i++)
        for (int k = 0; k < n->nest->n_parallel + n->nest->n_reduced; k++) {
            const Slot *s = &n->nest->slot[k];
            if (g->e.t[i].slot < s->first || g->e.t[i].slot >= s->first + s->n) continue;
            if (s->first < np && n->size[k] > 1) return n->nest->n_reduced;
            if (s->first >= np && k - n->nest->n_parallel > last) last = k - n->nest->n_parallel;
        }
    return last;
}

// The guards of the filter that can be decided before the loop over reduced slot i starts.
static void guard_loop(NestLower *n, Stmt *loop, const Index *x, int i) {
    Guard *guard = NEW_ARRAY(n->l->m->arena, Guard, x->n_where);
    for (int g = 0; g < x->n_where; g++)
        if (guarded_up_to(n, &x->where[g]) == i - 1) guard[loop->loop.n_guard++] = x->where[g];
    loop->loop.guard = lower_guards(n, guard, loop->loop.n_guard);
}

// Those that are left to select by, step for step.
static Index without_loop_guards(NestLower *n, const Index *x) {
    Index rest = *x;
    Guard *where = NEW_ARRAY(n->l->m->arena, Guard, x->n_where);
    rest.n_where = 0;
    for (int g = 0; g < x->n_where; g++)
        if (guarded_up_to(n, &x->where[g]) >= n->nest->n_reduced - 1)
            where[rest.n_where++] = x->where[g];
    rest.where = where;
    return rest;
}

static const Range *reduced_range(const NestLower *n, int i) {
    return &n->range[n->nest->n_parallel + i];
}

static bool is_one_point(const Range *r) {
    return !r->count.by && r->count.n == 1;
}

// Every reduced slot must have a loop, so that each guard finds the one that follows.
static bool can_guard_loops(const NestLower *n, const Index *x) {
    for (int i = 0; i < n->nest->n_reduced; i++)
        if (is_one_point(reduced_range(n, i))) return false;
    return x->n_where > 0;
}

// Loops over the reduced slots from `first` on; the innermost block. Slots of one point
// make no loop. filter: whose guards go before the loops, or NULL.
static Block *reduced_loops(NestLower *n, Block *block, int first, const Index *filter) {
    Lower *l = n->l;
    for (int i = first; i < n->nest->n_reduced; i++) {
        const Slot *s = reduced_slot(n, i);
        const Range *range = reduced_range(n, i);
        if (is_one_point(range)) {
            set_slot(n, s, range->first);
            continue;
        }
        int var = new_var(l, "r", range->count);
        Stmt *loop = add_for(l, block, var, bound_const(0), bound_of(range->count), 1, (Span){0});
        loop->loop.is_unrolled = i == n->nest->n_reduced - 1;
        if (filter) guard_loop(n, loop, filter, i);
        set_slot(n, s, affine_add(l->m, range->first, affine_slot(l->m, var)));
        block = &loop->loop.body;
    }
    return block;
}

static void begin_where(NestLower *n, const Index *x) {
    n->n_where = 0;
    n->where = lower_guards(n, x->where, x->n_where);
    n->n_where = x->n_where;
}

// Row-major number of the point among the reduced slots (i32).
static Scalar *point_number(NestLower *n) {
    Module *m = n->l->m;
    Affine at = affine_const(0);
    for (int i = 0; i < n->nest->n_reduced; i++) {
        const Slot *s = reduced_slot(n, i);
        at = affine_add(m, affine_scale(m, at, dim_max(s->extent)), n->value[s->first + s->n - 1]);
    }
    return scalar_affine(m, at);
}

static const Temp *lower_arg(NestLower *n, Block *block, const Index *x) {
    Lower *l = n->l;
    Module *m = l->m;
    RedKind kind = x->red == RED_argmax ? RED_max : RED_min;
    Elem elem = x->body->elem;
    Temp *best = new_temp(l, elem, "best"), *at = new_temp(l, ELEM_i32, "at");
    add_let(l, block, best, red_identity(m, kind, elem));
    add_let(l, block, at, scalar_int(m, 0));
    Temp *found = x->n_where ? new_temp(l, ELEM_bool, "found") : NULL;
    if (found) add_let(l, block, found, scalar_bool(m, false));
    Block *inner = reduced_loops(n, block, 0, NULL);
    begin_where(n, x);
    Temp *here = new_temp(l, elem, "here"), *wins = new_temp(l, ELEM_bool, "wins");
    add_let(l, inner, here, lower_scalar(n, x->body));
    Scalar *condition = beats(m, x->red, scalar_temp(m, best), scalar_temp(m, here));
    if (n->n_where) {
        // The first that takes part wins, be it no better than the identity.
        Scalar *takes_part = scalar_guard(m, n->where, n->n_where);
        Scalar *is_first = scalar_unary(m, OP_not, scalar_temp(m, found));
        condition = scalar_binary(m, OP_and, scalar_binary(m, OP_or, condition, is_first), takes_part);
    }
    add_let(l, inner, wins, condition);
    if (n->n_where)
        add_set(l, inner, found, scalar_binary(m, OP_or, scalar_temp(m, found), scalar_temp(m, wins)));
    add_set(l, inner, at,
            scalar_select(m, scalar_temp(m, wins), point_number(n), scalar_temp(m, at)));
    add_set(l, inner, best,
            scalar_select(m, scalar_temp(m, wins), scalar_temp(m, here), scalar_temp(m, best)));
    n->n_where = 0;
    return at;
}

static const Temp *lower_seq(NestLower *n, Block *block, const Value *v) {
    Lower *l = n->l;
    const Index *x = &v->index;
    Temp *acc = new_temp(l, v->type.elem, "acc");
    add_let(l, block, acc, n->resumes ? load_partial(n, v)
                                      : red_identity(l->m, x->red, v->type.elem));
    if (n->has_ended) return acc;
    bool guards_loops = can_guard_loops(n, x);
    Block *inner = reduced_loops(n, block, 0, guards_loops ? x : NULL);
    Index rest = guards_loops ? without_loop_guards(n, x) : *x;
    begin_where(n, &rest);
    add_set(l, inner, acc, lowered_step(n, &rest, scalar_temp(l->m, acc)));
    n->n_where = 0;
    return acc;
}

// One leaf: points [low, high) of the first reduced slot, in a chain of its own.
static void lower_leaf(NestLower *n, Block *block, const Index *x, const Temp *total, Affine low,
                       Bound begin, Bound end) {
    Lower *l = n->l;
    Module *m = l->m;
    Temp *leaf = new_temp(l, total->elem, "leaf");
    add_let(l, block, leaf, red_identity(m, x->red, total->elem));
    const Slot *first = reduced_slot(n, 0);
    int var = new_var(l, "s", first->extent);
    Stmt *loop = add_for(l, block, var, begin, end, 1, (Span){0});
    set_slot(n, first, affine_add(m, low, affine_slot(m, var)));
    Block *inner = reduced_loops(n, &loop->loop.body, 1, NULL);
    begin_where(n, x);
    add_set(l, inner, leaf, lowered_step(n, x, scalar_temp(m, leaf)));
    n->n_where = 0;
    add_set(l, block, total, reduce_step(m, x->red, scalar_temp(m, total), scalar_temp(m, leaf)));
}

// Whole leaves, then what is left over; an empty rest adds the identity to a chain that
// began with it, which changes no bit.
static const Temp *lower_blocks(NestLower *n, Block *block, const Index *x, Elem elem) {
    Lower *l = n->l;
    Temp *total = new_temp(l, elem, "total");
    add_let(l, block, total, red_identity(l->m, x->red, elem));
    Dim extent = reduced_slot(n, 0)->extent;
    int64_t size = x->order.leaf;
    int var = new_var(l, "b", extent);
    Stmt *loop = add_for(l, block, var, bound_const(0), (Bound){extent, size}, size, (Span){0});
    lower_leaf(n, &loop->loop.body, x, total, affine_slot(l->m, var), bound_const(0),
               bound_const(size));
    if (size > 1 && (extent.by || extent.n % size))
        lower_leaf(n, block, x, total, affine_const(0), (Bound){extent, size}, bound_of(extent));
    return total;
}

const Temp *lower_reduction(NestLower *n, Block *block, const Value *v) {
    const Index *x = &v->index;
    if (x->red == RED_argmax || x->red == RED_argmin) return lower_arg(n, block, x);
    if (x->order.kind == ORDER_blocks) return lower_blocks(n, block, x, v->type.elem);
    return lower_seq(n, block, v);
}

const Temp *lower_lanes_reduction(NestLower *n, Block *block, const Value *v) {
    Lower *l = n->l;
    Module *m = l->m;
    const Index *x = &v->index;
    Elem elem = v->type.elem;
    Temp *sum = new_temp(l, elem, "sum"), *acc = new_temp(l, elem, "lane");
    add_let(l, block, sum, red_identity(m, x->red, elem));
    Stmt *tile = NEW(m->arena, Stmt);
    tile->kind = STMT_tile;
    tile->span = v->span;
    tile->tile.n = 1;
    int lane = new_var(l, "l", dim_const(LANES));
    tile->tile.var[0] = (TileVar){lane, LANES, true};
    add_stmt(l, block, tile);
    Block *inside = &tile->tile.body;
    add_let(l, inside, acc, red_identity(m, x->red, elem));
    // Outer reduced slots are loops, the innermost goes by sixteen.
    Block *inner = inside;
    int last = n->nest->n_reduced - 1;
    for (int i = 0; i < last; i++) {
        const Slot *s = reduced_slot(n, i);
        int var = new_var(l, "r", s->extent);
        Stmt *loop = add_for(l, inner, var, bound_const(0), bound_of(s->extent), 1, (Span){0});
        set_slot(n, s, affine_slot(m, var));
        inner = &loop->loop.body;
    }
    const Slot *s = reduced_slot(n, last);
    if (s->extent.by) BUG("lower: lanes along a run-time extent");
    int64_t whole = s->extent.n / LANES * LANES;
    if (whole) {
        int var = new_var(l, "k", s->extent);
        Stmt *loop = add_for(l, inner, var, bound_const(0), bound_const(whole), LANES, (Span){0});
        set_slot(n, s, affine_add(m, affine_slot(m, var), affine_slot(m, lane)));
        begin_where(n, x);
        add_set(l, &loop->loop.body, acc, lowered_step(n, x, scalar_temp(m, acc)));
        n->n_where = 0;
    }
    if (whole < s->extent.n) {
        set_slot(n, s, affine_add_const(affine_slot(m, lane), whole));
        Affine left = affine_add_const(affine_scale(m, affine_slot(m, lane), -1),
                                       s->extent.n - whole - 1);
        Guard *guard = NEW_ARRAY(m->arena, Guard, x->n_where + 1);
        guard[0] = (Guard){left, NULL, 0};
        n->where = guard;  // what the filter reads is past the end, too
        n->n_where = 1;
        memcpy(guard + 1, lower_guards(n, x->where, x->n_where), sizeof *guard * (size_t)x->n_where);
        n->n_where += x->n_where;
        add_set(l, inner, acc, lowered_step(n, x, scalar_temp(m, acc)));
        n->n_where = 0;
    }
    Stmt *combine = NEW(m->arena, Stmt);
    combine->kind = STMT_combine;
    combine->combine.into = sum;
    combine->combine.from = acc;
    combine->combine.red = x->red;
    combine->combine.lane = lane;
    add_stmt(l, inside, combine);
    return sum;
}
