// Calls: arguments, frames, bodies.
#include <string.h>

#include "sema/elab.h"

// ---- arguments

static Exp *argument(Sema *s, const Node *n) {
    Exp *e = s->frame->is_indexed ? expr(s, n) : expr_plain(s, n);
    return exp_bind(s, e, n->span, NULL);
}

Arg eval_arg(Sema *s, const Node *n) {
    bool is_named = n->kind == NODE_named;
    const Node *value = is_named ? n->kid[0] : n;
    return (Arg){.name = is_named ? n->name : NULL,
                 .e = argument(s, value),
                 .span = is_named ? n->name_span : n->span,
                 .value_span = value->span};
}

Args eval_args(Sema *s, const Node *args) {
    Args out = {args->n, NEW_ARRAY(s->arena, Arg, args->n + 1)};
    for (int i = 0; i < args->n; i++) out.at[i] = eval_arg(s, args->kid[i]);
    return out;
}

bool is_fan(Name id) {
    return is_word(id, "fan_in") || is_word(id, "fan_out");
}

static int find_param(const Node *params, Name id) {
    for (int i = 0; i < params->n; i++)
        if (params->kid[i]->name == id) return i;
    return -1;
}

static void report_unknown(Sema *s, const Node *params, const Arg *a, const char *what) {
    const char **names = NEW_ARRAY(s->arena, const char *, params->n + 1);
    for (int i = 0; i < params->n; i++) names[i] = params->kid[i]->name;
    Diag *d = sema_error(s, a->span, "%s has no argument `%s`", what, a->name);
    const char *best = nearest(a->name, names, params->n);
    if (best) diag_help(d, "did you mean `%s`?", best);
}

// Which argument goes to which parameter; false after an error.
static bool place_args(Sema *s, const Node *params, Args args, const char *what,
                       const Arg **given) {
    bool is_good = true;
    int next = 0;
    for (int i = 0; i < args.n; i++) {
        const Arg *a = &args.at[i];
        int k = a->name ? find_param(params, a->name) : next;
        if (!a->name && next < params->n) next++;
        if (a->name && k < 0 && is_fan(a->name)) continue;  // an initializer that does not ask
        if (a->name && k < 0) {
            report_unknown(s, params, a, what);
            is_good = false;
        } else if (!a->name && k >= params->n) {
            fail(s, a->span, "%s takes %d argument%s, and this is one more", what, params->n,
                 params->n == 1 ? "" : "s");
            is_good = false;
        } else if (given[k]) {
            fail(s, a->span, "`%s` is given twice", params->kid[k]->name);
            is_good = false;
        } else {
            given[k] = a;
        }
    }
    return is_good;
}

// fan_in and fan_out that nobody gave are those of the parameter that is drawn.
static Exp *default_fan(Sema *s, Name id) {
    for (const Frame *f = s->frame; f && is_fan(id); f = f->up)
        if (f->has_fan) return exp_number(s, is_word(id, "fan_in") ? f->fan_in : f->fan_out);
    return NULL;
}

static Exp *default_value(Sema *s, const Node *param, Span at, const char *what) {
    Exp *fan = default_fan(s, param->name);
    if (fan) return fan;
    if (param->kid[1]) return exp_bind(s, expr_plain(s, param->kid[1]), param->span, param->name);
    Diag *d = sema_error(s, at, "%s needs the argument `%s`", what, param->name);
    diag_note(d, param->span, "`%s` is declared here", param->name);
    return exp_error;
}

// Configuration is checked where it is given, even if what is configured is never called.
bool check_config(Sema *s, const Node *def, Args config, Span at) {
    const Node *params = def->kid[0];
    const Arg **given = NEW_ARRAY(s->arena, const Arg *, params->n + 1);
    const char *what = arena_printf(s->arena, "`%s`", def->name);
    bool is_good = place_args(s, params, config, what, given);
    for (int i = 0; i < params->n && is_good; i++) {
        const Node *p = params->kid[i];
        if (given[i] || p->kid[1] || default_fan(s, p->name)) continue;
        is_good = !is_error(default_value(s, p, at, what));
    }
    return is_good;
}

void bind_params(Sema *s, const Node *params, Args args, Span at, const char *what) {
    const Arg **given = NEW_ARRAY(s->arena, const Arg *, params->n + 1);
    bool is_good = place_args(s, params, args, what, given);
    for (int i = 0; i < params->n; i++) {
        const Node *p = params->kid[i];
        Exp *e = given[i] ? given[i]->e : is_good ? default_value(s, p, at, what) : exp_error;
        Span from = given[i] ? given[i]->value_span : at;
        if (p->kid[0])
            e = match_type(s, p->kid[0], e, from, arena_printf(s->arena, "`%s`", p->name));
        Var *v = frame_set(s, s->frame, VAR_argument, p->name, e, p->name_span);
        if (given[i]) v->given = given[i]->value_span;
    }
}

// ---- bodies

static Exp *named_results(Sema *s, Exp *e, const Node *returns) {
    if (e->kind != EXP_tuple || e->list.name) return e;
    Exp *named = exp_list(s, EXP_tuple, e->list.n, e->list.at);
    named->list.name = NEW_ARRAY(s->arena, Name, e->list.n);
    for (int i = 0; i < returns->n && i < e->list.n; i++)
        named->list.name[i] = returns->kid[i]->name;
    return named;
}

static Exp *match_results(Sema *s, Exp *e, const Node *returns, Span at) {
    if (!returns->n || is_error(e)) return e;
    if (returns->n == 1 && e->kind != EXP_tuple)
        return match_type(s, returns->kid[0]->kid[0], e, at, "the result");
    if (e->kind != EXP_tuple || e->list.n != returns->n)
        return fail(s, at, "%d results are declared, and this is %s", returns->n,
                    exp_describe(s, e));
    for (int i = 0; i < e->list.n; i++) {
        const char *what = arena_printf(s->arena, "result %d", i + 1);
        e->list.at[i] = match_type(s, returns->kid[i]->kid[0], e->list.at[i], at, what);
    }
    return named_results(s, e, returns);
}

// After an error inside, the callers go on with what is declared.
static Exp *declared_results(Sema *s, const Node *returns) {
    Exp **at = NEW_ARRAY(s->arena, Exp *, returns->n + 1);
    s->calls_lost = true;
    if (s->frame->is_library || !returns->n) return exp_error;
    for (int i = 0; i < returns->n; i++)
        at[i] = stand_in(s, returns->kid[i]->kid[0], returns->kid[i]->span);
    if (returns->n == 1) return at[0];
    return named_results(s, exp_list(s, EXP_tuple, returns->n, at), returns);
}

Exp *run_body(Sema *s, const Node *body, const Node *returns) {
    Frame *f = s->frame;
    f->result = exp_error;
    f->result_span = body->span;
    if (body->kind != NODE_block)
        f->result = expr_plain(s, body);
    else if (!run_block(s, body) && !f->return_lost)
        fail(s, body->span, "`%s` returns nothing", f->def->name);
    s->result_span = f->result_span;
    if (is_error(f->result)) return declared_results(s, returns);
    return match_results(s, f->result, returns, f->result_span);
}

// The path of calls to here, which tells draws apart.
const char *site_below(Sema *s, Name what, Span at) {
    Frame *f = s->frame;
    uint64_t key = (uint64_t)at.begin;
    uintptr_t times = (uintptr_t)map_get_int(f->occurrence, key) + 1;
    map_set_int(f->occurrence, key, (void *)times);
    return arena_printf(s->arena, "%s/%s@%d.%d", f->site, what, at.begin, (int)times);
}

Exp *run_def(Sema *s, const Node *def, Args config, Args args, Span at, LayerScope *layers) {
    if (s->depth >= MAX_CALLS) {
        Diag *d = sema_error(s, at, "calls are nested too deeply");
        diag_note(d, def->name_span, "`%s` is called inside itself", def->name);
        return exp_error;
    }
    bool is_model = def->kind == NODE_model;
    const Node *tensors = is_model ? NULL : def->kid[1];
    const Node *returns = def->kid[is_model ? 1 : 2], *body = def->kid[is_model ? 2 : 3];
    bool is_own = !is_model && def->kid[4];
    map_set(s->uses, def, (void *)def);
    const char *site = site_below(s, def->name, at);
    const char *what = arena_printf(s->arena, "`%s`", def->name);
    int n_errors = diag_errors(s->c->diags);
    s->depth++;
    Frame *f = frame_push(s, def, at);
    f->site = site;
    if (layers) f->layers = layers;
    bind_params(s, def->kid[0], tensors ? config : args, at, what);
    if (tensors) bind_params(s, tensors, args, at, what);
    bool is_bad = diag_errors(s->c->diags) != n_errors && f->is_library;
    s->calls_lost |= is_bad;
    OwnCall *own = is_own && !is_bad ? begin_own(s, def) : NULL;
    Exp *e = is_bad ? exp_error : run_body(s, body, returns);
    if (is_own) e = end_own(s, own, e);
    frame_pop(s);
    s->depth--;
    return e;
}

// ---- what can be called

static Exp *with_config(Sema *s, const Node *def, Args config, Span at) {
    if (!check_config(s, def, config, at)) return exp_error;
    if (def->kind == NODE_layer) return make_instance(s, def, config);
    Exp *e = NEW(s->arena, Exp);
    e->kind = EXP_callable;
    e->callable.def = def;
    e->callable.has_config = true;
    e->callable.config = config;
    return e;
}

static Exp *apply_callable(Sema *s, Exp *f, Args args, Span at) {
    const Node *def = f->callable.def;
    if (def->kind == NODE_optimizer)
        return fail(s, at, "the optimizer `%s` stands in the train entry `optimizer`", def->name);
    if (def->kid[1] && !f->callable.has_config) return with_config(s, def, args, at);
    if (def->kind != NODE_layer) return run_def(s, def, f->callable.config, args, at, NULL);
    Exp *instance = make_instance(s, def, (Args){0});
    return args.n ? call_instance(s, instance->instance, args, at) : instance;
}

// A fixed initial value may stand where an initializer does: `init(fan_in = n)` of 0.
static bool only_fans(Args args) {
    for (int i = 0; i < args.n; i++)
        if (!args.at[i].name || !is_fan(args.at[i].name)) return false;
    return true;
}

Exp *apply(Sema *s, Exp *f, Args args, Span at, Span callee) {
    for (int i = 0; i < args.n; i++)
        if (is_error(args.at[i].e)) return s->calls_lost = true, exp_error;
    switch (f->kind) {
        case EXP_error: return f;
        case EXP_callable: return apply_callable(s, f, args, at);
        case EXP_instance: return call_instance(s, f->instance, args, at);
        case EXP_builtin: return apply_builtin(s, f->builtin, args, at);
        default:
            if (is_scalar_like(f) && only_fans(args)) return f;
            return fail(s, callee, "%s can't be called", exp_describe(s, f));
    }
}

// x |> f is f(x); a bare name of what takes configuration first takes none here.
Exp *apply_pipe(Sema *s, Exp *f, Exp *x, Span x_span, Span at, Span callee) {
    if (f->kind == EXP_callable && f->callable.def->kind != NODE_optimizer &&
        f->callable.def->kid[1] && !f->callable.has_config)
        f = with_config(s, f->callable.def, (Args){0}, callee);
    if (is_error(f)) return f;
    Arg one = {NULL, x, x_span, x_span};
    if (is_scalar_like(f)) return fail(s, callee, "%s can't be called", exp_describe(s, f));
    return apply(s, f, (Args){1, &one}, f->kind == EXP_builtin ? at : callee, callee);
}

Exp *call(Sema *s, const Node *n) {
    const Node *callee = n->kid[0];
    Exp *field = field_call(s, n);
    if (field) return field;
    Exp *f = expr(s, callee);
    if (s->being.node && is_error(f)) return f;  // its arguments may have been columns
    if (f->kind == EXP_builtin) return call_builtin(s, f->builtin, n);
    Args args = eval_args(s, n->kid[1]);
    return apply(s, f, args, n->span, callee->span);
}
