// The tile of one nest: every choice of a slot along the lanes, its width, and up to two unrolled
// slots is priced in cycles, and the cheapest that fits the registers is taken.
#include <math.h>
#include <stdlib.h>

#include "pass/access.h"
#include "pass/planner.h"

enum { GATHER_COST = 20, SCATTER_COST = 18 };

bool is_packable(const Planner *p, const Touch *t, const Tile *tile) {
    if (!t->read || t->is_store || !t->is_inner || t->walk.is_irregular ||
        t->read->read->n_guard || t->needs_where)
        return false;
    for (int i = 0; i < p->nest->n_parallel; i++)
        if (i != tile->lanes && touches_slot(t, &p->nest->slot[i])) return false;
    return true;
}

// Rows along the lanes are turned in registers, sixteen elements of sixteen at a time, where a
// slot walks along them; per vector. 0 where none does.
static double turned_cost(const Planner *p, const Touch *t, const Tile *tile) {
    const double A_SQUARE = 100;
    bool by_rows = p->region->block > 1;
    if (!by_rows && !t->is_store) return 0;
    if (t->walk.is_irregular || t->elem != 4 || (t->read && t->read->read->n_guard)) return 0;
    int n = p->nest->n_parallel + (t->is_inner ? p->nest->n_reduced : 0);
    for (int i = 0; i < n; i++) {
        const Slot *s = &p->nest->slot[i];
        if (i == tile->lanes || t->walk.stride[fastest(s)] != 1) continue;
        bool is_tiled = (i == tile->unroll[0] && tile->times[0] > 1) ||
                        (i == tile->unroll[1] && tile->times[1] > 1);
        if (!by_rows && is_tiled) return 0;  // short rows: few elements of a square
        double e = (double)dim_max(s->extent);
        return A_SQUARE / (e < LANES ? e : LANES);
    }
    return 0;
}

static double lane_cost(const Planner *p, const Touch *t, const Tile *tile, double reuse) {
    const Slot *s = &p->nest->slot[tile->lanes];
    int64_t stride = t->walk.stride[fastest(s)];
    bool in_irregular = t->walk.is_irregular && touches_slot(t, s);
    if (!in_irregular && (stride == 1 || stride == -1)) return 1;
    if (turned_cost(p, t, tile) > 0) return turned_cost(p, t, tile);
    if (t->is_store) return SCATTER_COST;
    enum { SHUFFLED_STRIDE = 4 };  // of whole vectors the lanes are picked
    bool is_guarded = t->read && t->read->read->n_guard;
    if (!in_irregular && !is_guarded && stride > 1 && stride <= SHUFFLED_STRIDE)
        return 2 * (double)stride;
    if (!in_irregular && is_packable(p, t, tile)) return 1 + GATHER_COST / reuse;
    return GATHER_COST;
}

// Vectors that do not start at multiples of their size lie in two lines of the cache.
static double lines_per_load(const Planner *p, const Touch *t, const Tile *tile) {
    if (t->is_store) return 1;
    for (int i = 0; i < p->nest->n_parallel + p->nest->n_reduced; i++) {
        const Slot *s = &p->nest->slot[i];
        int64_t bytes = t->walk.stride[fastest(s)] * t->elem;
        if (i != tile->lanes && touches_slot(t, s) && bytes % p->machine.vector_bytes != 0)
            return p->machine.vector_bytes >= 64 ? 2 : 1.5;
    }
    return 1;
}

static int64_t vectors_of(int64_t width) {
    return (width + LANES - 1) / LANES;
}

// The machine's vectors that hold one point's lanes: half or a quarter of LANES is not more
// than a tile of no more has.
static double registers_of(const Planner *p, const Tile *tile) {
    if (tile->lanes < 0) return 1;
    double split = p->machine.vector_bytes >= 64 ? 1 : 64.0 / p->machine.vector_bytes;
    if (tile->width > LANES / 2) return (double)vectors_of(tile->width) * split;
    double part = tile->width > LANES / 4 ? split / 2 : split / 4;
    return part > 1 ? part : 1;
}

// Sixty-four places that begin at a multiple of 64 are drawn at once, four vectors for the price
// of one.
static bool draws_at_once(const Planner *p, const Touch *t, const Tile *tile) {
    enum { AT_ONCE = 4 * LANES };
    if (!t->is_place || tile->lanes < 0 || tile->width % AT_ONCE) return false;
    int along = fastest(&p->nest->slot[tile->lanes]);
    for (int i = 0; i < MAX_SLOTS; i++)
        if (i == along ? t->walk.stride[i] != 1 : t->walk.stride[i] % AT_ONCE) return false;
    return true;
}

static double follower_cost(const Planner *p, const Tile *tile) {
    double cost = p->follower_cost;
    for (int i = 0; i < p->touches.n; i++)
        if (draws_at_once(p, &p->touches.at[i], tile)) cost -= op_info[OP_rand].cost * 0.75;
    return cost;
}

// A filter that is the same at all points of a tile is a branch outside the inner loop; else
// each step is selected.
static bool filters_points(const Planner *p, const Tile *tile) {
    for (int i = 0; i < p->nest->n_parallel; i++) {
        const Slot *s = &p->nest->slot[i];
        bool is_tiled = (i == tile->lanes && tile->width > 1) ||
                        (i == tile->unroll[0] && tile->times[0] > 1) ||
                        (i == tile->unroll[1] && tile->times[1] > 1);
        if (is_tiled && (p->filtered >> s->first & ((1u << s->n) - 1))) return true;
    }
    return false;
}

// How many elements of an operand a step's tile needs for the same lanes.
static double copies_of(const Planner *p, const Tile *tile, const Touch *t) {
    double n = 1;
    for (int u = 0; u < 2; u++)
        if (tile->unroll[u] >= 0 && touches_slot(t, &p->nest->slot[tile->unroll[u]]))
            n *= (double)tile->times[u];
    return n;
}

// Cycles of one tile of the given size, all of its reduced points included.
static double tile_cycles(const Planner *p, const Tile *tile, double k_points, double reuse) {
    double points = 1, vectors = registers_of(p, tile);
    const double HALF = 0.75;  // of a whole vector's time; some processors take as long
    if (p->machine.vector_bytes >= 64 && tile->lanes >= 0 && tile->width <= LANES / 2)
        vectors *= HALF;
    for (int u = 0; u < 2; u++) points *= tile->unroll[u] >= 0 ? (double)tile->times[u] : 1;
    double inner_loads = 0, outer = 0, conflicts = 0;
    for (int i = 0; i < p->touches.n; i++) {
        const Touch *t = &p->touches.at[i];
        if (t->is_place) continue;
        double n = copies_of(p, tile, t);
        if (tile->lanes >= 0 && touches_slot(t, &p->nest->slot[tile->lanes]))
            n *= vectors * lane_cost(p, t, tile, reuse) * lines_per_load(p, t, tile);
        else
            n *= 0.6;  // broadcasts are embedded or go through another port
        conflicts += conflicting_loads(p, t, tile);
        if (t->is_inner)
            inner_loads += n;
        else
            outer += t->is_store ? 1.5 * n : n;
    }
    bool selects = filters_points(p, tile);
    double ops = (p->body_cost + (selects ? 1 : 0)) * points * vectors;
    double latency = p->body_cost ? 6 : 0;  // of a chain, in units of one operation
    double per_k = ops > 0.75 * inner_loads ? ops : 0.75 * inner_loads;
    if (per_k < latency) per_k = latency;
    if (p->body_cost == 0) per_k = 0.75 * inner_loads;
    const double A_MISS = 1.4;  // what shows of one beside the arithmetic
    per_k += A_MISS * conflicts;
    if (p->filtered && !selects) k_points *= p->share;
    return k_points * (per_k + 0.6) + outer + follower_cost(p, tile) * points * vectors + 6;
}

// The parts that a slot of extent e falls into: whole tiles, and what is left.
typedef struct Parts {
    int n;
    int64_t size[2];
    double count[2];
} Parts;

static Parts parts_of(const Slot *s, int64_t size) {
    int64_t e = dim_max(s->extent);
    Parts parts = {0};
    if (e / size) {
        parts.size[parts.n] = size;
        parts.count[parts.n++] = (double)(e / size);
    }
    if (e % size) {
        bool one_by_one = s->extent.by != NULL;
        parts.size[parts.n] = one_by_one ? 1 : e % size;
        parts.count[parts.n++] = one_by_one ? (double)(e % size) : 1;
    }
    return parts;
}

// What the other operand costs that each group of panels brings in again from beyond L2 (panel.c), where
// chains over the batch stop behind samples: as many panels make a group as L2 holds of what their
// chains have come to.
static double walking_again(const Planner *p, const Tile *tile) {
    const double SHARE = 0.3, L3_BYTES = 3;  // of L2; in the time of a multiply-add
    const Nest *nest = p->nest;
    if (tile->lanes < 0 || p->region->n_outer || !is_contraction(p->leader)) return 0;
    if (!nest->n_reduced || !nest->slot[nest->n_parallel].extent.by) return 0;
    double again = walked_again(p, tile->lanes), uses = 1;
    if (again < (double)p->machine.l2) return 0;
    for (int i = 0; i < nest->n_parallel; i++)
        if (i != tile->lanes) uses *= (double)dim_max(nest->slot[i].extent);
    double group = floor(SHARE * (double)p->machine.l2 / (uses * (double)tile->width * 4));
    double panels = (double)dim_max(nest->slot[tile->lanes].extent) / (double)tile->width;
    return again * (ceil(panels / (group < 1 ? 1 : group)) - 1) / L3_BYTES;
}

static double nest_cycles(const Planner *p, const Tile *tile, double k_points) {
    double others = 1, reuse = 1;
    for (int i = 0; i < p->nest->n_parallel; i++) {
        bool is_tiled = i == tile->lanes || i == tile->unroll[0] || i == tile->unroll[1];
        double e = (double)dim_max(p->nest->slot[i].extent);
        if (!is_tiled) others *= e;
        if (i != tile->lanes) reuse *= e;
    }
    for (int u = 0; u < 2; u++)
        if (tile->unroll[u] >= 0) reuse /= (double)tile->times[u];
    if (reuse < 1) reuse = 1;
    const double FETCH = 8;  // cycles to bring an instruction of the tile in, once a step
    Parts lanes = {1, {1}, {1}}, unroll[2] = {{1, {1}, {1}}, {1, {1}, {1}}};
    if (tile->lanes >= 0) lanes = parts_of(&p->nest->slot[tile->lanes], tile->width);
    for (int u = 0; u < 2; u++)
        if (tile->unroll[u] >= 0)
            unroll[u] = parts_of(&p->nest->slot[tile->unroll[u]], tile->times[u]);
    double cycles = 0, code = 0;  // code: of points that have instructions of their own
    for (int l = 0; l < lanes.n; l++)
        for (int a = 0; a < unroll[0].n; a++)
            for (int b = 0; b < unroll[1].n; b++) {
                Tile part = *tile;
                part.width = lanes.size[l];
                if (part.lanes >= 0 && part.width == 1) part.lanes = -1;
                part.times[0] = unroll[0].size[a];
                part.times[1] = unroll[1].size[b];
                cycles += lanes.count[l] * unroll[0].count[a] * unroll[1].count[b] *
                          tile_cycles(p, &part, k_points, reuse);
                code += registers_of(p, &part) * (double)(part.times[0] * part.times[1]) *
                        (1 + p->body_cost + follower_cost(p, &part));
            }
    return cycles * others + FETCH * code + walking_again(p, tile);
}

// Steps of a short innermost loop stand one after another (emit unrolls it). Where points of
// the tile read at one step what their neighbours read at the next (a convolution's taps),
// those elements stay in registers from step to step.
static double kept_between_steps(const Planner *p, const Tile *tile) {
    enum { SHORT = 8 };
    const Nest *nest = p->nest;
    if (!nest->n_reduced) return 0;
    const Slot *inner = &nest->slot[nest->n_parallel + nest->n_reduced - 1];
    if (inner->extent.by || inner->extent.n > SHORT || inner->extent.n < 2) return 0;
    double kept = 0;
    for (int i = 0; i < p->touches.n; i++) {
        const Touch *t = &p->touches.at[i];
        if (!t->is_inner || (tile->lanes >= 0 && touches_slot(t, &nest->slot[tile->lanes])))
            continue;
        int64_t step = llabs(t->walk.stride[fastest(inner)]);
        for (int u = 0; u < 2 && step; u++) {
            if (tile->unroll[u] < 0) continue;
            bool moves_along = llabs(t->walk.stride[fastest(&nest->slot[tile->unroll[u]])]) == step;
            bool moves_across = tile->unroll[1 - u] >= 0 &&
                                touches_slot(t, &nest->slot[tile->unroll[1 - u]]);
            double rows = moves_across ? (double)tile->times[1 - u] : 1;
            if (moves_along) kept += (double)(tile->times[u] - 1) * rows;
        }
    }
    return kept;
}

// The registers that one step's operands take: all of one side are held while the other side's
// pass by, one after the other.
static double operand_registers(const Planner *p, const Tile *tile) {
    double vectors = registers_of(p, tile), streams = 0, splats = 1;
    for (int i = 0; i < p->touches.n; i++) {
        const Touch *t = &p->touches.at[i];
        if (!t->is_inner) continue;
        double n = copies_of(p, tile, t);
        if (tile->lanes >= 0 && touches_slot(t, &p->nest->slot[tile->lanes]))
            streams = fmax(streams, n);
        else
            splats = fmax(splats, n);
    }
    double kept = fmax(1, kept_between_steps(p, tile));
    double by_splats = fmin(streams, 1) * vectors + (streams > 1 ? fmax(splats, kept) : kept);
    return fmin(by_splats, streams * vectors + kept);
}

static bool fits_registers(const Planner *p, const Tile *tile) {
    double points = 1;
    for (int u = 0; u < 2; u++) points *= tile->unroll[u] >= 0 ? (double)tile->times[u] : 1;
    double product = p->machine.is_unfused ? 1 : 0;  // on its way to the sum
    return points * registers_of(p, tile) + operand_registers(p, tile) + product <=
           p->machine.n_register;
}

typedef struct Best {
    Tile tile;
    double cycles, loads;  // loads: of one step, where each operand moves along one side
} Best;

// What is not worth a fork, or lies in a split region, is free.
double uneven_share(const Planner *p, double tiles, double cycles) {
    const double WORTH_SPLITTING = 60000;  // cycles
    if (p->region->n_outer || cycles < WORTH_SPLITTING) return 1;
    double whole = floor(tiles), rest = tiles - whole;
    return 0.5 + 0.5 * ((2 * ceil(whole / 2) + 2 * rest) / tiles);
}

// Any loop of enough tiles may be the one that threads share, else the one with the most.
static double imbalance(const Planner *p, const Tile *tile, double cycles) {
    const double ENOUGH = 8;
    double most = 1, least = INFINITY;
    for (int i = 0; i < p->nest->n_parallel; i++) {
        double size = i == tile->lanes ? (double)tile->width : 1;
        for (int u = 0; u < 2; u++)
            if (i == tile->unroll[u]) size = (double)tile->times[u];
        double tiles = (double)dim_max(p->nest->slot[i].extent) / size;
        if (ceil(tiles) > ceil(most)) most = tiles;
        if (tiles >= ENOUGH) least = fmin(least, uneven_share(p, tiles, cycles));
    }
    return fmin(least, uneven_share(p, most, cycles));
}

// Lanes along the run-time batch leave single rows to scalar code, and small batches altogether.
static double runtime_lanes(const Planner *p, const Tile *tile) {
    return tile->lanes >= 0 && p->nest->slot[tile->lanes].extent.by ? 1.4 : 1;
}

// Every slot that whole tiles do not cover doubles the code; a tile that fits is worth a bit.
// What panels leave over along the lanes is one thread's.
static double edges(const Planner *p, const Tile *tile) {
    const double AN_EDGE = 1.008, A_REST = 1.016;
    double factor = 1;
    if (tile->lanes >= 0 && dim_max(p->nest->slot[tile->lanes].extent) % tile->width)
        factor *= p->region->n_outer ? AN_EDGE : A_REST;
    for (int u = 0; u < 2; u++)
        if (tile->unroll[u] >= 0 &&
            dim_max(p->nest->slot[tile->unroll[u]].extent) % tile->times[u])
            factor *= AN_EDGE;
    return factor;
}

// Rows of a tile that lie far apart are a stream each, of which the processor follows few at a time.
// Where one reduced slot is all there is, steps go along the rows, and each line serves many.
static double streams(const Planner *p, const Tile *tile) {
    enum { FAR = 2048, FEW = 9 };
    const double A_LOSS = 1.03;
    if (p->nest->n_reduced < 2) return 1;
    for (int i = 0; i < p->touches.n; i++) {
        const Touch *t = &p->touches.at[i];
        if (!t->is_inner || !t->read || t->walk.is_irregular) continue;
        int64_t rows = 1;
        for (int u = 0; u < 2; u++) {
            if (tile->unroll[u] < 0) continue;
            const Slot *s = &p->nest->slot[tile->unroll[u]];
            if (llabs(t->walk.stride[fastest(s)]) * t->elem >= FAR) rows *= tile->times[u];
        }
        if (rows > FEW) return A_LOSS;
    }
    return 1;
}

static void consider(const Planner *p, const Tile *tile, double k_points, Best *best) {
    if (!fits_registers(p, tile)) return;
    double cycles = nest_cycles(p, tile, k_points);
    cycles *= imbalance(p, tile, cycles) * runtime_lanes(p, tile) * edges(p, tile) *
              streams(p, tile);
    // Among equals of a plain product, the one whose sides are the shortest.
    const double NEAR = 0.001;
    bool is_product = is_contraction(p->leader) && p->nest->n_reduced == 1;
    double loads = tile->lanes >= 0 ? registers_of(p, tile) : 0, rows = 1;
    for (int u = 0; u < 2; u++) rows *= tile->unroll[u] >= 0 ? (double)tile->times[u] : 1;
    loads += rows;
    bool is_better = cycles < best->cycles * (1 - NEAR);
    bool is_equal = !is_better && cycles < best->cycles * (1 + NEAR);
    if (is_better || (is_equal && is_product && loads < best->loads))
        *best = (Best){*tile, cycles, loads};
}

// Without reuse of operands, more points in a tile only hide latency.
static bool is_large_enough(const Planner *p, const Tile *tile) {
    enum { POINTS_WITHOUT_REUSE = 4 };
    if (is_contraction(p->leader)) return false;
    int64_t points = tile->lanes >= 0 ? vectors_of(tile->width) : 1;
    for (int u = 0; u < 2; u++) points *= tile->unroll[u] >= 0 ? tile->times[u] : 1;
    return points > POINTS_WITHOUT_REUSE;
}

static void consider_unrolls(const Planner *p, Tile tile, double k_points, Best *best) {
    static const int64_t times[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24};
    consider(p, &tile, k_points, best);
    if (p->body_cost == 0) return;
    int n = p->nest->n_parallel;
    for (int a = 0; a < n; a++) {
        int64_t extent_a = dim_max(p->nest->slot[a].extent);
        if (a == tile.lanes || extent_a < 2) continue;
        for (size_t i = 1; i < sizeof times / sizeof *times && times[i] <= extent_a; i++) {
            tile.unroll[0] = a;
            tile.times[0] = times[i];
            tile.unroll[1] = -1;
            if (!fits_registers(p, &tile) || is_large_enough(p, &tile)) break;
            consider(p, &tile, k_points, best);
            for (int b = a + 1; b < n; b++) {
                int64_t extent_b = dim_max(p->nest->slot[b].extent);
                if (b == tile.lanes || extent_b < 2) continue;
                for (size_t k = 1; k < 8 && times[k] <= extent_b; k++) {
                    tile.unroll[1] = b;
                    tile.times[1] = times[k];
                    if (!fits_registers(p, &tile) || is_large_enough(p, &tile)) break;
                    consider(p, &tile, k_points, best);
                }
            }
        }
    }
}

Tile find_tile(const Planner *p, double k_points, double *cycles) {
    Best best = {{-1, 1, {-1, -1}, {1, 1}}, INFINITY, INFINITY};
    consider_unrolls(p, best.tile, k_points, &best);
    for (int lanes = 0; lanes < p->nest->n_parallel; lanes++) {
        int64_t extent = dim_max(p->nest->slot[lanes].extent);
        if (extent < 2) continue;
        int64_t last = 0, own = p->machine.vector_bytes / 4;
        // Where sixteen lanes are several vectors, one of them is a quarter of the code.
        bool is_simple = !is_contraction(p->leader) && p->draw_cost == 0;
        if (own < LANES && own < extent && is_simple)
            consider_unrolls(p, (Tile){lanes, own, {-1, -1}, {1, 1}}, k_points, &best);
        for (int64_t vectors = 1; vectors <= 4; vectors++) {
            int64_t width = vectors * LANES < extent || p->nest->slot[lanes].extent.by
                                ? vectors * LANES : extent;
            if (width == last || (p->nest->slot[lanes].extent.by && width > extent)) break;
            if (p->body_cost == 0 && vectors == 3) continue;
            if (p->body_cost == 0 && p->follower_cost - p->draw_cost > 24 && vectors > 2) continue;
            last = width;
            Tile tile = {lanes, width, {-1, -1}, {1, 1}};
            consider_unrolls(p, tile, k_points, &best);
        }
    }
    *cycles = best.cycles;
    return best.tile;
}
