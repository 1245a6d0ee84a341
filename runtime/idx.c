// IDX, the format of MNIST's files: two zero bytes, the element's code, the number of
// dimensions, each dimension as a big-endian 32-bit number, then the elements, big-endian.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/dataset.h"
#include "runtime/input.h"

typedef enum IdxElem {
    IDX_u8 = 8,
    IDX_i8 = 9,
    IDX_i16 = 11,
    IDX_i32 = 12,
    IDX_f32,
    IDX_f64
} IdxElem;

typedef struct Idx {
    Input in;
    IdxElem elem;
    int bytes;  // of an element
    int64_t rows, row_count;
    char dims[128];  // as text, "60000 x 28 x 28"
} Idx;

static int idx_bytes(int code) {
    switch (code) {
        case IDX_u8:
        case IDX_i8: return 1;
        case IDX_i16: return 2;
        case IDX_i32:
        case IDX_f32: return 4;
        case IDX_f64: return 8;
        default: return 0;
    }
}

static uint64_t big_endian(const unsigned char *at, int bytes) {
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++) x = x << 8 | at[i];
    return x;
}

static double idx_value(IdxElem elem, const unsigned char *at) {
    uint64_t bits = big_endian(at, idx_bytes((int)elem));
    uint32_t bits32 = (uint32_t)bits;
    float f;
    double d;
    switch (elem) {
        case IDX_i8: return (int8_t)bits;
        case IDX_i16: return (int16_t)bits;
        case IDX_i32: return (int32_t)bits32;
        case IDX_f32: memcpy(&f, &bits32, 4); return (double)f;
        case IDX_f64: memcpy(&d, &bits, 8); return d;
        default: return (double)bits;
    }
}

static void read_header(Idx *idx) {
    unsigned char magic[4], dim[4];
    const char *path = idx->in.path;
    if (input_read(&idx->in, magic, 4) < 4)
        fail("%s: not an IDX file: shorter than its header", path);
    idx->elem = (IdxElem)magic[2];
    idx->bytes = idx_bytes(magic[2]);
    if (magic[0] || magic[1] || idx->bytes == 0 || magic[3] < 1 || magic[3] > MAX_RANK) {
        fail(
            "%s: not an IDX file: begins with %02x %02x %02x %02x, expected 00 00 08 and the "
            "number of dimensions",
            path, magic[0], magic[1], magic[2], magic[3]);
    }
    idx->row_count = 1;
    size_t length = 0;
    for (int i = 0; i < magic[3]; i++) {
        if (input_read(&idx->in, dim, 4) < 4) {
            fail("%s: the file ends in its header, at dimension %d of %d", path, i + 1, magic[3]);
        }
        int64_t size = (int64_t)big_endian(dim, 4);
        length += (size_t)snprintf(idx->dims + length, sizeof idx->dims - length, "%s%" PRId64,
                                   i ? " x " : "", size);
        if (i == 0) {
            idx->rows = size;
        } else if (__builtin_mul_overflow(idx->row_count, size, &idx->row_count)) {
            fail("%s: dimensions too large: %s", path, idx->dims);
        }
    }
}

static void check_header(const Idx *idx, const Dataset *d, const Column *c) {
    int64_t want = tensor_row_count(c->tensor);
    const char *path = idx->in.path;
    if (idx->row_count != want) {
        fail("%s: %s elements, expected %" PRId64 " in each row for %s", path, idx->dims, want,
             c->name);
    }
    if (idx->rows == 0) fail("%s: no rows", path);
    if (d->rows && idx->rows != d->rows) {
        fail("%s: %" PRId64 " rows, expected %" PRId64 " as in the file read before", path,
             idx->rows, d->rows);
    }
}

// Converts rows from `raw` to the column, refusing what its tensor cannot hold.
static void store_rows(const Idx *idx, Column *c, int64_t from, int64_t rows,
                       const unsigned char *raw) {
    Elem e = c->tensor->elem;
    char *to = c->data + from * c->row_bytes;
    if (idx->elem == IDX_u8 && e == ELEM_u8 && c->below == 0) {
        memcpy(to, raw, (size_t)(rows * c->row_bytes));
        return;
    }
    for (int64_t i = 0; i < rows * idx->row_count; i++, raw += idx->bytes) {
        char text[64];
        double x = idx_value(idx->elem, raw);
        const char *expected = elem_refusal(e, c->below, x, text);
        if (expected) {
            fail("%s: row %" PRId64 ": found %g, expected %s", idx->in.path,
                 from + i / idx->row_count, x, expected);
        }
        elem_store(e, to, i, x);
    }
}

// Rows come in pieces, so that memory grows with what the file holds, not with what it says.
static void read_rows(Idx *idx, Dataset *d, Column *c) {
    int64_t row_bytes = idx->row_count * idx->bytes, piece = (1 << 20) / (row_bytes + 1) + 1;
    unsigned char *raw = malloc((size_t)(piece * row_bytes) + 1);
    if (!raw) fail_memory((double)(piece * row_bytes), "reading");
    for (int64_t row = 0, n; row < idx->rows; row += n) {
        n = idx->rows - row < piece ? idx->rows - row : piece;
        size_t bytes = (size_t)(n * row_bytes), got = input_read(&idx->in, raw, bytes);
        if (got < bytes) {
            fail("%s: truncated: ends in row %" PRId64 ", expected %s elements", idx->in.path,
                 row + (int64_t)got / row_bytes, idx->dims);
        }
        if (row + n > d->room) {
            int64_t room = 2 * d->room > row + n ? 2 * d->room : row + n;
            dataset_reserve(d, room < idx->rows ? room : idx->rows);
        }
        store_rows(idx, c, row, n, raw);
    }
    free(raw);
    if (input_peek(&idx->in) >= 0) {
        fail("%s: more bytes than its header says, expected %s elements", idx->in.path, idx->dims);
    }
}

void idx_read(Dataset *d, Column *c, const char *path) {
    Idx *idx = calloc(1, sizeof *idx);
    if (!idx) fail_memory(sizeof *idx, "reading");
    input_open(&idx->in, path);
    read_header(idx);
    check_header(idx, d, c);
    read_rows(idx, d, c);
    d->rows = idx->rows;
    input_close(&idx->in);
    free(idx);
}
