#define _GNU_SOURCE
#include "runtime/data.h"

#include <string.h>
#include <unistd.h>

#include "runtime/input.h"

static const char *const idx_file[2][3] = {
    {NULL, "train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
    {NULL, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
};

static const char *program_folder(Mem *mem) {
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return ".";
    path[n] = 0;
    *strrchr(path, '/') = 0;
    return mem_text(mem, path, strlen(path));
}

static bool is_idx_folder(Mem *mem, const char *path) {
    return path_is_folder(path) && (input_find(mem, path, idx_file[0][PART_images]) ||
                                    input_find(mem, path, idx_file[0][PART_labels]));
}

// The data at this path, if they are there.
static const char *look_at(Mem *mem, DataFrom from, const char *path) {
    if (from == FROM_idx) return is_idx_folder(mem, path) ? path : NULL;
    return input_find(mem, "", path);
}

static bool needs_files(const DataBlock *block) {
    return block->from != FROM_generated;
}

// What follows NAME= in --data, where NAME is the block's.
static const char *strip_name(const char *from, const DataBlock *block) {
    const char *equals = strchr(from, '=');
    if (!equals || memchr(from, '/', (size_t)(equals - from)) || path_exists(from)) return from;
    size_t n = (size_t)(equals - from);
    if (strlen(block->name) != n || memcmp(from, block->name, n) != 0) {
        fail("--data %s: no data block %.*s, expected %s", from, (int)n, from, block->name);
    }
    return equals + 1;
}

// --data names the data, or a folder that holds them under their path or their last name.
static const char *find_in(Mem *mem, const DataBlock *block, const char *from) {
    const char *path = look_at(mem, block->from, from);
    if (!path && path_is_folder(from)) {
        path = look_at(mem, block->from, mem_format(mem, "%s/%s", from, block->path));
    }
    if (!path && path_is_folder(from)) {
        path = look_at(mem, block->from, mem_format(mem, "%s/%s", from, path_base(block->path)));
    }
    return path;
}

const char *data_find(Mem *mem, const Manifest *m, const char *from) {
    const DataBlock *block = &m->data;
    if (!needs_files(block)) return block->name;
    if (from) return find_in(mem, block, strip_name(from, block));
    if (block->path[0] == '/') return look_at(mem, block->from, block->path);
    const char *root[] = {NULL, program_folder(mem), m->source_dir};
    const char *path = look_at(mem, block->from, block->path);
    for (int i = 1; !path && i < 3; i++) {
        if (*root[i]) {
            path = look_at(mem, block->from, mem_format(mem, "%s/%s", root[i], block->path));
        }
    }
    return path;
}

static _Noreturn void fail_missing(const Manifest *m, const char *from) {
    const DataBlock *block = &m->data;
    const char *expected = block->from == FROM_idx
                               ? "expected a folder with train-images-idx3-ubyte and the files "
                                 "beside it, plain or .gz"
                               : "expected a CSV file";
    if (!from) {
        fail(
            "%s: no such data in the current folder, the program's or its source's; %s "
            "(--data PATH says where)",
            block->path, expected);
    }
    from = strip_name(from, block);
    if (!path_exists(from)) fail("%s: no such file or folder, %s", from, expected);
    fail("%s: no %s in this folder, %s", from, path_base(block->path), expected);
}

static void read_idx_pair(Dataset *d, Mem *mem, const char *folder, const char *const *file) {
    for (int i = 0; i < d->n; i++) {
        const char *name = file[d->column[i].field->part];
        char *path = name ? input_find(mem, folder, name) : NULL;
        if (!path) fail("%s: no file %s, plain or .gz", folder, name ? name : "of this field");
        idx_read(d, &d->column[i], path);
    }
}

static bool has_test_pair(Mem *mem, const char *folder) {
    return input_find(mem, folder, idx_file[1][PART_images]) ||
           input_find(mem, folder, idx_file[1][PART_labels]);
}

void data_load(Data *d, Mem *mem, const Manifest *m, const char *from) {
    const DataBlock *block = &m->data;
    *d = (Data){0};
    if (block->from == FROM_none) fail("this program has no data block");
    if (from && !needs_files(block)) {
        fail("--data %s: the data %s are generated, from no file", from, block->name);
    }
    const char *path = data_find(mem, m, from);
    if (!path) fail_missing(m, from);
    d->pool = dataset_of_fields(mem, block);
    d->held_out = dataset_of_fields(mem, block);
    if (block->from == FROM_generated) {
        d->pool.rows = block->rows;
    } else if (block->from == FROM_csv) {
        csv_read(&d->pool, path);
    } else {
        read_idx_pair(&d->pool, mem, path, idx_file[0]);
        bool has_test = !block->split[SPLIT_test].is_declared && has_test_pair(mem, path);
        if (has_test) read_idx_pair(&d->held_out, mem, path, idx_file[1]);
    }
    d->held_out.first = d->pool.rows;
    split_rows(d, mem, block, path);
    d->is_loaded = true;
}

void data_free(Data *d) {
    dataset_free(&d->pool);
    dataset_free(&d->held_out);
}
