// Statements: loops, tiles, temps. One kernel becomes one function.
//
// Temps never go through memory: a temp's values at each point are LLVM values, and a loop
// that gives it new ones starts with a phi for each. Control flow is loops (and guarded
// stores, which define nothing), so that is all SSA form needs.
#include <string.h>

#include <llvm-c/DebugInfo.h>

#include "base/die.h"
#include "emit/gen.h"

static void emit_block(Gen *k, const Block *b);

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

static int count_points(const Gen *k, const uint64_t *set) {
    int n = 1;
    for (int i = 0; i < k->n_slot; i++)
        if (has_bit(set, k->slot[i].var)) n *= k->slot[i].n;
    return n;
}

// ---- temps and stores

// The tile must have been seen to vary no further than its declaration.
static void set_temp(Gen *k, TempState *t, const Scalar *value) {
    V *next = NEW_ARRAY(k->arena, V, t->n_point);
    int i = 0;
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

static void emit_let(Gen *k, const Stmt *s) {
    TempState *t = temp_state(k, s->set.temp);
    declare_temp(k, t);
    set_temp(k, t, s->set.value);
}

static void emit_set(Gen *k, const Stmt *s) {
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
static void emit_store_stmt(Gen *k, const Stmt *s) {
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

// How many statements from `first` on can be done point by point; 1 for none.
static int straight_run(Gen *k, const Block *b, int first) {
    int n = 0;
    bool stores = false;
    while (first + n < b->n && is_straight(k, b->at[first + n]))
        stores |= b->at[first + n++]->kind == STMT_store;
    if (!k->n_slot || !stores) return 1;
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

static void run_at_point(Gen *k, const Stmt *s) {
    debug_at(k->g, s->span);
    if (s->kind == STMT_store) {
        V value = emit_scalar(k, s->store.value);
        if (staged_store(k, s, value)) return;
        Place place = emit_place(k, &s->store.access, s->store.guard, s->store.n_guard);
        emit_store(k, s->store.access.buffer, &place, value);
        touch(k, buffer_bit(k, s->store.access.buffer));
        return;
    }
    TempState *t = temp_state(k, s->set.temp);
    V v = emit_scalar_as(k, s->set.value, t->is_vector);
    t->value[temp_point(k, t)] = v;
    touch(k, temp_bit(k, t->temp));
}

static void emit_run(Gen *k, Stmt *const *s, int n) {
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
    first_point(k);
    do
        for (int i = 0; i < n; i++)
            if (is_first_of(k, set[i])) run_at_point(k, s[i]);
    while (next_point(k, all));
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

static void emit_combine(Gen *k, const Stmt *s) {
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

// ---- tiles

static void open_tile(Gen *k, const Stmt *s) {
    for (int i = 0; i < s->tile.n; i++) {
        const TileVar *v = &s->tile.var[i];
        if (k->n_slot == MAX_TILE_VARS) BUG("emit: kernel %s nests too many tiles", k->k->name);
        if (v->is_lanes && open_lanes(k) >= 0)
            BUG("emit: kernel %s has lanes inside lanes", k->k->name);
        int n = (int)(v->is_lanes ? (v->size + LANES - 1) / LANES : v->size);
        k->slot[k->n_slot] = (TileSlot){v->var, v->size, n, v->is_lanes};
        k->point[k->n_slot] = 0;
        k->n_slot++;
        k->var[v->var] = (Var){v->is_lanes ? VAR_lanes : VAR_const};
        touch(k, v->var);
    }
    scope_open(k);
}

static void close_tile(Gen *k, const Stmt *s) {
    scope_close(k);
    for (int i = 0; i < s->tile.n; i++) k->var[k->slot[--k->n_slot].var].kind = VAR_none;
}

static void emit_tile(Gen *k, const Stmt *s) {
    open_tile(k, s);
    emit_block(k, &s->tile.body);
    close_tile(k, s);
}

// ---- loops

typedef struct Carried {  // a temp that the loop gives new values
    TempState *t;
    V *before;            // n_point
    V *phi;
} Carried;

typedef VEC(Carried) CarriedTemps;

// What the loop changes: what was computed before is no longer good inside it.
static void find_carried(Gen *k, const Block *b, CarriedTemps *out) {
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == STMT_for) find_carried(k, &s->loop.body, out);
        if (s->kind == STMT_tile) find_carried(k, &s->tile.body, out);
        if (s->kind == STMT_store) touch(k, buffer_bit(k, s->store.access.buffer));
        if (s->kind != STMT_set && s->kind != STMT_combine) continue;
        TempState *t = temp_state(k, s->kind == STMT_set ? s->set.temp : s->combine.into);
        bool is_seen = !t->value;
        for (int j = 0; j < out->n; j++) is_seen |= out->at[j].t == t;
        if (is_seen) continue;
        Carried c = {t, t->value, NEW_ARRAY(k->arena, V, t->n_point)};
        vec_push(k->arena, out, c);
        touch(k, temp_bit(k, t->temp));
    }
}

// Temps that the body declares are gone after it.
static void forget_lets(Gen *k, const Block *b) {
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == STMT_for) forget_lets(k, &s->loop.body);
        if (s->kind == STMT_tile) forget_lets(k, &s->tile.body);
        if (s->kind == STMT_let) temp_state(k, s->set.temp)->value = NULL;
    }
}

static bool has_loop(const Block *b) {
    for (int i = 0; i < b->n; i++) {
        if (b->at[i]->kind == STMT_for) return true;
        if (b->at[i]->kind == STMT_tile && has_loop(&b->at[i]->tile.body)) return true;
    }
    return false;
}

static void forbid_unrolling(Code *g, V branch) {
    LLVMMetadataRef word = LLVMMDStringInContext2(g->cx, "llvm.loop.unroll.disable", 24);
    LLVMMetadataRef part[2] = {LLVMTemporaryMDNode(g->cx, NULL, 0),
                               LLVMMDNodeInContext2(g->cx, &word, 1)};
    LLVMMetadataRef id = LLVMMDNodeInContext2(g->cx, part, 2);
    LLVMMetadataReplaceAllUsesWith(part[0], id);
    unsigned kind = LLVMGetMDKindIDInContext(g->cx, "llvm.loop", 9);
    LLVMSetMetadata(branch, kind, LLVMMetadataAsValue(g->cx, id));
}

static BB new_block(Gen *k, const char *what) {
    return LLVMAppendBasicBlockInContext(k->g->cx, k->g->fn, what);
}

// `copies` iterations of the body in a row, the variable a constant apart.
static void emit_copies(Gen *k, const Stmt *s, int level, int copies) {
    for (int i = 0; i < copies; i++) {
        k->var[s->loop.var] = (Var){VAR_loop, i * s->loop.step, level};
        touch(k, s->loop.var);
        scope_open(k);
        emit_block(k, &s->loop.body);
        scope_close(k);
    }
}

static int64_t common_divisor(int64_t a, int64_t b) {
    while (b) {
        int64_t r = a % b;
        a = b, b = r;
    }
    return a < 0 ? -a : a;
}

// What every value of the variable is a multiple of.
static int64_t grain_of(const Stmt *s, V low) {
    int64_t known;
    if (const_int(low, &known)) return common_divisor(s->loop.step, known);
    return common_divisor(s->loop.step, s->loop.low.d.by ? s->loop.low.multiple : s->loop.low.d.n);
}

static LoopLevel *open_loop(Gen *k, const Stmt *s, V low, int copies, CarriedTemps *carried) {
    Code *g = k->g;
    if (k->n_loop == MAX_LOOPS) BUG("emit: kernel %s nests too many loops", k->k->name);
    LoopLevel *l = &k->loop[k->n_loop++];
    *l = (LoopLevel){.var = s->loop.var, .low = low, .step = copies * s->loop.step};
    l->is_innermost = !has_loop(&s->loop.body);
    l->grain = grain_of(s, low);
    l->pre = LLVMGetInsertBlock(g->b);
    l->head = new_block(k, "loop");
    BB body = new_block(k, "body");
    LLVMBuildBr(g->b, l->head);
    LLVMPositionBuilderAtEnd(g->b, l->head);
    l->iv = LLVMBuildPhi(g->b, g->t_i64, k->k->var_name ? k->k->var_name[s->loop.var] : "i");
    LLVMAddIncoming(l->iv, &low, &l->pre, 1);
    find_carried(k, &s->loop.body, carried);
    for (int i = 0; i < carried->n; i++) {
        Carried *c = &carried->at[i];
        for (int p = 0; p < c->t->n_point; p++) {
            c->phi[p] = LLVMBuildPhi(g->b, LLVMTypeOf(c->before[p]),
                                     c->t->temp->name ? c->t->temp->name : "t");
            LLVMAddIncoming(c->phi[p], &c->before[p], &l->pre, 1);
        }
        c->t->value = c->phi;
    }
    LLVMBuildBr(g->b, body);
    LLVMPositionBuilderAtEnd(g->b, body);
    return l;
}

static BB close_loop(Gen *k, LoopLevel *l, V high, CarriedTemps *carried, BB done) {
    Code *g = k->g;
    V next = LLVMBuildNSWAdd(g->b, l->iv, const_i64(g, l->step), "");
    BB latch = LLVMGetInsertBlock(g->b);
    finish_pointers(k, l, latch);
    V goes_on = LLVMBuildICmp(g->b, LLVMIntSLT, next, high, "");
    forbid_unrolling(g, LLVMBuildCondBr(g->b, goes_on, l->head, done));
    LLVMAddIncoming(l->iv, &next, &latch, 1);
    for (int i = 0; i < carried->n; i++) {
        Carried *c = &carried->at[i];
        for (int p = 0; p < c->t->n_point; p++)
            LLVMAddIncoming(c->phi[p], &c->t->value[p], &latch, 1);
    }
    k->n_loop--;
    return latch;
}

// After a loop that may not have run at all.
static void merge_carried(Gen *k, CarriedTemps *carried, BB before, BB latch) {
    Code *g = k->g;
    for (int i = 0; i < carried->n; i++) {
        Carried *c = &carried->at[i];
        V *after = NEW_ARRAY(k->arena, V, c->t->n_point);
        for (int p = 0; p < c->t->n_point; p++) {
            after[p] = LLVMBuildPhi(g->b, LLVMTypeOf(c->before[p]), "");
            LLVMAddIncoming(after[p], &c->before[p], &before, 1);
            LLVMAddIncoming(after[p], &c->t->value[p], &latch, 1);
        }
        c->t->value = after;
    }
}

// The variable from low up to high, which is a multiple of what one iteration does behind
// it. is_known: there is at least one.
static void emit_range(Gen *k, const Stmt *s, V low, V high, int copies, bool is_known) {
    Code *g = k->g;
    int64_t from, to;
    if (const_int(low, &from) && const_int(high, &to)) {
        if (from >= to) return;
        is_known = true;
    }
    BB before = LLVMGetInsertBlock(g->b), pre = new_block(k, "pre"), done = new_block(k, "done");
    V runs = LLVMBuildICmp(g->b, LLVMIntSLT, low, high, "");
    if (is_known) LLVMBuildBr(g->b, pre);
    else LLVMBuildCondBr(g->b, runs, pre, done);
    LLVMPositionBuilderAtEnd(g->b, pre);
    CarriedTemps carried = {0};
    LoopLevel *l = open_loop(k, s, low, copies, &carried);
    emit_copies(k, s, k->n_loop - 1, copies);
    BB latch = close_loop(k, l, high, &carried, done);
    LLVMPositionBuilderAtEnd(g->b, done);
    if (!is_known) merge_carried(k, &carried, before, latch);
    for (int i = 0; i < carried.n; i++) touch(k, temp_bit(k, carried.at[i].t->temp));
    forget_lets(k, &s->loop.body);
    k->var[s->loop.var].kind = VAR_none;
}

static V emit_bound(Gen *k, Bound b) {
    Code *g = k->g;
    V d = frame_dim(k, b.d);
    if (b.multiple <= 1) return d;
    V m = const_i64(g, b.multiple);
    return LLVMBuildNSWMul(g->b, LLVMBuildSDiv(g->b, d, m, ""), m, "");
}

static int count_new_nodes(Gen *k, const Scalar *s) {
    if (!first_visit(k, s)) return 0;
    int n = 1;
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++) n += count_new_nodes(k, s->arg[i]);
    return n;
}

static double count_nodes(Gen *k, const Scalar *s) {
    k->visit++;
    return count_new_nodes(k, s);
}

// Roughly how many instructions a body is.
static double body_size(Gen *k, const Block *b, double points) {
    double n = 0;
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        double inner = points;
        switch (s->kind) {
        case STMT_for:
            n += body_size(k, &s->loop.body, points) + 4;
            break;
        case STMT_tile:
            for (int v = 0; v < s->tile.n; v++)
                inner *= (double)(s->tile.var[v].is_lanes ? (s->tile.var[v].size + LANES - 1) / LANES
                                                          : s->tile.var[v].size);
            n += body_size(k, &s->tile.body, inner);
            break;
        case STMT_let:
        case STMT_set:
            n += points * count_nodes(k, s->set.value);
            break;
        case STMT_store:
            n += points * (1 + count_nodes(k, s->store.value));
            break;
        case STMT_combine:
            n += 10 * points;
            break;
        }
    }
    return n;
}

static double open_points(const Gen *k) {
    double n = 1;
    for (int i = 0; i < k->n_slot; i++) n *= k->slot[i].n;
    return n;
}

enum { SHORT_TRIP = 8, LARGE_BODY = 800, LARGE_COPY = 64, COPIES = 4 };

static bool has_store(const Block *b) {
    for (int i = 0; i < b->n; i++)
        if (b->at[i]->kind == STMT_store) return true;
    return false;
}

// How many copies of the body one iteration of the loop gets. On a contraction's k loop four
// gain 1 to 2% and cost a third more time to compile; pointwise loops gain nothing.
static int choose_copies(Gen *k, const Stmt *s, int64_t trip) {
    if (k->is_compact || has_loop(&s->loop.body) || has_store(&s->loop.body)) return 1;
    if (trip >= 0 && trip < 2 * COPIES) return 1;
    return body_size(k, &s->loop.body, open_points(k)) <= LARGE_COPY ? COPIES : 1;
}

static bool should_unroll(Gen *k, const Stmt *s, int64_t trip) {
    if (trip <= 1) return true;
    if (k->is_compact || has_loop(&s->loop.body) || trip > SHORT_TRIP) return false;
    if (has_store(&s->loop.body) && !s->loop.is_unrolled) return false;
    return (double)trip * body_size(k, &s->loop.body, open_points(k)) <= LARGE_BODY;
}

static void emit_unrolled(Gen *k, const Stmt *s, int64_t low, int64_t high) {
    for (int64_t i = low; i < high; i += s->loop.step) {
        k->var[s->loop.var] = (Var){VAR_const, i};
        touch(k, s->loop.var);
        scope_open(k);
        emit_block(k, &s->loop.body);
        scope_close(k);
    }
    forget_lets(k, &s->loop.body);
    k->var[s->loop.var].kind = VAR_none;
}

// ---- loops over rows along the lanes

// The iterations of one block; its rows were transposed.
static void emit_staged_block(Gen *k, const Stmt *s, const Stage *stage, V low, V high, int n) {
    int64_t from, to;
    k->stage = stage;
    bool is_short = const_int(low, &from) && const_int(high, &to) && should_unroll(k, s, n);
    if (is_short) emit_unrolled(k, s, from, to);
    else emit_range(k, s, low, high, n % COPIES ? 1 : choose_copies(k, s, n), true);
    k->stage = NULL;
}

static void emit_whole_blocks(Gen *k, const Stmt *s, Stage *stage, V low, V high) {
    Code *g = k->g;
    int64_t from, to;
    bool is_known = const_int(low, &from) && const_int(high, &to);
    if (is_known && from >= to) return;
    BB before = LLVMGetInsertBlock(g->b), pre = new_block(k, "pre"), done = new_block(k, "done");
    if (is_known) LLVMBuildBr(g->b, pre);
    else LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, low, high, ""), pre, done);
    LLVMPositionBuilderAtEnd(g->b, pre);
    CarriedTemps carried = {0};
    LoopLevel *l = open_loop(k, s, low, LANES, &carried);
    l->is_innermost = false;
    k->var[s->loop.var] = (Var){VAR_loop, 0, k->n_loop - 1};
    touch(k, s->loop.var);
    scope_open(k);
    fill_stage(k, stage, LANES);
    l->var = -1;  // inside, the variable is that of the loop over the block
    V end = LLVMBuildNSWAdd(g->b, l->iv, const_i64(g, LANES), "");
    emit_staged_block(k, s, stage, l->iv, end, LANES);
    l->var = s->loop.var;
    k->var[s->loop.var] = (Var){VAR_loop, 0, k->n_loop - 1};
    flush_stage(k, stage, LANES);
    scope_close(k);
    BB latch = close_loop(k, l, high, &carried, done);
    LLVMPositionBuilderAtEnd(g->b, done);
    if (!is_known) merge_carried(k, &carried, before, latch);
    for (int i = 0; i < carried.n; i++) touch(k, temp_bit(k, carried.at[i].t->temp));
}

// Blocks of sixteen, then what is left: a narrower block where its length is known.
static void emit_staged_loop(Gen *k, const Stmt *s, Stage *stage, V low, V high) {
    Code *g = k->g;
    V block = const_i64(g, LANES);
    V whole = LLVMBuildSDiv(g->b, LLVMBuildNSWSub(g->b, high, low, ""), block, "");
    V middle = LLVMBuildNSWAdd(g->b, low, LLVMBuildNSWMul(g->b, whole, block, ""), "");
    emit_whole_blocks(k, s, stage, low, middle);
    int64_t from, to;
    if (!const_int(middle, &from) || !const_int(high, &to)) {
        emit_range(k, s, middle, high, 1, false);
        return;
    }
    if (from >= to) return;
    k->var[s->loop.var] = (Var){VAR_const, from};
    touch(k, s->loop.var);
    fill_stage(k, stage, (int)(to - from));
    emit_staged_block(k, s, stage, middle, high, (int)(to - from));
    k->var[s->loop.var] = (Var){VAR_const, from};
    flush_stage(k, stage, (int)(to - from));
    k->var[s->loop.var].kind = VAR_none;
}

static void emit_loop(Gen *k, const Stmt *s, V low, V high) {
    Code *g = k->g;
    int64_t from, to, step = s->loop.step, trip = -1;
    Stage stage;
    if (plan_stage(k, s, &stage)) {
        emit_staged_loop(k, s, &stage, low, high);
        return;
    }
    if (const_int(low, &from) && const_int(high, &to)) {
        trip = to > from ? (to - from + step - 1) / step : 0;
        if (should_unroll(k, s, trip)) {
            emit_unrolled(k, s, from, to);
            return;
        }
    }
    int copies = choose_copies(k, s, trip);
    V middle = low;
    if (copies > 1) {
        V chunk = const_i64(g, copies * step);
        V whole = LLVMBuildSDiv(g->b, LLVMBuildNSWSub(g->b, high, low, ""), chunk, "");
        middle = LLVMBuildNSWAdd(g->b, low, LLVMBuildNSWMul(g->b, whole, chunk, ""), "");
        emit_range(k, s, low, middle, copies, false);
    }
    if (copies > 1 && const_int(middle, &from) && const_int(high, &to)) emit_unrolled(k, s, from, to);
    else emit_range(k, s, middle, high, 1, false);
}

// A loop around one tile is a tile around the loop: points are in lockstep either way.
static const Stmt *only_tile(const Stmt *s) {
    const Block *b = &s->loop.body;
    return b->n == 1 && b->at[0]->kind == STMT_tile && !has_loop(b) ? b->at[0] : NULL;
}

static void emit_loop_in_tile(Gen *k, const Stmt *s, const Stmt *tile, V low, V high) {
    Stmt *inner = NEW(k->arena, Stmt);
    *inner = *s;
    inner->loop.body = tile->tile.body;
    open_tile(k, tile);
    emit_loop(k, inner, low, high);
    close_tile(k, tile);
}

static void emit_for(Gen *k, const Stmt *s) {
    Code *g = k->g;
    V low = emit_bound(k, s->loop.low), high = emit_bound(k, s->loop.high);
    bool is_outermost = k->n_loop == 0 && k->k->is_parallel;
    if (!is_outermost) {
        const Stmt *tile = only_tile(s);
        if (tile) emit_loop_in_tile(k, s, tile, low, high);
        else emit_loop(k, s, low, high);
        return;
    }
    V step = const_i64(g, s->loop.step);
    V first = LLVMBuildNSWAdd(g->b, low, LLVMBuildNSWMul(g->b, k->begin, step, ""), "");
    V end = LLVMBuildNSWAdd(g->b, low, LLVMBuildNSWMul(g->b, k->end, step, ""), "");
    emit_range(k, s, first, end, 1, false);
}

static void emit_stmt(Gen *k, const Stmt *s) {
    switch (s->kind) {
    case STMT_for: emit_for(k, s); break;
    case STMT_tile: emit_tile(k, s); break;
    case STMT_let: emit_let(k, s); break;
    case STMT_set: emit_set(k, s); break;
    case STMT_store: emit_store_stmt(k, s); break;
    case STMT_combine: emit_combine(k, s); break;
    }
}

static void emit_block(Gen *k, const Block *b) {
    for (int i = 0; i < b->n;) {
        int n = straight_run(k, b, i);
        debug_at(k->g, b->at[i]->span);
        if (n > 1) {
            emit_run(k, b->at + i, n);
        } else {
            emit_stmt(k, b->at[i]);
        }
        i += n > 1 ? n : 1;
    }
}

// ---- the function

enum { MANY_BUFFERS = 24 };

static LLVMMetadataRef self_reference(Code *g, LLVMMetadataRef second) {
    LLVMMetadataRef part[2] = {LLVMTemporaryMDNode(g->cx, NULL, 0), second};
    LLVMMetadataRef id = LLVMMDNodeInContext2(g->cx, part, second ? 2 : 1);
    LLVMMetadataReplaceAllUsesWith(part[0], id);
    return id;
}

static void make_alias_scopes(Gen *k) {
    Code *g = k->g;
    int n = k->buffers.n;
    if (n < 2 || n > MANY_BUFFERS) return;
    LLVMMetadataRef domain = self_reference(g, NULL), scope[MANY_BUFFERS], others[MANY_BUFFERS];
    for (int i = 0; i < n; i++) scope[i] = self_reference(g, domain);
    k->alias_scope = NEW_ARRAY(k->arena, V, n);
    k->alias_others = NEW_ARRAY(k->arena, V, n);
    for (int i = 0; i < n; i++) {
        int m = 0;
        for (int j = 0; j < n; j++)
            if (j != i) others[m++] = scope[j];
        k->alias_scope[i] = LLVMMetadataAsValue(g->cx, LLVMMDNodeInContext2(g->cx, &scope[i], 1));
        k->alias_others[i] =
            LLVMMetadataAsValue(g->cx, LLVMMDNodeInContext2(g->cx, others, (size_t)m));
    }
}

static Gen *gen_new(Code *g, Arena *arena, const Kernel *kernel) {
    Gen *k = NEW(arena, Gen);
    k->g = g;
    k->arena = arena;
    k->k = kernel;
    k->temp_of = map_new(arena);
    k->buffer_of = map_new(arena);
    k->var = NEW_ARRAY(arena, Var, kernel->n_var + 1);
    facts_init(k);
    k->base = NEW_ARRAY(arena, V, k->buffers.n + 1);
    make_alias_scopes(k);
    return k;
}

// The buffers of a kernel in the order in which it names them: the order of its table.
Buffers kernel_buffers(const Kernel *kernel, Arena *arena) {
    Gen *k = NEW(arena, Gen);
    k->arena = arena;
    k->k = kernel;
    k->temp_of = map_new(arena);
    k->buffer_of = map_new(arena);
    facts_init(k);
    return (Buffers){k->buffers.at, k->buffers.n};
}

void emit_kernel(Code *g, const Kernel *kernel, V fn, bool has_table, bool is_cold) {
    Arena *arena = arena_new();
    Gen *k = gen_new(g, arena, kernel);
    g->fn = fn;
    k->is_compact = is_cold || g->c->opt.opt_level == 0;
    k->context = LLVMGetParam(fn, 0);
    k->begin = LLVMGetParam(fn, 1);
    k->end = LLVMGetParam(fn, 2);
    if (has_table) k->table = LLVMGetParam(fn, 3);
    debug_function(g, fn, kernel->span);
    k->entry = new_block(k, "entry");
    BB start = new_block(k, "start");
    LLVMPositionBuilderAtEnd(g->b, k->entry);
    LLVMBuildBr(g->b, start);
    LLVMPositionBuilderAtEnd(g->b, start);
    scope_open(k);
    emit_block(k, &kernel->body);
    LLVMBuildRetVoid(g->b);
    debug_end(g);
    arena_free(arena);
}
