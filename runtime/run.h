// One run of a program: what its commands share. Opened by the command line, closed by it.
#ifndef NN_RUNTIME_RUN_H
#define NN_RUNTIME_RUN_H

#include "runtime/data.h"
#include "runtime/flags.h"
#include "runtime/machine.h"

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

typedef struct Run {
    Mem mem;
    const Manifest *manifest;
    Options options;
    Machine machine;
    Data data;
    Session session;
    bool has_weights;  // to be loaded over the initial values
    bool is_blank;     // there are no initial values: what is loaded must have all
} Run;

int run_train(Run *run);  // the commands: their exit code
int run_eval(Run *run);
int run_predict(Run *run);
int run_gradcheck(Run *run);
int run_bench(Run *run);
int run_profile(Run *run);
int run_summary(Run *run);
int run_info(Run *run);

void run_init(Run *run);  // initial weights and states, by the `init` entry

// Before data are read that a checkpoint judges: the words that it keeps (runtime/words.h).
void run_load_words(Run *run);

// Loads what --load, else --ckpt, else the default checkpoint folder name: best before last.
void run_load_trained(Run *run);

// Loss and metrics over a split's rows in order; at most `limit` batches of them, 0 for all.
Figures run_evaluate(Run *run, const Split *split, int64_t limit);

// The training split where the data are at hand and fill a batch, else one batch of seeded
// random rows, which it puts into `synthetic`.
Split run_some_rows(Run *run, const Entry *entry, Dataset *synthetic);

// What `bench` and `profile` share: the training step, or the prediction where there is none;
// initial weights, and one batch in memory, for so many steps; the middle of times (sorts them).
const Entry *run_benched(const Run *run);
void run_one_batch(Run *run, const Entry *entry, int64_t steps, Dataset *synthetic);
double median(double *x, size_t n);

int nn_main(int argc, char **argv, const NnProgram *program);

#endif
