// Proofs that affine forms stay in range, over boxes with run-time extents.
#ifndef NNC_IR_PROVE_H
#define NNC_IR_PROVE_H

#include "ir/ir.h"

// The extent that v counts, as the inputs run.rows and run.rows.train do; NULL for none.
const Extent *counted_extent(const Value *v);

// What is known: the box, and guards that hold (those are used that are affine, with the number
// of rows or without).
typedef struct Known {
    const Dim *extent;
    int n_guard;
    const Guard *guard[2 * MAX_SLOTS];
} Known;

void known_add(Known *known, const Guard *guard, int n);

// 0 <= floor(a / div) < d for all points of the box where the guards hold, whatever the
// run-time extents between 1 and their largest values.
bool prove_in_range(const Known *known, Affine a, int64_t div, Dim d);

#endif
