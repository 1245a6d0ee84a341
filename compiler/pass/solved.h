// Between the two halves of the subscript solver: the plan (solve.c) and what is built from
// it (solved.c). Unknowns are numbered: the box's slots first, then those that the plan adds.
#ifndef NNC_PASS_SOLVED_H
#define NNC_PASS_SOLVED_H

#include "pass/solve.h"

enum { MAX_SPLIT = 4, MAX_PHASES = 8, MAX_VARS = 80 };

typedef enum PlanKind {
    PLAN_none,
    PLAN_given,   // the subscript is known: a condition on q
    PLAN_bind,    // an unknown with coefficient 1 or -1 is substituted
    PLAN_split,   // a merged axis: its unknowns become axes, and a reshape merges them
    PLAN_phase,   // a stride: one piece for each q mod |c|, joined
    PLAN_gather,  // a condition q == gather
} PlanKind;

typedef struct AxisPlan {
    PlanKind kind;
    int q, rem;   // variables: the axis itself; the remainder of its division, or -1
    int n_split;  // split: the axes, outermost first, what they cover, and where
    int split[MAX_SPLIT];
    Dim covered;
    int64_t start;  // split, phase: the constant in the subscript
    int u, o;       // phase: q = c * u + c_o * o + start; o is -1 where there is none
    int64_t c, c_o;
    int tap;  // phase: the variable that walks the o's of one phase
} AxisPlan;

typedef struct Solver {
    Module *m;
    Arena *arena;
    const Scatter *scatter;
    int n_var;
    Dim extent[MAX_VARS];
    Affine solution[MAX_VARS];  // n == -1: not bound
    bool is_axis[MAX_VARS];     // an axis of the result, or expressed by its phase
    AxisPlan axis[MAX_RANK];
    VEC(Guard) guards;  // over variables: ranges of what was bound, conditions on q
} Solver;

Affine solver_resolve(const Solver *s, Affine a);

// False where the result would have too many slots.
bool solver_build(Solver *s, Contribution *out);

#endif
