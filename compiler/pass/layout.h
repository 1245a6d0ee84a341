// Layout: channels last, as the language has it, with one exception. Images of fewer than 8
// channels and at least 12 pixels a row are kept planar, each channel a plane, so that the
// lanes lie along pixels; and so is what only convolutions into such images read.
#ifndef NNC_PASS_LAYOUT_H
#define NNC_PASS_LAYOUT_H

#include "pass/schedule.h"

typedef struct Layouts Layouts;

Layouts *layouts_new(const FunctionSchedule *fs, Arena *scratch);
bool is_planar(Layouts *l, Value *v);
// Does a reshape of v, or what joins or scatters, look at its memory as rows?
bool is_seen_as_rows(Layouts *l, Value *v);

#endif
