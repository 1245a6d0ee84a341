// Budget: the pass `peak`. The order of kernels that needs the least memory; and with
// --memory-budget, what has to run again so that the program keeps to it.
//
// Needs loops; leaves loops, over more buffers where something is stored more than once.
#include "pass/memory.h"
#include "pass/pass.h"
#include "pass/peak.h"
#include "pass/rename.h"
#include "pass/uses.h"

typedef VEC(Search *) Searches;

static Map *shared_buffers(const Program *p, Arena *scratch) {
    Map *owner = map_new(scratch), *shared = map_new(scratch);
    for (int f = 0; f < p->fns.n; f++)
        for (int i = 0; i < p->fns.at[f]->kernels.n; i++) {
            BufferUses uses = buffer_uses(p->fns.at[f]->kernels.at[i], scratch);
            for (int u = 0; u < uses.n; u++) {
                void *fn = map_get(owner, uses.at[u].buffer);
                if (fn && fn != p->fns.at[f]) map_set(shared, uses.at[u].buffer, fn);
                map_set(owner, uses.at[u].buffer, p->fns.at[f]);
            }
        }
    return shared;
}

// ---- from runs to kernels

static Buffer *new_buffer(Program *p, const Buffer *like) {
    Buffer *b = arena_copy(p->m->arena, like, sizeof *b);
    b->id = p->buffers.n;
    vec_push(p->m->arena, &p->buffers, b);
    return b;
}

typedef struct Adoption {
    Program *p;
    const Model *model;
    bool *is_stored;  // by thing
    Map *moved;       // Buffer * of the arena to Renamed *
} Adoption;

static void move_buffer(Adoption *a, Map *moved, Buffer *b) {
    Renamed *to = NEW(a->model->scratch, Renamed);
    to->buffer = new_buffer(a->p, b);
    map_set(moved, b, to);
}

// Scratch holds nothing from one kernel to the next: a buffer that served both would have to lie at
// one place in both.
static Kernel *with_own_scratch(Adoption *a, const Kernel *k) {
    Map *moved = map_new(a->model->scratch);
    BufferUses uses = buffer_uses(k, a->model->scratch);
    for (int i = 0; i < a->moved->n; i++) map_set_int(moved, a->moved->key[i], a->moved->value[i]);
    for (int i = 0; i < uses.n; i++)
        if (uses.at[i].buffer->kind == BUFFER_scratch) move_buffer(a, moved, uses.at[i].buffer);
    return kernel_rename(a->p->m, k, moved);
}

// What is stored anew gets memory of its own, where everything behind it reads it.
static Kernel *kernel_of(Adoption *a, const Run *r) {
    bool is_moved = false;
    for (int i = 0; i < r->n_use; i++) {
        const RunUse *u = &r->use[i];
        Buffer *b = a->model->thing.at[u->thing].buffer;
        if (u->finds == FRESH && a->is_stored[u->thing]) move_buffer(a, a->moved, b);
        a->is_stored[u->thing] |= u->is_stored;
        is_moved |= map_has(a->moved, b);
    }
    if (r->kind != PART_whole) return with_own_scratch(a, r->code);
    return is_moved ? kernel_rename(a->p->m, r->code, a->moved) : r->code;
}

static void adopt(const Search *s, Program *p, LoopFunction *f) {
    Adoption a = {p, s->m, NEW_ARRAY(s->m->scratch, bool, s->m->thing.n + 1), map_new(s->m->scratch)};
    f->kernels.n = 0;
    for (int i = 0; i < s->now.n; i++) {
        Kernel *k = kernel_of(&a, s->now.at[i]);
        k->id = i;
        if (!k->again) s->m->first.at[s->now.at[i]->kernel]->code->id = i;  // what others run again
        vec_push(p->m->arena, &f->kernels, k);
    }
}

// ---- the budget

// Bytes of each thread: what parts of kernels have there may be more than any kernel has.
static int64_t scratch_of(const Program *p, const Searches *all) {
    int64_t most = p->scratch_bytes;
    for (int i = 0; i < all->n; i++)
        for (int k = 0; k < all->at[i]->now.n; k++)
            if (all->at[i]->now.at[k]->scratch + MEMORY_SLACK > most)
                most = all->at[i]->now.at[k]->scratch + MEMORY_SLACK;
    return most;
}

static bool fit_all(const Searches *all, int64_t bytes) {
    bool is_good = true;
    for (int i = 0; i < all->n && is_good; i++) is_good = search_fit(all->at[i], bytes);
    return is_good;
}

// What a way to fit needs in scratch is known once it is found, and leaves less for the next one.
static bool fit_threads(const Program *p, const Searches *all, int threads) {
    enum { TRIES = 4 };
    int64_t bytes = p->m->c->opt.memory_budget - p->kept_bytes - MEMORY_SLACK;
    int64_t scratch = p->scratch_bytes;
    for (int i = 0; i < TRIES; i++) {
        if (!fit_all(all, bytes - threads * scratch)) return false;
        int64_t needed = scratch_of(p, all);
        if (needed <= scratch) return true;
        scratch = needed;
    }
    return false;
}

// With room for the scratch of several threads, if that can be; else as low as there is.
static void fit_budget(const Program *p, const Searches *all) {
    for (int threads = MOST_THREADS_PLANNED; threads; threads /= 2)
        if (fit_threads(p, all, threads)) return;
    for (int i = 0; i < all->n; i++) search_lowest(all->at[i]);
}

void pass_peak(Pass *p) {
    Program *program = p->program;
    Arena *scratch = arena_new();
    const Map *shared = shared_buffers(program, scratch);
    Searches all = {0};
    for (int i = 0; i < program->fns.n; i++) {
        Search *s = search_new(model_new(p->m, program->fns.at[i], shared, scratch));
        search_order(s);
        vec_push(scratch, &all, s);
    }
    if (p->c->opt.memory_budget) {
        plan_memory(program);  // what is kept, and the scratch
        fit_budget(program, &all);
    }
    for (int i = 0; i < program->fns.n; i++) adopt(all.at[i], program, program->fns.at[i]);
    arena_free(scratch);
}
