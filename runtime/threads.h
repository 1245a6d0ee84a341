// The program's own threads. A fork and join takes well under a microsecond while they are hot.
#ifndef NN_RUNTIME_THREADS_H
#define NN_RUNTIME_THREADS_H

#include <stdint.h>

#include "runtime/abi.h"

#pragma GCC visibility push(hidden)

typedef struct NnPool NnPool;

enum { MAX_THREADS = 1024 };

int threads_available(void);  // cores that this process may use

// Starts threads - 1 workers, whose scratch lies at scratch + thread * scratch_bytes; the
// caller is thread 0. Null for one thread: nn_parallel then calls the kernel.
NnPool *threads_start(int threads, char *scratch, int64_t scratch_bytes);
void threads_stop(NnPool *pool);

// Splits a kernel's iterations into one contiguous share for each thread, which depend on the
// number of threads alone, and these into the step's parts (at least 1). Who has finished its own
// share takes parts of the others'.
void nn_parallel(const NnStep *step, const NnContext *context, int64_t iterations);

#pragma GCC visibility pop

#endif
