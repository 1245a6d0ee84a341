// Data of NPY files: one, or a folder of them, or of a folder train and a folder test of them.
#include <string.h>

#include "runtime/input.h"
#include "runtime/reader.h"

static char *file_in(Mem *mem, const char *folder, const char *array) {
    return input_find(mem, folder, mem_format(mem, "%s.npy", array));
}

static const char *find(Mem *mem, const char *path) {
    return path_is_folder(path) ? path : input_find(mem, "", path);
}

static void read_folder(Dataset *d, Mem *mem, const char *folder) {
    for (int i = 0; i < d->n; i++) {
        Column *c = &d->column[i];
        const char *path = file_in(mem, folder, c->field->part);
        if (!path) fail("%s: no file %s.npy, expected for %s", folder, c->field->part, c->name);
        npy_read(d, c, path);
    }
}

static void read(Data *d, Mem *mem, const DataBlock *block, const char *path) {
    if (!path_is_folder(path)) {
        reader_single(&d->pool, path);
        npy_read(&d->pool, &d->pool.column[0], path);
        return;
    }
    const char *train = mem_format(mem, "%s/train", path), *test = mem_format(mem, "%s/test", path);
    bool has_parts = path_is_folder(train);
    read_folder(&d->pool, mem, has_parts ? train : path);
    bool has_test = has_parts && !block->split[SPLIT_test].is_declared && path_is_folder(test);
    if (has_test) read_folder(&d->held_out, mem, test);
}

const Reader nn_reader_npy = {
    .name = "npy",
    .expected = "a file of NumPy's, or a folder of NAME.npy for each array(NAME)",
    .find = find,
    .read = read,
};
