// Work: what a kernel computes and touches at the largest extents, counted from its loops.
//
// A scalar is counted once for every point of the loops around it that it can move out of, and
// of the tile's variables that it depends on. Bytes are those of distinct elements: what is
// read again, or is read after it was written, counts once.
#ifndef NNC_PASS_WORK_H
#define NNC_PASS_WORK_H

#include "base/text.h"
#include "ir/loops.h"

typedef struct Work {
    double flops;  // rounded operations on reals; a multiply-add is two
    double ops;    // all operations, in vector additions for one lane
    double bytes;  // of the arena
} Work;

Work kernel_work(const Kernel *k);

// What a reader may call the kernel: its statement's name, and the first tensor of the model
// that it updates or reads.
const char *kernel_label(const Program *p, const LoopFunction *f, const Kernel *k, Arena *arena);
// "12", or "std/layers.nn:6" for a place in the library; "" for nowhere.
const char *kernel_place(const Program *p, const Kernel *k, Arena *arena);

// --emit=cost: a row for each kernel of each entry point.
void print_work(Text *out, const Program *p);

#endif
