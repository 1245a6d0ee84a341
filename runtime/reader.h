// Readers: how the formats that a data block may name become rows. A program links those that
// it names (NnProgram.parts) and those that `predict` always reads.
#ifndef NN_RUNTIME_READER_H
#define NN_RUNTIME_READER_H

#include "runtime/data.h"

#pragma GCC visibility push(hidden)

typedef struct Reader {
    const char *name;      // as `from` has it: "csv"
    const char *expected;  // "a CSV file"
    // The data that are at this path, or null.
    const char *(*find)(Mem *mem, const char *path);
    // Reads all into d->pool and, where the data have test rows of their own and the block
    // declares no test split, those into d->held_out. Both have their columns.
    void (*read)(Data *d, Mem *mem, const DataBlock *block, const char *path);
    // Does the file that begins so hold rows for `predict` in this format?
    bool (*knows)(const char *path, const unsigned char start[8]);
    void (*rows)(Dataset *d, Mem *mem, const char *path);
    // Makes the splits where they are no rows at random; null elsewhere.
    void (*split)(Data *d, Mem *mem, Machine *m, const char *path);
} Reader;

extern const Reader nn_reader_csv, nn_reader_folder, nn_reader_idx, nn_reader_npy, nn_reader_npz, nn_reader_safetensors,
    nn_reader_text, nn_reader_pairs;
extern const Reader npy_file;  // for predict alone

const Reader *reader_named(const char *name);  // null: not in this program
const Reader *reader_of_file(const char *path);

// One column from an IDX or NPY file; the first sets d->rows.
void idx_read(Dataset *d, Column *c, const char *path);
void npy_read(Dataset *d, Column *c, const char *path);
void csv_read(Dataset *d, const char *path);

// Fails where the rows have more than one column: the file is one array.
void reader_single(const Dataset *d, const char *path);

#pragma GCC visibility pop

#endif
