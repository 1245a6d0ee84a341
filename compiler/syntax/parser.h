// What the parts of the syntax layer share: tokens, and how the grammar's actions build nodes.
//
// Three steps: nn.l cuts the text into raw tokens; tokens.c decides what depends on
// context (newlines, keywords, reductions, brackets that don't match); nn.y builds the tree.
#ifndef NNC_SYNTAX_PARSER_H
#define NNC_SYNTAX_PARSER_H

#include "base/vec.h"
#include "syntax/tree.h"

typedef struct Token {
    int kind;  // T_... of grammar/nn.y, or a character
    Span span;
    Name text;         // as written
    bool is_inserted;  // not in the source: a newline before `}`, a bracket that was missing
    int n_broken;      // errors in the text up to and with this token
} Token;

typedef VEC(Token) Tokens;

// What nn.l works on. A token is the bytes [begin, end).
typedef struct Scan {
    Compiler *c;
    int file;
    int begin, end;
    int n_broken;
} Scan;

typedef struct Parser {
    Compiler *c;
    int file;
    Tokens tokens;          // ends in a T_YYEOF
    int at;                 // the token that the grammar looks at; -1 before the first
    bool is_lost;           // statements outside of any declaration: says so once
    bool is_too_deep;       // says so once
    int item;               // the token that the current item begins with
    bool item_is_broken;    // it has an error
    bool is_behind_broken;  // so had the last declaration
    Node *tree;
} Parser;

typedef VEC(Node *) NodeList;

// Recursion over a tree is safe: no tree is deeper than MAX_DEPTH nodes, no text has more
// brackets open at once than MAX_OPEN.
enum { MAX_DEPTH = 500, MAX_OPEN = 100 };

// ---- nn.l

int scan_next(Scan *s, void *scanner);  // the next raw token, 0 at the end

Diag *scan_error(Scan *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
int scan_instead(Scan *s, const char *text, const char *instead, int kind);
int scan_foreign(Scan *s, const char *bytes);  // bytes outside of ASCII

// ---- tokens.c

// All tokens of a file; errors are reported. False where there is no use in parsing.
bool tokens_read(Compiler *c, int file, Tokens *tokens);

const char *token_class(const Token *t);  // "name", "keyword" ...
bool is_reduction_word(const char *text);
bool is_declaration_word(const char *text);

// ---- node.c

Node *leaf(Parser *p, NodeKind kind, Span at);
Node *node(Parser *p, NodeKind kind, Span at, int n, ...);  // n children, NULL where absent
Node *named(Node *x, Name id, Span at);
Node *node_of_list(Parser *p, NodeKind kind, Span at, const NodeList *list);
Node *number_node(Parser *p, Span at, Name text);
Node *string_node(Parser *p, Span at, Name text);  // text in quotes
Node *binary_node(Parser *p, Span at, const char *op, Node *a, Node *b);
Node *unary_node(Parser *p, Span at, const char *op, Node *a);
Node *entry_node(Parser *p, Span at, Name word, const NodeList *args, Node *paths, Node *from);

NodeList *list_new(Parser *p);
NodeList *list_of(Parser *p, Node *first);
NodeList *list_add(Parser *p, NodeList *list, Node *x);  // x may be NULL: nothing is added

// Rules that the grammar can't say; each reports at most one error.
void check_target(Parser *p, const Node *target);
void check_quotient(Parser *p, const char *op, const Node *reduction);

void report_too_deep(Parser *p, Span at);

// ---- broken.c

Node *broken_node(Parser *p, Span at);    // for a statement or an entry with an error
Node *lost_item(Parser *p, Span at);      // for an item with an error
Node *unless_broken(Parser *p, Node *x);  // x, if its text, besides its blocks, had no error
Node *settled_item(Parser *p, Node *x);   // the same of an item that was parsed
bool item_is_stray(const Parser *p);      // is it what a broken item left behind?

// ---- messages.c

// The tokens that the grammar allows where it found another one, by their codes.
enum { TOKEN_LIMIT = 320 };
typedef struct Expected {
    bool token[TOKEN_LIMIT];
} Expected;

bool on_one_line(const Sources *sources, Span a, Span b);

// Shows the opening bracket of an error at `at`.
void opened_here(Diag *d, const Sources *sources, Span at, const Token *opener);

// Reports the token at p->at, unless its statement is known to be broken already.
void report_unexpected(Parser *p, const Expected *expected);

#endif
