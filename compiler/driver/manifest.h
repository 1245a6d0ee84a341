// The manifest: what a compiled program tells the runtime about itself (docs/manifest.md).
#ifndef NNC_DRIVER_MANIFEST_H
#define NNC_DRIVER_MANIFEST_H

#include "base/text.h"
#include "ir/loops.h"
#include "sema/sema.h"

// spec is NULL where the program comes from textual IR: then there is no data and no training.
void print_manifest(Text *out, const Program *p, const ModelSpec *spec, const Source *source);

// What the program's `help` prints behind its usage line (help.c).
void print_help(Text *out, const Program *p, const ModelSpec *spec);

// Does some entry point read an input of this name?
bool is_input(const Program *p, const char *name);

// Without the spaces that are for readers: what is put into the program.
const char *compact_manifest(Arena *arena, const char *text);

// What of the runtime the program needs besides what all do: names of weak symbols in runtime/,
// NULL behind the last.
const char *const *runtime_parts(Arena *arena, const Program *p, const ModelSpec *spec);

// --emit=summary: a table of layers with shapes, parameters and work.
void print_summary(Text *out, const Compiler *c, const ModelSpec *spec);

int line_of(const Compiler *c, Span span);  // of its beginning; 0 for none

// "batch", "4*batch" or a number.
void print_dim(Text *out, Dim d);

#endif
