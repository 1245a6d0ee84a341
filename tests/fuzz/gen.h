// What the files of the generator share.
#ifndef NNC_FUZZ_GEN_H
#define NNC_FUZZ_GEN_H

#include "tests/fuzz/generate.h"
#include "tests/fuzz/random.h"

typedef struct Item {  // a value that later ones may read
    Value *v;
    double low, high;  // of its elements
    bool is_read;
    bool is_closed;    // not to be read: infinite, or a gradient
} Item;

typedef struct Gen {
    Module *m;
    Function *f;
    Arena *a;
    Random r;
    Made *made;
    Eval *eval;
    VEC(Item) pool;
    Dim batch;            // run-time or constant; leads many shapes
    Dim rows;             // run-time, perhaps another one: of a whole split
    int64_t favourite[4]; // extents that meet again and again
    int n_leaf;
    uint32_t n_rand;
    double budget;        // points that may still be evaluated
    int n_read, n_costly; // of the body under construction
    bool allows_stop;
    bool has_product;     // whose second derivative has too many axes
    int n_step;           // scans that are being made: slots of their steps, the outermost first
    Dim step[MAX_SLOTS];
    Map *open;            // Value *: which of those it depends on
} Gen;

// 0 <= slot < extent, parallel slots first.
typedef struct Box {
    int np, nr;
    Dim extent[MAX_SLOTS];
} Box;

static inline int box_slots(const Box *b) {
    return b->np + b->nr;
}

// A scalar and the range of its values (of a bool: unused).
typedef struct Ex {
    Scalar *s;
    double low, high;
} Ex;

// ---- choices

static inline int64_t pick(Gen *g, int64_t n) {
    return random_below(&g->r, n);
}
static inline int64_t between(Gen *g, int64_t low, int64_t high) {
    return random_between(&g->r, low, high);
}
static inline bool chance(Gen *g, int percent) {
    return random_chance(&g->r, percent);
}
int64_t pick_extent(Gen *g, int64_t most);
Dim pick_dim(Gen *g, int64_t most);

// ---- leaves and the pool (generate.c)

Value *new_leaf(Gen *g, Elem elem, int rank, const Dim *dim, int64_t below);
Value *operand(Gen *g, int rank, const Dim *dim);  // a real of these dimensions, found or made
Item *find_item(Gen *g, Elem elem, int min_rank, int max_rank);  // NULL where there is none
// Adds a value; what is too large is scaled, what is infinite is bounded first.
Value *add_value(Gen *g, Value *v);
double box_size(const Dim *extent, int n);
bool spend(Gen *g, const Box *b);  // false where the budget does not allow the box

// ---- scalars (scalars.c)

Ex gen_real(Gen *g, const Box *b, int depth);
Ex gen_int(Gen *g, const Box *b, int depth);
Ex gen_below(Gen *g, const Box *b, int64_t n, int depth);  // in [0, n), by scalar_below
Scalar *gen_bool(Gen *g, const Box *b, int depth);
Ex gen_elem(Gen *g, const Box *b, Elem elem, int depth);
Guard gen_guard(Gen *g, const Box *b);
Ex bounded(Gen *g, Ex x, double most);  // into [-most, most]
Ex positive(Gen *g, Ex x);              // at least 0.3
Scalar *activation(Gen *g, Scalar *x, double low, double high);
void begin_body(Gen *g);
// Reads v somewhere in the box.
Scalar *read_somewhere(Gen *g, const Box *b, Value *v, Ex *range, int depth);
// A subscript of an axis of n points; adds the guards that it needs.
typedef struct Axes {
    Subscript sub[MAX_RANK];
    Guard guard[4 * MAX_RANK];
    int n_guard;
} Axes;
void add_axis_guards(Gen *g, const Box *b, Axes *x, Affine a, int64_t div, int64_t n);
Affine slot(Gen *g, int s);

// ---- blocks (blocks.c)

void add_block(Gen *g, Kind kind);

// ---- scans (recurrences.c)

void add_scan(Gen *g);
int steps_of(Gen *g, Value *v);  // how many of the first axes count steps under way

// ---- the ends (ends.c): loss, gradients, updates, results

void add_ends(Gen *g, const Request *r);

#endif
