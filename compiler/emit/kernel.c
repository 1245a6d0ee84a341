// A kernel becomes one function; tiles open their variables, statements go to stmt.c, loops to
// loop.c.
//
// Temps never go through memory: a temp's values at each point are LLVM values, and a loop
// that gives it new ones starts with a phi for each. Control flow is loops (and guarded
// stores, which define nothing), so that is all SSA form needs.
#include <llvm-c/DebugInfo.h>

#include "base/die.h"
#include "emit/body.h"

// ---- tiles

// Draws and combinations are defined for vectors of LANES.
static bool needs_all_lanes(Gen *k, const Block *b) {
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        bool needs = false;
        switch (s->kind) {
        case STMT_for: needs = needs_all_lanes(k, &s->loop.body); break;
        case STMT_tile: needs = needs_all_lanes(k, &s->tile.body); break;
        case STMT_let:
        case STMT_set: needs = has_draws(k, s->set.value); break;
        case STMT_store: needs = has_draws(k, s->store.value); break;
        case STMT_combine: needs = true; break;
        case STMT_fetch: break;
        }
        if (needs) return true;
    }
    return false;
}

static int lanes_for(Gen *k, const Stmt *tile, int64_t size) {
    k->visit++;
    if (size > LANES / 2 || needs_all_lanes(k, &tile->tile.body)) return LANES;
    return size > LANES / 4 ? LANES / 2 : LANES / 4;
}

void open_tile(Gen *k, const Stmt *s) {
    for (int i = 0; i < s->tile.n; i++) {
        const TileVar *v = &s->tile.var[i];
        if (k->n_slot == MAX_TILE_VARS) BUG("emit: kernel %s nests too many tiles", k->k->name);
        if (v->is_lanes && open_lanes(k) >= 0)
            BUG("emit: kernel %s has lanes inside lanes", k->k->name);
        int n = (int)(v->is_lanes ? (v->size + LANES - 1) / LANES : v->size);
        if (v->is_lanes) k->g->lanes = lanes_for(k, s, v->size);
        k->slot[k->n_slot] = (TileSlot){v->var, v->size, n, v->is_lanes};
        k->point[k->n_slot] = 0;
        k->n_slot++;
        k->var[v->var] = (Var){v->is_lanes ? VAR_lanes : VAR_const};
        touch(k, v->var);
    }
    scope_open(k);
}

void close_tile(Gen *k, const Stmt *s) {
    scope_close(k);
    for (int i = 0; i < s->tile.n; i++) {
        TileSlot *slot = &k->slot[--k->n_slot];
        k->var[slot->var].kind = VAR_none;
        if (slot->is_lanes) k->g->lanes = LANES;
    }
}

static void emit_tile(Gen *k, const Stmt *s) {
    open_tile(k, s);
    emit_block(k, &s->tile.body);
    close_tile(k, s);
}

// ---- statements

static void emit_stmt(Gen *k, const Stmt *s) {
    if (emit_call(k, s)) return;
    switch (s->kind) {
    case STMT_for: emit_for(k, s); break;
    case STMT_tile: emit_tile(k, s); break;
    case STMT_let: emit_let(k, s); break;
    case STMT_set: emit_set(k, s); break;
    case STMT_store: emit_store_stmt(k, s); break;
    case STMT_fetch: emit_fetch(k, s); break;
    case STMT_combine: emit_combine(k, s); break;
    }
}

void emit_block(Gen *k, const Block *b) {
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

static Gen *gen_new(Code *g, Arena *arena, const Kernel *kernel, Map *calls) {
    Gen *k = NEW(arena, Gen);
    k->g = g;
    k->arena = arena;
    k->k = kernel;
    k->temp_of = map_new(arena);
    k->buffer_of = map_new(arena);
    k->calls = calls;
    k->var = NEW_ARRAY(arena, Var, kernel->n_var + 1);
    facts_init(k);
    k->base = NEW_ARRAY(arena, V, k->buffers.n + 1);
    make_alias_scopes(k);
    return k;
}

Table kernel_table(const Kernel *kernel, Arena *arena) {
    Gen *k = NEW(arena, Gen);
    k->arena = arena;
    k->k = kernel;
    k->temp_of = map_new(arena);
    k->buffer_of = map_new(arena);
    k->calls = map_new(arena);
    see_kernel(k);
    return (Table){k->buffers.at, k->buffers.n, k->sites.at, k->sites.n};
}

int table_count(Table t) {
    return t.n + t.n_site;
}

// Whether the kernel does what whole blocks of rows left over.
static bool is_rest(const Kernel *kernel) {
    const Stmt *s = kernel->body.at[0];
    return kernel->body.n == 1 && s->kind == STMT_for && s->loop.low.d.by;
}

void emit_kernel(Code *g, const Kernel *kernel, V fn, Map *calls, bool has_table, bool is_cold) {
    Arena *arena = arena_new();
    Gen *k = gen_new(g, arena, kernel, calls);
    g->fn = fn;
    g->lanes = LANES;
    k->is_compact = is_cold || is_rest(kernel) || g->c->opt.opt_level == 0;
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
