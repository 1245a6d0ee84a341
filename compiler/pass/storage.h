// Storage: gives every value that is kept in memory a buffer and strides, and tells how a
// read walks it.
#ifndef NNC_PASS_STORAGE_H
#define NNC_PASS_STORAGE_H

#include "pass/schedule.h"

// Of the function under way (Schedule.storage). NULL for what lives in registers.
Storage *storage_of(Schedule *s, Value *v);

void place_leaf(Schedule *s, Value *v);      // once
// Planar: channels outside the two spatial axes before them (see layout.h). Rows outermost: the
// axis of a run-time extent outside of those before it.
typedef enum Layout { LAYOUT_row_major, LAYOUT_planar, LAYOUT_rows_outermost } Layout;

void place_stored(Schedule *s, Value *v, Value *target, bool is_kept, Layout layout);
void place_scratch(Schedule *s, Value *v, int n_outer, bool is_planar);
// A block of rows; where rows are the lanes, each column's lie side by side.
void place_rows(Schedule *s, Value *v, const Region *region, bool rows_are_lanes);
void place_reshape(Schedule *s, Value *v);   // after its operand
// All places of the axis are one.
void place_in_one(Schedule *s, Value *v, int axis);
// v's memory is of's, from a place of the axis on.
void place_steps_of(Schedule *s, Value *v, Value *of, int axis, int64_t first);
// v, without the axis, is what lies at one place of it.
void place_start_of(Schedule *s, Value *v, Value *of, int axis, int64_t at);

// Elements that a read moves by when a slot of its box moves by one.
typedef struct Walk {
    int64_t start, stride[MAX_SLOTS];
    bool is_irregular;         // gathers, or divides
    unsigned irregular_slots;  // slots inside divisions
} Walk;

// False where what is read is no memory (a register of the same nest).
bool walk_of(Schedule *s, const Read *r, Walk *out);

#endif
