// What one compilation carries: there are no globals.
#ifndef NNC_BASE_COMPILER_H
#define NNC_BASE_COMPILER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/name.h"
#include "base/source.h"

typedef struct Define {  // -D NAME=VALUE
    const char *name, *value;
    bool is_used;
} Define;

// What is to be known of the processor compiled for. What scheduling takes from it never changes
// bits.
typedef struct Machine {
    int vector_bytes;  // of one register; 0 counts as 64
    int n_register;    // vector registers; 0 counts as 32
    bool is_unfused;   // multiply-adds round twice
    int64_t l1, l2;    // bytes per core; 0 counts as 32 KB and 1 MB
} Machine;

typedef struct Options {
    bool is_f64;           // --dtype=f64
    const char *cpu;       // --cpu=NAME; NULL for the processor compiled on
    const char *triple;    // --target=TRIPLE; NULL for this machine
    int opt_level;         // -O0 .. -O3; never changes bits
    bool strict_fp;        // --fp=strict: no fused multiply-add
    bool debug_info;       // -g
    int64_t memory_budget; // --memory-budget=BYTES; 0 for none
    bool is_small;         // --small: a program without gradcheck, profile, folds, ensembles, search
    Machine machine;       // filled by the driver from --cpu and --target
    Define *define;
    int n_define;
} Options;

typedef struct Compiler {
    Arena *arena;
    Names *names;
    Sources *sources;
    Diags *diags;
    Options opt;
} Compiler;

#endif
