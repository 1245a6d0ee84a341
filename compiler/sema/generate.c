// `generate M { feed x = e; length n }`: a step of a generation.
//
// `generate_step` runs the model with `generating` true. With `feed`, its input x is one place of
// a sequence, number `pos`, and e says what stands at the next. States by the batch are kept from
// step to step, by nothing but generations, each of which begins with `generate_begin`. Without
// `feed` the model runs once.
#include <string.h>

#include "sema/elab.h"

// ---- reading the block

static const char *const known_entries[] = {"feed", "length", "window"};
enum { N_KNOWN = sizeof known_entries / sizeof *known_entries };

static void check_entry(Sema *s, const Node *n) {
    if (n->kind == NODE_broken) return;
    for (int i = 0; i < N_KNOWN && n->kind == NODE_entry; i++)
        if (is_word(n->name, known_entries[i])) return;
    if (n->kind != NODE_entry) {
        fail(s, n->span, "a generate block has entries: a word and what it takes");
        return;
    }
    Diag *d = sema_error(s, n->span, "unknown entry `%s` of a generate block", n->name);
    const char *best = nearest(n->name, known_entries, N_KNOWN);
    if (best) diag_help(d, "did you mean `%s`?", best);
}

static int64_t read_number(Sema *s, const char *word, int64_t otherwise) {
    const Node *n = block_entry(s->generate, word, 0);
    int64_t x = otherwise;
    if (!n) return otherwise;
    if (entry_args(n) != 1)
        fail(s, n->span, "`%s` takes one number", word);
    else if (need_int(s, n->kid[0], &x) && (x < 1 || x > INT32_MAX))
        fail(s, n->kid[0]->span, "`%s` is a number from 1 to %d", word, INT32_MAX);
    return x;
}

// The entry `feed`, where it is good.
static const Node *read_feed(Sema *s) {
    const Node *n = block_entry(s->generate, "feed", 0);
    if (!n) return NULL;
    if (entry_args(n) == 1 && n->kid[0]->kind == NODE_named) return n->kid[0];
    Diag *d = sema_error(s, n->span, "`feed` says what an input of the model becomes");
    diag_help(d, "`feed token = sample(output[:, time - 1])`");
    return NULL;
}

static const Node *model_param(const Sema *s, Name id) {
    const Node *params = s->model->kid[0];
    for (int i = 0; i < params->n; i++)
        if (params->kid[i]->name == id) return params->kid[i];
    return NULL;
}

// ---- what is fed

// A dimension that takes the size that it meets.
static bool is_open_dim(Sema *s, const Node *n) {
    if (n->kind != NODE_name || is_word(n->name, "_") || is_word(n->name, "batch")) return false;
    return !find_hyper(s, n->name) && !global_def(s, n->name, false);
}

static const Node *place_dim(const Node *param) {
    const Node *dims = param->kid[0] ? param->kid[0]->kid[1] : NULL;
    return dims && dims->n > 1 ? dims->kid[1] : NULL;
}

// Without data, classes are those of the declared type.
static bool row_type(Sema *s, const Node *param, Type *t, Span *from) {
    const Node *field = map_get(s->fields, param->name);
    if (field && field->kind == NODE_field) return eval_type(s, field->kid[0], t, from);
    const Node *type = param->kid[0], *places = type ? place_dim(param) : NULL;
    if (places && is_open_dim(s, places))
        frame_set(s, s->frame, VAR_dim, places->name, exp_int(s, 1), places->span);
    if (!type || !eval_type(s, type, t, from) || !t->rank) return false;
    for (int i = 1; i < t->rank; i++) {
        t->dim[i - 1] = t->dim[i];
        from[i - 1] = from[i];
    }
    t->rank--;
    return true;
}

// [batch], [batch, 1] or, where the model asks for so many, the last n places: [batch, n].
static Exp *fed_input(Sema *s, const Node *param) {
    Type row;
    Span from[MAX_RANK + 1] = {0};
    const Node *places = place_dim(param);
    Dim n = dim_const(1);
    if (!row_type(s, param, &row, from)) return exp_error;
    if (row.elem != ELEM_i32 || !row.below || row.rank > 1)
        return fail(s, param->span, "what is fed is classes, one or a row of them: `%s: class(65)[batch, "
                    "time]`", param->name);
    if (places && !is_open_dim(s, places) && !need_dim(s, places, &n)) return exp_error;
    if (row.rank) row.dim[0] = n;
    Type t = type_scalar(row.elem);
    t.below = row.below;
    t.dim[t.rank++] = dim_of(s->batch);
    if (row.rank) t.dim[t.rank++] = row.dim[0];
    Value *v = build_input(s->entry->fn, GENERATE_INPUT, t, param->span);
    if (row.rank) set_origin(s, v, 1, param->span);
    return exp_stored(s, v);
}

// The names that the model's inputs give to sizes, for what is fed.
static void name_dims(Sema *s, const Node *param, const Exp *e) {
    const Node *dims = param->kid[0] ? param->kid[0]->kid[1] : NULL;
    Shape shape = is_tensor(e) ? exp_shape(s, e) : (Shape){0};
    for (int i = 0; dims && i < dims->n && dims->n == shape.rank; i++)
        if (is_open_dim(s, dims->kid[i]))
            frame_set(s, s->frame, VAR_dim, dims->kid[i]->name, exp_dim(s, shape.axis[i].dim),
                      dims->kid[i]->span);
}

static void bind_inputs(Sema *s, const Node *fed) {
    const Node *params = s->model->kid[0];
    for (int i = 0; i < params->n; i++) {
        const Node *p = params->kid[i];
        bool is_fed = p == fed;
        if (!is_fed && !map_has(s->fields, p->name)) continue;
        Exp *e = is_fed ? fed_input(s, p) : model_input(s, p);
        frame_set(s, s->frame, VAR_argument, p->name, e, p->span);
        name_dims(s, p, e);
    }
}

// ---- what a step gives

static void add_next(Sema *s, const Node *feed, const Exp *fed) {
    const Node *rhs = feed->kid[0];
    Exp *e = expr_plain(s, rhs);
    if (is_error(e) || is_error(fed)) return;
    if (!is_tensor(e)) {
        fail(s, rhs->span, "`feed` takes a class for each row, and this is %s", exp_describe(s, e));
        return;
    }
    e = exp_store(s, e, rhs->span, feed->name);
    if (is_error(e)) return;
    Shape shape = exp_shape(s, e);
    int64_t below = class_count(s, e), most = class_count(s, fed);
    bool is_row = shape.rank && dim_equal(shape.axis[0].dim, dim_of(s->batch));
    bool is_one = shape.rank == 1 || (shape.rank == 2 && dim_equal(shape.axis[1].dim, dim_const(1)));
    if (!is_row || !is_one || !below || elem_is_real(exp_elem(s, e)))
        fail(s, rhs->span, "`feed` takes a class for each row, [batch], and this is %s",
             exp_describe(s, e));
    else if (below > most)
        fail(s, rhs->span, "this is below %lld, and `%s` is class(%lld)", (long long)below, feed->name,
             (long long)most);
    else
        function_result(s->entry->fn, "next", e->stored.v);
}

// A beam goes by the model's output at the place, where it has a number for each class.
static void add_logits(Sema *s, Exp *output, const Exp *fed) {
    if (!is_tensor(output) || is_error(fed)) return;
    Shape shape = exp_shape(s, output);
    int last = shape.rank - 1;
    bool is_scores = (last == 1 || (last == 2 && dim_equal(shape.axis[1].dim, dim_const(1)))) &&
                     dim_equal(shape.axis[0].dim, dim_of(s->batch)) &&
                     dim_equal(shape.axis[last].dim, dim_const(class_count(s, fed)));
    if (!is_scores || !elem_is_real(exp_elem(s, output))) return;
    Exp *e = exp_store(s, output, s->model->name_span, "logits");
    if (!is_error(e)) function_result(s->entry->fn, "logits", e->stored.v);
}

// ---- what else the model is given

const FieldSpec *source_field(const Sema *s, const char *name) {
    for (int i = 0; i < s->spec->fields.n; i++) {
        const FieldSpec *f = &s->spec->fields.at[i];
        if (f->name == name && is_word(f->side, "source")) return f;
    }
    return NULL;
}

static bool is_of_run(Sema *s, const Value *v) {
    static const char *const prefix[] = {"generate.", "run.", "valid."};
    for (int i = 0; i < 3; i++)
        if (!strncmp(v->leaf.name, prefix[i], strlen(prefix[i]))) return true;
    return find_hyper(s, v->leaf.name) || is_of_split(s, v);
}

static void check_inputs(Sema *s) {
    Values order = function_order(s->entry->fn, s->arena);
    for (int i = 0; i < order.n; i++) {
        const Value *v = order.at[i];
        if (v->op != VAL_input || is_of_run(s, v) || source_field(s, v->leaf.name)) continue;
        Diag *d = sema_error(s, s->generate->name_span, "the model reads `%s` where it generates, and nothing "
                             "gives it a value", v->leaf.name);
        diag_help(d, "`feed` says what one input becomes; a prompt gives the source of pairs");
    }
}

// What walks over the source alone begins anew at each place.
static bool is_of_source(Sema *s, const Kept *k) {
    bool has_source = false;
    Function alone = {.m = s->m};
    vec_push(s->arena, &alone.updates, ((Update){k->leaf, map_get(s->entry->version, k->leaf), k->span}));
    Values order = function_order(&alone, s->arena);
    for (int i = 0; i < order.n; i++) {
        const Value *v = order.at[i];
        if (v->op != VAL_input) continue;
        if (is_word(v->leaf.name, GENERATE_INPUT)) return false;
        has_source |= source_field(s, v->leaf.name) != NULL;
    }
    return has_source;
}

static void leave_source_states(Sema *s) {
    Entry *e = s->entry;
    int n = 0;
    for (int i = 0; i < e->states.n; i++)
        if (!is_of_source(s, e->states.at[i])) e->states.at[n++] = e->states.at[i];
    e->states.n = n;
}

// ---- the entry points

// That the fed field has in a row; 0 where that is unknown.
static int64_t places_in_data(Sema *s, const Node *fed) {
    const Node *field = map_get(s->fields, fed->name);
    Type t;
    Span from[MAX_RANK + 1];
    bool is_row = field && field->kind == NODE_field && eval_type(s, field->kid[0], &t, from) && t.rank == 1;
    return is_row ? t.dim[0].n : 0;
}

static void build_begin(Sema *s, const Entry *step) {
    Function *begin = NULL;
    for (int i = 0; i < step->rows_kept.n; i++) {
        const Kept *k = step->rows_kept.at[i];
        if (!k->first) continue;
        if (!begin) begin = function_new(s->m, "generate_begin");
        function_update(begin, k->leaf, k->first, k->span);
    }
    if (begin) take_inputs(begin);
}

void build_generate(Sema *s) {
    enum { LENGTH = 500 };
    for (int i = 0; i < s->generate->n; i++) check_entry(s, s->generate->kid[i]);
    check_single(s, s->generate, known_entries, N_KNOWN);
    const Node *feed = read_feed(s), *fed = feed ? model_param(s, feed->name) : NULL;
    if (feed && !fed) {
        fail(s, feed->name_span, "the model `%s` has no input `%s`", s->model->name, feed->name);
        return;
    }
    begin_entry(s, "generate_step", false, false);
    s->entry->generates = true;
    s->entry->feeds = fed != NULL;
    GenerateSpec *spec = &s->spec->generate;
    *spec = (GenerateSpec){.is_there = true, .field = fed ? fed->name : NULL};
    spec->length = read_number(s, "length", LENGTH);
    spec->window = read_number(s, "window", fed ? places_in_data(s, fed) : 0);
    bind_inputs(s, fed);
    Exp *output = run_model(s);
    if (fed) {
        const Exp *input = frame_var(s->frame, fed->name)->e;
        add_next(s, feed, input);
        add_logits(s, output, input);
    } else {
        add_results(s, output);
    }
    if (!diag_errors(s->c->diags)) check_inputs(s);
    if (fed) leave_source_states(s);
    end_entry(s);
    build_begin(s, s->entry);
    if (fed && !diag_errors(s->c->diags)) build_source(s, s->entry->fn);
    need_part(s, "run_generate");
}

// ---- names

// `pos` stays below it.
Exp *generate_window(Sema *s, Span at) {
    int64_t n = s->spec->generate.window;
    if (!s->entry || !s->entry->feeds) return exp_int(s, 1);
    if (n) return exp_int(s, n);
    return fail(s, at, "how many places has a generation? `window 64` in the generate block says it");
}

// The number of the place that is fed.
Exp *generate_place(Sema *s, Span at) {
    if (!s->entry || !s->entry->feeds) return exp_int(s, 0);
    Exp *window = generate_window(s, at);
    if (is_error(window)) return window;
    Type t = type_scalar(ELEM_i32);
    t.below = s->spec->generate.window;
    return exp_stored(s, build_input(s->entry->fn, GENERATE_PREFIX "pos", t, (Span){0}));
}

// generate.temperature and its kin: what the command line says of drawing.
Exp *generate_member(Sema *s, const Node *n) {
    static const struct {
        const char *name;
        bool is_count;
        int otherwise;
    } members[] = {{"temperature", false, 1}, {"top_k", true, 0}, {"top_p", false, 1}};
    for (int i = 0; i < 3; i++) {
        if (!is_word(n->name, members[i].name)) continue;
        if (!s->entry || !s->entry->generates) return exp_int(s, members[i].otherwise);
        return run_input(s, arena_printf(s->arena, GENERATE_PREFIX "%s", n->name),
                         members[i].is_count ? ELEM_i32 : s->m->real);
    }
    return fail(s, n->name_span, "`generate` has temperature, top_k and top_p, and no `%s`", n->name);
}
