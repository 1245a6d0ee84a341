// Elements, dimensions, types, and the tables of operations and reductions.
#include <string.h>

#include "ir/ir.h"

const char *const elem_name[N_ELEM] = {"bool", "u8", "i32", "f32", "f64"};
const int elem_size[N_ELEM] = {1, 1, 4, 4, 8};

const char *const value_op_name[N_VALUE_OP] = {
    "input", "param", "state", "carry", "index", "accumulate", "reshape",
    "join",  "scan",  "part",  "grad",  "own",   "cotangent"};
const char *const red_name[N_RED] = {"none", "sum", "prod",   "max",   "min",
                                     "any",  "all", "argmax", "argmin"};

// The words that ops.def uses.
enum {
    NONE = TRAIT_NONE,
    COMMUTES = TRAIT_COMMUTES,
    ROUNDS = TRAIT_ROUNDS,
    COSTLY = TRAIT_COSTLY,
    G = LEVEL_G,
    F = LEVEL_F,
    L = LEVEL_L
};

const OpInfo op_info[N_OP] = {
#define OP(name, arity, rule, traits, levels, weight, cost) {#name, arity, RULE_##rule, traits, levels, weight, cost},
#include "ir/ops.def"
#undef OP
};

Op op_by_name(const char *text) {
    for (int op = 0; op < N_OP; op++)
        if (!strcmp(op_info[op].name, text)) return op;
    return N_OP;
}

Dim dim_const(int64_t n) {
    return (Dim){.n = n};
}

Dim dim_of(const Extent *by) {
    return (Dim){.n = 1, .by = by};
}

bool dim_equal(Dim a, Dim b) {
    return a.n == b.n && a.by == b.by;
}

int64_t dim_max(Dim d) {
    return d.by ? d.n * d.by->max : d.n;
}

Type type_scalar(Elem elem) {
    return (Type){.elem = elem};
}

Type type_tensor(Elem elem, int rank, const Dim *dim) {
    Type t = {.elem = elem, .rank = rank};
    for (int i = 0; i < rank; i++) t.dim[i] = dim[i];
    return t;
}

bool type_same_shape(const Type *a, const Type *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (!dim_equal(a->dim[i], b->dim[i])) return false;
    return true;
}

bool type_equal(const Type *a, const Type *b) {
    return a->elem == b->elem && a->below == b->below && type_same_shape(a, b);
}

int64_t type_count(const Type *t) {
    const int64_t MOST = (int64_t)1 << 56;  // more than memory; as bytes still a number
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(n, dim_max(t->dim[i]), &n) || n > MOST) n = MOST;
    return n;
}
