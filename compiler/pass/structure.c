#include "pass/structure.h"

#include "ir/build.h"
#include "ir/rewrite.h"
#include "pass/access.h"

static bool is_constant(const Value *v) {
    return v->op == VAL_index && !v->index.nr && v->index.body->op == OP_const;
}

Value *structure_reshape(Module *m, Value *v) {
    if (v->op != VAL_reshape || !is_constant(v->of)) return v;
    return build_map(m, v->type.rank, v->type.dim, v->of->index.body, v->span, v->hint);
}

static double constant_of(const Value *v) {
    const Scalar *s = v->index.body;
    return elem_is_real(s->elem) ? s->real : (double)s->integer;
}

Value *structure_join(Module *m, Value *v) {
    if (v->op != VAL_join) return v;
    Piece *piece = NEW_ARRAY(m->arena, Piece, v->join.n);
    int n = 0;
    for (int i = 0; i < v->join.n; i++) {
        const Piece *p = &v->join.piece[i];
        if (!is_constant(p->v) || constant_of(p->v) != v->join.fill) piece[n++] = *p;
    }
    if (n == v->join.n) return v;
    if (!n)
        return build_map(m, v->type.rank, v->type.dim, scalar_const(m, v->type.elem, v->join.fill),
                         v->span, v->hint);
    return build_join(m, v->join.axis, v->type.dim[v->join.axis], piece, n, v->join.fill, v->span);
}

// ---- pointwise work inside a reshape

// How the axes of a reshape's result come from the inner ones: result axis i is inner axes
// first[i] .. first[i + 1], merged.
typedef struct Merge {
    int rank;
    int first[MAX_RANK + 1];
} Merge;

static bool dim_times(Dim *d, Dim by) {
    if (d->by && by.by) return false;
    d->n *= by.n;
    if (by.by) d->by = by.by;
    return true;
}

static bool as_merge(const Type *inner, const Type *outer, Merge *out) {
    int at = 0;
    out->rank = outer->rank;
    for (int i = 0; i < outer->rank; i++) {
        out->first[i] = at;
        Dim d = dim_const(1);
        do {
            if (at == inner->rank || !dim_times(&d, inner->dim[at++])) return false;
        } while (!dim_equal(d, outer->dim[i]) && dim_max(d) <= dim_max(outer->dim[i]));
        if (!dim_equal(d, outer->dim[i])) return false;
        // Axes of one element belong to the axis before them.
        while (at < inner->rank && dim_equal(inner->dim[at], dim_const(1)) && i == outer->rank - 1)
            at++;
    }
    out->first[outer->rank] = at;
    return at == inner->rank;
}

typedef struct Lift {
    const Value *reshape;
    Merge merge;
    bool is_possible;
    int np;
} Lift;

static bool is_split(const Merge *g, int axis) {
    return g->first[axis + 1] - g->first[axis] != 1;
}

// A read of the lifted loop: of the reshape itself, of a whole value (reshaped alike), or one
// that walks only axes that stay whole.
static Scalar *lift_node(void *context, Module *m, Scalar *s) {
    Lift *l = context;
    if (!l->is_possible) return s;
    if (s->op == OP_iv || s->op == OP_rand) {
        l->is_possible = false;
        return s;
    }
    if (s->op != OP_read) return s;
    const Read *r = s->read;
    const Type *inner = &l->reshape->of->type;
    if (read_is_identity(r, l->np) && type_same_shape(&r->v->type, &l->reshape->type)) {
        Type t = type_tensor(r->v->type.elem, inner->rank, inner->dim);
        return scalar_read_identity(m, build_reshape(m, r->v, t.rank, t.dim, r->v->span));
    }
    bool holds_others = r->otherwise && r->otherwise->op != OP_const;
    for (int i = 0; i < r->v->type.rank; i++) holds_others |= r->sub[i].gather != NULL;
    for (int i = 0; i < r->n_guard; i++) holds_others |= r->guard[i].s != NULL;
    if (holds_others) l->is_possible = false;
    Affine to[MAX_RANK];
    for (int i = 0; i < l->np; i++) to[i] = affine_slot(m, l->merge.first[i]);
    for (int i = 0; i < l->np; i++)
        if (is_split(&l->merge, i) && scalar_uses_slot(s, i)) l->is_possible = false;
    return l->is_possible ? scalar_subst(m, s, to) : s;
}

static const Value *lifting_reshape(const Value *v, Reads reads) {
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        bool is_pointwise =
            r->v->op == VAL_reshape && r->v->of->op == VAL_index && !r->v->of->index.nr;
        if (is_pointwise && read_is_identity(r, v->index.np) && type_same_shape(&r->v->type, &v->type))
            return r->v;
    }
    return NULL;
}

Value *structure_lift(Algebra *a, Value *v) {
    if (v->op != VAL_index || v->index.nr) return v;
    Module *m = a->m;
    const Value *reshape = lifting_reshape(v, scalar_reads(v->index.body, a->arena));
    Lift l = {.reshape = reshape, .is_possible = true, .np = v->index.np};
    if (!reshape || !as_merge(&reshape->of->type, &reshape->type, &l.merge)) return v;
    Scalar *body = scalar_rewrite(m, v->index.body, lift_node, &l);
    if (!l.is_possible) return v;
    const Type *inner = &reshape->of->type;
    Value *lifted = build_map(m, inner->rank, inner->dim, body, v->span, v->hint);
    return build_reshape(m, lifted, v->type.rank, v->type.dim, v->span);
}
