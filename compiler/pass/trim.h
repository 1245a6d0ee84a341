// Trim: scans without the taps that nothing outside reads.
#ifndef NNC_PASS_TRIM_H
#define NNC_PASS_TRIM_H

#include "ir/ir.h"

bool trim_scans(Function *f);  // did it change anything?

#endif
