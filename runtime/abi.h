// What a compiled program and the runtime agree on. Read by the compiler's back end (which
// builds these with LLVM) and by the runtime.
//
// A program is the object that the compiler makes, which defines `nn_program`, linked with
// the runtime library, which defines `main`.
#ifndef NN_RUNTIME_ABI_H
#define NN_RUNTIME_ABI_H

#include <stdint.h>

enum { NN_ABI_VERSION = 5, NN_EXTENTS = 4 };

// Passed to every kernel.
typedef struct NnContext {
    char *arena;                 // 64-byte aligned, NnProgram.arena_bytes, zeroed at start
    char *scratch;               // this thread's, 64-byte aligned
    int64_t extent[NN_EXTENTS];  // actual run-time extents: [0] is batch
    uint32_t seed, step;         // of random draws
    struct NnPool *pool;         // the runtime's; null for one thread
} NnContext;

// Iterations [begin, end) of a kernel's outermost loop. `table` is that of the step.
typedef void NnKernel(const NnContext *context, int64_t begin, int64_t end, const void *table);

// One kernel of an entry point. Its outermost loop goes by `stride` up to `count` (times a
// run-time extent, whose place is `by`), rounded down to a multiple of `until`; from 0 or, where
// `from` is not 0, from that rounded down to a multiple of `from`.
typedef struct NnStep {
    NnKernel *kernel;
    const void *table;  // where the buffers lie, for a kernel that serves several steps
    int64_t count;
    int32_t from, until, stride;
    int16_t by;        // -1 for none
    int16_t parts;     // of each thread's share of the iterations; 0 where they are not shared out
} NnStep;

typedef struct NnEntryPoint {
    const char *name;   // init, train_step, eval_step, predict, gradients, epoch_end
    int64_t n_step;
    const NnStep *step; // to run one after the other
} NnEntryPoint;

// 0 for a kernel without a loop, which ignores its range.
static inline int64_t nn_iterations(const NnContext *c, const NnStep *s) {
    int64_t end = s->by < 0 ? s->count : s->count * c->extent[s->by];
    int64_t begin = s->from ? end / s->from * s->from : 0;
    if (s->until > 1) end = end / s->until * s->until;
    return s->stride > 1 ? (end - begin + s->stride - 1) / s->stride : end - begin;
}

typedef struct NnProgram {
    int64_t version;        // NN_ABI_VERSION
    int64_t arena_bytes;
    int64_t scratch_bytes;  // per thread
    // JSON, see docs/manifest.md, a zero byte, the text of `help`: of so many bytes, deflated to so many.
    const char *manifest;
    int64_t manifest_bytes, deflated_bytes;
    int64_t n_entry;
    const NnEntryPoint *entry;
    // What the program needs of the runtime beside what every program has: naming it here makes
    // the linker take it. Ends with null; null for nothing.
    const void *const *part;
} NnProgram;

extern const NnProgram nn_program;

#endif
