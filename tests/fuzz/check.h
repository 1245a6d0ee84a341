// Holds generated functions against the interpreter, through every pass and compiled.
#ifndef NNC_FUZZ_CHECK_H
#define NNC_FUZZ_CHECK_H

#include <stdio.h>

#include "tests/fuzz/generate.h"

// Functions of one group share a module and everything that is chosen for one: whether
// reals are f32 or f64, the machine compiled for.
enum { GROUP = 64 };

typedef struct Tally {
    int functions, kernels;
    int64_t elements;              // compared bit for bit
    int derivatives, near_kinks;   // compared with differences; left out
} Tally;

// Checks functions of one group; `failed` is told of each seed at fault, once. Prints what
// is wrong to `out`. A violation of the IR's rules ends the process (BUG).
typedef struct Batch {
    const Request *request;
    int n;
    const char *path;  // or the function that stands in a file, compiled in every way
    FILE *out;
    void (*failed)(void *context, uint64_t seed);
    void *context;
    int n_failed;
    bool dumps;      // print every pass
    bool is_wild;    // infinities, NaN and their kin among the data of what is compiled
    uint64_t salt;   // other random plans, another way to compile
    Tally tally;
} Batch;

void check_batch(Batch *b);
// Number of values and of outputs that a request's function has; its text.
void describe(const Request *r, int *n_value, int *n_output, FILE *out);

#endif
