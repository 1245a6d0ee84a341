// The text of a kernel with buffers, temps and scalars numbered in order of appearance:
// kernels with equal keys are one function.
#include "emit/gen.h"

typedef struct Key {
    Text *out;
    Table table;
    Map *vars;     // to number plus one
    Map *scalars;  // to number plus one
    Map *temps;
} Key;

static int key_scalar(Key *k, const Scalar *s);

static int key_var(Key *k, int var) {
    intptr_t n = (intptr_t)map_get_int(k->vars, (uint64_t)var + 1);
    if (n) return (int)n;
    n = k->vars->n + 1;
    map_set_int(k->vars, (uint64_t)var + 1, (void *)n);
    return (int)n;
}

static int key_site(const Key *k, uint32_t site) {
    int n = 0;
    while (k->table.site[n] != site) n++;
    return n;
}

static void key_affine(Key *k, const Affine *a) {
    for (int i = 0; i < a->n; i++)
        text_printf(k->out, "%lld*%d+", (long long)a->t[i].c, key_var(k, a->t[i].slot));
    text_printf(k->out, "%lld", (long long)a->k);
}

static int key_temp(Key *k, const Temp *t) {
    intptr_t n = (intptr_t)map_get_int(k->temps, (uint64_t)t->id + 1);
    if (n) return (int)n;
    n = k->temps->n + 1;
    map_set_int(k->temps, (uint64_t)t->id + 1, (void *)n);
    return (int)n;
}

// Numbers come before the text that uses them, so every scalar stands on its own line.
static void key_access(Key *k, const Access *a, const int *dyn) {
    int number = 0;
    while (k->table.buffer[number] != a->buffer) number++;
    text_printf(k->out, " b%d:%d:%d:%d[", number, a->buffer->kind, a->buffer->elem,
                a->buffer->count >= INT32_MAX / 2);
    key_affine(k, &a->at);
    for (int i = 0; i < a->n_dyn; i++) text_printf(k->out, "+%lld*s%d", (long long)a->dyn[i].c, dyn[i]);
    text_add(k->out, "]");
}

static int *key_dyns(Key *k, const Access *a) {
    int *n = NEW_ARRAY(k->out->arena, int, a->n_dyn + 1);
    for (int i = 0; i < a->n_dyn; i++) n[i] = key_scalar(k, a->dyn[i].s);
    return n;
}

static int *key_guard_scalars(Key *k, const Guard *guard, int n_guard) {
    int *n = NEW_ARRAY(k->out->arena, int, n_guard + 1);
    for (int i = 0; i < n_guard; i++) n[i] = guard[i].s ? key_scalar(k, guard[i].s) : 0;
    return n;
}

static void key_guards(Key *k, const Guard *guard, int n_guard, const int *s) {
    for (int i = 0; i < n_guard; i++) {
        text_add(k->out, " if ");
        key_affine(k, &guard[i].e);
        text_printf(k->out, "+s%d mod %lld", s[i], (long long)guard[i].mod);
    }
}

static void key_leaf(Key *k, const Scalar *s) {
    switch (s->op) {
    case OP_const:
        if (elem_is_real(s->elem)) text_printf(k->out, " %a", s->real);
        else text_printf(k->out, " %lld", (long long)s->integer);
        break;
    case OP_iv: text_printf(k->out, " %d", key_var(k, s->slot)); break;
    case OP_rand: text_printf(k->out, " %d", key_site(k, s->site)); break;
    case OP_temp: text_printf(k->out, " t%d", key_temp(k, s->temp)); break;
    default: break;
    }
}

static int key_scalar(Key *k, const Scalar *s) {
    intptr_t n = (intptr_t)map_get(k->scalars, s);
    if (n) return (int)n;
    int arg[MAX_ARGS], n_arg = 0, otherwise = 0, *dyn = NULL, *guards = NULL;
    while (n_arg < MAX_ARGS && s->arg[n_arg]) {
        arg[n_arg] = key_scalar(k, s->arg[n_arg]);
        n_arg++;
    }
    const Load *l = s->op == OP_load ? s->load : NULL;
    if (l) {
        dyn = key_dyns(k, &l->access);
        guards = key_guard_scalars(k, l->guard, l->n_guard);
        if (l->otherwise) otherwise = key_scalar(k, l->otherwise);
    }
    n = k->scalars->n + 1;
    map_set(k->scalars, s, (void *)n);
    text_printf(k->out, "s%d %d %d", (int)n, s->op, s->elem);
    for (int i = 0; i < n_arg; i++) text_printf(k->out, " s%d", arg[i]);
    key_leaf(k, s);
    if (l) {
        key_access(k, &l->access, dyn);
        key_guards(k, l->guard, l->n_guard, guards);
        text_printf(k->out, " else s%d", otherwise);
    }
    text_add(k->out, "\n");
    return (int)n;
}

static void key_bound(Key *k, Bound b) {
    text_printf(k->out, " %lld*%d/%lld", (long long)b.d.n, b.d.by ? b.d.by->id : -1,
                (long long)b.multiple);
}

static void key_block(Key *k, const Block *b);

static void key_store(Key *k, const Stmt *s) {
    int value = key_scalar(k, s->store.value);
    int *dyn = key_dyns(k, &s->store.access);
    int *guards = key_guard_scalars(k, s->store.guard, s->store.n_guard);
    text_printf(k->out, "store s%d", value);
    key_access(k, &s->store.access, dyn);
    key_guards(k, s->store.guard, s->store.n_guard, guards);
    text_add(k->out, "\n");
}

static void key_stmt(Key *k, const Stmt *s) {
    int value;
    switch (s->kind) {
    case STMT_for:
        text_printf(k->out, "for %d", key_var(k, s->loop.var));
        key_bound(k, s->loop.low);
        key_bound(k, s->loop.high);
        text_printf(k->out, " %lld %d", (long long)s->loop.step, s->loop.is_unrolled);
        key_guards(k, s->loop.guard, s->loop.n_guard,
                   key_guard_scalars(k, s->loop.guard, s->loop.n_guard));
        text_add(k->out, "\n");
        key_block(k, &s->loop.body);
        break;
    case STMT_tile:
        text_add(k->out, "tile");
        for (int i = 0; i < s->tile.n; i++)
            text_printf(k->out, " %d %lld %d", key_var(k, s->tile.var[i].var), (long long)s->tile.var[i].size,
                        s->tile.var[i].is_lanes);
        text_add(k->out, "\n");
        key_block(k, &s->tile.body);
        break;
    case STMT_let:
    case STMT_set:
        value = key_scalar(k, s->set.value);
        text_printf(k->out, "%s t%d %d s%d\n", s->kind == STMT_let ? "let" : "set",
                    key_temp(k, s->set.temp), s->set.temp->elem, value);
        break;
    case STMT_store:
        key_store(k, s);
        break;
    case STMT_fetch:
        text_printf(k->out, "fetch %d", s->fetch.is_stored);
        key_access(k, &s->fetch.access, NULL);
        text_add(k->out, "\n");
        break;
    case STMT_combine:
        text_printf(k->out, "combine t%d t%d %d %d\n", key_temp(k, s->combine.into),
                    key_temp(k, s->combine.from), s->combine.red, key_var(k, s->combine.lane));
        break;
    }
}

static void key_block(Key *k, const Block *b) {
    for (int i = 0; i < b->n; i++) key_stmt(k, b->at[i]);
    text_add(k->out, "end\n");
}

// How far the loop of a parallel kernel goes is told by who calls it.
static void key_parallel(Key *k, const Stmt *s) {
    text_printf(k->out, "parallel %d", key_var(k, s->loop.var));
    key_bound(k, s->loop.low);
    text_printf(k->out, " %lld\n", (long long)s->loop.step);
    key_block(k, &s->loop.body);
}

void kernel_key(Text *out, const Kernel *kernel, Table table) {
    Arena *arena = out->arena;
    Key k = {out, table, map_new(arena), map_new(arena), map_new(arena)};
    if (kernel->is_parallel) key_parallel(&k, kernel->body.at[0]);
    else key_block(&k, &kernel->body);
}
