// Plan: merged slots, tile, lanes and loop order of one nest.
#ifndef NNC_PASS_PLAN_H
#define NNC_PASS_PLAN_H

#include "pass/schedule.h"

// Fills nest->slot. Returns the estimated nanoseconds of one run of the nest.
double plan_nest(Schedule *s, const Region *region, Nest *nest, Arena *scratch);

#endif
