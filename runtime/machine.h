// A compiled program made ready to run: its arena, its threads, the values of its hypers and
// of the inputs that the runtime itself gives.
#ifndef NN_RUNTIME_MACHINE_H
#define NN_RUNTIME_MACHINE_H

#include "runtime/figures.h"
#include "runtime/pace.h"
#include "runtime/threads.h"

#pragma GCC visibility push(hidden)

// What `run.*` and `valid.*` inputs read.
typedef struct Clock {
    int64_t step, epoch;    // this update, from 1; this epoch, from 0
    int64_t steps, epochs;  // totals
    int64_t row;            // of the step's rows, the first one of this batch
    uint32_t draws;         // not 0: random draws are those of this number instead of step's
    const Figures *valid;   // the last validation, or null before the first
} Clock;

typedef struct Machine {
    const NnProgram *program;
    const Manifest *manifest;
    double *hyper;  // in the manifest's order
    Clock clock;
    int64_t rows[NN_EXTENTS];  // the run-time extents: the batch, then whole splits
    NnContext context;
    Pace *pace;     // of each entry point
    char *memory;
    size_t memory_bytes;
} Machine;

// One allocation holds the arena and each thread's scratch.
void machine_start(Machine *m, Mem *mem, const NnProgram *program, const Manifest *manifest,
                   int threads, uint32_t seed);
void machine_stop(Machine *m);

// Runs an entry point on the rows that its input tensors hold; random draws are those of the
// clock's step.
void machine_run(Machine *m, const Entry *entry, int64_t rows);

// The same for batch number `batch` of rows that are not trained on: each batch has draws of its
// own, the same at every step.
void machine_run_batch(Machine *m, const Entry *entry, int64_t batch, int64_t rows);

// machine_run in parts: what the entry's kernels read of the clock, the hypers and the number of
// rows; then each of its kernels.
void machine_ready(Machine *m, const Entry *entry, int64_t rows);
void machine_step(const NnContext *context, const NnStep *step);

static inline char *machine_data(const Machine *m, const Tensor *t) {
    return m->context.arena + t->offset;
}

// The value of a rank-0 result, or NaN where the entry has none of this name.
double machine_result(const Machine *m, const Entry *entry, const char *name);

const Entry *machine_entry(const Machine *m, const char *name);  // or fails: has no such part

#pragma GCC visibility pop

#endif
