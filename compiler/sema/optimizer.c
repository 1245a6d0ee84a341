// Updates of parameters by the optimizer, and parameters that the loss does not depend on.
#include <string.h>

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
        case VAL_grad:
            reach_value(s, v->grad.of, reached);
            reach_value(s, v->grad.wrt, reached);
            return;
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

// ---- updates

static bool has_word(const Node *params, const char *word) {
    for (int i = 0; i < params->n; i++)
        if (is_word(params->kid[i]->name, word)) return true;
    return false;
}

// optimizer adam(lr = 0.01): the definition and its evaluated arguments.
static const Node *read_optimizer(Sema *s, const Node *entry, Args *config) {
    const Node *n = entry->kid[0];
    const Node *callee = n->kind == NODE_call ? n->kid[0] : n;
    if (entry_args(entry) != 1) {
        fail(s, entry->span, "`optimizer` takes one optimizer");
        return NULL;
    }
    Exp *f = expr(s, callee);
    if (is_error(f)) return NULL;
    if (f->kind != EXP_callable || f->callable.def->kind != NODE_optimizer) {
        fail(s, callee->span, "%s is no optimizer", exp_describe(s, f));
        return NULL;
    }
    if (f->callable.def->kid[3]) {
        not_compiled(s, f->callable.def->kid[3]->span, "an optimizer with `at` is");
        return NULL;
    }
    *config = n->kind == NODE_call ? eval_args(s, n->kid[1]) : (Args){0};
    return check_config(s, f->callable.def, *config, n->span) ? f->callable.def : NULL;
}

static void check_updated(Sema *s, Kept *k, Exp *w, Span at) {
    if (is_error(w) || diag_errors(s->c->diags)) return;
    if (!is_scalar_like(w)) {
        fail(s, at, "the optimizer leaves %s for `%s`", exp_describe(s, w), k->leaf->leaf.name);
        return;
    }
    w = fit_type(s, w, &k->leaf->type, NULL, at, NULL);
    if (!is_error(w)) function_update(s->entry->fn, k->leaf, w->stored.v, k->span);
}

static void update(Sema *s, const Node *def, Args config, Kept *k, Value *loss, const Node *entry) {
    const Node *w = def->kid[1], *g = def->kid[2];
    Exp *leaf = exp_stored(s, k->leaf);
    Exp *gradient = exp_stored(s, build_grad(s->m, loss, k->leaf, k->span));
    const char *site = site_below(s, k->leaf->leaf.name, entry->span);
    Frame *f = frame_push(s, def, entry->kid[0]->span);
    f->site = site;
    f->layers = NULL;
    f->kept_prefix = arena_printf(s->arena, "%s#1.", def->name);
    f->kept_suffix = arena_printf(s->arena, ".%s", k->leaf->leaf.name);
    f->kept_type = &k->leaf->type;
    const char *what = arena_printf(s->arena, "`%s`", def->name);
    bind_params(s, def->kid[0], config, entry->kid[0]->span, what);
    if (w->kid[0]) leaf = match_type(s, w->kid[0], leaf, entry->span, what);
    frame_set(s, f, VAR_argument, w->name, leaf, w->span);
    frame_set(s, f, VAR_argument, g->name, gradient, g->span);
    Exp *step = run_input(s, "run.step", ELEM_i32);
    Scalar *t = to_real(s, exp_at(s, step, &(Shape){0}));
    if (!has_word(def->kid[0], "t"))
        frame_set(s, f, VAR_argument, sema_name(s, "t"),
                  exp_store(s, exp_scalar(s, t), entry->span, NULL), w->span);
    run_block(s, def->kid[4]);
    Var *after = frame_var(f, w->name);
    if (after->node) map_set(s->uses, after->node, after);
    check_updated(s, k, after->e, entry->span);
    frame_pop(s);
}

void build_updates(Sema *s, Value *loss) {
    const Node *entry = train_entry(s, "optimizer", 0);
    if (!entry) return;
    Args config;
    const Node *def = read_optimizer(s, entry, &config);
    for (int i = 0; def && loss && i < s->entry->params.n; i++) {
        int n_slot = s->slots.n;
        update(s, def, config, s->entry->params.at[i], loss, entry);
        s->slots.n = n_slot;
    }
}
