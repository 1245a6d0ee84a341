#include "pass/rows.h"

#include "pass/access.h"

static double row_bytes(const Region *region, const Value *v) {
    int n = region->n_outer;
    return box_points(v->type.dim + n, v->type.rank - n) * elem_size[v->type.elem];
}

bool are_rows_lanes(const Region *region, const Value *v) {
    return row_bytes(region, v) <= LANES * 4;
}

static double kept_bytes(const Region *region) {
    double bytes = 0;
    for (int i = 0; i < region->nests.n; i++) {
        const Nest *nest = region->nests.at[i];
        for (int k = 0; k < nest->members.n; k++)
            if (nest->members.at[k].keep != KEEP_register)
                bytes += row_bytes(region, nest->members.at[k].v) / (nest->is_leaf ? LANES : 1);
    }
    return bytes;
}

bool fits_block(const Region *region) {
    const double SHORT_ROWS = 20 << 10;
    return kept_bytes(region) <= SHORT_ROWS;
}

// What a block of wide rows leaves would not stay in the first cache from nest to nest.
static int64_t strip_of(const Region *region) {
    enum { STRIP = 4, WIDE_BLOCK = 24 << 10 };
    if (region->block == 1) return 1;
    return kept_bytes(region) * (double)region->block > WIDE_BLOCK ? STRIP : region->block;
}

bool is_leaf_of(const Read *r, const Index *x) {
    if (!x->np || !x->nr || !r->v->type.rank || r->sub[0].div != 1 || r->sub[0].gather) return false;
    Affine a = r->sub[0].a;
    Dim rows = r->v->type.dim[0];
    return !rows.by && rows.n == LANES * x->extent[0].n && !x->extent[0].by && a.n == 2 && !a.k &&
           affine_coef(a, 0) == LANES && affine_coef(a, x->np) == 1 && x->extent[x->np].n == LANES;
}

bool has_contraction(const Region *region) {
    for (int i = 0; i < region->nests.n; i++)
        if (!region->nests.at[i]->is_leaf && is_contraction(region->nests.at[i]->members.at[0].v))
            return true;
    return false;
}

static Region *rest_of(Schedule *s, const Region *region) {
    Arena *arena = s->m->arena;
    Region *rest = NEW(arena, Region);
    *rest = *region;
    rest->block = rest->strip = 1;
    rest->nests.at = NEW_ARRAY(arena, Nest *, region->nests.n);
    for (int i = 0; i < region->nests.n; i++)
        rest->nests.at[i] = arena_copy(arena, region->nests.at[i], sizeof(Nest));
    return rest;
}

static bool pays_by_blocks(const Region *region) {
    return region->n_outer && dim_max(region->outer[region->n_outer - 1]) >= LANES &&
           !has_contraction(region) && fits_block(region);
}

void choose_blocks(Schedule *s, FunctionSchedule *fs) {
    for (int i = 0; i < fs->regions.n; i++) {
        Region *region = fs->regions.at[i];
        if (region->scan) region->block = 1;
        else if (region->block < LANES) region->block = pays_by_blocks(region) ? LANES : 1;
        region->strip = strip_of(region);
        if (region->block == 1) continue;
        Dim rows = region->outer[region->n_outer - 1];
        if (rows.by || rows.n % LANES) region->rest = rest_of(s, region);
    }
}
