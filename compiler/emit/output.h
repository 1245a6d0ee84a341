// Files that are written whole or not at all, and the linker driver.
#ifndef NNC_EMIT_OUTPUT_H
#define NNC_EMIT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "emit/emit.h"

// Writes to a temporary file beside path, syncs and renames; path "-" is standard output.
// Dies, leaving nothing behind, where that fails.
void write_output(const char *path, const void *data, size_t n, bool is_executable);

// Links objects (in memory) with the runtime library into an executable, and with the libraries
// of these names (NULL behind the last): their archives where there are any. For another machine
// by its C compiler, TARGET-gcc, with the runtime that `make runtime TARGET=...` has built. Dies
// where a compiler, the runtime or a library is missing, saying how to get it, and where linking
// fails.
void link_executable(Compiler *c, const Objects *objects, const char *const *libraries,
                     const char *path);

// The same without the runtime library, as a shared object that a test can load.
void link_shared(Compiler *c, const Objects *objects, const char *path);

#endif
