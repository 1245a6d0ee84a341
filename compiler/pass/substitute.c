// Substitute: a pointwise value is replaced by its expression in its reader where that
// computes nothing twice: copies, permutations and slices everywhere; anything else only
// where its one reader looks at each element no more than once, or where computing it again
// is cheaper than memory. What is read at the same point needs no substitution: grouping
// keeps it in a register.
#include "ir/prove.h"
#include "pass/fuse.h"
#include "pass/recompute.h"

static const double costly = 10;

typedef struct Use {
    int n_reader;       // values that read it
    int n_site;         // distinct reads in them
    bool is_needed;     // a result, an update, or read by what is no index
    double evaluations; // points of the largest reader's box
    bool in_contraction;
    bool in_chain;      // a chain without lanes
    bool at_point;      // all reads are at the same point of the same box
} Use;

typedef struct Context {
    Arena *scratch;
    Map *use;     // Value * to Use *
    Map *former;  // what values were when uses were counted
    bool has_changed;
} Context;

static Use *use_of(Context *c, Value *v) {
    Use *u = map_get(c->use, v);
    if (!u) {
        u = NEW(c->scratch, Use);
        u->at_point = true;
        map_set(c->use, v, u);
    }
    return u;
}

static void need(Context *c, Value *v) {
    use_of(c, v)->is_needed = true;
}

static void count_uses(Context *c, const Function *f) {
    Values order = function_order(f, c->scratch);
    for (int i = 0; i < order.n; i++) {
        Value *v = order.at[i];
        if (v->op != VAL_index) {
            Values operands = value_operands(v, c->scratch);
            for (int k = 0; k < operands.n; k++) need(c, operands.at[k]);
            continue;
        }
        Values operands = value_operands(v, c->scratch);
        for (int k = 0; k < operands.n; k++) use_of(c, operands.at[k])->n_reader++;
        Reads reads = scalar_reads(v->index.body, c->scratch);
        for (int k = 0; k < reads.n; k++) {
            const Read *r = reads.at[k]->read;
            Use *u = use_of(c, r->v);
            u->n_site++;
            double points = box_points(v->index.extent, v->index.np + v->index.nr);
            if (points > u->evaluations) u->evaluations = points;
            u->in_contraction |= is_contraction(v);
            u->in_chain |= lacks_lanes(v);
            if (v->index.nr || !read_is_identity(r, v->index.np)) u->at_point = false;
        }
        // Guards of `where` may gather through scalars, which have no place for a body.
        for (int g = 0; g < v->index.n_where; g++) {
            if (!v->index.where[g].s) continue;
            Reads more = scalar_reads(v->index.where[g].s, c->scratch);
            for (int k = 0; k < more.n; k++) need(c, more.at[k]->read->v);
        }
    }
    for (int i = 0; i < f->results.n; i++) need(c, f->results.at[i].v);
    for (int i = 0; i < f->updates.n; i++) need(c, f->updates.at[i].v);
}

static bool is_pure_read(const Scalar *s) {
    return s->op == OP_read;
}

// What a gather reads would stand outside the guards of the read that takes its place.
static bool has_gather(const Read *r) {
    for (int i = 0; i < r->v->type.rank; i++)
        if (r->sub[i].gather) return true;
    return false;
}

static const Use *known_use(const Context *c, Value *v) {
    return map_get(c->use, value_replaced(c->former, v));
}

// Is what p is made of in memory in any case, for others than p?
static bool has_kept_source(Context *c, const Value *p) {
    Value *source = large_source(p, c->scratch);
    if (!source || source->op <= VAL_state) return true;
    const Use *u = known_use(c, source);
    return u && (u->is_needed || u->n_reader > 1);
}

static bool can_substitute(Context *c, Value *p, const Read *r, Scalar *body) {
    if (p->op != VAL_index || p->index.nr) return false;
    for (int i = 0; i < p->type.rank; i++)
        if (r->sub[i].div != 1 || r->sub[i].gather) return false;
    const Use *u = known_use(c, p);
    if (!u || u->is_needed) return false;
    if (body->op == OP_const) return r->n_guard == 0 || !u->in_contraction;
    bool is_copy = is_pure_read(body);
    bool is_open = is_copy && !body->read->n_guard && !has_gather(body->read);
    if (u->in_contraction) return r->n_guard ? is_open : is_copy && !body->read->n_guard;
    if (is_copy && (!r->n_guard || is_open)) return true;
    if (u->at_point) return false;
    if (u->in_chain && scalar_cost(body, c->scratch) >= costly) return false;
    const double PADDED = 2;  // points with what a halo adds
    double points = box_points(p->index.extent, p->index.np);
    if (u->evaluations > PADDED * points) return false;
    if (r->n_guard && !is_cheap_padded(p)) return false;
    double allowed = r->n_guard ? PADDED * points : points;
    if (u->n_reader == 1 && u->n_site == 1 && u->evaluations <= allowed) return true;
    return is_cheap_again(p, c->scratch) && has_kept_source(c, p);
}

typedef struct Guarding {
    const Read *r;        // whose guards are added
    const Dim *extent;    // of the reader's box
} Guarding;

static bool is_in_range(const Read *r, const Dim *extent) {
    Known known = {.extent = extent};
    known_add(&known, r->guard, r->n_guard);
    for (int i = 0; i < r->v->type.rank; i++)
        if (r->sub[i].gather ||
            !prove_in_range(&known, r->sub[i].a, r->sub[i].div, r->v->type.dim[i]))
            return false;
    return true;
}

// Reads that only the guards of the read that is replaced keep in range take those along.
static Scalar *guard_read(void *context, Module *m, Scalar *s) {
    Guarding *g = context;
    if (s->op != OP_read || is_in_range(s->read, g->extent)) return s;
    const Read *r = s->read;
    int n = r->n_guard + g->r->n_guard;
    Guard *all = NEW_ARRAY(m->arena, Guard, n);
    for (int i = 0; i < n; i++)
        all[i] = i < r->n_guard ? r->guard[i] : g->r->guard[i - r->n_guard];
    Scalar *otherwise = r->n_guard ? r->otherwise : scalar_const(m, r->v->type.elem, 0);
    return scalar_read(m, r->v, r->sub, all, n, otherwise);
}

// p's expression where the read with guards stood.
static Scalar *under_guards(Module *m, const Read *r, const Dim *extent, Scalar *inside) {
    if (!r->n_guard) return inside;
    if (inside->op == OP_read && !inside->read->n_guard)
        return scalar_read(m, inside->read->v, inside->read->sub, r->guard, r->n_guard,
                           r->otherwise);
    Guarding g = {.r = r, .extent = extent};
    inside = scalar_rewrite(m, inside, guard_read, &g);
    return scalar_select(m, scalar_guard(m, r->guard, r->n_guard), inside, r->otherwise);
}

typedef struct Site {
    Context *c;
    const Dim *extent;
} Site;

static Scalar *substitute_read(void *context, Module *m, Scalar *s) {
    const Site *site = context;
    if (s->op != OP_read) return s;
    const Read *r = s->read;
    Value *p = r->v;
    if (p->op != VAL_index) return s;
    Scalar *body = p->index.body;
    if (!can_substitute(site->c, p, r, body)) return s;
    Affine to[MAX_SLOTS];
    for (int i = 0; i < MAX_SLOTS; i++) to[i] = i < p->type.rank ? r->sub[i].a : (Affine){.n = -1};
    return under_guards(m, r, site->extent, scalar_subst(m, body, to));
}

static Value *substitute_value(void *context, Module *m, Value *v) {
    Context *c = context;
    if (v->op != VAL_index) return v;
    Index index = v->index;
    Site site = {c, index.extent};
    index.body = scalar_rewrite(m, index.body, substitute_read, &site);
    if (index.body == v->index.body) return v;
    c->has_changed = true;
    return build_index(m, &index, v->span, v->hint);
}

// A round goes by what was counted before it; the next one counts again.
void substitute(Function *f, Arena *scratch) {
    enum { MAX_ROUNDS = 8 };
    for (int round = 0; round < MAX_ROUNDS; round++) {
        Context c = {scratch, map_new(scratch), map_new(scratch), false};
        count_uses(&c, f);
        function_rewrite_known(f, substitute_value, &c, c.former);
        if (!c.has_changed) return;
    }
}
