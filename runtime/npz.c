// Data of an NPZ file: a zip archive of NPY files, stored or deflated, as NumPy's savez and
// savez_compressed write it. The archive's directory, at its end, says where each file is; what
// it says is held against the bytes that are there, and what comes out against its checksum.
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "runtime/input.h"
#include "runtime/npy.h"
#include "runtime/reader.h"

typedef struct Zip {
    const char *path;
    unsigned char *file;  // all of it
    size_t bytes;
} Zip;

typedef struct Member {
    const Zip *zip;
    const char *name;  // without .npy
    uint64_t packed, size, at;
    uint32_t checksum, seen;
    uint64_t left;  // of what comes out
    bool is_deflated;
    z_stream stream;
} Member;

enum { END_BYTES = 22, ENTRY_BYTES = 46, LOCAL_BYTES = 30, LOCATOR_BYTES = 20, END64_BYTES = 56 };

static uint64_t number(const unsigned char *at, int bytes) {
    uint64_t x = 0;
    while (bytes-- > 0) x = x << 8 | at[bytes];
    return x;
}

static _Noreturn void fail_zip(const Zip *z, const char *name, const char *what) {
    fail("%s: %s%s%s", z->path, name ? name : "", name ? ": " : "", what);
}

// ---- the directory

// Where the directory begins and how many files it names.
static uint64_t find_directory(const Zip *z, uint64_t *files) {
    if (z->bytes < END_BYTES) fail_zip(z, NULL, "no NPZ file: shorter than an empty archive");
    size_t least = z->bytes > END_BYTES + 0xffff ? z->bytes - END_BYTES - 0xffff : 0;
    size_t at = z->bytes - END_BYTES;
    while (memcmp(z->file + at, "PK\5\6", 4) != 0) {
        if (at-- == least) {
            bool is_zip = memcmp(z->file, "PK\3\4", 4) == 0;
            fail_zip(z, NULL, is_zip ? "truncated: no directory at the end of the archive"
                                     : "no NPZ file: no zip archive");
        }
    }
    *files = number(z->file + at + 10, 2);
    uint64_t begin = number(z->file + at + 16, 4);
    bool is_large = begin == 0xffffffff && at >= LOCATOR_BYTES;
    if (!is_large || memcmp(z->file + at - LOCATOR_BYTES, "PK\6\7", 4) != 0) return begin;
    uint64_t end64 = number(z->file + at - LOCATOR_BYTES + 8, 8);
    if (end64 > z->bytes - END64_BYTES) fail_zip(z, NULL, "corrupted: its directory lies outside");
    *files = number(z->file + end64 + 32, 8);
    return number(z->file + end64 + 48, 8);
}

// Sizes that don't fit into 32 bits stand in an extra field, those that don't fit only.
static void read_large(Member *m, const unsigned char *extra, size_t bytes) {
    uint64_t *field[] = {&m->size, &m->packed, &m->at};
    while (bytes >= 4) {
        uint64_t tag = number(extra, 2), n = number(extra + 2, 2);
        if (n > bytes - 4) return;
        const unsigned char *at = extra + 4, *end = at + n;
        for (int i = 0; i < 3 && tag == 1; i++) {
            if (*field[i] != 0xffffffff || end - at < 8) continue;
            *field[i] = number(at, 8);
            at += 8;
        }
        extra += 4 + n;
        bytes -= 4 + n;
    }
}

// The member of this name; a list of names where there is none.
static Member find_member(const Zip *z, const char *name) {
    uint64_t files, at = find_directory(z, &files);
    Buffer names = {0};
    for (uint64_t i = 0; i < files; i++) {
        if (at > z->bytes || z->bytes - at < ENTRY_BYTES || memcmp(z->file + at, "PK\1\2", 4) != 0)
            fail_zip(z, NULL, "corrupted: its directory lies outside, or is none");
        const unsigned char *e = z->file + at;
        size_t name_bytes = number(e + 28, 2), extra = number(e + 30, 2), note = number(e + 32, 2);
        if (z->bytes - at - ENTRY_BYTES < name_bytes + extra + note)
            fail_zip(z, NULL, "corrupted: its directory ends too early");
        const char *its = (const char *)e + ENTRY_BYTES;
        size_t n = name_bytes;
        if (n > 4 && memcmp(its + n - 4, ".npy", 4) == 0) n -= 4;
        if (strlen(name) == n && memcmp(its, name, n) == 0) {
            uint64_t method = number(e + 10, 2);
            if ((method != 0 && method != 8) || number(e + 8, 2) & 1)
                fail_zip(z, name, "is packed in another way than stored or deflated");
            Member m = {z, name, number(e + 20, 4), number(e + 24, 4), number(e + 42, 4),
                        .checksum = (uint32_t)number(e + 16, 4), .is_deflated = method == 8};
            read_large(&m, e + ENTRY_BYTES + name_bytes, extra);
            buffer_free(&names);
            return m;
        }
        if (i < 8) buffer_format(&names, "%s%.*s", i ? ", " : "", (int)n, its);
        at += ENTRY_BYTES + name_bytes + extra + note;
    }
    fail("%s: no array %s, expected one of %s", z->path, name, names.data ? names.data : "none");
}

// ---- what a member holds

static void open_member(Member *m) {
    const Zip *z = m->zip;
    if (m->at > z->bytes || z->bytes - m->at < LOCAL_BYTES ||
        memcmp(z->file + m->at, "PK\3\4", 4) != 0)
        fail_zip(z, m->name, "corrupted: its place in the archive is wrong");
    uint64_t begin = m->at + LOCAL_BYTES + number(z->file + m->at + 26, 2) +
                     number(z->file + m->at + 28, 2);
    if (begin > z->bytes || m->packed > z->bytes - begin)
        fail_zip(z, m->name, "truncated: the archive ends inside");
    if (!m->is_deflated && m->packed != m->size)
        fail_zip(z, m->name, "corrupted: its two sizes differ");
    m->at = begin;
    m->left = m->size;
    m->seen = (uint32_t)crc32(0, NULL, 0);
    if (m->is_deflated && inflateInit2(&m->stream, -MAX_WBITS) != Z_OK)
        fail_memory(1 << 16, "reading");
}

static void inflate_some(Member *m, void *to, size_t bytes) {
    z_stream *s = &m->stream;
    s->next_out = to;
    while (bytes > 0) {
        uInt room = bytes < 1u << 30 ? (uInt)bytes : 1u << 30;
        uint64_t here = m->packed < 1u << 30 ? m->packed : 1u << 30;
        s->next_in = m->zip->file + m->at;
        s->avail_in = (uInt)here;
        s->avail_out = room;
        int status = inflate(s, Z_NO_FLUSH);
        m->at += here - s->avail_in;
        m->packed -= here - s->avail_in;
        bytes -= room - s->avail_out;
        bool moves = here != s->avail_in || room != s->avail_out;
        if ((status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) || (bytes && !moves))
            fail_zip(m->zip, m->name, "corrupted: cannot be inflated");
        if (status == Z_STREAM_END && bytes)
            fail_zip(m->zip, m->name, "corrupted: ends before the size that the archive says");
    }
}

static size_t read_member(void *from, void *to, size_t bytes) {
    Member *m = from;
    if (bytes > m->left) bytes = (size_t)m->left;
    if (m->is_deflated) {
        inflate_some(m, to, bytes);
    } else {
        memcpy(to, m->zip->file + m->at, bytes);
        m->at += bytes;
    }
    m->left -= bytes;
    m->seen = (uint32_t)crc32_z(m->seen, to, bytes);
    return bytes;
}

static void read_array(const Zip *z, Dataset *d, Column *c, const char *name) {
    Member m = find_member(z, name);
    Array a = {.path = z->path, .name = name};
    open_member(&m);
    npy_header(&a, read_member, &m);
    array_read(&a, d, c, read_member, &m);
    if (m.seen != m.checksum) fail_zip(z, name, "corrupted: another checksum than the archive says");
    if (m.is_deflated) inflateEnd(&m.stream);
}

// ---- the reader

static const char *find(Mem *mem, const char *path) {
    (void)mem;
    return path_exists(path) && !path_is_folder(path) ? path : NULL;
}

// Arrays are named by the fields, or are the fields.
static void rows(Dataset *d, Mem *mem, const char *path) {
    (void)mem;
    Zip z = {.path = path};
    z.file = (unsigned char *)file_read(path, &z.bytes);
    for (int i = 0; i < d->n; i++) {
        Column *c = &d->column[i];
        read_array(&z, d, c, c->field && c->field->part ? c->field->part : c->name);
    }
    free(z.file);
}

static void read_data(Data *d, Mem *mem, const DataBlock *block, const char *path) {
    (void)block;
    rows(&d->pool, mem, path);
}

static bool knows(const char *path, const unsigned char start[8]) {
    (void)path;
    return memcmp(start, "PK", 2) == 0 && start[2] < 9;
}

const Reader nn_reader_npz = {
    "npz", "an archive that NumPy's savez writes", find, read_data, knows, rows,
};
