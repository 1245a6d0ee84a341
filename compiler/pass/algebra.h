// Algebra of scalars: what `simplify` knows of real arithmetic.
//
// A sum of at most 16 monomials is the normal form. A monomial is a number, atoms (anything
// that is no arithmetic) with integer powers, and conditions outside which it is zero, so
// that select(c, a, 0) * b is select(c, a * b, 0). What comes out is kept where it is cheaper.
#ifndef NNC_PASS_ALGEBRA_H
#define NNC_PASS_ALGEBRA_H

#include "ir/ir.h"

enum { MAX_MONOMIALS = 16, MAX_FACTORS = 16, MAX_CONDITIONS = 6, MAX_VISITS = 400 };

typedef struct Factor {
    Scalar *atom;
    int power;  // not 0
} Factor;

typedef struct Monomial {
    double coef;
    int n, n_condition;
    Factor factor[MAX_FACTORS];
    Scalar *condition[MAX_CONDITIONS];
} Monomial;

typedef struct Poly {
    bool is_too_large;
    int n, n_visit;
    Monomial at[MAX_MONOMIALS];
} Poly;

typedef struct Algebra {
    Module *m;
    Arena *arena;
    Map *slots;  // Scalar * to the set of slots that it uses, plus 1
    Map *done;   // Scalar * to Scalar *: simplified
} Algebra;

Algebra *algebra_new(Module *m, Arena *arena);

// The simplest equal scalar that was found.
Scalar *algebra_simplify(Algebra *a, Scalar *s);

// s, already simplified, as a sum of monomials; sums inside products stay atoms.
void poly_of(Algebra *a, Scalar *s, Poly *out);
// The same with sums multiplied out.
void poly_expanded(Algebra *a, const Poly *p, Poly *out);
// Adds t to the sum; like terms merge.
void poly_add(Algebra *a, Poly *p, const Monomial *t);
Scalar *poly_emit(Algebra *a, const Poly *p);

Monomial monomial_one(void);
bool monomial_factor(Monomial *t, Scalar *atom, int power);  // false where it is full
bool monomial_condition(Monomial *t, Scalar *condition);

// The slots that a scalar uses, as bits; subscripts and guards included.
unsigned scalar_slots(Algebra *a, Scalar *s);

// Estimated work for one point. Operations that use fewer slots than the whole of s count
// less, since they are computed once for many points.
double algebra_cost(Algebra *a, Scalar *s);
bool scalar_has_costly(Scalar *s);  // an operation that is never duplicated

// ---- whole values

// A sum with what does not vary taken out, one-point sums evaluated, and so on.
Value *factor_sum(Algebra *a, Value *v, const Function *f);

#endif
