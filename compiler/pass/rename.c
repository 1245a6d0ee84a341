#include "pass/rename.h"

#include "ir/build.h"
#include "ir/share.h"

typedef struct Rename {
    Module *m;
    const Map *to;
    Map *done;  // Scalar * to Scalar *
} Rename;

static Scalar *rename_scalar(Rename *r, Scalar *s);

static const Guard *rename_guards(Rename *r, const Guard *guard, int n) {
    Guard *out = arena_copy(r->m->arena, guard, sizeof *guard * (size_t)n);
    for (int i = 0; i < n; i++)
        if (out[i].s) out[i].s = rename_scalar(r, out[i].s);
    return out;
}

static Access rename_access(Rename *r, Access a) {
    const Renamed *to = map_get(r->to, a.buffer);
    if (to) {
        a.buffer = to->buffer;
        a.at = affine_add(r->m, a.at, affine_scale(r->m, to->less, -1));
    }
    struct Dyn *dyn = arena_copy(r->m->arena, a.dyn, sizeof *dyn * (size_t)a.n_dyn);
    for (int i = 0; i < a.n_dyn; i++) dyn[i].s = rename_scalar(r, dyn[i].s);
    a.dyn = dyn;
    return a;
}

static Scalar *rename_load(Rename *r, const Scalar *s) {
    Load load = *s->load;
    Scalar like = *s;
    load.access = rename_access(r, load.access);
    load.guard = rename_guards(r, load.guard, load.n_guard);
    if (load.otherwise) load.otherwise = rename_scalar(r, load.otherwise);
    like.load = arena_copy(r->m->arena, &load, sizeof load);
    return share_scalar(r->m, &like);
}

static Scalar *rename_scalar(Rename *r, Scalar *s) {
    Scalar *done = map_get(r->done, s);
    if (done) return done;
    Scalar like = *s;
    bool has_changed = false;
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++) {
        like.arg[i] = rename_scalar(r, s->arg[i]);
        has_changed |= like.arg[i] != s->arg[i];
    }
    done = s->op == OP_load ? rename_load(r, s) : has_changed ? share_scalar(r->m, &like) : s;
    map_set(r->done, s, done);
    return done;
}

static Block rename_block(Rename *r, const Block *b) {
    Block out = {0};
    for (int i = 0; i < b->n; i++) {
        Stmt *s = arena_copy(r->m->arena, b->at[i], sizeof *s);
        switch (s->kind) {
        case STMT_for: s->loop.body = rename_block(r, &s->loop.body); break;
        case STMT_tile: s->tile.body = rename_block(r, &s->tile.body); break;
        case STMT_let:
        case STMT_set: s->set.value = rename_scalar(r, s->set.value); break;
        case STMT_store:
            s->store.access = rename_access(r, s->store.access);
            s->store.guard = rename_guards(r, s->store.guard, s->store.n_guard);
            s->store.value = rename_scalar(r, s->store.value);
            break;
        case STMT_fetch: s->fetch.access = rename_access(r, s->fetch.access); break;
        case STMT_combine: break;
        }
        vec_push(r->m->arena, &out, s);
    }
    return out;
}

static void rename_list(Rename *r, Buffer **at, int n) {
    for (int i = 0; i < n; i++) {
        const Renamed *to = map_get(r->to, at[i]);
        if (to) at[i] = to->buffer;
    }
}

Kernel *kernel_rename(Module *m, const Kernel *k, const Map *to) {
    Arena *scratch = arena_new();
    Rename r = {m, to, map_new(scratch)};
    Kernel *out = arena_copy(m->arena, k, sizeof *k);
    out->body = rename_block(&r, &k->body);
    out->reads.at = arena_copy(m->arena, k->reads.at, sizeof *k->reads.at * (size_t)k->reads.n);
    out->writes.at = arena_copy(m->arena, k->writes.at, sizeof *k->writes.at * (size_t)k->writes.n);
    rename_list(&r, out->reads.at, out->reads.n);
    rename_list(&r, out->writes.at, out->writes.n);
    arena_free(scratch);
    return out;
}
