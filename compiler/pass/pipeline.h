// The pipeline: the one table of passes, and running it or a part of it.
#ifndef NNC_PASS_PIPELINE_H
#define NNC_PASS_PIPELINE_H

#include "pass/pass.h"

typedef struct PassTime {
    const char *name;
    double seconds;
} PassTime;

typedef struct PipelineRun {
    const char *stop_after;   // name of a pass, or NULL for all of them
    const char *only;         // "a,b": exactly these, in this order; or NULL
    const char *skip;         // "a,b": optional passes to leave out; or NULL
    const char *print_after;  // name of a pass, "all", or NULL
    bool print_changed;       // print after each pass that changed something
    void (*after)(void *context, Pass *p, const PassInfo *info);  // once a pass is verified
    void *context;
    // What is filled.
    VEC(PassTime) times;
    Text *printed;
} PipelineRun;

const PassInfo *pass_by_name(const char *text);  // NULL where there is none

// Runs the passes on p; a frozen module starts behind `order`. What a pass leaves is
// verified, and a violation is an internal error. Stops after errors of the program
// compiled (in c->diags); false then.
bool pipeline_run(Pass *p, PipelineRun *run);

// The state of the compilation as text: the graph, the schedule or the loops.
void print_state(Text *out, const Pass *p);

#endif
