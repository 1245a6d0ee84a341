// Errors of a program: one line on standard error that names the file, the place in it and
// what was expected. Bad data or a bad value exits with 1, wrong usage with 2.
#ifndef NN_RUNTIME_FAIL_H
#define NN_RUNTIME_FAIL_H

#pragma GCC visibility push(hidden)

#define NN_FORMAT(at) __attribute__((format(printf, at, (at) + 1)))

enum { EXIT_DATA = 1, EXIT_USAGE = 2, EXIT_STOPPED = 75 };

_Noreturn void fail(const char *format, ...) NN_FORMAT(1);
_Noreturn void fail_usage(const char *format, ...) NN_FORMAT(1);
_Noreturn void fail_memory(double bytes, const char *what);
void warn(const char *format, ...) NN_FORMAT(1);

#pragma GCC visibility pop

#endif
