// Scalars as code for the interpreter: a list of steps, each run over a chunk of points.
#ifndef NNC_IR_EVAL_CODE_H
#define NNC_IR_EVAL_CODE_H

#include "ir/eval.h"

enum { CHUNK = 128 };  // points that are evaluated together

struct Eval {
    Module *m;
    Arena *arena;
    EvalMode mode;
    const int64_t *extent;
    uint32_t seed, step;
    Map *done;  // Value * to const Tensor *
    // Inside scans: what is computed now are the elements at this step of each.
    int n_step;
    int64_t step_at[MAX_RANK];
};

typedef struct Code Code;

// Code for a box of n slots whose `where` guards say which points take part. The first slots are
// those of the steps under way.
Code *eval_code_new(Eval *e, const Value *owner, const Dim *extent, int n, const Guard *where,
                    int n_where);
void eval_code_free(Code *c);
int64_t code_points(const Code *c);

// Adds a scalar (or what subscripts need); the register that will hold it.
int code_scalar(Code *c, Scalar *s);
void code_subscripts(Code *c, const Subscript *sub, int rank);

// Evaluates the next chunk, in row-major order; how many points it has, 0 at the end.
int code_next(Code *c);
const double *code_register(const Code *c, int number);
const int64_t *code_slot(const Code *c, int slot);
bool code_takes_part(const Code *c, int point);
// Row-major places in t of the points of the chunk that take part.
void code_places(Code *c, const Subscript *sub, const Tensor *t, const char *what, int64_t *place);

// A real of the module in the precision of this evaluation.
Elem eval_elem(const Eval *e, Elem elem);
double eval_round(const Eval *e, Elem elem, double x);

#endif
