#include "tests/fuzz/differences.h"

#include <math.h>
#include <string.h>

#include "tests/fuzz/random.h"

// One loss along one direction through the data of one leaf.
typedef struct Line {
    const Made *made;
    Module *m;
    Value *loss;
    const LeafData *leaf;
    const double *direction;
    double middle;  // the loss at the data themselves
} Line;

static double loss_at(const Line *l, double h) {
    Arena *a = arena_new();
    Eval *e = made_eval(l->made, l->m, a, EVAL_wide, 0, 0);
    Tensor *moved = tensor_new(a, &l->leaf->v->type, l->made->extent);
    for (int64_t i = 0, n = tensor_count(moved); i < n; i++)
        moved->at[i] = l->leaf->data->at[i] + h * l->direction[i];
    eval_bind(e, l->leaf->v, moved);
    double x = eval_value(e, l->loss)->at[0];
    arena_free(a);
    return x;
}

// Differences at h and h / 2, extrapolated (Richardson). False near a kink or a jump: where
// the two disagree, or the one-sided ones do not come together as h becomes smaller.
static bool difference(const Line *l, double h, double *out) {
    double up = loss_at(l, h), down = loss_at(l, -h);
    double near_up = loss_at(l, h / 2), near_down = loss_at(l, -h / 2), middle = l->middle;
    double wide = (up - down) / (2 * h), narrow = (near_up - near_down) / h;
    double gap = fabs(up - 2 * middle + down) / h;
    double near_gap = fabs(near_up - 2 * middle + near_down) / (h / 2);
    double noise = 1e-14 * (fabs(middle) + 1) / h;
    *out = (4 * narrow - wide) / 3;
    if (!isfinite(wide) || !isfinite(narrow)) return false;
    if (fabs(wide - narrow) > 1e-5 * (1 + fabs(narrow)) + 10 * noise) return false;
    return near_gap <= 0.75 * gap + 1e-6 * (1 + fabs(narrow)) + 10 * noise;
}

static bool agrees(double expected, double found) {
    return fabs(expected - found) <= 1e-6 * (1 + fabs(expected) + fabs(found));
}

// 1: agrees; 0: does not; -1: near a kink at every step tried.
static int check_line(const Line *l, double found, double *expected) {
    static const double step[] = {1e-5, 1e-4, 1e-6, 1e-3, 1e-7};
    int tried = 0;
    for (int i = 0; i < 5; i++) {
        double x;
        if (!difference(l, step[i], &x)) continue;
        if (!tried++) *expected = x;
        if (agrees(x, found)) return 1;
    }
    return tried > 1 ? 0 : -1;
}

static const Output *find(const Outputs *x, const char *text) {
    for (int i = 0; i < x->n; i++)
        if (!x->at[i].target && !strcmp(x->at[i].name, text)) return &x->at[i];
    return NULL;
}

// Along all elements at once, then along a few of them.
static void choose_direction(Random *r, int trial, double *direction, int64_t n) {
    memset(direction, 0, sizeof *direction * (size_t)n);
    if (trial) direction[random_below(r, n)] = 1;
    for (int64_t i = 0; i < n && !trial; i++) direction[i] = 2 * random_unit(r) - 1;
}

const char *check_derivative(const Made *made, Module *m, const Outputs *outputs,
                             const Derivative *d, Tally *tally) {
    enum { TRIALS = 4 };
    const Output *loss = find(outputs, d->loss), *grad = find(outputs, d->grad);
    if (!loss || !grad || !loss->t || !grad->t || !isfinite(loss->t->at[0])) return NULL;
    Line l = {.made = made, .m = m, .loss = loss->v, .middle = loss->t->at[0]};
    for (int i = 0; i < made->leaves.n; i++)
        if (made->leaves.at[i].v == d->wrt) l.leaf = &made->leaves.at[i];
    int64_t n = tensor_count(l.leaf->data);
    double *direction = NEW_ARRAY(made->arena, double, n);
    l.direction = direction;
    Random r = random_from(made->seed, 5);
    for (int trial = 0; trial < TRIALS && n; trial++) {
        choose_direction(&r, trial, direction, n);
        double found = 0, expected = 0;
        int64_t at = 0;
        for (int64_t i = 0; i < n; i++) {
            found += direction[i] * grad->t->at[i];
            if (direction[i] != 0) at = i;
        }
        int verdict = check_line(&l, found, &expected);
        tally->derivatives++;
        tally->near_kinks += verdict < 0;
        if (verdict == 0)
            return arena_printf(made->arena, "%s, %s %lld: %.12g, by differences %.12g", d->grad,
                                trial ? "element" : "all elements, the last", (long long)at, found,
                                expected);
    }
    return NULL;
}
