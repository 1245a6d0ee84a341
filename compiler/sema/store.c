// From terms to Values: slots renumbered from 0, draws given their places.
#include <string.h>

#include "base/die.h"
#include "sema/elab.h"

Affine *renumbering(Sema *s, const int *slot, int n) {
    int n_all = slot_room(s);
    Affine *to = NEW_ARRAY(s->arena, Affine, n_all);
    for (int i = 0; i < n_all; i++) to[i].n = -1;
    for (int i = 0; i < n; i++) to[slot[i]] = affine_slot(s->m, i);
    renumber_places(s, slot, n, to);
    return to;
}

Dim *extents_of(Sema *s, const int *slot, int n) {
    Dim *d = NEW_ARRAY(s->arena, Dim, n + 1);
    for (int i = 0; i < n; i++) d[i] = s->slots.at[slot[i]].dim;
    return d;
}

static bool check_used(Sema *s, Scalar *body, const int *slot, int n, Span at) {
    bool *used = NEW_ARRAY(s->arena, bool, slot_room(s));
    slots_used(s, body, used);
    if (!check_rows(s, used, slot, n, at)) return false;
    for (int i = 0; i < n; i++) used[slot[i]] = false;
    for (int i = N_SPECIAL; i < s->slots.n; i++)
        if (used[i]) BUG("slot %d (%s) is not bound", i, s->slots.at[i].name);
    return true;
}

static void give_hint(Value *v, Name hint) {
    if (v->op == VAL_index && !v->hint) v->hint = hint;  // outside of the sharing key
}

Value *store_over(Sema *s, Scalar *body, int n, const int *slot, Span at, Name hint) {
    if (n > MAX_RANK) {
        sema_error(s, at, "a tensor with %d axes: the most is %d", n, MAX_RANK);
        return NULL;
    }
    if (!check_used(s, body, slot, n, at)) return NULL;
    body = scalar_subst(s->m, body, renumbering(s, slot, n));
    Value *v = build_map(s->m, n, extents_of(s, slot, n), body, at, hint);
    for (int i = 0; i < n; i++) set_origin(s, v, i, s->slots.at[slot[i]].from);
    give_hint(v, hint);
    return v;
}

// ---- outer slots: those of enclosing bodies

static void mark_live(Sema *s, bool *used) {
    for (const Frame *f = s->frame; f; f = f->is_apart ? NULL : f->up) {
        for (const Binding *b = f->binding; b; b = b->up) used[b->slot] = true;
        for (int i = 0; f->live && i < f->live->n; i++) used[f->live->axis[i].slot] = true;
    }
}

// The slots, in order, that bodies use besides their own. A draw depends on all that live.
static int outer_slots(Sema *s, bool *used, const int *own, int n_own, int *outer) {
    if (has_place(used) && !s->is_init) mark_live(s, used);
    for (int i = 0; i < n_own; i++) used[own[i]] = false;
    int n = 0;
    for (int i = N_SPECIAL; i < s->slots.n; i++)
        if (used[i]) outer[n++] = i;
    return n;
}

static bool slots_known(Sema *s, const int *slot, int n, Span at) {
    for (int i = 0; i < n; i++) {
        const SlotInfo *info = &s->slots.at[slot[i]];
        if (info->is_known) continue;
        Diag *d = sema_error(s, at, "the range of `%s` is not known here", info->name);
        diag_help(d, "give it where it is bound: `%s < size`", info->name);
        return false;
    }
    return true;
}

Exp *exp_store(Sema *s, Exp *e, Span at, Name hint) {
    if (e->kind == EXP_error || e->kind == EXP_stored) return e;
    Shape shape = exp_shape(s, e);
    Scalar *body = exp_at(s, e, &shape);
    int own[MAX_SLOTS], n = 0;
    int *slot = NEW_ARRAY(s->arena, int, s->slots.n + shape.rank + 1);
    bool *used = NEW_ARRAY(s->arena, bool, slot_room(s));
    for (int i = 0; i < shape.rank; i++) own[n++] = shape.axis[i].slot;
    slots_used(s, body, used);
    int n_outer = outer_slots(s, used, own, n, slot);
    memcpy(slot + n_outer, own, sizeof *own * (size_t)n);
    if (!slots_known(s, slot, n_outer + n, at)) return exp_error;
    Value *v = store_over(s, body, n_outer + n, slot, at, hint);
    if (!v) return exp_error;
    Exp *stored = exp_stored(s, v);
    stored->stored.n_outer = n_outer;
    stored->stored.outer = slot;
    return stored;
}

Exp *exp_store_over(Sema *s, Exp *e, int n_outer, const int *outer, Span at, Name hint) {
    Shape shape = exp_axes(s, e);
    int *slot = NEW_ARRAY(s->arena, int, n_outer + shape.rank + 1);
    memcpy(slot, outer, sizeof *outer * (size_t)n_outer);
    for (int i = 0; i < shape.rank; i++) slot[n_outer + i] = shape.axis[i].slot;
    Value *v = store_over(s, exp_at(s, e, &shape), n_outer + shape.rank, slot, at, hint);
    if (!v) return exp_error;
    Exp *stored = exp_stored(s, v);
    stored->stored.n_outer = n_outer;
    stored->stored.outer = slot;
    return stored;
}

static bool uses_place(Sema *s, Scalar *body) {
    bool *used = NEW_ARRAY(s->arena, bool, slot_room(s));
    slots_used(s, body, used);
    return has_place(used);
}

// A name holds a stored tensor, or a scalar that is nothing but a leaf or a draw: a draw
// takes the index of the definition that it ends up in.
Exp *exp_bind(Sema *s, Exp *e, Span at, Name hint) {
    if (e->kind != EXP_body) return e;
    if (e->body.rank == 0) {
        Op op = e->body.body->op;
        if (op == OP_const || op == OP_read || op == OP_iv) return e;
        if (uses_place(s, e->body.body)) return e;
    }
    return exp_store(s, e, at, hint);
}

// ---- reductions

// Multiply-adds of a sample: points of a sum over a product.
static void count_products(Sema *s, const Reduction *r, const int *slot, int n) {
    bool is_product = r->body->op == OP_mul && r->body->arg[0] != r->body->arg[1];
    if (r->red != RED_sum || !is_product) return;
    int64_t points = 1;
    for (int i = 0; i < n; i++) points *= s->slots.at[slot[i]].dim.n;
    s->multiply_adds += points;
}

static bool is_single(const Sema *s, int slot) {
    Dim d = s->slots.at[slot].dim;
    return !d.by && d.n == 1;
}

// All slots of a reduction: outer ones, kept axes, reduced ones. Outer ones of one place are
// dropped.
typedef struct Box {
    int *slot, *dropped;
    int n_outer, np, n, n_dropped;
} Box;

static void drop_outer(const Sema *s, Box *box) {
    int kept = 0;
    for (int i = 0; i < box->n_outer; i++)
        if (is_single(s, box->slot[i]))
            box->dropped[box->n_dropped++] = box->slot[i];
        else
            box->slot[kept++] = box->slot[i];
    box->n_outer = kept;
}

// Reduced indices of one place drop out, so that contractions are seen for what they are.
static int keep_many(const Sema *s, const Reduction *r, Box *box) {
    bool needs_one = r->red == RED_argmax || r->red == RED_argmin || r->n_where;
    int kept = 0, *slot = box->slot + box->np;
    for (int i = 0; i < r->nr; i++) {
        bool stays = !is_single(s, slot[i]) || (needs_one && i == r->nr - 1 && !kept);
        if (stays)
            slot[kept++] = slot[i];
        else
            box->dropped[box->n_dropped++] = slot[i];
    }
    return kept;
}

static bool reduction_box(Sema *s, const Reduction *r, Box *box) {
    int own[2 * MAX_SLOTS], n_own = 0;
    for (int i = 0; i < r->axes.rank; i++) own[n_own++] = r->axes.axis[i].slot;
    for (int i = 0; i < r->nr; i++) own[n_own++] = r->slot[i];
    bool *used = NEW_ARRAY(s->arena, bool, slot_room(s));
    box->slot = NEW_ARRAY(s->arena, int, s->slots.n + n_own + 1);
    slots_used(s, r->body, used);
    slots_used(s, scalar_guard(s->m, r->where, r->n_where), used);
    box->n_outer = outer_slots(s, used, own, n_own, box->slot);
    box->dropped = NEW_ARRAY(s->arena, int, box->n_outer + r->nr + 1);
    drop_outer(s, box);
    box->np = box->n_outer + r->axes.rank;
    box->n = box->np + r->nr;
    memcpy(box->slot + box->n_outer, own, sizeof *own * (size_t)n_own);
    if (!slots_known(s, box->slot, box->n, r->span)) return false;
    if (!check_rows(s, used, box->slot, box->n, r->span)) return false;
    if (box->np <= MAX_RANK && box->n <= MAX_SLOTS) return true;
    fail(s, r->span, "a reduction over %d indices inside %d: too many", r->nr, box->np);
    return false;
}

// Over no index at all, as of an empty `...`.
static Scalar *single_body(Sema *s, const Reduction *r) {
    if (r->red == RED_argmax || r->red == RED_argmin) return scalar_int(s->m, 0);
    return scalar_select(s->m, scalar_guard(s->m, r->where, r->n_where), r->body,
                         red_identity(s->m, r->red, r->body->elem));
}

Exp *store_reduction(Sema *s, const Reduction *r) {
    Box box = {0};
    if (!reduction_box(s, r, &box)) return exp_error;
    count_products(s, r, box.slot, box.n);
    int nr = keep_many(s, r, &box), n = box.np + nr;
    Affine *to = renumbering(s, box.slot, n);
    for (int i = 0; i < box.n_dropped; i++) to[box.dropped[i]] = affine_const(0);
    Scalar *body = r->nr ? r->body : single_body(s, r);
    Index x = {.np = box.np,
               .nr = nr,
               .extent = extents_of(s, box.slot, n),
               .red = nr ? r->red : RED_none,
               .n_where = nr ? r->n_where : 0,
               .where = guards_subst(s->m, s->arena, r->where, r->n_where, to),
               .body = scalar_subst(s->m, body, to)};
    Value *v = build_index(s->m, &x, r->span, r->hint);
    for (int i = 0; i < box.np; i++) set_origin(s, v, i, s->slots.at[box.slot[i]].from);
    Exp *stored = exp_stored(s, v);
    stored->stored.n_outer = box.n_outer;
    stored->stored.outer = box.slot;
    return stored;
}
