#include "base/die.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("nnc: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

_Noreturn void bug_at(const char *file, int line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("nnc: internal error: ", stderr);
    vfprintf(stderr, format, args);
    fprintf(stderr, " (%s:%d)\n", file, line);
    va_end(args);
    abort();
}
