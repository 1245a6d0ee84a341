// Slice: a part of a kernel that stores to some of its buffers only. What the rest of the kernel
// would have stored it reads where that lies, or computes for itself.
#ifndef NNC_PASS_SLICE_H
#define NNC_PASS_SLICE_H

#include "ir/loops.h"

typedef struct Buffers {
    Buffer **at;
    int n, cap;
} Buffers;

// `keep` holds buffers of the arena that k stores to. Statements keep their order, and loops that
// are left empty go.
Kernel *kernel_slice(Arena *arena, const Kernel *k, const Buffers *keep);

// Which of some buffers that k stores to before it reads them could be scratch: as much of them as an
// iteration of the outer loops makes, where none reads what another has made. Buffer * to Renamed *.
Map *kernel_locals(Module *m, const Kernel *k, const Buffers *of);

// The same as kernel_slice, but what it needs of `locals`, it computes into scratch.
Kernel *kernel_slice_alone(Module *m, const Kernel *k, const Buffers *keep, const Map *locals);

#endif
