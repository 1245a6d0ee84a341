#include "grammar/nn.y.h"
#include "syntax/parser.h"

Node *parse_file(Compiler *c, int file) {
    Parser p = {.c = c, .file = file, .at = -1};
    Span whole = {file, 0, source_of(c->sources, file)->length};
    if (tokens_read(c, file, &p.tokens)) nn_parse(&p);
    if (!p.tree || p.is_too_deep)
        p.tree = node(&p, NODE_file, whole, 1, leaf(&p, NODE_broken, whole));
    p.tree->span = whole;
    return p.tree;
}
