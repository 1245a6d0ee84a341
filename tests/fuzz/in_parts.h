// Runs compiled programs in this process. Parallel kernels are run in parts, the last part
// first, each with scratch memory full of rubbish: the results must not depend on how threads
// share the iterations. With --target, the command in ELSEWHERE (elsewhere.c under an emulator)
// runs them, on memory that both processes share.
#ifndef NNC_FUZZ_IN_PARTS_H
#define NNC_FUZZ_IN_PARTS_H

#include "ir/eval.h"
#include "ir/loops.h"

typedef struct Loaded Loaded;

// Needs a program after `memory`. Every parallel kernel is run in parts, however small.
Loaded *load_in_parts(Compiler *c, Program *p);
void loaded_free(Loaded *x);

void loaded_clear(Loaded *x);  // rubbish everywhere
// Puts a tensor at the run-time extents into its buffer; rows beyond them become 0.
void loaded_put(Loaded *x, const Value *v, const Tensor *t);
// What the buffer of v (a leaf or a result) holds; NULL where it has none.
Tensor *loaded_get(const Loaded *x, const Value *v, const int64_t *extent, Arena *a);
void loaded_run(Loaded *x, const char *entry, const int64_t *extent, uint32_t seed,
                  uint32_t step, int parts);
// False where something was written behind the memory that the program asked for.
bool loaded_is_intact(const Loaded *x);

#endif
