// Runs compiled programs in this process. Parallel kernels are run in parts, the last part
// first, each with scratch memory full of rubbish: the results must not depend on how threads
// share the iterations.
#ifndef NNC_FUZZ_RUN_COMPILED_H
#define NNC_FUZZ_RUN_COMPILED_H

#include "ir/eval.h"
#include "ir/loops.h"

typedef struct Compiled Compiled;

// Needs a program after `memory`. Every parallel kernel is run in parts, however small.
Compiled *compile(Compiler *c, Program *p);
void compiled_free(Compiled *x);

void compiled_clear(Compiled *x);  // rubbish everywhere
// Puts a tensor at the run-time extents into its buffer; rows beyond them become 0.
void compiled_put(Compiled *x, const Value *v, const Tensor *t);
// What the buffer of v (a leaf or a result) holds; NULL where it has none.
Tensor *compiled_get(const Compiled *x, const Value *v, const int64_t *extent, Arena *a);
void compiled_run(Compiled *x, const char *entry, const int64_t *extent, uint32_t seed,
                  uint32_t step, int parts);
// False where something was written behind the memory that the program asked for.
bool compiled_is_intact(const Compiled *x);

#endif
