// Folding that knows the box: 0 <= slot < extent.
#include <string.h>

#include "ir/build.h"
#include "ir/fold.h"
#include "ir/rewrite.h"

// ---- what is known of an i32's range

static int64_t below_of_affine(const Scalar *s, const Dim *extent);

static int64_t below(const Scalar *s, const Dim *extent, int depth);

static int64_t below_of_pair(const Scalar *s, const Dim *extent, int depth) {
    int64_t a = below(s->arg[0], extent, depth), b = below(s->arg[1], extent, depth);
    bool b_is_const = s->arg[1]->op == OP_const;
    int64_t c = b_is_const ? s->arg[1]->integer : 0;
    switch (s->op) {
        case OP_mod: return c > 0 ? c : 0;
        case OP_idiv: return a && c > 0 ? (a - 1) / c + 1 : 0;
        case OP_add: return a && b && a + b <= INT32_MAX ? a + b - 1 : 0;
        case OP_mul:  // a, b <= 2^31
            return a && b && (a - 1) * (b - 1) < INT32_MAX ? (a - 1) * (b - 1) + 1 : 0;
        case OP_min: return a && b ? (a < b ? a : b) : 0;
        case OP_max: return a && b ? (a > b ? a : b) : 0;
        default: return 0;
    }
}

static int64_t below(const Scalar *s, const Dim *extent, int depth) {
    int64_t a, b;
    if (depth-- == 0) return 0;  // scalars share parts: a walk without memory must be short
    switch (s->op) {
        case OP_const: return s->integer >= 0 ? s->integer + 1 : 0;
        case OP_iv: return extent ? dim_max(extent[s->slot]) : 0;
        case OP_read:
            a = s->read->v->type.below;
            b = s->read->otherwise ? below(s->read->otherwise, extent, depth) : 1;
            return a && b ? (a > b ? a : b) : 0;
        case OP_to_int:
            if (s->arg[0]->elem == ELEM_bool) return 2;
            if (s->arg[0]->elem != ELEM_u8) return 0;
            a = below(s->arg[0], extent, depth);
            return a ? a : 256;
        case OP_select:
            a = below(s->arg[1], extent, depth);
            b = below(s->arg[2], extent, depth);
            return a && b ? (a > b ? a : b) : 0;
        case OP_sub:
        case OP_neg: return below_of_affine(s, extent);
        default: return op_info[s->op].arity == 2 ? below_of_pair(s, extent, depth) : 0;
    }
}

int64_t scalar_below(const Scalar *s, const Dim *extent) {
    return below(s, extent, 8);
}

// The reach of an affine scalar without building forms: false where it is not one.
static bool affine_reach(const Scalar *s, const Dim *extent, int64_t *low, int64_t *high) {
    int64_t a, b, c, d;
    switch (s->op) {
        case OP_const: *low = *high = s->integer; return true;
        case OP_iv:
            if (!extent) return false;
            *low = 0;
            *high = dim_max(extent[s->slot]) - 1;
            return true;
        case OP_neg:
            if (!affine_reach(s->arg[0], extent, &a, &b)) return false;
            return !__builtin_sub_overflow(0, b, low) && !__builtin_sub_overflow(0, a, high);
        case OP_add:
        case OP_sub:
            if (!affine_reach(s->arg[0], extent, &a, &b)) return false;
            if (!affine_reach(s->arg[1], extent, &c, &d)) return false;
            if (s->op == OP_add)
                return !__builtin_add_overflow(a, c, low) && !__builtin_add_overflow(b, d, high);
            return !__builtin_sub_overflow(a, d, low) && !__builtin_sub_overflow(b, c, high);
        case OP_mul:
            if (s->arg[1]->op != OP_const || !affine_reach(s->arg[0], extent, &a, &b)) return false;
            c = s->arg[1]->integer;
            return !__builtin_mul_overflow(c, c < 0 ? b : a, low) &&
                   !__builtin_mul_overflow(c, c < 0 ? a : b, high);
        default: return false;
    }
}

static int64_t below_of_affine(const Scalar *s, const Dim *extent) {
    int64_t low, high;
    return affine_reach(s, extent, &low, &high) && low >= 0 && high < INT32_MAX ? high + 1 : 0;
}

// ---- guards, divisions and comparisons that the box decides

bool fold_guards_in_box(Module *m, const Guard *guard, int n, const Dim *extent, Guard *out,
                        int *n_out) {
    (void)m;
    *n_out = 0;
    for (int i = 0; i < n; i++) {
        int64_t low, high;
        if (!guard[i].s && !guard[i].mod) {
            affine_range(guard[i].e, extent, &low, &high);
            if (low >= 0) continue;
            if (high < 0) return false;
        }
        out[(*n_out)++] = guard[i];
    }
    return true;
}

// floor(a / div) where a = div * quotient + remainder and the box holds 0 <= remainder < div.
static bool exact_quotient(Module *m, Affine a, int64_t div, const Dim *extent, Affine *quotient,
                           Affine *remainder) {
    Term *q = NEW_ARRAY(m->arena, Term, a.n), *r = NEW_ARRAY(m->arena, Term, a.n);
    *quotient = (Affine){.t = q};
    *remainder = (Affine){.t = r};
    for (int i = 0; i < a.n; i++) {
        Term t = a.t[i];
        if (t.c % div == 0)
            q[quotient->n++] = (Term){t.slot, t.c / div};
        else
            r[remainder->n++] = t;
    }
    remainder->k = a.k % div;
    if (remainder->k < 0) remainder->k += div;
    quotient->k = (a.k - remainder->k) / div;
    int64_t low, high;
    affine_range(*remainder, extent, &low, &high);
    return low >= 0 && high < div;
}

Subscript fold_subscript_in_box(Module *m, Subscript s, const Dim *extent) {
    Affine quotient, remainder;
    if (s.div > 1 && exact_quotient(m, s.a, s.div, extent, &quotient, &remainder)) {
        s.a = quotient;
        s.div = 1;
    }
    return s;
}

static Scalar *fold_read(Module *m, Scalar *s, const Dim *extent) {
    const Read *r = s->read;
    bool is_plain = r->n_guard == 0;
    for (int i = 0; i < r->v->type.rank && is_plain; i++) is_plain = r->sub[i].div == 1;
    if (is_plain) return s;
    Guard *guard = NEW_ARRAY(m->arena, Guard, r->n_guard);
    Subscript sub[MAX_RANK];
    int n;
    if (!fold_guards_in_box(m, r->guard, r->n_guard, extent, guard, &n)) return r->otherwise;
    for (int i = 0; i < r->v->type.rank; i++) sub[i] = fold_subscript_in_box(m, r->sub[i], extent);
    return scalar_read(m, r->v, sub, guard, n, n ? r->otherwise : NULL);
}

static Scalar *fold_division(Module *m, Scalar *s, const Dim *extent) {
    Affine a, quotient, remainder;
    if (s->arg[1]->op != OP_const || s->arg[1]->integer <= 0) return s;
    if (!scalar_as_affine(m, s->arg[0], &a)) return s;
    if (!exact_quotient(m, a, s->arg[1]->integer, extent, &quotient, &remainder)) return s;
    return scalar_affine(m, s->op == OP_idiv ? quotient : remainder);
}

static Scalar *fold_condition(Module *m, Scalar *s, const Dim *extent) {
    Affine a, b;
    int64_t low, high;  // of a - b
    if (s->arg[0]->elem != ELEM_i32) return s;
    if (!scalar_as_affine(m, s->arg[0], &a) || !scalar_as_affine(m, s->arg[1], &b)) return s;
    affine_range(affine_add(m, a, affine_scale(m, b, -1)), extent, &low, &high);
    bool apart = low > 0 || high < 0;
    switch (s->op) {
        case OP_lt: return high < 0 ? scalar_bool(m, true) : low >= 0 ? scalar_bool(m, false) : s;
        case OP_le: return high <= 0 ? scalar_bool(m, true) : low > 0 ? scalar_bool(m, false) : s;
        case OP_eq: return apart ? scalar_bool(m, false) : s;
        default: return apart ? scalar_bool(m, true) : s;
    }
}

static Scalar *fold_one(void *context, Module *m, Scalar *s) {
    const Dim *extent = context;
    if (s->op == OP_read) return fold_read(m, s, extent);
    if (s->elem == ELEM_i32 && (s->op == OP_idiv || s->op == OP_mod))
        return fold_division(m, s, extent);
    if (op_info[s->op].rule == RULE_COMPARE) return fold_condition(m, s, extent);
    return s;
}

Scalar *fold_in_box(Module *m, Scalar *s, const Dim *extent) {
    return scalar_rewrite(m, s, fold_one, (void *)extent);
}
