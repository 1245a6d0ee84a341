// At the winner of a maximum, what was reduced is the maximum.
//
// The gradient of a pooling after a relu is select(0 < y[at], select(number == argmax, dy, 0), 0):
// nothing is sent but to the winner, where y is the pooled value. Reading that instead frees
// y, which is the larger, from being kept for the backward pass.
#include "ir/build.h"
#include "ir/rewrite.h"
#include "pass/structure.h"

typedef struct Winner {
    Module *m;
    const Dim *extent;  // of the box
    Affine position;    // row-major, of the winner in what was reduced
    const Value *of;    // what was reduced, without reshapes
    Scalar *best;       // the reduced value there
} Winner;

static const Value *without_reshape(const Value *v) {
    return v->op == VAL_reshape ? v->of : v;
}

static bool is_affine_read(const Read *r) {
    if (r->n_guard) return false;
    for (int i = 0; i < r->v->type.rank; i++)
        if (r->sub[i].div != 1 || r->sub[i].gather) return false;
    return true;
}

// The row-major place of an element; only the first axis may have a run-time extent.
static bool row_major(Module *m, const Type *t, const Affine *at, Affine *out) {
    int64_t stride = 1;
    *out = affine_const(0);
    for (int i = t->rank; i-- > 0;) {
        *out = affine_add(m, *out, affine_scale(m, at[i], stride));
        if (t->dim[i].by && i > 0) return false;
        stride *= t->dim[i].n;
    }
    return true;
}

static bool position_of(Module *m, const Read *r, Affine *out) {
    Affine at[MAX_RANK];
    if (!is_affine_read(r)) return false;
    for (int i = 0; i < r->v->type.rank; i++) at[i] = r->sub[i].a;
    return row_major(m, &r->v->type, at, out);
}

// Which slots of the box are the digits of `number`, the winner's among the reduced slots.
static bool digits_of(const Index *x, Affine number, const Dim *extent, Module *m, Affine *to) {
    int64_t place = 1;
    int found = 0;
    if (number.k) return false;
    for (int r = x->np + x->nr; r-- > x->np;) {
        to[r] = affine_const(0);
        if (x->extent[r].by) return false;
        for (int i = 0; i < number.n && x->extent[r].n > 1; i++) {
            if (number.t[i].c != place) continue;
            if (!dim_equal(extent[number.t[i].slot], x->extent[r])) return false;
            to[r] = affine_slot(m, number.t[i].slot);
            found++;
        }
        place *= x->extent[r].n;
        if (x->extent[r].n > 1 && !to[r].n) return false;
    }
    return found == number.n;
}

// Is the condition number == argmax[...] of a plain read? Then *w says what is where it holds.
static bool as_winner(Winner *w, const Scalar *condition) {
    Module *m = w->m;
    Affine number, to[MAX_SLOTS], at[MAX_RANK];
    if (condition->op != OP_eq || condition->arg[0]->elem != ELEM_i32) return false;
    int side = condition->arg[0]->op == OP_read ? 0 : 1;
    const Scalar *read = condition->arg[side];
    if (read->op != OP_read || !scalar_as_affine(m, condition->arg[1 - side], &number))
        return false;
    const Read *r = read->read;
    if (r->v->op != VAL_index || !is_affine_read(r)) return false;
    Index x = r->v->index;
    if ((x.red != RED_argmax && x.red != RED_argmin) || x.n_where) return false;
    if (x.body->op != OP_read || !is_affine_read(x.body->read)) return false;
    if (!digits_of(&x, number, w->extent, m, to)) return false;
    for (int i = 0; i < x.np; i++) to[i] = r->sub[i].a;
    const Value *of = x.body->read->v;
    for (int i = 0; i < of->type.rank; i++) at[i] = affine_subst(m, x.body->read->sub[i].a, to);
    if (!row_major(m, &of->type, at, &w->position)) return false;
    w->of = without_reshape(of);
    x.red = x.red == RED_argmax ? RED_max : RED_min;
    int before = m->n_value;
    Value *best = build_index(m, &x, r->v->span, NULL);
    if (m->n_value != before) return false;  // nobody keeps it
    w->best = scalar_read_at(m, best, to);
    return true;
}

static Scalar *replace_winner(void *context, Module *m, Scalar *s) {
    const Winner *w = context;
    Affine at;
    if (s->op != OP_read || without_reshape(s->read->v) != w->of) return s;
    return position_of(m, s->read, &at) && affine_equal(at, w->position) ? w->best : s;
}

static bool is_zero(const Scalar *s) {
    return s->op == OP_const && elem_is_real(s->elem) && s->real == 0;
}

static Scalar *simplify_winner(void *context, Module *m, Scalar *s) {
    Winner w = {.m = m, .extent = context};
    if (s->op != OP_select || !is_zero(s->arg[2])) return s;
    Scalar *c = s->arg[0], *then = s->arg[1];
    if (as_winner(&w, c))
        return scalar_select(m, c, scalar_rewrite(m, then, replace_winner, &w), s->arg[2]);
    bool is_nested = then->op == OP_select && is_zero(then->arg[2]);
    if (!is_nested || !as_winner(&w, then->arg[0])) return s;
    return scalar_select(m, scalar_rewrite(m, c, replace_winner, &w), then, s->arg[2]);
}

Value *structure_winner(Algebra *a, Value *v) {
    if (v->op != VAL_index) return v;
    Index x = v->index;
    x.body = scalar_rewrite(a->m, x.body, simplify_winner, (void *)x.extent);
    return x.body == v->index.body ? v : build_index(a->m, &x, v->span, v->hint);
}
