// simplify: algebra on the whole graph.
//
// Needs a module without VAL_grad. Leaves no `stop`. In rounds, until nothing changes: small
// pointwise values are substituted into their readers (inline.c), scalars are brought to
// their cheapest form (algebra.c, poly.c), and what does not vary leaves the sums (factor.c).
// What became unused is no longer reached.
#include "ir/build.h"
#include "ir/rewrite.h"
#include "pass/algebra.h"
#include "pass/inline.h"
#include "pass/pass.h"
#include "pass/structure.h"
#include "pass/trim.h"

enum { MAX_ROUNDS = 16 };

static Value *simplify_index(Algebra *a, const Function *f, Value *v) {
    Index x = v->index;
    x.body = algebra_simplify(a, x.body);
    if (x.body != v->index.body) v = build_index(a->m, &x, v->span, v->hint);
    bool is_sum = v->op == VAL_index && v->index.red == RED_sum && elem_is_real(v->type.elem);
    return is_sum ? factor_sum(a, v, f) : v;
}

static Value *simplify_accumulate(Algebra *a, Value *v) {
    Accumulate x = v->accumulate;
    x.body = algebra_simplify(a, x.body);
    bool adds_nothing = x.red == RED_sum && x.body->op == OP_const && elem_is_real(x.body->elem) &&
                        x.body->real == 0;
    if (adds_nothing && x.init) return x.init;
    if (adds_nothing) return build_map(a->m, v->type.rank, v->type.dim, x.body, v->span, v->hint);
    if (x.body == v->accumulate.body) return v;
    return build_accumulate(a->m, &x, &v->type, v->span, v->hint);
}

static Value *simplify_value(Algebra *a, const Function *f, Value *v) {
    switch (v->op) {
        case VAL_index: return structure_lift(a, structure_winner(a, simplify_index(a, f, v)));
        case VAL_accumulate: return simplify_accumulate(a, v);
        case VAL_reshape: return structure_reshape(a->m, v);
        case VAL_join: return structure_join(a->m, v);
        default: return v;
    }
}

// One round over a function; false where it changed nothing.
static bool simplify_round(Function *f) {
    Arena *arena = arena_new();
    Algebra *a = algebra_new(f->m, arena);
    Values order = function_order(f, arena);
    Map *chosen = inline_choose(a, f, &order), *ready = map_new(arena), *now = map_new(arena);
    bool changed = false;
    for (int i = 0; i < order.n; i++) {
        Value *v = value_with_operands(f->m, order.at[i], now);
        v = simplify_value(a, f, inline_into(f->m, v, ready));
        if (map_has(chosen, order.at[i])) map_set(ready, v, v);
        map_set(now, order.at[i], v);
        changed |= v != order.at[i];
    }
    for (int i = 0; i < f->results.n; i++) f->results.at[i].v = map_get(now, f->results.at[i].v);
    for (int i = 0; i < f->updates.n; i++) f->updates.at[i].v = map_get(now, f->updates.at[i].v);
    arena_free(arena);
    return changed;
}

void pass_simplify(Pass *p) {
    for (int i = 0; i < p->m->fns.n; i++) {
        Function *f = p->m->fns.at[i];
        trim_scans(f);
        for (int round = 0; round < MAX_ROUNDS && simplify_round(f); round++) {
        }
    }
}
