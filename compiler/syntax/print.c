#include <string.h>

#include "syntax/parser.h"

static void add_place(Text *out, const Sources *sources, Span span) {
    int line, column;
    source_line(sources, span.file, span.begin, &line, &column);
    text_printf(out, "%d:%d", line, column);
}

// As written, and what it stands for where that is not plain.
static void add_number(Text *out, const Node *x) {
    text_printf(out, " %s", x->text);
    if (x->den == 1 && !strpbrk(x->text, ".eE%")) return;
    text_add(out, " = ");
    if (x->den == 1)
        text_printf(out, "%lld", (long long)x->num);
    else if (x->den)
        text_printf(out, "%lld/%lld", (long long)x->num, (long long)x->den);
    else
        text_real(out, x->number);
}

// A child that is absent is shown as `-`, so that those behind it keep their meaning.
static void print_node(Text *out, const Node *x, const Sources *sources, int depth) {
    for (int i = 0; i < depth; i++) text_add(out, "  ");
    if (!x) {
        text_add(out, "-\n");
        return;
    }
    text_add(out, node_kind_name[x->kind]);
    if (x->name) text_printf(out, " %s", x->name);
    if (x->text && (x->kind == NODE_number || x->kind == NODE_count))
        add_number(out, x);
    else if (x->text)
        text_printf(out, x->kind == NODE_string ? " \"%s\"" : " %s", x->text);
    text_add(out, "  @");
    add_place(out, sources, x->span);
    text_add(out, "\n");
    for (int i = 0; i < x->n; i++) print_node(out, x->kid[i], sources, depth + 1);
}

void print_tree(Text *out, const Node *tree, const Sources *sources) {
    print_node(out, tree, sources, 0);
}

void print_tokens(Text *out, Compiler *c, int file) {
    Tokens tokens = {0};
    tokens_read(c, file, &tokens);
    for (int i = 0; i < tokens.n; i++) {
        const Token *t = &tokens.at[i];
        int line, column;
        source_line(c->sources, file, t->span.begin, &line, &column);
        text_printf(out, "%4d:%-4d %-12s", line, column, token_class(t));
        if (t->text[0] != '\n') text_add(out, t->text);
        while (out->n && out->at[out->n - 1] == ' ') out->at[--out->n] = 0;
        text_add(out, t->is_inserted && t->text[0] ? "  (inserted)\n" : "\n");
    }
}
