// pick: a sum over all places of which one alone counts reads that place.
//
// Before `grad`. sum[i] (if i == c[n] then 1 else 0) * w[i, u], the product of one-hot rows and a
// matrix, is w[c[n], u], and its gradient a scatter: where c is known to be one of the places.
#include "ir/build.h"
#include "ir/fold.h"
#include "ir/rewrite.h"
#include "pass/pass.h"


// What a read of a pointwise value stands for; s itself where it is none.
static Scalar *seen_through(Module *m, Scalar *s) {
    enum { DEPTH = 4 };
    for (int depth = 0; depth < DEPTH; depth++) {
        if (s->op == OP_to_real) s = s->arg[0];
        const Read *r = s->op == OP_read ? s->read : NULL;
        Affine to[MAX_SLOTS];
        if (!r || r->n_guard || r->v->op != VAL_index || r->v->index.nr) return s;
        for (int i = 0; i < MAX_SLOTS; i++) to[i] = (Affine){.n = -1};
        for (int i = 0; i < r->v->type.rank; i++) {
            if (r->sub[i].div != 1 || r->sub[i].gather) return s;
            to[i] = r->sub[i].a;
        }
        s = scalar_subst(m, r->v->index.body, to);
    }
    return s;
}

// The factor is 1 where `slot` equals what is returned, else 0; NULL for anything else.
static Scalar *picked(Module *m, Scalar *s, int slot) {
    s = seen_through(m, s);
    if (s->op != OP_select || !scalar_is_const(s->arg[1], 1) || !scalar_is_const(s->arg[2], 0))
        return NULL;
    const Scalar *c = s->arg[0];
    if (c->op != OP_eq) return NULL;
    for (int i = 0; i < 2; i++) {
        Scalar *iv = c->arg[i], *of = c->arg[1 - i];
        bool is_slot = iv->op == OP_iv && iv->slot == slot;
        if (is_slot && of->elem == ELEM_i32 && !scalar_uses_slot(of, slot)) return of;
    }
    return NULL;
}

// x without the reduced slot, which is c.
static Value *without_slot(Module *m, const Value *v, int slot, Scalar *c, Scalar *rest) {
    Index x = v->index;
    Dim extent[MAX_SLOTS];
    Scalar *to[MAX_SLOTS] = {0};
    Affine down[MAX_SLOTS];
    int n = x.np + x.nr;
    to[slot] = c;
    for (int i = 0; i < MAX_SLOTS; i++) down[i] = affine_slot(m, i > slot ? i - 1 : i);
    for (int i = 0; i < n; i++)
        if (i != slot) extent[i > slot ? i - 1 : i] = x.extent[i];
    x.body = scalar_subst(m, scalar_subst_scalar(m, rest, to), down);
    x.extent = extent;
    x.nr--;
    if (!x.nr) x.red = RED_none;
    return build_index(m, &x, v->span, v->hint);
}

static Value *pick(void *context, Module *m, Value *v) {
    (void)context;
    if (v->op != VAL_index || v->index.red != RED_sum || v->index.n_where) return v;
    Scalar *body = v->index.body;
    if (body->op != OP_mul) return v;
    for (int slot = v->index.np; slot < v->index.np + v->index.nr; slot++)
        for (int i = 0; i < 2; i++) {
            Scalar *c = picked(m, body->arg[i], slot);
            int64_t below = c ? scalar_below(c, v->index.extent) : 0;
            Dim d = v->index.extent[slot];
            if (below && !d.by && below <= d.n)
                return without_slot(m, v, slot, c, body->arg[1 - i]);
        }
    return v;
}

void pass_pick(Pass *p) {
    for (int i = 0; i < p->m->fns.n; i++) function_rewrite(p->m->fns.at[i], pick, NULL);
}
