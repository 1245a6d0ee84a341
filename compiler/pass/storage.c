#include "pass/storage.h"

#include <string.h>

Storage *storage_of(Schedule *s, Value *v) {
    Storage *replica = s->replicas ? map_get(s->replicas, v) : NULL;
    return replica ? replica : map_get(s->storage, v);
}

static void row_major(const Dim *dim, int rank, int64_t *stride) {
    int64_t n = 1;
    for (int i = rank - 1; i >= 0; i--) {
        stride[i] = n;
        n *= dim_max(dim[i]);
    }
}

static void set_strides(Storage *storage, const Type *t, int first, bool is_planar) {
    row_major(t->dim + first, t->rank - first, storage->stride + first);
    if (!is_planar) return;
    int c = t->rank - 1, w = c - 1, h = w - 1;
    storage->stride[w] = 1;
    storage->stride[h] = dim_max(t->dim[w]);
    storage->stride[c] = dim_max(t->dim[h]) * dim_max(t->dim[w]);
}

static Buffer *new_buffer(Schedule *s, Value *v, BufferKind kind, int64_t count, bool is_kept) {
    Buffer *b = NEW(s->m->arena, Buffer);
    const char *number = arena_printf(s->m->arena, "v%d", v->id);
    Name label = v->op <= VAL_state ? v->leaf.name
               : v->hint ? v->hint : name(s->m->c->names, number);
    *b = (Buffer){.id = s->buffers.n, .name = label,
                  .kind = kind, .elem = v->type.elem, .count = count, .offset = -1,
                  .is_kept = is_kept, .v = v};
    vec_push(s->m->arena, &s->buffers, b);
    return b;
}

static Storage *new_storage(Schedule *s, Value *v) {
    Storage *storage = NEW(s->m->arena, Storage);
    storage->row_axis = -1;
    map_set(s->storage, v, storage);
    return storage;
}

void place_leaf(Schedule *s, Value *v) {
    if (storage_of(s, v)) return;
    Storage *storage = new_storage(s, v);
    storage->buffer = new_buffer(s, v, BUFFER_arena, type_count(&v->type), true);
    row_major(v->type.dim, v->type.rank, storage->stride);
}

// The steps of a scan come before the rows of the batch; in memory a row's steps lie together.
static void rows_outermost(Storage *storage, const Type *t) {
    int row = 0;
    while (row < t->rank && !t->dim[row].by) row++;
    if (!row || row == t->rank) return;
    int64_t inner = 1;
    for (int i = row + 1; i < t->rank; i++) inner *= dim_max(t->dim[i]);
    for (int i = row - 1; i >= 0; i--) {
        storage->stride[i] = inner;
        inner *= dim_max(t->dim[i]);
    }
    storage->stride[row] = inner;
}

void place_stored(Schedule *s, Value *v, Value *target, bool is_kept, Layout layout) {
    Storage *storage = new_storage(s, v);
    set_strides(storage, &v->type, 0, layout == LAYOUT_planar);
    if (layout == LAYOUT_rows_outermost) rows_outermost(storage, &v->type);
    if (target) storage->buffer = storage_of(s, target)->buffer;
    else if (is_kept) storage->buffer = map_get(s->kept, v);
    if (!storage->buffer)
        storage->buffer = new_buffer(s, v, BUFFER_arena, type_count(&v->type), is_kept);
    if (is_kept && !target) map_set(s->kept, v, storage->buffer);
}

void place_scratch(Schedule *s, Value *v, int n_outer, bool is_planar) {
    Storage *storage = new_storage(s, v);
    set_strides(storage, &v->type, n_outer, is_planar);
    int64_t count = 1;
    for (int i = n_outer; i < v->type.rank; i++) count *= dim_max(v->type.dim[i]);
    storage->buffer = new_buffer(s, v, BUFFER_scratch, count, false);
}

void place_rows(Schedule *s, Value *v, const Region *region, bool rows_are_lanes) {
    place_scratch(s, v, region->n_outer, false);
    Storage *storage = storage_of(s, v);
    Buffer *buffer = storage->buffer;
    storage->row_axis = region->n_outer - 1;
    storage->stride[storage->row_axis] = rows_are_lanes ? 1 : buffer->count;
    for (int i = region->n_outer; rows_are_lanes && i < v->type.rank; i++)
        storage->stride[i] *= region->block;
    buffer->count *= region->block;
}

// A reshape has its operand's memory. Leading axes that it keeps have the operand's strides
// (0 for the outer slots of a stage); the rest is row-major, as the operand's is.
void place_reshape(Schedule *s, Value *v) {
    Storage *of = storage_of(s, v->of), *storage = new_storage(s, v);
    row_major(v->type.dim, v->type.rank, storage->stride);
    storage->buffer = of->buffer;
    storage->row_axis = of->row_axis;
    storage->start = of->start;
    for (int i = 0; i < v->type.rank && i < v->of->type.rank &&
                    dim_equal(v->type.dim[i], v->of->type.dim[i]); i++)
        storage->stride[i] = of->stride[i];
}

void place_in_one(Schedule *s, Value *v, int axis) {
    Storage *storage = new_storage(s, v);
    Type t = v->type;
    t.dim[axis] = dim_const(1);
    set_strides(storage, &t, 0, false);
    storage->stride[axis] = 0;
    storage->buffer = new_buffer(s, v, BUFFER_arena, type_count(&t), false);
}

void place_steps_of(Schedule *s, Value *v, Value *of, int axis, int64_t first) {
    const Storage *whole = storage_of(s, of);
    Storage *storage = new_storage(s, v);
    *storage = *whole;
    storage->start += first * storage->stride[axis];
}

void place_start_of(Schedule *s, Value *v, Value *of, int axis, int64_t at) {
    place_steps_of(s, v, of, axis, at);
    Storage *storage = storage_of(s, v);
    for (int i = axis; i < v->type.rank; i++) storage->stride[i] = storage->stride[i + 1];
}

bool walk_of(Schedule *s, const Read *r, Walk *out) {
    const Storage *storage = storage_of(s, r->v);
    memset(out, 0, sizeof *out);
    if (!storage) return false;
    out->start = storage->start;
    for (int i = 0; i < r->v->type.rank; i++) {
        const Subscript *sub = &r->sub[i];
        if (sub->gather) out->is_irregular = true;
        if (sub->div != 1) {
            out->is_irregular = true;
            for (int t = 0; t < sub->a.n; t++) out->irregular_slots |= 1u << sub->a.t[t].slot;
            continue;
        }
        out->start += storage->stride[i] * sub->a.k;
        for (int t = 0; t < sub->a.n; t++)
            out->stride[sub->a.t[t].slot] += storage->stride[i] * sub->a.t[t].c;
    }
    return true;
}
