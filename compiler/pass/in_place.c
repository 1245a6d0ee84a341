#include "pass/in_place.h"

#include <string.h>

#include "pass/access.h"
#include "pass/storage.h"

typedef struct Old {  // a value that an earlier region has stored
    Value *v;
    int last;         // the last region that reads it
    bool is_taken;
} Old;

typedef struct Olds {
    Old **at;
    int n, cap;
} Olds;

typedef struct TakeOver {
    Schedule *s;
    FunctionSchedule *fs;
    Arena *scratch;
    Map *old_of;  // Value * to Old *
    Map *joined;  // Buffer * of joins whose pieces are written straight into them
    Olds *ending;  // for each region, those that it reads as the last, in order of regions
} TakeOver;

static bool is_own_memory(const TakeOver *t, const Member *m) {
    if (m->keep != KEEP_stored || map_has(t->fs->target_of, m->v)) return false;
    const Buffer *buffer = storage_of(t->s, m->v)->buffer;
    return !buffer->is_kept && !map_has(t->joined, buffer);
}

static void note_reads(TakeOver *t, const Value *reader, int region) {
    Values operands = value_operands(reader, t->scratch);
    for (int i = 0; i < operands.n; i++) {
        Old *old = map_get(t->old_of, storage_root(operands.at[i]));
        if (old) old->last = region;
    }
}

static void find_last_readers(TakeOver *t) {
    Olds olds = {0};
    for (int r = 0; r < t->fs->regions.n; r++) {
        const Region *region = t->fs->regions.at[r];
        if (region->scan) note_reads(t, region->scan, r);
        for (int n = 0; n < region->nests.n; n++)
            for (int k = 0; k < region->nests.at[n]->members.n; k++) {
                const Member *m = &region->nests.at[n]->members.at[k];
                if (region->scan || !is_own_memory(t, m)) continue;
                Old *old = NEW(t->scratch, Old);
                *old = (Old){m->v, -1};
                map_set(t->old_of, m->v, old);
                vec_push(t->scratch, &olds, old);
            }
        for (int n = 0; n < region->nests.n; n++)
            for (int k = 0; k < region->nests.at[n]->members.n; k++)
                note_reads(t, region->nests.at[n]->members.at[k].v, r);
    }
    t->ending = NEW_ARRAY(t->scratch, Olds, t->fs->regions.n);
    for (int i = 0; i < olds.n; i++)
        if (olds.at[i]->last >= 0)
            vec_push(t->scratch, &t->ending[olds.at[i]->last], olds.at[i]);
}

static bool same_layout(const TakeOver *t, Value *a, Value *b) {
    const Storage *x = storage_of(t->s, a), *y = storage_of(t->s, b);
    return a->type.elem == b->type.elem && type_same_shape(&a->type, &b->type) && !x->start &&
           !y->start && !memcmp(x->stride, y->stride, sizeof x->stride);
}

// At the point at hand, before it is stored (lower.c); or by an earlier nest, in the same row.
bool reads_before(const Region *region, int nest, int writer, const Value *reader, const Value *old,
                  Arena *scratch) {
    Values operands = value_operands(reader, scratch);
    bool reads_it = false;
    for (int i = 0; i < operands.n; i++) reads_it |= storage_root(operands.at[i]) == old;
    if (!reads_it) return true;
    if (reader->op != VAL_index || nest > writer) return false;
    for (int i = 0; i < reader->index.n_where; i++)
        if (reader->index.where[i].s) return false;
    Reads reads = scalar_reads(reader->index.body, scratch);
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        if (storage_root(r->v) != old) continue;
        if (r->v != old || read_prefix(r) < region->n_outer) return false;
        bool at_point = !reader->index.nr && read_is_identity(r, reader->index.np);
        if (nest == writer && !at_point) return false;
    }
    return true;
}

static bool may_take(const TakeOver *t, const Region *region, int writer, Value *v, const Old *old) {
    if (!same_layout(t, v, old->v)) return false;
    for (int n = 0; n < region->nests.n; n++) {
        const Nest *nest = region->nests.at[n];
        for (int k = 0; k < nest->members.n; k++) {
            if (nest->members.at[k].v == old->v) return false;
            if (!reads_before(region, n, writer, nest->members.at[k].v, old->v, t->scratch))
                return false;
        }
    }
    return true;
}

static void take_some(TakeOver *t, int at, int writer, const Member *m) {
    const Region *region = t->fs->regions.at[at];
    if (region->scan || m->v->op != VAL_index || !is_own_memory(t, m)) return;
    for (int i = 0; i < t->ending[at].n; i++) {
        Old *old = t->ending[at].at[i];
        if (old->is_taken || !may_take(t, region, writer, m->v, old)) continue;
        old->is_taken = true;
        storage_of(t->s, m->v)->buffer = storage_of(t->s, old->v)->buffer;
        return;
    }
}

static void take_over(TakeOver *t) {
    find_last_readers(t);
    for (int r = 0; r < t->fs->regions.n; r++)
        for (int n = 0; n < t->fs->regions.at[r]->nests.n; n++) {
            const Nest *nest = t->fs->regions.at[r]->nests.at[n];
            for (int k = 0; k < nest->members.n && !nest->is_leaf; k++)
                take_some(t, r, n, &nest->members.at[k]);
        }
}

// ---- joins

Storage storage_of_piece(const Storage *join, const Value *v, const Piece *piece) {
    Storage part = *join;
    part.start += piece->start * join->stride[v->join.axis];
    part.stride[v->join.axis] *= piece->step;
    return part;
}

bool is_in_join(Schedule *s, const Value *join, const Piece *piece) {
    return storage_of(s, piece->v)->buffer == storage_of(s, (Value *)join)->buffer;
}

static int64_t points_covered(const Value *join) {
    int64_t n = 0;
    for (int i = 0; i < join->join.n; i++)
        n += dim_max(join->join.piece[i].v->type.dim[join->join.axis]);
    return n;
}

static void note_fixed(TakeOver *t, Map *fixed, const Value *reader) {
    Values operands = value_operands(reader, t->scratch);
    for (int i = 0; i < operands.n; i++)
        if (storage_root(operands.at[i]) != operands.at[i])
            map_set(fixed, storage_root(operands.at[i]), operands.at[i]);
    Map *seen = map_get(fixed, t->fs);  // pieces so far
    for (int i = 0; reader->op == VAL_join && i < reader->join.n; i++) {
        Value *v = reader->join.piece[i].v;
        if (map_has(seen, v)) map_set(fixed, v, v);
        map_set(seen, v, v);
    }
}

// Values that must lie in rows of their own: results, what is seen through a reshape, pieces of
// several joins, updates in place, and what is not stored.
static Map *find_fixed(TakeOver *t) {
    Map *fixed = map_new(t->scratch);
    map_set(fixed, t->fs, map_new(t->scratch));
    for (int i = 0; i < t->fs->fn->results.n; i++) {
        Value *root = storage_root(t->fs->fn->results.at[i].v);
        map_set(fixed, root, root);
    }
    for (int r = 0; r < t->fs->regions.n; r++)
        for (int n = 0; n < t->fs->regions.at[r]->nests.n; n++) {
            const Nest *nest = t->fs->regions.at[r]->nests.at[n];
            for (int k = 0; k < nest->members.n; k++) {
                const Member *m = &nest->members.at[k];
                bool may_move = (m->v->op == VAL_index || m->v->op == VAL_join) && !m->is_replica &&
                                is_own_memory(t, m);
                if (!may_move) map_set(fixed, m->v, m->v);
                note_fixed(t, fixed, m->v);
            }
        }
    return fixed;
}

// Storing every other element of the rows would scatter.
static bool keeps_rows(const Value *join, const Piece *piece) {
    return piece->step == 1 || join->join.axis < join->type.rank - 1;
}

// Joins of joins from the outside in.
static void write_into_joins(TakeOver *t) {
    Map *fixed = find_fixed(t);
    for (int r = t->fs->regions.n - 1; r >= 0; r--) {
        Value *join = t->fs->regions.at[r]->nests.at[0]->members.at[0].v;
        if (join->op != VAL_join || map_has(t->fs->target_of, join)) continue;
        if (points_covered(join) < dim_max(join->type.dim[join->join.axis])) continue;
        const Storage *storage = storage_of(t->s, join);
        for (int i = 0; i < join->join.n; i++) {
            const Piece *piece = &join->join.piece[i];
            bool is_nest = piece->v->op == VAL_index || piece->v->op == VAL_join;
            if (!is_nest || map_has(fixed, piece->v) || !keeps_rows(join, piece))
                continue;
            *storage_of(t->s, piece->v) = storage_of_piece(storage, join, piece);
            map_set(t->joined, storage->buffer, join);
        }
    }
}

void place_in_place(Schedule *s, FunctionSchedule *fs, Arena *scratch) {
    TakeOver t = {.s = s, .fs = fs, .scratch = scratch, .old_of = map_new(scratch),
                  .joined = map_new(scratch)};
    write_into_joins(&t);
    take_over(&t);
}
