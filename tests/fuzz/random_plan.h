// Plans that the cost model would not choose: whatever the tiles, the lanes and the order of
// loops, `lower` must leave every bit as it is.
#ifndef NNC_FUZZ_RANDOM_PLAN_H
#define NNC_FUZZ_RANDOM_PLAN_H

#include "pass/schedule.h"

// After `schedule`. Half of the nests keep their plans. A function's new ones follow from its
// name and the salt.
void randomize_plans(Schedule *s, uint64_t salt);

#endif
