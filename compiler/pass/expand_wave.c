// tanh, sigmoid, erf, sin and cos.
#include <math.h>

#include "ir/build.h"
#include "pass/expand.h"

// ---- tanh, sigmoid

// f32: odd over even polynomial on |x| <= 7.9053, 4.5 ULP (Eigen, MathFunctionsImpl.h).
static const double tanh_up_f32[] = {
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
    1.48572235717979e-05,  6.37261928875436e-04, 4.89352455891786e-03};
static const double tanh_down_f32[] = {1.19825839466702e-06, 1.18534705686654e-04,
                                       2.26843463243900e-03, 4.89352518554385e-03};
// f64: x + x^3 P(x^2) / Q(x^2) on |x| < 0.625 (Cephes, tanh.c).
static const double tanh_up_f64[] = {-9.64399179425052238628e-1, -9.92877231001918586564e1,
                                     -1.61468768441708447952e3};
static const double tanh_down_f64[] = {1, 1.12811678491632931402e2, 2.23548839060100448583e3,
                                       4.84406305325125486048e3};

static Scalar *tanh_f32(Module *m, Scalar *x) {
    x = ex_clamp(m, x, -7.90531110763549805, 7.90531110763549805);
    Scalar *z = ex_mul(m, x, x);
    return ex_div(m, ex_mul(m, x, EX_POLY(m, z, tanh_up_f32)), EX_POLY(m, z, tanh_down_f32));
}

// Larger arguments: 1 - 2 / (exp(2 |x|) + 1), with the sign of x.
static Scalar *tanh_f64(Module *m, Scalar *x) {
    Scalar *z = ex_mul(m, x, x), *one = ex_real(m, 1), *two = ex_real(m, 2);
    Scalar *ratio = ex_div(m, EX_POLY(m, z, tanh_up_f64), EX_POLY(m, z, tanh_down_f64));
    Scalar *small = ex_fma(m, ex_mul(m, x, z), ratio, x);
    Scalar *size = scalar_unary(m, OP_abs, x);
    Scalar *e = expand_exp(m, ex_mul(m, size, two));
    Scalar *large = ex_sub(m, one, ex_div(m, two, ex_add(m, e, one)));
    large = scalar_select(m, ex_less(m, x, ex_real(m, 0)), ex_neg(m, large), large);
    return scalar_select(m, ex_less(m, size, ex_real(m, 0.625)), small, large);
}

Scalar *expand_tanh(Module *m, Scalar *x) {
    return ex_is_wide(m) ? tanh_f64(m, x) : tanh_f32(m, x);
}

Scalar *expand_sigmoid(Module *m, Scalar *x) {
    Scalar *one = ex_real(m, 1);
    return ex_div(m, one, ex_add(m, expand_exp(m, ex_neg(m, x)), one));
}

// ---- erf

// f32: odd over even polynomial on |x| <= 4, 3.7e-7 absolute (Eigen, SpecialFunctionsImpl.h).
static const double erf_up_f32[] = {
    -2.72614225801306e-10, 2.77068142495902e-08,  -2.10102402082508e-06, -5.69250639462346e-05,
    -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02};
static const double erf_down_f32[] = {-1.45660718464996e-05, -2.13374055278905e-04,
                                      -1.68282697438203e-03, -7.37332916720468e-03,
                                      -1.42647390514189e-02};
// f64: fdlibm, s_erf.c, on |x| < 0.84375, < 1.25, < 1 / 0.35 and beyond.
static const double erf_pp[] = {-2.37630166566501626084e-05, -5.77027029648944159157e-03,
                                -2.84817495755985104766e-02, -3.25042107247001499370e-01,
                                1.28379167095512558561e-01};
static const double erf_qq[] = {-3.96022827877536812320e-06, 1.32494738004321644526e-04,
                                5.08130628187576562776e-03,  6.50222499887672944485e-02,
                                3.97917223959155352819e-01,  1};
static const double erf_pa[] = {-2.16637559486879084300e-03, 3.54783043256182359371e-02,
                                -1.10894694282396677476e-01, 3.18346619901161753674e-01,
                                -3.72207876035701323847e-01, 4.14856118683748331666e-01,
                                -2.36211856075265944077e-03};
static const double erf_qa[] = {1.19844998467991074170e-02,
                                1.36370839120290507362e-02,
                                1.26171219808761642112e-01,
                                7.18286544141962662868e-02,
                                5.40397917702171048937e-01,
                                1.06420880400844228286e-01,
                                1};
static const double erf_ra[] = {-9.81432934416914548592e+00, -8.12874355063065934246e+01,
                                -1.84605092906711035994e+02, -1.62396669462573470355e+02,
                                -6.23753324503260060396e+01, -1.05586262253232909814e+01,
                                -6.93858572707181764372e-01, -9.86494403484714822705e-03};
static const double erf_sa[] = {
    -6.04244152148580987438e-02, 6.57024977031928170135e+00, 1.08635005541779435134e+02,
    4.29008140027567833386e+02,  6.45387271733267880336e+02, 4.34565877475229228821e+02,
    1.37657754143519042600e+02,  1.96512716674392571292e+01, 1};
static const double erf_rb[] = {-4.83519191608651397019e+02, -1.02509513161107724954e+03,
                                -6.37566443368389627722e+02, -1.60636384855821916062e+02,
                                -1.77579549177547519889e+01, -7.99283237680523006574e-01,
                                -9.86494292470009928597e-03};
static const double erf_sb[] = {-2.24409524465858183362e+01, 4.74528541206955367215e+02,
                                2.55305040643316442583e+03,  3.19985821950859553908e+03,
                                1.53672958608443695994e+03,  3.25792512996573918826e+02,
                                3.03380607434824582924e+01,  1};
static const double erf_at_one = 8.45062911510467529297e-01;

static Scalar *erf_f32(Module *m, Scalar *x) {
    x = ex_clamp(m, x, -4, 4);
    Scalar *z = ex_mul(m, x, x);
    return ex_div(m, ex_mul(m, x, EX_POLY(m, z, erf_up_f32)), EX_POLY(m, z, erf_down_f32));
}

// 1 - exp(-x^2 - 0.5625 + R / S) / x; fma gives the part of x^2 that rounding loses.
static Scalar *erf_tail(Module *m, Scalar *x) {
    Scalar *square = ex_mul(m, x, x), *one = ex_real(m, 1);
    Scalar *lost = ex_fma(m, x, x, ex_neg(m, square));
    Scalar *z = ex_div(m, one, square);
    Scalar *near = ex_div(m, EX_POLY(m, z, erf_ra), EX_POLY(m, z, erf_sa));
    Scalar *far = ex_div(m, EX_POLY(m, z, erf_rb), EX_POLY(m, z, erf_sb));
    Scalar *ratio = scalar_select(m, ex_less(m, x, ex_real(m, 1 / 0.35)), near, far);
    Scalar *bell = expand_exp(m, ex_sub(m, ex_real(m, -0.5625), square));
    Scalar *rest = expand_exp(m, ex_sub(m, ratio, lost));
    return ex_sub(m, one, ex_div(m, ex_mul(m, bell, rest), x));
}

static Scalar *erf_f64(Module *m, Scalar *x) {
    Scalar *size = scalar_unary(m, OP_abs, x), *one = ex_real(m, 1);
    Scalar *z = ex_mul(m, x, x);
    Scalar *inner = ex_fma(m, x, ex_div(m, EX_POLY(m, z, erf_pp), EX_POLY(m, z, erf_qq)), x);
    Scalar *s = ex_sub(m, ex_clamp(m, size, 0.84375, 1.25), one);
    Scalar *middle =
        ex_add(m, ex_div(m, EX_POLY(m, s, erf_pa), EX_POLY(m, s, erf_qa)), ex_real(m, erf_at_one));
    Scalar *tail = erf_tail(m, ex_clamp(m, size, 1.25, 6));
    Scalar *outer = scalar_select(m, ex_less(m, size, ex_real(m, 1.25)), middle, tail);
    outer = scalar_select(m, ex_less(m, x, ex_real(m, 0)), ex_neg(m, outer), outer);
    return scalar_select(m, ex_less(m, size, ex_real(m, 0.84375)), inner, outer);
}

Scalar *expand_erf(Module *m, Scalar *x) {
    return ex_is_wide(m) ? erf_f64(m, x) : erf_f32(m, x);
}

// ---- sin, cos

// On |r| <= pi / 4. f32: Cephes, sinf.c. f64: fdlibm, k_sin.c and k_cos.c.
static const double sin_f32[] = {-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1};
static const double cos_f32[] = {2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2};
static const double sin_f64[] = {1.58969099521155010221e-10, -2.50507602534068634195e-08,
                                 2.75573137070700676789e-06, -1.98412698298579493134e-04,
                                 8.33333333332248946124e-03, -1.66666666666666324348e-01};
static const double cos_f64[] = {-1.13596475577881948265e-11, 2.08757232129817482790e-09,
                                 -2.75573143513906633035e-07, 2.48015872894767294178e-05,
                                 -1.38888888888741095749e-03, 4.16666666666666019037e-02};
// pi / 2 in three parts of the precision, the first rounded to it: with fma, x - n * first is
// exact near multiples, so the reduction holds for |x| up to about 1e5 in f32, 1e9 in f64.
static const double half_pi_f32[] = {1.57079637050628662109375, -4.371138828673793e-08,
                                     -1.7151245100059e-15};
static const double half_pi_f64[] = {1.5707963267948965580, 6.123233995736766036e-17,
                                     -1.497384904859169777e-33};

static Scalar *circle_sin(Module *m, Scalar *r, Scalar *z) {
    Scalar *p = ex_is_wide(m) ? EX_POLY(m, z, sin_f64) : EX_POLY(m, z, sin_f32);
    return ex_fma(m, ex_mul(m, p, z), r, r);
}

static Scalar *circle_cos(Module *m, Scalar *z) {
    Scalar *p = ex_is_wide(m) ? EX_POLY(m, z, cos_f64) : EX_POLY(m, z, cos_f32);
    Scalar *y = ex_fma(m, z, ex_real(m, -0.5), ex_real(m, 1));
    return ex_fma(m, ex_mul(m, p, z), z, y);
}

// sin(x + quarter * pi / 2): x = n * pi / 2 + r, and n + quarter says which curve it is.
static Scalar *expand_circle(Module *m, Scalar *x, int quarter) {
    const double *half_pi = ex_is_wide(m) ? half_pi_f64 : half_pi_f32;
    Scalar *n = scalar_unary(m, OP_round, ex_mul(m, x, ex_real(m, M_2_PI)));
    Scalar *bound = ex_real(m, 1e9), *r = x;
    for (int i = 0; i < 3; i++) r = ex_fma(m, n, ex_real(m, -half_pi[i]), r);
    Scalar *z = ex_mul(m, r, r);
    n = scalar_binary(m, OP_max, n, ex_neg(m, bound));  // a NaN becomes a number here
    n = scalar_binary(m, OP_min, n, bound);
    Scalar *turn = scalar_binary(m, OP_add, scalar_unary(m, OP_to_int, n), scalar_int(m, quarter));
    Scalar *is_odd =
        scalar_binary(m, OP_eq, scalar_binary(m, OP_mod, turn, scalar_int(m, 2)), scalar_int(m, 1));
    Scalar *is_low =
        scalar_binary(m, OP_le, scalar_int(m, 2), scalar_binary(m, OP_mod, turn, scalar_int(m, 4)));
    Scalar *y = scalar_select(m, is_odd, circle_cos(m, z), circle_sin(m, r, z));
    return scalar_select(m, is_low, ex_neg(m, y), y);
}

Scalar *expand_sin(Module *m, Scalar *x) {
    return expand_circle(m, x, 0);
}

Scalar *expand_cos(Module *m, Scalar *x) {
    return expand_circle(m, x, 1);
}
