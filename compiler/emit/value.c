// Small pieces of LLVM: constants, vectors, masked memory operations.
#include <string.h>

#include "base/die.h"
#include "emit/gen.h"

V const_i32(const Code *g, int64_t x) {
    return LLVMConstInt(g->t_i32, (unsigned long long)x & 0xFFFFFFFFu, false);
}

V const_i64(const Code *g, int64_t x) {
    return LLVMConstInt(g->t_i64, (unsigned long long)x, true);
}

V const_elem(const Code *g, Elem e, double x) {
    if (e == ELEM_f32) x = (float)x;
    if (elem_is_real(e)) return LLVMConstReal(g->value_type[e], x);
    if (e == ELEM_bool) return LLVMConstInt(g->t_i1, x != 0, false);
    return const_i32(g, (int64_t)x);
}

T vector_type(T element) {
    return LLVMVectorType(element, LANES);
}

T lanes_type(const Code *g, T element) {
    return LLVMVectorType(element, (unsigned)g->lanes);
}

int lanes_of(V v) {
    return (int)LLVMGetVectorSize(LLVMTypeOf(v));
}

T same_lanes(V v, T element) {
    return is_vector(v) ? LLVMVectorType(element, (unsigned)lanes_of(v)) : element;
}

bool is_vector(V v) {
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
}

T element_type(V v) {
    T t = LLVMTypeOf(v);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? LLVMGetElementType(t) : t;
}

V splat(Code *g, V v) {
    if (is_vector(v)) return v;
    if (LLVMIsConstant(v) && !LLVMIsAGlobalValue(v)) {
        V all[LANES];
        for (int i = 0; i < g->lanes; i++) all[i] = v;
        return LLVMConstVector(all, (unsigned)g->lanes);
    }
    V none = LLVMGetPoison(lanes_type(g, LLVMTypeOf(v)));
    V one = LLVMBuildInsertElement(g->b, none, v, const_i32(g, 0), "");
    return LLVMBuildShuffleVector(g->b, one, none, LLVMConstNull(lanes_type(g, g->t_i32)), "");
}

V splat_to(Code *g, V v, V like) {
    return is_vector(like) ? splat(g, v) : v;
}

V lane_numbers(Code *g, int64_t c, int64_t k) {
    V lane[LANES];
    for (int i = 0; i < g->lanes; i++) lane[i] = const_i32(g, c * i + k);
    return LLVMConstVector(lane, (unsigned)g->lanes);
}

V lane_mask(Code *g, int n) {
    V lane[LANES];
    for (int i = 0; i < g->lanes; i++) lane[i] = LLVMConstInt(g->t_i1, i < n, false);
    return LLVMConstVector(lane, (unsigned)g->lanes);
}

V shuffle(Code *g, V v, const int *lane) {
    V number[LANES];
    int n = lanes_of(v);
    for (int i = 0; i < n; i++) number[i] = const_i32(g, lane[i]);
    return LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                  LLVMConstVector(number, (unsigned)n), "");
}

V with_lanes(Code *g, V v, int n) {
    V number[LANES];
    int has = lanes_of(v);
    if (has == n) return v;
    for (int i = 0; i < n; i++) number[i] = i < has ? const_i32(g, i) : LLVMGetPoison(g->t_i32);
    return LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                  LLVMConstVector(number, (unsigned)n), "");
}

static V call_overloaded(Code *g, const char *name, T *overload, int n_overload, V *arg, int n) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    if (!id) BUG("emit: LLVM has no %s", name);
    V fn = LLVMGetIntrinsicDeclaration(g->m, id, overload, (size_t)n_overload);
    T type = LLVMIntrinsicGetType(g->cx, id, overload, (size_t)n_overload);
    return LLVMBuildCall2(g->b, type, fn, arg, (unsigned)n, "");
}

V call_intrinsic(Code *g, const char *name, T overload, V *arg, int n) {
    return call_overloaded(g, name, &overload, 1, arg, n);
}

V call_intrinsic2(Code *g, const char *name, T overload, T overload2, V *arg, int n) {
    T both[2] = {overload, overload2};
    return call_overloaded(g, name, both, 2, arg, n);
}

bool const_int(V v, int64_t *out) {
    if (!LLVMIsAConstantInt(v)) return false;
    *out = LLVMConstIntGetSExtValue(v);
    return true;
}

bool const_bool(V v, bool *out) {
    if (is_vector(v)) {
        if (!LLVMIsConstant(v)) return false;
        if (LLVMIsNull(v)) return *out = false, true;
        for (unsigned i = 0; i < (unsigned)lanes_of(v); i++) {
            V lane = LLVMGetAggregateElement(v, i);
            if (!lane || !LLVMIsAConstantInt(lane) || !LLVMConstIntGetZExtValue(lane)) return false;
        }
        return *out = true, true;
    }
    if (!LLVMIsAConstantInt(v)) return false;
    *out = LLVMConstIntGetZExtValue(v) != 0;
    return true;
}

V value_to_memory(Code *g, Elem e, V v) {
    if (e == ELEM_bool) return LLVMBuildZExt(g->b, v, same_lanes(v, g->t_i8), "");
    if (e == ELEM_u8) return LLVMBuildTrunc(g->b, v, same_lanes(v, g->t_i8), "");
    return v;
}

V value_from_memory(Code *g, Elem e, V v) {
    if (e == ELEM_bool)
        return LLVMBuildICmp(g->b, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
    if (e == ELEM_u8) return LLVMBuildZExt(g->b, v, same_lanes(v, g->t_i32), "");
    return v;
}

// The intrinsics of masked memory take their alignment as an operand until LLVM 21, and as
// an attribute of the pointer since.
static void align_argument(Code *g, V call, unsigned place, int align) {
    unsigned kind = LLVMGetEnumAttributeKindForName("align", 5);
    LLVMAddCallSiteAttribute(call, place, LLVMCreateEnumAttribute(g->cx, kind, (uint64_t)align));
}

static V masked_read(Code *g, const char *name, T type, V p, V mask, V otherwise, int align) {
    if (g->version >= 22) {
        V arg[3] = {p, mask, otherwise};
        V call = call_intrinsic2(g, name, type, LLVMTypeOf(p), arg, 3);
        align_argument(g, call, 1, align);
        return call;
    }
    V arg[4] = {p, const_i32(g, align), mask, otherwise};
    return call_intrinsic2(g, name, type, LLVMTypeOf(p), arg, 4);
}

static V masked_write(Code *g, const char *name, V v, V p, V mask, int align) {
    if (g->version >= 22) {
        V arg[3] = {v, p, mask};
        V call = call_intrinsic2(g, name, LLVMTypeOf(v), LLVMTypeOf(p), arg, 3);
        align_argument(g, call, 2, align);
        return call;
    }
    V arg[4] = {v, p, const_i32(g, align), mask};
    return call_intrinsic2(g, name, LLVMTypeOf(v), LLVMTypeOf(p), arg, 4);
}

V masked_load(Code *g, T type, V p, V mask, V otherwise, int align) {
    return masked_read(g, "llvm.masked.load", type, p, mask, otherwise, align);
}

V masked_store(Code *g, V v, V p, V mask, int align) {
    return masked_write(g, "llvm.masked.store", v, p, mask, align);
}

V masked_gather(Code *g, T type, V pointers, V mask, V otherwise, int align) {
    return masked_read(g, "llvm.masked.gather", type, pointers, mask, otherwise, align);
}

V masked_scatter(Code *g, V v, V pointers, V mask, int align) {
    return masked_write(g, "llvm.masked.scatter", v, pointers, mask, align);
}
