// Parameters: those that the loss does not depend on, gradients and their clipping, frozen
// ones, updates by the optimizers.
#include <string.h>

#include "ir/own.h"
#include "sema/elab.h"

// ---- what the loss depends on, by way of reals that gradients pass through

static void reach_value(Sema *s, Value *v, Map *reached);

static void reach_scalar(Sema *s, Scalar *x, Map *reached, Map *seen) {
    if (map_has(seen, x)) return;
    map_set(seen, x, x);
    if (x->op == OP_stop || op_info[x->op].rule == RULE_COMPARE ||
        op_info[x->op].rule == RULE_TO_INT)
        return;
    for (int i = 0; i < op_info[x->op].arity; i++)
        if (x->op != OP_rand) reach_scalar(s, x->arg[i], reached, seen);
    if (x->op != OP_read) return;
    reach_value(s, x->read->v, reached);
    if (x->read->otherwise) reach_scalar(s, x->read->otherwise, reached, seen);
}

static bool is_zero(const Value *v) {
    if (v->op != VAL_index || v->index.nr) return false;
    const Scalar *body = v->index.body;
    return body->op == OP_const && elem_is_real(body->elem) && body->real == 0;
}

static void reach_own(Sema *s, Value *v, Map *reached) {
    const Own *o = &v->own;
    Values inputs = own_inputs(v, s->arena);
    for (int i = 0; i < inputs.n; i++) {
        bool is_reached = true;
        for (int k = 0; k < o->n; k++)
            if (o->wrt[k] == inputs.at[i]) is_reached = !is_zero(o->gives[k]);
        if (is_reached) reach_value(s, inputs.at[i], reached);
    }
}

static void reach_value(Sema *s, Value *v, Map *reached) {
    if (map_has(reached, v)) return;
    map_set(reached, v, v);
    Map *seen = map_new(s->arena);
    switch (v->op) {
        case VAL_index:
            if (v->index.red != RED_argmax && v->index.red != RED_argmin)
                reach_scalar(s, v->index.body, reached, seen);
            return;
        case VAL_accumulate:
            reach_scalar(s, v->accumulate.body, reached, seen);
            if (v->accumulate.init) reach_value(s, v->accumulate.init, reached);
            return;
        case VAL_reshape: reach_value(s, v->of, reached); return;
        case VAL_join:
            for (int i = 0; i < v->join.n; i++) reach_value(s, v->join.piece[i].v, reached);
            return;
        case VAL_scan:
            for (int i = 0; i < v->scan.n_carry; i++) {
                reach_value(s, v->scan.carry[i].init, reached);
                reach_value(s, v->scan.carry[i].next, reached);
            }
            return;
        case VAL_part: {
            const Scan *scan = &v->part.scan->scan;
            int tap = v->part.number - scan->n_carry;
            reach_value(s, tap < 0 ? v->part.scan : scan->tap[tap], reached);
            return;
        }
        case VAL_grad:
            reach_value(s, v->grad.of, reached);
            reach_value(s, v->grad.wrt, reached);
            return;
        case VAL_own: reach_own(s, v, reached); return;
        default: return;
    }
}

// The first value, in order, that the loss reaches and that depends on the leaf in a way that
// no gradient passes; NULL where nothing that the loss is made of reads it.
static const Value *path_end(Sema *s, Value *loss, const Value *leaf, Map *reached) {
    Function alone = {.m = s->m};
    vec_push(s->arena, &alone.results, ((Result){loss->hint, loss}));
    Values order = function_order(&alone, s->arena);
    Map *depends = map_new(s->arena);
    for (int i = 0; i < order.n; i++) {
        Value *v = order.at[i];
        Values below = value_operands(v, s->arena);
        bool is_below = v == leaf;
        for (int k = 0; k < below.n; k++) is_below |= map_has(depends, below.at[k]);
        if (is_below && map_has(reached, v)) return v;
        if (is_below) map_set(depends, v, v);
    }
    return NULL;
}

void check_reachable(Sema *s, Value *loss) {
    Map *reached = map_new(s->arena);
    reach_value(s, loss, reached);
    const Node *entry = train_entry(s, "loss", 0);
    for (int i = 0; i < s->entry->params.n; i++) {
        Kept *k = s->entry->params.at[i];
        if (map_has(reached, k->leaf)) continue;
        Diag *d = sema_error(s, k->span, "the loss does not depend on the parameter `%s`",
                             k->leaf->leaf.name);
        const Value *end = path_end(s, loss, k->leaf, reached);
        if (end)
            diag_note(d, end->span, "no gradient passes here");
        else
            diag_note(d, entry->kid[0]->span, "nothing that makes up the loss reads it");
    }
}

// ---- paths: `head`, `encoder.dense`, which stand for all below them; `weights`, `vectors`, `params`

// `#` begins a comment, so that `dense#1` stands in quotes.
static const char *path_text(Sema *s, const Node *n) {
    if (n->kind == NODE_name) return n->name;
    if (n->kind == NODE_string) return n->text;
    if (n->kind != NODE_member) return NULL;
    const char *base = path_text(s, n->kid[0]);
    return base ? arena_printf(s->arena, "%s.%s", base, n->name) : NULL;
}

static bool is_below(const char *leaf, const char *path) {
    size_t n = strlen(path);
    return !strncmp(leaf, path, n) && (leaf[n] == 0 || leaf[n] == '.');
}

static bool is_in_list(const Value *leaf, const char *list) {
    if (leaf->op != VAL_param) return false;
    if (!strcmp(list, "params")) return true;
    return !strcmp(list, leaf->type.rank >= 2 ? "weights" : "vectors");
}

bool path_matches(Sema *s, Node *const *path, int n, const Value *leaf) {
    for (int i = 0; i < n; i++) {
        const char *text = path_text(s, path[i]);
        if (text && (is_below(leaf->leaf.name, text) || is_in_list(leaf, text))) return true;
    }
    return false;
}

static void check_paths(Sema *s, Node *const *path, int n) {
    for (int i = 0; i < n; i++) {
        bool is_found = false;
        for (int k = 0; k < s->m->params.n; k++)
            is_found |= path_matches(s, &path[i], 1, s->m->params.at[k]);
        if (is_found || s->calls_lost) continue;
        if (!path_text(s, path[i]))
            fail(s, path[i]->span, "the path of a parameter is `a.b`");
        else
            fail(s, path[i]->span, "no parameter has the path `%s`", path_text(s, path[i]));
    }
}

static bool is_frozen(Sema *s, const Value *leaf) {
    const Node *entry;
    for (int i = 0; (entry = train_entry(s, "freeze", i)); i++)
        if (path_matches(s, entry->kid, entry_args(entry), leaf)) return true;
    return false;
}

// States of frozen layers stay as they are, but for what a stream carries.
static void freeze_states(Sema *s) {
    Entry *e = s->entry;
    int n = 0;
    for (int i = 0; i < e->states.n; i++) {
        Kept *k = e->states.at[i];
        bool moves = is_stream_state(s, &k->leaf->type) || !is_frozen(s, k->leaf);
        if (moves) e->states.at[n++] = k;
    }
    e->states.n = n;
}

// ---- gradients

typedef struct Gradients {
    Exp **at;  // by place in the entry's params; NULL for frozen ones
    int n;
} Gradients;

static Exp *stored_scalar(Sema *s, Scalar *x, Span at, const char *hint) {
    return exp_store(s, exp_scalar(s, x), at, sema_name(s, hint));
}

static Scalar *read_scalar(Sema *s, const Exp *e) {
    return exp_at(s, e, &(Shape){0});
}

static Exp *square_sum(Sema *s, const Exp *g, Span at) {
    Shape axes = exp_axes(s, g);
    int slot[MAX_RANK];
    for (int i = 0; i < axes.rank; i++) slot[i] = axes.axis[i].slot;
    Scalar *x = exp_at(s, g, &axes);
    Reduction r = {.red = RED_sum,
                   .nr = axes.rank,
                   .slot = slot,
                   .span = at,
                   .body = scalar_binary(s->m, OP_mul, x, x)};
    return store_reduction(s, &r);
}

static Exp *map_gradient(Sema *s, const Exp *g, Op op, Scalar *by, Span at) {
    Shape axes = exp_axes(s, g);
    Scalar *x = scalar_binary(s->m, op, exp_at(s, g, &axes), by);
    return exp_store(s, exp_body(s, x, &axes), at, NULL);
}

// All gradients are scaled by min(1, most / norm), norm that of all of them together.
// Pascanu, Mikolov and Bengio 2013.
static void clip_norm(Sema *s, Gradients *g, double most, Span at) {
    Scalar *total = scalar_real(s->m, 0);
    for (int i = 0; i < g->n; i++)
        if (g->at[i])
            total = scalar_binary(s->m, OP_add, total, read_scalar(s, square_sum(s, g->at[i], at)));
    Exp *norm = stored_scalar(s, scalar_unary(s->m, OP_sqrt, total), at, "norm");
    Scalar *scale = scalar_binary(s->m, OP_add, read_scalar(s, norm), scalar_real(s->m, 1e-6));
    scale = scalar_binary(s->m, OP_div, scalar_real(s->m, most), scale);
    scale = scalar_binary(s->m, OP_min, scale, scalar_real(s->m, 1));
    Exp *factor = stored_scalar(s, scale, at, "clip");
    for (int i = 0; i < g->n; i++)
        if (g->at[i]) g->at[i] = map_gradient(s, g->at[i], OP_mul, read_scalar(s, factor), at);
}

static void clip_value(Sema *s, Gradients *g, double most, Span at) {
    for (int i = 0; i < g->n; i++) {
        if (!g->at[i]) continue;
        g->at[i] = map_gradient(s, g->at[i], OP_min, scalar_real(s->m, most), at);
        g->at[i] = map_gradient(s, g->at[i], OP_max, scalar_real(s->m, -most), at);
    }
}

static bool read_clip(Sema *s, const Node *entry, Name *kind, double *most) {
    const Node *n = entry->kid[0];
    Number x = {0};
    bool is_good = entry_args(entry) == 1;
    Name word = is_good ? count_word(n) : NULL;
    is_good = word && (is_word(word, "norm") || is_word(word, "value"));
    if (!is_good) return fail(s, entry->span, "`clip` takes `norm 5` or `value 0.5`"), false;
    if (!need_count(s, n, &x)) return false;
    *kind = word;
    *most = number_value(x);
    if (!(*most > 0))
        return fail(s, n->span, "what gradients are clipped to must be positive"), false;
    return true;
}

static void clip(Sema *s, Gradients *g) {
    const Node *entry;
    for (int i = 0; (entry = train_entry(s, "clip", i)); i++) {
        Name kind;
        double most;
        if (!read_clip(s, entry, &kind, &most)) continue;
        if (is_word(kind, "norm"))
            clip_norm(s, g, most, entry->span);
        else
            clip_value(s, g, most, entry->span);
    }
}

static bool is_moved(Sema *s, const Kept *k) {
    return !is_frozen(s, k->leaf);
}

static Gradients gradients(Sema *s, Value *loss, const Map *places) {
    Gradients g = {.n = s->entry->params.n};
    g.at = NEW_ARRAY(s->arena, Exp *, g.n + 1);
    for (int i = 0; i < g.n; i++) {
        Kept *k = s->entry->params.at[i];
        Value *place = map_get(places, k->leaf);
        if (is_moved(s, k))
            g.at[i] = exp_stored(s, build_grad(s->m, loss, place ? place : k->leaf, k->span));
    }
    return g;
}

// ---- sums over the parts of a step

static Value *sum_of(Sema *s, const Kept *k) {
    Value *sum = map_get(s->sums, k->leaf);
    if (sum) return sum;
    const char *id = arena_printf(s->arena, "%s%s", SUM_PREFIX, k->leaf->leaf.name);
    sum = build_state(s->m, id, k->leaf->type, k->span);
    Exp *none = fit_type(s, exp_int(s, 0), &k->leaf->type, NULL, k->span, NULL);
    function_update(s->init, sum, none->stored.v, k->span);
    map_set(s->sums, k->leaf, sum);
    return sum;
}

static Scalar *run_scalar(Sema *s, const char *id, Elem elem) {
    return read_scalar(s, run_input(s, id, elem));
}

// The gradients of the batches are weighted by their rows; the first begins anew.
void build_sums(Sema *s, Value *loss) {
    freeze_states(s);
    if (!loss) return;
    Gradients g = gradients(s, loss, map_new(s->arena));
    Scalar *rows = to_real(s, run_scalar(s, "run.rows", ELEM_i32));
    Scalar *row = run_scalar(s, "run.row", ELEM_i32);
    Scalar *is_first = scalar_binary(s->m, OP_eq, row, scalar_int(s->m, 0));
    for (int i = 0; i < g.n; i++) {
        Kept *k = s->entry->params.at[i];
        if (!g.at[i]) continue;
        Exp *before = exp_stored(s, sum_of(s, k));
        Shape axes = exp_axes(s, before);
        Scalar *x = scalar_select(s->m, is_first, scalar_real(s->m, 0), exp_at(s, before, &axes));
        Scalar *own = scalar_binary(s->m, OP_mul, rows, exp_at(s, g.at[i], &axes));
        Exp *after = exp_body(s, scalar_binary(s->m, OP_add, x, own), &axes);
        after = exp_store(s, after, k->span, NULL);
        function_update(s->entry->fn, sum_of(s, k), after->stored.v, k->span);
    }
}

// The mean over all rows of the step.
static Gradients gradients_of_sums(Sema *s) {
    Gradients g = {.n = s->entry->params.n};
    g.at = NEW_ARRAY(s->arena, Exp *, g.n + 1);
    Scalar *by = run_scalar(s, "run.inv_rows", s->m->real);
    for (int i = 0; i < g.n; i++) {
        Kept *k = s->entry->params.at[i];
        Exp *sum = is_moved(s, k) ? exp_stored(s, sum_of(s, k)) : NULL;
        if (sum) g.at[i] = map_gradient(s, sum, OP_mul, by, k->span);
    }
    return g;
}

// ---- optimizers

typedef struct Optimizer {
    const Node *entry, *def;
    Args config;
    const char *prefix;  // of its states: adam#1.
} Optimizer;

static bool has_word(const Node *params, const char *word) {
    for (int i = 0; i < params->n; i++)
        if (is_word(params->kid[i]->name, word)) return true;
    return false;
}

static void add_prefix(Sema *s, Optimizer *o, int n) {
    int ordinal = 1;
    for (int i = 0; i < n; i++) ordinal += o[i].def == o[n].def;
    o[n].prefix = arena_printf(s->arena, "%s#%d.", o[n].def->name, ordinal);
}

// optimizer adam(lr = 0.01): the definition and its evaluated arguments.
static bool read_optimizer(Sema *s, const Node *entry, Optimizer *all, int i) {
    Optimizer *out = &all[i];
    const Node *n = entry->kid[0];
    const Node *callee = n->kind == NODE_call ? n->kid[0] : n;
    out->entry = entry;
    if (entry_args(entry) != 1)
        return fail(s, entry->span, "`optimizer` takes one optimizer"), false;
    Exp *f = expr(s, callee);
    if (is_error(f)) return false;
    if (f->kind != EXP_callable || f->callable.def->kind != NODE_optimizer)
        return fail(s, callee->span, "%s is no optimizer", exp_describe(s, f)), false;
    out->def = f->callable.def;
    add_prefix(s, all, i);
    out->config = n->kind == NODE_call ? eval_schedules(s, out->def, n->kid[1], out->prefix) : (Args){0};
    return check_config(s, out->def, out->config, n->span);
}

// In the order of the block; -1 after an error.
static int read_optimizers(Sema *s, Optimizer **out) {
    const Node *entry, *general = NULL;
    int n = 0;
    bool is_good = true;
    while (train_entry(s, "optimizer", n)) n++;
    *out = NEW_ARRAY(s->arena, Optimizer, n + 1);
    for (int i = 0; i < n; i++) {
        entry = train_entry(s, "optimizer", i);
        const Node *paths = entry_paths(entry);
        if (!paths && general) {
            Diag *d = sema_error(s, entry->span, "a second `optimizer` for all parameters");
            diag_note(d, general->span, "the first is here");
            is_good = false;
        }
        if (paths)
            check_paths(s, paths->kid, paths->n);
        else
            general = entry;
        is_good &= read_optimizer(s, entry, *out, i);
    }
    return is_good ? n : -1;
}

// The first that names the parameter, else the one for all, or NULL.
static const Optimizer *find_optimizer(Sema *s, const Optimizer *o, int n, const Kept *k) {
    const Optimizer *general = NULL;
    for (int i = 0; i < n; i++) {
        const Node *paths = entry_paths(o[i].entry);
        if (!paths)
            general = &o[i];
        else if (path_matches(s, paths->kid, paths->n, k->leaf))
            return &o[i];
    }
    return general;
}

static const Optimizer *optimizer_of(Sema *s, const Optimizer *o, int n, const Kept *k) {
    const Optimizer *found = find_optimizer(s, o, n, k);
    if (found || has_broken(s->train)) return found;
    Diag *d = sema_error(s, o[0].entry->span, "no optimizer moves the parameter `%s`",
                         k->leaf->leaf.name);
    diag_note(d, k->span, "it is declared here");
    diag_help(d, "freeze it, or add an `optimizer` without `for`");
    return NULL;
}

// ---- updates

static void finish_update(Sema *s, Kept *k, Exp *w, Span at) {
    if (is_error(w) || diag_errors(s->c->diags)) return;
    if (!is_scalar_like(w)) {
        fail(s, at, "the optimizer leaves %s for `%s`", exp_describe(s, w), k->leaf->leaf.name);
        return;
    }
    w = fit_type(s, w, &k->leaf->type, NULL, at, NULL);
    w = project(s, k, w);
    if (is_error(w)) return;
    function_update(s->entry->fn, k->leaf, w->stored.v, k->span);
    average(s, k, w);
}

// The names that an optimizer's body has: w, g (unless NULL) and the number t of the step.
static void set_names(Sema *s, const Node *def, Kept *k, Exp *g, Span at) {
    const Node *w = def->kid[1];
    Exp *leaf = exp_stored(s, k->leaf);
    if (w->kid[0])
        leaf = match_type(s, w->kid[0], leaf, at, arena_printf(s->arena, "`%s`", w->name));
    frame_set(s, s->frame, VAR_argument, w->name, leaf, w->span);
    if (g) frame_set(s, s->frame, VAR_argument, def->kid[2]->name, g, def->kid[2]->span);
    if (has_word(def->kid[0], "t")) return;
    Scalar *t = to_real(s, read_scalar(s, run_input(s, "run.step", ELEM_i32)));
    frame_set(s, s->frame, VAR_argument, sema_name(s, "t"), stored_scalar(s, t, at, "t"), w->span);
}

// The frame in which an optimizer's expressions stand for one parameter.
static Frame *enter(Sema *s, const Optimizer *o, Kept *k, Exp *g) {
    const Node *def = o->def;
    map_set(s->uses, def, (void *)def);
    Span at = o->entry->kid[0]->span;
    const char *site = site_below(s, k->leaf->leaf.name, o->entry->span);
    Frame *f = frame_push(s, def, at);
    f->site = site;
    f->layers = NULL;
    f->kept_prefix = o->prefix;
    f->kept_suffix = arena_printf(s->arena, ".%s", k->leaf->leaf.name);
    f->kept_type = &k->leaf->type;
    bind_params(s, def->kid[0], o->config, at, arena_printf(s->arena, "`%s`", def->name));
    set_names(s, def, k, g, at);
    return f;
}

static void update(Sema *s, const Optimizer *o, Kept *k, Exp *g) {
    const Node *def = o->def;
    Frame *f = enter(s, o, k, g);
    run_block(s, def->kid[4]);
    Var *after = frame_var(f, def->kid[1]->name);
    if (after->node) map_set(s->uses, after->node, after);
    Exp *w = exp_bind(s, after->e, o->entry->span, NULL);
    frame_pop(s);
    finish_update(s, k, w, o->entry->span);
}

// ---- `at E`: what is differentiated is the loss with E in place of the parameter

static Value *elsewhere(Sema *s, const Optimizer *o, Kept *k) {
    const Node *at = o->def->kid[3], *block = o->def->kid[4];
    enter(s, o, k, NULL);
    for (int i = 0; i < block->n; i++)
        if (block->kid[i]->kind == NODE_state_def) define_state(s, block->kid[i]);
    Exp *e = expr_plain(s, at);
    if (!is_error(e) && !is_scalar_like(e))
        e = fail(s, at->span, "the gradient is taken at a tensor like `%s`, and this is %s",
                 o->def->kid[1]->name, exp_describe(s, e));
    if (!is_error(e)) e = fit_type(s, e, &k->leaf->type, NULL, at->span, NULL);
    frame_pop(s);
    return is_error(e) ? NULL : e->stored.v;
}

static Value *move_leaf(void *context, Module *m, Value *v) {
    (void)m;
    Value *to = map_get(context, v);
    return to ? to : v;
}

// The loss, and whatever else the step has computed so far, at the places in `to`.
static Value *move_step(Sema *s, Value *loss, Map *to) {
    Entry *e = s->entry;
    Function all = {.m = s->m};
    vec_push(s->arena, &all.results, ((Result){NULL, loss}));
    for (int i = 0; i < e->fn->results.n; i++)
        vec_push(s->arena, &all.results, e->fn->results.at[i]);
    for (int i = 0; i < e->states.n; i++)
        vec_push(s->arena, &all.results,
                 ((Result){NULL, map_get(e->version, e->states.at[i]->leaf)}));
    function_rewrite(&all, move_leaf, to);
    for (int i = 0; i < e->fn->results.n; i++) e->fn->results.at[i].v = all.results.at[1 + i].v;
    for (int i = 0; i < e->states.n; i++)
        map_set(e->version, e->states.at[i]->leaf, all.results.at[1 + e->fn->results.n + i].v);
    return all.results.at[0].v;
}

// Where each parameter's gradient is taken: the leaf, or what its optimizer says behind `at`.
static Map *read_places(Sema *s, const Optimizer *o, int n) {
    Map *to = map_new(s->arena);
    for (int i = 0; i < s->entry->params.n; i++) {
        Kept *k = s->entry->params.at[i];
        if (is_frozen(s, k->leaf)) continue;
        int n_slot = s->slots.n;
        const Optimizer *own = find_optimizer(s, o, n, k);
        Value *at = own && own->def->kid[3] ? elsewhere(s, own, k) : NULL;
        if (at) map_set(to, k->leaf, at);
        s->slots.n = n_slot;
    }
    return to;
}

static void check_entry_paths(Sema *s) {
    const Node *entry;
    for (int i = 0; (entry = train_entry(s, "freeze", i)); i++)
        check_paths(s, entry->kid, entry_args(entry));
    static const char *const word[] = {"project", "average"};
    for (int w = 0; w < 2; w++)
        for (int i = 0; (entry = train_entry(s, word[w], i)); i++)
            if (entry_paths(entry)) check_paths(s, entry_paths(entry)->kid, entry_paths(entry)->n);
}

static void update_all(Sema *s, Gradients g, const Optimizer *o, int n) {
    clip(s, &g);
    for (int i = 0; i < g.n; i++) {
        int n_slot = s->slots.n;
        Kept *k = s->entry->params.at[i];
        const Optimizer *own = g.at[i] ? optimizer_of(s, o, n, k) : NULL;
        if (own) update(s, own, k, g.at[i]);
        s->slots.n = n_slot;
    }
}

void build_updates(Sema *s, Value *loss) {
    Optimizer *o;
    int n = read_optimizers(s, &o);
    check_entry_paths(s);
    freeze_states(s);
    if (n <= 0 || !loss) return;
    int n_errors = diag_errors(s->c->diags);
    Map *places = read_places(s, o, n);
    if (diag_errors(s->c->diags) != n_errors) return;
    if (places->n) loss = move_step(s, loss, places);
    update_all(s, gradients(s, loss, places), o, n);
}

void build_update_of_sums(Sema *s) {
    Optimizer *o;
    int n = read_optimizers(s, &o);
    check_entry_paths(s);
    for (int i = 0; i < n; i++)
        if (o[i].def->kid[3]) not_compiled(s, o[i].entry->span, "`at` with `accumulate` is");
    if (n > 0 && !diag_errors(s->c->diags)) update_all(s, gradients_of_sums(s), o, n);
}

// ---- parameters from files

static void add_load(Sema *s, const Node *entry, const Node *arg) {
    bool is_renamed = arg->kind == NODE_named;
    const Node *as = is_renamed ? arg->kid[0] : NULL;
    const char *path = is_renamed ? arg->name : path_text(s, arg);
    bool is_found = false;
    if (!path || (as && as->kind != NODE_string)) {
        fail(s, arg->span, "`load` takes paths: `load trunk, head = \"old.head\" from \"a.safetensors\"`");
        return;
    }
    for (int i = 0; i < s->m->params.n; i++)
        is_found |= is_below(s->m->params.at[i]->leaf.name, path);
    if (!is_found && !s->calls_lost) fail(s, arg->span, "no parameter has the path `%s`", path);
    LoadSpec load = {entry_file(entry)->text, path, as ? as->text : path, arg->span};
    vec_push(s->arena, &s->spec->loads, load);
    need_part(s, "weights_load_parts");
}

void check_loads(Sema *s) {
    const Node *entry;
    for (int i = 0; (entry = train_entry(s, "load", i)); i++) {
        if (!entry_file(entry))
            fail(s, entry->span, "`load` says which file: `load trunk from \"a.safetensors\"`");
        else
            for (int k = 0; k < entry_args(entry); k++) add_load(s, entry, entry->kid[k]);
    }
}
