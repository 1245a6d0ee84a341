// What could not be parsed: nodes that say which names it may have defined, so that what
// comes later can tell a name that is lost from one that never was.
#include "grammar/nn.y.h"
#include "syntax/parser.h"

// The first token of a span that ends before the token looked at.
static int first_token(const Parser *p, Span at) {
    int i = p->at < p->tokens.n ? p->at : p->tokens.n - 1;
    while (i > 0 && p->tokens.at[i - 1].span.begin >= at.begin) i--;
    return i;
}

// A bracket that was missing at the end is within.
static bool is_within(const Parser *p, int i, Span at) {
    const Token *t = &p->tokens.at[i];
    bool is_closer = t->kind == ')' || t->kind == ']';
    return i < p->tokens.n - 1 && t->span.begin < at.end + (t->is_inserted && is_closer);
}

static bool ends_line(int kind) {
    return kind == T_NL || kind == '{' || kind == '}';
}

static void add_name(Parser *p, NodeList *names, const Token *t) {
    for (int i = 0; i < names->n; i++)
        if (names->at[i]->name == t->text) return;
    list_add(p, names, named(leaf(p, NODE_name, t->span), t->text, t->span));
}

// Of the line from token i on: names in front of its first `=`, outside of [ ], and those
// directly in front of further ones. Returns the token behind the line.
static int add_names(Parser *p, int i, Span at, NodeList *names) {
    bool defines = p->tokens.at[i].kind != T_RETURN;
    int n_open = 0;
    for (; is_within(p, i, at) && !ends_line(p->tokens.at[i].kind); i++) {
        const Token *t = &p->tokens.at[i];
        if (t->kind == '=' || t->kind == T_ADD_TO) defines = false;
        n_open += (t->kind == '[') - (t->kind == ']');
        bool is_name = t->kind == T_NAME || t->kind == T_REDUCE;
        if (is_name && (defines ? !n_open : t[1].kind == '=')) add_name(p, names, t);
    }
    return i + 1;
}

Node *broken_node(Parser *p, Span at) {
    NodeList names = {0};
    int first = first_token(p, at);
    for (int i = first; is_within(p, i, at);) i = add_names(p, i, at, &names);
    Node *x = node_of_list(p, NODE_broken, at, &names);
    x->text = p->tokens.at[first].text;
    return x;
}

// Of a declaration: its own name, or else what its first line may define.
Node *broken_item(Parser *p, Span at) {
    NodeList names = {0};
    int first = first_token(p, at);
    const Token *word = &p->tokens.at[first];
    bool is_named = is_declaration_word(word->text) && is_within(p, first + 1, at);
    if (is_named && word[1].kind == T_NAME)
        add_name(p, &names, word + 1);
    else
        add_names(p, first, at, &names);
    Node *x = node_of_list(p, NODE_broken, at, &names);
    x->text = word->text;
    return x;
}

// Were there errors in the text of the span, outside of its blocks? What stands at its end
// and is left out counts as well: the newline knows of it.
static bool was_repaired(const Parser *p, Span at) {
    int depth = 0, i = first_token(p, at);
    int n_broken = i ? p->tokens.at[i - 1].n_broken : 0;
    for (bool is_end = false; !is_end; i++) {
        const Token *t = &p->tokens.at[i];
        is_end = !is_within(p, i, at);
        if (is_end && t->kind != T_NL) return false;
        if (depth == 0 && t->n_broken > n_broken) return true;
        n_broken = t->n_broken;
        depth += (t->kind == '{') - (t->kind == '}');
    }
    return false;
}

Node *unless_broken(Parser *p, Node *x) {
    return was_repaired(p, x->span) ? broken_node(p, x->span) : x;
}

// Indented, and behind a declaration that is broken: a line of that.
bool item_is_stray(const Parser *p) {
    const char *text = source_of(p->c->sources, p->file)->text;
    int at = p->tokens.at[p->item].span.begin;
    return p->is_behind_broken && at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t');
}

static void end_item(Parser *p) {
    p->item = p->at + 1 < p->tokens.n ? p->at + 1 : p->at;
    p->item_is_broken = false;
}

Node *settled_item(Parser *p, Node *x) {
    bool is_line = x->kind == NODE_constant || x->kind == NODE_hyper;
    bool is_lost = is_line && (item_is_stray(p) || was_repaired(p, x->span));
    if (!is_line) p->is_behind_broken = false;
    p->is_lost &= x->kind == NODE_constant;
    end_item(p);
    return is_lost ? broken_item(p, x->span) : x;
}

Node *lost_item(Parser *p, Span at) {
    p->is_behind_broken = true;
    end_item(p);
    return broken_item(p, at);
}
