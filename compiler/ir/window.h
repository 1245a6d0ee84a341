// Windows: which part of one value an element of another one sees.
//
// Intervals are carried from an element back through subscripts, reduced slots, guards,
// reshapes, joins and scatters. An axis of the source is seen through a window that moves with
// the element (and is not clipped where it reaches over an edge, so that padding does not make
// it smaller), or as a part that is the same for all elements, or both.
#ifndef NNC_IR_WINDOW_H
#define NNC_IR_WINDOW_H

#include "ir/ir.h"

enum { WINDOW_ALL = -1 };

typedef struct Window {
    bool is_seen;
    int64_t size[MAX_RANK];  // along each axis of the source; WINDOW_ALL: all of it, always
    bool moves[MAX_RANK];
} Window;

// What elements of v from its middle on see of the source: the largest along each axis. With
// `whole_last` all elements along the last axis of v are taken together, as channels are.
Window window_of(Value *v, const Value *source, bool whole_last, Arena *scratch);

#endif
