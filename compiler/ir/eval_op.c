// What each scalar operation gives: one function per row of ops.def.
#include <math.h>
#include <string.h>

#include "base/die.h"
#include "ir/eval.h"

// A case: the elements of the result and of the first argument, and the arguments.
typedef struct Case {
    Elem elem, from;
    const double *a;
} Case;

static double wrap(double x) {  // to 32 bits; |x| < 2^63
    return (int32_t)(uint32_t)(int64_t)x;
}

// Rounds a result once. Exact for + - * / and sqrt computed in doubles from floats, since
// 53 >= 2 * 24 + 2 (Figueroa 1995).
static double rounded(const Case *c, double x) {
    if (c->elem == ELEM_f32) return (float)x;
    if (c->elem == ELEM_i32) return wrap(x);
    return x;
}

_Noreturn static double leaf(const char *name) {
    BUG("eval: %s is a leaf", name);
}

static double eval_const(const Case *c) {
    (void)c;
    leaf("const");
}

static double eval_iv(const Case *c) {
    (void)c;
    leaf("iv");
}

static double eval_read(const Case *c) {
    (void)c;
    leaf("read");
}

static double eval_load(const Case *c) {
    (void)c;
    leaf("load");
}

static double eval_temp(const Case *c) {
    (void)c;
    leaf("temp");
}

static double eval_mac(const Case *c) {
    (void)c;
    BUG("eval: mac stands outside a sum");
}

static double eval_add(const Case *c) {
    return rounded(c, c->a[0] + c->a[1]);
}

static double eval_sub(const Case *c) {
    return rounded(c, c->a[0] - c->a[1]);
}

static double eval_mul(const Case *c) {
    if (c->elem == ELEM_i32)  // 64 bits: the product of two i32 is exact
        return wrap((double)(int32_t)(uint32_t)((int64_t)c->a[0] * (int64_t)c->a[1]));
    return rounded(c, c->a[0] * c->a[1]);
}

static double eval_div(const Case *c) {
    return rounded(c, c->a[0] / c->a[1]);
}

static double eval_neg(const Case *c) {
    return c->elem == ELEM_i32 ? wrap(0 - c->a[0]) : -c->a[0];
}

static double eval_abs(const Case *c) {
    return c->elem == ELEM_i32 ? wrap(fabs(c->a[0])) : fabs(c->a[0]);
}

static double eval_min(const Case *c) {
    return c->a[0] < c->a[1] ? c->a[0] : c->a[1];
}

static double eval_max(const Case *c) {
    return c->a[0] > c->a[1] ? c->a[0] : c->a[1];
}

// Division by zero gives 0: it can't happen in a program that sema let through.
static double eval_idiv(const Case *c) {
    return c->a[1] == 0 ? 0 : wrap(floor(c->a[0] / c->a[1]));
}

static double eval_mod(const Case *c) {
    double a = c->a[0], b = c->a[1];
    if (c->elem == ELEM_i32) return b == 0 ? 0 : a - b * floor(a / b);
    return rounded(c, a - rounded(c, b * floor(rounded(c, a / b))));
}

static double eval_floor(const Case *c) {
    return floor(c->a[0]);
}

static double eval_round(const Case *c) {
    return nearbyint(c->a[0]);  // the rounding mode is never changed: ties to even
}

static double eval_sqrt(const Case *c) {
    return rounded(c, sqrt(c->a[0]));
}

static double eval_exp(const Case *c) {
    return rounded(c, exp(c->a[0]));
}

static double eval_log(const Case *c) {
    return rounded(c, log(c->a[0]));
}

static double eval_log1p(const Case *c) {
    return rounded(c, log1p(c->a[0]));
}

static double eval_tanh(const Case *c) {
    return rounded(c, tanh(c->a[0]));
}

static double eval_sigmoid(const Case *c) {
    double x = c->a[0];  // no overflow on either side
    if (x >= 0) return rounded(c, 1 / (1 + exp(-x)));
    double e = exp(x);
    return rounded(c, e / (1 + e));
}

static double eval_erf(const Case *c) {
    return rounded(c, erf(c->a[0]));
}

static double eval_sin(const Case *c) {
    return rounded(c, sin(c->a[0]));
}

static double eval_cos(const Case *c) {
    return rounded(c, cos(c->a[0]));
}

static double eval_pow(const Case *c) {
    return rounded(c, pow(c->a[0], c->a[1]));
}

static double eval_lt(const Case *c) {
    return c->a[0] < c->a[1];
}

static double eval_le(const Case *c) {
    return c->a[0] <= c->a[1];
}

static double eval_eq(const Case *c) {
    return c->a[0] == c->a[1];
}

static double eval_ne(const Case *c) {
    return c->a[0] != c->a[1];
}

static double eval_and(const Case *c) {
    return c->a[0] && c->a[1];
}

static double eval_or(const Case *c) {
    return c->a[0] || c->a[1];
}

static double eval_not(const Case *c) {
    return !c->a[0];
}

static double eval_select(const Case *c) {
    return c->a[0] ? c->a[1] : c->a[2];
}

static double eval_to_real(const Case *c) {
    return rounded(c, c->a[0]);
}

// Reals outside i32 go to its nearest end, NaN to 0.
static double eval_to_int(const Case *c) {
    double x = floor(c->a[0]);
    if (isnan(x)) return 0;
    return x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : x;
}

static double eval_stop(const Case *c) {
    return c->a[0];
}

static double eval_fma(const Case *c) {
    if (c->elem == ELEM_f32) return fmaf((float)c->a[0], (float)c->a[1], (float)c->a[2]);
    return fma(c->a[0], c->a[1], c->a[2]);
}

static double eval_scale2(const Case *c) {
    return rounded(c, scalbn(c->a[0], (int)c->a[1]));
}

// Of 0, infinities and NaN: what a compiled program takes from the bits of a double or float
// is not promised; the interpreter gives 0.
static double eval_exponent(const Case *c) {
    double x = c->a[0];
    return x == 0 || !isfinite(x) ? 0 : ilogb(x);
}

static double eval_mantissa(const Case *c) {
    double x = c->a[0];
    return x == 0 || !isfinite(x) ? x : scalbn(x, -ilogb(x));
}

static double eval_rand_op(const Case *c) {
    (void)c;
    leaf("rand");
}

typedef double EvalFn(const Case *c);

static uint32_t word_of(double x) {
    return (uint32_t)(int64_t)x;
}

// A counter that eval_rand never has, under a key of its own.
static double eval_draw(const Case *c) {
    uint32_t counter[4] = {word_of(c->a[2]), word_of(c->a[1]), word_of(c->a[0]), 1}, word[4];
    philox4x32(7, counter, (const uint32_t[]){DRAW_KEY0, DRAW_KEY1}, word);
    return (double)(word[0] >> 8) * 0x1p-24;
}

// eval_rand is the public name of a draw.
#define eval_rand eval_rand_op
static EvalFn *const eval_fn[N_OP] = {
#define OP(name, arity, rule, traits, levels, weight, cost) eval_##name,
#include "ir/ops.def"
#undef OP
};
#undef eval_rand

double eval_op(Op op, Elem elem, Elem argument_elem, const double *arg) {
    Case c = {elem, argument_elem, arg};
    return eval_fn[op](&c);
}

// Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3.
void philox4x32(int rounds, const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t x[4], k0 = key[0], k1 = key[1];
    memcpy(x, counter, sizeof x);
    for (int i = 0; i < rounds; i++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * x[0], p1 = (uint64_t)0xCD9E8D57u * x[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ x[1] ^ k0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ x[3] ^ k1, (uint32_t)p0};
        memcpy(x, next, sizeof x);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(out, x, sizeof x);
}

double eval_rand(uint32_t seed, uint32_t site, uint32_t step, uint32_t place) {
    uint32_t counter[4] = {(place / 64) * 16 + place % 16, 0, step, 0}, key[2] = {seed, site};
    uint32_t word[4];
    philox4x32(7, counter, key, word);
    return (double)(word[(place / 16) % 4] >> 8) * 0x1p-24;
}

double eval_multiply_add(EvalMode mode, Elem elem, const double *arg) {
    if (mode != EVAL_unfused) return eval_op(OP_fma, elem, elem, arg);
    double product[MAX_ARGS] = {eval_op(OP_mul, elem, elem, arg), arg[2]};
    return eval_op(OP_add, elem, elem, product);
}
