// What the unit tests of ir/ share: a compiler, modules from text, tensors from numbers.
#ifndef IR_TEST_H
#define IR_TEST_H

#include <string.h>

#include "ir/build.h"
#include "ir/eval.h"
#include "ir/print.h"
#include "ir/read.h"
#include "ir/rewrite.h"
#include "ir/verify.h"
#include "suite.h"

static inline Compiler *test_compiler(void) {
    Arena *a = arena_new();
    Compiler *c = NEW(a, Compiler);
    c->arena = a;
    c->names = names_new(a);
    c->sources = sources_new(a);
    c->diags = diags_new(a, c->sources);
    return c;
}

static inline Module *test_module(Elem real) {
    Compiler *c = test_compiler();
    return module_new(c, name(c->names, "test"), real);
}

static inline void test_free(Module *m) {
    arena_free(m->c->arena);
}

static inline Module *read_text_in(Compiler *c, const char *text) {
    int file = source_add(c->sources, "test.ir", text, (int)strlen(text), false);
    return read_module(c, file);
}

static inline Module *read_text(const char *text) {
    Compiler *c = test_compiler();
    Module *m = read_text_in(c, text);
    if (!m) diag_show(c->diags, stderr);
    ck_assert_ptr_nonnull(m);
    return m;
}

static inline const char *printed(const Module *m) {
    Text *t = text_new(m->arena);
    print_module_plain(t, m);
    return t->at;
}

static inline const char *scalar_text(Module *m, const Scalar *s, int np) {
    Text *t = text_new(m->arena);
    print_scalar(t, s, np);
    return t->at;
}

static inline Value *result_of(Module *m, const char *fn, const char *result) {
    Function *f = module_function(m, fn);
    for (int i = 0; i < f->results.n; i++)
        if (!strcmp(f->results.at[i].name, result)) return f->results.at[i].v;
    ck_abort_msg("no result %s", result);
    return NULL;
}

static inline Tensor *tensor_of(Module *m, const Value *leaf, const int64_t *extent,
                                const double *x) {
    Tensor *t = tensor_new(m->arena, &leaf->type, extent);
    memcpy(t->at, x, sizeof *x * (size_t)tensor_count(t));
    return t;
}

static inline void expect_tensor(const Tensor *t, int n, const double *x) {
    ck_assert_int_eq(tensor_count(t), n);
    for (int i = 0; i < n; i++)
        ck_assert_msg(t->at[i] == x[i], "element %d: %.17g, expected %.17g", i, t->at[i], x[i]);
}

#endif
