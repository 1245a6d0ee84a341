#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "syntax/parser.h"

const char *const node_kind_name[N_NODE_KIND] = {
#define X(kind) [NODE_##kind] = #kind,
    NODE_KINDS(X)
#undef X
};

Node *leaf(Parser *p, NodeKind kind, Span at) {
    Node *x = NEW(p->c->arena, Node);
    x->kind = kind;
    x->span = at;
    x->depth = 1;
    return x;
}

void report_too_deep(Parser *p, Span at) {
    if (p->is_too_deep) return;
    p->is_too_deep = true;
    Diag *d = diag_error(p->c->diags, at, "this is nested too deeply");
    diag_help(d, "give a part of it a name of its own");
}

// Takes over `kid`. Where the tree would get too deep it stays without children; parse_file
// then returns none of it.
static Node *with_kids(Parser *p, Node *x, int n, Node **kid) {
    for (int i = 0; i < n; i++)
        if (kid[i] && kid[i]->depth >= x->depth) x->depth = kid[i]->depth + 1;
    if (x->depth > MAX_DEPTH) {
        report_too_deep(p, x->span);
        x->depth = 1;
        return x;
    }
    x->n = n;
    x->kid = kid;
    return x;
}

Node *node(Parser *p, NodeKind kind, Span at, int n, ...) {
    Node **kid = NEW_ARRAY(p->c->arena, Node *, n);
    va_list args;
    va_start(args, n);
    for (int i = 0; i < n; i++) kid[i] = va_arg(args, Node *);
    va_end(args);
    return with_kids(p, leaf(p, kind, at), n, kid);
}

Node *node_of_list(Parser *p, NodeKind kind, Span at, const NodeList *list) {
    return with_kids(p, leaf(p, kind, at), list->n, list->at);
}

Node *named(Node *x, Name id, Span at) {
    x->name = id;
    x->name_span = at;
    return x;
}

NodeList *list_new(Parser *p) {
    return NEW(p->c->arena, NodeList);
}

NodeList *list_of(Parser *p, Node *first) {
    return list_add(p, list_new(p), first);
}

NodeList *list_add(Parser *p, NodeList *list, Node *x) {
    if (x) vec_push(p->c->arena, list, x);
    return list;
}

Node *binary_node(Parser *p, Span op_span, const char *op, Node *a, Node *b) {
    Node *x = node(p, NODE_binary, span_join(a->span, b->span), 2, a, b);
    return named(x, name(p->c->names, op), op_span);
}

Node *unary_node(Parser *p, Span at, const char *op, Node *a) {
    Span op_span = {at.file, at.begin, at.begin + (int)strlen(op)};
    return named(node(p, NODE_unary, at, 1, a), name(p->c->names, op), op_span);
}

Node *entry_node(Parser *p, Span at, Name word, const NodeList *args, Node *paths, Node *from) {
    NodeList all = {0};
    for (int i = 0; i < args->n; i++) list_add(p, &all, args->at[i]);
    vec_push(p->c->arena, &all, paths);
    vec_push(p->c->arena, &all, from);
    Node *x = node_of_list(p, NODE_entry, at, &all);
    x->name = word;
    return x;
}

Node *string_node(Parser *p, Span at, Name text) {
    Node *x = leaf(p, NODE_string, at);
    size_t n = strlen(text);
    bool is_closed = n > 1 && text[n - 1] == text[0];
    x->text = name_n(p->c->names, text + 1, n - 1 - is_closed);
    return x;
}

// ---- numbers

static int64_t common_divisor(int64_t a, int64_t b) {
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

// digits * 10^power as num / den in lowest terms, den 0 where that needs more than 64 bits.
static void set_exact(Node *x, const char *digits, long power) {
    int64_t num = 0, den = 1;
    bool fits = true;
    for (const char *d = digits; *d; d++)
        fits = fits && !__builtin_mul_overflow(num, 10, &num) &&
               !__builtin_add_overflow(num, *d - '0', &num);
    if (fits && !num) power = 0;
    for (; fits && power > 0; power--) fits = !__builtin_mul_overflow(num, 10, &num);
    for (; fits && power < 0; power++) {
        if (num % 10 == 0)
            num /= 10;
        else
            fits = !__builtin_mul_overflow(den, 10, &den);
    }
    if (!fits) return;
    int64_t g = common_divisor(num, den);
    x->num = num / g;
    x->den = den / g;
}

// 12.50e-3% has the digits 125 and the power -1 - 3 - 2; zeros at the end add nothing.
Node *number_node(Parser *p, Span at, Name text) {
    Node *x = leaf(p, NODE_number, at);
    x->text = text;
    char *digits = arena_alloc(p->c->arena, strlen(text) + 1);
    int n = 0;
    long power = 0;
    const char *s = text;
    for (bool is_fraction = false; isdigit((unsigned char)*s) || *s == '.'; s++) {
        if (*s == '.') {
            is_fraction = true;
        } else {
            if (n || *s != '0') digits[n++] = *s;
            power -= is_fraction;
        }
    }
    for (; n && digits[n - 1] == '0'; power++) digits[--n] = 0;
    if (*s == 'e' || *s == 'E') {
        long written = strtol(s + 1, (char **)&s, 10);
        power += written > 100000 ? 100000 : written < -100000 ? -100000 : written;
    }
    if (*s == '%') power -= 2;
    x->number = strtod(arena_printf(p->c->arena, "%se%ld", n ? digits : "0", power), NULL);
    if (isinf(x->number)) diag_error(p->c->diags, at, "the number is too large");
    set_exact(x, digits, power);
    return x;
}

// ---- rules that the grammar can't say

static bool is_target(const Node *x) {
    if (x->kind == NODE_subscript) x = x->kid[0];
    return x->kind == NODE_name;
}

void check_target(Parser *p, const Node *target) {
    if (p->is_too_deep || is_target(target)) return;
    Diag *d = diag_error(p->c->diags, target->span, "this can't be assigned to");
    if (target->kind == NODE_tuple)
        diag_help(d, "several targets stand without parentheses: `a, b = ...`");
    else
        diag_help(d, "the left side is `name` or `name[indices]`");
}

// Spans of expressions in parentheses include them.
static bool is_parenthesized(const Node *x) {
    return x->n && x->kid[0] && x->kid[0]->span.begin > x->span.begin;
}

// `a / sum[i] b * c` could be read in two ways, so that it is not read at all.
void check_quotient(Parser *p, const char *op, const Node *x) {
    if (strcmp(op, "/") || p->is_too_deep) return;
    while (x->kind == NODE_unary) x = x->kid[0];
    const Node *reduction = x;
    while (x->kind == NODE_reduce) x = x->kid[2];
    if (x->kind != NODE_binary || is_parenthesized(x)) return;
    if (strcmp(x->name, "*") && strcmp(x->name, "/") && strcmp(x->name, "@")) return;
    Diag *d = diag_error(p->c->diags, x->name_span,
                         "`%s` behind a division by `%s` could be read in two ways", x->name,
                         reduction->name);
    diag_label(d, reduction->name_span, "divided by");
    diag_help(d, "put parentheses around the `%s`, or around what it reduces", reduction->name);
}
