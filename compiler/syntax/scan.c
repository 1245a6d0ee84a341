// What nn.l reports: characters that the language does not have, with what to write instead.
#include <stdarg.h>
#include <string.h>

#include "grammar/nn.y.h"
#include "syntax/parser.h"

Diag *scan_error(Scan *s, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(s->c->arena, format, args);
    va_end(args);
    s->n_broken++;
    return diag_error(s->c->diags, (Span){s->file, s->begin, s->end}, "%s", message);
}

int scan_instead(Scan *s, const char *text, const char *instead, int kind) {
    scan_error(s, "`%s` is written `%s`", text, instead);
    return kind;
}

// What word processors and mathematicians write. Kind 0: the sign is left out.
static const struct Foreign {
    const char *bytes, *instead;
    int kind;
} foreign[] = {
    {"\u2212", "-", '-'},      {"\u2013", "-", '-'},
    {"\u2014", "-", '-'},      {"\u00d7", "*", '*'},
    {"\u00b7", "*", '*'},      {"\u22c5", "*", '*'},
    {"\u00f7", "/", '/'},      {"\u2264", "<=", T_LE},
    {"\u2265", ">=", T_GE},    {"\u2260", "!=", T_NE},
    {"\u2192", "->", T_ARROW}, {"\u2026", "...", T_PACK},
    {"\u2211", "sum[i]", 0},   {"\u03a3", "sum[i]", 0},
    {"\u220f", "prod[i]", 0},  {"\u221e", "inf", T_NAME},
    {"\u221a", "sqrt(x)", 0},  {"\u201c", "\"", 0},
    {"\u201d", "\"", 0},       {"\u2018", "\"", 0},
    {"\u2019", "\"", 0},       {"\u00a0", "a plain space", 0},
};

int scan_foreign(Scan *s, const char *bytes) {
    if (!s->begin && !strncmp(bytes, "\xEF\xBB\xBF", 3)) return 0;  // a byte order mark
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        if (strcmp(bytes, foreign[i].bytes)) continue;
        if (foreign[i].instead[0] == 'a')
            scan_error(s, "this space is none of ASCII's: write %s", foreign[i].instead);
        else
            scan_error(s, "`%s` is written `%s`", bytes, foreign[i].instead);
        return foreign[i].kind;
    }
    Diag *d =
        scan_error(s, "unexpected character%s outside of ASCII", s->end - s->begin > 4 ? "s" : "");
    diag_help(d, "names are letters a to z, digits and `_`; anything may stand in a comment");
    return T_NAME;
}
