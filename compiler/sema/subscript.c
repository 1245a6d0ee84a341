// Reads: x[i, 2 * j + a, :, (g, m), word[n]], each proved to be in range or guarded.
#include <math.h>
#include <string.h>

#include "ir/fold.h"
#include "sema/elab.h"

// A read under construction.
typedef struct Reading {
    const Node *node;  // the subscript
    bool is_guarded;   // by `else`
    Value *v;
    Subscript sub[MAX_RANK];
    int n_sub;
    VEC(Guard) guards;
    Shape kept;     // axes of the result
    bool is_whole;  // nothing but kept axes
    bool is_bad;
} Reading;

// ---- claims

static const char *range_text(Sema *s, double low, double high) {
    if (isinf(low) || isinf(high)) return "any integer";
    if (low == high) return arena_printf(s->arena, "%.0f", low);
    return arena_printf(s->arena, "%.0f .. %.0f", low, high);
}

// `x`, `d.train.label`; NULL for other expressions.
static const char *name_text(Sema *s, const Node *n) {
    if (n->kind == NODE_name) return n->name;
    const char *base = n->kind == NODE_member ? name_text(s, n->kid[0]) : NULL;
    return base ? arena_printf(s->arena, "%s.%s", base, n->name) : NULL;
}

static void report_outside(Sema *s, Reading *r, const Node *sub, Axis axis, Scalar *at) {
    double low, high;
    interval_of(s, at, &low, &high);
    Diag *d = sema_error(s, sub->span,
                         "this read may be out of range: the index is %s, the axis has %s places",
                         range_text(s, low, high), dim_text(s, axis.dim));
    if (axis.from.file) diag_note(d, axis.from, "%s comes from here", dim_text(s, axis.dim));
    if (axis.dim.by)
        diag_help(d, "the rows of `%s` are counted when the program runs: 1 at least",
                  axis.dim.by->name);
    const char *read = name_text(s, r->node->kid[0]);
    if (read) diag_help(d, "say what stands outside: `(%s[...] else 0)`", read);
    r->is_bad = true;
}

// One bound of a subscript. A bound that only the enclosing conditions prove becomes a guard
// too, so that every read of the IR is in range by itself.
static bool require(Sema *s, Reading *r, Claim c) {
    if (always(s, c)) return true;
    if (!r->is_guarded && !implied(s, c)) return false;
    vec_push(s->arena, &r->guards, claim_guard(s, c));
    return true;
}

static Claim upper_bound(Sema *s, Axis axis, Affine e, Scalar *rest, int64_t div) {
    Claim c = {.e = affine_add_const(affine_scale(s->m, e, -1), -1),
               .s = rest ? scalar_unary(s->m, OP_neg, rest) : NULL,
               .plus = {axis.dim.n * div, axis.dim.by}};
    return c;
}

static void add_subscript(Sema *s, Reading *r, const Node *n, Axis axis, Scalar *at) {
    Subscript sub = {.div = 1};
    bool is_quotient = at->op == OP_idiv && at->arg[1]->op == OP_const &&
                       scalar_as_affine(s->m, at->arg[0], &sub.a);
    if (is_quotient)
        sub.div = at->arg[1]->integer;
    else
        split_affine(s->m, at, &sub.a, &sub.gather);
    Claim low = {.e = sub.a, .s = sub.gather};
    bool is_in = require(s, r, low);
    is_in = require(s, r, upper_bound(s, axis, sub.a, sub.gather, sub.div)) && is_in;
    if (!is_in) report_outside(s, r, n, axis, at);
    r->sub[r->n_sub++] = sub;
    r->is_whole = false;
}

// ---- kinds of subscripts

// The integer that an index is, and the axes that it brings along: t[w] gathers at each w.
static Scalar *index_scalar(Sema *s, const Node *n, Shape *axes) {
    Exp *e = operand(s, expr(s, n), n);
    if (is_error(e)) return NULL;
    if (elem_is_real(exp_elem(s, e))) {
        Diag *d = sema_error(s, n->span, "an index must be an integer, and this is real");
        if (e->kind != EXP_number) diag_help(d, "`floor(...)` makes an integer of it");
        return NULL;
    }
    *axes = exp_axes(s, e);
    return to_int(s, exp_at(s, e, axes));
}

static bool slots_have_ranges(Sema *s, Scalar *at) {
    bool *used = NEW_ARRAY(s->arena, bool, slot_room(s));
    bool all = true;
    slots_used(s, at, used);
    for (Binding *b = s->frame->binding; b; b = b->up)
        if (used[b->slot]) all &= s->slots.at[b->slot].is_known || bindings_known(s, b, b->up);
    return all;
}

static void report_range(Sema *s, Reading *r, const Node *sub, const Binding *b, Axis axis) {
    const SlotInfo *info = &s->slots.at[b->slot];
    Diag *d = sema_error(s, sub->span, "the index `%s` runs over sizes that differ: %s and %s",
                         b->name, dim_text(s, info->dim), dim_text(s, axis.dim));
    diag_here(d, "%s here", dim_text(s, axis.dim));
    if (info->from.file) diag_note(d, info->from, "%s comes from here", dim_text(s, info->dim));
    if (axis.from.file) diag_note(d, axis.from, "%s comes from here", dim_text(s, axis.dim));
    r->is_bad = true;
}

// An index that stands alone has the range of its axis.
static void add_name(Sema *s, Reading *r, const Node *sub, Axis axis, const Binding *b) {
    SlotInfo *info = &s->slots.at[b->slot];
    if (!info->is_known) {
        info->dim = axis.dim;
        info->from = axis.from.file ? axis.from : sub->span;
        info->is_known = true;
    }
    bool must_agree = !b->is_given && !r->is_guarded;
    if (must_agree && !dim_equal(info->dim, axis.dim)) return report_range(s, r, sub, b, axis);
    add_subscript(s, r, sub, axis, scalar_iv(s->m, b->slot));
}

static bool has_room(Sema *s, Reading *r) {
    if (r->kept.rank < MAX_RANK) return true;
    if (!r->is_bad) fail(s, r->node->span, "too many axes: the most is %d", MAX_RANK);
    r->is_bad = true;
    return false;
}

static void add_index(Sema *s, Reading *r, const Node *sub, Axis axis) {
    Binding *b = sub->kind == NODE_name ? find_binding(s->frame, sub->name) : NULL;
    if (b) return add_name(s, r, sub, axis, b);
    Shape axes;
    Scalar *at = index_scalar(s, sub, &axes);
    if (!at || !slots_have_ranges(s, at)) {
        r->is_bad = true;
        return;
    }
    for (int i = 0; i < axes.rank; i++)
        if (has_room(s, r)) r->kept.axis[r->kept.rank++] = axes.axis[i];
    add_subscript(s, r, sub, axis, at);
}

static void add_kept(Sema *s, Reading *r, Axis axis, int64_t start, Dim size) {
    if (!has_room(s, r)) return;
    Axis own = axis_new(s, size, axis.from);
    r->kept.axis[r->kept.rank++] = own;
    Affine at = affine_add_const(affine_slot(s->m, own.slot), start);
    r->sub[r->n_sub++] = (Subscript){.a = at, .div = 1};
}

static void add_slice(Sema *s, Reading *r, const Node *sub, Axis axis) {
    int64_t from = 0, to = axis.dim.n;
    if (!sub->kid[0] && !sub->kid[1]) return add_kept(s, r, axis, 0, axis.dim);
    r->is_bad |= (sub->kid[0] && !need_int(s, sub->kid[0], &from)) ||
                 (sub->kid[1] && !need_int(s, sub->kid[1], &to));
    if (r->is_bad) return;
    if (axis.dim.by || from < 0 || to > axis.dim.n || from >= to) {
        Diag *d = sema_error(s, sub->span, "the slice %lld : %lld does not fit an axis of size %s",
                             (long long)from, (long long)to, dim_text(s, axis.dim));
        if (axis.from.file) diag_note(d, axis.from, "the size comes from here");
        r->is_bad = true;
        return;
    }
    add_kept(s, r, axis, from, dim_const(to - from));
    r->is_whole = false;
}

// The extent of a part of a merged axis: that of its index.
static bool part_extent(Sema *s, const Node *part, int *slot, Dim *out) {
    Binding *b = part->kind == NODE_name ? find_binding(s->frame, part->name) : NULL;
    if (!b) {
        fail(s, part->span, "a merged axis is made of indices");
        return false;
    }
    *slot = b->slot;
    *out = s->slots.at[b->slot].dim;
    return s->slots.at[b->slot].is_known || bindings_known(s, b, b->up);
}

// The one run-time extent of a merged axis is that of its first part.
void fail_merged(Sema *s, const Node *part, Dim d) {
    fail(s, part->span, "a part of %s places can only be the first of a merged axis", dim_text(s, d));
}

// (i, a) is i * extent of a + a, over an axis of the product of the extents.
static void add_merged(Sema *s, Reading *r, const Node *tuple, Axis axis) {
    infer_ranges(s, r->node);  // where the base had no shape to look ahead at
    Affine at = affine_const(0);
    Dim whole = dim_const(1);
    for (int i = 0; i < tuple->n; i++) {
        int slot;
        Dim d;
        bool is_known = part_extent(s, tuple->kid[i], &slot, &d);
        bool is_late = is_known && d.by && !dim_equal(whole, dim_const(1));
        if (is_late) fail_merged(s, tuple->kid[i], d);
        if (!is_known || is_late) {
            r->is_bad = true;
            return;
        }
        at = affine_add(s->m, affine_scale(s->m, at, d.n), affine_slot(s->m, slot));
        whole = (Dim){whole.n * d.n, d.by ? d.by : whole.by};
    }
    if (!dim_equal(whole, axis.dim)) {
        Diag *d =
            sema_error(s, tuple->span, "this merged axis has %s places, and the axis read has %s",
                       dim_text(s, whole), dim_text(s, axis.dim));
        if (axis.from.file) diag_note(d, axis.from, "%s comes from here", dim_text(s, axis.dim));
        r->is_bad = true;
        return;
    }
    r->sub[r->n_sub++] = (Subscript){.a = at, .div = 1};
    r->is_whole = false;
}

static void report_pack(Sema *s, Reading *r, const Node *sub, const Shape *shape, int first,
                        int n) {
    const Pack *pack = s->frame->live;
    Shape here = {.rank = n}, there = {.rank = pack->n};
    memcpy(here.axis, shape->axis + first, sizeof *here.axis * (size_t)n);
    memcpy(there.axis, pack->axis, sizeof *there.axis * (size_t)pack->n);
    Diag *d = sema_error(s, sub->span, "`...` stands for axes that differ: %s and %s",
                         shape_text(s, &there), shape_text(s, &here));
    diag_here(d, "%s here", shape_text(s, &here));
    if (pack->span.file) diag_note(d, pack->span, "%s here", shape_text(s, &there));
    r->is_bad = true;
}

static void add_pack(Sema *s, Reading *r, const Node *sub, const Shape *shape, int first, int n) {
    Pack *pack = s->frame->live;
    if (!pack->is_known) {
        pack->is_known = true;
        pack->n = n;
        pack->span = sub->span;
        for (int i = 0; i < n; i++)
            pack->axis[i] = axis_new(s, shape->axis[first + i].dim, shape->axis[first + i].from);
    }
    bool is_same = pack->n == n;
    for (int i = 0; i < n && is_same; i++)
        is_same = dim_equal(pack->axis[i].dim, shape->axis[first + i].dim);
    if (!is_same) return report_pack(s, r, sub, shape, first, n);
    for (int i = 0; i < n; i++)
        r->sub[r->n_sub++] = (Subscript){.a = affine_slot(s->m, pack->axis[i].slot), .div = 1};
    r->is_whole = false;
}

// ---- the read

static void add_all(Sema *s, Reading *r, const Node *subs, const Shape *shape, int n_pack) {
    int axis = 0;
    for (int i = 0; i < subs->n; i++) {
        const Node *sub = subs->kid[i];
        if (sub->kind == NODE_pack) {
            add_pack(s, r, sub, shape, axis, n_pack);
            axis += n_pack;
            continue;
        }
        Axis a = shape->axis[axis++];
        if (sub->kind == NODE_slice)
            add_slice(s, r, sub, a);
        else if (sub->kind == NODE_tuple)
            add_merged(s, r, sub, a);
        else
            add_index(s, r, sub, a);
    }
    for (; axis < shape->rank; axis++) add_kept(s, r, shape->axis[axis], 0, shape->axis[axis].dim);
}

// Axes that `...` covers; -1 after an error.
static int count_pack(Sema *s, const Node *n, const Shape *shape) {
    const Node *subs = n->kid[1];
    int n_pack = 0;
    for (int i = 0; i < subs->n; i++) n_pack += subs->kid[i]->kind == NODE_pack;
    int given = subs->n - n_pack;
    if (n_pack > 1) return fail(s, subs->span, "only one `...` may stand in a subscript"), -1;
    if (given > shape->rank) {
        Diag *d = sema_error(s, subs->span, "%d subscripts to a tensor with %d axes, %s", given,
                             shape->rank, shape_text(s, shape));
        for (int i = 0; i < shape->rank; i++)
            if (shape->axis[i].from.file) {
                diag_note(d, shape->axis[i].from, "its axes come from here");
                break;
            }
        return -1;
    }
    return shape->rank - given;
}

static Scalar *build_read(Sema *s, Reading *r, const Node *otherwise) {
    Elem elem = r->v->type.elem;
    Guard *guard = r->guards.at;
    int n = r->guards.n;
    Scalar *zero = scalar_const(s->m, elem, 0);
    if (!otherwise) return scalar_read(s->m, r->v, r->sub, guard, n, n ? zero : NULL);
    Exp *e = operand(s, expr(s, otherwise), otherwise);
    if (is_error(e)) return NULL;
    if (exp_shape(s, e).rank) {
        fail(s, otherwise->span, "what stands outside must be a scalar");
        return NULL;
    }
    Scalar *outside = exp_at(s, e, &(Shape){0});
    bool fits = elem_is_real(elem) || outside->elem == elem || outside->op == OP_const;
    if (fits && (elem_is_real(elem) || !elem_is_real(outside->elem))) {
        outside = outside->op == OP_const && outside->elem != elem && !elem_is_real(elem)
                      ? scalar_const(s->m, elem, (double)outside->integer)
                      : to_elem(s, outside, elem);
        return scalar_read(s->m, r->v, r->sub, guard, n, n ? outside : NULL);
    }
    Scalar *inside = scalar_read(s->m, r->v, r->sub, guard, n, n ? zero : NULL);
    return scalar_select(s->m, scalar_guard(s->m, guard, n), to_real(s, to_number(s, inside)),
                         to_real(s, to_number(s, outside)));
}

static Exp *read_list(Sema *s, Exp *e, const Node *n) {
    int64_t i;
    const Node *subs = n->kid[1];
    if (subs->n != 1) return fail(s, subs->span, "a list takes one subscript");
    if (!need_int(s, subs->kid[0], &i)) return exp_error;
    if (i < 0 || i >= e->list.n)
        return fail(s, subs->span, "the list has %d parts, numbered from 0", e->list.n);
    return e->list.at[i];
}

static Exp *not_one(Sema *s, const Exp *e, Span at) {
    Diag *d = sema_error(s, at, "these are %d results, and one is read", e->list.n);
    diag_help(d, "give each a name where they come from: `a, b = ...`");
    return exp_error;
}

Exp *subscript(Sema *s, const Node *n, const Node *otherwise) {
    Exp *base = expr(s, n->kid[0]);
    if (is_error(base)) return base;
    if (base->kind == EXP_list) return read_list(s, base, n);
    if (base->kind == EXP_tuple) return not_one(s, base, n->kid[0]->span);
    if (!is_scalar_like(base))
        return fail(s, n->kid[0]->span, "%s has no subscripts", exp_describe(s, base));
    Shape shape = exp_shape(s, base);
    int n_pack = count_pack(s, n, &shape);
    if (n_pack < 0) return exp_error;
    Reading r = {.node = n, .is_guarded = otherwise != NULL, .is_whole = true};
    if (shape.rank == 0) {  // x[...] of a scalar
        add_pack(s, &r, n->kid[1]->kid[0], &shape, 0, 0);
        return r.is_bad ? exp_error : base;
    }
    base = exp_store(s, base, n->kid[0]->span, NULL);
    if (is_error(base)) return base;
    r.v = base->stored.v;
    for (; r.n_sub < base->stored.n_outer; r.n_sub++)
        r.sub[r.n_sub] = (Subscript){affine_slot(s->m, base->stored.outer[r.n_sub]), 1, NULL};
    add_all(s, &r, n->kid[1], &shape, n_pack);
    if (r.is_bad) return exp_error;
    if (r.is_whole) return base;
    Scalar *body = build_read(s, &r, otherwise);
    return body ? exp_body(s, body, &r.kept) : exp_error;
}

// ---- the left side of `+=`: the same subscripts, in the other direction

bool target_place(Sema *s, const Node *n, Exp *base, Place *out) {
    Shape shape = exp_shape(s, base);
    int n_pack = count_pack(s, n, &shape);
    if (n_pack < 0) return false;
    Reading r = {.node = n, .v = base->stored.v};
    add_all(s, &r, n->kid[1], &shape, n_pack);
    if (r.is_bad) return false;
    out->kept = r.kept;
    out->sub = arena_copy(s->arena, r.sub, sizeof *r.sub * (size_t)r.n_sub);
    out->n_guard = r.guards.n;
    out->guard = r.guards.at;
    return true;
}
