// A tensor: a named, typed place in the arena. Rows are what lies at one index of the first
// axis where that is the batch or the rows of a split.
#ifndef NN_RUNTIME_TENSOR_H
#define NN_RUNTIME_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

typedef enum Elem { ELEM_bool, ELEM_u8, ELEM_i32, ELEM_f32, ELEM_f64, N_ELEM } Elem;

typedef enum TensorKind {
    TENSOR_param,
    TENSOR_state,
    TENSOR_sum,    // of gradients, from one batch of a step to the next
    TENSOR_kept,   // by a generation from place to place
    TENSOR_input,
    TENSOR_split,  // an input that holds a whole split
    TENSOR_hyper,
    TENSOR_run,
    TENSOR_result,
    N_TENSOR_KIND,
} TensorKind;

enum { MAX_RANK = 8 };

typedef struct Tensor {
    const char *name;
    TensorKind kind;
    Elem elem;
    int rank;
    int64_t dim[MAX_RANK];  // at the largest extents
    bool by_batch;          // the first axis is the batch
    int by;                 // place of the extent that it is otherwise; 0 for none
    bool of_layer;          // a state that belongs to the weights, not to the optimizer
    bool has_own_gradient;  // of a function that says what its arguments receive
    int64_t below;          // integers: every element is in [0, below); 0 where nothing is known
    int64_t offset, count;  // bytes from the arena's start; elements at the largest extents
} Tensor;

extern const char *const elem_name[N_ELEM];
extern const int elem_bytes[N_ELEM];

static inline int64_t tensor_bytes(const Tensor *t) {
    return t->count * elem_bytes[t->elem];
}

static inline int64_t tensor_row_count(const Tensor *t) {
    return t->by_batch || t->by ? t->count / t->dim[0] : t->count;
}

// Is it run.sample, the number of each row's sample?
static inline bool tensor_is_sample(const Tensor *t) {
    return t->kind == TENSOR_run && t->by_batch;
}

static inline bool elem_is_real(Elem e) {
    return e >= ELEM_f32;
}

double elem_load(Elem e, const void *at, int64_t i);
void elem_store(Elem e, void *at, int64_t i, double x);  // x is known to fit

// Why x is no element of this type below `below`, or null. Says what was expected.
const char *elem_refusal(Elem e, int64_t below, double x, char text[64]);

typedef struct Stored {  // the type of a number in a file
    char kind;           // b: truth, u, i: integer, f: IEEE float, h: bfloat16
    unsigned char bytes;
    bool is_big_endian;
} Stored;

double stored_value(Stored type, const void *at);

#pragma GCC visibility pop

#endif
