// Ranges of indices: each takes its range from the axes where it stands alone.
#include "sema/elab.h"

// ---- binding

// An index may reuse the name of a dimension (checked when its range is known), not that of
// another variable.
static void check_shadow(Sema *s, Name id, Span at) {
    Var *v = frame_var(s->frame, id);
    if (!v || v->kind == VAR_dim || (v->e && is_error(v->e))) return;
    Diag *d = sema_error(s, at, "the index `%s` has the name of a variable", id);
    if (v->span.file == at.file) diag_note(d, v->span, "`%s` is defined here", id);
}

Binding *bind_index(Sema *s, Name id, Span at, const Node *bound) {
    Frame *f = s->frame;
    Binding *b = NEW(s->arena, Binding);
    *b = (Binding){.up = f->binding, .name = id, .span = at, .is_given = bound != NULL};
    check_shadow(s, id, at);
    Dim d;
    if (bound && need_dim(s, bound, &d)) {
        b->slot = slot_new(s, d, bound->span);
        s->slots.at[b->slot].name = id;
    } else {
        b->slot = slot_unknown(s, id, at);
        // After an error in the bound, what the axes say is as good.
        if (bound) b->is_given = false;
        s->slots.at[b->slot].is_lost = bound != NULL;
    }
    f->binding = b;
    return b;
}

static bool check_dimension(Sema *s, const Binding *b) {
    Var *v = frame_var(s->frame, b->name);
    Dim range = s->slots.at[b->slot].dim;
    if (!v || v->kind != VAR_dim || !v->e) return true;
    bool is_same = (v->e->kind == EXP_number && !range.by && range.n == v->e->number.num) ||
                   (v->e->kind == EXP_dim && dim_equal(range, v->e->dim));
    if (is_same || is_error(v->e)) return true;
    Diag *d = sema_error(
        s, b->span, "the index `%s` has the name of a dimension that is not its range", b->name);
    diag_note(d, s->slots.at[b->slot].from, "its range, %s, comes from here", dim_text(s, range));
    return false;
}

bool bindings_known(Sema *s, const Binding *from, const Binding *to) {
    bool all = true;
    for (const Binding *b = from; b != to; b = b->up) {
        if (s->slots.at[b->slot].is_known) {
            all &= check_dimension(s, b);
            continue;
        }
        all = false;
        if (s->slots.at[b->slot].is_lost && diag_errors(s->c->diags)) continue;
        Diag *d = sema_error(s, b->span, "the range of the index `%s` is not known", b->name);
        diag_help(d, "it never stands alone in a subscript: write `%s < size`", b->name);
    }
    return all;
}

// ---- looking ahead for stand-alone uses

typedef struct Hidden Hidden;
struct Hidden {  // names that inner reductions bind anew
    const Hidden *up;
    Name name;  // NULL for the pack
};

static bool is_hidden(const Hidden *h, Name id) {
    for (; h; h = h->up)
        if (h->name == id) return true;
    return false;
}

// Guarded reads count only for what no other read tells: they may reach beyond their axis.
typedef enum Trust { TRUST_plain, TRUST_guarded } Trust;

static void walk(Sema *s, const Node *n, const Hidden *hidden, bool is_guarded, Trust trust);

static void walk_reduce(Sema *s, const Node *n, const Hidden *hidden, Trust trust) {
    const Node *binders = n->kid[0];
    Hidden *own = NEW_ARRAY(s->arena, Hidden, binders->n + 1);
    for (int i = 0; i < binders->n; i++) {
        const Node *b = binders->kid[i];
        if (b->n && b->kid[0]) walk(s, b->kid[0], hidden, false, trust);
        own[i] = (Hidden){hidden, b->kind == NODE_pack ? NULL : b->name};
        hidden = &own[i];
    }
    if (n->kid[1]) walk(s, n->kid[1], hidden, false, trust);
    walk(s, n->kid[2], hidden, false, trust);
}

// layer.w, digits.train.image
static bool is_path(const Node *n) {
    return n->kind == NODE_member && (n->kid[0]->kind == NODE_name || is_path(n->kid[0]));
}

static bool base_shape(Sema *s, const Node *base, const Hidden *hidden, Shape *out) {
    Exp *e = NULL;
    if (base->kind == NODE_name && !is_hidden(hidden, base->name))
        e = lookup_quiet(s, base->name);
    else if (is_path(base))
        e = expr(s, base);
    if (!e || !is_tensor(e)) return false;
    *out = exp_shape(s, e);
    return true;
}

static void resolve(Sema *s, const Node *n, const Hidden *hidden, Axis axis, Span at) {
    Binding *b = find_binding(s->frame, n->name);
    if (!b || is_hidden(hidden, n->name)) return;
    SlotInfo *info = &s->slots.at[b->slot];
    if (info->is_known) return;
    info->dim = axis.dim;
    info->from = axis.from.file ? axis.from : at;
    info->is_known = true;
}

// (i, a) over an axis: a part without a range gets what the others leave.
static void resolve_merged(Sema *s, const Node *tuple, const Hidden *hidden, Axis axis) {
    const Node *open = NULL;
    int64_t product = 1;
    for (int i = 0; i < tuple->n; i++) {
        const Node *part = tuple->kid[i];
        Binding *b = part->kind == NODE_name ? find_binding(s->frame, part->name) : NULL;
        if (!b || is_hidden(hidden, part->name)) return;
        const SlotInfo *info = &s->slots.at[b->slot];
        if (!info->is_known && open) return;
        if (!info->is_known)
            open = part;
        else if (info->dim.by)
            return;
        else
            product *= info->dim.n;
    }
    if (!open || axis.dim.n % product) return;
    axis.dim.n /= product;
    resolve(s, open, hidden, axis, tuple->span);
}

static void resolve_pack(Sema *s, const Shape *shape, int first, int n, Span at) {
    Pack *pack = s->frame->live;
    if (!pack || pack->is_known || n < 0 || n > MAX_RANK) return;
    pack->is_known = true;
    pack->n = n;
    pack->span = at;
    for (int i = 0; i < n; i++) {
        Axis a = shape->axis[first + i];
        pack->axis[i] = axis_new(s, a.dim, a.from.file ? a.from : at);
    }
}

// An index of what is an error may have had its range from there.
static void lose_ranges(Sema *s, const Node *subs, const Hidden *hidden) {
    for (int i = 0; i < subs->n; i++) {
        const Node *sub = subs->kid[i];
        if (sub->kind == NODE_tuple) lose_ranges(s, sub, hidden);
        Binding *b = sub->kind == NODE_name ? find_binding(s->frame, sub->name) : NULL;
        if (b && !is_hidden(hidden, sub->name)) s->slots.at[b->slot].is_lost = true;
    }
}

static void walk_subscript(Sema *s, const Node *n, const Hidden *hidden, bool is_guarded,
                           Trust trust) {
    const Node *subs = n->kid[1];
    Shape shape;
    bool counts = !is_guarded || trust == TRUST_guarded;
    const Node *base = n->kid[0];
    bool is_name = base->kind == NODE_name && !is_hidden(hidden, base->name);
    if (is_name && is_lost_name(s, base)) lose_ranges(s, subs, hidden);
    if (counts && base_shape(s, n->kid[0], hidden, &shape)) {
        int axis = 0;
        for (int i = 0; i < subs->n && axis <= shape.rank; i++) {
            const Node *sub = subs->kid[i];
            if (sub->kind == NODE_pack) {
                int n_pack = shape.rank - (subs->n - 1);
                if (!is_hidden(hidden, NULL)) resolve_pack(s, &shape, axis, n_pack, sub->span);
                axis += n_pack < 0 ? 0 : n_pack;
                continue;
            }
            if (axis == shape.rank) break;
            if (sub->kind == NODE_name) resolve(s, sub, hidden, shape.axis[axis], sub->span);
            if (sub->kind == NODE_tuple) resolve_merged(s, sub, hidden, shape.axis[axis]);
            axis++;
        }
    }
    walk(s, n->kid[0], hidden, false, trust);
    for (int i = 0; i < subs->n; i++) walk(s, subs->kid[i], hidden, false, trust);
}

static void walk(Sema *s, const Node *n, const Hidden *hidden, bool is_guarded, Trust trust) {
    if (!n) return;
    if (n->kind == NODE_subscript) return walk_subscript(s, n, hidden, is_guarded, trust);
    if (n->kind == NODE_reduce) return walk_reduce(s, n, hidden, trust);
    if (n->kind == NODE_guarded) {
        walk(s, n->kid[0], hidden, true, trust);
        return walk(s, n->kid[1], hidden, false, trust);
    }
    // In a plain expression, arguments are whole expressions of their own.
    Hidden no_pack = {hidden, NULL};
    bool closes = !s->frame->is_indexed && (n->kind == NODE_call || n->kind == NODE_pipe);
    for (int i = 0; i < n->n; i++) walk(s, n->kid[i], closes ? &no_pack : hidden, false, trust);
}

// Names inside its subscripts first; those that stand alone on it last.
void infer_from_target(Sema *s, const Node *target) {
    const Node *subs = target->kid[1];
    for (int i = 0; i < subs->n; i++) walk(s, subs->kid[i], NULL, false, TRUST_plain);
    walk(s, target, NULL, false, TRUST_guarded);
}

void infer_ranges(Sema *s, const Node *n) {
    walk(s, n, NULL, false, TRUST_plain);
    walk(s, n, NULL, false, TRUST_guarded);
}
