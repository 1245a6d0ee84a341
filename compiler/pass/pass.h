// The passes, in the order of the pipeline (pipeline.c, the one table). Each takes the whole
// module, or the program of loops after `lower`, and leaves it verified.
#ifndef NNC_PASS_PASS_H
#define NNC_PASS_PASS_H

#include "ir/ir.h"
#include "ir/loops.h"

struct Schedule;  // schedule.h: kernels, their members and places, between graph and loops

typedef struct Pass {
    Compiler *c;
    Module *m;
    struct Schedule *schedule;  // after `fuse`
    Program *program;           // after `lower`
} Pass;

typedef struct PassInfo {
    const char *name, *what;
    void (*run)(Pass *p);
    bool is_optional;  // changes no bits and may be left out: --passes, tests
} PassInfo;

extern const PassInfo pipeline[];  // ends with a NULL name

// Before the arithmetic is frozen.
void pass_pick(Pass *p);      // sums of which one term counts read that term
void pass_grad(Pass *p);      // replaces grad values by the graph that computes them
void pass_simplify(Pass *p);  // algebra, factoring, merging of adjoints, dead values; drops stop
void pass_keep(Pass *p);      // taps of scans in place of what would be computed again
void pass_moments(Pass *p);   // variances over samples from each sample's own
void pass_expand(Pass *p);    // exp, log, tanh ... as polynomials
void pass_fma(Pass *p);       // forms fma and mac
void pass_order(Pass *p);     // gives every rounded reduction its order; freezes the module

// Bit-exact from here on.
void pass_leaves(Pass *p);    // the leaves of reductions by blocks as values
void pass_share(Pass *p);     // sharing of what became equal, motion of what does not vary
void pass_fuse(Pass *p);      // substitution and grouping into kernels
void pass_schedule(Pass *p);  // template, tiles, lanes, stages of each kernel
void pass_lower(Pass *p);     // loops
void pass_peak(Pass *p);     // order of kernels, and what runs again, for the peak of memory
void pass_memory(Pass *p);    // one static plan

#endif
