#include <inttypes.h>
#include <stdio.h>

#include "runtime/whole.h"

void run_init(Run *run) {
    Machine *m = &run->machine;
    run->is_blank = whole_fill && !whole_fill(run);
    if (run->is_blank) return;
    m->clock = (Clock){.steps = run->session.steps, .epochs = run->session.epochs};
    m->clock.valid = &run->session.valid;
    machine_run(m, machine_entry(m, "init"), run->manifest->batch);
}

Figures run_evaluate(Run *run, const Split *split, int64_t limit) {
    Machine *m = &run->machine;
    const Entry *entry = machine_entry(m, "eval_step");
    int64_t batch = run->manifest->batch, rows = split->rows;
    if (limit > 0 && rows > limit * batch) rows = limit * batch;
    Figures f = figures_of(entry);
    m->clock.step = run->session.step;
    batch_check(entry, split->data);
    for (int64_t begin = 0; begin < rows; begin += batch) {
        int64_t n = rows - begin < batch ? rows - begin : batch;
        batch_fill(m, entry, split, NULL, begin, n);
        machine_run_batch(m, entry, begin / batch, n);
        figures_add(&f, entry, m->context.arena, n);
    }
    return f;
}

Split run_some_rows(Run *run, const Entry *entry, Dataset *synthetic) {
    const Manifest *m = run->manifest;
    const char *from = run->options.data;
    if (from || (m->data.from && data_find(&run->mem, m, NULL))) {
        data_load(&run->data, &run->mem, m, from);
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

int run_eval(Run *run) {
    const Options *o = &run->options;
    run_load_words(run);
    data_load(&run->data, &run->mem, run->manifest, o->data);
    const Split *split = &run->data.split[o->split];
    if (split->rows == 0) {
        fail("--split %s: this program's data have no such split", split_name[o->split]);
    }
    run_load_trained(run);
    Figures f = run_evaluate(run, split, o->batch_limit);
    Buffer b = {0};
    figures_print(&b, &f);
    printf("%s: %s (%" PRId64 " rows)\n", split_name[o->split], b.data ? b.data : "",
           (int64_t)f.rows);
    buffer_free(&b);
    return 0;
}
