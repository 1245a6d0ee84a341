// A text whose rows are windows of it: a field's row is so many units from one place on. The
// units are in memory once; rows are places in them.
#ifndef NN_RUNTIME_TEXT_H
#define NN_RUNTIME_TEXT_H

#include "runtime/data.h"

#pragma GCC visibility push(hidden)

#define NN_WEAK_TEXT __attribute__((weak, visibility("hidden")))

// The order of an epoch's rows, a function of the seed and the epoch's number: a stream's is its
// own; windows that begin anywhere get their places. Linked where the data are `text`.
void text_order(Data *d, int64_t *order, int64_t rows, uint64_t seed, uint64_t epoch) NN_WEAK_TEXT;

// The first field that reads text, perhaps of pairs; null where there is none.
const Field *text_field(const Manifest *m) NN_WEAK_TEXT;

#pragma GCC visibility pop

#endif
