// What the files that plan one nest share.
#ifndef NNC_PASS_PLANNER_H
#define NNC_PASS_PLANNER_H

#include "pass/schedule.h"
#include "pass/storage.h"

// One way in which the nest touches memory (or counts places of random draws, which must
// walk like memory for slots to merge).
typedef struct Touch {
    Walk walk;
    bool is_store, is_place;
    bool is_inner;       // in the reduced loops
    bool needs_where;    // only the leader's filter keeps it in range
    Scalar *read;
    int elem;            // bytes
    unsigned depends;    // graph slots that it varies with, in any way
} Touch;

typedef VEC(Touch) Touches;

typedef struct Planner {
    Schedule *s;
    Arena *scratch;
    const Region *region;
    Nest *nest;
    const Value *leader;
    Dim extent[MAX_SLOTS];  // the leader's, but for the rows of a block
    Touches touches;
    unsigned unmergeable;  // graph slots used other than by walking memory
    double body_cost, follower_cost;
    unsigned filtered;     // graph slots that the leader's filter looks at
    double share;          // of the points, what it lets through
    double draw_cost;      // of the followers' draws, each for itself
    Machine machine;
} Planner;

typedef struct Tile {
    int lanes;       // merged slot, -1 for none
    int64_t width;   // points along it
    int unroll[2];   // merged slots, -1 for none
    int64_t times[2];
} Tile;

// The graph slot that moves fastest in a merged one: its stride is the merged slot's.
int fastest(const Slot *s);
bool touches_slot(const Touch *t, const Slot *s);
// Does the read move along the tile's lanes and the reduced slots alone, by constant strides?
bool is_packable(const Planner *p, const Touch *t, const Tile *tile);

// tile.c: the cheapest tile; *cycles is what one run of the nest is reckoned to take.
Tile find_tile(const Planner *p, double k_points, double *cycles);

// How much longer two threads take than half of one's time, where they share so many tiles, the rest
// of one among them; a bit of it counts on one thread's time. 1 where nothing is shared.
double uneven_share(const Planner *p, double tiles, double cycles);

// panel.c: blocks of slots, and the operand that is copied block by block.
void choose_panels(Planner *p, double k_points);
// What every panel along the lanes walks again of the other operand, in bytes.
double walked_again(const Planner *p, int lanes);
// Loads of one step of the reduction that find their line gone from L1, because the rows of a
// tile fall into the same sets.
double conflicting_loads(const Planner *p, const Touch *t, const Tile *tile);

#endif
