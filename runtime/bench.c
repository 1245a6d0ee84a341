// bench: the time of a training step, or of a prediction where the program does not train, on
// one batch in memory, as one JSON line.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "runtime/checkpoint.h"
#include "runtime/progress.h"
#include "runtime/run.h"

static int compare_times(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double time_step(Run *run, const Entry *entry, int64_t i) {
    Machine *m = &run->machine;
    m->clock.step = i + 1;
    double start = seconds_now();
    machine_run(m, entry, run->manifest->batch);
    return seconds_now() - start;
}

static const Entry *benched_entry(const Machine *m) {
    const Entry *train_step = manifest_entry(m->manifest, "train_step");
    return train_step ? train_step : machine_entry(m, "predict");
}

static void print_json(const Run *run, const double *sorted, int64_t steps) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double median = steps % 2 ? sorted[steps / 2] : (sorted[steps / 2 - 1] + sorted[steps / 2]) / 2;
    printf(
        "{\"step_ms\":%.6g,\"min_ms\":%.6g,\"samples_per_s\":%.6g,\"peak_rss_mb\":%.2f,"
        "\"params\":%" PRId64 ",\"batch\":%" PRId64 ",\"threads\":%" PRId64 ",\"steps\":%" PRId64
        "}\n",
        1e3 * median, 1e3 * sorted[0], (double)run->manifest->batch / median,
        (double)usage.ru_maxrss / 1024, manifest_parameters(run->manifest), run->manifest->batch,
        run->options.threads, steps);
}

int run_bench(Run *run) {
    const Options *o = &run->options;
    const Entry *entry = benched_entry(&run->machine);
    int64_t steps = o->steps > 0 ? o->steps : 100;
    Dataset synthetic = {0};
    Split split = run_some_rows(run, entry, &synthetic);
    run->session.epochs = 1;
    run->session.steps = steps + o->warmup;
    run_init(run);
    if (o->load) weights_load(run, o->load, true);
    batch_fill(&run->machine, entry, &split, NULL, 0, run->manifest->batch);
    double *seconds = mem_array(&run->mem, (size_t)steps, sizeof *seconds);
    for (int64_t i = 0; i < o->warmup; i++) time_step(run, entry, i);
    for (int64_t i = 0; i < steps; i++) seconds[i] = time_step(run, entry, o->warmup + i);
    qsort(seconds, (size_t)steps, sizeof *seconds, compare_times);
    print_json(run, seconds, steps);
    dataset_free(&synthetic);
    return 0;
}
