#include "pass/in_place.h"

#include <string.h>

#include "pass/access.h"
#include "pass/storage.h"

typedef struct Old {  // a value that an earlier region has stored
    Value *v;
    int last;         // the last region that reads it
    bool is_taken;
} Old;

typedef struct TakeOver {
    Schedule *s;
    FunctionSchedule *fs;
    Arena *scratch;
    Map *old_of;  // Value * to Old *
    VEC(Old *) olds;
} TakeOver;

static bool is_own_memory(const TakeOver *t, const Member *m) {
    return m->keep == KEEP_stored && !map_has(t->fs->target_of, m->v) &&
           !storage_of(t->s, m->v)->buffer->is_kept;
}

static void note_reads(TakeOver *t, const Value *reader, int region) {
    Values operands = value_operands(reader, t->scratch);
    for (int i = 0; i < operands.n; i++) {
        Old *old = map_get(t->old_of, storage_root(operands.at[i]));
        if (old) old->last = region;
    }
}

static void find_last_readers(TakeOver *t) {
    for (int r = 0; r < t->fs->regions.n; r++) {
        const Region *region = t->fs->regions.at[r];
        for (int n = 0; n < region->nests.n; n++)
            for (int k = 0; k < region->nests.at[n]->members.n; k++) {
                const Member *m = &region->nests.at[n]->members.at[k];
                if (!is_own_memory(t, m)) continue;
                Old *old = NEW(t->scratch, Old);
                *old = (Old){m->v, -1};
                map_set(t->old_of, m->v, old);
                vec_push(t->scratch, &t->olds, old);
            }
        for (int n = 0; n < region->nests.n; n++)
            for (int k = 0; k < region->nests.at[n]->members.n; k++)
                note_reads(t, region->nests.at[n]->members.at[k].v, r);
    }
}

static bool same_layout(const TakeOver *t, Value *a, Value *b) {
    const Storage *x = storage_of(t->s, a), *y = storage_of(t->s, b);
    return a->type.elem == b->type.elem && type_same_shape(&a->type, &b->type) && !x->start &&
           !y->start && !memcmp(x->stride, y->stride, sizeof x->stride);
}

// At the point at hand, before it is stored (lower.c); or by an earlier nest, in the same row.
static bool reads_before(const TakeOver *t, const Region *region, int nest, int writer,
                         const Value *reader, const Value *old) {
    Values operands = value_operands(reader, t->scratch);
    bool reads_it = false;
    for (int i = 0; i < operands.n; i++) reads_it |= storage_root(operands.at[i]) == old;
    if (!reads_it) return true;
    if (reader->op != VAL_index || nest > writer) return false;
    for (int i = 0; i < reader->index.n_where; i++)
        if (reader->index.where[i].s) return false;
    Reads reads = scalar_reads(reader->index.body, t->scratch);
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        if (storage_root(r->v) != old) continue;
        if (r->v != old || read_prefix(r) < region->n_outer) return false;
        if (nest == writer && (reader->index.nr || !read_is_identity(r, reader->index.np))) return false;
    }
    return true;
}

static bool may_take(const TakeOver *t, const Region *region, int writer, Value *v, const Old *old) {
    if (!same_layout(t, v, old->v)) return false;
    for (int n = 0; n < region->nests.n; n++) {
        const Nest *nest = region->nests.at[n];
        for (int k = 0; k < nest->members.n; k++) {
            if (nest->members.at[k].v == old->v) return false;
            if (!reads_before(t, region, n, writer, nest->members.at[k].v, old->v)) return false;
        }
    }
    return true;
}

static void take_some(TakeOver *t, int at, int writer, const Member *m) {
    const Region *region = t->fs->regions.at[at];
    if (m->v->op != VAL_index || !is_own_memory(t, m)) return;
    for (int i = 0; i < t->olds.n; i++) {
        Old *old = t->olds.at[i];
        if (old->is_taken || old->last != at || !may_take(t, region, writer, m->v, old)) continue;
        old->is_taken = true;
        storage_of(t->s, m->v)->buffer = storage_of(t->s, old->v)->buffer;
        return;
    }
}

void take_over(Schedule *s, FunctionSchedule *fs, Arena *scratch) {
    TakeOver t = {.s = s, .fs = fs, .scratch = scratch, .old_of = map_new(scratch)};
    find_last_readers(&t);
    for (int r = 0; r < fs->regions.n; r++)
        for (int n = 0; n < fs->regions.at[r]->nests.n; n++) {
            const Nest *nest = fs->regions.at[r]->nests.at[n];
            for (int k = 0; k < nest->members.n && !nest->is_leaf; k++)
                take_some(&t, r, n, &nest->members.at[k]);
        }
}
