// share: parts of a body that don't vary with all of its slots become values of their own.
//
// Needs a frozen module; moves computations without changing a bit. A part that uses some of
// the slots only, costs at least as much as a division, and would be computed at least four
// times as often where it stands, is computed once over the slots that it uses: 1 / (1 -
// beta^t) once a step, 1 / sqrt(variance) once a channel. Equal parts are one value, since
// equal scalars and values are one anyway.
#include "ir/build.h"
#include "ir/rewrite.h"
#include "pass/access.h"
#include "pass/algebra.h"
#include "pass/common.h"
#include "pass/part.h"
#include "pass/pass.h"

static const double hoisted_cost = 4, repeated_times = 4;

typedef struct Share {
    Module *m;
    Algebra *a;
    Arena *arena;
    const Dim *extent;  // of the box
    int n;
    unsigned box;  // its slots of more than one point
    Map *done;     // Scalar * to what replaces it
    Map *steps;    // Value * to the axis of the steps that compute it, plus 1
    const Value *v;
} Share;

// The axis of the steps that compute v, plus 1; 0 where it depends on no carry.
static int steps_of(Map *steps, Value *v, Arena *arena) {
    if (map_has(steps, v)) return (int)(intptr_t)map_get(steps, v);
    int axis = 0;
    Values operands = value_operands(v, arena);
    for (int i = 0; i < operands.n; i++) {
        int below = steps_of(steps, operands.at[i], arena);
        if (below > axis) axis = below;
    }
    map_set(steps, v, (void *)(intptr_t)axis);
    return axis;
}

// What the steps of a scan compute has their axis where their other values have it.
static bool keeps_steps(const Share *s, Scalar *e, unsigned slots) {
    int axis = 0;
    Reads reads = scalar_reads(e, s->arena);
    for (int i = 0; i < reads.n; i++) {
        int of = steps_of(s->steps, reads.at[i]->read->v, s->arena);
        if (of > axis) axis = of;
    }
    return (slots & ((1u << axis) - 1)) == (1u << axis) - 1;
}

static double points_of(const Share *s, unsigned slots) {
    double n = 1;
    for (int i = 0; i < s->n; i++)
        if (slots >> i & 1) n *= (double)dim_max(s->extent[i]);
    return n;
}

static bool is_worth_it(Share *s, Scalar *e) {
    unsigned slots = scalar_slots(s->a, e) & s->box;
    if (!op_info[e->op].arity || e->op == OP_rand || e->op == OP_mac) return false;
    if (!elem_is_real(e->elem) || slots == s->box) return false;
    if (__builtin_popcount(scalar_slots(s->a, e)) > MAX_RANK) return false;
    if (!keeps_steps(s, e, scalar_slots(s->a, e))) return false;
    if (points_of(s, s->box) < repeated_times * points_of(s, slots)) return false;
    return scalar_cost(e, s->arena) >= hoisted_cost;
}

// e as a value over the slots that it uses, read where it stood.
static Scalar *hoist(Share *s, Scalar *e) {
    Affine at[MAX_RANK];
    return scalar_read_at(s->m, part_of_body(s->a, e, s->extent, s->n, s->v->span, at), at);
}

// Outermost parts first: what moves takes everything below along.
static Scalar *share_scalar_parts(Share *s, Scalar *e) {
    Scalar *done = map_get(s->done, e);
    if (done) return done;
    Scalar *arg[MAX_ARGS] = {0};
    bool changed = false;
    done = e;
    if (is_worth_it(s, e)) {
        done = hoist(s, e);
    } else if (e->op != OP_rand) {
        for (int i = 0; i < op_info[e->op].arity; i++) {
            arg[i] = share_scalar_parts(s, e->arg[i]);
            changed |= arg[i] != e->arg[i];
        }
        if (changed) done = scalar_op(s->m, e->op, arg[0], arg[1], arg[2]);
    }
    map_set(s->done, e, done);
    return done;
}

typedef struct Sharing {
    Algebra *a;
    Map *steps;
} Sharing;

static Scalar *share_body(const Sharing *x, const Value *v, const Dim *extent, int n, Scalar *body) {
    Algebra *a = x->a;
    Arena *arena = a->arena;
    Share s = {.m = a->m, .a = a, .arena = arena, .extent = extent, .n = n, .v = v, .steps = x->steps};
    s.done = map_new(arena);
    for (int i = 0; i < n; i++)
        if (dim_max(extent[i]) > 1) s.box |= 1u << i;
    return share_scalar_parts(&s, body);
}

static Value *share_value_parts(void *context, Module *m, Value *v) {
    const Sharing *sharing = context;
    if (v->op == VAL_index) {
        Index x = v->index;
        x.body = share_body(sharing, v, x.extent, x.np + x.nr, x.body);
        return x.body == v->index.body ? v : build_index(m, &x, v->span, v->hint);
    }
    if (v->op != VAL_accumulate) return v;
    Accumulate x = v->accumulate;
    x.body = share_body(sharing, v, x.extent, x.n, x.body);
    if (x.body == v->accumulate.body) return v;
    return build_accumulate(m, &x, &v->type, v->span, v->hint);
}

static Map *steps_of_carries(const Function *f, Arena *arena) {
    Map *steps = map_new(arena);
    Values order = function_order(f, arena);
    for (int i = 0; i < order.n; i++)
        for (int k = 0; order.at[i]->op == VAL_scan && k < order.at[i]->scan.n_carry; k++)
            map_set(steps, order.at[i]->scan.carry[k].leaf,
                    (void *)(intptr_t)(order.at[i]->scan.axis + 1));
    return steps;
}

// What was moved may hold parts that vary still less: a few rounds find them.
void pass_share(Pass *p) {
    for (int i = 0; i < p->m->fns.n; i++) {
        for (int round = 0; round < 4; round++) {
            Arena *arena = arena_new();
            int before = p->m->n_value;
            Sharing sharing = {algebra_new(p->m, arena), steps_of_carries(p->m->fns.at[i], arena)};
            function_rewrite(p->m->fns.at[i], share_value_parts, &sharing);
            arena_free(arena);
            if (p->m->n_value == before) break;
        }
        share_costly_parts(p->m->fns.at[i]);
    }
}
