// Chain: long chains with few beside them become chains of chains.
#ifndef NNC_PASS_CHAIN_H
#define NNC_PASS_CHAIN_H

#include "ir/ir.h"

// A sum over samples by leaves of one sample, each a chain of many additions for few results (a
// convolution's bias gradient, the moments of batch norm), waits for every addition. Summed over
// its last slot first, it has a chain for each row, and those don't wait for one another. v as it
// was where that is not so. Chooses roundings: for `order`.
Value *shorten_chain(Module *m, Value *v);

#endif
