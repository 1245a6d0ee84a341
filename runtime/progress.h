// What a person watching sees: a bar that moves on a terminal, lines elsewhere.
#ifndef NN_RUNTIME_PROGRESS_H
#define NN_RUNTIME_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/fail.h"

#pragma GCC visibility push(hidden)

typedef struct Progress {
    bool is_quiet, on_terminal, is_drawn;
    double start, drawn;  // seconds
    int64_t rows, first;  // trained on since the start; batches done before it
    int64_t done, total;  // batches of the whole run
} Progress;

double seconds_now(void);

// A run of `total` batches of which `done` are made already.
Progress progress_start(bool is_quiet, int64_t done, int64_t total);
void progress_step(Progress *p, int64_t rows, double loss);  // redraws ten times a second
double progress_rate(const Progress *p);                     // rows a second
void progress_line(Progress *p, const char *format, ...) NN_FORMAT(2);  // in place of the bar

#pragma GCC visibility pop

#endif
