// `scan t < n from h = h0 { ... }`: a recurrence over the steps of one axis.
//
// The body is run once, with t an index like that of an enclosing definition: what depends on it
// has the steps as its first axis. A carry is a leaf there (ir.h, VAL_carry); after the body, what
// it has become closes the recurrence (ir/recur.h). `y[:, t] = e` collects: the steps become an
// axis of y.
#include <string.h>

#include "ir/recur.h"
#include "sema/elab.h"

// y[:, t] = e
typedef struct Collected {
    const Node *target;
    Exp *e;    // at each step
    int axis;  // of y: where t stands
} Collected;

struct Steps {
    Steps *up;
    Frame *frame;
    const Node *node;
    Name index;
    int slot;      // -1 for a single step, which needs no recurrence
    Map *outside;  // the frame's names as they were
    Map *carries;  // Name -> node of the carry
    VEC(Collected) collected;
};

// ---- the slots of the steps around, the outermost first

static int step_slots(const Sema *s, int *slot) {
    int n = 0;
    for (const Steps *x = s->steps; x; x = x->up) n += x->slot >= 0;
    int at = n;
    for (const Steps *x = s->steps; x; x = x->up)
        if (x->slot >= 0) slot[--at] = x->slot;
    return n;
}

static Exp *at_slots(Sema *s, Value *v, const int *slot, int n) {
    Exp *e = exp_stored(s, v);
    e->stored.n_outer = n;
    e->stored.outer = arena_copy(s->arena, slot, sizeof *slot * (size_t)(n + 1));
    return e;
}

// ---- carries

static Type with_steps(Sema *s, const Type *t, const int *slot, int n) {
    Type all = type_scalar(t->elem);
    all.below = t->below;
    for (int i = 0; i < n; i++) all.dim[all.rank++] = s->slots.at[slot[i]].dim;
    for (int i = 0; i < t->rank; i++) all.dim[all.rank++] = t->dim[i];
    return all;
}

// The carry's type at a step, and what it is before the first; NULL after an error.
static Exp *first_value(Sema *s, const Node *n, Type *t) {
    Exp *e = expr_plain(s, n->kid[1]);
    Span from[MAX_RANK];
    if (is_error(e)) return NULL;
    if (n->kid[0]) {
        if (!eval_type(s, n->kid[0], t, from)) return NULL;
        e = fit_type(s, e, t, from, n->kid[1]->span, n->name);
        return is_error(e) ? NULL : e;
    }
    if (!is_scalar_like(e)) {
        fail(s, n->kid[1]->span, "a carry is a tensor, and this is %s", exp_describe(s, e));
        return NULL;
    }
    Shape shape = exp_shape(s, e);
    *t = type_scalar(is_tensor(e) ? exp_elem(s, e) : s->m->real);
    for (int i = 0; i < shape.rank; i++) t->dim[t->rank++] = shape.axis[i].dim;
    if (e->kind == EXP_stored) t->below = e->stored.v->type.below;
    e = fit_type(s, e, t, NULL, n->kid[1]->span, n->name);
    return is_error(e) ? NULL : e;
}

// e over all the given slots, whether it depends on them or not.
static Value *over_slots(Sema *s, Exp *e, const int *slot, int n, Span at, Name hint) {
    Shape own = exp_axes(s, e);
    Scalar *body = exp_at(s, e, &own);
    int all[2 * MAX_SLOTS], count = 0;
    for (int i = 0; i < n; i++) all[count++] = slot[i];
    for (int i = 0; i < own.rank; i++) all[count++] = own.axis[i].slot;
    return store_over(s, body, count, all, at, hint);
}

static bool same_shape(const Shape *a, const Type *t) {
    if (a->rank != t->rank) return false;
    for (int i = 0; i < t->rank; i++)
        if (!dim_equal(a->axis[i].dim, t->dim[i])) return false;
    return true;
}

// What a step leaves of the carry, as it was declared or first given.
static Exp *next_value(Sema *s, const Node *n, Exp *e, const Type *t, Span at) {
    if (is_error(e)) return e;
    if (!is_scalar_like(e))
        return fail(s, at, "the carry `%s` becomes %s", n->name, exp_describe(s, e));
    Shape own = exp_shape(s, e), first = {.rank = t->rank};
    for (int i = 0; i < t->rank; i++) first.axis[i].dim = t->dim[i];
    if (own.rank && !same_shape(&own, t)) {
        Diag *d = sema_error(s, at, "the carry `%s` is %s here, and %s before the first step",
                             n->name, shape_text(s, &own), shape_text(s, &first));
        diag_note(d, n->kid[1]->span, "this is what it starts from");
        return exp_error;
    }
    if (!elem_is_real(t->elem) && elem_is_real(exp_elem(s, e))) {
        Diag *d =
            sema_error(s, at, "the carry `%s` becomes real, and starts as an integer", n->name);
        diag_note(d, n->kid[1]->span, "this is what it starts from");
        return exp_error;
    }
    return fit_type(s, e, t, NULL, at, n->name);
}

static bool check_bound(Sema *s, const Node *n, const Type *t, const Value *next, Span at) {
    if (!t->below || (next->type.below && next->type.below <= t->below)) return true;
    Diag *d = sema_error(s, at, "the carry `%s` may leave its bound: below %lld", n->name,
                         (long long)t->below);
    diag_help(d, "declare it: `%s: class(k)[...] = ...` with a class that holds both", n->name);
    return false;
}

// ---- names

static void bind_carry(Sema *s, const Node *n, Exp *e) {
    frame_set(s, s->frame, VAR_local, n->name, e, n->name_span);
    map_set(s->steps->carries, n->name, (void *)n);
}

static bool is_step_name(const Sema *s, const Node *n) {
    const Steps *x = s->steps;
    return n->kind == NODE_name && x && x->frame == s->frame && n->name == x->index;
}

// May a name be given a value here? What stands outside of the scan keeps its own.
bool may_assign(Sema *s, const Node *target) {
    Steps *x = s->steps;
    if (!x) return true;
    Var *v = frame_var(s->frame, target->name);
    if (v && v->kind == VAR_kept) {
        Diag *d = sema_error(s, target->span, "a state does not move inside a scan");
        diag_help(d, "carry it: `scan ... from x = %s { ... }`, then `%s = x`", target->name,
                  target->name);
        return false;
    }
    if (x->frame != s->frame || map_has(x->carries, target->name)) return true;
    Var *outside = map_get(x->outside, target->name);
    if (!outside || outside != v) return true;
    Diag *d = sema_error(s, target->span, "`%s` stands outside of the scan", target->name);
    diag_note(d, outside->span, "it is defined here");
    diag_help(d, "carry it: `from %s = %s`", target->name, target->name);
    return false;
}

// ---- y[:, t] = e

static int place_of_step(const Sema *s, const Node *subs) {
    for (int i = 0; i < subs->n; i++)
        if (is_step_name(s, subs->kid[i])) return i;
    return -1;
}

bool is_collected(const Sema *s, const Node *target) {
    return target->kind == NODE_subscript && place_of_step(s, target->kid[1]) >= 0;
}

static bool keeps_all(const Node *subs, int without) {
    for (int i = 0; i < subs->n; i++) {
        const Node *sub = subs->kid[i];
        if (i != without && (sub->kind != NODE_slice || sub->kid[0] || sub->kid[1])) return false;
    }
    return true;
}

static const Node *without_step(Sema *s, const Node *target, int place) {
    Node *subs = arena_copy(s->arena, target->kid[1], sizeof *subs), *copy;
    subs->kid = NEW_ARRAY(s->arena, Node *, subs->n);
    subs->n = 0;
    for (int i = 0; i < target->kid[1]->n; i++)
        if (i != place) subs->kid[subs->n++] = target->kid[1]->kid[i];
    copy = arena_copy(s->arena, target, sizeof *copy);
    copy->kid = arena_copy(s->arena, target->kid, sizeof *copy->kid * (size_t)target->n);
    copy->kid[1] = subs;
    return copy;
}

void collect(Sema *s, const Node *target, const Node *rhs) {
    const Node *subs = target->kid[1];
    int place = place_of_step(s, subs), behind = subs->n - 1 - place;
    bool has_pack = false;
    for (int i = 0; i < place; i++) has_pack |= subs->kid[i]->kind == NODE_pack;
    Collected c = {.target = target};
    if (keeps_all(subs, place)) {  // trailing axes may be left out
        c.e = exp_bind(s, expr_plain(s, rhs), rhs->span, target->kid[0]->name);
        if (!is_error(c.e) && !is_scalar_like(c.e))
            c.e = fail(s, rhs->span, "what is collected is a tensor, and this is %s",
                       exp_describe(s, c.e));
        if (!is_error(c.e) && exp_shape(s, c.e).rank < subs->n - 1)
            c.e = fail(s, rhs->span, "%d axes are kept on the left, and this is %s", subs->n - 1,
                       exp_describe(s, c.e));
    } else {
        c.e = define_indexed(s, without_step(s, target, place), rhs);
    }
    if (!is_error(c.e)) c.axis = has_pack ? exp_shape(s, c.e).rank - behind : place;
    vec_push(s->arena, &s->steps->collected, c);
    frame_define(s, target->kid[0], exp_error);  // what it is, is known after the scan
}

// The steps, now the axis before all of the term's own, move to their place.
static Exp *steps_at(Sema *s, Value *v, int n_outer, const int *slot, int axis, Span at,
                     Name hint) {
    Affine sub[MAX_RANK];
    Dim dim[MAX_RANK];
    int rank = v->type.rank;
    for (int i = 0; i < rank; i++) {
        int to = i < n_outer ? i : i == n_outer ? n_outer + axis : i - (i - n_outer <= axis);
        sub[i] = affine_slot(s->m, to);
        dim[to] = v->type.dim[i];
    }
    Value *moved = build_map(s->m, rank, dim, scalar_read_at(s->m, v, sub), at, hint);
    for (int i = n_outer; i < rank; i++) set_origin(s, moved, i, at);
    return at_slots(s, moved, slot, n_outer);
}

// ---- one step: the index is 0, and the carries become what the body makes of them

static Exp *single_step(Sema *s, const Collected *c) {
    Shape own = exp_axes(s, c->e), all = {0};
    for (int i = 0; i < own.rank + 1; i++)
        all.axis[all.rank++] =
            i == c->axis ? axis_new(s, dim_const(1), c->target->span) : own.axis[i - (i > c->axis)];
    Exp *e = exp_body(s, exp_at(s, c->e, &own), &all);
    return exp_store(s, e, c->target->span, c->target->kid[0]->name);
}

// ---- the scan

typedef struct Closing {
    int n;  // carries
    const Node **node;
    Type *type;  // at a step
    Carry *carry;
    Exp **next;
} Closing;

static void begin(Sema *s, Steps *x, const Node *n, int64_t steps) {
    *x = (Steps){.up = s->steps, .frame = s->frame, .node = n, .index = n->name, .slot = -1};
    x->outside = s->frame->vars;
    x->carries = map_new(s->arena);
    s->frame->vars = map_copy(s, x->outside);
    if (steps > 1) {
        x->slot = slot_new(s, dim_const(steps), n->kid[0]->span);
        s->slots.at[x->slot].name = n->name;
    }
    s->steps = x;
}

static void bind_step(Sema *s, Steps *x) {
    if (x->slot < 0) {
        frame_set(s, s->frame, VAR_local, x->index, exp_int(s, 0), x->node->name_span);
        return;
    }
    Binding *b = NEW(s->arena, Binding);
    *b = (Binding){.up = s->frame->binding,
                   .name = x->index,
                   .slot = x->slot,
                   .span = x->node->name_span,
                   .is_given = true};
    s->frame->binding = b;
}

// `scan x over xs`: the name is what stands at each step.
static void bind_element(Sema *s, Steps *x, Exp *over, int axis) {
    Shape all = exp_axes(s, over), own = all;
    own.rank--;
    memmove(own.axis + axis, own.axis + axis + 1, sizeof *own.axis * (size_t)(own.rank - axis));
    Scalar *body = exp_at(s, over, &all);
    Affine *to = NEW_ARRAY(s->arena, Affine, slot_room(s));
    for (int i = 0; i < slot_room(s); i++) to[i].n = -1;
    to[all.axis[axis].slot] = x->slot < 0 ? affine_const(0) : affine_slot(s->m, x->slot);
    Exp *e = exp_body(s, scalar_subst(s->m, body, to), &own);
    e = exp_store(s, e, x->node->span, x->index);
    frame_set(s, s->frame, VAR_local, x->index, e, x->node->name_span);
}

// Each carry's leaf, or for a single step what it starts from.
static bool bind_carries(Sema *s, const Node *carries, Exp *const *first, Closing *c) {
    int slot[MAX_SLOTS], n_slot = step_slots(s, slot);
    for (int k = 0; k < c->n; k++) {
        Exp *e = first[k];
        c->node[k] = carries->kid[k];
        if (s->steps->slot >= 0) {
            Type t = with_steps(s, &c->type[k], slot, n_slot);
            if (c->type[k].rank + n_slot > MAX_RANK)
                return fail(s, carries->kid[k]->span,
                            "a carry with %d axes, steps among them: the "
                            "most is %d",
                            c->type[k].rank + n_slot, MAX_RANK),
                       false;
            Value *init = over_slots(s, e, slot, n_slot - 1, carries->kid[k]->span, NULL);
            if (!init) return false;
            Value *leaf = build_carry(s->m, t, carries->kid[k]->name_span, carries->kid[k]->name);
            for (int i = 0; i < c->type[k].rank; i++)
                set_origin(s, leaf, n_slot + i, carries->kid[k]->span);
            c->carry[k] = (Carry){leaf, init, NULL};
            e = at_slots(s, leaf, slot, n_slot);
        }
        bind_carry(s, carries->kid[k], e);
    }
    return true;
}

static bool find_next(Sema *s, Closing *c) {
    int slot[MAX_SLOTS], n_slot = step_slots(s, slot);
    bool is_good = true;
    for (int k = 0; k < c->n; k++) {
        Var *v = frame_var(s->frame, c->node[k]->name);
        Span at = v->node ? v->node->span : c->node[k]->span;
        if (v->node) map_set(s->uses, v->node, v);
        c->next[k] = next_value(s, c->node[k], v->e, &c->type[k], at);
        is_good &= !is_error(c->next[k]);
        if (is_error(c->next[k]) || s->steps->slot < 0) continue;
        Value *next = over_slots(s, c->next[k], slot, n_slot, at, c->node[k]->name);
        is_good &= next && check_bound(s, c->node[k], &c->type[k], next, at);
        c->carry[k].next = next;
    }
    return is_good;
}

static void end_names(Sema *s, const Steps *x, Binding *binding) {
    s->frame->vars = x->outside;
    s->frame->binding = binding;
    s->steps = x->up;
}

static void lose_names(Sema *s, const Steps *x, const Node *carries) {
    for (int k = 0; k < carries->n; k++) lose_name(s, carries->kid[k]);
    for (int i = 0; i < x->collected.n; i++) lose_name(s, x->collected.at[i].target->kid[0]);
}

static void leave_single(Sema *s, const Steps *x, const Closing *c) {
    for (int i = 0; i < x->collected.n; i++)
        frame_define(s, x->collected.at[i].target->kid[0], single_step(s, &x->collected.at[i]));
    for (int k = 0; k < c->n; k++) {
        frame_define(s, c->node[k], c->next[k]);
        map_set(s->uses, c->node[k], (void *)c->node[k]);
    }
}

static void leave(Sema *s, const Steps *x, const Closing *c, Value *const *collected) {
    int slot[MAX_SLOTS], n_slot = step_slots(s, slot);  // without those of this scan
    Recurrence r = {.m = s->m, .arena = s->arena, .axis = n_slot, .n = c->n, .carry = c->carry};
    recurrence_close(&r, x->node->span);
    int64_t steps = s->slots.at[x->slot].dim.n;
    for (int i = 0; i < x->collected.n; i++) {
        const Collected *of = &x->collected.at[i];
        Value *v = recurrence_image(&r, collected[i]);
        frame_define(
            s, of->target->kid[0],
            steps_at(s, v, n_slot, slot, of->axis, of->target->span, of->target->kid[0]->name));
    }
    for (int k = 0; k < c->n; k++) {
        Value *last = value_at_step(s->m, r.history[k], n_slot, steps);
        for (int i = n_slot; i < last->type.rank; i++) set_origin(s, last, i, c->node[k]->span);
        frame_define(s, c->node[k], at_slots(s, last, slot, n_slot));
        map_set(s->uses, c->node[k], (void *)c->node[k]);
    }
}

// What is collected, over all steps; false after an error.
static bool gather_collected(Sema *s, const Steps *x, Value **out) {
    int slot[MAX_SLOTS], n_slot = step_slots(s, slot);
    bool is_good = true;
    for (int i = 0; i < x->collected.n; i++) {
        const Collected *c = &x->collected.at[i];
        is_good &= !is_error(c->e);
        if (is_error(c->e) || x->slot < 0) continue;
        out[i] = over_slots(s, c->e, slot, n_slot, c->target->span, c->target->kid[0]->name);
        is_good &= out[i] != NULL;
    }
    return is_good;
}

static Closing closing_new(Sema *s, int n) {
    return (Closing){.n = n,
                     .node = NEW_ARRAY(s->arena, const Node *, n),
                     .type = NEW_ARRAY(s->arena, Type, n),
                     .carry = NEW_ARRAY(s->arena, Carry, n),
                     .next = NEW_ARRAY(s->arena, Exp *, n)};
}

// How many steps, and for `over` what is walked along which axis; 0 after an error.
static int64_t count_steps(Sema *s, const Node *n, Exp **over, int *axis) {
    const Node *bound = n->kid[0];
    int64_t steps = 0;
    if (n->kind == NODE_scan) {
        if (!need_int(s, bound, &steps)) return 0;
        if (steps >= 1 && steps < 1 << 24) return steps;
        return fail(s, bound->span, "a scan takes from 1 to %d steps", 1 << 24), 0;
    }
    Exp *e = exp_bind(s, expr_plain(s, bound), bound->span, NULL);
    if (is_error(e)) return 0;
    Shape shape = is_tensor(e) ? exp_shape(s, e) : (Shape){0};
    for (int i = 0; i < shape.rank; i++)
        if (!shape.axis[i].dim.by) {
            *over = e;
            *axis = i;
            return shape.axis[i].dim.n;
        }
    Diag *d = sema_error(s, bound->span,
                         "`over` takes a tensor with an axis to walk along, and this "
                         "is %s",
                         exp_describe(s, e));
    diag_help(d, "the first axis that is not `batch` is walked");
    return 0;
}

static bool reads_state(Sema *s, Exp *e) {
    Function alone = {.m = s->m};
    if (e->kind != EXP_stored) return false;
    function_result(&alone, sema_name(s, "first"), e->stored.v);
    Values order = function_order(&alone, s->arena);
    for (int i = 0; i < order.n; i++)
        if (order.at[i]->op == VAL_state) return true;
    return false;
}

// A single step of what a model generates, place by place, which forgets those before.
static void warn_of_one_step(Sema *s, const Node *n, Exp *const *first, int n_carry) {
    if (!s->entry->feeds || s->frame->is_library || map_has(s->uses, n)) return;
    for (int k = 0; k < n_carry; k++)
        if (reads_state(s, first[k])) return;
    Name id = n->kid[1]->kid[0]->name;
    Diag *d = diag_warning(s->c->diags, n->name_span,
                           "where the model generates, this scan begins anew at "
                           "each place");
    diag_help(
        d,
        "a state goes on: `state %s0: [batch, ...] = 0`, `from %s = %s0`, and `%s0 = %s` behind "
        "the scan",
        id, id, id, id, id);
    map_set(s->uses, n, (void *)n);
}

bool run_scan(Sema *s, const Node *n) {
    if (s->gradient) return not_compiled(s, n->span, "a scan in a gradient of one's own is"), false;
    const Node *carries = n->kid[1];
    Closing c = closing_new(s, carries->n);
    Exp **first = NEW_ARRAY(s->arena, Exp *, carries->n), *over = NULL;
    int axis = 0;
    int64_t steps = count_steps(s, n, &over, &axis);
    bool is_good = steps > 0;
    for (int k = 0; k < c.n; k++) {
        first[k] = first_value(s, carries->kid[k], &c.type[k]);
        is_good &= first[k] != NULL;
    }
    if (!is_good) return false;
    if (steps == 1) warn_of_one_step(s, n, first, c.n);
    Steps x;
    Binding *binding = s->frame->binding;
    begin(s, &x, n, steps);
    if (over)
        bind_element(s, &x, over, axis);
    else
        bind_step(s, &x);
    is_good = bind_carries(s, carries, first, &c);
    if (is_good && run_block(s, n->kid[2])) {
        fail(s, n->kid[2]->span, "a `return` can't stand in a scan");
        is_good = false;
    }
    is_good = is_good && find_next(s, &c);
    Value **collected = NEW_ARRAY(s->arena, Value *, x.collected.n + 1);
    is_good = gather_collected(s, &x, collected) && is_good;
    end_names(s, &x, binding);
    if (!is_good)
        lose_names(s, &x, carries);
    else if (x.slot < 0)
        leave_single(s, &x, &c);
    else
        leave(s, &x, &c, collected);
    return is_good;
}
