// What tests share that build loops by hand: a module with a program or a kernel, and the
// statements.
#ifndef LOOPS_TEST_H
#define LOOPS_TEST_H

#include "ir_test.h"

#include "ir/loops.h"

struct Loaded;  // emit/load.h

typedef struct World {
    Compiler *c;
    Module *m;
    Program *p;
    LoopFunction *f;
    Kernel *k;
    int n_temp;
    int64_t at;  // bytes placed
    struct Loaded *loaded;
} World;

static inline World world_new(Elem real) {
    Module *m = test_module(real);
    World w = {.c = m->c, .m = m, .p = NEW(m->arena, Program), .k = NEW(m->arena, Kernel)};
    m->is_frozen = true;
    w.p->m = m;
    return w;
}

static inline void new_function(World *w, const char *label) {
    w->f = NEW(w->c->arena, LoopFunction);
    w->f->name = name(w->c->names, label);
    vec_push(w->c->arena, &w->p->fns, w->f);
}

static inline Stmt *add(World *w, Block *b, StmtKind kind) {
    Stmt *s = NEW(w->c->arena, Stmt);
    s->kind = kind;
    vec_push(w->c->arena, b, s);
    return s;
}

static inline Block *loop(World *w, Block *b, int var, Bound low, Bound high, int64_t step) {
    Stmt *s = add(w, b, STMT_for);
    s->loop.var = var;
    s->loop.low = low;
    s->loop.high = high;
    s->loop.step = step;
    return &s->loop.body;
}

static inline Bound bound(Dim d) {
    return (Bound){d, 1};
}

static inline Block *count(World *w, Block *b, int var, int64_t n, int64_t step) {
    return loop(w, b, var, bound(dim_const(0)), bound(dim_const(n)), step);
}

static inline const Temp *let(World *w, Block *b, Elem e, Scalar *value) {
    Temp *t = NEW(w->c->arena, Temp);
    *t = (Temp){w->n_temp++, e, name(w->c->names, "t")};
    Stmt *s = add(w, b, STMT_let);
    s->set.temp = t;
    s->set.value = value;
    return t;
}

static inline void set(World *w, Block *b, const Temp *t, Scalar *value) {
    Stmt *s = add(w, b, STMT_set);
    s->set.temp = t;
    s->set.value = value;
}

// k, and terms as pairs slot, c; ends with -1.
static inline Affine affine(World *w, int64_t k, const int *terms) {
    Affine a = affine_const(k);
    for (; *terms >= 0; terms += 2)
        a = affine_add(w->m, a, affine_scale(w->m, affine_slot(w->m, terms[0]), terms[1]));
    return a;
}
#define AT(w, k, ...) affine(w, k, (const int[]){__VA_ARGS__, -1})

static inline Scalar *load_if(World *w, Buffer *b, Affine at, const Guard *g, int n,
                              Scalar *otherwise) {
    return scalar_load(w->m, &(Access){.buffer = b, .at = at}, g, n, otherwise);
}

static inline Scalar *load(World *w, Buffer *b, Affine at) {
    return load_if(w, b, at, NULL, 0, NULL);
}

static inline Stmt *store(World *w, Block *b, Buffer *to, Affine at, Scalar *value) {
    Stmt *s = add(w, b, STMT_store);
    s->store.access = (Access){.buffer = to, .at = at};
    s->store.value = value;
    return s;
}

#endif
