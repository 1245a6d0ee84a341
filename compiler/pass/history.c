#include "pass/history.h"

#include "ir/build.h"
#include "pass/in_place.h"

// Does v, outside of the steps, look at the part where the last step has left it, or not at all?
static bool reads_end(const Value *v, const Value *part, int axis, int64_t end, Arena *scratch) {
    Values operands = value_operands(v, scratch);
    bool reads_it = false;
    for (int i = 0; i < operands.n; i++) reads_it |= storage_root(operands.at[i]) == part;
    if (!reads_it) return true;
    if (v->op != VAL_index) return false;
    Reads reads = scalar_reads(v->index.body, scratch);
    int n_read = 0;
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        if (r->v != part) continue;
        const Subscript *s = &r->sub[axis];
        if (s->div != 1 || s->gather || s->a.n || s->a.k != end) return false;
        n_read++;
    }
    return n_read > 0;  // else a filter reads it, or a reshape does
}

static bool is_wanted_at_end(const FunctionSchedule *fs, const Value *part, int axis, int64_t end,
                             Arena *scratch) {
    for (int i = 0; i < fs->fn->results.n; i++)
        if (storage_root(fs->fn->results.at[i].v) == part) return false;
    for (int r = 0; r < fs->regions.n; r++)
        for (int n = 0; n < fs->regions.at[r]->nests.n; n++) {
            const Nest *nest = fs->regions.at[r]->nests.at[n];
            for (int k = 0; k < nest->members.n; k++)
                if (!reads_end(nest->members.at[k].v, part, axis, end, scratch)) return false;
        }
    return true;
}

static int nest_of(const Region *region, const Value *v) {
    for (int n = 0; n < region->nests.n; n++)
        for (int k = 0; k < region->nests.at[n]->members.n; k++)
            if (region->nests.at[n]->members.at[k].v == v) return n;
    return -1;
}

bool has_one_place(Module *m, const FunctionSchedule *fs, const Region *region, int k, Arena *scratch) {
    const Scan *x = &region->scan->scan;
    const Carry *c = &x->carry[k];
    int writer = nest_of(region, region->written[k]);
    Value *part = build_scan_part(m, region->scan, k, c->leaf->span, c->leaf->hint);
    int64_t end = x->is_reverse ? 0 : c->leaf->type.dim[x->axis].n;
    if (!is_wanted_at_end(fs, part, x->axis, end, scratch)) return false;
    for (int n = 0; n < region->nests.n; n++) {
        const Nest *nest = region->nests.at[n];
        if (nest->inner) return false;
        for (int i = 0; i < nest->members.n; i++)
            if (!reads_before(region, n, writer, nest->members.at[i].v, c->leaf, scratch)) return false;
    }
    return true;
}
