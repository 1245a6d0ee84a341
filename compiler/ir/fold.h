// The parts of folding that are not about reals: integers, comparisons, conditions.
// Each gives NULL where it finds nothing. All keep every value exactly.
#ifndef NNC_IR_FOLD_H
#define NNC_IR_FOLD_H

#include "ir/ir.h"

Scalar *fold_integer(Module *m, Op op, Scalar *a, Scalar *b);
Scalar *fold_compare(Module *m, Op op, Scalar *a, Scalar *b);
Scalar *fold_logic(Module *m, Op op, Scalar *a, Scalar *b);
Scalar *fold_select(Module *m, Scalar *condition, Scalar *then, Scalar *otherwise);

// An operation as it stands, shared but not folded.
Scalar *scalar_op_plain(Module *m, Op op, Scalar *const *arg);

bool scalar_is_const(const Scalar *s, double x);
double scalar_const_value(const Scalar *s);

// An i32 s as an affine form plus a rest that has no affine summand (NULL for none).
void split_affine(Module *m, Scalar *s, Affine *affine, Scalar **rest);

// Guards in normal form: divided by common factors, repeated and implied ones dropped, those
// without slots decided. False where one of them never holds. `out` has room for n.
bool normal_guards(Module *m, const Guard *guard, int n, Guard *out, int *n_out);

// A subscript in normal form: what is affine moved out of `gather`, common factors of the
// division cancelled.
Subscript normal_subscript(Module *m, Subscript s);

// Over the box 0 <= slot < extent: guards that always hold are dropped, reads whose guards
// never hold become their `otherwise`, divisions and comparisons that the box decides fold.
Scalar *fold_in_box(Module *m, Scalar *s, const Dim *extent);
bool fold_guards_in_box(Module *m, const Guard *guard, int n, const Dim *extent, Guard *out,
                        int *n_out);
Subscript fold_subscript_in_box(Module *m, Subscript s, const Dim *extent);

#endif
