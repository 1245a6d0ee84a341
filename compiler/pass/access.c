#include "pass/access.h"

bool read_is_slot(const Read *r, int axis, int slot) {
    const Subscript *s = &r->sub[axis];
    return s->div == 1 && !s->gather && s->a.n == 1 && s->a.k == 0 && s->a.t[0].slot == slot &&
           s->a.t[0].c == 1;
}

int read_prefix(const Read *r) {
    int n = 0;
    while (n < r->v->type.rank && read_is_slot(r, n, n)) n++;
    return n;
}

bool read_is_identity(const Read *r, int np) {
    return r->v->type.rank == np && r->n_guard == 0 && read_prefix(r) == np;
}

double box_points(const Dim *extent, int n) {
    double points = 1;
    for (int i = 0; i < n; i++) points *= (double)dim_max(extent[i]);
    return points;
}

Reads index_reads(const Value *v, Arena *arena) {
    Reads all = scalar_reads(v->index.body, arena);
    for (int i = 0; i < v->index.n_where; i++) {
        if (!v->index.where[i].s) continue;
        Reads more = scalar_reads(v->index.where[i].s, arena);
        for (int k = 0; k < more.n; k++) vec_push(arena, &all, more.at[k]);
    }
    return all;
}

static bool varies(const Scalar *s, int slot) {
    return scalar_uses_slot(s, slot);
}

bool is_contraction(const Value *v) {
    if (v->op != VAL_index || v->index.red != RED_sum) return false;
    const Scalar *body = v->index.body;
    if (body->op != OP_mac && body->op != OP_mul) return false;
    // Some operand must be free of a parallel slot: it is read again along it. One that is free
    // of all is but the weights of a sum.
    bool reused[2] = {false, false}, moves[2] = {false, false};
    for (int s = 0; s < v->index.np; s++) {
        Dim d = v->index.extent[s];
        for (int i = 0; i < 2; i++) {
            bool moves_here = varies(body->arg[i], s);
            if (!moves_here && dim_max(d) > 1) reused[i] = true;
            if (moves_here && (d.by || d.n > 1)) moves[i] = true;
        }
    }
    return (reused[0] || reused[1]) && moves[0] && moves[1];
}

bool lacks_lanes(const Value *v) {
    const Index *x = &v->index;
    return x->nr && x->order.kind != ORDER_lanes16 && !is_contraction(v) &&
           box_points(x->extent, x->np) < LANES && box_points(x->extent + x->np, x->nr) >= LANES;
}

static double cost_of(Scalar *s, Map *seen) {
    if (map_has(seen, s)) return 0;
    map_set(seen, s, s);
    double cost = s->op == OP_read ? 0.5 : op_info[s->op].cost;
    for (int i = 0; i < op_info[s->op].arity; i++) cost += cost_of(s->arg[i], seen);
    if (s->op == OP_read) {
        for (int i = 0; i < s->read->v->type.rank; i++)
            if (s->read->sub[i].gather) cost += 4 + cost_of(s->read->sub[i].gather, seen);
        cost += 0.5 * s->read->n_guard;
    }
    return cost;
}

double scalar_cost(Scalar *s, Arena *scratch) {
    return cost_of(s, map_new(scratch));
}
