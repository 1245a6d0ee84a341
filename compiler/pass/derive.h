// Derivatives of scalars, in reverse: what a body sends to each tensor element that it reads.
//
// The rules are derive_NAME of every operation that may stand before `expand`. The side of
// a select that is not taken contributes nothing: zeros are carried as arms of selects and
// never multiplied with what may be infinite.
#ifndef NNC_PASS_DERIVE_H
#define NNC_PASS_DERIVE_H

#include "ir/ir.h"

typedef struct ReadAdjoint {
    Scalar *read;     // a real read in the body
    Scalar *adjoint;  // what it receives
} ReadAdjoint;

typedef struct ReadAdjoints {
    ReadAdjoint *at;
    int n, cap;
} ReadAdjoints;

// `seed` is the adjoint of the whole body. `result`, or NULL, reads where the body's value
// is kept, for rules that are cheaper by it (tanh: 1 - y * y).
ReadAdjoints derive_reads(Module *m, Arena *a, Scalar *body, Scalar *seed, Scalar *result);

// dy * local and dy / local, with zero arms of selects in dy kept outermost.
Scalar *adjoint_times(Module *m, Scalar *dy, Scalar *local);
Scalar *adjoint_over(Module *m, Scalar *dy, Scalar *local);

#endif
