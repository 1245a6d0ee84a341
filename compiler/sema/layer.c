// Instances of layers, their parameters and states, and what `init` gives those.
#include <string.h>

#include "sema/elab.h"

// ---- instances

LayerScope *layer_scope(Sema *s, const char *path) {
    LayerScope *scope = NEW(s->arena, LayerScope);
    *scope = (LayerScope){path, map_new(s->arena), map_new(s->arena)};
    return scope;
}

Exp *make_instance(Sema *s, const Node *def, Args config) {
    Exp *e = NEW(s->arena, Exp);
    e->kind = EXP_instance;
    e->instance = NEW(s->arena, Instance);
    *e->instance = (Instance){def, config, NULL};
    return e;
}

static uintptr_t count_up(Map *map, Name id) {
    uintptr_t n = (uintptr_t)map_get(map, id) + 1;
    map_set(map, id, (void *)n);
    return n;
}

// An instance is named by the first variable that holds it; a later instance of the same
// variable gets a number.
void name_instance(Sema *s, Instance *x, Name id) {
    LayerScope *scope = s->frame->layers;
    if (x->path || !scope) return;
    uintptr_t n = count_up(scope->taken, id);
    x->path = n == 1 ? arena_printf(s->arena, "%s%s", scope->path, id)
                     : arena_printf(s->arena, "%s%s#%d", scope->path, id, (int)n);
}

static void number_instance(Sema *s, Instance *x) {
    LayerScope *scope = s->frame->layers;
    if (x->path) return;
    int n = (int)count_up(scope->ordinal, x->def->name);
    x->path = arena_printf(s->arena, "%s%s#%d", scope->path, x->def->name, n);
}

static bool is_below(const char *name, const char *path) {
    size_t n = strlen(path);
    return !strncmp(name, path, n) && (name[n] == '.' || name[n] == 0);
}

Exp *call_instance(Sema *s, Instance *x, Args args, Span at) {
    if (!s->frame->layers) return fail(s, at, "a layer can't stand here");
    number_instance(s, x);
    const char *path = arena_printf(s->arena, "%s.", x->path);
    int row = begin_row(s, x->path, at);
    Exp *e = run_def(s, x->def, x->config, args, at, layer_scope(s, path));
    end_row(s, row, e);
    return e;
}

Exp *path_value(Sema *s, const char *path) {
    Kept *k = map_get(s->kept, sema_name(s, path));
    if (k) return kept_current(s, k);
    for (int i = 0; i < s->kept->n; i++) {
        k = s->kept->value[i];
        if (!is_below(k->leaf->leaf.name, path)) continue;
        Exp *e = NEW(s->arena, Exp);
        e->kind = EXP_path;
        e->string = sema_name(s, path);
        return e;
    }
    return NULL;
}

Exp *instance_member(Sema *s, Instance *x, Name id, Span at) {
    Exp *e = x->path ? path_value(s, arena_printf(s->arena, "%s.%s", x->path, id)) : NULL;
    if (e || s->calls_lost) return e ? e : exp_error;
    Diag *d = sema_error(s, at, "`%s` has no parameter `%s` here", x->def->name, id);
    diag_help(d, "the parameters of a layer are there once it was called");
    return exp_error;
}

// ---- parameters and states

Exp *kept_current(Sema *s, Kept *k) {
    Value *v = s->entry ? map_get(s->entry->version, k->leaf) : NULL;
    return exp_stored(s, v ? v : k->leaf);
}

void kept_update(Sema *s, Kept *k, Exp *e, Span at) {
    if (!k->is_state) {
        fail(s, at, "a parameter is changed by its optimizer alone");
        return;
    }
    if (s->gradient) {
        fail(s, at, "a gradient moves no state");
        return;
    }
    e = fit_type(s, e, &k->leaf->type, NULL, at, NULL);
    if (is_error(e)) return;
    if (e->stored.n_outer) {
        fail(s, at, "a state can't be updated at an index");
        return;
    }
    bool is_first = !map_has(s->entry->version, k->leaf);
    map_set(s->entry->version, k->leaf, e->stored.v);
    if (is_first) vec_push(s->arena, &s->entry->states, k);
}

static const char *kept_path(Sema *s, Name id) {
    const Frame *f = s->frame;
    if (f->kept_prefix) return arena_printf(s->arena, "%s%s%s", f->kept_prefix, id, f->kept_suffix);
    return arena_printf(s->arena, "%s%s", f->layers ? f->layers->path : "", id);
}

// Draws of a first value belong to the parameter, whatever made them.
typedef struct Redraw {
    Sema *s;
    const char *path;
} Redraw;

static Scalar *redraw(void *context, Module *m, Scalar *x) {
    Redraw *r = context;
    if (x->op != OP_rand) return x;
    const char *path = arena_printf(r->s->arena, "init:%s:%u", r->path, x->site);
    return scalar_rand(m, site_number(r->s, path), x->arg[0]);
}

static Exp *own_draws(Sema *s, Exp *e, const char *path) {
    if (e->kind != EXP_body) return e;
    Shape shape = exp_shape(s, e);
    return exp_body(s, scalar_rewrite(s->m, e->body.body, redraw, &(Redraw){s, path}), &shape);
}

static void set_fans(Frame *f, const Type *t) {
    int64_t in = 1;
    for (int i = 0; i + 1 < t->rank; i++) in *= t->dim[i].n;
    f->fan_in = number_int(in);
    f->fan_out = number_int(t->rank ? t->dim[t->rank - 1].n : 1);
}

// A matrix [fan_in, fan_out] fills a parameter whose axes but the last make up its rows.
static Exp *fill_from_matrix(Sema *s, Exp *e, const Type *t, Span at) {
    if (t->rank < 2 || !is_tensor(e)) return e;
    Shape shape = exp_shape(s, e);
    int64_t rows = 1;
    for (int i = 0; i + 1 < t->rank; i++) rows *= t->dim[i].n;
    bool fits = t->rank > 2 && shape.rank == 2 && dim_equal(shape.axis[0].dim, dim_const(rows)) &&
                dim_equal(shape.axis[1].dim, t->dim[t->rank - 1]);
    if (!fits) return e;
    e = exp_store(s, e, at, NULL);
    if (is_error(e) || e->stored.n_outer) return e;
    return exp_stored(s, build_reshape(s->m, e->stored.v, t->rank, t->dim, at));
}

static Value *first_value(Sema *s, const char *path, const Type *t, const Node *rhs) {
    Frame *f = s->frame;
    set_fans(f, t);
    f->has_fan = s->is_init = true;
    Exp *e = expr_plain(s, rhs);
    if (e->kind == EXP_callable) e = apply(s, e, (Args){0}, rhs->span, rhs->span);
    e = fill_from_matrix(s, own_draws(s, e, path), t, rhs->span);
    e = fit_type(s, e, t, NULL, rhs->span, NULL);
    f->has_fan = s->is_init = false;
    if (is_error(e)) return NULL;
    if (!e->stored.n_outer) return e->stored.v;
    fail(s, rhs->span, "a first value can't depend on an index");
    return NULL;
}

static Kept *find_kept(Sema *s, const char *path, const Type *t, const Node *id, bool is_state) {
    Kept *k = map_get(s->kept, sema_name(s, path));
    if (!k) return NULL;
    if (k->is_state == is_state && type_same_shape(&k->leaf->type, t)) return k;
    Diag *d = sema_error(s, id->span, "`%s` is used again with another shape", path);
    diag_note(d, k->span, "first here");
    return k;
}

static Kept *make_kept(Sema *s, const char *path, const Type *t, const Span *from, const Node *id,
                       const Node *rhs, bool is_state) {
    Kept *k = find_kept(s, path, t, id, is_state);
    if (k) return k;
    k = NEW(s->arena, Kept);
    k->span = id->span;
    k->is_state = is_state;
    k->is_generated = is_state && s->entry->generates && is_batch_state(s, t);
    const char *leaf = k->is_generated ? arena_printf(s->arena, KEPT_PREFIX "%s", path) : path;
    k->leaf =
        is_state ? build_state(s->m, leaf, *t, id->span) : build_param(s->m, leaf, *t, id->span);
    for (int i = 0; i < t->rank; i++) set_origin(s, k->leaf, i, from[i]);
    map_set(s->kept, sema_name(s, path), k);
    map_set(s->kept_of, k->leaf, k);
    k->first = first_value(s, path, t, rhs);
    if (k->first && !k->is_generated) function_update(s->init, k->leaf, k->first, id->span);
    return k;
}

Kept *keep_number(Sema *s, const char *path, Span at) {
    Kept *k = NEW(s->arena, Kept);
    Type t = type_scalar(s->m->real);
    *k = (Kept){.leaf = build_state(s->m, path, t, at), .span = at, .is_state = true};
    k->first = fit_type(s, exp_int(s, 0), &t, NULL, at, NULL)->stored.v;
    map_set(s->kept, sema_name(s, path), k);
    map_set(s->kept_of, k->leaf, k);
    function_update(s->init, k->leaf, k->first, at);
    return k;
}

static void declare(Sema *s, const Node *id, Exp *e, Kept *k) {
    Var *v = frame_set(s, s->frame, e ? VAR_local : VAR_kept, id->name, e, id->span);
    v->kept = k;
}

static void add_param(Sema *s, Kept *k) {
    for (int i = 0; i < s->entry->params.n; i++)
        if (s->entry->params.at[i] == k) return;
    vec_push(s->arena, &s->entry->params, k);
}

static bool is_constant_type(const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i].by) return false;
    return true;
}

void define_param(Sema *s, const Node *n) {
    const Node *names = n->kid[0];
    Type t;
    Span from[MAX_RANK];
    bool is_good = eval_type(s, n->kid[1], &t, from);
    if (is_good && (!elem_is_real(t.elem) || !is_constant_type(&t))) {
        fail(s, n->kid[1]->span,
             "a parameter is a tensor of reals, of sizes that are known when compiled");
        is_good = false;
    }
    for (int i = 0; i < names->n; i++) {
        const Node *id = names->kid[i];
        if (!is_good || s->is_alone) {
            if (s->is_alone) expr_plain(s, n->kid[2]);
            declare(s, id, exp_error, NULL);
            continue;
        }
        const char *path = kept_path(s, id->name);
        if (s->gradient && !map_has(s->kept, sema_name(s, path))) {
            fail(s, id->span, "a gradient has no parameters of its own");
            declare(s, id, exp_error, NULL);
            continue;
        }
        Kept *k = make_kept(s, path, &t, from, id, n->kid[2], false);
        declare(s, id, NULL, k);
        add_param(s, k);
    }
}

static bool is_by_split(const Sema *s, const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i].by && t->dim[i].by != s->batch) return true;
    return false;
}

// An untyped state is like its first value where that has no axes; in an optimizer like w.
static bool state_type(Sema *s, const Node *n, Type *t, Span *from) {
    if (n->kid[1]) return eval_type(s, n->kid[1], t, from);
    *t = s->frame->kept_type ? *s->frame->kept_type : type_scalar(s->m->real);
    const Node *first = n->kid[2];
    bool is_truth =
        first->kind == NODE_name && (is_word(first->name, "true") || is_word(first->name, "false"));
    if (is_truth) t->elem = ELEM_bool;
    return true;
}

// By name: in a call on rows of a number that is known, `batch` is that number.
static bool mentions_batch(const Node *n) {
    const Node *dims = n->kid[1] ? n->kid[1]->kid[1] : NULL;
    for (int i = 0; dims && i < dims->n; i++)
        if (dims->kid[i]->kind == NODE_name && is_word(dims->kid[i]->name, "batch")) return true;
    return false;
}

// Does the state outlive the batch? In a generation all do.
static bool is_lasting(const Sema *s, const Node *n, const Type *t) {
    if (is_batch_state(s, t)) return is_stream_state(s, t) || s->entry->generates;
    return is_constant_type(t) && !mentions_batch(n);
}

static void note_row(Sema *s, Kept *k) {
    Entry *e = s->entry;
    for (int i = 0; i < e->rows_kept.n; i++)
        if (e->rows_kept.at[i] == k) return;
    vec_push(s->arena, &e->rows_kept, k);
}

void define_state(Sema *s, const Node *n) {
    const Node *names = n->kid[0];
    Type t;
    Span from[MAX_RANK] = {0};
    bool is_good = state_type(s, n, &t, from);
    for (int i = 0; i < names->n; i++) {
        const Node *id = names->kid[i];
        if (!is_good || s->is_alone) {
            if (s->is_alone) expr_plain(s, n->kid[2]);
            declare(s, id, exp_error, NULL);
        } else if (is_by_split(s, &t)) {
            fail(s, n->kid[1]->span, "a state can't have the rows of a split: their number is not "
                 "known when compiled");
            declare(s, id, exp_error, NULL);
        } else if (is_lasting(s, n, &t) && is_batch_state(s, &t) && t.dim[0].by != s->batch) {
            fail(s, n->kid[1]->span, "what %s has the batch as its first axis",
                 s->entry->generates ? "a generation keeps" : "a stream carries on");
            declare(s, id, exp_error, NULL);
        } else if (!is_lasting(s, n, &t)) {
            // Of the batch: reset at every batch, so that it is no more than a local.
            Exp *e = fit_type(s, expr_plain(s, n->kid[2]), &t, from, n->kid[2]->span, id->name);
            declare(s, id, e, NULL);
        } else {
            Kept *k = make_kept(s, kept_path(s, id->name), &t, from, id, n->kid[2], true);
            if (s->entry->generates && is_batch_state(s, &t)) note_row(s, k);
            declare(s, id, NULL, k);
        }
    }
}

// ---- init

static Value *owned(void *context, Module *m, Value *v) {
    Function *f = context;
    (void)m;
    if (v->op != VAL_input || v->leaf.fn == f) return v;
    return build_input(f, v->leaf.name, v->type, v->span);
}

void take_inputs(Function *f) {
    function_rewrite(f, owned, f);
}

// What a stream's states are where an epoch begins.
static void build_stream_begin(Sema *s) {
    Function *begin = NULL;
    for (int i = 0; i < s->init->updates.n; i++) {
        const Update *u = &s->init->updates.at[i];
        if (!is_stream_state(s, &u->target->type)) continue;
        if (!begin) begin = function_new(s->m, "stream_begin");
        function_update(begin, u->target, u->v, u->span);
    }
    if (begin) take_inputs(begin);
}

// In `init`, hypers and whole splits are inputs of init, and others' first values stand for parameters.
static Value *in_init(void *context, Module *m, Value *v) {
    Sema *s = context;
    (void)m;
    bool is_given = is_of_split(s, v) || (v->op == VAL_input && find_hyper(s, v->leaf.name));
    if (is_given && v->leaf.fn != s->init)
        return build_input(s->init, v->leaf.name, v->type, v->span);
    Kept *k = v->op == VAL_param || v->op == VAL_state ? map_get(s->kept_of, v) : NULL;
    return k && k->first ? k->first : v;
}

// What a first value is made of may stand for something itself.
static bool stands_for_another(Sema *s, Value *v) {
    return v->op <= VAL_state && in_init(s, s->m, v) != v;
}

static bool reads_params(Sema *s, const Update *u) {
    Function alone = {.m = s->m};
    vec_push(s->arena, &alone.updates, *u);
    Values order = function_order(&alone, s->arena);
    for (int i = 0; i < order.n; i++)
        if (order.at[i]->op == VAL_param) return true;
    return false;
}

// States that begin as parameters do begin anew where weights were loaded.
static void build_start(Sema *s) {
    Function *start = NULL;
    for (int i = 0; i < s->init->updates.n; i++) {
        const Update *u = &s->init->updates.at[i];
        if (u->target->op != VAL_state || !reads_params(s, u)) continue;
        if (!start) start = function_new(s->m, "start");
        function_update(start, u->target, u->v, u->span);
    }
    if (start) take_inputs(start);
}

void finish_init(Sema *s) {
    bool again = true;
    if (!diag_errors(s->c->diags)) build_start(s);
    if (!diag_errors(s->c->diags)) build_stream_begin(s);
    for (int round = 0; again && round < 100; round++) {
        function_rewrite(s->init, in_init, s);
        Values order = function_order(s->init, s->arena);
        again = false;
        for (int i = 0; i < order.n; i++) again |= stands_for_another(s, order.at[i]);
    }
    for (int i = 0; i < s->init->updates.n; i++) {
        const Update *u = &s->init->updates.at[i];
        Function alone = {.m = s->m};
        vec_push(s->arena, &alone.updates, *u);
        Values order = function_order(&alone, s->arena);
        for (int k = 0; k < order.n; k++)
            if (order.at[k]->op == VAL_input && order.at[k]->leaf.fn != s->init)
                fail(s, u->span, "the first value of `%s` depends on the batch",
                     u->target->leaf.name);
    }
}
