// leaves: the leaves of a reduction by blocks become a value of their own.
//
// Needs a frozen module; changes no bit. v[p] = sum.blocks(S) over (n, r) becomes
//   leaf[b, p] = sum.seq over (s<S, r) of the body at n = S b + s
//   v[p] = sum.seq over b of leaf[b, p]
// which is what blocks(S) means. The leaves are computed where the samples are: sample by
// sample in the regions that make them, and by all threads; their sum is small. Leaves of
// several samples need an extent that is known when compiled.
#include "ir/build.h"
#include "ir/recur.h"
#include "pass/pass.h"

// The box of the leaves: b, then what v's parallel slots were, then s where leaves have
// several samples, then the other reduced slots. to[] is what v's slots become.
static bool leaf_box(Module *m, const Index *x, Index *leaf, Dim *extent, Affine *to) {
    int np = x->np, nr = x->nr;
    int64_t size = x->order.leaf;
    Dim samples = x->extent[np];
    if (np + 1 > MAX_RANK || np + nr + (size > 1) > MAX_SLOTS) return false;
    if (size > 1 && samples.by) return false;
    if (size == 1 && nr == 1) return false;
    extent[0] = size == 1 ? samples : dim_const((samples.n + size - 1) / size);
    int n = 1;
    for (int i = 0; i < np; i++) {
        to[i] = affine_slot(m, n);
        extent[n++] = x->extent[i];
    }
    to[np] = affine_scale(m, affine_slot(m, 0), size);
    if (size > 1) {
        to[np] = affine_add(m, to[np], affine_slot(m, n));
        extent[n++] = dim_const(size);
    }
    for (int i = np + 1; i < np + nr; i++) {
        to[i] = affine_slot(m, n);
        extent[n++] = x->extent[i];
    }
    *leaf = (Index){.np = np + 1, .nr = n - np - 1, .extent = extent, .red = x->red,
                    .order = {.kind = ORDER_seq}};
    return true;
}

// v's filter; and where the last leaf has fewer samples, what they are.
static void leaf_filter(Module *m, const Index *x, const Affine *to, Index *leaf) {
    Guard *where = guards_subst(m, m->arena, x->where, x->n_where, to);
    leaf->n_where = x->n_where;
    leaf->where = where;
    Dim samples = x->extent[x->np];
    if (samples.by || samples.n % x->order.leaf == 0) return;
    Affine left = affine_add_const(affine_scale(m, to[x->np], -1), samples.n - 1);
    where[leaf->n_where++] = (Guard){left, NULL, 0};
}

// What a scan's steps compute stays as it is: leaves would lie across the steps.
static Value *split_leaves(void *context, Module *m, Value *v) {
    if (is_of_step(context, v)) return v;
    if (v->op != VAL_index || v->index.order.kind != ORDER_blocks) return v;
    const Index *x = &v->index;
    Index leaf, sum = {.np = x->np, .nr = 1, .red = x->red, .order = {.kind = ORDER_seq}};
    Dim extent[MAX_SLOTS], outside[MAX_SLOTS];
    Affine to[MAX_SLOTS], at[MAX_RANK];
    if (!leaf_box(m, x, &leaf, extent, to)) return v;
    leaf_filter(m, x, to, &leaf);
    leaf.body = scalar_subst(m, x->body, to);
    Value *leaves = build_index(m, &leaf, v->span, v->hint);
    for (int i = 0; i < x->np; i++) {
        outside[i] = x->extent[i];
        at[i + 1] = affine_slot(m, i);
    }
    outside[x->np] = extent[0];
    at[0] = affine_slot(m, x->np);
    sum.extent = outside;
    sum.body = scalar_read_at(m, leaves, at);
    return build_index(m, &sum, v->span, v->hint);
}

void pass_leaves(Pass *p) {
    Arena *arena = arena_new();
    for (int i = 0; i < p->m->fns.n; i++)
        function_rewrite(p->m->fns.at[i], split_leaves, &(OpenValues){arena, map_new(arena)});
    arena_free(arena);
}
