// What a scalar depends on, and which values computed before are still good.
//
// A set of bits has one for each variable of the kernel, then its temps, then its buffers.
// A value is good as long as its scope is open and nothing that it depends on has changed.
#include <string.h>

#include "base/die.h"
#include "emit/body.h"

bool has_bit(const uint64_t *set, int bit) {
    return set[bit / 64] >> (bit % 64) & 1;
}

void add_bit(uint64_t *set, int bit) {
    set[bit / 64] |= (uint64_t)1 << (bit % 64);
}

static void add_all(const Gen *k, uint64_t *set, const uint64_t *more) {
    for (int i = 0; i < k->n_word; i++) set[i] |= more[i];
}

TempState *temp_state(Gen *k, const Temp *t) {
    TempState *s = map_get_int(k->temp_of, (uint64_t)t->id + 1);
    if (!s) BUG("emit: temp %s is used where it is not declared", t->name ? t->name : "?");
    return s;
}

int temp_bit(Gen *k, const Temp *t) {
    return k->k->n_var + temp_state(k, t)->number;
}

int buffer_bit(Gen *k, const Buffer *b) {
    intptr_t number = (intptr_t)map_get(k->buffer_of, b);
    if (!number) BUG("emit: buffer %d was not seen", b->id);
    return k->k->n_var + k->temps.n + (int)number - 1;
}

// ---- a first walk: which temps and buffers there are

static void see_scalar(Gen *k, const Scalar *s);

static void see_guards(Gen *k, const Guard *guard, int n) {
    for (int i = 0; i < n; i++)
        if (guard[i].s) see_scalar(k, guard[i].s);
}

static void see_buffer(Gen *k, const Buffer *b) {
    if (map_get(k->buffer_of, b)) return;
    vec_push(k->arena, &k->buffers, b);
    map_set(k->buffer_of, b, (void *)(intptr_t)k->buffers.n);
}

static void see_access(Gen *k, const Access *a) {
    see_buffer(k, a->buffer);
    for (int i = 0; i < a->n_dyn; i++) see_scalar(k, a->dyn[i].s);
}

static void see_site(Gen *k, uint32_t site) {
    for (int i = 0; i < k->sites.n; i++)
        if (k->sites.at[i] == site) return;
    vec_push(k->arena, &k->sites, site);
}

static void see_scalar(Gen *k, const Scalar *s) {
    if (map_has(k->facts, s)) return;
    map_set(k->facts, s, NULL);
    if (s->op == OP_rand) see_site(k, s->site);
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++) see_scalar(k, s->arg[i]);
    if (s->op != OP_load) return;
    see_access(k, &s->load->access);
    see_guards(k, s->load->guard, s->load->n_guard);
    if (s->load->otherwise) see_scalar(k, s->load->otherwise);
}

static void see_call(Gen *k, const Call *call) {
    for (int i = 0; i < call->table.n; i++) see_buffer(k, call->table.buffer[i]);
}

static void see_block(Gen *k, const Block *b) {
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        const Call *call = map_get(k->calls, s);
        if (call) {
            see_call(k, call);
            continue;
        }
        switch (s->kind) {
        case STMT_for:
            see_block(k, &s->loop.body);
            break;
        case STMT_tile:
            see_block(k, &s->tile.body);
            break;
        case STMT_let: {
            TempState *t = NEW(k->arena, TempState);
            t->temp = s->set.temp;
            t->number = k->temps.n;
            vec_push(k->arena, &k->temps, t);
            map_set_int(k->temp_of, (uint64_t)s->set.temp->id + 1, t);
            see_scalar(k, s->set.value);
            break;
        }
        case STMT_set:
            see_scalar(k, s->set.value);
            break;
        case STMT_store:
            see_access(k, &s->store.access);
            see_guards(k, s->store.guard, s->store.n_guard);
            see_scalar(k, s->store.value);
            break;
        case STMT_fetch:
            see_access(k, &s->fetch.access);
            break;
        case STMT_combine:
            break;
        }
    }
}

// ---- dependences

static void deps_of_affine(const Affine *a, uint64_t *into) {
    for (int i = 0; i < a->n; i++) add_bit(into, a->t[i].slot);
}

void deps_of_guards(Gen *k, const Guard *guard, int n, uint64_t *into) {
    for (int i = 0; i < n; i++) {
        deps_of_affine(&guard[i].e, into);
        if (guard[i].s) add_all(k, into, scalar_deps(k, guard[i].s));
    }
}

void deps_of_access(Gen *k, const Access *a, uint64_t *into) {
    deps_of_affine(&a->at, into);
    for (int i = 0; i < a->n_dyn; i++) add_all(k, into, scalar_deps(k, a->dyn[i].s));
}

static Facts *facts_of(Gen *k, const Scalar *s) {
    Facts *f = map_get(k->facts, s);
    if (f) return f;
    f = NEW(k->arena, Facts);
    f->deps = NEW_ARRAY(k->arena, uint64_t, k->n_word);
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++)
        add_all(k, f->deps, scalar_deps(k, s->arg[i]));
    if (s->op == OP_iv) add_bit(f->deps, s->slot);
    if (s->op == OP_temp) {
        TempState *t = temp_state(k, s->temp);
        add_bit(f->deps, temp_bit(k, s->temp));
        add_all(k, f->deps, t->varies);
    }
    if (s->op == OP_load) {
        add_bit(f->deps, buffer_bit(k, s->load->access.buffer));
        deps_of_access(k, &s->load->access, f->deps);
        deps_of_guards(k, s->load->guard, s->load->n_guard, f->deps);
        if (s->load->otherwise) add_all(k, f->deps, scalar_deps(k, s->load->otherwise));
    }
    map_set(k->facts, s, f);
    return f;
}

const uint64_t *scalar_deps(Gen *k, const Scalar *s) {
    return facts_of(k, s)->deps;
}

bool first_visit(Gen *k, const Scalar *s) {
    Facts *f = facts_of(k, s);
    if (f->visit == k->visit) return false;
    f->visit = k->visit;
    return true;
}

bool has_draws(Gen *k, const Scalar *s) {
    if (s->op == OP_rand) return true;
    if (!first_visit(k, s)) return false;
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++)
        if (has_draws(k, s->arg[i])) return true;
    if (s->op != OP_load) return false;
    const Load *l = s->load;
    for (int i = 0; i < l->access.n_dyn; i++)
        if (has_draws(k, l->access.dyn[i].s)) return true;
    for (int i = 0; i < l->n_guard; i++)
        if (l->guard[i].s && has_draws(k, l->guard[i].s)) return true;
    return l->otherwise && has_draws(k, l->otherwise);
}

// A temp varies over those tile variables, open where it is declared, that some value it is
// given varies over. The least fixed point.
typedef struct Spread {
    Gen *k;
    uint64_t *open;  // tile variables
    bool is_changed;
} Spread;

static void spread_to(Spread *w, TempState *t, const uint64_t *deps, int except) {
    for (int v = 0; v < w->k->k->n_var; v++)
        if (v != except && has_bit(deps, v) && has_bit(t->open, v) && !has_bit(t->varies, v)) {
            add_bit(t->varies, v);
            w->is_changed = true;
        }
}

static void spread_block(Spread *w, const Block *b) {
    Gen *k = w->k;
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (map_has(k->calls, s)) continue;
        if (s->kind == STMT_for) spread_block(w, &s->loop.body);
        if (s->kind == STMT_tile) {
            uint64_t *saved = w->open;
            w->open = arena_copy(k->arena, saved, sizeof *saved * (size_t)k->n_word);
            for (int v = 0; v < s->tile.n; v++) add_bit(w->open, s->tile.var[v].var);
            spread_block(w, &s->tile.body);
            w->open = saved;
        }
        if (s->kind == STMT_let) temp_state(k, s->set.temp)->open = w->open;
        if (s->kind == STMT_let || s->kind == STMT_set)
            spread_to(w, temp_state(k, s->set.temp), scalar_deps(k, s->set.value), -1);
        if (s->kind == STMT_combine)
            spread_to(w, temp_state(k, s->combine.into), temp_state(k, s->combine.from)->varies,
                      s->combine.lane);
    }
}

void see_kernel(Gen *k) {
    k->facts = map_new(k->arena);
    see_block(k, &k->k->body);
}

void facts_init(Gen *k) {
    see_kernel(k);
    int n_bit = k->k->n_var + k->temps.n + k->buffers.n;
    k->n_word = (n_bit + 63) / 64 + 1;
    k->changed = NEW_ARRAY(k->arena, int64_t, n_bit + 1);
    for (int i = 0; i < k->temps.n; i++)
        k->temps.at[i]->varies = NEW_ARRAY(k->arena, uint64_t, k->n_word);
    Spread w = {k};
    do {
        w.is_changed = false;
        w.open = NEW_ARRAY(k->arena, uint64_t, k->n_word);
        k->facts = map_new(k->arena);
        spread_block(&w, &k->k->body);
    } while (w.is_changed);
    k->memo = map_new(k->arena);
    k->drawn = map_new(k->arena);
}

// ---- time

void touch(Gen *k, int bit) {
    k->changed[bit] = ++k->clock;
}

void scope_open(Gen *k) {
    vec_push(k->arena, &k->scopes, ++k->next_scope);
}

void scope_close(Gen *k) {
    k->scopes.n--;
}

// When the last of what s depends on changed.
static int64_t latest_change(Gen *k, Facts *f) {
    if (f->checked == k->clock) return f->latest;
    int64_t latest = 0;
    for (int w = 0; w < k->n_word; w++)
        for (uint64_t left = f->deps[w]; left; left &= left - 1) {
            int64_t t = k->changed[64 * w + __builtin_ctzll(left)];
            if (t > latest) latest = t;
        }
    f->checked = k->clock;
    return f->latest = latest;
}

// The scalar at the current point, in terms of the tile variables that it varies over.
static uint64_t memo_key(Gen *k, const Scalar *s, const uint64_t *deps, bool is_splat) {
    uint64_t point = 0;
    for (int i = 0; i < k->n_slot; i++)
        if (has_bit(deps, k->slot[i].var))
            point = point * (uint64_t)k->slot[i].n + (uint64_t)k->point[i];
    return ((uint64_t)s->id << 32 | point << 1 | is_splat) + 1;
}

Moment now(const Gen *k) {
    int depth = k->scopes.n - 1;
    return (Moment){k->clock, depth, k->scopes.at[depth]};
}

bool is_still_good(Gen *k, const Scalar *s, const Moment *then) {
    if (then->depth >= k->scopes.n || k->scopes.at[then->depth] != then->scope) return false;
    return then->time >= latest_change(k, facts_of(k, s));
}

V memo_get(Gen *k, const Scalar *s, bool is_splat) {
    Memo *m = map_get_int(k->memo, memo_key(k, s, facts_of(k, s)->deps, is_splat));
    return m && is_still_good(k, s, &m->when) ? m->value : NULL;
}

void memo_set(Gen *k, const Scalar *s, bool is_splat, V v) {
    uint64_t key = memo_key(k, s, facts_of(k, s)->deps, is_splat);
    Memo *m = map_get_int(k->memo, key);
    if (!m) map_set_int(k->memo, key, m = NEW(k->arena, Memo));
    *m = (Memo){v, now(k)};
}

// ---- lanes

int open_lanes(const Gen *k) {
    for (int i = k->n_slot - 1; i >= 0; i--)
        if (k->slot[i].is_lanes) return i;
    return -1;
}

bool in_lanes(const Gen *k, const uint64_t *deps) {
    int i = open_lanes(k);
    return i >= 0 && has_bit(deps, k->slot[i].var);
}

int active_lanes(const Gen *k) {
    int i = open_lanes(k);
    int64_t left = k->slot[i].size - (int64_t)LANES * k->point[i];
    return left < LANES ? (int)left : LANES;
}
