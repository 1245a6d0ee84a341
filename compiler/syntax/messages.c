// Syntax errors in plain words: what was expected, behind what, and what stands there;
// with advice for the mistakes that the grammar's strangest corners invite.
#include <string.h>

#include "base/text.h"
#include "grammar/nn.y.h"
#include "syntax/parser.h"

static const Token *token_at(const Parser *p, int back) {
    static const Token none = {.kind = T_NL, .text = ""};
    return p->at >= back ? &p->tokens.at[p->at - back] : &none;
}

static bool ends_statement(int kind) {
    return kind == T_NL || kind == '{' || kind == '}' || kind == T_YYEOF;
}

// Was an error in the text of this statement reported already?
static bool is_broken(const Parser *p) {
    const Token *t = p->tokens.at;
    int first = p->at, past = p->at;
    while (first > 0 && !ends_statement(t[first - 1].kind)) first--;
    while (past < p->tokens.n - 1 && !ends_statement(t[past].kind)) past++;
    return t[past].n_broken > (first ? t[first - 1].n_broken : 0);
}

// Does the error follow from an earlier one: in lines that a broken declaration left behind,
// or in the block of what is no declaration?
static bool follows_from_another(const Parser *p) {
    bool is_declaration = is_declaration_word(p->tokens.at[p->item].text);
    return item_is_stray(p) || (p->item_is_broken && !is_declaration);
}

// ---- what was expected

typedef VEC(const char *) Phrases;

static bool has_any(const Expected *e, const int *kind) {
    for (; *kind; kind++)
        if (e->token[*kind]) return true;
    return false;
}

static void drop(Expected *e, const int *kind) {
    for (; *kind; kind++) e->token[*kind] = false;
}

static void drop_operators(Expected *e) {
    drop(e, (int[]){'+',  '-',  '*',   '/',  '@',    '^', '<', '>', T_LE,    T_GE,
                    T_EQ, T_NE, T_AND, T_OR, T_PIPE, '(', '[', '.', T_RANGE, 0});
    // Unless `else` is the one way on, it could only begin what a read gives outside.
    if (e->token[T_NL] || e->token[','] || e->token[')']) e->token[T_ELSE] = false;
}

static void drop_operand(Expected *e) {
    drop(e, (int[]){T_NAME, T_NUMBER, T_STRING, T_REDUCE, T_IF, T_NOT, '(', '[', '-', 0});
}

static const int statement_words[] = {T_PARAM, T_STATE, T_RETURN, T_FOR, T_SCAN, 0};
static const int declaration_words[] = {T_HYPER,  T_DATA,      T_MODEL, T_LAYER,    T_FN, T_LOSS,
                                        T_METRIC, T_OPTIMIZER, T_TRAIN, T_GENERATE, 0};

// Those without a group, in the order of a message.
static const struct Spelled {
    int kind;
    const char *phrase;
} words[] = {
    {T_NAME, "a name"},
    {T_NUMBER, "a number"},
    {T_STRING, "a string"},
    {T_ON, "`on`"},
    {T_AT, "`at`"},
    {T_OVER, "`over`"},
    {T_IN, "`in`"},
    {T_FOR, "`for`"},
    {T_FROM, "`from`"},
    {T_WHERE, "`where`"},
    {T_THEN, "`then`"},
    {T_ELSE, "`else`"},
    {T_GRADIENT, "`gradient`"},
    {T_ARROW, "`->`"},
    {T_PACK, "`...`"},
    {T_RANGE, "`..`"},
    {T_ADD_TO, "`+=`"},
    {'<', "`<`"},
    {'=', "`=`"},
    {':', "`:`"},
    {',', "`,`"},
    {'.', "`.`"},
    {'(', "`(`"},
    {'[', "`[`"},
    {'{', "`{`"},
    {')', "`)`"},
    {']', "`]`"},
    {'}', "`}`"},
    {T_NL, "the end of the line"},
};

// Takes the groups out of what is expected, as one phrase each.
static void group(const Parser *p, Expected *e, Phrases *out) {
    Arena *a = p->c->arena;
    if (has_any(e, declaration_words) && !e->token['(']) {
        vec_push(a, out,
                 "a declaration (`hyper`, `data`, `model`, `layer`, `fn`, `loss`, "
                 "`metric`, `optimizer`, `train`, `generate`)");
        *e = (Expected){0};
        return;
    }
    if (e->token[T_PARAM]) {
        vec_push(a, out, "a statement");
        drop_operand(e);
        drop(e, statement_words);
    } else if (e->token[T_FROM] && e->token[T_WHERE] && e->token[T_NAME] && !e->token['*']) {
        vec_push(a, out, "an entry");
        drop(e, (int[]){T_NAME, T_FROM, T_WHERE, T_GRADIENT, 0});
    } else if (e->token[T_NUMBER] && e->token['(']) {
        vec_push(a, out, "an expression");
        drop_operand(e);
    } else if (e->token[T_NAME] && e->token['[']) {
        vec_push(a, out, "a type such as `[n]` or `class(10)`");
        drop(e, (int[]){T_NAME, '[', 0});
    }
    if (e->token['='] && e->token['.']) {  // behind the left side of an assignment
        drop_operators(e);
        drop(e, (int[]){',', ':', T_ADD_TO, T_ELSE, 0});
    }
    if (e->token['*'] && e->token['.']) {
        vec_push(a, out, "an operator");
        drop_operators(e);
    }
}

// Groups of tokens are named by one phrase; what is left is spelled out.
static void phrases_of(const Parser *p, Expected e, Phrases *out) {
    group(p, &e, out);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (e.token[words[i].kind]) vec_push(p->c->arena, out, words[i].phrase);
}

static void add_quoted(Text *out, const char *text) {
    text_printf(out, strlen(text) > 60 ? "`%.60s...`" : "`%s`", text);
}

static void add_found(Text *out, const Token *t) {
    if (t->kind == T_YYEOF || (t->kind == T_NL && t->text[0] != ';'))
        text_add(out, "the end of the line");
    else
        add_quoted(out, t->text);
}

static const char *message_of(const Parser *p, const Expected *expected, const Token *found) {
    Text *out = text_new(p->c->arena);
    Phrases phrases = {0};
    phrases_of(p, *expected, &phrases);
    const Token *before = token_at(p, 1);
    if (!phrases.n || phrases.n > 5) {
        text_add(out, "unexpected ");
        add_found(out, found);
    } else {
        text_add(out, "expected ");
        for (int i = 0; i < phrases.n; i++) {
            if (i) text_add(out, i < phrases.n - 1 ? ", " : " or ");
            text_add(out, phrases.at[i]);
        }
    }
    if (before->kind != T_NL && before->text[0]) {
        text_add(out, " after ");
        add_quoted(out, before->text);
    }
    if (!phrases.n || phrases.n > 5 || found->kind == T_NL) return out->at;
    text_add(out, ", found ");
    add_found(out, found);
    return out->at;
}

// ---- what may have been meant

static bool is_reserved(const Token *t) {
    return !strcmp(token_class(t), "keyword") && t->kind != T_ON && t->kind != T_AT &&
           t->kind != T_OVER;
}

// Behind the arguments of an entry.
static bool is_entry(const Expected *e) {
    return e->token[T_FOR] && e->token[T_FROM];
}

static const char *advice_on_found(const Expected *e, const Token *found) {
    if (found->kind == '=' && e->token[T_EQ] && (e->token[T_THEN] || e->token['{']))
        return "`=` assigns; equality is `==`";
    if (found->kind == '=' && is_entry(e)) return "a field is written `name: type = ...`";
    if (found->kind == T_ELSE)
        return "a read that may fall outside stands in parentheses: `(x[i - 1] else 0)`";
    if (found->kind == T_IF && e->token[T_NUMBER])
        return "inside an expression, put `if ... then ... else ...` in parentheses";
    if (found->kind == T_REDUCE && e->token[T_NAME])
        return "a name of a reduction directly before `[` reduces; a tensor of that name is read "
               "as `(mean)[k]`";
    if (found->kind == T_RANGE) return "a range `a .. b` is an argument or an item of a list";
    if (found->kind == T_ADD_TO && e->token['=']) return "`+=` has one target";
    if (found->kind == T_GRADIENT && e->token[T_NL])
        return "a `gradient` belongs to a `layer`, `fn`, `loss` or `metric`";
    return NULL;
}

static const char *advice(const Parser *p, const Expected *e, const Token *found) {
    const Token *before = token_at(p, 1);
    const char *help = advice_on_found(e, found);
    if (help) return help;
    if (is_reserved(found) && e->token[T_NAME])
        return arena_printf(p->c->arena, "`%s` is a reserved word, it can't be a name",
                            found->text);
    bool begins = ends_statement(token_at(p, 2)->kind);
    if (before->kind == T_NAME && begins && is_declaration_word(before->text) &&
        found->kind == T_NAME)
        return arena_printf(p->c->arena, "a `%s` is declared outside of all braces", before->text);
    if (before->kind == T_NAME && is_reduction_word(before->text) && e->token['('])
        return arena_printf(p->c->arena, "a reduction names its indices: `%s[i] ...`",
                            before->text);
    if (e->token['='] && e->token[T_ADD_TO] && found->kind == T_NL)
        return "a statement gives its value a name: `y = ...`";
    if (before->kind == T_NUMBER && found->kind == T_NAME && e->token['*'] && !is_entry(e))
        return "a product is written with `*`";
    if (token_at(p, 2)->kind == T_ELSE && !e->token['*'])
        return "put the guarded read in parentheses: `(x[i - 1] else 0)`";
    if (before->kind == T_ELSE && e->token[T_NUMBER] && !e->token[T_STRING])
        return "what a read gives outside is a number, a name or in parentheses";
    return NULL;
}

bool on_one_line(const Sources *sources, Span a, Span b) {
    int line_a, line_b, column;
    source_line(sources, a.file, a.begin, &line_a, &column);
    source_line(sources, b.file, b.begin, &line_b, &column);
    return line_a == line_b;
}

void opened_here(Diag *d, const Sources *sources, Span at, const Token *opener) {
    if (on_one_line(sources, at, opener->span))
        diag_label(d, opener->span, "opened here");
    else
        diag_note(d, opener->span, "`%s` is opened here", opener->text);
}

// The bracket that is open before the token looked at, where a closing one could follow.
static const Token *opener_of(const Parser *p, const Expected *e) {
    if (!e->token[')'] && !e->token[']']) return NULL;
    int depth = 0;
    for (int i = p->at - 1; i >= 0; i--) {
        const Token *t = &p->tokens.at[i];
        if (t->kind == ')' || t->kind == ']') depth++;
        if (t->kind != '(' && t->kind != '[') continue;
        if (!depth--) return t;
    }
    return NULL;
}

// What the end of a line interrupts is shown behind the last word of the line.
static bool is_at_line_end(const Parser *p, const Expected *e, const Token *found) {
    if (found->kind == T_YYEOF || (found->kind == T_NL && found->text[0] != ';')) return true;
    const Token *before = token_at(p, 1);
    bool wants_operand = e->token[T_NUMBER] && e->token['('] && !ends_statement(before->kind);
    return wants_operand && before->text[0] &&
           !on_one_line(p->c->sources, before->span, found->span);
}

void report_unexpected(Parser *p, const Expected *expected) {
    const Token *found = token_at(p, 0);
    if (is_broken(p) || follows_from_another(p)) return;
    p->item_is_broken = true;
    bool is_outside = expected->token[T_HYPER];
    if (is_outside && p->is_lost) return;
    if (is_outside) p->is_lost = true;
    const Token *before = token_at(p, 1), *opener = opener_of(p, expected);
    Token end = {.kind = T_NL, .text = "\n"};
    end.span = (Span){p->file, before->span.end, before->span.end + 1};
    if (is_at_line_end(p, expected, found)) found = &end;
    Diag *d = diag_error(p->c->diags, found->span, "%s", message_of(p, expected, found));
    if (opener) opened_here(d, p->c->sources, found->span, opener);
    const char *help = is_outside ? NULL : advice(p, expected, found);
    if (help) diag_help(d, "%s", help);
}
