// gradcheck: holds the compiled gradients against central differences of the compiled loss.
//
// The difference at h is D(h) = (L(w + h) - L(w - h)) / 2h; (4 D(h) - D(2h)) / 3 has an error
// of order h^4. A loss is known to a few units of its last place, so differences below
// `noise` say nothing, and a wide h meets more kinks (relu, max): several are tried, and the
// closest counts. A gradient that passes a function with one of its own need not be a derivative:
// where it differs it is shown, and not judged. At a kink itself the gradient may be anything between the two slopes.
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/checkpoint.h"
#include "runtime/rng.h"
#include "runtime/run.h"

enum { N_WIDTH = 3 };
static const double width_f64[N_WIDTH] = {1e-3, 1e-4, 1e-5};
static const double width_f32[N_WIDTH] = {3e-2, 1e-2, 3e-3};

typedef struct Check {
    Run *run;
    const Entry *entry;
    Split split;
    int64_t rows;
    char **state;  // a copy of each tensor that is a state, by its place in the manifest
    const double *width;
    double epsilon, tolerance;
} Check;

typedef struct Verdict {
    int64_t checked, kinks, worst_at;
    double worst, gradient, difference;  // at the worst
} Verdict;

// Training may move states (running statistics): every evaluation starts from the same.
static void save_states(Check *c) {
    const Manifest *m = c->run->manifest;
    c->state = mem_array(&c->run->mem, (size_t)m->n_tensor, sizeof *c->state);
    for (int i = 0; i < m->n_tensor; i++) {
        const Tensor *t = &m->tensor[i];
        if (t->kind != TENSOR_state) continue;
        c->state[i] = mem_get(&c->run->mem, (size_t)tensor_bytes(t));
        memcpy(c->state[i], machine_data(&c->run->machine, t), (size_t)tensor_bytes(t));
    }
}

static double evaluate(Check *c) {
    Machine *m = &c->run->machine;
    const Manifest *manifest = c->run->manifest;
    for (int i = 0; i < manifest->n_tensor; i++) {
        const Tensor *t = &manifest->tensor[i];
        if (c->state[i]) memcpy(machine_data(m, t), c->state[i], (size_t)tensor_bytes(t));
    }
    batch_fill(m, c->entry, &c->split, NULL, 0, c->rows);
    m->clock.step = 1;
    machine_run(m, c->entry, c->rows);
    return machine_result(m, c->entry, "loss");
}

// The loss with element i of the parameter moved by `by`; *moved is how far it really went.
static double loss_at(Check *c, const Tensor *t, int64_t i, double by, double *moved) {
    char *data = machine_data(&c->run->machine, t);
    double w = elem_load(t->elem, data, i);
    elem_store(t->elem, data, i, w + by);
    *moved = elem_load(t->elem, data, i) - w;
    double loss = evaluate(c);
    elem_store(t->elem, data, i, w);
    return loss;
}

static double central(Check *c, const Tensor *t, int64_t i, double h) {
    double up, down;
    double difference = loss_at(c, t, i, h, &up) - loss_at(c, t, i, -h, &down);
    return difference / (up - down);
}

static double noise_at(const Check *c, double loss, double h) {
    return 4 * c->epsilon * fmax(fabs(loss), 1) / h;
}

// The slope on one side of the element, with an error of order h^2.
static double slope_beside(Check *c, const Tensor *t, int64_t i, double h, double at) {
    double moved, near, whole = (loss_at(c, t, i, h, &moved) - at) / moved;
    double half = (loss_at(c, t, i, h / 2, &near) - at) / near;
    return 2 * half - whole;
}

// The gradient is one of the two slopes beside the element, or lies between them.
static bool is_kink(Check *c, const Tensor *t, int64_t i, double gradient) {
    double near = c->width == width_f64 ? 0.01 : 1;  // in f32 noise leaves no room
    double h = near * c->width[N_WIDTH - 1], at = evaluate(c);
    double right = slope_beside(c, t, i, h, at), left = slope_beside(c, t, i, -h, at);
    double slack = 6 * noise_at(c, at, h) + c->tolerance * fmax(fabs(left), fabs(right));
    return gradient > (left < right ? left : right) - slack && gradient < fmax(left, right) + slack;
}

// What noise does not explain of the difference, against the larger of both, or a thousandth
// of the parameter's largest gradient.
static double relative_error(double d, double gradient, double scale, double noise) {
    if (!isfinite(d) || !isfinite(gradient)) return INFINITY;
    double excess = fmax(fabs(d - gradient) - noise, 0);
    return excess / fmax(fmax(fabs(d), fabs(gradient)), 1e-3 * scale + DBL_MIN);
}

static void check_element(Check *c, const Tensor *t, int64_t i, double gradient, double scale,
                          Verdict *v) {
    double loss = evaluate(c), error = INFINITY, closest = NAN;
    for (int k = 0; k < N_WIDTH && error > c->tolerance; k++) {
        double h = c->width[k];
        double d = (4 * central(c, t, i, h) - central(c, t, i, 2 * h)) / 3;
        double e = relative_error(d, gradient, scale, noise_at(c, loss, h));
        if (isnan(closest) || e < error) closest = d;
        if (e < error) error = e;
    }
    v->checked++;
    if (!(error <= c->tolerance) && is_kink(c, t, i, gradient)) {
        v->kinks++;
        return;
    }
    if (v->checked > v->kinks + 1 && !(error > v->worst)) return;
    v->worst = error;
    v->worst_at = i;
    v->gradient = gradient;
    v->difference = closest;
}

static const Tensor *gradient_of(const Entry *entry, const char *name) {
    for (int i = 0; i < entry->n_result; i++) {
        const char *result = entry->result[i].name;
        if (strncmp(result, "grad.", 5) == 0 && strcmp(result + 5, name) == 0) {
            return entry->result[i].tensor;
        }
    }
    return NULL;
}

// All elements where they are few, else a seeded choice of --samples.
static Verdict check_parameter(Check *c, const Tensor *t, const Tensor *grad, uint64_t stream) {
    int64_t n = c->run->options.samples < t->count ? c->run->options.samples : t->count;
    double *gradient = calloc((size_t)t->count, sizeof *gradient), scale = 0;
    if (!gradient) fail_memory((double)t->count * sizeof *gradient, "gradients");
    evaluate(c);
    for (int64_t i = 0; i < t->count; i++) {
        gradient[i] = elem_load(grad->elem, machine_data(&c->run->machine, grad), i);
        scale = fmax(scale, fabs(gradient[i]));
    }
    Rng r = rng_start(c->run->machine.context.seed, stream);
    Verdict v = {0};
    for (int64_t k = 0; k < n; k++) {
        int64_t i = n == t->count ? k : (int64_t)rng_below(&r, (uint64_t)t->count);
        check_element(c, t, i, gradient[i], scale, &v);
    }
    free(gradient);
    return v;
}

static void prepare(Check *c) {
    Run *run = c->run;
    bool is_f64 = run->manifest->real == ELEM_f64;
    c->width = is_f64 ? width_f64 : width_f32;
    c->epsilon = is_f64 ? DBL_EPSILON : FLT_EPSILON;
    c->tolerance = is_f64 ? 1e-6 : 1e-2;
    if (flag_given(&run->options, "tolerance")) c->tolerance = run->options.tolerance;
    c->rows = run->manifest->batch;
    run->session.epochs = run->session.steps = 1;
    run_init(run);
    if (run->options.load) weights_load(run, run->options.load, true);
    save_states(c);
}

int run_gradcheck(Run *run) {
    const Manifest *m = run->manifest;
    Check c = {.run = run, .entry = machine_entry(&run->machine, "gradients")};
    Dataset synthetic = {0};
    c.split = run_some_rows(run, c.entry, &synthetic);
    prepare(&c);
    double worst = 0;
    int64_t checked = 0, kinks = 0, own = 0;
    printf("%-24s %9s %8s %6s %12s %10s %14s %14s\n", "parameter", "elements", "checked", "kinks",
           "worst error", "element", "gradient", "difference");
    for (int i = 0; i < m->n_tensor; i++) {
        const Tensor *t = &m->tensor[i], *grad = gradient_of(c.entry, t->name);
        if (t->kind != TENSOR_param || !grad) continue;
        if (grad->count != t->count) fail("this program's manifest: shape of grad.%s", t->name);
        Verdict v = check_parameter(&c, t, grad, (uint64_t)i);
        printf("%-24s %9" PRId64 " %8" PRId64 " %6" PRId64 " %12.3g %10" PRId64
               " %14.6g %14.6g%s\n",
               t->name, t->count, v.checked, v.kinks, v.worst, v.worst_at, v.gradient, v.difference,
               v.worst <= c.tolerance ? "" : t->has_own_gradient ? "  own" : "  wrong");
        if (t->has_own_gradient && !(v.worst <= c.tolerance)) {
            own++;
            continue;
        }
        if (!(v.worst <= worst)) worst = v.worst;
        checked += v.checked;
        kinks += v.kinks;
    }
    if (own)
        printf("%" PRId64 " parameter%s not judged: functions on the way have gradients of their own\n",
               own, own == 1 ? "" : "s");
    bool is_right = checked + own > 0 && worst <= c.tolerance;
    printf("%" PRId64 " elements checked, %" PRId64
           " at kinks; worst relative error %.3g, tolerance %g: %s\n",
           checked, kinks, worst, c.tolerance, is_right ? "passed" : "failed");
    dataset_free(&synthetic);
    return is_right ? 0 : EXIT_DATA;
}
