// Scalars of the graph become scalars of loops.
#include <string.h>

#include "pass/access.h"
#include "pass/lower.h"

// Affine forms that only walk memory name slower parts of merged slots as well; those move
// with the fastest part, whose stride says it all.
static Affine lower_in_block(NestLower *n, Affine a) {
    Module *m = n->l->m;
    Affine out = affine_const(a.k);
    for (int i = 0; i < a.n; i++)
        if (n->is_walked[a.t[i].slot])
            out = affine_add(m, out, affine_scale(m, n->value[a.t[i].slot], a.t[i].c));
    if (n->row < 0) return out;
    return affine_add(m, out, affine_scale(m, n->strip, affine_coef(a, n->row)));
}

Affine lower_affine(NestLower *n, Affine a) {
    Module *m = n->l->m;
    Affine out = lower_in_block(n, a);
    if (n->row < 0) return out;
    return affine_add(m, out, affine_scale(m, n->row_base, affine_coef(a, n->row)));
}

Guard *lower_guards(NestLower *n, const Guard *guard, int count) {
    Guard *out = NEW_ARRAY(n->l->m->arena, Guard, count);
    for (int i = 0; i < count; i++)
        out[i] = (Guard){lower_affine(n, guard[i].e),
                         guard[i].s ? lower_scalar(n, guard[i].s) : NULL, guard[i].mod};
    return out;
}

static void add_buffer(Arena *a, Buffer *b, Buffer ***at, int *count, int *cap) {
    for (int i = 0; i < *count; i++)
        if ((*at)[i] == b) return;
    struct {
        Buffer **at;
        int n, cap;
    } v = {*at, *count, *cap};
    vec_push(a, &v, b);
    *at = v.at;
    *count = v.n;
    *cap = v.cap;
}

void note_read(Lower *l, Buffer *b) {
    Kernel *k = l->kernel;
    add_buffer(l->m->arena, b, &k->reads.at, &k->reads.n, &k->reads.cap);
}

static void note_write(Lower *l, Buffer *b) {
    Kernel *k = l->kernel;
    add_buffer(l->m->arena, b, &k->writes.at, &k->writes.n, &k->writes.cap);
}

Access lower_access(NestLower *n, Value *v, const Subscript *sub) {
    Module *m = n->l->m;
    const Storage *storage = storage_of(n->l->s, v);
    if (!storage) BUG("lower: %%%d has no storage", v->id);
    Access a = {.buffer = storage->buffer};
    Affine walk = affine_const(storage->start), row = affine_const(0);
    struct Dyn dyn[2 * MAX_RANK];
    int n_dyn = 0;
    for (int i = 0; i < v->type.rank; i++) {
        int64_t stride = storage->stride[i];
        if (sub[i].gather && stride)
            dyn[n_dyn++] = (struct Dyn){stride, lower_scalar(n, sub[i].gather)};
        if (i == storage->row_axis) {
            row = affine_scale(m, sub[i].a, stride);
        } else if (sub[i].div == 1) {
            walk = affine_add(m, walk, affine_scale(m, sub[i].a, stride));
        } else if (stride) {
            Scalar *e = scalar_affine(m, lower_affine(n, sub[i].a));
            dyn[n_dyn++] = (struct Dyn){
                stride, scalar_binary(m, OP_idiv, e, scalar_int(m, sub[i].div))};
        }
    }
    a.at = affine_add(m, lower_affine(n, walk), lower_in_block(n, row));
    a.n_dyn = n_dyn;
    a.dyn = n_dyn ? arena_copy(m->arena, dyn, sizeof *dyn * (size_t)n_dyn) : NULL;
    return a;
}

// The guards that are not known to hold here; false where one is known to fail.
static bool open_guards(const NestLower *n, const Read *r, Guard *out, int *count) {
    *count = 0;
    for (int i = 0; i < r->n_guard; i++) {
        const Guard *g = &r->guard[i];
        bool holds = false;
        bool is_known = !g->s && !g->mod && is_decided(n, g->e, &holds);
        if (is_known && !holds) return false;
        if (!is_known) out[(*count)++] = *g;
    }
    return true;
}

static Scalar *lower_read(NestLower *n, Scalar *s) {
    Module *m = n->l->m;
    const Read *r = s->read;
    const Temp *t = map_get(n->temp, r->v);
    if (t) {
        const Value *leader = n->nest->members.at[0].v;
        if (!read_is_identity(r, leader->index.np)) BUG("lower: a member is read at another point");
        return scalar_temp(m, t);
    }
    if (s == n->nest->packed && n->panel) return load_panel(n);
    int n_guard;
    Guard *open = NEW_ARRAY(m->arena, Guard, r->n_guard);
    if (!open_guards(n, r, open, &n_guard)) return lower_scalar(n, r->otherwise);
    Access a = lower_access(n, r->v, r->sub);
    note_read(n->l, a.buffer);
    int count = n_guard + n->n_where;
    if (!count) return scalar_load(m, &a, NULL, 0, NULL);
    Guard *all = NEW_ARRAY(m->arena, Guard, count);
    memcpy(all, lower_guards(n, open, n_guard), sizeof *all * (size_t)n_guard);
    for (int i = 0; i < n->n_where; i++) all[n_guard + i] = n->where[i];
    Scalar *otherwise = r->otherwise ? lower_scalar(n, r->otherwise)
                                     : scalar_const(m, r->v->type.elem, 0);
    return scalar_load(m, &a, all, count, otherwise);
}

// A comparison of slots that this part of a cut loop decides; or NULL.
static Scalar *decided(NestLower *n, Scalar *s) {
    Module *m = n->l->m;
    Affine a, b;
    bool holds;
    if ((s->op != OP_le && s->op != OP_lt) || s->arg[0]->elem != ELEM_i32) return NULL;
    if (!scalar_as_affine(m, s->arg[0], &a) || !scalar_as_affine(m, s->arg[1], &b)) return NULL;
    Affine difference = affine_add(m, b, affine_scale(m, a, -1));
    if (s->op == OP_lt) difference = affine_add_const(difference, -1);
    return is_decided(n, difference, &holds) ? scalar_bool(m, holds) : NULL;
}

static Scalar *lower_memo(NestLower *n, Scalar *s, Map *memo) {
    Scalar *done = map_get(memo, s);
    if (done) return done;
    Module *m = n->l->m;
    Scalar *out;
    Affine place;
    if (s->op == OP_const) {
        out = s;
    } else if (s->op == OP_iv) {
        if (!n->is_walked[s->slot] && s->slot != n->row)
            BUG("lower: a merged slot is used as a number");
        out = scalar_affine(m, lower_affine(n, affine_slot(m, s->slot)));
    } else if (s->op == OP_read) {
        out = lower_read(n, s);
    } else if (s->op == OP_rand) {
        Scalar *at = scalar_as_affine(m, s->arg[0], &place)
                         ? scalar_affine(m, lower_affine(n, place))
                         : lower_memo(n, s->arg[0], memo);
        out = scalar_rand(m, s->site, at);
    } else if ((out = decided(n, s)) == NULL) {
        Scalar *arg[MAX_ARGS] = {0};
        for (int i = 0; i < op_info[s->op].arity; i++) arg[i] = lower_memo(n, s->arg[i], memo);
        out = scalar_op(m, s->op, arg[0], arg[1], arg[2]);
    }
    map_set(memo, s, out);
    return out;
}

Scalar *lower_scalar(NestLower *n, Scalar *s) {
    return lower_memo(n, s, map_new(n->l->m->arena));
}

// ---- statements

void add_stmt(Lower *l, Block *block, Stmt *s) {
    vec_push(l->m->arena, block, s);
}

Stmt *add_for(Lower *l, Block *block, int var, Bound low, Bound high, int64_t step, Span span) {
    Stmt *s = NEW(l->m->arena, Stmt);
    s->kind = STMT_for;
    s->span = span;
    s->loop.var = var;
    s->loop.low = low;
    s->loop.high = high;
    s->loop.step = step;
    add_stmt(l, block, s);
    return s;
}

static void add_value(Lower *l, Block *block, StmtKind kind, const Temp *t, Scalar *value) {
    Stmt *s = NEW(l->m->arena, Stmt);
    s->kind = kind;
    s->set.temp = t;
    s->set.value = value;
    add_stmt(l, block, s);
}

void add_let(Lower *l, Block *block, const Temp *t, Scalar *value) {
    add_value(l, block, STMT_let, t, value);
}

void add_set(Lower *l, Block *block, const Temp *t, Scalar *value) {
    add_value(l, block, STMT_set, t, value);
}

void add_store(Lower *l, Block *block, const Access *a, const Guard *guard, int n_guard,
               Scalar *value) {
    Stmt *s = NEW(l->m->arena, Stmt);
    s->kind = STMT_store;
    s->store.access = *a;
    s->store.n_guard = n_guard;
    s->store.guard = guard;
    s->store.value = value;
    note_write(l, a->buffer);
    add_stmt(l, block, s);
}

Bound bound_of(Dim d) {
    return (Bound){d, 1};
}

Bound bound_const(int64_t n) {
    return (Bound){dim_const(n), 1};
}

int new_var(Lower *l, const char *text, Dim extent) {
    char s[32];
    snprintf(s, sizeof s, "%s%d", text, l->var_name.n);
    vec_push(l->m->arena, &l->var_name, name(l->m->c->names, s));
    vec_push(l->m->arena, &l->var_extent, extent);
    return l->var_name.n - 1;
}

Temp *new_temp(Lower *l, Elem elem, const char *text) {
    char s[64];
    snprintf(s, sizeof s, "%.40s%d", text, l->n_temp);
    Temp *t = NEW(l->m->arena, Temp);
    *t = (Temp){l->n_temp++, elem, name(l->m->c->names, s)};
    return t;
}
