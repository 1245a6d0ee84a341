// Sema: from the syntax tree to the index IR. Resolves names, evaluates what is known when
// compiled (hypers, dimensions, configuration), infers shapes and index ranges, proves that
// every read is in range, instantiates layers, and builds one function per entry point:
//
//   init        updates every param and state with its first value
//   train_step  inputs, forward with `training` true, results loss and metrics; updates
//               of states and, through `grad` values and the optimizer, of params; where a
//               step takes several batches, of sums of gradients instead
//   update_step in that case: what the sums make of the params
//   epoch_begin updates of what schedules with states leave for the steps of an epoch
//   stream_begin first values of the states that a stream carries from batch to batch
//   start       updates of states that begin as params, from those that are there
//   eval_step   the same loss and metrics with `training` false, of what predict gave (inputs
//               model.NAME; where a `grad` stands in them, of the model); no updates
//   eval_end    the metrics of totals, from the totals over a split
//   predict     results `output` (or the model's named results) from the model's inputs
//   gradients   as train_step without updates; results loss and grad.NAME of every param
//   keep        result `keep` (bool, by row) of the data entry `where`
//   generate_begin  first values of the states by the batch that a generation keeps
//   generate_source what the source of pairs alone decides, once: states that generate_step reads
//   generate_step   one place of a generation: results `next`, what is fed at the next one, and
//               perhaps `logits`; without `feed` the model's results
//   epoch_end   result `stop` (bool) of the train entry `stop`, its states' updates
//
// A file without a train block has no steps, no evaluation and no gradients; one without a model has
// nothing to compile, which is an error unless the file is only checked.
#ifndef NNC_SEMA_SEMA_H
#define NNC_SEMA_SEMA_H

#include "ir/ir.h"
#include "syntax/tree.h"

typedef struct FieldSpec {  // a field of the data block, as its file holds it
    Name name;              // also the name of the input in the functions that read it
    Type type;              // with the batch in front; u8 for IDX bytes, i32 for classes
    const char **column;    // csv: column names in order, p0 .. p63 spelled out
    const char **until;     // csv: the last of a range by place that begins here, else NULL
    int n_column;
    bool is_words;          // classes are words of the file, kept in checkpoints
    const char *part;       // "images", "labels", "length" or the name of an array
    const char *unit;       // text: "characters", "words" or "bytes"
    const char *side;       // of pairs: "source" or "target"
    int64_t shift;          // places behind the row's that the field begins
    int64_t classes;        // of class(k), else 0
    Span span;
} FieldSpec;

typedef struct LoadSpec {  // parameters that training takes from a file
    const char *file;
    const char *path, *as;  // ours, and what stands for it there
    Span span;
} LoadSpec;

typedef struct ResultSpec {  // a result of the model that is declared as classes
    Name name;
    int64_t classes;
} ResultSpec;

// Of the states that hold sums of gradients from one part of a step to the next.
#define SUM_PREFIX "sum:"
// Of the states that generations alone have.
#define KEPT_PREFIX "generate:"
// Of the inputs that whoever generates gives, and of them what is fed.
#define GENERATE_PREFIX "generate."
#define GENERATE_INPUT GENERATE_PREFIX "input"

typedef struct SplitSpec {
    Name name;     // train, valid, test
    double share;  // of the rows; 0 where a count is given
    int64_t rows;
} SplitSpec;

typedef enum RangeKind { RANGE_none, RANGE_linear, RANGE_log, RANGE_list } RangeKind;

typedef struct HyperSpec {
    Name name;     // an input `name` of rank 0 in every function that uses it
    double value;
    bool is_integer;
    Span span;
    RangeKind range;  // that a search goes through
    double low, high;
    int n_value;
    const double *at;  // of a list
} HyperSpec;

typedef struct LayerSpec {  // a row of --emit=summary
    const char *path;       // "dense#1"
    int depth;              // how many rows it lies inside
    Type output;
    int64_t params, multiply_adds;  // those of the layers inside too
    const char *field;      // receptive field: "14x14", "all", or ""
    Value *value;           // the output
    Span span;
} LayerSpec;

// Of data that are text.
typedef struct TextSpec {
    VEC(const char *) others;  // paths to look for where the first is not there
    int64_t every;             // units from one window's place to the next's; 0: the longest field
    int64_t stream;            // places of a stream's rows; 0 for none
    int64_t most, least;       // of the vocabulary: classes; times that a unit must stand there
    bool is_random, is_lowercase;
} TextSpec;

// Of the generate block.
typedef struct GenerateSpec {
    bool is_there;
    Name field;      // of what is fed; NULL where the model runs once
    int64_t length;  // places to generate
    int64_t window;  // `pos` stays below it; 0 where nothing asks for it
} GenerateSpec;

typedef struct ModelSpec {
    Name model, data;         // data: NULL where there is no train block
    const char *format;       // "csv", "npz", ... as `from` has it
    const char *path;
    int64_t rows;             // generated
    int64_t most_rows;        // of the data; 0 where no bound is given
    VEC(const char *) parts;  // symbols of the runtime that few programs need
    VEC(const char *) libraries;  // that those need: "jpeg"
    TextSpec text;
    GenerateSpec generate;
    int64_t split_seed;
    int64_t batch, epochs, steps;
    int64_t accumulate;       // batches to a step
    VEC(FieldSpec) fields;
    VEC(SplitSpec) splits;
    VEC(LoadSpec) loads;
    VEC(HyperSpec) hypers;    // flags of the program; those that fix a shape are not among them
    VEC(Name) metrics;
    VEC(ResultSpec) results;
    VEC(Value *) own;         // parameters whose gradients pass a function that gives its own
    VEC(LayerSpec) layers;    // the last row is the total
} ModelSpec;

// NULL after errors (in c->diags). With check_only a file may lack a model.
Module *sema_module(Compiler *c, const Node *file, bool check_only, ModelSpec *spec);

// The embedded library: name and text of each file of compiler/std, ends with NULL names.
typedef struct LibraryFile {
    const char *name, *text;
} LibraryFile;
extern const LibraryFile library_files[];

#endif
