// The reference interpreter of loops: runs the kernels of a program over memory laid out as
// planned, every operation rounded. Between the graph's interpreter and the compiled program
// it tells whose fault a difference is.
#ifndef NNC_IR_EVAL_LOOPS_H
#define NNC_IR_EVAL_LOOPS_H

#include "ir/loops.h"

typedef struct LoopEval LoopEval;

// Memory in `a`. Buffers that `memory` has not placed get bytes of their own.
LoopEval *loop_eval_new(const Program *p, Arena *a, const int64_t *extent /* by Extent.id */,
                        uint32_t seed, uint32_t step);
double loop_eval_get(const LoopEval *e, const Buffer *b, int64_t at);
void loop_eval_put(LoopEval *e, const Buffer *b, int64_t at, double x);
// Runs the kernels in order. An access outside its buffer is an internal error.
void loop_eval_run(LoopEval *e, const LoopFunction *f);

#endif
