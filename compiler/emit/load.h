// Loads a program into this process: for tests that hold compiled code against the
// interpreter. Goes through an object, `cc -shared` and dlopen.
#ifndef NNC_EMIT_LOAD_H
#define NNC_EMIT_LOAD_H

#include "emit/emit.h"

typedef struct Loaded Loaded;

Loaded *load_program(Compiler *c, const Program *p);
Loaded *load_program_with(Compiler *c, const Program *p, const EmitOptions *o);
void load_free(Loaded *l);

char *load_arena(Loaded *l);  // its memory, zeroed at first
// Runs an entry point; false where there is none of that name. extent: by Extent.id, 4 of them.
bool load_run(Loaded *l, const char *entry, const int64_t *extent, uint32_t seed, uint32_t step);

// An element of a buffer of the arena, as the interpreter holds it.
double load_get(const Loaded *l, const Buffer *b, int64_t i);
void load_set(Loaded *l, const Buffer *b, int64_t i, double x);

#endif
