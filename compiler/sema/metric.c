// The loss, and metrics: what each batch gives of them, and what totals over a split give.
//
// A metric without `total` is a result of the step, which the program averages. One with totals
// is elaborated twice: in the step, each `total(e)` becomes a result total.METRIC.N, the batch's
// sum, and the rest is dropped; in eval_end it reads an input of that name, the split's sum, and
// the metric is the result.
#include <string.h>

#include "sema/elab.h"

static Exp *real_tensor(Sema *s, Exp *e, Type *t, Span at, Name hint) {
    Shape shape = exp_shape(s, e);
    *t = type_scalar(s->m->real);
    t->rank = shape.rank;
    for (int i = 0; i < shape.rank; i++) t->dim[i] = shape.axis[i].dim;
    return fit_type(s, e, t, NULL, at, hint);
}

static Name hint_of(const Node *n) {
    return n->kind == NODE_call ? n->kid[0]->name : NULL;
}

Value *run_loss(Sema *s) {
    const Node *entry = train_entry(s, "loss", 0);
    if (!entry || !one_argument(s, entry)) return NULL;
    const Node *n = entry->kid[0];
    Exp *e = expr_plain(s, n);
    if (is_error(e)) return NULL;
    if (!is_scalar_like(e) || exp_shape(s, e).rank) {
        fail(s, n->span, "the loss must be a scalar, and this is %s", exp_describe(s, e));
        return NULL;
    }
    Type t;
    e = real_tensor(s, e, &t, n->span, hint_of(n));
    if (is_error(e)) return NULL;
    function_result(s->entry->fn, "loss", e->stored.v);
    return e->stored.v;
}

// Does the value depend on an input that counts? One of totals where `of_totals`, else one that is
// no total, no hyper and no whole split.
static bool depends(Sema *s, Value *v, bool of_totals, Map *seen) {
    if (map_has(seen, v)) return false;
    map_set(seen, v, v);
    if (v->op == VAL_input) {
        bool is_total = !strncmp(v->leaf.name, "total.", 6);
        return of_totals ? is_total : !is_total && !find_hyper(s, v->leaf.name) && !is_of_split(s, v);
    }
    Values below = value_operands(v, s->arena);
    for (int i = 0; i < below.n; i++)
        if (depends(s, below.at[i], of_totals, seen)) return true;
    return false;
}

static bool needs_batch(Sema *s, Value *v) {
    return depends(s, v, false, map_new(s->arena));
}

// ---- total(e)

// The sum of e over its axes of the batch's size.
static Exp *sum_of_batch(Sema *s, Exp *e, Span at, Name hint) {
    Shape all = exp_axes(s, e);
    int slot[MAX_SLOTS];
    Reduction r = {.red = RED_sum, .slot = slot, .span = at, .hint = hint};
    r.body = to_real(s, exp_at(s, e, &all));
    for (int i = 0; i < all.rank; i++) {
        if (all.axis[i].dim.by == s->batch) slot[r.nr++] = all.axis[i].slot;
        else r.axes.axis[r.axes.rank++] = all.axis[i];
    }
    if (r.nr) return store_reduction(s, &r);
    return exp_store(s, exp_body(s, r.body, &all), at, hint);
}

Exp *total(Sema *s, Exp *e, Span at) {
    Totals *t = &s->totals;
    if (!t->metric) return fail(s, at, "`total` stands in a metric of a train block");
    if (!is_scalar_like(e))
        return fail(s, at, "`total` takes a tensor, and this is %s", exp_describe(s, e));
    Exp *sum = sum_of_batch(s, e, at, sema_name(s, "total"));
    if (is_error(sum)) return sum;
    if (sum->stored.n_outer || s->frame->is_indexed)
        return fail(s, at, "`total` can't stand at an index: give the tensor a name before");
    Value *v = sum->stored.v;
    if (t->is_end && depends(s, v, true, map_new(s->arena)))
        return fail(s, at, "a `total` inside another: what it sums is summed over all rows already");
    if (!t->is_end && !needs_batch(s, v))
        return fail(s, at, "`total` sums over the rows of a split, and this is the same for all of them");
    Name id = sema_name(s, arena_printf(s->arena, "total.%s.%d", t->metric, ++t->n));
    if (t->is_end) return exp_stored(s, build_input(s->entry->fn, id, sum->stored.v->type, at));
    function_result(s->entry->fn, id, sum->stored.v);
    return sum;
}

// ---- metrics

static const Node *head_of(const Node *n) {
    while (n->kind == NODE_call || n->kind == NODE_subscript) n = n->kid[0];
    return n;
}

static Name metric_base(Sema *s, const Node *entry) {
    const Node *n = head_of(entry->kid[0]);
    return n->kind == NODE_name || n->kind == NODE_member ? n->name : sema_name(s, "metric");
}

static Name metric_name(Sema *s, const Node *entry) {
    Name base = metric_base(s, entry);
    int before = 0;
    for (int i = 0; train_entry(s, "metric", i) != entry; i++)
        before += metric_base(s, train_entry(s, "metric", i)) == base;
    return before ? sema_name(s, arena_printf(s->arena, "%s#%d", base, before + 1)) : base;
}

// Elements of a metric are the same for every batch.
static Exp *metric_value(Sema *s, const Node *n, Name id) {
    enum { MOST_AXES = 2 };
    s->totals.metric = id;
    s->totals.n = 0;
    Exp *e = expr_plain(s, n);
    s->totals.metric = NULL;
    if (is_error(e)) return e;
    if (!is_scalar_like(e))
        return fail(s, n->span, "a metric must be a tensor, and this is %s", exp_describe(s, e));
    Shape shape = exp_shape(s, e);
    bool by_batch = false;
    for (int i = 0; i < shape.rank; i++) by_batch |= shape.axis[i].dim.by != NULL;
    if (by_batch)
        return fail(s, n->span,
                    "a metric has no axis of the batch, and this is %s: `mean[...]` or `total(...)` "
                    "takes it away", exp_describe(s, e));
    if (shape.rank > MOST_AXES)
        return fail(s, n->span, "a metric has two axes at most, and this is %s", exp_describe(s, e));
    Type t;
    return real_tensor(s, e, &t, n->span, hint_of(n));
}

static void note_metric(Sema *s, Name id) {
    for (int k = 0; k < s->spec->metrics.n; k++)
        if (s->spec->metrics.at[k] == id) return;
    vec_push(s->arena, &s->spec->metrics, id);
}

void run_metrics(Sema *s) {
    const Node *entry;
    for (int i = 0; (entry = train_entry(s, "metric", i)); i++) {
        if (!one_argument(s, entry)) continue;
        Name id = metric_name(s, entry);
        note_metric(s, id);
        Exp *e = metric_value(s, entry->kid[0], id);
        if (is_error(e)) continue;
        if (s->totals.n) map_set(s->totalled, entry, (void *)entry);
        else function_result(s->entry->fn, id, e->stored.v);
    }
}

bool has_totals(const Sema *s) {
    return s->totalled->n > 0;
}

void run_totalled(Sema *s) {
    const Node *entry;
    s->totals.is_end = true;
    for (int i = 0; (entry = train_entry(s, "metric", i)); i++) {
        if (!map_has(s->totalled, entry)) continue;
        Name id = metric_name(s, entry);
        Exp *e = metric_value(s, entry->kid[0], id);
        if (is_error(e)) continue;
        if (needs_batch(s, e->stored.v))
            fail(s, entry->kid[0]->span,
                 "in a metric of totals, what depends on the batch stands inside `total(...)`");
        function_result(s->entry->fn, id, e->stored.v);
    }
    s->totals.is_end = false;
}

// ---- the model's results

Name result_name(Sema *s, const Exp *e, int i) {
    if (e->kind == EXP_tuple && e->list.name && e->list.name[i]) return e->list.name[i];
    if (e->kind == EXP_tuple) return sema_name(s, arena_printf(s->arena, "output%d", i + 1));
    const Node *returns = s->model->kid[1];
    bool has_name = returns->n == 1 && returns->kid[0]->name;
    return has_name ? returns->kid[0]->name : sema_name(s, "output");
}

static Exp *given_result(Sema *s, const Exp *e, Exp *part, int i) {
    if (part->kind != EXP_stored) return part;
    Value *v = part->stored.v;
    const char *id = arena_printf(s->arena, "model.%s", result_name(s, e, i));
    return exp_stored(s, build_input(s->entry->fn, id, v->type, v->span));
}

void give_output(Sema *s) {
    Var *output = frame_var(s->frame, sema_name(s, "output"));
    Exp *e = output->e;
    if (e->kind != EXP_tuple) {
        output->e = given_result(s, e, e, 0);
        return;
    }
    Exp **at = NEW_ARRAY(s->arena, Exp *, e->list.n + 1);
    for (int i = 0; i < e->list.n; i++) at[i] = given_result(s, e, e->list.at[i], i);
    output->e = exp_list(s, EXP_tuple, e->list.n, at);
    output->e->list.name = e->list.name;
}
