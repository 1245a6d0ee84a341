// Rows: which regions walk their last outer slot in blocks, and what a block leaves over.
#ifndef NNC_PASS_ROWS_H
#define NNC_PASS_ROWS_H

#include "pass/schedule.h"

// Fills block and rest of every region of a grouped function.
void choose_blocks(Schedule *s, FunctionSchedule *fs);

// May each row of a scan go through all steps by itself? Then rows are the last outer slot, too,
// and their blocks are split over threads, each of which walks the steps.
void split_rows(Region *region, Arena *scratch);

// A block pays where the rows are short beside the cache: then what one nest leaves is still
// there for the next, and operands of a whole row are used for all of them.
bool fits_block(const Region *region);

bool has_contraction(const Region *region);  // but for leaves

// Does a reduction x over a block of rows, the parallel slot 0 counting blocks, read v's rows?
bool is_leaf_of(const Read *r, const Index *x);

// Rows of so few elements lie side by side in scratch: then they are the lanes.
bool are_rows_lanes(const Region *region, const Value *v);

#endif
