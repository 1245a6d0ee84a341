// Rows: which regions walk their last outer slot in blocks, and what a block leaves over.
#ifndef NNC_PASS_ROWS_H
#define NNC_PASS_ROWS_H

#include "pass/schedule.h"

// Fills block and rest of every region of a grouped function.
void choose_blocks(Schedule *s, FunctionSchedule *fs);

// Rows of so few elements lie side by side in scratch: then they are the lanes.
bool are_rows_lanes(const Region *region, const Value *v);

#endif
