#include "pass/inline.h"

#include "ir/build.h"
#include "pass/access.h"

enum { MAX_READS_KEPT = 64 };
static const double small_cost = 4;       // may be repeated in several readers
static const double repeated_cost = 24;   // in all of them together
static const double broadcast_cost = 24;  // may be repeated along slots that it does not use

// ---- what reads a value

typedef struct Use {
    Value *reader;
    Scalar *read;  // its one read in the reader's body; NULL where there are others
} Use;

typedef struct Uses {
    bool is_output;  // a result or an update holds it
    bool is_fixed;   // read by structure, by a target or a guard
    bool absorbs;    // something costly to repeat is substituted into it
    int n_read;
    VEC(Use) use;
    VEC(Use) gathered;  // those of its reads that gather, all of them, beside `use`
} Uses;

typedef struct Choose {
    Algebra *a;
    Arena *arena;
    Map *uses;  // Value * to Uses *
} Choose;

static Uses *uses_of(Choose *c, const Value *v) {
    Uses *u = map_get(c->uses, v);
    if (u) return u;
    u = NEW(c->arena, Uses);
    map_set(c->uses, v, u);
    return u;
}

static Scalar *body_of(const Value *v) {
    if (v->op == VAL_index) return v->index.body;
    return v->op == VAL_accumulate ? v->accumulate.body : NULL;
}

static bool is_gather(const Read *r) {
    for (int i = 0; i < r->v->type.rank; i++)
        if (r->sub[i].gather) return !r->n_guard;
    return false;
}

static void add_read(Choose *c, Value *reader, Scalar *read) {
    Uses *u = uses_of(c, read->read->v);
    if (is_gather(read->read)) vec_push(c->arena, &u->gathered, ((Use){reader, read}));
    u->n_read++;
    if (u->use.n && u->use.at[u->use.n - 1].reader == reader)
        u->use.at[u->use.n - 1].read = NULL;
    else
        vec_push(c->arena, &u->use, ((Use){reader, read}));
}

// Reads in the body come first; an operand that is none of them is held otherwise.
static void find_uses(Choose *c, Value *v) {
    Map *seen = map_new(c->arena);
    Scalar *body = body_of(v);
    if (body) {
        Reads reads = scalar_reads(body, c->arena);
        for (int i = 0; i < reads.n; i++) {
            add_read(c, v, reads.at[i]);
            map_set(seen, reads.at[i]->read->v, v);
        }
    }
    Values operands = value_operands(v, c->arena);
    for (int i = 0; i < operands.n; i++)
        if (!map_has(seen, operands.at[i])) uses_of(c, operands.at[i])->is_fixed = true;
}

// ---- what may be substituted where

static bool has_draw(Scalar *s) {
    if (op_is_draw(s->op)) return true;
    for (int i = 0; i < op_info[s->op].arity; i++)
        if (has_draw(s->arg[i])) return true;
    return false;
}

static bool is_plain_read(const Read *r) {
    if (r->n_guard) return false;
    for (int i = 0; i < r->v->type.rank; i++)
        if (r->sub[i].gather) return false;
    return true;
}

static bool is_about_indices(const Scalar *s, int depth) {
    if (!depth || s->op == OP_read || op_is_draw(s->op)) return false;
    for (int i = 0; i < op_info[s->op].arity; i++)
        if (!is_about_indices(s->arg[i], depth - 1)) return false;
    return true;
}

// Numbers, views, and simple functions of the indices cost nothing wherever they stand.
static bool is_trivial(const Value *p) {
    const Scalar *s = p->index.body;
    if (s->op == OP_const || s->op == OP_iv) return true;
    if (s->op == OP_read) return is_plain_read(s->read);
    return is_about_indices(s, 4);
}

// Every slot of the reader's box is an axis of what it reads: no point is computed twice.
static bool reads_each_once(const Value *reader, const Read *r) {
    const Dim *extent = reader->op == VAL_index ? reader->index.extent : reader->accumulate.extent;
    int n = reader->op == VAL_index ? reader->index.np + reader->index.nr : reader->accumulate.n;
    unsigned seen = 0;
    for (int i = 0; i < r->v->type.rank; i++) {
        const Subscript *s = &r->sub[i];
        if (s->div == 1 && !s->gather && s->a.n == 1) seen |= 1u << s->a.t[0].slot;
    }
    for (int i = 0; i < n; i++)
        if (!(seen >> i & 1) && !dim_equal(extent[i], dim_const(1))) return false;
    return true;
}

static bool is_reduction(const Value *v) {
    return v->op == VAL_index && v->index.nr > 0;
}

// A number times a read: in a product the number leaves the sum.
static bool is_scaled_read(const Scalar *s) {
    if (s->op != OP_mul && s->op != OP_div) return false;
    const Scalar *x = s->arg[0], *y = s->arg[1];
    if (y->op == OP_const) return x->op == OP_read && is_plain_read(x->read);
    return s->op == OP_mul && x->op == OP_const && y->op == OP_read && is_plain_read(y->read);
}

// May p, which costs something, be computed at each point of the reader?
static bool may_enter(Choose *c, const Value *p, double cost, bool is_costly, const Use *use) {
    (void)c;
    if (!use->read || !is_plain_read(use->read->read)) return false;
    for (int i = 0; i < use->read->read->v->type.rank; i++)
        if (use->read->read->sub[i].div != 1) return false;
    bool once = reads_each_once(use->reader, use->read->read);
    if (is_contraction(use->reader)) return is_scaled_read(p->index.body);
    if (is_reduction(use->reader)) return once;
    return once || (!is_costly && cost <= broadcast_cost);
}

static double points_of(const Value *reader) {
    return reader->op == VAL_index
               ? box_points(reader->index.extent, reader->index.np + reader->index.nr)
               : box_points(reader->accumulate.extent, reader->accumulate.n);
}

// Gathers alone read it, at fewer points than it has: a few rows of a whole split.
static bool is_sparse(const Value *p, const Uses *u) {
    if (u->is_output || u->is_fixed || !u->n_read || u->gathered.n != u->n_read) return false;
    if (has_draw(p->index.body)) return false;
    double points = 0;
    for (int i = 0; i < u->gathered.n; i++) {
        const Value *reader = u->gathered.at[i].reader;
        if (is_contraction(reader) && !is_scaled_read(p->index.body)) return false;
        points += points_of(reader);
    }
    return points <= box_points(p->type.dim, p->type.rank);
}

// The only reader of a value that is read only there.
static bool is_single(const Uses *u) {
    return u->use.n == 1 && !u->is_output && !u->is_fixed;
}

static bool choose_costing(Choose *c, const Value *p, const Uses *u) {
    Scalar *body = p->index.body;
    bool is_costly = scalar_has_costly(body) || has_draw(body);
    double cost = algebra_cost(c->a, body);
    if (u->is_output || u->is_fixed || !u->use.n) return false;
    if (!is_single(u) &&
        (is_costly || u->absorbs || cost > small_cost || cost * u->use.n > repeated_cost))
        return false;
    for (int i = 0; i < u->use.n; i++)
        if (!may_enter(c, p, cost, is_costly, &u->use.at[i])) return false;
    return true;
}

// A value into which something else is substituted in this round is looked at again in the
// next, unless it goes to one place only and is not repeated there: a view that takes in what it
// shows is none any more.
static bool is_chosen(Choose *c, const Value *p) {
    if (p->op != VAL_index || p->index.nr) return false;
    const Uses *u = uses_of(c, p);
    if (is_trivial(p) && !u->absorbs) return u->use.n > 0;
    if (is_sparse(p, u)) return !u->absorbs;
    if (!choose_costing(c, p, u)) return false;
    if (!u->absorbs) return true;
    return is_single(u) && reads_each_once(u->use.at[0].reader, u->use.at[0].read->read);
}

Map *inline_choose(Algebra *a, const Function *f, const Values *order) {
    Choose c = {.a = a, .arena = a->arena, .uses = map_new(a->arena)};
    Map *chosen = map_new(a->arena);
    for (int i = 0; i < order->n; i++) find_uses(&c, order->at[i]);
    for (int i = 0; i < f->results.n; i++) uses_of(&c, f->results.at[i].v)->is_output = true;
    for (int i = 0; i < f->updates.n; i++) uses_of(&c, f->updates.at[i].v)->is_output = true;
    for (int i = 0; i < order->n; i++) {
        Value *p = order->at[i];
        if (!is_chosen(&c, p)) continue;
        map_set(chosen, p, p);
        const Uses *u = uses_of(&c, p);
        for (int j = 0; j < u->use.n && !is_trivial(p); j++)
            uses_of(&c, u->use.at[j].reader)->absorbs = true;
    }
    return chosen;
}

// ---- the substitution

typedef struct Guards {
    const Guard *guard;
    int n;
} Guards;

static Scalar *guard_reads(void *context, Module *m, Scalar *s) {
    const Guards *g = context;
    if (s->op != OP_read) return s;
    const Read *r = s->read;
    Guard *all = NEW_ARRAY(m->arena, Guard, r->n_guard + g->n);
    for (int i = 0; i < r->n_guard; i++) all[i] = r->guard[i];
    for (int i = 0; i < g->n; i++) all[r->n_guard + i] = g->guard[i];
    Scalar *otherwise = r->n_guard ? r->otherwise : scalar_const(m, s->elem, 0);
    return scalar_read(m, r->v, r->sub, all, r->n_guard + g->n, otherwise);
}

static Scalar *under_guards(Module *m, const Read *r, Scalar *body) {
    if (!r->n_guard) return body;
    Guards g = {r->guard, r->n_guard};
    if (body->op == OP_read && !body->read->n_guard)
        return scalar_read(m, body->read->v, body->read->sub, r->guard, r->n_guard, r->otherwise);
    return scalar_select(m, scalar_guard(m, r->guard, r->n_guard),
                         scalar_rewrite(m, body, guard_reads, &g), r->otherwise);
}

static Scalar *replace_read(void *context, Module *m, Scalar *s) {
    const Map *chosen = context;
    if (s->op != OP_read || !map_has(chosen, s->read->v)) return s;
    const Read *r = s->read;
    const Value *p = r->v;
    if (p->op != VAL_index || p->index.nr) return s;
    if (p->index.body->op == OP_const) return under_guards(m, r, p->index.body);
    Scalar *to[MAX_SLOTS] = {0};
    for (int i = 0; i < p->type.rank; i++) {
        to[i] = scalar_affine(m, r->sub[i].a);
        if (r->sub[i].div > 1)
            to[i] = scalar_binary(m, OP_idiv, to[i], scalar_int(m, r->sub[i].div));
        if (r->sub[i].gather) to[i] = scalar_binary(m, OP_add, r->sub[i].gather, to[i]);
    }
    return under_guards(m, r, scalar_subst_scalar(m, p->index.body, to));
}

Value *inline_into(Module *m, Value *v, const Map *chosen) {
    if (v->op == VAL_index) {
        Index x = v->index;
        x.body = scalar_rewrite(m, x.body, replace_read, (void *)chosen);
        return x.body == v->index.body ? v : build_index(m, &x, v->span, v->hint);
    }
    if (v->op != VAL_accumulate) return v;
    Accumulate x = v->accumulate;
    x.body = scalar_rewrite(m, x.body, replace_read, (void *)chosen);
    if (x.body == v->accumulate.body) return v;
    return build_accumulate(m, &x, &v->type, v->span, v->hint);
}
