// Snippets: a source line with marks under it, as diagnostics show it.
//
//      12 |     y = x @ w
//         |         ^   ~ 512 here
//         |         784 here
#ifndef NNC_BASE_SNIPPET_H
#define NNC_BASE_SNIPPET_H

#include <stdbool.h>

#include "base/source.h"
#include "base/text.h"

typedef struct Mark {
    Span at;           // where it goes over several lines, its first line is marked
    char sign;         // '^' for the place itself, '~' for a second one
    const char *text;  // NULL for the sign alone
} Mark;

// The line of mark[0] with all marks, which must begin on that line. `digits` is the width
// of the line numbers.
void snippet_show(Text *out, const Sources *sources, const Mark *mark, int n, int digits,
                  bool colour);

#endif
