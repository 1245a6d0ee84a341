// A function from a file of textual IR in place of a generated one: what once failed.
#ifndef NNC_FUZZ_FROM_TEXT_H
#define NNC_FUZZ_FROM_TEXT_H

#include "tests/fuzz/generate.h"

// The first function of the file, with random data; NULL after errors (in c->diags).
Made *made_from_text(Compiler *c, Arena *a, const char *path);

#endif
