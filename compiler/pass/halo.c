// Halo: reads of a contraction that may fall outside get a padded copy to read instead, so
// that its inner loops have no guards. The copy is an ordinary value; where only one region
// reads it, it becomes a stage in that region's scratch. Contractions that read the same value
// without falling outside then read the copy, too, if nothing else wants the value: it is
// computed straight into the copy.
#include "ir/prove.h"
#include "pass/fuse.h"

// The range of the values of an affine form over a box whose run-time extents are at their
// largest.
typedef struct Range {
    int64_t low, high;
} Range;

// If guard g depends on the slots only through alpha * (affine of some axis) + beta, gives
// that axis.
static bool guard_axis(Module *m, const Guard *g, const Read *r, int *axis, int64_t *alpha,
                       int64_t *beta) {
    if (g->s || !g->e.n) return false;
    for (int i = 0; i < r->v->type.rank; i++) {
        Affine a = r->sub[i].a;
        for (int64_t sign = -1; sign <= 1; sign += 2) {
            Affine difference = affine_add(m, g->e, affine_scale(m, a, -sign));
            if (difference.n) continue;
            *axis = i;
            *alpha = sign;
            *beta = difference.k;
            return true;
        }
    }
    return false;
}

static bool is_guarded_axis(Module *m, const Read *r, int axis) {
    for (int g = 0; g < r->n_guard; g++) {
        int at;
        int64_t alpha, beta;
        if (guard_axis(m, &r->guard[g], r, &at, &alpha, &beta) && at == axis) return true;
    }
    return false;
}

// The padded copy that read r of v's body can use, or NULL. Where v's filter is what keeps an
// axis in range, the copy has all of it and no more.
static Scalar *padded_read(Module *m, const Value *v, const Read *r, Span span) {
    int rank = r->v->type.rank;
    if (!r->n_guard || r->otherwise->op != OP_const) return NULL;
    const Dim *extent = v->index.extent;
    int n_slot = v->index.np + v->index.nr;
    Dim dim[MAX_RANK];
    Subscript inside[MAX_RANK], outside[MAX_RANK];
    for (int i = 0; i < rank; i++) {
        const Subscript *s = &r->sub[i];
        if (s->div != 1 || s->gather) return NULL;
        int64_t low, high;
        affine_range(s->a, extent, &low, &high);
        bool is_runtime = r->v->type.dim[i].by != NULL;
        for (int t = 0; t < s->a.n; t++) is_runtime |= extent[s->a.t[t].slot].by != NULL;
        if (is_runtime) {
            int slot = s->a.n == 1 ? s->a.t[0].slot : -1;
            if (slot < 0 || slot >= n_slot || !read_is_slot(r, i, slot) ||
                !dim_equal(extent[slot], r->v->type.dim[i]))
                return NULL;
            dim[i] = extent[slot];
            low = 0;
        } else {
            int64_t n = r->v->type.dim[i].n;
            bool is_filtered = v->index.n_where && !is_guarded_axis(m, r, i);
            if (is_filtered && low < 0) low = 0;
            if (is_filtered && high >= n) high = n - 1;
            dim[i] = dim_const(high - low + 1);
        }
        inside[i] = (Subscript){affine_add_const(affine_slot(m, i), low), 1, NULL};
        outside[i] = (Subscript){affine_add_const(s->a, -low), 1, NULL};
    }
    Guard *guard = NEW_ARRAY(m->arena, Guard, r->n_guard);
    for (int g = 0; g < r->n_guard; g++) {
        int axis;
        int64_t alpha, beta;
        if (!guard_axis(m, &r->guard[g], r, &axis, &alpha, &beta)) return NULL;
        Affine e = affine_add_const(affine_scale(m, inside[axis].a, alpha), beta);
        guard[g] = (Guard){e, NULL, r->guard[g].mod};
    }
    // The copy has no `where`, which may be what keeps the read in range.
    Known known = {.extent = dim};
    known_add(&known, guard, r->n_guard);
    for (int i = 0; i < rank; i++)
        if (!prove_in_range(&known, inside[i].a, 1, r->v->type.dim[i])) return NULL;
    // Neither has the read of the copy its guards: a filter must do for it.
    Known filter = {.extent = extent};
    known_add(&filter, v->index.where, v->index.n_where);
    for (int i = 0; i < rank; i++)
        if (!prove_in_range(&filter, outside[i].a, 1, dim[i])) return NULL;
    Scalar *body = scalar_read(m, r->v, inside, guard, r->n_guard, r->otherwise);
    Value *padded = build_map(m, rank, dim, body, span, NULL);
    return scalar_read(m, padded, outside, NULL, 0, NULL);
}

typedef struct Padding {
    const Value *v;
} Padding;

static Scalar *pad_scalar(void *context, Module *m, Scalar *s) {
    Padding *p = context;
    if (s->op != OP_read) return s;
    Scalar *padded = padded_read(m, p->v, s->read, p->v->span);
    return padded ? padded : s;
}

static Value *pad_value(void *context, Module *m, Value *v) {
    (void)context;
    if (!is_contraction(v)) return v;
    Padding p = {v};
    Index index = v->index;
    index.body = scalar_rewrite(m, index.body, pad_scalar, &p);
    return index.body == v->index.body ? v : build_index(m, &index, v->span, v->hint);
}

// ---- copies that serve all readers

typedef struct Copies {
    Map *of;      // Value * to the padded copy of it
    Map *wanted;  // values that more than contractions and their copy read
    Map *former;  // what values were when these were found
} Copies;

// Does p read all of v, moved by p's subscripts' constants?
static bool is_padded_copy(Module *m, Value *p, Value *v) {
    const Read *r = p->index.body->read;
    Affine to[MAX_SLOTS];
    for (int i = 0; i < v->type.rank; i++) {
        const Affine a = r->sub[i].a;
        if (a.n != 1 || a.t[0].slot != i || a.t[0].c != 1 || r->sub[i].gather) return false;
        if (a.k > 0 || dim_max(p->type.dim[i]) + a.k < dim_max(v->type.dim[i])) return false;
        to[i] = affine_add_const(affine_slot(m, i), -a.k);
    }
    // Where v is, no guard fails.
    Scalar *inside = scalar_subst(m, p->index.body, to);
    return build_map(m, v->type.rank, v->type.dim, inside, p->span, NULL) == v;
}

static bool reads_plainly(const Value *reader, const Value *v, Arena *scratch) {
    if (!is_contraction(reader)) return false;
    for (int i = 0; i < reader->index.n_where; i++)
        if (reader->index.where[i].s) return false;
    Reads reads = scalar_reads(reader->index.body, scratch);
    for (int i = 0; i < reads.n; i++)
        if (reads.at[i]->read->v == v && reads.at[i]->read->n_guard) return false;
    return true;
}

static void find_copies(Function *f, Copies *c, Arena *scratch) {
    c->of = map_new(scratch);
    c->wanted = map_new(scratch);
    Values order = function_order(f, scratch);
    for (int i = 0; i < order.n; i++) {
        Value *p = order.at[i];
        Values operands = value_operands(p, scratch);
        bool is_copy = p->op == VAL_index && !p->index.nr && p->index.body->op == OP_read &&
                       p->index.body->read->n_guard;
        for (int k = 0; k < operands.n; k++) {
            Value *v = operands.at[k];
            bool is_first = is_copy && v->op == VAL_index && !v->index.nr &&
                            v == p->index.body->read->v && !map_has(c->of, v);
            if (is_first && is_padded_copy(f->m, p, v)) map_set(c->of, v, p);
            else if (!reads_plainly(p, v, scratch)) map_set(c->wanted, v, v);
        }
    }
    for (int i = 0; i < f->results.n; i++) map_set(c->wanted, f->results.at[i].v, f);
    for (int i = 0; i < f->updates.n; i++) map_set(c->wanted, f->updates.at[i].v, f);
}

// The copy p of a value that was replaced.
static Value *copy_of(Module *m, Value *p, Value *former, Value *v) {
    if (former == v) return p;
    Arena *scratch = arena_new();
    Map *replacement = map_new(scratch);
    map_set(replacement, former, v);
    p = value_with_operands(m, p, replacement);
    arena_free(scratch);
    return p;
}

static Scalar *read_copy(void *context, Module *m, Scalar *s) {
    const Copies *c = context;
    if (s->op != OP_read || s->read->n_guard) return s;
    const Read *r = s->read;
    Value *former = value_replaced(c->former, r->v), *p = map_get(c->of, former);
    if (!p || map_has(c->wanted, former)) return s;
    p = copy_of(m, p, former, r->v);
    Subscript sub[MAX_RANK];
    for (int i = 0; i < r->v->type.rank; i++) {
        sub[i] = r->sub[i];
        if (sub[i].div != 1) return s;
        sub[i].a = affine_add_const(sub[i].a, -p->index.body->read->sub[i].a.k);
    }
    return scalar_read(m, p, sub, NULL, 0, NULL);
}

static Value *use_copies(void *context, Module *m, Value *v) {
    if (!is_contraction(v)) return v;
    Index index = v->index;
    index.body = scalar_rewrite(m, index.body, read_copy, context);
    return index.body == v->index.body ? v : build_index(m, &index, v->span, v->hint);
}

static void share_copies(Function *f, Arena *scratch) {
    enum { MAX_ROUNDS = 8 };
    for (int round = 0; round < MAX_ROUNDS; round++) {
        Copies c;
        int before = f->m->n_value;
        c.former = map_new(scratch);
        find_copies(f, &c, scratch);
        int found = f->m->n_value;
        function_rewrite_known(f, use_copies, &c, c.former);
        if (f->m->n_value == found && found == before) return;
    }
}

void halo(Function *f, Arena *scratch) {
    function_rewrite(f, pad_value, NULL);
    share_copies(f, scratch);
}
