#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "base/snippet.h"
#include "base/vec.h"

enum { MAX_SHOWN = 100 };  // errors and warnings

typedef struct Part {
    Span at;
    const char *text;
} Part;

struct Diag {
    Diags *diags;
    Diag *next_here;  // another one that begins at the same place
    bool is_error;
    int order;  // of its report
    Span at;
    const char *message, *here;
    VEC(Part) labels, notes;
    VEC(const char *) help;
};

struct Diags {
    Arena *arena;
    const Sources *sources;
    VEC(Diag *) all;
    Map *by_place;
    int n_error, n_warning;
};

Diags *diags_new(Arena *a, const Sources *sources) {
    Diags *d = NEW(a, Diags);
    d->arena = a;
    d->sources = sources;
    d->by_place = map_new(a);
    return d;
}

int diag_errors(const Diags *d) {
    return d->n_error;
}

// ---- gathering

static uint64_t place_key(Span at) {
    return (uint64_t)(uint32_t)at.file << 32 | (uint32_t)at.begin;
}

// One cause, one report: errors at one place, and whatever is said twice.
static bool is_repeated(const Diags *d, const Diag *x) {
    for (const Diag *y = map_get_int(d->by_place, place_key(x->at)); y; y = y->next_here) {
        if (y->at.end != x->at.end || y->is_error != x->is_error) continue;
        if ((x->is_error && x->at.file) || !strcmp(x->message, y->message)) return true;
    }
    return false;
}

// What is repeated is returned as well, but not kept.
static Diag *add(Diags *d, Span at, bool is_error, const char *format, va_list args) {
    Diag *x = NEW(d->arena, Diag);
    x->diags = d;
    x->is_error = is_error;
    x->at = at;
    x->message = arena_vprintf(d->arena, format, args);
    x->order = d->all.n;
    if (is_repeated(d, x)) return x;
    x->next_here = map_get_int(d->by_place, place_key(at));
    map_set_int(d->by_place, place_key(at), x);
    vec_push(d->arena, &d->all, x);
    d->n_error += is_error;
    d->n_warning += !is_error;
    return x;
}

Diag *diag_error(Diags *d, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    Diag *x = add(d, at, true, format, args);
    va_end(args);
    return x;
}

Diag *diag_warning(Diags *d, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    Diag *x = add(d, at, false, format, args);
    va_end(args);
    return x;
}

void diag_here(Diag *d, const char *format, ...) {
    va_list args;
    va_start(args, format);
    d->here = arena_vprintf(d->diags->arena, format, args);
    va_end(args);
}

void diag_label(Diag *d, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    Part part = {at, arena_vprintf(d->diags->arena, format, args)};
    vec_push(d->diags->arena, &d->labels, part);
    va_end(args);
}

void diag_note(Diag *d, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    Part part = {at, arena_vprintf(d->diags->arena, format, args)};
    vec_push(d->diags->arena, &d->notes, part);
    va_end(args);
}

void diag_help(Diag *d, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vec_push(d->diags->arena, &d->help, arena_vprintf(d->diags->arena, format, args));
    va_end(args);
}

// ---- showing

static int line_of(const Diags *d, Span at) {
    int line, column;
    source_line(d->sources, at.file, at.begin, &line, &column);
    return line;
}

static void add_header(Text *out, const Diags *d, Span at, const char *kind, const char *code,
                       const char *message, bool colour) {
    int line, column;
    source_line(d->sources, at.file, at.begin, &line, &column);
    const char *bold = colour ? "\033[1m" : "", *plain = colour ? "\033[0m" : "";
    if (at.file)
        text_printf(out, "%s%s:%d:%d:%s ", bold, source_of(d->sources, at.file)->path, line, column,
                    plain);
    else
        text_printf(out, "%snnc:%s ", bold, plain);
    text_printf(out, "%s%s:%s ", colour ? code : "", kind, plain);
    text_printf(out, "%s%s%s\n", bold, message, plain);
}

static int digits_of(const Diags *d, const Diag *x) {
    int line = line_of(d, x->at), digits = 1;
    for (int i = 0; i < x->labels.n; i++)
        if (line_of(d, x->labels.at[i].at) > line) line = line_of(d, x->labels.at[i].at);
    for (int i = 0; i < x->notes.n; i++)
        if (line_of(d, x->notes.at[i].at) > line) line = line_of(d, x->notes.at[i].at);
    for (; line >= 10; line /= 10) digits++;
    return digits;
}

// The snippet of the place itself with the labels on its line, then one for every other line
// that has labels, in order.
static void add_snippets(Text *out, const Diags *d, const Diag *x, int digits, bool colour) {
    VEC(Mark) marks = {0};
    if (!x->at.file) return;
    vec_push(d->arena, &marks, ((Mark){x->at, '^', x->here}));
    for (int i = 0; i < x->labels.n; i++) {
        const Part *p = &x->labels.at[i];
        if (p->at.file == x->at.file && line_of(d, p->at) == line_of(d, x->at))
            vec_push(d->arena, &marks, ((Mark){p->at, '~', p->text}));
    }
    snippet_show(out, d->sources, marks.at, marks.n, digits, colour);
    for (int i = 0; i < x->labels.n; i++) {
        const Part *p = &x->labels.at[i];
        if (p->at.file != x->at.file || line_of(d, p->at) == line_of(d, x->at)) continue;
        Mark mark = {p->at, '~', p->text};
        snippet_show(out, d->sources, &mark, 1, digits, colour);
    }
}

static void add_note(Text *out, const Diags *d, const Part *p, int digits, bool colour) {
    add_header(out, d, p->at, "note", "\033[1;36m", p->text, colour);
    Mark mark = {p->at, '^', NULL};
    if (p->at.file) snippet_show(out, d->sources, &mark, 1, digits, colour);
}

static void add_diag(Text *out, const Diags *d, const Diag *x, bool colour) {
    int digits = digits_of(d, x);
    add_header(out, d, x->at, x->is_error ? "error" : "warning",
               x->is_error ? "\033[1;31m" : "\033[1;35m", x->message, colour);
    add_snippets(out, d, x, digits, colour);
    for (int i = 0; i < x->help.n; i++)
        text_printf(out, "   %*s = help: %s\n", digits, "", x->help.at[i]);
    for (int i = 0; i < x->labels.n; i++)  // those in other files
        if (x->labels.at[i].at.file != x->at.file)
            add_note(out, d, &x->labels.at[i], digits, colour);
    for (int i = 0; i < x->notes.n; i++) add_note(out, d, &x->notes.at[i], digits, colour);
}

static int compare_diags(const void *a, const void *b) {
    const Diag *x = *(Diag *const *)a, *y = *(Diag *const *)b;
    if (x->at.file != y->at.file) return x->at.file - y->at.file;
    if (x->at.begin != y->at.begin) return x->at.begin - y->at.begin;
    return x->order - y->order;
}

static void add_counts(Text *out, const Diags *d) {
    if (d->n_error) text_printf(out, "%d error%s", d->n_error, d->n_error == 1 ? "" : "s");
    if (d->n_warning)
        text_printf(out, "%s%d warning%s", d->n_error ? ", " : "", d->n_warning,
                    d->n_warning == 1 ? "" : "s");
    if (d->all.n > MAX_SHOWN) text_printf(out, " (the first %d are shown)", MAX_SHOWN);
    text_add(out, "\n");
}

void diag_show(Diags *d, FILE *file) {
    if (!d->all.n) return;
    bool colour = isatty(fileno(file)) && !getenv("NO_COLOR");
    qsort(d->all.at, (size_t)d->all.n, sizeof *d->all.at, compare_diags);
    Text *out = text_new(d->arena);
    for (int i = 0; i < d->all.n && i < MAX_SHOWN; i++) add_diag(out, d, d->all.at[i], colour);
    add_counts(out, d);
    fwrite(out->at, 1, out->n, file);
}
