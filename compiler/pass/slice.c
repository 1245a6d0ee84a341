#include "pass/slice.h"

#include "pass/uses.h"

typedef struct Slice {
    Arena *arena, *scratch;
    Map *buffers;  // that are stored to: the kept ones, and scratch that is read
    Map *temps;    // that are read, by number
    Map *scalars;  // that are computed
    Map *used;     // all buffers of the slice
    bool has_grown;
} Slice;

static void want_scalar(void *context, const Scalar *s) {
    Slice *x = context;
    if (map_has(x->scalars, s)) return;
    map_set(x->scalars, s, x);
    x->has_grown = true;
    if (s->op == OP_temp) map_set_int(x->temps, (uint64_t)s->temp->id + 1, x);
    if (s->op == OP_load) {
        Buffer *b = s->load->access.buffer;
        map_set(x->used, b, b);
        if (b->kind == BUFFER_scratch) map_set(x->buffers, b, b);
    }
    loop_scalar_each_below(s, want_scalar, x);
}

static bool is_temp_wanted(const Slice *x, const Temp *t) {
    return map_has_int(x->temps, (uint64_t)t->id + 1);
}

static bool is_wanted(const Slice *x, const Stmt *s) {
    switch (s->kind) {
    case STMT_for:
    case STMT_tile: return true;
    case STMT_let:
    case STMT_set: return is_temp_wanted(x, s->set.temp);
    case STMT_store: return map_has(x->buffers, s->store.access.buffer);
    case STMT_fetch: return map_has(x->used, s->fetch.access.buffer);
    case STMT_combine: return is_temp_wanted(x, s->combine.into);
    }
    return true;
}

// From the end, since what is read was mostly written before.
static void find_wanted(Slice *x, const Block *b) {
    for (int i = b->n - 1; i >= 0; i--) {
        const Stmt *s = b->at[i];
        if (s->kind == STMT_for) find_wanted(x, &s->loop.body);
        if (s->kind == STMT_tile) find_wanted(x, &s->tile.body);
        if (!is_wanted(x, s)) continue;
        if (s->kind == STMT_combine && !is_temp_wanted(x, s->combine.from)) {
            map_set_int(x->temps, (uint64_t)s->combine.from->id + 1, x);
            x->has_grown = true;
        }
        if (s->kind == STMT_store) map_set(x->used, s->store.access.buffer, s->store.access.buffer);
        stmt_each_scalar(s, want_scalar, x);
    }
}

static Block wanted_of(Slice *x, const Block *b) {
    Block out = {0};
    for (int i = 0; i < b->n; i++) {
        Stmt *s = b->at[i];
        if (!is_wanted(x, s)) continue;
        if (s->kind == STMT_for || s->kind == STMT_tile) {
            s = arena_copy(x->arena, s, sizeof *s);
            Block *body = s->kind == STMT_for ? &s->loop.body : &s->tile.body;
            *body = wanted_of(x, body);
            if (!body->n) continue;
        }
        vec_push(x->arena, &out, s);
    }
    return out;
}

static void note_uses(Slice *x, Kernel *k) {
    BufferUses uses = buffer_uses(k, x->scratch);
    k->reads.at = k->writes.at = NULL;
    k->reads.n = k->reads.cap = k->writes.n = k->writes.cap = 0;
    for (int i = 0; i < uses.n; i++) {
        if (uses.at[i].is_loaded) vec_push(x->arena, &k->reads, uses.at[i].buffer);
        if (uses.at[i].is_stored) vec_push(x->arena, &k->writes, uses.at[i].buffer);
    }
}

Kernel *kernel_slice(Arena *arena, const Kernel *k, Buffer *const *keep, int n_keep) {
    Slice x = {.arena = arena, .scratch = arena_new()};
    x.buffers = map_new(x.scratch);
    x.temps = map_new(x.scratch);
    x.scalars = map_new(x.scratch);
    x.used = map_new(x.scratch);
    for (int i = 0; i < n_keep; i++) map_set(x.buffers, keep[i], keep[i]);
    do {
        x.has_grown = false;
        find_wanted(&x, &k->body);
    } while (x.has_grown);
    Kernel *out = arena_copy(arena, k, sizeof *k);
    out->body = wanted_of(&x, &k->body);
    note_uses(&x, out);
    arena_free(x.scratch);
    return out;
}
