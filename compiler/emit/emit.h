// Code generation: from a program of loops over planned memory to LLVM, assembly, an object
// file. The only layer that knows LLVM.
//
// Needs a program after `memory`. What is made defines `nn_program` (runtime/abi.h), which
// names the kernels of each entry point. Values are never changed here:
// the bits are those of the interpreter's exact mode.
#ifndef NNC_EMIT_EMIT_H
#define NNC_EMIT_EMIT_H

#include <stdbool.h>

#include "base/text.h"
#include "ir/loops.h"

typedef struct EmitOptions {
    const char *manifest;   // JSON that the program carries; NULL for "{}"
    const char *source;     // path of the file compiled, for debug information
    const char *const *part;   // symbols of the runtime that the program needs, ends with NULL
    bool is_any_nest_long;  // nests of any length become functions where they stand twice: tests
} EmitOptions;

typedef struct Code Code;

// Dies where the processor or target that c->opt names is not known.
Code *code_new(Compiler *c, const Program *p, const EmitOptions *o);
void code_optimize(Code *code);             // before code_assembly and code_object; llvm.opt
const char *code_llvm(Code *code, Arena *arena);  // as it stands
// Machine code: the text of the assembly, or an object file, in memory.
void code_assembly(Code *code, Text *out);
void code_object(Code *code, Text *out);
void code_free(Code *code);

// All of it at once: false (and a message through die) never returns.
void emit_object(Compiler *c, const Program *p, const EmitOptions *o, const char *path);

// What scheduling wants to know of the processor that the options name.
Machine emit_machine(const Options *o);

// "22.1.8", and the processor and target that the options mean, for --version.
const char *emit_llvm_version(Arena *arena);
const char *emit_host(Arena *arena);

#endif
