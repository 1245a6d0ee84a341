#include "pass/memory.h"

#include <stdlib.h>

#include "base/die.h"
#include "pass/pass.h"
#include "pass/place.h"
#include "pass/uses.h"

// ---- lives

typedef struct Life {  // first and last kernel of a function
    int fn, first, last;
} Life;

typedef struct Lives {
    Buffer *buffer;
    VEC(Life) of;  // one for each function that touches it
} Lives;

typedef struct Walk {
    Arena *arena;
    Map *lives;  // Buffer * to Lives *
    VEC(Lives *) all;
} Walk;

static int64_t round_up(int64_t n) {
    return (n + MEMORY_ALIGN - 1) / MEMORY_ALIGN * MEMORY_ALIGN;
}

int64_t buffer_bytes(const Buffer *b) {
    return round_up(b->count * elem_size[b->elem]);
}

static Lives *lives_of(Walk *w, Buffer *b) {
    Lives *l = map_get(w->lives, b);
    if (l) return l;
    l = NEW(w->arena, Lives);
    l->buffer = b;
    map_set(w->lives, b, l);
    vec_push(w->arena, &w->all, l);
    return l;
}

static void touch(Walk *w, Buffer *b, int fn, int at) {
    Lives *l = lives_of(w, b);
    if (!l->of.n || l->of.at[l->of.n - 1].fn != fn)
        vec_push(w->arena, &l->of, ((Life){fn, at, at}));
    l->of.at[l->of.n - 1].last = at;
}

static Walk *find_lives(const Program *p, Arena *arena) {
    Walk *w = NEW(arena, Walk);
    w->arena = arena;
    w->lives = map_new(arena);
    for (int fn = 0; fn < p->fns.n; fn++) {
        const LoopFunction *f = p->fns.at[fn];
        for (int k = 0; k < f->kernels.n; k++) {
            BufferUses uses = buffer_uses(f->kernels.at[k], arena);
            for (int i = 0; i < uses.n; i++) touch(w, uses.at[i].buffer, fn, k);
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

typedef VEC(Item *) Items;

// What a function needs for a while; functions don't run at the same time.
static int64_t place_function(const Walk *w, int fn, BufferKind kind, int64_t start) {
    Items items = {0};
    for (int i = 0; i < w->all.n; i++) {
        const Buffer *b = w->all.at[i]->buffer;
        const Life *life = &w->all.at[i]->of.at[0];
        if (life->fn != fn || b->kind != kind || is_fixed(w, b)) continue;
        Item *item = NEW(w->arena, Item);
        *item = (Item){b->id, life->first, life->last, buffer_bytes(b), 0};
        vec_push(w->arena, &items, item);
    }
    int64_t end = place_items(items.at, items.n, start);
    for (int i = 0, n = 0; i < w->all.n; i++) {
        Buffer *b = w->all.at[i]->buffer;
        if (w->all.at[i]->of.at[0].fn == fn && b->kind == kind && !is_fixed(w, b))
            b->offset = items.at[n++]->offset;
    }
    return end;
}

static int64_t place_kind(const Walk *w, const Program *p, BufferKind kind, int64_t start) {
    int64_t end = start;
    for (int fn = 0; fn < p->fns.n; fn++) {
        int64_t past = place_function(w, fn, kind, start);
        if (past > end) end = past;
    }
    return end;
}

void plan_memory(Program *p) {
    Arena *arena = arena_new();
    Walk *w = find_lives(p, arena);
    for (int i = 0; i < p->buffers.n; i++) p->buffers.at[i]->offset = -1;
    p->kept_bytes = place_fixed(w, p);
    p->arena_bytes = place_kind(w, p, BUFFER_arena, p->kept_bytes) + MEMORY_SLACK;
    int64_t scratch_end = place_kind(w, p, BUFFER_scratch, 0);
    p->scratch_bytes = scratch_end ? scratch_end + MEMORY_SLACK : 0;
    for (int i = 0; i < p->buffers.n; i++)  // never touched
        if (p->buffers.at[i]->offset < 0) p->buffers.at[i]->offset = 0;
    arena_free(arena);
}

static int by_offset(const void *a, const void *b) {
    int64_t m = (*(Lives *const *)a)->buffer->offset, n = (*(Lives *const *)b)->buffer->offset;
    return m < n ? -1 : m > n;
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
    int64_t budget = p->c->opt.memory_budget, needed = p->program->arena_bytes + p->program->scratch_bytes;
    if (!budget || needed <= budget) return;
    Diag *d = diag_error(p->c->diags, (Span){0},
                         "the program needs %lld bytes of memory, and --memory-budget allows %lld",
                         (long long)needed, (long long)budget);
    diag_help(d, "--memory-budget=%lld is the smallest one that can be met", (long long)needed);
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
    for (int i = 0; i < l->of.n; i++) {
        const Life *x = &l->of.at[i];
        text_printf(out, "  %s %d..%d", p->fns.at[x->fn]->name, x->first, x->last);
    }
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

static void print_again(Text *out, const LoopFunction *f, Arena *arena) {
    double once = 0, again = 0;
    int n = 0;
    for (int i = 0; i < f->kernels.n; i++) {
        const Kernel *k = f->kernels.at[i];
        if (k->again) n++, again += k->cost;
        else once += k->cost;
    }
    if (!n) return;
    text_printf(out, "%s runs parts of %d kernels again, for %.1f%% more time by estimate\n", f->name, n,
                100 * again / once);
    for (int i = 0; i < f->kernels.n; i++) {
        const Kernel *k = f->kernels.at[i];
        if (!k->again) continue;
        text_printf(out, "  kernel %d: of kernel %d, for", k->id, k->again->id);
        for (int w = 0; w < k->writes.n; w++)
            if (k->writes.at[w]->kind == BUFFER_arena)
                text_printf(out, " %s", buffer_name(k->writes.at[w], arena));
        text_add(out, "\n");
    }
}

void print_memory(Text *out, const Program *p) {
    Arena *arena = arena_new();
    Walk *w = find_lives(p, arena);
    print_kind(out, p, w, BUFFER_arena, arena);
    print_kind(out, p, w, BUFFER_scratch, arena);
    int64_t bound = 0;
    for (int i = 0; i < p->fns.n; i++) {
        int64_t peak = print_peak(out, p, w, i);
        if (peak > bound) bound = peak;
    }
    for (int i = 0; i < p->fns.n; i++) print_again(out, p->fns.at[i], arena);
    text_printf(out, "arena: %lld bytes, %lld of them kept; no plan needs less than %lld\n",
                (long long)p->arena_bytes, (long long)p->kept_bytes,
                (long long)(p->kept_bytes + bound + MEMORY_SLACK));
    text_printf(out, "scratch: %lld bytes for each thread\n", (long long)p->scratch_bytes);
    if (p->m->c->opt.memory_budget)
        text_printf(out, "budget: %lld bytes, for the arena and the threads' scratch\n",
                    (long long)p->m->c->opt.memory_budget);
    arena_free(arena);
}
