// Arrays as files hold them: typed numbers in row-major order behind a header. A reader gives
// what the header says and a source of bytes; here they become rows of a column.
#ifndef NN_RUNTIME_ARRAY_H
#define NN_RUNTIME_ARRAY_H

#include "runtime/dataset.h"

#pragma GCC visibility push(hidden)

typedef struct Array {
    const char *path, *name;  // the file; of the array in it, or null
    Stored type;
    int rank;
    int64_t dim[MAX_RANK];
    int64_t rows, row_count;  // array_measure's: the first dimension, the product of the others
} Array;

// Fails where the dimensions can't be those of rows.
void array_measure(Array *a);

// More bytes of the array; fewer than asked for only at its end.
typedef size_t ArraySource(void *from, void *to, size_t bytes);

// Adds the array's rows to a column; the first column that is read sets d->rows. Memory grows
// with what the source gives, not with what the header says. Fails with the row where the source
// ends early, has more, or holds what the column's tensor cannot.
void array_read(const Array *a, Dataset *d, Column *c, ArraySource *source, void *from);

#pragma GCC visibility pop

#endif
