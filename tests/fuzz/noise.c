#include "tests/fuzz/noise.h"

#include "ir/rewrite.h"

typedef struct Noise {
    unsigned traits;
    double epsilon;
    int trial;
} Noise;

// The places of an operation's draws: a number that its arguments decide, some 29 bits of each.
static Scalar *place_of(Module *m, const Scalar *s) {
    Scalar *place = scalar_int(m, 0);
    for (int i = 0; i < op_info[s->op].arity; i++) {
        Scalar *x = s->arg[i];
        if (!elem_is_real(x->elem)) x = scalar_unary(m, OP_to_real, x);
        x = scalar_binary(m, OP_mod, scalar_binary(m, OP_mul, x, scalar_real(m, 4099.37)),
                          scalar_real(m, 1));
        x = scalar_unary(m, OP_to_int, scalar_binary(m, OP_mul, x, scalar_real(m, 5e8)));
        place = scalar_binary(m, OP_add, place, x);
    }
    return place;
}

static Scalar *add_noise(void *context, Module *m, Scalar *s) {
    const Noise *x = context;
    if (!(op_info[s->op].traits & x->traits) || s->op == OP_mac || s->elem != m->real) return s;
    uint32_t site = 0xF0000000u + (uint32_t)x->trial * 256 + (uint32_t)s->op;
    Scalar *draw = scalar_rand(m, site, place_of(m, s));
    draw = scalar_binary(m, OP_mul, draw, scalar_real(m, 2 * x->epsilon));
    draw = scalar_binary(m, OP_add, draw, scalar_real(m, 1 - x->epsilon));
    return scalar_binary(m, OP_mul, s, draw);
}

static Value *noisy_value(void *context, Module *m, Value *v) {
    Noise *x = context;
    if (v->op == VAL_index) {
        Index index = v->index;
        index.body = scalar_rewrite(m, index.body, add_noise, x);
        return build_index(m, &index, v->span, v->hint);
    }
    if (v->op == VAL_accumulate) {
        Accumulate a = v->accumulate;
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
