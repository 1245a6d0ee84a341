// Proofs that reads stay in range: interval arithmetic over the box of the slots, with run-time
// extents as unknowns, and what enclosing conditions say.
#include <math.h>

#include "ir/fold.h"
#include "ir/prove.h"
#include "sema/elab.h"

enum { MAX_STEPS = 16 };    // how deep an interval is looked for
enum { MAX_VISITS = 4096 };  // of scalars, for a bound that is an extent

// ---- intervals

typedef struct Interval {
    double low, high;
} Interval;

static const Interval anything = {-INFINITY, INFINITY};

static Interval interval(Sema *s, const Scalar *x, const Dim *extent, int steps);

static Interval join(Interval a, Interval b) {
    return (Interval){fmin(a.low, b.low), fmax(a.high, b.high)};
}

// 0 * inf is 0 here: a bound that is never reached.
static double times(double a, double b) {
    return a == 0 || b == 0 ? 0 : a * b;
}

static Interval product(Interval a, Interval b) {
    double p[] = {times(a.low, b.low), times(a.low, b.high), times(a.high, b.low),
                  times(a.high, b.high)};
    Interval all = {p[0], p[0]};
    for (int i = 1; i < 4; i++) all = join(all, (Interval){p[i], p[i]});
    return all;
}

static Interval of_value(Sema *s, const Value *v, int steps) {
    if (v->type.below) return (Interval){0, (double)v->type.below - 1};
    if (v->type.elem == ELEM_bool) return (Interval){0, 1};
    if (v->type.elem == ELEM_u8) return (Interval){0, 255};
    const Extent *by = counted_extent(v);
    if (by) return (Interval){1, (double)by->max};
    if (v->op == VAL_reshape) return of_value(s, v->of, steps);
    if (v->op != VAL_index || v->index.n_where) return anything;
    RedKind red = v->index.red;
    if (red != RED_none && red != RED_max && red != RED_min) return anything;
    return interval(s, v->index.body, v->index.extent, steps);
}

static Interval of_quotient(Interval a, Interval b) {
    if (!(b.low > 0)) return anything;
    return product(a, (Interval){isinf(b.high) ? 0 : 1 / b.high, 1 / b.low});
}

static Interval of_mod(Interval b, bool is_real) {
    if (!(b.low > 0)) return anything;
    return (Interval){0, is_real ? b.high : b.high - 1};
}

static Interval of_op(Op op, const Interval *a, bool is_real) {
    switch (op) {
        case OP_add: return (Interval){a[0].low + a[1].low, a[0].high + a[1].high};
        case OP_sub: return (Interval){a[0].low - a[1].high, a[0].high - a[1].low};
        case OP_mul: return product(a[0], a[1]);
        case OP_div: return of_quotient(a[0], a[1]);
        case OP_idiv: {
            Interval q = of_quotient(a[0], a[1]);
            return (Interval){floor(q.low), floor(q.high)};
        }
        case OP_mod: return of_mod(a[1], is_real);
        case OP_neg: return (Interval){-a[0].high, -a[0].low};
        case OP_min: return (Interval){fmin(a[0].low, a[1].low), fmin(a[0].high, a[1].high)};
        case OP_max: return (Interval){fmax(a[0].low, a[1].low), fmax(a[0].high, a[1].high)};
        case OP_abs: {
            double most = fmax(fabs(a[0].low), fabs(a[0].high));
            bool has_zero = a[0].low <= 0 && a[0].high >= 0;
            return (Interval){has_zero ? 0 : fmin(fabs(a[0].low), fabs(a[0].high)), most};
        }
        case OP_floor:
        case OP_to_int: return (Interval){floor(a[0].low), floor(a[0].high)};
        case OP_round: return (Interval){nearbyint(a[0].low), nearbyint(a[0].high)};
        case OP_to_real:
        case OP_stop: return a[0];
        case OP_select: return join(a[1], a[2]);
        case OP_sigmoid: return (Interval){0, 1};
        case OP_tanh:
        case OP_erf:
        case OP_sin:
        case OP_cos: return (Interval){-1, 1};
        case OP_exp:
        case OP_sqrt: return (Interval){0, INFINITY};
        default: return anything;
    }
}

static Interval interval(Sema *s, const Scalar *x, const Dim *extent, int steps) {
    if (steps-- == 0) return anything;
    if (x->op == OP_const) {
        double at = elem_is_real(x->elem) ? x->real : (double)x->integer;
        return (Interval){at, at};
    }
    if (x->op == OP_iv) return (Interval){0, (double)dim_max(extent[x->slot]) - 1};
    if (op_is_draw(x->op)) return (Interval){0, 1 - 0x1p-24};
    if (x->op == OP_read) {
        Interval of = of_value(s, x->read->v, steps);
        return x->read->otherwise ? join(of, interval(s, x->read->otherwise, extent, steps)) : of;
    }
    if (x->elem == ELEM_bool) return (Interval){0, 1};
    Interval a[MAX_ARGS] = {{0}};
    for (int i = 0; i < op_info[x->op].arity; i++) a[i] = interval(s, x->arg[i], extent, steps);
    Interval of = of_op(x->op, a, elem_is_real(x->elem));
    return isnan(of.low) || isnan(of.high) ? anything : of;
}

void interval_of(Sema *s, Scalar *x, double *low, double *high) {
    Interval of = interval(s, x, slot_extents(s), MAX_STEPS);
    *low = of.low;
    *high = of.high;
}

int64_t class_count(Sema *s, const Exp *e) {
    double low, high;
    if (e->kind == EXP_stored && e->stored.v->type.below) return e->stored.v->type.below;
    if (exp_elem(s, e) == ELEM_bool || elem_is_real(exp_elem(s, e))) return 0;
    Shape shape = exp_axes(s, e);
    interval_of(s, exp_at(s, e, &shape), &low, &high);
    return low >= 0 && high < 0x1p31 ? (int64_t)high + 1 : 0;
}

// ---- below a run-time extent, for any value of that

// The number of rows, as an integer or as a real.
static bool is_count(const Scalar *x, Dim d) {
    if (x->op == OP_to_real) x = x->arg[0];
    return x->op == OP_read && d.n == 1 && counted_extent(x->read->v) == d.by;
}

// floor(u * rows), 0 <= u < 1: the product of such reals is rounded to less than rows, up to
// 2^24 of them, since no u is above 1 - 2^-24.
static bool is_share_of(Sema *s, const Scalar *x, const Dim *extent, Dim d) {
    if (x->op == OP_floor) x = x->arg[0];
    if (x->op != OP_mul || d.by->max > 1 << 24) return false;
    for (int i = 0; i < 2; i++) {
        if (!is_count(x->arg[i], d)) continue;
        Interval u = interval(s, x->arg[1 - i], extent, MAX_STEPS);
        if (u.low >= 0 && u.high <= 1 - 0x1p-24) return true;
    }
    return false;
}

// The number of a winner: row-major at the largest extents, so that a run-time extent in any slot
// but the first leaves numbers out.
static bool is_number_below(const Index *x, Dim d) {
    Dim points = dim_const(1);
    for (int i = x->np; i < x->np + x->nr; i++) {
        if (x->extent[i].by && i > x->np) return false;
        if (x->extent[i].by) points.by = x->extent[i].by;
        points.n *= x->extent[i].n;
    }
    return (!points.by || points.by == d.by) && points.n <= d.n;
}

static bool is_below(Sema *s, const Scalar *x, const Dim *extent, Dim d, int *steps);

static bool is_value_below(Sema *s, const Value *v, Dim d, int *steps) {
    if (v->type.below && v->type.below <= d.n) return true;
    if (v->op == VAL_reshape) return is_value_below(s, v->of, d, steps);
    if (v->op != VAL_index) return false;
    const Index *x = &v->index;
    if (x->red == RED_argmax || x->red == RED_argmin) return is_number_below(x, d);
    if (x->n_where || (x->red != RED_none && x->red != RED_max && x->red != RED_min)) return false;
    return is_below(s, x->body, x->extent, d, steps);
}

static bool is_below(Sema *s, const Scalar *x, const Dim *extent, Dim d, int *steps) {
    if ((*steps)-- <= 0) return false;
    Scalar *const *a = x->arg;
    switch (x->op) {
        case OP_const: return !elem_is_real(x->elem) && x->integer < d.n;
        case OP_iv:
            return dim_equal(extent[x->slot], d) ||
                   (!extent[x->slot].by && extent[x->slot].n <= d.n);
        case OP_read:
            return is_value_below(s, x->read->v, d, steps) &&
                   (!x->read->otherwise || is_below(s, x->read->otherwise, extent, d, steps));
        case OP_select:
            return is_below(s, a[1], extent, d, steps) && is_below(s, a[2], extent, d, steps);
        case OP_max:
            return is_below(s, a[0], extent, d, steps) && is_below(s, a[1], extent, d, steps);
        case OP_min:
            return is_below(s, a[0], extent, d, steps) || is_below(s, a[1], extent, d, steps);
        case OP_mod: return is_count(a[1], d);
        case OP_to_int: return is_share_of(s, a[0], extent, d);
        default: return false;
    }
}

// ---- claims: e + s + plus >= 0

enum { MAX_EXTENTS = 8 };

// The sum of p[i] times extent i, plus q.
typedef struct Line {
    double p[MAX_EXTENTS], q;
} Line;

static void add_dim(Line *x, Dim d, double c) {
    if (d.by)
        x->p[d.by->id] += c * (double)d.n;
    else
        x->q += c * (double)d.n;
}

static Line least(Sema *s, Claim c) {
    Line low = {.q = (double)c.e.k};
    for (int i = 0; i < c.e.n; i++) {
        double k = (double)c.e.t[i].c;
        if (k > 0) continue;
        low.q -= k;
        add_dim(&low, s->slots.at[c.e.t[i].slot].dim, k);
    }
    add_dim(&low, c.plus, 1);
    if (c.s) low.q += interval(s, c.s, slot_extents(s), MAX_STEPS).low;
    return low;
}

// A run-time extent is anything from 1 to its largest value.
static double lowest(const Sema *s, const Line *x) {
    double low = x->q;
    for (int i = 0; i < s->m->extents.n; i++)
        low += x->p[i] < 0 ? x->p[i] * (double)s->m->extents.at[i]->max : x->p[i];
    return low;
}

bool always(Sema *s, Claim c) {
    Line low = least(s, c);
    if (lowest(s, &low) >= 0) return true;
    bool is_upper_bound = c.s && c.s->op == OP_neg && c.plus.by && !c.e.n && c.e.k >= -1;
    return is_upper_bound && is_below(s, c.s->arg[0], slot_extents(s), c.plus, &(int){MAX_VISITS});
}

// c - k, where that has no scalar part.
static bool difference(Sema *s, Claim c, Claim k, Claim *out) {
    if (k.s && k.s != c.s) return false;
    if (c.plus.by != k.plus.by && c.plus.n && k.plus.n) return false;
    out->e = affine_add(s->m, c.e, affine_scale(s->m, k.e, -1));
    out->s = k.s ? NULL : c.s;
    out->plus = (Dim){c.plus.n - k.plus.n, c.plus.n ? c.plus.by : k.plus.by};
    return true;
}

bool implied(Sema *s, Claim c) {
    for (int i = 0; i < s->known.n; i++) {
        Claim rest;
        if (difference(s, c, s->known.at[i], &rest) && always(s, rest)) return true;
    }
    return false;
}

Guard claim_guard(Sema *s, Claim c) {
    if (!c.plus.by) return (Guard){affine_add_const(c.e, c.plus.n), c.s, 0};
    Scalar *rows = exp_at(s, exp_dim(s, c.plus), &(Shape){0});
    return (Guard){c.e, c.s ? scalar_binary(s->m, OP_add, c.s, rows) : rows, 0};
}

// ---- conditions

// a - b + k >= 0
static Claim at_least(Sema *s, Scalar *a, Scalar *b, int64_t k) {
    Affine ea, eb;
    Scalar *ra, *rb;
    split_affine(s->m, a, &ea, &ra);
    split_affine(s->m, b, &eb, &rb);
    Affine e = affine_add_const(affine_add(s->m, ea, affine_scale(s->m, eb, -1)), k);
    Scalar *rest = ra;
    if (rb) rest = ra ? scalar_binary(s->m, OP_sub, ra, rb) : scalar_unary(s->m, OP_neg, rb);
    return (Claim){.e = e, .s = rest};
}

static void add_claim(Sema *s, Claims *out, Scalar *a, Scalar *b, int64_t k) {
    vec_push(s->arena, out, at_least(s, a, b, k));
}

// Appends what the condition says where it holds (or fails); true where that is all of it.
static bool condition_claims(Sema *s, Scalar *c, bool holds, Claims *out) {
    Scalar *a = c->arg[0], *b = c->arg[1];
    bool compares = op_info[c->op].rule == RULE_COMPARE && a->elem == ELEM_i32;
    if (c->op == OP_not) return condition_claims(s, a, !holds, out);
    if (c->op == (holds ? OP_and : OP_or)) {
        bool all = condition_claims(s, a, holds, out);
        return condition_claims(s, b, holds, out) && all;
    }
    if (c->op == OP_const) return (c->integer != 0) == holds;
    if (!compares) return false;
    if (c->op == OP_lt) {
        if (holds)
            add_claim(s, out, b, a, -1);
        else
            add_claim(s, out, a, b, 0);
    } else if (c->op == OP_le) {
        if (holds)
            add_claim(s, out, b, a, 0);
        else
            add_claim(s, out, a, b, -1);
    } else if (c->op == (holds ? OP_eq : OP_ne)) {
        add_claim(s, out, a, b, 0);
        add_claim(s, out, b, a, 0);
    } else {
        return false;
    }
    return true;
}

void claims_of(Sema *s, Scalar *condition, bool holds, Claims *out) {
    condition_claims(s, condition, holds, out);
}

bool condition_guards(Sema *s, Scalar *condition, Guard *out, int room, int *n) {
    Claims claims = {0};
    if (!condition_claims(s, condition, true, &claims) || claims.n > room) return false;
    *n = claims.n;
    for (int i = 0; i < claims.n; i++) out[i] = claim_guard(s, claims.at[i]);
    return true;
}
