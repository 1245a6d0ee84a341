// Common: costly parts that several values compute become one value.
#ifndef NNC_PASS_COMMON_H
#define NNC_PASS_COMMON_H

#include "ir/ir.h"

// Needs a frozen module; moves computations without changing a bit.
void share_costly_parts(Function *f);

#endif
