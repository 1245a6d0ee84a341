// The normal form: sums of monomials.
#include <math.h>

#include "ir/build.h"
#include "pass/algebra.h"

Monomial monomial_one(void) {
    return (Monomial){.coef = 1};
}

// ---- monomials

// sqrt(x)^2 is x.
static void fold_roots(Monomial *t, int at) {
    Factor *f = &t->factor[at];
    if (f->atom->op != OP_sqrt || f->power % 2) return;
    Factor inner = {f->atom->arg[0], f->power / 2};
    *f = t->factor[--t->n];
    monomial_factor(t, inner.atom, inner.power);
}

bool monomial_factor(Monomial *t, Scalar *atom, int power) {
    if (atom->op == OP_const && isfinite(atom->real) && atom->real != 0) {
        t->coef *= pow(atom->real, power);
        return true;
    }
    for (int i = 0; i < t->n; i++) {
        if (t->factor[i].atom != atom) continue;
        t->factor[i].power += power;
        if (t->factor[i].power)
            fold_roots(t, i);
        else
            t->factor[i] = t->factor[--t->n];
        return true;
    }
    if (t->n == MAX_FACTORS) return false;
    t->factor[t->n++] = (Factor){atom, power};
    fold_roots(t, t->n - 1);
    return true;
}

// The condition joins the others; one that contradicts them makes the monomial zero.
bool monomial_condition(Monomial *t, Scalar *condition) {
    for (int i = 0; i < t->n_condition; i++) {
        const Scalar *had = t->condition[i];
        if (had == condition) return true;
        bool contradicts = (had->op == OP_not && had->arg[0] == condition) ||
                           (condition->op == OP_not && condition->arg[0] == had);
        if (contradicts) t->coef = 0;
    }
    if (t->n_condition == MAX_CONDITIONS) return false;
    t->condition[t->n_condition++] = condition;
    return true;
}

static bool monomial_times(Monomial *t, const Monomial *by) {
    t->coef *= by->coef;
    bool fits = true;
    for (int i = 0; i < by->n; i++)
        fits &= monomial_factor(t, by->factor[i].atom, by->factor[i].power);
    for (int i = 0; i < by->n_condition; i++) fits &= monomial_condition(t, by->condition[i]);
    return fits;
}

static bool same_product(const Monomial *a, const Monomial *b) {
    if (a->n != b->n || a->n_condition != b->n_condition) return false;
    for (int i = 0; i < a->n; i++) {
        bool found = false;
        for (int j = 0; j < b->n; j++)
            found |=
                a->factor[i].atom == b->factor[j].atom && a->factor[i].power == b->factor[j].power;
        if (!found) return false;
    }
    for (int i = 0; i < a->n_condition; i++) {
        bool found = false;
        for (int j = 0; j < b->n_condition; j++) found |= a->condition[i] == b->condition[j];
        if (!found) return false;
    }
    return true;
}

// Bounded operations and stored tensors are taken as finite: 0 times them is 0.
static bool is_finite(const Monomial *t) {
    for (int i = 0; i < t->n; i++) {
        if (t->factor[i].power < 0) return false;
        switch (t->factor[i].atom->op) {
            case OP_read:
            case OP_rand:
            case OP_draw:
            case OP_tanh:
            case OP_sigmoid:
            case OP_erf:
            case OP_sin:
            case OP_cos:
            case OP_to_real: break;
            default: return false;
        }
    }
    return true;
}

// ---- sums

void poly_add(Algebra *a, Poly *p, const Monomial *t) {
    (void)a;
    if (p->is_too_large || (t->coef == 0 && (t->n_condition || is_finite(t)))) return;
    for (int i = 0; i < p->n; i++) {
        if (!same_product(&p->at[i], t)) continue;
        double sum = p->at[i].coef + t->coef;
        // What is left of a difference of equal numbers is their rounding.
        if (fabs(sum) <= 1e-13 * fabs(t->coef)) sum = 0;
        p->at[i].coef = sum;
        if (sum != 0) return;
        p->n--;
        for (int j = i; j < p->n; j++) p->at[j] = p->at[j + 1];
        return;
    }
    if (p->n == MAX_MONOMIALS)
        p->is_too_large = true;
    else
        p->at[p->n++] = *t;
}

// ---- from scalars

static bool is_zero(const Scalar *s) {
    return s->op == OP_const && elem_is_real(s->elem) && s->real == 0;
}

static bool is_zero_select(const Scalar *s) {
    return s->op == OP_select && elem_is_real(s->elem) &&
           (is_zero(s->arg[1]) || is_zero(s->arg[2]));
}

static Scalar *selected(Algebra *a, const Scalar *s, Scalar **condition) {
    bool otherwise = is_zero(s->arg[1]);
    *condition = otherwise ? scalar_unary(a->m, OP_not, s->arg[0]) : s->arg[0];
    return otherwise ? s->arg[2] : s->arg[1];
}

static bool add_conditions(Algebra *a, Monomial *t, Scalar *c) {
    if (c->op == OP_and) return add_conditions(a, t, c->arg[0]) && add_conditions(a, t, c->arg[1]);
    return monomial_condition(t, c);
}

// A difference is an atom in one direction only.
static Scalar *oriented(Algebra *a, Scalar *sum, int power, Monomial *t) {
    if (sum->op != OP_sub || sum->arg[0]->id < sum->arg[1]->id) return sum;
    if (power % 2) t->coef = -t->coef;
    return scalar_binary(a->m, OP_sub, sum->arg[1], sum->arg[0]);
}

static bool integer_power(const Scalar *s, int *power) {
    if (s->op != OP_pow || s->arg[1]->op != OP_const) return false;
    double p = s->arg[1]->real;
    *power = (int)p;
    return p == floor(p) && fabs(p) <= 4 && p != 0;
}

// Multiplies t by s^power.
static bool collect_product(Algebra *a, Scalar *s, int power, Monomial *t) {
    Scalar *condition;
    int p;
    switch (s->op) {
        case OP_mul:
            if (s->arg[0] == s->arg[1]) return collect_product(a, s->arg[0], 2 * power, t);
            return collect_product(a, s->arg[0], power, t) &&
                   collect_product(a, s->arg[1], power, t);
        case OP_div:
            return collect_product(a, s->arg[0], power, t) &&
                   collect_product(a, s->arg[1], -power, t);
        case OP_neg:
            if (power % 2) t->coef = -t->coef;
            return collect_product(a, s->arg[0], power, t);
        case OP_add:
        case OP_sub: return monomial_factor(t, oriented(a, s, power, t), power);
        case OP_select:
            if (power < 0 || !is_zero_select(s)) return monomial_factor(t, s, power);
            s = selected(a, s, &condition);
            return add_conditions(a, t, condition) && collect_product(a, s, power, t);
        case OP_pow:
            if (!integer_power(s, &p)) return monomial_factor(t, s, power);
            return collect_product(a, s->arg[0], power * p, t);
        default:
            if (!is_zero(s) || power < 0) return monomial_factor(t, s, power);
            t->coef = 0;
            return true;
    }
}

// Adds t * s to the sum.
static void collect_sum(Algebra *a, Scalar *s, const Monomial *t, Poly *p) {
    Monomial u = *t;
    Scalar *condition;
    if (p->is_too_large || ++p->n_visit > MAX_VISITS) {
        p->is_too_large = true;
        return;
    }
    switch (s->op) {
        case OP_add:
            collect_sum(a, s->arg[0], t, p);
            collect_sum(a, s->arg[1], t, p);
            return;
        case OP_sub:
            collect_sum(a, s->arg[0], t, p);
            u.coef = -u.coef;
            collect_sum(a, s->arg[1], &u, p);
            return;
        case OP_neg:
            u.coef = -u.coef;
            collect_sum(a, s->arg[0], &u, p);
            return;
        case OP_select:
            if (!is_zero_select(s)) break;
            s = selected(a, s, &condition);
            if (!add_conditions(a, &u, condition)) p->is_too_large = true;
            collect_sum(a, s, &u, p);
            return;
        default: break;
    }
    if (!collect_product(a, s, 1, &u)) p->is_too_large = true;
    poly_add(a, p, &u);
}

void poly_of(Algebra *a, Scalar *s, Poly *out) {
    out->n = out->n_visit = 0;
    out->is_too_large = false;
    Monomial one = monomial_one();
    collect_sum(a, s, &one, out);
}

// ---- multiplying out

static bool has_division(const Scalar *s, int depth) {
    if (!depth) return false;
    if (s->op == OP_div) return true;
    if (s->op != OP_add && s->op != OP_sub && s->op != OP_mul && s->op != OP_neg) return false;
    for (int i = 0; i < op_info[s->op].arity; i++)
        if (has_division(s->arg[i], depth - 1)) return true;
    return false;
}

// The sum to multiply out next: those with divisions first, since another factor may cancel
// with them. -1 where there is none.
static int next_sum(const Monomial *t) {
    int best = -1;
    for (int i = 0; i < t->n; i++) {
        const Factor *f = &t->factor[i];
        if (f->power != 1 || (f->atom->op != OP_add && f->atom->op != OP_sub)) continue;
        if (has_division(f->atom, 8)) return i;
        if (best < 0) best = i;
    }
    return best;
}

static void expand_monomial(Algebra *a, const Monomial *t, int *steps, Poly *out) {
    int at = next_sum(t);
    if (at < 0) return poly_add(a, out, t);
    if (++*steps > 64) {
        out->is_too_large = true;
        return;
    }
    Monomial rest = *t;
    Poly inner;
    poly_of(a, t->factor[at].atom, &inner);
    rest.factor[at] = rest.factor[--rest.n];
    if (inner.is_too_large) out->is_too_large = true;
    for (int i = 0; i < inner.n && !out->is_too_large; i++) {
        Monomial product = rest;
        if (!monomial_times(&product, &inner.at[i]))
            out->is_too_large = true;
        else
            expand_monomial(a, &product, steps, out);
    }
}

void poly_expanded(Algebra *a, const Poly *p, Poly *out) {
    int steps = 0;
    out->n = 0;
    out->is_too_large = p->is_too_large;
    for (int i = 0; i < p->n && !out->is_too_large; i++) expand_monomial(a, &p->at[i], &steps, out);
}
