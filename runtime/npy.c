// NPY, NumPy's format for one array: a magic, a version, the length of a header, the header as
// the text of a Python dictionary, then the elements. Little-endian numbers in C order.
#include <stdlib.h>
#include <string.h>

#include "runtime/array.h"
#include "runtime/input.h"
#include "runtime/npy.h"
#include "runtime/reader.h"

enum { MAX_HEADER = 1 << 16 };

static _Noreturn void fail_header(const Array *a, const char *what) {
    fail("%s: %s%sno NPY array of rows: %s", a->path, a->name ? a->name : "", a->name ? ": " : "",
         what);
}

// What follows 'KEY': in the header.
static const char *value_of(const Array *a, const char *header, const char *key) {
    const char *at = strstr(header, key);
    at = at ? strchr(at, ':') : NULL;
    if (!at) fail_header(a, "its header lacks a key");
    return at + 1 + strspn(at + 1, " ");
}

static void read_dict(Array *a, const char *header) {
    const char *type = value_of(a, header, "'descr'");
    unsigned char bytes = (unsigned char)(strlen(type) > 4 ? type[3] - '0' : 0);
    bool is_known = *type == '\'' && strchr("<|=", type[1]) && strchr("biuf", type[2]) &&
                    type[4] == '\'' && (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8) &&
                    (type[2] != 'f' || bytes > 1);
    if (!is_known) fail_header(a, "expected elements of b1, i1..i8, u1..u8 or f2..f8, little-endian");
    a->type = (Stored){type[2], bytes, false};
    if (strncmp(value_of(a, header, "'fortran_order'"), "False", 5) != 0)
        fail_header(a, "is in Fortran order, expected C order (numpy.ascontiguousarray)");
    const char *at = value_of(a, header, "'shape'");
    bool is_tuple = *at++ == '(';
    for (a->rank = 0; is_tuple && *at && *at != ')'; a->rank++) {
        char *end;
        if (a->rank == MAX_RANK) fail_header(a, "too many dimensions");
        a->dim[a->rank] = strtoll(at, &end, 10);
        if (end == at) break;
        at = end + strspn(end, ", ");
    }
    if (!is_tuple || *at != ')') fail_header(a, "no shape");
}

void npy_header(Array *a, ArraySource *source, void *from) {
    unsigned char start[8], length[4] = {0};
    if (source(from, start, 8) < 8 || memcmp(start, "\x93NUMPY", 6) != 0)
        fail_header(a, "does not begin as one");
    size_t n = start[6] == 1 ? 2 : 4;
    if (source(from, length, n) < n) fail_header(a, "ends in its header");
    size_t bytes = (size_t)stored_value((Stored){'u', 4}, length);
    if (bytes > MAX_HEADER) fail_header(a, "its header is too long");
    char *header = calloc(1, bytes + 1);
    if (!header) fail_memory((double)bytes, "reading");
    if (source(from, header, bytes) < bytes) fail_header(a, "ends in its header");
    read_dict(a, header);
    free(header);
    array_measure(a);
}

static size_t read_elements(void *in, void *to, size_t bytes) {
    return input_read(in, to, bytes);
}

void npy_read(Dataset *d, Column *c, const char *path) {
    Mem mem = {0};
    Input *in = mem_get(&mem, sizeof *in);
    Array a = {.path = path};
    input_open(in, path);
    npy_header(&a, read_elements, in);
    array_read(&a, d, c, read_elements, in);
    input_close(in);
    mem_free(&mem);
}

// ---- a file of rows to predict

static bool knows(const char *path, const unsigned char start[8]) {
    (void)path;
    return memcmp(start, "\x93NUMPY", 6) == 0;
}

static void rows(Dataset *d, Mem *mem, const char *path) {
    (void)mem;
    reader_single(d, path);
    npy_read(d, &d->column[0], path);
}

const Reader npy_file = {.knows = knows, .rows = rows};
