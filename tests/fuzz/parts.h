// Runs entry points of a compiled program in parts: shared with what runs them in another process
// (elsewhere.c), so it knows nothing of the compiler.
#ifndef NNC_FUZZ_PARTS_H
#define NNC_FUZZ_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "runtime/abi.h"

enum { RUBBISH = 0xC3, BEHIND = 4096 };  // what memory holds at first; bytes behind it

// The runtime's stands in for threads: context->pool tells into how many parts.
struct NnPool {
    int parts;
    char *scratch;
    int64_t scratch_bytes;
};

static inline size_t bytes_with_end(int64_t bytes) {
    return ((size_t)bytes + BEHIND + 63) / 64 * 64;
}

static inline void run_step_in_parts(const NnContext *context, const NnStep *s) {
    const struct NnPool *pool = context->pool;
    int64_t n = nn_iterations(context, s);
    if (!s->parts) s->kernel(context, 0, n, s->table);
    for (int i = s->parts ? pool->parts : 0; i-- > 0;) {
        int64_t begin = n * i / pool->parts, end = n * (i + 1) / pool->parts;
        if (begin == end) continue;
        memset(pool->scratch, RUBBISH, (size_t)pool->scratch_bytes);
        s->kernel(context, begin, end, s->table);
    }
}

// False where the program has no such entry point.
static inline bool run_in_parts(const NnProgram *p, const NnContext *context, const char *entry) {
    for (int64_t i = 0; i < p->n_entry; i++) {
        if (strcmp(p->entry[i].name, entry)) continue;
        for (int64_t s = 0; s < p->entry[i].n_step; s++)
            run_step_in_parts(context, &p->entry[i].step[s]);
        return true;
    }
    return false;
}

#endif
