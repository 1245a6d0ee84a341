// Part: a part of a body as a value of its own, over the slots that it uses.
#ifndef NNC_PASS_PART_H
#define NNC_PASS_PART_H

#include "pass/algebra.h"

// s, which stands in a body over a box of n slots, as a value whose axes are the slots that it uses,
// in order; at[i]: the slot that axis i is where s stands. NULL where they are too many for a value.
Value *part_of_body(Algebra *a, Scalar *s, const Dim *extent, int n, Span span, Affine *at);

bool part_draws(const Scalar *s);  // random numbers stand below it

#endif
