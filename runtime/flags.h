// The command line: COMMAND, its flags, and for `predict` a file. commands.h says
// what each flag is and which commands take it.
#ifndef NN_RUNTIME_FLAGS_H
#define NN_RUNTIME_FLAGS_H

#include "runtime/commands.h"
#include "runtime/manifest.h"

#pragma GCC visibility push(hidden)

extern const char command_name[N_COMMAND][10];

typedef struct Options {
    Command command;
    const char *file;  // that predict reads
    const char *data, *ckpt, *resume, *load, *log, *output, *by, *prompt,
        *prompt_file;
    int64_t epochs, steps, batch_limit, seed, threads, ckpt_every, keep, log_every, overfit,
        patience, warmup, samples, split, folds, ensemble, trials, grid,
        length, top_k, count, beam;
    double max_time, tolerance, temperature, top_p;
    bool quiet, dry_run, bagging, greedy;
    uint64_t given;  // bit i: the i-th row of the table stood on the command line
    double *hyper;   // values, in the manifest's order
    bool *hyper_given;
} Options;

void flags_read(Options *o, Mem *mem, const Manifest *manifest, int argc, char **argv);
bool flag_given(const Options *o, const char *name);

#pragma GCC visibility pop

#endif
