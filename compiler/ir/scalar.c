// Scalars: constants and operations, shared and folded.
#include <math.h>

#include "base/die.h"
#include "ir/build.h"
#include "ir/eval.h"
#include "ir/fold.h"
#include "ir/share.h"

// ---- leaves

Scalar *scalar_const(Module *m, Elem elem, double x) {
    Scalar s = {.op = OP_const, .elem = elem};
    if (elem_is_real(elem))
        s.real = isnan(x) ? (double)NAN : x;
    else if (elem == ELEM_bool)
        s.integer = x != 0;
    else if (elem == ELEM_u8)
        s.integer = (uint8_t)(int64_t)x;
    else
        s.integer = (int32_t)(uint32_t)(int64_t)x;
    return share_scalar(m, &s);
}

Scalar *scalar_real(Module *m, double x) {
    return scalar_const(m, m->real, x);
}

Scalar *scalar_int(Module *m, int64_t x) {
    Scalar s = {.op = OP_const, .elem = ELEM_i32, .integer = (int32_t)(uint32_t)x};
    return share_scalar(m, &s);
}

Scalar *scalar_bool(Module *m, bool x) {
    return scalar_const(m, ELEM_bool, x);
}

Scalar *scalar_iv(Module *m, int slot) {
    Scalar s = {.op = OP_iv, .elem = ELEM_i32, .slot = slot};
    return share_scalar(m, &s);
}

Scalar *scalar_rand(Module *m, uint32_t site, Scalar *place) {
    if (place->elem != ELEM_i32) BUG("a draw's place is not an i32");
    Scalar s = {.op = OP_rand, .elem = m->real, .arg = {place}, .site = site};
    return share_scalar(m, &s);
}

bool scalar_is_const(const Scalar *s, double x) {
    return s->op == OP_const && scalar_const_value(s) == x;
}

double scalar_const_value(const Scalar *s) {
    return elem_is_real(s->elem) ? s->real : (double)s->integer;
}

// ---- elements

static bool is_number(Elem e) {
    return elem_is_real(e) || e == ELEM_i32;
}

static const char *compare_problem(const Module *m, Scalar *const *arg) {
    if (arg[0]->elem != arg[1]->elem) return "takes two arguments of one element";
    if (elem_is_real(arg[0]->elem) && arg[0]->elem != m->real) return "takes the module's real";
    return NULL;
}

const char *scalar_op_problem(const Module *m, Op op, Scalar *const *arg) {
    for (int i = 0; i < op_info[op].arity; i++)
        if (!arg[i]) return "lacks an argument";
    Elem a = op_info[op].arity ? arg[0]->elem : ELEM_i32;
    bool is_integral = op == OP_idiv;
    switch ((Rule)op_info[op].rule) {
        case RULE_NUMBER:
            if (is_integral && a != ELEM_i32) return "takes i32";
            if (!is_number(a)) return "takes reals or i32";
            if (elem_is_real(a) && a != m->real) return "takes the module's real";
            if (op_info[op].arity > 1 && arg[1]->elem != a) return "takes arguments of one element";
            return NULL;
        case RULE_REAL:
            for (int i = 0; i < op_info[op].arity; i++)
                if (arg[i]->elem != m->real) return "takes the module's real";
            return NULL;
        case RULE_COMPARE: return compare_problem(m, arg);
        case RULE_LOGIC:
            for (int i = 0; i < op_info[op].arity; i++)
                if (arg[i]->elem != ELEM_bool) return "takes bool";
            return NULL;
        case RULE_SELECT:
            if (a != ELEM_bool) return "takes a bool condition";
            return arg[1]->elem == arg[2]->elem ? NULL : "has arms of two elements";
        case RULE_TO_REAL: return elem_is_real(a) ? "takes bool, u8 or i32" : NULL;
        case RULE_TO_INT: return a == ELEM_i32 ? "takes bool, u8 or a real" : NULL;
        case RULE_SCALE:
            if (a != m->real) return "takes the module's real";
            return arg[1]->elem == ELEM_i32 ? NULL : "takes an i32 exponent";
        case RULE_EXPONENT: return a == m->real ? NULL : "takes the module's real";
        case RULE_DRAW:
            for (int i = 0; i < op_info[op].arity; i++)
                if (arg[i]->elem != ELEM_i32) return "takes i32";
            return NULL;
        case RULE_LEAF: return NULL;
    }
    return "has no rule";
}

Elem scalar_op_elem(const Module *m, Op op, Scalar *const *arg) {
    switch ((Rule)op_info[op].rule) {
        case RULE_COMPARE:
        case RULE_LOGIC: return ELEM_bool;
        case RULE_SELECT: return arg[1]->elem;
        case RULE_DRAW:
        case RULE_TO_REAL: return m->real;
        case RULE_TO_INT:
        case RULE_EXPONENT: return ELEM_i32;
        default: return arg[0]->elem;
    }
}

// ---- folding

Scalar *scalar_op_plain(Module *m, Op op, Scalar *const *arg) {
    Scalar s = {.op = op, .elem = scalar_op_elem(m, op, arg)};
    for (int i = 0; i < op_info[op].arity; i++) s.arg[i] = arg[i];
    return share_scalar(m, &s);
}

static bool has_value(Op op, Elem elem, const double *x) {
    if (op == OP_mac) return false;
    if (op == OP_idiv || (op == OP_mod && elem == ELEM_i32)) return x[1] != 0;
    if (op == OP_exponent || op == OP_mantissa) return x[0] != 0 && isfinite(x[0]);
    return true;
}

// Before the module is frozen in doubles, after that with the roundings of its real.
static Scalar *fold_constants(Module *m, Op op, Scalar *const *arg) {
    double x[MAX_ARGS] = {0};
    for (int i = 0; i < op_info[op].arity; i++) {
        if (arg[i]->op != OP_const) return NULL;
        x[i] = scalar_const_value(arg[i]);
        if (m->is_frozen && arg[i]->elem == ELEM_f32) x[i] = (float)x[i];
    }
    Elem elem = scalar_op_elem(m, op, arg), from = arg[0]->elem;
    if (!has_value(op, elem, x)) return NULL;
    Elem at = !m->is_frozen && elem_is_real(elem) ? ELEM_f64 : elem;
    return scalar_const(m, elem, eval_op(op, at, from, x));
}

static Scalar *unary(Module *m, Op op, Scalar *a) {
    return scalar_op(m, op, a, NULL, NULL);
}

static Scalar *binary(Module *m, Op op, Scalar *a, Scalar *b) {
    return scalar_op(m, op, a, b, NULL);
}

// Identities that keep every bit, on both sides of the freeze.
static Scalar *fold_exact(Module *m, Op op, Scalar *const *arg) {
    Scalar *a = arg[0], *b = arg[1];
    switch (op) {
        case OP_mul: return scalar_is_const(b, 1) ? a : NULL;
        case OP_div: return scalar_is_const(b, 1) ? a : NULL;
        case OP_neg:
            if (a->op == OP_neg) return a->arg[0];
            return NULL;
        case OP_abs:
            if (a->op == OP_neg) return unary(m, OP_abs, a->arg[0]);
            return a->op == OP_abs ? a : NULL;
        case OP_floor:
        case OP_round: return a->op == OP_floor || a->op == OP_round ? a : NULL;
        case OP_min:
        case OP_max: return a == b ? a : NULL;
        case OP_select: return fold_select(m, a, b, arg[2]);
        case OP_stop:
            if (a->op == OP_const || a->op == OP_stop || a->elem == ELEM_i32) return a;
            return NULL;
        default: return NULL;
    }
}

static bool is_zero(const Scalar *s) {
    return scalar_is_const(s, 0);
}

// Algebra of the reals: what it drops is signs of zeros and roundings.
static Scalar *fold_real(Module *m, Op op, Scalar *a, Scalar *b) {
    switch (op) {
        case OP_add:
            if (is_zero(b)) return a;
            if (b->op == OP_neg) return binary(m, OP_sub, a, b->arg[0]);
            if (a->op == OP_neg) return binary(m, OP_sub, b, a->arg[0]);
            return NULL;
        case OP_sub:
            if (is_zero(b)) return a;
            if (is_zero(a)) return unary(m, OP_neg, b);
            if (b->op == OP_neg) return binary(m, OP_add, a, b->arg[0]);
            return NULL;
        case OP_mul:
            if (scalar_is_const(b, -1)) return unary(m, OP_neg, a);
            if (a->op == OP_neg && b->op == OP_neg) return binary(m, OP_mul, a->arg[0], b->arg[0]);
            return NULL;
        case OP_div:
            if (scalar_is_const(b, -1)) return unary(m, OP_neg, a);
            return NULL;
        case OP_pow:
            if (scalar_is_const(b, 1)) return a;
            if (scalar_is_const(b, 2)) return binary(m, OP_mul, a, a);
            if (is_zero(b)) return scalar_real(m, 1);
            return NULL;
        default: return NULL;
    }
}

static Scalar *fold(Module *m, Op op, Scalar *const *arg) {
    Scalar *s = fold_constants(m, op, arg);
    if (!s) s = fold_exact(m, op, arg);
    if (!s && op_info[op].rule == RULE_COMPARE) s = fold_compare(m, op, arg[0], arg[1]);
    if (!s && op_info[op].rule == RULE_LOGIC) s = fold_logic(m, op, arg[0], arg[1]);
    if (!s && arg[0]->elem == ELEM_i32) s = fold_integer(m, op, arg[0], arg[1]);
    if (!s && !m->is_frozen && elem_is_real(arg[0]->elem)) s = fold_real(m, op, arg[0], arg[1]);
    return s;
}

Scalar *scalar_op(Module *m, Op op, Scalar *a, Scalar *b, Scalar *c) {
    Scalar *arg[MAX_ARGS] = {a, b, c};
    const OpInfo *info = &op_info[op];
    if (info->rule == RULE_LEAF) BUG("%s is a leaf", info->name);
    const char *problem = scalar_op_problem(m, op, arg);
    if (problem) BUG("%s %s", info->name, problem);
    for (int i = info->arity; i < MAX_ARGS; i++) arg[i] = NULL;
    if ((info->traits & TRAIT_COMMUTES) && a->op == OP_const) {  // constants last
        arg[0] = b;
        arg[1] = a;
    }
    Scalar *folded = fold(m, op, arg);
    return folded ? folded : scalar_op_plain(m, op, arg);
}

Scalar *scalar_unary(Module *m, Op op, Scalar *a) {
    return unary(m, op, a);
}

Scalar *scalar_binary(Module *m, Op op, Scalar *a, Scalar *b) {
    return binary(m, op, a, b);
}

Scalar *scalar_select(Module *m, Scalar *condition, Scalar *then, Scalar *otherwise) {
    return scalar_op(m, OP_select, condition, then, otherwise);
}
