// NPY, as the readers that meet it share it, and as predict writes it.
#ifndef NN_RUNTIME_NPY_H
#define NN_RUNTIME_NPY_H

#include "runtime/array.h"

#pragma GCC visibility push(hidden)

// From the magic to where the elements begin; fails with a->path and a->name.
void npy_header(Array *a, ArraySource *source, void *from);

#pragma GCC visibility pop

#endif
