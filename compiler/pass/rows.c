#include "pass/rows.h"

#include "ir/recur.h"
#include "pass/access.h"

static double row_bytes(const Region *region, const Value *v) {
    int n = region->n_outer;
    return box_points(v->type.dim + n, v->type.rank - n) * elem_size[v->type.elem];
}

bool are_rows_lanes(const Region *region, const Value *v) {
    return region->block == LANES && row_bytes(region, v) <= LANES * 4;
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
    if (region->block == 1 || region->scan) return region->block;
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

// ---- scans

static int step_axis(const Region *region) {
    return region->scan->scan.axis;
}

// Does the scalar read what the steps make elsewhere than in its own row?
typedef struct RowReads {
    const Members *members;
    Arena *scratch;
    int row;
    bool is_apart;
} RowReads;

static void check_row(void *context, Scalar *s) {
    RowReads *r = context;
    Reads reads = scalar_reads(s, r->scratch);
    for (int i = 0; i < reads.n; i++) {
        const Read *read = reads.at[i]->read;
        if (map_has(r->members->open, read->v))
            r->is_apart &= read->v->type.rank > r->row && read_is_slot(read, r->row, r->row);
    }
}

static bool keeps_row(const Value *v, const Value *of, int row) {
    return v->type.rank > row && of->type.rank > row && dim_equal(v->type.dim[row], of->type.dim[row]);
}

void split_rows(Region *region, Arena *scratch) {
    int row = step_axis(region) + 1;
    for (int i = 0; i < region->nests.n; i++)
        if (region->nests.at[i]->inner) return;
    const Scan *x = &region->scan->scan;
    const Value *first = x->carry[0].leaf;
    Members members = scan_members(x, scratch);
    RowReads reads = {&members, scratch, row, first->type.rank > row};
    for (int k = 0; k < x->n_carry; k++) reads.is_apart &= keeps_row(x->carry[k].leaf, first, row);
    for (int i = 0; i < members.list.n && reads.is_apart; i++) {
        Value *v = members.list.at[i];
        reads.is_apart = keeps_row(v, first, row) && (v->op == VAL_index || v->op == VAL_reshape);
        if (v->op == VAL_reshape) reads.is_apart &= keeps_row(v->of, first, row);
        value_each_scalar(v, check_row, &reads);
    }
    if (!reads.is_apart || dim_max(first->type.dim[row]) < 2) return;
    region->outer[region->n_outer++] = first->type.dim[row];
}

// An even number of blocks without a rest, where there is one; else as few rows as pay.
static int64_t block_of_steps(const Region *region) {
    enum { MOST = 32, LEAST = 6 };
    if (region->n_outer <= step_axis(region) + 1) return 1;
    int64_t rows = dim_max(region->outer[region->n_outer - 1]);
    for (int even = 2; even > 0; even--)
        for (int64_t block = MOST; block >= LEAST; block--)
            if (rows % block == 0 && rows / block % even == 0) return block;
    return rows <= MOST ? rows : LANES;
}

static bool pays_by_blocks(const Region *region) {
    return region->n_outer && dim_max(region->outer[region->n_outer - 1]) >= LANES &&
           !has_contraction(region) && fits_block(region);
}

void choose_blocks(Schedule *s, FunctionSchedule *fs) {
    for (int i = 0; i < fs->regions.n; i++) {
        Region *region = fs->regions.at[i];
        if (region->scan)
            region->block = block_of_steps(region);
        else if (region->block < LANES) region->block = pays_by_blocks(region) ? LANES : 1;
        region->strip = strip_of(region);
        if (region->block == 1) continue;
        Dim rows = region->outer[region->n_outer - 1];
        if (rows.by || rows.n % region->block) region->rest = rest_of(s, region);
    }
}
