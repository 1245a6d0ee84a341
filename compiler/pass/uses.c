#include "pass/uses.h"

typedef void Visit(void *context, const Scalar *s);

static void each_in_guards(const Guard *guard, int n, Visit *visit, void *context) {
    for (int i = 0; i < n; i++)
        if (guard[i].s) visit(context, guard[i].s);
}

static void each_in_access(const Access *a, Visit *visit, void *context) {
    for (int i = 0; i < a->n_dyn; i++) visit(context, a->dyn[i].s);
}

void stmt_each_scalar(const Stmt *s, Visit *visit, void *context) {
    if (s->kind == STMT_let || s->kind == STMT_set) visit(context, s->set.value);
    if (s->kind != STMT_store) return;
    each_in_access(&s->store.access, visit, context);
    each_in_guards(s->store.guard, s->store.n_guard, visit, context);
    visit(context, s->store.value);
}

void loop_scalar_each_below(const Scalar *s, Visit *visit, void *context) {
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++) visit(context, s->arg[i]);
    if (s->op != OP_load) return;
    each_in_access(&s->load->access, visit, context);
    each_in_guards(s->load->guard, s->load->n_guard, visit, context);
    if (s->load->otherwise) visit(context, s->load->otherwise);
}

typedef struct Walk {
    Arena *arena;
    BufferUses uses;
    Map *place;  // Buffer * to its place in uses, plus one
    Map *seen;   // scalars
} Walk;

static BufferUse *use_of(Walk *w, Buffer *b) {
    intptr_t at = (intptr_t)map_get(w->place, b);
    if (!at) {
        vec_push(w->arena, &w->uses, ((BufferUse){.buffer = b}));
        map_set(w->place, b, (void *)(at = w->uses.n));
    }
    return &w->uses.at[at - 1];
}

static void visit_scalar(void *context, const Scalar *s) {
    Walk *w = context;
    if (map_has(w->seen, s)) return;
    map_set(w->seen, s, w);
    if (s->op == OP_load) use_of(w, s->load->access.buffer)->is_loaded = true;
    loop_scalar_each_below(s, visit_scalar, w);
}

static void walk_block(Walk *w, const Block *b) {
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == STMT_for) walk_block(w, &s->loop.body);
        if (s->kind == STMT_tile) walk_block(w, &s->tile.body);
        if (s->kind == STMT_store) use_of(w, s->store.access.buffer)->is_stored = true;
        stmt_each_scalar(s, visit_scalar, w);
    }
}

BufferUses buffer_uses(const Kernel *k, Arena *arena) {
    Walk w = {.arena = arena, .place = map_new(arena), .seen = map_new(arena)};
    walk_block(&w, &k->body);
    return w.uses;
}
