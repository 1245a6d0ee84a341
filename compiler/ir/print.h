// The textual form: deterministic, read back by read.h to the same graph.
#ifndef NNC_IR_PRINT_H
#define NNC_IR_PRINT_H

#include "base/text.h"
#include "ir/ir.h"

void print_module(Text *out, const Module *m);
void print_module_plain(Text *out, const Module *m);   // without spans
void print_function(Text *out, const Function *f);
void print_value(Text *out, const Value *v);           // one line, operands by number
void print_scalar(Text *out, const Scalar *s, int np); // slots below np are i j k .., others a b c ..

#endif
