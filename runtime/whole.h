// Whole splits: inputs that hold every row of a split, under the name DATA.SPLIT.FIELD.
//
// Linked only into programs that read one (`nnc` asks the linker for it): elsewhere
// `whole_fill` is null.
#ifndef NN_RUNTIME_WHOLE_H
#define NN_RUNTIME_WHOLE_H

#include "runtime/run.h"

#pragma GCC visibility push(hidden)

// Fills them all from the run's data, which it loads for `predict`; with seeded random rows for
// commands that go without data. False, and nothing is done, where a prediction does without: it
// reads none itself, and what `init` makes of them is loaded.
bool whole_fill(Run *run) __attribute__((weak, visibility("hidden")));

#pragma GCC visibility pop

#endif
