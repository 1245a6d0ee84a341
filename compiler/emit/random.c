// Draws: Philox4x32-7 (Salmon et al. 2011), as ir/eval.h defines them.
#include <math.h>
#include <stdio.h>

#include "emit/gen.h"
#include "ir/eval.h"

enum { ROUNDS = 7 };

static const uint32_t KEY_STEP0 = 0x9E3779B9, KEY_STEP1 = 0xBB67AE85;

// The state of sixteen draws, or of one. Where there is a product of the lower halves of 64-bit
// lanes, sixteen are two parts of eight: the even and the odd lanes, with anything above.
typedef struct State {
    int n_part;
    V x[2][4];
} State;

static T half_lanes(Code *g) {
    return LLVMVectorType(g->t_i64, LANES / 2);
}

static V half_const(Code *g, int64_t x) {
    V all[LANES / 2];
    for (int i = 0; i < LANES / 2; i++) all[i] = const_i64(g, x);
    return LLVMConstVector(all, LANES / 2);
}

static bool has_half_products(Code *g, V counter) {
    return is_x86(g) && is_vector(counter) &&
           LLVMGetVectorSize(LLVMTypeOf(counter)) == LANES;
}

static V odd_lanes(Code *g, V even) {
    return LLVMBuildLShr(g->b, even, half_const(g, 32), "");
}

// A counter of four words: of these the first `n_varying` differ from lane to lane.
typedef struct Counter {
    V x[4];
    int n_varying;
} Counter;

static Counter counter_of(Code *g, V place, V step) {
    V zero = splat_to(g, const_i32(g, 0), place);
    return (Counter){{place, zero, splat_to(g, step, place), zero}, 1};
}

static State start_state(Code *g, const Counter *c) {
    State s = {has_half_products(g, c->x[0]) ? 2 : 1};
    for (int i = 0; i < 4; i++) s.x[0][i] = c->x[i];
    if (s.n_part == 1) return s;
    for (int i = 0; i < 4; i++)
        s.x[0][i] = s.x[1][i] = LLVMBuildBitCast(g->b, c->x[i], half_lanes(g), "");
    for (int i = 0; i < c->n_varying; i++) s.x[1][i] = odd_lanes(g, s.x[0][i]);
    return s;
}

// The four words of a state.
static void join_parts(Code *g, const State *s, V word[4]) {
    V lane[LANES];
    for (int i = 0; i < LANES; i++) lane[i] = const_i32(g, i % 2 ? LANES + i - 1 : i);
    for (int i = 0; i < 4; i++) {
        word[i] = s->x[0][i];
        if (s->n_part == 1) continue;
        V even = LLVMBuildBitCast(g->b, s->x[0][i], vector_type(g->t_i32), "");
        V odd = LLVMBuildBitCast(g->b, s->x[1][i], vector_type(g->t_i32), "");
        word[i] = LLVMBuildShuffleVector(g->b, even, odd, LLVMConstVector(lane, LANES), "");
    }
}

static V half_product(Code *g, V x, uint32_t factor, V *high) {
    V lower = LLVMBuildAnd(g->b, x, half_const(g, 0xFFFFFFFF), "");
    V whole = LLVMBuildMul(g->b, lower, half_const(g, factor), "");
    *high = odd_lanes(g, whole);
    return whole;
}

static V product(Code *g, V x, uint32_t factor, V *high) {
    if (is_vector(x) && LLVMTypeOf(x) == half_lanes(g)) return half_product(g, x, factor, high);
    T wide = same_lanes(x, g->t_i64);
    V f = splat_to(g, const_i64(g, factor), x), shift = splat_to(g, const_i64(g, 32), x);
    V whole = LLVMBuildMul(g->b, LLVMBuildZExt(g->b, x, wide, ""), f, "");
    *high = LLVMBuildTrunc(g->b, LLVMBuildLShr(g->b, whole, shift, ""), LLVMTypeOf(x), "");
    return LLVMBuildMul(g->b, x, splat_to(g, const_i32(g, factor), x), "");
}

static V key_for(Code *g, V key, V x) {
    if (!is_vector(x)) return key;
    return LLVMBuildBitCast(g->b, splat(g, key), LLVMTypeOf(x), "");
}

static State philox_round(Code *g, const State *s, V key0, V key1) {
    LLVMBuilderRef b = g->b;
    State next = {s->n_part};
    for (int p = 0; p < s->n_part; p++) {
        const V *x = s->x[p];
        V high0, high1, k0 = key_for(g, key0, x[0]), k1 = key_for(g, key1, x[0]);
        next.x[p][3] = product(g, x[0], 0xD2511F53u, &high0);
        next.x[p][1] = product(g, x[2], 0xCD9E8D57u, &high1);
        next.x[p][0] = LLVMBuildXor(b, LLVMBuildXor(b, high1, x[1], ""), k0, "");
        next.x[p][2] = LLVMBuildXor(b, LLVMBuildXor(b, high0, x[3], ""), k1, "");
    }
    return next;
}

static V key_after(Code *g, V key, uint32_t step, int rounds) {
    return LLVMBuildAdd(g->b, key, const_i32(g, (uint32_t)rounds * step), "");
}

// Seven copies of a round; the keys leave the loop around it.
static void philox_inline(Code *g, const Counter *c, V key0, V key1, V word[4]) {
    State s = start_state(g, c);
    for (int i = 0; i < ROUNDS; i++)
        s = philox_round(g, &s, key_after(g, key0, KEY_STEP0, i), key_after(g, key1, KEY_STEP1, i));
    join_parts(g, &s, word);
}

static V start_phi(Code *g, V start, BB from) {
    V phi = LLVMBuildPhi(g->b, LLVMTypeOf(start), "");
    LLVMAddIncoming(phi, &start, &from, 1);
    return phi;
}

// A loop of rounds, 1 KB smaller than seven copies.
static void philox_loop(Code *g, V fn, const Counter *c, V key0, V key1, V word[4]) {
    LLVMBuilderRef b = g->b;
    BB entry = LLVMGetInsertBlock(b), loop = LLVMAppendBasicBlockInContext(g->cx, fn, "round");
    BB done = LLVMAppendBasicBlockInContext(g->cx, fn, "done");
    State s = start_state(g, c), phi = s;
    LLVMBuildBr(b, loop);
    LLVMPositionBuilderAtEnd(b, loop);
    for (int i = 0; i < 4 * s.n_part; i++) phi.x[i / 4][i % 4] = start_phi(g, s.x[i / 4][i % 4], entry);
    V key[3] = {key0, key1, const_i32(g, ROUNDS)}, after[3];
    for (int i = 0; i < 3; i++) key[i] = start_phi(g, key[i], entry);
    s = philox_round(g, &phi, key[0], key[1]);
    after[0] = key_after(g, key[0], KEY_STEP0, 1);
    after[1] = key_after(g, key[1], KEY_STEP1, 1);
    after[2] = LLVMBuildSub(b, key[2], const_i32(g, 1), "");
    for (int i = 0; i < 4 * s.n_part; i++)
        LLVMAddIncoming(phi.x[i / 4][i % 4], &s.x[i / 4][i % 4], &loop, 1);
    for (int i = 0; i < 3; i++) LLVMAddIncoming(key[i], &after[i], &loop, 1);
    V goes_on = LLVMBuildICmp(b, LLVMIntNE, after[2], const_i32(g, 0), "");
    LLVMBuildCondBr(b, goes_on, loop, done);
    LLVMPositionBuilderAtEnd(b, done);
    join_parts(g, &s, word);
}

V emit_rand_fraction(Code *g, V word, Elem real) {
    V top = LLVMBuildLShr(g->b, word, splat_to(g, const_i32(g, 8), word), "");
    T t = same_lanes(word, g->value_type[real]);
    V x = LLVMBuildSIToFP(g->b, top, t, "");  // below 2^24: exact, and signed is faster
    return LLVMBuildFMul(g->b, x, splat_to(g, const_elem(g, real, 0x1p-24), word), "");
}

// A function that all kernels call: while its body is built, where the builder stood before.
typedef struct Shared {
    V fn;
    BB from;
    LLVMMetadataRef place;
} Shared;

static Shared begin_shared(Code *g, const char *text, T type) {
    Shared s = {LLVMAddFunction(g->m, text, type), LLVMGetInsertBlock(g->b),
                LLVMGetCurrentDebugLocation2(g->b)};
    target_attributes(g, s.fn);
    LLVMSetLinkage(s.fn, LLVMInternalLinkage);
    unsigned kind = LLVMGetEnumAttributeKindForName("noinline", 8);
    LLVMAddAttributeAtIndex(s.fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(g->cx, kind, 0));
    LLVMSetCurrentDebugLocation2(g->b, NULL);
    LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->cx, s.fn, "entry"));
    return s;
}

static void end_shared(Code *g, const Shared *s, V result) {
    LLVMBuildRet(g->b, result);
    LLVMPositionBuilderAtEnd(g->b, s->from);
    LLVMSetCurrentDebugLocation2(g->b, s->place);
}

// One function for the vector form and one for the scalar form.
static V philox_function(Code *g, T word, T *type) {
    bool wide = LLVMGetTypeKind(word) == LLVMVectorTypeKind;
    T field[4] = {word, word, word, word}, parameter[4] = {word, g->t_i32, g->t_i32, g->t_i32};
    T result = LLVMStructTypeInContext(g->cx, field, 4, false);
    *type = LLVMFunctionType(result, parameter, 4, false);
    const char *text = wide ? "philox.lanes" : "philox";
    V fn = LLVMGetNamedFunction(g->m, text);
    if (fn) return fn;
    Shared s = begin_shared(g, text, *type);
    V x[4], at[4];
    for (unsigned i = 0; i < 4; i++) at[i] = LLVMGetParam(s.fn, i);
    Counter c = counter_of(g, at[0], at[3]);
    philox_loop(g, s.fn, &c, at[1], at[2], x);
    V out = LLVMGetPoison(result);
    for (unsigned i = 0; i < 4; i++) out = LLVMBuildInsertValue(g->b, out, x[i], i, "");
    end_shared(g, &s, out);
    return s.fn;
}

static void four_words(Code *g, V counter, V seed, V site, V step, V word[4]) {
    T type;
    V fn = philox_function(g, LLVMTypeOf(counter), &type);
    V arg[4] = {counter, seed, site, step};
    V out = LLVMBuildCall2(g->b, type, fn, arg, 4, "");
    for (unsigned i = 0; i < 4; i++) word[i] = LLVMBuildExtractValue(g->b, out, i, "");
}

// For draws by sample, one for each width: from key, sample and place to a word.
static V draw_function(Code *g, T word, T *type) {
    bool wide = LLVMGetTypeKind(word) == LLVMVectorTypeKind;
    T parameter[3] = {word, word, word};
    *type = LLVMFunctionType(word, parameter, 3, false);
    char text[32];
    snprintf(text, sizeof text, "draw.%u", wide ? LLVMGetVectorSize(word) : 1);
    V fn = LLVMGetNamedFunction(g->m, text);
    if (fn) return fn;
    Shared s = begin_shared(g, text, *type);
    V key = LLVMGetParam(s.fn, 0), place = LLVMGetParam(s.fn, 2), x[4];
    Counter c = {{place, LLVMGetParam(s.fn, 1), key, splat_to(g, const_i32(g, 1), place)}, 3};
    philox_loop(g, s.fn, &c, const_i32(g, DRAW_KEY0), const_i32(g, DRAW_KEY1), x);
    end_shared(g, &s, x[0]);
    return s.fn;
}

V emit_draw_word(Code *g, V key, V sample, V place) {
    T type;
    V fn = draw_function(g, LLVMTypeOf(place), &type), arg[3] = {key, sample, place};
    return LLVMBuildCall2(g->b, type, fn, arg, 3, "");
}

V emit_rand_word(Code *g, V seed, V site, V step, V place) {
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
    return drawn;
}

void emit_rand_words(Code *g, V seed, V site, V step, V base, bool is_compact, V word[4]) {
    LLVMBuilderRef b = g->b;
    V block = LLVMBuildLShr(b, base, const_i32(g, 2), "");  // (base / 64) * 16
    V counter = LLVMBuildAdd(b, splat(g, block), lane_numbers(g, 1, 0), "");
    Counter c = counter_of(g, counter, step);
    if (is_compact) four_words(g, counter, seed, site, step, word);
    else philox_inline(g, &c, seed, site, word);
}

// The draw, a multiple n of 2^-24, is below x where n < x * 2^24 rounded up.
V emit_rand_below(Code *g, V word, Elem real, double x) {
    double least = ceil((real == ELEM_f32 ? (float)x : x) * 0x1p24);
    bool always = least >= 0x1p24, never = !(least > 0);
    if (always || never) return splat_to(g, LLVMConstInt(g->t_i1, always, false), word);
    V limit = splat_to(g, const_i32(g, (uint32_t)least << 8), word);
    return LLVMBuildICmp(g->b, LLVMIntULT, word, limit, "");
}
