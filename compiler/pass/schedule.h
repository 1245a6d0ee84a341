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
    int64_t start;
    int64_t stride[MAX_RANK];
} Storage;

typedef struct Member {
    Value *v;
    Keep keep;
} Member;

// How the loops over one slot of a nest's box are laid out.
typedef struct SlotPlan {
    int64_t tile;   // points of the slot in a tile; 1 for a plain loop
    bool is_lanes;
} SlotPlan;

typedef struct Nest {
    VEC(Member) members;    // the leader first
    // The plan, over the box's slots after merging (`schedule`).
    int n_slot;             // inner parallel slots; the leader's reduced slots stay loops
    SlotPlan plan[MAX_SLOTS];
    int loop_order[MAX_SLOTS];  // slots from the outermost loop to the innermost
    bool pack;              // copy the operand along the lanes to scratch, per panel
} Nest;

typedef struct Region {
    int id;
    int n_outer;            // leading slots that all members share
    Dim outer[MAX_RANK];
    bool is_parallel;
    VEC(Nest *) nests;
    double cost;            // nanoseconds, estimated
} Region;

typedef struct FunctionSchedule {
    Function *fn;
    VEC(Region *) regions;  // in order
} FunctionSchedule;

typedef struct Schedule {
    Module *m;
    VEC(FunctionSchedule *) fns;
} Schedule;

void print_schedule(Text *out, const Schedule *s);

// The value whose memory v shares: v itself, or what reshapes of it stand for.
Value *storage_root(Value *v);

#endif
