// Checks every rule of the IR; run after every pass.
//
// Types and ranks, rules and levels of operations, slots in range, sorted affine forms,
// every unguarded read provably in range (guarded ones wherever their guards hold),
// pieces of joins disjoint, updates' types, one update per target, hash-consing.
#ifndef NNC_IR_VERIFY_H
#define NNC_IR_VERIFY_H

#include "ir/ir.h"

// NULL where all is well, else what is wrong, with the value printed.
const char *verify_module(const Module *m, unsigned level /* LEVEL_G or LEVEL_F */);

#endif
