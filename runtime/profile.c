// profile: the time of each kernel of a training step (of a prediction, where the program does
// not train) beside the limits of the machine, measured in the same run.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/limits.h"
#include "runtime/progress.h"
#include "runtime/run.h"

typedef struct Sum {
    double seconds, flops, bytes, least;
} Sum;

static double clock_cost(void) {
    double seconds[101];
    for (int i = 0; i < 101; i++) {
        double start = seconds_now();
        seconds[i] = seconds_now() - start;
    }
    return median(seconds, 101);
}

// Row k holds the times of kernel k.
static void time_kernels(Run *run, const Entry *entry, int64_t step, double *at, int64_t row) {
    Machine *m = &run->machine;
    m->clock.step = step + 1;
    machine_ready(m, entry, run->manifest->batch);
    for (int64_t k = 0; k < entry->code->n_step; k++) {
        double start = seconds_now();
        machine_step(&m->context, &entry->code->step[k]);
        at[k * row] = seconds_now() - start;
    }
}

static void print_row(const char *name, const char *place, Sum s, double all, const char *bound) {
    double us = 1e6 * s.seconds;
    printf("%10.2f %5.1f %9.2f %8.2f %5.0f  %-10s  %-20s %s\n", us, 100 * s.seconds / all,
           1e-9 * s.flops / s.seconds, 1e-9 * s.bytes / s.seconds, 100 * s.least / s.seconds,
           bound, *place ? place : "-", name);
}

static Sum of_kernel(const KernelNote *k, double seconds, const Limits *l, int level,
                     const char **bound) {
    double compute = 2 * k->ops / l->flops, move = k->bytes / l->bytes[level];
    *bound = compute >= move ? "arithmetic" : level_name[level];
    return (Sum){seconds > 1e-9 ? seconds : 1e-9, k->flops, k->bytes,
                 compute > move ? compute : move};
}

static void print_limits(const Run *run, const Limits *l, int level) {
    printf("%" PRId64 " threads, measured in this run: %.1f GFLOP/s; triad in L1 %.1f, L2 %.1f, "
           "L3 %.1f, memory %.1f GB/s\nthe arena (%.2f MB) fits in %s\n\n",
           run->options.threads, 1e-9 * l->flops, 1e-9 * l->bytes[0], 1e-9 * l->bytes[1],
           1e-9 * l->bytes[2], 1e-9 * l->bytes[3],
           (double)run->machine.program->arena_bytes / 1e6, level_name[level]);
    printf("%10s %5s %9s %8s %5s  %-10s  %-20s %s\n", "us", "%", "GFLOP/s", "GB/s", "limit",
           "bound by", "line", "kernel");
}

static void print_table(const Run *run, const Entry *entry, const double *seconds) {
    Limits l = limits_measure(run->machine.context.pool, (int)run->options.threads,
                              run->manifest->vector_bytes);
    int level = limits_level(&l, run->machine.program->arena_bytes);
    Sum all = {0};
    for (int k = 0; k < entry->n_kernel; k++) all.seconds += seconds[k];
    print_limits(run, &l, level);
    for (int k = 0; k < entry->n_kernel; k++) {
        const char *bound;
        Sum s = of_kernel(&entry->kernel[k], seconds[k], &l, level, &bound);
        all.flops += s.flops, all.bytes += s.bytes, all.least += s.least;
        if (s.bytes > 0) print_row(entry->kernel[k].name, entry->kernel[k].place, s, all.seconds, bound);
    }
    print_row("all", "", all, all.seconds, "");
}

int run_profile(Run *run) {
    const Options *o = &run->options;
    const Entry *entry = run_benched(run);
    if (!entry->n_kernel) fail("this program does not say what its kernels are");
    int64_t steps = o->steps > 0 ? o->steps : 100;
    Dataset synthetic = {0};
    run_one_batch(run, entry, steps, &synthetic);
    double *times = mem_array(&run->mem, (size_t)steps * (size_t)entry->n_kernel, sizeof *times);
    double *middle = mem_array(&run->mem, (size_t)entry->n_kernel, sizeof *middle);
    for (int64_t i = 0; i < o->warmup; i++) time_kernels(run, entry, i, times, steps);
    for (int64_t i = 0; i < steps; i++)
        time_kernels(run, entry, o->warmup + i, times + i, steps);
    double clock = clock_cost();
    for (int k = 0; k < entry->n_kernel; k++)
        middle[k] = median(times + k * steps, (size_t)steps) - clock;
    print_table(run, entry, middle);
    dataset_free(&synthetic);
    return 0;
}
