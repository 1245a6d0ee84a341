// What a source alone decides is the same at every place that a generation feeds: an encoder, the
// keys and values of attention to it. `generate_source` computes it once, into states that
// `generate_step` reads.
#include <string.h>

#include "sema/elab.h"

typedef struct Once {
    Sema *s;
    Map *moved;     // states that the step updates
    Map *kinds;     // Value * -> ONCE_... bits
    Map *leaf;      // of what is kept
    Map *seen;
    Function *fn;   // generate_source, or NULL
} Once;

enum {
    ONCE_known = 1,
    ONCE_is_read = 2,
    ONCE_moves = 4,   // depends on the place
    ONCE_inside = 8,  // of a scan: depends on what a step finds
};

typedef struct Drawn {
    Map *seen;
    bool is_found;
} Drawn;

static void find_draw(void *context, Scalar *x) {
    Drawn *d = context;
    if (d->is_found || map_has(d->seen, x)) return;
    map_set(d->seen, x, x);
    d->is_found = op_is_draw(x->op);
    scalar_each_below(x, find_draw, d);
}

static bool has_draws(Sema *s, const Value *v) {
    Drawn d = {.seen = map_new(s->arena)};
    if (v->op == VAL_index || v->op == VAL_accumulate) value_each_scalar(v, find_draw, &d);
    return d.is_found;
}

static uintptr_t leaf_kind(const Once *x, const Value *v) {
    bool is_given = v->op == VAL_input && source_field(x->s, v->leaf.name);
    if (is_given) return ONCE_is_read;
    if (v->op == VAL_state) return map_has(x->moved, v) ? ONCE_moves : 0;
    if (v->op == VAL_carry) return ONCE_inside;
    bool is_hyper = v->op == VAL_input && (find_hyper(x->s, v->leaf.name) || is_of_split(x->s, v));
    return v->op == VAL_input && !is_hyper ? ONCE_moves : 0;
}

static void find_kinds(Once *x, const Values *order) {
    for (int i = 0; i < order->n; i++) {
        Value *v = order->at[i];
        uintptr_t kind = leaf_kind(x, v);
        Values from = value_operands(v, x->s->arena);
        for (int k = 0; k < from.n; k++) kind |= (uintptr_t)map_get(x->kinds, from.at[k]);
        if (v->op == VAL_scan && !v->scan.axis) kind &= ~(uintptr_t)ONCE_inside;
        if (has_draws(x->s, v)) kind |= ONCE_moves;
        map_set(x->kinds, v, (void *)(kind | ONCE_known));
    }
}

static bool is_once(const Once *x, const Value *v) {
    uintptr_t kind = (uintptr_t)map_get(x->kinds, v);
    return (kind & ~(uintptr_t)ONCE_known) == ONCE_is_read;
}

static bool can_be_kept(const Once *x, const Value *v) {
    const Type *t = &v->type;
    return v->op != VAL_input && v->op != VAL_scan && t->rank && t->dim[0].by == x->s->batch && t->dim[0].n == 1;
}

static void keep(Once *x, Value *v) {
    Sema *s = x->s;
    if (!x->fn) x->fn = function_new(s->m, "generate_source");
    const char *id = arena_printf(s->arena, KEPT_PREFIX "source.%d", x->leaf->n);
    Value *leaf = build_state(s->m, id, v->type, v->span);
    map_set(x->leaf, v, leaf);
    function_update(x->fn, leaf, v, v->span);
}

// From what the step gives down to what is computed once.
static void walk_down(Once *x, Value *v) {
    if (map_has(x->seen, v)) return;
    map_set(x->seen, v, v);
    if (is_once(x, v) && can_be_kept(x, v)) {
        keep(x, v);
        return;
    }
    Values from = value_operands(v, x->s->arena);
    for (int i = 0; i < from.n; i++) walk_down(x, from.at[i]);
}

static void read_kept(Once *x, Function *step, const Values *order) {
    Map *to = map_new(x->s->arena);
    for (int i = 0; i < order->n; i++) {
        Value *v = order->at[i], *leaf = map_get(x->leaf, v);
        map_set(to, v, leaf ? leaf : value_with_operands(x->s->m, v, to));
    }
    for (int i = 0; i < step->results.n; i++)
        step->results.at[i].v = value_replaced(to, step->results.at[i].v);
    for (int i = 0; i < step->updates.n; i++)
        step->updates.at[i].v = value_replaced(to, step->updates.at[i].v);
}

void build_source(Sema *s, Function *step) {
    Once x = {.s = s};
    x.moved = map_new(s->arena);
    x.kinds = map_new(s->arena);
    x.leaf = map_new(s->arena);
    x.seen = map_new(s->arena);
    for (int i = 0; i < step->updates.n; i++) map_set(x.moved, step->updates.at[i].target, step);
    Values order = function_order(step, s->arena);
    find_kinds(&x, &order);
    for (int i = 0; i < step->results.n; i++) walk_down(&x, step->results.at[i].v);
    for (int i = 0; i < step->updates.n; i++) walk_down(&x, step->updates.at[i].v);
    if (!x.fn) return;
    read_kept(&x, step, &order);
    take_inputs(x.fn);
}
