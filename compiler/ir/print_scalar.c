// The textual form of scalars, types and what reads are made of.
#include <ctype.h>
#include <string.h>

#include "base/die.h"
#include "ir/printer.h"
#include "ir/rewrite.h"

// ---- names, types

// What the reader takes for something else than a name.
static const char *const reserved[] = {
    "module", "frozen",     "extent",  "param", "state",  "function", "result", "update",
    "index",  "accumulate", "reshape", "join",  "grad",   "wrt",  "carry", "scan", "reverse", "tap", "part", "of",       "axis",   "fill",
    "at",     "step",       "from",    "to",    "let",    "where",    "if",     "then",
    "else",   "or",         "and",     "not",   "rand",   "true",     "false",  "inf",
    "nan",    "bool",       "u8",      "i32",   "f32",    "f64",      "sum",    "prod",
    "max",    "min",        "any",     "all",   "argmax", "argmin",
    "own",    "cotangent"};

static bool is_reserved(const char *s) {
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (!strcmp(s, reserved[i])) return true;
    return false;
}

static bool is_word(const char *s) {
    if (!isalpha((unsigned char)*s) && *s != '_') return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_.#", *s)) return false;
    return true;
}

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), n_end = strlen(end);
    return n >= n_end && !strcmp(s + n - n_end, end);
}

static bool is_reduction(const char *s) {  // sum.seq
    return ends_with(s, ".seq") || ends_with(s, ".lanes16") || ends_with(s, ".blocks");
}

static void put_quoted(Printer *p, const char *text) {
    text_add(p->out, "\"");
    for (const char *s = text; *s; s++) {
        if ((unsigned char)*s < ' ' || *s == '"' || *s == '\\')
            text_printf(p->out, "\\%02x", (unsigned char)*s);
        else
            text_add_n(p->out, s, 1);
    }
    text_add(p->out, "\"");
}

void put_name(Printer *p, const char *text) {
    if (is_word(text) && !is_reserved(text) && !is_reduction(text))
        text_add(p->out, text);
    else
        put_quoted(p, text);
}

// Behind a % no word is reserved.
static void put_leaf_name(Printer *p, const char *text) {
    if (is_word(text))
        text_add(p->out, text);
    else
        put_quoted(p, text);
}

void put_slot(Printer *p, int slot) {
    if (p->var_name) return text_add(p->out, p->var_name[slot]);
    int r = slot - p->np;
    if (slot < p->np) {
        if (slot < 8)
            text_printf(p->out, "%c", "ijklmnop"[slot]);
        else
            text_printf(p->out, "p%d", slot);
    } else {
        if (r < 8)
            text_printf(p->out, "%c", "abcdefgh"[r]);
        else
            text_printf(p->out, "h%d", r);
    }
}

void put_dim(Printer *p, Dim d) {
    if (!d.by) return text_printf(p->out, "%lld", (long long)d.n);
    if (d.n != 1) text_printf(p->out, "%lld*", (long long)d.n);
    put_name(p, d.by->name);
}

void put_type(Printer *p, const Type *t) {
    text_add(p->out, elem_name[t->elem]);
    if (t->below) text_printf(p->out, "<%lld>", (long long)t->below);
    text_add(p->out, "[");
    for (int i = 0; i < t->rank; i++) {
        if (i) text_add(p->out, ", ");
        put_dim(p, t->dim[i]);
    }
    text_add(p->out, "]");
}

static bool has_leaf(Value *const *at, int n, Name leaf) {
    for (int i = 0; i < n; i++)
        if (at[i]->leaf.name == leaf) return true;
    return false;
}

// A plain name is the input, else the param, else the state of that name.
static bool is_hidden(const Printer *p, const Value *v) {
    if (v->op == VAL_input || !p->m) return false;
    Name leaf = v->leaf.name;
    if (p->fn && has_leaf(p->fn->inputs.at, p->fn->inputs.n, leaf)) return true;
    return v->op == VAL_state && has_leaf(p->m->params.at, p->m->params.n, leaf);
}

void put_value_ref(Printer *p, const Value *v) {
    text_add(p->out, "%");
    if (v->op <= VAL_state) {
        if (is_hidden(p, v)) text_printf(p->out, "%s:", value_op_name[v->op]);
        return put_leaf_name(p, v->leaf.name);
    }
    int number = p->number ? (int)(intptr_t)map_get(p->number, v) - 1 : v->id;
    text_printf(p->out, "%d", number);
    if (v->hint && is_word(v->hint)) text_printf(p->out, ".%s", v->hint);
}

void put_span(Printer *p, Span span) {
    int line, column;
    if (!p->has_spans || !p->m || !span.file) return;
    source_line(p->m->c->sources, span.file, span.begin, &line, &column);
    const Source *source = source_of(p->m->c->sources, span.file);
    text_add(p->out, "  @");
    if (source->is_library) text_printf(p->out, "%s:", source->path);
    text_printf(p->out, "%d:%d", line, column);
}

// ---- affine forms, guards, subscripts

void put_affine(Printer *p, Affine a) {
    for (int i = 0; i < a.n; i++) {
        int64_t c = a.t[i].c;
        if (c < 0)
            text_add(p->out, i ? " - " : "-");
        else if (i)
            text_add(p->out, " + ");
        if (c != 1 && c != -1) text_printf(p->out, "%llu*", (unsigned long long)(c < 0 ? -c : c));
        put_slot(p, a.t[i].slot);
    }
    if (!a.n) return text_printf(p->out, "%lld", (long long)a.k);
    if (a.k)
        text_printf(p->out, a.k < 0 ? " - %lld" : " + %lld", (long long)(a.k < 0 ? -a.k : a.k));
}

static void put_braced(Printer *p, const Scalar *s) {
    text_add(p->out, "{");
    put_scalar(p, s);
    text_add(p->out, "}");
}

static bool is_nothing(Affine a) {
    return !a.n && !a.k;
}

void put_guards(Printer *p, const Guard *guard, int n) {
    for (int i = 0; i < n; i++) {
        const Guard *g = &guard[i];
        if (i) text_add(p->out, ", ");
        if (!g->s || !is_nothing(g->e)) put_affine(p, g->e);
        if (g->s && !is_nothing(g->e)) text_add(p->out, " + ");
        if (g->s) put_braced(p, g->s);
        if (g->mod)
            text_printf(p->out, " == 0 mod %lld", (long long)g->mod);
        else
            text_add(p->out, " >= 0");
    }
}

static void put_subscript(Printer *p, const Subscript *s) {
    bool has_affine = !s->gather || !is_nothing(s->a);
    if (has_affine && s->div > 1) text_add(p->out, "(");
    if (has_affine) put_affine(p, s->a);
    if (has_affine && s->div > 1) text_printf(p->out, ") / %lld", (long long)s->div);
    if (has_affine && s->gather) text_add(p->out, " + ");
    if (s->gather) put_braced(p, s->gather);
}

void put_subscripts(Printer *p, const Subscript *s, int n) {
    text_add(p->out, "[");
    for (int i = 0; i < n; i++) {
        if (i) text_add(p->out, ", ");
        put_subscript(p, &s[i]);
    }
    text_add(p->out, "]");
}

void put_buffer_name(Printer *p, const Buffer *b) {
    text_add(p->out, b->name);
    if (p->twin && map_has(p->twin, b)) text_printf(p->out, "'%d", b->id);
}

void put_access(Printer *p, const Access *access) {
    put_buffer_name(p, access->buffer);
    text_add(p->out, "[");
    put_affine(p, access->at);
    for (int i = 0; i < access->n_dyn; i++) {
        text_printf(p->out, " + %lld*", (long long)access->dyn[i].c);
        put_braced(p, access->dyn[i].s);
    }
    text_add(p->out, "]");
}

// ---- scalars

enum Precedence {
    P_choose = 1,
    P_or,
    P_and,
    P_not,
    P_compare,
    P_sum,
    P_product,
    P_sign,
    P_primary
};

typedef struct Notation {
    Op op;
    const char *sign;
    int own, left, right;
} Notation;

static const Notation notation[] = {
    {OP_or, " or ", P_or, P_or, P_and},
    {OP_and, " and ", P_and, P_and, P_not},
    {OP_lt, " < ", P_compare, P_sum, P_sum},
    {OP_le, " <= ", P_compare, P_sum, P_sum},
    {OP_eq, " == ", P_compare, P_sum, P_sum},
    {OP_ne, " != ", P_compare, P_sum, P_sum},
    {OP_add, " + ", P_sum, P_sum, P_product},
    {OP_sub, " - ", P_sum, P_sum, P_product},
    {OP_mul, " * ", P_product, P_product, P_sign},
    {OP_div, " / ", P_product, P_product, P_sign},
    {OP_not, "not ", P_not, 0, P_not},
    {OP_neg, "-", P_sign, 0, P_sign},
    {OP_select, NULL, P_choose, P_or, P_choose},
};

static const Notation *notation_of(Op op) {
    for (size_t i = 0; i < sizeof notation / sizeof *notation; i++)
        if (notation[i].op == op) return &notation[i];
    return NULL;
}

static void put(Printer *p, const Scalar *s, int at_least);

static void put_const(Printer *p, const Scalar *s) {
    if (elem_is_real(s->elem))
        text_real(p->out, s->real);
    else if (s->elem == ELEM_bool)
        text_add(p->out, s->integer ? "true" : "false");
    else
        text_printf(p->out, "%lld%s", (long long)s->integer, s->elem == ELEM_u8 ? "u8" : "");
}

static void put_guarded(Printer *p, const Guard *guard, int n, const Scalar *otherwise) {
    if (!n) return;
    text_add(p->out, " if ");
    put_guards(p, guard, n);
    text_add(p->out, " else ");
    put(p, otherwise, P_choose);
    text_add(p->out, ")");
}

static void put_call(Printer *p, const Scalar *s) {
    text_printf(p->out, "%s(", op_info[s->op].name);
    if (s->op == OP_rand) text_printf(p->out, "%u, ", (unsigned)s->site);
    for (int i = 0; i < op_info[s->op].arity; i++) {
        if (i) text_add(p->out, ", ");
        put(p, s->arg[i], P_choose);
    }
    text_add(p->out, ")");
}

static void put_primary(Printer *p, const Scalar *s) {
    switch (s->op) {
        case OP_const: return put_const(p, s);
        case OP_iv: return put_slot(p, s->slot);
        case OP_temp: return text_printf(p->out, "%s.%d", s->temp->name, s->temp->id);
        case OP_read:
            if (s->read->n_guard) text_add(p->out, "(");
            put_value_ref(p, s->read->v);
            put_subscripts(p, s->read->sub, s->read->v->type.rank);
            return put_guarded(p, s->read->guard, s->read->n_guard, s->read->otherwise);
        case OP_load:
            if (s->load->n_guard) text_add(p->out, "(");
            put_access(p, &s->load->access);
            return put_guarded(p, s->load->guard, s->load->n_guard, s->load->otherwise);
        default: put_call(p, s);
    }
}

static void put_infix(Printer *p, const Scalar *s, const Notation *n) {
    if (s->op == OP_select) {
        text_add(p->out, "if ");
        put(p, s->arg[0], P_or);
        text_add(p->out, " then ");
        put(p, s->arg[1], P_or);
        text_add(p->out, " else ");
        put(p, s->arg[2], P_choose);
    } else if (n->left) {
        put(p, s->arg[0], n->left);
        text_add(p->out, n->sign);
        put(p, s->arg[1], n->right);
    } else {
        text_add(p->out, n->sign);
        put(p, s->arg[0], n->right);
    }
}

static int let_number(const Printer *p, const Scalar *s) {
    return p->let ? (int)(intptr_t)map_get(p->let, s) : 0;
}

static void put_unnamed(Printer *p, const Scalar *s, int at_least) {
    const Notation *n = notation_of(s->op);
    if (!n) return put_primary(p, s);
    bool wrap = n->own < at_least;
    if (wrap) text_add(p->out, "(");
    put_infix(p, s, n);
    if (wrap) text_add(p->out, ")");
}

static void put(Printer *p, const Scalar *s, int at_least) {
    int let = let_number(p, s);
    if (let)
        text_printf(p->out, "t%d", let - 1);
    else
        put_unnamed(p, s, at_least);
}

void put_scalar(Printer *p, const Scalar *s) {
    put(p, s, P_choose);
}

// ---- shared parts

enum { LET_SIZE = 4 };  // what is smaller is repeated

typedef struct Sharing {
    Arena *scratch;
    Map *uses;  // Scalar * to how often it stands in the text
    Map *size;  // Scalar * to how much it adds there
    VEC(const Scalar *) order;
    Map *let;
    int64_t below;  // sizes of what was visited below the current scalar
} Sharing;

static intptr_t number_of(const Map *m, const Scalar *s) {
    return (intptr_t)map_get(m, s);
}

static void count_uses(void *context, Scalar *s) {
    Sharing *h = context;
    intptr_t n = number_of(h->uses, s);
    map_set(h->uses, s, (void *)(n + 1));
    if (n) return;
    scalar_each_below(s, count_uses, h);
    vec_push(h->scratch, &h->order, s);
}

static void add_size(void *context, Scalar *s) {
    Sharing *h = context;
    h->below += map_has(h->let, s) ? 1 : number_of(h->size, s);
}

static void find_lets(Sharing *h) {
    for (int i = 0; i < h->order.n; i++) {
        const Scalar *s = h->order.at[i];
        h->below = 1 + (s->op == OP_read || s->op == OP_load);
        scalar_each_below(s, add_size, h);
        map_set(h->size, s, (void *)(intptr_t)h->below);
        if (number_of(h->uses, s) > 1 && h->below >= LET_SIZE)
            map_set(h->let, s, (void *)(intptr_t)(h->let->n + 1));
    }
}

const Map *put_lets(Printer *p, const Scalar *const *root, int n, Arena *scratch) {
    Sharing h = {.scratch = scratch,
                 .uses = map_new(scratch),
                 .size = map_new(scratch),
                 .let = map_new(scratch)};
    for (int i = 0; i < n; i++) count_uses(&h, (Scalar *)root[i]);
    find_lets(&h);
    p->let = h.let;
    for (int i = 0; i < h.let->n; i++) {
        const Scalar *s = (const Scalar *)(uintptr_t)h.let->key[i];
        text_printf(p->out, "%s let t%d = ", p->let_line, i);
        put_unnamed(p, s, P_choose);
        text_add(p->out, ";");
    }
    if (h.let->n) text_add(p->out, p->let_line);
    return h.let;
}
