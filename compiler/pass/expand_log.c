// exp, log, log1p and pow.
#include <math.h>

#include "ir/build.h"
#include "pass/expand.h"

// ---- building

Scalar *ex_real(Module *m, double x) {
    return scalar_real(m, x);
}

Scalar *ex_add(Module *m, Scalar *a, Scalar *b) {
    return scalar_binary(m, OP_add, a, b);
}

Scalar *ex_sub(Module *m, Scalar *a, Scalar *b) {
    return scalar_binary(m, OP_sub, a, b);
}

Scalar *ex_mul(Module *m, Scalar *a, Scalar *b) {
    return scalar_binary(m, OP_mul, a, b);
}

Scalar *ex_div(Module *m, Scalar *a, Scalar *b) {
    return scalar_binary(m, OP_div, a, b);
}

Scalar *ex_neg(Module *m, Scalar *a) {
    return scalar_unary(m, OP_neg, a);
}

Scalar *ex_fma(Module *m, Scalar *a, Scalar *b, Scalar *c) {
    return scalar_op(m, OP_fma, a, b, c);
}

Scalar *ex_less(Module *m, Scalar *a, Scalar *b) {
    return scalar_binary(m, OP_lt, a, b);
}

// min and max give their second argument where either is NaN.
Scalar *ex_clamp(Module *m, Scalar *x, double low, double high) {
    x = scalar_binary(m, OP_min, ex_real(m, high), x);
    return scalar_binary(m, OP_max, ex_real(m, low), x);
}

Scalar *ex_poly(Module *m, Scalar *x, const double *coef, int n) {
    Scalar *p = ex_real(m, coef[0]);
    for (int i = 1; i < n; i++) p = ex_fma(m, p, x, ex_real(m, coef[i]));
    return p;
}

// ---- exp

// (exp(r) - 1 - r) / r^2 on |r| <= ln(2) / 2. f32: Cephes (Moshier), expf.c. f64: Taylor,
// whose first term left out is below 5e-18 of the result.
static const double exp_f32[] = {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
                                 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1};
static const double exp_f64[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                 1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                 1.0 / 120,        1.0 / 24,        1.0 / 6,        0.5};

// ln(2) in two parts, the first with trailing zeros: n times it is exact (Cody and Waite 1980).
static double ln2_high(const Module *m) {
    return ex_is_wide(m) ? 6.93147180369123816490e-01 : 0.693359375;
}

static double ln2_low(const Module *m) {
    return ex_is_wide(m) ? 1.90821492927058770002e-10 : -2.12194440e-4;
}

// 2^n * exp(r), n = round(x / ln 2). Past the clamps the result is 0 or infinite all the same.
Scalar *expand_exp(Module *m, Scalar *x) {
    bool wide = ex_is_wide(m);
    x = wide ? ex_clamp(m, x, -746, 710) : ex_clamp(m, x, -104, 89);
    Scalar *n = scalar_unary(m, OP_round, ex_mul(m, x, ex_real(m, M_LOG2E)));
    n = scalar_binary(m, OP_max, n, ex_real(m, -2000));  // a NaN becomes a number here
    Scalar *r = ex_fma(m, n, ex_real(m, -ln2_high(m)), x);
    r = ex_fma(m, n, ex_real(m, -ln2_low(m)), r);
    Scalar *p = wide ? EX_POLY(m, r, exp_f64) : EX_POLY(m, r, exp_f32);
    Scalar *y = ex_fma(m, p, ex_mul(m, r, r), r);
    y = ex_add(m, y, ex_real(m, 1));
    return scalar_binary(m, OP_scale2, y, scalar_unary(m, OP_to_int, n));
}

// ---- log

// f32: (log(1 + f) - f + f^2 / 2) / f^3, Cephes, logf.c.
static const double log_f32[] = {7.0376836292e-2,  -1.1514610310e-1, 1.1676998740e-1,
                                 -1.2420140846e-1, 1.4249322787e-1,  -1.6668057665e-1,
                                 2.0000714765e-1,  -2.4999993993e-1, 3.3333331174e-1};
// f64: fdlibm, e_log.c: (log(1 + f) - 2 s) / s as a polynomial in s^2, s = f / (2 + f).
static const double log_f64[] = {1.479819860511658591e-01, 1.531383769920937332e-01,
                                 1.818357216161805012e-01, 2.222219843214978396e-01,
                                 2.857142874366239149e-01, 3.999999999940941908e-01,
                                 6.666666666666735130e-01};

static Scalar *log_tail_f32(Module *m, Scalar *e, Scalar *f, Scalar *low) {
    Scalar *z = ex_mul(m, f, f);
    Scalar *y = ex_mul(m, ex_mul(m, EX_POLY(m, f, log_f32), f), z);
    y = ex_fma(m, e, ex_real(m, ln2_low(m)), y);
    if (low) y = ex_add(m, y, low);
    y = ex_fma(m, z, ex_real(m, -0.5), y);
    return ex_fma(m, e, ex_real(m, ln2_high(m)), ex_add(m, f, y));
}

static Scalar *log_tail_f64(Module *m, Scalar *e, Scalar *f, Scalar *low) {
    Scalar *s = ex_div(m, f, ex_add(m, f, ex_real(m, 2)));
    Scalar *z = ex_mul(m, s, s);
    Scalar *r = ex_mul(m, z, EX_POLY(m, z, log_f64));
    Scalar *half = ex_mul(m, ex_mul(m, f, f), ex_real(m, 0.5));
    Scalar *small = ex_mul(m, e, ex_real(m, ln2_low(m)));
    if (low) small = ex_add(m, small, low);
    Scalar *y = ex_fma(m, s, ex_add(m, half, r), small);
    y = ex_sub(m, ex_sub(m, half, y), f);
    return ex_fma(m, e, ex_real(m, ln2_high(m)), ex_neg(m, y));
}

// log(x) + low for finite x > 0: x = 2^e * (1 + f), sqrt(1/2) <= 1 + f < sqrt(2).
static Scalar *log_of_positive(Module *m, Scalar *x, Scalar *low) {
    Scalar *man = scalar_unary(m, OP_mantissa, x);
    Scalar *e = scalar_unary(m, OP_to_real, scalar_unary(m, OP_exponent, x));
    Scalar *is_high = ex_less(m, ex_real(m, M_SQRT2), man);
    man = scalar_select(m, is_high, ex_mul(m, man, ex_real(m, 0.5)), man);
    e = scalar_select(m, is_high, ex_add(m, e, ex_real(m, 1)), e);
    Scalar *f = ex_sub(m, man, ex_real(m, 1));
    return ex_is_wide(m) ? log_tail_f64(m, e, f, low) : log_tail_f32(m, e, f, low);
}

static Scalar *is_positive_finite(Module *m, Scalar *x) {
    return scalar_binary(m, OP_and, ex_less(m, ex_real(m, 0), x),
                         ex_less(m, x, ex_real(m, INFINITY)));
}

// Outside: -inf at 0, inf at inf, else NaN.
static Scalar *log_at_limits(Module *m, Scalar *x) {
    Scalar *zero = ex_real(m, 0);
    Scalar *below =
        scalar_select(m, scalar_binary(m, OP_eq, x, zero), ex_real(m, -INFINITY), ex_real(m, NAN));
    return scalar_select(m, ex_less(m, zero, x), x, below);
}

Scalar *expand_log(Module *m, Scalar *x) {
    Scalar *inside = is_positive_finite(m, x);
    Scalar *y = log_of_positive(m, scalar_select(m, inside, x, ex_real(m, 1)), NULL);
    return scalar_select(m, inside, y, log_at_limits(m, x));
}

// log(u) + (x - (u - 1)) / u with u = 1 + x rounded: the quotient is what rounding lost
// (Kahan; Higham 2002, problem 1.5).
Scalar *expand_log1p(Module *m, Scalar *x) {
    Scalar *one = ex_real(m, 1);
    Scalar *u = ex_add(m, x, one);
    Scalar *inside = is_positive_finite(m, u);
    Scalar *v = scalar_select(m, inside, u, one);
    Scalar *lost = ex_sub(m, x, ex_sub(m, v, one));
    Scalar *low = ex_div(m, scalar_select(m, inside, lost, ex_real(m, 0)), v);
    return scalar_select(m, inside, log_of_positive(m, v, low), log_at_limits(m, u));
}

// ---- pow

static Scalar *is_whole(Module *m, Scalar *y) {
    return scalar_binary(m, OP_eq, scalar_unary(m, OP_floor, y), y);
}

static Scalar *pow_of_negative(Module *m, Scalar *y, Scalar *size) {
    Scalar *half = ex_mul(m, y, ex_real(m, 0.5));
    Scalar *signed_size = scalar_select(m, is_whole(m, half), size, ex_neg(m, size));
    return scalar_select(m, is_whole(m, y), signed_size, ex_real(m, NAN));
}

// exp(y * log|x|), with the sign of an odd power; 1 where y is 0. The relative error grows
// with |y * log x|, half an ULP for each unit.
Scalar *expand_pow(Module *m, Scalar *x, Scalar *y) {
    Scalar *zero = ex_real(m, 0);
    bool is_positive = x->op == OP_const && x->real > 0;
    Scalar *base = is_positive ? x : scalar_unary(m, OP_abs, x);
    Scalar *rate = is_positive ? ex_real(m, log(x->real)) : expand_log(m, base);
    Scalar *size = expand_exp(m, ex_mul(m, y, rate));
    if (is_positive) return size;
    Scalar *p = scalar_select(m, ex_less(m, x, zero), pow_of_negative(m, y, size), size);
    return scalar_select(m, scalar_binary(m, OP_eq, y, zero), ex_real(m, 1), p);
}
