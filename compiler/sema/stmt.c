// Statements.
#include "sema/elab.h"

// ---- assignment

static void assign(Sema *s, const Node *target, Exp *e) {
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

static void run_assign(Sema *s, const Node *n) {
    const Node *targets = n->kid[0];
    if (targets->n == 1) assign_one(s, targets->kid[0], n->kid[1]);
    else assign_several(s, targets, n->kid[1]);
}

static void run_typed(Sema *s, const Node *n) {
    Type t;
    Span from[MAX_RANK];
    bool is_good = eval_type(s, n->kid[0], &t, from);
    Exp *e = expr_plain(s, n->kid[1]);
    e = is_good ? fit_type(s, e, &t, from, n->kid[1]->span, n->name) : exp_error;
    assign(s, n, e);
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

static bool run_if(Sema *s, const Node *n) {
    Exp *c = expr_plain(s, n->kid[0]);
    const Node *other = n->kid[2];
    if (is_error(c)) return false;
    if (c->kind != EXP_bool) {
        if (is_tensor(c)) fix_hypers(s, c);
        if (is_tensor(c)) not_compiled(s, n->kid[0]->span, "an `if` statement on a run-time value is");
        else fail(s, n->kid[0]->span, "`if` takes a truth value, and this is %s", exp_describe(s, c));
        return false;
    }
    if (c->truth) return run_block(s, n->kid[1]);
    if (!other) return false;
    return other->kind == NODE_if ? run_if(s, other) : run_block(s, other);
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
    if (is_error(e)) return false;
    if (e->kind != EXP_list) {
        fail(s, over->span, "`for ... in` takes a list, and this is %s", exp_describe(s, e));
        return false;
    }
    return run_loop(s, n, e->list.n, e->list.at, n->kid[1]);
}

static bool run_for_below(Sema *s, const Node *n) {
    int64_t count;
    if (!need_int(s, n->kid[0], &count)) return false;
    if (count > 1 << 16) return fail(s, n->kid[0]->span, "too many rounds to unroll"), false;
    return run_loop(s, n, (int)count, NULL, n->kid[1]);
}

// ---- what is not compiled yet: the names that it would define silence what follows

static void define_lost(Sema *s, const Node *n) {
    if (!n) return;
    const Node *target = NULL;
    if (n->kind == NODE_carry || n->kind == NODE_typed) target = n;
    if (n->kind == NODE_targets)
        for (int i = 0; i < n->n; i++)
            define_lost(s, n->kid[i]->kind == NODE_subscript ? n->kid[i]->kid[0] : n->kid[i]);
    if (n->kind == NODE_name) target = n;
    if (target) frame_set(s, s->frame, VAR_local, target->name, exp_error, target->span);
    bool has_targets = n->kind == NODE_block || n->kind == NODE_carries || n->kind == NODE_assign ||
                       n->kind == NODE_if || n->kind == NODE_for_in || n->kind == NODE_for_below;
    bool skips_first = n->kind == NODE_if || n->kind == NODE_for_in || n->kind == NODE_for_below;
    int end = n->kind == NODE_assign ? 1 : n->n;
    for (int i = skips_first; has_targets && i < end; i++) define_lost(s, n->kid[i]);
}

static void run_lost(Sema *s, const Node *n, const char *what) {
    not_compiled(s, n->span, what);
    for (int i = 0; i < n->n; i++) {
        const Node *kid = n->kid[i];
        if (kid->kind == NODE_block || kid->kind == NODE_carries) define_lost(s, kid);
        if (n->kind == NODE_add_to && i == 0)
            define_lost(s, kid->kind == NODE_subscript ? kid->kid[0] : kid);
    }
}

// ---- dispatch

static bool run(Sema *s, const Node *n) {
    switch (n->kind) {
        case NODE_param_def: define_param(s, n); return false;
        case NODE_state_def: define_state(s, n); return false;
        case NODE_typed: run_typed(s, n); return false;
        case NODE_assign: run_assign(s, n); return false;
        case NODE_add_to: run_lost(s, n, "`+=` is"); return false;
        case NODE_return: return run_return(s, n);
        case NODE_for_in: return run_for_in(s, n);
        case NODE_for_below: return run_for_below(s, n);
        case NODE_scan:
        case NODE_scan_over: run_lost(s, n, "`scan` is"); return false;
        case NODE_if: return run_if(s, n);
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
