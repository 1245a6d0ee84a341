// Regions and stages: what `fuse` and `schedule` decide, between the graph and the loops.
//
// A region is a kernel: outer loops that all its nests share (split over threads), and
// inside them the nests one after another. A nest is one box of loops: its leader, perhaps
// a reduction, and followers that are computed at the same points. A value that is read
// only inside its region lives in registers or in the thread's scratch memory; so a stage
// (a padded, transposed or packed copy; a row's buffer) is simply a member that is placed
// in a region and kept in scratch.
//
//   region r3 [n < batch]            # outer loops
//     nest
//       %12 scratch                  # the padded image
//     nest tile [i 14, f lanes 16]
//       %14 register = sum           # the convolution
//       %15 stored                   # bias and relu: its epilogue
#ifndef NNC_PASS_SCHEDULE_H
#define NNC_PASS_SCHEDULE_H

#include "base/text.h"
#include "ir/ir.h"
#include "ir/loops.h"
#include "ir/rewrite.h"

typedef enum Keep { KEEP_register, KEEP_scratch, KEEP_stored } Keep;

// Where a value lies: element [i0, i1, ...] is buffer[start + sum of stride * i].
typedef struct Storage {
    Buffer *buffer;
    int row_axis;  // scratch of a block of rows: the axis that counts rows in the block; else -1
    int64_t start;
    int64_t stride[MAX_RANK];
} Storage;

typedef struct Member {
    Value *v;
    Keep keep;
    bool is_replica;  // other regions compute it, too, each into scratch of its own
} Member;

// A slot of a nest's box after adjacent ones that every access walks as one were merged.
// Merged slot s stands for the graph's slots [first, first + n), the last of them fastest.
typedef struct Slot {
    int first, n;
    Dim extent;
    int64_t tile;   // points of the slot in a tile; 1 for a plain loop
    bool is_lanes;
    int64_t block;  // points of a block, whose loop is outside all tiles'; 0 for no blocks
} Slot;

typedef struct Nest {
    VEC(Member) members;    // the leader first
    // The plan (`schedule`): inner parallel slots in the order of their loops, the
    // outermost first, then the leader's reduced slots in their own order.
    int n_parallel, n_reduced;
    Slot slot[MAX_SLOTS];
    bool is_leaf;           // computed once a block of rows: its first slot counts blocks
    VEC(Value *) ahead;     // fetched a block before it is wanted, at this nest's points
    Scalar *packed;         // the leader's read that is copied to scratch block by block, or NULL
    // A scan inside the steps of another: its nests, which come here; or NULL. The members are
    // theirs, all together.
    struct Region *inner;
} Nest;

typedef struct Region {
    int id;
    int n_outer;            // leading slots that all members share
    Dim outer[MAX_RANK];
    // Rows: iterations of the last outer slot that go together (LANES, or 1). Inside, the row
    // in the block is one more parallel slot of every nest.
    int64_t block;
    int64_t strip;          // rows of a block that go through the nests together, of wide ones
    struct Region *rest;    // the rows that whole blocks leave, one by one; NULL for none
    bool is_parallel;
    Map *replicas;          // Value * to Storage *, of the members that are; or NULL
    // A scan: its steps are the outer slot, in order; a step's nests find in the carries' history
    // what the one before has left.
    Value *scan;            // or NULL
    Value **written;        // by carry: the member that is what a step leaves
    Value **started;        // of an inner scan, by carry: the member that is what it starts from
    VEC(Nest *) nests;
    double cost;            // nanoseconds, estimated
} Region;

typedef struct FunctionSchedule {
    Function *fn;
    VEC(Region *) regions;  // in order
    Map *target_of;         // Value * to Value *: the leaf whose memory it is computed into
    Map *storage;           // Value * to Storage *, after `schedule`: leaves, and what is kept here
} FunctionSchedule;

typedef struct Schedule {
    Module *m;
    VEC(FunctionSchedule *) fns;
    VEC(Buffer *) buffers;
    Map *storage;           // of the function under way
    const Map *replicas;    // of the region under way; or NULL
    Map *kept;              // Value * to Buffer *: of results, one for all entry points
} Schedule;

void print_schedule(Text *out, const Schedule *s);

// The value whose memory v shares: v itself, or what reshapes of it stand for.
Value *storage_root(Value *v);

// The outer slot that is walked in blocks, or -1.
static inline int row_slot(const Region *r) {
    return r->block > 1 ? r->n_outer - 1 : -1;
}

#endif
