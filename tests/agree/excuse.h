// Differences from the interpreter in f64 that rounding alone explains: where a comparison
// (relu, max, the first winner) is decided within rounding, or where nothing but rounding is
// left of a difference (the gradient of a bias before a batch norm).
#ifndef NNC_AGREE_EXCUSE_H
#define NNC_AGREE_EXCUSE_H

#include "tests/agree/call.h"

typedef struct Excuse Excuse;

// For the elements of output number `output` of a call.
Excuse *excuse_new(Subject *s, const Call *call, int output, Arena *a);

// Element i is `wrong` away from the value in f64. It is excused where rounding every operation
// of the graph at random, by up to one unit in the last place of the module's precision, moves
// it at least an eighth as far in one of a few trials.
bool is_excused(Excuse *x, int64_t i, double wrong);

#endif
