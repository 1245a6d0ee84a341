#include "tests/fuzz/noise.h"

#include "ir/rewrite.h"

typedef struct Noise {
    unsigned traits;
    double epsilon;
    int trial;
    const Dim *extent;  // of the box under way
    int n;
} Noise;

static Scalar *place_of(Module *m, const Noise *x) {
    Affine place = affine_const(0);
    for (int i = 0; i < x->n; i++) {
        place = affine_scale(m, place, dim_max(x->extent[i]));
        place = affine_add(m, place, affine_slot(m, i));
    }
    return scalar_affine(m, place);
}

static Scalar *add_noise(void *context, Module *m, Scalar *s) {
    const Noise *x = context;
    if (!(op_info[s->op].traits & x->traits) || s->op == OP_mac || s->elem != m->real) return s;
    uint32_t site = 0xF0000000u + (uint32_t)x->trial * 65536 + (uint32_t)s->id % 65536;
    Scalar *draw = scalar_rand(m, site, place_of(m, x));
    draw = scalar_binary(m, OP_mul, draw, scalar_real(m, 2 * x->epsilon));
    draw = scalar_binary(m, OP_add, draw, scalar_real(m, 1 - x->epsilon));
    return scalar_binary(m, OP_mul, s, draw);
}

static Value *noisy_value(void *context, Module *m, Value *v) {
    Noise *x = context;
    if (v->op == VAL_index) {
        Index index = v->index;
        x->extent = index.extent;
        x->n = index.np + index.nr;
        index.body = scalar_rewrite(m, index.body, add_noise, x);
        return build_index(m, &index, v->span, v->hint);
    }
    if (v->op == VAL_accumulate) {
        Accumulate a = v->accumulate;
        x->extent = a.extent;
        x->n = a.n;
        a.body = scalar_rewrite(m, a.body, add_noise, x);
        return build_accumulate(m, &a, &v->type, v->span, v->hint);
    }
    return v;
}

Value *with_noise(Module *m, Value *v, unsigned traits, double epsilon, int trial) {
    Function f = {.name = name(m->c->names, "noise"), .m = m};
    function_result(&f, "noise", v);
    Noise x = {.traits = traits, .epsilon = epsilon, .trial = trial};
    function_rewrite(&f, noisy_value, &x);
    return f.results.at[0].v;
}
