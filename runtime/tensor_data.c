// Data of a safetensors file.
#include <string.h>

#include "runtime/array.h"
#include "runtime/input.h"
#include "runtime/reader.h"
#include "runtime/safetensors.h"

typedef struct Place {
    const char *at;
    size_t left;
} Place;

static size_t read_place(void *from, void *to, size_t bytes) {
    Place *p = from;
    if (bytes > p->left) bytes = p->left;
    memcpy(to, p->at, bytes);
    p->at += bytes;
    p->left -= bytes;
    return bytes;
}

static void read_array(const Safetensors *st, Dataset *d, Column *c, const char *name) {
    const StoredTensor *s = safetensors_find(st, name);
    if (!s) {
        fail("%s: no tensor %s, expected for %s%s%s", st->path, name, c->name,
             st->n ? "; the first is " : "", st->n ? st->tensor[0].name : "");
    }
    if (s->is.kind == '8') fail("%s: %s: is of %s, expected a wider type", st->path, name, s->type);
    Array a = {.path = st->path, .name = name, .type = s->is, .rank = s->rank};
    memcpy(a.dim, s->dim, sizeof a.dim);
    array_measure(&a);
    array_read(&a, d, c, read_place, &(Place){s->data, (size_t)s->bytes});
}

static const char *find(Mem *mem, const char *path) {
    (void)mem;
    return path_exists(path) && !path_is_folder(path) ? path : NULL;
}

static void rows(Dataset *d, Mem *mem, const char *path) {
    Safetensors st;
    safetensors_read(&st, mem, path);
    for (int i = 0; i < d->n; i++) {
        Column *c = &d->column[i];
        read_array(&st, d, c, c->field && c->field->part ? c->field->part : c->name);
    }
    safetensors_free(&st);
}

static void read(Data *d, Mem *mem, const DataBlock *block, const char *path) {
    (void)block;
    rows(&d->pool, mem, path);
}

// A length below 100 MB, then JSON.
static bool knows(const char *path, const unsigned char start[8]) {
    (void)path;
    return start[4] == 0 && start[5] == 0 && start[6] == 0 && start[7] == 0 && start[0] != 0;
}

const Reader nn_reader_safetensors = {
    "safetensors", "a safetensors file", find, read, knows, rows,
};
