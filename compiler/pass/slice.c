#include "pass/slice.h"

#include "ir/build.h"
#include "pass/rename.h"
#include "pass/uses.h"

typedef struct Slice {
    Arena *arena, *scratch;
    Map *buffers;  // that are stored to: the kept ones, and scratch that is read
    Map *temps;    // that are read, by number
    Map *scalars;  // that are computed
    Map *used;     // all buffers of the slice
    const Map *own;  // buffers of the arena that it is to store to if it reads them; or NULL
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
        if (b->kind == BUFFER_scratch || (x->own && map_has(x->own, b))) map_set(x->buffers, b, b);
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

static Kernel *slice(Arena *arena, const Kernel *k, const Buffers *keep, const Map *own) {
    Slice x = {.arena = arena, .scratch = arena_new()};
    x.buffers = map_new(x.scratch);
    x.temps = map_new(x.scratch);
    x.scalars = map_new(x.scratch);
    x.used = map_new(x.scratch);
    x.own = own;
    for (int i = 0; i < keep->n; i++) map_set(x.buffers, keep->at[i], keep->at[i]);
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

Kernel *kernel_slice(Arena *arena, const Kernel *k, const Buffers *keep) {
    return slice(arena, k, keep, NULL);
}

// ---- what lies in scratch

typedef struct Local {     // a buffer, and how the outer loops walk it
    const Kernel *k;
    const Buffer *buffer;
    int n_outer;
    int var[MAX_RANK];
    int64_t step[MAX_RANK], stride[MAX_RANK];
    int64_t count;         // elements that an iteration touches, from a multiple of the strides on
    bool is_seen, is_bad;
    int64_t *least, *most; // of each variable, where the walk is
    Arena *scratch;
    Map *scalars;          // of the statement at hand
} Local;

// The rest of a place, once the outer loops' part is taken off: in [0, count).
static void look_at(Local *l, const Access *a) {
    if (a->buffer != l->buffer) return;
    int64_t low = a->at.k, high = a->at.k;
    if (a->n_dyn) l->is_bad = true;
    for (int i = 0; i < l->n_outer; i++) {
        int64_t c = affine_coef(a->at, l->var[i]);
        if (!l->is_seen) l->stride[i] = c;
        if (c != l->stride[i] || c <= 0) l->is_bad = true;
    }
    for (int i = 0; i < a->at.n; i++) {
        bool is_outer = false;
        for (int k = 0; k < l->n_outer; k++) is_outer |= a->at.t[i].slot == l->var[k];
        if (is_outer) continue;
        int64_t c = a->at.t[i].c, least = l->least[a->at.t[i].slot], most = l->most[a->at.t[i].slot];
        low += c * (c > 0 ? least : most);
        high += c * (c > 0 ? most : least);
    }
    l->is_seen = true;
    if (high + 1 > l->count) l->count = high + 1;
    l->is_bad |= low < 0;
}

static void look_at_scalar(void *context, const Scalar *s) {
    Local *l = context;
    if (map_has(l->scalars, s)) return;
    map_set(l->scalars, s, l);
    if (s->op == OP_load) look_at(l, &s->load->access);
    loop_scalar_each_below(s, look_at_scalar, l);
}

static void look_at_block(Local *l, const Block *b);

static void look_at_loop(Local *l, const Stmt *s) {
    Bound low = s->loop.low, high = s->loop.high;
    int64_t first = low.d.by ? 0 : low.d.n / low.multiple * low.multiple;
    int64_t past = dim_max(high.d) / high.multiple * high.multiple;
    int64_t step = low.d.by ? 1 : s->loop.step;
    if (past <= first) return;
    l->least[s->loop.var] = first;
    l->most[s->loop.var] = first + (past - first - 1) / step * step;
    look_at_block(l, &s->loop.body);
}

static void look_at_block(Local *l, const Block *b) {
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == STMT_for) look_at_loop(l, s);
        for (int v = 0; s->kind == STMT_tile && v < s->tile.n; v++) {
            l->least[s->tile.var[v].var] = 0;
            l->most[s->tile.var[v].var] = s->tile.var[v].size - 1;
        }
        if (s->kind == STMT_tile) look_at_block(l, &s->tile.body);
        if (s->kind == STMT_store) look_at(l, &s->store.access);
        l->scalars = map_new(l->scratch);
        stmt_each_scalar(s, look_at_scalar, l);
    }
}

// Iterations of these loops touch different elements: the innermost one's step over what it walks
// is no less than an iteration's elements, and so on outwards.
static bool is_apart(Local *l, const Block *body) {
    l->is_seen = l->is_bad = false;
    l->count = 0;
    look_at_block(l, body);
    if (l->is_bad || !l->is_seen) return false;
    int64_t inner = l->count;
    for (int i = l->n_outer - 1; i >= 0; i--) {
        if (l->stride[i] * l->step[i] < inner) return false;
        inner = l->stride[i] * dim_max(l->k->var_extent[l->var[i]]);
    }
    return true;
}

// Under as many of the loops as there are, which makes it small.
static bool find_outer(Local *l) {
    const Block *b = &l->k->body, *body[MAX_RANK];
    while (b->n == 1 && b->at[0]->kind == STMT_for && l->n_outer < MAX_RANK) {
        l->var[l->n_outer] = b->at[0]->loop.var;
        l->step[l->n_outer] = b->at[0]->loop.step;
        body[l->n_outer++] = b = &b->at[0]->loop.body;
    }
    for (; l->n_outer; l->n_outer--)
        if (is_apart(l, body[l->n_outer - 1])) return true;
    return false;
}

static Renamed *local_of(Module *m, const Kernel *k, Buffer *b, Arena *scratch) {
    Local l = {.k = k, .buffer = b, .scratch = scratch};
    l.least = NEW_ARRAY(scratch, int64_t, k->n_var + 1);
    l.most = NEW_ARRAY(scratch, int64_t, k->n_var + 1);
    if (b->is_kept || !find_outer(&l)) return NULL;
    Renamed *to = NEW(m->arena, Renamed);
    to->buffer = arena_copy(m->arena, b, sizeof *b);
    to->buffer->kind = BUFFER_scratch;
    to->buffer->count = l.count;
    to->buffer->offset = -1;
    to->less = affine_const(0);
    for (int i = 0; i < l.n_outer; i++)
        to->less = affine_add(m, to->less, affine_scale(m, affine_slot(m, l.var[i]), l.stride[i]));
    return to;
}

Map *kernel_locals(Module *m, const Kernel *k, const Buffers *of) {
    Arena *scratch = arena_new();
    Map *locals = map_new(m->arena);
    for (int i = 0; i < of->n; i++) {
        Renamed *to = local_of(m, k, of->at[i], scratch);
        if (to) map_set(locals, of->at[i], to);
    }
    arena_free(scratch);
    return locals;
}

Kernel *kernel_slice_alone(Module *m, const Kernel *k, const Buffers *keep, const Map *locals) {
    Arena *scratch = arena_new();
    Kernel *out = slice(m->arena, k, keep, locals);
    Map *kept = map_new(scratch), *to = map_new(scratch);
    for (int i = 0; i < keep->n; i++) map_set(kept, keep->at[i], keep->at[i]);
    for (int i = 0; i < out->writes.n; i++) {
        Buffer *b = out->writes.at[i];
        if (b->kind == BUFFER_arena && !map_has(kept, b)) map_set(to, b, map_get(locals, b));
    }
    if (to->n) out = kernel_rename(m, out, to);
    arena_free(scratch);
    return out;
}
