// The rows of --emit=summary. The model is run once more, as in `predict`, but on inputs that are
// leaves of its own types, so that receptive fields are those of what the model is given and not
// of files.
#include <string.h>

#include "ir/window.h"
#include "sema/elab.h"

// ---- rows

// Elements of the parameters of a layer; those of an instance that was called before are its own.
static int64_t params_below(Sema *s, int row) {
    const char *path = s->spec->layers.at[row].path;
    size_t length = strlen(path);
    int64_t n = 0;
    for (int i = 0; i < row; i++)
        if (!strcmp(s->spec->layers.at[i].path, path)) return 0;
    for (int i = 0; i < s->m->params.n; i++) {
        const char *name = s->m->params.at[i]->leaf.name;
        if (!strncmp(name, path, length) && name[length] == '.')
            n += type_count(&s->m->params.at[i]->type);
    }
    return n;
}

// A row is begun before those of the layers inside.
int begin_row(Sema *s, const char *path, Span at) {
    if (!s->is_summarizing) return -1;
    LayerSpec row = {.path = path, .depth = s->summary_depth++, .field = "",
                     .multiply_adds = -s->multiply_adds, .span = at};
    vec_push(s->arena, &s->spec->layers, row);
    return s->spec->layers.n - 1;
}

static void set_output(Sema *s, LayerSpec *row, Exp *e, Span at) {
    int64_t counted = s->multiply_adds;
    if (e->kind == EXP_tuple && e->list.n) e = e->list.at[0];
    if (is_tensor(e)) e = exp_store(s, e, at, NULL);
    s->multiply_adds = counted;
    if (e->kind != EXP_stored) return;
    row->value = e->stored.v;
    row->output = e->stored.v->type;
}

void end_row(Sema *s, int at, Exp *e) {
    if (at < 0) return;
    s->summary_depth--;
    if (is_error(e)) return;
    LayerSpec *row = &s->spec->layers.at[at];
    row->params = params_below(s, at);
    row->multiply_adds += s->multiply_adds;
    set_output(s, row, e, row->span);
}

// What is counted of the model besides its layers, then all of it.
static void add_total(Sema *s, Exp *output) {
    Span at = s->model->name_span;
    LayerSpec rest = {.path = "in no layer", .field = "", .span = at};
    LayerSpec total = {.path = "total", .field = "", .multiply_adds = s->multiply_adds, .span = at};
    for (int i = 0; i < s->entry->params.n; i++)
        total.params += type_count(&s->entry->params.at[i]->leaf->type);
    rest.params = total.params;
    rest.multiply_adds = total.multiply_adds;
    for (int i = 0; i < s->spec->layers.n; i++) {
        const LayerSpec *row = &s->spec->layers.at[i];
        if (row->depth) continue;
        rest.params -= row->params;
        rest.multiply_adds -= row->multiply_adds;
    }
    set_output(s, &total, output, at);
    if (rest.params || rest.multiply_adds) vec_push(s->arena, &s->spec->layers, rest);
    vec_push(s->arena, &s->spec->layers, total);
}

// ---- receptive fields

// What has places: images, sequences of vectors, and of classes.
static bool has_places(const Value *v) {
    return v->type.rank >= 3 || (v->type.rank == 2 && !elem_is_real(v->type.elem));
}

// The first input that has places; else the first such tensor that holds an input's elements.
static Value *find_source(Sema *s, Value *const *input, int n, Value *output) {
    for (int i = 0; i < n; i++)
        if (has_places(input[i])) return input[i];
    Function f = {.m = s->m};
    vec_push(s->arena, &f.results, ((Result){NULL, output}));
    Values order = function_order(&f, s->arena);
    for (int k = 0; k < order.n; k++)
        for (int i = 0; i < n; i++)
            if (has_places(order.at[k]) && order.at[k]->op > VAL_state &&
                type_count(&order.at[k]->type) == type_count(&input[i]->type) &&
                window_of(order.at[k], input[i], false, s->arena).is_seen)
                return order.at[k];
    return NULL;
}

// Channels come last, and are taken together.
static Window window_of_row(Sema *s, Value *v, const Value *source, int n_axis) {
    int rank = source->type.rank;
    return window_of(v, source, v->type.rank == rank && n_axis == rank - 1, s->arena);
}

static const char *field_text(Sema *s, const Window *window, int n_axis) {
    const char *text = "";
    bool is_all = true;
    for (int i = 1; i < n_axis && window->is_seen; i++) {
        bool all = window->size[i] == WINDOW_ALL;
        const char *size = all ? "all" : arena_printf(s->arena, "%lld", (long long)window->size[i]);
        text = *text ? arena_printf(s->arena, "%sx%s", text, size) : size;
        is_all &= all;
    }
    return *text && is_all ? "all" : text;
}

// How many axes of the source are the batch and places. The last one holds channels, but where
// windows move along it in a sequence: then it is an image without them.
static int count_places(Sema *s, const Value *source) {
    int rank = source->type.rank;
    if (rank == 2) return 2;
    for (int i = 0; rank == 3 && i < s->spec->layers.n; i++) {
        Value *v = s->spec->layers.at[i].value;
        Window w = v ? window_of(v, source, false, s->arena) : (Window){0};
        if (w.is_seen && w.moves[2] && w.size[2] > 1) return 3;
    }
    return rank - 1;
}

static void set_fields(Sema *s, Value *const *input, int n) {
    LayerSpec *total = &s->spec->layers.at[s->spec->layers.n - 1];
    Value *source = total->value ? find_source(s, input, n, total->value) : NULL;
    int n_axis = source ? count_places(s, source) : 0;
    for (int i = 0; source && i < s->spec->layers.n; i++) {
        LayerSpec *row = &s->spec->layers.at[i];
        if (!row->value) continue;
        Window window = window_of_row(s, row->value, source, n_axis);
        row->field = field_text(s, &window, n_axis);
    }
}

// ---- the whole

// A leaf like what the model is given.
static Exp *leaf_like(Sema *s, const Node *param, Exp *e) {
    if (!is_tensor(e)) return e;
    e = exp_store(s, e, param->span, NULL);
    if (is_error(e)) return e;
    const Value *v = e->stored.v;
    Type t = v->type;
    if (!elem_is_real(t.elem) && t.elem != ELEM_bool && !t.below) t.below = class_count(s, e);
    const char *id = arena_printf(s->arena, "model.%s", param->name);
    Value *leaf = build_input(s->entry->fn, id, t, param->span);
    for (int i = 0; i < t.rank; i++) set_origin(s, leaf, i, origin_of(s, v, i));
    return exp_stored(s, leaf);
}

void summarize(Sema *s) {
    int n_field = s->spec->fields.n;
    const Node *params = s->model->kid[0];
    Args args = {params->n, NEW_ARRAY(s->arena, Arg, params->n + 1)};
    Value **input = NEW_ARRAY(s->arena, Value *, params->n + 1);
    int n = 0;
    begin_aside(s, "summary");
    make_fields(s);
    for (int i = 0; i < params->n; i++) {
        const Node *p = params->kid[i];
        Exp *e = leaf_like(s, p, model_input(s, p));
        args.at[i] = (Arg){p->name, e, p->span, p->span};
        if (e->kind == EXP_stored) input[n++] = e->stored.v;
    }
    s->is_summarizing = true;
    s->multiply_adds = 0;
    Exp *output = run_def(s, s->model, (Args){0}, args, s->model->name_span, s->entry->root);
    if (!is_error(output)) {
        add_total(s, output);
        set_fields(s, input, n);
    }
    s->is_summarizing = false;
    frame_pop(s);
    s->spec->fields.n = n_field;
}
