// Memory outside the program's arena: a Mem owns what is read once and freed together; a
// Buffer is text or bytes that grow. Running out ends the program with a message.
#ifndef NN_RUNTIME_MEM_H
#define NN_RUNTIME_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/fail.h"

#pragma GCC visibility push(hidden)

typedef struct Mem {
    struct MemBlock *block;
} Mem;

void *mem_get(Mem *m, size_t bytes);  // zeroed, 16-byte aligned
void *mem_array(Mem *m, size_t count, size_t size);
char *mem_text(Mem *m, const char *text, size_t length);
char *mem_format(Mem *m, const char *format, ...) NN_FORMAT(2);
// Zeroed pages of their own, large ones where they help; `bytes` becomes what munmap wants.
void *mem_map(size_t *bytes, const char *what);

void mem_free(Mem *m);

typedef struct Buffer {
    char *data;  // ends with a zero byte that `length` does not count, or null when empty
    size_t length, capacity;
} Buffer;

char *buffer_extend(Buffer *b, size_t bytes);  // uninitialised space at the end
void buffer_add(Buffer *b, const void *data, size_t bytes);
void buffer_format(Buffer *b, const char *format, ...) NN_FORMAT(2);
void buffer_free(Buffer *b);

#pragma GCC visibility pop

#endif
