// A module compiled and run in this process, to be held against the interpreter.
//
//   Compiled *k = compile_module(c, m, NULL);       // runs the rest of the pipeline on m
//   compiled_bind(k, leaf, tensor);                 // inputs, params, states
//   compiled_run(k, "train_step", extent, seed, step);
//   Tensor *t = compiled_result(k, arena, "train_step", "loss");
//
// m may be frozen (the passes behind `order` run) or not (all of them do). The memory of
// temporaries holds NaNs before the first run, so that what is read before it is written shows.
#ifndef NNC_TESTS_RUN_COMPILED_H
#define NNC_TESTS_RUN_COMPILED_H

#include "ir/eval.h"
#include "pass/pass.h"

typedef struct Compiled Compiled;

// skip: optional passes to leave out ("a,b"), or NULL. NULL after errors (in c->diags).
Compiled *compile_module(Compiler *c, Module *m, const char *skip);
void compiled_free(Compiled *k);
const Program *compiled_program(const Compiled *k);

// Leaves that no code is left to read are ignored. The tensor's extents are the actual ones;
// rows behind them become zero.
void compiled_bind(Compiled *k, const Value *leaf, const Tensor *t);

// extent: by Extent.id, at least 4 of them. False where there is no function of that name.
bool compiled_run(Compiled *k, const char *fn, const int64_t *extent, uint32_t seed, uint32_t step);

// At the extents of the last run; NULL where there is none. A leaf gives what it holds now.
Tensor *compiled_result(Compiled *k, Arena *a, const char *fn, const char *result);
Tensor *compiled_leaf(Compiled *k, Arena *a, const Value *leaf);

#endif
