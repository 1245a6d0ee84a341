// Declared types: evaluated, or united with what is given.
#include <string.h>

#include "sema/elab.h"

// ---- elements

static bool elem_of(Sema *s, const Node *type, Elem *out) {
    *out = s->m->real;
    if (!type->name || is_word(type->name, "f32") || is_word(type->name, "f64") ||
        is_word(type->name, "real"))
        return true;
    *out = ELEM_i32;
    if (is_word(type->name, "class") || is_word(type->name, "i32")) return true;
    *out = ELEM_bool;
    if (is_word(type->name, "bool")) return true;
    static const char *const known[] = {"f32", "class", "i32", "bool"};
    Diag *d = sema_error(s, type->name_span, "unknown element `%s`", type->name);
    const char *best = nearest(type->name, known, 4);
    if (best) diag_help(d, "did you mean `%s`?", best);
    return false;
}

static bool is_class(const Node *type) {
    return is_word(type->name, "class");
}

// The count of class(k) where it is known; 0 else.
static bool class_below(Sema *s, const Node *type, int64_t *out) {
    Dim d;
    *out = 0;
    if (!is_class(type)) return true;
    if (!type->kid[0]) {
        fail(s, type->span, "the count of a class stands in parentheses: `class(10)`");
        return false;
    }
    if (!need_dim(s, type->kid[0], &d)) return false;
    *out = dim_max(d);
    return true;
}

// ---- evaluated

// Where a size comes from: that of `units` from where the caller wrote it.
static Span size_from(Sema *s, const Node *n) {
    Var *v = n->kind == NODE_name ? frame_var(s->frame, n->name) : NULL;
    return v && v->given.file ? v->given : n->span;
}

bool eval_type(Sema *s, const Node *type, Type *out, Span *from) {
    Elem elem;
    int64_t below;
    const Node *dims = type->kid[1];
    Frame *f = s->frame;
    bool is_good = elem_of(s, type, &elem) && class_below(s, type, &below);
    *out = type_scalar(elem);
    for (int i = 0; dims && i < dims->n; i++) {
        const Node *n = dims->kid[i];
        bool is_pack = n->kind == NODE_pack;
        int extra = is_pack ? f->n_pack : 1;
        if (out->rank + extra > MAX_RANK)
            return fail(s, dims->span, "too many axes: the most is %d", MAX_RANK), false;
        if (is_pack && !f->has_pack && f->pack_lost) return false;
        if (is_pack && !f->has_pack)
            return fail(s, n->span, "`...` stands for no axes here: the signature has none"), false;
        for (int k = 0; k < extra; k++) {
            from[out->rank] = is_pack ? f->pack[k].from : size_from(s, n);
            if (is_pack)
                out->dim[out->rank] = f->pack[k].dim;
            else if (!need_dim(s, n, &out->dim[out->rank]))
                is_good = false;
            out->rank++;
        }
    }
    if (is_good) out->below = below;
    return is_good;
}

// ---- united

typedef struct Matching {
    const Node *type;
    const char *what;  // "`x`" or "the result"
    Span at;
    Exp *e;
    Shape shape;
    bool is_bad;
} Matching;

static const char *dims_text(Sema *s, const Node *type) {
    const Node *dims = type->kid[1];
    if (!dims) return "[]";
    const Source *source = source_of(s->c->sources, dims->span.file);
    return arena_printf(s->arena, "[%.*s]", dims->span.end - dims->span.begin,
                        source->text + dims->span.begin);
}

static void report_axis(Sema *s, Matching *m, int axis, Dim declared, const Node *n) {
    Axis own = m->shape.axis[axis];
    Diag *d = sema_error(s, m->at, "axis %d of %s has size %s, and %s is declared", axis + 1,
                         m->what, dim_text(s, own.dim), dim_text(s, declared));
    if (own.from.file) diag_note(d, own.from, "%s comes from here", dim_text(s, own.dim));
    diag_note(d, n->span, "%s is declared here", dim_text(s, declared));
    m->is_bad = true;
}

static void match_known(Sema *s, Matching *m, int axis, Dim declared, const Node *n) {
    if (!dim_equal(m->shape.axis[axis].dim, declared)) report_axis(s, m, axis, declared, n);
}

// A name that means nothing yet stands for the size that it meets.
static bool is_open(Sema *s, const Node *n) {
    if (n->kind != NODE_name) return false;
    if (frame_var(s->frame, n->name)) return false;
    bool in_model = s->frame->def && s->frame->def->kind == NODE_model;
    if (is_word(n->name, "batch")) return !in_model;
    if (!s->frame->is_library && find_hyper(s, n->name)) return false;
    const Node *def = global_def(s, n->name, s->frame->is_library);
    return !def || def->kind != NODE_constant;
}

static void bind_dim(Sema *s, Name id, Dim d, Span from) {
    frame_set(s, s->frame, VAR_dim, id, exp_dim(s, d), from);
}

static void match_dim(Sema *s, Matching *m, int axis, const Node *n) {
    Axis own = m->shape.axis[axis];
    Dim declared;
    if (n->kind == NODE_name && is_word(n->name, "_")) return;
    if (is_open(s, n)) {
        bind_dim(s, n->name, own.dim, own.from.file ? own.from : m->at);
        return;
    }
    Var *v = n->kind == NODE_name ? frame_var(s->frame, n->name) : NULL;
    if (v && v->e && is_error(v->e)) return;
    if (!need_dim(s, n, &declared))
        m->is_bad = true;
    else
        match_known(s, m, axis, declared, n);
}

static void match_pack(Sema *s, Matching *m, int first, int n, const Node *node) {
    Frame *f = s->frame;
    if (!f->has_pack) {
        f->has_pack = true;
        f->n_pack = n;
        memcpy(f->pack, m->shape.axis + first, sizeof *f->pack * (size_t)n);
        return;
    }
    if (n == f->n_pack) {
        for (int i = 0; i < n; i++) match_known(s, m, first + i, f->pack[i].dim, node);
        return;
    }
    Shape pack = {.rank = f->n_pack}, own = {.rank = n};
    memcpy(pack.axis, f->pack, sizeof *f->pack * (size_t)f->n_pack);
    memcpy(own.axis, m->shape.axis + first, sizeof *own.axis * (size_t)n);
    Diag *d = sema_error(s, m->at, "`...` stands for %s in %s, and for %s elsewhere",
                         shape_text(s, &own), m->what, shape_text(s, &pack));
    diag_note(d, node->span, "`...` stands here");
    m->is_bad = true;
}

static void match_dims(Sema *s, Matching *m) {
    const Node *dims = m->type->kid[1];
    int n = dims ? dims->n : 0, n_pack = 0;
    for (int i = 0; i < n; i++) n_pack += dims->kid[i]->kind == NODE_pack;
    int covered = m->shape.rank - (n - n_pack);
    if (covered < 0 || (covered > 0 && !n_pack)) {
        Diag *d = sema_error(s, m->at, "%s has the shape %s, and %s is declared", m->what,
                             shape_text(s, &m->shape), dims_text(s, m->type));
        diag_note(d, m->type->span, "declared here");
        m->is_bad = true;
        return;
    }
    for (int i = 0, axis = 0; i < n; i++) {
        if (dims->kid[i]->kind == NODE_pack) {
            match_pack(s, m, axis, covered, dims->kid[i]);
            axis += covered;
        } else {
            match_dim(s, m, axis++, dims->kid[i]);
        }
    }
}

static void match_class(Sema *s, Matching *m) {
    const Node *k = m->type->kid[0];
    int64_t count = class_count(s, m->e), below;
    if (elem_is_real(exp_elem(s, m->e)) || !count) {
        fail(s, m->at, "%s must be a class, integers below a count that is known, and this is %s",
             m->what, exp_describe(s, m->e));
        m->is_bad = true;
        return;
    }
    if (k && is_open(s, k)) return bind_dim(s, k->name, dim_const(count), m->at);
    if (!class_below(s, m->type, &below)) {
        m->is_bad = true;
    } else if (count > below) {
        Diag *d = sema_error(s, m->at, "%s has classes below %lld, and below %lld is declared",
                             m->what, (long long)count, (long long)below);
        diag_note(d, m->type->span, "declared here");
        Var *v = k->kind == NODE_name ? frame_var(s->frame, k->name) : NULL;
        if (v && v->span.file && !s->frame->is_library)
            diag_note(d, v->span, "%lld comes from here", (long long)below);
        m->is_bad = true;
    }
}

static Exp *as_elem(Sema *s, Exp *e, Elem elem) {
    Shape shape = exp_axes(s, e);
    return exp_body(s, to_elem(s, exp_at(s, e, &shape), elem), &shape);
}

// The sizes that the type would name depend on an error.
static Exp *lose_sizes(Sema *s, const Node *type) {
    const Node *dims = type->kid[1];
    for (int i = 0; dims && i < dims->n; i++) {
        const Node *n = dims->kid[i];
        if (n->kind == NODE_pack) s->frame->pack_lost = true;
        if (is_open(s, n) && !is_word(n->name, "batch")) lose_name(s, n);
    }
    if (type->kid[0] && is_open(s, type->kid[0])) lose_name(s, type->kid[0]);
    return exp_error;
}

// A list of numbers is a tensor [n] where a tensor is asked for.
static Exp *list_as_tensor(Sema *s, Exp *e, Span at) {
    if (e->kind != EXP_list || !e->list.n) return e;
    for (int i = 0; i < e->list.n; i++)
        if (e->list.at[i]->kind != EXP_number) return e;
    Shape shape = {.rank = 1, .axis = {axis_new(s, dim_const(e->list.n), at)}};
    Scalar *place = scalar_iv(s->m, shape.axis[0].slot);
    Scalar *body = to_real(s, exp_at(s, e->list.at[e->list.n - 1], &(Shape){0}));
    for (int i = e->list.n - 1; i-- > 0;) {
        Scalar *is_here = scalar_binary(s->m, OP_eq, place, scalar_int(s->m, i));
        Scalar *here = to_real(s, exp_at(s, e->list.at[i], &(Shape){0}));
        body = scalar_select(s->m, is_here, here, body);
    }
    return exp_bind(s, exp_body(s, body, &shape), at, NULL);
}

Exp *match_type(Sema *s, const Node *type, Exp *e, Span at, const char *what) {
    Elem elem;
    if (type->kid[1]) e = list_as_tensor(s, e, at);
    if (!is_error(e) && !is_scalar_like(e))
        e = fail(s, at, "%s must be a tensor, and this is %s", what, exp_describe(s, e));
    if (!elem_of(s, type, &elem) || is_error(e)) return lose_sizes(s, type);
    Matching m = {.type = type, .what = what, .at = at, .e = e, .shape = exp_shape(s, e)};
    match_dims(s, &m);
    if (!m.is_bad && is_class(type)) match_class(s, &m);
    if (m.is_bad) return lose_sizes(s, type);
    if (!is_tensor(e) || exp_elem(s, e) == elem) return e;
    if (elem == ELEM_i32 && elem_is_real(exp_elem(s, e)))
        return fail(s, at, "%s must be integers, and this is %s of reals", what,
                    exp_describe(s, e));
    return exp_bind(s, as_elem(s, e, elem), at, NULL);
}

// ---- fitted: broadcast to a type that is known

Exp *fit_type(Sema *s, Exp *e, const Type *t, const Span *from, Span at, Name hint) {
    if (is_error(e)) return e;
    if (!is_scalar_like(e))
        return fail(s, at, "a tensor is needed here, and this is %s", exp_describe(s, e));
    Shape own = exp_shape(s, e), shape = {.rank = t->rank};
    bool fits = own.rank <= t->rank;
    for (int i = 0; i < t->rank; i++) {
        shape.axis[i] = axis_new(s, t->dim[i], from ? from[i] : (Span){0});
        int k = i - (t->rank - own.rank);
        if (!fits || k < 0) continue;
        Dim d = own.axis[k].dim;
        fits = dim_equal(d, t->dim[i]) || (!d.by && d.n == 1);
    }
    if (!fits) {
        Diag *d = sema_error(s, at, "the shape %s does not fit %s", shape_text(s, &own),
                             shape_text(s, &shape));
        for (int i = 0; i < own.rank; i++)
            if (own.axis[i].from.file)
                diag_note(d, own.axis[i].from, "%s comes from here", dim_text(s, own.axis[i].dim));
        return exp_error;
    }
    Elem elem = exp_elem(s, e);
    if (t->elem == ELEM_i32 && elem_is_real(elem))
        return fail(s, at, "integers are needed here, and these are reals");
    Scalar *body = to_elem(s, exp_at(s, e, &shape), t->elem);
    return exp_store(s, exp_body(s, body, &shape), at, hint);
}

// ---- in place of what is an error

static bool sizes_known(Sema *s, const Node *n) {
    if (!n) return true;
    if (n->kind == NODE_name) return !is_lost_name(s, n);
    if (n->kind == NODE_pack) return s->frame->has_pack;
    for (int i = 0; i < n->n; i++)
        if (!sizes_known(s, n->kid[i])) return false;
    return true;
}

Exp *stand_in(Sema *s, const Node *type, Span at) {
    Type t;
    Span from[MAX_RANK];
    if (!sizes_known(s, type->kid[0]) || !sizes_known(s, type->kid[1])) return exp_error;
    if (!eval_type(s, type, &t, from) || !t.rank) return exp_error;
    return fit_type(s, exp_int(s, 0), &t, from, at, NULL);
}
