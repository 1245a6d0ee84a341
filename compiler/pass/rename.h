// Rename: a kernel over other buffers.
#ifndef NNC_PASS_RENAME_H
#define NNC_PASS_RENAME_H

#include "ir/loops.h"

typedef struct Renamed {   // what stands in the place of a buffer
    Buffer *buffer;
    Affine less;           // what is taken off every place in it
} Renamed;

// `to` leads from Buffer * to Renamed *; others stay.
Kernel *kernel_rename(Module *m, const Kernel *k, const Map *to);

#endif
