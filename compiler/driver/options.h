// The command line of nnc.
#ifndef NNC_DRIVER_OPTIONS_H
#define NNC_DRIVER_OPTIONS_H

#include "base/compiler.h"
#include "base/vec.h"

// What can be asked for with --emit=: name, the stage that it comes from, whether it is
// text, and what it is.
#define EMIT_KINDS(X)                                                                      \
    X(tokens, "tokens", STAGE_source, true, "the tokens of the source")                    \
    X(ast, "ast", STAGE_parse, true, "the syntax tree")                                    \
    X(graph, "graph", STAGE_sema, true, "the typed, instantiated model as index IR")       \
    X(summary, "summary", STAGE_sema, true, "a table of layers: shapes, parameters, work") \
    X(grad, "grad", STAGE_simplify, true, "the training step: forward, backward, update")  \
    X(fused, "fused", STAGE_schedule, true, "kernels: what is computed together")          \
    X(loops, "loops", STAGE_memory, true, "loops over planned memory")                     \
    X(memory, "memory", STAGE_memory, true, "every buffer's place and life")               \
    X(cost, "cost", STAGE_memory, true, "what each kernel computes and touches")           \
    X(manifest, "manifest", STAGE_memory, true, "the program's description of itself")     \
    X(llvm, "llvm", STAGE_code, true, "LLVM IR as it is built")                            \
    X(llvm_opt, "llvm.opt", STAGE_optimize, true, "LLVM IR after LLVM's passes")           \
    X(asm, "asm", STAGE_machine, true, "assembly")                                         \
    X(obj, "obj", STAGE_machine, false, "an object file")                                  \
    X(exe, "exe", STAGE_link, false, "the program (the default)")

typedef enum Stage {
    STAGE_source, STAGE_parse, STAGE_sema, STAGE_simplify, STAGE_schedule, STAGE_memory,
    STAGE_code, STAGE_optimize, STAGE_machine, STAGE_link
} Stage;

typedef enum EmitKind {
#define X(id, name, stage, is_text, what) KIND_##id,
    EMIT_KINDS(X)
#undef X
    N_EMIT_KIND
} EmitKind;

typedef struct EmitInfo {
    const char *name, *what;
    Stage stage;
    bool is_text;
} EmitInfo;

extern const EmitInfo emit_info[N_EMIT_KIND];

typedef struct Output {
    EmitKind kind;
    const char *path;  // "-" is standard output
} Output;

typedef struct CommandLine {
    bool is_check;             // nnc check FILE
    const char *input;
    VEC(Output) outputs;
    const char *print_after, *stop_after, *passes, *skip;
    bool print_changed, time_report;
    Options options;
} CommandLine;

// Exits: with 0 after --help and --version, with 2 where the command line is no good.
CommandLine parse_command_line(Arena *arena, int argc, char **argv);

// The last part of a path without its extension: what outputs are named after.
const char *stem_of(Arena *arena, const char *path);

// Prints "nnc: MESSAGE", a word on --help, and exits with 2.
_Noreturn void usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
