// A file that is written whole or not at all: it grows under a temporary name beside its own,
// is synced and takes its name in one step. What is no regular file is written directly.
#ifndef NN_RUNTIME_OUTPUT_H
#define NN_RUNTIME_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/mem.h"

#pragma GCC visibility push(hidden)

typedef struct Output {
    const char *path;
    char *temporary;  // null where the path is a device or a pipe
    int file;
    int error;  // errno of the first failure; writes after it do nothing
} Output;

void output_open(Output *o, Mem *mem, const char *path);
void output_write(Output *o, const void *data, size_t bytes);
bool output_close(Output *o);  // false, with o->error set and nothing left behind, on failure
void output_save(Mem *mem, const char *path, const Buffer *b);  // all at once, or fails

void make_folder(Mem *mem, const char *path);  // and those above it, or fails

#pragma GCC visibility pop

#endif
