#include "pass/memory.h"

#include <stdlib.h>

#include "base/die.h"
#include "pass/pass.h"

// ---- lives

typedef struct Life {  // first and last kernel of a function that touch a buffer
    int fn, first, last;
} Life;

typedef struct Lives {
    Buffer *buffer;
    VEC(Life) of;
} Lives;

typedef struct Walk {
    Arena *arena;
    Map *lives;  // Buffer * to Lives *
    VEC(Lives *) all;
    Map *seen;   // scalars of the current kernel
    int fn, kernel;
} Walk;

static void touch(Walk *w, Buffer *b) {
    Lives *l = map_get(w->lives, b);
    if (!l) {
        l = NEW(w->arena, Lives);
        l->buffer = b;
        map_set(w->lives, b, l);
        vec_push(w->arena, &w->all, l);
    }
    if (!l->of.n || l->of.at[l->of.n - 1].fn != w->fn)
        vec_push(w->arena, &l->of, ((Life){w->fn, w->kernel, w->kernel}));
    l->of.at[l->of.n - 1].last = w->kernel;
}

static void walk_scalar(Walk *w, const Scalar *s);

static void walk_guards(Walk *w, const Guard *guard, int n) {
    for (int i = 0; i < n; i++)
        if (guard[i].s) walk_scalar(w, guard[i].s);
}

static void walk_access(Walk *w, const Access *a) {
    touch(w, a->buffer);
    for (int i = 0; i < a->n_dyn; i++) walk_scalar(w, a->dyn[i].s);
}

static void walk_scalar(Walk *w, const Scalar *s) {
    if (map_has(w->seen, s)) return;
    map_set(w->seen, s, w);
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++) walk_scalar(w, s->arg[i]);
    if (s->op != OP_load) return;
    walk_access(w, &s->load->access);
    walk_guards(w, s->load->guard, s->load->n_guard);
    if (s->load->otherwise) walk_scalar(w, s->load->otherwise);
}

static void walk_block(Walk *w, const Block *b) {
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        switch (s->kind) {
        case STMT_for:
            walk_block(w, &s->loop.body);
            break;
        case STMT_tile:
            walk_block(w, &s->tile.body);
            break;
        case STMT_let:
        case STMT_set:
            walk_scalar(w, s->set.value);
            break;
        case STMT_store:
            walk_access(w, &s->store.access);
            walk_guards(w, s->store.guard, s->store.n_guard);
            walk_scalar(w, s->store.value);
            break;
        case STMT_fetch:
        case STMT_combine:
            break;
        }
    }
}

static Walk *find_lives(const Program *p, Arena *arena) {
    Walk *w = NEW(arena, Walk);
    w->arena = arena;
    w->lives = map_new(arena);
    for (w->fn = 0; w->fn < p->fns.n; w->fn++) {
        const LoopFunction *f = p->fns.at[w->fn];
        for (w->kernel = 0; w->kernel < f->kernels.n; w->kernel++) {
            w->seen = map_new(arena);
            walk_block(w, &f->kernels.at[w->kernel]->body);
        }
    }
    return w;
}

static bool lives_meet(const Lives *a, const Lives *b) {
    for (int i = 0; i < a->of.n; i++)
        for (int j = 0; j < b->of.n; j++) {
            const Life *x = &a->of.at[i], *y = &b->of.at[j];
            if (x->fn == y->fn && x->first <= y->last && y->first <= x->last) return true;
        }
    return false;
}

// ---- placing

static int64_t round_up(int64_t n) {
    return (n + MEMORY_ALIGN - 1) / MEMORY_ALIGN * MEMORY_ALIGN;
}

static int64_t buffer_bytes(const Buffer *b) {
    return round_up(b->count * elem_size[b->elem]);
}

// Arena memory that outlives an entry point can't be shared.
static bool is_fixed(const Walk *w, const Buffer *b) {
    const Lives *l = map_get(w->lives, b);
    return b->kind == BUFFER_arena && (b->is_kept || (l && l->of.n > 1));
}

static bool is_input(const Buffer *b) {
    return b->v && b->v->op == VAL_input && b->kind == BUFFER_arena;
}

// Inputs of one name are given once for all entry points, so they have one place.
static bool is_same_input(const Buffer *a, const Buffer *b) {
    return is_input(a) && is_input(b) && a->v->leaf.name == b->v->leaf.name && a->elem == b->elem;
}

static Buffer *earlier_input(const Program *p, int before) {
    Buffer *b = p->buffers.at[before];
    for (int i = 0; i < before && is_input(b); i++)
        if (is_same_input(p->buffers.at[i], b)) return p->buffers.at[i];
    return NULL;
}

static int64_t place_fixed(const Walk *w, Program *p) {
    int64_t end = 0;
    for (int i = 0; i < p->buffers.n; i++) {
        Buffer *b = p->buffers.at[i];
        if (!is_fixed(w, b)) continue;
        const Buffer *same = earlier_input(p, i);
        if (same && same->count == b->count) {
            b->offset = same->offset;
            continue;
        }
        if (same) BUG("memory: the input %s has two sizes", b->name);
        b->offset = end;
        end += buffer_bytes(b);
    }
    return end;
}

static int by_size(const void *a, const void *b) {
    const Lives *x = *(Lives *const *)a, *y = *(Lives *const *)b;
    int64_t m = buffer_bytes(x->buffer), n = buffer_bytes(y->buffer);
    if (m != n) return m < n ? 1 : -1;
    return x->buffer->id < y->buffer->id ? -1 : x->buffer->id > y->buffer->id;
}

typedef VEC(Lives *) LivesList;

typedef struct Group {  // what is placed together, above `start`
    LivesList list;
    int64_t start;
} Group;

static int by_offset(const void *a, const void *b) {
    int64_t m = (*(Lives *const *)a)->buffer->offset, n = (*(Lives *const *)b)->buffer->offset;
    return m < n ? -1 : m > n;
}

// The smallest gap between the n placed buffers that live along with l, else their end.
static int64_t best_gap(const Lives *l, Lives **near, int n, int64_t start) {
    int64_t size = buffer_bytes(l->buffer), best = -1, best_size = INT64_MAX, end = start;
    for (int i = 0; i < n; i++) {
        int64_t gap = near[i]->buffer->offset - end;
        if (gap >= size && gap < best_size) best = end, best_size = gap;
        int64_t past = near[i]->buffer->offset + buffer_bytes(near[i]->buffer);
        if (past > end) end = past;
    }
    return best >= 0 ? best : end;
}

// Keeps the list in order of offsets.
static void insert_by_offset(Arena *arena, LivesList *list, Lives *l) {
    vec_push(arena, list, l);
    int i = list->n - 1;
    for (; i > 0 && list->at[i - 1]->buffer->offset > l->buffer->offset; i--)
        list->at[i] = list->at[i - 1];
    list->at[i] = l;
}

// Largest first. Within 1.2 times the lower bound on training steps of plain networks.
static int64_t place_group(Group *g, Arena *arena) {
    int n = g->list.n;
    int64_t end = g->start;
    if (n == 0) return end;
    qsort(g->list.at, (size_t)n, sizeof *g->list.at, by_size);
    Lives **near = NEW_ARRAY(arena, Lives *, n + 1);
    LivesList placed = {0};
    for (int i = 0; i < n; i++) {
        Lives *l = g->list.at[i];
        int n_near = 0;
        for (int j = 0; j < placed.n; j++)
            if (lives_meet(l, placed.at[j])) near[n_near++] = placed.at[j];
        l->buffer->offset = best_gap(l, near, n_near, g->start);
        insert_by_offset(arena, &placed, l);
        int64_t past = l->buffer->offset + buffer_bytes(l->buffer);
        if (past > end) end = past;
    }
    return end;
}

void plan_memory(Program *p) {
    Arena *arena = arena_new();
    Walk *w = find_lives(p, arena);
    Group temporaries = {.start = place_fixed(w, p)}, scratch = {0};
    for (int i = 0; i < w->all.n; i++) {
        Lives *l = w->all.at[i];
        if (l->buffer->kind == BUFFER_scratch) vec_push(arena, &scratch.list, l);
        else if (!is_fixed(w, l->buffer)) vec_push(arena, &temporaries.list, l);
    }
    p->arena_bytes = place_group(&temporaries, arena) + MEMORY_SLACK;
    int64_t scratch_end = place_group(&scratch, arena);
    p->scratch_bytes = scratch_end ? scratch_end + MEMORY_SLACK : 0;
    for (int i = 0; i < p->buffers.n; i++)  // never touched
        if (p->buffers.at[i]->offset < 0) p->buffers.at[i]->offset = 0;
    arena_free(arena);
}

static const char *buffer_name(const Buffer *b, Arena *arena) {
    if (b->name) return b->name;
    return b->v ? arena_printf(arena, "%%%d", b->v->id) : arena_printf(arena, "b%d", b->id);
}

const char *verify_memory(const Program *p) {
    Arena *arena = arena_new();
    Walk *w = find_lives(p, arena);
    const char *wrong = NULL;
    if (w->all.n) qsort(w->all.at, (size_t)w->all.n, sizeof *w->all.at, by_offset);
    for (int i = 0; i < w->all.n && !wrong; i++)
        for (int j = i + 1; j < w->all.n && !wrong; j++) {
            Lives *x = w->all.at[i], *y = w->all.at[j];
            const Buffer *a = x->buffer, *b = y->buffer;
            if (b->offset >= a->offset + buffer_bytes(a)) break;
            if (a->kind != b->kind || is_same_input(a, b)) continue;
            bool share = a->offset < b->offset + buffer_bytes(b);
            if (share && (is_fixed(w, a) || is_fixed(w, b) || lives_meet(x, y)))
                wrong = arena_printf(p->m->arena, "memory: %s and %s share bytes while both live",
                                     buffer_name(a, arena), buffer_name(b, arena));
        }
    arena_free(arena);
    return wrong;
}

void pass_memory(Pass *p) {
    plan_memory(p->program);
    const char *wrong = verify_memory(p->program);
    if (wrong) BUG("%s", wrong);
}

// ---- the report

static void print_span(Text *out, const Program *p, Span span) {
    int line, column;
    const Source *source = span.file ? source_of(p->m->c->sources, span.file) : NULL;
    if (!source) return;
    source_line(p->m->c->sources, span.file, span.begin, &line, &column);
    text_printf(out, "  @%s:%d:%d", source->path, line, column);
}

static void print_buffer(Text *out, const Program *p, const Walk *w, Lives *l, Arena *arena) {
    const Buffer *b = l->buffer;
    text_printf(out, "  %10lld %10lld  %-28s %-4s", (long long)b->offset,
                (long long)(b->count * elem_size[b->elem]), buffer_name(b, arena),
                elem_name[b->elem]);
    for (int i = 0; i < l->of.n; i++)
        text_printf(out, "  %s %d..%d", p->fns.at[l->of.at[i].fn]->name, l->of.at[i].first,
                    l->of.at[i].last);
    if (is_fixed(w, b)) text_add(out, "  kept");
    if (b->v) print_span(out, p, b->v->span);
    text_add(out, "\n");
}

static void print_kind(Text *out, const Program *p, Walk *w, BufferKind kind, Arena *arena) {
    VEC(Lives *) list = {0};
    for (int i = 0; i < w->all.n; i++)
        if (w->all.at[i]->buffer->kind == kind) vec_push(arena, &list, w->all.at[i]);
    if (!list.n) return;
    qsort(list.at, (size_t)list.n, sizeof *list.at, by_offset);
    text_printf(out, "%s\n      offset      bytes  buffer\n",
                kind == BUFFER_arena ? "arena" : "scratch, of each thread");
    for (int i = 0; i < list.n; i++) print_buffer(out, p, w, list.at[i], arena);
}

// Bytes of temporaries alive at a kernel.
static int64_t alive_at(const Walk *w, int fn, int kernel) {
    int64_t sum = 0;
    for (int i = 0; i < w->all.n; i++) {
        const Lives *l = w->all.at[i];
        if (l->buffer->kind != BUFFER_arena || is_fixed(w, l->buffer)) continue;
        const Life *x = &l->of.at[0];
        if (x->fn == fn && x->first <= kernel && kernel <= x->last) sum += buffer_bytes(l->buffer);
    }
    return sum;
}

static int64_t print_peak(Text *out, const Program *p, const Walk *w, int fn) {
    const LoopFunction *f = p->fns.at[fn];
    int64_t most = 0;
    int at = -1;
    for (int i = 0; i < f->kernels.n; i++) {
        int64_t now = alive_at(w, fn, i);
        if (now > most) most = now, at = i;
    }
    if (at < 0) return 0;
    const Kernel *k = f->kernels.at[at];
    text_printf(out, "peak of %s: %lld bytes of temporaries in kernel %d, %s", f->name,
                (long long)most, at, k->name ? k->name : "?");
    print_span(out, p, k->span);
    text_add(out, "\n");
    return most;
}

void print_memory(Text *out, const Program *p) {
    Arena *arena = arena_new();
    Walk *w = find_lives(p, arena);
    print_kind(out, p, w, BUFFER_arena, arena);
    print_kind(out, p, w, BUFFER_scratch, arena);
    int64_t bound = 0, fixed = 0;
    for (int i = 0; i < p->fns.n; i++) {
        int64_t peak = print_peak(out, p, w, i);
        if (peak > bound) bound = peak;
    }
    for (int i = 0; i < p->buffers.n; i++)
        if (is_fixed(w, p->buffers.at[i]) && !earlier_input(p, i))
            fixed += buffer_bytes(p->buffers.at[i]);
    text_printf(out, "arena: %lld bytes, %lld of them kept; no plan needs less than %lld\n",
                (long long)p->arena_bytes, (long long)fixed,
                (long long)(fixed + bound + MEMORY_SLACK));
    text_printf(out, "scratch: %lld bytes for each thread\n", (long long)p->scratch_bytes);
    arena_free(arena);
}
