// The steps of `fuse`, each bit-exact.
#ifndef NNC_PASS_FUSE_H
#define NNC_PASS_FUSE_H

#include "pass/access.h"
#include "pass/schedule.h"

// Reads of contractions that may fall outside read padded copies instead.
void halo(Function *f);

// Pointwise values whose recomputation is free are substituted into their readers.
void substitute(Function *f, Arena *scratch);

// Small operands of samples' contractions that lie across the lanes are read from turned copies.
void turn(Function *f);

// Values into nests, nests into regions, regions in order.
FunctionSchedule *group(Function *f, Arena *scratch);

#endif
