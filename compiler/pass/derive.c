#include "pass/derive.h"

#include <math.h>
#include <stdlib.h>

#include "base/die.h"
#include "ir/build.h"

typedef struct Derive {
    Module *m;
    Arena *arena;
    Map *adjoint;  // Scalar * to Scalar *
    Scalar *root, *result;
    VEC(Scalar *) nodes;
} Derive;

// ---- products that keep zeros out of them

static bool is_zero(const Scalar *s) {
    return s->op == OP_const && elem_is_real(s->elem) && s->real == 0;
}

static bool has_zero_arm(const Scalar *s) {
    if (s->op == OP_select) return is_zero(s->arg[1]) || is_zero(s->arg[2]);
    return s->op == OP_neg && has_zero_arm(s->arg[0]);
}

static Scalar *scale_adjoint(Module *m, Op op, Scalar *dy, Scalar *local) {
    if (is_zero(dy)) return dy;
    if (dy->op == OP_select && has_zero_arm(dy))
        return scalar_select(m, dy->arg[0], scale_adjoint(m, op, dy->arg[1], local),
                             scale_adjoint(m, op, dy->arg[2], local));
    if (dy->op == OP_neg && has_zero_arm(dy))
        return scalar_unary(m, OP_neg, scale_adjoint(m, op, dy->arg[0], local));
    if ((dy->op == OP_add || dy->op == OP_sub) &&
        (has_zero_arm(dy->arg[0]) || has_zero_arm(dy->arg[1])))
        return scalar_binary(m, dy->op, scale_adjoint(m, op, dy->arg[0], local),
                             scale_adjoint(m, op, dy->arg[1], local));
    return scalar_binary(m, op, dy, local);
}

Scalar *adjoint_times(Module *m, Scalar *dy, Scalar *local) {
    return scale_adjoint(m, OP_mul, dy, local);
}

Scalar *adjoint_over(Module *m, Scalar *dy, Scalar *local) {
    return scale_adjoint(m, OP_div, dy, local);
}

// ---- helpers of the rules

static Scalar *real(Derive *d, double x) {
    return scalar_real(d->m, x);
}

static Scalar *op1(Derive *d, Op op, Scalar *a) {
    return scalar_unary(d->m, op, a);
}

static Scalar *op2(Derive *d, Op op, Scalar *a, Scalar *b) {
    return scalar_binary(d->m, op, a, b);
}

static Scalar *times(Derive *d, Scalar *dy, Scalar *local) {
    return adjoint_times(d->m, dy, local);
}

static Scalar *over(Derive *d, Scalar *dy, Scalar *local) {
    return adjoint_over(d->m, dy, local);
}

static Scalar *only_if(Derive *d, Scalar *condition, Scalar *dy) {
    return scalar_select(d->m, condition, dy, real(d, 0));
}

static Scalar *unless(Derive *d, Scalar *condition, Scalar *dy) {
    return scalar_select(d->m, condition, real(d, 0), dy);
}

static void send(Derive *d, Scalar *to, Scalar *dy) {
    if (!elem_is_real(to->elem) || to->op == OP_const || is_zero(dy)) return;
    Scalar *had = map_get(d->adjoint, to);
    map_set(d->adjoint, to, had ? op2(d, OP_add, had, dy) : dy);
}

// The value of a node, as cheaply as it is to be had.
static Scalar *value_of(Derive *d, Scalar *node) {
    return node == d->root && d->result ? d->result : node;
}

// ---- one rule per operation: sends y's adjoint dy on to y's arguments

typedef void DeriveFn(Derive *d, Scalar *y, Scalar *dy);

static void derive_const(Derive *d, Scalar *y, Scalar *dy) {
    (void)d, (void)y, (void)dy;
}

#define derive_iv derive_const
#define derive_rand derive_const

// The adjoint of the read itself stays; `otherwise` receives where a guard fails.
static void derive_read(Derive *d, Scalar *y, Scalar *dy) {
    const Read *r = y->read;
    if (r->n_guard && r->otherwise->op != OP_const)
        send(d, r->otherwise, unless(d, scalar_guard(d->m, r->guard, r->n_guard), dy));
}

static void derive_add(Derive *d, Scalar *y, Scalar *dy) {
    send(d, y->arg[0], dy);
    send(d, y->arg[1], dy);
}

static void derive_sub(Derive *d, Scalar *y, Scalar *dy) {
    send(d, y->arg[0], dy);
    send(d, y->arg[1], op1(d, OP_neg, dy));
}

static void derive_mul(Derive *d, Scalar *y, Scalar *dy) {
    send(d, y->arg[0], times(d, dy, y->arg[1]));
    send(d, y->arg[1], times(d, dy, y->arg[0]));
}

static void derive_div(Derive *d, Scalar *y, Scalar *dy) {
    Scalar *by = y->arg[1], *share = over(d, dy, by);
    send(d, y->arg[0], share);
    send(d, by, op1(d, OP_neg, times(d, share, value_of(d, y))));
}

static void derive_neg(Derive *d, Scalar *y, Scalar *dy) {
    send(d, y->arg[0], op1(d, OP_neg, dy));
}

// The sign of the argument; 0 at 0.
static void derive_abs(Derive *d, Scalar *y, Scalar *dy) {
    Scalar *x = y->arg[0], *zero = real(d, 0);
    Scalar *below = only_if(d, op2(d, OP_lt, x, zero), op1(d, OP_neg, dy));
    send(d, x, scalar_select(d->m, op2(d, OP_lt, zero, x), dy, below));
}

// max(a, b): to a where a > b, else to b. Where b is a constant, a > b exactly where the
// result is, and the result is what the program keeps.
static void derive_max(Derive *d, Scalar *y, Scalar *dy) {
    Scalar *a = y->arg[0], *b = y->arg[1];
    Scalar *first = op2(d, OP_lt, b, b->op == OP_const ? value_of(d, y) : a);
    send(d, a, only_if(d, first, dy));
    send(d, b, unless(d, first, dy));
}

static void derive_min(Derive *d, Scalar *y, Scalar *dy) {
    Scalar *a = y->arg[0], *b = y->arg[1];
    Scalar *first = op2(d, OP_lt, b->op == OP_const ? value_of(d, y) : a, b);
    send(d, a, only_if(d, first, dy));
    send(d, b, unless(d, first, dy));
}

#define derive_idiv derive_const
#define derive_floor derive_const
#define derive_round derive_const

// a - b * floor(a / b), the floor being constant almost everywhere.
static void derive_mod(Derive *d, Scalar *y, Scalar *dy) {
    Scalar *a = y->arg[0], *b = y->arg[1];
    if (!elem_is_real(y->elem)) return;
    send(d, a, dy);
    send(d, b, op1(d, OP_neg, times(d, dy, op1(d, OP_floor, op2(d, OP_div, a, b)))));
}

static void derive_sqrt(Derive *d, Scalar *y, Scalar *dy) {
    send(d, y->arg[0], over(d, times(d, dy, real(d, 0.5)), value_of(d, y)));
}

static void derive_exp(Derive *d, Scalar *y, Scalar *dy) {
    send(d, y->arg[0], times(d, dy, value_of(d, y)));
}

static void derive_log(Derive *d, Scalar *y, Scalar *dy) {
    send(d, y->arg[0], over(d, dy, y->arg[0]));
}

// z of exp(-|z|), written with abs or min; else NULL.
static Scalar *decay_of(const Scalar *e) {
    if (e->op != OP_exp) return NULL;
    const Scalar *x = e->arg[0];
    if (x->op == OP_neg && x->arg[0]->op == OP_abs) return x->arg[0]->arg[0];
    if (x->op != OP_min) return NULL;
    if (x->arg[0]->op == OP_neg && x->arg[0]->arg[0] == x->arg[1]) return x->arg[1];
    return x->arg[1]->op == OP_neg && x->arg[1]->arg[0] == x->arg[0] ? x->arg[0] : NULL;
}

// log1p(exp(-|z|)) is what softplus(z) = max(z, 0) + log1p(exp(-|z|)) adds to its hinge. It
// is sent to z directly, as sigmoid(z) less the hinge's step, so that the two steps cancel
// and softplus' = sigmoid holds at 0 too.
static void derive_log1p(Derive *d, Scalar *y, Scalar *dy) {
    Scalar *x = y->arg[0], *z = decay_of(x), *one = real(d, 1);
    if (!z) {
        send(d, x, over(d, dy, op2(d, OP_add, x, one)));
        return;
    }
    send(d, z, times(d, dy, op1(d, OP_sigmoid, z)));
    send(d, z, op1(d, OP_neg, only_if(d, op2(d, OP_lt, real(d, 0), z), dy)));
}

static void derive_tanh(Derive *d, Scalar *y, Scalar *dy) {
    Scalar *v = value_of(d, y);
    send(d, y->arg[0], times(d, dy, op2(d, OP_sub, real(d, 1), op2(d, OP_mul, v, v))));
}

static void derive_sigmoid(Derive *d, Scalar *y, Scalar *dy) {
    Scalar *v = value_of(d, y);
    send(d, y->arg[0], times(d, dy, op2(d, OP_mul, v, op2(d, OP_sub, real(d, 1), v))));
}

static void derive_erf(Derive *d, Scalar *y, Scalar *dy) {
    Scalar *x = y->arg[0];
    Scalar *bell = op1(d, OP_exp, op1(d, OP_neg, op2(d, OP_mul, x, x)));
    send(d, x, times(d, dy, op2(d, OP_mul, bell, real(d, M_2_SQRTPI))));
}

static void derive_sin(Derive *d, Scalar *y, Scalar *dy) {
    send(d, y->arg[0], times(d, dy, op1(d, OP_cos, y->arg[0])));
}

static void derive_cos(Derive *d, Scalar *y, Scalar *dy) {
    send(d, y->arg[0], op1(d, OP_neg, times(d, dy, op1(d, OP_sin, y->arg[0]))));
}

// The derivative by the exponent is taken as 0 where the base is not positive.
static void derive_pow(Derive *d, Scalar *y, Scalar *dy) {
    Scalar *a = y->arg[0], *b = y->arg[1];
    Scalar *less = op2(d, OP_pow, a, op2(d, OP_sub, b, real(d, 1)));
    send(d, a, times(d, dy, op2(d, OP_mul, less, b)));
    if (b->op == OP_const) return;
    Scalar *by_b = op2(d, OP_mul, value_of(d, y), op1(d, OP_log, a));
    send(d, b, only_if(d, op2(d, OP_lt, real(d, 0), a), times(d, dy, by_b)));
}

#define derive_lt derive_const
#define derive_le derive_const
#define derive_eq derive_const
#define derive_ne derive_const
#define derive_and derive_const
#define derive_or derive_const
#define derive_not derive_const

static void derive_select(Derive *d, Scalar *y, Scalar *dy) {
    send(d, y->arg[1], only_if(d, y->arg[0], dy));
    send(d, y->arg[2], unless(d, y->arg[0], dy));
}

#define derive_to_real derive_const
#define derive_to_int derive_const
#define derive_stop derive_const
#define derive_draw derive_const

// These stand after `expand` or in loops only.
#define derive_load NULL
#define derive_temp NULL
#define derive_fma NULL
#define derive_mac NULL
#define derive_scale2 NULL
#define derive_exponent NULL
#define derive_mantissa NULL

static DeriveFn *const derive_fn[N_OP] = {
#define OP(name, arity, rule, traits, levels, weight, cost) [OP_##name] = derive_##name,
#include "ir/ops.def"
#undef OP
};

// ---- the sweep

// The real nodes below s that a derivative can pass, each once.
static void collect(Derive *d, Scalar *s) {
    if (!elem_is_real(s->elem) || map_has(d->adjoint, s)) return;
    map_set(d->adjoint, s, NULL);
    vec_push(d->arena, &d->nodes, s);
    if (s->op == OP_stop) return;
    for (int i = 0; i < op_info[s->op].arity; i++) collect(d, s->arg[i]);
    if (s->op == OP_read && s->read->n_guard) collect(d, s->read->otherwise);
}

static int newest_first(const void *a, const void *b) {
    const Scalar *x = *(Scalar *const *)a, *y = *(Scalar *const *)b;
    return (x->id < y->id) - (x->id > y->id);
}

ReadAdjoints derive_reads(Module *m, Arena *a, Scalar *body, Scalar *seed, Scalar *result) {
    Derive d = {.m = m, .arena = a, .adjoint = map_new(a), .root = body, .result = result};
    ReadAdjoints out = {0};
    if (!elem_is_real(body->elem)) return out;
    collect(&d, body);
    // A node is made after its arguments, so the newest first is readers before arguments.
    qsort(d.nodes.at, (size_t)d.nodes.n, sizeof *d.nodes.at, newest_first);
    map_set(d.adjoint, body, seed);
    for (int i = 0; i < d.nodes.n; i++) {
        Scalar *y = d.nodes.at[i], *dy = map_get(d.adjoint, y);
        if (!dy) continue;
        DeriveFn *fn = derive_fn[y->op];
        if (!fn) BUG("derive: %s has no rule", op_info[y->op].name);
        fn(&d, y, dy);
        if (y->op == OP_read) vec_push(a, &out, ((ReadAdjoint){y, dy}));
    }
    return out;
}
