// Sources: the files that were read, and spans of bytes in them.
#ifndef NNC_BASE_SOURCE_H
#define NNC_BASE_SOURCE_H

#include <stdbool.h>

#include "base/arena.h"

// Bytes [begin, end) of a file. A span with file 0 is "nowhere" (built by the compiler).
typedef struct Span {
    int file;
    int begin, end;
} Span;

typedef struct Source {
    const char *path;
    const char *text;  // ends in a zero byte
    int length;
    int *line_begin, n_line;
    bool is_library;  // embedded in the compiler
} Source;

typedef struct Sources Sources;

Sources *sources_new(Arena *a);
int source_add(Sources *s, const char *path, const char *text, int length, bool is_library);
const Source *source_of(const Sources *s, int file);

// Line and column, both from 1; 0 and 0 for a span that is nowhere.
void source_line(const Sources *s, int file, int offset, int *line, int *column);

Span span_join(Span a, Span b);

// The whole file, or NULL (with errno) where it can't be read; length without the zero byte.
char *read_file(Arena *a, const char *path, size_t *length);

#endif
