#include "pass/algebra.h"

#include <math.h>

#include "ir/build.h"
#include "ir/rewrite.h"

// What multiplying out must save: it moves roundings, so nothing is gained by a draw.
static const double expansion_gain = 1.5;

Algebra *algebra_new(Module *m, Arena *arena) {
    Algebra *a = NEW(arena, Algebra);
    *a = (Algebra){.m = m, .arena = arena, .slots = map_new(arena), .done = map_new(arena)};
    return a;
}

static bool is_zero(const Scalar *s) {
    return s->op == OP_const && elem_is_real(s->elem) && s->real == 0;
}

static bool is_arithmetic(const Scalar *s) {
    if (!elem_is_real(s->elem)) return false;
    switch (s->op) {
        case OP_add:
        case OP_sub:
        case OP_mul:
        case OP_div:
        case OP_neg: return true;
        case OP_select: return is_zero(s->arg[1]) || is_zero(s->arg[2]);
        default: return false;
    }
}

// ---- selects

// s where the condition is known: inner selects on it fall away.
static Scalar *assume(Algebra *a, Scalar *s, const Scalar *condition, bool holds, int depth) {
    if (!depth || s->op == OP_const || s->op == OP_iv || s->op == OP_read) return s;
    if (s == condition) return scalar_bool(a->m, holds);
    Scalar *arg[MAX_ARGS] = {0};
    bool changed = false;
    for (int i = 0; i < op_info[s->op].arity; i++) {
        arg[i] = assume(a, s->arg[i], condition, holds, depth - 1);
        changed |= arg[i] != s->arg[i];
    }
    if (!changed || s->op == OP_rand) return s;
    return scalar_op(a->m, s->op, arg[0], arg[1], arg[2]);
}

static Scalar *simplify_select(Algebra *a, Scalar *s) {
    Scalar *c = s->arg[0];
    Scalar *then = assume(a, s->arg[1], c, true, 6);
    Scalar *otherwise = assume(a, s->arg[2], c, false, 6);
    return scalar_select(a->m, c, then, otherwise);
}

// ---- comparisons

// max(x, 0) > 0 is x > 0; NaN gives false on both sides.
static Scalar *simplify_less(Algebra *a, Scalar *s) {
    Scalar *low = s->arg[0], *x = s->arg[1];
    if (!elem_is_real(x->elem) || low->op != OP_const || x->op != OP_max) return s;
    if (x->arg[1] == low) return scalar_binary(a->m, OP_lt, low, x->arg[0]);
    if (x->arg[0] == low && x->arg[1]->op != OP_const)
        return scalar_binary(a->m, OP_lt, low, x->arg[1]);
    return s;
}

// ---- powers

static Scalar *simplify_pow(Algebra *a, Scalar *s) {
    Scalar *x = s->arg[0];
    if (s->arg[1]->op != OP_const) return s;
    double p = s->arg[1]->real;
    if (p == 0.5) return scalar_unary(a->m, OP_sqrt, x);
    if (p == -0.5)
        return scalar_binary(a->m, OP_div, scalar_real(a->m, 1), scalar_unary(a->m, OP_sqrt, x));
    if (p != floor(p) || fabs(p) > 4 || p == 0) return s;
    Scalar *square = scalar_binary(a->m, OP_mul, x, x), *y = x;
    if (fabs(p) == 2) y = square;
    if (fabs(p) == 3) y = scalar_binary(a->m, OP_mul, square, x);
    if (fabs(p) == 4) y = scalar_binary(a->m, OP_mul, square, square);
    return p > 0 ? y : scalar_binary(a->m, OP_div, scalar_real(a->m, 1), y);
}

// ---- products

// select(c, a, 0) * b is select(c, a * b, 0): b may be infinite where c fails.
static Scalar *simplify_product(Algebra *a, Scalar *s) {
    for (int i = 0; i < (s->op == OP_mul ? 2 : 1); i++) {
        Scalar *x = s->arg[i], *arm[2], *other = s->arg[1 - i];
        if (x->op != OP_select || (!is_zero(x->arg[1]) && !is_zero(x->arg[2]))) continue;
        for (int j = 0; j < 2; j++)
            arm[j] = is_zero(x->arg[1 + j])
                         ? x->arg[1 + j]
                         : algebra_simplify(a, scalar_binary(a->m, s->op, x->arg[1 + j], other));
        return scalar_select(a->m, x->arg[0], arm[0], arm[1]);
    }
    return s;
}

// ---- exponentials

static bool is_minus_infinity(const Scalar *s) {
    return s->op == OP_const && elem_is_real(s->elem) && s->real == -INFINITY;
}

// The exponential of x +- y, where `way` says which, or of x alone.
static Scalar *exp_of(Algebra *a, Op way, Scalar *x, Scalar *y) {
    if (way == OP_exp) return algebra_simplify(a, scalar_unary(a->m, OP_exp, x));
    return algebra_simplify(a, scalar_unary(a->m, OP_exp, scalar_binary(a->m, way, x, y)));
}

// exp(select(c, x, -inf) - y) is select(c, exp(x - y), 0): what a mask leaves out is zero, and no
// exponential underflows there.
static Scalar *simplify_exp(Algebra *a, Scalar *s) {
    Scalar *x = s->arg[0], *y = NULL;
    Op way = OP_exp;
    if (x->op == OP_sub || x->op == OP_add) way = x->op, y = x->arg[1], x = x->arg[0];
    if (x->op != OP_select) return s;
    int masked = is_minus_infinity(x->arg[2]) ? 2 : is_minus_infinity(x->arg[1]) ? 1 : 0;
    if (!masked) return s;
    Scalar *kept = exp_of(a, way, x->arg[3 - masked], y), *zero = scalar_real(a->m, 0);
    return scalar_select(a->m, x->arg[0], masked == 2 ? kept : zero, masked == 2 ? zero : kept);
}

static Scalar *simplify_local(Algebra *a, Scalar *s) {
    switch (s->op) {
        case OP_mul:
        case OP_div: return elem_is_real(s->elem) ? simplify_product(a, s) : s;
        case OP_select: return simplify_select(a, s);
        case OP_lt: return simplify_less(a, s);
        case OP_pow: return simplify_pow(a, s);
        case OP_exp: return simplify_exp(a, s);
        default: return s;
    }
}

// ---- arithmetic

static Scalar *with_simple_arguments(Algebra *a, Scalar *s) {
    Scalar *arg[MAX_ARGS] = {0};
    bool changed = false;
    for (int i = 0; i < op_info[s->op].arity; i++) {
        arg[i] = algebra_simplify(a, s->arg[i]);
        changed |= arg[i] != s->arg[i];
    }
    if (!changed) return s;
    if (s->op == OP_rand) return scalar_rand(a->m, s->site, arg[0]);
    return scalar_op(a->m, s->op, arg[0], arg[1], arg[2]);
}

static void keep_cheaper(Algebra *a, Scalar **best, double *cost, Scalar *s, double gain) {
    if (s == *best) return;
    double c = algebra_cost(a, s);
    if (c > *cost - gain) return;
    *best = s;
    *cost = c;
}

// Of the scalar as it is, its normal form, and that multiplied out, the cheapest.
static Scalar *simplify_arithmetic(Algebra *a, Scalar *s) {
    Poly p, wide;
    Scalar *best = s;
    double cost = algebra_cost(a, s);
    poly_of(a, s, &p);
    if (p.is_too_large) return s;
    keep_cheaper(a, &best, &cost, poly_emit(a, &p), 0.01);
    poly_expanded(a, &p, &wide);
    if (!wide.is_too_large) keep_cheaper(a, &best, &cost, poly_emit(a, &wide), expansion_gain);
    return best;
}

// ---- reads

static Scalar *simplify_read(Algebra *a, Scalar *s) {
    const Read *r = s->read;
    Subscript sub[MAX_RANK];
    bool changed = false;
    for (int i = 0; i < r->v->type.rank; i++) {
        sub[i] = r->sub[i];
        if (!sub[i].gather) continue;
        sub[i].gather = algebra_simplify(a, sub[i].gather);
        changed |= sub[i].gather != r->sub[i].gather;
    }
    Scalar *otherwise = r->otherwise ? algebra_simplify(a, r->otherwise) : NULL;
    if (!changed && otherwise == r->otherwise) return s;
    return scalar_read(a->m, r->v, sub, r->guard, r->n_guard, otherwise);
}

Scalar *algebra_simplify(Algebra *a, Scalar *s) {
    Scalar *done = map_get(a->done, s);
    if (done) return done;
    Scalar *t;
    if (s->op == OP_read)
        t = simplify_read(a, s);
    else if (s->op == OP_stop)
        t = algebra_simplify(a, s->arg[0]);
    else {
        t = simplify_local(a, with_simple_arguments(a, s));
        if (is_arithmetic(t)) t = simplify_arithmetic(a, t);
    }
    map_set(a->done, s, t);
    map_set(a->done, t, t);
    return t;
}
