// Modules, functions and values.
#include "ir/build.h"

#include <string.h>

#include "base/die.h"
#include "ir/fold.h"
#include "ir/share.h"

// ---- modules

Module *module_new(Compiler *c, Name module_name, Elem real) {
    Module *m = NEW(c->arena, Module);
    m->c = c;
    m->arena = c->arena;
    m->name = module_name;
    m->real = real;
    m->shared_scalars = map_new(m->arena);
    m->shared_values = map_new(m->arena);
    return m;
}

Extent *module_extent(Module *m, const char *text, int64_t max) {
    Name n = name(m->c->names, text);
    for (int i = 0; i < m->extents.n; i++)
        if (m->extents.at[i]->name == n) return m->extents.at[i];
    Extent *e = NEW(m->arena, Extent);
    *e = (Extent){n, max, m->extents.n};
    vec_push(m->arena, &m->extents, e);
    return e;
}

Function *function_new(Module *m, const char *text) {
    Function *f = NEW(m->arena, Function);
    f->name = name(m->c->names, text);
    f->m = m;
    vec_push(m->arena, &m->fns, f);
    return f;
}

Function *module_function(const Module *m, const char *text) {
    for (int i = 0; i < m->fns.n; i++)
        if (!strcmp(m->fns.at[i]->name, text)) return m->fns.at[i];
    return NULL;
}

void function_result(Function *f, const char *text, Value *v) {
    vec_push(f->m->arena, &f->results, ((Result){name(f->m->c->names, text), v}));
}

void function_update(Function *f, Value *target, Value *v, Span span) {
    vec_push(f->m->arena, &f->updates, ((Update){target, v, span}));
}

// ---- leaves

static Value *find_leaf(Value *const *at, int n, Name leaf, const Type *t) {
    for (int i = 0; i < n; i++) {
        if (at[i]->leaf.name != leaf) continue;
        if (!type_equal(&at[i]->type, t)) BUG("%s has two types", leaf);
        return at[i];
    }
    return NULL;
}

static Value *new_leaf(Module *m, ValueOp op, Function *fn, Name leaf, Type t, Span span) {
    Value like = {.op = op, .type = t, .span = span, .leaf = {leaf, fn}};
    return share_value(m, &like);
}

Value *build_input(Function *f, const char *text, Type t, Span span) {
    Name n = name(f->m->c->names, text);
    Value *v = find_leaf(f->inputs.at, f->inputs.n, n, &t);
    if (v) return v;
    v = new_leaf(f->m, VAL_input, f, n, t, span);
    vec_push(f->m->arena, &f->inputs, v);
    return v;
}

Value *build_param(Module *m, const char *text, Type t, Span span) {
    Name n = name(m->c->names, text);
    Value *v = find_leaf(m->params.at, m->params.n, n, &t);
    if (v) return v;
    v = new_leaf(m, VAL_param, NULL, n, t, span);
    vec_push(m->arena, &m->params, v);
    return v;
}

Value *build_state(Module *m, const char *text, Type t, Span span) {
    Name n = name(m->c->names, text);
    Value *v = find_leaf(m->states.at, m->states.n, n, &t);
    if (v) return v;
    v = new_leaf(m, VAL_state, NULL, n, t, span);
    vec_push(m->arena, &m->states, v);
    return v;
}

// ---- reductions

Scalar *red_identity(Module *m, RedKind red, Elem elem) {
    bool is_real = elem_is_real(elem);
    double inf = __builtin_inf();
    switch (red) {
        case RED_prod: return scalar_const(m, elem, 1);
        case RED_max:
        case RED_argmax:
            if (is_real) return scalar_const(m, elem, -inf);
            return scalar_const(m, elem, elem == ELEM_i32 ? INT32_MIN : 0);
        case RED_min:
        case RED_argmin:
            if (is_real) return scalar_const(m, elem, inf);
            return scalar_const(m, elem, elem == ELEM_i32 ? INT32_MAX : elem == ELEM_u8 ? 255 : 1);
        case RED_all: return scalar_bool(m, true);
        default: return scalar_const(m, elem, 0);
    }
}

static bool is_arg(RedKind red) {
    return red == RED_argmax || red == RED_argmin;
}

static int64_t box_count(const Dim *extent, int n) {
    int64_t count = 1;
    for (int i = 0; i < n; i++) count *= dim_max(extent[i]);
    return count;
}

// What is known of the elements of an index: those of its body where a reduction picks one.
static int64_t index_below(const Index *x) {
    if (is_arg(x->red)) return box_count(x->extent + x->np, x->nr);
    bool picks = x->red == RED_none || ((x->red == RED_max || x->red == RED_min) && !x->n_where);
    if (!picks || elem_is_real(x->body->elem) || x->body->elem == ELEM_bool) return 0;
    return scalar_below(x->body, x->extent);
}

static Type index_type(const Index *x) {
    Type t = type_tensor(is_arg(x->red) ? ELEM_i32 : x->body->elem, x->np, x->extent);
    t.below = index_below(x);
    return t;
}

// ---- values

// v[slot 0, slot 1, ...] over all of v is v.
static Value *whole_value(const Index *x) {
    if (x->red != RED_none || x->body->op != OP_read) return NULL;
    const Read *r = x->body->read;
    if (r->n_guard || r->v->type.rank != x->np) return NULL;
    for (int i = 0; i < x->np; i++) {
        const Subscript *s = &r->sub[i];
        bool is_slot = s->div == 1 && !s->gather && s->a.n == 1 && s->a.k == 0 &&
                       s->a.t[0].slot == i && s->a.t[0].c == 1;
        if (!is_slot || !dim_equal(r->v->type.dim[i], x->extent[i])) return NULL;
    }
    return r->v;
}

// Normal guards over a box; where one never holds all of them stay, since no point takes part.
static int box_guards(Module *m, const Guard *guard, int n, const Dim *extent, Guard *out) {
    int n_normal, n_kept;
    Guard *normal = NEW_ARRAY(m->arena, Guard, n);
    Guard *folded = NEW_ARRAY(m->arena, Guard, n);
    for (int i = 0; i < n; i++) {
        folded[i] = guard[i];
        if (guard[i].s) folded[i].s = fold_in_box(m, guard[i].s, extent);
    }
    bool holds = normal_guards(m, folded, n, normal, &n_normal) &&
                 fold_guards_in_box(m, normal, n_normal, extent, out, &n_kept);
    if (holds) return n_kept;
    out[0] = (Guard){.e = affine_const(-1)};
    return 1;
}

Value *build_index(Module *m, const Index *index, Span span, Name hint) {
    Index x = *index;
    if (x.np > MAX_RANK || x.np + x.nr > MAX_SLOTS) BUG("an index over too many slots");
    if ((x.red == RED_none) != (x.nr == 0))
        BUG("a reduction without reduced slots, or without kind");
    Guard *where = NEW_ARRAY(m->arena, Guard, x.n_where + 1);
    x.n_where = box_guards(m, x.where, x.n_where, x.extent, where);
    x.where = where;
    x.body = fold_in_box(m, x.body, x.extent);
    Value *whole = whole_value(&x);
    if (whole) return whole;
    Value like = {.op = VAL_index, .type = index_type(&x), .span = span, .hint = hint, .index = x};
    return share_value(m, &like);
}

Value *build_map(Module *m, int rank, const Dim *dim, Scalar *body, Span span, Name hint) {
    return build_index(m, &(Index){.np = rank, .extent = dim, .body = body}, span, hint);
}

Value *build_accumulate(Module *m, const Accumulate *a, const Type *result, Span span, Name hint) {
    Accumulate x = *a;
    Subscript target[MAX_RANK];
    if (x.n > MAX_SLOTS) BUG("an accumulate over too many slots");
    if (x.red != RED_sum && x.red != RED_max && x.red != RED_min)
        BUG("an accumulate by %s", red_name[x.red]);
    Guard *where = NEW_ARRAY(m->arena, Guard, x.n_where + 1);
    x.n_where = box_guards(m, x.where, x.n_where, x.extent, where);
    x.where = where;
    for (int i = 0; i < result->rank; i++) {
        Subscript s = x.target[i];
        if (s.gather) s.gather = fold_in_box(m, s.gather, x.extent);
        target[i] = fold_subscript_in_box(m, normal_subscript(m, s), x.extent);
    }
    x.target = target;
    x.body = fold_in_box(m, x.body, x.extent);
    Value like = {
        .op = VAL_accumulate, .type = *result, .span = span, .hint = hint, .accumulate = x};
    return share_value(m, &like);
}

Value *build_reshape(Module *m, Value *v, int rank, const Dim *dim, Span span) {
    Type t = type_tensor(v->type.elem, rank, dim);
    t.below = v->type.below;
    if (v->op == VAL_reshape) v = v->of;
    if (type_equal(&t, &v->type)) return v;
    Value like = {.op = VAL_reshape, .type = t, .span = span, .of = v};
    return share_value(m, &like);
}

// The bound of all pieces and of what stands between them.
static int64_t join_below(const Piece *piece, int n, double fill) {
    int64_t below = piece[0].v->type.below;
    for (int i = 1; i < n && below; i++) {
        int64_t other = piece[i].v->type.below;
        if (!other || other > below) below = other;
    }
    return fill >= 0 && fill < (double)below ? below : 0;
}

Value *build_join(Module *m, int axis, Dim extent, const Piece *piece, int n, double fill,
                  Span span) {
    if (n < 1) BUG("a join without pieces");
    Type t = piece[0].v->type;
    t.below = join_below(piece, n, fill);
    t.dim[axis] = extent;
    bool is_whole = n == 1 && piece[0].start == 0 && dim_equal(piece[0].v->type.dim[axis], extent);
    if (is_whole && piece[0].step == 1) return piece[0].v;
    Join join = {axis, n, piece, fill};
    Value like = {.op = VAL_join, .type = t, .span = span, .join = join};
    return share_value(m, &like);
}

// ---- scans

Value *build_carry(Module *m, Type t, Span span, Name hint) {
    Name unique = name(m->c->names, arena_printf(m->arena, "carry%d", m->n_carry++));
    Value like = {.op = VAL_carry, .type = t, .span = span, .hint = hint, .leaf = {unique, NULL}};
    return share_value(m, &like);
}

// A scan itself holds nothing that could be read.
Value *build_scan(Module *m, const Scan *scan, Span span) {
    Value like = {.op = VAL_scan, .type = type_scalar(ELEM_bool), .span = span, .scan = *scan};
    return share_value(m, &like);
}

Value *build_scan_part(Module *m, Value *v, int number, Span span, Name hint) {
    const Scan *scan = &v->scan;
    bool is_tap = number >= scan->n_carry;
    Type t = is_tap ? scan->tap[number - scan->n_carry]->type : scan->carry[number].leaf->type;
    if (!is_tap) t.dim[scan->axis].n++;
    Value like = {.op = VAL_part, .type = t, .span = span, .hint = hint, .part = {v, number}};
    return share_value(m, &like);
}

Value *build_grad(Module *m, Value *of, Value *wrt, Span span) {
    Type t = of->type;
    if (of->type.rank + wrt->type.rank > MAX_RANK) BUG("a gradient with too many axes");
    for (int i = 0; i < wrt->type.rank; i++) t.dim[t.rank++] = wrt->type.dim[i];
    Value like = {.op = VAL_grad, .type = t, .span = span, .grad = {of, wrt}};
    return share_value(m, &like);
}

Value *build_own(Module *m, const Own *own, Span span) {
    if (own->place < 0 || own->place >= own->n_cot) BUG("an own gradient of no result");
    Value like = {.op = VAL_own, .type = own->of->type, .span = span, .own = *own};
    return share_value(m, &like);
}

Value *build_cotangent(Module *m, int number, const Type *t, Span span) {
    Value like = {.op = VAL_cotangent, .type = *t, .span = span, .cotangent = number};
    if (number >= m->n_cotangent) m->n_cotangent = number + 1;
    return share_value(m, &like);
}
