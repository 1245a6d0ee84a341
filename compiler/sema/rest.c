// What no entry point runs: definitions that nothing calls are run with arguments that are
// errors, so that what is wrong with them by themselves is found; arguments that nothing
// reads are warned of.
#include "sema/elab.h"

// ---- definitions that were not run

static void bind_lost(Sema *s, const Node *params) {
    for (int i = 0; params && i < params->n; i++) {
        const Node *p = params->kid[i];
        Exp *e = p->kid[1] ? exp_bind(s, expr_plain(s, p->kid[1]), p->span, p->name) : exp_error;
        if (p->kid[0]) e = match_type(s, p->kid[0], exp_error, p->span, p->name);
        frame_set(s, s->frame, VAR_argument, p->name, e, p->name_span);
    }
}

static void run_optimizer(Sema *s, const Node *def) {
    Span at = def->name_span;
    if (def->kid[1]->kid[0]) match_type(s, def->kid[1]->kid[0], exp_error, at, "");
    frame_set(s, s->frame, VAR_argument, def->kid[1]->name, exp_error, at);
    frame_set(s, s->frame, VAR_argument, def->kid[2]->name, exp_error, at);
    frame_set(s, s->frame, VAR_argument, sema_name(s, "t"), exp_error, at);
    run_block(s, def->kid[4]);
}

static void run_lost(Sema *s, const Node *body) {
    if (body->kind == NODE_block)
        run_block(s, body);
    else
        expr_plain(s, body);
}

static void run_alone(Sema *s, const Node *def) {
    Frame *f = frame_push(s, def, def->name_span);
    f->site = arena_printf(s->arena, "alone.%s", def->name);
    f->has_fan = true;
    f->fan_in = f->fan_out = number_int(1);
    bind_lost(s, def->kid[0]);
    if (def->kind == NODE_optimizer) {
        run_optimizer(s, def);
    } else {
        bind_lost(s, def->kid[1]);
        run_lost(s, def->kid[3]);
        if (def->kid[4]) bind_lost(s, def->kid[4]->kid[0]);
        if (def->kid[4]) run_lost(s, def->kid[4]->kid[1]);
    }
    frame_pop(s);
}

static bool is_definition(const Node *n) {
    return n->kind == NODE_layer || n->kind == NODE_fn || n->kind == NODE_loss ||
           n->kind == NODE_metric || n->kind == NODE_optimizer;
}

void run_rest(Sema *s) {
    begin_aside(s, "rest");
    s->is_alone = s->entry->training = true;
    for (int i = 0; i < s->file->n; i++) {
        const Node *n = s->file->kid[i];
        if (map_has(s->uses, n)) continue;
        if (is_definition(n)) run_alone(s, n);
        if (n->kind == NODE_constant) lookup(s, n);
    }
    s->is_alone = false;
    frame_pop(s);
}

// ---- arguments that nothing reads

static bool mentions(const Node *n, Name id, const Node *besides) {
    if (!n || n == besides) return false;
    if (n->kind == NODE_name && n->name == id) return true;
    for (int i = 0; i < n->n; i++)
        if (mentions(n->kid[i], id, besides)) return true;
    return false;
}

// An argument may be there for the sizes that its type names.
static bool gives_sizes(const Node *def, const Node *type) {
    const Node *dims = type ? type->kid[1] : NULL;
    for (int i = 0; dims && i < dims->n; i++) {
        const Node *d = dims->kid[i];
        bool is_size = d->kind == NODE_name && !is_word(d->name, "batch");
        for (int k = 1; is_size && k < def->n; k++) {
            const Node *part = def->kid[k];
            bool is_inside = part && part->kind != NODE_params;
            if (is_inside && mentions(part, d->name, NULL)) return true;
        }
    }
    return type && type->kid[0] && type->kid[0]->kind == NODE_name;
}

static void warn_params(Sema *s, const Node *def, const Node *params) {
    for (int i = 0; params && i < params->n; i++) {
        const Node *p = params->kid[i];
        if (mentions(def, p->name, p) || gives_sizes(def, p->kid[0]) || is_fan(p->name)) continue;
        diag_warning(s->c->diags, p->name_span, "the argument `%s` is never used", p->name);
    }
}

static void warn_arguments(Sema *s) {
    for (int i = 0; i < s->file->n; i++) {
        const Node *n = s->file->kid[i];
        if (is_definition(n) || n->kind == NODE_model) warn_params(s, n, n->kid[0]);
        if (is_definition(n) && n->kind != NODE_optimizer) warn_params(s, n, n->kid[1]);
    }
}

// Where the program is good: a value may be used in what is broken.
void warn_unused(Sema *s) {
    for (int i = 0; i < s->locals.n; i++) {
        const Node *n = s->locals.at[i];
        if (!map_has(s->uses, n))
            diag_warning(s->c->diags, n->name_span, "`%s` is never used", n->name);
    }
    warn_arguments(s);
}
