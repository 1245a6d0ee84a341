// Products in the order that lets the most of them be computed once: factors that use the
// fewest slots first, and divisors that vary less than the whole as inverses. `share` then
// computes those parts where they vary. Changes roundings, so it belongs to `expand`.
#ifndef NNC_PASS_REGROUP_H
#define NNC_PASS_REGROUP_H

#include "pass/algebra.h"

Scalar *regroup_product(Algebra *a, Scalar *s);

#endif
