// Streams: row r of a batch goes on where row r of the batch before ended, and so do states by the
// batch. Linked only into programs whose data block says `stream`: elsewhere it is null.
#ifndef NN_RUNTIME_STREAM_H
#define NN_RUNTIME_STREAM_H

#include "runtime/run.h"

#pragma GCC visibility push(hidden)

// Gives such states their first values: where an epoch, an evaluation or a prediction begins.
void stream_begin(Run *run) __attribute__((weak, visibility("hidden")));

#pragma GCC visibility pop

#endif
