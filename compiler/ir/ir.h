// The index IR: a pure, hash-consed graph of tensors.
//
// A module holds functions, one per entry point of the program that is built (init,
// train_step, eval_step, predict, gradients, epoch_end), and the parameters and states
// that they share. A value is a tensor; every tensor operation is a loop nest over a box
// of integers with a scalar expression inside:
//
//   %7 = index [n < batch, u < 512 | i < 784] sum.seq mac(%x[n, i], %w[i, u])  @12:9
//
// Slots, not names: the parallel indices are slots 0 .. np-1 and the reduced ones np ..
// np+nr-1, so that sharing sees through renaming. Values and scalars are built by
// build.h only, never changed, and equal ones are one pointer. A span is outside the
// sharing key; the site of a random draw is inside.
#ifndef NNC_IR_IR_H
#define NNC_IR_IR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/map.h"
#include "base/vec.h"

enum { MAX_RANK = 8, MAX_SLOTS = 16, MAX_ARGS = 3 };

typedef struct Module Module;
typedef struct Function Function;
typedef struct Value Value;
typedef struct Scalar Scalar;

// ---- elements, dimensions, types

typedef enum Elem { ELEM_bool, ELEM_u8, ELEM_i32, ELEM_f32, ELEM_f64, N_ELEM } Elem;

extern const char *const elem_name[N_ELEM];
extern const int elem_size[N_ELEM];  // bytes
static inline bool elem_is_real(Elem e) { return e >= ELEM_f32; }

// An extent known at run time only, and its largest value: `batch`, `rows`.
typedef struct Extent {
    Name name;
    int64_t max;
    int id;  // place in Module.extents, and in the run-time context
} Extent;

// n, or n times a run-time extent. The largest value must be known when compiled.
typedef struct Dim {
    int64_t n;
    const Extent *by;  // NULL for a constant
} Dim;

Dim dim_const(int64_t n);
Dim dim_of(const Extent *by);
bool dim_equal(Dim a, Dim b);
int64_t dim_max(Dim d);

typedef struct Type {
    Elem elem;
    int rank;
    Dim dim[MAX_RANK];
    int64_t below;  // i32 and u8: every element is in [0, below); 0 where nothing is known
} Type;

Type type_scalar(Elem elem);
Type type_tensor(Elem elem, int rank, const Dim *dim);
bool type_equal(const Type *a, const Type *b);   // `below` too
bool type_same_shape(const Type *a, const Type *b);
int64_t type_count(const Type *t);               // elements at the largest extents; 2^56 at most

// ---- scalars

typedef enum Op {
#define OP(name, arity, rule, traits, levels, weight, cost) OP_##name,
#include "ir/ops.def"
#undef OP
    N_OP
} Op;

typedef enum Rule {
    RULE_LEAF, RULE_NUMBER, RULE_REAL, RULE_COMPARE, RULE_LOGIC, RULE_SELECT,
    RULE_TO_REAL, RULE_TO_INT, RULE_SCALE, RULE_EXPONENT, RULE_DRAW
} Rule;

enum { TRAIT_NONE = 0, TRAIT_COMMUTES = 1, TRAIT_ROUNDS = 2, TRAIT_COSTLY = 4 };
enum { LEVEL_G = 1, LEVEL_F = 2, LEVEL_L = 4 };

typedef struct OpInfo {
    const char *name;
    uint8_t arity, rule, traits, levels, weight, cost;
} OpInfo;

extern const OpInfo op_info[N_OP];

static inline bool op_is_draw(Op op) {
    return op == OP_rand || op == OP_draw;
}

Op op_by_name(const char *text);  // N_OP where there is none

// The sum of c * slot over the terms, plus k. Terms are sorted by slot, none has c == 0.
typedef struct Term {
    int slot;
    int64_t c;
} Term;

typedef struct Affine {
    int n;
    const Term *t;
    int64_t k;
} Affine;

// mod 0: e + s >= 0. Else: e + s is a multiple of mod. s is an i32 scalar or NULL.
typedef struct Guard {
    Affine e;
    Scalar *s;
    int64_t mod;
} Guard;

// floor(a / div) + gather; div >= 1; gather is an i32 scalar or NULL.
typedef struct Subscript {
    Affine a;
    int64_t div;
    Scalar *gather;
} Subscript;

// An element of a tensor; where a guard fails, `otherwise` in its place. Wherever all
// guards hold, every subscript is in range: the verifier proves it, but for `gather`,
// which is proved by the `below` of what it reads or trusted where sema has proved it.
typedef struct Read {
    Value *v;
    const Subscript *sub;  // one per axis of v
    int n_guard;
    const Guard *guard;
    Scalar *otherwise;     // NULL where there is no guard
} Read;

struct Load;  // loops.h
struct Temp;

struct Scalar {
    Op op;
    Elem elem;
    int id;               // in order of creation
    Scalar *arg[MAX_ARGS];
    union {
        double real;      // const of a real element, not yet rounded to f32
        int64_t integer;  // const of bool, u8, i32
        int slot;         // iv
        const Read *read;
        uint32_t site;    // rand: which draw of the program this is
        const struct Load *load;
        const struct Temp *temp;
    };
};

// ---- values

typedef enum ValueOp {
    VAL_input,       // given at each call: a field of the data, or a scalar of the run
    VAL_param,       // trained; kept by the module
    VAL_state,       // kept by the module, moved by updates
    VAL_carry,       // inside a scan: what each of its steps finds
    VAL_index,       // a box, and what stands at each of its points
    VAL_accumulate,  // the transpose: every point of a box adds to some element (scatter)
    VAL_reshape,     // a row-major bijection
    VAL_join,        // disjoint pieces laid over one axis
    VAL_scan,        // a recurrence over the steps of one axis; only parts of it are read
    VAL_part,        // what one carry of a scan was at all times, or one tap
    VAL_grad,        // the derivative of each element by each; replaced by the pass `grad`
    VAL_own,         // what a function with a gradient of its own gives; the same
    VAL_cotangent,   // what such a gradient is a function of
    N_VALUE_OP
} ValueOp;

extern const char *const value_op_name[N_VALUE_OP];

// Reductions. argmax and argmin give the row-major number (i32) of the first winner among
// the reduced slots (at the largest run-time extents); NaN wins. any and all are over bool.
typedef enum RedKind {
    RED_none, RED_sum, RED_prod, RED_max, RED_min, RED_any, RED_all, RED_argmax, RED_argmin,
    N_RED
} RedKind;

extern const char *const red_name[N_RED];

// The order of a rounded reduction is part of its meaning; it is chosen by `order` from the
// program's structure alone (docs/inside.md). none: not chosen yet, or a kind without rounding (max
// and min of reals may have lanes16, which then says which zero wins; else it is as in seq).
//   seq      one chain, reduced slots in row-major order, starting from the identity
//   lanes16  partial l takes the points k of the innermost reduced slot with k mod 16 == l
//            (outer reduced slots in order, outside), then a fixed tree:
//            l += l+8, l += l+4, l += l+2, l += l+1
//   blocks   leaves of `leaf` steps of the first reduced slot, each a chain from the
//            identity over the points inside it; the leaves are chained in order
typedef enum OrderKind { ORDER_none, ORDER_seq, ORDER_lanes16, ORDER_blocks } OrderKind;

typedef struct Order {
    OrderKind kind;
    int64_t leaf;  // blocks
} Order;

enum { LANES = 16 };

typedef struct Index {
    int np, nr;
    const Dim *extent;   // np + nr
    RedKind red;         // none exactly where nr == 0
    Order order;
    int n_where;         // points where a guard fails take no part (reductions only)
    const Guard *where;
    Scalar *body;
} Index;

typedef struct Accumulate {
    int n;                    // slots of the box, walked in row-major order
    const Dim *extent;
    const Subscript *target;  // one per axis of the result
    RedKind red;              // sum, max, min
    int n_where;
    const Guard *where;
    Scalar *body;
    Value *init;              // what the result starts from; NULL for the identity of red
} Accumulate;

typedef struct Piece {
    Value *v;
    int64_t start, step;  // its element i on the axis lies at start + i * step
} Piece;

typedef struct Join {
    int axis;
    int n;
    const Piece *piece;
    double fill;  // what no piece covers
} Join;

typedef struct Grad {
    Value *of, *wrt;  // real; the result has the dimensions of `of`, then those of `wrt`
} Grad;

// A recurrence. Every value between the carries and what becomes of them has the steps as an
// axis: element [.., t, ..] belongs to step t, so that what does not depend on a carry is a value
// like any other, outside. `leaf` at t is what step t finds, `next` at t what it leaves:
//   leaf[0] = init, leaf[t + 1] = next[t]         forward
//   leaf[T - 1] = init, leaf[t - 1] = next[t]     reverse
// A carry's part has T + 1 places on the axis: init, and what every step left (reverse: the last
// place is init). A tap is a value of the inside; its part is what it was at every step.
typedef struct Carry {
    Value *leaf, *init, *next;  // init lacks the axis
} Carry;

typedef struct Scan {
    int axis;         // counts the steps; axes before it are steps of scans around this one
    bool is_reverse;  // from the last step to the first
    int n_carry, n_tap;
    const Carry *carry;
    Value *const *tap;
} Scan;

typedef struct ScanPart {
    Value *scan;
    int number;  // a carry, or n_carry plus that of a tap
} ScanPart;

// Result `place` of a function of `wrt` with a gradient of its own: it is `of`. Where the results
// receive cot[0], cot[1], ..., wrt[i] receives gives[i], and through `of` it receives nothing; what
// else `of` reads receives what follows from `of`. A cotangent is free in `gives` alone.
typedef struct Own {
    Value *of;
    int place;
    int n_cot, n;
    Value *const *cot;           // VAL_cotangent, one for each result
    Value *const *wrt, *const *gives;  // n of both, of the same shapes
} Own;

typedef struct Leaf {
    Name name;          // unique among the leaves of its kind in its module or function
    Function *fn;       // inputs: whose they are
} Leaf;

struct Value {
    ValueOp op;
    Type type;
    int id;      // in order of creation
    Span span;
    Name hint;   // a name of the source for printing, or NULL
    // What value_operands gives, found once for what is shared; NULL in what stands apart.
    Value **operand;
    int n_operand;
    union {
        Leaf leaf;
        Index index;
        Accumulate accumulate;
        Value *of;  // reshape
        Join join;
        Grad grad;
        Scan scan;
        ScanPart part;
        Own own;
        int cotangent;  // its number in the module
    };
};

// ---- functions and modules

typedef struct Result {
    Name name;
    Value *v;
} Result;

// After the call, the parameter or state `target` holds `v`.
typedef struct Update {
    Value *target, *v;
    Span span;
} Update;

struct Function {
    Name name;
    Module *m;
    VEC(Value *) inputs;
    VEC(Result) results;
    VEC(Update) updates;
};

struct Module {
    Compiler *c;
    Arena *arena;
    Name name;
    Elem real;      // f32, or f64 under --dtype=f64
    bool is_frozen; // after `order`: only bit-exact rewriting from here on
    VEC(Extent *) extents;
    VEC(Value *) params, states;
    VEC(Function *) fns;
    // Sharing; build.c's own.
    Map *shared_scalars, *shared_values;
    int n_scalar, n_value, n_carry, n_cotangent;
};

// A reduction's neutral element, as a scalar of `elem`.
Scalar *red_identity(Module *m, RedKind red, Elem elem);

#endif
