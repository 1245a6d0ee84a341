// The train block and the model: one function per entry point.
#include <string.h>

#include "sema/elab.h"

// ---- reading the block

static const char *const known_entries[] = {
    "loss",    "metric",  "optimizer", "freeze",     "load",   "clip",  "project",
    "average", "augment", "batch",     "accumulate", "epochs", "steps", "stop"};
enum { N_KNOWN = sizeof known_entries / sizeof *known_entries };

int entry_args(const Node *entry) {
    return entry->n - 2;
}

const Node *entry_paths(const Node *entry) {
    return entry->kid[entry->n - 2];
}

const Node *entry_file(const Node *entry) {
    return entry->kid[entry->n - 1];
}

const Node *block_entry(const Node *block, const char *word, int nth) {
    for (int i = 0; block && i < block->n; i++) {
        const Node *n = block->kid[i];
        if (n->kind == NODE_entry && is_word(n->name, word) && nth-- == 0) return n;
    }
    return NULL;
}

const Node *train_entry(Sema *s, const char *word, int nth) {
    return block_entry(s->train, word, nth);
}

void check_single(Sema *s, const Node *block, const char *const *word, int n) {
    for (int i = 0; i < n; i++) {
        const Node *second = block_entry(block, word[i], 1);
        if (!second) continue;
        Diag *d = sema_error(s, second->span, "a second `%s`", word[i]);
        diag_note(d, block_entry(block, word[i], 0)->span, "the first is here");
    }
}

static bool is_one_of(Name id, const char *a, const char *b, const char *c) {
    return is_word(id, a) || is_word(id, b) || is_word(id, c);
}

static void check_entry(Sema *s, const Node *n) {
    if (n->kind == NODE_broken) return;
    if (n->kind != NODE_entry) {
        fail(s, n->span, "a train block has entries: a word and what it takes");
        return;
    }
    bool is_known = false;
    for (int i = 0; i < N_KNOWN; i++) is_known |= is_word(n->name, known_entries[i]);
    if (!is_known) {
        Diag *d = sema_error(s, n->span, "unknown entry `%s` of a train block", n->name);
        const char *best = nearest(n->name, known_entries, N_KNOWN);
        if (best) diag_help(d, "did you mean `%s`?", best);
    } else if (entry_paths(n) && !is_one_of(n->name, "optimizer", "project", "average")) {
        fail(s, entry_paths(n)->span, "`%s` is for all parameters: `for` has no place", n->name);
    } else if (entry_file(n) && !is_word(n->name, "load")) {
        fail(s, entry_file(n)->span, "`from` has no place in `%s`", n->name);
    }
}

bool one_argument(Sema *s, const Node *entry) {
    if (entry_args(entry) == 1 && entry->kid[0]->kind != NODE_named) return true;
    fail(s, entry->span, "`%s` takes one expression", entry->name);
    return false;
}

static int64_t read_count(Sema *s, const char *word, int64_t otherwise) {
    const Node *n = train_entry(s, word, 0);
    int64_t count = otherwise;
    if (!n) return otherwise;
    if (entry_args(n) != 1)
        fail(s, n->span, "`%s` takes one number", word);
    else if (need_int(s, n->kid[0], &count) && count < 1)
        fail(s, n->kid[0]->span, "`%s` must be positive", word);
    return count < 1 ? 1 : count;
}

void read_train(Sema *s) {
    enum { ROWS_TO_PREDICT = 64 };
    s->spec->batch = ROWS_TO_PREDICT;
    s->spec->accumulate = 1;
    if (s->train) {
        frame_push(s, NULL, s->train->span);
        for (int i = 0; i < s->train->n; i++) check_entry(s, s->train->kid[i]);
        static const char *const single[] = {"batch",      "epochs", "steps",  "stop",
                                             "accumulate", "loss",   "average"};
        check_single(s, s->train, single, sizeof single / sizeof *single);
        s->spec->data = s->train->text;
        s->spec->batch = read_count(s, "batch", 32);
        s->spec->accumulate = read_count(s, "accumulate", 1);
        s->spec->steps = read_count(s, "steps", 0);
        if (!train_entry(s, "steps", 0)) s->spec->steps = 0;
        s->spec->epochs = train_entry(s, "epochs", 0) ? read_count(s, "epochs", 1)
                          : s->spec->steps            ? 0
                                                      : 1;
        frame_pop(s);
    }
    s->rows = s->batch = module_extent(s->m, "batch", s->spec->batch);
}

// ---- entry points

// Are names of fields unknown?
static bool lacks_data(const Sema *s) {
    if (!s->data) return s->train != NULL;
    for (int i = 0; i < s->data->n; i++)
        if (s->data->kid[i]->kind == NODE_broken && !s->data->kid[i]->n) return true;
    return false;
}

Entry *new_entry(Sema *s, const char *name, bool training, bool moves_states) {
    Entry *e = NEW(s->arena, Entry);
    e->fn = function_new(s->m, name);
    e->training = training;
    e->moves_states = moves_states;
    e->version = map_new(s->arena);
    e->constants = map_new(s->arena);
    e->root = layer_scope(s, "");
    if (!training) use_averages(s, e->version);
    return e;
}

void begin_entry(Sema *s, const char *name, bool training, bool moves_states) {
    Entry *e = s->entry = new_entry(s, name, training, moves_states);
    s->slots.n = 0;
    s->known.n = 0;
    frame_push(s, NULL, s->train ? s->train->span : s->model->span);
    s->frame->layers = e->root;
    s->frame->names_lost = lacks_data(s);
    make_fields(s);
}

void end_entry(Sema *s) {
    Entry *e = s->entry;
    for (int i = 0; i < e->states.n; i++) {
        Kept *k = e->states.at[i];
        bool is_stream = e->moves_streams && is_stream_state(s, &k->leaf->type);
        bool is_row = e->generates && is_batch_state(s, &k->leaf->type);
        if (e->moves_states || is_stream || is_row)
            function_update(e->fn, k->leaf, map_get(e->version, k->leaf), k->span);
    }
    frame_pop(s);
}

// ---- the model

// A dimension of a model's input that nothing gives a size.
static void missing_dims(Sema *s, const Node *dims) {
    for (int i = 0; dims && i < dims->n; i++) {
        const Node *n = dims->kid[i];
        bool is_open = n->kind == NODE_name && !is_word(n->name, "batch") &&
                       !frame_var(s->frame, n->name) && !find_hyper(s, n->name) &&
                       !global_def(s, n->name, false);
        if (!is_open) continue;
        frame_set(s, s->frame, VAR_dim, n->name, exp_error, n->span);
        vec_push(s->arena, &s->missing, n);
    }
}

static Exp *free_input(Sema *s, const Node *param) {
    Type t;
    Span from[MAX_RANK];
    const Node *type = param->kid[0];
    if (!type)
        return fail(s, param->span, "a model's input needs a type: `%s: [batch, 8]`", param->name);
    missing_dims(s, type->kid[1]);
    if (!eval_type(s, type, &t, from)) return exp_error;
    Value *v = build_input(s->entry->fn, param->name, t, param->span);
    for (int i = 0; i < t.rank; i++) set_origin(s, v, i, from[i]);
    return exp_stored(s, v);
}

Exp *model_input(Sema *s, const Node *param) {
    const Node *field = map_get(s->fields, param->name);
    Var *v = field ? frame_var(s->frame, param->name) : NULL;
    if (v) {
        if (!v->e) v->e = field_value(s, field);
        return v->e;
    }
    if (lacks_data(s)) return param->kid[0] ? free_input(s, param) : exp_error;
    if (s->data) {
        Diag *d = sema_error(s, param->span, "the data block `%s` has no field `%s`", s->data->name,
                             param->name);
        const char **names = NEW_ARRAY(s->arena, const char *, s->fields->n + 1);
        for (int i = 0; i < s->fields->n; i++)
            names[i] = (const char *)(uintptr_t)s->fields->key[i];
        const char *best = nearest(param->name, names, s->fields->n);
        if (best) diag_help(d, "did you mean `%s`?", best);
        return exp_error;
    }
    return free_input(s, param);
}

Exp *run_model(Sema *s) {
    Name id = sema_name(s, "output");
    if (!s->model) return frame_set(s, s->frame, VAR_argument, id, exp_error, (Span){0})->e;
    const Node *params = s->model->kid[0];
    Args args = {params->n, NEW_ARRAY(s->arena, Arg, params->n + 1)};
    for (int i = 0; i < params->n; i++) {
        const Node *p = params->kid[i];
        Var *fed = s->entry->generates ? frame_var(s->frame, p->name) : NULL;
        Exp *e = fed && fed->kind == VAR_argument ? fed->e : model_input(s, p);
        args.at[i] = (Arg){p->name, e, p->span, p->span};
    }
    Exp *output = run_def(s, s->model, (Args){0}, args, s->model->name_span, s->entry->root);
    output = exp_bind(s, output, s->result_span, id);
    frame_set(s, s->frame, VAR_argument, id, output, s->model->name_span);
    return output;
}

// `weights`, `vectors`, `params`: lists of the model's parameters.
static Exp *params_of_rank(Sema *s, int least, int most) {
    Exp **at = NEW_ARRAY(s->arena, Exp *, s->entry->params.n + 1);
    int n = 0;
    for (int i = 0; i < s->entry->params.n; i++) {
        Kept *k = s->entry->params.at[i];
        int rank = k->leaf->type.rank;
        if (rank >= least && rank <= most) at[n++] = kept_current(s, k);
    }
    return exp_list(s, EXP_list, n, at);
}

static void set_param_lists(Sema *s) {
    Span at = s->train->name_span;
    frame_set(s, s->frame, VAR_argument, sema_name(s, "weights"), params_of_rank(s, 2, MAX_RANK),
              at);
    frame_set(s, s->frame, VAR_argument, sema_name(s, "vectors"), params_of_rank(s, 0, 1), at);
    frame_set(s, s->frame, VAR_argument, sema_name(s, "params"), params_of_rank(s, 0, MAX_RANK),
              at);
}

static Value *run_forward(Sema *s) {
    if (s->entry->training) run_augmentations(s);
    run_model(s);
    set_param_lists(s);
    Value *loss = run_loss(s);
    run_metrics(s);
    return loss;
}

// ---- the entry points

static void build_train_step(Sema *s) {
    begin_entry(s, "train_step", true, true);
    Value *loss = run_forward(s);
    if (loss && !diag_errors(s->c->diags)) check_reachable(s, loss);
    build_updates(s, loss);
    end_entry(s);
}

// Where a step takes several batches, each adds its gradients to sums, which move the parameters.
static void build_part(Sema *s) {
    begin_entry(s, "train_step", true, true);
    s->entry->is_part = true;
    Value *loss = run_forward(s);
    if (loss && !diag_errors(s->c->diags)) check_reachable(s, loss);
    build_sums(s, loss);
    end_entry(s);
}

static void build_update_step(Sema *s, const Entry *part) {
    begin_entry(s, "update_step", true, true);
    s->entry->is_of_sums = true;
    for (int i = 0; i < part->params.n; i++)
        vec_push(s->arena, &s->entry->params, part->params.at[i]);
    set_param_lists(s);
    build_update_of_sums(s);
    end_entry(s);
}

// The metrics that totals over a split give.
static void build_eval_end(Sema *s) {
    if (!has_totals(s)) return;
    begin_entry(s, "eval_end", false, false);
    run_model(s);
    set_param_lists(s);
    run_totalled(s);
    end_entry(s);
}

// Does a gradient pass through the model?
static bool has_grad(Sema *s, const Function *f) {
    Values order = function_order(f, s->arena);
    for (int i = 0; i < order.n; i++)
        if (order.at[i]->op == VAL_grad) return true;
    return false;
}

// Loss and metrics of outputs that `predict` gave, perhaps of several models; where gradients
// stand in them, of the model itself.
static void build_eval_step(Sema *s) {
    for (int is_apart = 1; is_apart >= 0; is_apart--) {
        begin_entry(s, "eval_step", false, false);
        s->entry->moves_streams = !is_apart;  // else `predict` moves them
        run_model(s);
        if (is_apart) give_output(s);
        set_param_lists(s);
        run_loss(s);
        run_metrics(s);
        bool is_done = !is_apart || !has_grad(s, s->entry->fn);
        end_entry(s);
        if (is_done) return;
        s->m->fns.n--;
    }
}

// Parameters below an argument of a function with a gradient of its own: differences of the loss
// need not be their gradients.
static void find_own_gradients(Sema *s, Value *loss) {
    Function all = {.m = s->m}, below = {.m = s->m};
    vec_push(s->arena, &all.results, ((Result){loss->hint, loss}));
    Values order = function_order(&all, s->arena);
    for (int i = 0; i < order.n; i++)
        for (int k = 0; order.at[i]->op == VAL_own && k < order.at[i]->own.n; k++)
            vec_push(s->arena, &below.results, ((Result){NULL, order.at[i]->own.wrt[k]}));
    order = function_order(&below, s->arena);
    for (int i = 0; i < order.n; i++)
        if (order.at[i]->op == VAL_param) vec_push(s->c->arena, &s->spec->own, order.at[i]);
}

// With metrics, as in train_step, so that both share their kernels.
static void build_gradients(Sema *s) {
    begin_entry(s, "gradients", true, false);
    Value *loss = run_forward(s);
    if (loss) find_own_gradients(s, loss);
    for (int i = 0; loss && i < s->entry->params.n; i++) {
        Value *w = s->entry->params.at[i]->leaf;
        const char *id = arena_printf(s->arena, "grad.%s", w->leaf.name);
        function_result(s->entry->fn, id, build_grad(s->m, loss, w, s->entry->params.at[i]->span));
    }
    end_entry(s);
}

static void add_result(Sema *s, Name id, Exp *e) {
    if (is_error(e)) return;
    Span at = s->model->name_span;
    if (!is_scalar_like(e)) {
        fail(s, at, "the model must give tensors, and this is %s", exp_describe(s, e));
        return;
    }
    if (!is_tensor(e)) {
        Type t = type_scalar(s->m->real);
        e = fit_type(s, e, &t, NULL, at, id);
    }
    e = exp_store(s, e, at, id);
    if (!is_error(e)) function_result(s->entry->fn, id, e->stored.v);
}

// A result that is declared as classes is shown by their words.
static void note_classes(Sema *s, Name id, int i) {
    const Node *returns = s->model->kid[1], *type = i < returns->n ? returns->kid[i]->kid[0] : NULL;
    ResultSpec r = {.name = id};
    if (!type || !type->kid[0] || !is_word(type->name, "class") || diag_errors(s->c->diags)) return;
    if (need_int(s, type->kid[0], &r.classes)) vec_push(s->arena, &s->spec->results, r);
}

void add_results(Sema *s, Exp *e) {
    int n = e->kind == EXP_tuple ? e->list.n : 1;
    for (int i = 0; i < n; i++)
        add_result(s, result_name(s, e, i), e->kind == EXP_tuple ? e->list.at[i] : e);
}

static void build_predict(Sema *s) {
    begin_entry(s, "predict", false, false);
    s->entry->moves_streams = true;
    Exp *e = run_model(s);
    add_results(s, e);
    for (int i = 0; i < (e->kind == EXP_tuple ? e->list.n : 1); i++)
        note_classes(s, result_name(s, e, i), i);
    end_entry(s);
}

static void build_epoch_end(Sema *s) {
    const Node *entry = train_entry(s, "stop", 0);
    if (!entry || !one_argument(s, entry)) return;
    begin_entry(s, "epoch_end", false, true);
    Exp *e = expr_plain(s, entry->kid[0]);
    bool is_truth = is_scalar_like(e) && exp_elem(s, e) == ELEM_bool && !exp_shape(s, e).rank;
    if (is_truth) {
        Type t = type_scalar(ELEM_bool);
        e = fit_type(s, e, &t, NULL, entry->kid[0]->span, NULL);
        function_result(s->entry->fn, "stop", e->stored.v);
    } else if (!is_error(e)) {
        fail(s, entry->kid[0]->span, "`stop` takes a truth value, and this is %s",
             exp_describe(s, e));
    }
    end_entry(s);
}

static void build_keep(Sema *s) {
    begin_entry(s, "keep", false, false);
    Value *keep = where_value(s);
    if (keep) function_result(s->entry->fn, "keep", keep);
    end_entry(s);
}

// An input that nothing uses is no input.
static void drop_inputs(Sema *s, Function *f) {
    Values order = function_order(f, s->arena);
    Map *used = map_new(s->arena);
    int n = 0;
    for (int i = 0; i < order.n; i++) map_set(used, order.at[i], order.at[i]);
    for (int i = 0; i < f->inputs.n; i++)
        if (map_has(used, f->inputs.at[i])) f->inputs.at[n++] = f->inputs.at[i];
    f->inputs.n = n;
}

void finish_entries(Sema *s) {
    for (int i = 0; i < s->m->fns.n; i++) drop_inputs(s, s->m->fns.at[i]);
}

void begin_aside(Sema *s, const char *name) {
    Entry *e = NEW(s->arena, Entry);
    e->fn = NEW(s->arena, Function);
    e->fn->name = sema_name(s, name);
    e->fn->m = s->m;
    e->version = map_new(s->arena);
    e->constants = map_new(s->arena);
    e->root = layer_scope(s, "");
    s->entry = e;
    frame_push(s, NULL, s->file->span);
    s->frame->layers = e->root;
}

// Fields that nothing reads are checked, too.
static void check_fields(Sema *s) {
    int n_field = s->spec->fields.n;
    begin_aside(s, "fields");
    make_fields(s);
    for (int i = 0; i < s->fields->n; i++) field_value(s, s->fields->value[i]);
    frame_pop(s);
    s->spec->fields.n = n_field;
}

void build_entries(Sema *s) {
    s->init = function_new(s->m, "init");
    if (s->train && s->spec->accumulate > 1) {
        build_part(s);
        build_update_step(s, s->entry);
    } else if (s->train) {
        build_train_step(s);
    }
    finish_epoch_begin(s);
    if (s->train) check_loads(s);
    if (s->train) build_eval_step(s);
    if (s->train) build_eval_end(s);
    if (s->model) build_predict(s);
    if (s->train && train_entry(s, "loss", 0) && !s->c->opt.is_small) build_gradients(s);
    if (s->generate && s->model) build_generate(s);
    if (s->train) build_epoch_end(s);
    if (s->where) build_keep(s);
    if (s->data) check_fields(s);
    if (s->model && !diag_errors(s->c->diags)) summarize(s);
    for (int i = 0; i < s->missing.n && !diag_errors(s->c->diags); i++) {
        const Node *n = s->missing.at[i];
        fail(s, n->span, "the size of `%s` is not known: no data gives it", n->name);
    }
}
