#include "pass/rows.h"

#include "pass/access.h"

static double row_bytes(const Region *region, const Value *v) {
    int n = region->n_outer;
    return box_points(v->type.dim + n, v->type.rank - n) * elem_size[v->type.elem];
}

bool are_rows_lanes(const Region *region, const Value *v) {
    return row_bytes(region, v) <= LANES * 4;
}

// A block pays where the rows are short beside the cache: then what one nest leaves is still
// there for the next, and operands of a whole row are used for all of them.
static bool has_short_rows(const Region *region) {
    const double SHORT_ROWS = 16 << 10;
    double bytes = 0;
    for (int i = 0; i < region->nests.n; i++) {
        const Nest *nest = region->nests.at[i];
        if (is_contraction(nest->members.at[0].v)) return false;
        for (int k = 0; k < nest->members.n; k++)
            if (nest->members.at[k].keep != KEEP_register)
                bytes += row_bytes(region, nest->members.at[k].v);
    }
    return bytes <= SHORT_ROWS;
}

static Region *rest_of(Schedule *s, const Region *region) {
    Arena *arena = s->m->arena;
    Region *rest = NEW(arena, Region);
    *rest = *region;
    rest->block = 1;
    rest->nests.at = NEW_ARRAY(arena, Nest *, region->nests.n);
    for (int i = 0; i < region->nests.n; i++)
        rest->nests.at[i] = arena_copy(arena, region->nests.at[i], sizeof(Nest));
    return rest;
}

void choose_blocks(Schedule *s, FunctionSchedule *fs) {
    for (int i = 0; i < fs->regions.n; i++) {
        Region *region = fs->regions.at[i];
        region->block = 1;
        if (!region->n_outer || !has_short_rows(region)) continue;
        Dim rows = region->outer[region->n_outer - 1];
        if (dim_max(rows) < LANES) continue;
        region->block = LANES;
        if (rows.by || rows.n % LANES) region->rest = rest_of(s, region);
    }
}
