// keep: scans keep what is costly to compute and wanted outside, too.
//
// Needs a module after `simplify`. What a step computes and nobody keeps is a function of what is
// kept, and an adjoint computes it anew: a gate from what the product gave, its derivative from
// the gate. Where that takes an exp or its kin, the gate becomes a tap. It has the size of what it
// is computed from, which mostly nobody reads then, and which is no tap any longer.
#include "ir/build.h"
#include "ir/recur.h"
#include "pass/part.h"
#include "pass/pass.h"
#include "pass/trim.h"

typedef struct Keep {
    Module *m;
    Arena *arena;
    Algebra *a;
    Map *found;   // Value *: each costly part that some value of the function computes
    Map *kept;    // Value *: parts, inside and outside, that are read from now on
    Map *taps;    // VAL_scan to Values *: what it has to keep
    Map *part;    // Value *, a part outside, to the value inside whose tap it is
    Map *now;     // Value * to what replaces it
    // Of the value under way.
    const Value *v;
    Map *done;
} Keep;

static Value *costly_part(const Keep *k, Scalar *s, Affine *at) {
    if (!(op_info[s->op].traits & TRAIT_COSTLY) || part_draws(s)) return NULL;
    const Index *x = &k->v->index;
    return part_of_body(k->a, s, x->extent, x->np + x->nr, k->v->span, at);
}

typedef void VisitPart(void *context, Value *part);

static void each_part(Keep *k, Scalar *s, VisitPart *visit, void *context) {
    Affine at[MAX_RANK];
    if (map_has(k->done, s)) return;
    map_set(k->done, s, s);
    Value *part = costly_part(k, s, at);
    if (part) visit(context, part);
    for (int i = 0; i < op_info[s->op].arity; i++) each_part(k, s->arg[i], visit, context);
}

static void each_part_of(Keep *k, const Value *v, VisitPart *visit, void *context) {
    if (v->op != VAL_index) return;
    k->v = v;
    k->done = map_new(k->arena);
    each_part(k, v->index.body, visit, context);
}

static void note_part(void *context, Value *part) {
    map_set(context, part, part);
}

// ---- what a value of the steps is outside, in the form that it has there after `simplify`

typedef struct Outside {
    Keep *k;
    Value *scan;
    Members members;
    Map *image;   // Value * to Value *, or to itself where it has none
} Outside;

static Value *image_of(Outside *o, Value *v);

// Where v is a carry, or is or becomes a part: that, and how many places further on v's element is.
static Value *kept_as(const Outside *o, const Value *v, int64_t *shift) {
    const Scan *x = &o->scan->scan;
    for (int i = 0; i < x->n_carry; i++) {
        const Carry *c = &x->carry[i];
        bool is_leaf = v == c->leaf;
        if (!is_leaf && v != c->next) continue;
        *shift = is_leaf == x->is_reverse ? 1 : 0;
        return build_scan_part(o->k->m, o->scan, i, c->leaf->span, c->leaf->hint);
    }
    *shift = 0;
    for (int i = 0; i < x->n_tap; i++)
        if (v == x->tap[i])
            return build_scan_part(o->k->m, o->scan, x->n_carry + i, v->span, v->hint);
    return NULL;
}

static Scalar *read_outside(void *context, Module *m, Scalar *s) {
    Outside *o = context;
    if (s->op != OP_read || !map_has(o->members.open, s->read->v)) return s;
    const Read *r = s->read;
    int64_t shift;
    Subscript sub[MAX_RANK];
    Value *v = kept_as(o, r->v, &shift);
    if (!v) v = image_of(o, r->v);
    if (!v) return s;
    for (int i = 0; i < v->type.rank; i++) sub[i] = r->sub[i];
    Subscript *step = &sub[o->scan->scan.axis];
    if (shift && step->div != 1) return s;
    step->a = affine_add_const(step->a, shift);
    return scalar_read(m, v, sub, r->guard, r->n_guard, r->otherwise);
}

static bool reads_open(const Outside *o, const Value *v) {
    Values operands = value_operands(v, o->k->arena);
    for (int i = 0; i < operands.n; i++)
        if (map_has(o->members.open, operands.at[i])) return true;
    return false;
}

static Value *image_of(Outside *o, Value *v) {
    Value *known = map_get(o->image, v);
    if (known) return known != v ? known : NULL;
    map_set(o->image, v, v);
    if (v->op != VAL_index || v->index.nr) return NULL;
    Index x = v->index;
    x.body = scalar_rewrite(o->k->m, x.body, read_outside, o);
    Value *image = build_index(o->k->m, &x, v->span, v->hint);
    if (reads_open(o, image)) return NULL;
    map_set(o->image, v, image);
    return image;
}

static void keep_part(void *context, Value *inside) {
    Outside *o = context;
    Keep *k = o->k;
    if (!reads_open(o, inside)) return;
    int64_t shift;
    if (kept_as(o, inside, &shift)) return;
    Value *outside = image_of(o, inside);
    if (!outside || !map_has(k->found, outside) || map_has(k->part, outside)) return;
    Values *taps = map_get(k->taps, o->scan);
    vec_push(k->arena, taps, inside);
    map_set(k->part, outside, inside);
    map_set(k->kept, inside, inside);
    map_set(k->kept, outside, outside);
}

static void find_taps(Keep *k, Value *scan) {
    Outside o = {k, scan, scan_members(&scan->scan, k->arena), map_new(k->arena)};
    map_set(k->taps, scan, NEW(k->arena, Values));
    for (int i = 0; i < o.members.list.n; i++) {
        const Value *v = o.members.list.at[i];
        // The keys of another scan's parts are not made of what is open here.
        each_part_of(k, v, keep_part, &o);
    }
}

// ---- the graph with the new taps

static Value *current(const Keep *k, Value *v) {
    Value *now = map_get(k->now, v);
    return now ? now : v;
}

static Value *without_kept(Keep *k, Value *v);

static Scalar *read_kept(Keep *k, Scalar *s) {
    Scalar *done = map_get(k->done, s);
    if (done) return done;
    Affine at[MAX_RANK];
    Scalar *arg[MAX_ARGS] = {0};
    bool changed = false;
    done = s;
    Value *part = costly_part(k, s, at);
    if (part && part != k->v && map_has(k->kept, part)) {
        if (!map_has(k->now, part)) {
            Keep own = *k;
            map_set(k->now, part, value_with_operands(k->m, without_kept(&own, part), k->now));
        }
        done = scalar_read_at(k->m, part, at);
    } else {
        for (int i = 0; i < op_info[s->op].arity; i++) {
            arg[i] = read_kept(k, s->arg[i]);
            changed |= arg[i] != s->arg[i];
        }
        if (changed) done = scalar_op(k->m, s->op, arg[0], arg[1], arg[2]);
    }
    map_set(k->done, s, done);
    return done;
}

static Value *without_kept(Keep *k, Value *v) {
    if (v->op != VAL_index) return v;
    Index x = v->index;
    k->v = v;
    k->done = map_new(k->arena);
    x.body = read_kept(k, x.body);
    return x.body == v->index.body ? v : build_index(k->m, &x, v->span, v->hint);
}

// The scan with its taps; what stands for them outside.
static Value *with_taps(Keep *k, const Value *old, Value *v) {
    const Values *taps = map_get(k->taps, old);
    if (!taps || !taps->n) return v;
    Scan x = v->scan;
    Value **tap = NEW_ARRAY(k->arena, Value *, x.n_tap + taps->n);
    for (int i = 0; i < x.n_tap; i++) tap[i] = x.tap[i];
    for (int i = 0; i < taps->n; i++) tap[x.n_tap + i] = current(k, taps->at[i]);
    x.tap = tap;
    x.n_tap += taps->n;
    v = build_scan(k->m, &x, v->span);
    for (int i = 0; i < k->part->n; i++)
        for (int t = 0; t < taps->n; t++)
            if (k->part->value[i] == taps->at[t])
                map_set_int(k->now, k->part->key[i],
                            build_scan_part(k->m, v, x.n_carry + v->scan.n_tap - taps->n + t,
                                            v->span, NULL));
    return v;
}

static bool keep_parts(Function *f, Arena *arena) {
    Keep k = {.m = f->m, .arena = arena, .a = algebra_new(f->m, arena)};
    k.found = map_new(arena);
    k.kept = map_new(arena);
    k.taps = map_new(arena);
    k.part = map_new(arena);
    k.now = map_new(arena);
    Values order = function_order(f, arena), scans = {0};
    Map *inside = map_new(arena);
    for (int i = 0; i < order.n; i++) {
        if (order.at[i]->op != VAL_scan) continue;
        vec_push(arena, &scans, order.at[i]);
        Members members = scan_members(&order.at[i]->scan, arena);
        for (int n = 0; n < members.list.n; n++) map_set(inside, members.list.at[n], order.at[i]);
    }
    for (int i = 0; i < order.n && scans.n; i++) each_part_of(&k, order.at[i], note_part, k.found);
    for (int i = 0; i < scans.n; i++)
        if (!map_has(inside, scans.at[i]) && !scans.at[i]->scan.axis) find_taps(&k, scans.at[i]);
    if (!k.kept->n) return false;
    for (int i = 0; i < order.n; i++) {
        if (map_has(k.part, order.at[i])) continue;  // a tap from now on
        Value *v = value_with_operands(f->m, without_kept(&k, order.at[i]), k.now);
        if (v->op == VAL_scan) v = with_taps(&k, order.at[i], v);
        map_set(k.now, order.at[i], v);
    }
    for (int i = 0; i < f->results.n; i++) f->results.at[i].v = current(&k, f->results.at[i].v);
    for (int i = 0; i < f->updates.n; i++) f->updates.at[i].v = current(&k, f->updates.at[i].v);
    trim_scans(f);
    return true;
}

// What is made of a part may be the same inside and outside only once both read the tap.
void pass_keep(Pass *p) {
    enum { MAX_ROUNDS = 8 };
    for (int i = 0; i < p->m->fns.n; i++) {
        bool changed = true;
        for (int round = 0; round < MAX_ROUNDS && changed; round++) {
            Arena *arena = arena_new();
            changed = keep_parts(p->m->fns.at[i], arena);
            arena_free(arena);
        }
    }
}
