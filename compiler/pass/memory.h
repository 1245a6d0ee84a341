// Memory: gives every buffer its place in the arena or the scratch, when compiled.
//
// Needs loops (after `lower`). What is kept for the whole run (params, states, inputs,
// results) comes first, each in bytes of its own; then the temporaries, which share bytes
// where their lives do not meet. A life is counted in kernels of an entry point, so what
// one kernel touches never overlaps. Scratch buffers live in the kernels that touch them.
#ifndef NNC_PASS_MEMORY_H
#define NNC_PASS_MEMORY_H

#include "base/text.h"
#include "ir/loops.h"

// Everything lies on cache lines, and a vector may be read past the end of any buffer.
enum { MEMORY_ALIGN = 64, MEMORY_SLACK = 128 };

// A budget is to have room for the scratch of so many threads; of one at least.
enum { MOST_THREADS_PLANNED = 4 };

int64_t buffer_bytes(const Buffer *b);  // what it takes up

void plan_memory(Program *p);

// --emit=memory: every buffer's size, offset and life, each entry point's peak with the
// statement that causes it, and the least that any plan would need.
void print_memory(Text *out, const Program *p);

// NULL, or which two buffers share bytes while both live.
const char *verify_memory(const Program *p);

#endif
