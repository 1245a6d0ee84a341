#include "tests/fuzz/outputs.h"

#include <math.h>
#include <string.h>

#include "ir/rewrite.h"

Outputs outputs_of(const Made *made, Module *m, Arena *a) {
    const Function *f = m == made->f->m ? made->f : module_function(m, made->f->name);
    Outputs x = {0};
    for (int i = 0; i < f->results.n; i++)
        vec_push(a, &x, ((Output){f->results.at[i].name, f->results.at[i].v, NULL, NULL}));
    for (int i = 0; i < f->updates.n; i++) {
        const Update *u = &f->updates.at[i];
        vec_push(a, &x, ((Output){u->target->leaf.name, u->v, u->target, NULL}));
    }
    return x;
}

static bool needs_gradient(Value *v, Map *seen, Arena *a) {
    if (v->op == VAL_grad) return true;
    if (map_has(seen, v)) return map_get(seen, v) != NULL;
    map_set(seen, v, NULL);
    Values operands = value_operands(v, a);
    for (int i = 0; i < operands.n; i++)
        if (needs_gradient(operands.at[i], seen, a)) {
            map_set(seen, v, v);
            return true;
        }
    return false;
}

void evaluate(Outputs *x, Eval *e, Arena *a) {
    Map *seen = map_new(a);
    for (int i = 0; i < x->n; i++)
        if (!needs_gradient(x->at[i].v, seen, a)) x->at[i].t = eval_value(e, x->at[i].v);
}

static bool same_bits(double x, double y) {
    if (isnan(x) || isnan(y)) return isnan(x) && isnan(y);
    return x == y && signbit(x) == signbit(y);
}

int64_t first_difference(const Tensor *a, const Tensor *b, double tolerance, int64_t from) {
    int64_t n = tensor_count(a);
    double largest = 0;
    for (int64_t i = 0; i < n && tolerance > 0; i++)
        if (isfinite(a->at[i])) largest = fmax(largest, fabs(a->at[i]));
    for (int64_t i = from; i < n; i++) {
        double x = a->at[i], y = b->at[i];
        if (tolerance > 0 ? x == y : same_bits(x, y)) continue;
        if (isnan(x) && isnan(y)) continue;
        double allowed = tolerance * (fmax(fabs(x), fabs(y)) + 0.1 * largest + 1e-2);
        if (tolerance > 0 && isfinite(x) && isfinite(y) && fabs(x - y) <= allowed) continue;
        return i;
    }
    return -1;
}
