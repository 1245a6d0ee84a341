// Blocks and panels of one nest: what of the operand along the lanes is walked at a time, and
// whether it is copied first.
//
// A panel is what the operand holds of one tile's lanes and all reduced points. Every row of
// tiles walks it again, so it had better stay in L2: blocks of the reduced slots keep it small,
// and a copy keeps its rows together (and turns them, where the lanes lie apart). The lanes are
// the outermost loop then.
#include <math.h>
#include <stdlib.h>

#include "pass/planner.h"

enum { LINE = 64, PAGE = 4096, PAGES = 64, WAYS = 8 };  // PAGES: known at a time
enum { ENOUGH_ROWS = 64 };                             // of a block

// ---- lines that fall into the same sets

double conflicting_loads(const Planner *p, const Touch *t, const Tile *tile) {
    const Nest *nest = p->nest;
    if (!t->is_inner || !t->read || t->walk.is_irregular || !nest->n_reduced) return 0;
    const Slot *inner = &nest->slot[nest->n_parallel + nest->n_reduced - 1];
    int64_t step = llabs(t->walk.stride[fastest(inner)]) * t->elem;
    if (step == 0 || step >= LINE) return 0;  // no line is used by two steps
    int64_t stride[2] = {0, 0}, times[2] = {1, 1};
    for (int u = 0; u < 2; u++) {
        if (tile->unroll[u] < 0) continue;
        const Slot *s = &nest->slot[tile->unroll[u]];
        if (!touches_slot(t, s)) continue;
        stride[u] = llabs(t->walk.stride[fastest(s)]) * t->elem;
        times[u] = tile->times[u];
    }
    int in_set[PAGE / LINE] = {0}, most = 0;
    for (int64_t i = 0; i < times[0]; i++)
        for (int64_t k = 0; k < times[1]; k++) {
            int64_t at = i * stride[0] + k * stride[1];
            int n = ++in_set[at / LINE % (PAGE / LINE)];
            if (n > most) most = n;
        }
    double loads = (double)(times[0] * times[1]);
    return most > p->machine.l1 / PAGE && (stride[0] | stride[1]) >= LINE ? loads : 0;
}

// How many rows, `pitch` bytes apart, L2 holds.
static double rows_in_l2(const Planner *p, int64_t pitch, int64_t row_bytes) {
    const double SHARE = 0.75;
    int64_t sets = p->machine.l2 / (LINE * WAYS), by = pitch % LINE ? 1 : pitch / LINE;
    while (by > 1 && by % 2 == 0 && sets > 1) by /= 2, sets /= 2;
    double rows = (double)(sets * WAYS), all = (double)p->machine.l2 / (double)row_bytes;
    return SHARE * (rows < all ? rows : all);
}

// ---- the choice

typedef struct Panel {
    const Touch *touch;
    int lanes;           // merged slot
    int64_t width;
    double rows;         // reduced points
    double uses;         // points of the other parallel slots
    double tiles;        // of them
    double n_panel;
    bool is_turned;      // the lanes lie apart
    int64_t pitch;       // bytes between rows
} Panel;

static bool find_panel(const Planner *p, double k_points, Panel *out) {
    const Nest *nest = p->nest;
    *out = (Panel){.lanes = -1, .rows = k_points, .uses = 1, .tiles = 1};
    for (int i = 0; i < nest->n_parallel; i++) {
        double e = (double)dim_max(nest->slot[i].extent);
        if (nest->slot[i].is_lanes) {
            out->lanes = i;
            out->n_panel = ceil(e / (double)nest->slot[i].tile);
            continue;
        }
        out->uses *= e;
        out->tiles *= ceil(e / (double)nest->slot[i].tile);
    }
    if (out->lanes < 0 || nest->n_reduced == 0 || out->tiles < 2) return false;
    const Slot *along = &nest->slot[out->lanes];
    const Slot *inner = &nest->slot[nest->n_parallel + nest->n_reduced - 1];
    for (int r = nest->n_parallel + 1; r < nest->n_parallel + nest->n_reduced; r++)
        if (nest->slot[r].extent.by) return false;
    out->width = along->tile;
    Tile tile = {out->lanes, out->width, {-1, -1}, {1, 1}};
    for (int i = 0; i < p->touches.n; i++) {
        const Touch *t = &p->touches.at[i];
        if (!is_packable(p, t, &tile) || !touches_slot(t, along)) continue;
        out->touch = t;
        out->is_turned = llabs(t->walk.stride[fastest(along)]) != 1;
        out->pitch = llabs(t->walk.stride[fastest(inner)]) * t->elem;
        return true;
    }
    return false;
}

// Can the chain stop between two points of the reduced slots, and go on later? Over a run-time
// extent, which may stand first, it stops behind equal blocks of what each of its steps has, or
// behind some short samples.
static bool can_block_rows(const Planner *p) {
    const Index *x = &p->leader->index;
    const Slot *slot = &p->nest->slot[p->nest->n_parallel];
    if (x->order.kind != ORDER_seq || x->red == RED_argmax || x->red == RED_argmin) return false;
    int64_t rows = 1;
    for (int i = 0; i < p->nest->n_reduced; i++) {
        rows *= slot[i].extent.n;
        if (i && slot[i].extent.by) return false;
    }
    return !slot[0].extent.by || slot[0].extent.n == 1 || rows >= ENOUGH_ROWS;
}

// Of `each` rows, which come a run-time number of times: the block of at most n that divides them.
static int64_t even_block(int64_t each, double n) {
    int64_t block = n < 1 ? 1 : n < (double)each ? (int64_t)n : each;
    while (each % block) block--;
    return block < ENOUGH_ROWS ? each : block;
}

// At most n samples of `most`, so many that no rest is left where there are all.
static int64_t some_samples(int64_t most, double n) {
    int64_t some = n < 1 ? 1 : n < (double)most ? (int64_t)n : most;
    for (int64_t k = some; k > some / 2; k--)
        if (most % k == 0) return k;
    return some;
}

// Blocks of about `rows` reduced points, even ones, row-major.
static void block_rows(Planner *p, double rows) {
    double inner = 1;
    for (int i = p->nest->n_reduced - 1; i >= 0; i--) {
        Slot *s = &p->nest->slot[p->nest->n_parallel + i];
        double n = floor(rows / inner), e = (double)s->extent.n;
        if (s->extent.by) {
            bool are_short = s->extent.n == 1 && inner < ENOUGH_ROWS;
            s->block = are_short ? some_samples(dim_max(s->extent), n) : even_block(s->extent.n, n);
            return;
        }
        inner *= e;
        if (n >= e) continue;
        double blocks = ceil(e / (n < 1 ? 1 : n));
        s->block = (int64_t)ceil(e / blocks);
        for (int k = 0; k < i; k++) p->nest->slot[p->nest->n_parallel + k].block = 1;
        if (n >= 1) return;
    }
}

// How many rows stay near of an operand of whose lines each row of tiles wants some elements, until
// the next ones want the others: in L2, and in the pages that the processor knows at a time. Rows
// that lie close together are a stream, and so may be as many as L2 holds of them beside a panel.
static double rows_of_lines(const Planner *p, double k_points, double panel_bytes) {
    const double SHARE = p->region->n_outer ? 0.5 : 0.75;  // of L2, where there are other nests
    const Nest *nest = p->nest;
    const Slot *inner = &nest->slot[nest->n_parallel + nest->n_reduced - 1];
    const double LEAST = 128;  // fewer cost more by stopping
    double least = INFINITY;
    for (int i = 0; i < p->touches.n; i++) {
        const Touch *t = &p->touches.at[i];
        int64_t pitch = llabs(t->walk.stride[fastest(inner)]) * t->elem;
        if (!t->is_inner || !t->read || t->walk.is_irregular) continue;
        double all = (double)pitch * k_points + panel_bytes;
        if (pitch < PAGE / 4 && all < SHARE * (double)p->machine.l2) continue;
        for (int k = 0; k < nest->n_parallel; k++) {
            const Slot *s = &nest->slot[k];
            if (s->is_lanes || llabs(t->walk.stride[fastest(s)]) * t->elem >= LINE) continue;
            if (!touches_slot(t, s) || s->tile * t->elem >= LINE) continue;
            double rows = fmin(rows_in_l2(p, pitch, LINE), PAGES * PAGE / (double)pitch);
            least = fmin(least, fmax(rows, LEAST));
        }
    }
    return least;
}

// What is lost, as a share of the multiply-adds: by a copy, by rows that leave L2 or lie in
// more pages than the processor knows at a time, by partial results.
static double copying(const Panel *n) {
    return (n->is_turned ? 7.0 : 4.3) / n->uses;
}

static double walking(const Panel *n, double rows, bool stays) {
    double span = rows * (double)n->pitch;
    return (span > PAGES * PAGE ? 0.015 : 0) + (stays ? 0 : 0.025);
}

static double stopping(double rows) {
    return 4 / rows;
}

// How many panels one block of a chain takes: where it stops behind each sample, every block of
// panels brings all samples in again. Two blocks of panels are left at least, for threads.
static int64_t panels_at_once(const Planner *p, const Panel *n) {
    const double SHARE = 0.3;  // of L2, for what the chains of these panels have come to
    const Slot *samples = &p->nest->slot[p->nest->n_parallel];
    if (!samples->block || !samples->extent.by) return 1;
    double bytes = n->uses * (double)n->width * n->touch->elem;
    int64_t count = (int64_t)n->n_panel, most = (int64_t)(SHARE * (double)p->machine.l2 / bytes);
    for (int64_t k = count / 2; k > 1; k--)
        if (count % k == 0 && k <= most) return k;
    return 1;
}

double walked_again(const Planner *p, int lanes) {
    double most = 0;
    for (int i = 0; i < p->touches.n; i++) {
        const Touch *t = &p->touches.at[i];
        if (!t->is_inner || !t->read || touches_slot(t, &p->nest->slot[lanes])) continue;
        double bytes = t->elem;
        for (int k = 0; k < p->nest->n_parallel + p->nest->n_reduced; k++)
            if (touches_slot(t, &p->nest->slot[k])) bytes *= (double)dim_max(p->nest->slot[k].extent);
        if (bytes > most) most = bytes;
    }
    return most;
}

// How many copied panels whole chains take turns with, row of tiles by row of tiles: where the other
// operand does not stay in L2, each panel would bring it in again. Two groups are left, for threads.
static int64_t panels_in_turns(const Planner *p, const Panel *n, double k_points) {
    const double SHARE = 0.4;  // of L2, for the panels
    if (p->region->n_outer || walked_again(p, n->lanes) < (double)p->machine.l2) return 1;
    double bytes = k_points * (double)n->width * n->touch->elem;
    int64_t count = (int64_t)n->n_panel, most = (int64_t)(SHARE * (double)p->machine.l2 / bytes);
    if (dim_max(p->nest->slot[n->lanes].extent) % n->width) return 1;
    for (int64_t k = count / 2; k > 1; k--)
        if (count % k == 0 && k <= most) return k;
    return 1;
}

// Panels that share a walk are copied side by side, as one stream, where their rows lie in more
// pages than the processor knows at a time.
static bool pays_side_by_side(const Panel *n, double rows, int64_t panels, double room) {
    double bytes = rows * (double)panels * (double)n->width * n->touch->elem;
    return panels > 1 && rows * (double)n->pitch > PAGES * PAGE && bytes <= room;
}

static void lanes_last(Planner *p, int lanes) {
    Nest *nest = p->nest;
    Slot s = nest->slot[lanes];
    for (int i = lanes; i < nest->n_parallel - 1; i++) nest->slot[i] = nest->slot[i + 1];
    nest->slot[nest->n_parallel - 1] = s;
}

static void lanes_first(Planner *p, int lanes) {
    Nest *nest = p->nest;
    Slot s = nest->slot[lanes];
    for (int i = lanes; i > 0; i--) nest->slot[i] = nest->slot[i - 1];
    nest->slot[0] = s;
}

void choose_panels(Planner *p, double k_points) {
    enum { FEW_PANELS = 4 };
    const double SHARE = 0.55;  // of L2, for a panel
    Nest *nest = p->nest;
    nest->packed = NULL;
    Panel n;
    if (!find_panel(p, k_points, &n)) return;
    int64_t row_bytes = n.width * n.touch->elem;
    double held = rows_in_l2(p, n.pitch, row_bytes);
    double room = SHARE * (double)p->machine.l2, packed_rows = room / (double)row_bytes;
    // One panel's blocks are one thread's.
    bool can_stop = can_block_rows(p) && (n.n_panel > 1 || p->region->n_outer), packs = n.is_turned;
    double rows = k_points;
    if (!n.is_turned && k_points >= ENOUGH_ROWS) {
        double least = walking(&n, k_points, k_points <= held);
        double blocked = walking(&n, held, true) + stopping(held);
        if (can_stop && k_points > held && blocked < least) least = blocked, rows = held;
        if (copying(&n) < least) packs = true;
    }
    if (packs) rows = k_points > packed_rows ? packed_rows : k_points;
    // Blocks of rows make the panels the outermost loop, which threads split; not in a region, whose
    // own loops they split.
    bool may_stop_early = n.n_panel >= FEW_PANELS || p->region->n_outer;
    double panel_bytes = k_points * (double)row_bytes;
    double of_lines = may_stop_early ? rows_of_lines(p, k_points, panel_bytes) : INFINITY;
    if (can_stop && of_lines < rows) rows = of_lines;
    if (!can_stop && rows < k_points) return;
    if (!packs && rows >= k_points) return;
    if (rows < ENOUGH_ROWS && rows < k_points) rows = ENOUGH_ROWS;
    if (rows < k_points) block_rows(p, rows);
    int64_t panels = panels_at_once(p, &n);
    if (packs || pays_side_by_side(&n, rows, panels, room)) nest->packed = n.touch->read;
    int64_t turns = packs && rows >= k_points ? panels_in_turns(p, &n, k_points) : 1;
    if (turns > 1) {
        nest->slot[n.lanes].block = n.width * turns;
        lanes_last(p, n.lanes);
        return;
    }
    bool is_whole = n.n_panel < FEW_PANELS && rows >= k_points && !nest->slot[n.lanes].extent.by;
    if (is_whole) return;
    nest->slot[n.lanes].block = n.width * panels;
    lanes_first(p, n.lanes);
}
