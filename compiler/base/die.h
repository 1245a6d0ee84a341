// Three voices, never mixed: diag_error speaks of the program compiled, die of
// the world (files, memory), BUG of the compiler itself.
#ifndef NNC_BASE_DIE_H
#define NNC_BASE_DIE_H

// Prints "nnc: MESSAGE" to standard error and exits with 1.
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Prints "nnc: internal error: MESSAGE (FILE:LINE)" and aborts.
_Noreturn void bug_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define BUG(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)

#endif
