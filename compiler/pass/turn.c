// Turn: a sample's contraction that walks a small operand across its rows reads a turned copy.
//
// The input gradient of a convolution is the case: its lanes are input channels, along which
// the filters lie apart. The copy is made once for all samples and is an ordinary value; its
// axes are in the order in which the loops walk them, the lanes' last.
#include "ir/recur.h"
#include "pass/fuse.h"

enum { ENOUGH_USES = 64 };  // of each element, by one sample

// Each axis moves with one slot at most; the lanes' slot is alone on one that is not the last.
static bool crosses_rows(const Value *v, const Read *r) {
    int lanes = v->index.np - 1, rank = r->v->type.rank, across = -1;
    if (lanes < 1 || r->n_guard || rank < 2) return false;
    for (int i = 0; i < rank; i++) {
        const Subscript *s = &r->sub[i];
        if (s->div != 1 || s->gather || s->a.n > 1 || r->v->type.dim[i].by) return false;
        if (!s->a.n) continue;
        int slot = s->a.t[0].slot;
        if (slot == 0) return false;  // the samples'
        if (slot == lanes && across >= 0) return false;
        if (slot == lanes) across = i;
    }
    return across >= 0 && across < rank - 1 && r->sub[rank - 1].a.n &&
           read_is_slot(r, across, lanes);
}

// The steps of a scan come one after another, and each walks the operand: they are uses, too.
static bool is_worth_it(const Value *v, const Scalar *read, bool is_step) {
    double uses = 1;
    for (int i = is_step ? 0 : 1; i < v->index.np - 1; i++)
        if (!scalar_uses_slot(read, i)) uses *= (double)dim_max(v->index.extent[i]);
    return uses >= ENOUGH_USES;
}

static Scalar *turned_read(Module *m, const Value *v, const Read *r) {
    int rank = r->v->type.rank, n = 0, np = v->index.np, nr = v->index.nr;
    Dim dim[MAX_RANK];
    Affine from[MAX_RANK], at[MAX_RANK];
    // Slot -1 stands for none; then the reduced ones, then the parallel ones, the lanes' last.
    for (int k = -1; k < nr + np; k++) {
        int wanted = k < 0 ? -1 : k < nr ? np + k : k - nr;
        for (int i = 0; i < rank; i++) {
            const Affine a = r->sub[i].a;
            if ((a.n ? a.t[0].slot : -1) != wanted) continue;
            dim[n] = r->v->type.dim[i];
            from[i] = affine_slot(m, n);
            at[n++] = a;
        }
    }
    Value *turned = build_map(m, rank, dim, scalar_read_at(m, r->v, from), v->span, NULL);
    return scalar_read_at(m, turned, at);
}

typedef struct Turn {
    const Value *v;
    bool is_step;
} Turn;

static Scalar *turn_scalar(void *context, Module *m, Scalar *s) {
    const Turn *t = context;
    if (s->op != OP_read || !crosses_rows(t->v, s->read)) return s;
    return is_worth_it(t->v, s, t->is_step) ? turned_read(m, t->v, s->read) : s;
}

static Value *turn_value(void *context, Module *m, Value *v) {
    bool is_step = is_of_step(context, v);
    if (!is_contraction(v)) return v;
    Index index = v->index;
    index.body = scalar_rewrite(m, index.body, turn_scalar, &(Turn){v, is_step});
    if (index.body == v->index.body) return v;
    v = build_index(m, &index, v->span, v->hint);
    is_of_step(context, v);
    return v;
}

void turn(Function *f, Arena *scratch) {
    function_rewrite(f, turn_value, &(OpenValues){scratch, map_new(scratch)});
}
