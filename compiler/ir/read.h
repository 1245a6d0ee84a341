// Reads the textual form (grammar/ir.l, grammar/ir.y).
#ifndef NNC_IR_READ_H
#define NNC_IR_READ_H

#include "ir/ir.h"

// NULL after errors, which are in c->diags. The text must already be a source (its number
// is `file`), so that errors have places.
Module *read_module(Compiler *c, int file);

#endif
