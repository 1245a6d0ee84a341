// From raw tokens to those of the grammar. Here stands all that depends on context:
// keywords, reductions, where a line ends, and brackets that don't match, which are
// reported once and repaired, so that the rest of the file can be parsed.
#include <string.h>

#include "grammar/nn.y.h"
#include "syntax/parser.h"

#define YY_DECL int nn_scan(void *yyscanner)
#include "grammar/nn.l.h"

typedef struct Open {  // a bracket that waits for its closing one
    int token;         // its index in `out`
    char closer;
    bool is_binders;  // of a reduction
} Open;

typedef struct Shaper {
    Compiler *c;
    int file;
    Tokens raw, *out;
    int at;              // in raw
    int declaration;     // the word that the current declaration begins with
    bool after_binders;  // the last token closed a reduction's brackets
    bool lacks_brace;    // the file has more `{` than `}`
    int n_broken;        // errors reported while shaping
    VEC(Open) open;
} Shaper;

typedef struct Word {
    const char *text;
    int kind;
} Word;

static const Word declarations[] = {
    {"hyper", T_HYPER},
    {"data", T_DATA},
    {"model", T_MODEL},
    {"layer", T_LAYER},
    {"fn", T_FN},
    {"loss", T_LOSS},
    {"metric", T_METRIC},
    {"optimizer", T_OPTIMIZER},
    {"train", T_TRAIN},
    {"generate", T_GENERATE},
    {0},
};
static const Word keywords[] = {
    {"param", T_PARAM}, {"state", T_STATE}, {"return", T_RETURN}, {"if", T_IF},
    {"then", T_THEN},   {"else", T_ELSE},   {"for", T_FOR},       {"in", T_IN},
    {"scan", T_SCAN},   {"where", T_WHERE}, {"from", T_FROM},     {"gradient", T_GRADIENT},
    {"and", T_AND},     {"or", T_OR},       {"not", T_NOT},       {0},
};
static const Word reductions[] = {
    {"sum", T_REDUCE},    {"mean", T_REDUCE},
    {"prod", T_REDUCE},   {"max", T_REDUCE},
    {"min", T_REDUCE},    {"argmax", T_REDUCE},
    {"argmin", T_REDUCE}, {"any", T_REDUCE},
    {"all", T_REDUCE},    {0},
};

static int word_kind(const Word *words, const char *text) {
    for (; words->text; words++)
        if (!strcmp(words->text, text)) return words->kind;
    return 0;
}

bool is_reduction_word(const char *text) {
    return word_kind(reductions, text);
}

bool is_declaration_word(const char *text) {
    return word_kind(declarations, text);
}

// ---- raw tokens

static bool read_raw(Compiler *c, int file, Tokens *raw, int *n_broken) {
    const Source *source = source_of(c->sources, file);
    const char *zero = memchr(source->text, 0, (size_t)source->length);
    if (zero) {
        int at = (int)(zero - source->text);
        diag_error(c->diags, (Span){file, at, at + 1}, "this is no text: it has a zero byte");
        return false;
    }
    Scan s = {.c = c, .file = file};
    yyscan_t scanner;
    nn_lex_init_extra(&s, &scanner);
    nn__scan_bytes(source->text, source->length, scanner);
    for (int kind; (kind = scan_next(&s, scanner));) {
        Span span = {file, s.begin, s.end};
        Name text = name_n(c->names, source->text + s.begin, (size_t)(s.end - s.begin));
        vec_push(c->arena, raw, ((Token){kind, span, text, false, s.n_broken}));
    }
    nn_lex_destroy(scanner);
    Span end = {file, source->length, source->length};
    vec_push(c->arena, raw, ((Token){T_YYEOF, end, name(c->names, ""), true, s.n_broken}));
    *n_broken = s.n_broken;
    return true;
}

// ---- helpers

static const Token *raw_at(const Shaper *s, int i) {
    return &s->raw.at[i < s->raw.n ? i : s->raw.n - 1];
}

// The next raw token behind i that is no newline.
static const Token *next_word(const Shaper *s, int i) {
    do i++;
    while (raw_at(s, i)->kind == T_NL);
    return raw_at(s, i);
}

static const Token *last(const Shaper *s, int back) {
    return back < s->out->n ? &s->out->at[s->out->n - 1 - back] : NULL;
}

static int last_kind(const Shaper *s, int back) {
    const Token *t = last(s, back);
    return t ? t->kind : T_NL;
}

static void emit(Shaper *s, Token t) {
    t.n_broken = raw_at(s, s->at)->n_broken + s->n_broken;
    vec_push(s->c->arena, s->out, t);
    s->after_binders = false;
}

static void insert(Shaper *s, int kind) {
    const Token *before = last(s, 0);
    int at = before ? before->span.end : 0;
    char text[2] = {kind == T_NL ? '\n' : (char)kind, 0};
    emit(s, (Token){kind, {s->file, at, at}, name(s->c->names, text), true, 0});
}

static char closer_of_top(const Shaper *s) {
    return s->open.n ? s->open.at[s->open.n - 1].closer : 0;
}

static bool in_brackets(const Shaper *s) {
    return closer_of_top(s) == ')' || closer_of_top(s) == ']';
}

static bool is_at_top_level(const Shaper *s) {
    return s->open.n == 0;
}

static int indent_of(const Shaper *s, Span span) {
    const Source *source = source_of(s->c->sources, span.file);
    int line, column;
    source_line(s->c->sources, span.file, span.begin, &line, &column);
    const char *text = source->text + source->line_begin[line - 1];
    return (int)strspn(text, " \t");
}

// ---- brackets

static void pop(Shaper *s) {
    s->after_binders = s->open.at[--s->open.n].is_binders;
}

// Closes ( and [ that should have been closed by now; one report names them all.
static void close_brackets(Shaper *s, int keep) {
    Diag *d = NULL;
    Span behind = {0};
    for (int shown = 0; s->open.n > keep && in_brackets(s); shown++) {
        const Open *o = &s->open.at[s->open.n - 1];
        const Token *opener = &s->out->at[o->token];
        if (!d) {
            behind = (Span){s->file, last(s, 0)->span.end, last(s, 0)->span.end + 1};
            d = diag_error(s->c->diags, behind, "missing `%c`", o->closer);
            s->n_broken++;
        }
        if (shown < 3) opened_here(d, s->c->sources, behind, opener);
        insert(s, o->closer);
        pop(s);
    }
}

static void close_brace(Shaper *s) {
    const Token *opener = &s->out->at[s->open.at[s->open.n - 1].token];
    diag_error(s->c->diags, opener->span, "this `{` is never closed by a `}`");
    if (last_kind(s, 0) != T_NL && last_kind(s, 0) != '{') insert(s, T_NL);
    s->n_broken++;
    insert(s, '}');
    pop(s);
}

static int find_open(const Shaper *s, char closer) {
    for (int i = s->open.n - 1; i >= 0 && s->open.at[i].closer != '}'; i--)
        if (s->open.at[i].closer == closer) return i;
    return -1;
}

static bool open_bracket(Shaper *s, const Token *t) {
    if (s->open.n == MAX_OPEN) {
        diag_error(s->c->diags, t->span, "brackets are nested more than %d deep", MAX_OPEN);
        return false;
    }
    if (t->kind == '{') close_brackets(s, 0);  // braces never stand in ( ) or [ ]
    char closer = t->kind == '(' ? ')' : t->kind == '[' ? ']' : '}';
    bool is_binders = t->kind == '[' && last_kind(s, 0) == T_REDUCE;
    Open o = {s->out->n, closer, is_binders};
    emit(s, *t);
    vec_push(s->c->arena, &s->open, o);
    return true;
}

static void close_bracket(Shaper *s, const Token *t) {
    if (closer_of_top(s) != t->kind && in_brackets(s)) {
        int opened = find_open(s, (char)t->kind);
        if (opened >= 0) {
            close_brackets(s, opened + 1);
        } else {  // (a] is meant as (a)
            const Token *opener = &s->out->at[s->open.at[s->open.n - 1].token];
            Diag *d = diag_error(s->c->diags, t->span, "`%s` where `%c` was expected", t->text,
                                 closer_of_top(s));
            opened_here(d, s->c->sources, t->span, opener);
            s->n_broken++;
            insert(s, closer_of_top(s));
            pop(s);
            return;
        }
    }
    if (closer_of_top(s) != t->kind) {
        diag_error(s->c->diags, t->span, "`%s` closes nothing: no `%s` is open", t->text,
                   t->kind == ')' ? "(" : "[");
        s->n_broken++;
        return;
    }
    bool is_binders = s->open.at[s->open.n - 1].is_binders;
    emit(s, *t);
    pop(s);
    s->after_binders = is_binders;
}

static void close_block(Shaper *s, const Token *t) {
    close_brackets(s, 0);
    if (last_kind(s, 0) != T_NL && last_kind(s, 0) != '{') insert(s, T_NL);
    if (closer_of_top(s) != '}') {
        diag_error(s->c->diags, t->span, "`}` closes nothing: no `{` is open");
        return;
    }
    emit(s, *t);
    pop(s);
}

// ---- lines

// After these a line goes on.
static const int continuing[] = {'{',   '=',  ',',  '+',     '-',      '*',   '/',    '@',
                                 '^',   '<',  '>',  T_LE,    T_GE,     T_EQ,  T_NE,   T_PIPE,
                                 T_AND, T_OR, T_NL, T_ARROW, T_ADD_TO, T_NOT, T_ELSE, T_THEN};

static bool continues(int kind) {
    for (size_t i = 0; i < sizeof continuing / sizeof *continuing; i++)
        if (continuing[i] == kind) return true;
    return false;
}

static bool ends_operand(const Shaper *s) {
    switch (last_kind(s, 0)) {
        case T_NAME:
        case T_NUMBER:
        case T_STRING:
        case ')': return true;
        case ']': return !s->after_binders;
        default: return false;
    }
}

static bool begins_operand(int raw_kind) {
    return raw_kind == T_NAME || raw_kind == T_NUMBER || raw_kind == T_STRING;
}

static bool is_infix_word(int keyword) {
    return keyword == T_AND || keyword == T_OR || keyword == T_THEN || keyword == T_ELSE ||
           keyword == T_WHERE;
}

static bool begins_statement(int keyword) {
    return keyword == T_PARAM || keyword == T_STATE || keyword == T_RETURN || keyword == T_FOR ||
           keyword == T_SCAN;
}

// At a newline inside ( or [: does the next line show that the bracket was forgotten? It
// does where it begins a statement, or where an operand would follow an operand without
// being indented deeper than the line that opened the bracket.
static bool bracket_was_forgotten(const Shaper *s) {
    const Token *next = next_word(s, s->at);
    int keyword = next->kind == T_NAME ? word_kind(keywords, next->text) : 0;
    if (begins_statement(keyword)) return true;
    if (is_infix_word(keyword) || !ends_operand(s) || !begins_operand(next->kind)) return false;
    const Token *opener = &s->out->at[s->open.at[s->open.n - 1].token];
    return indent_of(s, next->span) <= indent_of(s, opener->span);
}

// A declaration at the start of a line, while a `{` is open that nothing closes.
static bool brace_was_forgotten(const Shaper *s) {
    const Token *next = next_word(s, s->at);
    return s->lacks_brace && s->open.n && next->kind == T_NAME && is_declaration_word(next->text) &&
           indent_of(s, next->span) == 0 && raw_at(s, (int)(next - s->raw.at) + 1)->kind == T_NAME;
}

// Even behind an operator, these can't continue a line: its other half is missing.
static bool begins_anew(const Shaper *s, const Token *next) {
    if (next->kind != T_NAME) return false;
    if (begins_statement(word_kind(keywords, next->text))) return true;
    return is_at_top_level(s) && is_declaration_word(next->text) &&
           raw_at(s, (int)(next - s->raw.at) + 1)->kind != '(' && indent_of(s, next->span) == 0;
}

static void end_line(Shaper *s, const Token *t) {
    if (in_brackets(s)) {
        if (!bracket_was_forgotten(s)) return;
        close_brackets(s, 0);
    }
    if (brace_was_forgotten(s))
        while (s->open.n) close_brace(s);
    const Token *next = next_word(s, s->at);
    if (last_kind(s, 0) == T_NL || last_kind(s, 0) == '{') return;
    if ((continues(last_kind(s, 0)) || s->after_binders) && !begins_anew(s, next)) return;
    if (next->kind == T_PIPE || next->kind == T_ARROW) return;
    if (next->kind == T_NAME && !strcmp(next->text, "else")) return;
    if (is_at_top_level(s) && next->kind == T_NAME && !strcmp(next->text, "gradient")) return;
    emit(s, (Token){T_NL, t->span, t->text, false, 0});
}

static void end_statement(Shaper *s, const Token *t) {
    close_brackets(s, 0);
    if (last_kind(s, 0) == T_NL || last_kind(s, 0) == '{') return;
    emit(s, (Token){T_NL, t->span, t->text, false, 0});
}

// ---- words

// `require` is a keyword in front of what can't follow a name that a statement begins with.
static bool begins_requirement(const Shaper *s, const Token *t) {
    bool in_code = s->declaration != T_DATA && s->declaration != T_TRAIN && s->declaration != T_GENERATE;
    bool begins_line = last_kind(s, 0) == T_NL || last_kind(s, 0) == '{';
    int next = raw_at(s, s->at + 1)->kind;
    return !strcmp(t->text, "require") && in_code && begins_line && !is_at_top_level(s) &&
           (begins_operand(next) || next == '(' || next == '-');
}

static int kind_of_word(Shaper *s, const Token *t) {
    if (last_kind(s, 0) == '.') return T_NAME;
    if (begins_requirement(s, t)) return T_REQUIRE;
    if (is_at_top_level(s) && last_kind(s, 0) == T_NL) {
        s->declaration = word_kind(declarations, t->text);
        if (s->declaration) return s->declaration;
    }
    const Token *next = raw_at(s, s->at + 1);
    if (next->kind == '[' && next->span.begin == t->span.end && is_reduction_word(t->text))
        return T_REDUCE;
    int before = last_kind(s, 1);
    if (before == T_TRAIN && !strcmp(t->text, "on")) return T_ON;
    if (before == T_SCAN && !strcmp(t->text, "over")) return T_OVER;
    if (s->declaration == T_OPTIMIZER && is_at_top_level(s) && last_kind(s, 0) == T_NAME &&
        !strcmp(t->text, "at"))
        return T_AT;
    int keyword = word_kind(keywords, t->text);
    return keyword ? keyword : T_NAME;
}

static bool shape(Shaper *s) {
    for (; s->at < s->raw.n - 1; s->at++) {
        const Token *t = raw_at(s, s->at);
        Token word = *t;
        switch (t->kind) {
            case T_NL: end_line(s, t); break;
            case ';': end_statement(s, t); break;
            case '(':
            case '[':
            case '{':
                if (!open_bracket(s, t)) return false;
                break;
            case ')':
            case ']': close_bracket(s, t); break;
            case '}': close_block(s, t); break;
            case T_NAME:
                word.kind = kind_of_word(s, t);
                emit(s, word);
                break;
            default: emit(s, word);
        }
    }
    close_brackets(s, 0);
    while (s->open.n) close_brace(s);
    if (last_kind(s, 0) != T_NL) insert(s, T_NL);
    emit(s, *raw_at(s, s->raw.n));
    return true;
}

bool tokens_read(Compiler *c, int file, Tokens *tokens) {
    Shaper s = {.c = c, .file = file, .out = tokens};
    int n_broken;
    if (!read_raw(c, file, &s.raw, &n_broken)) return false;
    int n_open = 0;
    for (int i = 0; i < s.raw.n; i++)
        n_open += (s.raw.at[i].kind == '{') - (s.raw.at[i].kind == '}');
    s.lacks_brace = n_open > 0;
    return shape(&s);
}

const char *token_class(const Token *t) {
    switch (t->kind) {
        case T_YYEOF: return "end";
        case T_NL: return "newline";
        case T_NAME: return "name";
        case T_NUMBER: return "number";
        case T_STRING: return "string";
        case T_REDUCE: return "reduction";
    }
    if (word_kind(declarations, t->text)) return "declaration";
    bool is_word = t->text[0] >= 'a' && t->text[0] <= 'z';
    return is_word ? "keyword" : "symbol";
}
