// From the normal form back to a scalar: common conditions and factors outermost, then Horner
// by the factor that most monomials share.
#include <math.h>
#include <stdlib.h>

#include "ir/build.h"
#include "pass/algebra.h"

static Scalar *emit_sum(Algebra *a, Poly *p);

static Scalar *op2(Algebra *a, Op op, Scalar *x, Scalar *y) {
    return scalar_binary(a->m, op, x, y);
}

// ---- one product

static Scalar *times(Algebra *a, Scalar *x, Scalar *y) {
    return x ? op2(a, OP_mul, x, y) : y;
}

static Scalar *raised(Algebra *a, Scalar *x, int power) {
    if (power == 1) return x;
    Scalar *half = raised(a, x, power / 2);
    Scalar *square = op2(a, OP_mul, half, half);
    return power % 2 ? op2(a, OP_mul, square, x) : square;
}

typedef struct Ranked {
    Scalar *s;
    int n_slots, id;
    unsigned slots;
} Ranked;

static int by_slots(const void *x, const void *y) {
    const Ranked *a = x, *b = y;
    if (a->n_slots != b->n_slots) return a->n_slots - b->n_slots;
    return (a->id > b->id) - (a->id < b->id);
}

// Factors above or below the line, those that vary least first: their product may be
// computed outside the inner loops.
static int ranked(Algebra *a, const Monomial *t, int sign, Ranked *out) {
    int n = 0;
    for (int i = 0; i < t->n; i++) {
        const Factor *f = &t->factor[i];
        if (f->power * sign < 0) continue;
        unsigned slots = scalar_slots(a, f->atom);
        out[n++] = (Ranked){raised(a, f->atom, abs(f->power)), __builtin_popcount(slots),
                            f->atom->id, slots};
    }
    qsort(out, (size_t)n, sizeof *out, by_slots);
    return n;
}

static unsigned slots_of(const Ranked *r, int n) {
    unsigned set = 0;
    for (int i = 0; i < n; i++) set |= r[i].slots;
    return set;
}

// |coef| * product, conditions left out. A divisor that varies less than the whole divides
// what varies no more than it does.
static Scalar *emit_product(Algebra *a, const Monomial *t, double coef) {
    Ranked up[MAX_FACTORS], down[MAX_FACTORS];
    int n_up = ranked(a, t, 1, up), n_down = ranked(a, t, -1, down);
    unsigned all_up = slots_of(up, n_up), all_down = slots_of(down, n_down);
    Scalar *over = NULL, *poor = NULL, *rich = NULL;
    for (int i = 0; i < n_down; i++) over = times(a, over, down[i].s);
    bool splits = over && (all_up & ~all_down);
    for (int i = 0; i < n_up; i++) {
        bool is_poor = splits && !(up[i].slots & ~all_down);
        if (is_poor)
            poor = times(a, poor, up[i].s);
        else
            rich = times(a, rich, up[i].s);
    }
    if (poor && coef != 1) poor = op2(a, OP_mul, poor, scalar_real(a->m, coef));
    if (poor) return op2(a, OP_mul, op2(a, OP_div, poor, over), rich);
    if (!rich)
        rich = scalar_real(a->m, coef);
    else if (coef != 1)
        rich = op2(a, OP_mul, rich, scalar_real(a->m, coef));
    return over ? op2(a, OP_div, rich, over) : rich;
}

// A negative sign is taken by a difference among the factors where there is one.
static Scalar *emit_signed(Algebra *a, const Monomial *t) {
    Monomial u = *t;
    if (u.coef >= 0 || isnan(u.coef)) return emit_product(a, &u, u.coef);
    for (int i = 0; i < u.n; i++) {
        Factor *f = &u.factor[i];
        if (f->atom->op != OP_sub || f->power % 2 == 0) continue;
        f->atom = op2(a, OP_sub, f->atom->arg[1], f->atom->arg[0]);
        return emit_product(a, &u, -u.coef);
    }
    return scalar_unary(a->m, OP_neg, emit_product(a, &u, -u.coef));
}

static Scalar *emit_condition(Algebra *a, const Monomial *t) {
    Scalar *all = scalar_bool(a->m, true);
    for (int i = 0; i < t->n_condition; i++) all = op2(a, OP_and, all, t->condition[i]);
    return all;
}

static Scalar *select_or_zero(Algebra *a, Scalar *condition, Scalar *s) {
    return scalar_select(a->m, condition, s, scalar_real(a->m, 0));
}

// ---- what all monomials share

static int power_in(const Monomial *t, const Scalar *atom) {
    for (int i = 0; i < t->n; i++)
        if (t->factor[i].atom == atom) return t->factor[i].power;
    return 0;
}

static int shared_power(int x, int y) {
    if (x > 0 && y > 0) return x < y ? x : y;
    if (x < 0 && y < 0) return x > y ? x : y;
    return 0;
}

static bool has_condition(const Monomial *t, const Scalar *c) {
    for (int i = 0; i < t->n_condition; i++)
        if (t->condition[i] == c) return true;
    return false;
}

static void drop_condition(Monomial *t, const Scalar *c) {
    for (int i = 0; i < t->n_condition; i++) {
        if (t->condition[i] != c) continue;
        t->n_condition--;
        for (int j = i; j < t->n_condition; j++) t->condition[j] = t->condition[j + 1];
        return;
    }
}

static Monomial common_factors(const Poly *p) {
    Monomial c = monomial_one();
    for (int i = 0; i < p->at[0].n; i++) {
        Factor f = p->at[0].factor[i];
        for (int j = 1; j < p->n && f.power; j++)
            f.power = shared_power(f.power, power_in(&p->at[j], f.atom));
        if (f.power) c.factor[c.n++] = f;
    }
    double coef = fabs(p->at[0].coef);
    bool same = true;
    for (int j = 1; j < p->n; j++) same &= fabs(p->at[j].coef) == coef;
    if (same && coef > 0) c.coef = coef;
    return c;
}

static Scalar *emit_common_conditions(Algebra *a, Poly *p) {
    Monomial shared = monomial_one();
    for (int i = 0; i < p->at[0].n_condition; i++) {
        Scalar *c = p->at[0].condition[i];
        bool in_all = true;
        for (int j = 1; j < p->n; j++) in_all &= has_condition(&p->at[j], c);
        if (in_all) shared.condition[shared.n_condition++] = c;
    }
    if (!shared.n_condition) return NULL;
    for (int j = 0; j < p->n; j++)
        for (int i = 0; i < shared.n_condition; i++) drop_condition(&p->at[j], shared.condition[i]);
    return select_or_zero(a, emit_condition(a, &shared), emit_sum(a, p));
}

// Not where every monomial stands under some condition: outside all of them the factor
// could be infinite, and the sum must be zero.
static Scalar *emit_common_factors(Algebra *a, Poly *p) {
    bool is_guarded = true;
    for (int j = 0; j < p->n; j++) is_guarded &= p->at[j].n_condition > 0;
    if (is_guarded) return NULL;
    Monomial shared = common_factors(p);
    if (!shared.n && shared.coef == 1) return NULL;
    for (int j = 0; j < p->n; j++) {
        p->at[j].coef /= shared.coef;
        for (int i = 0; i < shared.n; i++)
            monomial_factor(&p->at[j], shared.factor[i].atom, -shared.factor[i].power);
    }
    Scalar *inner = emit_sum(a, p);
    bool is_negated = inner->op == OP_neg;
    monomial_factor(&shared, is_negated ? inner->arg[0] : inner, 1);
    if (is_negated) shared.coef = -shared.coef;
    return emit_signed(a, &shared);
}

// ---- parts

static void split_poly(const Poly *p, const bool *is_in, Poly *in, Poly *out) {
    in->n = out->n = 0;
    in->is_too_large = out->is_too_large = false;
    for (int j = 0; j < p->n; j++) {
        Poly *to = is_in[j] ? in : out;
        to->at[to->n++] = p->at[j];
    }
}

static Scalar *complement(Algebra *a, Scalar *c) {
    return scalar_unary(a->m, OP_not, c);
}

// The condition that most monomials share (first wins), with its complement as other arm.
static Scalar *emit_by_condition(Algebra *a, Poly *p) {
    Scalar *best = NULL;
    int most = 0;
    for (int j = 0; j < p->n; j++) {
        for (int i = 0; i < p->at[j].n_condition; i++) {
            int n = 0;
            for (int k = 0; k < p->n; k++) n += has_condition(&p->at[k], p->at[j].condition[i]);
            if (n <= most) continue;
            most = n;
            best = p->at[j].condition[i];
        }
    }
    if (!best) return NULL;
    bool is_in[MAX_MONOMIALS], is_against[MAX_MONOMIALS];
    Poly then, rest, against, other;
    Scalar *opposite = complement(a, best);
    for (int j = 0; j < p->n; j++) is_in[j] = has_condition(&p->at[j], best);
    split_poly(p, is_in, &then, &rest);
    for (int j = 0; j < rest.n; j++) is_against[j] = has_condition(&rest.at[j], opposite);
    split_poly(&rest, is_against, &against, &other);
    for (int j = 0; j < then.n; j++) drop_condition(&then.at[j], best);
    for (int j = 0; j < against.n; j++) drop_condition(&against.at[j], opposite);
    Scalar *zero = scalar_real(a->m, 0);
    bool is_negative = other.n && !against.n && then.n == 1 && then.at[0].coef < 0;
    if (is_negative) then.at[0].coef = -then.at[0].coef;
    Scalar *arm = against.n ? emit_sum(a, &against) : zero;
    Scalar *s = scalar_select(a->m, best, emit_sum(a, &then), arm);
    if (!other.n) return s;
    return op2(a, is_negative ? OP_sub : OP_add, emit_sum(a, &other), s);
}

// Horner by the factor in most monomials, at least two.
static Scalar *emit_by_factor(Algebra *a, Poly *p) {
    Scalar *best = NULL;
    int most = 1, sign = 1;
    for (int j = 0; j < p->n; j++) {
        for (int i = 0; i < p->at[j].n; i++) {
            const Factor *f = &p->at[j].factor[i];
            int n = 0;
            for (int k = 0; k < p->n; k++) n += power_in(&p->at[k], f->atom) * f->power > 0;
            if (n <= most) continue;
            most = n;
            best = f->atom;
            sign = f->power > 0 ? 1 : -1;
        }
    }
    if (!best) return NULL;
    bool is_in[MAX_MONOMIALS];
    Poly in, out;
    for (int j = 0; j < p->n; j++) is_in[j] = power_in(&p->at[j], best) * sign > 0;
    split_poly(p, is_in, &in, &out);
    Scalar *first = emit_sum(a, &in);
    Scalar *rest = emit_sum(a, &out);
    return op2(a, OP_add, first, rest);  // a negation inside becomes a subtraction
}

static Scalar *emit_terms(Algebra *a, const Poly *p) {
    Scalar *sum = NULL;
    for (int sign = 1; sign >= -1; sign -= 2) {
        for (int j = 0; j < p->n; j++) {
            const Monomial *t = &p->at[j];
            if ((t->coef < 0) != (sign < 0)) continue;
            if (!sum)
                sum = emit_signed(a, t);
            else if (sign > 0)
                sum = op2(a, OP_add, sum, emit_signed(a, t));
            else
                sum = op2(a, OP_sub, sum, emit_product(a, t, -t->coef));
        }
    }
    return sum;
}

static Scalar *emit_sum(Algebra *a, Poly *p) {
    if (!p->n) return scalar_real(a->m, 0);
    if (p->n == 1)
        return select_or_zero(a, emit_condition(a, &p->at[0]), emit_signed(a, &p->at[0]));
    Scalar *s = emit_common_conditions(a, p);
    if (!s) s = emit_common_factors(a, p);
    if (!s) s = emit_by_condition(a, p);
    if (!s) s = emit_by_factor(a, p);
    return s ? s : emit_terms(a, p);
}

Scalar *poly_emit(Algebra *a, const Poly *p) {
    Poly copy = *p;
    return emit_sum(a, &copy);
}
