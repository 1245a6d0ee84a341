// Whole splits: inputs that hold every row of a split, under the name DATA.SPLIT.FIELD.
//
// Linked only into programs that read one (`nnc` asks the linker for it): elsewhere
// `whole_fill` is null.
#ifndef NN_RUNTIME_WHOLE_H
#define NN_RUNTIME_WHOLE_H

#include "runtime/run.h"

// Fills them all from the run's data, which it loads where no command has; with seeded random
// rows for commands that go without data. False where there are no data to load and no entry
// point but `init` reads them.
bool whole_fill(Run *run) __attribute__((weak));

#endif
