// The subscript solver: turns "every point u of a box adds term(u) to x[A(u)]" around, into
// what each element x[q] receives. It serves the adjoint of every read.
//
// Per axis of x, q = floor(a(u) / div) + gather. An unknown with coefficient 1 or -1 is
// substituted; of several (convolution) the one that leaves the fewest iterations. Axes
// that are merged exactly (pooling, heads) are split by a reshape, a stride is split into
// phases by joins, unknowns that no axis binds are summed. A gathered axis whose unknowns
// the others bind becomes a comparison (one-hot). What is left is an accumulate.
#ifndef NNC_PASS_SOLVE_H
#define NNC_PASS_SOLVE_H

#include "ir/ir.h"

typedef struct Scatter {
    int n;  // slots of the box
    const Dim *extent;
    int n_guard;  // points where one fails add nothing
    const Guard *guard;
    const Subscript *target;  // one per axis of x
    Type type;                // x's
    Scalar *term;             // real
    Span span;
    Name hint;
} Scatter;

// What x receives: a scalar over x's axes, or a value of x's type.
typedef struct Contribution {
    Scalar *body;
    Value *v;
} Contribution;

Contribution solve_scatter(Module *m, Arena *arena, const Scatter *s);

#endif
