// Place by place against the whole: a program's `generate_step` is fed random units, and at each place
// its scores must be those that `predict` gives for the whole sequence; where the window is full and
// generation begins anew, those for what it then holds. And a beam that is wide enough to hold all
// sequences finds the likeliest.
//
//   steps places | beam      prints the largest difference, or what is wrong
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/generate.h"
#include "runtime/rng.h"
#include "runtime/stream.h"

enum { ROWS = 5, CLASSES = 64 };

static _Noreturn void wrong(const char *what, double x, double y) {
    printf("%s: %.9g, not %.9g\n", what, x, y);
    exit(1);
}

static const Tensor *result(const Entry *e, const char *name) {
    for (int i = 0; i < e->n_result; i++)
        if (!strcmp(e->result[i].name, name)) return e->result[i].tensor;
    return NULL;
}

static Generation open_run(Run *run, int64_t rows, int64_t units, int seed) {
    char number[12], *argv[] = {"steps", "generate", "--threads", "2", "--seed", number};
    snprintf(number, sizeof number, "%d", seed);
    run->program = &nn_program;
    run->manifest = manifest_read(&run->mem, run->program);
    flags_read(&run->options, &run->mem, run->manifest, 6, argv);
    run_machine(run, 2);
    run_init(run);
    Generation g = {.run = run, .rows = rows, .room = units};
    g.begin = manifest_entry(run->manifest, "generate_begin");
    g.step = machine_entry(&run->machine, "generate_step");
    g.input = manifest_input(g.step, "generate.input");
    g.next = result(g.step, "next");
    g.logits = result(g.step, "logits");
    g.places = tensor_row_count(g.input);
    if (manifest_input(g.step, "generate.pos"))
        g.window = (int64_t)json_number_in(run->manifest->generate, "window", 0);
    g.unit = mem_array(&run->mem, (size_t)(rows * units), sizeof *g.unit);
    if (g.begin) machine_run(&run->machine, g.begin, rows);
    return g;
}

// The scores for row `row` after units [first, at], by `predict`; those behind are any.
static void predict(const Generation *g, int64_t row, int64_t first, int64_t at, double *scores) {
    Machine *m = &g->run->machine;
    const Entry *e = machine_entry(m, "predict");
    const Tensor *in = manifest_input(e, "token"), *out = result(e, "output");
    int64_t places = tensor_row_count(in), k = tensor_row_count(g->logits);
    if (stream_begin) stream_begin(g->run);
    for (int64_t t = 0; t < places; t++) {
        int64_t unit = first + t > at ? 1 : generation_row(g, row)[first + t];
        elem_store(in->elem, machine_data(m, in), t, unit);
    }
    machine_run(m, e, 1);
    int64_t from = out->rank == 3 ? (at - first) * k : 0;
    for (int64_t i = 0; i < k; i++) scores[i] = elem_load(out->elem, machine_data(m, out), from + i);
}

static double compare(const Generation *g, const double *step, int64_t first, int64_t at) {
    int64_t k = tensor_row_count(g->logits);
    double scores[CLASSES], most = 0;
    for (int64_t row = 0; row < g->rows; row++) {
        predict(g, row, first, at, scores);
        for (int64_t i = 0; i < k; i++) {
            double difference = fabs(step[row * k + i] - scores[i]);
            if (!(difference <= 1e-5 * fmax(1, fabs(scores[i])))) wrong("a score", step[row * k + i], scores[i]);
            most = fmax(most, difference);
        }
    }
    return most;
}

static void check_next(const Generation *g) {
    Machine *m = &g->run->machine;
    int64_t k = tensor_row_count(g->logits);
    for (int64_t row = 0; row < g->rows; row++) {
        int64_t best = 0, next = (int64_t)elem_load(g->next->elem, machine_data(m, g->next), row);
        for (int64_t i = 1; i < k; i++) {
            const char *data = machine_data(m, g->logits);
            if (elem_load(g->logits->elem, data, row * k + i) > elem_load(g->logits->elem, data, row * k + best))
                best = i;
        }
        if (next != best) wrong("the next unit", (double)next, (double)best);
    }
}

// `predict` sees as many places as rows of the data have: what is longer is not compared.
static void try_places(int64_t rows) {
    enum { UNITS = 30 };
    static double step[UNITS][ROWS * CLASSES];
    Run run = {0};
    Generation g = open_run(&run, rows, UNITS, 1);
    int64_t k = tensor_row_count(g.logits), first = 0, compared = 0;
    int64_t from[UNITS], seen = tensor_row_count(manifest_input(machine_entry(&run.machine, "predict"), "token"));
    double most = 0;
    Rng r = rng_start(7, (uint64_t)rows);
    for (int64_t i = 0; i < rows * UNITS; i++) g.unit[i] = (int32_t)(rng_next(&r) % (uint64_t)k);
    for (int64_t at = 0; at < UNITS; at++) {
        if (g.places > 1) first = at - g.places + 1;
        else if (g.window && at - first == g.window) first = at - g.window / 2;
        generation_feed(&g, at);
        check_next(&g);
        for (int64_t i = 0; i < rows * k; i++)
            step[at][i] = elem_load(g.logits->elem, machine_data(&run.machine, g.logits), i);
        from[at] = first;
    }
    // Behind all steps: `predict` may move states that they share.
    for (int64_t at = 0; at < UNITS; at++) {
        if (from[at] < 0 || at - from[at] >= seen) continue;
        most = fmax(most, compare(&g, step[at], from[at], at));
        compared++;
    }
    printf("%lld rows, %lld places: %.3g\n", (long long)rows, (long long)compared, most);
}

static double log_probability(const double *scores, int64_t k, int64_t unit) {
    double sum = 0;
    for (int64_t i = 0; i < k; i++) sum += exp(scores[i] - scores[unit]);
    return -log(sum);
}

// How far what a beam finds is from the likeliest of all sequences of so many units behind a 0.
static double try_beam(int64_t rows, int64_t length, int seed) {
    Run run = {0};
    Generation g = open_run(&run, rows, length + 1, seed);
    int64_t k = tensor_row_count(g.logits), count = 1;
    double scores[CLASSES], best = -INFINITY, found = 0;
    int32_t got[16];
    g.n = 1;
    beam_search(&g, length);
    memcpy(got, generation_row(&g, 0), (size_t)(length + 1) * sizeof *got);
    for (int64_t i = 0; i < length; i++) count *= k;
    for (int64_t code = 0; code < count; code++) {
        int32_t *unit = generation_row(&g, 0);
        double sum = 0;
        bool is_got = true;
        for (int64_t i = 0, rest = code; i < length; i++, rest /= k) {
            unit[i + 1] = (int32_t)(rest % k);
            is_got &= unit[i + 1] == got[i + 1];
        }
        for (int64_t i = 0; i < length; i++) {
            predict(&g, 0, 0, i, scores);
            sum += log_probability(scores, k, unit[i + 1]);
        }
        if (is_got) found = sum;
        best = fmax(best, sum);
    }
    machine_stop(&run.machine);
    return best - found;
}

int main(int argc, char **argv) {
    bool is_beam = argc > 1 && !strcmp(argv[1], "beam");
    enum { SEEDS = 12 };
    double narrow = 0, medium = 0;
    for (int seed = 1; is_beam && seed <= SEEDS; seed++) {
        double wide = try_beam(27, 4, seed);
        if (!(wide < 1e-4)) wrong("a wide beam", wide, 0);
        narrow += try_beam(1, 4, seed);
        medium += try_beam(3, 4, seed);
    }
    if (is_beam) {
        if (!(narrow > 0.1 && medium < 0.7 * narrow)) wrong("a narrow beam beside one of 3", narrow, medium);
        printf("%.3g %.3g\n", narrow, medium);
        return 0;
    }
    try_places(ROWS);
    try_places(1);
    try_places(3);
    return 0;
}
