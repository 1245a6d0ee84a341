// What must be known when compiled: numbers, sizes; and the hypers that it fixes.
#include "sema/elab.h"

// Do all leaves below v belong to hypers? Those are gathered.
static bool only_hypers(Sema *s, Value *v, Map *seen, bool *found) {
    if (map_has(seen, v)) return true;
    map_set(seen, v, v);
    if (v->op == VAL_param || v->op == VAL_state) return false;
    if (v->op == VAL_input) {
        HyperInfo *h = find_hyper(s, v->leaf.name);
        if (h) *found = true;
        return h != NULL;
    }
    Values below = value_operands(v, s->arena);
    for (int i = 0; i < below.n; i++)
        if (!only_hypers(s, below.at[i], seen, found)) return false;
    return true;
}

bool fix_hypers(Sema *s, const Exp *e) {
    Map *seen = map_new(s->arena);
    bool found = false;
    if (e->kind == EXP_stored) {
        if (!only_hypers(s, e->stored.v, seen, &found)) return false;
    } else if (e->kind == EXP_body) {
        Reads reads = scalar_reads(e->body.body, s->arena);
        for (int i = 0; i < reads.n; i++)
            if (!only_hypers(s, reads.at[i]->read->v, seen, &found)) return false;
    }
    if (!found || !s->restart) return false;
    for (int i = 0; i < seen->n; i++) {
        Value *v = seen->value[i];
        if (v->op == VAL_input) find_hyper(s, v->leaf.name)->is_fixed = true;
    }
    longjmp(*s->restart, 1);
}

static bool exp_number_of(Sema *s, Exp *e, Span at, Number *out) {
    if (is_error(e)) return false;
    if (e->kind == EXP_number) {
        *out = e->number;
        return true;
    }
    if (is_tensor(e)) fix_hypers(s, e);
    if (is_tensor(e) || e->kind == EXP_dim)
        fail(s, at, "a number that is known when compiled is needed here");
    else
        fail(s, at, "a number is needed here, and this is %s", exp_describe(s, e));
    return false;
}

bool need_number(Sema *s, const Node *n, Number *out) {
    return exp_number_of(s, expr(s, n), n->span, out);
}

static const char *number_text(Sema *s, Number x) {
    if (x.den == 1) return arena_printf(s->arena, "%lld", (long long)x.num);
    if (x.den) return arena_printf(s->arena, "%lld/%lld", (long long)x.num, (long long)x.den);
    return arena_printf(s->arena, "%g", x.real);
}

static bool as_int(Sema *s, Number x, Span at, int64_t *out) {
    if (!number_is_int(x))
        return fail(s, at, "an integer is needed here, and this is %s", number_text(s, x)), false;
    *out = x.num;
    return true;
}

bool need_int(Sema *s, const Node *n, int64_t *out) {
    Number x;
    return need_number(s, n, &x) && as_int(s, x, n->span, out);
}

Name count_word(const Node *n) {
    if (n->kind == NODE_count) return n->name;
    bool is_call = n->kind == NODE_call && n->kid[0]->kind == NODE_name && n->kid[1]->n == 1;
    return is_call ? n->kid[0]->name : NULL;
}

bool need_count(Sema *s, const Node *n, Number *out) {
    if (n->kind == NODE_call) return need_number(s, n->kid[1]->kid[0], out);
    *out = n->den ? number_ratio(n->num, n->den) : number_real(n->number);
    return true;
}

bool need_dim(Sema *s, const Node *n, Dim *out) {
    Exp *e = expr(s, n);
    if (e->kind == EXP_dim) {
        *out = e->dim;
        return true;
    }
    Number x;
    if (!exp_number_of(s, e, n->span, &x)) return false;
    if (!number_is_int(x))
        return fail(s, n->span, "a size must be an integer, and this is %s", number_text(s, x)),
               false;
    if (x.num < 1 || x.num > INT32_MAX)
        return fail(s, n->span, "a size must be positive, and this is %s", number_text(s, x)),
               false;
    *out = dim_const(x.num);
    return true;
}
