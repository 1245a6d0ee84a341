#include "tests/fuzz/random_plan.h"

#include <string.h>

#include "tests/fuzz/random.h"

// Tile points along a slot, at most `most`.
static int64_t random_size(Random *r, const Slot *s, int64_t most) {
    int64_t extent = dim_max(s->extent);
    if (extent < most && !s->extent.by) most = extent;
    return most < 2 ? 1 : random_between(r, 2, most);
}

static int64_t random_width(Random *r, const Slot *s) {
    if (random_chance(r, 40)) return LANES * random_between(r, 1, 2);
    return random_size(r, s, 40);
}

static void shuffle(Random *r, Slot *slot, int n) {
    for (int i = n - 1; i > 0; i--) {
        int64_t k = random_below(r, i + 1);
        Slot t = slot[i];
        slot[i] = slot[k];
        slot[k] = t;
    }
}

// A block's extent, or 0.
static int64_t random_block(Random *r, const Slot *s) {
    if (!random_chance(r, 25)) return 0;
    int64_t most = dim_max(s->extent);
    return random_between(r, 1, most < 40 ? most : 40);
}

// A chain's blocks are walked in its order: only inside single steps of one slot has the next
// one blocks.
static void randomize_chain(Nest *nest, Random *r) {
    const Index *x = &nest->members.at[0].v->index;
    if (x->order.kind != ORDER_seq || x->red == RED_argmax || x->red == RED_argmin) return;
    for (int i = 0; i < nest->n_reduced; i++) {
        Slot *s = &nest->slot[nest->n_parallel + i];
        bool are_samples = i == 0 && s->extent.by && s->extent.n == 1;
        if (s->extent.by && !are_samples) return;
        s->block = random_block(r, s);
        if (are_samples) return;
        if (s->block != 1) return;
    }
}

static int lanes_slot(const Nest *nest) {
    for (int i = 0; i < nest->n_parallel; i++)
        if (nest->slot[i].is_lanes) return nest->slot[i].first;
    return -1;
}

static void randomize(Nest *nest, Random *r) {
    int n = nest->n_parallel, unrolled = 0, before = lanes_slot(nest);
    Scalar *packed = nest->packed;
    nest->packed = NULL;
    for (int i = 0; i < n + nest->n_reduced; i++) nest->slot[i].block = 0;
    for (int i = 0; i < n; i++) {
        nest->slot[i].tile = 1;
        nest->slot[i].is_lanes = false;
    }
    if (random_chance(r, 50)) shuffle(r, nest->slot, n);
    int lanes = random_chance(r, 75) ? (int)random_below(r, n) : -1;
    if (lanes >= 0) {
        Slot *s = &nest->slot[lanes];
        int64_t width = random_width(r, s);
        if (!s->extent.by && width > s->extent.n) width = s->extent.n;
        if (width > 1) {
            s->tile = width;
            s->is_lanes = true;
        }
    }
    for (int i = 0; i < n && unrolled < 2; i++) {
        if (i == lanes || !random_chance(r, 35)) continue;
        nest->slot[i].tile = random_size(r, &nest->slot[i], unrolled ? 3 : 5);
        unrolled++;
    }
    Slot *blocked = &nest->slot[random_below(r, n)];  // one: each doubles the code
    blocked->block = random_block(r, blocked);
    if (nest->n_reduced) randomize_chain(nest, r);
    if (lanes_slot(nest) >= 0 && lanes_slot(nest) == before) nest->packed = packed;
}

// What is stored may be fetched before it is, however small.
static void fetch_members(Module *m, Nest *nest) {
    for (int i = 0; i < nest->members.n; i++)
        if (nest->members.at[i].keep == KEEP_stored)
            vec_push(m->arena, &nest->ahead, nest->members.at[i].v);
}

static void randomize_region(Module *m, Region *region, Random *r) {
    for (int n = 0; n < region->nests.n; n++) {
        Nest *nest = region->nests.at[n];
        const Value *leader = nest->members.at[0].v;
        bool is_pointwise = leader->op == VAL_index && !leader->index.nr && !nest->is_leaf;
        if (region->block > 1 && is_pointwise && random_chance(r, 30)) fetch_members(m, nest);
        bool is_free = leader->op == VAL_index && nest->n_parallel &&
                       leader->index.order.kind != ORDER_lanes16;
        if (is_free && random_chance(r, 50)) randomize(nest, r);
    }
}

void randomize_plans(Schedule *s, uint64_t salt) {
    for (int f = 0; f < s->fns.n; f++) {
        const char *text = s->fns.at[f]->fn->name;
        Random r = random_from(hash_bytes(text, strlen(text)), salt);
        for (int i = 0; i < s->fns.at[f]->regions.n; i++) {
            Region *region = s->fns.at[f]->regions.at[i];
            randomize_region(s->m, region, &r);
            if (region->rest) randomize_region(s->m, region->rest, &r);
        }
    }
}
