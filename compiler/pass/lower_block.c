// Blocks: the loops outside those over tiles, and the copies made once per block.
//
// A parallel slot's blocks keep a part of an operand near; its loop is split over threads. A
// reduced slot's blocks store the chain's partial result and load it again: the same chain.
#include "base/die.h"
#include "pass/lower.h"

static bool is_reduced(const Nest *nest, int place) {
    return place >= nest->n_parallel;
}

static int lanes_place(const Nest *nest) {
    for (int i = 0; i < nest->n_parallel; i++)
        if (nest->slot[i].is_lanes) return i;
    return -1;
}

static int fastest(const Slot *s) {
    return s->first + s->n - 1;
}

// How far slot `place` is into its block.
static Affine place_in_block(NestLower *n, int place, Affine value) {
    Module *m = n->l->m;
    return affine_add(m, value, affine_scale(m, n->range[place].first, -1));
}

// ---- partial results

Access partial_access(NestLower *n) {
    Module *m = n->l->m;
    const Nest *nest = n->nest;
    if (!n->partial) return store_access(n, nest->members.at[0].v);
    int lanes = lanes_place(nest);
    Affine at = affine_const(0);
    for (int k = 0; k <= nest->n_parallel; k++) {
        int i = k < nest->n_parallel ? k : lanes;  // the lanes move fastest
        if (i < 0 || (k < nest->n_parallel && i == lanes)) continue;
        at = affine_scale(m, at, dim_max(n->range[i].count));
        at = affine_add(m, at, place_in_block(n, i, n->value[fastest(&nest->slot[i])]));
    }
    return (Access){.buffer = n->partial, .at = at};
}

Scalar *load_partial(NestLower *n, const Value *leader) {
    Module *m = n->l->m;
    Scalar *identity = red_identity(m, leader->index.red, leader->type.elem);
    Access a = partial_access(n);
    if (n->reduced_before.n == 0 && n->reduced_before.k == 0) return identity;
    note_read(n->l, a.buffer);
    if (n->reduced_before.n == 0) return scalar_load(m, &a, NULL, 0, NULL);
    Guard *guard = NEW(m->arena, Guard);
    *guard = (Guard){affine_add_const(n->reduced_before, -1), NULL, 0};
    return scalar_load(m, &a, guard, 1, identity);
}

// Does a member read the leader's memory? Then it must not change before the last block.
static bool is_read_by_nest(NestLower *n, const Buffer *b, Arena *scratch) {
    for (int i = 0; i < n->nest->members.n; i++) {
        Values operands = value_operands(n->nest->members.at[i].v, scratch);
        for (int k = 0; k < operands.n; k++) {
            const Storage *s = storage_of(n->l->s, operands.at[k]);
            if (s && s->buffer == b && operands.at[k] != n->nest->members.at[0].v) return true;
        }
    }
    return false;
}

// Do the lanes lie side by side in the leader's memory?
static bool are_lanes_side_by_side(NestLower *n, const Storage *own) {
    int lanes = lanes_place(n->nest);
    return lanes < 0 || own->stride[fastest(&n->nest->slot[lanes])] == 1;
}

static Buffer *new_partial(NestLower *n, const Block *block) {
    const Member *leader = &n->nest->members.at[0];
    const Storage *own = storage_of(n->l->s, leader->v);
    Arena *scratch = arena_new();
    bool is_own = leader->keep != KEEP_register && own && are_lanes_side_by_side(n, own) &&
                  !is_read_by_nest(n, own->buffer, scratch);
    arena_free(scratch);
    if (is_own) return NULL;
    int64_t count = 1;
    for (int i = 0; i < n->nest->n_parallel; i++) count *= dim_max(n->range[i].count);
    return new_scratch(n, block, "partial", leader->v->type.elem, count);
}

// ---- packing: panels of [reduced slots][one tile's lanes], one after another

static int64_t panel_rows(const NestLower *n) {
    int64_t rows = 1;
    for (int i = 0; i < n->nest->n_reduced; i++)
        rows *= dim_max(n->range[n->nest->n_parallel + i].count);
    return rows;
}

static Access panel_access(NestLower *n) {
    Module *m = n->l->m;
    const Nest *nest = n->nest;
    int lanes = lanes_place(nest);
    Affine at = affine_const(0);
    for (int i = nest->n_parallel; i < nest->n_parallel + nest->n_reduced; i++) {
        at = affine_scale(m, at, dim_max(n->range[i].count));
        at = affine_add(m, at, place_in_block(n, i, n->value[fastest(&nest->slot[i])]));
    }
    at = affine_scale(m, at, n->size[lanes]);
    if (n->size[lanes] > 1) at = affine_add(m, at, affine_slot(m, n->tile_var[lanes]));
    Affine panel = place_in_block(n, lanes, n->base[lanes]);
    at = affine_add(m, at, affine_scale(m, panel, panel_rows(n)));
    return (Access){.buffer = n->panel, .at = at};
}

Scalar *load_panel(NestLower *n) {
    Access a = panel_access(n);
    note_read(n->l, n->panel);
    return scalar_load(n->l->m, &a, NULL, 0, NULL);
}

// A later row comes nearer while this one is copied: rows far apart are no stream to the
// processor.
static void fetch_row(NestLower *n, Block *block) {
    enum { ROWS_AHEAD = 16 };
    const Read *r = n->nest->packed->read;
    int last = n->nest->n_parallel + n->nest->n_reduced - 1;
    Affine at = n->value[fastest(&n->nest->slot[last])];
    set_slot_value(n, last, affine_add_const(at, ROWS_AHEAD));
    Stmt *s = NEW(n->l->m->arena, Stmt);
    s->kind = STMT_fetch;
    s->fetch.access = lower_access(n, r->v, r->sub);
    add_stmt(n->l, block, s);
    set_slot_value(n, last, at);
}

// Opens loops over the reduced points of the block, whose rows the panels hold.
static Block *open_rows(NestLower *n, Block *block) {
    Lower *l = n->l;
    for (int i = n->nest->n_parallel; i < n->nest->n_parallel + n->nest->n_reduced; i++) {
        Dim count = n->range[i].count;
        int var = new_var(l, "r", count);
        block = &add_for(l, block, var, bound_const(0), bound_of(count), 1, (Span){0})->loop.body;
        set_slot_value(n, i, affine_add(l->m, n->range[i].first, affine_slot(l->m, var)));
    }
    return block;
}

// One row of a panel, or of panels of `width` lanes one after another: what the operand holds side
// by side is read so.
static void pack_panels(NestLower *n, Block *block, int lanes, Bound low, Bound high, int64_t width,
                        bool is_loop, int64_t at) {
    Lower *l = n->l;
    Module *m = l->m;
    const Read *r = n->nest->packed->read;
    Affine first = affine_const(at);
    n->size[lanes] = width;
    block = open_rows(n, block);
    if (is_loop) {
        int var = new_var(l, "j", n->range[lanes].count);
        block = &add_for(l, block, var, low, high, width, (Span){0})->loop.body;
        first = affine_slot(m, var);
    }
    n->base[lanes] = affine_add(m, n->range[lanes].first, first);
    if (width > 1) {
        Stmt *tile = new_tile(l, (Span){0});
        tile->tile.n = 1;
        n->tile_var[lanes] = new_var(l, "q", dim_const(width));
        tile->tile.var[0] = (TileVar){n->tile_var[lanes], width, true};
        add_stmt(l, block, tile);
        block = &tile->tile.body;
    }
    set_parallel_slot(n, lanes);
    n->temp = map_new(m->arena);
    Access from = lower_access(n, r->v, r->sub), to = panel_access(n);
    note_read(l, from.buffer);
    if (width > 1 && affine_coef(from.at, n->tile_var[lanes]) == 1) fetch_row(n, block);
    add_store(l, block, &to, NULL, 0, scalar_load(m, &from, NULL, 0, NULL));
}

static void lower_pack(NestLower *n, Block *block) {
    int lanes = lanes_place(n->nest);
    Dim count = n->range[lanes].count;
    int64_t t = n->nest->slot[lanes].tile;
    n->panel = new_scratch(n, block, "panel", n->nest->packed->read->v->type.elem,
                           panel_rows(n) * dim_max(count));
    if (count.by) {
        pack_panels(n, block, lanes, bound_const(0), (Bound){count, t}, t, true, 0);
        if (t > 1) pack_panels(n, block, lanes, (Bound){count, t}, bound_of(count), 1, true, 0);
        return;
    }
    int64_t whole = count.n / t;
    if (whole)
        pack_panels(n, block, lanes, bound_const(0), bound_const(whole * t), t, whole > 1, 0);
    if (count.n % t)
        pack_panels(n, block, lanes, (Bound){0}, (Bound){0}, count.n % t, false, whole * t);
}

// ---- the loops

static void lower_block_loops(NestLower *n, int place, Block *block);

static void inside_blocks(NestLower *n, Block *block) {
    Buffer *panel = n->panel;
    if (n->nest->packed) lower_pack(n, block);
    lower_slots(n, 0, block);
    n->panel = panel;
}

// Blocks of `size` from low to high, or one at `at`.
static void lower_block_part(NestLower *n, int place, Block *block, Bound low, Bound high,
                             int64_t size, bool is_loop, int64_t at) {
    Lower *l = n->l;
    Range whole = n->range[place];
    Affine before = n->reduced_before;
    Affine first = affine_const(at);
    if (is_loop) {
        int var = new_var(l, "b", whole.count);
        Span span = n->nest->members.at[0].v->span;
        block = &add_for(l, block, var, low, high, size, span)->loop.body;
        first = affine_slot(l->m, var);
    }
    n->range[place] = (Range){first, dim_const(size)};
    if (is_reduced(n->nest, place)) n->reduced_before = affine_add(l->m, before, first);
    lower_block_loops(n, place + 1, block);
    n->range[place] = whole;
    n->reduced_before = before;
}

// A chain over a run-time extent, in blocks that divide what the extent is a multiple of, or of
// several samples, and then one by one those that whole blocks leave. Nothing tells the last one
// from the others: what follows the chain comes behind them all.
static void lower_runtime_blocks(NestLower *n, int place, Block *block, bool has_end) {
    Dim count = n->range[place].count;
    int64_t size = n->nest->slot[place].block;
    bool has_rest = count.n == 1 && size > 1;
    if (count.n % size && !has_rest) BUG("lower: odd blocks of a chain");
    Bound high = has_rest ? (Bound){count, size} : bound_of(count);
    n->is_last = !has_end;
    lower_block_part(n, place, block, bound_const(0), high, size, true, 0);
    if (has_rest) lower_block_part(n, place, block, high, bound_of(count), 1, true, 0);
    n->is_last = true;
    if (!has_end) return;
    Affine before = n->reduced_before;
    n->reduced_before = affine_const(1);  // there is at least one block
    n->has_ended = true;
    lower_slots(n, 0, block);
    n->has_ended = false;
    n->reduced_before = before;
}

// The last block of a chain is apart where something follows it there.
static void lower_reduced_blocks(NestLower *n, int place, Block *block) {
    int64_t e = n->range[place].count.n, size = n->nest->slot[place].block;
    bool has_end = n->is_last && (n->nest->members.n > 1 || n->partial);
    if (n->range[place].count.by) {
        lower_runtime_blocks(n, place, block, has_end);
        return;
    }
    int64_t whole = e / size, rest = e % size;
    if (has_end && !rest) whole--, rest = size;
    n->is_last = n->is_last && !has_end;
    if (whole)
        lower_block_part(n, place, block, bound_const(0), bound_const(whole * size), size,
                         whole > 1, 0);
    n->is_last = n->is_last || has_end;
    if (rest)
        lower_block_part(n, place, block, (Bound){0}, (Bound){0}, rest, false, whole * size);
}

static void lower_block_loops(NestLower *n, int place, Block *block) {
    const Nest *nest = n->nest;
    if (place == nest->n_parallel + nest->n_reduced) {
        inside_blocks(n, block);
        return;
    }
    Dim e = n->range[place].count;
    int64_t size = nest->slot[place].block;
    if (is_reduced(nest, place) && size >= e.n && !e.by) size = 0;
    if (is_reduced(nest, place) && size && !n->resumes) {
        Buffer *partial = n->partial;
        n->partial = new_partial(n, block);
        n->resumes = true;
        lower_reduced_blocks(n, place, block);
        n->resumes = false;
        n->partial = partial;
    } else if (is_reduced(nest, place) && size) {
        lower_reduced_blocks(n, place, block);
    } else if (!size) {
        lower_block_loops(n, place + 1, block);
    } else if (e.by) {
        lower_block_part(n, place, block, bound_const(0), (Bound){e, size}, size, true, 0);
        if (size > 1)
            lower_block_part(n, place, block, (Bound){e, size}, bound_of(e), 1, true, 0);
    } else {
        int64_t whole = e.n / size * size;
        if (whole)
            lower_block_part(n, place, block, bound_const(0), bound_const(whole), size,
                             whole > size || block == n->top, 0);
        // What is outside all loops is split over threads: no loop over a chain's blocks.
        if (e.n % size)
            lower_block_part(n, place, block, bound_const(whole), bound_const(e.n), e.n % size,
                             block == n->top, whole);
    }
}

bool is_chain_outermost(const Nest *nest) {
    bool has_blocks = false;
    for (int i = 0; i < nest->n_parallel; i++)
        if (nest->slot[i].block) return false;
    for (int i = 0; i < nest->n_reduced; i++)
        has_blocks |= nest->slot[nest->n_parallel + i].block > 0;
    return has_blocks;
}

void lower_nest_blocks(NestLower *n, Block *block) {
    for (int i = 0; i < n->nest->n_parallel + n->nest->n_reduced; i++)
        n->range[i] = (Range){affine_const(0), n->nest->slot[i].extent};
    n->reduced_before = affine_const(0);
    n->is_last = true;
    lower_block_loops(n, 0, block);
}
