// Sums: what does not vary leaves them, a sum with one point is its term, and differences
// from a mean add up to nothing.
#include <math.h>
#include <string.h>

#include "ir/build.h"
#include "ir/rewrite.h"
#include "pass/algebra.h"

typedef struct Sum {
    Algebra *a;
    const Function *f;
    Index x;
    Dim extent[MAX_SLOTS];
    Span span;
    Name hint;
} Sum;

static Scalar *sum_scalar(Sum *s);

static Module *module_of(const Sum *s) {
    return s->a->m;
}

static unsigned reduced_slots(const Sum *s) {
    return ((1u << s->x.nr) - 1) << s->x.np;
}

static bool varies(const Sum *s, Scalar *e) {
    return (scalar_slots(s->a, e) & reduced_slots(s)) != 0;
}

// The same sum of something else.
static Sum sum_of(const Sum *s, Scalar *body) {
    Sum t = *s;
    t.x.body = body;
    t.x.extent = t.extent;
    return t;
}

static Scalar *sum_as_read(Sum *s) {
    s->x.extent = s->extent;
    return scalar_read_identity(module_of(s), build_index(module_of(s), &s->x, s->span, s->hint));
}

// ---- slots that go

// The sum without reduced slot `slot`, which is `at` wherever it stood.
static Scalar *without_slot(const Sum *s, int slot, Scalar *at, Scalar *body) {
    Module *m = module_of(s);
    Scalar *to[MAX_SLOTS] = {0};
    Affine move[MAX_SLOTS];
    to[slot] = at;
    for (int i = 0; i < MAX_SLOTS; i++)
        move[i] = i <= slot ? (Affine){.n = -1} : affine_slot(m, i - 1);
    Sum t = sum_of(s, scalar_subst(m, scalar_subst_scalar(m, body, to), move));
    for (int i = slot; i + 1 < s->x.np + s->x.nr; i++) t.extent[i] = s->extent[i + 1];
    if (--t.x.nr) return sum_scalar(&t);
    return algebra_simplify(s->a, t.x.body);
}

static int single_slot(const Sum *s) {
    if (s->x.n_where) return -1;
    for (int i = s->x.np; i < s->x.np + s->x.nr; i++)
        if (dim_equal(s->extent[i], dim_const(1))) return i;
    return -1;
}

static bool is_in_range(const Scalar *e, Dim extent, const Dim *box) {
    if (extent.by) return false;
    int64_t below = scalar_below(e, box);
    return below > 0 && below <= extent.n;
}

// A condition r == e leaves one point of slot r. Gives r and e.
static bool picks_point(const Sum *s, Scalar *condition, int *slot, Scalar **at) {
    if (condition->op != OP_eq || condition->arg[0]->elem != ELEM_i32) return false;
    for (int i = 0; i < 2; i++) {
        Scalar *iv = condition->arg[i], *e = condition->arg[1 - i];
        if (iv->op != OP_iv || iv->slot < s->x.np || varies(s, e)) continue;
        if (!is_in_range(e, s->extent[iv->slot], s->extent)) continue;
        *slot = iv->slot;
        *at = e;
        return true;
    }
    return false;
}

static Scalar *one_monomial(const Sum *s, const Monomial *t) {
    Poly p = {.n = 1};
    p.at[0] = *t;
    return poly_emit(s->a, &p);
}

// The term of a one-point sum, or NULL.
static Scalar *at_point(const Sum *s, const Monomial *t) {
    int slot;
    Scalar *at;
    for (int i = 0; !s->x.n_where && i < t->n_condition; i++) {
        if (!picks_point(s, t->condition[i], &slot, &at)) continue;
        Monomial rest = *t;
        rest.condition[i] = rest.condition[--rest.n_condition];
        return without_slot(s, slot, at, one_monomial(s, &rest));
    }
    return NULL;
}

// ---- what does not vary

// Not 0 for any finite elements, as far as one sees.
static bool is_never_zero(const Scalar *s) {
    if (s->op == OP_sqrt) return is_never_zero(s->arg[0]);
    if (s->op == OP_add) return s->arg[1]->op == OP_const && s->arg[1]->real > 0;
    return s->op == OP_exp;
}

static bool has_varying_condition(const Sum *s, const Monomial *t) {
    for (int i = 0; i < t->n_condition; i++)
        if (varies(s, t->condition[i])) return true;
    return false;
}

// Where no point takes part the sum is zero, whatever its terms would have been: a quotient
// must not become 0 times infinity outside.
static bool may_leave(const Sum *s, const Monomial *t, const Factor *f) {
    if (!s->x.n_where && !has_varying_condition(s, t)) return true;
    return f->power > 0 ? f->atom->op == OP_read : is_never_zero(f->atom);
}

static void split_monomial(const Sum *s, const Monomial *t, Monomial *outer, Monomial *inner) {
    *outer = *inner = monomial_one();
    outer->coef = t->coef;
    for (int i = 0; i < t->n; i++) {
        bool stays = varies(s, t->factor[i].atom) || !may_leave(s, t, &t->factor[i]);
        Monomial *to = stays ? inner : outer;
        to->factor[to->n++] = t->factor[i];
    }
    for (int i = 0; i < t->n_condition; i++) {
        Monomial *to = varies(s, t->condition[i]) ? inner : outer;
        to->condition[to->n_condition++] = t->condition[i];
    }
}

static bool is_one(const Monomial *t) {
    return t->n == 0 && t->n_condition == 0 && t->coef == 1;
}

// run.inv_rows, or run.inv_rows.train of another extent than the batch.
static Value *inverse_rows(const Function *f, const Extent *by) {
    static const char prefix[] = "run.inv_rows";
    for (int i = 0; i < f->inputs.n; i++) {
        const char *id = f->inputs.at[i]->leaf.name, *rest = id + strlen(prefix);
        if (strncmp(id, prefix, strlen(prefix))) continue;
        if (*rest ? *rest == '.' && !strcmp(rest + 1, by->name) : !strcmp(by->name, "batch"))
            return f->inputs.at[i];
    }
    return NULL;
}

// Multiplies t by the number of points. False, and t as it was, where that is not known.
static bool times_count(const Sum *s, Monomial *t) {
    Monomial counted = *t;
    if (s->x.n_where) return false;
    for (int i = s->x.np; i < s->x.np + s->x.nr; i++) {
        counted.coef *= (double)s->extent[i].n;
        if (!s->extent[i].by) continue;
        Value *inv = inverse_rows(s->f, s->extent[i].by);
        if (!inv) return false;
        if (!monomial_factor(&counted, scalar_read_identity(module_of(s), inv), -1)) return false;
    }
    *t = counted;
    return true;
}

// outer * sum(inner), simplified.
static Scalar *scaled_sum(Sum *s, const Monomial *outer, Scalar *inner) {
    Module *m = module_of(s);
    Scalar *sum = inner, *product;
    Monomial t = *outer;
    if (!monomial_factor(&t, sum, 1))
        product = scalar_binary(m, OP_mul, one_monomial(s, outer), sum);
    else
        product = one_monomial(s, &t);
    return algebra_simplify(s->a, product);
}

// One monomial: outer * sum(inner).
static Scalar *sum_of_monomial(Sum *s, const Monomial *t) {
    Monomial outer, inner;
    split_monomial(s, t, &outer, &inner);
    if (is_one(&inner) && times_count(s, &outer)) return one_monomial(s, &outer);
    if (is_one(&outer)) return sum_as_read(s);
    Sum rest = sum_of(s, one_monomial(s, &inner));
    return scaled_sum(s, &outer, sum_as_read(&rest));
}

// What all monomials have outside: factors with a power of one sign, and the coefficient's size.
static bool common_outer(const Sum *s, const Poly *p, Monomial *out) {
    Monomial outer, inner, other;
    split_monomial(s, &p->at[0], out, &inner);
    out->n_condition = 0;
    out->coef = fabs(out->coef);
    for (int j = 1; j < p->n; j++) {
        split_monomial(s, &p->at[j], &other, &inner);
        if (fabs(other.coef) != out->coef) out->coef = 1;
        outer = *out;
        out->n = 0;
        for (int i = 0; i < outer.n; i++) {
            Factor f = outer.factor[i];
            int power = 0;
            for (int k = 0; k < other.n; k++)
                if (other.factor[k].atom == f.atom) power = other.factor[k].power;
            if (power * f.power <= 0) continue;
            f.power = f.power > 0 ? (f.power < power ? f.power : power)
                                  : (f.power > power ? f.power : power);
            out->factor[out->n++] = f;
        }
    }
    if (out->coef == 0) out->coef = 1;
    return !is_one(out);
}

static Scalar *sum_without(Sum *s, const Poly *p, const Monomial *outer) {
    Poly rest = *p;
    for (int j = 0; j < rest.n; j++) {
        rest.at[j].coef /= outer->coef;
        for (int i = 0; i < outer->n; i++)
            monomial_factor(&rest.at[j], outer->factor[i].atom, -outer->factor[i].power);
    }
    Sum inner = sum_of(s, poly_emit(s->a, &rest));
    return scaled_sum(s, outer, sum_scalar(&inner));
}

// ---- sums of several monomials

// All of them vary alike: (sum of what is outside) * sum(inner). NULL where they don't.
static Scalar *sum_of_alike(Sum *s, const Poly *p) {
    Monomial outer, first, inner;
    Poly outside = {0};
    for (int j = 0; j < p->n; j++) {
        split_monomial(s, &p->at[j], &outer, &inner);
        if (!j) first = inner;
        if (inner.n != first.n || inner.n_condition != first.n_condition) return NULL;
        for (int i = 0; i < inner.n; i++) {
            bool found = false;
            for (int k = 0; k < first.n; k++)
                found |= first.factor[k].atom == inner.factor[i].atom &&
                         first.factor[k].power == inner.factor[i].power;
            if (!found) return NULL;
        }
        for (int i = 0; i < inner.n_condition; i++)
            if (inner.condition[i] != first.condition[i]) return NULL;
        poly_add(s->a, &outside, &outer);
    }
    Sum rest = sum_of(s, one_monomial(s, &first));
    Scalar *product =
        scalar_binary(module_of(s), OP_mul, poly_emit(s->a, &outside), sum_scalar(&rest));
    return algebra_simplify(s->a, product);
}

// Reads of small pointwise values replaced by what they hold, once.
static Scalar *look_through(void *context, Module *m, Scalar *s) {
    (void)context;
    if (s->op != OP_read || s->read->n_guard) return s;
    const Value *v = s->read->v;
    if (v->op != VAL_index || v->index.nr) return s;
    Affine to[MAX_SLOTS];
    for (int i = 0; i < v->type.rank; i++) {
        if (s->read->sub[i].div != 1 || s->read->sub[i].gather) return s;
        to[i] = s->read->sub[i].a;
    }
    return scalar_subst(m, v->index.body, to);
}

static bool is_nothing(const Sum *s, Scalar *e) {
    Poly p, wide;
    poly_of(s->a, e, &p);
    poly_expanded(s->a, &p, &wide);
    return !wide.is_too_large && wide.n == 0;
}

// sum(x - mean of x) is 0: the terms that don't vary, times their number, against the rest.
static bool is_centred(Sum *s, const Poly *p) {
    Module *m = module_of(s);
    Poly varying = {0}, fixed = {0};
    for (int j = 0; j < p->n; j++) {
        Monomial outer, inner;
        split_monomial(s, &p->at[j], &outer, &inner);
        if (!is_one(&inner))
            poly_add(s->a, &varying, &p->at[j]);
        else if (times_count(s, &outer))
            poly_add(s->a, &fixed, &outer);
        else
            return false;
    }
    if (!varying.n || !fixed.n) return false;
    Sum rest = sum_of(s, poly_emit(s->a, &varying));
    Scalar *both = scalar_binary(m, OP_add, sum_scalar(&rest), poly_emit(s->a, &fixed));
    return is_nothing(s, both) ||
           is_nothing(s, algebra_simplify(s->a, scalar_rewrite(m, both, look_through, NULL)));
}

// Terms that pick one point are taken out of the sum.
static Scalar *sum_of_points(Sum *s, const Poly *p) {
    Module *m = module_of(s);
    Poly rest = {0};
    Scalar *points = NULL;
    for (int j = 0; j < p->n; j++) {
        Scalar *one = at_point(s, &p->at[j]);
        if (!one)
            poly_add(s->a, &rest, &p->at[j]);
        else
            points = points ? scalar_binary(m, OP_add, points, one) : one;
    }
    if (!points) return NULL;
    if (rest.n) {
        Sum t = sum_of(s, poly_emit(s->a, &rest));
        points = scalar_binary(m, OP_add, points, sum_scalar(&t));
    }
    return algebra_simplify(s->a, points);
}

static Scalar *sum_scalar(Sum *s) {
    Module *m = module_of(s);
    Poly p, wide;
    Monomial outer;
    s->x.body = algebra_simplify(s->a, s->x.body);
    int single = single_slot(s);
    if (single >= 0) return without_slot(s, single, scalar_int(m, 0), s->x.body);
    poly_of(s->a, s->x.body, &p);
    if (p.is_too_large) return sum_as_read(s);
    if (p.n == 0) return scalar_real(m, 0);
    Scalar *points = sum_of_points(s, &p);
    if (points) return points;
    if (p.n == 1) {
        poly_expanded(s->a, &p, &wide);
        if (!wide.is_too_large && wide.n > 1 && is_centred(s, &wide)) return scalar_real(m, 0);
        return sum_of_monomial(s, &p.at[0]);
    }
    if (is_centred(s, &p)) return scalar_real(m, 0);
    Scalar *alike = sum_of_alike(s, &p);
    if (alike) return alike;
    return common_outer(s, &p, &outer) ? sum_without(s, &p, &outer) : sum_as_read(s);
}

Value *factor_sum(Algebra *a, Value *v, const Function *f) {
    Sum s = {.a = a, .f = f, .x = v->index, .span = v->span, .hint = v->hint};
    for (int i = 0; i < s.x.np + s.x.nr; i++) s.extent[i] = v->index.extent[i];
    s.x.extent = s.extent;
    return build_map(a->m, s.x.np, v->index.extent, sum_scalar(&s), v->span, v->hint);
}
