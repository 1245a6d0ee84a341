// One run of a program: what its commands share. Opened by the command line, closed by it.
#ifndef NN_RUNTIME_RUN_H
#define NN_RUNTIME_RUN_H

#include "runtime/data.h"
#include "runtime/flags.h"
#include "runtime/machine.h"

#pragma GCC visibility push(hidden)

// Where training stands. A checkpoint holds all of it, beside the weights and states.
typedef struct Session {
    int64_t step, epoch, batch;  // updates made; epochs done; batches of this epoch done
    int64_t rows;                // of the training split
    int64_t epochs, steps;       // to make in all; steps 0: as many as the epochs have
    int64_t batch_limit, overfit;
    bool is_over;          // by the `stop` entry or by patience
    Figures train, valid;  // of this epoch so far; of the last validation
    double best_loss;      // of validation
    int64_t best_epoch;    // done when it was reached, 0 before the first
    Buffer history;        // the log's lines of the epochs done
} Session;

// Weights and states, one after the other: a member of an ensemble, or what is to be restored.
typedef char *Snapshot;

typedef struct Run {
    Mem mem;
    const NnProgram *program;
    const Manifest *manifest;
    Options options;
    Machine machine;
    Data data;
    Session session;
    bool has_weights;  // to be loaded over the initial values
    bool is_blank;     // there are no initial values: what is loaded must have all
    int n_member;      // of the ensemble whose weights are loaded; 0 for one model
    Snapshot *member;
    char **output;     // by run_outputs
    void *lines;       // where a training that is one of many writes its log, else null
} Run;

// Trains on the splits of run->data, or goes on as --resume says; leaves the best weights.
int train_model(Run *run);  // the exit code
int run_train(Run *run);    // the commands: their exit code
int run_eval(Run *run);
int run_predict(Run *run);
// Parts that not all programs have: null there.
int train_many(Run *run) __attribute__((weak));     // train --folds, --ensemble
int run_search(Run *run) __attribute__((weak));
int run_generate(Run *run) __attribute__((weak));
int run_gradcheck(Run *run) __attribute__((weak));
int run_profile(Run *run) __attribute__((weak));
// Loads the members of the ensemble in a folder of checkpoints: false where there are none.
bool load_members(Run *run, const char *folder) __attribute__((weak));

int run_bench(Run *run);
int run_summary(Run *run);
int run_info(Run *run);

// A machine of its own, by the options: seed, values of hypers.
void run_machine(Run *run, int threads);

void run_init(Run *run);  // initial weights and states, by the `init` entry

// Before data are read that a checkpoint judges: the words that it keeps (runtime/words.h).
void run_load_words(Run *run);

Snapshot snapshot_new(Run *run);
void snapshot_take(const Run *run, Snapshot s);
void snapshot_put(Run *run, const char *s);

// Loads what --load, else --ckpt, else the default checkpoint folder name: best before last.
void run_load_trained(Run *run);

Figures run_figures(Run *run, const char *step);  // of that entry point; none yet
// Loss and metrics over a split's rows in order; at most `limit` batches of them, 0 for all.
void run_evaluate(Run *run, const Split *split, int64_t limit, Figures *f);

// Runs `predict` on rows of a split: run->output[i] holds its i-th result. With members, the
// mean of what they give, element by element, as the model gives it.
void run_outputs(Run *run, const Split *split, int64_t begin, int64_t rows);

// The training split where the data are at hand and fill a batch, else one batch of seeded
// random rows, which it puts into `synthetic`.
Split run_some_rows(Run *run, const Entry *entry, Dataset *synthetic);

// What `bench` and `profile` share: the training step, or the prediction where there is none;
// initial weights, and one batch in memory, for so many steps; the middle of times (sorts them).
const Entry *run_benched(const Run *run);
void run_one_batch(Run *run, const Entry *entry, int64_t steps, Dataset *synthetic);
double median(double *x, size_t n);

int nn_main(int argc, char **argv, const NnProgram *program);

#pragma GCC visibility pop

#endif
