#include "runtime/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/input.h"
#include "runtime/output.h"

size_t line_length(const char *text) {
    const char *end = strchr(text, '\n');
    return end ? (size_t)(end - text) + 1 : strlen(text);
}

static bool is_kept(const char *line, size_t length, int64_t until) {
    Mem mem = {0};
    JsonError error;
    int64_t step;
    const Json *json = json_parse(&mem, line, length, &error);
    bool is_old = json && json_integer_in(json, "step", &step) && step <= until;
    bool is_test = json && strcmp(json_text_in(json, "split", ""), "test") == 0;
    mem_free(&mem);
    return is_old && !is_test;
}

// The lines of an older log up to that step. One without an end was cut off.
static Buffer read_kept(const char *path, int64_t until) {
    Buffer kept = {0};
    if (!path_exists(path)) return kept;
    size_t bytes;
    char *text = file_read(path, &bytes), *line = text;
    for (size_t n; (n = line_length(line)) > 0; line += n)
        if (line[n - 1] == '\n' && is_kept(line, n, until)) buffer_add(&kept, line, n);
    free(text);
    return kept;
}

static _Noreturn void fail_write(const Log *log) {
    fail("%s: cannot write: %s", log->path, strerror(errno));
}

void log_open(Log *log, const char *path, int64_t keep_until) {
    *log = (Log){.path = path};
    if (!path) return;
    if (keep_until >= 0) {
        Mem mem = {0};
        Buffer kept = read_kept(path, keep_until);
        output_save(&mem, path, &kept);
        buffer_free(&kept);
        mem_free(&mem);
    }
    log->file = fopen(path, keep_until >= 0 ? "a" : "w");
    if (!log->file) fail_write(log);
}

void log_write(Log *log, const char *line) {
    if (!log->file) return;
    if (fputs(line, log->file) == EOF || fflush(log->file) == EOF) fail_write(log);
}

void log_close(Log *log) {
    if (log->file && fclose(log->file) == EOF) fail_write(log);
    log->file = NULL;
}

// A number, or lists of lists.
static const double *write_axes(Buffer *b, const Tensor *t, int axis, const double *value) {
    if (axis == t->rank) {
        json_write_number(b, *value);
        return value + 1;
    }
    for (int64_t i = 0; i < t->dim[axis]; i++) {
        buffer_format(b, i ? "," : "[");
        value = write_axes(b, t, axis + 1, value);
    }
    buffer_format(b, "]");
    return value;
}

void log_line(Buffer *b, int64_t epoch, int64_t step, const char *split, const Figures *f,
              int axes) {
    buffer_format(b, "{\"epoch\":%" PRId64 ",\"step\":%" PRId64 ",\"split\":", epoch, step);
    json_write_text(b, split);
    for (int i = 0; i < f->n; i++) {
        const Figure *figure = &f->figure[i];
        if (figure->tensor->rank > axes) continue;
        buffer_format(b, ",");
        json_write_text(b, figure->name);
        buffer_format(b, ":");
        write_axes(b, figure->tensor, 0, figure->value);
    }
    buffer_format(b, "}\n");
}
