// The scatter y[a[i], j * s + u] += e: every point of a box adds to some element.
#include <string.h>

#include "sema/elab.h"

// ---- names: all that mean nothing yet, anywhere on the left, become indices

// A dimension's name that stands alone is an index of that range; a number's or tensor's name
// is what it says.
static bool is_bound(Sema *s, const Node *n, bool is_alone) {
    Name id = n->name;
    if (find_binding(s->frame, id)) return true;
    Var *v = frame_var(s->frame, id);
    if (v) return !is_alone || v->kind != VAR_dim;
    bool from_library = s->frame->is_library;
    if (!from_library && find_hyper(s, id)) return true;
    const Node *def = global_def(s, id, from_library);
    return is_alone ? def && def->kind == NODE_constant : def || find_builtin(id);
}

static void bind_open(Sema *s, const Node *n, bool is_alone) {
    if (!n || n->kind == NODE_pack) return;
    if (n->kind == NODE_name) {
        if (!is_bound(s, n, is_alone)) bind_index(s, n->name, n->span, NULL);
        return;
    }
    bool is_bounded =
        is_alone && n->kind == NODE_binary && is_word(n->name, "<") && n->kid[0]->kind == NODE_name;
    if (is_bounded) {
        bind_index(s, n->kid[0]->name, n->kid[0]->span, n->kid[1]);
        return;
    }
    if (n->kind == NODE_subscript) {
        for (int i = 0; i < n->kid[1]->n; i++) bind_open(s, n->kid[1]->kid[i], true);
        return;
    }
    if (n->kind == NODE_call) n = n->kid[1];
    for (int i = 0; i < n->n; i++) bind_open(s, n->kid[i], n->kind == NODE_tuple);
}

// ---- the box

static void mark_affine(Affine a, bool *used) {
    for (int i = 0; i < a.n; i++) used[a.t[i].slot] = true;
}

static void mark_place(Sema *s, const Place *place, int rank, bool *used) {
    for (int i = 0; i < rank; i++) {
        mark_affine(place->sub[i].a, used);
        if (place->sub[i].gather) slots_used(s, place->sub[i].gather, used);
    }
    for (int i = 0; i < place->n_guard; i++) {
        mark_affine(place->guard[i].e, used);
        if (place->guard[i].s) slots_used(s, place->guard[i].s, used);
    }
}

typedef struct Box {
    int slot[MAX_SLOTS], n;
    bool is_full;
} Box;

static void add_slot(Box *box, int slot) {
    for (int i = 0; i < box->n; i++)
        if (box->slot[i] == slot) return;
    if (box->n < MAX_SLOTS)
        box->slot[box->n++] = slot;
    else
        box->is_full = true;
}

// In the order of binding: indices, then the pack, then kept axes; others that are used must
// be those of an enclosing loop.
static bool make_box(Sema *s, const Place *place, Scalar *body, Value *v, Box *box, Span at) {
    bool *used = NEW_ARRAY(s->arena, bool, slot_room(s));
    mark_place(s, place, v->type.rank, used);
    slots_used(s, body, used);
    const Binding *bound[MAX_SLOTS];
    int n = 0;
    for (const Binding *b = s->frame->binding; b && n < MAX_SLOTS; b = b->up) bound[n++] = b;
    while (n) add_slot(box, bound[--n]->slot);
    for (int i = 0; i < s->frame->live->n; i++) add_slot(box, s->frame->live->axis[i].slot);
    for (int i = 0; i < place->kept.rank; i++) add_slot(box, place->kept.axis[i].slot);
    for (int i = 0; i < box->n; i++) used[box->slot[i]] = false;
    for (int i = N_SPECIAL; i < s->slots.n; i++)
        if (used[i]) {
            not_compiled(s, at, "`+=` at an index of an enclosing expression is");
            return false;
        }
    if (!check_rows(s, used, box->slot, box->n, at)) return false;
    if (box->is_full) fail(s, at, "too many indices: the most is %d", MAX_SLOTS);
    return !box->is_full;
}

// ---- the value

static Value *build_scatter(Sema *s, Value *v, const Place *place, Scalar *body, const Box *box,
                            Span at) {
    Affine *to = renumbering(s, box->slot, box->n);
    Subscript target[MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) target[i] = subscript_subst(s->m, place->sub[i], to);
    Type result = v->type;
    result.below = 0;
    Accumulate x = {.n = box->n,
                    .extent = extents_of(s, box->slot, box->n),
                    .target = target,
                    .red = RED_sum,
                    .n_where = place->n_guard,
                    .where = guards_subst(s->m, s->arena, place->guard, place->n_guard, to),
                    .body = scalar_subst(s->m, body, to),
                    .init = v};
    Value *sum = build_accumulate(s->m, &x, &result, at, v->hint);
    for (int i = 0; i < v->type.rank; i++) set_origin(s, sum, i, origin_of(s, v, i));
    return sum;
}

static Exp *scatter_inside(Sema *s, const Node *target, Exp *before, const Node *rhs) {
    const Node *subs = target->kid[1];
    const Binding *outside = s->frame->binding;
    for (int i = 0; i < subs->n; i++) bind_open(s, subs->kid[i], true);
    infer_ranges(s, rhs);
    infer_from_target(s, target);
    Exp *e = operand(s, expr(s, rhs), rhs);
    Place place;
    Box box = {0};
    if (is_error(e) || !bindings_known(s, s->frame->binding, outside)) return exp_error;
    if (!target_place(s, target, before, &place)) return exp_error;
    Shape own = exp_shape(s, e);
    if (own.rank > place.kept.rank)
        return fail(s, rhs->span, "the right side is a tensor %s at each index",
                    shape_text(s, &own));
    Exp *both[] = {exp_body(s, scalar_real(s->m, 0), &place.kept), e};
    Span span[] = {target->span, rhs->span};
    Shape common;
    if (!broadcast(s, rhs->span, both, span, 2, &common)) return exp_error;
    Value *v = before->stored.v;
    Scalar *body = exp_at(s, e, &place.kept);
    if (v->type.elem == ELEM_i32 && elem_is_real(body->elem))
        return fail(s, rhs->span, "reals can't be added to integers");
    body = to_elem(s, body, v->type.elem);
    if (!make_box(s, &place, body, v, &box, target->span)) return exp_error;
    return exp_stored(s, build_scatter(s, v, &place, body, &box, target->span));
}

Exp *scatter(Sema *s, const Node *target, const Node *rhs) {
    Frame *f = s->frame;
    Exp *before = lookup(s, target->kid[0]);
    if (is_error(before)) return before;
    if (before->kind != EXP_stored || before->stored.n_outer || exp_elem(s, before) == ELEM_bool) {
        Diag *d = sema_error(s, target->kid[0]->span, "`+=` adds to a tensor, and this is %s",
                             exp_describe(s, before));
        diag_help(d, "declare it first: `%s: [n] = 0`", target->kid[0]->name);
        return exp_error;
    }
    Binding *binding = f->binding;
    Pack *live = f->live, pack = {0};
    bool is_indexed = f->is_indexed;
    f->live = &pack;
    f->is_indexed = true;
    Exp *e = scatter_inside(s, target, before, rhs);
    f->live = live;
    f->binding = binding;
    f->is_indexed = is_indexed;
    return e;
}
