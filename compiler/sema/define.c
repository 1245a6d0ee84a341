// Indexed definitions: y[..., i < h2, (g, f), :] = e, and the scatter y[...] += e.
#include <string.h>

#include "sema/elab.h"

// A left side: its axes over slots, and how many of them make up each axis of the result.
typedef struct Left {
    const Node *node;
    Shape axes;  // split
    int merged[MAX_SLOTS], n_merged;
    int dropped[MAX_SLOTS], n_dropped;  // slots of one place
    bool is_bad;
} Left;

// ---- names on the left

static bool is_bounded(const Node *n) {
    return n->kind == NODE_binary && is_word(n->name, "<") && n->kid[0]->kind == NODE_name;
}

static void bind_left(Sema *s, Left *left, const Node *n, const Binding *outside) {
    const Node *id = is_bounded(n) ? n->kid[0] : n;
    if (id->kind != NODE_name) {
        fail(s, n->span, "the left side takes the names of indices here");
        left->is_bad = true;
        return;
    }
    for (Binding *b = s->frame->binding; b != outside; b = b->up)
        if (b->name == id->name) {
            Diag *d = sema_error(s, id->span, "the index `%s` stands twice on the left", id->name);
            diag_label(d, b->span, "and here");
            left->is_bad = true;
            return;
        }
    bind_index(s, id->name, id->name_span, is_bounded(n) ? n->kid[1] : NULL);
}

// `...`, or all of it as one axis: `(...)`.
static bool is_pack(const Node *sub) {
    return sub->kind == NODE_pack || (sub->kind == NODE_tuple && sub->kid[0]->kind == NODE_pack);
}

static void bind_all(Sema *s, Left *left, const Binding *outside) {
    const Node *subs = left->node->kid[1];
    int n_pack = 0;
    for (int i = 0; i < subs->n; i++) {
        const Node *sub = subs->kid[i];
        if (is_pack(sub)) {
            if (n_pack++) {
                fail(s, sub->span, "only one `...` may stand on the left");
                left->is_bad = true;
            }
        } else if (sub->kind == NODE_slice) {
            if (!sub->kid[0] && !sub->kid[1]) continue;
            fail(s, sub->span, "the left side takes `:` without bounds");
            left->is_bad = true;
        } else if (sub->kind == NODE_tuple) {
            for (int k = 0; k < sub->n; k++) bind_left(s, left, sub->kid[k], outside);
        } else {
            bind_left(s, left, sub, outside);
        }
    }
}

// ---- the axes of the result

static void add_axis(Left *left, Axis a) {
    if (left->axes.rank < MAX_SLOTS)
        left->axes.axis[left->axes.rank++] = a;
    else
        left->is_bad = true;
}

static void close_axis(Left *left, int n) {
    left->merged[left->n_merged++] = n;
}

static Axis name_axis(Sema *s, const Node *n) {
    const Node *id = is_bounded(n) ? n->kid[0] : n;
    Binding *b = find_binding(s->frame, id->name);
    Axis a = slot_axis(s, b->slot);
    if (!a.from.file) a.from = n->span;
    return a;
}

// A part of one place drops out of a merged axis, unless it is all of it.
static void add_part(Left *left, Axis a, bool is_last, int before) {
    bool is_single = !a.dim.by && a.dim.n == 1;
    if (!is_single || (is_last && left->axes.rank == before))
        add_axis(left, a);
    else
        left->dropped[left->n_dropped++] = a.slot;
}

// The axes that a merged axis is made of.
static Shape parts_of(Sema *s, const Node *tuple) {
    const Pack *pack = s->frame->live;
    Shape parts = {0};
    if (!is_pack(tuple)) {
        for (int i = 0; i < tuple->n && i < MAX_SLOTS; i++)
            parts.axis[parts.rank++] = name_axis(s, tuple->kid[i]);
        return parts;
    }
    for (int i = 0; i < pack->n; i++) parts.axis[parts.rank++] = pack->axis[i];
    if (!parts.rank) parts.axis[parts.rank++] = axis_new(s, dim_const(1), tuple->span);
    return parts;
}

// Places of a merged axis are numbered as they lie in memory, at the largest extents.
static bool check_merged(Sema *s, const Node *subs) {
    bool is_good = true;
    for (int i = 0; i < subs->n; i++) {
        const Node *sub = subs->kid[i];
        Dim whole = dim_const(1);
        Shape parts = sub->kind == NODE_tuple ? parts_of(s, sub) : (Shape){0};
        for (int k = 0; k < parts.rank; k++) {
            Dim d = parts.axis[k].dim;
            if (d.by && !dim_equal(whole, dim_const(1))) {
                fail_merged(s, is_pack(sub) ? sub : sub->kid[k], d);
                is_good = false;
            }
            whole = (Dim){whole.n * d.n, d.by ? d.by : whole.by};
        }
    }
    return is_good;
}

static void lay_axes(Sema *s, Left *left, const Shape *own) {
    const Node *subs = left->node->kid[1];
    const Pack *pack = s->frame->live;
    int n_kept = 0;
    for (int i = 0; i < subs->n; i++) {
        const Node *sub = subs->kid[i];
        if (sub->kind == NODE_pack) {
            for (int k = 0; k < pack->n; k++) add_axis(left, pack->axis[k]), close_axis(left, 1);
        } else if (sub->kind == NODE_slice) {
            add_axis(left, own->axis[n_kept++]);
            close_axis(left, 1);
        } else if (sub->kind == NODE_tuple) {
            int before = left->axes.rank;
            Shape parts = parts_of(s, sub);
            for (int k = 0; k < parts.rank; k++)
                add_part(left, parts.axis[k], k == parts.rank - 1, before);
            close_axis(left, left->axes.rank - before);
        } else {
            add_axis(left, name_axis(s, sub));
            close_axis(left, 1);
        }
    }
}

static int count_kept(const Node *subs) {
    int n = 0;
    for (int i = 0; i < subs->n; i++) n += subs->kid[i]->kind == NODE_slice;
    return n;
}

static bool has_pack(const Node *subs) {
    for (int i = 0; i < subs->n; i++)
        if (is_pack(subs->kid[i])) return true;
    return false;
}

// What the right side keeps must be what the left side keeps.
static bool check_right(Sema *s, const Left *left, const Shape *own, const Node *rhs) {
    const Node *subs = left->node->kid[1];
    int kept = count_kept(subs);
    if (has_pack(subs) && !s->frame->live->is_known) {
        fail(s, subs->span, "what `...` stands for is not known: the right side does not use it");
        return false;
    }
    if (own->rank == kept) return true;
    Diag *d =
        sema_error(s, rhs->span, "the right side is a tensor %s at each index", shape_text(s, own));
    if (kept)
        diag_note(d, subs->span, "the left side keeps %d axes with `:`", kept);
    else if (rhs->kind == NODE_name)
        diag_help(d, "write its indices: `%s[...]`", rhs->name);
    else
        diag_help(d, "write the indices of its tensors");
    return false;
}

// ---- the definition

static Exp *merge_axes(Sema *s, const Left *left, Exp *e) {
    Dim dim[MAX_RANK];
    int n = e->stored.n_outer, at = 0;
    Value *v = e->stored.v;
    if (left->n_merged == left->axes.rank) return e;
    for (int i = 0; i < n; i++) dim[i] = v->type.dim[i];
    for (int i = 0; i < left->n_merged; i++) {
        Dim whole = dim_const(1);
        for (int k = 0; k < left->merged[i]; k++, at++) {
            Dim d = left->axes.axis[at].dim;
            whole = (Dim){whole.n * d.n, d.by ? d.by : whole.by};
        }
        dim[n++] = whole;
    }
    Exp *merged = exp_stored(s, build_reshape(s->m, v, n, dim, left->node->span));
    merged->stored.n_outer = e->stored.n_outer;
    merged->stored.outer = e->stored.outer;
    for (int i = 0; i < left->n_merged; i++)
        set_origin(s, merged->stored.v, i + e->stored.n_outer, left->node->kid[1]->span);
    return merged;
}

static Exp *define_inside(Sema *s, Left *left, const Node *rhs, const Binding *outside) {
    bind_all(s, left, outside);
    infer_ranges(s, rhs);
    Exp *e = operand(s, expr(s, rhs), rhs);
    if (is_error(e) || left->is_bad) return exp_error;
    if (!bindings_known(s, s->frame->binding, outside)) return exp_error;
    Shape own = exp_axes(s, e);
    if (!check_right(s, left, &own, rhs)) return exp_error;
    if (!check_merged(s, left->node->kid[1])) return exp_error;
    lay_axes(s, left, &own);
    if (left->is_bad) return fail(s, left->node->span, "too many axes: the most is %d", MAX_RANK);
    Scalar *at = exp_at(s, e, &own);
    if (left->n_dropped)
        at = scalar_subst(s->m, at, slots_at_zero(s, left->dropped, left->n_dropped));
    Exp *body = exp_body(s, at, &left->axes);
    Exp *stored = exp_store(s, body, left->node->span, left->node->kid[0]->name);
    return is_error(stored) ? stored : merge_axes(s, left, stored);
}

Exp *define_indexed(Sema *s, const Node *target, const Node *rhs) {
    Frame *f = s->frame;
    Binding *outside = f->binding;
    Pack *live = f->live, pack = {0};
    bool is_indexed = f->is_indexed;
    f->live = &pack;
    f->is_indexed = true;
    Exp *e = define_inside(s, &(Left){.node = target}, rhs, outside);
    f->live = live;
    f->binding = outside;
    f->is_indexed = is_indexed;
    return e;
}
