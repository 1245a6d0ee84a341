// Algebra of reshapes and joins.
#ifndef NNC_PASS_STRUCTURE_H
#define NNC_PASS_STRUCTURE_H

#include "pass/algebra.h"

// Reshapes and joins of constants are constants; pieces of the fill are left out.
Value *structure_reshape(Module *m, Value *v);
Value *structure_join(Module *m, Value *v);

// A pointwise value that reads a reshape of a pointwise value becomes the reshape of one
// over the inner axes, so that the two can be one loop.
Value *structure_lift(Algebra *a, Value *v);

// Where nothing is left but the winner of a maximum, reads of what was reduced read the
// maximum (winner.c).
Value *structure_winner(Algebra *a, Value *v);

#endif
