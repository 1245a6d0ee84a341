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
    const char *help;       // what its `help` prints; NULL for nothing
    const char *source;     // path of the file compiled, for debug information
    const char *const *part;   // symbols of the runtime that the program needs, ends with NULL
    bool is_any_nest_long;  // nests of any length become functions where they stand twice: tests
    int64_t split_at;       // LARGE_PROGRAM or, in tests, less; 0: one object, whatever the size
} EmitOptions;

typedef struct Code Code;

// A large program is two objects, made at the same time. Which functions each has follows from the
// program and the target alone, so objects are the same on every machine.
enum { MAX_OBJECTS = 2 };

typedef struct Objects {
    Text *at[MAX_OBJECTS];
    int n;
} Objects;

// LLVM's instructions, as built, from which on a program is large.
enum { LARGE_PROGRAM = 10000 };

// Dies where the processor or target that c->opt names is not known.
Code *code_new(Compiler *c, const Program *p, const EmitOptions *o);
void code_optimize(Code *code);             // before code_assembly and code_objects; llvm.opt
// Text, of programs that may not be split: LLVM IR as it stands, assembly.
const char *code_llvm(Code *code, Arena *arena);
void code_assembly(Code *code, Text *out);
Objects code_objects(Code *code, Arena *arena);  // object files in memory, to be linked together
void code_free(Code *code);

// All of it at once, into one object: false (and a message through die) never returns.
void emit_object(Compiler *c, const Program *p, const EmitOptions *o, const char *path);

// What scheduling wants to know of the processor that the options name.
Machine emit_machine(const Options *o);

// "22.1.8", and the processor and target that the options mean, for --version.
const char *emit_llvm_version(Arena *arena);
const char *emit_host(Arena *arena);

#endif
