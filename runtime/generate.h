// A generation: sequences of units that a model goes on with, place by place. Linked only into
// programs that have a generate block.
#ifndef NN_RUNTIME_GENERATE_H
#define NN_RUNTIME_GENERATE_H

#include "runtime/run.h"

#pragma GCC visibility push(hidden)

typedef struct Generation {
    Run *run;
    const Entry *begin, *source, *step;  // null where no state begins anew, none holds what a source decides
    const Field *field;         // whose words the units are; null where they are numbers
    const Tensor *input, *next, *logits;
    int64_t places;             // that the input holds of each row
    int64_t window;             // `pos` stays below it; 0 where nothing reads `pos`
    int64_t place;              // the next one's number in its window
    int64_t rows;               // sequences side by side, all of `n` units
    int64_t n, room;
    int32_t *unit;              // [rows, room]
} Generation;

static inline int32_t *generation_row(const Generation *g, int64_t row) {
    return g->unit + row * g->room;
}

// Runs the step for place `at`, whose units and those before are known.
void generation_feed(Generation *g, int64_t at);
// What ends a sequence; -1 where nothing does.
int64_t generation_end(const Generation *g);

// Goes on with the best of g->rows sequences by the sum of their units' log-probabilities, for `length`
// places or to the end mark, and leaves it in row 0 (Lowerre 1976).
void beam_search(Generation *g, int64_t length);

#pragma GCC visibility pop

#endif
