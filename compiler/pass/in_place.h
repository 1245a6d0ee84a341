// In place: a stored value takes over the memory of one that is read for the last time in the
// region that computes it; pieces of a join are computed straight into it.
#ifndef NNC_PASS_IN_PLACE_H
#define NNC_PASS_IN_PLACE_H

#include "pass/schedule.h"

// After members have storage, before reshapes of them do.
void place_in_place(Schedule *s, FunctionSchedule *fs, Arena *scratch);

// Does the reader, a member of nest number `nest`, look at `old` only before nest `writer` of the
// same region stores something there?
bool reads_before(const Region *region, int nest, int writer, const Value *reader, const Value *old,
                  Arena *scratch);

// The part of a join's memory that a piece of it is.
Storage storage_of_piece(const Storage *join, const Value *v, const Piece *piece);
// Is the piece written straight into the join?
bool is_in_join(Schedule *s, const Value *join, const Piece *piece);

#endif
