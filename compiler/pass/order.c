// order: gives every rounded reduction the order that is part of its meaning, then freezes
// the module's arithmetic.
//
// Needs a module after `fma`. From here on only bit-exact rewriting. The order follows from
// the program's structure alone, never from the batch's extent, a tile or the number of
// threads (docs/inside.md):
//
// Samples come first among the reduced slots.
//
//   seq      contractions (products whose factors walk different parallel slots), short
//            reductions (at most 16 points), and whatever the other rows don't name
//   lanes16  longer reductions that walk one contiguous axis of what they read, max and min too
//   blocks   other reductions over samples (the batch, or the long leading axis of what is
//            read): leaves of one sample where a sample has at least 64 points, else of 16;
//            contractions over samples, too, where leaves of one sample are small beside it
#include "ir/build.h"
#include "ir/recur.h"
#include "pass/access.h"
#include "pass/chain.h"
#include "pass/padding.h"
#include "pass/pass.h"

enum { SHORT = 16, SAMPLES_PER_LEAF = 16 };

static bool is_rounded(const Index *x) {
    return (x->red == RED_sum || x->red == RED_prod) && elem_is_real(x->body->elem);
}

// Nothing is rounded, but zeros of either sign and NaNs are told apart.
static bool is_extreme(const Index *x) {
    return (x->red == RED_max || x->red == RED_min) && elem_is_real(x->body->elem);
}

static bool is_batch(Dim d) {
    return d.by != NULL;
}

// ---- contiguous reductions

// The reads' addresses step by one along the innermost reduced slot, and go on where they
// stopped along the outer ones (adjacent reduced axes merge).
static bool walks_contiguously(const Index *x, const Read *r) {
    int axis = r->v->type.rank;
    for (int slot = x->np + x->nr; slot-- > x->np;) {
        if (--axis < 0) return false;
        const Subscript *s = &r->sub[axis];
        if (s->div != 1 || s->gather || affine_coef(s->a, slot) != 1) return false;
        for (int i = 0; i < s->a.n; i++)
            if (s->a.t[i].slot >= x->np && s->a.t[i].slot != slot) return false;
        bool is_whole = dim_equal(r->v->type.dim[axis], x->extent[slot]);
        if (slot > x->np && !is_whole) return false;
    }
    return true;
}

static bool uses_reduced(const Index *x, const Scalar *s) {
    for (int i = x->np; i < x->np + x->nr; i++)
        if (scalar_uses_slot(s, i)) return true;
    return false;
}

// Some read walks the reduced axes as one run; the others do, too, or stay where they are
// along the innermost slot.
static bool is_contiguous(const Index *x, Arena *arena) {
    Reads reads = scalar_reads(x->body, arena);
    int inner = x->np + x->nr - 1;
    bool some = false;
    for (int i = 0; i < reads.n; i++) {
        const Scalar *s = reads.at[i];
        if (!uses_reduced(x, s) || !elem_is_real(s->elem)) continue;
        if (walks_contiguously(x, s->read))
            some = true;
        else if (scalar_uses_slot(s, inner))
            return false;
    }
    return some;
}

// ---- the choice

static bool has_run_time_extent(const Index *x) {
    for (int i = x->np; i < x->np + x->nr; i++)
        if (is_batch(x->extent[i])) return true;
    return false;
}

// Every real read that moves with the first reduced slot moves along its leading axis, and
// some read has that axis as the slot's whole extent.
static bool is_leading(const Index *x, Arena *arena) {
    Reads reads = scalar_reads(x->body, arena);
    bool some = false;
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        if (!elem_is_real(r->v->type.elem) || !scalar_uses_slot(reads.at[i], x->np)) continue;
        if (!r->v->type.rank || !read_is_slot(r, 0, x->np)) return false;
        some |= dim_equal(r->v->type.dim[0], x->extent[x->np]);
    }
    return some;
}

static bool is_over_samples(const Index *x, Arena *arena) {
    Dim first = x->extent[x->np];
    return is_batch(first) || (first.n >= MANY_SAMPLES && is_leading(x, arena));
}

// A convolution's weight gradient, but not a dense layer's: leaves take less memory and time
// than what they are made of.
static bool has_small_leaves(const Index *x, double sample) {
    const double ELEMENTS_PER_POINT = 64;
    return sample >= LARGE_SAMPLE && box_points(x->extent, x->np) <= ELEMENTS_PER_POINT * sample;
}

// Lanes lie on the innermost slot.
static bool is_long_row(const Index *x, Arena *arena) {
    return dim_max(x->extent[x->np + x->nr - 1]) > SHORT && is_contiguous(x, arena);
}

static Order extreme_order(const Index *x, Arena *arena) {
    bool by_lanes = !has_run_time_extent(x) && is_long_row(x, arena);
    return (Order){.kind = by_lanes ? ORDER_lanes16 : ORDER_none};
}

static Order order_of(const Value *v, Arena *arena) {
    const Index *x = &v->index;
    if (is_extreme(x)) return extreme_order(x, arena);
    const Dim *reduced = x->extent + x->np;
    Order seq = {.kind = ORDER_seq}, lanes16 = {.kind = ORDER_lanes16};
    double sample = box_points(reduced + 1, x->nr - 1);
    Order blocks = {ORDER_blocks, sample >= LARGE_SAMPLE ? 1 : SAMPLES_PER_LEAF};
    if (is_contraction(v)) {
        bool is_by_samples = is_over_samples(x, arena) && is_leading(x, arena);
        return is_by_samples && has_small_leaves(x, sample) ? blocks : seq;
    }
    if (is_batch(reduced[0])) return blocks;
    if (has_run_time_extent(x)) return seq;
    if (is_long_row(x, arena)) return lanes16;
    return is_over_samples(x, arena) ? blocks : seq;
}

// Samples are the outermost of the slots from `first` on, wherever the sum was written. False where
// they are, or are not among them; else the extents, and what each slot becomes.
static bool move_samples(Module *m, const Dim *extent, int first, int n, Dim *moved, Affine *to) {
    int at = first;
    while (at < n && !is_batch(extent[at])) at++;
    if (at == first || at == n) return false;
    for (int i = 0; i < MAX_SLOTS; i++) {
        int place = i == at ? first : i >= first && i < at ? i + 1 : i;
        to[i] = affine_slot(m, place);
        if (i < n) moved[place] = extent[i];
    }
    return true;
}

static Value *samples_first(Module *m, Value *v) {
    Index x = v->index;
    Dim extent[MAX_SLOTS];
    Affine to[MAX_SLOTS];
    if (!move_samples(m, x.extent, x.np, x.np + x.nr, extent, to)) return v;
    x.extent = extent;
    x.where = guards_subst(m, m->arena, x.where, x.n_where, to);
    x.body = scalar_subst(m, x.body, to);
    return build_index(m, &x, v->span, v->hint);
}

static Value *scatter_samples_first(Module *m, Value *v) {
    Accumulate x = v->accumulate;
    Dim extent[MAX_SLOTS];
    Affine to[MAX_SLOTS];
    Subscript target[MAX_RANK];
    if (!move_samples(m, x.extent, 0, x.n, extent, to)) return v;
    for (int i = 0; i < v->type.rank; i++) target[i] = subscript_subst(m, x.target[i], to);
    x.extent = extent;
    x.where = guards_subst(m, m->arena, x.where, x.n_where, to);
    x.target = target;
    x.body = scalar_subst(m, x.body, to);
    return build_accumulate(m, &x, &v->type, v->span, v->hint);
}

// Of the module or of a scan's steps, whose axis stays in front.
typedef struct Ordering {
    Arena *arena;
    OpenValues steps;
} Ordering;

static Value *order_value(void *context, Module *m, Value *v) {
    Ordering *o = context;
    bool is_step = is_of_step(&o->steps, v);
    if (v->op == VAL_accumulate && !is_step) return scatter_samples_first(m, v);
    if (v->op != VAL_index || !(is_rounded(&v->index) || is_extreme(&v->index))) return v;
    v = samples_first(m, skip_padding(m, v));
    Index x = v->index;
    x.order = order_of(v, o->arena);
    Value *ordered = shorten_chain(m, build_index(m, &x, v->span, v->hint));
    if (is_step) is_of_step(&o->steps, ordered);
    return ordered;
}

void pass_order(Pass *p) {
    Arena *arena = arena_new();
    for (int i = 0; i < p->m->fns.n; i++) {
        Ordering o = {arena, {arena, map_new(arena)}};
        function_rewrite(p->m->fns.at[i], order_value, &o);
    }
    arena_free(arena);
    p->m->is_frozen = true;
}
