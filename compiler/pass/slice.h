// Slice: a part of a kernel that stores to some of its buffers only. What the rest of the kernel
// would have stored, it reads where that lies.
#ifndef NNC_PASS_SLICE_H
#define NNC_PASS_SLICE_H

#include "ir/loops.h"

// `keep` holds buffers of the arena that k stores to. Statements keep their order, and loops that
// are left empty go.
Kernel *kernel_slice(Arena *arena, const Kernel *k, Buffer *const *keep, int n_keep);

#endif
