#include "tests/agree/excuse.h"

#include <math.h>

#include "tests/fuzz/noise.h"

enum { TRIALS = 8, FACTOR = 8 };

struct Excuse {
    Subject *s;
    const Call *call;
    int output;
    int n_trial;
    double *moved;  // how far each element was moved in the trials made
    Arena *a;
};

Excuse *excuse_new(Subject *s, const Call *call, int output, Arena *a) {
    Excuse *x = NEW(a, Excuse);
    *x = (Excuse){.s = s, .call = call, .output = output, .a = a};
    x->moved = NEW_ARRAY(a, double, tensor_count(call->wide[output]));
    return x;
}

static void make_trial(Excuse *x) {
    const Call *call = x->call;
    const Tensor *wide = call->wide[x->output];
    double unit = x->s->m->real == ELEM_f32 ? 0x1p-23 : 0x1p-52;
    Arena *scratch = arena_new();
    Eval *e = eval_new(x->s->m, scratch, EVAL_wide, call->extent, CALL_SEED, (uint32_t)call->step);
    for (int i = 0; i < call->inputs.n; i++)
        eval_bind(e, call->inputs.at[i].leaf, call->inputs.at[i].t);
    for (int i = 0; i < call->before.n; i++)
        eval_bind(e, call->before.at[i].leaf, first_rows(scratch, call, &call->before.at[i]));
    Value *noisy = with_noise(x->s->m, call->e->outputs.at[x->output].pristine, TRAIT_ROUNDS, unit,
                              x->n_trial++);
    const Tensor *t = eval_value(e, noisy);
    for (int64_t i = 0; i < tensor_count(t); i++)
        x->moved[i] = fmax(x->moved[i], fabs(t->at[i] - wide->at[i]));
    arena_free(scratch);
}

bool is_excused(Excuse *x, int64_t i, double wrong) {
    while (x->n_trial < TRIALS && !(wrong <= FACTOR * x->moved[i])) make_trial(x);
    return wrong <= FACTOR * x->moved[i];
}
