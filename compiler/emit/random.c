// Draws: Philox4x32-7 (Salmon et al. 2011), as eval_rand of ir/eval.h defines them.
#include "emit/gen.h"

enum { ROUNDS = 7 };

static V wide_product(Code *g, V x, uint32_t factor, V *high) {
    T narrow = LLVMTypeOf(x);
    T wide = is_vector(x) ? vector_type(g->t_i64) : g->t_i64;
    V f = splat_to(g, const_i64(g, factor), x);
    V product = LLVMBuildMul(g->b, LLVMBuildZExt(g->b, x, wide, ""), f, "");
    V shift = splat_to(g, const_i64(g, 32), x);
    *high = LLVMBuildTrunc(g->b, LLVMBuildLShr(g->b, product, shift, ""), narrow, "");
    return LLVMBuildTrunc(g->b, product, narrow, "");
}

static void philox(Code *g, V x[4], V key0, V key1) {
    LLVMBuilderRef b = g->b;
    for (int i = 0; i < ROUNDS; i++) {
        V high0, high1;
        V low0 = wide_product(g, x[0], 0xD2511F53u, &high0);
        V low1 = wide_product(g, x[2], 0xCD9E8D57u, &high1);
        V k0 = splat_to(g, LLVMBuildAdd(b, key0, const_i32(g, i * (int64_t)0x9E3779B9u), ""), x[0]);
        V k1 = splat_to(g, LLVMBuildAdd(b, key1, const_i32(g, i * (int64_t)0xBB67AE85u), ""), x[0]);
        V next[4] = {LLVMBuildXor(b, LLVMBuildXor(b, high1, x[1], ""), k0, ""), low1,
                     LLVMBuildXor(b, LLVMBuildXor(b, high0, x[3], ""), k1, ""), low0};
        for (int j = 0; j < 4; j++) x[j] = next[j];
    }
}

static V fraction(Code *g, V word, Elem real) {
    V top = LLVMBuildLShr(g->b, word, splat_to(g, const_i32(g, 8), word), "");
    T t = is_vector(word) ? vector_type(g->value_type[real]) : g->value_type[real];
    V x = LLVMBuildSIToFP(g->b, top, t, "");  // below 2^24: exact, and signed is faster
    return LLVMBuildFMul(g->b, x, splat_to(g, const_elem(g, real, 0x1p-24), word), "");
}

static void four_words(Code *g, V counter, V seed, uint32_t site, V step, V word[4]) {
    word[0] = counter;
    word[1] = word[3] = splat_to(g, const_i32(g, 0), counter);
    word[2] = splat_to(g, step, counter);
    philox(g, word, seed, const_i32(g, site));
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
