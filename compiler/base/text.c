#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Text *text_new(Arena *a) {
    Text *t = NEW(a, Text);
    t->arena = a;
    t->cap = 64;
    t->at = arena_alloc(a, t->cap);
    return t;
}

void text_add_n(Text *t, const char *s, size_t n) {
    if (t->n + n + 1 > t->cap) {
        while (t->n + n + 1 > t->cap) t->cap *= 2;
        t->at = arena_grow(t->arena, t->at, t->n, t->cap);
    }
    memcpy(t->at + t->n, s, n);
    t->n += n;
    t->at[t->n] = 0;
}

void text_add(Text *t, const char *s) {
    text_add_n(t, s, strlen(s));
}

void text_printf(Text *t, const char *format, ...) {
    char small[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, format, args);
    if (n < (int)sizeof small)
        text_add_n(t, small, (size_t)n);
    else
        text_add(t, arena_vprintf(t->arena, format, again));
    va_end(again);
    va_end(args);
}

void text_real(Text *t, double x) {
    if (isnan(x)) return text_add(t, "nan");
    if (isinf(x)) return text_add(t, x < 0 ? "-inf" : "inf");
    char s[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, x);
        if (strtod(s, NULL) == x) break;
    }
    text_add(t, s);
    if (!strpbrk(s, ".e")) text_add(t, ".0");
}
