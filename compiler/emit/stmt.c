// Lets, sets, stores and combinations, at every point of the open tiles.
#include <string.h>

#include "base/die.h"
#include "emit/gen.h"

// ---- points of the open tiles

static void sync_var(Gen *k, int slot) {
    const TileSlot *s = &k->slot[slot];
    k->var[s->var].k = s->is_lanes ? (int64_t)LANES * k->point[slot] : k->point[slot];
}

void first_point(Gen *k) {
    for (int i = 0; i < k->n_slot; i++) {
        k->point[i] = 0;
        sync_var(k, i);
    }
}

// Row-major over the tile variables in the set; the others stay at 0.
bool next_point(Gen *k, const uint64_t *set) {
    for (int i = k->n_slot - 1; i >= 0; i--) {
        if (!has_bit(set, k->slot[i].var)) continue;
        bool carried = ++k->point[i] == k->slot[i].n;
        if (carried) k->point[i] = 0;
        sync_var(k, i);
        if (!carried) return true;
    }
    return false;
}

int count_points(const Gen *k, const uint64_t *set) {
    int n = 1;
    for (int i = 0; i < k->n_slot; i++)
        if (has_bit(set, k->slot[i].var)) n *= k->slot[i].n;
    return n;
}

// ---- temps and stores

static int count_operations(Gen *k, const Scalar *s) {
    if (!first_visit(k, s) || !op_info[s->op].arity) return 0;
    int n = 1;
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++) n += count_operations(k, s->arg[i]);
    return n;
}

// Long expressions at two vectors of points go operation by operation, so that the processor
// finds one's operations while the other's wait for theirs. There must be registers for both.
static bool goes_in_step(Gen *k, const Scalar *value, int n_point) {
    enum { LONG_EXPRESSION = 24, POINTS = 2 };
    if (!k->g->has_avx512 || k->is_compact || n_point != POINTS) return false;
    k->visit++;
    return count_operations(k, value) >= LONG_EXPRESSION;
}

static void emit_in_step(Gen *k, const Scalar *s, const uint64_t *varies) {
    if (!first_visit(k, s) || !op_info[s->op].arity) return;
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++) emit_in_step(k, s->arg[i], varies);
    first_point(k);
    do emit_scalar(k, s);
    while (next_point(k, varies));
}

// The tile must have been seen to vary no further than its declaration.
static void set_temp(Gen *k, TempState *t, const Scalar *value) {
    V *next = NEW_ARRAY(k->arena, V, t->n_point);
    int i = 0;
    if (goes_in_step(k, value, t->n_point)) {
        k->visit++;
        emit_in_step(k, value, t->varies);
    }
    first_point(k);
    do next[i++] = emit_scalar_as(k, value, t->is_vector);
    while (next_point(k, t->varies));
    if (i != t->n_point) BUG("emit: temp %d of %s is set outside its tile", t->temp->id, k->k->name);
    t->value = next;
    touch(k, temp_bit(k, t->temp));
}

// The tile variables that a temp declared here varies over.
static void declare_temp(Gen *k, TempState *t) {
    t->n_slot = 0;
    t->is_vector = false;
    for (int i = 0; i < k->n_slot; i++) {
        if (!has_bit(t->varies, k->slot[i].var)) continue;
        t->slot[t->n_slot++] = k->slot[i];
        t->is_vector |= k->slot[i].is_lanes;
    }
    t->n_point = count_points(k, t->varies);
}

void emit_let(Gen *k, const Stmt *s) {
    TempState *t = temp_state(k, s->set.temp);
    declare_temp(k, t);
    set_temp(k, t, s->set.value);
}

void emit_set(Gen *k, const Stmt *s) {
    TempState *t = temp_state(k, s->set.temp);
    if (!t->value) BUG("emit: temp %d of %s is set before it is declared", t->temp->id, k->k->name);
    set_temp(k, t, s->set.value);
}

void deps_of_store(Gen *k, const Stmt *s, uint64_t *set) {
    deps_of_access(k, &s->store.access, set);
    deps_of_guards(k, s->store.guard, s->store.n_guard, set);
    const uint64_t *more = scalar_deps(k, s->store.value);
    for (int i = 0; i < k->n_word; i++) set[i] |= more[i];
}

// One point at a time but for the slot, whose points are columns of rows along the lanes.
static void store_transposed(Gen *k, const Stmt *s, uint64_t *set, int slot) {
    int var = k->slot[slot].var, width = k->slot[slot].n;
    V *value = NEW_ARRAY(k->arena, V, count_points(k, set));
    uint64_t *along = NEW_ARRAY(k->arena, uint64_t, k->n_word);
    add_bit(along, var);
    set[var / 64] &= ~((uint64_t)1 << var % 64);
    int i = 0;
    first_point(k);
    do
        do value[i++] = emit_scalar(k, s->store.value);
        while (next_point(k, along));
    while (next_point(k, set));
    i = 0;
    do {
        store_rows(k, &s->store.access, value + i, width);
        i += width;
    } while (next_point(k, set));
    touch(k, buffer_bit(k, s->store.access.buffer));
}

static bool stores_in_stage(Gen *k, const Stmt *s, const uint64_t *set) {
    first_point(k);
    do
        if (!staged_store(k, s, emit_scalar(k, s->store.value))) return false;
    while (next_point(k, set));
    return true;
}

// All points are computed before the first is stored: they are in lockstep.
void emit_store_stmt(Gen *k, const Stmt *s) {
    uint64_t *set = NEW_ARRAY(k->arena, uint64_t, k->n_word);
    deps_of_store(k, s, set);
    int slot = row_store_slot(k, s);
    if (slot >= 0) {
        store_transposed(k, s, set, slot);
        return;
    }
    if (k->stage && stores_in_stage(k, s, set)) return;
    int n = count_points(k, set), i = 0;
    Place *place = NEW_ARRAY(k->arena, Place, n);
    V *value = NEW_ARRAY(k->arena, V, n);
    first_point(k);
    do {
        value[i] = emit_scalar(k, s->store.value);
        place[i++] = emit_place(k, &s->store.access, s->store.guard, s->store.n_guard);
    } while (next_point(k, set));
    for (i = 0; i < n; i++) emit_store(k, s->store.access.buffer, &place[i], value[i]);
    touch(k, buffer_bit(k, s->store.access.buffer));
}

// ---- runs of statements, point by point

// Lets, sets and stores in a row may be done point by point, which keeps few values alive
// at once, as long as no point loads what another one stores.
static bool is_straight(Gen *k, const Stmt *s) {
    if (s->kind == STMT_store) return row_store_slot(k, s) < 0;
    return s->kind == STMT_let || s->kind == STMT_set;
}

static bool is_own_element(Gen *k, const Access *stored, const Access *loaded) {
    if (stored->n_dyn || loaded->n_dyn || !affine_equal(stored->at, loaded->at)) return false;
    for (int i = 0; i < k->n_slot; i++)
        if (k->slot[i].size > 1 && !affine_coef(stored->at, k->slot[i].var)) return false;
    return true;
}

static bool loads_are_own(Gen *k, const Scalar *s, const Access *stored) {
    if (!has_bit(scalar_deps(k, s), buffer_bit(k, stored->buffer))) return true;
    if (!first_visit(k, s)) return true;
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++)
        if (!loads_are_own(k, s->arg[i], stored)) return false;
    if (s->op != OP_load) return true;
    const Load *l = s->load;
    if (l->access.buffer == stored->buffer) return !l->n_guard && is_own_element(k, stored, &l->access);
    for (int i = 0; i < l->access.n_dyn; i++)
        if (!loads_are_own(k, l->access.dyn[i].s, stored)) return false;
    for (int i = 0; i < l->n_guard; i++)
        if (l->guard[i].s && !loads_are_own(k, l->guard[i].s, stored)) return false;
    return !l->otherwise || loads_are_own(k, l->otherwise, stored);
}

static bool stores_apart(Gen *k, const Stmt *store, const Stmt *other) {
    const Access *a = &store->store.access;
    k->visit++;
    if (other->kind != STMT_store) return loads_are_own(k, other->set.value, a);
    const Access *b = &other->store.access;
    if (store != other && a->buffer == b->buffer) return false;
    for (int i = 0; i < b->n_dyn; i++)
        if (!loads_are_own(k, b->dyn[i].s, a)) return false;
    for (int i = 0; i < other->store.n_guard; i++)
        if (other->store.guard[i].s && !loads_are_own(k, other->store.guard[i].s, a)) return false;
    return loads_are_own(k, other->store.value, a);
}

// Does one of n statements go through the points in step?
static bool has_long_steps(Gen *k, const Block *b, int first, int n) {
    for (int i = first; i < first + n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == STMT_store) continue;
        int n_point = count_points(k, temp_state(k, s->set.temp)->varies);
        if (goes_in_step(k, s->set.value, n_point)) return true;
    }
    return false;
}

// How many statements from `first` on can be done point by point; 1 for none.
int straight_run(Gen *k, const Block *b, int first) {
    int n = 0;
    bool stores = false;
    while (first + n < b->n && is_straight(k, b->at[first + n]))
        stores |= b->at[first + n++]->kind == STMT_store;
    if (!k->n_slot || !stores) return 1;
    if (has_long_steps(k, b, first, n)) return 1;
    for (int i = first; i < first + n; i++)
        for (int j = first; j < first + n; j++)
            if (b->at[i]->kind == STMT_store && !stores_apart(k, b->at[i], b->at[j])) return 1;
    return n;
}

static const uint64_t *varies_over(Gen *k, const Stmt *s) {
    if (s->kind != STMT_store) return temp_state(k, s->set.temp)->varies;
    uint64_t *set = NEW_ARRAY(k->arena, uint64_t, k->n_word);
    deps_of_store(k, s, set);
    return set;
}

// Whether the current point is the first of those that the set does not tell apart.
static bool is_first_of(const Gen *k, const uint64_t *set) {
    for (int i = 0; i < k->n_slot; i++)
        if (k->point[i] && !has_bit(set, k->slot[i].var)) return false;
    return true;
}

// ---- stores that wait

// A load waits for a masked store before it that touches the same 64 bytes, however far both are
// on their way. Where rows that do not fill their last vector are changed in place, a point's
// stores wait until the next point has loaded.
typedef struct Waiting {
    const Stmt *s;
    Place place;
    V value;
} Waiting;

typedef struct StoreQueue {
    Waiting *at;
    int first, n, most;
} StoreQueue;

static bool has_masked_lanes(const Gen *k) {
    for (int i = 0; i < k->n_slot; i++)
        if (k->slot[i].is_lanes && k->slot[i].size % k->g->lanes) return k->g->has_avx512;
    return false;
}

static bool loads_from(Gen *k, const Stmt *s, const Buffer *b) {
    uint64_t *set = NEW_ARRAY(k->arena, uint64_t, k->n_word);
    if (s->kind == STMT_store) deps_of_store(k, s, set);
    return has_bit(s->kind == STMT_store ? set : scalar_deps(k, s->set.value), buffer_bit(k, b));
}

// Is something loaded where a store of the run goes, and always before it?
static bool loads_then_stores(Gen *k, Stmt *const *s, int n) {
    bool loads = false;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n && s[i]->kind == STMT_store; j++) {
            if (!loads_from(k, s[j], s[i]->store.access.buffer)) continue;
            if (j > i) return false;
            loads = true;
        }
    return loads;
}

static StoreQueue queue_new(Gen *k, Stmt *const *s, int n) {
    StoreQueue q = {0};
    if (!has_masked_lanes(k) || !loads_then_stores(k, s, n)) return q;
    for (int i = 0; i < n; i++) q.most += s[i]->kind == STMT_store;
    q.at = NEW_ARRAY(k->arena, Waiting, q.most + 1);
    return q;
}

static void store_first(Gen *k, StoreQueue *q) {
    Waiting *w = &q->at[q->first];
    emit_store(k, w->s->store.access.buffer, &w->place, w->value);
    q->first = (q->first + 1) % (q->most + 1);
    q->n--;
}

static void store_later(Gen *k, StoreQueue *q, Waiting w) {
    if (!q->most) {
        emit_store(k, w.s->store.access.buffer, &w.place, w.value);
        return;
    }
    q->at[(q->first + q->n++) % (q->most + 1)] = w;
    if (q->n > q->most) store_first(k, q);
}

static void run_at_point(Gen *k, const Stmt *s, StoreQueue *q) {
    debug_at(k->g, s->span);
    if (s->kind == STMT_store) {
        V value = emit_scalar(k, s->store.value);
        if (staged_store(k, s, value)) return;
        Place place = emit_place(k, &s->store.access, s->store.guard, s->store.n_guard);
        store_later(k, q, (Waiting){s, place, value});
        touch(k, buffer_bit(k, s->store.access.buffer));
        return;
    }
    TempState *t = temp_state(k, s->set.temp);
    V v = emit_scalar_as(k, s->set.value, t->is_vector);
    t->value[temp_point(k, t)] = v;
    touch(k, temp_bit(k, t->temp));
}

void emit_run(Gen *k, Stmt *const *s, int n) {
    const uint64_t **set = NEW_ARRAY(k->arena, const uint64_t *, n);
    uint64_t *all = NEW_ARRAY(k->arena, uint64_t, k->n_word);
    for (int i = 0; i < n; i++) {
        set[i] = varies_over(k, s[i]);
        for (int w = 0; w < k->n_word; w++) all[w] |= set[i][w];
        if (s[i]->kind == STMT_store) continue;
        TempState *t = temp_state(k, s[i]->set.temp);
        if (s[i]->kind == STMT_let) declare_temp(k, t);
        V *fresh = NEW_ARRAY(k->arena, V, t->n_point);  // phis of an enclosing loop stay
        if (s[i]->kind == STMT_set) memcpy(fresh, t->value, sizeof *fresh * (size_t)t->n_point);
        t->value = fresh;
    }
    StoreQueue q = queue_new(k, s, n);
    first_point(k);
    do
        for (int i = 0; i < n; i++)
            if (is_first_of(k, set[i])) run_at_point(k, s[i], &q);
    while (next_point(k, all));
    while (q.n) store_first(k, &q);
}

// ---- fetching

// To the second level of cache: what is fetched is wanted a block of rows later.
void emit_fetch(Gen *k, const Stmt *s) {
    Code *g = k->g;
    uint64_t *set = NEW_ARRAY(k->arena, uint64_t, k->n_word);
    deps_of_access(k, &s->fetch.access, set);
    first_point(k);
    do {
        V p = access_pointer(k, &s->fetch.access);
        V arg[4] = {p, const_i32(g, s->fetch.is_stored), const_i32(g, 2), const_i32(g, 1)};
        call_intrinsic(g, "llvm.prefetch", LLVMTypeOf(p), arg, 4);
    } while (next_point(k, set));
}

// ---- combining lanes

static V pick(Code *g, RedKind red, bool is_real, V a, V b) {
    V better;
    if (is_real) {  // NaN wins
        better = LLVMBuildFCmp(g->b, red == RED_max ? LLVMRealOGT : LLVMRealOLT, b, a, "");
        better = LLVMBuildOr(g->b, better, LLVMBuildFCmp(g->b, LLVMRealUNO, b, b, ""), "");
    } else {
        better = LLVMBuildICmp(g->b, red == RED_max ? LLVMIntSGT : LLVMIntSLT, b, a, "");
    }
    return LLVMBuildSelect(g->b, better, b, a, "");
}

static V combine_two(Code *g, RedKind red, Elem e, V a, V b) {
    bool is_real = elem_is_real(e);
    V arg[2] = {a, b};
    switch (red) {
    case RED_sum: return emit_op(g, OP_add, e, e, arg);
    case RED_prod: return emit_op(g, OP_mul, e, e, arg);
    case RED_max:
    case RED_min: return pick(g, red, is_real, a, b);
    case RED_any: return LLVMBuildOr(g->b, a, b, "");
    case RED_all: return LLVMBuildAnd(g->b, a, b, "");
    default: BUG("emit: no tree for the reduction %s", red_name[red]);
    }
}

static V combine_lanes(Gen *k, const Stmt *s, V v) {
    Code *g = k->g;
    Elem e = s->combine.from->elem;
    int lanes = active_lanes(k);
    v = splat(g, v);
    if (lanes < LANES) {
        V identity = emit_scalar(k, red_identity(g->p->m, s->combine.red, e));
        v = LLVMBuildSelect(g->b, lane_mask(g, lanes), v, splat(g, identity), "");
    }
    for (int half = LANES / 2; half; half /= 2) {
        int lane[LANES];
        for (int i = 0; i < LANES; i++) lane[i] = (i + half) % LANES;
        v = combine_two(g, s->combine.red, e, v, shuffle(g, v, lane));
    }
    return LLVMBuildExtractElement(g->b, v, const_i32(g, 0), "");
}

void emit_combine(Gen *k, const Stmt *s) {
    TempState *into = temp_state(k, s->combine.into), *from = temp_state(k, s->combine.from);
    int lanes = open_lanes(k);
    if (lanes < 0 || k->slot[lanes].var != s->combine.lane || k->slot[lanes].n != 1)
        BUG("emit: kernel %s combines what is not one vector of lanes", k->k->name);
    V *next = NEW_ARRAY(k->arena, V, into->n_point);
    int i = 0;
    first_point(k);
    do next[i++] = combine_lanes(k, s, from->value[temp_point(k, from)]);
    while (next_point(k, into->varies));
    if (into->is_vector || i != into->n_point)
        BUG("emit: kernel %s combines into a temp of the same tile", k->k->name);
    into->value = next;
    touch(k, temp_bit(k, into->temp));
}
