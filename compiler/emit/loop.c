// Loops. Temps never go through memory: a loop that gives them new values starts with a phi for
// each, at every point.
#include <llvm-c/DebugInfo.h>
#include <math.h>
#include <string.h>

#include "base/die.h"
#include "emit/body.h"

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
        if (touch_call(k, s)) continue;
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
        if (map_has(k->calls, s)) continue;
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

// What every register allocator goes by: without it a short loop around another counts as much
// as the k loop of a contraction, and accumulators make room for constants.
static void say_trips(Code *g, V branch, int64_t trips) {
    enum { MOST = 1 << 20 };
    if (trips > MOST) trips = MOST;
    LLVMMetadataRef part[3] = {
        LLVMMDStringInContext2(g->cx, "branch_weights", 14),
        LLVMValueAsMetadata(LLVMConstInt(g->t_i32, (unsigned long long)(2 * trips - 1), 0)),
        LLVMValueAsMetadata(LLVMConstInt(g->t_i32, 2, 0))};
    unsigned kind = LLVMGetMDKindIDInContext(g->cx, "prof", 4);
    LLVMMetadataRef weights = LLVMMDNodeInContext2(g->cx, part, 3);
    LLVMSetMetadata(branch, kind, LLVMMetadataAsValue(g->cx, weights));
}

BB new_block(Gen *k, const char *what) {
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

// Whether the loop does what whole blocks left over.
static bool is_rest(const Stmt *s) {
    Bound low = s->loop.low, high = s->loop.high;
    return low.multiple > 1 && low.multiple <= LANES && high.multiple <= 1 &&
           low.d.by == high.d.by && low.d.n == high.d.n;
}

// At the largest extents; of what whole blocks left over, half a block.
static int64_t expected_trips(const Stmt *s, V low, V high, int64_t step) {
    int64_t from = 0, to;
    const_int(low, &from);
    if (!const_int(high, &to)) to = dim_max(s->loop.high.d);
    if (is_rest(s)) from = to - s->loop.low.multiple / 2;
    return to - from > step ? (to - from) / step : 1;
}

static LoopLevel *open_loop(Gen *k, const Stmt *s, V low, V high, int copies,
                            CarriedTemps *carried) {
    Code *g = k->g;
    if (k->n_loop == MAX_LOOPS) BUG("emit: kernel %s nests too many loops", k->k->name);
    LoopLevel *l = &k->loop[k->n_loop++];
    *l = (LoopLevel){.var = s->loop.var, .low = low, .step = copies * s->loop.step};
    if (k->n_loop > 1) l[-1].has_loop = true;
    l->grain = grain_of(s, low);
    l->trips = expected_trips(s, low, high, l->step);
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

// Whether there is one more iteration. Where only pointers walk, and nothing reads the variable, what
// is left counts up to zero in its place: the addition tells the branch.
static V goes_on(Gen *k, LoopLevel *l, V high, BB latch) {
    Code *g = k->g;
    V phi = l->iv, end = high, start = l->low;
    if (!LLVMGetFirstUse(l->iv)) {
        BB saved = insert_before_end(k, l->pre);
        start = LLVMBuildNSWSub(g->b, l->low, high, "");
        end = const_i64(g, 0);
        LLVMPositionBuilderBefore(g->b, LLVMGetFirstInstruction(l->head));
        phi = LLVMBuildPhi(g->b, g->t_i64, "left");
        LLVMAddIncoming(phi, &start, &l->pre, 1);
        insert_again(k, saved);
        LLVMInstructionEraseFromParent(l->iv);
    }
    V next = LLVMBuildNSWAdd(g->b, phi, const_i64(g, l->step), "");
    LLVMAddIncoming(phi, &next, &latch, 1);
    return LLVMBuildICmp(g->b, LLVMIntSLT, next, end, "");
}

static BB close_loop(Gen *k, LoopLevel *l, V high, CarriedTemps *carried, BB done) {
    Code *g = k->g;
    BB latch = LLVMGetInsertBlock(g->b);
    finish_pointers(k, l, latch);
    V branch = LLVMBuildCondBr(g->b, goes_on(k, l, high, latch), l->head, done);
    forbid_unrolling(g, branch);
    say_trips(g, branch, l->trips);
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
    LoopLevel *l = open_loop(k, s, low, high, copies, &carried);
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

// The processor's vectors that sixteen lanes take.
static double registers_per_vector(const Code *g) {
    return g->has_avx512 ? 1 : is_x86(g) && g->has_fma ? 2 : 4;
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
                inner *= s->tile.var[v].is_lanes ? ceil((double)s->tile.var[v].size / LANES) *
                                                       registers_per_vector(k->g)
                                                 : (double)s->tile.var[v].size;
            n += body_size(k, &s->tile.body, inner);
            break;
        case STMT_let:
        case STMT_set:
            n += points * count_nodes(k, s->set.value);
            break;
        case STMT_store:
            n += points * (1 + count_nodes(k, s->store.value));
            break;
        case STMT_fetch:
            n += points;
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
    for (int i = 0; i < k->n_slot; i++)
        n *= k->slot[i].n * (k->slot[i].is_lanes ? registers_per_vector(k->g) : 1);
    return n;
}

enum { SHORT_TRIP = 8, LARGE_BODY = 800, LARGE_COPY = 32, LARGE_VALUE = 8, COPIES = 4 };

static bool has_store(const Block *b) {
    for (int i = 0; i < b->n; i++)
        if (b->at[i]->kind == STMT_store) return true;
    return false;
}

// What the body computes at one point.
static int value_size(Gen *k, const Block *b) {
    int n = 0;
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == STMT_tile) n += value_size(k, &s->tile.body);
        if (s->kind == STMT_let || s->kind == STMT_set) n += (int)count_nodes(k, s->set.value);
    }
    return n;
}

// How many copies of the body one iteration of the loop gets. On the k loop of a contraction
// with a small tile four gain 1 to 2% and cost a third more time to compile; tiles of sixteen
// vectors, pointwise loops and sums of long expressions gain nothing.
static int choose_copies(Gen *k, const Stmt *s, int64_t trip) {
    const Block *b = &s->loop.body;
    if (k->is_compact || has_loop(b) || has_store(b) || value_size(k, b) > LARGE_VALUE) return 1;
    if ((trip >= 0 && trip < 2 * COPIES) || is_rest(s)) return 1;
    if (body_size(k, b, open_points(k)) > LARGE_COPY) return 1;
    int copies = COPIES;
    while (trip >= 0 && trip < 8 * COPIES && trip % copies) copies--;  // nothing left over
    return copies;
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
    LoopLevel *l = open_loop(k, s, low, high, LANES, &carried);
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

// A loop around one tile with loops inside becomes a tile around them where that gathers what the
// tile stores along the loop into rows.
static bool emit_rows_in_tile(Gen *k, const Stmt *s, V low, V high) {
    const Block *b = &s->loop.body;
    if (b->n != 1 || b->at[0]->kind != STMT_tile || !has_loop(b) || k->stage) return false;
    const Stmt *tile = b->at[0];
    Stmt *inner = NEW(k->arena, Stmt);
    *inner = *s;
    inner->loop.body = tile->tile.body;
    Stage stage;
    open_tile(k, tile);
    bool has_rows = plan_stage(k, inner, &stage);
    if (has_rows) emit_staged_loop(k, inner, &stage, low, high);
    close_tile(k, tile);
    return has_rows;
}

static void emit_loop_in_tile(Gen *k, const Stmt *s, const Stmt *tile, V low, V high) {
    Stmt *inner = NEW(k->arena, Stmt);
    *inner = *s;
    inner->loop.body = tile->tile.body;
    open_tile(k, tile);
    emit_loop(k, inner, low, high);
    close_tile(k, tile);
}

static int64_t known_trip(const Stmt *s) {
    Bound low = s->loop.low, high = s->loop.high;
    bool is_known = !low.d.by && !high.d.by && low.multiple <= 1 && high.multiple <= 1;
    return is_known && low.d.n == 0 && s->loop.step == 1 && !s->loop.n_guard ? high.d.n : 0;
}

// Whether a loop around `inner` goes on where the rows that `inner` stores along the lanes stop.
static bool walks_on(Gen *k, const Stmt *s, const Stmt *inner, Stage *stage) {
    int64_t n = known_trip(inner), rows = known_trip(s);
    if (!n || !rows || n * rows > LANES || !plan_stage(k, inner, stage) || stage->n) return false;
    for (int i = 0; i < stage->n_store; i++)
        if (affine_coef(stage->store[i]->store.access.at, s->loop.var) != n) return false;
    stage->outer = s->loop.var;
    stage->n_inner = n;
    return true;
}

// Two loops around one tile whose stores along a row follow one another: one block of rows.
static bool emit_joined_rows(Gen *k, const Stmt *s) {
    const Stmt *inner = s->loop.body.n == 1 ? s->loop.body.at[0] : NULL;
    const Stmt *tile = inner && inner->kind == STMT_for ? only_tile(inner) : NULL;
    if (!tile || !known_trip(s) || k->stage) return false;
    Stmt *t = NEW(k->arena, Stmt), *outer = NEW(k->arena, Stmt);
    *t = *inner;
    *outer = *s;
    t->loop.body = tile->tile.body;
    memset(&outer->loop.body, 0, sizeof outer->loop.body);
    vec_push(k->arena, &outer->loop.body, t);
    Stage stage;
    open_tile(k, tile);
    bool joins = walks_on(k, s, t, &stage);
    if (joins) {
        Var first = {VAR_const};
        k->var[s->loop.var] = k->var[t->loop.var] = first;
        fill_stage(k, &stage, 0);
        k->stage = &stage;
        emit_range(k, outer, const_i64(k->g, 0), const_i64(k->g, known_trip(s)), 1, true);
        k->stage = NULL;
        k->var[s->loop.var] = k->var[t->loop.var] = first;
        flush_stage(k, &stage, (int)(known_trip(s) * known_trip(t)));
        k->var[s->loop.var].kind = k->var[t->loop.var].kind = VAR_none;
    }
    close_tile(k, tile);
    return joins;
}

// The loop in a branch of its own.
static void emit_if(Gen *k, const Stmt *s, V condition) {
    Code *g = k->g;
    BB before = LLVMGetInsertBlock(g->b), then = new_block(k, "then"), done = new_block(k, "done");
    LLVMBuildCondBr(g->b, condition, then, done);
    LLVMPositionBuilderAtEnd(g->b, then);
    CarriedTemps carried = {0};
    find_carried(k, &s->loop.body, &carried);
    Stmt *inner = NEW(k->arena, Stmt);
    *inner = *s;
    inner->loop.n_guard = 0;
    scope_open(k);
    emit_for(k, inner);
    scope_close(k);
    BB last = LLVMGetInsertBlock(g->b);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
    merge_carried(k, &carried, before, last);
    for (int i = 0; i < carried.n; i++) touch(k, temp_bit(k, carried.at[i].t->temp));
}

void emit_for(Gen *k, const Stmt *s) {
    Code *g = k->g;
    V condition = emit_guards(k, s->loop.guard, s->loop.n_guard);
    bool is_known = true;
    if (condition && !const_bool(condition, &is_known)) {
        emit_if(k, s, condition);
        return;
    }
    if (!is_known) return;
    V low = emit_bound(k, s->loop.low), high = emit_bound(k, s->loop.high);
    bool is_outermost = k->n_loop == 0 && k->k->is_parallel;
    if (!is_outermost) {
        if (emit_joined_rows(k, s) || emit_rows_in_tile(k, s, low, high)) return;
        const Stmt *tile = only_tile(s);
        if (tile) emit_loop_in_tile(k, s, tile, low, high);
        else emit_loop(k, s, low, high);
        return;
    }
    V step = const_i64(g, s->loop.step);
    V first = LLVMBuildNSWAdd(g->b, low, LLVMBuildNSWMul(g->b, k->begin, step, ""), "");
    k->first = first;
    V end = LLVMBuildNSWAdd(g->b, low, LLVMBuildNSWMul(g->b, k->end, step, ""), "");
    emit_range(k, s, first, end, 1, false);
}
