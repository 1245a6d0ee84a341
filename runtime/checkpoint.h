// Checkpoints: safetensors files whose metadata hold where training stands.
#ifndef NN_RUNTIME_CHECKPOINT_H
#define NN_RUNTIME_CHECKPOINT_H

#include "runtime/run.h"

#pragma GCC visibility push(hidden)

typedef struct Keeper {
    const char *folder;  // null: keeps no checkpoints
    int64_t keep;        // how many step-N files stay
    int n;
    int64_t *step;  // those that stand, oldest first: keep + 1 places
} Keeper;

Keeper keeper_open(Run *run);
// Writes step-N and makes `last`, and `best` if it is, names of it. Fails with the previous
// checkpoints in their places.
void keeper_save(Keeper *k, Run *run, bool is_best);

// Removes what an earlier run left in the folder and would be taken for this one's: checkpoints of
// one model where there is an ensemble of n, members from n + 1 on.
void forget_others(Mem *mem, const char *folder, int64_t n);

const char *checkpoint_folder(const Run *run, Mem *mem);
const char *checkpoint_path(Mem *mem, const char *folder, const char *name);

// Weights, states and session from a checkpoint of this program, or fails.
void checkpoint_resume(Run *run, const char *path);
// Weights and states from a checkpoint; hypers that no flag gave. The session stays.
void checkpoint_load(Run *run, const char *path);
// The parameters from any safetensors file, and what states of layers it has; with_states:
// what states of any kind.
void weights_load(Run *run, const char *path, bool with_states);
// Of a `load` entry: parameters, and layers' states that are there, below one path.
typedef struct LoadRule {
    const char *path, *as;  // ours, and what stands for it in the file
    const char *place;      // of the entry: "net.nn:12: "
} LoadRule;
void weights_load_part(Run *run, const char *path, const LoadRule *rule);
// What the train block's `load` entries name (runtime/load.c): where there are any.
void weights_load_parts(Run *run) __attribute__((weak));

#pragma GCC visibility pop

#endif
