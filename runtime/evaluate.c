#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/stream.h"
#include "runtime/table.h"
#include "runtime/whole.h"

void run_init(Run *run) {
    Machine *m = &run->machine;
    run->is_blank = whole_fill && !whole_fill(run);
    if (run->is_blank) return;
    m->clock = (Clock){.steps = run->session.steps, .epochs = run->session.epochs};
    m->clock.valid = &run->session.valid;
    machine_run(m, machine_entry(m, "init"), run->manifest->batch);
}

// ---- snapshots

static bool is_kept(const Tensor *t) {
    return t->kind == TENSOR_param || t->kind == TENSOR_state;
}

Snapshot snapshot_new(Run *run) {
    size_t bytes = 0;
    for (int i = 0; i < run->manifest->n_tensor; i++) {
        const Tensor *t = &run->manifest->tensor[i];
        if (is_kept(t)) bytes += (size_t)tensor_bytes(t);
    }
    return mem_get(&run->mem, bytes);
}

static void copy_kept(const Run *run, char *s, bool is_put) {
    for (int i = 0; i < run->manifest->n_tensor; i++) {
        const Tensor *t = &run->manifest->tensor[i];
        size_t bytes = (size_t)tensor_bytes(t);
        char *data = machine_data(&run->machine, t);
        if (!is_kept(t)) continue;
        memcpy(is_put ? data : s, is_put ? s : data, bytes);
        s += bytes;
    }
}

void snapshot_take(const Run *run, Snapshot s) {
    copy_kept(run, s, false);
}

void snapshot_put(Run *run, const char *s) {
    copy_kept(run, (char *)s, true);
}

// ---- outputs

static void fill_and_run(Run *run, const Entry *entry, const Split *split, int64_t begin,
                         int64_t rows) {
    batch_fill(&run->machine, entry, split, NULL, begin, rows);
    machine_run_batch(&run->machine, entry, begin / run->manifest->batch, rows);
}

static void add_output(const Tensor *t, const char *data, double *sum) {
    for (int64_t k = 0; k < t->count; k++) sum[k] += elem_load(t->elem, data, k);
}

// Each result's mean over the members, summed in their order.
static void mean_outputs(Run *run, const Entry *entry, const Split *split, int64_t begin,
                         int64_t rows) {
    Mem mem = {0};
    double **sum = mem_array(&mem, (size_t)entry->n_result, sizeof *sum);
    for (int i = 0; i < entry->n_result; i++) {
        const Tensor *t = entry->result[i].tensor;
        if (!elem_is_real(t->elem)) {
            fail("%s is not real: outputs of an ensemble are averaged", entry->result[i].name);
        }
        sum[i] = mem_array(&mem, (size_t)t->count, sizeof **sum);
    }
    for (int k = 0; k < run->n_member; k++) {
        snapshot_put(run, run->member[k]);
        fill_and_run(run, entry, split, begin, rows);
        if (stream_begin) snapshot_take(run, run->member[k]);  // its own states go on
        for (int i = 0; i < entry->n_result; i++) {
            const Tensor *t = entry->result[i].tensor;
            add_output(t, machine_data(&run->machine, t), sum[i]);
        }
    }
    for (int i = 0; i < entry->n_result; i++) {
        const Tensor *t = entry->result[i].tensor;
        for (int64_t k = 0; k < t->count; k++) {
            elem_store(t->elem, run->output[i], k, sum[i][k] / run->n_member);
        }
    }
    mem_free(&mem);
}

void run_outputs(Run *run, const Split *split, int64_t begin, int64_t rows) {
    const Entry *entry = machine_entry(&run->machine, "predict");
    if (!run->output) {
        run->output = mem_array(&run->mem, (size_t)entry->n_result, sizeof *run->output);
        for (int i = 0; i < entry->n_result; i++) {
            run->output[i] = mem_get(&run->mem, (size_t)tensor_bytes(entry->result[i].tensor));
        }
    }
    if (run->n_member) {
        mean_outputs(run, entry, split, begin, rows);
        return;
    }
    fill_and_run(run, entry, split, begin, rows);
    for (int i = 0; i < entry->n_result; i++) {
        const Tensor *t = entry->result[i].tensor;
        memcpy(run->output[i], machine_data(&run->machine, t), (size_t)tensor_bytes(t));
    }
}

// ---- figures

// What eval_step takes of the model's outputs.
typedef struct Given {
    int n;
    const Tensor **to;  // of each result of `predict`, or null
} Given;

static Given find_given(Run *run, const Entry *step, Mem *mem) {
    Given g = {0};
    const Entry *predict = manifest_entry(run->manifest, "predict");
    g.to = mem_array(mem, predict ? (size_t)predict->n_result : 0, sizeof *g.to);
    for (int i = 0; predict && i < predict->n_result; i++) {
        char *name = mem_format(mem, "model.%s", predict->result[i].name);
        g.to[i] = manifest_input(step, name);
        if (g.to[i]) g.n = predict->n_result;
    }
    if (!g.n && run->n_member) {
        fail("the loss needs the model itself, not its output alone: an ensemble only predicts");
    }
    return g;
}

Figures run_figures(Run *run, const char *step) {
    const Manifest *m = run->manifest;
    return figures_of(&run->mem, manifest_entry(m, step), manifest_entry(m, "eval_end"));
}

void run_evaluate(Run *run, const Split *split, int64_t limit, Figures *f) {
    Machine *m = &run->machine;
    Mem mem = {0};
    const Entry *step = machine_entry(m, "eval_step");
    Given given = find_given(run, step, &mem);
    int64_t batch = run->manifest->batch, rows = split->rows;
    if (limit > 0 && rows > limit * batch) rows = limit * batch;
    m->clock.step = run->session.step;
    batch_check(step, split->data);
    if (given.n) batch_check(machine_entry(m, "predict"), split->data);
    figures_clear(f);
    if (stream_begin) stream_begin(run);
    for (int64_t begin = 0; begin < rows; begin += batch) {
        int64_t n = rows - begin < batch ? rows - begin : batch;
        if (given.n) run_outputs(run, split, begin, n);
        batch_fill(m, step, split, NULL, begin, n);
        for (int i = 0; i < given.n; i++) {
            const Tensor *to = given.to[i];
            if (to) memcpy(machine_data(m, to), run->output[i], (size_t)tensor_bytes(to));
        }
        machine_run_batch(m, step, begin / batch, n);
        figures_add(f, m->context.arena, n);
    }
    figures_settle(f, m);
    mem_free(&mem);
}

Split run_some_rows(Run *run, const Entry *entry, Dataset *synthetic) {
    const Manifest *m = run->manifest;
    const char *from = run->options.data;
    if (from || (m->data.from && data_find(&run->mem, m, NULL))) {
        data_load(&run->data, &run->mem, &run->machine, from);
        const Split *train = &run->data.split[SPLIT_train];
        if (train->rows > 0) batch_check(entry, train->data);
        if (train->rows >= m->batch) return *train;
    }
    *synthetic = dataset_synthetic(&run->mem, m, entry, m->batch, run->machine.context.seed);
    int64_t rows = synthetic->rows;
    Split s = {synthetic, rows, mem_array(&run->mem, (size_t)rows, sizeof *s.row)};
    for (int64_t i = 0; i < rows; i++) s.row[i] = i;
    return s;
}

static void write_log(Run *run, const Figures *f) {
    const Options *o = &run->options;
    Log log;
    Buffer line = {0};
    log_open(&log, o->log, -1);
    log_line(&line, run->session.epoch, run->session.step, split_name[o->split], f, MAX_RANK);
    log_write(&log, line.data);
    log_close(&log);
    buffer_free(&line);
}

int run_eval(Run *run) {
    const Options *o = &run->options;
    run_load_words(run);
    data_load(&run->data, &run->mem, &run->machine, o->data);
    const Split *split = &run->data.split[o->split];
    if (split->rows == 0) {
        fail("--split %s: this program's data have no such split", split_name[o->split]);
    }
    run_load_trained(run);
    Figures f = run_figures(run, "eval_step");
    run_evaluate(run, split, o->batch_limit, &f);
    write_log(run, &f);
    Buffer b = {0};
    figures_print(&b, &f);
    buffer_format(&b, "%s(%" PRId64 " rows)\n", b.length ? " " : "", (int64_t)f.rows);
    if (show_tables) show_tables(&b, run, &f);
    printf("%s: %s", split_name[o->split], b.data);
    buffer_free(&b);
    return 0;
}
