// Names: frames of running definitions, lookup in the order of the language, and errors
// with suggestions.
#include <stdio.h>
#include <string.h>

#include "base/die.h"
#include "sema/elab.h"

bool is_word(Name a, const char *text) {
    return a && !strcmp(a, text);
}

Name sema_name(Sema *s, const char *text) {
    return name(s->c->names, text);
}

// ---- errors

static bool in_library(const Sema *s, Span at) {
    const Source *source = at.file ? source_of(s->c->sources, at.file) : NULL;
    return !source || source->is_library;
}

// Errors inside the library are shown where the user's file called it.
static Span users_place(const Sema *s, Span at) {
    for (const Frame *f = s->frame; f && in_library(s, at); f = f->up) at = f->call;
    return at;
}

static const char *def_name(const Sema *s) {
    return s->frame && s->frame->def ? s->frame->def->name : "library";
}

Diag *sema_error(Sema *s, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(s->arena, format, args);
    va_end(args);
    Span place = users_place(s, at);
    Diag *d = diag_error(s->c->diags, place, "%s", text);
    if (place.file != at.file && at.file) diag_note(d, at, "here, in `%s`", def_name(s));
    return d;
}

Exp *fail(Sema *s, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    sema_error(s, at, "%s", arena_vprintf(s->arena, format, args));
    va_end(args);
    return exp_error;
}

Diag *not_compiled(Sema *s, Span at, const char *what) {
    return sema_error(s, at, "%s not compiled yet", what);
}

static int least(int a, int b) {
    return a < b ? a : b;
}

// Edits from a to b: insertions, deletions, replacements, and neighbours that change places.
static int edit_distance(const char *a, const char *b) {
    enum { MOST = 30 };
    int n = (int)strlen(a), m = (int)strlen(b), edits[MOST + 1][MOST + 1];
    if (n > MOST || m > MOST) return MOST;
    for (int j = 0; j <= m; j++) edits[0][j] = j;
    for (int i = 1; i <= n; i++) {
        edits[i][0] = i;
        for (int j = 1; j <= m; j++) {
            int change = edits[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            edits[i][j] = least(change, least(edits[i - 1][j], edits[i][j - 1]) + 1);
            bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (is_swap) edits[i][j] = least(edits[i][j], edits[i - 2][j - 2] + 1);
        }
    }
    return edits[n][m];
}

typedef struct Nearest {
    Name to;
    const char *best;
    int distance;
} Nearest;

static void consider(Nearest *n, const char *word) {
    if (!word) return;
    int d = edit_distance(n->to, word);
    if (d < n->distance) n->best = word, n->distance = d;
}

static Nearest nearest_to(Name id) {
    int length = (int)strlen(id);
    return (Nearest){id, NULL, length < 3 ? 1 : length < 6 ? 2 : 3};
}

const char *nearest(Name id, const char *const *word, int n) {
    Nearest best = nearest_to(id);
    for (int i = 0; i < n; i++) consider(&best, word[i]);
    return best.best;
}

static void consider_keys(Nearest *n, const Map *map) {
    for (int i = 0; map && i < map->n; i++) consider(n, (Name)(uintptr_t)map->key[i]);
}

static void suggest(Sema *s, Diag *d, Name id) {
    Nearest best = nearest_to(id);
    for (Binding *b = s->frame ? s->frame->binding : NULL; b; b = b->up) consider(&best, b->name);
    if (s->frame) consider_keys(&best, s->frame->vars);
    consider_keys(&best, s->globals);
    consider_keys(&best, s->library);
    for (int i = 0; i < s->hypers.n; i++) consider(&best, s->hypers.at[i].name);
    for (int i = 0; builtin_name(i); i++) consider(&best, builtin_name(i));
    for (int i = 0; s->being.node && field_word(i); i++) consider(&best, field_word(i));
    if (best.best) diag_help(d, "did you mean `%s`?", best.best);
}

// ---- frames

Frame *frame_push(Sema *s, const Node *def, Span call) {
    Frame *f = NEW(s->arena, Frame);
    f->up = s->frame;
    f->def = def;
    f->call = call;
    f->is_library = def && in_library(s, def->span);
    f->vars = map_new(s->arena);
    f->occurrence = map_new(s->arena);
    f->layers = f->up ? f->up->layers : NULL;
    f->drawing = f->up ? f->up->drawing : NULL;
    f->site = "";
    s->frame = f;
    return f;
}

void frame_pop(Sema *s) {
    s->frame = s->frame->up;
}

Var *frame_var(Frame *f, Name id) {
    return map_get(f->vars, id);
}

Var *frame_set(Sema *s, Frame *f, VarKind kind, Name id, Exp *e, Span at) {
    Var *v = NEW(s->arena, Var);
    *v = (Var){.kind = kind, .name = id, .e = e, .span = at};
    map_set(f->vars, id, v);
    return v;
}

void frame_define(Sema *s, const Node *target, Exp *e) {
    Var *v = frame_set(s, s->frame, VAR_local, target->name, e, target->name_span);
    v->node = target;
    if (!s->frame->is_library && !s->is_alone) vec_push(s->arena, &s->locals, target);
}

Binding *find_binding(const Frame *f, Name id) {
    for (Binding *b = f->binding; b; b = b->up)
        if (b->name == id) return b;
    return NULL;
}

// ---- lookup

const Node *global_def(Sema *s, Name id, bool from_library) {
    const Node *def = from_library ? NULL : map_get(s->globals, id);
    return def ? def : map_get(s->library, id);
}

HyperInfo *find_hyper(Sema *s, Name id) {
    for (int i = 0; i < s->hypers.n; i++)
        if (s->hypers.at[i].name == id) return &s->hypers.at[i];
    return NULL;
}

static Exp *hyper_value(Sema *s, HyperInfo *h) {
    if (s->is_alone) return exp_error;  // nothing there may fix it
    if (!s->entry && !s->is_reading_hypers) h->is_fixed = true;  // batch, epochs ...
    if (h->is_fixed || !h->e || h->e->kind != EXP_number || !s->entry) return h->e;
    Type t = type_scalar(h->is_integer ? ELEM_i32 : s->m->real);
    return exp_stored(s, build_input(s->entry->fn, h->name, t, h->node->span));
}

static Exp *callable(Sema *s, const Node *def) {
    Exp *e = NEW(s->arena, Exp);
    e->kind = EXP_callable;
    e->callable.def = def;
    return e;
}

// A constant of the file is elaborated where an entry point first uses it: what it holds may
// differ by entry, and a named instance is one for all its uses. In a data field, what it draws
// is the field's own.
static Exp *constant_value(Sema *s, const Node *def, Span at) {
    map_set(s->uses, def, (void *)def);
    Map *done = s->entry && !(s->frame && s->frame->drawing) ? s->entry->constants : NULL;
    if (done && map_has(done, def)) return map_get(done, def);
    if (s->depth >= MAX_CALLS) return fail(s, at, "`%s` is defined by itself", def->name);
    s->depth++;
    Frame *f = frame_push(s, NULL, at);
    f->layers = s->entry ? s->entry->root : NULL;
    f->site = arena_printf(s->arena, "=%s", def->name);
    Exp *e = exp_bind(s, expr_plain(s, def->kid[0]), def->span, def->name);
    if (e->kind == EXP_instance) name_instance(s, e->instance, def->name);
    frame_pop(s);
    s->depth--;
    if (done) map_set(done, def, e);
    return e;
}

static Exp *global_value(Sema *s, const Node *def, Span at) {
    switch (def->kind) {
        case NODE_constant: return constant_value(s, def, at);
        case NODE_layer:
        case NODE_fn:
        case NODE_loss:
        case NODE_metric:
        case NODE_optimizer: return callable(s, def);
        case NODE_data: return whole_data(s, def, at);
        case NODE_name: return exp_error;  // of a declaration that is broken
        default: return NULL;
    }
}

static Exp *group(Sema *s, const char *text) {
    Exp *e = NEW(s->arena, Exp);
    e->kind = EXP_group;
    e->string = sema_name(s, text);
    return e;
}

// Names of the run and of parameters, in the entries of a train block.
static Exp *train_name(Sema *s, Name id) {
    if (s->frame->def || !s->entry || !s->train) return NULL;
    if (is_word(id, "valid")) return group(s, "valid");
    static const char *const words[] = {"step", "epoch", "steps", "epochs"};
    for (int i = 0; i < 4; i++)
        if (is_word(id, words[i]))
            return run_input(s, arena_printf(s->arena, "run.%s", id), ELEM_i32);
    return s->being.node ? NULL : path_value(s, id);
}

static Exp *implicit(Sema *s, Name id, Span at) {
    if (is_word(id, "true") || is_word(id, "false")) return exp_bool(s, is_word(id, "true"));
    if (is_word(id, "inf")) return exp_number(s, number_real(__builtin_inf()));
    if (is_word(id, "pi")) return exp_number(s, number_real(3.14159265358979323846));
    if (is_word(id, "batch")) return exp_dim(s, dim_of(s->batch));
    if (is_word(id, "training")) return exp_bool(s, s->entry && s->entry->training);
    if (is_word(id, "generating")) return exp_bool(s, s->entry && s->entry->generates);
    if (is_word(id, "pos")) return generate_place(s, at);
    if (is_word(id, "window")) return generate_window(s, at);
    if (is_word(id, "generate")) return group(s, "generate");
    Exp *part = field_part(s, id);
    return part ? part : train_name(s, id);
}

static Exp *builtin_value(Sema *s, Name id) {
    const Builtin *b = find_builtin(id);
    if (!b) return NULL;
    Exp *e = NEW(s->arena, Exp);
    e->kind = EXP_builtin;
    e->builtin = b;
    return e;
}

static Exp *var_value(Sema *s, Var *v) {
    if (v->node) map_set(s->uses, v->node, v);
    if (v->kind == VAR_kept) return kept_current(s, v->kept);
    if (v->kind == VAR_field && !v->e) v->e = field_value(s, v->node);
    return v->e;
}

static Exp *file_value(Sema *s, Name id, Span at) {
    bool from_library = s->frame && s->frame->is_library;
    HyperInfo *h = from_library ? NULL : find_hyper(s, id);
    if (h) return hyper_value(s, h);
    const Node *def = global_def(s, id, from_library);
    return def ? global_value(s, def, at) : NULL;
}

static Exp *lookup_name(Sema *s, Name id, Span at) {
    Binding *b = s->frame ? find_binding(s->frame, id) : NULL;
    if (b) return exp_scalar(s, scalar_iv(s->m, b->slot));
    Var *v = s->frame ? frame_var(s->frame, id) : NULL;
    if (v) return var_value(s, v);
    Exp *e = file_value(s, id, at);
    if (!e) e = builtin_value(s, id);
    return e ? e : implicit(s, id, at);
}

Exp *lookup(Sema *s, const Node *n) {
    Exp *e = lookup_name(s, n->name, n->span);
    if (e) return e;
    if (s->names_lost || (s->frame && s->frame->names_lost)) return exp_error;
    Diag *d = sema_error(s, n->span, "unknown name `%s`", n->name);
    if (s->frame && s->frame->is_indexed)
        diag_help(d, "an index stands on the left side or in a reduction's brackets");
    suggest(s, d, n->name);
    if (s->frame) lose_name(s, n);  // is said once
    return exp_error;
}

Exp *lookup_quiet(Sema *s, Name id) {
    if (find_binding(s->frame, id)) return NULL;
    Var *v = frame_var(s->frame, id);
    if (!v) return NULL;
    if (v->kind == VAR_kept) return kept_current(s, v->kept);
    if (v->kind == VAR_field && !v->e) v->e = field_value(s, v->node);
    return v->e;
}

// ---- what errors leave behind

bool is_lost_name(Sema *s, const Node *n) {
    Exp *e = lookup_name(s, n->name, n->span);
    return !e || is_error(e);
}

bool has_broken(const Node *items) {
    for (int i = 0; i < items->n; i++)
        if (items->kid[i]->kind == NODE_broken) return true;
    return false;
}

void lose_name(Sema *s, const Node *n) {
    Var *v = frame_var(s->frame, n->name);
    if (v && v->kind == VAR_kept) return;  // its type is known
    frame_set(s, s->frame, VAR_local, n->name, exp_error, n->name_span);
}
