#include "ir/fold.h"

#include <stdlib.h>

#include "base/die.h"
#include "ir/build.h"
#include "ir/share.h"

// ---- affine integers

static bool is_integer_const(const Scalar *s) {
    return s->op == OP_const && s->elem == ELEM_i32;
}

static bool is_small(Affine a) {
    const int64_t limit = (int64_t)1 << 32;
    for (int i = 0; i < a.n; i++)
        if (llabs(a.t[i].c) > limit) return false;
    return llabs(a.k) <= limit;
}

static bool as_affine(Module *m, Scalar *s, Affine *out);

// What would leave 32 bits by far stays as it is, so that no form overflows.
bool scalar_as_affine(Module *m, Scalar *s, Affine *out) {
    return s->elem == ELEM_i32 && as_affine(m, s, out) && is_small(*out);
}

static bool as_affine(Module *m, Scalar *s, Affine *out) {
    Affine a, b;
    switch (s->op) {
        case OP_const: *out = affine_const(s->integer); return true;
        case OP_iv: *out = affine_slot(m, s->slot); return true;
        case OP_neg:
            if (!scalar_as_affine(m, s->arg[0], &a)) return false;
            *out = affine_scale(m, a, -1);
            return true;
        case OP_mul:
            if (!is_integer_const(s->arg[1]) || !scalar_as_affine(m, s->arg[0], &a)) return false;
            *out = affine_scale(m, a, s->arg[1]->integer);
            return true;
        case OP_add:
        case OP_sub:
            if (!scalar_as_affine(m, s->arg[0], &a) || !scalar_as_affine(m, s->arg[1], &b))
                return false;
            *out = affine_add(m, a, s->op == OP_sub ? affine_scale(m, b, -1) : b);
            return true;
        default: return false;
    }
}

static Scalar *plain(Module *m, Op op, Scalar *a, Scalar *b) {
    Scalar *arg[MAX_ARGS] = {a, b};
    return scalar_op_plain(m, op, arg);
}

static Scalar *term_scalar(Module *m, int slot, int64_t c) {
    Scalar *iv = scalar_iv(m, slot);
    return c == 1 ? iv : plain(m, OP_mul, iv, scalar_int(m, c));
}

// What is added first, what is subtracted after it, the constant last:
// 3 * i - 1, j - i, 3 - i, -i - 1.
Scalar *scalar_affine(Module *m, Affine a) {
    Scalar *sum = NULL;
    bool used_k = false;
    for (int i = 0; i < a.n; i++) {
        if (a.t[i].c < 0) continue;
        Scalar *t = term_scalar(m, a.t[i].slot, a.t[i].c);
        sum = sum ? plain(m, OP_add, sum, t) : t;
    }
    if (!sum && a.k > 0) {
        sum = scalar_int(m, a.k);
        used_k = true;
    }
    for (int i = 0; i < a.n; i++) {
        if (a.t[i].c > 0) continue;
        if (sum)
            sum = plain(m, OP_sub, sum, term_scalar(m, a.t[i].slot, -a.t[i].c));
        else if (a.t[i].c == -1)
            sum = plain(m, OP_neg, scalar_iv(m, a.t[i].slot), NULL);
        else
            sum = term_scalar(m, a.t[i].slot, a.t[i].c);
    }
    if (!sum) return scalar_int(m, a.k);
    if (!a.k || used_k) return sum;
    return a.k > 0 ? plain(m, OP_add, sum, scalar_int(m, a.k))
                   : plain(m, OP_sub, sum, scalar_int(m, -a.k));
}

void split_affine(Module *m, Scalar *s, Affine *affine, Scalar **rest) {
    *rest = NULL;
    if (scalar_as_affine(m, s, affine)) return;
    *affine = affine_const(0);
    *rest = s;
    // The normal form of a mixed sum is rest + affine or affine - rest (fold_integer).
    if ((s->op == OP_add || s->op == OP_sub) && scalar_as_affine(m, s->arg[1], affine)) {
        if (s->op == OP_sub) *affine = affine_scale(m, *affine, -1);
        *rest = s->arg[0];
    }
}

// rest + affine, the affine part spelled so that a negative constant is subtracted.
static Scalar *join_affine(Module *m, Scalar *rest, Affine a) {
    if (!rest) return scalar_affine(m, a);
    if (!a.n && !a.k) return rest;
    if (!a.n && a.k < 0) return plain(m, OP_sub, rest, scalar_int(m, -a.k));
    return plain(m, OP_add, rest, scalar_affine(m, a));
}

static Scalar *add_rests(Module *m, Op op, Scalar *a, Scalar *b) {
    if (!b) return a;
    if (!a) return op == OP_add ? b : scalar_unary(m, OP_neg, b);
    if (op == OP_sub && a == b) return NULL;
    if (b->op == OP_neg) return add_rests(m, op == OP_add ? OP_sub : OP_add, a, b->arg[0]);
    if (op == OP_add && a->op == OP_neg) return plain(m, OP_sub, b, a->arg[0]);
    return plain(m, op, a, b);
}

static Scalar *fold_sum(Module *m, Op op, Scalar *a, Scalar *b) {
    Affine x, y;
    Scalar *rest_a, *rest_b;
    split_affine(m, a, &x, &rest_a);
    split_affine(m, b, &y, &rest_b);
    Affine sum = affine_add(m, x, op == OP_sub ? affine_scale(m, y, -1) : y);
    return join_affine(m, add_rests(m, op, rest_a, rest_b), sum);
}

static Scalar *fold_product(Module *m, Scalar *a, Scalar *b) {
    Affine x;
    if (!is_integer_const(b)) return NULL;
    if (b->integer == 0) return b;
    if (scalar_as_affine(m, a, &x)) return scalar_affine(m, affine_scale(m, x, b->integer));
    return b->integer == -1 ? scalar_unary(m, OP_neg, a) : NULL;
}

// -(rest + affine) is -rest - affine.
static Scalar *fold_negative(Module *m, Scalar *a) {
    Affine x;
    Scalar *rest;
    split_affine(m, a, &x, &rest);
    if (rest && !x.n && !x.k) return NULL;
    return join_affine(m, rest ? scalar_unary(m, OP_neg, rest) : NULL, affine_scale(m, x, -1));
}

Scalar *fold_integer(Module *m, Op op, Scalar *a, Scalar *b) {
    switch (op) {
        case OP_add:
        case OP_sub: return fold_sum(m, op, a, b);
        case OP_mul: return fold_product(m, a, b);
        case OP_neg: return fold_negative(m, a);
        case OP_idiv: return scalar_is_const(b, 1) ? a : NULL;
        case OP_mod: return scalar_is_const(b, 1) ? scalar_int(m, 0) : NULL;
        default: return NULL;
    }
}

// ---- conditions

static bool decide(Op op, int64_t difference) {
    switch (op) {
        case OP_lt: return difference < 0;
        case OP_le: return difference <= 0;
        case OP_eq: return difference == 0;
        default: return difference != 0;
    }
}

Scalar *fold_compare(Module *m, Op op, Scalar *a, Scalar *b) {
    if (a->elem != ELEM_i32) {
        bool is_integral = !elem_is_real(a->elem);
        if (a == b && op == OP_lt) return scalar_bool(m, false);  // false of NaN too
        return a == b && is_integral ? scalar_bool(m, decide(op, 0)) : NULL;
    }
    Affine x, y;
    Scalar *rest_a, *rest_b;
    split_affine(m, a, &x, &rest_a);
    split_affine(m, b, &y, &rest_b);
    Affine difference = affine_add(m, x, affine_scale(m, y, -1));
    if (rest_a != rest_b || difference.n) return NULL;
    return scalar_bool(m, decide(op, difference.k));
}

static Scalar *negated(Module *m, Scalar *a) {
    bool is_real = op_info[a->op].rule == RULE_COMPARE && elem_is_real(a->arg[0]->elem);
    switch (a->op) {
        case OP_not: return a->arg[0];
        case OP_eq: return scalar_binary(m, OP_ne, a->arg[0], a->arg[1]);
        case OP_ne: return scalar_binary(m, OP_eq, a->arg[0], a->arg[1]);
        case OP_lt: return is_real ? NULL : scalar_binary(m, OP_le, a->arg[1], a->arg[0]);
        case OP_le: return is_real ? NULL : scalar_binary(m, OP_lt, a->arg[1], a->arg[0]);
        default: return NULL;
    }
}

Scalar *fold_logic(Module *m, Op op, Scalar *a, Scalar *b) {
    if (op == OP_not) return negated(m, a);
    if (a == b) return a;
    if (b->op != OP_const) return NULL;
    if (op == OP_and) return b->integer ? a : b;
    return b->integer ? b : a;
}

Scalar *fold_select(Module *m, Scalar *condition, Scalar *then, Scalar *otherwise) {
    if (condition->op == OP_const) return condition->integer ? then : otherwise;
    if (then == otherwise) return then;
    if (condition->op == OP_not) return scalar_select(m, condition->arg[0], otherwise, then);
    if (then->elem == ELEM_bool && then->op == OP_const && otherwise->op == OP_const)
        return then->integer ? condition : scalar_unary(m, OP_not, condition);
    return NULL;
}

// ---- guards and subscripts

static int64_t gcd(int64_t a, int64_t b) {
    a = llabs(a);
    b = llabs(b);
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static int64_t floor_div(int64_t a, int64_t b) {  // b > 0
    return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b) {
    return a - b * floor_div(a, b);
}

static int64_t common_factor(Affine a, int64_t with) {
    int64_t g = with;
    for (int i = 0; i < a.n; i++) g = gcd(g, a.t[i].c);
    return g;
}

// The terms divided by g, which divides them all, and k rounded down.
static Affine affine_divide(Module *m, Affine a, int64_t g) {
    Term *t = NEW_ARRAY(m->arena, Term, a.n);
    for (int i = 0; i < a.n; i++) t[i] = (Term){a.t[i].slot, a.t[i].c / g};
    return (Affine){a.n, t, floor_div(a.k, g)};
}

static Affine affine_modulo(Module *m, Affine a, int64_t mod) {
    Term *t = NEW_ARRAY(m->arena, Term, a.n);
    int n = 0;
    for (int i = 0; i < a.n; i++) {
        int64_t c = floor_mod(a.t[i].c, mod);
        if (c) t[n++] = (Term){a.t[i].slot, c};
    }
    return (Affine){n, t, floor_mod(a.k, mod)};
}

static Guard normal_guard(Module *m, Guard g) {
    if (g.s) {
        Affine moved;
        split_affine(m, g.s, &moved, &g.s);
        g.e = affine_add(m, g.e, moved);
    }
    if (g.mod) {
        g.e = affine_modulo(m, g.e, g.mod);
        int64_t f = g.s ? 1 : common_factor(g.e, g.mod);
        if (f > 1 && g.e.k % f == 0) {
            g.e = affine_divide(m, g.e, f);
            g.mod /= f;
        }
    } else if (!g.s && g.e.n) {
        int64_t f = common_factor(g.e, 0);
        if (f > 1) g.e = affine_divide(m, g.e, f);
    }
    return g;
}

static int compare_linear(Affine a, Affine b) {
    for (int i = 0; i < a.n && i < b.n; i++) {
        if (a.t[i].slot != b.t[i].slot) return a.t[i].slot < b.t[i].slot ? -1 : 1;
        if (a.t[i].c != b.t[i].c) return a.t[i].c > b.t[i].c ? -1 : 1;
    }
    return (a.n > b.n) - (a.n < b.n);
}

// Puts g among the sorted guards, unless one there says as much. Those with a scalar stay
// behind the others in the order in which they came.
static void insert_guard(Guard *out, int *n, Guard g) {
    int at = *n;
    for (int i = *n; i-- > 0;) {
        bool same_line = out[i].s == g.s && out[i].mod == g.mod && !compare_linear(out[i].e, g.e);
        if (same_line && !g.mod) {
            if (g.e.k < out[i].e.k) out[i].e.k = g.e.k;  // the stronger of the two
            return;
        }
        if (same_line && out[i].e.k == g.e.k) return;
        if (g.s) continue;
        int order = compare_linear(g.e, out[i].e);
        if (out[i].s || g.mod < out[i].mod || (g.mod == out[i].mod && order < 0)) at = i;
    }
    for (int i = *n; i > at; i--) out[i] = out[i - 1];
    out[at] = g;
    ++*n;
}

bool normal_guards(Module *m, const Guard *guard, int n, Guard *out, int *n_out) {
    *n_out = 0;
    for (int i = 0; i < n; i++) {
        Guard g = normal_guard(m, guard[i]);
        if (g.e.n || g.s) {
            if (g.mod == 1) continue;
            insert_guard(out, n_out, g);
        } else if (g.mod ? g.e.k % g.mod != 0 : g.e.k < 0) {
            return false;
        }
    }
    return true;
}

Subscript normal_subscript(Module *m, Subscript s) {
    if (s.gather) {
        Affine moved;
        split_affine(m, s.gather, &moved, &s.gather);
        // floor(a / div) + e = floor((a + div * e) / div)
        s.a = affine_add(m, s.a, affine_scale(m, moved, s.div));
    }
    if (s.div > 1) {
        int64_t f = common_factor(s.a, s.div);
        if (!s.a.n) f = s.div;
        if (f > 1) {  // floor((f x + k) / (f d)) = floor((x + floor(k / f)) / d)
            s.a = affine_divide(m, s.a, f);
            s.div /= f;
        }
    }
    return s;
}
