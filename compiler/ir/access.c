// Scalars that read: elements of tensors and of buffers, and guards as conditions.
#include "base/die.h"
#include "ir/build.h"
#include "ir/fold.h"
#include "ir/loops.h"
#include "ir/share.h"

Scalar *scalar_read(Module *m, Value *v, const Subscript *sub, const Guard *guard, int n_guard,
                    Scalar *otherwise) {
    int rank = v->type.rank;
    Guard few[MAX_SLOTS], *kept = few;
    if (n_guard > MAX_SLOTS) kept = NEW_ARRAY(m->arena, Guard, n_guard);
    Subscript at[MAX_RANK];
    Read read = {.v = v, .sub = at, .guard = kept};
    if (!normal_guards(m, guard, n_guard, kept, &read.n_guard)) return otherwise;
    if (read.n_guard) {
        if (!otherwise) BUG("a guarded read lacks what stands outside");
        if (otherwise->elem != v->type.elem) BUG("a guarded read of two elements");
        read.otherwise = otherwise;
    }
    for (int i = 0; i < rank; i++) at[i] = normal_subscript(m, sub[i]);
    Scalar s = {.op = OP_read, .elem = v->type.elem, .read = &read};
    return share_scalar(m, &s);
}

Scalar *scalar_read_at(Module *m, Value *v, const Affine *sub) {
    Subscript at[MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) at[i] = (Subscript){.a = sub[i], .div = 1};
    return scalar_read(m, v, at, NULL, 0, NULL);
}

Scalar *scalar_read_identity(Module *m, Value *v) {
    Affine at[MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) at[i] = affine_slot(m, i);
    return scalar_read_at(m, v, at);
}

// low <= high instead of high - low >= 0: what is subtracted goes to the left.
static Scalar *guard_condition(Module *m, const Guard *g) {
    if (g->mod) {
        Scalar *sum = scalar_affine(m, g->e);
        if (g->s) sum = scalar_binary(m, OP_add, g->s, sum);
        return scalar_binary(m, OP_eq, scalar_binary(m, OP_mod, sum, scalar_int(m, g->mod)),
                             scalar_int(m, 0));
    }
    Term *t = NEW_ARRAY(m->arena, Term, 2 * g->e.n);
    Affine low = {.t = t}, high = {.t = t + g->e.n};
    for (int i = 0; i < g->e.n; i++) {
        Term x = g->e.t[i];
        if (x.c < 0)
            t[low.n++] = (Term){x.slot, -x.c};
        else
            t[g->e.n + high.n++] = x;
    }
    if (g->e.k < 0)
        low.k = -g->e.k;
    else
        high.k = g->e.k;
    Scalar *right = scalar_affine(m, high);
    if (g->s) right = scalar_binary(m, OP_add, g->s, right);
    return scalar_binary(m, OP_le, scalar_affine(m, low), right);
}

Scalar *scalar_guard(Module *m, const Guard *guard, int n) {
    Scalar *all = scalar_bool(m, true);
    for (int i = 0; i < n; i++) {
        Scalar *one = guard_condition(m, &guard[i]);
        all = scalar_binary(m, OP_and, all, one);
    }
    return all;
}

// ---- loops

Scalar *scalar_load(Module *m, const Access *access, const Guard *guard, int n_guard,
                    Scalar *otherwise) {
    Guard *kept = NEW_ARRAY(m->arena, Guard, n_guard);
    Load load = {.access = *access, .guard = kept};
    if (!normal_guards(m, guard, n_guard, kept, &load.n_guard)) return otherwise;
    if (load.n_guard) {
        if (!otherwise) BUG("a guarded load lacks what stands outside");
        load.otherwise = otherwise;
    }
    struct Dyn *dyn = NEW_ARRAY(m->arena, struct Dyn, access->n_dyn);
    load.access.dyn = dyn;
    load.access.n_dyn = 0;
    for (int i = 0; i < access->n_dyn; i++) {
        Affine moved;
        Scalar *rest;
        split_affine(m, access->dyn[i].s, &moved, &rest);
        int64_t c = access->dyn[i].c;
        load.access.at = affine_add(m, load.access.at, affine_scale(m, moved, c));
        if (rest && c) dyn[load.access.n_dyn++] = (struct Dyn){c, rest};
    }
    Scalar s = {.op = OP_load, .elem = access->buffer->elem, .load = &load};
    return share_scalar(m, &s);
}

Scalar *scalar_temp(Module *m, const Temp *temp) {
    Scalar s = {.op = OP_temp, .elem = temp->elem, .temp = temp};
    return share_scalar(m, &s);
}
