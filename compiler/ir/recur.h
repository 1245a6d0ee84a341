// Recurrences: from values that depend on carries to a scan, and what those values are outside.
//
// Inside, a value depends on carries (VAL_carry); outside, its image reads the scan's parts. What
// a step has to compute to get on, and what is no mere function of an element, is a tap: its image
// is a part. The image of anything else is computed once more, for all steps at once, from those.
#ifndef NNC_IR_RECUR_H
#define NNC_IR_RECUR_H

#include "ir/ir.h"
#include "ir/rewrite.h"

// What a scan's steps compute: what depends on its carries, operands first, but not what scans
// inside of it compute at their own steps.
typedef struct Members {
    Values list;
    Map *open;   // Value * to itself: all that depends on the carries, these among it
    Map *inner;  // what depends on carries of other scans
    Map *seen;
} Members;

Members scan_members(const Scan *scan, Arena *arena);

// While a function is rewritten, operands first: what depends on a carry.
typedef struct OpenValues {
    Arena *arena;
    Map *open;  // Value * to itself
} OpenValues;

bool is_of_step(OpenValues *o, Value *v);  // once of each value, in that order

// A scan under construction, or opened again.
typedef struct Recurrence {
    Module *m;
    Arena *arena;
    int axis;
    bool is_reverse;
    int n;
    Carry *carry;
    Value **history;  // by carry, once it is closed: init and what every step left, in order of
                      // the axis: T + 1 places
    Map *image;       // Value * to Value *: what is known of the outside
    Map *varies;      // Value * to itself, or NULL: does it depend on what has an image?
} Recurrence;

// Makes scans of the carries, one for each set of those that depend on each other, in order; a
// carry that depends on none is no recurrence. Fills history and image.
void recurrence_close(Recurrence *r, Span span);

// The carries and images of a scan; the history is its parts. What a step leaves is computed anew
// from those: it and what reads it in the same step are told from what reads the history.
Recurrence *recurrence_open(Module *m, Arena *arena, Value *scan);

// What every step has left of a carry, from its history.
Value *recurrence_after(const Recurrence *r, int k);

// What v is outside.
Value *recurrence_image(Recurrence *r, Value *v);
// The same, computed from images of what it reads even where v's own image is a part.
Value *recurrence_definition(Recurrence *r, Value *v);

// v's elements where the axis is at a place, without the axis; with `shift`, v[.., t + shift, ..]
// for `count` steps.
Value *value_at_step(Module *m, Value *v, int axis, int64_t at);
Value *value_of_steps(Module *m, Value *v, int axis, int64_t shift, int64_t count);

#endif
