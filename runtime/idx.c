// IDX, the format of MNIST's files: two zero bytes, the element's code, the number of
// dimensions, each dimension as a big-endian 32-bit number, then the elements, big-endian.
#include <string.h>

#include "runtime/array.h"
#include "runtime/input.h"
#include "runtime/reader.h"

static const Stored type_of_code[16] = {
    [8] = {'u', 1},        [9] = {'i', 1},        [11] = {'i', 2, true},
    [12] = {'i', 4, true}, [13] = {'f', 4, true}, [14] = {'f', 8, true},
};

static void read_header(Array *a, Input *in) {
    unsigned char magic[4] = {1}, dim[4];
    size_t got = input_read(in, magic, 4);
    a->type = type_of_code[magic[2] & 15];
    if (got < 4 || magic[0] || magic[1] || magic[2] > 15 || a->type.bytes == 0 || magic[3] < 1 ||
        magic[3] > MAX_RANK) {
        fail(
            "%s: not an IDX file: begins with %02x %02x %02x %02x, expected 00 00 08 and the "
            "number of dimensions",
            a->path, magic[0], magic[1], magic[2], magic[3]);
    }
    for (a->rank = 0; a->rank < magic[3]; a->rank++) {
        if (input_read(in, dim, 4) < 4) {
            fail("%s: the file ends in its header, at dimension %d of %d", a->path, a->rank + 1,
                 magic[3]);
        }
        a->dim[a->rank] = (int64_t)stored_value((Stored){'u', 4, true}, dim);
    }
}

static size_t read_elements(void *in, void *to, size_t bytes) {
    return input_read(in, to, bytes);
}

void idx_read(Dataset *d, Column *c, const char *path) {
    Mem mem = {0};
    Input *in = mem_get(&mem, sizeof *in);
    Array a = {.path = path};
    input_open(in, path);
    read_header(&a, in);
    array_measure(&a);
    array_read(&a, d, c, read_elements, in);
    input_close(in);
    mem_free(&mem);
}

// ---- a folder of MNIST's four files

static const char *const pair_name[2] = {"train", "t10k"};

static char *find_file(Mem *mem, const char *folder, int pair, const char *part) {
    bool is_images = strcmp(part, "images") == 0;
    return input_find(mem, folder,
                      mem_format(mem, "%s-%s-idx%d-ubyte", pair_name[pair], part,
                                 is_images ? 3 : 1));
}

static bool has_pair(Mem *mem, const char *folder, int pair) {
    return find_file(mem, folder, pair, "images") || find_file(mem, folder, pair, "labels");
}

static const char *find(Mem *mem, const char *path) {
    return path_is_folder(path) && has_pair(mem, path, 0) ? path : NULL;
}

static void read_pair(Dataset *d, Mem *mem, const char *folder, int pair) {
    for (int i = 0; i < d->n; i++) {
        const char *part = d->column[i].field->part;
        const char *path = find_file(mem, folder, pair, part);
        if (!path) fail("%s: no file %s-%s-..., plain or .gz", folder, pair_name[pair], part);
        idx_read(d, &d->column[i], path);
    }
}

static void read(Data *d, Mem *mem, const DataBlock *block, const char *path) {
    read_pair(&d->pool, mem, path, 0);
    bool has_test = !block->split[SPLIT_test].is_declared && has_pair(mem, path, 1);
    if (has_test) read_pair(&d->held_out, mem, path, 1);
}

// ---- a file of rows to predict

static bool knows(const char *path, const unsigned char start[8]) {
    (void)path;
    return start[0] == 0 && start[1] == 0;
}

static void rows(Dataset *d, Mem *mem, const char *path) {
    (void)mem;
    reader_single(d, path);
    idx_read(d, &d->column[0], path);
}

const Reader nn_reader_idx = {
    "idx",
    "a folder with train-images-idx3-ubyte and the files beside it, plain or .gz",
    find,
    read,
    knows,
    rows,
};
