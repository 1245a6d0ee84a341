// A program's data: where the files are, their rows in memory, and the splits.
#ifndef NN_RUNTIME_DATA_H
#define NN_RUNTIME_DATA_H

#include "runtime/dataset.h"
#include "runtime/machine.h"

#pragma GCC visibility push(hidden)

typedef struct Split {
    const Dataset *data;
    int64_t rows;
    int64_t *row;  // which rows of the dataset, in order
} Split;

typedef struct Data {
    bool is_loaded;
    Dataset pool, held_out;  // held_out: IDX's t10k pair
    Split split[N_SPLIT];    // no rows: the program has no such split
    Words *words;            // of each field of the data block; none where classes have no names
    struct TextData *text;   // see runtime/text.c
    struct Pairs *pairs;     // see runtime/pairs.c
} Data;

// Finds and reads all files, and splits the rows that the program keeps. `from` is what --data
// says, or null.
void data_load(Data *d, Mem *mem, Machine *m, const char *from);
void data_free(Data *d);
// Room for the fields' words, unless there is.
void data_words(Data *d, Mem *mem, const DataBlock *block);
// The words of a column's classes become the data's.
void data_name_classes(const Data *d, Dataset *rows);

// The folder or file that the data block reads, or null where it is in none of the places.
const char *data_find(Mem *mem, const Manifest *manifest, const char *from);

const char *program_folder(Mem *mem);  // where its file is

// All rows, as they stand.
Split split_of_all(const Dataset *d, Mem *mem);
// Of both, those that the data block's `where` keeps. Linked only into programs that say `where`:
// elsewhere it is null.
void rows_keep(Split *pool, Split *held_out, Machine *m, const char *path)
    __attribute__((weak, visibility("hidden")));
// The splits, of the rows that the program keeps.
void split_at_random(Data *d, Mem *mem, Machine *m, const char *path);
// Draws the splits from a permutation of the pool's rows by the data block's seed.
void split_rows(Data *d, Mem *mem, const DataBlock *block, const char *path, Split pool,
                Split held_out);

// Cross-validation's fold i of k: its part of the rows of train and valid, drawn by the data
// block's seed, becomes the valid split, the other parts the train split.
void split_fold(Data *d, Mem *mem, uint64_t seed, int64_t i, int64_t k);
// The train split becomes as many of its rows, drawn with replacement.
void split_bag(Data *d, Mem *mem, uint64_t seed);

// Copies `rows` rows of the split, from place `begin` of `order` (null: as they stand), into
// the entry point's inputs, and zeroes the rest of the largest batch.
void batch_fill(Machine *m, const Entry *entry, const Split *split, const int64_t *order,
                int64_t begin, int64_t rows);
// Fails when the entry point reads an input that the data don't have.
void batch_check(const Entry *entry, const Dataset *data);

#pragma GCC visibility pop

#endif
