// The reference interpreter: slow and obvious; the oracle for everything else.
//
// EVAL_wide computes reals in f64 whatever the module's real is (the oracle to a
// tolerance, for graphs before `expand` too). EVAL_exact computes them in the module's
// real, each operation rounded, every reduction in the order that it carries: its bits
// are those of the compiled program. EVAL_unfused rounds the products of multiply-adds too, as
// processors do that have no fused ones.
#ifndef NNC_IR_EVAL_H
#define NNC_IR_EVAL_H

#include "ir/ir.h"

typedef enum EvalMode { EVAL_wide, EVAL_exact, EVAL_unfused } EvalMode;

// Elements in row-major order at the actual extents. Reals are held as doubles in both
// modes (an f32 fits exactly), everything else as integers in doubles, too.
typedef struct Tensor {
    Elem elem;
    int rank;
    int64_t dim[MAX_RANK];
    double *at;
} Tensor;

int64_t tensor_count(const Tensor *t);
Tensor *tensor_new(Arena *a, const Type *t, const int64_t *extent /* by Extent.id */);

typedef struct Eval Eval;

// One evaluation: the actual run-time extents (by Extent.id), the seed and step of draws.
Eval *eval_new(Module *m, Arena *a, EvalMode mode, const int64_t *extent, uint32_t seed,
               uint32_t step);
void eval_bind(Eval *e, const Value *leaf, const Tensor *t);  // every leaf that is needed
const Tensor *eval_value(Eval *e, Value *v);

// One draw: Philox4x32-7, key (seed, site), counter ((place / 64) * 16 + place % 16, 0, step, 0),
// word (place / 16) % 4; its upper 24 bits as a fraction. Sixteen lanes draw 64 contiguous
// places at once. Salmon et al. 2011.
double eval_rand(uint32_t seed, uint32_t site, uint32_t step, uint32_t place);

// The operation `draw` gives the upper 24 bits of word 0, counter (place, sample, key, 1), under
// this key; eval_op knows it.
static const uint32_t DRAW_KEY0 = 0x243F6A88, DRAW_KEY1 = 0x85A308D3;  // digits of pi

// The generator itself, for any number of rounds.
void philox4x32(int rounds, const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

// A multiply-add as the mode rounds it.
double eval_multiply_add(EvalMode mode, Elem elem, const double *arg);

// What an operation gives for constant arguments, rounded to `real`. Used for folding.
double eval_op(Op op, Elem elem, Elem argument_elem, const double *arg);

#endif
