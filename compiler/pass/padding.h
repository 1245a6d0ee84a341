// Padding: sums that meet much of it leave it out.
#ifndef NNC_PASS_PADDING_H
#define NNC_PASS_PADDING_H

#include "pass/access.h"

// The share of the points of the box at which the guards hold; 1 where that would take long to
// count, or depends on more than slots of known extents.
double guards_share(const Guard *guard, int n, const Dim *extent, int n_slot);

// A sum of products of which one factor is padding at many points leaves those points out, by a
// filter or by taking the sum apart: before `order`, for a product by zero is a number all the same.
Value *skip_padding(Module *m, Value *v);

#endif
