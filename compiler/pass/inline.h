// Substitution of small pointwise values into what reads them, so that algebra sees both.
//
// Nothing costly is computed more often, no reduction is repeated, and a contraction stays a
// sum of products of reads.
#ifndef NNC_PASS_INLINE_H
#define NNC_PASS_INLINE_H

#include "ir/rewrite.h"
#include "pass/algebra.h"

// The values of f (operands first, as function_order gives them) that are to be substituted.
Map *inline_choose(Algebra *a, const Function *f, const Values *order);

// v with the reads of the values in `chosen` replaced by what they hold, where that is possible.
Value *inline_into(Module *m, Value *v, const Map *chosen);

#endif
