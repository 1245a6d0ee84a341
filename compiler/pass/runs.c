#include "pass/runs.h"

#include <string.h>

#include "pass/memory.h"
#include "pass/place.h"
#include "pass/slice.h"
#include "pass/uses.h"
#include "pass/work.h"

// ---- the model

static int thing_of(Model *m, Map *number, Buffer *b, const Map *is_shared) {
    intptr_t n = (intptr_t)map_get(number, b);
    if (!n) {
        bool is_fixed = b->is_kept || map_has(is_shared, b);
        vec_push(m->scratch, &m->thing, ((Thing){b, is_fixed, buffer_bytes(b), UNTOUCHED}));
        map_set(number, b, (void *)(n = m->thing.n));
    }
    return (int)n - 1;
}

// Memory that nothing has stored to holds nothing that a kernel could find.
static void add_use(Model *m, Run *r, int thing, const BufferUse *use) {
    Thing *t = &m->thing.at[thing];
    int finds = t->last_version;
    if (finds == UNTOUCHED && use->is_stored && !t->is_fixed) finds = FRESH;
    r->use[r->n_use++] = (RunUse){thing, use->is_stored, finds};
    if (use->is_stored) t->last_version = r->kernel;
}

// Counted alike for kernels and parts of them, whatever the estimate of the schedule says.
static double weight(const Kernel *k) {
    Work w = kernel_work(k);
    return w.ops + 2 * w.bytes;
}

Model *model_new(Module *module, const LoopFunction *f, const Map *is_shared, Arena *scratch) {
    Model *m = NEW(scratch, Model);
    *m = (Model){.module = module, .scratch = scratch};
    Map *number = map_new(scratch);
    for (int i = 0; i < f->kernels.n; i++) {
        Kernel *k = f->kernels.at[i];
        BufferUses uses = buffer_uses(k, scratch);
        Run *r = NEW(scratch, Run);
        *r = (Run){.kernel = i, .code = k, .cost = module->c->opt.memory_budget ? 1 + weight(k) : 1};
        r->use = NEW_ARRAY(scratch, RunUse, uses.n + 1);
        for (int u = 0; u < uses.n; u++)
            if (uses.at[u].buffer->kind == BUFFER_arena)
                add_use(m, r, thing_of(m, number, uses.at[u].buffer, is_shared), &uses.at[u]);
        vec_push(scratch, &m->first, r);
    }
    return m;
}

// ---- parts

static const RunUse *use_of(const Run *r, const Model *m, const Buffer *b) {
    for (int i = 0; i < r->n_use; i++)
        if (m->thing.at[r->use[i].thing].buffer == b) return &r->use[i];
    return NULL;
}

// False where it reads what the whole kernel first finds and then stores over, or what it was to
// compute for itself.
static bool add_part_uses(Model *m, Run *part, const Run *whole) {
    BufferUses uses = buffer_uses(part->code, m->scratch);
    part->use = NEW_ARRAY(m->scratch, RunUse, uses.n + 1);
    for (int i = 0; i < uses.n; i++) {
        const BufferUse *use = &uses.at[i];
        if (use->buffer->kind == BUFFER_scratch) part->scratch += buffer_bytes(use->buffer);
        if (use->buffer->kind == BUFFER_scratch) continue;
        RunUse u = *use_of(whole, m, use->buffer);
        if (u.is_stored && !use->is_stored) {
            bool is_history = use->buffer->is_history;
            if (use->buffer->is_moving || part->kind != PART_again) return false;
            if (u.finds != FRESH && !is_history) return false;
            u.finds = is_history ? m->thing.at[u.thing].last_version : whole->kernel;
        }
        u.is_stored = use->is_stored;
        part->use[part->n_use++] = u;
    }
    return true;
}

static bool is_part(const Run *r, PartKind kind, int kernel, const int *keep, int n_keep) {
    return r->kind == kind && r->kernel == kernel && r->n_keep == n_keep &&
           !memcmp(r->keep, keep, sizeof *keep * (size_t)n_keep);
}

static const Map *locals_of(Model *m, Run *whole) {
    Buffers own = {0};
    for (int i = 0; i < whole->n_use && !whole->locals; i++)
        if (whole->use[i].finds == FRESH && !m->thing.at[whole->use[i].thing].buffer->is_moving)
            vec_push(m->scratch, &own, m->thing.at[whole->use[i].thing].buffer);
    if (!whole->locals) whole->locals = kernel_locals(m->module, whole->code, &own);
    return whole->locals;
}

static Kernel *slice_of(Model *m, const Run *part, Run *whole) {
    Buffers keep = {0};
    for (int i = 0; i < part->n_keep; i++)
        vec_push(m->scratch, &keep, m->thing.at[part->keep[i]].buffer);
    if (part->kind == PART_again) return kernel_slice(m->module->arena, whole->code, &keep);
    return kernel_slice_alone(m->module, whole->code, &keep, locals_of(m, whole));
}

static Run *make_part(Model *m, PartKind kind, int kernel, const int *keep, int n_keep) {
    Run *whole = m->first.at[kernel], *r = NEW(m->scratch, Run);
    *r = (Run){.kind = kind, .kernel = kernel, .n_keep = n_keep};
    r->keep = arena_copy(m->scratch, keep, sizeof *keep * (size_t)n_keep);
    r->code = slice_of(m, r, whole);
    if (is_again(r)) r->code->again = whole->code;
    if (!add_part_uses(m, r, whole)) {
        r->code = NULL;
        return r;
    }
    r->cost = 1 + weight(r->code);
    r->code->cost = whole->code->cost * r->cost / whole->cost;
    return r;
}

Run *part_of_kernel(Model *m, PartKind kind, int kernel, const int *keep, int n_keep) {
    Run *found = NULL;
    for (int i = 0; i < m->parts.n && !found; i++)
        if (is_part(m->parts.at[i], kind, kernel, keep, n_keep)) found = m->parts.at[i];
    if (!found) {
        found = make_part(m, kind, kernel, keep, n_keep);
        vec_push(m->scratch, &m->parts, found);
    }
    return found->code ? found : NULL;
}

// ---- the timeline

Timeline *timeline_new(const Model *m) {
    Timeline *t = NEW(m->scratch, Timeline);
    t->version = NEW_ARRAY(m->scratch, int, m->thing.n + 1);
    t->open = NEW_ARRAY(m->scratch, int, m->thing.n + 1);
    return t;
}

static bool walk_run(const Model *m, const Run *r, int at, Timeline *t) {
    for (int i = 0; i < r->n_use; i++) {
        const RunUse *u = &r->use[i];
        if (u->finds != FRESH && u->finds != t->version[u->thing]) return false;
        if (u->is_stored) t->version[u->thing] = r->kernel;
        if (m->thing.at[u->thing].is_fixed) continue;
        if (t->open[u->thing] < 0 || u->finds == FRESH) {
            t->open[u->thing] = t->stay.n;
            vec_push(m->scratch, &t->stay, ((Stay){u->thing, at, at}));
        }
        t->stay.at[t->open[u->thing]].last = at;
    }
    return true;
}

void timeline_begin(const Model *m, Timeline *t) {
    t->stay.n = t->n = 0;
    t->cost = 0;
    for (int i = 0; i < m->thing.n; i++) t->version[i] = UNTOUCHED, t->open[i] = -1;
}

void timeline_copy(const Model *m, Timeline *to, const Timeline *from) {
    memcpy(to->version, from->version, sizeof *to->version * (size_t)m->thing.n);
    memcpy(to->open, from->open, sizeof *to->open * (size_t)m->thing.n);
    to->stay.n = 0;
    for (int i = 0; i < from->stay.n; i++) vec_push(m->scratch, &to->stay, from->stay.at[i]);
    to->cost = from->cost;
    to->n = from->n;
}

bool timeline_extend(const Model *m, const Runs *runs, int until, Timeline *t) {
    for (; t->n < until; t->n++) {
        if (!walk_run(m, runs->at[t->n], t->n, t)) return false;
        t->cost += runs->at[t->n]->cost;
    }
    return true;
}

static void find_peak(const Model *m, int n, Timeline *t) {
    if (t->cap < n + 1) {
        t->cap = 2 * n + 16;
        t->alive = NEW_ARRAY(m->scratch, int64_t, t->cap);
    }
    memset(t->alive, 0, sizeof *t->alive * (size_t)(n + 1));
    for (int i = 0; i < t->stay.n; i++) {
        t->alive[t->stay.at[i].first] += m->thing.at[t->stay.at[i].thing].bytes;
        t->alive[t->stay.at[i].last + 1] -= m->thing.at[t->stay.at[i].thing].bytes;
    }
    t->peak = t->at = 0;
    for (int i = 0; i < n; i++) {
        if (i) t->alive[i] += t->alive[i - 1];
        if (t->alive[i] > t->peak) t->peak = t->alive[i], t->at = i;
    }
}

bool timeline_end(const Model *m, const Runs *runs, Timeline *t) {
    if (!timeline_extend(m, runs, runs->n, t)) return false;
    for (int i = 0; i < m->thing.n; i++)
        if (m->thing.at[i].is_fixed && t->version[i] != m->thing.at[i].last_version) return false;
    find_peak(m, runs->n, t);
    return true;
}

bool timeline_of(const Model *m, const Runs *runs, Timeline *t) {
    timeline_begin(m, t);
    return timeline_end(m, runs, t);
}

// Of a thing's stays the first one keeps its buffer, and the others follow in order.
int64_t place_stays(const Model *m, const Timeline *t) {
    Arena *scratch = arena_new();
    Item *item = NEW_ARRAY(scratch, Item, t->stay.n + 1), **list = NEW_ARRAY(scratch, Item *, t->stay.n + 1);
    bool *is_seen = NEW_ARRAY(scratch, bool, m->thing.n + 1);
    for (int i = 0; i < t->stay.n; i++) {
        const Stay *s = &t->stay.at[i];
        const Thing *thing = &m->thing.at[s->thing];
        int id = is_seen[s->thing] ? INT32_MAX / 2 + i : thing->buffer->id;
        item[i] = (Item){id, s->first, s->last, thing->bytes, 0};
        is_seen[s->thing] = true;
        list[i] = &item[i];
    }
    int64_t end = place_items(list, t->stay.n, 0);
    arena_free(scratch);
    return end;
}
