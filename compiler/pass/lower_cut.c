// Loops of a region are cut where a guard begins or ceases to hold: the inside of a padded
// copy is computed without guards, its border is filled.
#include <string.h>

#include "pass/access.h"
#include "pass/lower.h"

enum { MAX_CUTS = 4, MAX_CUT_SLOTS = 2 };

typedef struct Cuts {
    int slot;
    int64_t extent;
    int n;
    int64_t at[MAX_CUTS + 1];  // ascending, inside the extent
} Cuts;

static void add_cut(Cuts *c, int64_t at) {
    if (at <= 0 || at >= c->extent || c->n > MAX_CUTS) return;
    int i = c->n;
    while (i > 0 && c->at[i - 1] > at) i--;
    if (i > 0 && c->at[i - 1] == at) return;
    memmove(c->at + i + 1, c->at + i, sizeof *c->at * (size_t)(c->n++ - i));
    c->at[i] = at;
}

// s + k >= 0 begins to hold at -k, -s + k >= 0 ceases to behind k.
static void cut_at_guard(Cuts *c, const Guard *g) {
    if (g->s || g->mod || g->e.n != 1 || g->e.t[0].slot != c->slot) return;
    if (g->e.t[0].c == 1) add_cut(c, -g->e.k);
    if (g->e.t[0].c == -1) add_cut(c, g->e.k + 1);
}

// Every part has instructions of its own.
static bool is_small(const NestLower *n) {
    const double SMALL = 40;  // operations at a point
    double cost = 0;
    int cut = 0;
    Arena *scratch = arena_new();
    for (int i = 0; i < n->nest->members.n; i++)
        cost += scalar_cost(n->nest->members.at[i].v->index.body, scratch);
    for (int i = 0; i < MAX_SLOTS; i++) cut += n->is_cut[i];
    arena_free(scratch);
    return cost <= SMALL && cut < MAX_CUT_SLOTS;
}

static void find_cuts(NestLower *n, Cuts *c) {
    Arena *scratch = arena_new();
    for (int i = 0; i < n->nest->members.n; i++) {
        Reads reads = scalar_reads(n->nest->members.at[i].v->index.body, scratch);
        for (int k = 0; k < reads.n; k++)
            for (int g = 0; g < reads.at[k]->read->n_guard; g++)
                cut_at_guard(c, &reads.at[k]->read->guard[g]);
    }
    arena_free(scratch);
}

bool lower_in_parts(NestLower *n, int place, Block *block) {
    const Slot *s = &n->nest->slot[place];
    Range whole = n->range[place];
    bool is_plain = !n->top && n->row >= 0 && n->l->region->block <= 1 && s->tile == 1 &&
                    !s->is_lanes && s->n == 1 && !whole.count.by && !whole.first.n &&
                    !n->nest->members.at[0].v->index.nr && !n->is_cut[s->first];
    if (!is_plain || !is_small(n)) return false;
    Cuts c = {.slot = s->first, .extent = whole.count.n};
    find_cuts(n, &c);
    if (!c.n || c.n > MAX_CUTS) return false;
    c.at[c.n] = c.extent;
    n->is_cut[s->first] = true;
    for (int i = 0; i <= c.n; i++) {
        int64_t low = i ? c.at[i - 1] : 0;
        n->range[place] = (Range){affine_add_const(whole.first, low), dim_const(c.at[i] - low)};
        n->low[s->first] = whole.first.k + low;
        n->high[s->first] = whole.first.k + c.at[i] - 1;
        lower_slots(n, place, block);
    }
    n->is_cut[s->first] = false;
    n->range[place] = whole;
    return true;
}

bool is_decided(const NestLower *n, Affine e, bool *holds) {
    if (e.n != 1 || !n->is_cut[e.t[0].slot]) return false;
    int64_t a = e.t[0].c * n->low[e.t[0].slot] + e.k, b = e.t[0].c * n->high[e.t[0].slot] + e.k;
    *holds = a >= 0 && b >= 0;
    return *holds || (a < 0 && b < 0);
}
