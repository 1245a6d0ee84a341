#include "runtime/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void say(const char *voice, const char *format, va_list arguments) {
    fflush(stdout);
    // A progress bar may stand there.
    fprintf(stderr, "%s%s: ", isatty(STDERR_FILENO) ? "\r\033[K" : "", voice);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

_Noreturn void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("error", format, arguments);
    va_end(arguments);
    exit(EXIT_DATA);
}

_Noreturn void fail_usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("usage", format, arguments);
    va_end(arguments);
    exit(EXIT_USAGE);
}

_Noreturn void fail_memory(double bytes, const char *what) {
    if (bytes < 1e6) fail("no memory left: %.0f bytes for %s", bytes, what);
    fail("no memory left: %.1f MB for %s", bytes / 1e6, what);
}

void warn(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("warning", format, arguments);
    va_end(arguments);
}
