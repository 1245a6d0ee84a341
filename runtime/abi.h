// What a compiled program and the runtime agree on. Read by the compiler's back end (which
// builds these with LLVM) and by the runtime.
//
// A program is the object that the compiler makes, which defines `nn_program`, linked with
// the runtime library, which defines `main`.
#ifndef NN_RUNTIME_ABI_H
#define NN_RUNTIME_ABI_H

#include <stdint.h>

enum { NN_ABI_VERSION = 2, NN_EXTENTS = 4 };

// Passed to every kernel.
typedef struct NnContext {
    char *arena;                 // 64-byte aligned, NnProgram.arena_bytes, zeroed at start
    char *scratch;               // this thread's, 64-byte aligned
    int64_t extent[NN_EXTENTS];  // actual run-time extents: [0] is batch
    uint32_t seed, step;         // of random draws
    struct NnPool *pool;         // the runtime's; null for one thread
} NnContext;

// Iterations [begin, end) of a kernel's outermost loop.
typedef void NnKernel(const NnContext *context, int64_t begin, int64_t end);

// n times a run-time extent (`by` is its place; -1 for n itself), rounded down to a multiple.
typedef struct NnBound {
    int64_t n;
    int32_t by, multiple;
} NnBound;

// One kernel of an entry point.
typedef struct NnStep {
    NnKernel *kernel;
    NnBound low, high;  // of the outermost loop, which goes by `stride`
    int32_t stride;
    int32_t is_split;   // its iterations are shared out over the threads
} NnStep;

typedef struct NnEntryPoint {
    const char *name;   // init, train_step, eval_step, predict, gradients, epoch_end
    int64_t n_step;
    const NnStep *step; // to run one after the other
} NnEntryPoint;

static inline int64_t nn_bound(const NnContext *c, NnBound b) {
    int64_t d = b.by < 0 ? b.n : b.n * c->extent[b.by];
    return b.multiple > 1 ? d / b.multiple * b.multiple : d;
}

// Of the outermost loop; 0 for a kernel without one, which ignores its range.
static inline int64_t nn_iterations(const NnContext *c, const NnStep *s) {
    int64_t length = nn_bound(c, s->high) - nn_bound(c, s->low);
    return s->stride > 1 ? (length + s->stride - 1) / s->stride : length;
}

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
