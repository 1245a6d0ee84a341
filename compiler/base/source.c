#include "base/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/vec.h"

struct Sources {
    Arena *arena;
    VEC(Source) files;
};

Sources *sources_new(Arena *a) {
    Sources *s = NEW(a, Sources);
    s->arena = a;
    vec_push(a, &s->files, ((Source){.path = "?", .text = ""}));  // file 0 is nowhere
    return s;
}

int source_add(Sources *s, const char *path, const char *text, int length, bool is_library) {
    Source f = {.path = arena_printf(s->arena, "%s", path), .text = text, .length = length,
                .is_library = is_library};
    VEC(int) lines = {0};
    vec_push(s->arena, &lines, 0);
    for (int i = 0; i < length; i++)
        if (text[i] == '\n') vec_push(s->arena, &lines, i + 1);
    f.line_begin = lines.at;
    f.n_line = lines.n;
    vec_push(s->arena, &s->files, f);
    return s->files.n - 1;
}

const Source *source_of(const Sources *s, int file) {
    return &s->files.at[file];
}

void source_line(const Sources *s, int file, int offset, int *line, int *column) {
    *line = *column = 0;
    if (!file) return;
    const Source *f = source_of(s, file);
    int low = 0, high = f->n_line;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (f->line_begin[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    *line = low + 1;
    *column = offset - f->line_begin[low] + 1;
}

Span span_join(Span a, Span b) {
    if (!a.file || a.file != b.file) return b.file ? b : a;
    return (Span){a.file, a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

char *read_file(Arena *a, const char *path, size_t *length) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    struct stat info;
    if (!fstat(fileno(f), &info) && S_ISDIR(info.st_mode)) {
        fclose(f);
        errno = EISDIR;
        return NULL;
    }
    size_t n = 0, cap = 1 << 14;
    char *text = arena_alloc(a, cap);
    for (size_t got; (got = fread(text + n, 1, cap - 1 - n, f)) > 0;) {
        n += got;
        if (n == cap - 1) {
            text = arena_grow(a, text, n, 2 * cap);
            cap *= 2;
        }
    }
    int failed = ferror(f);
    fclose(f);
    if (failed) {
        errno = EIO;
        return NULL;
    }
    text[n] = 0;
    *length = n;
    return text;
}
