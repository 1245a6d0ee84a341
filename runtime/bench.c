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

double median(double *x, size_t n) {
    qsort(x, n, sizeof *x, compare_times);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

const Entry *run_benched(const Run *run) {
    const Entry *train_step = manifest_entry(run->manifest, "train_step");
    return train_step ? train_step : machine_entry(&run->machine, "predict");
}

void run_one_batch(Run *run, const Entry *entry, int64_t steps, Dataset *synthetic) {
    Split split = run_some_rows(run, entry, synthetic);
    run->session.epochs = 1;
    run->session.steps = steps + run->options.warmup;
    run_init(run);
    if (run->options.load) weights_load(run, run->options.load, true);
    const Entry *epoch_begin = manifest_entry(run->manifest, "epoch_begin");
    if (epoch_begin) machine_run(&run->machine, epoch_begin, 0);  // rates that go by the epoch
    batch_fill(&run->machine, entry, &split, NULL, 0, run->manifest->batch);
}

static double flops_of(const Entry *entry) {
    double sum = 0;
    for (int i = 0; i < entry->n_kernel; i++) sum += entry->kernel[i].flops;
    return sum;
}

static void print_json(const Run *run, const Entry *entry, double *seconds, int64_t steps) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double step = median(seconds, (size_t)steps);
    printf(
        "{\"step_ms\":%.6g,\"min_ms\":%.6g,\"samples_per_s\":%.6g,\"gflops\":%.5g,"
        "\"peak_rss_mb\":%.2f,\"params\":%" PRId64 ",\"batch\":%" PRId64 ",\"threads\":%" PRId64
        ",\"steps\":%" PRId64 "}\n",
        1e3 * step, 1e3 * seconds[0], (double)run->manifest->batch / step,
        1e-9 * flops_of(entry) / step, (double)usage.ru_maxrss / 1024,
        manifest_parameters(run->manifest), run->manifest->batch, run->options.threads, steps);
}

int run_bench(Run *run) {
    const Options *o = &run->options;
    const Entry *entry = run_benched(run);
    int64_t steps = o->steps > 0 ? o->steps : 100;
    Dataset synthetic = {0};
    run_one_batch(run, entry, steps, &synthetic);
    double *seconds = mem_array(&run->mem, (size_t)steps, sizeof *seconds);
    for (int64_t i = 0; i < o->warmup; i++) time_step(run, entry, i);
    for (int64_t i = 0; i < steps; i++) seconds[i] = time_step(run, entry, o->warmup + i);
    print_json(run, entry, seconds, steps);
    dataset_free(&synthetic);
    return 0;
}
