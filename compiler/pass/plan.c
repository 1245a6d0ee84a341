#include "pass/plan.h"

#include <math.h>
#include <string.h>

#include "ir/prove.h"
#include "pass/access.h"
#include "pass/padding.h"
#include "pass/planner.h"

static unsigned slots_used(const Scalar *s, int n) {
    unsigned used = 0;
    for (int i = 0; i < n; i++)
        if (scalar_uses_slot(s, i)) used |= 1u << i;
    return used;
}

// Is the read, which has no guards, outside its tensor where the filter of its reduction fails?
static bool needs_where(const Planner *p, const Read *r) {
    if (!p->leader->index.n_where) return false;
    Known known = {.extent = p->leader->index.extent};
    for (int i = 0; i < r->v->type.rank; i++)
        if (!prove_in_range(&known, r->sub[i].a, r->sub[i].div, r->v->type.dim[i])) return true;
    return false;
}

static void add_read_touch(Planner *p, Scalar *read, bool is_inner, int n_slot) {
    const Read *r = read->read;
    Touch t = {.is_inner = is_inner, .read = read, .needs_where = is_inner && needs_where(p, r)};
    t.depends = slots_used(read, n_slot);
    t.elem = elem_size[r->v->type.elem];
    for (int g = 0; g < r->n_guard; g++)
        for (int k = 0; k < r->guard[g].e.n; k++)
            p->unmergeable |= 1u << r->guard[g].e.t[k].slot;
    for (int g = 0; g < r->n_guard; g++)
        if (r->guard[g].s) p->unmergeable |= slots_used(r->guard[g].s, n_slot);
    if (!walk_of(p->s, r, &t.walk)) {
        // A register of this nest: it moves with every parallel slot as one.
        return;
    }
    p->unmergeable |= t.walk.irregular_slots;
    for (int i = 0; i < r->v->type.rank; i++)
        if (r->sub[i].gather) p->unmergeable |= slots_used(r->sub[i].gather, n_slot);
    vec_push(p->scratch, &p->touches, t);
}

static void add_scalar_touches(Planner *p, Scalar *s, bool is_inner, int n_slot, Map *seen) {
    if (map_has(seen, s)) return;
    map_set(seen, s, s);
    if (s->op == OP_iv) p->unmergeable |= 1u << s->slot;
    if (s->op == OP_rand) {
        Affine place;
        if (scalar_as_affine(p->s->m, s->arg[0], &place)) {
            Touch t = {.is_place = true, .is_inner = is_inner};
            for (int i = 0; i < place.n; i++) {
                t.walk.stride[place.t[i].slot] = place.t[i].c;
                t.depends |= 1u << place.t[i].slot;
            }
            vec_push(p->scratch, &p->touches, t);
            if (!is_inner) p->draw_cost += op_info[OP_rand].cost;
            return;
        }
    }
    if (s->op == OP_read) {
        add_read_touch(p, s, is_inner, n_slot);
        if (s->read->otherwise) add_scalar_touches(p, s->read->otherwise, is_inner, n_slot, seen);
        for (int i = 0; i < s->read->v->type.rank; i++)
            if (s->read->sub[i].gather)
                add_scalar_touches(p, s->read->sub[i].gather, is_inner, n_slot, seen);
        return;
    }
    for (int i = 0; i < op_info[s->op].arity; i++)
        add_scalar_touches(p, s->arg[i], is_inner, n_slot, seen);
}

static void add_store_touch(Planner *p, Value *v) {
    Storage *storage = storage_of(p->s, v);
    if (!storage) return;
    Touch t = {.is_store = true, .elem = elem_size[v->type.elem]};
    for (int i = 0; i < v->type.rank; i++) {
        t.walk.stride[i] = storage->stride[i];
        t.depends |= 1u << i;
    }
    vec_push(p->scratch, &p->touches, t);
}

static void find_touches(Planner *p) {
    for (int k = 0; k < p->nest->members.n; k++) {
        Value *v = p->nest->members.at[k].v;
        int n_slot = v->index.np + v->index.nr;
        add_scalar_touches(p, v->index.body, v->index.nr > 0, n_slot, map_new(p->scratch));
        for (int g = 0; g < v->index.n_where; g++) {
            for (int t = 0; t < v->index.where[g].e.n; t++)
                p->unmergeable |= 1u << v->index.where[g].e.t[t].slot;
            if (v->index.where[g].s)
                p->unmergeable |= slots_used(v->index.where[g].s, n_slot);
        }
        for (int s = 0; s < n_slot && v->index.n_where; s++) {
            for (int g = 0; g < v->index.n_where; g++)
                if (affine_coef(v->index.where[g].e, s)) p->filtered |= 1u << s;
            p->share = guards_share(v->index.where, v->index.n_where, v->index.extent, n_slot);
        }
        if (p->nest->members.at[k].keep != KEEP_register) add_store_touch(p, v);
        double cost = scalar_cost(v->index.body, p->scratch);
        if (is_contraction(v))
            p->body_cost += 1;  // its two reads are touches, and share a port of their own
        else if (v->index.nr)
            p->body_cost += cost < 1 ? 1 : cost;
        else
            p->follower_cost += cost;
    }

}

// ---- merging

static bool can_merge(Planner *p, int s) {  // graph slots s and s + 1
    if ((p->unmergeable >> s & 3) != 0) return false;
    Dim below = p->extent[s + 1];
    if (below.by) return false;
    for (int i = 0; i < p->touches.n; i++) {
        const int64_t *stride = p->touches.at[i].walk.stride;
        if (stride[s] != stride[s + 1] * below.n) return false;
    }
    return true;
}

static int merge_slots(Planner *p, int begin, int end, bool may_merge, Slot *out) {
    int n = 0;
    for (int s = begin; s < end; s++) {
        Dim extent = p->extent[s];
        if (may_merge && n && s > begin && can_merge(p, s - 1)) {
            out[n - 1].n++;
            out[n - 1].extent.n *= extent.n;
        } else {
            out[n++] = (Slot){.first = s, .n = 1, .extent = extent, .tile = 1};
        }
    }
    return n;
}

int fastest(const Slot *s) {
    return s->first + s->n - 1;
}

bool touches_slot(const Touch *t, const Slot *s) {
    return (t->depends >> s->first & ((1u << s->n) - 1)) != 0;
}

// ---- the order of loops, by what must be fetched again from beyond a cache, and how evenly threads
// can share the outermost one

static double traffic(const Planner *p, const int *order, int n, double cache) {
    double total = 0, unique[64], moved[64];
    int n_touch = p->touches.n < 64 ? p->touches.n : 64;
    for (int i = 0; i < n_touch; i++) {
        const Touch *t = &p->touches.at[i];
        double bytes = t->elem;
        for (int s = 0; s < p->nest->n_parallel + p->nest->n_reduced; s++) {
            const Slot *slot = &p->nest->slot[s];
            if (!touches_slot(t, slot)) continue;
            bytes *= (double)(s < p->nest->n_parallel ? slot->tile : dim_max(slot->extent));
        }
        unique[i] = moved[i] = t->is_place ? 0 : bytes;
    }
    for (int l = n - 1; l >= 0; l--) {
        const Slot *slot = &p->nest->slot[order[l]];
        double iterations = ceil((double)dim_max(slot->extent) / (double)slot->tile);
        double footprint = 0;
        for (int i = 0; i < n_touch; i++) footprint += unique[i];
        for (int i = 0; i < n_touch; i++) {
            bool depends = touches_slot(&p->touches.at[i], slot);
            if (depends) unique[i] *= iterations;
            if (depends || footprint > cache) moved[i] *= iterations;
        }
    }
    for (int i = 0; i < n_touch; i++) total += moved[i];
    return total;
}

// Cycles, of which the nest has so many besides.
static double cost_of_order(const Planner *p, const int *order, int n, double cycles) {
    double l1 = (double)p->machine.l1 * 0.75, l2 = (double)p->machine.l2 * 0.6;
    const Slot *first = &p->nest->slot[order[0]];
    double tiles = (double)dim_max(first->extent) / (double)first->tile;
    return traffic(p, order, n, l1) / 48 + traffic(p, order, n, l2) / 12 +
           (uneven_share(p, tiles, cycles) - 1) * cycles;
}

static void permute(const Planner *p, int *order, int n, int at, double cycles, double *least,
                    int *best) {
    if (at == n) {
        double cost = cost_of_order(p, order, n, cycles);
        // What walks memory in its order is brought in ahead of time: samples mostly come from
        // far away.
        double better = p->region->n_outer ? 0.9 : 0.98;
        if (cost < *least * better) {
            *least = cost;
            memcpy(best, order, sizeof *order * (size_t)n);
        }
        return;
    }
    for (int i = at; i < n; i++) {
        // Rotate, so that the natural order comes first and ties keep it.
        int x = order[i];
        memmove(order + at + 1, order + at, sizeof *order * (size_t)(i - at));
        order[at] = x;
        permute(p, order, n, at + 1, cycles, least, best);
        memmove(order + at, order + at + 1, sizeof *order * (size_t)(i - at));
        order[i] = x;
    }
}

static void order_loops(Planner *p, double cycles) {
    enum { MAX_PERMUTED = 5 };
    Nest *nest = p->nest;
    int order[MAX_SLOTS], best[MAX_SLOTS], n = nest->n_parallel;
    if (n < 2 || n > MAX_PERMUTED) return;
    for (int i = 0; i < n; i++) order[i] = best[i] = i;
    double least = INFINITY;
    permute(p, order, n, 0, cycles, &least, best);
    Slot slot[MAX_SLOTS];
    memcpy(slot, nest->slot, sizeof slot);
    for (int i = 0; i < n; i++) nest->slot[i] = slot[best[i]];
}

// ----

static double reduced_points(const Planner *p) {
    double k = 1;
    for (int i = 0; i < p->nest->n_reduced; i++)
        k *= (double)dim_max(p->nest->slot[p->nest->n_parallel + i].extent);
    return k;
}

static bool has_blocks(const Nest *nest) {
    for (int i = 0; i < nest->n_parallel; i++)
        if (nest->slot[i].block) return true;
    return false;
}

static Machine machine_of(const Compiler *c) {
    Machine m = c->opt.machine;
    if (!m.vector_bytes) m.vector_bytes = 64;
    if (!m.n_register) m.n_register = 32;
    if (!m.l1) m.l1 = 32 << 10;
    if (!m.l2) m.l2 = 1 << 20;
    return m;
}

double plan_nest(Schedule *s, const Region *region, Nest *nest, Arena *scratch) {
    const double NANOSECONDS = 1 / 3.0;  // per cycle
    const Value *leader = nest->members.at[0].v;
    if (leader->op != VAL_index) return 1000 + type_count(&leader->type) * 2.0;
    Planner p = {.s = s, .scratch = scratch, .region = region, .nest = nest, .leader = leader,
                 .machine = machine_of(s->m->c)};
    memcpy(p.extent, leader->index.extent,
           sizeof(Dim) * (size_t)(leader->index.np + leader->index.nr));
    int first = region->n_outer;
    if (region->block > 1 && !nest->is_leaf) p.extent[--first] = dim_const(region->strip);
    find_touches(&p);
    OrderKind order = leader->index.order.kind;
    int np = leader->index.np, nr = leader->index.nr;
    nest->n_parallel = merge_slots(&p, first, np, true, nest->slot);
    bool may_merge = order != ORDER_lanes16 && order != ORDER_blocks;
    nest->n_reduced = merge_slots(&p, np, np + nr, may_merge, nest->slot + nest->n_parallel);
    double k_points = reduced_points(&p), cycles;
    enum { ROWS_AT_ONCE = 4 };  // chains that hide each other's latency
    if (order == ORDER_lanes16 && nest->n_parallel && dim_max(nest->slot[0].extent) >= ROWS_AT_ONCE)
        nest->slot[0].tile = ROWS_AT_ONCE;
    if (order == ORDER_lanes16)  // the lanes are the reduced slot's
        return (k_points / LANES * (p.body_cost + 3) + 20 + p.follower_cost) *
               box_points(leader->index.extent + region->n_outer, np - region->n_outer) *
               NANOSECONDS;
    Tile tile = find_tile(&p, k_points, &cycles);
    if (tile.lanes >= 0) {
        nest->slot[tile.lanes].tile = tile.width;
        nest->slot[tile.lanes].is_lanes = true;
    }
    for (int u = 0; u < 2; u++)
        if (tile.unroll[u] >= 0) nest->slot[tile.unroll[u]].tile = tile.times[u];
    order_loops(&p, 0);
    choose_panels(&p, k_points);
    if (!has_blocks(nest)) order_loops(&p, cycles);  // threads share blocks, where there are any
    return cycles * NANOSECONDS;
}
