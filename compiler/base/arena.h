// Arena: memory that lives as long as one compilation or one pass.
//
// Everything that is allocated from an arena is zeroed, aligned to 16 bytes and
// freed at once by arena_free. Running out of memory ends the program (die).
#ifndef NNC_BASE_ARENA_H
#define NNC_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *a);
void *arena_alloc(Arena *a, size_t size);
void *arena_copy(Arena *a, const void *from, size_t size);

// A copy of `old` with room for `new_size` bytes; the old block stays.
void *arena_grow(Arena *a, const void *old, size_t old_size, size_t new_size);

char *arena_printf(Arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *a, const char *format, va_list args);

#define NEW(arena, T) ((T *)arena_alloc((arena), sizeof(T)))
#define NEW_ARRAY(arena, T, n) ((T *)arena_alloc((arena), sizeof(T) * (size_t)(n)))

#endif
