// The syntax tree: one kind of node, built by the grammar's actions and nothing else.
//
// Every node has a kind, a span, perhaps a name or a number, and children. The comment
// behind a kind lists its name, number and children; `?` marks a child that may be NULL,
// `*` any number of them.
#ifndef NNC_SYNTAX_TREE_H
#define NNC_SYNTAX_TREE_H

#include "base/compiler.h"
#include "base/text.h"

#define NODE_KINDS(X)                                                                          \
    /* items */                                                                                \
    X(file)      /* item* */                                                                   \
    X(hyper)     /* name; expr, range? */                                                      \
    X(data)      /* name; entry or field* */                                                   \
    X(generate)  /* name; entry* */                                                            \
    X(train)     /* name of the model, text = name of the data; entry* */                      \
    X(layer)     /* name; params, params? (tensors), returns, body, gradient? */               \
    X(fn)        /* the same */                                                                \
    X(loss)      /* the same */                                                                \
    X(metric)    /* the same */                                                                \
    X(model)     /* name; params, returns, body */                                             \
    X(optimizer) /* name; params, param w, param g, expr? (at), block */                       \
    X(constant)  /* name; expr */                                                              \
    X(params)    /* param* */                                                                  \
    X(param)     /* name; type?, default? */                                                   \
    X(returns)   /* result*; no children where nothing is declared */                          \
    X(result)    /* name or NULL; type */                                                      \
    X(gradient)  /* params, body */                                                            \
    X(broken)    /* item, entry or statement with an error: text = its first word; name* that  \
                    it may define */                                                           \
    /* entries of data, train, generate */                                                     \
    X(entry)     /* name = its word; earg* ; then paths?, string? as the last two children */  \
    X(count)     /* earg `train 80%`: name, number */                                          \
    X(paths)     /* path* */                                                                   \
    X(field)     /* name; type, expr */                                                        \
    /* types */                                                                                \
    X(type)      /* name = element or NULL; count? (of class), dims? */                        \
    X(dims)      /* (expr or pack)* */                                                         \
    /* statements */                                                                           \
    X(block)     /* statement* */                                                              \
    X(param_def) /* `param a, b: type = e`: names, type, expr */                               \
    X(state_def) /* `state a, b: type = e`: names, type?, expr */                              \
    X(typed)     /* `a: type = e`: name; type, expr */                                         \
    X(assign)    /* targets, expr */                                                           \
    X(add_to)    /* target, expr */                                                            \
    X(return)    /* args */                                                                    \
    X(require)   /* condition, string */                                                       \
    X(for_in)    /* name; expr, block */                                                       \
    X(for_below) /* name; bound, block */                                                      \
    X(scan)      /* name; bound, carries, block */                                             \
    X(scan_over) /* name; expr, carries, block */                                              \
    X(if)        /* condition, block, block or if? */                                          \
    X(names)     /* name* */                                                                   \
    X(targets)   /* postfix* */                                                                \
    X(carries)   /* carry* */                                                                  \
    X(carry)     /* name; type?, expr */                                                       \
    /* expressions */                                                                          \
    X(name)      /* name */                                                                    \
    X(number)    /* number; text as written (20% is 0.2, exact in num/den) */                  \
    X(string)    /* text */                                                                    \
    X(guarded)   /* read, otherwise */                                                         \
    X(choose)    /* `if c then a else b`: c, a, b */                                           \
    X(pipe)      /* x, f */                                                                    \
    X(binary)    /* name = or and < > <= >= == != + - * / @ ^ ; a, b */                        \
    X(unary)     /* name = - not ; a */                                                        \
    X(reduce)    /* name = sum mean ...; binders, where?, expr */                              \
    X(binders)   /* (binder or pack)* */                                                       \
    X(binder)    /* name; bound? */                                                            \
    X(pack)      /* ... */                                                                     \
    X(call)      /* callee, args */                                                            \
    X(args)      /* (expr or named or range)* */                                               \
    X(named)     /* `name = e`: name; expr */                                                  \
    X(range)     /* `a .. b`: a, b */                                                          \
    X(subscript) /* base, subs */                                                              \
    X(subs)      /* (expr or pack or slice or tuple)* ; `i < n` is a binary */                 \
    X(slice)     /* `a:b`: a?, b? */                                                           \
    X(member)    /* `base.name`: name; base */                                                 \
    X(tuple)     /* `(a, b)`: expr, expr*; `(...)` in subs: pack */                            \
    X(list)      /* `[a, b]`: (expr or range)* */

typedef enum NodeKind {
#define X(kind) NODE_##kind,
    NODE_KINDS(X)
#undef X
    N_NODE_KIND
} NodeKind;

extern const char *const node_kind_name[N_NODE_KIND];

typedef struct Node Node;
struct Node {
    NodeKind kind;
    Span span;
    Span name_span;     // of the name alone, for carets
    Name name;
    Name text;          // strings, numbers as written
    double number;
    int64_t num, den;   // a number exactly, where it fits; den 0 where it does not
    int depth;          // of the tree from here down, 1 for a leaf; parse_file bounds it
    int n;
    Node **kid;
};

// The tree of a source (its number is `file`): errors are in c->diags, a `broken` node stands
// for what they were found in, and parsing goes on at the next statement, entry or item.
Node *parse_file(Compiler *c, int file);

// --emit=ast: an indented outline, one node a line, with lines and columns.
void print_tree(Text *out, const Node *tree, const Sources *sources);

// --emit=tokens: one token a line with its place.
void print_tokens(Text *out, Compiler *c, int file);

#endif
