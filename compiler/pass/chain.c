#include "pass/chain.h"

#include "ir/build.h"
#include "ir/rewrite.h"
#include "pass/access.h"

static bool is_long_and_alone(const Value *v) {
    const double LONG = 128, FEW = 64;  // additions in a row; chains beside
    const int SHORT_ROW = 8;
    const Index *x = &v->index;
    const Dim *reduced = x->extent + x->np;
    if (x->red != RED_sum || x->n_where || x->nr < 3 || x->np + x->nr - 1 > MAX_RANK) return false;
    if (x->order.kind != ORDER_blocks || x->order.leaf != 1 || is_contraction(v)) return false;
    Dim row = reduced[x->nr - 1];
    return !row.by && row.n >= SHORT_ROW && box_points(reduced + 1, x->nr - 1) >= LONG &&
           box_points(x->extent, x->np) <= FEW;
}

// The reduced slots but the last, then v's parallel ones: what is summed over the last slot.
static Value *sum_of_rows(Module *m, const Value *v) {
    const Index *x = &v->index;
    int n = 0, outer = x->nr - 1;
    Dim extent[MAX_SLOTS];
    Affine to[MAX_SLOTS];
    for (int i = 0; i < outer; i++) {
        to[x->np + i] = affine_slot(m, n);
        extent[n++] = x->extent[x->np + i];
    }
    for (int i = 0; i < x->np; i++) {
        to[i] = affine_slot(m, n);
        extent[n++] = x->extent[i];
    }
    to[x->np + outer] = affine_slot(m, n);
    extent[n] = x->extent[x->np + outer];
    Index rows = {.np = n, .nr = 1, .extent = extent, .red = RED_sum,
                  .order = {.kind = ORDER_seq}, .body = scalar_subst(m, x->body, to)};
    return build_index(m, &rows, v->span, NULL);
}

Value *shorten_chain(Module *m, Value *v) {
    if (!is_long_and_alone(v)) return v;
    Value *rows = sum_of_rows(m, v);
    Index x = v->index;
    Affine at[MAX_RANK];
    x.nr--;
    for (int i = 0; i < x.nr; i++) at[i] = affine_slot(m, x.np + i);
    for (int i = 0; i < x.np; i++) at[x.nr + i] = affine_slot(m, i);
    x.body = scalar_read_at(m, rows, at);
    return build_index(m, &x, v->span, v->hint);
}
