#include "runtime/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_COLUMNS = 64 };

void table_cell(Table *t, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c; c++)
        if (*c == '\t' || *c == '\n') *c = ' ';  // in a name that the data have
    buffer_format(&t->text, "%s\t", text);
}

void table_row(Table *t) {
    buffer_add(&t->text, "\n", 1);
}

// Of n bytes of UTF-8: those that begin a character.
static int characters(const char *text, int n) {
    int count = 0;
    for (int i = 0; i < n; i++) count += (text[i] & 0xc0) != 0x80;
    return count;
}

// Twice over all cells, each from its first byte to its tab: for the widths, and to print.
void table_print(Buffer *out, Table *t) {
    int width[MAX_COLUMNS] = {0};
    for (int is_print = 0; is_print < 2; is_print++) {
        int column = 0;
        for (const char *at = t->text.data; at && *at;) {
            if (*at == '\n') {
                if (is_print) buffer_add(out, "\n", 1);
                column = 0;
                at++;
                continue;
            }
            int n = (int)strcspn(at, "\t"), k = column < MAX_COLUMNS ? column : MAX_COLUMNS - 1;
            int shown = characters(at, n);
            if (shown > width[k]) width[k] = shown;
            if (is_print) {
                buffer_format(out, column ? "  %*.*s" : "%-*.*s", width[k] + n - shown, n, at);
            }
            column++;
            at += n + 1;
        }
    }
    buffer_free(&t->text);
}
