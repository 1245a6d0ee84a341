// In place: a stored value takes over the memory of one that is read for the last time in the
// region that computes it.
#ifndef NNC_PASS_IN_PLACE_H
#define NNC_PASS_IN_PLACE_H

#include "pass/schedule.h"

// After members have storage, before reshapes of them do.
void take_over(Schedule *s, FunctionSchedule *fs, Arena *scratch);

#endif
