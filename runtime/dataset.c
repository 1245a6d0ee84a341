#include "runtime/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/rng.h"

static Column column_of(const char *name, const Tensor *t, const Field *f) {
    int64_t row_bytes = tensor_row_count(t) * elem_bytes[t->elem];
    int64_t below = f && f->below > 0 ? f->below : t->below;
    if (t->elem == ELEM_u8 && below > UINT8_MAX) below = 0;  // says nothing of a byte
    return (Column){.name = name, .tensor = t, .field = f, .below = below, .row_bytes = row_bytes,
                    .row_step = row_bytes};
}

Dataset dataset_of_fields(Mem *mem, const DataBlock *block) {
    Dataset d = {.column = mem_array(mem, (size_t)block->n_field, sizeof(Column))};
    for (int i = 0; i < block->n_field; i++) {
        const Field *f = &block->field[i];
        d.column[d.n++] = column_of(f->name, f->tensor, f);
    }
    return d;
}

static const Field *find_field(const DataBlock *block, const Tensor *t) {
    for (int i = 0; i < block->n_field; i++) {
        if (block->field[i].tensor == t) return &block->field[i];
    }
    for (int i = 0; i < block->n_field; i++) {
        if (strcmp(block->field[i].name, t->name) == 0) return &block->field[i];
    }
    return NULL;
}

Dataset dataset_of_inputs(Mem *mem, const Manifest *manifest, const Entry *entry) {
    Dataset d = {.column = mem_array(mem, (size_t)entry->n_input, sizeof(Column))};
    for (int i = 0; i < entry->n_input; i++) {
        const Tensor *t = entry->input[i];
        if (t->kind != TENSOR_input) continue;
        const Field *f = find_field(&manifest->data, t);
        d.column[d.n++] = column_of(f ? f->name : t->name, t, f);
    }
    return d;
}

void dataset_reserve(Dataset *d, int64_t rows) {
    if (rows <= d->room) return;
    for (int i = 0; i < d->n; i++) {
        Column *c = &d->column[i];
        size_t bytes;
        bool is_huge = __builtin_mul_overflow((size_t)rows, (size_t)c->row_bytes, &bytes);
        char *data = is_huge ? NULL : realloc(c->data, bytes ? bytes : 1);
        if (!data) fail_memory((double)rows * (double)c->row_bytes, "the data");
        c->data = data;
    }
    d->room = rows;
}

void dataset_free(Dataset *d) {
    for (int i = 0; i < d->n; i++)
        if (!d->column[i].is_view) free(d->column[i].data);
    *d = (Dataset){0};
}

static void fill_randomly(Elem e, int64_t below, void *data, int64_t count, Rng *r) {
    bool is_real = elem_is_real(e) && below == 0;
    if (below <= 0) below = e == ELEM_u8 ? 256 : e == ELEM_bool ? 2 : 10;
    for (int64_t i = 0; i < count; i++) {
        elem_store(e, data, i, is_real ? rng_uniform(r) : (double)rng_below(r, (uint64_t)below));
    }
}

void dataset_random(const Tensor *t, void *data, uint64_t seed) {
    Rng r = rng_start(seed, (uint64_t)t->offset);
    fill_randomly(t->elem, t->below, data, t->count, &r);
}

Dataset dataset_synthetic(Mem *mem, const Manifest *manifest, const Entry *entry, int64_t rows,
                          uint64_t seed) {
    Dataset d = dataset_of_inputs(mem, manifest, entry);
    bool has_rows = false;
    for (int i = 0; i < d.n; i++) has_rows |= d.column[i].tensor->by_batch;
    if (!has_rows) rows = 1;
    dataset_reserve(&d, rows);
    d.rows = rows;
    for (int i = 0; i < d.n; i++) {
        Rng r = rng_start(seed, (uint64_t)i);
        const Tensor *t = d.column[i].tensor;
        fill_randomly(t->elem, d.column[i].below, d.column[i].data, rows * tensor_row_count(t), &r);
    }
    return d;
}
