// The log: JSON lines, one for each split and epoch. Each is whole on the disk's side of the
// C library before training goes on.
#ifndef NN_RUNTIME_LOG_H
#define NN_RUNTIME_LOG_H

#include "runtime/figures.h"

#pragma GCC visibility push(hidden)

typedef struct Log {
    const char *path;
    void *file;  // null: no log
} Log;

// Begins a new log; or, where `keep_until` is not negative, goes on after the lines of an
// older one up to that step, dropping what a run that was cut off wrote after it.
void log_open(Log *log, const char *path, int64_t keep_until);
void log_write(Log *log, const char *line);
void log_close(Log *log);

// Of the text's first line, with its end; 0 at the end of the text.
size_t line_length(const char *text);

// {"epoch":3,"step":1410,"split":"valid","loss":0.071,"accuracy":0.979} and a line end,
// of the figures with so many axes at most: a matrix is a list of lists.
void log_line(Buffer *b, int64_t epoch, int64_t step, const char *split, const Figures *f,
              int axes);

#pragma GCC visibility pop

#endif
