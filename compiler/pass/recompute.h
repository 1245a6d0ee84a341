// Recompute: the one rule for which values are computed again where they are read rather than
// kept in memory: pointwise ones of a few plain operations on at most one value of their own
// size, such as a normalization and its relu. Reading that one instead moves no more bytes.
#ifndef NNC_PASS_RECOMPUTE_H
#define NNC_PASS_RECOMPUTE_H

#include "pass/access.h"
#include "pass/schedule.h"

bool is_cheap_again(const Value *v, Arena *scratch);

// May v be computed at the points of its halo as well, for nothing?
bool is_cheap_padded(const Value *v);

// What a pointwise v reads that is not much smaller than itself, if it is one; else NULL.
Value *large_source(const Value *v, Arena *scratch);

// What takes about as long as to store it and to fetch it again from far away: a pointwise value with
// an exponential, and a contraction of few points.
bool is_short_again(const Value *v, Arena *scratch);
bool is_short_product(const Value *v);

#endif
