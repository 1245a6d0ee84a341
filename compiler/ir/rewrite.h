// Walking and rewriting the graph. Every walk is in a fixed order that follows from the
// program's text alone.
#ifndef NNC_IR_REWRITE_H
#define NNC_IR_REWRITE_H

#include "ir/ir.h"

typedef struct Values {
    Value **at;
    int n, cap;
} Values;

// The values that a function's results and updates need, leaves included, operands first.
Values function_order(const Function *f, Arena *arena);
// The same of some values, themselves included.
Values values_below(Value *const *roots, int n, Arena *arena);

// The values that v reads directly, each once, in order of first use (targets, guards,
// gathers and `otherwise` included).
Values value_operands(const Value *v, Arena *arena);
// The reads in a scalar, each once, outermost first; reads inside gathers and guards too.
typedef struct Reads {
    Scalar **at;  // OP_read scalars
    int n, cap;
} Reads;
Reads scalar_reads(Scalar *s, Arena *arena);
// Calls visit for each scalar directly below s: its arguments, or what a read or load holds
// (gathers, guards, otherwise); and for each that a value holds (targets, where, body).
void scalar_each_below(const Scalar *s, void (*visit)(void *context, Scalar *below),
                       void *context);
void value_each_scalar(const Value *v, void (*visit)(void *context, Scalar *s), void *context);
bool scalar_uses_slot(const Scalar *s, int slot);  // anywhere, subscripts and guards included

// s with slot i replaced by to[i] in ivs, subscripts, guards and places of draws.
// to[i] with n == -1 leaves slot i as it is.
Scalar *scalar_subst(Module *m, Scalar *s, const Affine *to);
// The same of guards and subscripts; room for one more is left behind guards.
Guard *guards_subst(Module *m, Arena *arena, const Guard *guard, int n, const Affine *to);
Subscript subscript_subst(Module *m, Subscript s, const Affine *to);
// scalar_subst where a slot is replaced by any i32 scalar (NULL leaves it).
Scalar *scalar_subst_scalar(Module *m, Scalar *s, Scalar *const *to);

// Rebuilds a scalar bottom up: fn sees each node after its arguments were rebuilt (for a
// read: after its gathers, guards and otherwise were) and returns what replaces it.
typedef Scalar *ScalarFn(void *context, Module *m, Scalar *s);
Scalar *scalar_rewrite(Module *m, Scalar *s, ScalarFn *fn, void *context);

// Rebuilds a function's graph bottom up: fn sees each value after its operands were
// replaced and returns what replaces it (the value itself for no change). Results and
// updates are redirected; targets of updates stay.
typedef Value *ValueFn(void *context, Module *m, Value *v);
void function_rewrite(Function *f, ValueFn *fn, void *context);
// The same; `former` (Value * to Value *) learns what each value was before, so that fn can find what
// is known of values below it that were replaced. Where two became one it is itself.
void function_rewrite_known(Function *f, ValueFn *fn, void *context, Map *former);
// What replaces v; v itself where nothing does.
Value *value_replaced(const Map *replacement, Value *v);
// One value with its operands replaced by map (Value * to Value *; absent ones stay).
Value *value_with_operands(Module *m, Value *v, const Map *replacement);

#endif
