// Calls of a program's entry points on seeded data, as the runtime would make them, and what
// the interpreter says that they give.
#ifndef NNC_AGREE_CALL_H
#define NNC_AGREE_CALL_H

#include "tests/agree/subject.h"

typedef struct Held {  // what a leaf holds
    Value *leaf;
    const Tensor *t;
} Held;

typedef VEC(Held) Memory;

enum { CALL_SEED = 20240, MAX_EXTENTS = 4 };

typedef struct Call {
    const Entry *e;
    int64_t extent[MAX_EXTENTS];  // by Extent.id
    int step, epoch;
    Memory inputs, before, after;  // before, after: params and states
    const Tensor **exact, **wide;  // by place among the entry's outputs
} Call;

// Which call of a program this is: they differ in their data.
typedef struct When {
    int64_t rows;
    int step, epoch, number;
} When;

// Evaluates the entry in the module's precision, in the order that `order` chose, and in f64 as
// it stood before anything but derivatives was done, both from the same memory.
Call *call_new(Subject *s, const Entry *e, When when, const Memory *before);

// What a call sees of a state by the batch.
const Tensor *first_rows(Arena *a, const Call *call, const Held *held);

const Tensor *held_by(const Memory *memory, const Value *leaf);  // NULL where it holds nothing

#endif
