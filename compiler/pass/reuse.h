// Reuse: may a contraction stand inside outer loops? True for what is no contraction.
#ifndef NNC_PASS_REUSE_H
#define NNC_PASS_REUSE_H

#include "ir/ir.h"
#include "pass/schedule.h"

// A contraction inside outer loops must still use its operands again and again in there;
// a dense layer's, for one row, would stream all its weights.
bool keeps_reuse(const Value *v, int n_outer, Arena *scratch);

// In a block of rows, operands that all rows share are used once for each: they must stay in
// the first cache. The others are used no less than outside.
bool keeps_reuse_in_block(const Value *v, int n_outer, Arena *scratch);

// An iteration of the outer loops finds in the second cache what the one before has read, too (the
// weights), as long as all that it touches fits in there. Else v stays outside of the region where it
// would have to read more anew than it gains by following what it reads.
bool keeps_shared(Module *m, const Region *region, const Value *v, int n_outer, Arena *scratch);

#endif
