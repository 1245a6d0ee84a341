// Uses: which buffers a kernel loads from and stores to, counted from its loops.
#ifndef NNC_PASS_USES_H
#define NNC_PASS_USES_H

#include "ir/loops.h"

typedef struct BufferUse {
    Buffer *buffer;
    bool is_loaded, is_stored;
} BufferUse;

typedef struct BufferUses {
    BufferUse *at;
    int n, cap;
} BufferUses;

// Each buffer once, in order of first use. What is only fetched is not used.
BufferUses buffer_uses(const Kernel *k, Arena *arena);

// Calls visit for every scalar that a statement itself holds: its value, and what stands in its
// guards and its place.
void stmt_each_scalar(const Stmt *s, void (*visit)(void *context, const Scalar *s), void *context);

// The same for what stands directly below a scalar.
void loop_scalar_each_below(const Scalar *s, void (*visit)(void *context, const Scalar *s),
                            void *context);

#endif
