// Diagnostics: everything that is wrong with the program compiled, gathered while
// stages recover, and shown in source order in one run:
//
//   model.nn:12:9: error: the inner sizes of `@` differ: 784 and 512
//      12 |     y = x @ w
//         |         ^   ~ 512 here
//         |         784 here
//   model.nn:4:26: note: 784 comes from here
//       4 | model mlp(image: [batch, 784]) {
//         |                          ^^^
//   1 error
#ifndef NNC_BASE_DIAG_H
#define NNC_BASE_DIAG_H

#include <stdbool.h>
#include <stdio.h>

#include "base/source.h"

typedef struct Diags Diags;
typedef struct Diag Diag;

Diags *diags_new(Arena *a, const Sources *sources);

// Report at a span; labels and notes may be attached to what is returned. A second
// error at the very same place is dropped (one cause, one report).
Diag *diag_error(Diags *d, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
Diag *diag_warning(Diags *d, Span at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Text under the main carets; a second pair of carets; a note at another place; advice.
void diag_here(Diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void diag_label(Diag *d, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_note(Diag *d, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_help(Diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

int diag_errors(const Diags *d);

// Prints what was gathered, sorted by place, and a last line with the counts.
void diag_show(Diags *d, FILE *out);

#endif
