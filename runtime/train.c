// Training: epochs over shuffled batches, validation after each, checkpoints, the log.
//
// The order of an epoch's rows is a function of the seed and the epoch's number alone, and
// all else that training depends on is in the session: so a run that goes on from a
// checkpoint makes the same bits as one that never stopped.
#define _GNU_SOURCE
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/checkpoint.h"
#include "runtime/curves.h"
#include "runtime/input.h"
#include "runtime/log.h"
#include "runtime/progress.h"
#include "runtime/rng.h"
#include "runtime/run.h"
#include "runtime/stream.h"
#include "runtime/text.h"

typedef enum Ending { ENDING_none, ENDING_time, ENDING_signal } Ending;

typedef struct Trainer {
    Run *run;
    Session *session;                                 // the run's
    const Entry *train_step, *eval_step, *epoch_end;  // the last two may be null
    const Entry *update_step;                         // where a step takes several batches
    const Entry *epoch_begin;                         // may be null
    bool has_loss;                                    // train_step's results name one
    Split split;                                      // the rows to train on
    int64_t *order;                                   // of this epoch
    int64_t batch;                                    // the most rows of a step
    int64_t batches;                                  // of a whole epoch: as many as it has steps
    Keeper keeper;
    Snapshot best;                                    // where no folder keeps it
    bool has_best;
    Log log;
    Progress progress;
    double deadline;
} Trainer;

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// ---- how far to go

// Batches of an epoch: the last one may be cut by the number of steps.
static int64_t batches_of(const Trainer *t, int64_t epoch) {
    const Session *s = t->session;
    return s->steps > 0 ? least(t->batches, s->steps - epoch * t->batches) : t->batches;
}

static void plan_session(Run *run) {
    const Options *o = &run->options;
    const Manifest *m = run->manifest;
    Session *s = &run->session;
    bool by_flag = flag_given(o, "epochs") || flag_given(o, "steps");
    s->epochs = by_flag ? o->epochs : m->epochs;
    s->steps = by_flag ? o->steps : m->steps;
    s->batch_limit = o->batch_limit;
    s->overfit = o->overfit;
    s->best_loss = INFINITY;
}

// Epochs and steps, after a checkpoint may have had its say: whichever is reached first.
static void settle_lengths(Trainer *t) {
    Session *s = t->session;
    t->batch = t->run->manifest->batch * t->run->manifest->accumulate;
    t->batches = (t->split.rows + t->batch - 1) / t->batch;
    if (s->batch_limit > 0) t->batches = least(t->batches, s->batch_limit);
    if (s->epochs <= 0 && s->steps <= 0) s->epochs = 1;
    int64_t by_steps = (s->steps + t->batches - 1) / t->batches;
    if (s->steps > 0 && (s->epochs <= 0 || by_steps < s->epochs)) s->epochs = by_steps;
    if (s->steps > s->epochs * t->batches) s->steps = 0;
}

static int64_t total_steps(const Trainer *t) {
    return t->session->steps > 0 ? t->session->steps : t->session->epochs * t->batches;
}

// ---- stopping early

// The signals are blocked while training, so they wait here until a step is finished.
static void block_signals(bool block) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static bool signal_waits(void) {
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, SIGINT) || sigismember(&set, SIGTERM);
}

static void drop_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    struct timespec none = {0};
    while (sigtimedwait(&set, NULL, &none) > 0) continue;
}

static Ending asked_to_end(const Trainer *t) {
    if (signal_waits()) return ENDING_signal;
    return seconds_now() > t->deadline ? ENDING_time : ENDING_none;
}

// ---- one epoch

static void set_clock(Trainer *t) {
    Clock *c = &t->run->machine.clock;
    c->epoch = t->session->epoch;
    c->epochs = t->session->epochs;
    c->steps = total_steps(t);
    c->valid = &t->session->valid;
}

static _Noreturn void fail_loss(const Trainer *t, double loss) {
    const Session *s = t->session;
    const char *kept = t->keeper.n ? "; the last checkpoint stands" : "";
    fail("the loss is %g at epoch %" PRId64 ", step %" PRId64 ", expected a finite number%s", loss,
         s->epoch + 1, s->step, kept);
}

static void log_step(Trainer *t, double loss) {
    const Options *o = &t->run->options;
    if (o->log_every == 0 || t->session->step % o->log_every) return;
    const Session *s = t->session;
    Buffer b = {0};
    buffer_format(&b, "{\"epoch\":%" PRId64 ",\"step\":%" PRId64 ",\"split\":\"step\",\"loss\":",
                  s->epoch + 1, s->step);
    json_write_number(&b, loss);
    buffer_format(&b, "}\n");
    log_write(&t->log, b.data);
    buffer_free(&b);
}

// A batch of the step, or all of it; its loss.
static double run_part(Trainer *t, int64_t begin, int64_t rows) {
    Machine *m = &t->run->machine;
    batch_fill(m, t->train_step, &t->split, t->order, begin, rows);
    machine_run(m, t->train_step, rows);
    figures_add(&t->session->train, m->context.arena, rows);
    return machine_result(m, t->train_step, "loss");
}

// All batches of the step, weighted by their rows; then the update.
static double run_parts(Trainer *t, int64_t begin, int64_t rows) {
    Machine *m = &t->run->machine;
    int64_t part = t->run->manifest->batch;
    double loss = 0;
    for (m->clock.row = 0; m->clock.row < rows; m->clock.row += part) {
        int64_t n = least(part, rows - m->clock.row);
        loss += run_part(t, begin + m->clock.row, n) * (double)n / (double)rows;
    }
    machine_run(m, t->update_step, rows);
    return loss;
}

static void train_batch(Trainer *t) {
    Session *s = t->session;
    Machine *m = &t->run->machine;
    int64_t begin = s->batch * t->batch, rows = least(t->batch, t->split.rows - begin);
    m->clock.step = s->step;
    if (s->batch == 0 && t->epoch_begin) machine_run(m, t->epoch_begin, 0);
    if (s->batch == 0 && stream_begin) stream_begin(t->run);
    m->clock.step = s->step + 1;
    double loss = t->update_step ? run_parts(t, begin, rows) : run_part(t, begin, rows);
    s->step++;
    s->batch++;
    if (t->has_loss && !isfinite(loss)) fail_loss(t, loss);
    log_step(t, loss);
    progress_step(&t->progress, rows, loss);
}

static void order_rows(Trainer *t) {
    Run *run = t->run;
    uint64_t seed = run->machine.context.seed, epoch = (uint64_t)t->session->epoch;
    if (text_order) text_order(&run->data, t->order, t->split.rows, seed, epoch);
    else rng_permutation(t->order, t->split.rows, seed, epoch);
}

static Ending train_epoch(Trainer *t) {
    Session *s = t->session;
    int64_t batches = batches_of(t, s->epoch), every = t->run->options.ckpt_every;
    order_rows(t);
    set_clock(t);
    while (s->batch < batches) {
        Ending ending = asked_to_end(t);
        if (ending) return ending;
        train_batch(t);
        if (every > 0 && s->step % every == 0 && s->batch < batches) {
            keeper_save(&t->keeper, t->run, false);
        }
    }
    return ENDING_none;
}

// ---- the end of an epoch

// The history, which every checkpoint holds, is of scalars alone.
static void record(Trainer *t, const char *split, const Figures *f) {
    Session *s = t->session;
    Buffer b = {0};
    log_line(&b, s->epoch + 1, s->step, split, f, MAX_RANK);
    log_write(&t->log, b.data);
    buffer_free(&b);
    log_line(&s->history, s->epoch + 1, s->step, split, f, 0);
}

static bool validate(Trainer *t) {
    Session *s = t->session;
    const Split *valid = &t->run->data.split[SPLIT_valid];
    if (valid->rows == 0 || !t->eval_step || s->overfit > 0) return false;
    run_evaluate(t->run, valid, 0, &s->valid);
    record(t, "valid", &s->valid);
    double loss = figures_scalar(&s->valid, "loss");
    if (!(loss < s->best_loss)) return false;
    s->best_loss = loss;
    s->best_epoch = s->epoch + 1;
    if (!t->keeper.folder) {
        if (!t->best) t->best = snapshot_new(t->run);
        snapshot_take(t->run, t->best);
        t->has_best = true;
    }
    return true;
}

static bool stop_is_asked(Trainer *t) {
    const Session *s = t->session;
    int64_t patience = t->run->options.patience;
    if (patience > 0 && s->best_epoch > 0 && s->epoch + 1 - s->best_epoch >= patience) return true;
    if (!t->epoch_end) return false;
    Machine *m = &t->run->machine;
    m->clock.step = s->step;
    machine_run(m, t->epoch_end, 0);
    double stop = machine_result(m, t->epoch_end, "stop");
    return !isnan(stop) && stop != 0;
}

static void print_epoch(Trainer *t) {
    Session *s = t->session;
    Buffer train = {0}, valid = {0};
    figures_print(&train, &s->train);
    if (s->valid.rows > 0) {
        buffer_format(&valid, "   valid: ");
        figures_print(&valid, &s->valid);
    }
    progress_line(&t->progress, "epoch %*" PRId64 "/%" PRId64 "   train: %s%s   %.3g samples/s",
                  s->epochs > 99 ? 3 : 2, s->epoch + 1, s->epochs, train.data ? train.data : "",
                  valid.data ? valid.data : "", progress_rate(&t->progress));
    buffer_free(&train);
    buffer_free(&valid);
}

static void finish_epoch(Trainer *t) {
    Session *s = t->session;
    figures_settle(&s->train, &t->run->machine);
    record(t, "train", &s->train);
    bool is_best = validate(t);
    s->is_over = stop_is_asked(t);
    print_epoch(t);
    s->epoch++;
    s->batch = 0;
    figures_clear(&s->train);
    keeper_save(&t->keeper, t->run, is_best);
    if (t->keeper.folder) curves_save(t->keeper.folder, t->run->manifest->name, &s->history);
}

static Ending train_epochs(Trainer *t) {
    Session *s = t->session;
    while (s->epoch < s->epochs && !s->is_over) {
        Ending ending = train_epoch(t);
        if (ending) return ending;
        finish_epoch(t);
    }
    return ENDING_none;
}

// ---- beginning and end

static void open_rows(Trainer *t) {
    Run *run = t->run;
    t->split = run->data.split[SPLIT_train];
    if (t->split.rows == 0) fail("this program's data have no train split");
    batch_check(t->train_step, t->split.data);
    t->order = mem_array(&run->mem, (size_t)t->split.rows, sizeof *t->order);
}

static const char *resume_path(Run *run) {
    const char *from = run->options.resume, *folder = checkpoint_folder(run, &run->mem);
    if (!from) return NULL;
    if (strcmp(from, "auto") != 0) {
        return path_is_folder(from) ? checkpoint_path(&run->mem, from, "last") : from;
    }
    const char *last = checkpoint_path(&run->mem, folder, "last");
    if (path_exists(last)) return last;
    warn("%s: no checkpoint to resume, training starts anew", last);
    return NULL;
}

static void begin_session(Trainer *t) {
    Run *run = t->run;
    Session *s = t->session;
    plan_session(run);
    s->train = run_figures(run, "train_step");
    t->has_loss = figures_find(&s->train, "loss");
    s->valid = run_figures(run, "eval_step");
    run_init(run);
    const char *path = resume_path(run);
    if (!path && weights_load_parts) weights_load_parts(run);
    if (run->options.load) weights_load(run, run->options.load, false);
    if (path) checkpoint_resume(run, path);
    figures_settle(&s->valid, &run->machine);
    if (s->overfit > 0) t->split.rows = least(t->split.rows, s->overfit);
    settle_lengths(t);
    if (path && s->rows != t->split.rows) {
        fail("%s: written for %" PRId64 " rows to train on, the data have %" PRId64, path, s->rows,
             t->split.rows);
    }
    s->rows = t->split.rows;
    double limit = run->options.max_time;
    t->deadline = limit > 0 ? seconds_now() + limit : INFINITY;
}

static int dry_run(Trainer *t) {
    const Run *run = t->run;
    const Data *d = &run->data;
    order_rows(t);
    set_clock(t);
    t->progress = progress_start(true, 0, 1);
    train_batch(t);
    printf("%s: %" PRId64 " rows to train on, %" PRId64 " to validate, %" PRId64 " to test; ",
           run->manifest->name, t->split.rows, d->split[SPLIT_valid].rows,
           d->split[SPLIT_test].rows);
    printf("%" PRId64 " batches of %" PRId64 " in an epoch, %" PRId64 " epochs; ", t->batches,
           run->manifest->batch, t->session->epochs);
    printf("%" PRId64 " parameters, %.1f MB; loss of the first step %.4g\n",
           manifest_parameters(run->manifest), (double)run->machine.memory_bytes / 1e6,
           machine_result(&run->machine, t->train_step, "loss"));
    return 0;
}

// The weights that validated best, where there was validation. Are they loaded?
static bool restore_best(Trainer *t) {
    Run *run = t->run;
    const char *folder = t->keeper.folder;
    if (!t->session->best_epoch) return false;
    const char *best = folder ? checkpoint_path(&run->mem, folder, "best") : NULL;
    bool has_file = best && path_exists(best);
    if (has_file) checkpoint_load(run, best);
    else if (t->has_best) snapshot_put(run, t->best);
    return has_file || t->has_best;
}

// The test split is judged with the best weights.
static void report_test(Trainer *t, bool is_best) {
    Run *run = t->run;
    const Session *s = t->session;
    const Split *test = &run->data.split[SPLIT_test];
    if (test->rows == 0 || !t->eval_step || s->overfit > 0) return;
    int64_t epoch = is_best ? s->best_epoch : s->epoch;
    Figures f = run_figures(run, "eval_step");
    run_evaluate(run, test, 0, &f);
    Buffer b = {0}, line = {0};
    figures_print(&b, &f);
    log_line(&line, epoch, s->step, "test", &f, MAX_RANK);
    log_write(&t->log, line.data);
    t->progress.is_quiet = run->lines != NULL;
    progress_line(&t->progress, "test: %s  (weights of %s %" PRId64 ")", b.data ? b.data : "",
                  is_best ? "epoch" : "step", is_best ? epoch : s->step);
    buffer_free(&b);
    buffer_free(&line);
}

static int finish(Trainer *t, Ending ending) {
    Run *run = t->run;
    if (ending) keeper_save(&t->keeper, run, false);
    if (ending == ENDING_signal || signal_waits()) {
        drop_signals();
        progress_line(&t->progress, "stopped at step %" PRId64 "%s", t->session->step,
                      t->keeper.folder ? "; saved, train --resume goes on" : "");
        log_close(&t->log);
        return EXIT_STOPPED;
    }
    block_signals(false);
    if (t->keeper.folder && t->session->history.length) {
        progress_line(&t->progress, "curves: %s/curves.svg", t->keeper.folder);
    }
    report_test(t, restore_best(t));
    if (!run->lines) log_close(&t->log);
    return 0;
}

int train_model(Run *run) {
    Machine *m = &run->machine;
    Trainer t = {.run = run, .session = &run->session};
    t.train_step = machine_entry(m, "train_step");
    t.update_step = manifest_entry(run->manifest, "update_step");
    t.epoch_begin = manifest_entry(run->manifest, "epoch_begin");
    t.eval_step = manifest_entry(run->manifest, "eval_step");
    t.epoch_end = manifest_entry(run->manifest, "epoch_end");
    open_rows(&t);
    begin_session(&t);
    if (run->options.dry_run) return dry_run(&t);
    t.keeper = keeper_open(run);
    if (run->lines) t.log = (Log){"the log", run->lines};
    else log_open(&t.log, run->options.log, run->session.step > 0 ? run->session.step : -1);
    t.progress = progress_start(run->options.quiet, run->session.step, total_steps(&t));
    block_signals(true);
    return finish(&t, train_epochs(&t));
}

int run_train(Run *run) {
    const Options *o = &run->options;
    if ((o->folds || o->ensemble) && !train_many)
        fail_usage("this program was compiled with --small: it has no %s",
                   o->folds ? "--folds" : "--ensemble");
    if (o->bagging && !o->ensemble) fail_usage("--bagging goes with --ensemble N");
    // Weights of one text know its classes alone.
    if (o->load && text_field) run_load_words(run);
    data_load(&run->data, &run->mem, &run->machine, o->data);
    return o->folds || o->ensemble ? train_many(run) : train_model(run);
}
