// Arguments of optimizers that keep states: `adam(lr = plateau(1e-3)(valid.loss))`.
//
// Such an argument is evaluated when what it depends on changes: by the step in the step itself; by
// the epoch and `valid.*` in the entry point `epoch_begin`, which leaves the result in a state that
// the step reads.
#include <string.h>

#include "sema/elab.h"

// ---- states as they were

Undo mark_states(Sema *s) {
    Entry *e = s->entry;
    return (Undo){map_copy(s, e->version), e->states.n};
}

void undo_states(Sema *s, const Undo *undo) {
    s->entry->version = undo->version;
    s->entry->states.n = undo->n_state;
}

static bool has_moved(const Sema *s, const Undo *undo) {
    const Map *now = s->entry->version;
    for (int i = 0; i < now->n; i++)
        if (map_get(undo->version, (void *)(uintptr_t)now->key[i]) != now->value[i]) return true;
    return false;
}

// ---- what an argument depends on

static bool is_of_epoch(Sema *s, const Value *v) {
    static const char *const slow[] = {"run.epoch", "run.epochs", "run.steps"};
    if (v->op != VAL_input) return true;
    for (unsigned i = 0; i < sizeof slow / sizeof *slow; i++)
        if (is_word(v->leaf.name, slow[i])) return true;
    return !strncmp(v->leaf.name, "valid.", 6) || find_hyper(s, v->leaf.name) || is_of_split(s, v);
}

// A real of rank 0, or an error.
static Exp *stored_number(Sema *s, Exp *e, Span at) {
    Type t = type_scalar(s->m->real);
    return fit_type(s, e, &t, NULL, at, NULL);
}

static bool changes_by_step(Sema *s, const Exp *e) {
    Function alone = {.m = s->m};
    vec_push(s->arena, &alone.results, ((Result){NULL, e->stored.v}));
    Values order = function_order(&alone, s->arena);
    for (int i = 0; i < order.n; i++)
        if (!is_of_epoch(s, order.at[i])) return true;
    return false;
}

// ---- the entry point at the beginning of an epoch

static Entry *epoch_begin(Sema *s) {
    if (!s->epoch_begin) s->epoch_begin = new_entry(s, "epoch_begin", true, true);
    return s->epoch_begin;
}

static Exp *evaluate_by_epoch(Sema *s, const Node *arg, LayerScope *layers, const char *path) {
    Entry *outside = s->entry;
    s->entry = epoch_begin(s);
    Frame *f = frame_push(s, NULL, arg->span);
    f->layers = layers;
    f->site = "schedule";
    Exp *e = stored_number(s, eval_arg(s, arg).e, arg->span);
    frame_pop(s);
    Kept *k = is_error(e) ? NULL : keep_number(s, path, arg->span);
    if (k) function_update(s->entry->fn, k->leaf, e->stored.v, arg->span);
    s->entry = outside;
    return k ? exp_stored(s, k->leaf) : exp_error;
}

void finish_epoch_begin(Sema *s) {
    Entry *e = s->epoch_begin;
    for (int i = 0; e && i < e->states.n; i++) {
        Kept *k = e->states.at[i];
        function_update(e->fn, k->leaf, map_get(e->version, k->leaf), k->span);
    }
}

// ---- arguments

// The name of the optimizer's parameter that the argument is for.
static const char *parameter_of(const Node *def, const Args *args, int i) {
    const Node *params = def->kid[0];
    if (args->at[i].name) return args->at[i].name;
    return i < params->n ? params->kid[i]->name : "argument";
}

// `lr = plateau(0.1)`: configured, and not called.
static Exp *uncalled(Sema *s, const Exp *e, Span at) {
    const Node *def = e->instance->def, *takes = def->kid[1] ? def->kid[1] : def->kid[0];
    Diag *d = sema_error(s, at, "the layer `%s` stands here without what it goes by", def->name);
    if (takes->n)
        diag_help(d, "call it with its `%s`, as `%s(...)(valid.loss)`", takes->kid[0]->name, def->name);
    return exp_error;
}

Args eval_schedules(Sema *s, const Node *def, const Node *args, const char *prefix) {
    Args out = {args->n, NEW_ARRAY(s->arena, Arg, args->n + 1)};
    for (int i = 0; i < args->n; i++) {
        Undo undo = mark_states(s);
        LayerScope before = *s->frame->layers;
        before.ordinal = map_copy(s, before.ordinal);
        before.taken = map_copy(s, before.taken);
        out.at[i] = eval_arg(s, args->kid[i]);
        Exp *e = out.at[i].e;
        if (e->kind == EXP_instance) e = out.at[i].e = uncalled(s, e, args->kid[i]->span);
        if (is_error(e) || !has_moved(s, &undo)) continue;
        e = stored_number(s, e, args->kid[i]->span);
        if (is_error(e) || changes_by_step(s, e)) continue;
        undo_states(s, &undo);
        LayerScope *layers = NEW(s->arena, LayerScope);
        *layers = before;
        const char *path = arena_printf(s->arena, "%s%s", prefix, parameter_of(def, &out, i));
        out.at[i].e = evaluate_by_epoch(s, args->kid[i], layers, path);
    }
    return out;
}
