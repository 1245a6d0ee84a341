// What is known of a real where it stands: bounds, and whether it may be NaN. Clamps that do
// nothing and saturation that never happens cost nothing then.
#include <math.h>

#include "emit/gen.h"

enum { DEPTH = 8 };

static const RealRange anything = {-INFINITY, INFINITY, true, false};

static RealRange scaled(RealRange a, double c) {
    // Rounding to the element keeps bounds that are widened by an ulp's worth.
    double x = a.low * c, y = a.high * c, wider = 1e-6;
    if (isnan(x) || isnan(y)) return anything;
    double low = x < y ? x : y, high = x < y ? y : x;
    return (RealRange){low - fabs(low) * wider, high + fabs(high) * wider, a.may_be_nan, false};
}

static RealRange range_at(const Scalar *s, int depth);

// b < a ? a : b, and a < b ? a : b: with a NaN on the left it is b, on the right NaN.
static RealRange extreme(const Scalar *s, int depth, bool is_max) {
    RealRange a = range_at(s->arg[0], depth), b = range_at(s->arg[1], depth);
    RealRange r = {is_max ? fmax(a.low, b.low) : fmin(a.low, b.low),
                   is_max ? fmax(a.high, b.high) : fmin(a.high, b.high), b.may_be_nan,
                   a.is_whole && b.is_whole};
    if (a.may_be_nan) r.low = fmin(r.low, b.low), r.high = fmax(r.high, b.high);
    return r;
}

static RealRange range_at(const Scalar *s, int depth) {
    if (!depth || !elem_is_real(s->elem)) return anything;
    if (s->op == OP_const) {
        const double EXACT = 1 << 24;  // whole numbers up to here are what they are in f32, too
        if (isnan(s->real)) return anything;
        if (s->real == floor(s->real) && fabs(s->real) <= EXACT)
            return (RealRange){s->real, s->real, false, true};
        return scaled((RealRange){s->real, s->real, false, false}, 1);
    }
    if (s->op == OP_max || s->op == OP_min) return extreme(s, depth - 1, s->op == OP_max);
    if (s->op == OP_neg) {
        RealRange a = range_at(s->arg[0], depth - 1);
        return (RealRange){-a.high, -a.low, a.may_be_nan, a.is_whole};
    }
    if (s->op == OP_round) {
        RealRange a = range_at(s->arg[0], depth - 1);
        return (RealRange){floor(a.low), ceil(a.high), a.may_be_nan, isfinite(a.low + a.high)};
    }
    if (s->op == OP_mul && s->arg[0] == s->arg[1]) return (RealRange){0, INFINITY, true, false};
    if (s->op == OP_mul && s->arg[1]->op == OP_const)
        return scaled(range_at(s->arg[0], depth - 1), s->arg[1]->real);
    return anything;
}

RealRange real_range(const Scalar *s) {
    return range_at(s, DEPTH);
}

const Scalar *without_clamp(const Scalar *s) {
    if ((s->op != OP_max && s->op != OP_min) || !elem_is_real(s->elem)) return s;
    RealRange a = real_range(s->arg[0]), b = real_range(s->arg[1]);
    // Only where the right one is taken whatever it is: on the left a NaN would be replaced.
    bool is_right = s->op == OP_max ? a.high <= b.low : b.high <= a.low;
    return is_right ? s->arg[1] : s;
}

bool is_small_whole(const Scalar *s) {
    const double SMALL = 5000;
    if (!elem_is_real(s->elem)) return false;
    RealRange r = real_range(s);
    return r.is_whole && !r.may_be_nan && r.low >= -SMALL && r.high <= SMALL;
}
