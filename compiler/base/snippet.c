#include "base/snippet.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

enum { TAB_STOP = 4, MAX_WIDTH = 110, CONTEXT = 40 };  // columns

// A line as a terminal shows it: cells of one column each. Tabs become spaces, what can't
// be printed becomes `?`.
typedef struct Cells {
    VEC(const char *) at;  // the bytes of each cell
    VEC(int) length;
    int *column;  // of each byte of the line, and of the place behind it
} Cells;

// The number of bytes of the UTF-8 character at s, 0 where there is none.
static int character_length(const unsigned char *s, int n) {
    int length = s[0] < 0x80       ? 1
                 : s[0] >> 5 == 6  ? 2
                 : s[0] >> 4 == 14 ? 3
                 : s[0] >> 3 == 30 ? 4
                                   : 0;
    if (length > n) return 0;
    for (int i = 1; i < length; i++)
        if (s[i] >> 6 != 2) return 0;
    return length;
}

static void add_cell(Arena *a, Cells *cells, const char *bytes, int n) {
    vec_push(a, &cells->at, bytes);
    vec_push(a, &cells->length, n);
}

static Cells cells_of(Arena *a, const char *line, int n) {
    Cells cells = {.column = NEW_ARRAY(a, int, n + 1)};
    for (int i = 0, length; i < n; i += length) {
        length = character_length((const unsigned char *)line + i, n - i);
        bool is_visible = length > 1 || (length == 1 && line[i] >= ' ' && line[i] != 127);
        if (!length) length = 1;
        for (int k = 0; k < length; k++) cells.column[i + k] = cells.at.n;
        if (line[i] == '\t') do
                add_cell(a, &cells, " ", 1);
            while (cells.at.n % TAB_STOP);
        else
            add_cell(a, &cells, is_visible ? line + i : "?", is_visible ? length : 1);
    }
    cells.column[n] = cells.at.n;
    return cells;
}

// Columns [begin, end) of a mark.
typedef struct Stretch {
    int begin, end;
    char sign;
    const char *text;
} Stretch;

static Stretch stretch_of(const Cells *cells, const Mark *m, int line_begin, int length) {
    int begin = m->at.begin - line_begin, end = m->at.end - line_begin;
    if (begin > length) begin = length;
    if (end > length) end = length;
    Stretch s = {cells->column[begin], cells->column[end], m->sign, m->text};
    if (s.end <= s.begin) s.end = s.begin + 1;
    return s;
}

// The rightmost first; a place itself before another that begins with it.
static int compare_stretches(const void *a, const void *b) {
    const Stretch *x = a, *y = b;
    return x->begin != y->begin ? y->begin - x->begin : x->sign - y->sign;
}

static void add_gutter(Text *out, int digits) {
    text_printf(out, "   %*s |", digits, "");
}

// All signs; where two overlap, that of the place itself is seen.
static void add_signs(Text *out, const Stretch *s, int n, int width, bool colour) {
    char *row = arena_alloc(out->arena, (size_t)width + 2);
    memset(row, ' ', (size_t)width);
    for (int i = 0; i < n; i++)
        for (int k = s[i].begin; k < s[i].end && k < width; k++)
            if (row[k] != '^') row[k] = s[i].sign;
    int end = width;
    while (end > 0 && row[end - 1] == ' ') end--;
    row[end] = 0;
    text_add(out, " ");
    if (colour) text_add(out, "\033[1;31m");
    text_add(out, row);
    if (colour) text_add(out, "\033[0m");
}

typedef struct Line {
    const char *text;
    int number, begin, length;
} Line;

static Line line_at(const Sources *sources, Span at) {
    const Source *source = source_of(sources, at.file);
    Line line;
    int column;
    source_line(sources, at.file, at.begin, &line.number, &column);
    line.begin = source->line_begin[line.number - 1];
    line.text = source->text + line.begin;
    const char *end = memchr(line.text, '\n', (size_t)(source->length - line.begin));
    line.length = end ? (int)(end - line.text) : source->length - line.begin;
    while (line.length > 0 && line.text[line.length - 1] == '\r') line.length--;
    return line;
}

// Moves a stretch into a window of the line that begins at column `from`.
static void clip(Stretch *s, int from, int width) {
    s->begin = s->begin < from ? 0 : s->begin - from;
    s->end = s->end < from ? 0 : s->end - from;
    if (s->begin > width) s->begin = width;
    if (s->end > width + 1) s->end = width + 1;
    if (s->end <= s->begin) s->end = s->begin + 1;
}

// The signs, with the rightmost one's text behind them, then a line for every other text.
static void add_marks(Text *out, Stretch *s, int n, int digits, int width, bool colour) {
    qsort(s, (size_t)n, sizeof *s, compare_stretches);
    add_gutter(out, digits);
    add_signs(out, s, n, width + 1, colour);
    if (s[0].text) text_printf(out, " %s", s[0].text);
    text_add(out, "\n");
    for (int i = 1; i < n; i++) {
        if (!s[i].text) continue;
        add_gutter(out, digits);
        text_printf(out, " %*s%s\n", s[i].begin, "", s[i].text);
    }
}

void snippet_show(Text *out, const Sources *sources, const Mark *mark, int n, int digits,
                  bool colour) {
    Line line = line_at(sources, mark[0].at);
    Cells cells = cells_of(out->arena, line.text, line.length);
    Stretch *s = NEW_ARRAY(out->arena, Stretch, n);
    for (int i = 0; i < n; i++) s[i] = stretch_of(&cells, &mark[i], line.begin, line.length);
    // Of a very long line, the part around the place is shown.
    int from = 0, width = cells.at.n;
    if (width > MAX_WIDTH) {
        from = s[0].begin > CONTEXT ? s[0].begin - CONTEXT : 0;
        width = width - from < MAX_WIDTH ? width - from : MAX_WIDTH;
    }
    for (int i = 0; i < n; i++) clip(&s[i], from, width);
    text_printf(out, width ? "   %*d | " : "   %*d |", digits, line.number);
    for (int i = from; i < from + width; i++)
        text_add_n(out, cells.at.at[i], (size_t)cells.length.at[i]);
    text_add(out, "\n");
    add_marks(out, s, n, digits, width, colour);
}
