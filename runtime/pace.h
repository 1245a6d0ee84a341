// Pace: whether a short entry point is faster on all threads or on the calling one alone. Where
// cores share no near cache, what one has written costs the other more than a short kernel takes;
// no figure known when compiled tells. So both are tried, again and again. The bits are the same.
#ifndef NN_RUNTIME_PACE_H
#define NN_RUNTIME_PACE_H

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

typedef struct Pace {
    int64_t rows;        // of the runs that count
    int runs;            // of this trial so far
    double shortest[2];  // seconds of a run on all threads, and of one alone, in this trial
    double best[2];      // and in all, those of long ago made longer
    bool is_alone;       // what the last trial says
    double hold, until;  // for how long, and until when
} Pace;

// Before a run at time `now`, in seconds: is it to be alone?
bool pace_is_alone(Pace *p, int64_t rows, double now);
// After it: how many seconds it took.
void pace_note(Pace *p, int64_t rows, double seconds, double now);

#pragma GCC visibility pop

#endif
