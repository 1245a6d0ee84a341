// Access: how a read of a value walks memory, slot by slot. What fusion, tiling and
// lowering all ask of a read.
#ifndef NNC_PASS_ACCESS_H
#define NNC_PASS_ACCESS_H

#include "ir/build.h"
#include "ir/ir.h"
#include "ir/rewrite.h"

// Axis `axis` of the read is exactly slot `slot`, unshifted.
bool read_is_slot(const Read *r, int axis, int slot);
// r reads v[slot 0, slot 1, ...] of a value with as many axes as the box has parallel slots.
bool read_is_identity(const Read *r, int np);
// How many leading axes are slot 0, slot 1, ...
int read_prefix(const Read *r);

// The reads in an index's body and filters.
Reads index_reads(const Value *v, Arena *arena);

// A sum of products whose factors both vary over the result, and of which some operand is
// used again along some parallel slot.
bool is_contraction(const Value *v);

// A chain to few results: its only lanes are the points of its body.
bool lacks_lanes(const Value *v);

// What is split by samples: from so many on where their number is known when compiled (the batch
// always is), and with leaves of one sample each where a sample has so many points.
enum { MANY_SAMPLES = 64, LARGE_SAMPLE = 64 };

// Points of a box (parallel and reduced) at the largest extents.
double box_points(const Dim *extent, int n);

// A rough count of what one evaluation of s costs, in vector operations.
double scalar_cost(Scalar *s, Arena *scratch);

#endif
