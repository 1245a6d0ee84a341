// Words that stand for classes: the names of an image folder's folders, the texts of a column of
// a CSV file. They are sorted, each one's place is its class, and checkpoints keep them, so that
// other files map the same way. Only programs that have such fields link this.
#ifndef NN_RUNTIME_WORDS_H
#define NN_RUNTIME_WORDS_H

#include <stdbool.h>

#include "runtime/mem.h"

#pragma GCC visibility push(hidden)

typedef struct Words {
    int64_t n;
    const char **word;  // sorted, in mem
    Mem *mem;
    bool is_given;      // by a checkpoint: there are no others
} Words;

// The place of a word, or -1.
int64_t nn_words_find(const Words *w, const char *word);
// The place at which it stands from now on; those behind move up.
int64_t nn_words_insert(Words *w, const char *word);
// "a, b, c, ...", for messages.
const char *nn_words_list(const Words *w, Mem *mem);

// ---- what every program calls where it is there: weak

// Hidden, so that those that are not there take no room.
#define NN_WEAK __attribute__((weak, visibility("hidden")))

struct Column;
struct Field;
struct Tensor;
struct Run;
struct Safetensors;

// The word as the class of a row; those of the rows before move up with it. Returns what was
// expected where the word is none, else null.
const char *nn_words_store(struct Column *c, int64_t row, const char *word, Mem *mem) NN_WEAK;
// As a cell of a CSV file.
void nn_words_print(Buffer *b, const Words *w, int64_t class) NN_WEAK;

// Where a result is classes itself: the field whose words they are, or null.
const struct Field *nn_words_shown(const struct Run *run, const struct Tensor *t) NN_WEAK;

// Of a field by its place, as text for a checkpoint, with their key; null where it has none.
const char *nn_words_of(const struct Run *run, int field, Mem *mem, const char **key) NN_WEAK;
// Those that a checkpoint keeps, where there is one, become the data's.
void nn_words_load(struct Run *run, const char *path) NN_WEAK;
// Fails where it keeps others: a run goes on with the words that it began with.
void nn_words_check(const struct Run *run, const struct Safetensors *st, Mem *mem) NN_WEAK;

#pragma GCC visibility pop

#endif
