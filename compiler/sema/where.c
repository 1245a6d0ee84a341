// `where label < 5`: which rows of the data are kept. The program decides it once, when they are
// loaded, by an entry point of its own.
#include <string.h>

#include "sema/elab.h"

void read_choice(Sema *s, const Node *entry) {
    if (entry_args(entry) != 1 || entry->kid[0]->kind == NODE_named) {
        fail(s, entry->span, "`where` takes one condition: `where label < 5 and weight > 0`");
    } else if (!s->where) {
        s->where = entry;
        need_part(s, "rows_keep");
    }
}

static Exp *elaborate(Sema *s, const Node *entry) {
    const Node *n = entry->kid[0];
    Exp *e = expr_plain(s, n);
    if (is_error(e)) return e;
    Shape shape = is_scalar_like(e) ? exp_shape(s, e) : (Shape){0};
    bool is_by_row = shape.rank == 0 || (shape.rank == 1 && shape.axis[0].dim.by == s->rows);
    if (!is_scalar_like(e) || exp_elem(s, e) != ELEM_bool || !is_by_row)
        return fail(s, n->span, "`where` takes a truth value for each row, and this is %s",
                    exp_describe(s, e));
    Type row = type_scalar(ELEM_bool), whole = batched(s, &row, ELEM_bool, 0);
    return fit_type(s, e, &whole, NULL, n->span, entry->name);
}

static bool starts_with(const char *text, const char *prefix) {
    return !strncmp(text, prefix, strlen(prefix));
}

// What there is before the rows are chosen: fields of a row, its number, hypers.
static bool is_there(const Sema *s, const Value *v) {
    if (v->op != VAL_input) return v->op != VAL_param && v->op != VAL_state;
    bool is_run = starts_with(v->leaf.name, "run.") || starts_with(v->leaf.name, "valid.");
    return !is_of_split(s, v) && (!is_run || v->type.rank);
}

Value *where_value(Sema *s) {
    Exp *e = run_by_row(s, s->where, elaborate);
    if (is_error(e)) return NULL;
    Value *v = e->stored.v;
    Function f = {.name = s->entry->fn->name, .m = s->m};
    vec_push(s->arena, &f.results, ((Result){.name = f.name, .v = v}));
    Values order = function_order(&f, s->arena);
    for (int i = 0; i < order.n; i++) {
        if (is_there(s, order.at[i])) continue;
        fail(s, s->where->kid[0]->span, "`where` depends on more than the row's fields: on `%s`",
             order.at[i]->leaf.name);
        return NULL;
    }
    return v;
}
