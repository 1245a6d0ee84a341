// Text: a growing string. The one way in which the compiler builds output.
#ifndef NNC_BASE_TEXT_H
#define NNC_BASE_TEXT_H

#include <stdint.h>

#include "base/arena.h"

typedef struct Text {
    Arena *arena;
    char *at;  // always ends in a zero byte once anything was added
    size_t n, cap;
} Text;

Text *text_new(Arena *a);
void text_add(Text *t, const char *s);
void text_add_n(Text *t, const char *s, size_t n);
void text_printf(Text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The shortest decimal that reads back to the same double; inf, -inf and nan by name;
// always with a point, an exponent or a name, so that it is told from an integer.
void text_real(Text *t, double x);

#endif
