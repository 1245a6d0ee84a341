#include "ir/recur.h"

#include "base/die.h"
#include "ir/build.h"
#include "ir/rewrite.h"

// ---- views along the steps

Value *value_at_step(Module *m, Value *v, int axis, int64_t at) {
    Affine sub[MAX_RANK];
    Dim dim[MAX_RANK];
    int n = 0;
    for (int i = 0; i < v->type.rank; i++) {
        sub[i] = i == axis ? affine_const(at) : affine_slot(m, n);
        if (i != axis) dim[n++] = v->type.dim[i];
    }
    return build_map(m, n, dim, scalar_read_at(m, v, sub), v->span, v->hint);
}

Value *value_of_steps(Module *m, Value *v, int axis, int64_t shift, int64_t count) {
    Affine sub[MAX_RANK];
    Type t = v->type;
    for (int i = 0; i < t.rank; i++) sub[i] = affine_slot(m, i);
    sub[axis] = affine_add_const(sub[axis], shift);
    t.dim[axis] = dim_const(count);
    return build_map(m, t.rank, t.dim, scalar_read_at(m, v, sub), v->span, v->hint);
}

static int64_t steps_of(const Recurrence *r, int carry) {
    return r->carry[carry].leaf->type.dim[r->axis].n;
}

// What a carry's leaf, and what its `next`, are outside.
static Value *before(const Recurrence *r, int k) {
    return value_of_steps(r->m, r->history[k], r->axis, r->is_reverse ? 1 : 0, steps_of(r, k));
}

Value *recurrence_after(const Recurrence *r, int k) {
    return value_of_steps(r->m, r->history[k], r->axis, r->is_reverse ? 0 : 1, steps_of(r, k));
}

// ---- members

// The carries of the scans that stand below v; those of scans around are not among them.
static void find_bound(Map *bound, Value *v, Map *seen, Arena *arena) {
    if (map_has(seen, v)) return;
    map_set(seen, v, v);
    for (int k = 0; v->op == VAL_scan && k < v->scan.n_carry; k++)
        map_set(bound, v->scan.carry[k].leaf, v);
    Values operands = value_operands(v, arena);
    for (int i = 0; i < operands.n; i++) find_bound(bound, operands.at[i], seen, arena);
}

static void find_members(Members *x, Value *v, Arena *arena) {
    if (map_has(x->seen, v)) return;
    map_set(x->seen, v, v);
    bool is_open = map_has(x->open, v), is_inner = map_has(x->inner, v);
    Values operands = value_operands(v, arena);
    for (int i = 0; i < operands.n; i++) {
        find_members(x, operands.at[i], arena);
        is_open |= map_has(x->open, operands.at[i]);
        is_inner |= map_has(x->inner, operands.at[i]);
    }
    is_inner &= v->op != VAL_scan;
    if (is_inner) map_set(x->inner, v, v);
    if (is_open) map_set(x->open, v, v);
    if (is_open && !is_inner && v->op != VAL_carry) vec_push(arena, &x->list, v);
}

Members scan_members(const Scan *scan, Arena *arena) {
    Members x = {.open = map_new(arena), .inner = map_new(arena), .seen = map_new(arena)};
    Map *seen = map_new(arena);
    for (int k = 0; k < scan->n_carry; k++) find_bound(x.inner, scan->carry[k].next, seen, arena);
    for (int k = 0; k < scan->n_tap; k++) find_bound(x.inner, scan->tap[k], seen, arena);
    for (int k = 0; k < scan->n_carry; k++)
        map_set(x.open, scan->carry[k].leaf, scan->carry[k].leaf);
    for (int k = 0; k < scan->n_carry; k++) find_members(&x, scan->carry[k].next, arena);
    for (int k = 0; k < scan->n_tap; k++) find_members(&x, scan->tap[k], arena);
    return x;
}

bool is_of_step(OpenValues *o, Value *v) {
    bool is_open = v->op == VAL_carry;
    Values operands = value_operands(v, o->arena);
    for (int i = 0; i < operands.n && v->op != VAL_scan; i++)
        is_open |= map_has(o->open, operands.at[i]);
    if (is_open) map_set(o->open, v, v);
    return is_open;
}

// ---- what depends on what

// The carries that each value depends on, as lists of truth values by carry.
typedef struct Dependence {
    const Recurrence *r;
    Map *of;        // Value * to bool[n]
    Map *is_inner;  // Value * that depends on a carry of another scan, which stands inside
    Map *own;       // leaf -> number + 1
} Dependence;

static bool *depend(Dependence *d, Value *v) {
    bool *on = map_get(d->of, v);
    if (on) return on;
    on = NEW_ARRAY(d->r->arena, bool, d->r->n + 1);
    map_set(d->of, v, on);
    int own = (int)(intptr_t)map_get(d->own, v);
    if (own) on[own - 1] = true;
    Values operands = value_operands(v, d->r->arena);
    bool is_inner = map_has(d->is_inner, v);
    for (int i = 0; i < operands.n; i++) {
        const bool *below = depend(d, operands.at[i]);
        for (int k = 0; k < d->r->n; k++) on[k] |= below[k];
        is_inner |= map_has(d->is_inner, operands.at[i]);
    }
    if (is_inner && v->op != VAL_scan) map_set(d->is_inner, v, v);
    return on;
}

static Dependence dependence(const Recurrence *r) {
    Dependence d = {r, map_new(r->arena), map_new(r->arena), map_new(r->arena)};
    for (int k = 0; k < r->n; k++) map_set(d.own, r->carry[k].leaf, (void *)(intptr_t)(k + 1));
    Map *seen = map_new(r->arena);
    for (int k = 0; k < r->n; k++) find_bound(d.is_inner, r->carry[k].next, seen, r->arena);
    for (int k = 0; k < r->n; k++) depend(&d, r->carry[k].next);
    return d;
}

static bool is_open(const Dependence *d, const Value *v) {
    const bool *on = map_get(d->of, v);
    for (int k = 0; on && k < d->r->n; k++)
        if (on[k]) return true;
    return false;
}

// ---- taps

typedef struct Taps {
    const Dependence *d;
    Map *seen, *wanted;
    Values list;
} Taps;

static bool is_pointwise(const Value *v) {
    return v->op == VAL_reshape || (v->op == VAL_index && !v->index.nr);
}

// What v stands for: a reshape is no value of its own.
static Value *root_of(Value *v) {
    while (v->op == VAL_reshape) v = v->of;
    return v;
}

static bool may_tap(const Taps *t, const Value *v) {
    bool is_held = v->op == VAL_carry || v->op == VAL_scan || map_has(t->d->own, v);
    return !is_held && is_open(t->d, v) && !map_has(t->d->is_inner, v);
}

static void want(Taps *t, Value *v) {
    v = root_of(v);
    if (may_tap(t, v)) map_set(t->wanted, v, v);
}

static void find_taps(Taps *t, Value *v);

// What depends on a cotangent has no value here.
static void find_taps_of_own(Taps *t, Value *v) {
    find_taps(t, v->own.of);
    for (int i = 0; i < v->own.n; i++) find_taps(t, v->own.wrt[i]);
}

// Results of reductions, and what they read.
static void find_taps(Taps *t, Value *v) {
    if (map_has(t->seen, v) || !is_open(t->d, v)) return;
    map_set(t->seen, v, v);
    if (v->op == VAL_own) return find_taps_of_own(t, v);
    Values operands = value_operands(v, t->d->r->arena);
    for (int i = 0; i < operands.n; i++) find_taps(t, operands.at[i]);
    if (v->op == VAL_carry || v->op == VAL_scan || is_pointwise(v)) return;
    want(t, v);
    for (int i = 0; v->op != VAL_part && i < operands.n; i++) want(t, operands.at[i]);
}

static Values taps_of(Dependence *d, const Recurrence *r) {
    Taps t = {.d = d, .seen = map_new(r->arena), .wanted = map_new(r->arena)};
    for (int k = 0; k < r->n; k++) find_taps(&t, r->carry[k].next);
    for (int i = 0; i < t.wanted->n; i++) {
        Value *v = t.wanted->value[i];
        bool is_next = false;
        for (int k = 0; k < r->n; k++) is_next |= r->carry[k].next == v;
        if (!is_next) vec_push(r->arena, &t.list, v);
    }
    return t.list;
}

// ---- images

static Value *image_of(Recurrence *r, Value *v);

// Does v read anything that is something else outside?
static bool varies(Recurrence *r, Value *v) {
    if (map_has(r->image, v)) return map_get(r->image, v) != v;
    if (map_has(r->varies, v)) return map_get(r->varies, v) != NULL;
    map_set(r->varies, v, NULL);
    Values operands = value_operands(v, r->arena);
    bool does = false;
    for (int i = 0; i < operands.n && !does; i++) does = varies(r, operands.at[i]);
    if (does) map_set(r->varies, v, v);
    return does;
}

// A scan inside has carries of its own outside.
static Value *scan_with_images(Recurrence *r, Value *v) {
    Scan x = v->scan;
    Carry *carry = arena_copy(r->arena, x.carry, sizeof *x.carry * (size_t)x.n_carry);
    Value **tap = NEW_ARRAY(r->arena, Value *, x.n_tap + 1);
    for (int i = 0; i < x.n_carry; i++) {
        Value *leaf = carry[i].leaf;
        carry[i].leaf = build_carry(r->m, leaf->type, leaf->span, leaf->hint);
        map_set(r->image, leaf, carry[i].leaf);
    }
    for (int i = 0; i < x.n_carry; i++) {
        carry[i].init = image_of(r, carry[i].init);
        carry[i].next = image_of(r, carry[i].next);
    }
    for (int i = 0; i < x.n_tap; i++) tap[i] = image_of(r, x.tap[i]);
    x.carry = carry;
    x.tap = tap;
    return build_scan(r->m, &x, v->span);
}

static Value *with_images(Recurrence *r, Value *v) {
    if (v->op == VAL_scan) return scan_with_images(r, v);
    Values operands = value_operands(v, r->arena);
    for (int i = 0; i < operands.n; i++) image_of(r, operands.at[i]);
    return value_with_operands(r->m, v, r->image);
}

static Value *image_of(Recurrence *r, Value *v) {
    Value *known = map_get(r->image, v);
    if (known) return known;
    if (!varies(r, v)) return v;
    Value *image = with_images(r, v);
    map_set(r->image, v, image);
    return image;
}

Value *recurrence_image(Recurrence *r, Value *v) {
    return image_of(r, v);
}

Value *recurrence_definition(Recurrence *r, Value *v) {
    return with_images(r, v);
}

static void know(Recurrence *r, Value *inside, Value *outside) {
    if (!map_has(r->image, inside)) map_set(r->image, inside, outside);
}

static void know_parts(Recurrence *r, Value *scan) {
    const Scan *x = &scan->scan;
    for (int k = 0; k < r->n; k++) {
        Value *leaf = r->carry[k].leaf;
        r->history[k] = build_scan_part(r->m, scan, k, leaf->span, leaf->hint);
        know(r, leaf, before(r, k));
    }
    for (int i = 0; i < x->n_tap; i++)
        know(r, x->tap[i],
             build_scan_part(r->m, scan, x->n_carry + i, x->tap[i]->span, x->tap[i]->hint));
}

static void know_next(Recurrence *r) {
    Dependence d = dependence(r);
    for (int k = 0; k < r->n; k++)
        if (is_open(&d, r->carry[k].next)) know(r, r->carry[k].next, recurrence_after(r, k));
}

Recurrence *recurrence_open(Module *m, Arena *arena, Value *scan) {
    const Scan *x = &scan->scan;
    Recurrence *r = NEW(arena, Recurrence);
    *r = (Recurrence){.m = m,
                      .arena = arena,
                      .axis = x->axis,
                      .is_reverse = x->is_reverse,
                      .n = x->n_carry,
                      .carry = arena_copy(arena, x->carry, sizeof *x->carry * (size_t)x->n_carry),
                      .history = NEW_ARRAY(arena, Value *, x->n_carry),
                      .image = map_new(arena),
                      .varies = map_new(arena)};
    know_parts(r, scan);
    return r;
}

// ---- closing

// init and `next`, laid along the steps: of a carry that no recurrence needs.
static Value *history_of(const Recurrence *r, int k) {
    const Carry *c = &r->carry[k];
    Type t = c->leaf->type;
    int64_t steps = t.dim[r->axis].n;
    t.dim[r->axis] = dim_const(1);
    Value *init = build_reshape(r->m, c->init, t.rank, t.dim, c->leaf->span);
    Piece piece[] = {{init, r->is_reverse ? steps : 0, 1}, {c->next, r->is_reverse ? 0 : 1, 1}};
    return build_join(r->m, r->axis, dim_const(steps + 1), piece, 2, 0, c->leaf->span);
}

// The carries that depend on `from`, and it on them; alone, itself.
static int circle_of(const Recurrence *r, bool *const *on, int from, int *out) {
    int n = 0;
    for (int k = 0; k < r->n; k++)
        if (k == from || (on[from][k] && on[k][from])) out[n++] = k;
    return n;
}

static void make_scan(Recurrence *r, Span span) {
    Dependence d = dependence(r);
    Values taps = taps_of(&d, r);
    Scan scan = {.axis = r->axis,
                 .is_reverse = r->is_reverse,
                 .n_carry = r->n,
                 .n_tap = taps.n,
                 .carry = r->carry,
                 .tap = taps.at};
    know_parts(r, build_scan(r->m, &scan, span));
    know_next(r);
}

static void close_circle(Recurrence *r, const int *which, int n, bool is_recurrent, Span span) {
    Recurrence own = *r;
    own.n = n;
    own.carry = NEW_ARRAY(r->arena, Carry, n);
    own.history = NEW_ARRAY(r->arena, Value *, n);
    for (int i = 0; i < n; i++) {
        own.carry[i] = r->carry[which[i]];
        own.carry[i].next = image_of(r, own.carry[i].next);
    }
    own.image = map_new(r->arena);
    own.varies = map_new(r->arena);
    if (is_recurrent) {
        make_scan(&own, span);
    } else {
        own.history[0] = history_of(&own, 0);
        know(&own, own.carry[0].leaf, before(&own, 0));
    }
    for (int i = 0; i < n; i++) {
        r->history[which[i]] = own.history[i];
        r->carry[which[i]].next = own.carry[i].next;
    }
    // What was known of the inside is now known through the parts.
    Map *image = map_new(r->arena);
    for (int i = 0; i < r->image->n; i++)
        map_set_int(image, r->image->key[i], image_of(&own, r->image->value[i]));
    for (int i = 0; i < own.image->n; i++)
        if (!map_has_int(image, own.image->key[i]))
            map_set_int(image, own.image->key[i], own.image->value[i]);
    r->image = image;
    r->varies = map_new(r->arena);
}

void recurrence_close(Recurrence *r, Span span) {
    Dependence d = dependence(r);
    bool **on = NEW_ARRAY(r->arena, bool *, r->n), *is_closed = NEW_ARRAY(r->arena, bool, r->n);
    int *circle = NEW_ARRAY(r->arena, int, r->n), n_closed = 0;
    r->history = NEW_ARRAY(r->arena, Value *, r->n);
    r->image = map_new(r->arena);
    r->varies = map_new(r->arena);
    for (int k = 0; k < r->n; k++)
        on[k] = arena_copy(r->arena, depend(&d, r->carry[k].next), sizeof(bool) * (size_t)r->n);
    for (int via = 0; via < r->n; via++)
        for (int a = 0; a < r->n; a++)
            for (int b = 0; b < r->n; b++) on[a][b] |= on[a][via] && on[via][b];
    while (n_closed < r->n)
        for (int k = 0; k < r->n; k++) {
            if (is_closed[k]) continue;
            int n = circle_of(r, on, k, circle);
            bool is_ready = true;  // whatever else it depends on is closed
            for (int b = 0; b < r->n; b++) {
                bool is_own = b == k || (on[k][b] && on[b][k]);
                is_ready &= is_own || !on[k][b] || is_closed[b];
            }
            if (!is_ready) continue;
            close_circle(r, circle, n, on[k][k], span);
            for (int i = 0; i < n; i++) is_closed[circle[i]] = true;
            n_closed += n;
        }
}
