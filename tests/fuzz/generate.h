// Generates random valid functions of the index IR, each with data for its leaves, through
// the constructors of build.h. The same request gives the same function and data.
//
// Data and constants avoid ties and overflow, so that what changes roundings changes results
// by roundings only: reals stay within a few thousands, arguments of log, sqrt and divisions
// away from 0, thresholds off the values that data can have.
#ifndef NNC_FUZZ_GENERATE_H
#define NNC_FUZZ_GENERATE_H

#include "ir/build.h"
#include "ir/eval.h"
#include "tests/fuzz/random.h"

typedef enum Kind {
    KIND_map,        // random pointwise bodies
    KIND_reduce,     // reductions of every kind over random bodies
    KIND_contract,   // sums of products of all shapes
    KIND_conv,       // padding, stride, dilation
    KIND_pool,       // windows
    KIND_rows,       // softmax, normalizations
    KIND_scatter,    // accumulate
    KIND_structure,  // reshape, join, slices
    KIND_scan,       // recurrences
    N_KIND
} Kind;

extern const char *const kind_name[N_KIND];

enum { N_EXTENT = 4 };

typedef struct Request {
    uint64_t seed;
    int only;        // a Kind, or -1 for all of them
    int value;       // -1, or the one value (by its place in the pool) that is the result
    uint64_t drop;   // bits of the results, then of the updates, to leave out
} Request;

typedef struct LeafData {
    Value *v;
    Tensor *data;
} LeafData;

// The result `grad` is the derivative of the result `loss`.
typedef struct Derivative {
    const char *loss, *grad;
    Value *wrt;
} Derivative;

typedef struct Made {
    uint64_t seed;
    Function *f;
    int64_t extent[N_EXTENT];  // actual, by Extent.id
    VEC(LeafData) leaves;
    VEC(Derivative) derivatives;
    bool is_differentiable;    // no `stop` hides a dependence
    int n_output;              // results and updates before any was left out
    int n_value;               // of the pool
    Arena *arena;
} Made;

// Data of a type, at the function's extents.
Tensor *random_tensor(const Made *made, Random *r, const Type *t);
// The run-time extents of a module of generated functions.
void make_extents(Module *m);
Made *generate(Module *m, Arena *a, const Request *r);

// An evaluation with the leaves bound. `nudge` moves every real by that much, relatively and
// in a direction that `salt` chooses; 0 for the data as it is.
Eval *made_eval(const Made *made, Module *m, Arena *a, EvalMode mode, double nudge, uint64_t salt);
enum { FUZZ_SEED = 77, FUZZ_STEP = 5 };  // of random draws

#endif
