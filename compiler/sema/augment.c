// `augment image = image |> random_flip`: what becomes of fields while training.
#include "sema/elab.h"

static const Node *target_of(const Node *entry, int i) {
    const Node *n = entry->kid[i];
    bool is_last = i == entry_args(entry) - 1;
    return n->kind == (is_last ? NODE_named : NODE_name) ? n : NULL;
}

static bool are_fields(Sema *s, const Node *entry) {
    for (int i = 0; i < entry_args(entry); i++) {
        const Node *n = target_of(entry, i);
        if (!n) {
            fail(s, entry->span, "`augment` says what becomes of fields: `augment x = noise(0.1)(x)`");
            return false;
        }
        if (map_has(s->fields, n->name)) continue;
        Span at = n->kind == NODE_named ? n->name_span : n->span;
        if (!s->frame->names_lost)
            fail(s, at, "the data block `%s` has no field `%s`", s->train->text, n->name);
        return false;
    }
    return true;
}

// A number is that of all rows.
static bool has_rows(Sema *s, const Exp *e) {
    Shape shape = exp_shape(s, e);
    return shape.rank == 0 || shape.axis[0].dim.by == s->batch;
}

static void set_field(Sema *s, Name id, Exp *e, Span at) {
    Var *field = frame_var(s->frame, id);
    if (!field->e) field->e = field_value(s, field->node);
    Type row;
    Span from[MAX_RANK + 1];
    bool is_good = !is_error(e) && !is_error(field->e);
    if (is_good && is_tensor(e) && !has_rows(s, e)) {
        e = fail(s, at, "`%s` has a row for each sample, and this has no axis of the batch: %s", id,
                 exp_describe(s, e));
        is_good = false;
    }
    if (is_good && eval_type(s, field->node->kid[0], &row, from)) e = fit_field(s, e, &row, at, id);
    field->e = e;
}

static void run_augmentation(Sema *s, const Node *entry, int ordinal) {
    int n = entry_args(entry);
    const Node *rhs = entry->kid[n - 1]->kid[0];
    Frame *caller = s->frame, *f = frame_push(s, NULL, entry->span);
    f->vars = caller->vars;
    f->names_lost = caller->names_lost;
    f->site = "augment";
    f->drawing = drawing_new(s, arena_printf(s->arena, "augment.%d", ordinal), true);
    Exp *e = expr_plain(s, rhs);
    bool fits = n == 1 || (e->kind == EXP_tuple && e->list.n == n);
    if (!fits && !is_error(e))
        fail(s, rhs->span, "%d fields on the left, and this is %s", n, exp_describe(s, e));
    for (int i = 0; i < n; i++) {
        Exp *one = !fits ? exp_error : n > 1 ? e->list.at[i] : e;
        set_field(s, entry->kid[i]->name, one, rhs->span);
    }
    frame_pop(s);
}

void run_augmentations(Sema *s) {
    const Node *entry;
    for (int i = 0; (entry = train_entry(s, "augment", i)); i++)
        if (are_fields(s, entry)) run_augmentation(s, entry, i);
}
