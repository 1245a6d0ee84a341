// The whole of sema: items of the file and the library, hypers, entry points.
#include "sema/sema.h"

#include <stdlib.h>
#include <string.h>

#include "sema/elab.h"

// ---- items

static bool is_named_item(const Node *n) {
    return n->kind != NODE_hyper && n->kind != NODE_train && n->kind != NODE_generate &&
           n->kind != NODE_model;
}

static void add_item(Sema *s, Map *items, const Node *n) {
    const Node *old = map_get(items, n->name);
    if (old && old->kind != NODE_name) {
        Diag *d = sema_error(s, n->name_span, "`%s` is defined twice", n->name);
        diag_note(d, old->name_span, "first here");
        return;
    }
    map_set(items, n->name, (void *)n);
}

static Map *read_library(Sema *s) {
    Map *items = map_new(s->arena);
    for (const LibraryFile *f = library_files; f->name; f++) {
        int file = source_add(s->c->sources, f->name, f->text, (int)strlen(f->text), true);
        const Node *tree = parse_file(s->c, file);
        for (int i = 0; tree && i < tree->n; i++)
            if (is_named_item(tree->kid[i])) add_item(s, items, tree->kid[i]);
    }
    return items;
}

// The names that a broken declaration may define stand for errors.
static void lose_item(Sema *s, const Node *n) {
    for (int i = 0; i < n->n; i++)
        if (!map_has(s->globals, n->kid[i]->name)) map_set(s->globals, n->kid[i]->name, n->kid[i]);
    s->names_lost |= n->n == 0;
}

static void read_items(Sema *s) {
    s->globals = map_new(s->arena);
    for (int i = 0; i < s->file->n; i++) {
        const Node *n = s->file->kid[i];
        if (n->kind == NODE_broken)
            lose_item(s, n);
        else if (is_named_item(n))
            add_item(s, s->globals, n);
    }
}

// ---- hypers

static bool is_builtin_flag(Name id) {
    static const char *const flags[] = {
        "data",     "threads", "seed",  "ckpt", "resume", "log",  "keep",    "folds", "ensemble",
        "patience", "overfit", "quiet", "load", "epochs", "help", "version", "steps",
        "bagging",  "trials",  "grid",  "by"};
    for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++)
        if (is_word(id, flags[i])) return true;
    return false;
}

static Define *find_define(Sema *s, Name id) {
    for (int i = 0; i < s->c->opt.n_define; i++)
        if (!strcmp(s->c->opt.define[i].name, id)) return &s->c->opt.define[i];
    return NULL;
}

static Exp *defined_value(Sema *s, const Define *d, Span at) {
    char *end;
    double x = strtod(d->value, &end);
    size_t n = strlen(d->value);
    if (end != d->value && end[0] == '%' && !end[1])
        return exp_number(s, number_div(number_real(x), number_int(100)));
    if (end != d->value && !*end) return exp_number(s, number_real(x));
    if (!strcmp(d->value, "true") || !strcmp(d->value, "false"))
        return exp_bool(s, d->value[0] == 't');
    if (n && n < 64) return exp_string(s, sema_name(s, d->value));
    return fail(s, at, "-D %s=%s gives no value", d->name, d->value);
}

// A number written without a point or an exponent is an integer flag.
static bool is_integer_literal(const Node *n) {
    if (n->kind == NODE_unary) n = n->kid[0];
    return n->kind == NODE_number && n->den == 1 && !strpbrk(n->text, ".eE%");
}

static bool keeps_fixed(const HyperInfo *old, int n, Name id) {
    for (int i = 0; i < n; i++)
        if (old[i].name == id) return old[i].is_fixed;
    return false;
}

// ---- ranges: `in 1 .. 32`, `in log(1e-5 .. 1e-1)`, `in [16, 32, 64]`

static bool read_value(Sema *s, const Node *n, bool *are_integers, double *out) {
    Exp *e = expr_plain(s, n);
    if (e->kind != EXP_number) {
        if (!is_error(e)) fail(s, n->span, "a range is of numbers, and this is %s", exp_describe(s, e));
        return false;
    }
    *are_integers &= is_integer_literal(n);
    *out = number_value(e->number);
    return true;
}

static bool read_list(Sema *s, const Node *list, HyperInfo *h, bool *are_integers) {
    double *at = NEW_ARRAY(s->arena, double, list->n + 1);
    for (int i = 0; i < list->n; i++)
        if (!read_value(s, list->kid[i], are_integers, &at[i])) return false;
    if (!list->n) return fail(s, list->span, "a search needs values to try"), false;
    h->range = (HyperSpec){.range = RANGE_list, .n_value = list->n, .at = at};
    return true;
}

static bool read_ends(Sema *s, const Node *n, RangeKind kind, HyperInfo *h, bool *are_integers) {
    double low, high;
    if (!read_value(s, n->kid[0], are_integers, &low)) return false;
    if (!read_value(s, n->kid[1], are_integers, &high)) return false;
    if (!(low < high)) return fail(s, n->span, "the range is empty: its first end must be below its last"), false;
    if (kind == RANGE_log && low <= 0)
        return fail(s, n->kid[0]->span, "a range by logarithms begins above 0"), false;
    h->range = (HyperSpec){.range = kind, .low = low, .high = high};
    double x = h->e->kind == EXP_number ? number_value(h->e->number) : low;
    if (x >= low && x <= high) return true;
    fail(s, h->node->kid[0]->span, "the value lies outside of the range");
    return false;
}

// A range of integers is one whose numbers are all written so.
static void read_range(Sema *s, const Node *n, HyperInfo *h) {
    bool are_integers = h->is_integer, is_log = n->kind == NODE_call && is_word(n->kid[0]->name, "log");
    const Node *ends = is_log && n->kid[1]->n == 1 ? n->kid[1]->kid[0] : n;
    RangeKind kind = is_log ? RANGE_log : RANGE_linear;
    bool is_good = false;
    if (ends->kind == NODE_range) is_good = read_ends(s, ends, kind, h, &are_integers);
    else if (n->kind == NODE_list) is_good = read_list(s, n, h, &are_integers);
    else fail(s, n->span, "a range is `1 .. 32`, `log(1e-5 .. 1e-1)` or `[16, 32, 64]`");
    if (is_good) h->is_integer = are_integers;
    h->range.span = n->span;
}

// `fixed`: what earlier rounds found out.
static void read_hypers(Sema *s, const HyperInfo *fixed, int n_fixed) {
    frame_push(s, NULL, s->file->span);
    s->is_reading_hypers = true;
    for (int i = 0; i < s->file->n; i++) {
        const Node *n = s->file->kid[i];
        if (n->kind != NODE_hyper) continue;
        Define *d = find_define(s, n->name);
        HyperInfo h = {
            .node = n, .name = n->name, .is_fixed = keeps_fixed(fixed, n_fixed, n->name)};
        if (is_builtin_flag(n->name))
            fail(s, n->name_span, "a hyper can't be called `%s`: that is a flag of every program",
                 n->name);
        if (find_hyper(s, n->name))
            fail(s, n->name_span, "the hyper `%s` is defined twice", n->name);
        h.e = expr_plain(s, n->kid[0]);
        h.is_integer = is_integer_literal(n->kid[0]);
        if (n->kid[1]) read_range(s, n->kid[1], &h);
        if (d) {
            d->is_used = h.is_fixed = h.is_defined = true;
            h.e = defined_value(s, d, n->name_span);
        }
        vec_push(s->arena, &s->hypers, h);
    }
    s->is_reading_hypers = false;
    frame_pop(s);
}

static void list_hypers(Sema *s) {
    for (int i = 0; i < s->hypers.n; i++) {
        const HyperInfo *h = &s->hypers.at[i];
        if (h->is_fixed && !h->is_defined && h->range.range) {
            Diag *d = diag_warning(s->c->diags, h->range.span, "`%s` fixes a shape or what is compiled: "
                                   "a search can't vary it", h->name);
            diag_help(d, "`nnc -D %s=VALUE` compiles another one", h->name);
        }
        if (h->is_fixed || !h->e || h->e->kind != EXP_number) continue;
        HyperSpec spec = h->range;
        spec.name = h->name;
        spec.value = number_value(h->e->number);
        spec.is_integer = h->is_integer;
        spec.span = h->node->span;
        vec_push(s->arena, &s->spec->hypers, spec);
    }
}

// -D NAME=VALUE for a name that no hyper has.
static void check_defines(Sema *s) {
    const char **names = NEW_ARRAY(s->arena, const char *, s->hypers.n + 1);
    for (int i = 0; i < s->hypers.n; i++) names[i] = s->hypers.at[i].name;
    for (int i = 0; i < s->c->opt.n_define; i++) {
        Define *d = &s->c->opt.define[i];
        if (d->is_used) continue;
        d->is_used = true;
        Diag *error = diag_error(s->c->diags, (Span){0}, "-D %s: there is no hyper of this name",
                                 d->name);
        const char *best = nearest(d->name, names, s->hypers.n);
        if (best) diag_help(error, "did you mean `%s`?", best);
    }
}

// Bytes and places are counted in 64 bits: sums of what all tensors take stay far below that.
static void check_size(Sema *s, const Value *v) {
    const int64_t MOST = (int64_t)1 << 46;  // elements
    int64_t n = 1;
    for (int i = 0; i < v->type.rank; i++) {
        int64_t d = dim_max(v->type.dim[i]);
        if (d <= 0 || n <= MOST / d) {
            n *= d;
            continue;
        }
        sema_error(s, v->span, "a tensor of more than 2^46 elements");
        return;
    }
}

static void check_sizes(Sema *s) {
    const Module *m = s->m;
    for (int i = 0; i < m->params.n; i++) check_size(s, m->params.at[i]);
    // What is made from them is as large.
    for (int i = 0; i < m->states.n && !diag_errors(s->c->diags); i++)
        check_size(s, m->states.at[i]);
    for (int i = 0; i < m->fns.n && !diag_errors(s->c->diags); i++) {
        Values order = function_order(m->fns.at[i], s->arena);
        for (int k = 0; k < order.n; k++)
            if (order.at[k]->op > VAL_state) check_size(s, order.at[k]);
    }
}

// ---- which model

static const Node *find_item(const Sema *s, NodeKind kind, Name id) {
    for (int i = 0; i < s->file->n; i++) {
        const Node *n = s->file->kid[i];
        if (n->kind == kind && (!id || n->name == id)) return n;
    }
    return NULL;
}

static const Node *find_or_fail(Sema *s, NodeKind kind, Name id, Span at) {
    const Node *n = find_item(s, kind, id);
    const Node *lost = map_get(s->globals, id);
    if (n || s->names_lost || (lost && lost->kind == NODE_name)) return n;
    Diag *d = sema_error(s, at, "there is no %s `%s`", node_kind_name[kind], id);
    const Node *other = find_item(s, kind, NULL);
    if (other) diag_help(d, "did you mean `%s`?", other->name);
    return NULL;
}

// Without the train block that names it, the data is the only one there is.
static const Node *only_data(const Sema *s) {
    const Node *data = NULL;
    for (int i = 0; i < s->file->n; i++) {
        const Node *n = s->file->kid[i];
        if (n->kind == NODE_data && data) return NULL;
        if (n->kind == NODE_data) data = n;
    }
    return data;
}

static bool is_broken(const Node *n, const char *word) {
    return n->kind == NODE_broken && is_word(n->text, word);
}

static void find_program(Sema *s) {
    s->train = find_item(s, NODE_train, NULL);
    s->generate = find_item(s, NODE_generate, NULL);
    const Node *of = s->train ? s->train : s->generate;
    s->model = of ? find_or_fail(s, NODE_model, of->name, of->name_span)
                  : find_item(s, NODE_model, NULL);
    if (s->generate && s->generate != of && s->generate->name != of->name)
        fail(s, s->generate->name_span, "the model `%s` is trained: `generate %s { ... }`", of->name, of->name);
    s->data = s->train ? find_or_fail(s, NODE_data, s->train->text, s->train->name_span) : NULL;
    for (int i = 0; i < s->file->n; i++) {
        const Node *n = s->file->kid[i];
        if (n->kind == NODE_train && n != s->train)
            not_compiled(s, n->name_span, "a second train block is");
        if (n->kind == NODE_generate && n != s->generate)
            not_compiled(s, n->name_span, "a second generate block is");
        if (is_broken(n, "train") && !s->train) s->data = only_data(s);
    }
}

// ---- one round; more where a hyper turns out to fix a shape

typedef struct Round {
    Compiler *c;
    const Node *file;
    Map *library;
    bool check_only;
    ModelSpec *spec;
    jmp_buf again;
    Sema *s;
} Round;

static Sema *begin(Round *r) {
    const Sema *old = r->s;
    Sema *s = NEW(r->c->arena, Sema);
    s->c = r->c;
    s->arena = r->c->arena;
    s->file = r->file;
    s->spec = r->spec;
    s->restart = &r->again;
    *s->spec = (ModelSpec){0};
    s->library = r->library ? r->library : read_library(s);
    r->library = s->library;
    s->kept = map_new(s->arena);
    s->kept_of = map_new(s->arena);
    s->sites = map_new(s->arena);
    s->averages = map_new(s->arena);
    s->sums = map_new(s->arena);
    s->totalled = map_new(s->arena);
    s->origin = map_new(s->arena);
    s->uses = map_new(s->arena);
    Name id = name(s->c->names, "model");
    s->m = module_new(s->c, id, s->c->opt.is_f64 ? ELEM_f64 : ELEM_f32);
    read_items(s);
    find_program(s);
    if (s->model) s->m->name = s->model->name;
    read_hypers(s, old ? old->hypers.at : NULL, old ? old->hypers.n : 0);
    return s;
}

static Module *run_round(Round *r) {
    Sema *s = r->s;
    s->spec->model = s->m->name;
    read_train(s);
    read_data(s);
    if (!s->model && !s->train && !r->check_only && !has_broken(s->file))
        diag_error(s->c->diags, s->file->span, "there is no model to compile");
    if (s->model || s->train) {
        build_entries(s);
        finish_init(s);
        finish_entries(s);
    }
    run_rest(s);
    list_hypers(s);
    if (!has_broken(s->file)) check_defines(s);
    check_sizes(s);
    if (diag_errors(s->c->diags)) return NULL;
    warn_unused(s);
    return s->m;
}

Module *sema_module(Compiler *c, const Node *file, bool check_only, ModelSpec *spec) {
    Round *r = NEW(c->arena, Round);
    *r = (Round){.c = c, .file = file, .check_only = check_only, .spec = spec};
    // Each further round fixes at least one hyper more.
    setjmp(r->again);
    r->s = begin(r);
    return run_round(r);
}
