// Rows in memory: for each field one array of the elements that its tensor holds.
#ifndef NN_RUNTIME_DATASET_H
#define NN_RUNTIME_DATASET_H

#include "runtime/manifest.h"
#include "runtime/words.h"

#pragma GCC visibility push(hidden)

typedef struct Column {
    const char *name;      // the field's
    const Tensor *tensor;  // where a batch of it goes
    const Field *field;    // null for synthetic rows
    int64_t below;         // number of classes, 0 for none
    Words *words;          // that the classes stand for, or null
    char *data;            // rows * row_bytes
    int64_t row_bytes;
    int64_t row_step;      // bytes from one row to the next: windows of a text overlap
    int64_t first;         // byte where row 0 begins
    bool is_view;          // the data are another column's
} Column;

typedef struct Dataset {
    int64_t rows, room;
    int64_t first;  // number of the first row, as run.sample gives it
    int n;
    Column *column;
} Dataset;

static inline const char *column_row(const Column *c, int64_t row) {
    return c->data + c->first + row * c->row_step;
}

// A column for each field of the data block, without rows.
Dataset dataset_of_fields(Mem *mem, const DataBlock *block);
// A column for each input of the entry point: the fields of the same name, else unknown ones.
Dataset dataset_of_inputs(Mem *mem, const Manifest *manifest, const Entry *entry);
// Seeded rows for the entry point's inputs: reals in [0, 1), labels in their range. One row
// where no input is by the batch.
Dataset dataset_synthetic(Mem *mem, const Manifest *manifest, const Entry *entry, int64_t rows,
                          uint64_t seed);
// Seeded elements in the same ranges for a whole tensor.
void dataset_random(const Tensor *t, void *data, uint64_t seed);
void dataset_reserve(Dataset *d, int64_t rows);  // room for so many, keeping what is there
void dataset_free(Dataset *d);

#pragma GCC visibility pop

#endif
