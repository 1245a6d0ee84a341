// The command line: COMMAND, its flags, and for `predict` a file. One table says what each
// flag is, which commands take it and what the usage says.
#ifndef NN_RUNTIME_FLAGS_H
#define NN_RUNTIME_FLAGS_H

#include "runtime/manifest.h"

typedef enum Command {
    COMMAND_train,
    COMMAND_eval,
    COMMAND_predict,
    COMMAND_search,
    COMMAND_gradcheck,
    COMMAND_bench,
    COMMAND_profile,
    COMMAND_summary,
    COMMAND_info,
    COMMAND_help,
    N_COMMAND,
} Command;

typedef struct CommandInfo {
    const char *name, *argument, *what;
} CommandInfo;

extern const CommandInfo command_info[N_COMMAND];

typedef struct Options {
    Command command;
    const char *file;  // that predict reads
    const char *data, *ckpt, *resume, *load, *log, *output, *by;
    int64_t epochs, steps, batch_limit, seed, threads, ckpt_every, keep, log_every, overfit,
        patience, warmup, samples, split, folds, ensemble, trials, grid;
    double max_time, tolerance;
    bool quiet, dry_run, bagging;
    uint64_t given;  // bit i: the i-th row of the table stood on the command line
    double *hyper;   // values, in the manifest's order
    bool *hyper_given;
} Options;

void flags_read(Options *o, Mem *mem, const Manifest *manifest, int argc, char **argv);
bool flag_given(const Options *o, const char *name);
void flags_usage(Buffer *b, const Manifest *manifest, const char *program);

#endif
