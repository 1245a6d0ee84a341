// Terms: what an expression stands for, and how a tensor term becomes a Value.
#include <string.h>

#include "base/die.h"
#include "base/text.h"
#include "sema/elab.h"

static const Exp error_term = {.kind = EXP_error};
Exp *const exp_error = (Exp *)&error_term;  // never written to

// ---- making terms

static Exp *exp_new(Sema *s, ExpKind kind) {
    Exp *e = NEW(s->arena, Exp);
    e->kind = kind;
    return e;
}

Exp *exp_number(Sema *s, Number n) {
    Exp *e = exp_new(s, EXP_number);
    e->number = n;
    return e;
}

Exp *exp_int(Sema *s, int64_t n) {
    return exp_number(s, number_int(n));
}

Exp *exp_bool(Sema *s, bool truth) {
    Exp *e = exp_new(s, EXP_bool);
    e->truth = truth;
    return e;
}

Exp *exp_string(Sema *s, Name text) {
    Exp *e = exp_new(s, EXP_string);
    e->string = text;
    return e;
}

// A constant dimension is a number like any other.
Exp *exp_dim(Sema *s, Dim d) {
    if (!d.by) return exp_int(s, d.n);
    Exp *e = exp_new(s, EXP_dim);
    e->dim = d;
    return e;
}

Exp *exp_list(Sema *s, ExpKind kind, int n, Exp *const *at) {
    Exp *e = exp_new(s, kind);
    e->list.n = n;
    e->list.at = arena_copy(s->arena, at, sizeof *at * (size_t)n);
    return e;
}

Exp *exp_stored(Sema *s, Value *v) {
    Exp *e = exp_new(s, EXP_stored);
    e->stored.v = v;
    return e;
}

Exp *exp_body(Sema *s, Scalar *body, const Shape *shape) {
    Exp *e = exp_new(s, EXP_body);
    e->body.body = body;
    e->body.rank = shape->rank;
    e->body.axis = arena_copy(s->arena, shape->axis, sizeof *shape->axis * (size_t)shape->rank);
    return e;
}

Exp *exp_scalar(Sema *s, Scalar *body) {
    return exp_body(s, body, &(Shape){0});
}

// ---- asking

bool is_error(const Exp *e) {
    return e->kind == EXP_error;
}

bool is_tensor(const Exp *e) {
    return e->kind == EXP_stored || e->kind == EXP_body;
}

bool is_scalar_like(const Exp *e) {
    return is_tensor(e) || e->kind == EXP_number || e->kind == EXP_bool || e->kind == EXP_dim;
}

const char *exp_describe(Sema *s, const Exp *e) {
    switch (e->kind) {
        case EXP_number: return "a number";
        case EXP_bool: return "a truth value";
        case EXP_string: return "a string";
        case EXP_dim: return "a dimension";
        case EXP_list: return "a list";
        case EXP_tuple: return arena_printf(s->arena, "%d results", e->list.n);
        case EXP_callable:
            return arena_printf(s->arena, "the %s `%s`",
                                e->callable.def->kind == NODE_fn
                                    ? "function"
                                    : node_kind_name[e->callable.def->kind],
                                e->callable.def->name);
        case EXP_builtin: return "a function";
        case EXP_instance: return arena_printf(s->arena, "the layer `%s`", e->instance->def->name);
        case EXP_path:
        case EXP_group: return arena_printf(s->arena, "`%s`", e->string);
        case EXP_rows: return e->split < 0 ? "a data block" : "a split";
        default: {
            Shape shape = exp_shape(s, e);
            return arena_printf(s->arena, "a tensor %s", shape_text(s, &shape));
        }
    }
}

Elem exp_elem(Sema *s, const Exp *e) {
    switch (e->kind) {
        case EXP_number: return number_is_int(e->number) ? ELEM_i32 : s->m->real;
        case EXP_bool: return ELEM_bool;
        case EXP_dim: return ELEM_i32;
        case EXP_stored: return e->stored.v->type.elem;
        case EXP_body: return e->body.body->elem;
        default: return s->m->real;
    }
}

Shape exp_shape(Sema *s, const Exp *e) {
    Shape shape = {0};
    if (e->kind == EXP_body) {
        shape.rank = e->body.rank;
        memcpy(shape.axis, e->body.axis, sizeof *e->body.axis * (size_t)e->body.rank);
    } else if (e->kind == EXP_stored) {
        const Type *t = &e->stored.v->type;
        shape.rank = t->rank - e->stored.n_outer;
        for (int i = 0; i < shape.rank; i++) {
            int axis = i + e->stored.n_outer;
            shape.axis[i] = (Axis){-1, t->dim[axis], origin_of(s, e->stored.v, axis)};
        }
    }
    return shape;
}

Shape exp_axes(Sema *s, const Exp *e) {
    Shape shape = exp_shape(s, e);
    for (int i = 0; i < shape.rank; i++) {
        Axis *a = &shape.axis[i];
        if (a->slot < 0) a->slot = slot_new(s, a->dim, a->from);
    }
    return shape;
}

const char *dim_text(Sema *s, Dim d) {
    if (!d.by) return arena_printf(s->arena, "%lld", (long long)d.n);
    if (d.n == 1) return d.by->name;
    return arena_printf(s->arena, "%lld*%s", (long long)d.n, d.by->name);
}

const char *shape_text(Sema *s, const Shape *shape) {
    Text *t = text_new(s->arena);
    text_add(t, "[");
    for (int i = 0; i < shape->rank; i++)
        text_printf(t, "%s%s", i ? ", " : "", dim_text(s, shape->axis[i].dim));
    text_add(t, "]");
    return t->at;
}

// Where the size of an axis was said, for notes.
void set_origin(Sema *s, Value *v, int axis, Span from) {
    if (!from.file) return;
    Span *at = map_get(s->origin, v);
    if (!at) {
        at = NEW_ARRAY(s->arena, Span, MAX_RANK);
        map_set(s->origin, v, at);
    }
    if (!at[axis].file) at[axis] = from;
}

Span origin_of(Sema *s, const Value *v, int axis) {
    const Span *at = map_get(s->origin, v);
    return at ? at[axis] : (Span){0};
}

// ---- slots

static int slot_add(Sema *s, SlotInfo info) {
    while (s->slots.n < N_SPECIAL) vec_push(s->arena, &s->slots, ((SlotInfo){.dim = dim_const(1)}));
    vec_push(s->arena, &s->slots, info);
    return s->slots.n - 1;
}

int slot_new(Sema *s, Dim d, Span from) {
    return slot_add(s, (SlotInfo){.dim = d, .is_known = true, .from = from});
}

int slot_room(const Sema *s) {
    return s->slots.n + N_SPECIAL;
}

int slot_unknown(Sema *s, Name id, Span at) {
    return slot_add(s, (SlotInfo){.dim = dim_const(1), .from = at, .name = id});
}

Axis slot_axis(Sema *s, int slot) {
    return (Axis){slot, s->slots.at[slot].dim, s->slots.at[slot].from};
}

Axis axis_new(Sema *s, Dim d, Span from) {
    return (Axis){slot_new(s, d, from), d, from};
}

const Dim *slot_extents(Sema *s) {
    Dim *d = NEW_ARRAY(s->arena, Dim, slot_room(s));
    for (int i = 0; i < s->slots.n; i++) d[i] = s->slots.at[i].dim;
    return d;
}

typedef struct Used {
    bool *slot;
    Map *seen;
} Used;

static void affine_used(Affine a, bool *used) {
    for (int i = 0; i < a.n; i++) used[a.t[i].slot] = true;
}

static void scalar_used(Used *u, Scalar *x) {
    if (map_has(u->seen, x)) return;
    map_set(u->seen, x, x);
    if (x->op == OP_iv) u->slot[x->slot] = true;
    for (int i = 0; i < op_info[x->op].arity; i++) scalar_used(u, x->arg[i]);
    if (x->op != OP_read) return;
    const Read *r = x->read;
    for (int i = 0; i < r->v->type.rank; i++) {
        affine_used(r->sub[i].a, u->slot);
        if (r->sub[i].gather) scalar_used(u, r->sub[i].gather);
    }
    for (int i = 0; i < r->n_guard; i++) {
        affine_used(r->guard[i].e, u->slot);
        if (r->guard[i].s) scalar_used(u, r->guard[i].s);
    }
    if (r->otherwise) scalar_used(u, r->otherwise);
}

void slots_used(Sema *s, Scalar *x, bool *used) {
    Arena *scratch = arena_new();
    scalar_used(&(Used){used, map_new(scratch)}, x);
    arena_free(scratch);
    (void)s;
}

static Affine *no_change(Sema *s) {
    int n = slot_room(s);
    Affine *to = NEW_ARRAY(s->arena, Affine, n);
    for (int i = 0; i < n; i++) to[i].n = -1;
    return to;
}

const Affine *slots_at_zero(Sema *s, const int *slot, int n) {
    Affine *to = no_change(s);
    for (int i = 0; i < n; i++) to[slot[i]] = affine_const(0);
    return to;
}

// ---- elements

Scalar *to_real(Sema *s, Scalar *x) {
    return elem_is_real(x->elem) ? x : scalar_unary(s->m, OP_to_real, x);
}

Scalar *to_int(Sema *s, Scalar *x) {
    return x->elem == ELEM_i32 ? x : scalar_unary(s->m, OP_to_int, x);
}

Scalar *to_number(Sema *s, Scalar *x) {
    if (x->elem == ELEM_bool) return to_real(s, x);
    return x->elem == ELEM_u8 ? to_int(s, x) : x;
}

static bool is_integer(Elem e) {
    return e == ELEM_i32 || e == ELEM_u8;
}

void as_numbers(Sema *s, Scalar **a, Scalar **b, bool as_reals) {
    bool are_integers = is_integer((*a)->elem) && is_integer((*b)->elem) && !as_reals;
    *a = are_integers ? to_int(s, *a) : to_real(s, *a);
    *b = are_integers ? to_int(s, *b) : to_real(s, *b);
}

Scalar *to_elem(Sema *s, Scalar *x, Elem elem) {
    if (x->elem == elem) return x;
    if (elem_is_real(elem)) return to_real(s, x);
    if (elem == ELEM_i32) return to_int(s, x);
    if (elem != ELEM_bool) BUG("no way from %s to %s", elem_name[x->elem], elem_name[elem]);
    return scalar_binary(s->m, OP_ne, x, scalar_const(s->m, x->elem, 0));
}

// ---- reading a term at axes

static Scalar *number_scalar(Sema *s, Number n) {
    if (number_is_int(n) && n.num <= INT32_MAX && n.num >= INT32_MIN)
        return scalar_int(s->m, n.num);
    return scalar_real(s->m, number_value(n));
}

static Scalar *dim_scalar(Sema *s, Dim d) {
    const char *id = count_name(s, d.by, "run.rows");
    Scalar *rows = exp_at(s, run_input(s, id, ELEM_i32), &(Shape){0});
    return scalar_binary(s->m, OP_mul, rows, scalar_int(s->m, d.n));
}

static bool is_repeated(Dim own, Dim common) {
    return !own.by && own.n == 1 && !dim_equal(own, common);
}

static Scalar *stored_at(Sema *s, const Exp *e, const Shape *at) {
    Value *v = e->stored.v;
    Affine sub[MAX_RANK];
    int n_outer = e->stored.n_outer, rank = v->type.rank - n_outer;
    for (int i = 0; i < n_outer; i++) sub[i] = affine_slot(s->m, e->stored.outer[i]);
    for (int i = 0; i < rank; i++) {
        const Axis *a = &at->axis[at->rank - rank + i];
        sub[n_outer + i] = is_repeated(v->type.dim[n_outer + i], a->dim)
                               ? affine_const(0)
                               : affine_slot(s->m, a->slot);
    }
    return scalar_read_at(s->m, v, sub);
}

static Scalar *body_at(Sema *s, const Exp *e, const Shape *at) {
    Affine *to = NULL;
    for (int i = 0; i < e->body.rank; i++) {
        const Axis *own = &e->body.axis[i], *a = &at->axis[at->rank - e->body.rank + i];
        if (own->slot == a->slot) continue;
        if (!to) to = no_change(s);
        to[own->slot] =
            is_repeated(own->dim, a->dim) ? affine_const(0) : affine_slot(s->m, a->slot);
    }
    return to ? scalar_subst(s->m, e->body.body, to) : e->body.body;
}

Scalar *exp_at(Sema *s, const Exp *e, const Shape *at) {
    switch (e->kind) {
        case EXP_number: return number_scalar(s, e->number);
        case EXP_bool: return scalar_bool(s->m, e->truth);
        case EXP_dim: return dim_scalar(s, e->dim);
        case EXP_stored: return stored_at(s, e, at);
        case EXP_body: return body_at(s, e, at);
        default: BUG("no scalar of a term of kind %d", e->kind);
    }
}

// ---- broadcasting

static void report_sizes(Sema *s, Span at, Axis a, Axis b, Span a_span, Span b_span) {
    Diag *d = sema_error(s, at, "the sizes %s and %s do not match", dim_text(s, a.dim),
                         dim_text(s, b.dim));
    if (a_span.file && a_span.file == at.file) diag_label(d, a_span, "%s here", dim_text(s, a.dim));
    if (b_span.file && b_span.file == at.file) diag_label(d, b_span, "%s here", dim_text(s, b.dim));
    if (a.from.file) diag_note(d, a.from, "%s comes from here", dim_text(s, a.dim));
    if (b.from.file) diag_note(d, b.from, "%s comes from here", dim_text(s, b.dim));
}

static int most_axes(Sema *s, Exp *const *e, int n) {
    int most = 0;
    for (int i = 0; i < n; i++) {
        Shape own = exp_shape(s, e[i]);
        if (own.rank > most) most = own.rank;
    }
    return most;
}

bool broadcast(Sema *s, Span at, Exp **e, const Span *span, int n, Shape *out) {
    Span from[MAX_SLOTS] = {0};  // the operand that gave each axis, counted from the right
    *out = (Shape){0};
    for (int i = 0; i < n; i++) e[i] = align_rows(s, e[i], most_axes(s, e, n));
    for (int i = 0; i < n; i++) {
        Shape own = exp_shape(s, e[i]);
        if (own.rank > out->rank) {
            int more = own.rank - out->rank;
            memmove(out->axis + more, out->axis, sizeof *out->axis * (size_t)out->rank);
            for (int k = 0; k < more; k++) {
                out->axis[k] = own.axis[k];
                from[own.rank - 1 - k] = span[i];
            }
            out->rank = own.rank;
        }
        for (int k = 0; k < own.rank; k++) {
            Axis *common = &out->axis[out->rank - own.rank + k];
            int place = own.rank - 1 - k;
            if (dim_equal(common->dim, own.axis[k].dim)) {
                if (common->slot < 0) common->slot = own.axis[k].slot;
                continue;
            }
            if (is_repeated(own.axis[k].dim, common->dim)) continue;
            if (!is_repeated(common->dim, own.axis[k].dim)) {
                report_sizes(s, at, *common, own.axis[k], from[place], span[i]);
                return false;
            }
            *common = own.axis[k];
            from[place] = span[i];
        }
    }
    for (int i = 0; i < out->rank; i++) {
        Axis *a = &out->axis[i];
        bool is_taken = a->slot < 0;
        for (int k = 0; k < i; k++) is_taken |= out->axis[k].slot == a->slot;
        if (is_taken) a->slot = slot_new(s, a->dim, a->from);
    }
    return true;
}
