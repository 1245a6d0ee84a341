// The steps of `fuse`, each bit-exact.
#ifndef NNC_PASS_FUSE_H
#define NNC_PASS_FUSE_H

#include "pass/access.h"
#include "pass/schedule.h"

// Reads of contractions that may fall outside read padded copies instead.
void halo(Function *f, Arena *scratch);

// Contractions have their axes in the order of what they are computed from.
void axes(Function *f, Arena *scratch);

// Pointwise values whose recomputation is free are substituted into their readers.
void substitute(Function *f, Arena *scratch);

// Small operands of samples' contractions that lie across the lanes are read from turned copies.
void turn(Function *f, Arena *scratch);

// Conditions on draws become values of their own (draws.c).
void draws(Function *f, Arena *scratch);
bool is_drawn(const Value *v, Arena *scratch);
void sink_draws(FunctionSchedule *fs, Arena *scratch);  // into the regions that read them

// Values into nests, nests into regions, regions in order.
FunctionSchedule *group(Function *f, Arena *scratch);

// Stored values that are cheap to compute again become scratch of each region that reads them.
void replicate(Module *m, FunctionSchedule *fs, Arena *scratch);

#endif
