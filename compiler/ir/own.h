// Functions with gradients of their own (Own in ir.h): what they read beside their arguments, and
// what their gradients give.
#ifndef NNC_IR_OWN_H
#define NNC_IR_OWN_H

#include "ir/rewrite.h"

// Are both results of one call? Then what their arguments receive depends on the cotangents of both.
bool own_is_sibling(const Own *a, const Own *b);

// Each argument once, then the values that the function reads and that depend on no argument.
Values own_inputs(const Value *own, Arena *arena);

// What wrt[i] receives where the results receive cot[0], cot[1], ..., each with `rank` axes of `dim`
// in front of its own: the same with those axes in front, each of their points by itself. NULL where
// that takes too many axes.
Value *own_gives(Module *m, const Own *own, int i, Value *const *cot, const Dim *dim, int rank,
                 Arena *arena);

// A cotangent that a result or an update of f depends on outside of what it is given to, or NULL.
const Value *free_cotangent(const Function *f, Arena *arena);

#endif
