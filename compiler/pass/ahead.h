// Ahead: what a region fetches for its next block of rows or its next sample, while it
// computes.
#ifndef NNC_PASS_AHEAD_H
#define NNC_PASS_AHEAD_H

#include "pass/schedule.h"

// Fills nest->ahead of the nest that computes the most. After storage is placed.
void choose_ahead(Schedule *s, Region *region, Arena *scratch);

#endif
