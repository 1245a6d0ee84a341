// moments: sums of squared deviations over samples from each sample's own.
//
// Needs a simplified module whose arithmetic is not settled; changes roundings. With m the mean
// of the sample's points, of which there are k,
//   sum over (n, r) of (x - c)^2  =  sum over n of (sum over r of (x - m[n])^2  +  k (m[n] - c)^2)
// for every c that does not vary with n and r (Chan, Golub and LeVeque 1983). Batch norm's
// variance is the case: c is the mean over all samples, whose sum wants the samples' own anyway.
// All that reads x then goes sample by sample, with what makes x.
#include "ir/build.h"
#include "ir/rewrite.h"
#include "pass/access.h"
#include "pass/pass.h"

typedef struct Deviation {
    Scalar *x, *c;
} Deviation;

static bool varies_in(const Scalar *s, int from, int to) {
    for (int i = from; i < to; i++)
        if (scalar_uses_slot(s, i)) return true;
    return false;
}

// The body as (x - c)^2, x an element and c the same at all of the reduced points.
static bool is_squared_deviation(const Index *x, Deviation *out) {
    const Scalar *s = x->body;
    if (x->red != RED_sum || x->n_where || s->op != OP_mul || s->arg[0] != s->arg[1]) return false;
    s = s->arg[0];
    if (s->op != OP_sub || !elem_is_real(s->elem)) return false;
    int from = x->np, to = x->np + x->nr;
    bool swapped = !varies_in(s->arg[0], from, to);
    *out = (Deviation){s->arg[swapped], s->arg[!swapped]};
    return out->x->op == OP_read && out->c->op == OP_read && !varies_in(out->c, from, to);
}

// Is c made of the sum of x over the same box?
static bool is_made_of_sum(const Index *x, const Deviation *d, Arena *arena) {
    Values near = value_operands(d->c->read->v, arena);
    for (int i = 0; i < near.n; i++) {
        const Value *v = near.at[i];
        if (v->op != VAL_index || v->index.red != RED_sum || v->index.n_where) continue;
        bool is_same = v->index.np == x->np && v->index.nr == x->nr && v->index.body == d->x;
        for (int s = 0; s < x->np + x->nr && is_same; s++)
            is_same = dim_equal(v->index.extent[s], x->extent[s]);
        if (is_same) return true;
    }
    return false;
}

static bool has_large_samples(const Index *x, const Read *r) {
    Dim first = x->extent[x->np];
    if (!first.by && first.n < MANY_SAMPLES) return false;
    for (int i = x->np + 1; i < x->np + x->nr; i++)
        if (x->extent[i].by) return false;
    return x->np < MAX_RANK && r->v->type.rank && read_is_slot(r, 0, x->np) &&
           box_points(x->extent + x->np + 1, x->nr - 1) >= LARGE_SAMPLE;
}

// A value over (n, v's parallel slots) at n and the slots of v's own box.
static Scalar *read_sample(Module *m, Value *of, int np) {
    Affine at[MAX_RANK];
    at[0] = affine_slot(m, np);
    for (int i = 0; i < np; i++) at[i + 1] = affine_slot(m, i);
    return scalar_read_at(m, of, at);
}

static Scalar *square(Module *m, Scalar *s) {
    return scalar_binary(m, OP_mul, s, s);
}

static Value *by_samples(Module *m, const Value *v, const Deviation *d) {
    const Index *x = &v->index;
    int np = x->np;
    double count = box_points(x->extent + np + 1, x->nr - 1);
    Dim extent[MAX_SLOTS], whole[MAX_SLOTS];
    Affine to[MAX_SLOTS];
    extent[0] = x->extent[np];
    to[np] = affine_slot(m, 0);
    for (int i = 0; i < np; i++) {
        whole[i] = extent[i + 1] = x->extent[i];
        to[i] = affine_slot(m, i + 1);
    }
    for (int i = np + 1; i < np + x->nr; i++) {
        extent[i] = x->extent[i];
        to[i] = affine_slot(m, i);
    }
    whole[np] = x->extent[np];
    Index sample = {.np = np + 1, .nr = x->nr - 1, .extent = extent, .red = RED_sum};
    sample.body = scalar_subst(m, d->x, to);
    Value *sum = build_index(m, &sample, v->span, NULL);
    Scalar *scaled = scalar_binary(m, OP_mul, scalar_read_identity(m, sum), scalar_real(m, 1 / count));
    Value *mean = build_map(m, np + 1, extent, scaled, v->span, NULL);
    Scalar *here = scalar_read_identity(m, mean);
    sample.body = square(m, scalar_binary(m, OP_sub, scalar_subst(m, d->x, to), here));
    Value *own = build_index(m, &sample, v->span, NULL);
    Scalar *between = square(m, scalar_binary(m, OP_sub, read_sample(m, mean, np), d->c));
    Index all = {.np = np, .nr = 1, .extent = whole, .red = RED_sum};
    all.body = scalar_binary(m, OP_add, read_sample(m, own, np),
                             scalar_binary(m, OP_mul, between, scalar_real(m, count)));
    return build_index(m, &all, v->span, v->hint);
}

static Value *split_moments(void *context, Module *m, Value *v) {
    Deviation d;
    if (v->op != VAL_index || !is_squared_deviation(&v->index, &d)) return v;
    if (!has_large_samples(&v->index, d.x->read) || !is_made_of_sum(&v->index, &d, context)) return v;
    return by_samples(m, v, &d);
}

void pass_moments(Pass *p) {
    Arena *arena = arena_new();
    for (int i = 0; i < p->m->fns.n; i++) function_rewrite(p->m->fns.at[i], split_moments, arena);
    arena_free(arena);
}
