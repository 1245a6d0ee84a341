#include "pass/padding.h"

static bool holds(const Guard *g, const int64_t *at) {
    int64_t e = g->e.k;
    for (int i = 0; i < g->e.n; i++) e += g->e.t[i].c * at[g->e.t[i].slot];
    return g->mod ? e % g->mod == 0 : e >= 0;
}

double guards_share(const Guard *guard, int n, const Dim *extent, int n_slot) {
    enum { FEW = 1 << 12 };
    int slot[MAX_SLOTS], n_used = 0;
    int64_t points = 1, held = 0, at[MAX_SLOTS] = {0};
    for (int s = 0; s < n_slot; s++) {
        bool is_used = false;
        for (int i = 0; i < n; i++) is_used |= affine_coef(guard[i].e, s) != 0;
        if (!is_used) continue;
        if (extent[s].by || points * extent[s].n > FEW) return 1;
        points *= extent[s].n;
        slot[n_used++] = s;
    }
    for (int i = 0; i < n; i++)
        if (guard[i].s) return 1;
    for (int64_t p = 0; p < points; p++) {
        int64_t left = p;
        for (int i = 0; i < n_used; i++) {
            at[slot[i]] = left % extent[slot[i]].n;
            left /= extent[slot[i]].n;
        }
        bool all = true;
        for (int i = 0; i < n; i++) all &= holds(&guard[i], at);
        held += all;
    }
    return (double)held / (double)points;
}

// ----

// The one parallel slot that the guard looks at, or -1.
static int parallel_slot(const Index *x, const Guard *g) {
    int slot = -1;
    if (g->s) return -1;
    for (int i = 0; i < g->e.n; i++) {
        if (g->e.t[i].slot >= x->np) continue;
        if (slot >= 0) return -1;
        slot = g->e.t[i].slot;
    }
    return slot;
}

static bool is_zero(const Scalar *s) {
    return s && s->op == OP_const && elem_is_real(s->elem) && s->real == 0;
}

// Moves the guards along slot p from the read to the filter.
static void move_guards(const Index *x, int p, Guard *guard, int *n_guard, Guard *where,
                        int *n_where) {
    int n = 0;
    for (int i = 0; i < *n_guard; i++)
        if (parallel_slot(x, &guard[i]) == p) where[(*n_where)++] = guard[i];
        else guard[n++] = guard[i];
    *n_guard = n;
}

static bool skips_much(const Index *x, const Guard *where, int n_where) {
    const double MUCH = 0.2;
    return n_where && guards_share(where, n_where, x->extent, x->np + x->nr) < 1 - MUCH;
}

// Along the last slot with guards the lanes are likely to lie, and a vector has all or nothing:
// there the zeros stay.
static Scalar *skip_in_read(Module *m, Index *x, Scalar *s) {
    if (s->op != OP_read || !s->read->n_guard || !is_zero(s->read->otherwise)) return s;
    const Read *r = s->read;
    int n_guard = r->n_guard, last = -1;
    Guard *guard = arena_copy(m->arena, r->guard, sizeof *guard * (size_t)n_guard);
    for (int i = 0; i < n_guard; i++)
        if (parallel_slot(x, &guard[i]) > last) last = parallel_slot(x, &guard[i]);
    for (int p = 0; p < last; p++) {
        Guard *some = NEW_ARRAY(m->arena, Guard, n_guard);
        Guard *rest = NEW_ARRAY(m->arena, Guard, n_guard);
        int n_some = 0, n_rest = n_guard;
        for (int i = 0; i < n_guard; i++) rest[i] = guard[i];
        move_guards(x, p, rest, &n_rest, some, &n_some);
        if (!skips_much(x, some, n_some)) continue;
        Guard *where = NEW_ARRAY(m->arena, Guard, x->n_where + n_some);
        for (int i = 0; i < x->n_where; i++) where[i] = x->where[i];
        for (int i = 0; i < n_some; i++) where[x->n_where + i] = some[i];
        x->where = where;
        x->n_where += n_some;
        guard = rest;
        n_guard = n_rest;
    }
    if (n_guard == r->n_guard) return s;
    return scalar_read(m, r->v, r->sub, guard, n_guard, n_guard ? r->otherwise : NULL);
}

Value *skip_padding(Module *m, Value *v) {
    if (!is_contraction(v) || v->index.body->op != OP_mac) return v;
    Index x = v->index;
    Scalar *a = skip_in_read(m, &x, x.body->arg[0]), *b = skip_in_read(m, &x, x.body->arg[1]);
    if (a == x.body->arg[0] && b == x.body->arg[1]) return v;
    x.body = scalar_binary(m, OP_mac, a, b);
    return build_index(m, &x, v->span, v->hint);
}
