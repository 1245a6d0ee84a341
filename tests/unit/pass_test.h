// What the unit tests of the arithmetic passes share: running passes on text, and gradients
// against central differences by the interpreter.
#ifndef PASS_TEST_H
#define PASS_TEST_H

#include <math.h>
#include <stdio.h>

#include "ir_test.h"
#include "pass/pass.h"

typedef void PassFn(Pass *p);

static inline void run_pass(Module *m, PassFn *fn, unsigned level) {
    Pass p = {.c = m->c, .m = m};
    fn(&p);
    const char *wrong = verify_module(m, level);
    ck_assert_msg(!wrong, "%s\n%s", wrong ? wrong : "", wrong ? printed(m) : "");
}

// Numbers in [0.2, 1.2) with either sign, by a linear congruence (Knuth's MMIX).
static inline double test_number(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    double x = (double)(*seed >> 40) / 16777216.0 + 0.2;
    return *seed >> 39 & 1 ? x : -x;
}

static inline Tensor *test_tensor(Module *m, const Value *leaf, const int64_t *extent,
                                  uint64_t *seed) {
    Tensor *t = tensor_new(m->arena, &leaf->type, extent);
    int64_t below = leaf->type.below ? leaf->type.below : 2;
    for (int64_t i = 0; i < tensor_count(t); i++) {
        double x = test_number(seed);
        t->at[i] = elem_is_real(t->elem) ? x : (double)((int64_t)(fabs(x) * 997) % below);
    }
    return t;
}

// All leaves of a function, with the tensors that they are bound to.
typedef struct BoundLeaf {
    Value *leaf;
    Tensor *tensor;
} BoundLeaf;

typedef struct Leaves {
    BoundLeaf at[32];
    int n;
} Leaves;

static inline void bind_leaf(Module *m, Leaves *l, Value *leaf, const int64_t *extent,
                             uint64_t *seed) {
    l->at[l->n++] = (BoundLeaf){leaf, test_tensor(m, leaf, extent, seed)};
    if (!strcmp(leaf->leaf.name, "run.inv_rows"))
        l->at[l->n - 1].tensor->at[0] = 1.0 / (double)extent[0];
    if (!strcmp(leaf->leaf.name, "run.rows")) l->at[l->n - 1].tensor->at[0] = (double)extent[0];
}

static inline Leaves test_leaves(Module *m, const Function *f, const int64_t *extent) {
    Leaves l = {.n = 0};
    uint64_t seed = 12345;
    for (int i = 0; i < m->params.n; i++) bind_leaf(m, &l, m->params.at[i], extent, &seed);
    for (int i = 0; i < m->states.n; i++) bind_leaf(m, &l, m->states.at[i], extent, &seed);
    for (int i = 0; i < f->inputs.n; i++) bind_leaf(m, &l, f->inputs.at[i], extent, &seed);
    return l;
}

static inline const Tensor *test_eval(Module *m, Arena *a, EvalMode mode, const int64_t *extent,
                                      const Leaves *l, Value *v) {
    Eval *e = eval_new(m, a, mode, extent, 7, 3);
    for (int i = 0; i < l->n; i++) eval_bind(e, l->at[i].leaf, l->at[i].tensor);
    return eval_value(e, v);
}

// dx[o, i]: element o of `of` by element i of a leaf.
static inline void compare_gradient(Module *m, const int64_t *extent, const Leaves *l, Value *of,
                                    const BoundLeaf *wrt, const Tensor *dx) {
    const double h = 1e-5;
    int64_t n = tensor_count(wrt->tensor);
    for (int64_t i = 0; i < n; i++) {
        Arena *a = arena_new();
        double x = wrt->tensor->at[i];
        wrt->tensor->at[i] = x + h;
        const Tensor *up = test_eval(m, a, EVAL_wide, extent, l, of);
        wrt->tensor->at[i] = x - h;
        const Tensor *down = test_eval(m, a, EVAL_wide, extent, l, of);
        wrt->tensor->at[i] = x;
        ck_assert_int_eq(tensor_count(dx), tensor_count(up) * n);
        for (int64_t o = 0; o < tensor_count(up); o++) {
            double expected = (up->at[o] - down->at[o]) / (2 * h);
            double found = dx->at[o * n + i], error = fabs(found - expected);
            ck_assert_msg(error <= 1e-6 * fmax(1, fabs(expected)),
                          "d %%%d[%d] / d %s[%d]: %.12g, by differences %.12g\n%s", of->id, (int)o,
                          wrt->leaf->leaf.name, (int)i, found, expected, printed(m));
        }
        arena_free(a);
    }
}

// The results of function f, differentiated by every real parameter, before and after
// `simplify`, with run-time extents of 3.
static inline void check_gradients(const char *text) {
    const int64_t extent[] = {3, 3, 3, 3};
    Module *m = read_text(text);
    const char *wrong = verify_module(m, LEVEL_G);
    ck_assert_msg(!wrong, "%s", wrong ? wrong : "");
    Function *f = m->fns.at[0];
    Leaves l = test_leaves(m, f, extent);
    int n_of = f->results.n;
    VEC(const BoundLeaf *) wrt = {0};
    for (int i = 0; i < l.n; i++) {
        if (l.at[i].leaf->op != VAL_param || !elem_is_real(l.at[i].leaf->type.elem)) continue;
        for (int k = 0; k < n_of; k++) {
            vec_push(m->arena, &wrt, &l.at[i]);
            function_result(f, arena_printf(m->arena, "derivative %d", wrt.n),
                            build_grad(m, f->results.at[k].v, l.at[i].leaf, (Span){0}));
        }
    }
    for (int round = 0; round < 2; round++) {
        run_pass(m, round ? pass_simplify : pass_grad, LEVEL_G);
        for (int i = 0; i < wrt.n; i++) {
            Value *of = f->results.at[i % n_of].v, *derivative = f->results.at[n_of + i].v;
            const Tensor *dx = test_eval(m, m->arena, EVAL_wide, extent, &l, derivative);
            compare_gradient(m, extent, &l, of, wrt.at[i], dx);
        }
    }
    test_free(m);
}

#endif
