#include "runtime/array.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- errors

// "60000 x 28 x 28"
static const char *describe(char text[200], const int64_t *dim, int rank) {
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; i < rank; i++)
        n += (size_t)snprintf(text + n, 200 - n, "%s%" PRId64, i ? " x " : "", dim[i]);
    return text;
}

static _Noreturn void refuse(const Array *a, const char *format, ...) NN_FORMAT(2);
static _Noreturn void refuse(const Array *a, const char *format, ...) {
    char text[200], why[300];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    fail("%s: %s%s%s elements, %s", a->path, a->name ? a->name : "", a->name ? ": " : "",
         describe(text, a->dim, a->rank), why);
}

void array_measure(Array *a) {
    int64_t bytes;
    bool fits = a->rank > 0;
    a->rows = a->dim[0];
    a->row_count = 1;
    for (int i = 0; i < a->rank; i++) {
        fits &= a->dim[i] >= 0;
        fits &= i == 0 || !__builtin_mul_overflow(a->row_count, a->dim[i], &a->row_count);
    }
    fits &= !__builtin_mul_overflow(a->row_count, 8, &bytes);
    if (!fits) refuse(a, "expected rows that a memory can hold");
}

// Rows are alike where they have the same sizes in the same order; sizes of 1 don't count, and
// neither does a row that is flat.
static bool is_alike(const Array *a, const Tensor *t) {
    if (a->row_count != tensor_row_count(t)) return false;
    if (a->rank <= 2 || t->rank <= 2) return true;
    for (int i = 1, k = t->by_batch;; i++, k++) {
        while (i < a->rank && a->dim[i] == 1) i++;
        while (k < t->rank && t->dim[k] == 1) k++;
        if (i == a->rank || k == t->rank) return i == a->rank && k == t->rank;
        if (a->dim[i] != t->dim[k]) return false;
    }
}

static void check(const Array *a, const Dataset *d, const Column *c) {
    const Tensor *t = c->tensor;
    char row[200];
    if (!is_alike(a, t)) {
        describe(row, t->dim + t->by_batch, t->rank - t->by_batch);
        refuse(a, "expected %s in each row for %s", *row ? row : "1", c->name);
    }
    if (a->rows == 0) refuse(a, "expected a row");
    if (d->rows && a->rows != d->rows) refuse(a, "expected %" PRId64 " rows as before", d->rows);
}

// ---- rows

// Converts rows from `raw` to the column, refusing what its tensor cannot hold.
static void store_rows(const Array *a, Column *c, int64_t from, int64_t rows,
                       const unsigned char *raw) {
    Elem e = c->tensor->elem;
    char *to = c->data + from * c->row_bytes;
    if (a->type.kind == 'u' && a->type.bytes == 1 && e == ELEM_u8 && c->below == 0) {
        memcpy(to, raw, (size_t)(rows * c->row_bytes));
        return;
    }
    for (int64_t i = 0; i < rows * a->row_count; i++, raw += a->type.bytes) {
        char text[64];
        double x = stored_value(a->type, raw);
        const char *expected = elem_refusal(e, c->below, x, text);
        if (expected) {
            refuse(a, "row %" PRId64 ": found %g, expected %s", from + i / a->row_count, x,
                   expected);
        }
        elem_store(e, to, i, x);
    }
}

void array_read(const Array *a, Dataset *d, Column *c, ArraySource *source, void *from) {
    check(a, d, c);
    int64_t row_bytes = a->row_count * a->type.bytes, piece = (1 << 20) / (row_bytes + 1) + 1;
    unsigned char *raw = calloc(1, (size_t)(piece * row_bytes) + 1);
    if (!raw) fail_memory((double)(piece * row_bytes), "reading");
    for (int64_t row = 0, n; row < a->rows; row += n) {
        n = a->rows - row < piece ? a->rows - row : piece;
        size_t bytes = (size_t)(n * row_bytes), got = source(from, raw, bytes);
        if (got < bytes) {
            refuse(a, "and the file ends in row %" PRId64, row + (int64_t)got / row_bytes);
        }
        if (row + n > d->room) {
            int64_t room = 2 * d->room > row + n ? 2 * d->room : row + n;
            dataset_reserve(d, room < a->rows ? room : a->rows);
        }
        store_rows(a, c, row, n, raw);
    }
    bool has_more = source(from, raw, 1) > 0;
    free(raw);
    if (has_more) refuse(a, "and the file goes on behind them");
    d->rows = a->rows;
}
