// Sharing: equal scalars and equal values of a module are one pointer. build.c and
// scalar.c make everything through here; the verifier asks whether it was so.
//
// Of a commuting operation the order of arguments first met is the one that is kept, so
// that a + b and b + a are one scalar and the text of a module reads back to itself.
#ifndef NNC_IR_SHARE_H
#define NNC_IR_SHARE_H

#include "ir/ir.h"

// The shared one that equals `like`; a deep copy of it, numbered, where there is none.
Scalar *share_scalar(Module *m, const Scalar *like);
Value *share_value(Module *m, const Value *like);

bool scalar_is_shared(const Module *m, const Scalar *s);
bool value_is_shared(const Module *m, const Value *v);

#endif
