// What a compiled program and the runtime agree on. Read by the compiler's back end (which
// builds these with LLVM) and by the runtime.
//
// A program is the object that the compiler makes, which defines `nn_program`, linked with
// the runtime library, which defines `main`.
#ifndef NN_RUNTIME_ABI_H
#define NN_RUNTIME_ABI_H

#include <stdint.h>

enum { NN_ABI_VERSION = 1, NN_EXTENTS = 4 };

// Passed to every entry point and kernel.
typedef struct NnContext {
    char *arena;                 // 64-byte aligned, NnProgram.arena_bytes, zeroed at start
    char *scratch;               // this thread's, 64-byte aligned
    int64_t extent[NN_EXTENTS];  // actual run-time extents: [0] is batch
    uint32_t seed, step;         // of random draws
    struct NnPool *pool;         // the runtime's; null: nn_parallel runs the kernel alone
} NnContext;

// Iterations [begin, end) of a kernel's outermost loop.
typedef void NnKernel(const NnContext *context, int64_t begin, int64_t end);
typedef void NnEntry(const NnContext *context);

typedef struct NnEntryPoint {
    const char *name;  // init, train_step, eval_step, predict, gradients, epoch_end
    NnEntry *run;
} NnEntryPoint;

typedef struct NnProgram {
    int64_t version;        // NN_ABI_VERSION
    int64_t arena_bytes;
    int64_t scratch_bytes;  // per thread
    const char *manifest;   // JSON, see docs/manifest.md
    int64_t n_entry;
    const NnEntryPoint *entry;
} NnProgram;

extern const NnProgram nn_program;

#endif
