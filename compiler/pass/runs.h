// Runs: an entry point as a list of runs of its kernels, or of parts of them (slice.h), over the
// buffers of the arena; and what follows for the memory that they need.
//
// A buffer goes through versions: the kernel that stored to it last. A list is good where every
// run finds each buffer at the version that it found in the list that `lower` left, and what
// outlives the function ends at the same; so whatever list is good gives the same bits.
#ifndef NNC_PASS_RUNS_H
#define NNC_PASS_RUNS_H

#include "ir/loops.h"

enum { FRESH = -2, UNTOUCHED = -1 };

typedef struct RunUse {
    int thing;             // a buffer, by its number in the model
    bool is_stored;
    int finds;             // a version: the number of a kernel, UNTOUCHED; or FRESH for any
} RunUse;

typedef enum PartKind {
    PART_whole,            // the kernel itself
    PART_again,            // runs again; what the kernel else stores it reads where that lies
    PART_again_alone,      // runs again; that it computes, too, in scratch
    PART_less,             // in the place of the kernel: what it is not to store lies in scratch
} PartKind;

typedef struct Run {
    int kernel;            // number in the list that `lower` left: what it stores has that version
    Kernel *code;          // the kernel, or a part of it
    double cost;           // operations and bytes, weighed; under a budget only
    const Map *locals;     // the same: what they may have in scratch
    int n_use;
    RunUse *use;
    int n_keep;            // of a part: the things that it stores, in order
    int *keep;
    PartKind kind;
    int64_t scratch;       // bytes of each thread that a part needs
} Run;

typedef struct Runs {
    Run **at;
    int n, cap;
} Runs;

typedef struct Stay {      // a thing has bytes from one run to another, both included
    int thing, first, last;
} Stay;

typedef struct Timeline {
    VEC(Stay) stay;
    int n;                 // runs that it has seen
    int *version;          // by thing, after them
    int *open;             // the thing's last stay, or -1
    int64_t *alive;        // bytes, by run
    int cap;
    int64_t peak;
    int at;                // the first run at the peak
    double cost;
} Timeline;

typedef struct Thing {
    Buffer *buffer;
    bool is_fixed;         // outlives the function; its bytes are not counted
    int64_t bytes;
    int last_version;
} Thing;

typedef struct Model {
    Module *module;          // kernels live in its arena
    Arena *scratch;
    VEC(Thing) thing;
    Runs first;              // what `lower` left
    VEC(Run *) parts;
} Model;

// `is_shared` holds the buffers that several functions touch.
Model *model_new(Module *module, const LoopFunction *f, const Map *is_shared, Arena *scratch);

// The part of a kernel that stores the things of `keep` alone; NULL where there is no such part:
// it would read what the rest of the kernel has changed.
Run *part_of_kernel(Model *m, PartKind kind, int kernel, const int *keep, int n_keep);

static inline bool is_again(const Run *r) {
    return r->kind == PART_again || r->kind == PART_again_alone;
}

Timeline *timeline_new(const Model *m);
// False where a list is not good.
bool timeline_of(const Model *m, const Runs *runs, Timeline *t);
// The same piece by piece: from nothing, up to the run `until`, to the end.
void timeline_begin(const Model *m, Timeline *t);
bool timeline_extend(const Model *m, const Runs *runs, int until, Timeline *t);
bool timeline_end(const Model *m, const Runs *runs, Timeline *t);
void timeline_copy(const Model *m, Timeline *to, const Timeline *from);

// Bytes that `memory` will need for these stays.
int64_t place_stays(const Model *m, const Timeline *t);

#endif
