#include "runtime/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/input.h"
#include "runtime/output.h"

// The format's own limit.
enum { MAX_HEADER = 100 * 1000 * 1000 };

static const char *const stored_type[N_ELEM] = {"BOOL", "U8", "I32", "F32", "F64"};

static const struct {
    char name[8];
    Stored is;
} all_types[] = {{"BOOL", {'b', 1}}, {"U8", {'u', 1}},  {"I8", {'i', 1}},   {"I16", {'i', 2}},
                 {"U16", {'u', 2}},  {"F16", {'f', 2}}, {"BF16", {'h', 2}}, {"I32", {'i', 4}},
                 {"U32", {'u', 4}},  {"F32", {'f', 4}}, {"F64", {'f', 8}},  {"I64", {'i', 8}},
                 {"U64", {'u', 8}},  {"F8_E4M3", {'8', 1}}, {"F8_E5M2", {'8', 1}}};

// Of no bytes where it is unknown.
static Stored type_named(const char *type) {
    for (size_t i = 0; i < sizeof all_types / sizeof *all_types; i++) {
        if (strcmp(all_types[i].name, type) == 0) return all_types[i].is;
    }
    return (Stored){0};
}

static uint64_t header_length(const Safetensors *s) {
    uint64_t n = 0;
    if (s->bytes < 8) fail("%s: no safetensors file: shorter than 8 bytes", s->path);
    for (int i = 7; i >= 0; i--) n = n << 8 | (unsigned char)s->file[i];
    if (n > MAX_HEADER)
        fail("%s: no safetensors file: says that its header has %" PRIu64 " bytes", s->path, n);
    if (n > s->bytes - 8) {
        fail("%s: truncated: %zu bytes, expected %" PRIu64 " of its header alone", s->path,
             s->bytes, n + 8);
    }
    return n;
}

static bool read_shape(StoredTensor *t, const Json *shape) {
    if (!shape || shape->kind != JSON_array || shape->count > MAX_RANK) return false;
    t->count = 1;
    for (const Json *d = shape->first; d; d = d->next) {
        int64_t *dim = &t->dim[t->rank++];
        if (!json_integer(d, dim) || *dim < 0) return false;
        if (__builtin_mul_overflow(t->count, *dim, &t->count)) return false;
    }
    return true;
}

static void read_tensor(const Safetensors *s, StoredTensor *t, const Json *json, size_t data) {
    const Json *offsets = json_get(json, "data_offsets");
    int64_t begin, end, have = (int64_t)(s->bytes - data);
    t->name = json->key;
    t->type = json_text_in(json, "dtype", "");
    t->is = type_named(t->type);
    int bytes = t->is.bytes;
    if (bytes == 0 || !read_shape(t, json_get(json, "shape")) || !offsets || offsets->count != 2 ||
        !json_integer(offsets->first, &begin) || !json_integer(offsets->first->next, &end) ||
        begin < 0 || begin > end || __builtin_mul_overflow(t->count, bytes, &t->bytes) ||
        t->bytes != end - begin) {
        fail("%s: corrupted: the header's entry for %s makes no sense", s->path, t->name);
    }
    if (end > have) {
        fail("%s: truncated: %zu bytes, expected %" PRId64 " up to the end of %s", s->path,
             s->bytes, (int64_t)data + end, t->name);
    }
    t->data = s->file + data + begin;
}

void safetensors_read(Safetensors *s, Mem *mem, const char *path) {
    *s = (Safetensors){.path = path};
    s->file = file_read(path, &s->bytes);
    uint64_t n = header_length(s);
    JsonError error;
    const Json *header = json_parse(mem, s->file + 8, n, &error);
    if (!header || header->kind != JSON_object) {
        fail("%s: corrupted: byte %zu of its header: %s", path, header ? 8 : error.at + 8,
             header ? "expected an object" : error.what);
    }
    s->tensor = mem_array(mem, (size_t)header->count, sizeof *s->tensor);
    size_t used = 0;
    for (const Json *t = header->first; t; t = t->next) {
        if (strcmp(t->key, "__metadata__") == 0) {
            s->metadata = t;
            continue;
        }
        read_tensor(s, &s->tensor[s->n], t, 8 + n);
        used += (size_t)s->tensor[s->n++].bytes;
    }
    if (used != s->bytes - 8 - n) {
        fail("%s: corrupted: %zu bytes of tensors, expected %zu as its header says", path,
             s->bytes - 8 - (size_t)n, used);
    }
}

void safetensors_free(Safetensors *s) {
    free(s->file);
    *s = (Safetensors){0};
}

const StoredTensor *safetensors_find(const Safetensors *s, const char *name) {
    for (int i = 0; i < s->n; i++) {
        if (strcmp(s->tensor[i].name, name) == 0) return &s->tensor[i];
    }
    return NULL;
}

bool safetensors_load(const StoredTensor *s, const Tensor *t, char *to) {
    if (strcmp(s->type, stored_type[t->elem]) == 0) {
        memcpy(to, s->data, (size_t)s->bytes);
        return true;
    }
    if (!elem_is_real(t->elem) || (s->is.kind != 'f' && s->is.kind != 'h')) return false;
    for (int64_t i = 0; i < t->count; i++) {
        elem_store(t->elem, to, i, stored_value(s->is, s->data + i * s->is.bytes));
    }
    return true;
}

static void write_metadata(Buffer *b, const char *const *metadata, int n_pair) {
    buffer_format(b, "{\"__metadata__\":{");
    for (int i = 0; i < n_pair; i++) {
        if (i) buffer_format(b, ",");
        json_write_text(b, metadata[2 * i]);
        buffer_format(b, ":");
        json_write_text(b, metadata[2 * i + 1]);
    }
    buffer_format(b, "}");
}

static void write_entry(Buffer *b, const Tensor *t, int64_t offset) {
    buffer_format(b, ",");
    json_write_text(b, t->name);
    buffer_format(b, ":{\"dtype\":\"%s\",\"shape\":[", stored_type[t->elem]);
    for (int i = 0; i < t->rank; i++) buffer_format(b, "%s%" PRId64, i ? "," : "", t->dim[i]);
    buffer_format(b, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", offset,
                  offset + tensor_bytes(t));
}

// Widest elements first, so that every tensor is aligned: the n tensors, in place.
static void sort_by_width(const Tensor **sorted, const Tensor *const *tensor, int n) {
    int at = 0;
    for (int bytes = 8; bytes > 0; bytes /= 2) {
        for (int i = 0; i < n; i++) {
            if (elem_bytes[tensor[i]->elem] == bytes) sorted[at++] = tensor[i];
        }
    }
}

const char *safetensors_write(Mem *mem, const char *path, const Tensor *const *tensor, int n,
                              const char *arena, const char *const *metadata, int n_pair) {
    const Tensor **sorted = mem_array(mem, (size_t)n, sizeof *sorted);
    sort_by_width(sorted, tensor, n);
    Buffer b = {0};
    buffer_extend(&b, 8);
    write_metadata(&b, metadata, n_pair);
    int64_t offset = 0;
    for (int i = 0; i < n; i++) {
        write_entry(&b, sorted[i], offset);
        offset += tensor_bytes(sorted[i]);
    }
    buffer_format(&b, "}");
    while (b.length % 8) buffer_format(&b, " ");
    uint64_t length = b.length - 8;
    for (int i = 0; i < 8; i++) b.data[i] = (char)(length >> 8 * i);

    Output o;
    output_open(&o, mem, path);
    output_write(&o, b.data, b.length);
    for (int i = 0; i < n; i++) {
        output_write(&o, arena + sorted[i]->offset, (size_t)tensor_bytes(sorted[i]));
    }
    buffer_free(&b);
    return output_close(&o) ? NULL : strerror(o.error);
}
