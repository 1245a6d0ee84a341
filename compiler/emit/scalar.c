// The scalar operations as LLVM instructions: one function per row of ops.def, each with the
// bits of its eval_NAME. Arguments are all vectors or all scalars; no fast-math flags.
#include <math.h>

#include "base/die.h"
#include "emit/gen.h"

typedef struct Operation {
    Elem elem, from;  // of the result, of the first argument
    V *a;
} Operation;

static V constant_like(Code *g, Elem e, double x, V like) {
    return splat_to(g, const_elem(g, e, x), like);
}

static V int_like(V like, int64_t x) {
    V k = LLVMConstInt(element_type(like), (unsigned long long)x, true);
    if (!is_vector(like)) return k;
    V all[LANES];
    int n = lanes_of(like);
    for (int i = 0; i < n; i++) all[i] = k;
    return LLVMConstVector(all, (unsigned)n);
}

static V call_same(Code *g, const char *intrinsic, V *arg, int n) {
    return call_intrinsic(g, intrinsic, LLVMTypeOf(arg[0]), arg, n);
}

static V select_of(Code *g, V condition, V then, V otherwise) {
    return LLVMBuildSelect(g->b, condition, then, otherwise, "");
}

// ---- leaves are eval.c's (emit/eval.c)

_Noreturn static V leaf(const char *name) {
    BUG("emit: %s is a leaf", name);
}

static V emit_op_const(Code *g, const Operation *o) {
    (void)g, (void)o;
    leaf("const");
}

static V emit_op_iv(Code *g, const Operation *o) {
    (void)g, (void)o;
    leaf("iv");
}

static V emit_op_rand(Code *g, const Operation *o) {
    (void)g, (void)o;
    leaf("rand");
}

static V emit_op_load(Code *g, const Operation *o) {
    (void)g, (void)o;
    leaf("load");
}

static V emit_op_temp(Code *g, const Operation *o) {
    (void)g, (void)o;
    leaf("temp");
}

// ---- arithmetic

static V emit_op_add(Code *g, const Operation *o) {
    return elem_is_real(o->elem) ? LLVMBuildFAdd(g->b, o->a[0], o->a[1], "")
                                 : LLVMBuildAdd(g->b, o->a[0], o->a[1], "");
}

static V emit_op_sub(Code *g, const Operation *o) {
    return elem_is_real(o->elem) ? LLVMBuildFSub(g->b, o->a[0], o->a[1], "")
                                 : LLVMBuildSub(g->b, o->a[0], o->a[1], "");
}

static V emit_op_mul(Code *g, const Operation *o) {
    return elem_is_real(o->elem) ? LLVMBuildFMul(g->b, o->a[0], o->a[1], "")
                                 : LLVMBuildMul(g->b, o->a[0], o->a[1], "");
}

static V emit_op_div(Code *g, const Operation *o) {
    return LLVMBuildFDiv(g->b, o->a[0], o->a[1], "");
}

static V emit_op_neg(Code *g, const Operation *o) {
    return elem_is_real(o->elem) ? LLVMBuildFNeg(g->b, o->a[0], "")
                                 : LLVMBuildNeg(g->b, o->a[0], "");
}

static V emit_op_abs(Code *g, const Operation *o) {
    if (elem_is_real(o->elem)) return call_same(g, "llvm.fabs", o->a, 1);
    V arg[2] = {o->a[0], LLVMConstInt(g->t_i1, 0, false)};  // the least i32 stays
    return call_same(g, "llvm.abs", arg, 2);
}

static V less(Code *g, const Operation *o, V a, V b) {
    if (elem_is_real(o->from)) return LLVMBuildFCmp(g->b, LLVMRealOLT, a, b, "");
    return LLVMBuildICmp(g->b, o->from == ELEM_bool ? LLVMIntULT : LLVMIntSLT, a, b, "");
}

static V emit_op_min(Code *g, const Operation *o) {
    return select_of(g, less(g, o, o->a[0], o->a[1]), o->a[0], o->a[1]);
}

static V emit_op_max(Code *g, const Operation *o) {
    return select_of(g, less(g, o, o->a[1], o->a[0]), o->a[0], o->a[1]);
}

// The one value of an i32 constant or of a splat of one.
static bool divisor_is_const(V v, int64_t *out) {
    if (is_vector(v)) {
        if (!LLVMIsConstant(v)) return false;
        V first = LLVMGetAggregateElement(v, 0);
        for (unsigned i = 1; i < (unsigned)lanes_of(v); i++)
            if (LLVMGetAggregateElement(v, i) != first) return false;
        return first && const_int(first, out);
    }
    return const_int(v, out);
}

// Rounds to minus infinity; b is neither 0 nor -1.
static V floor_divide(Code *g, V a, V b) {
    V q = LLVMBuildSDiv(g->b, a, b, "");
    V r = LLVMBuildSub(g->b, a, LLVMBuildMul(g->b, q, b, ""), "");
    V zero = int_like(a, 0);
    V is_inexact = LLVMBuildICmp(g->b, LLVMIntNE, r, zero, "");
    V differ = LLVMBuildICmp(g->b, LLVMIntSLT, LLVMBuildXor(g->b, r, b, ""), zero, "");
    V too_large = LLVMBuildAnd(g->b, is_inexact, differ, "");
    return LLVMBuildSub(g->b, q, LLVMBuildZExt(g->b, too_large, LLVMTypeOf(a), ""), "");
}

static V emit_op_idiv(Code *g, const Operation *o) {
    V a = o->a[0], b = o->a[1];
    int64_t d;
    if (divisor_is_const(b, &d) && d != 0 && d != -1) {
        if (d > 0 && !(d & (d - 1))) {
            int shift = 0;
            while ((int64_t)1 << shift < d) shift++;
            return LLVMBuildAShr(g->b, a, int_like(a, shift), "");
        }
        return floor_divide(g, a, b);
    }
    V zero = int_like(a, 0), one = int_like(a, 1);
    V is_zero = LLVMBuildICmp(g->b, LLVMIntEQ, b, zero, "");
    V is_minus = LLVMBuildICmp(g->b, LLVMIntEQ, b, int_like(a, -1), "");
    V safe = select_of(g, LLVMBuildOr(g->b, is_zero, is_minus, ""), one, b);
    V q = select_of(g, is_minus, LLVMBuildNeg(g->b, a, ""), floor_divide(g, a, safe));
    return select_of(g, is_zero, zero, q);
}

// To the nearest, ties to even. Where the processor can't, LLVM would call the library lane by
// lane: what lies below 2^23 (2^52) loses its fraction by adding that much to it.
static V round_of(Code *g, V x) {
    if (g->has_rounding) return call_same(g, "llvm.roundeven", &x, 1);
    LLVMBuilderRef b = g->b;
    bool is_f32 = element_type(x) == g->value_type[ELEM_f32];
    V whole = splat_to(g, LLVMConstReal(element_type(x), is_f32 ? 0x1p23 : 0x1p52), x);
    V size = call_same(g, "llvm.fabs", &x, 1);
    V near = LLVMBuildFSub(b, LLVMBuildFAdd(b, size, whole, ""), whole, "");
    V arg[2] = {near, x};
    V has_fraction = LLVMBuildFCmp(b, LLVMRealOLT, size, whole, "");  // NaN has none
    return select_of(g, has_fraction, call_same(g, "llvm.copysign", arg, 2), x);
}

static V floor_of(Code *g, V x) {
    if (g->has_rounding) return call_same(g, "llvm.floor", &x, 1);
    V near = round_of(g, x), one = splat_to(g, LLVMConstReal(element_type(x), 1), x);
    V is_above = LLVMBuildFCmp(g->b, LLVMRealOGT, near, x, "");
    return select_of(g, is_above, LLVMBuildFSub(g->b, near, one, ""), near);
}

static V emit_op_mod(Code *g, const Operation *o) {
    V a = o->a[0], b = o->a[1];
    if (elem_is_real(o->elem)) {
        V q = LLVMBuildFDiv(g->b, a, b, "");
        V whole = floor_of(g, q);
        return LLVMBuildFSub(g->b, a, LLVMBuildFMul(g->b, b, whole, ""), "");
    }
    V r = LLVMBuildSub(g->b, a, LLVMBuildMul(g->b, emit_op_idiv(g, o), b, ""), "");
    V zero = int_like(a, 0);
    return select_of(g, LLVMBuildICmp(g->b, LLVMIntEQ, b, zero, ""), zero, r);
}

static V emit_op_floor(Code *g, const Operation *o) {
    return floor_of(g, o->a[0]);
}

static V emit_op_round(Code *g, const Operation *o) {
    return round_of(g, o->a[0]);
}

static V emit_op_sqrt(Code *g, const Operation *o) {
    return call_same(g, "llvm.sqrt", o->a, 1);
}

// ---- conditions

static V compare(Code *g, const Operation *o, LLVMRealPredicate real, LLVMIntPredicate integer) {
    if (elem_is_real(o->from)) return LLVMBuildFCmp(g->b, real, o->a[0], o->a[1], "");
    return LLVMBuildICmp(g->b, integer, o->a[0], o->a[1], "");
}

static V emit_op_lt(Code *g, const Operation *o) {
    return less(g, o, o->a[0], o->a[1]);
}

static V emit_op_le(Code *g, const Operation *o) {
    return compare(g, o, LLVMRealOLE, o->from == ELEM_bool ? LLVMIntULE : LLVMIntSLE);
}

static V emit_op_eq(Code *g, const Operation *o) {
    return compare(g, o, LLVMRealOEQ, LLVMIntEQ);
}

static V emit_op_ne(Code *g, const Operation *o) {
    return compare(g, o, LLVMRealUNE, LLVMIntNE);
}

static V emit_op_and(Code *g, const Operation *o) {
    return LLVMBuildAnd(g->b, o->a[0], o->a[1], "");
}

static V emit_op_or(Code *g, const Operation *o) {
    return LLVMBuildOr(g->b, o->a[0], o->a[1], "");
}

static V emit_op_not(Code *g, const Operation *o) {
    return LLVMBuildNot(g->b, o->a[0], "");
}

static V emit_op_select(Code *g, const Operation *o) {
    return select_of(g, o->a[0], o->a[1], o->a[2]);
}

// ---- conversions

static V emit_op_to_real(Code *g, const Operation *o) {
    T t = same_lanes(o->a[0], g->value_type[o->elem]);
    if (o->from == ELEM_bool) return LLVMBuildUIToFP(g->b, o->a[0], t, "");
    return LLVMBuildSIToFP(g->b, o->a[0], t, "");
}

// llvm.fptosi.sat, which LLVM makes for x86 one lane at a time: sixteen times the code.
static V saturate(Code *g, V x, T t) {
    LLVMBuilderRef b = g->b;
    T real = element_type(x);
    V zero = LLVMConstNull(LLVMTypeOf(x)), end = splat_to(g, LLVMConstReal(real, 0x1p31), x);
    V low = splat_to(g, LLVMConstReal(real, -0x1p31), x);
    V is_below = LLVMBuildFCmp(b, LLVMRealOLT, x, end, "");  // NaN is not
    V inside = select_of(g, is_below, x, zero);
    inside = select_of(g, LLVMBuildFCmp(b, LLVMRealOGT, inside, low, ""), inside, low);
    V n = LLVMBuildFPToSI(b, inside, t, "");
    V is_above = LLVMBuildFCmp(b, LLVMRealOGE, x, end, "");
    return select_of(g, is_above, int_like(n, INT32_MAX), n);
}

static V emit_op_to_int(Code *g, const Operation *o) {
    T t = same_lanes(o->a[0], g->t_i32);
    if (o->from == ELEM_bool) return LLVMBuildZExt(g->b, o->a[0], t, "");
    if (!elem_is_real(o->from)) return o->a[0];
    V x = floor_of(g, o->a[0]);
    if (is_vector(x) && is_x86(g)) return saturate(g, x, t);
    return call_intrinsic2(g, "llvm.fptosi.sat", t, LLVMTypeOf(x), &x, 1);
}

static V emit_op_fma(Code *g, const Operation *o) {
    if (g->has_fma) return call_same(g, "llvm.fma", o->a, 3);
    return LLVMBuildFAdd(g->b, LLVMBuildFMul(g->b, o->a[0], o->a[1], ""), o->a[2], "");
}

// ---- the parts of a real: sign, exponent field, fraction

typedef struct Format {
    T integer;         // of the same width
    int fraction;      // bits
    int bias;
    int64_t field;     // the exponent's largest value
} Format;

static Format format_of(const Code *g, Elem e) {
    return e == ELEM_f32 ? (Format){g->t_i32, 23, 127, 255} : (Format){g->t_i64, 52, 1023, 2047};
}

typedef struct Parts {
    V exponent;  // of the integer type; 0 for 0, infinities and NaN
    V mantissa;  // x itself for those
} Parts;

// Subnormal numbers are scaled into the normal range first.
static Parts take_apart(Code *g, Elem e, V x) {
    Format f = format_of(g, e);
    LLVMBuilderRef b = g->b;
    T bits_type = same_lanes(x, f.integer);
    V size = call_same(g, "llvm.fabs", &x, 1);
    V least = constant_like(g, e, ldexp(1, 1 - f.bias), x);
    V is_small = LLVMBuildFCmp(b, LLVMRealOLT, size, least, "");
    V scaled = LLVMBuildFMul(b, x, constant_like(g, e, ldexp(1, f.fraction + 1), x), "");
    V bits = LLVMBuildBitCast(b, select_of(g, is_small, scaled, x), bits_type, "");
    V field = LLVMBuildAnd(b, LLVMBuildLShr(b, bits, int_like(bits, f.fraction), ""),
                           int_like(bits, f.field), "");
    V offset = select_of(g, is_small, int_like(bits, f.bias + f.fraction + 1),
                         int_like(bits, f.bias));
    V is_zero = LLVMBuildFCmp(b, LLVMRealOEQ, x, constant_like(g, e, 0, x), "");
    V is_special = LLVMBuildOr(
        b, is_zero, LLVMBuildICmp(b, LLVMIntEQ, field, int_like(bits, f.field), ""), "");
    int64_t one = (int64_t)f.bias << f.fraction;
    int64_t keep = (int64_t)(((uint64_t)1 << f.fraction) - 1) |
                   (e == ELEM_f32 ? (int64_t)0x80000000 : INT64_MIN);
    V unit = LLVMBuildOr(b, LLVMBuildAnd(b, bits, int_like(bits, keep), ""), int_like(bits, one),
                         "");
    return (Parts){
        select_of(g, is_special, int_like(bits, 0), LLVMBuildSub(b, field, offset, "")),
        select_of(g, is_special, x, LLVMBuildBitCast(b, unit, LLVMTypeOf(x), ""))};
}

static V clamp(Code *g, V n, int64_t low, int64_t high) {
    V arg[2] = {n, int_like(n, low)};
    V at_least = call_same(g, "llvm.smax", arg, 2);
    V both[2] = {at_least, int_like(n, high)};
    return call_same(g, "llvm.smin", both, 2);
}

// 2^n for n in the normal range, n of the format's integer type.
static V power_of_two(Code *g, Elem e, V n, T real) {
    Format f = format_of(g, e);
    V field = LLVMBuildAdd(g->b, n, int_like(n, f.bias), "");
    V bits = LLVMBuildShl(g->b, field, int_like(n, f.fraction), "");
    return LLVMBuildBitCast(g->b, bits, real, "");
}

static V widen_count(Code *g, Elem e, V n) {
    return e == ELEM_f64 ? LLVMBuildSExt(g->b, n, same_lanes(n, g->t_i64), "") : n;
}

static V half_of(Code *g, V v, int which, int n) {
    V lane[LANES];
    for (int i = 0; i < n; i++) lane[i] = const_i32(g, which * n + i);
    return LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                  LLVMConstVector(lane, (unsigned)n), "");
}

static V join_halves(Code *g, V half[2]) {
    V lane[LANES];
    for (int i = 0; i < LANES; i++) lane[i] = const_i32(g, i);
    return LLVMBuildShuffleVector(g->b, half[0], half[1], LLVMConstVector(lane, LANES), "");
}

// AVX-512's instructions on exponents and mantissas: each rounds once at most, knows subnormal
// numbers, and has a form for one number, in the first lane.
typedef struct Instruction {
    const char *f32, *f64, *one_f32, *one_f64;
} Instruction;

#define INSTRUCTION(name)                                                                       \
    {"llvm.x86.avx512.mask." name ".ps.512", "llvm.x86.avx512.mask." name ".pd.512",            \
     "llvm.x86.avx512.mask." name ".ss", "llvm.x86.avx512.mask." name ".sd"}
static const Instruction i_scalef = INSTRUCTION("scalef"), i_getexp = INSTRUCTION("getexp"),
                         i_getmant = INSTRUCTION("getmant");
#undef INSTRUCTION

static V call_avx512(Code *g, const char *name, V *arg, unsigned n) {
    T t = LLVMTypeOf(arg[0]), param[6];
    for (unsigned i = 0; i < n; i++) param[i] = LLVMTypeOf(arg[i]);
    T type = LLVMFunctionType(t, param, n, false);
    V fn = LLVMGetNamedFunction(g->m, name);
    if (!fn) fn = LLVMAddFunction(g->m, name, type);
    return LLVMBuildCall2(g->b, type, fn, arg, n, "");
}

// Of x, and n where it is not NULL, the instruction; is_choice: it has a number for variants.
static V one_register(Code *g, const char *name, V x, V n, bool is_choice, V from, V mask) {
    V arg[6];
    unsigned count = 0;
    arg[count++] = x;
    if (n) arg[count++] = n;
    if (is_choice) arg[count++] = const_i32(g, 0);  // getmant: from 1 to 2, with the sign
    arg[count++] = from;
    arg[count++] = mask;
    arg[count++] = const_i32(g, 4);  // the current rounding
    return call_avx512(g, name, arg, count);
}

static V one_number(Code *g, const Instruction *i, Elem e, V x, V n, bool is_choice) {
    V zero = LLVMConstNull(LLVMVectorType(LLVMTypeOf(x), e == ELEM_f32 ? 4 : 2));
    V lane = const_i32(g, 0), first = LLVMBuildInsertElement(g->b, zero, x, lane, "");
    V second = n ? LLVMBuildInsertElement(g->b, zero, n, lane, "") : first;
    V result = one_register(g, e == ELEM_f32 ? i->one_f32 : i->one_f64, first, second, is_choice,
                            zero, LLVMConstInt(g->t_i8, 1, false));
    return LLVMBuildExtractElement(g->b, result, lane, "");
}

static V avx512(Code *g, const Instruction *i, Elem e, V x, V n, bool is_choice) {
    if (!is_vector(x)) return one_number(g, i, e, x, n, is_choice);
    int lanes = lanes_of(x);
    if (lanes < LANES) {
        V all = avx512(g, i, e, with_lanes(g, x, LANES), n ? with_lanes(g, n, LANES) : NULL, is_choice);
        return with_lanes(g, all, lanes);
    }
    T mask = LLVMIntTypeInContext(g->cx, e == ELEM_f32 ? 16 : 8);
    V all = LLVMConstAllOnes(mask);
    if (e == ELEM_f32) return one_register(g, i->f32, x, n, is_choice, x, all);
    V half[2];
    for (int h = 0; h < 2; h++) {
        V part = half_of(g, x, h, 8);
        half[h] = one_register(g, i->f64, part, n ? half_of(g, n, h, 8) : NULL, is_choice, part, all);
    }
    return join_halves(g, half);
}

// The exponent is infinite or NaN for 0, infinities and NaN.
static V is_taken_apart(Code *g, Elem e, V exponent) {
    V size = call_same(g, "llvm.fabs", &exponent, 1);
    return LLVMBuildFCmp(g->b, LLVMRealOLT, size, constant_like(g, e, INFINITY, size), "");
}

static V exponent_avx512(Code *g, Elem e, V x) {
    V exponent = avx512(g, &i_getexp, e, x, NULL, false);
    V n = LLVMBuildFPToSI(g->b, exponent, same_lanes(x, g->t_i32), "");
    return select_of(g, is_taken_apart(g, e, exponent), n, int_like(n, 0));
}

static V mantissa_avx512(Code *g, Elem e, V x) {
    V exponent = avx512(g, &i_getexp, e, x, NULL, false);
    V mantissa = avx512(g, &i_getmant, e, x, NULL, true);
    return select_of(g, is_taken_apart(g, e, exponent), mantissa, x);
}

V emit_scaled(Code *g, Elem elem, V x, V n) {
    return avx512(g, &i_scalef, elem, x, n, false);
}

static V scale2_avx512(Code *g, Elem e, V x, V n) {
    V count = LLVMBuildSIToFP(g->b, clamp(g, n, -5000, 5000), LLVMTypeOf(x), "");
    return emit_scaled(g, e, x, count);
}

// In doubles an f32 can be scaled exactly; it is rounded when it becomes f32 again.
static V scale2_f32(Code *g, V x, V n) {
    T f64 = same_lanes(x, g->value_type[ELEM_f64]);
    V count = LLVMBuildSExt(g->b, clamp(g, n, -400, 400), same_lanes(x, g->t_i64), "");
    V wide = LLVMBuildFPExt(g->b, x, f64, "");
    V scaled = LLVMBuildFMul(g->b, wide, power_of_two(g, ELEM_f64, count, f64), "");
    return LLVMBuildFPTrunc(g->b, scaled, LLVMTypeOf(x), "");
}

// x = m * 2^e, so x * 2^n is m * 2^(e + n): first as far down as stays exact, then the rest.
static V emit_op_scale2(Code *g, const Operation *o) {
    V x = o->a[0], n = o->a[1];
    if (g->has_avx512) return scale2_avx512(g, o->elem, x, n);
    if (o->elem == ELEM_f32) return scale2_f32(g, x, n);
    Format f = format_of(g, o->elem);
    Parts p = take_apart(g, o->elem, x);
    V count = widen_count(g, o->elem, clamp(g, n, -5000, 5000));
    V total = clamp(g, LLVMBuildAdd(g->b, p.exponent, count, ""), -f.bias - f.fraction - 10,
                    f.bias + 10);
    V near = clamp(g, total, 1 - f.bias, f.bias);
    V rest = LLVMBuildSub(g->b, total, near, "");
    V first = LLVMBuildFMul(g->b, p.mantissa, power_of_two(g, o->elem, near, LLVMTypeOf(x)), "");
    return LLVMBuildFMul(g->b, first, power_of_two(g, o->elem, rest, LLVMTypeOf(x)), "");
}

static V emit_op_draw(Code *g, const Operation *o) {
    return emit_rand_fraction(g, emit_draw_word(g, o->a[0], o->a[1], o->a[2]), o->elem);
}

static V emit_op_exponent(Code *g, const Operation *o) {
    if (g->has_avx512) return exponent_avx512(g, o->from, o->a[0]);
    V e = take_apart(g, o->from, o->a[0]).exponent;
    return o->from == ELEM_f64 ? LLVMBuildTrunc(g->b, e, same_lanes(e, g->t_i32), "") : e;
}

static V emit_op_mantissa(Code *g, const Operation *o) {
    if (g->has_avx512) return mantissa_avx512(g, o->elem, o->a[0]);
    return take_apart(g, o->elem, o->a[0]).mantissa;
}

// ---- the table: one function for each row

typedef V EmitFn(Code *g, const Operation *o);

// Rows without a place in loops.
#define emit_op_read NULL
#define emit_op_exp NULL
#define emit_op_log NULL
#define emit_op_log1p NULL
#define emit_op_tanh NULL
#define emit_op_sigmoid NULL
#define emit_op_erf NULL
#define emit_op_sin NULL
#define emit_op_cos NULL
#define emit_op_pow NULL
#define emit_op_stop NULL
#define emit_op_mac NULL

static EmitFn *const emit_fn[N_OP] = {
#define OP(name, arity, rule, traits, levels, weight, cost) emit_op_##name,
#include "ir/ops.def"
#undef OP
};

V emit_op(Code *g, Op op, Elem elem, Elem argument_elem, V *arg) {
    Operation o = {elem, argument_elem, arg};
    if (!emit_fn[op]) BUG("emit: %s has no place in loops", op_info[op].name);
    return emit_fn[op](g, &o);
}
