// Draws: Philox4x32-7 (Salmon et al. 2011), as eval_rand of ir/eval.h defines them.
#include "emit/gen.h"

enum { ROUNDS = 7 };

static V product(Code *g, V x, uint32_t factor, V *high) {
    T wide = same_lanes(x, g->t_i64);
    V f = splat_to(g, const_i64(g, factor), x), shift = splat_to(g, const_i64(g, 32), x);
    V whole = LLVMBuildMul(g->b, LLVMBuildZExt(g->b, x, wide, ""), f, "");
    *high = LLVMBuildTrunc(g->b, LLVMBuildLShr(g->b, whole, shift, ""), LLVMTypeOf(x), "");
    return LLVMBuildMul(g->b, x, splat_to(g, const_i32(g, factor), x), "");
}

static V start_phi(Code *g, V start, BB from) {
    V phi = LLVMBuildPhi(g->b, LLVMTypeOf(start), "");
    LLVMAddIncoming(phi, &start, &from, 1);
    return phi;
}

static void philox_round(Code *g, const V x[4], V key0, V key1, V next[4]) {
    LLVMBuilderRef b = g->b;
    V high0, high1, k0 = splat_to(g, key0, x[0]), k1 = splat_to(g, key1, x[0]);
    next[3] = product(g, x[0], 0xD2511F53u, &high0);
    next[1] = product(g, x[2], 0xCD9E8D57u, &high1);
    next[0] = LLVMBuildXor(b, LLVMBuildXor(b, high1, x[1], ""), k0, "");
    next[2] = LLVMBuildXor(b, LLVMBuildXor(b, high0, x[3], ""), k1, "");
}

// The rounds are a loop, which is as fast as seven copies and 1 KB smaller.
static void philox(Code *g, V fn, V x[4], V key0, V key1) {
    LLVMBuilderRef b = g->b;
    BB entry = LLVMGetInsertBlock(b), loop = LLVMAppendBasicBlockInContext(g->cx, fn, "round");
    BB done = LLVMAppendBasicBlockInContext(g->cx, fn, "done");
    LLVMBuildBr(b, loop);
    LLVMPositionBuilderAtEnd(b, loop);
    V state[7] = {x[0], x[1], x[2], x[3], key0, key1, const_i32(g, ROUNDS)}, next[7];
    for (int i = 0; i < 7; i++) state[i] = start_phi(g, state[i], entry);
    philox_round(g, state, state[4], state[5], next);
    next[4] = LLVMBuildAdd(b, state[4], const_i32(g, 0x9E3779B9), "");
    next[5] = LLVMBuildAdd(b, state[5], const_i32(g, 0xBB67AE85), "");
    next[6] = LLVMBuildSub(b, state[6], const_i32(g, 1), "");
    for (int i = 0; i < 7; i++) LLVMAddIncoming(state[i], &next[i], &loop, 1);
    V goes_on = LLVMBuildICmp(b, LLVMIntNE, next[6], const_i32(g, 0), "");
    LLVMBuildCondBr(b, goes_on, loop, done);
    LLVMPositionBuilderAtEnd(b, done);
    for (int i = 0; i < 4; i++) x[i] = next[i];
}

static V fraction(Code *g, V word, Elem real) {
    V top = LLVMBuildLShr(g->b, word, splat_to(g, const_i32(g, 8), word), "");
    T t = same_lanes(word, g->value_type[real]);
    V x = LLVMBuildSIToFP(g->b, top, t, "");  // below 2^24: exact, and signed is faster
    return LLVMBuildFMul(g->b, x, splat_to(g, const_elem(g, real, 0x1p-24), word), "");
}

// One function for the vector form and one for the scalar form, which all kernels call.
static V philox_function(Code *g, T word, T *type) {
    bool wide = LLVMGetTypeKind(word) == LLVMVectorTypeKind;
    T field[4] = {word, word, word, word}, parameter[4] = {word, g->t_i32, g->t_i32, g->t_i32};
    T result = LLVMStructTypeInContext(g->cx, field, 4, false);
    *type = LLVMFunctionType(result, parameter, 4, false);
    const char *text = wide ? "philox.lanes" : "philox";
    V fn = LLVMGetNamedFunction(g->m, text);
    if (fn) return fn;
    fn = LLVMAddFunction(g->m, text, *type);
    target_attributes(g, fn);
    LLVMSetLinkage(fn, LLVMInternalLinkage);
    unsigned kind = LLVMGetEnumAttributeKindForName("noinline", 8);
    LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(g->cx, kind, 0));
    BB from = LLVMGetInsertBlock(g->b);
    LLVMMetadataRef place = LLVMGetCurrentDebugLocation2(g->b);
    LLVMSetCurrentDebugLocation2(g->b, NULL);
    LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->cx, fn, "entry"));
    V x[4] = {LLVMGetParam(fn, 0)};
    x[1] = x[3] = splat_to(g, const_i32(g, 0), x[0]);
    x[2] = splat_to(g, LLVMGetParam(fn, 3), x[0]);
    philox(g, fn, x, LLVMGetParam(fn, 1), LLVMGetParam(fn, 2));
    V out = LLVMGetPoison(result);
    for (unsigned i = 0; i < 4; i++) out = LLVMBuildInsertValue(g->b, out, x[i], i, "");
    LLVMBuildRet(g->b, out);
    LLVMPositionBuilderAtEnd(g->b, from);
    LLVMSetCurrentDebugLocation2(g->b, place);
    return fn;
}

static void four_words(Code *g, V counter, V seed, uint32_t site, V step, V word[4]) {
    T type;
    V fn = philox_function(g, LLVMTypeOf(counter), &type);
    V arg[4] = {counter, seed, const_i32(g, site), step};
    V out = LLVMBuildCall2(g->b, type, fn, arg, 4, "");
    for (unsigned i = 0; i < 4; i++) word[i] = LLVMBuildExtractValue(g->b, out, i, "");
}

V emit_rand(Code *g, V seed, uint32_t site, V step, V place, Elem real) {
    LLVMBuilderRef b = g->b;
    V k[5];
    int64_t number[5] = {6, 16, 15, 4, 3};
    for (int i = 0; i < 5; i++) k[i] = splat_to(g, const_i32(g, number[i]), place);
    V block = LLVMBuildMul(b, LLVMBuildLShr(b, place, k[0], ""), k[1], "");
    V counter = LLVMBuildAdd(b, block, LLVMBuildAnd(b, place, k[2], ""), "");
    V which = LLVMBuildAnd(b, LLVMBuildLShr(b, place, k[3], ""), k[4], "");
    V word[4];
    four_words(g, counter, seed, site, step, word);
    V drawn = word[0];
    for (int i = 1; i < 4; i++) {
        V is_it = LLVMBuildICmp(b, LLVMIntEQ, which, splat_to(g, const_i32(g, i), place), "");
        drawn = LLVMBuildSelect(b, is_it, word[i], drawn, "");
    }
    return fraction(g, drawn, real);
}

void emit_rand_words(Code *g, V seed, uint32_t site, V step, V base, V word[4]) {
    LLVMBuilderRef b = g->b;
    V block = LLVMBuildLShr(b, base, const_i32(g, 2), "");  // (base / 64) * 16
    V counter = LLVMBuildAdd(b, splat(g, block), lane_numbers(g, 1, 0), "");
    four_words(g, counter, seed, site, step, word);
}

V emit_rand_fraction(Code *g, V word, Elem real) {
    return fraction(g, word, real);
}
