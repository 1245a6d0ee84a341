// The functions that `expand` writes out, as scalars of add, mul, fma, select and the like.
//
// All take NaN to NaN and the limits of their domain to what libm gives there. Sources of the
// coefficients stand beside them.
#ifndef NNC_PASS_EXPAND_H
#define NNC_PASS_EXPAND_H

#include "ir/ir.h"

// An operation on x (and y) as a polynomial, f32 or f64 by the module's real. NULL where op
// is none of those to expand.
Scalar *expand_op(Module *m, Op op, Scalar *x, Scalar *y);

Scalar *expand_exp(Module *m, Scalar *x);
Scalar *expand_log(Module *m, Scalar *x);
Scalar *expand_log1p(Module *m, Scalar *x);
Scalar *expand_pow(Module *m, Scalar *x, Scalar *y);
Scalar *expand_tanh(Module *m, Scalar *x);
Scalar *expand_sigmoid(Module *m, Scalar *x);
Scalar *expand_erf(Module *m, Scalar *x);
Scalar *expand_sin(Module *m, Scalar *x);
Scalar *expand_cos(Module *m, Scalar *x);

// ---- shared by the files that build them

Scalar *ex_real(Module *m, double x);
Scalar *ex_add(Module *m, Scalar *a, Scalar *b);
Scalar *ex_sub(Module *m, Scalar *a, Scalar *b);
Scalar *ex_mul(Module *m, Scalar *a, Scalar *b);
Scalar *ex_div(Module *m, Scalar *a, Scalar *b);
Scalar *ex_neg(Module *m, Scalar *a);
Scalar *ex_fma(Module *m, Scalar *a, Scalar *b, Scalar *c);
Scalar *ex_less(Module *m, Scalar *a, Scalar *b);
// x held in [low, high]; a NaN stays.
Scalar *ex_clamp(Module *m, Scalar *x, double low, double high);
// Horner; the coefficient of the highest power first.
Scalar *ex_poly(Module *m, Scalar *x, const double *coef, int n);
#define EX_POLY(m, x, table) ex_poly((m), (x), (table), (int)(sizeof(table) / sizeof *(table)))

static inline bool ex_is_wide(const Module *m) {
    return m->real == ELEM_f64;
}

#endif
