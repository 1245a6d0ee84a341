#include "pass/regroup.h"

#include <stdlib.h>

#include "ir/build.h"
#include "pass/expand.h"

enum { MAX_PARTS = 12 };

typedef struct Part {
    Scalar *s;
    unsigned slots;
    bool is_divisor;
} Part;

typedef struct Product {
    Algebra *a;
    double coef;
    int n;
    Part part[MAX_PARTS];
} Product;

static bool collect(Product *p, Scalar *s, bool is_divisor) {
    switch (s->op) {
        case OP_mul: return collect(p, s->arg[0], is_divisor) && collect(p, s->arg[1], is_divisor);
        case OP_div: return collect(p, s->arg[0], is_divisor) && collect(p, s->arg[1], !is_divisor);
        case OP_neg: p->coef = -p->coef; return collect(p, s->arg[0], is_divisor);
        case OP_const:
            if (s->real == 0) return false;
            if (is_divisor)
                p->coef /= s->real;
            else
                p->coef *= s->real;
            return true;
        default:
            if (p->n == MAX_PARTS) return false;
            p->part[p->n++] = (Part){s, scalar_slots(p->a, s), is_divisor};
            return true;
    }
}

static int by_slots(const void *x, const void *y) {
    const Part *a = x, *b = y;
    int more = __builtin_popcount(a->slots) - __builtin_popcount(b->slots);
    if (more) return more;
    if (a->slots != b->slots) return a->slots < b->slots ? -1 : 1;
    return (a->s->id > b->s->id) - (a->s->id < b->s->id);
}

static Scalar *times(Module *m, Scalar *a, Scalar *b) {
    return !a ? b : !b ? a : ex_mul(m, a, b);
}

// The parts [from, to), which use the same slots, times what came before.
static Scalar *add_group(Product *p, int from, int to, Scalar *before) {
    Module *m = p->a->m;
    Scalar *up = NULL, *down = NULL;
    for (int i = from; i < to; i++) {
        Scalar **side = p->part[i].is_divisor ? &down : &up;
        *side = times(m, *side, p->part[i].s);
    }
    if (to == p->n) {
        up = times(m, before, up);
        if (down) up = ex_div(m, up ? up : ex_real(m, 1), down);
        return up;
    }
    if (down) up = ex_div(m, up ? up : ex_real(m, 1), down);
    return times(m, before, up);
}

static bool is_mixed(const Product *p) {
    for (int i = 1; i < p->n; i++)
        if (p->part[i].slots != p->part[0].slots) return true;
    return false;
}

Scalar *regroup_product(Algebra *a, Scalar *s) {
    Product p = {.a = a, .coef = 1};
    if ((s->op != OP_mul && s->op != OP_div) || !elem_is_real(s->elem)) return s;
    if (!collect(&p, s, false) || !p.n) return s;
    bool divides_by_number = s->op == OP_div && s->arg[1]->op == OP_const;
    if (!is_mixed(&p) && !divides_by_number) return s;
    qsort(p.part, (size_t)p.n, sizeof *p.part, by_slots);
    bool is_negative = p.coef < 0;
    double size = is_negative ? -p.coef : p.coef;
    Scalar *product = size == 1 ? NULL : ex_real(a->m, size);
    for (int from = 0, to; from < p.n; from = to) {
        for (to = from + 1; to < p.n && p.part[to].slots == p.part[from].slots;) to++;
        product = add_group(&p, from, to, product);
    }
    return is_negative ? ex_neg(a->m, product) : product;
}
