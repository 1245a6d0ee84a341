#include "pass/reuse.h"

#include "pass/access.h"

bool keeps_reuse(const Value *v, int n_outer, Arena *scratch) {
    enum { ENOUGH_REUSE = 16 };
    if (!is_contraction(v)) return true;
    int n = v->index.np + v->index.nr;
    double inner = box_points(v->index.extent + n_outer, n - n_outer);
    Dim extent[MAX_SLOTS];
    for (int s = 0; s < n; s++) extent[s] = s < n_outer ? dim_const(1) : v->index.extent[s];
    Reads reads = index_reads(v, scratch);
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        double touched = 1;
        for (int a = 0; a < r->v->type.rank; a++) {
            int64_t low, high, all = dim_max(r->v->type.dim[a]);
            affine_range(r->sub[a].a, extent, &low, &high);
            int64_t span = r->sub[a].gather ? all : (high - low) / r->sub[a].div + 1;
            touched *= (double)(span < all ? span : all);
        }
        if (inner < ENOUGH_REUSE * touched) return false;
    }
    return true;
}

bool keeps_reuse_in_block(const Value *v, int n_outer, Arena *scratch) {
    const double SMALL_OPERAND = 16 << 10;
    if (!is_contraction(v)) return true;
    Reads reads = index_reads(v, scratch);
    for (int i = 0; i < reads.n; i++) {
        const Type *t = &reads.at[i]->read->v->type;
        bool is_shared = !scalar_uses_slot(reads.at[i], n_outer - 1);
        if (is_shared && (double)type_count(t) * elem_size[t->elem] > SMALL_OPERAND) return false;
    }
    return true;
}

// What one iteration of a region's outer loops touches, in bytes; each value is counted once.
typedef struct Footprint {
    int n_outer;
    double points;     // of the outer loops
    Map *members;      // Value * of what the region computes
    Map *counted;
    double shared;     // read from outside, the same in every iteration
    double own;
    Arena *scratch;
} Footprint;

static double value_bytes(const Value *v) {
    return (double)type_count(&v->type) * elem_size[v->type.elem];
}

static bool uses_outer(Scalar *read, int n_outer) {
    for (int i = 0; i < n_outer; i++)
        if (scalar_uses_slot(read, i)) return true;
    return false;
}

static void count_operands(Footprint *f, const Value *v) {
    Reads reads = index_reads(v, f->scratch);
    for (int i = 0; i < reads.n; i++) {
        Value *root = storage_root(reads.at[i]->read->v);
        if (map_has(f->members, root) || map_has(f->counted, root)) continue;
        map_set(f->counted, root, root);
        if (uses_outer(reads.at[i], f->n_outer)) f->own += value_bytes(root) / f->points;
        else f->shared += value_bytes(root);
    }
}

static void add_member(Footprint *f, Value *v) {
    map_set(f->members, v, v);
    f->own += value_bytes(v) / f->points;
}

static double bytes_from_members(const Footprint *f, const Value *v) {
    Reads reads = index_reads(v, f->scratch);
    Map *seen = map_new(f->scratch);
    double bytes = 0;
    for (int i = 0; i < reads.n; i++) {
        Value *root = storage_root(reads.at[i]->read->v);
        if (!map_has(f->members, root) || map_has(seen, root)) continue;
        map_set(seen, root, root);
        bytes += value_bytes(root) / f->points;
    }
    return bytes;
}

bool keeps_shared(Module *m, const Region *region, const Value *v, int n_outer, Arena *scratch) {
    Footprint f = {.n_outer = n_outer, .points = box_points(v->index.extent, n_outer),
                   .members = map_new(scratch), .counted = map_new(scratch), .scratch = scratch};
    for (int n = 0; n < region->nests.n; n++)
        for (int k = 0; k < region->nests.at[n]->members.n; k++)
            add_member(&f, region->nests.at[n]->members.at[k].v);
    const double SHARE = 0.75;
    double cache = SHARE * (m->c->opt.machine.l2 ? (double)m->c->opt.machine.l2 : 1 << 20);
    double gain = bytes_from_members(&f, v);
    for (int i = 0; i < f.members->n; i++) count_operands(&f, f.members->value[i]);
    count_operands(&f, v);
    f.own += value_bytes(v) / f.points;
    return f.own + f.shared <= cache || f.shared <= gain;
}
