// What reductions compute at each of their points, and others compute too, becomes a value
// of its own: exp(x - max) of a softmax, which its sum and its quotient want. And what a sum
// to few numbers computes, where its chain leaves no lanes: the logarithms of a loss.
#include "pass/common.h"

#include "ir/build.h"
#include "pass/access.h"
#include "pass/algebra.h"
#include "pass/part.h"

static const double costly = 10;

typedef struct Part {  // over its slots in order, packed to 0, 1, ...
    const Value *last;
    int n_value;       // values that hold it
    bool in_reduction;
} Part;

typedef struct Common {
    Module *m;
    Arena *arena;
    Algebra *a;
    Map *parts;        // Value * to Part *
    Map *replacement;  // Value * to Value *
    Map *done;         // of the body under way
    const Value *v;
    int depth;
} Common;

static bool is_costly(Common *c, Scalar *s) {
    return op_info[s->op].arity && s->op != OP_mac && elem_is_real(s->elem) &&
           scalar_slots(c->a, s) && scalar_cost(s, c->arena) >= costly &&
           !part_draws(s);
}

static Value *part_value(Common *c, Scalar *s, Affine *at) {
    const Index *x = &c->v->index;
    return part_of_body(c->a, s, x->extent, x->np + x->nr, c->v->span, at);
}

static bool is_whole(const Common *c, const Scalar *s) {
    return s == c->v->index.body && !c->v->index.nr;
}

static void count_parts(Common *c, Scalar *s) {
    Affine at[MAX_RANK];
    if (map_has(c->done, s)) return;
    map_set(c->done, s, s);
    if (is_costly(c, s)) {
        Value *v = part_value(c, s, at);
        Part *p = v ? map_get(c->parts, v) : NULL;
        if (v && !p) {
            p = NEW(c->arena, Part);
            map_set(c->parts, v, p);
        }
        if (p) {
            p->n_value += p->last != c->v;
            p->last = c->v;
            p->in_reduction |= c->v->index.nr > 0;
        }
    }
    for (int i = 0; i < op_info[s->op].arity; i++) count_parts(c, s->arg[i]);
}

static Scalar *take_parts(Common *c, Scalar *s) {
    Scalar *done = map_get(c->done, s);
    if (done) return done;
    Affine at[MAX_RANK];
    Scalar *arg[MAX_ARGS] = {0};
    bool changed = false;
    done = s;
    Value *v = is_costly(c, s) && !is_whole(c, s) ? part_value(c, s, at) : NULL;
    const Part *p = v ? map_get(c->parts, v) : NULL;
    bool is_body = s == c->v->index.body && lacks_lanes(c->v);
    if (p && (is_body || (p->n_value > 1 && p->in_reduction))) {
        if (!map_has(c->replacement, v))
            map_set(c->replacement, v, value_with_operands(c->m, v, c->replacement));
        done = scalar_read_at(c->m, v, at);
    } else if (s->op != OP_rand) {
        for (int i = 0; i < op_info[s->op].arity; i++) {
            arg[i] = take_parts(c, s->arg[i]);
            changed |= arg[i] != s->arg[i];
        }
        if (changed) done = scalar_op(c->m, s->op, arg[0], arg[1], arg[2]);
    }
    map_set(c->done, s, done);
    return done;
}

static Value *without_parts(Common *c, Value *v) {
    if (v->op != VAL_index) return v;
    Index x = v->index;
    c->v = v;
    c->done = map_new(c->arena);
    x.body = take_parts(c, x.body);
    return x.body == v->index.body ? v : build_index(c->m, &x, v->span, v->hint);
}

static Value *current(const Common *c, Value *v) {
    Value *by = map_get(c->replacement, v);
    return by ? by : v;
}

void share_costly_parts(Function *f) {
    Arena *arena = arena_new();
    Common c = {.m = f->m, .arena = arena, .a = algebra_new(f->m, arena)};
    c.parts = map_new(arena);
    c.replacement = map_new(arena);
    Values order = function_order(f, arena);
    for (int i = 0; i < order.n; i++) {
        if (order.at[i]->op != VAL_index) continue;
        c.v = order.at[i];
        c.done = map_new(arena);
        count_parts(&c, c.v->index.body);
    }
    for (int i = 0; i < order.n; i++) {
        Value *v = without_parts(&c, order.at[i]);
        map_set(c.replacement, order.at[i], value_with_operands(f->m, v, c.replacement));
    }
    for (int i = 0; i < f->results.n; i++) f->results.at[i].v = current(&c, f->results.at[i].v);
    for (int i = 0; i < f->updates.n; i++) f->updates.at[i].v = current(&c, f->updates.at[i].v);
    arena_free(arena);
}
