// What follows the update of a parameter: projections, and averages for validation.
#include "sema/elab.h"

Exp *project(Sema *s, const Kept *k, Exp *w) {
    const Node *entry;
    for (int i = 0; (entry = train_entry(s, "project", i)) && !is_error(w); i++) {
        const Node *paths = entry_paths(entry);
        if (entry_args(entry) != 1)
            return fail(s, entry->span, "`project` takes one function: `project max_norm(3) for a.w`");
        if (paths && !path_matches(s, paths->kid, paths->n, k->leaf)) continue;
        Span at = entry->kid[0]->span;
        w = apply_pipe(s, expr(s, entry->kid[0]), w, at, at, at);
        if (!is_error(w)) w = fit_type(s, w, &k->leaf->type, NULL, at, NULL);
    }
    return w;
}

// ---- averages

static Instance *averaging_layer(Sema *s, const Node *entry, const Kept *k) {
    const Node *n = entry->kid[0];
    Exp *f = expr(s, n);
    if (f->kind == EXP_callable && f->callable.def->kind == NODE_layer)
        f = apply(s, f, (Args){0}, n->span, n->span);
    if (is_error(f)) return NULL;
    if (entry_args(entry) != 1 || f->kind != EXP_instance) {
        fail(s, entry->span, "`average` takes a layer that keeps the average: `average ema(0.999)`");
        return NULL;
    }
    Instance *own = make_instance(s, f->instance->def, f->instance->config)->instance;
    own->path = arena_printf(s->arena, "average.%s", k->leaf->leaf.name);
    return own;
}

static Exp *call_on(Sema *s, Instance *x, Exp *w, Span at) {
    Arg one = {NULL, w, at, at};
    return call_instance(s, x, (Args){1, &one}, at);
}

// The layer's states are made for the parameter itself, so that a first value `w` is its own, not
// that of the update.
static void make_states(Sema *s, Instance *x, const Kept *k, Span at) {
    Undo undo = mark_states(s);
    call_on(s, x, exp_stored(s, k->leaf), at);
    undo_states(s, &undo);
}

static Value *state_that_holds(Sema *s, const Exp *e) {
    for (int i = 0; e->kind == EXP_stored && i < s->entry->states.n; i++) {
        Value *leaf = s->entry->states.at[i]->leaf;
        if (map_get(s->entry->version, leaf) == e->stored.v) return leaf;
    }
    return NULL;
}

void average(Sema *s, const Kept *k, Exp *w) {
    const Node *entry = train_entry(s, "average", 0);
    const Node *paths = entry ? entry_paths(entry) : NULL;
    if (!entry || (paths && !path_matches(s, paths->kid, paths->n, k->leaf))) return;
    Instance *x = averaging_layer(s, entry, k);
    if (!x) return;
    make_states(s, x, k, entry->span);
    Exp *e = call_on(s, x, w, entry->span);
    if (is_error(e)) return;
    Value *state = state_that_holds(s, exp_store(s, e, entry->span, NULL));
    if (!state || !type_same_shape(&state->type, &k->leaf->type))
        fail(s, entry->kid[0]->span, "`average` takes a layer that returns its state, of w's shape");
    else
        map_set(s->averages, k->leaf, state);
}

void use_averages(Sema *s, Map *version) {
    for (int i = 0; i < s->averages->n; i++)
        map_set(version, (Value *)(uintptr_t)s->averages->key[i], s->averages->value[i]);
}
