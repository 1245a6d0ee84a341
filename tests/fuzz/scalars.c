// Random scalar expressions over a box, each with the range of its values.
#include <math.h>

#include "tests/fuzz/gen.h"

enum { MAX_READS = 4, MAX_COSTLY = 2 };

void begin_body(Gen *g) {
    g->n_read = g->n_costly = 0;
}

Affine slot(Gen *g, int s) {
    return affine_slot(g->m, s);
}

static Ex unary(Gen *g, Op op, Ex a, double low, double high) {
    return (Ex){scalar_unary(g->m, op, a.s), low, high};
}

static Ex binary(Gen *g, Op op, Ex a, Ex b, double low, double high) {
    return (Ex){scalar_binary(g->m, op, a.s, b.s), low, high};
}

static Ex real(Gen *g, double x) {
    return (Ex){scalar_real(g->m, x), x, x};
}

static Ex integer(Gen *g, int64_t x) {
    return (Ex){scalar_int(g->m, x), (double)x, (double)x};
}

// Three digits, and some more that no data have.
static double threshold(Gen *g, double low, double high) {
    return low + (high - low) * (double)between(g, 1, 999) / 1000 + 0.00012345;
}

static double reach(Ex x) {
    return fmax(fabs(x.low), fabs(x.high));
}

static double least4(double a, double b, double c, double d) {
    return fmin(fmin(a, b), fmin(c, d));
}

static double most4(double a, double b, double c, double d) {
    return fmax(fmax(a, b), fmax(c, d));
}

static Ex times(Gen *g, Ex a, Ex b) {
    double w = a.low * b.low, x = a.low * b.high, y = a.high * b.low, z = a.high * b.high;
    return binary(g, OP_mul, a, b, least4(w, x, y, z), most4(w, x, y, z));
}

static Ex plus(Gen *g, Ex a, Ex b) {
    return binary(g, OP_add, a, b, a.low + b.low, a.high + b.high);
}

static Ex absolute(Gen *g, Ex a) {
    double low = a.low > 0 ? a.low : a.high < 0 ? -a.high : 0;
    return unary(g, OP_abs, a, low, reach(a));
}

// ---- keeping ranges

Ex bounded(Gen *g, Ex x, double most) {
    double r = reach(x);
    if (r <= most) return x;
    double scale = most / r;  // to two digits, rounded down
    double unit = pow(10, floor(log10(scale)) - 1);
    scale = floor(scale / unit) * unit;
    return times(g, x, real(g, scale));
}

Ex positive(Gen *g, Ex x) {
    if (x.low >= 0.3) return x;
    switch (pick(g, 3)) {
        case 0: return plus(g, absolute(g, x), real(g, 0.5));
        case 1:
            x = bounded(g, x, 30);
            return binary(g, OP_add, binary(g, OP_mul, x, x, 0, reach(x) * reach(x)),
                          real(g, 0.4), 0.4, reach(x) * reach(x) + 0.4);
        default: return binary(g, OP_max, x, real(g, 0.35), 0.35, fmax(x.high, 0.35));
    }
}

// ---- slots and affine forms

static int any_slot(Gen *g, const Box *b) {
    return (int)pick(g, box_slots(b));
}

static Affine term(Gen *g, int s, int64_t c) {
    return affine_scale(g->m, slot(g, s), c);
}

static Affine random_affine(Gen *g, const Box *b, int64_t most_k) {
    static const int64_t c[] = {1, 1, 1, -1, 2, -2, 3};
    Affine a = affine_const(between(g, -most_k, most_k));
    if (!box_slots(b)) return a;
    int n = chance(g, 35) ? 2 : 1;
    for (int i = 0; i < n; i++)
        a = affine_add(g->m, a, term(g, any_slot(g, b), c[pick(g, 7)]));
    return a;
}

Guard gen_guard(Gen *g, const Box *b) {
    Affine a = random_affine(g, b, 2);
    int64_t low, high;
    if (chance(g, 30)) return (Guard){a, NULL, between(g, 2, 3)};
    Scalar *s = NULL;
    if (chance(g, 20)) {
        Ex e = gen_int(g, b, 0);
        s = e.s;
    }
    affine_range(a, b->extent, &low, &high);
    // Holds at a third of the points or more.
    a = affine_add_const(a, -low - between(g, 0, 2 * (high - low) / 3));
    return (Guard){a, s, 0};
}

void add_axis_guards(Gen *g, const Box *b, Axes *x, Affine a, int64_t div, int64_t n) {
    int64_t low, high;
    affine_range(a, b->extent, &low, &high);
    if (low < 0) x->guard[x->n_guard++] = (Guard){a, NULL, 0};
    if (high > n * div - 1) {
        Affine left = affine_add_const(affine_scale(g->m, a, -1), n * div - 1);
        x->guard[x->n_guard++] = (Guard){left, NULL, 0};
    }
}

// ---- subscripts

static Subscript plain(Affine a) {
    return (Subscript){a, 1, NULL};
}

static int slot_of_dim(Gen *g, const Box *b, Dim d, unsigned used) {
    int found[MAX_SLOTS], n = 0;
    for (int pass = 0; pass < 2 && !n; pass++)
        for (int s = 0; s < box_slots(b); s++)
            if (dim_equal(b->extent[s], d) && (pass || !(used >> s & 1))) found[n++] = s;
    return n ? found[pick(g, n)] : -1;
}

// An axis with a run-time extent: its own slot, perhaps one before it, or its first point.
static Subscript runtime_axis(Gen *g, const Box *b, Dim d, unsigned *used, Axes *x) {
    int s = slot_of_dim(g, b, d, *used);
    if (s < 0) return plain(affine_const(0));
    *used |= 1u << s;
    if (!chance(g, 8)) return plain(slot(g, s));
    Affine before = affine_add_const(slot(g, s), -1);
    x->guard[x->n_guard++] = (Guard){before, NULL, 0};
    return plain(before);
}

static Subscript gathered_axis(Gen *g, const Box *b, int64_t n, int depth, Axes *x) {
    if (chance(g, 15)) {  // guarded on both sides by what is gathered
        Ex e = gen_int(g, b, depth);
        x->guard[x->n_guard++] = (Guard){affine_const(0), e.s, 0};
        x->guard[x->n_guard++] =
            (Guard){affine_const(n - 1), scalar_unary(g->m, OP_neg, e.s), 0};
        return (Subscript){affine_const(0), 1, e.s};
    }
    int64_t part = n > 2 && chance(g, 25) ? between(g, 1, n - 1) : n;
    Ex e = gen_below(g, b, part, depth);
    return (Subscript){affine_const(between(g, 0, n - part)), 1, e.s};
}

// Shapes of an affine subscript that may need guards.
static Subscript guarded_axis(Gen *g, const Box *b, int64_t n, Axes *x) {
    Affine a = random_affine(g, b, n < 4 ? 1 : 3);
    int64_t div = chance(g, 20) ? between(g, 2, 3) : 1;
    if (div > 1 && chance(g, 50)) x->guard[x->n_guard++] = (Guard){a, NULL, div};
    add_axis_guards(g, b, x, a, div, n);
    return (Subscript){a, div, NULL};
}

// An affine form that stays inside by itself, or a constant.
static Subscript inside_axis(Gen *g, const Box *b, int64_t n, unsigned *used) {
    for (int attempt = 0; attempt < 6; attempt++) {
        int s = any_slot(g, b);
        int64_t e = dim_max(b->extent[s]), low, high, div = 1;
        if (*used >> s & 1 && chance(g, 60)) continue;
        Affine a;
        switch (pick(g, 6)) {
            case 0: a = term(g, s, -1); break;
            case 1: a = term(g, s, between(g, 2, 3)); break;
            case 2: {
                int t = any_slot(g, b);
                int64_t c = chance(g, 50) ? dim_max(b->extent[t]) : between(g, 1, 3);
                a = affine_add(g->m, term(g, s, c), slot(g, t));
                break;
            }
            case 3: div = between(g, 2, 3); a = term(g, s, between(g, 1, 2)); break;
            default: a = slot(g, s); break;
        }
        affine_range(a, b->extent, &low, &high);
        int64_t room = n * div - 1 - (high - low);
        if (room < 0 || e < 1) continue;
        *used |= 1u << s;
        return (Subscript){affine_add_const(a, -low + between(g, 0, room)), div, NULL};
    }
    return plain(affine_const(between(g, 0, n - 1)));
}

static Subscript gen_axis(Gen *g, const Box *b, Dim d, unsigned *used, Axes *x, int depth) {
    if (d.by) return runtime_axis(g, b, d, used, x);
    int s = slot_of_dim(g, b, d, *used);
    if (s >= 0 && (!(*used >> s & 1) || chance(g, 10)) && chance(g, 75)) {
        *used |= 1u << s;
        return plain(slot(g, s));
    }
    if (!box_slots(b)) return plain(affine_const(between(g, 0, d.n - 1)));
    int64_t how = pick(g, 100);
    if (how < 60) return inside_axis(g, b, d.n, used);
    if (how < 78 && x->n_guard < 4) return guarded_axis(g, b, d.n, x);
    if (how < 90 && depth > 0) return gathered_axis(g, b, d.n, depth - 1, x);
    return inside_axis(g, b, d.n, used);
}

static Ex gen_otherwise(Gen *g, const Box *b, Elem elem, int64_t below, int depth) {
    if (elem_is_real(elem)) {
        if (chance(g, 60)) return real(g, chance(g, 70) ? 0 : threshold(g, -1, 1));
        return gen_real(g, b, depth - 1);
    }
    if (elem == ELEM_i32) {
        if (below) return gen_below(g, b, below, depth - 1);
        return gen_int(g, b, depth - 1);
    }
    if (elem == ELEM_bool) return (Ex){gen_bool(g, b, depth - 1), 0, 1};
    double x = (double)pick(g, below ? below : 256);
    return (Ex){scalar_const(g->m, elem, x), x, x};
}

Scalar *read_somewhere(Gen *g, const Box *b, Value *v, Ex *range, int depth) {
    Axes x = {.n_guard = 0};
    unsigned used = 0;
    int n_step = steps_of(g, v);
    for (int i = 0; i < n_step; i++) {
        x.sub[i] = plain(slot(g, i));
        used |= 1u << i;
    }
    for (int i = n_step; i < v->type.rank; i++)
        x.sub[i] = gen_axis(g, b, v->type.dim[i], &used, &x, depth);
    if (box_slots(b) && chance(g, 6)) x.guard[x.n_guard++] = gen_guard(g, b);
    Scalar *otherwise = NULL;
    if (x.n_guard) {
        Ex e = gen_otherwise(g, b, v->type.elem, v->type.below, depth);
        otherwise = e.s;
        range->low = fmin(range->low, e.low);
        range->high = fmax(range->high, e.high);
    }
    g->n_read++;
    return scalar_read(g->m, v, x.sub, x.guard, x.n_guard, otherwise);
}

// A read of something of that element; a new leaf where there is nothing.
static Ex gen_read(Gen *g, const Box *b, Elem elem, int depth) {
    Item *item = chance(g, 88) ? find_item(g, elem, 0, 5) : NULL;
    if (!item) {
        Dim dim[3];
        int rank = 0;
        for (int s = 0; s < box_slots(b) && rank < 3; s++)
            if (chance(g, 50)) dim[rank++] = b->extent[s];
        int64_t below = elem == ELEM_i32 || elem == ELEM_u8 ? pick_extent(g, 20) : 0;
        Value *v = new_leaf(g, elem, rank, dim, below);
        for (int i = 0; i < g->pool.n; i++)
            if (g->pool.at[i].v == v) item = &g->pool.at[i];
    }
    item->is_read = true;
    Ex range = {NULL, item->low, item->high};
    Value *v = item->v;  // the pool may move
    range.s = read_somewhere(g, b, v, &range, depth);
    return range;
}

// ---- integers

static Ex gen_iv(Gen *g, const Box *b) {
    if (!box_slots(b)) return integer(g, between(g, -3, 9));
    Affine a = random_affine(g, b, 3);
    int64_t low, high;
    affine_range(a, b->extent, &low, &high);
    return (Ex){scalar_affine(g->m, a), (double)low, (double)high};
}

static Ex int_leaf(Gen *g, const Box *b, int depth) {
    if (g->n_read < MAX_READS && chance(g, 50)) return gen_read(g, b, ELEM_i32, depth);
    return chance(g, 80) ? gen_iv(g, b) : integer(g, between(g, -9, 20));
}

static Ex small_int(Gen *g, Ex x) {
    if (reach(x) < 1000) return x;
    int64_t n = between(g, 11, 97);
    return binary(g, OP_mod, x, integer(g, n), 0, (double)n - 1);
}

static Ex int_division(Gen *g, Op op, Ex a, Ex b) {
    if (chance(g, 75)) b = integer(g, between(g, 2, 9) * (chance(g, 15) ? -1 : 1));
    else b = plus(g, absolute(g, small_int(g, b)), integer(g, 1));
    double r = op == OP_idiv ? reach(a) + 1 : reach(b);
    bool both = op == OP_mod && b.low > 0;
    return binary(g, op, a, b, both ? 0 : -r, r);
}

static Ex to_int(Gen *g, const Box *b, int depth) {
    if (chance(g, 30)) return (Ex){scalar_unary(g->m, OP_to_int, gen_bool(g, b, depth)), 0, 1};
    if (chance(g, 50)) {
        Ex x = gen_read(g, b, ELEM_u8, depth);
        return unary(g, OP_to_int, x, x.low, x.high);
    }
    Ex x = bounded(g, gen_real(g, b, depth), 40);
    x = plus(g, times(g, x, real(g, threshold(g, 0.5, 4))), real(g, threshold(g, -1, 1)));
    return unary(g, OP_to_int, x, floor(x.low) - 1, floor(x.high) + 1);
}

Ex gen_int(Gen *g, const Box *b, int depth) {
    if (depth <= 0) return int_leaf(g, b, 0);
    if (chance(g, 12)) return to_int(g, b, depth - 1);
    Ex x = small_int(g, gen_int(g, b, depth - 1));
    if (chance(g, 20)) return int_leaf(g, b, depth);
    Ex y = small_int(g, gen_int(g, b, depth - 1));
    switch (pick(g, 9)) {
        case 0: return plus(g, x, y);
        case 1: return binary(g, OP_sub, x, y, x.low - y.high, x.high - y.low);
        case 2: return times(g, x, y);
        case 3: return unary(g, OP_neg, x, -x.high, -x.low);
        case 4: return absolute(g, x);
        case 5:
            if (chance(g, 50))
                return binary(g, OP_min, x, y, fmin(x.low, y.low), fmin(x.high, y.high));
            return binary(g, OP_max, x, y, fmax(x.low, y.low), fmax(x.high, y.high));
        case 6: return int_division(g, OP_idiv, x, y);
        case 7: return int_division(g, OP_mod, x, y);
        default:
            return (Ex){scalar_select(g->m, gen_bool(g, b, depth - 1), x.s, y.s),
                        fmin(x.low, y.low), fmax(x.high, y.high)};
    }
}

// An item whose elements are known to be below n.
static Item *find_below(Gen *g, int64_t n) {
    for (int attempt = 0; attempt < 4; attempt++) {
        Item *item = find_item(g, ELEM_i32, 0, 4);
        if (item && item->v->type.below && item->v->type.below <= n) return item;
    }
    return NULL;
}

Ex gen_below(Gen *g, const Box *b, int64_t n, int depth) {
    Ex x = {NULL, 0, (double)n - 1};
    int64_t how = pick(g, 100);
    if (how < 55) {
        Item *item = chance(g, 70) ? find_below(g, n) : NULL;
        Value *v = item ? item->v : NULL;
        if (!v) {
            Dim dim[2];
            int rank = 0;
            for (int s = 0; s < box_slots(b) && rank < 2; s++)
                if (chance(g, 50)) dim[rank++] = b->extent[s];
            v = new_leaf(g, ELEM_i32, rank, dim, n);
        } else {
            item->is_read = true;
        }
        x.s = read_somewhere(g, b, v, &x, depth);
        if (scalar_below(x.s, b->extent) <= n && scalar_below(x.s, b->extent)) return x;
    }
    if (how < 85 && box_slots(b)) {
        Ex e = gen_int(g, b, depth < 1 ? 0 : depth - 1);
        x.s = scalar_binary(g->m, OP_mod, e.s, scalar_int(g->m, n));
        int64_t below = scalar_below(x.s, b->extent);
        if (below && below <= n) return x;
    }
    if (depth > 0 && how < 95) {
        Ex y = gen_below(g, b, n, depth - 1), z = gen_below(g, b, n, depth - 1);
        x.s = scalar_select(g->m, gen_bool(g, b, depth - 1), y.s, z.s);
        int64_t below = scalar_below(x.s, b->extent);
        if (below && below <= n) return x;
    }
    return integer(g, between(g, 0, n - 1));
}

// ---- conditions

Scalar *gen_bool(Gen *g, const Box *b, int depth) {
    static const Op compare[] = {OP_lt, OP_le, OP_eq, OP_ne};
    int64_t how = depth <= 0 ? pick(g, 60) : pick(g, 100);
    if (how < 15 && g->n_read < MAX_READS) return gen_read(g, b, ELEM_bool, depth).s;
    if (how < 40) {
        Ex x = gen_int(g, b, depth - 1), y = gen_int(g, b, 0);
        if (chance(g, 40)) y = integer(g, between(g, (int64_t)x.low, (int64_t)x.high));
        return scalar_binary(g->m, compare[pick(g, 4)], x.s, y.s);
    }
    if (how < 70) {
        Ex x = gen_real(g, b, depth - 1);
        Ex y = real(g, threshold(g, x.low, x.high));
        return chance(g, 50) ? scalar_binary(g->m, compare[pick(g, 2)], x.s, y.s)
                             : scalar_binary(g->m, compare[pick(g, 2)], y.s, x.s);
    }
    Scalar *x = gen_bool(g, b, depth - 1);
    if (how < 80) return scalar_unary(g->m, OP_not, x);
    Scalar *y = gen_bool(g, b, depth - 1);
    return scalar_binary(g->m, how < 90 ? OP_and : OP_or, x, y);
}

// ---- reals

static Ex real_leaf(Gen *g, const Box *b, int depth) {
    int64_t how = pick(g, 100);
    if (how < 76 && g->n_read < MAX_READS) return gen_read(g, b, g->m->real, depth);
    if (how < 86) {
        Ex x = gen_iv(g, b);
        return bounded(g, unary(g, OP_to_real, x, x.low, x.high), 4);
    }
    if (how < 90) {
        Ex x = gen_read(g, b, ELEM_u8, depth);
        return bounded(g, unary(g, OP_to_real, x, x.low, x.high), 4);
    }
    if (how < 94) {
        Affine place = affine_const(between(g, 0, 100));
        int64_t stride = 1;
        for (int s = box_slots(b); s-- > 0;) {
            if (chance(g, 85)) place = affine_add(g->m, place, term(g, s, stride));
            stride *= dim_max(b->extent[s]);
        }
        uint32_t site = (uint32_t)(g->made->seed * 64 + g->n_rand++ % 64);
        return (Ex){scalar_rand(g->m, site, scalar_affine(g->m, place)), 0, 1};
    }
    return real(g, (double)between(g, -30, 30) / 8);
}

static Ex costly(Gen *g, Ex x) {
    g->n_costly++;
    switch (pick(g, 10)) {
        case 0: {
            x = bounded(g, x, 4);
            return unary(g, OP_exp, x, exp(x.low), exp(x.high));
        }
        case 1: {
            x = positive(g, x);
            return unary(g, OP_log, x, log(x.low), log(x.high));
        }
        case 2: {
            x = x.low >= -0.5 ? x : absolute(g, x);
            return unary(g, OP_log1p, x, log1p(x.low), log1p(x.high));
        }
        case 3: return unary(g, OP_tanh, x, -1, 1);
        case 4: return unary(g, OP_sigmoid, x, 0, 1);
        case 5: return unary(g, OP_erf, x, -1, 1);
        case 6: return unary(g, OP_sin, bounded(g, x, 40), -1, 1);
        case 7: return unary(g, OP_cos, bounded(g, x, 40), -1, 1);
        case 8: {
            static const double power[] = {2, 3, 0.5, -0.5, -1, -2, 1.7};
            double p = power[pick(g, 7)];
            if (p < 2 || p != floor(p)) x = positive(g, x);
            x = bounded(g, x, 9);
            if (x.low < 0.3 && (p < 2 || p != floor(p))) x = plus(g, x, real(g, 0.3));
            double a = pow(x.low, p), c = pow(x.high, p), r = fmax(fabs(a), fabs(c));
            return binary(g, OP_pow, x, real(g, p), x.low > 0 ? fmin(a, c) : -r, r);
        }
        default: {
            x = bounded(g, positive(g, x), 9);
            Ex y = unary(g, OP_sin, x, -1, 1);
            if (x.low < 0.1) x = plus(g, x, real(g, 0.2));
            double r = fmax(x.high, 1 / x.low);
            return binary(g, OP_pow, x, y, 1 / r, r);
        }
    }
}

static Ex gen_select(Gen *g, const Box *b, Ex x, int depth) {
    Ex y = chance(g, 40) ? real(g, chance(g, 60) ? 0 : threshold(g, -2, 2))
                         : gen_real(g, b, depth);
    if (chance(g, 50)) {
        Ex t = x;
        x = y;
        y = t;
    }
    return (Ex){scalar_select(g->m, gen_bool(g, b, depth), x.s, y.s), fmin(x.low, y.low),
                fmax(x.high, y.high)};
}

static Ex real_unary(Gen *g, Ex x) {
    switch (pick(g, g->allows_stop ? 8 : 7)) {
        case 0: return unary(g, OP_neg, x, -x.high, -x.low);
        case 1: return absolute(g, x);
        case 2: {
            x = positive(g, x);
            return unary(g, OP_sqrt, x, sqrt(x.low), sqrt(x.high));
        }
        case 3: {
            x = plus(g, times(g, bounded(g, x, 20), real(g, threshold(g, 0.5, 3))),
                     real(g, threshold(g, -1, 1)));
            return unary(g, chance(g, 50) ? OP_floor : OP_round, x, floor(x.low), ceil(x.high));
        }
        case 4: {
            Ex m = real(g, threshold(g, 0.3, 3));
            x = plus(g, bounded(g, x, 20), real(g, threshold(g, -1, 1)));
            return binary(g, OP_mod, x, m, 0, m.high);
        }
        case 5: return times(g, x, real(g, threshold(g, -2, 2)));
        case 6: {
            x = bounded(g, x, 30);
            return binary(g, OP_mul, x, x, 0, reach(x) * reach(x));
        }
        default: return unary(g, OP_stop, x, x.low, x.high);
    }
}

static Ex real_binary(Gen *g, Ex x, Ex y) {
    switch (pick(g, 8)) {
        case 0:
        case 1: return plus(g, x, y);
        case 2: return binary(g, OP_sub, x, y, x.low - y.high, x.high - y.low);
        case 3:
        case 4: return times(g, bounded(g, x, 30), bounded(g, y, 30));
        case 5: {
            y = positive(g, bounded(g, y, 30));
            double r = reach(x) / y.low;
            return binary(g, OP_div, x, y, x.low >= 0 ? 0 : -r, x.high <= 0 ? 0 : r);
        }
        case 6: return binary(g, OP_min, x, y, fmin(x.low, y.low), fmin(x.high, y.high));
        default: return binary(g, OP_max, x, y, fmax(x.low, y.low), fmax(x.high, y.high));
    }
}

Ex gen_real(Gen *g, const Box *b, int depth) {
    if (depth <= 0) return real_leaf(g, b, 0);
    int64_t how = pick(g, 100);
    if (how < 12) return real_leaf(g, b, depth);
    Ex x = bounded(g, gen_real(g, b, depth - 1), 200);
    if (how < 26 && g->n_costly < MAX_COSTLY) return costly(g, x);
    if (how < 45) return real_unary(g, x);
    if (how < 55) return gen_select(g, b, x, depth - 1);
    if (how < 60) {
        Ex c = {scalar_unary(g->m, OP_to_real, gen_bool(g, b, depth - 1)), 0, 1};
        return times(g, x, c);
    }
    return real_binary(g, x, bounded(g, gen_real(g, b, depth - 1), 200));
}

Ex gen_elem(Gen *g, const Box *b, Elem elem, int depth) {
    if (elem_is_real(elem)) return gen_real(g, b, depth);
    if (elem == ELEM_i32) return gen_int(g, b, depth);
    if (elem == ELEM_bool) return (Ex){gen_bool(g, b, depth), 0, 1};
    Ex x = gen_read(g, b, ELEM_u8, depth);
    if (chance(g, 50)) return x;
    double k = (double)pick(g, 256);
    return (Ex){scalar_select(g->m, gen_bool(g, b, 1), x.s, scalar_const(g->m, ELEM_u8, k)), 0, 255};
}

// What networks apply to a sum.
Scalar *activation(Gen *g, Scalar *x, double low, double high) {
    Ex e = {x, low, high};
    Module *m = g->m;
    switch (pick(g, 7)) {
        case 0: return scalar_binary(m, OP_max, x, scalar_real(m, 0));
        case 1: return scalar_unary(m, OP_tanh, x);
        case 2: return scalar_unary(m, OP_sigmoid, x);
        case 3: {  // gelu
            Scalar *t = scalar_unary(m, OP_erf, scalar_binary(m, OP_mul, x, scalar_real(m, 0.7071)));
            t = scalar_binary(m, OP_add, t, scalar_real(m, 1));
            return scalar_binary(m, OP_mul, scalar_binary(m, OP_mul, x, scalar_real(m, 0.5)), t);
        }
        case 4: {  // leaky relu
            Scalar *c = scalar_binary(m, OP_lt, scalar_real(m, 0.00012345), x);
            return scalar_select(m, c, x, scalar_binary(m, OP_mul, x, scalar_real(m, 0.01)));
        }
        case 5: return scalar_unary(m, OP_exp, bounded(g, e, 3).s);
        default: return x;
    }
}
