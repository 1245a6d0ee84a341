// expand: writes exp, log, tanh and the like out as polynomials.
//
// Needs a module after `simplify`. Leaves no operation that may stand before `expand` only.
// Products are put in the order that lets `share` compute the most of them once.
#include "pass/expand.h"

#include "ir/build.h"
#include "ir/rewrite.h"
#include "pass/access.h"
#include "pass/algebra.h"
#include "pass/pass.h"
#include "pass/regroup.h"

Scalar *expand_op(Module *m, Op op, Scalar *x, Scalar *y) {
    switch (op) {
        case OP_exp: return expand_exp(m, x);
        case OP_log: return expand_log(m, x);
        case OP_log1p: return expand_log1p(m, x);
        case OP_tanh: return expand_tanh(m, x);
        case OP_sigmoid: return expand_sigmoid(m, x);
        case OP_erf: return expand_erf(m, x);
        case OP_sin: return expand_sin(m, x);
        case OP_cos: return expand_cos(m, x);
        case OP_pow: return expand_pow(m, x, y);
        default: return NULL;
    }
}

typedef struct Expand {
    Algebra *a;
    bool keeps_products;  // --fp=strict, and in contractions: products of reads
} Expand;

static Scalar *expand_scalar(void *context, Module *m, Scalar *s) {
    Expand *e = context;
    if (s->op == OP_stop) return s->arg[0];
    if (s->op == OP_mul || s->op == OP_div) return e->keeps_products ? s : regroup_product(e->a, s);
    Scalar *polynomial = expand_op(m, s->op, s->arg[0], s->arg[1]);
    return polynomial ? polynomial : s;
}

static Scalar *expand_all(Expand *e, Scalar *s) {
    return s ? scalar_rewrite(e->a->m, s, expand_scalar, e) : NULL;
}

static Value *expand_value(void *context, Module *m, Value *v) {
    Expand *e = context;
    if (v->op == VAL_index) {
        Index x = v->index;
        Guard *where = NEW_ARRAY(e->a->arena, Guard, x.n_where);
        for (int i = 0; i < x.n_where; i++) {
            where[i] = x.where[i];
            where[i].s = expand_all(e, where[i].s);
        }
        x.where = where;
        Expand body = *e;
        body.keeps_products |= is_contraction(v);
        x.body = expand_all(&body, x.body);
        return build_index(m, &x, v->span, v->hint);
    }
    if (v->op != VAL_accumulate) return v;
    Accumulate x = v->accumulate;
    x.body = expand_all(e, x.body);
    return build_accumulate(m, &x, &v->type, v->span, v->hint);
}

void pass_expand(Pass *p) {
    Arena *arena = arena_new();
    Expand e = {algebra_new(p->m, arena), p->c->opt.strict_fp};
    for (int i = 0; i < p->m->fns.n; i++) function_rewrite(p->m->fns.at[i], expand_value, &e);
    arena_free(arena);
}
