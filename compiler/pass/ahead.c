#include "pass/ahead.h"

#include "pass/access.h"
#include "pass/storage.h"

static double work_of(const Nest *nest, Arena *scratch) {
    double work = 0;
    for (int i = 0; i < nest->members.n; i++)
        work += scalar_cost(nest->members.at[i].v->index.body, scratch);
    return work;
}

static const double busy = 30;  // operations at a point: so many that memory has time

// In a block of rows, the pointwise nest that computes the most.
static Nest *busiest(const Region *region, Arena *scratch) {
    Nest *best = NULL;
    double most = busy;
    for (int i = 0; i < region->nests.n; i++) {
        Nest *nest = region->nests.at[i];
        if (nest->is_leaf || nest->members.at[0].v->index.nr) continue;
        double work = work_of(nest, scratch);
        if (work <= most) continue;
        best = nest;
        most = work;
    }
    return best;
}

// In a sample, the contraction with the most points: so many times it can ask.
static Nest *largest_contraction(const Region *region) {
    Nest *best = NULL;
    double most = 0;
    for (int i = 0; i < region->nests.n; i++) {
        const Value *leader = region->nests.at[i]->members.at[0].v;
        const Index *x = &leader->index;
        if (!is_contraction(leader) || box_points(x->extent + x->np, x->nr) < busy) continue;
        if (box_points(x->extent, x->np) <= most) continue;
        best = region->nests.at[i];
        most = box_points(x->extent, x->np);
    }
    return best;
}

// Of a scan's steps there may be one more place: a history's.
static bool has_box(const Region *region, const Value *v, const Index *x) {
    if (v->type.rank != x->np) return false;
    for (int i = 0; i < x->np; i++) {
        bool is_history = region->scan && i == region->scan->scan.axis && !x->extent[i].by &&
                          !v->type.dim[i].by && v->type.dim[i].n == x->extent[i].n + 1;
        if (!dim_equal(v->type.dim[i], x->extent[i]) && !is_history) return false;
    }
    return true;
}

// What of a tensor one block of rows, or one sample, looks at; of a scan's steps one.
static int64_t bytes_at_once(const Region *region, const Value *v, const Storage *storage) {
    int last = region->n_outer - 1;
    if (!region->scan) return storage->stride[last] * region->block * elem_size[v->type.elem];
    double row = box_points(v->type.dim + last + 1, v->type.rank - last - 1);
    return (int64_t)row * region->block * elem_size[v->type.elem];
}

// Large tensors over the nest's box, in memory.
static void add_ahead(Schedule *s, const Region *region, Nest *nest, Value *v) {
    const double SMALL = 1 << 20;  // may still lie in a near cache
    const Storage *storage = storage_of(s, v);
    if (!storage || storage->buffer->kind != BUFFER_arena || v->op == VAL_reshape) return;
    if (!has_box(region, v, &nest->members.at[0].v->index)) return;
    if (region->scan && !storage->stride[region->scan->scan.axis]) return;  // always there
    if ((double)type_count(&v->type) * elem_size[v->type.elem] < SMALL) return;
    for (int i = 0; i < nest->ahead.n; i++)
        if (nest->ahead.at[i] == v) return;
    // What comes stays beside what is there.
    int64_t cache = s->m->c->opt.machine.l2 ? s->m->c->opt.machine.l2 : 1 << 20;
    if (bytes_at_once(region, v, storage) * (nest->ahead.n + 1) * 2 > cache) return;
    vec_push(s->m->arena, &nest->ahead, v);
}

static void add_members_ahead(Schedule *s, const Region *region, const Nest *of, Nest *nest,
                              Arena *scratch) {
    for (int k = 0; k < of->members.n; k++) {
        Value *v = of->members.at[k].v;
        Values operands = value_operands(v, scratch);
        for (int o = 0; o < operands.n; o++) add_ahead(s, region, nest, operands.at[o]);
        add_ahead(s, region, nest, v);
    }
}

// What a step has left, the next one finds in a near cache.
static bool is_left_near(const Region *region, const Value *v) {
    const Scan *x = &region->scan->scan;
    for (int k = 0; k < x->n_carry; k++)
        if (x->carry[k].leaf == v) return true;
    return false;
}

// Each nest of a step asks for what it will want of the next one.
static void choose_ahead_of_steps(Schedule *s, Region *region, Arena *scratch) {
    for (int i = 0; i < region->nests.n; i++) {
        Nest *nest = region->nests.at[i];
        if (nest->inner || nest->members.at[0].v->op != VAL_index) continue;
        add_members_ahead(s, region, nest, nest, scratch);
        int n = 0;
        for (int k = 0; k < nest->ahead.n; k++)
            if (!is_left_near(region, nest->ahead.at[k])) nest->ahead.at[n++] = nest->ahead.at[k];
        nest->ahead.n = n;
    }
}

void choose_ahead(Schedule *s, Region *region, Arena *scratch) {
    if (!region->n_outer) return;
    if (region->scan) return choose_ahead_of_steps(s, region, scratch);
    Nest *nest = region->block > 1 ? busiest(region, scratch) : largest_contraction(region);
    for (int i = 0; nest && i < region->nests.n; i++)
        add_members_ahead(s, region, region->nests.at[i], nest, scratch);
}
