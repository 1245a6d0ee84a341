// The program's description of itself: docs/manifest.md, as structures.
#ifndef NN_RUNTIME_MANIFEST_H
#define NN_RUNTIME_MANIFEST_H

#include "runtime/abi.h"
#include "runtime/json.h"
#include "runtime/tensor.h"

#pragma GCC visibility push(hidden)

typedef struct Result {
    const char *name;
    const Tensor *tensor;
} Result;

typedef struct KernelNote {  // what it does at the largest batch
    const char *name, *place;
    double flops, ops, bytes;  // as in docs/manifest.md
} KernelNote;

typedef struct Entry {
    const char *name;
    const NnEntryPoint *code;
    int n_input, n_result, n_kernel;
    const Tensor **input;
    Result *result;
    KernelNote *kernel;
} Entry;

typedef struct Hyper {
    const char *name;
    const Tensor *tensor;
    double value;  // the default
    bool is_integer;
    double low, high;  // the range that a search goes through; equal without one
    bool is_log;
    int n_value;       // or a list
    double *at;
} Hyper;

typedef struct Field {
    const char *name;
    const Tensor *tensor;
    const char *part;  // images, labels or an array's name; null where columns are listed
    int n_column;
    const char **column;
    int64_t below;  // number of classes, 0 for none
    bool is_words;       // classes stand for words of the file
    int words_of;        // the place of the field that keeps them: perhaps another one
    const Json *json;    // all that is said of it
    const struct DataBlock *block;
    const char **until;  // beside each column: the last of a range by place, or null
} Field;

typedef enum SplitKind { SPLIT_train, SPLIT_valid, SPLIT_test, N_SPLIT } SplitKind;
extern const char *const split_name[N_SPLIT];

typedef struct SplitRule {
    bool is_declared;
    double share;  // of the rows, or
    int64_t rows;  // a number of them where share is 0
} SplitRule;

typedef struct DataBlock {
    const char *name, *path;
    const char *from;  // null where there is no data block
    int64_t rows;      // of generated data, which have no file; else 0
    uint64_t seed;
    int n_field;
    Field *field;
    SplitRule split[N_SPLIT];
    const Json *json;  // all that is said of it
} DataBlock;

// The rows of a whole split.
typedef struct RowExtent {
    const char *name;
    int split;
    int64_t most;
} RowExtent;

typedef struct Manifest {
    const char *text;  // all of it
    const char *help;  // what the command prints below its usage line
    const char *name, *source, *source_dir, *hash, *version;
    Elem real;
    int64_t batch;
    int vector_bytes;
    int64_t threads;  // the most that the memory budget has room for
    int n_tensor, n_entry, n_hyper;
    int n_extent;                  // besides the batch
    RowExtent extent[NN_EXTENTS];  // by place; [0] is unused
    Tensor *tensor;
    Entry *entry;
    Hyper *hyper;
    DataBlock data;
    int64_t epochs, steps;
    bool is_fixed;  // nothing but `init` changes a parameter or a state
    int64_t accumulate;  // batches to a step
    const Json *load;    // see runtime/load.c; or null
    const Json *generate;  // see runtime/generate.c; or null
    const Json *summary;
} Manifest;

// Checks all that the runtime relies on: a program whose parts disagree ends here.
const Manifest *manifest_read(Mem *m, const NnProgram *program);

const Entry *manifest_entry(const Manifest *manifest, const char *name);  // null if it has none
const Tensor *manifest_input(const Entry *entry, const char *name);  // null if it has none
int64_t manifest_parameters(const Manifest *manifest);  // elements of all parameters

#pragma GCC visibility pop

#endif
