// The only way to make scalars and values: constructors that share equal ones and fold.
//
// Before the module is frozen, folding is algebra in doubles (constants, x + 0, x * 1,
// x * 0 for provably finite x is NOT assumed: it is left). Once frozen, only what keeps
// every bit folds: constants by the f32 (or f64) evaluator itself, selects on constants,
// x * 1, integer algebra.
#ifndef NNC_IR_BUILD_H
#define NNC_IR_BUILD_H

#include "ir/ir.h"

Module *module_new(Compiler *c, Name name, Elem real);
Extent *module_extent(Module *m, const char *name, int64_t max);  // made at first use
Function *function_new(Module *m, const char *name);
Function *module_function(const Module *m, const char *name);     // NULL where there is none

// Leaves. Asking again for the same name gives the same value.
Value *build_input(Function *f, const char *name, Type t, Span span);
Value *build_param(Module *m, const char *name, Type t, Span span);
Value *build_state(Module *m, const char *name, Type t, Span span);
void function_result(Function *f, const char *name, Value *v);
void function_update(Function *f, Value *target, Value *v, Span span);

// Affine forms.
Affine affine_const(int64_t k);
Affine affine_slot(Module *m, int slot);
Affine affine_add(Module *m, Affine a, Affine b);
Affine affine_scale(Module *m, Affine a, int64_t c);
Affine affine_add_const(Affine a, int64_t k);
bool affine_equal(Affine a, Affine b);
int64_t affine_coef(Affine a, int slot);                      // 0 where it is absent
Affine affine_subst(Module *m, Affine a, const Affine *to);   // to[slot] replaces each slot
// Least and greatest value over the box 0 <= slot < max extent.
void affine_range(Affine a, const Dim *extent, int64_t *low, int64_t *high);

// Scalars.
Scalar *scalar_real(Module *m, double x);           // of the module's real
Scalar *scalar_int(Module *m, int64_t x);           // i32
Scalar *scalar_bool(Module *m, bool x);
Scalar *scalar_const(Module *m, Elem elem, double x);
Scalar *scalar_iv(Module *m, int slot);
Scalar *scalar_affine(Module *m, Affine a);         // as arithmetic on iv leaves
Scalar *scalar_rand(Module *m, uint32_t site, Scalar *place);
Scalar *scalar_op(Module *m, Op op, Scalar *a, Scalar *b, Scalar *c);  // unused ones NULL
Scalar *scalar_unary(Module *m, Op op, Scalar *a);
Scalar *scalar_binary(Module *m, Op op, Scalar *a, Scalar *b);
Scalar *scalar_select(Module *m, Scalar *condition, Scalar *then, Scalar *otherwise);
Scalar *scalar_guard(Module *m, const Guard *guard, int n);   // as a bool; true for none
// Copies what it is given. Guards that always hold are dropped; with one that never
// holds, the result is `otherwise`. Subscripts move affine parts out of `gather`.
Scalar *scalar_read(Module *m, Value *v, const Subscript *sub, const Guard *guard, int n_guard,
                    Scalar *otherwise);
Scalar *scalar_read_at(Module *m, Value *v, const Affine *sub);   // affine, div 1, no guards
Scalar *scalar_read_identity(Module *m, Value *v);                // v[slot 0, slot 1, ...]

// What is wrong with the elements of an operation's arguments, by its rule in ops.def; NULL
// where nothing is. Leaves are not asked.
const char *scalar_op_problem(const Module *m, Op op, Scalar *const *arg);
Elem scalar_op_elem(const Module *m, Op op, Scalar *const *arg);  // of the result
// An i32 s is in [0, result) over the box 0 <= slot < extent (NULL: slots unknown); 0 where
// nothing is known.
int64_t scalar_below(const Scalar *s, const Dim *extent);

// Is s affine in the slots (iv, +, -, * by constants)? If so, *out is it.
bool scalar_as_affine(Module *m, Scalar *s, Affine *out);

// Values. The type of the result follows from the operands. All copy what they are given.
Value *build_index(Module *m, const Index *index, Span span, Name hint);
Value *build_accumulate(Module *m, const Accumulate *a, const Type *result, Span span, Name hint);
Value *build_reshape(Module *m, Value *v, int rank, const Dim *dim, Span span);
Value *build_join(Module *m, int axis, Dim extent, const Piece *piece, int n, double fill, Span span);
Value *build_grad(Module *m, Value *of, Value *wrt, Span span);
// A carry of a scan that is being made: t is of all steps. No two are one.
Value *build_carry(Module *m, Type t, Span span, Name hint);
Value *build_scan(Module *m, const Scan *scan, Span span);
Value *build_scan_part(Module *m, Value *scan, int number, Span span, Name hint);
Value *build_own(Module *m, const Own *own, Span span);
Value *build_cotangent(Module *m, int number, const Type *t, Span span);
// A pointwise index of type t (its dimensions are the slots) with the given body.
Value *build_map(Module *m, int rank, const Dim *dim, Scalar *body, Span span, Name hint);

#endif
