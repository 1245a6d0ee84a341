// What the files of `lower` share: the state of one kernel that is being written.
#ifndef NNC_PASS_LOWER_H
#define NNC_PASS_LOWER_H

#include "base/die.h"
#include "ir/build.h"
#include "pass/schedule.h"
#include "pass/storage.h"

typedef struct Lower {
    Module *m;
    Schedule *s;
    Program *program;
    LoopFunction *fn;
    Kernel *kernel;
    const Region *region;
    Affine strip;  // its first row in the block
    Affine block;  // number of the block of rows; constant extents only
    VEC(Name) var_name;
    VEC(Dim) var_extent;
    int n_temp;
} Lower;

// The part of a slot that the block under way covers.
typedef struct Range {
    Affine first;
    Dim count;
} Range;

// One nest at work: what each slot of the leader's box is, in loop variables.
typedef struct NestLower {
    Lower *l;
    const Nest *nest;
    Affine value[MAX_SLOTS];    // by graph slot; of merged slots, the fastest stands for all
    bool is_walked[MAX_SLOTS];  // the slot moves on its own (is no slower part of a merged one)
    int row;                    // the last outer slot, or -1: `value`, if walked, counts from here
    Affine row_base;
    Affine strip;               // the strip's first row in the block
    // The block under way (lower_block.c).
    Range range[MAX_SLOTS];     // by place in nest->slot
    bool resumes;               // the reduction may go on from an earlier block's partial result
    bool is_last;               // it ends in this block
    bool has_ended;             // in those before: only what follows it is left
    Affine reduced_before;      // positive after the first block
    Buffer *partial;            // where its partial results lie; NULL for the leader's own memory
    Buffer *panel;              // the packed operand, or NULL
    // Slots whose loops are cut, by graph slot: the least and the greatest value (lower_cut.c).
    bool is_cut[MAX_SLOTS];
    int64_t low[MAX_SLOTS], high[MAX_SLOTS];
    // The tile under construction.
    int64_t size[MAX_SLOTS];    // by place in nest->slot; 1 for no tile variable
    int tile_var[MAX_SLOTS];
    Affine base[MAX_SLOTS];
    Map *temp;                  // Value * to Temp *: members already computed here
    const Block *top;           // what becomes kernels of their own, or NULL
    const Guard *where;         // attached to every load of the leader's body
    int n_where;
} NestLower;

// The slot's loop in parts, in each of which the guards on the slot hold or fail throughout;
// false where there is nothing to cut.
bool lower_in_parts(NestLower *n, int place, Block *block);
// Is it known in this part whether e >= 0 holds?
bool is_decided(const NestLower *n, Affine e, bool *holds);

int new_var(Lower *l, const char *name, Dim extent);
Temp *new_temp(Lower *l, Elem elem, const char *name);

void add_stmt(Lower *l, Block *block, Stmt *s);
Stmt *add_for(Lower *l, Block *block, int var, Bound low, Bound high, int64_t step, Span span);
void add_let(Lower *l, Block *block, const Temp *t, Scalar *value);
void add_set(Lower *l, Block *block, const Temp *t, Scalar *value);
void add_store(Lower *l, Block *block, const Access *a, const Guard *guard, int n_guard,
               Scalar *value);
void note_read(Lower *l, Buffer *b);  // the kernel loads from b
Bound bound_of(Dim d);
Bound bound_const(int64_t n);

// A graph scalar in loop variables: reads become loads of storage, or temps of members
// computed at the same point.
Scalar *lower_scalar(NestLower *n, Scalar *s);
Affine lower_affine(NestLower *n, Affine a);
Guard *lower_guards(NestLower *n, const Guard *guard, int count);
Access lower_access(NestLower *n, Value *v, const Subscript *sub);

// Slot `place` is now at `value`; set_parallel_slot: at the current tile's points.
void set_slot_value(NestLower *n, int place, Affine value);
void set_parallel_slot(NestLower *n, int place);
Access store_access(NestLower *n, Value *v);
Stmt *new_tile(Lower *l, Span span);
// Memory that is filled and read in a block: a thread's own. Outside all loops both are
// kernels of their own, and every thread reads what one has filled.
Buffer *new_scratch(NestLower *n, const Block *block, const char *text, Elem elem, int64_t count);

// Loops over blocks and panels (lower_block.c), and inside them those over tiles.
void lower_nest_blocks(NestLower *n, Block *block);
void lower_slots(NestLower *n, int place, Block *block);
// Are the outermost loops those over blocks of a chain? They can't be split.
bool is_chain_outermost(const Nest *nest);
// The packed operand's element at the current point.
Scalar *load_panel(NestLower *n);
// Where the leader's unfinished results lie, and one of them, or the identity before any.
Access partial_access(NestLower *n);
Scalar *load_partial(NestLower *n, const Value *leader);

// The leader's reduction at the tile's points: leaves its result in a temp.
const Temp *lower_reduction(NestLower *n, Block *block, const Value *v);
const Temp *lower_lanes_reduction(NestLower *n, Block *block, const Value *v);
// How one more point changes the running value.
Scalar *reduce_step(Module *m, RedKind red, Scalar *so_far, Scalar *body);

// A nest's loops, into a block.
void lower_nest(Lower *l, const Nest *nest, const Affine *outer, Block *block);

#endif
