#define _GNU_SOURCE
#include "runtime/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct MemBlock {
    struct MemBlock *next;
    size_t used, size;
    _Alignas(16) char data[];
} MemBlock;

enum { BLOCK_BYTES = 16 << 10 };

static MemBlock *add_block(Mem *m, size_t bytes) {
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    MemBlock *b = size > SIZE_MAX / 2 ? NULL : calloc(1, sizeof *b + size);
    if (!b) fail_memory((double)bytes, "tables");
    b->size = size;
    b->next = m->block;
    return m->block = b;
}

void *mem_get(Mem *m, size_t bytes) {
    if (bytes > SIZE_MAX / 4) fail_memory((double)bytes, "tables");
    bytes = (bytes + 15) & ~(size_t)15;
    MemBlock *b = m->block;
    if (!b || b->size - b->used < bytes) b = add_block(m, bytes);
    void *at = b->data + b->used;
    b->used += bytes;
    return at;
}

void *mem_array(Mem *m, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        fail_memory((double)count * (double)size, "tables");
    }
    return mem_get(m, bytes);
}

char *mem_text(Mem *m, const char *text, size_t length) {
    char *copy = mem_get(m, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *mem_format(Mem *m, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = mem_get(m, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

enum { LARGE_PAGE = 2 << 20 };

void *mem_map(size_t *bytes, const char *what) {
    if (*bytes >= 2 * LARGE_PAGE) *bytes = (*bytes + LARGE_PAGE - 1) & ~(size_t)(LARGE_PAGE - 1);
    size_t extra = *bytes >= 2 * LARGE_PAGE ? LARGE_PAGE : 0;  // to begin at a large page
    char *at =
        mmap(NULL, *bytes + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) fail_memory((double)*bytes, what);
    if (!extra) return at;
    size_t skip = -(uintptr_t)at & (LARGE_PAGE - 1);
    if (skip) munmap(at, skip);
    if (skip < extra) munmap(at + skip + *bytes, extra - skip);
    madvise(at + skip, *bytes, MADV_HUGEPAGE);
    return at + skip;
}

void mem_free(Mem *m) {
    for (MemBlock *b = m->block, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    m->block = NULL;
}

char *buffer_extend(Buffer *b, size_t bytes) {
    if (bytes > SIZE_MAX / 4) fail_memory((double)bytes, "a buffer");
    size_t need = b->length + bytes + 1;
    if (need > b->capacity) {
        size_t capacity = need > 2 * b->capacity ? need : 2 * b->capacity;
        if (capacity < 256) capacity = 256;
        char *data = realloc(b->data, capacity);
        if (!data) fail_memory((double)capacity, "a buffer");
        b->data = data;
        b->capacity = capacity;
    }
    char *at = b->data + b->length;
    b->length += bytes;
    b->data[b->length] = 0;
    return at;
}

void buffer_add(Buffer *b, const void *data, size_t bytes) {
    if (bytes) memcpy(buffer_extend(b, bytes), data, bytes);
}

void buffer_format(Buffer *b, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *at = buffer_extend(b, (size_t)length);
    va_start(arguments, format);
    vsnprintf(at, (size_t)length + 1, format, arguments);
    va_end(arguments);
}

void buffer_free(Buffer *b) {
    free(b->data);
    *b = (Buffer){0};
}
