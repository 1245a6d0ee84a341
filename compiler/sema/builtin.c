// Functions that the compiler knows: scalar functions, draws, stop, grad.
#include <math.h>
#include <string.h>

#include "sema/elab.h"

typedef Exp *BuiltinFn(Sema *s, const Builtin *b, Exp **e, const Node *n);

struct Builtin {
    const char *name;
    int least, most;          // arguments
    Op op;                    // of the plain ones
    double (*known)(double);  // on numbers
    BuiltinFn *run;
    bool takes_whole;  // its argument is a whole expression, whose free `...` closes
};

// ---- one argument

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static Exp *run_unary(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    if (e[0]->kind != EXP_number) return pointwise(s, b->op, e[0], n->kid[0]);
    return exp_number(s, number_real(b->known(number_value(e[0]->number))));
}

static Exp *run_abs(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    if (e[0]->kind != EXP_number) return pointwise(s, b->op, e[0], n->kid[0]);
    Number x = e[0]->number;
    return exp_number(s, number_value(x) < 0 ? number_neg(x) : x);
}

// floor(i / k) of integers stays an integer, so that it may be an index.
static Exp *integer_quotient(Sema *s, Exp *e, const Node *n) {
    (void)n;
    Scalar *x = e->kind == EXP_body && e->body.rank == 0 ? e->body.body : NULL;
    if (!x || (x->op != OP_div && x->op != OP_mul)) return NULL;
    Scalar *a = x->arg[0], *k = x->arg[1];
    if (a->op != OP_to_real || k->op != OP_const) return NULL;
    double by = x->op == OP_div ? k->real : 1 / k->real;
    if (by != floor(by) || by < 1 || by > 1 << 30) return NULL;
    Scalar *i = to_int(s, a->arg[0]);
    return exp_scalar(s, scalar_binary(s->m, OP_idiv, i, scalar_int(s->m, (int64_t)by)));
}

static Exp *run_floor(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    (void)b;
    if (e[0]->kind == EXP_number) return exp_number(s, number_floor(e[0]->number));
    if (is_scalar_like(e[0]) && exp_elem(s, e[0]) == ELEM_i32) return e[0];
    Exp *quotient = integer_quotient(s, e[0], n->kid[0]);
    if (quotient) return quotient;
    // Integers: towards minus infinity.
    Exp *x = operand(s, e[0], n->kid[0]);
    if (is_error(x)) return x;
    Shape shape = exp_axes(s, x);
    return exp_body(s, to_int(s, exp_at(s, x, &shape)), &shape);
}

// ---- two and three arguments

static Exp *combine(Sema *s, Op op, Exp *a, Exp *b, const Node *na, const Node *nb, Span at) {
    Exp *e[] = {operand(s, a, na), operand(s, b, nb)};
    Span span[] = {na->span, nb->span};
    Shape shape;
    if (is_error(e[0]) || is_error(e[1])) return exp_error;
    if (!broadcast(s, at, e, span, 2, &shape)) return exp_error;
    Scalar *x = exp_at(s, e[0], &shape), *y = exp_at(s, e[1], &shape);
    as_numbers(s, &x, &y, false);
    return exp_body(s, scalar_binary(s->m, op, x, y), &shape);
}

static Exp *least_or_greatest(Sema *s, Op op, Exp *a, Exp *b, const Node *na, const Node *nb,
                              Span at) {
    if (a->kind == EXP_number && b->kind == EXP_number) {
        int c = number_compare(a->number, b->number);
        return (op == OP_min ? c < 0 : c > 0) ? a : b;
    }
    return combine(s, op, a, b, na, nb, at);
}

static Exp *run_pair(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    return least_or_greatest(s, b->op, e[0], e[1], n->kid[0], n->kid[1], n->span);
}

static Exp *run_mod(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    if (e[1]->kind == EXP_number && number_value(e[1]->number) == 0)
        return fail(s, n->span, "a division by 0: `mod` takes a number that is none");
    if (e[0]->kind != EXP_number || e[1]->kind != EXP_number)
        return combine(s, b->op, e[0], e[1], n->kid[0], n->kid[1], n->span);
    return exp_number(s, number_mod(e[0]->number, e[1]->number));
}

static Exp *run_clamp(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    (void)b;
    Exp *x = least_or_greatest(s, OP_max, e[0], e[1], n->kid[0], n->kid[1], n->span);
    if (is_error(x)) return x;
    return least_or_greatest(s, OP_min, x, e[2], n->kid[0], n->kid[2], n->span);
}

// ---- draws and gradients

static Exp *run_rand(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    (void)e;
    return exp_scalar(s, draw_here(s, b->name, n->span));
}

// floor(n * rand()), held below n where the product rounds up to it.
static Exp *run_randint(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    const int64_t MOST = 1 << 24;  // what a draw can tell apart
    fix_hypers(s, e[0]);
    if (e[0]->kind != EXP_number || !number_is_int(e[0]->number))
        return fail(s, n->kid[0]->span, "`randint` takes a whole number known when compiled");
    int64_t below = e[0]->number.num;
    if (below < 1 || below > MOST)
        return fail(s, n->kid[0]->span, "`randint` takes a number from 1 to %lld", (long long)MOST);
    Scalar *x = scalar_binary(s->m, OP_mul, draw_here(s, b->name, n->span),
                              scalar_real(s->m, (double)below));
    x = scalar_unary(s->m, OP_to_int, x);
    return exp_scalar(s, scalar_binary(s->m, OP_min, x, scalar_int(s->m, below - 1)));
}

static Exp *run_stop(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    (void)b;
    if (!is_tensor(e[0]) || exp_elem(s, e[0]) == ELEM_bool) return e[0];
    return pointwise(s, OP_stop, e[0], n->kid[0]);
}

static Exp *run_grad(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    (void)b;
    if (s->entry && s->entry->is_of_sums)
        return fail(s, n->span, "with `accumulate`, gradients are sums, which have no derivative");
    if (!is_scalar_like(e[0])) return fail(s, n->kid[0]->span, "`grad` takes a scalar");
    Exp *of = exp_store(s, e[0], n->kid[0]->span, NULL), *wrt = e[1];
    if (is_error(of)) return of;
    if (of->kind != EXP_stored || !elem_is_real(exp_elem(s, of)))
        return fail(s, n->kid[0]->span, "`grad` takes a real scalar, and this is %s",
                    exp_describe(s, of));
    if (exp_shape(s, of).rank) {
        Diag *d = sema_error(s, n->kid[0]->span, "`grad` takes a real scalar, and this is %s",
                             exp_describe(s, of));
        diag_help(d, "the derivative of each element is `j[i, k] = grad(y[i], w)[k]`");
        return exp_error;
    }
    if (wrt->kind != EXP_stored || !elem_is_real(exp_elem(s, wrt)))
        return fail(s, n->kid[1]->span, "`grad` is by a tensor with a name, and this is %s",
                    exp_describe(s, wrt));
    if (wrt->stored.n_outer)
        return fail(s, n->kid[1]->span, "`grad` is by a whole tensor, and this is one at an index");
    if (of->stored.v->type.rank + wrt->stored.v->type.rank > MAX_RANK)
        return fail(s, n->span, "a tensor with more than %d axes", MAX_RANK);
    Exp *by = exp_stored(s, build_grad(s->m, of->stored.v, wrt->stored.v, n->span));
    by->stored.n_outer = of->stored.n_outer;
    by->stored.outer = of->stored.outer;
    return by;
}

static Exp *run_len(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    (void)b;
    if (e[0]->kind == EXP_list) return exp_int(s, e[0]->list.n);
    return fail(s, n->kid[0]->span, "`len` takes a list, and this is %s", exp_describe(s, e[0]));
}

// The number of elements, which may depend on the batch.
static Exp *run_count(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    (void)b;
    if (!is_scalar_like(e[0]))
        return fail(s, n->kid[0]->span, "`count` takes a tensor, and this is %s",
                    exp_describe(s, e[0]));
    Shape shape = exp_shape(s, e[0]);
    Dim all = dim_const(1);
    for (int i = 0; i < shape.rank; i++) {
        Dim d = shape.axis[i].dim;
        if (all.by && d.by)
            return fail(s, n->span, "a count by two sizes that are known at run time only");
        all = (Dim){all.n * d.n, d.by ? d.by : all.by};
    }
    return all.by ? exp_dim(s, all) : exp_int(s, all.n);
}

static Exp *run_total(Sema *s, const Builtin *b, Exp **e, const Node *n) {
    (void)b;
    return total(s, e[0], n->span);
}

// ---- the table

static const Builtin builtins[] = {
    {"exp", 1, 1, OP_exp, exp, run_unary},
    {"log", 1, 1, OP_log, log, run_unary},
    {"log1p", 1, 1, OP_log1p, log1p, run_unary},
    {"tanh", 1, 1, OP_tanh, tanh, run_unary},
    {"sigmoid", 1, 1, OP_sigmoid, sigmoid, run_unary},
    {"erf", 1, 1, OP_erf, erf, run_unary},
    {"sin", 1, 1, OP_sin, sin, run_unary},
    {"cos", 1, 1, OP_cos, cos, run_unary},
    {"sqrt", 1, 1, OP_sqrt, sqrt, run_unary},
    {"round", 1, 1, OP_round, nearbyint, run_unary},
    {"abs", 1, 1, OP_abs, NULL, run_abs},
    {"floor", 1, 1, OP_floor, NULL, run_floor},
    {"min", 2, 2, OP_min, NULL, run_pair},
    {"max", 2, 2, OP_max, NULL, run_pair},
    {"mod", 2, 2, OP_mod, NULL, run_mod},
    {"clamp", 3, 3, OP_max, NULL, run_clamp},
    {"rand", 0, 0, OP_rand, NULL, run_rand},
    {"randint", 1, 1, OP_rand, NULL, run_randint},
    {"stop", 1, 1, OP_stop, NULL, run_stop},
    {"grad", 2, 2, OP_const, NULL, run_grad},
    {"len", 1, 1, OP_const, NULL, run_len},
    {"count", 1, 1, OP_const, NULL, run_count},
    {"total", 1, 1, OP_const, NULL, run_total, true},
};

enum { N_BUILTIN = sizeof builtins / sizeof *builtins };

const char *builtin_name(int i) {
    return i < N_BUILTIN ? builtins[i].name : NULL;
}

const Builtin *find_builtin(Name id) {
    for (int i = 0; i < N_BUILTIN; i++)
        if (is_word(id, builtins[i].name)) return &builtins[i];
    return NULL;
}

static bool check_count(Sema *s, const Builtin *b, int n, Span at) {
    if (n >= b->least && n <= b->most) return true;
    Diag *d = sema_error(s, at, "`%s` takes %d argument%s, and here %s %d", b->name, b->least,
                         b->least == 1 ? "" : "s", n == 1 ? "is" : "are", n);
    if ((is_word(b->name, "max") || is_word(b->name, "min")) && n == 1)
        diag_help(d, "the reduction has its indices in brackets: `%s[i] x[i]`", b->name);
    return false;
}

Exp *call_builtin(Sema *s, const Builtin *b, const Node *call) {
    const Node *args = call->kid[1];
    Exp *e[MAX_ARGS];
    if (!check_count(s, b, args->n, call->span)) return exp_error;
    bool is_good = true;
    for (int i = 0; i < args->n; i++) {
        if (args->kid[i]->kind == NODE_named) {
            fail(s, args->kid[i]->span, "`%s` takes its arguments by place", b->name);
            return exp_error;
        }
        bool is_whole = b->takes_whole && !s->frame->is_indexed;
        e[i] = is_whole ? expr_plain(s, args->kid[i]) : expr(s, args->kid[i]);
        is_good &= !is_error(e[i]);
    }
    Node at = *args;  // errors about the whole are about the call
    at.span = call->span;
    return is_good ? b->run(s, b, e, &at) : exp_error;
}

// In a pipe, or where the function was passed as an argument.
Exp *apply_builtin(Sema *s, const Builtin *b, Args args, Span span) {
    Exp *e[MAX_ARGS];
    if (!check_count(s, b, args.n, span)) return exp_error;
    Node *at = NEW(s->arena, Node);
    at->kind = NODE_args;
    at->span = span;
    at->n = args.n;
    at->kid = NEW_ARRAY(s->arena, Node *, args.n + 1);
    for (int i = 0; i < args.n; i++) {
        e[i] = args.at[i].e;
        at->kid[i] = NEW(s->arena, Node);
        at->kid[i]->kind = NODE_args;
        at->kid[i]->span = args.at[i].value_span;
    }
    return b->run(s, b, e, at);
}
