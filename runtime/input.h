// A file that is read once from its start, plain or compressed with gzip. What it says of its
// own size is never trusted: errors name the file and what was expected.
#ifndef NN_RUNTIME_INPUT_H
#define NN_RUNTIME_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/mem.h"

#pragma GCC visibility push(hidden)

typedef struct Input {
    const char *path;
    void *gz;
    size_t at, filled;
    unsigned char buffer[1 << 16];
} Input;

void input_open(Input *in, const char *path);  // fails where it can't be read
void input_close(Input *in);

bool input_fill(Input *in);  // false at the end of the file
static inline int input_peek(Input *in) {
    return in->at < in->filled || input_fill(in) ? in->buffer[in->at] : -1;
}
static inline int input_byte(Input *in) {  // -1 at the end
    return in->at < in->filled || input_fill(in) ? in->buffer[in->at++] : -1;
}
size_t input_read(Input *in, void *to, size_t bytes);  // fewer only at the end of the file

// All of a file as it is and a zero byte, in memory from malloc, or fails.
char *file_read(const char *path, size_t *bytes);

// PATH or PATH.gz, whichever is a file that exists; null if neither.
char *input_find(Mem *mem, const char *folder, const char *name);
bool path_is_folder(const char *path);
bool path_exists(const char *path);
const char *path_base(const char *path);  // after the last slash

#pragma GCC visibility pop

#endif
