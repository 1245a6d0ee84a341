// fma: products that feed a sum become fused multiply-adds, rounded once.
//
// Needs a module after `expand`. Leaves no add or sub of a product, and mac at the root of
// every sum of products. Where both sides of a sum are products, the first one is fused:
// a * b + c * d is fma(a, b, c * d). Under --fp=strict nothing is formed.
#include "ir/build.h"
#include "ir/rewrite.h"
#include "pass/pass.h"

static Scalar *fma_of(Module *m, Scalar *a, Scalar *b, Scalar *c) {
    return scalar_op(m, OP_fma, a, b, c);
}

static Scalar *fuse_add(Module *m, Scalar *s) {
    Scalar *a = s->arg[0], *b = s->arg[1];
    if (a->op == OP_mul) return fma_of(m, a->arg[0], a->arg[1], b);
    if (b->op == OP_mul) return fma_of(m, b->arg[0], b->arg[1], a);
    return s;
}

static Scalar *fuse_sub(Module *m, Scalar *s) {
    Scalar *a = s->arg[0], *b = s->arg[1];
    if (a->op == OP_mul) return fma_of(m, a->arg[0], a->arg[1], scalar_unary(m, OP_neg, b));
    if (b->op == OP_mul) return fma_of(m, scalar_unary(m, OP_neg, b->arg[0]), b->arg[1], a);
    return s;
}

static Scalar *fuse_scalar(void *context, Module *m, Scalar *s) {
    (void)context;
    if (!elem_is_real(s->elem)) return s;
    if (s->op == OP_add) return fuse_add(m, s);
    if (s->op == OP_sub) return fuse_sub(m, s);
    return s;
}

static Guard *fuse_guards(Module *m, Arena *arena, const Guard *guard, int n) {
    Guard *out = NEW_ARRAY(arena, Guard, n);
    for (int i = 0; i < n; i++) {
        out[i] = guard[i];
        if (out[i].s) out[i].s = scalar_rewrite(m, out[i].s, fuse_scalar, NULL);
    }
    return out;
}

static Value *fuse_index(Module *m, Arena *arena, Value *v) {
    Index x = v->index;
    x.where = fuse_guards(m, arena, x.where, x.n_where);
    x.body = scalar_rewrite(m, x.body, fuse_scalar, NULL);
    if (x.red == RED_sum && x.body->op == OP_mul && elem_is_real(x.body->elem))
        x.body = scalar_binary(m, OP_mac, x.body->arg[0], x.body->arg[1]);
    return build_index(m, &x, v->span, v->hint);
}

static Value *fuse_value(void *context, Module *m, Value *v) {
    if (v->op == VAL_index) return fuse_index(m, context, v);
    if (v->op != VAL_accumulate) return v;
    Accumulate a = v->accumulate;
    a.where = fuse_guards(m, context, a.where, a.n_where);
    a.body = scalar_rewrite(m, a.body, fuse_scalar, NULL);
    return build_accumulate(m, &a, &v->type, v->span, v->hint);
}

void pass_fma(Pass *p) {
    if (p->c->opt.strict_fp) return;
    Arena *arena = arena_new();
    for (int i = 0; i < p->m->fns.n; i++) function_rewrite(p->m->fns.at[i], fuse_value, arena);
    arena_free(arena);
}
