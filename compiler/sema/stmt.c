// Statements.
#include "sema/elab.h"

// ---- what an error leaves out: the names that it would define silence what follows

static void lose(Sema *s, const Node *n);

static void lose_from(Sema *s, const Node *n, int first) {
    for (int i = first; i < n->n; i++) lose(s, n->kid[i]);
}

static void lose(Sema *s, const Node *n) {
    if (!n) return;
    s->calls_lost = true;
    switch (n->kind) {
        case NODE_name:
        case NODE_carry:
        case NODE_typed: lose_name(s, n); return;
        case NODE_subscript:
        case NODE_assign:
        case NODE_add_to:
        case NODE_param_def:
        case NODE_state_def: lose(s, n->kid[0]); return;
        case NODE_names:
        case NODE_targets:
        case NODE_carries:
        case NODE_block: lose_from(s, n, 0); return;
        case NODE_for_in:
        case NODE_for_below:
        case NODE_scan:
        case NODE_scan_over:
        case NODE_if: lose_from(s, n, 1); return;
        case NODE_return: s->frame->return_lost = true; return;
        case NODE_require: return;
        case NODE_broken:
            lose_from(s, n, 0);
            s->frame->return_lost = true;
            s->frame->names_lost |= n->n == 0 && !is_word(n->text, "return");
            return;
        default: s->frame->names_lost = true;
    }
}

static void run_pending(Sema *s, const Node *n, const char *what) {
    not_compiled(s, n->span, what);
    lose(s, n);
}

// ---- assignment

static void assign(Sema *s, const Node *target, Exp *e) {
    if (!may_assign(s, target)) return;
    Var *v = frame_var(s->frame, target->name);
    if (v && v->kind == VAR_kept) {
        map_set(s->uses, target, v);
        return kept_update(s, v->kept, e, target->span);
    }
    if (e->kind == EXP_instance) name_instance(s, e->instance, target->name);
    frame_define(s, target, e);
    if (is_error(e)) map_set(s->uses, target, e);
}

static void check_holdable(Sema *s, Exp **e, Span at) {
    if ((*e)->kind == EXP_tuple && (*e)->list.n == 0) *e = fail(s, at, "this gives nothing");
}

static void assign_one(Sema *s, const Node *target, const Node *rhs) {
    if (is_collected(s, target)) {
        if (may_assign(s, target->kid[0])) collect(s, target, rhs);
        return;
    }
    if (target->kind == NODE_subscript) {
        assign(s, target->kid[0], define_indexed(s, target, rhs));
        return;
    }
    Exp *e = exp_bind(s, expr_plain(s, rhs), rhs->span, target->name);
    check_holdable(s, &e, rhs->span);
    assign(s, target, e);
}

static void assign_several(Sema *s, const Node *targets, const Node *rhs) {
    Exp *e = expr_plain(s, rhs);
    bool fits = e->kind == EXP_tuple && e->list.n == targets->n;
    if (!fits && !is_error(e))
        fail(s, rhs->span, "%d names on the left, and this is %s", targets->n, exp_describe(s, e));
    for (int i = 0; i < targets->n; i++) {
        const Node *target = targets->kid[i];
        if (target->kind != NODE_name) {
            fail(s, target->span, "several targets are names");
            continue;
        }
        assign(s, target, fits ? exp_bind(s, e->list.at[i], rhs->span, target->name) : exp_error);
        map_set(s->uses, target, e);  // one of several results may stay unused
    }
}

// The parser has reported any other target.
static bool is_target(const Node *n) {
    return n->kind == NODE_name || (n->kind == NODE_subscript && n->kid[0]->kind == NODE_name);
}

static void run_assign(Sema *s, const Node *n) {
    const Node *targets = n->kid[0];
    for (int i = 0; i < targets->n; i++)
        if (!is_target(targets->kid[i])) return lose(s, targets);
    if (targets->n == 1)
        assign_one(s, targets->kid[0], n->kid[1]);
    else
        assign_several(s, targets, n->kid[1]);
}

static void run_typed(Sema *s, const Node *n) {
    Type t;
    Span from[MAX_RANK];
    bool is_good = eval_type(s, n->kid[0], &t, from);
    Exp *e = expr_plain(s, n->kid[1]);
    e = is_good ? fit_type(s, e, &t, from, n->kid[1]->span, n->name) : exp_error;
    assign(s, n, e);
}

// ---- an `if` on a run-time scalar: both sides run, and what they assign is selected

Map *map_copy(Sema *s, const Map *from) {
    Map *to = map_new(s->arena);
    for (int i = 0; i < from->n; i++) map_set_int(to, from->key[i], from->value[i]);
    return to;
}

// What one side leaves behind.
typedef struct Side {
    Map *vars, *version;
    bool returned;
} Side;

static bool run_other(Sema *s, const Node *other);

static Side run_side(Sema *s, const Node *block, Scalar *condition, bool holds) {
    Map *vars = s->frame->vars, *version = s->entry->version;
    int n_known = s->known.n;
    Side side = {map_copy(s, vars), map_copy(s, version), false};
    s->frame->vars = side.vars;
    s->entry->version = side.version;
    claims_of(s, condition, holds, &s->known);
    side.returned = holds ? run_block(s, block) : run_other(s, block);
    s->known.n = n_known;
    s->frame->vars = vars;
    s->entry->version = version;
    return side;
}

static Exp *select_terms(Sema *s, Exp *c, Exp *a, Exp *b, const Node *n, Name hint) {
    Exp *e[] = {c, a, b};
    Span span[] = {n->kid[0]->span, n->kid[1]->span, n->kid[2] ? n->kid[2]->span : n->span};
    Shape shape;
    if (is_error(a) || is_error(b)) return exp_error;
    if (!broadcast(s, n->span, e, span, 3, &shape)) return exp_error;
    Scalar *x = exp_at(s, e[1], &shape), *y = exp_at(s, e[2], &shape);
    if (x->elem != y->elem) as_numbers(s, &x, &y, false);
    Exp *chosen = exp_body(s, scalar_select(s->m, exp_at(s, e[0], &shape), x, y), &shape);
    return exp_bind(s, chosen, n->span, hint);
}

static void merge_vars(Sema *s, Exp *c, const Side *then, const Side *other, const Node *n) {
    for (int i = 0; i < then->vars->n; i++) {
        Name id = (Name)(uintptr_t)then->vars->key[i];
        Var *a = then->vars->value[i], *b = map_get(other->vars, id);
        if (!a || !b || a->kind == VAR_kept || !a->e || !b->e || a->e == b->e) {
            if (a == b && a) map_set(s->frame->vars, id, a);
            continue;
        }
        Exp *e = exp_error;
        if (a->node) map_set(s->uses, a->node, a);
        if (b->node) map_set(s->uses, b->node, b);
        if (is_scalar_like(a->e) && is_scalar_like(b->e))
            e = select_terms(s, c, a->e, b->e, n, id);
        else if (!is_error(a->e) && !is_error(b->e))
            fail(s, n->kid[0]->span, "`%s` depends on this, and must be known when compiled", id);
        frame_set(s, s->frame, VAR_local, id, e, a->span)->node = a->node;
    }
}

static void merge_versions(Sema *s, Exp *c, const Side *then, const Side *other, const Node *n) {
    const Map *of[] = {then->version, other->version};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < of[k]->n; i++) {
            Value *leaf = (Value *)(uintptr_t)of[k]->key[i],
                  *before = map_get(s->entry->version, leaf);
            Value *a = map_get(then->version, leaf), *b = map_get(other->version, leaf);
            if (!before) before = leaf;
            if (!a) a = before;
            if (!b) b = before;
            if (a == b || (k && map_has(of[0], leaf))) continue;
            Exp *e = select_terms(s, c, exp_stored(s, a), exp_stored(s, b), n, NULL);
            if (!is_error(e))
                map_set(s->entry->version, leaf, exp_store(s, e, n->span, NULL)->stored.v);
        }
}

static void run_select(Sema *s, const Node *n, Exp *c) {
    c = exp_bind(s, c, n->kid[0]->span, NULL);
    Scalar *condition = exp_at(s, c, &(Shape){0});
    Side then = run_side(s, n->kid[1], condition, true);
    Side other = run_side(s, n->kid[2], condition, false);
    if (then.returned || other.returned) {
        run_pending(s, n, "a `return` under a run-time `if` is");
        return;
    }
    merge_vars(s, c, &then, &other, n);
    merge_versions(s, c, &then, &other, n);
}

// ---- control

static Exp *return_value(Sema *s, const Node *args) {
    Exp **at = NEW_ARRAY(s->arena, Exp *, args->n);
    for (int i = 0; i < args->n; i++) {
        const Node *arg = args->kid[i]->kind == NODE_named ? args->kid[i]->kid[0] : args->kid[i];
        at[i] = expr_plain(s, arg);
        if (args->n > 1) at[i] = exp_bind(s, at[i], arg->span, NULL);
    }
    return args->n == 1 ? at[0] : exp_list(s, EXP_tuple, args->n, at);
}

static bool run_return(Sema *s, const Node *n) {
    s->frame->result_span = n->kid[0]->span;
    s->frame->result = return_value(s, n->kid[0]);
    return true;
}

// The first argument of the definition that the condition names.
static const Var *argument_in(Sema *s, const Node *n) {
    const Var *v = n->kind == NODE_name ? frame_var(s->frame, n->name) : NULL;
    if (v && v->kind == VAR_argument) return v;
    for (int i = 0; i < n->n; i++)
        if (n->kid[i] && (v = argument_in(s, n->kid[i]))) return v;
    return NULL;
}

// What depends on what only a run knows is not checked.
static void run_require(Sema *s, const Node *n) {
    Exp *c = expr_plain(s, n->kid[0]);
    bool is_truth = c->kind == EXP_bool || (is_tensor(c) && exp_elem(s, c) == ELEM_bool);
    if (!is_truth && !is_error(c))
        fail(s, n->kid[0]->span, "`require` takes a truth value, and this is %s", exp_describe(s, c));
    if (c->kind != EXP_bool || c->truth) return;
    const Var *v = argument_in(s, n->kid[0]);
    const char *is = v && v->e && v->e->kind == EXP_number
                         ? arena_printf(s->arena, ", and `%s` is %g", v->name, number_value(v->e->number))
                         : "";
    Diag *d = sema_error(s, v && v->given.file ? v->given : n->span, "%s%s", n->kid[1]->text, is);
    diag_note(d, n->kid[0]->span, "`%s` asks for this", s->frame->def->name);
}

static bool run_if(Sema *s, const Node *n);

// `else`, or `else if`, or nothing.
static bool run_other(Sema *s, const Node *other) {
    if (!other) return false;
    return other->kind == NODE_if ? run_if(s, other) : run_block(s, other);
}

static bool run_if(Sema *s, const Node *n) {
    Exp *c = expr_plain(s, n->kid[0]);
    if (is_error(c)) return lose(s, n), false;
    if (c->kind == EXP_bool) return c->truth ? run_block(s, n->kid[1]) : run_other(s, n->kid[2]);
    if (!is_tensor(c) || exp_elem(s, c) != ELEM_bool || exp_shape(s, c).rank) {
        fail(s, n->kid[0]->span, "`if` takes a truth value, and this is %s", exp_describe(s, c));
        return lose(s, n), false;
    }
    fix_hypers(s, c);
    run_select(s, n, c);
    return false;
}

static void run_add_to(Sema *s, const Node *n) {
    const Node *target = n->kid[0];
    if (!is_target(target)) return;
    if (target->kind != NODE_subscript) {
        Exp *before = lookup(s, target);
        Exp *e = arithmetic(s, "+", before, expr_plain(s, n->kid[1]), n->kid[1]);
        assign(s, target, exp_bind(s, e, n->span, target->name));
        return;
    }
    Exp *e = scatter(s, target, n->kid[1]);
    assign(s, target->kid[0], e);
    map_set(s->uses, target->kid[0], e);
}

// The loop's name lives in the loop.
static bool run_loop(Sema *s, const Node *n, int count, Exp *const *item, const Node *block) {
    Var *outside = frame_var(s->frame, n->name);
    bool returned = false;
    for (int i = 0; i < count && !returned; i++) {
        Exp *e = item ? item[i] : exp_int(s, i);
        frame_set(s, s->frame, VAR_local, n->name, e, n->name_span);
        returned = run_block(s, block);
    }
    map_set(s->frame->vars, n->name, outside);
    return returned;
}

static bool run_for_in(Sema *s, const Node *n) {
    const Node *over = n->kid[0];
    Exp *e = expr_plain(s, over);
    if (!is_error(e) && e->kind != EXP_list)
        fail(s, over->span, "`for ... in` takes a list, and this is %s", exp_describe(s, e));
    if (e->kind != EXP_list) return lose(s, n), false;
    return run_loop(s, n, e->list.n, e->list.at, n->kid[1]);
}

// `for d < reach { x[...] += ... }` is a loop axis, not unrolled.
static bool only_scatters(const Node *block) {
    for (int i = 0; i < block->n; i++)
        if (block->kid[i]->kind != NODE_add_to || block->kid[i]->kid[0]->kind != NODE_subscript)
            return false;
    return block->n > 0;
}

static bool run_scatters(Sema *s, const Node *n) {
    Binding *outside = s->frame->binding;
    Binding *own = bind_index(s, n->name, n->name_span, n->kid[0]);
    for (int i = 0; i < n->kid[1]->n; i++) {
        if (s->slots.at[own->slot].is_known) run_add_to(s, n->kid[1]->kid[i]);
    }
    s->frame->binding = outside;
    return false;
}

static bool run_for_below(Sema *s, const Node *n) {
    int64_t count;
    if (only_scatters(n->kid[1])) return run_scatters(s, n);
    bool is_good = need_int(s, n->kid[0], &count);
    if (is_good && count > 1 << 16) {
        fail(s, n->kid[0]->span, "too many rounds to unroll");
        is_good = false;
    }
    if (!is_good) return lose(s, n), false;
    return run_loop(s, n, (int)count, NULL, n->kid[1]);
}

// ---- dispatch

static bool run(Sema *s, const Node *n) {
    switch (n->kind) {
        case NODE_param_def: define_param(s, n); return false;
        case NODE_state_def: define_state(s, n); return false;
        case NODE_typed: run_typed(s, n); return false;
        case NODE_assign: run_assign(s, n); return false;
        case NODE_add_to: run_add_to(s, n); return false;
        case NODE_require: run_require(s, n); return false;
        case NODE_return: return run_return(s, n);
        case NODE_for_in: return run_for_in(s, n);
        case NODE_for_below: return run_for_below(s, n);
        case NODE_scan:
        case NODE_scan_over:
            if (!run_scan(s, n)) lose(s, n);
            return false;
        case NODE_if: return run_if(s, n);
        case NODE_broken: lose(s, n); return false;
        default: fail(s, n->span, "this is no statement"); return false;
    }
}

// Slots live as long as the statement that made them; a result is still to be used.
bool run_block(Sema *s, const Node *block) {
    for (int i = 0; i < block->n; i++) {
        int n_slot = s->slots.n;
        if (run(s, block->kid[i])) {
            bool is_cut = block->kid[i]->kind == NODE_return && i + 1 < block->n;
            if (is_cut && !s->frame->is_library)
                diag_warning(s->c->diags, block->kid[i + 1]->span, "this is never reached");
            return true;
        }
        s->slots.n = n_slot;
    }
    return false;
}
