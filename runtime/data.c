#define _GNU_SOURCE
#include "runtime/data.h"

#include <string.h>
#include <unistd.h>

#include "runtime/input.h"
#include "runtime/reader.h"

static const Reader *reader_of(const DataBlock *block) {
    const Reader *r = reader_named(block->from);
    if (!r) fail("this program's manifest: no reader for data from %s", block->from);
    return r;
}

const char *program_folder(Mem *mem) {
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return ".";
    path[n] = 0;
    *strrchr(path, '/') = 0;
    return mem_text(mem, path, strlen(path));
}

// The data at this path, if they are there.
static const char *look_at(Mem *mem, const DataBlock *block, const char *path) {
    return reader_of(block)->find(mem, path);
}

// What follows NAME= in --data, where NAME is the block's.
static const char *strip_name(const char *from, const DataBlock *block) {
    const char *equals = strchr(from, '=');
    size_t n = strcspn(from, "=/");
    if (equals != from + n || path_exists(from)) return from;
    if (strlen(block->name) != n || memcmp(from, block->name, n) != 0) {
        fail("--data %s: no data block %.*s, expected %s", from, (int)n, from, block->name);
    }
    return equals + 1;
}

// In a folder, under the block's path or its last name.
static const char *find_below(Mem *mem, const DataBlock *block, const char *folder) {
    if (!path_is_folder(folder)) return NULL;
    const char *path = look_at(mem, block, mem_format(mem, "%s/%s", folder, block->path));
    if (path) return path;
    return look_at(mem, block, mem_format(mem, "%s/%s", folder, path_base(block->path)));
}

// --data names the data, or a folder that holds them. A folder may be data itself, of a text.
static const char *find_in(Mem *mem, const DataBlock *block, const char *from) {
    const char *path = look_at(mem, block, from);
    return path ? path : find_below(mem, block, from);
}

// A path of the program's text.
static const char *find_path(Mem *mem, const Manifest *m, const char *at) {
    const DataBlock *block = &m->data;
    const char *root[] = {program_folder(mem), m->source_dir};
    const char *path = look_at(mem, block, at);
    for (int i = 0; !path && *at != '/' && i < 2; i++) {
        if (*root[i]) path = look_at(mem, block, mem_format(mem, "%s/%s", root[i], at));
    }
    return path;
}

const char *data_find(Mem *mem, const Manifest *m, const char *from) {
    const DataBlock *block = &m->data;
    if (block->rows) return block->name;
    if (from) return find_in(mem, block, strip_name(from, block));
    const Json *other = json_get(block->json, "or");
    const char *path = find_path(mem, m, block->path);
    for (const Json *x = other ? other->first : NULL; x && !path; x = x->next)
        path = find_path(mem, m, json_text(x, ""));
    return path;
}

static _Noreturn void fail_missing(const Manifest *m, const char *from) {
    const DataBlock *block = &m->data;
    const char *expected = reader_of(block)->expected;
    if (!from) {
        fail(
            "%s: no such data in the current folder, the program's or its source's; expected %s "
            "(--data PATH says where)",
            block->path, expected);
    }
    from = strip_name(from, block);
    if (!path_exists(from)) fail("%s: no such file or folder, expected %s", from, expected);
    fail("%s: no %s in this folder, expected %s", from, path_base(block->path), expected);
}

void data_words(Data *d, Mem *mem, const DataBlock *block) {
    if (d->words) return;
    d->words = mem_array(mem, (size_t)block->n_field, sizeof *d->words);
    for (int i = 0; i < block->n_field; i++) d->words[i].mem = mem;
}

void data_name_classes(const Data *d, Dataset *rows) {
    for (int i = 0; i < rows->n; i++) {
        Column *c = &rows->column[i];
        if (c->field && c->field->is_words) c->words = &d->words[c->field->words_of];
    }
}

void split_at_random(Data *d, Mem *mem, Machine *machine, const char *path) {
    Split pool = split_of_all(&d->pool, mem), held_out = split_of_all(&d->held_out, mem);
    if (rows_keep) rows_keep(&pool, &held_out, machine, path);
    split_rows(d, mem, &machine->manifest->data, path, pool, held_out);
}

void data_load(Data *d, Mem *mem, Machine *machine, const char *from) {
    const Manifest *m = machine->manifest;
    const DataBlock *block = &m->data;
    data_words(d, mem, block);
    *d = (Data){.words = d->words};
    if (!block->from) fail("this program has no data block");
    if (from && block->rows) {
        fail("--data %s: the data %s are generated, from no file", from, block->name);
    }
    const char *path = data_find(mem, m, from);
    if (!path) fail_missing(m, from);
    d->pool = dataset_of_fields(mem, block);
    d->held_out = dataset_of_fields(mem, block);
    data_name_classes(d, &d->pool);
    data_name_classes(d, &d->held_out);
    if (block->rows) d->pool.rows = block->rows;
    else reader_of(block)->read(d, mem, block, path);
    d->held_out.first = d->pool.rows;
    if (!block->rows && reader_of(block)->split) reader_of(block)->split(d, mem, machine, path);
    else split_at_random(d, mem, machine, path);
    d->is_loaded = true;
}

void data_free(Data *d) {
    dataset_free(&d->pool);
    dataset_free(&d->held_out);
}
