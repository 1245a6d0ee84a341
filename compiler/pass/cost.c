// What a scalar uses and costs.
#include "ir/rewrite.h"
#include "pass/algebra.h"

static unsigned affine_slots(Affine a) {
    unsigned set = 0;
    for (int i = 0; i < a.n; i++) set |= 1u << a.t[i].slot;
    return set;
}

static unsigned read_slots(Algebra *a, const Read *r) {
    unsigned set = r->otherwise ? scalar_slots(a, r->otherwise) : 0;
    for (int i = 0; i < r->v->type.rank; i++) {
        set |= affine_slots(r->sub[i].a);
        if (r->sub[i].gather) set |= scalar_slots(a, r->sub[i].gather);
    }
    for (int i = 0; i < r->n_guard; i++) {
        set |= affine_slots(r->guard[i].e);
        if (r->guard[i].s) set |= scalar_slots(a, r->guard[i].s);
    }
    return set;
}

unsigned scalar_slots(Algebra *a, Scalar *s) {
    uintptr_t known = (uintptr_t)map_get(a->slots, s);
    if (known) return (unsigned)(known - 1);
    unsigned set = 0;
    if (s->op == OP_iv)
        set = 1u << s->slot;
    else if (s->op == OP_read)
        set = read_slots(a, s->read);
    else
        for (int i = 0; i < op_info[s->op].arity; i++) set |= scalar_slots(a, s->arg[i]);
    map_set(a->slots, s, (void *)((uintptr_t)set + 1));
    return set;
}

typedef struct Count {
    Algebra *a;
    Map *seen;
    unsigned whole;
    double cost;
} Count;

static void count_cost(Count *c, Scalar *s) {
    if (map_has(c->seen, s)) return;
    map_set(c->seen, s, s);
    bool is_outer = scalar_slots(c->a, s) != c->whole;
    // A divisor that varies less is inverted once (expand.c), and then multiplies.
    bool is_product = s->op == OP_div && scalar_slots(c->a, s->arg[1]) != scalar_slots(c->a, s);
    c->cost += (is_product ? 1 : op_info[s->op].weight) * (is_outer ? 0.3 : 1);
    if (s->op == OP_read) {
        if (s->read->n_guard) c->cost += 1;
        if (s->read->otherwise) count_cost(c, s->read->otherwise);
        for (int i = 0; i < s->read->v->type.rank; i++)
            if (s->read->sub[i].gather) count_cost(c, s->read->sub[i].gather);
    }
    for (int i = 0; i < op_info[s->op].arity; i++) count_cost(c, s->arg[i]);
}

double algebra_cost(Algebra *a, Scalar *s) {
    Arena *scratch = arena_new();
    Count c = {.a = a, .seen = map_new(scratch), .whole = scalar_slots(a, s)};
    count_cost(&c, s);
    arena_free(scratch);
    return c.cost;
}

static bool find_costly(Scalar *s, Map *seen) {
    if (map_has(seen, s)) return false;
    map_set(seen, s, s);
    if (op_info[s->op].traits & TRAIT_COSTLY) return true;
    if (s->op == OP_read && s->read->otherwise && find_costly(s->read->otherwise, seen))
        return true;
    for (int i = 0; i < op_info[s->op].arity; i++)
        if (find_costly(s->arg[i], seen)) return true;
    return false;
}

bool scalar_has_costly(Scalar *s) {
    Arena *scratch = arena_new();
    bool found = find_costly(s, map_new(scratch));
    arena_free(scratch);
    return found;
}
