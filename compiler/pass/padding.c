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

// ---- along the last axis, where zeros are many: the sum is taken apart

// The read's subscript along its padded axis is parallel slot q plus or minus reduced slot w.
typedef struct Padded {
    int arg, axis, q, w;
} Padded;

static bool only_keeps_in_range(const Read *r, int axis) {
    int64_t last = r->v->type.dim[axis].n - 1;
    for (int g = 0; g < r->n_guard; g++) {
        Affine e = r->guard[g].e, a = r->sub[axis].a;
        if (r->guard[g].s || r->guard[g].mod || e.n != a.n) return false;
        int64_t sign = affine_coef(e, a.t[0].slot) == affine_coef(a, a.t[0].slot) ? 1 : -1;
        for (int i = 0; i < a.n; i++)
            if (affine_coef(e, a.t[i].slot) != sign * a.t[i].c) return false;
        if (e.k != (sign > 0 ? a.k : last - a.k)) return false;
    }
    return true;
}

static bool is_padded_axis(const Index *x, const Read *r, int axis, Padded *out) {
    const Subscript *s = &r->sub[axis];
    if (s->div != 1 || s->gather || s->a.n != 2 || r->v->type.dim[axis].by) return false;
    Term q = s->a.t[0], w = s->a.t[1];  // in the order of slots: parallel ones come first
    if (q.slot >= x->np || w.slot < x->np || q.c != 1 || (w.c != 1 && w.c != -1)) return false;
    out->axis = axis;
    out->q = q.slot;
    out->w = w.slot;
    return only_keeps_in_range(r, axis);
}

// Nothing but the padded axis walks along q, and the read along w.
static bool is_alone(const Index *x, const Padded *p) {
    const Read *r = x->body->arg[p->arg]->read;
    if (scalar_uses_slot(x->body->arg[1 - p->arg], p->q)) return false;
    for (int i = 0; i < r->v->type.rank; i++)
        if (i != p->axis && (r->sub[i].gather || affine_coef(r->sub[i].a, p->q) ||
                             affine_coef(r->sub[i].a, p->w)))
            return false;
    for (int g = 0; g < x->n_where; g++)
        if (x->where[g].s || affine_coef(x->where[g].e, p->q) || affine_coef(x->where[g].e, p->w))
            return false;
    return true;
}

static bool find_padded(const Index *x, Padded *out) {
    const double DEEP = 32;  // reduced points of an element that is stored and read once more
    double depth = 1;
    if (x->np + 1 > MAX_RANK) return false;
    for (out->arg = 0; out->arg < 2; out->arg++) {
        const Scalar *s = x->body->arg[out->arg];
        if (s->op != OP_read || !s->read->n_guard || !is_zero(s->read->otherwise)) continue;
        if (!skips_much(x, s->read->guard, s->read->n_guard)) continue;
        for (int i = 0; i < s->read->v->type.rank; i++) {
            if (!is_padded_axis(x, s->read, i, out) || !is_alone(x, out)) continue;
            for (int k = x->np; k < x->np + x->nr; k++)
                if (x->extent[k].by) return false;
                else if (k != out->w) depth *= (double)x->extent[k].n;
            return depth >= DEEP;
        }
    }
    return false;
}

static bool is_filtered(const Index *x, int slot) {
    for (int g = 0; g < x->n_where; g++)
        if (affine_coef(x->where[g].e, slot)) return true;
    return false;
}

// The sum over all other reduced slots, for each place along the padded axis and each w.
static Value *sum_of_places(Module *m, const Value *v, const Padded *p) {
    const Index *x = &v->index;
    const Read *r = x->body->arg[p->arg]->read;
    Dim extent[MAX_SLOTS];
    Affine to[MAX_SLOTS];
    int n = 0;
    for (int s = 0; s < x->np; s++) {
        to[s] = affine_slot(m, n);
        extent[n++] = s == p->q ? r->v->type.dim[p->axis] : x->extent[s];
        if (s != p->q) continue;
        to[p->w] = affine_slot(m, n);
        extent[n++] = x->extent[p->w];
    }
    // What the filter looks at goes first: it is decided outside the loops over the others.
    for (int filtered = 1; filtered >= 0; filtered--)
        for (int s = x->np; s < x->np + x->nr; s++) {
            if (s == p->w || is_filtered(x, s) != filtered) continue;
            to[s] = affine_slot(m, n);
            extent[n++] = x->extent[s];
        }
    Subscript sub[MAX_RANK];
    for (int i = 0; i < r->v->type.rank; i++)
        sub[i] = (Subscript){i == p->axis ? to[p->q] : affine_subst(m, r->sub[i].a, to),
                             r->sub[i].div, NULL};
    Guard *where = NEW_ARRAY(m->arena, Guard, x->n_where);
    for (int g = 0; g < x->n_where; g++)
        where[g] = (Guard){affine_subst(m, x->where[g].e, to), NULL, x->where[g].mod};
    Scalar *arg[2];
    arg[p->arg] = scalar_read(m, r->v, sub, NULL, 0, NULL);
    arg[1 - p->arg] = scalar_subst(m, x->body->arg[1 - p->arg], to);
    Index sum = {.np = x->np + 1, .nr = x->nr - 1, .extent = extent, .red = RED_sum,
                 .order = {.kind = ORDER_seq}, .where = where, .n_where = x->n_where,
                 .body = scalar_binary(m, OP_mac, arg[0], arg[1])};
    return build_index(m, &sum, v->span, NULL);
}

// v[.., q, ..] = sum over w of s[.., q + w, w, ..], where there is such a place.
static Value *sum_of_sums(Module *m, const Value *v, const Padded *p) {
    const Index *x = &v->index;
    const Read *r = x->body->arg[p->arg]->read;
    Value *s = sum_of_places(m, v, p);
    Dim extent[MAX_SLOTS];
    Affine to[MAX_SLOTS];
    for (int i = 0; i < x->np; i++) {
        extent[i] = x->extent[i];
        to[i] = affine_slot(m, i);
    }
    extent[x->np] = x->extent[p->w];
    to[p->w] = affine_slot(m, x->np);
    Subscript sub[MAX_RANK];
    for (int i = 0; i <= x->np; i++) {
        Affine a = i <= p->q ? to[i] : i == p->q + 1 ? to[p->w] : to[i - 1];
        sub[i] = (Subscript){i == p->q ? affine_subst(m, r->sub[p->axis].a, to) : a, 1, NULL};
    }
    Guard *guard = NEW_ARRAY(m->arena, Guard, r->n_guard);
    for (int g = 0; g < r->n_guard; g++)
        guard[g] = (Guard){affine_subst(m, r->guard[g].e, to), NULL, 0};
    Index sum = {.np = x->np, .nr = 1, .extent = extent, .red = RED_sum,
                 .body = scalar_read(m, s, sub, guard, r->n_guard, r->otherwise)};
    return build_index(m, &sum, v->span, v->hint);
}

Value *skip_padding(Module *m, Value *v) {
    if (!is_contraction(v) || v->index.body->op != OP_mac) return v;
    Index x = v->index;
    Padded padded;
    Scalar *a = skip_in_read(m, &x, x.body->arg[0]), *b = skip_in_read(m, &x, x.body->arg[1]);
    if (a != x.body->arg[0] || b != x.body->arg[1]) {
        x.body = scalar_binary(m, OP_mac, a, b);
        v = build_index(m, &x, v->span, v->hint);
    }
    return find_padded(&v->index, &padded) ? sum_of_sums(m, v, &padded) : v;
}
