// Lower: regions become kernels, nests become loops around tiles.
#include "pass/lower.h"

#include <string.h>

#include "pass/access.h"
#include "pass/in_place.h"
#include "pass/pass.h"
#include "pass/plan.h"

// ---- one nest

void set_slot_value(NestLower *n, int place, Affine value) {
    const Slot *s = &n->nest->slot[place];
    int fast = s->first + s->n - 1;
    for (int i = s->first; i < fast; i++) n->is_walked[i] = false;
    n->is_walked[fast] = true;
    n->value[fast] = value;
}

void set_parallel_slot(NestLower *n, int place) {
    Module *m = n->l->m;
    set_slot_value(n, place,
                   n->size[place] > 1
                       ? affine_add(m, n->base[place], affine_slot(m, n->tile_var[place]))
                       : n->base[place]);
}

Access store_access(NestLower *n, Value *v) {
    Subscript sub[MAX_RANK];
    for (int i = 0; i < v->type.rank; i++)
        sub[i] = (Subscript){affine_slot(n->l->m, i), 1, NULL};
    return lower_access(n, v, sub);
}

static bool is_member(const Region *region, const Value *v) {
    for (int i = 0; i < region->nests.n; i++)
        for (int k = 0; k < region->nests.at[i]->members.n; k++)
            if (region->nests.at[i]->members.at[k].v == v) return true;
    return false;
}

// A block of rows further on than the point, or a step of a scan.
static int64_t ahead_of(const Region *region, const Storage *storage, int row) {
    if (!region->scan) return region->block * storage->stride[row];
    const Scan *x = &region->scan->scan;
    return x->is_reverse ? -storage->stride[x->axis] : storage->stride[x->axis];
}

static void add_fetch(NestLower *n, Block *block, Value *v) {
    Lower *l = n->l;
    Stmt *s = NEW(l->m->arena, Stmt);
    s->kind = STMT_fetch;
    s->fetch.access = store_access(n, v);
    int64_t ahead = ahead_of(l->region, storage_of(l->s, v), n->row);
    s->fetch.access.at = affine_add_const(s->fetch.access.at, ahead);
    s->fetch.is_stored = v->op == VAL_index && is_member(l->region, v);
    add_stmt(l, block, s);
}

static const Temp *lower_leader(NestLower *n, Block *block, const Value *v) {
    if (v->index.order.kind == ORDER_lanes16) return lower_lanes_reduction(n, block, v);
    return lower_reduction(n, block, v);
}

// What is computed at the tile's points. The leader may already be in a temp.
static void lower_members(NestLower *n, Block *block, const Temp *leader) {
    Lower *l = n->l;
    Module *m = l->m;
    n->temp = map_new(m->arena);
    for (int i = 0; i < n->nest->ahead.n; i++) add_fetch(n, block, n->nest->ahead.at[i]);
    for (int i = 0; i < n->nest->members.n; i++) {
        const Member *member = &n->nest->members.at[i];
        Value *v = member->v;
        const Temp *t;
        if (i == 0 && leader) {
            t = leader;
        } else if (v->index.nr) {
            t = lower_leader(n, block, v);
        } else {
            Temp *fresh = new_temp(l, v->type.elem, v->hint ? v->hint : "t");
            Buffer *panel = n->panel;
            n->panel = NULL;  // its rows are the leader's reduced points
            add_let(l, block, fresh, lower_scalar(n, v->index.body));
            n->panel = panel;
            t = fresh;
        }
        map_set(n->temp, v, (void *)t);
    }
    // Every store comes after every load at the point: updates in place are safe.
    for (int i = 0; i < n->nest->members.n; i++) {
        const Member *member = &n->nest->members.at[i];
        if (member->keep == KEEP_register) continue;
        Access a = store_access(n, member->v);
        add_store(l, block, &a, NULL, 0, scalar_temp(m, map_get(n->temp, member->v)));
    }
}

Stmt *new_tile(Lower *l, Span span) {
    Stmt *tile = NEW(l->m->arena, Stmt);
    tile->kind = STMT_tile;
    tile->span = span;
    return tile;
}

// Opens the tile's variables; the block in which its points are computed.
static Block *open_tile(NestLower *n, Block *block) {
    Lower *l = n->l;
    Stmt *tile = new_tile(l, n->nest->members.at[0].v->span);
    int lanes = -1;
    for (int i = 0; i < n->nest->n_parallel; i++) {
        if (n->size[i] > 1) {
            n->tile_var[i] = new_var(l, n->nest->slot[i].is_lanes ? "q" : "p",
                                     dim_const(n->size[i]));
            if (n->nest->slot[i].is_lanes)
                lanes = i;
            else
                tile->tile.var[tile->tile.n++] = (TileVar){n->tile_var[i], n->size[i], false};
        }
        set_parallel_slot(n, i);
    }
    if (lanes >= 0)
        tile->tile.var[tile->tile.n++] = (TileVar){n->tile_var[lanes], n->size[lanes], true};
    if (!tile->tile.n) return block;
    add_stmt(l, block, tile);
    return &tile->tile.body;
}

// Is the epilogue so large that a copy of it for every point of the tile would not pay?
static bool has_large_epilogue(const NestLower *n) {
    const double LARGE = 250;  // instructions
    const Nest *nest = n->nest;
    if (!nest->members.at[0].v->index.nr || nest->members.n < 2) return false;
    double copies = 1, cost = 0;
    for (int i = 0; i < nest->n_parallel; i++)
        copies *= nest->slot[i].is_lanes ? (double)((n->size[i] + LANES - 1) / LANES)
                                         : (double)n->size[i];
    Arena *scratch = arena_new();
    for (int i = 1; i < nest->members.n; i++)
        cost += scalar_cost(nest->members.at[i].v->index.body, scratch) + 1;
    arena_free(scratch);
    return copies > 2 && copies * cost > LARGE;
}

Buffer *new_scratch(NestLower *n, const Block *block, const char *text, Elem elem,
                           int64_t count) {
    Lower *l = n->l;
    Buffer *b = NEW(l->m->arena, Buffer);
    *b = (Buffer){.id = l->s->buffers.n, .name = name(l->m->c->names, text),
                  .kind = block == n->top ? BUFFER_arena : BUFFER_scratch,
                  .elem = elem, .count = count, .offset = -1};
    vec_push(l->m->arena, &l->s->buffers, b);
    return b;
}

// Row-major place of a point in the tile's own memory.
static Affine place_in_tile(NestLower *n, const Affine *at) {
    Module *m = n->l->m;
    Affine place = affine_const(0);
    int lanes = -1;
    for (int i = 0; i < n->nest->n_parallel; i++) {
        if (n->nest->slot[i].is_lanes) lanes = i;
        else if (n->size[i] > 1)
            place = affine_add(m, affine_scale(m, place, n->size[i]), at[i]);
    }
    if (lanes < 0 || n->size[lanes] == 1) return place;
    return affine_add(m, affine_scale(m, place, n->size[lanes]), at[lanes]);
}

// The epilogue at one vector of points, the leader's results read from the tile's memory.
static void lower_epilogue(NestLower *n, Block *block, Buffer *tile, Affine *at, int lanes,
                           Affine first, int64_t width) {
    Lower *l = n->l;
    Module *m = l->m;
    const Value *leader = n->nest->members.at[0].v;
    if (lanes >= 0) {
        Affine value = first;
        if (width > 1) {
            Stmt *vector = new_tile(l, leader->span);
            int var = new_var(l, "q", dim_const(width));
            vector->tile.n = 1;
            vector->tile.var[0] = (TileVar){var, width, true};
            add_stmt(l, block, vector);
            block = &vector->tile.body;
            value = affine_add(m, first, affine_slot(m, var));
        }
        at[lanes] = value;
        set_slot_value(n, lanes, affine_add(m, n->base[lanes], value));
    }
    Access a = {.buffer = tile, .at = place_in_tile(n, at)};
    note_read(l, tile);
    Temp *t = new_temp(l, leader->type.elem, "sum");
    add_let(l, block, t, scalar_load(m, &a, NULL, 0, NULL));
    lower_members(n, block, t);
}

// The leader's tile goes to a memory of its own; then a loop over its points, vector by
// vector, does the rest.
static void lower_in_two(NestLower *n, Block *block) {
    Lower *l = n->l;
    Module *m = l->m;
    const Value *leader = n->nest->members.at[0].v;
    int64_t count = 1;
    for (int i = 0; i < n->nest->n_parallel; i++) count *= n->size[i];
    Buffer *tile = new_scratch(n, block, "tile", leader->type.elem, count);
    Block *inside = open_tile(n, block);
    Affine at[MAX_SLOTS];
    for (int i = 0; i < n->nest->n_parallel; i++)
        at[i] = n->size[i] > 1 ? affine_slot(m, n->tile_var[i]) : affine_const(0);
    n->temp = map_new(m->arena);
    const Temp *result = lower_leader(n, inside, leader);
    Access a = {.buffer = tile, .at = place_in_tile(n, at)};
    add_store(l, inside, &a, NULL, 0, scalar_temp(m, result));
    int lanes = -1;
    for (int i = 0; i < n->nest->n_parallel; i++) {
        if (n->nest->slot[i].is_lanes) lanes = i;
        if (n->nest->slot[i].is_lanes || n->size[i] == 1) continue;
        int var = new_var(l, "p", dim_const(n->size[i]));
        Stmt *loop = add_for(l, block, var, bound_const(0), bound_const(n->size[i]), 1,
                             leader->span);
        at[i] = affine_slot(m, var);
        set_slot_value(n, i, affine_add(m, n->base[i], at[i]));
        block = &loop->loop.body;
    }
    int64_t width = lanes >= 0 ? n->size[lanes] : 1, whole = width / LANES * LANES;
    if (whole > LANES) {
        int var = new_var(l, "j", dim_const(width));
        Stmt *loop = add_for(l, block, var, bound_const(0), bound_const(whole), LANES,
                             leader->span);
        lower_epilogue(n, &loop->loop.body, tile, at, lanes, affine_slot(m, var), LANES);
    } else if (whole) {
        lower_epilogue(n, block, tile, at, lanes, affine_const(0), LANES);
    }
    if (whole < width)
        lower_epilogue(n, block, tile, at, lanes, affine_const(whole), width - whole);
}

// The chain goes on in a later block.
static void lower_unfinished(NestLower *n, Block *block) {
    Block *inside = open_tile(n, block);
    n->temp = map_new(n->l->m->arena);
    const Temp *so_far = lower_leader(n, inside, n->nest->members.at[0].v);
    Access a = partial_access(n);
    add_store(n->l, inside, &a, NULL, 0, scalar_temp(n->l->m, so_far));
}

static void lower_tile(NestLower *n, Block *block) {
    if (!n->is_last) {
        lower_unfinished(n, block);
        return;
    }
    if (has_large_epilogue(n)) {
        lower_in_two(n, block);
        return;
    }
    Block *inside = open_tile(n, block);
    lower_members(n, inside, NULL);
}

// One part of a slot's range: a loop by `size` or, for a single tile, none.
static void lower_part(NestLower *n, int place, Block *block, Bound low, Bound high, int64_t size,
                       bool is_loop, int64_t at) {
    Lower *l = n->l;
    const Slot *s = &n->nest->slot[place];
    n->size[place] = size;
    Affine first = affine_const(at);
    if (is_loop) {
        int var = new_var(l, s->is_lanes ? "j" : "i", n->range[place].count);
        Stmt *loop = add_for(l, block, var, low, high, size, n->nest->members.at[0].v->span);
        first = affine_slot(l->m, var);
        block = &loop->loop.body;
    }
    n->base[place] = affine_add(l->m, n->range[place].first, first);
    lower_slots(n, place + 1, block);
}

void lower_slots(NestLower *n, int place, Block *block) {
    if (place == n->nest->n_parallel) {
        lower_tile(n, block);
        return;
    }
    if (lower_in_parts(n, place, block)) return;
    Dim e = n->range[place].count;
    int64_t t = n->nest->slot[place].tile;
    if (e.by) {
        lower_part(n, place, block, bound_const(0), (Bound){e, t}, t, true, 0);
        if (t > 1) lower_part(n, place, block, (Bound){e, t}, bound_of(e), 1, true, 0);
        return;
    }
    int64_t whole = e.n / t;
    if (whole)
        lower_part(n, place, block, bound_const(0), bound_const(whole * t), t, whole > 1, 0);
    if (e.n % t) lower_part(n, place, block, (Bound){0}, (Bound){0}, e.n % t, false, whole * t);
}

static void lower_step(Lower *l, Value *v, const Affine *outer, Block *block);
static void lower_inner(Lower *l, const Region *inner, const Affine *outer, Block *block);

void lower_nest(Lower *l, const Nest *nest, const Affine *outer, Block *block) {
    Value *leader = nest->members.at[0].v;
    if (nest->inner) return lower_inner(l, nest->inner, outer, block);
    if (leader->op != VAL_index) return lower_step(l, leader, outer, block);
    NestLower n = {.l = l, .nest = nest, .temp = map_new(l->m->arena)};
    n.row = l->region->n_outer - 1;
    for (int i = 0; i < n.row; i++) {
        n.value[i] = outer[i];
        n.is_walked[i] = true;
    }
    n.strip = nest->is_leaf ? affine_const(0) : l->strip;
    if (n.row >= 0) n.row_base = nest->is_leaf ? l->block : outer[n.row];
    n.top = l->region->n_outer ? NULL : block;
    lower_nest_blocks(&n, block);
}

// ---- kernels

static void begin_kernel(Lower *l, const Region *region, const Value *v) {
    Kernel *k = NEW(l->m->arena, Kernel);
    k->name = v->hint ? v->hint : name(l->m->c->names, v->op == VAL_index && v->index.nr
                                                           ? red_name[v->index.red]
                                                           : value_op_name[v->op]);
    k->span = v->span;
    k->cost = region->cost;
    l->kernel = k;
    l->region = region;
    l->s->replicas = region->replicas;
    memset(&l->var_name, 0, sizeof l->var_name);
    memset(&l->var_extent, 0, sizeof l->var_extent);
    l->n_temp = 0;
}

static bool has_iterations(const Stmt *s) {
    if (s->kind != STMT_for) return false;
    int64_t low = s->loop.low.d.by ? 0 : s->loop.low.d.n;
    return s->loop.high.d.by || s->loop.high.d.n - low > s->loop.step;
}

static void end_kernel(Lower *l, bool may_split) {
    Kernel *k = l->kernel;
    if (!k->body.n) return;
    k->n_var = l->var_name.n;
    k->var_name = l->var_name.at;
    k->var_extent = l->var_extent.at;
    k->is_parallel = may_split && k->body.n == 1 && has_iterations(k->body.at[0]);
    k->id = l->fn->kernels.n;
    vec_push(l->m->arena, &l->fn->kernels, k);
}

static bool is_all_loops(const Block *block) {
    for (int i = 0; i < block->n; i++)
        if (block->at[i]->kind != STMT_for && block->at[i]->kind != STMT_tile) return false;
    return true;
}

// Each top-level loop of a nest is a kernel of its own: whole blocks, then what is left.
static void lower_single(Lower *l, const Region *region) {
    const Nest *nest = region->nests.at[0];
    begin_kernel(l, region, nest->members.at[0].v);
    Block all = {0};
    lower_nest(l, nest, NULL, &all);
    Kernel *first = l->kernel;
    if (!is_all_loops(&all) || is_chain_outermost(nest)) {
        first->body = all;
        end_kernel(l, false);
        return;
    }
    for (int i = 0; i < all.n; i++) {
        if (i) {
            Kernel *next = NEW(l->m->arena, Kernel);
            *next = *first;
            memset(&next->body, 0, sizeof next->body);
            bool is_rest = all.at[i]->kind == STMT_for && all.at[i]->loop.low.d.by;
            if (is_rest) next->cost = 0;
            l->kernel = next;
        }
        add_stmt(l, &l->kernel->body, all.at[i]);
        end_kernel(l, l->kernel->cost > 0);
    }
}

// The nests from `first` on that go strip by strip, or a single one; the next.
static int lower_strips(Lower *l, const Region *region, int first, const Affine *outer,
                        Block *block) {
    l->strip = affine_const(0);
    if (region->strip == region->block || region->nests.at[first]->is_leaf) {
        lower_nest(l, region->nests.at[first], outer, block);
        return first + 1;
    }
    Dim rows = dim_const(region->block);
    int var = new_var(l, "s", rows);
    Stmt *loop = add_for(l, block, var, bound_const(0), bound_of(rows), region->strip,
                         l->kernel->span);
    l->strip = affine_slot(l->m, var);
    for (; first < region->nests.n && !region->nests.at[first]->is_leaf; first++)
        lower_nest(l, region->nests.at[first], outer, &loop->loop.body);
    l->strip = affine_const(0);
    return first;
}

// Inside a block of rows, the steps of a scan; the block of a step.
static Block *lower_steps(Lower *l, const Region *region, Affine *outer, Block *block) {
    const Scan *x = &region->scan->scan;
    Dim steps = region->outer[x->axis];
    int var = new_var(l, "t", steps);
    Stmt *loop = add_for(l, block, var, bound_const(0), bound_of(steps), 1, l->kernel->span);
    outer[x->axis] = affine_slot(l->m, var);
    if (x->is_reverse)
        outer[x->axis] = affine_add_const(affine_scale(l->m, outer[x->axis], -1), steps.n - 1);
    return &loop->loop.body;
}

// The steps of a scan inside a step of another.
static void lower_inner(Lower *l, const Region *inner, const Affine *outer, Block *block) {
    Affine all[MAX_RANK];
    const Region *around = l->region;
    memcpy(all, outer, sizeof *all * (size_t)around->n_outer);
    block = lower_steps(l, inner, all, block);
    l->region = inner;
    for (int i = 0; i < inner->nests.n; i++) lower_nest(l, inner->nests.at[i], all, block);
    l->region = around;
}

static bool has_rows(const Region *region) {
    return region->scan && region->n_outer > region->scan->scan.axis + 1;
}

// The nests under a loop over whole blocks of rows, or over the rows that blocks of `whole` leave.
static void lower_rows(Lower *l, const Region *region, int64_t whole, Affine *outer, Block *block) {
    int last = region->n_outer - 1;
    bool is_rest = whole > 1;
    Dim rows = region->outer[last];
    Bound low = bound_const(0), high = {rows, region->block};
    int64_t step = region->block;
    if (is_rest) {
        low = rows.by ? (Bound){rows, whole} : bound_const(rows.n / whole * whole);
        high = bound_of(rows);
    } else if (!rows.by) {  // by the number of the block
        step = 1;
        rows.n /= region->block;
        high = bound_of(rows);
    }
    int var = new_var(l, "n", rows);
    Stmt *loop = add_for(l, block, var, low, high, step, l->kernel->span);
    outer[last] = l->block = affine_slot(l->m, var);
    if (!rows.by && !is_rest) outer[last] = affine_scale(l->m, outer[last], region->block);
    if (region->scan && !has_rows(region) && region->scan->scan.is_reverse)
        outer[last] = affine_add_const(affine_scale(l->m, outer[last], -1), rows.n - 1);
    l->region = region;
    block = &loop->loop.body;
    if (has_rows(region)) block = lower_steps(l, region, outer, block);
    for (int i = 0; i < region->nests.n;) i = lower_strips(l, region, i, outer, block);
}

static void begin_region(Lower *l, const Region *region) {
    begin_kernel(l, region, region->nests.at[region->nests.n - 1]->members.at[0].v);
}

static void lower_starts(Lower *l, const Region *region, Arena *scratch);

static void lower_region(Lower *l, const Region *region, Arena *scratch) {
    if (region->scan) lower_starts(l, region, scratch);
    if (!region->n_outer) {
        lower_single(l, region);
        return;
    }
    begin_region(l, region);
    Affine outer[MAX_RANK];
    Block *block = &l->kernel->body;
    for (int i = 0; i < region->n_outer - 1; i++) {
        if (has_rows(region) && i == region->scan->scan.axis) continue;
        int var = new_var(l, "n", region->outer[i]);
        Stmt *loop = add_for(l, block, var, bound_const(0), bound_of(region->outer[i]), 1,
                             l->kernel->span);
        outer[i] = affine_slot(l->m, var);
        block = &loop->loop.body;
    }
    bool are_rows_first = block == &l->kernel->body, may_split = !region->scan || has_rows(region);
    lower_rows(l, region, 0, outer, block);
    if (region->rest && !are_rows_first) lower_rows(l, region->rest, region->block, outer, block);
    end_kernel(l, may_split);
    if (!region->rest || !are_rows_first) return;
    begin_region(l, region->rest);
    lower_rows(l, region->rest, region->block, outer, &l->kernel->body);
    end_kernel(l, has_rows(region));
}

// ---- what is no index

// A nest of its own for a value made up on the way, stored where `storage` says.
static void lower_fresh(Lower *l, Index index, Type type, const Storage *storage, const Value *of,
                        Arena *scratch) {
    Value *v = NEW(l->m->arena, Value);
    *v = (Value){.op = VAL_index, .type = type, .id = of->id, .span = of->span, .hint = of->hint};
    v->index = index;
    map_set(l->s->storage, v, (void *)storage);
    Region *region = NEW(l->m->arena, Region);
    Nest *nest = NEW(l->m->arena, Nest);
    vec_push(l->m->arena, &nest->members, ((Member){v, KEEP_stored}));
    vec_push(l->m->arena, &region->nests, nest);
    region->cost = plan_nest(l->s, region, nest, scratch);
    lower_single(l, region);
}

static void lower_fill(Lower *l, const Value *v, Scalar *body, Arena *scratch) {
    Index index = {.np = v->type.rank, .extent = v->type.dim, .body = body};
    lower_fresh(l, index, v->type, storage_of(l->s, (Value *)v), v, scratch);
}

// What a scan's carries are before the first step, into their history.
static void lower_starts(Lower *l, const Region *region, Arena *scratch) {
    Module *m = l->m;
    const Scan *x = &region->scan->scan;
    for (int k = 0; k < x->n_carry; k++) {
        const Carry *c = &x->carry[k];
        Value *part = build_scan_part(m, region->scan, k, c->leaf->span, c->leaf->hint);
        const Storage *history = storage_of(l->s, part);
        Storage *first = NEW(m->arena, Storage);
        *first = *history;
        int64_t steps = c->leaf->type.dim[x->axis].n;
        first->start += (x->is_reverse ? steps : 0) * history->stride[x->axis];
        for (int i = x->axis; i < c->init->type.rank; i++)
            first->stride[i] = history->stride[i + 1];
        Index index = {.np = c->init->type.rank, .extent = c->init->type.dim,
                       .body = scalar_read_identity(m, c->init)};
        lower_fresh(l, index, c->init->type, first, part, scratch);
    }
}

static void lower_join(Lower *l, Value *v, Arena *scratch) {
    Module *m = l->m;
    const Storage *storage = storage_of(l->s, v);
    int64_t covered = 0;
    for (int i = 0; i < v->join.n; i++)
        covered += dim_max(v->join.piece[i].v->type.dim[v->join.axis]);
    if (covered < dim_max(v->type.dim[v->join.axis]))
        lower_fill(l, v, scalar_const(m, v->type.elem, v->join.fill), scratch);
    for (int i = 0; i < v->join.n; i++) {
        const Piece *piece = &v->join.piece[i];
        if (is_in_join(l->s, v, piece)) continue;
        Storage *part = NEW(m->arena, Storage);
        *part = storage_of_piece(storage, v, piece);
        Index index = {.np = v->type.rank, .extent = piece->v->type.dim,
                       .body = scalar_read_identity(m, piece->v)};
        lower_fresh(l, index, piece->v->type, part, v, scratch);
    }
}

// The last slot of the box can lie along the lanes where it is the target's last axis and
// nothing else: then no two lanes meet.
static bool can_take_lanes(const Value *v) {
    const Accumulate *a = &v->accumulate;
    int last = a->n - 1, rank = v->type.rank;
    if (last < 0 || !rank || a->extent[last].by || a->extent[last].n < 2) return false;
    for (int i = 0; i < rank; i++) {
        const Subscript *s = &a->target[i];
        bool uses = affine_coef(s->a, last) != 0 || (s->gather && scalar_uses_slot(s->gather, last));
        if (i < rank - 1 && uses) return false;
        if (i == rank - 1 && (s->div != 1 || s->gather || affine_coef(s->a, last) != 1))
            return false;
    }
    return true;
}

// Loops that are no nest of the plan, around one value.
static NestLower plain_loops(Lower *l, Value *v) {
    Nest *nest = NEW(l->m->arena, Nest);
    vec_push(l->m->arena, &nest->members, ((Member){v, KEEP_stored}));
    return (NestLower){.l = l, .nest = nest, .row = -1, .temp = map_new(l->m->arena)};
}

// The loops of a scatter behind the slots in `outer`.
static void lower_scatter_loops(Lower *l, Value *v, const Affine *outer, int n_outer, Block *block) {
    Module *m = l->m;
    const Accumulate *a = &v->accumulate;
    NestLower n = plain_loops(l, v);
    for (int i = 0; i < a->n; i++) {
        n.is_walked[i] = true;
        if (i < n_outer) {
            n.value[i] = outer[i];
            continue;
        }
        if (i == a->n - 1 && can_take_lanes(v)) {
            Stmt *tile = new_tile(l, v->span);
            int var = new_var(l, "q", a->extent[i]);
            tile->tile.n = 1;
            tile->tile.var[0] = (TileVar){var, a->extent[i].n, true};
            n.value[i] = affine_slot(m, var);
            add_stmt(l, block, tile);
            block = &tile->tile.body;
            continue;
        }
        int var = new_var(l, "i", a->extent[i]);
        Stmt *loop = add_for(l, block, var, bound_const(0), bound_of(a->extent[i]), 1, v->span);
        n.value[i] = affine_slot(m, var);
        block = &loop->loop.body;
    }
    Guard *where = lower_guards(&n, a->where, a->n_where);
    n.where = where;
    n.n_where = a->n_where;
    Access at = lower_access(&n, v, a->target);
    note_read(l, at.buffer);
    Temp *old = new_temp(l, v->type.elem, "old");
    Scalar *zero = scalar_const(m, v->type.elem, 0);
    add_let(l, block, old, scalar_load(m, &at, where, a->n_where, a->n_where ? zero : NULL));
    Scalar *next;
    if (a->body->op == OP_mac)
        next = scalar_op(m, OP_fma, lower_scalar(&n, a->body->arg[0]),
                         lower_scalar(&n, a->body->arg[1]), scalar_temp(m, old));
    else
        next = reduce_step(m, a->red, scalar_temp(m, old), lower_scalar(&n, a->body));
    add_store(l, block, &at, where, a->n_where, next);
}

static void lower_scatter(Lower *l, Value *v) {
    Region *region = NEW(l->m->arena, Region);
    begin_kernel(l, region, v);
    l->kernel->name = name(l->m->c->names, "scatter");
    lower_scatter_loops(l, v, NULL, 0, &l->kernel->body);
    end_kernel(l, false);
}

// ---- the same at one step of a scan

// v[target] = body for all points of `dim` behind the slots in `outer`.
static void lower_plain_loops(Lower *l, Value *v, const Dim *dim, const Subscript *target,
                              Scalar *body, const Affine *outer, int n_outer, Block *block) {
    Module *m = l->m;
    NestLower n = plain_loops(l, v);
    for (int i = 0; i < v->type.rank; i++) {
        n.is_walked[i] = true;
        if (i < n_outer) {
            n.value[i] = outer[i];
            continue;
        }
        int var = new_var(l, "i", dim[i]);
        Stmt *loop = add_for(l, block, var, bound_const(0), bound_of(dim[i]), 1, v->span);
        n.value[i] = affine_slot(m, var);
        block = &loop->loop.body;
    }
    Temp *t = new_temp(l, v->type.elem, "t");
    add_let(l, block, t, lower_scalar(&n, body));
    Access at = lower_access(&n, v, target);
    add_store(l, block, &at, NULL, 0, scalar_temp(m, t));
}

static void lower_step_join(Lower *l, Value *v, const Affine *outer, int n_outer, Block *block) {
    Module *m = l->m;
    Subscript at[MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) at[i] = (Subscript){affine_slot(m, i), 1, NULL};
    lower_plain_loops(l, v, v->type.dim, at, scalar_const(m, v->type.elem, v->join.fill), outer,
                      n_outer, block);
    for (int i = 0; i < v->join.n; i++) {
        const Piece *p = &v->join.piece[i];
        Affine place = affine_scale(m, affine_slot(m, v->join.axis), p->step);
        at[v->join.axis].a = affine_add_const(place, p->start);
        lower_plain_loops(l, v, p->v->type.dim, at, scalar_read_identity(m, p->v), outer, n_outer,
                          block);
    }
}

static void lower_step_scatter(Lower *l, Value *v, const Affine *outer, int n_outer, Block *block) {
    Module *m = l->m;
    const Accumulate *a = &v->accumulate;
    Subscript at[MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) at[i] = (Subscript){affine_slot(m, i), 1, NULL};
    Scalar *first = a->init ? scalar_read_identity(m, a->init)
                            : red_identity(m, a->red, v->type.elem);
    lower_plain_loops(l, v, v->type.dim, at, first, outer, n_outer, block);
    lower_scatter_loops(l, v, outer, n_outer, block);
}

static void lower_step(Lower *l, Value *v, const Affine *outer, Block *block) {
    int n_outer = l->region->n_outer;
    if (v->op == VAL_join)
        lower_step_join(l, v, outer, n_outer, block);
    else
        lower_step_scatter(l, v, outer, n_outer, block);
}

static void lower_accumulate(Lower *l, Value *v, Arena *scratch) {
    const Accumulate *a = &v->accumulate;
    const Storage *own = storage_of(l->s, v);
    const Storage *init = a->init ? storage_of(l->s, a->init) : NULL;
    if (!init || init->buffer != own->buffer)
        lower_fill(l, v, a->init ? scalar_read_identity(l->m, a->init)
                                 : red_identity(l->m, a->red, v->type.elem), scratch);
    lower_scatter(l, v);
}

// ---- the program

static void lower_function(Lower *l, FunctionSchedule *fs, Arena *scratch) {
    l->s->storage = fs->storage;
    for (int i = 0; i < fs->regions.n; i++) {
        Region *region = fs->regions.at[i];
        Value *first = region->nests.at[0]->members.at[0].v;
        if (first->op == VAL_join && !region->scan)
            lower_join(l, first, scratch);
        else if (first->op == VAL_accumulate && !region->scan)
            lower_accumulate(l, first, scratch);
        else
            lower_region(l, region, scratch);
    }
}

static void map_buffer(Lower *l, Value *v) {
    Storage *storage = storage_of(l->s, v);
    if (storage) map_set(l->program->buffer_of, v, storage->buffer);
}

void pass_lower(Pass *p) {
    Program *program = NEW(p->m->arena, Program);
    program->m = p->m;
    program->buffer_of = map_new(p->m->arena);
    Lower l = {.m = p->m, .s = p->schedule, .program = program};
    Arena *scratch = arena_new();
    for (int i = 0; i < p->schedule->fns.n; i++) {
        FunctionSchedule *fs = p->schedule->fns.at[i];
        l.fn = NEW(p->m->arena, LoopFunction);
        l.fn->name = fs->fn->name;
        l.fn->fn = fs->fn;
        vec_push(p->m->arena, &program->fns, l.fn);
        lower_function(&l, fs, scratch);
        for (int k = 0; k < fs->fn->inputs.n; k++) map_buffer(&l, fs->fn->inputs.at[k]);
        for (int k = 0; k < fs->fn->results.n; k++) map_buffer(&l, fs->fn->results.at[k].v);
    }
    for (int i = 0; i < p->m->params.n; i++) map_buffer(&l, p->m->params.at[i]);
    for (int i = 0; i < p->m->states.n; i++) map_buffer(&l, p->m->states.at[i]);
    for (int i = 0; i < l.s->buffers.n; i++)
        vec_push(p->m->arena, &program->buffers, l.s->buffers.at[i]);
    p->program = program;
    arena_free(scratch);
}
