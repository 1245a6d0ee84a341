#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"

typedef struct Block Block;
struct Block {
    Block *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

struct Arena {
    Block *top;
    size_t block;  // bytes of the next one
    Block first;   // last member: its bytes follow
};

// Many arenas live as long as one look at one value: the first block is small and comes with the
// arena, the next ones grow. Blocks of 64 KB would make glibc tidy its lists at each free.
enum { FIRST_BLOCK = 1 << 10, LARGEST_BLOCK = 1 << 15 };

Arena *arena_new(void) {
    Arena *a = calloc(1, sizeof *a + FIRST_BLOCK);
    if (!a) die("out of memory");
    a->block = 2 * FIRST_BLOCK;
    a->first.size = FIRST_BLOCK;
    a->top = &a->first;
    return a;
}

void arena_free(Arena *a) {
    if (!a) return;
    for (Block *b = a->top, *next; b; b = next) {
        next = b->next;
        if (b != &a->first) free(b);
    }
    free(a);
}

void *arena_alloc(Arena *a, size_t size) {
    if (size > SIZE_MAX / 2) die("out of memory");
    size = (size + 15) & ~(size_t)15;
    Block *b = a->top;
    if (b->size - b->used < size) {
        bool is_large = size > a->block / 4;
        size_t room = is_large ? size : a->block;
        b = calloc(1, sizeof *b + room);
        if (!b) die("out of memory");
        b->size = room;
        // A large block goes below the top, so that the top's free space stays in use.
        if (is_large) {
            b->next = a->top->next;
            a->top->next = b;
        } else {
            b->next = a->top;
            a->top = b;
        }
        if (a->block < LARGEST_BLOCK) a->block *= 2;
    }
    void *p = b->bytes + b->used;
    b->used += size;
    return p;
}

void *arena_copy(Arena *a, const void *from, size_t size) {
    void *p = arena_alloc(a, size);
    if (size) memcpy(p, from, size);
    return p;
}

void *arena_grow(Arena *a, const void *old, size_t old_size, size_t new_size) {
    void *p = arena_alloc(a, new_size);
    if (old_size) memcpy(p, old, old_size);
    return p;
}

char *arena_vprintf(Arena *a, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *s = arena_alloc(a, (size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, format, again);
    va_end(again);
    return s;
}

char *arena_printf(Arena *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *s = arena_vprintf(a, format, args);
    va_end(args);
    return s;
}
