// Expressions: dispatch, operators, choices, members.
#include <math.h>
#include <string.h>

#include "sema/elab.h"

// ---- operands

// Under a live `...`, a bare tensor of the pack's shape is read at it; another needs indices.
static Exp *at_pack(Sema *s, Exp *e, const Node *n) {
    const Pack *pack = s->frame->live;
    Shape own = exp_shape(s, e), at = {.rank = pack->n};
    bool is_same = own.rank == pack->n;
    for (int i = 0; i < pack->n; i++) at.axis[i] = pack->axis[i];
    for (int i = 0; i < own.rank && is_same; i++)
        is_same = dim_equal(own.axis[i].dim, at.axis[i].dim);
    if (is_same) return exp_scalar(s, exp_at(s, e, &at));
    Diag *d = sema_error(s, n->span, "a tensor %s stands beside `...` %s without indices",
                         shape_text(s, &own), shape_text(s, &at));
    if (n->kind == NODE_name) diag_help(d, "write `%s[...]`, with its indices", n->name);
    return exp_error;
}

Exp *operand(Sema *s, Exp *e, const Node *n) {
    if (is_error(e)) return e;
    if (!is_scalar_like(e))
        return fail(s, n->span, "%s can't be computed with", exp_describe(s, e));
    const Pack *pack = s->frame->live;
    bool is_live = pack && pack->is_known;
    if (is_live && is_tensor(e) && exp_shape(s, e).rank > 0) return at_pack(s, e, n);
    return e;
}

// The scalars of operands at their common shape.
static bool common(Sema *s, Exp **e, const Node *const *n, int count, Span at, Shape *shape,
                   Scalar **out) {
    Span span[MAX_ARGS] = {{0}};
    for (int i = 0; i < count; i++) {
        e[i] = operand(s, e[i], n[i]);
        span[i] = n[i]->span;
    }
    for (int i = 0; i < count; i++)
        if (is_error(e[i])) return false;
    if (!broadcast(s, at, e, span, count, shape)) return false;
    for (int i = 0; i < count; i++) out[i] = exp_at(s, e[i], shape);
    return true;
}

// ---- operators on what is known

static Exp *number_arithmetic(Sema *s, const char *op, Number a, Number b, const Node *n) {
    switch (*op) {
        case '+': return exp_number(s, number_add(a, b));
        case '-': return exp_number(s, number_sub(a, b));
        case '*': return exp_number(s, number_mul(a, b));
        case '^': return exp_number(s, number_pow(a, b));
        case '/':
            if (number_value(b) == 0) return fail(s, n->span, "a division by 0");
            return exp_number(s, number_div(a, b));
        default: return NULL;
    }
}

static Exp *number_comparison(Sema *s, const char *op, Number a, Number b) {
    int c = number_compare(a, b);
    if (op[0] == '=') return exp_bool(s, c == 0);
    if (op[0] == '!') return exp_bool(s, c != 0);
    if (op[0] == '<') return exp_bool(s, op[1] ? c <= 0 : c < 0);
    if (op[0] == '>') return exp_bool(s, op[1] ? c >= 0 : c > 0);
    return NULL;
}

static bool is_comparison(const char *op) {
    return strchr("<>", *op) || !strcmp(op, "==") || !strcmp(op, "!=");
}

// n * batch with numbers: what stays a dimension.
static Exp *dim_arithmetic(Sema *s, const char *op, const Exp *a, const Exp *b) {
    if (a->kind == EXP_dim && b->kind == EXP_dim && a->dim.by == b->dim.by) {
        Number x = number_int(a->dim.n), y = number_int(b->dim.n);
        if (is_comparison(op)) return number_comparison(s, op, x, y);
        if (*op == '/') return exp_number(s, number_div(x, y));
        if (*op == '+') return exp_dim(s, (Dim){a->dim.n + b->dim.n, a->dim.by});
        return NULL;
    }
    const Exp *d = a->kind == EXP_dim ? a : b, *k = d == a ? b : a;
    if (k->kind != EXP_number || !number_is_int(k->number) || k->number.num < 1) return NULL;
    int64_t n;
    if (*op == '*' && !__builtin_mul_overflow(d->dim.n, k->number.num, &n))
        return exp_dim(s, (Dim){n, d->dim.by});
    if (*op == '/' && d == a && d->dim.n % k->number.num == 0)
        return exp_dim(s, (Dim){d->dim.n / k->number.num, d->dim.by});
    return NULL;
}

static bool is_same(const Exp *a, const Exp *b) {
    if (a->kind != b->kind) return false;
    if (a->kind == EXP_string) return a->string == b->string;
    if (a->kind == EXP_bool) return a->truth == b->truth;
    if (a->kind == EXP_callable) return a->callable.def == b->callable.def;
    if (a->kind == EXP_instance) return a->instance == b->instance;
    return a == b;
}

// Configuration may be compared with anything: `pad == "same"` where pad is 2.
static Exp *configuration_comparison(Sema *s, const char *op, const Exp *a, const Exp *b) {
    bool is_equality = !strcmp(op, "==") || !strcmp(op, "!=");
    bool is_value = a->kind == EXP_bool && b->kind == EXP_bool;
    if (!is_equality || (is_scalar_like(a) && is_scalar_like(b) && !is_value)) return NULL;
    return exp_bool(s, is_same(a, b) == (*op == '='));
}

static Exp *known_binary(Sema *s, const char *op, const Exp *a, const Exp *b, const Node *n) {
    if (a->kind == EXP_number && b->kind == EXP_number)
        return is_comparison(op) ? number_comparison(s, op, a->number, b->number)
                                 : number_arithmetic(s, op, a->number, b->number, n);
    bool are_sizes = (a->kind == EXP_dim || a->kind == EXP_number) &&
                     (b->kind == EXP_dim || b->kind == EXP_number);
    if (are_sizes) return dim_arithmetic(s, op, a, b);
    return is_comparison(op) ? configuration_comparison(s, op, a, b) : NULL;
}

// ---- operators on tensors

static Scalar *compare(Sema *s, const char *op, Scalar *a, Scalar *b) {
    bool is_order = op[0] == '<' || op[0] == '>';
    bool are_truths = a->elem == ELEM_bool && b->elem == ELEM_bool;
    if (!are_truths || is_order) as_numbers(s, &a, &b, false);
    if (op[0] == '=') return scalar_binary(s->m, OP_eq, a, b);
    if (op[0] == '!') return scalar_binary(s->m, OP_ne, a, b);
    if (op[0] == '>') return scalar_binary(s->m, op[1] ? OP_le : OP_lt, b, a);
    return scalar_binary(s->m, op[1] ? OP_le : OP_lt, a, b);
}

static Scalar *compute(Sema *s, const char *op, Scalar *a, Scalar *b) {
    as_numbers(s, &a, &b, *op == '/' || *op == '^');
    switch (*op) {
        case '+': return scalar_binary(s->m, OP_add, a, b);
        case '-': return scalar_binary(s->m, OP_sub, a, b);
        case '*': return scalar_binary(s->m, OP_mul, a, b);
        case '/': return scalar_binary(s->m, OP_div, a, b);
        default: return scalar_binary(s->m, OP_pow, a, b);
    }
}

Exp *arithmetic(Sema *s, const char *op, Exp *a, Exp *b, const Node *n) {
    if (is_error(a) || is_error(b)) return exp_error;
    Exp *known = known_binary(s, op, a, b, n);
    if (known) return known;
    Exp *e[] = {a, b};
    bool is_binary = n->kind == NODE_binary;
    const Node *at[] = {is_binary ? n->kid[0] : n, is_binary ? n->kid[1] : n};
    Shape shape;
    Scalar *x[2];
    if (!common(s, e, at, 2, is_binary ? n->name_span : n->span, &shape, x)) return exp_error;
    Scalar *body = is_comparison(op) ? compare(s, op, x[0], x[1]) : compute(s, op, x[0], x[1]);
    return exp_body(s, body, &shape);
}

Exp *pointwise(Sema *s, Op op, Exp *a, const Node *n) {
    Shape shape;
    Scalar *x;
    if (!common(s, &a, &n, 1, n->span, &shape, &x)) return exp_error;
    bool keeps_integers = op == OP_neg || op == OP_abs || op == OP_stop;
    x = keeps_integers ? to_number(s, x) : to_real(s, x);
    return exp_body(s, scalar_unary(s->m, op, x), &shape);
}

static bool is_truth(Sema *s, const Exp *e, const Node *n, const char *what) {
    if (is_error(e)) return false;
    if (is_scalar_like(e) && exp_elem(s, e) == ELEM_bool) return true;
    sema_error(s, n->span, "%s takes a truth value, and this is %s", what, exp_describe(s, e));
    return false;
}

static Exp *logic(Sema *s, const Node *n) {
    bool is_and = is_word(n->name, "and");
    const char *what = is_and ? "`and`" : "`or`";
    Exp *e[2] = {expr(s, n->kid[0]), NULL};
    if (!is_truth(s, e[0], n->kid[0], what)) return exp_error;
    if (e[0]->kind == EXP_bool) {
        if (e[0]->truth != is_and) return e[0];
        e[1] = expr(s, n->kid[1]);
        return is_truth(s, e[1], n->kid[1], what) ? e[1] : exp_error;
    }
    e[1] = expr(s, n->kid[1]);
    if (!is_truth(s, e[1], n->kid[1], what)) return exp_error;
    Shape shape;
    Scalar *x[2];
    const Node *at[] = {n->kid[0], n->kid[1]};
    if (!common(s, e, at, 2, n->name_span, &shape, x)) return exp_error;
    return exp_body(s, scalar_binary(s->m, is_and ? OP_and : OP_or, x[0], x[1]), &shape);
}

static Exp *binary(Sema *s, const Node *n) {
    if (is_word(n->name, "and") || is_word(n->name, "or")) return logic(s, n);
    Exp *a = expr(s, n->kid[0]), *b = expr(s, n->kid[1]);
    if (is_word(n->name, "@")) return matrix_product(s, a, b, n);
    return arithmetic(s, n->name, a, b, n);
}

static Exp *unary(Sema *s, const Node *n) {
    Exp *a = expr(s, n->kid[0]);
    if (is_error(a)) return a;
    if (!is_word(n->name, "not")) {
        if (a->kind == EXP_number) return exp_number(s, number_neg(a->number));
        return pointwise(s, OP_neg, a, n->kid[0]);
    }
    if (!is_truth(s, a, n->kid[0], "`not`")) return exp_error;
    if (a->kind == EXP_bool) return exp_bool(s, !a->truth);
    Shape shape;
    Scalar *x;
    const Node *at = n->kid[0];
    if (!common(s, &a, &at, 1, n->span, &shape, &x)) return exp_error;
    return exp_body(s, scalar_unary(s->m, OP_not, x), &shape);
}

// ---- choices

// One arm of a choice, where the condition is known to hold or to fail.
static Exp *arm(Sema *s, const Node *n, Scalar *condition, bool holds) {
    int n_known = s->known.n;
    if (condition) claims_of(s, condition, holds, &s->known);
    Exp *e = expr(s, n);
    s->known.n = n_known;
    return e;
}

// Arms that may not both make sense: layers, reads that only one value of the condition allows.
static bool has_structure(const Node *n) {
    if (!n) return false;
    if (n->kind == NODE_call || n->kind == NODE_pipe || n->kind == NODE_subscript) return true;
    for (int i = 0; i < n->n; i++)
        if (has_structure(n->kid[i])) return true;
    return false;
}

static Exp *choose(Sema *s, const Node *n) {
    Exp *c = operand(s, expr(s, n->kid[0]), n->kid[0]);
    bool is_structural = has_structure(n->kid[1]) || has_structure(n->kid[2]);
    if (is_error(c) && is_structural) return c;  // a recursion might not end
    if (is_tensor(c) && is_structural) fix_hypers(s, c);
    if (c->kind == EXP_bool) return expr(s, n->kid[c->truth ? 1 : 2]);
    bool is_condition = is_truth(s, c, n->kid[0], "`if`");
    Scalar *known = is_condition && exp_shape(s, c).rank == 0 ? exp_at(s, c, &(Shape){0}) : NULL;
    Exp *e[] = {c, arm(s, n->kid[1], known, true), arm(s, n->kid[2], known, false)};
    if (!is_condition || is_error(e[1]) || is_error(e[2])) return exp_error;
    if (!is_scalar_like(e[1]) || !is_scalar_like(e[2])) {
        fix_hypers(s, c);
        return fail(s, n->kid[0]->span, "what is chosen here must be known when compiled");
    }
    Shape shape;
    Scalar *x[3];
    const Node *at[] = {n->kid[0], n->kid[1], n->kid[2]};
    Shape arms[] = {exp_shape(s, e[1]), exp_shape(s, e[2])};
    if (arms[0].rank != arms[1].rank) fix_hypers(s, c);
    if (!common(s, e, at, 3, n->span, &shape, x)) return exp_error;
    if (x[1]->elem != x[2]->elem) as_numbers(s, &x[1], &x[2], false);
    return exp_body(s, scalar_select(s->m, x[0], x[1], x[2]), &shape);
}

// ---- lists, members

static bool add_item(Sema *s, const Node *n, Exp ***at, int *count) {
    int64_t from, to, extra = 1;
    bool is_range = n->kind == NODE_range;
    if (is_range) {
        if (!need_int(s, n->kid[0], &from) || !need_int(s, n->kid[1], &to)) return false;
        extra = to < from ? 0 : to - from + 1;
        if (extra > 1 << 20) return fail(s, n->span, "the range is too long"), false;
    }
    *at = arena_grow(s->arena, *at, sizeof **at * (size_t)*count,
                     sizeof **at * (size_t)(*count + extra));
    for (int64_t i = 0; i < extra; i++) {
        Exp *e = is_range ? exp_int(s, from + i) : exp_bind(s, expr(s, n), n->span, NULL);
        fix_hypers(s, e);
        if (is_error(e)) return false;
        (*at)[(*count)++] = e;
    }
    return true;
}

static Exp *list(Sema *s, const Node *n, ExpKind kind) {
    Exp **at = NULL;
    int count = 0;
    bool is_good = true;
    for (int i = 0; i < n->n; i++) is_good &= add_item(s, n->kid[i], &at, &count);
    return is_good ? exp_list(s, kind, count, at) : exp_error;
}

static Exp *tuple_member(Sema *s, Exp *e, const Node *n) {
    for (int i = 0; e->list.name && i < e->list.n; i++)
        if (e->list.name[i] == n->name) return e->list.at[i];
    Diag *d = sema_error(s, n->name_span, "there is no result `%s`", n->name);
    const char *best = e->list.name ? nearest(n->name, e->list.name, e->list.n) : NULL;
    if (best) diag_help(d, "did you mean `%s`?", best);
    return exp_error;
}

// valid.loss, or valid.NAME of a metric.
static Exp *valid_member(Sema *s, const Node *n) {
    bool is_known = is_word(n->name, "loss");
    if (has_broken(s->train)) return exp_error;
    for (int i = 0; i < s->spec->metrics.n; i++) is_known |= n->name == s->spec->metrics.at[i];
    if (is_known) return run_input(s, arena_printf(s->arena, "valid.%s", n->name), s->m->real);
    Diag *d = sema_error(s, n->name_span,
                         "validation gives no `%s`: there are the loss and the metrics", n->name);
    const char *best = nearest(n->name, s->spec->metrics.at, s->spec->metrics.n);
    if (best) diag_help(d, "did you mean `%s`?", best);
    return exp_error;
}

// head.w, where the layer that holds it has returned: in a train block, or inside of another.
static Exp *path_member(Sema *s, const Exp *prefix, const Node *n) {
    Exp *e = path_value(s, arena_printf(s->arena, "%s.%s", prefix->string, n->name));
    if (e) return e;
    return fail(s, n->name_span, "no parameter has the path `%s.%s`", prefix->string, n->name);
}

static Exp *member(Sema *s, const Node *n) {
    Exp *e = expr(s, n->kid[0]);
    switch (e->kind) {
        case EXP_error: return e;
        case EXP_instance: return instance_member(s, e->instance, n->name, n->name_span);
        case EXP_tuple: return tuple_member(s, e, n);
        case EXP_group:
            return is_word(e->string, "valid") ? valid_member(s, n) : generate_member(s, n);
        case EXP_path: return path_member(s, e, n);
        case EXP_rows: return whole_member(s, e, n);
        default: return fail(s, n->name_span, "%s has no member `%s`", exp_describe(s, e), n->name);
    }
}

// ---- dispatch

static Exp *number(Sema *s, const Node *n) {
    Number x = n->den ? number_ratio(n->num, n->den) : (Number){.real = n->number};
    x.real = n->number;
    return exp_number(s, x);
}

// Of several results the first goes on.
static Exp *pipe(Sema *s, const Node *n) {
    Exp *x = s->frame->is_indexed ? expr(s, n->kid[0]) : expr_plain(s, n->kid[0]);
    Exp *f = expr(s, n->kid[1]);
    if (is_error(x) || is_error(f)) return s->calls_lost = true, exp_error;
    if (x->kind == EXP_tuple && x->list.n) x = x->list.at[0];
    x = exp_bind(s, x, n->kid[0]->span, NULL);
    return apply_pipe(s, f, x, n->kid[0]->span, n->span, n->kid[1]->span);
}

Exp *expr(Sema *s, const Node *n) {
    switch (n->kind) {
        case NODE_name: return lookup(s, n);
        case NODE_number: return number(s, n);
        case NODE_string: return exp_string(s, n->text);
        case NODE_guarded:
            if (n->kid[0]->kind == NODE_subscript) return subscript(s, n->kid[0], n->kid[1]);
            return fail(s, n->kid[0]->span, "`else` here says what a read `x[...]` gives outside");
        case NODE_choose: return choose(s, n);
        case NODE_pipe: return pipe(s, n);
        case NODE_binary: return binary(s, n);
        case NODE_unary: return unary(s, n);
        case NODE_reduce: return reduce(s, n);
        case NODE_call: return call(s, n);
        case NODE_subscript: return subscript(s, n, NULL);
        case NODE_member: return member(s, n);
        case NODE_tuple: return list(s, n, EXP_tuple);
        case NODE_list: return list(s, n, EXP_list);
        case NODE_range: return fail(s, n->span, "a range stands in a list: `[1 .. 4]`");
        default: return fail(s, n->span, "this is no expression");
    }
}

static bool has_free_pack(const Node *n, bool into_calls) {
    if (!n) return false;
    if (n->kind == NODE_pack) return true;
    if (n->kind == NODE_call && !into_calls) return has_free_pack(n->kid[0], into_calls);
    if (n->kind == NODE_pipe && !into_calls) return has_free_pack(n->kid[1], into_calls);
    if (n->kind == NODE_reduce)
        for (int i = 0; i < n->kid[0]->n; i++)
            if (n->kid[0]->kid[i]->kind == NODE_pack) return false;
    for (int i = 0; i < n->n; i++)
        if (has_free_pack(n->kid[i], into_calls)) return true;
    return false;
}

// The free axes of a plain expression are kept, in front of its own.
static Exp *close_pack(Sema *s, Exp *e, const Pack *pack, Span at) {
    if (!pack->is_known || !pack->n || !is_tensor(e)) return e;
    Shape own = exp_axes(s, e), all = {.rank = pack->n + own.rank};
    if (all.rank > MAX_RANK)
        return fail(s, at, "a tensor with %d axes: the most is %d", all.rank, MAX_RANK);
    memcpy(all.axis, pack->axis, sizeof *all.axis * (size_t)pack->n);
    memcpy(all.axis + pack->n, own.axis, sizeof *all.axis * (size_t)own.rank);
    return exp_body(s, exp_at(s, e, &own), &all);
}

Exp *expr_plain(Sema *s, const Node *n) {
    Frame *f = s->frame;
    Pack pack = {0}, *live = f->live;
    bool is_indexed = f->is_indexed;
    f->live = &pack;
    f->is_indexed = false;
    if (has_free_pack(n, false)) infer_ranges(s, n);
    Exp *e = expr(s, n);
    f->live = live;
    f->is_indexed = is_indexed;
    return close_pack(s, e, &pack, n->span);
}
