// History: the carries of which nobody wants what they were at each step. One place is their
// memory: a step writes over what it has found.
#ifndef NNC_PASS_HISTORY_H
#define NNC_PASS_HISTORY_H

#include "pass/schedule.h"

// May each step of the region's scan leave its carry k where it has found it? Outside of the steps
// nobody looks at it, or only at what the last one has left.
bool has_one_place(Module *m, const FunctionSchedule *fs, const Region *region, int k, Arena *scratch);

#endif
