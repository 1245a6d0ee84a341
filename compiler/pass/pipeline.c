#include "pass/pipeline.h"

#include <string.h>
#include <time.h>

#include "base/die.h"
#include "ir/print.h"
#include "ir/verify.h"
#include "pass/schedule.h"

const PassInfo pipeline[] = {
    {"pick", "sums of which one term counts read that term", pass_pick},
    {"grad", "replace derivatives by the graph that computes them", pass_grad},
    {"simplify", "algebra, factoring, dead values", pass_simplify},
    {"keep", "scans keep what is costly and wanted outside, too", pass_keep},
    {"moments", "variances over samples from each sample's own", pass_moments},
    {"expand", "exp, log, tanh and their kin as polynomials", pass_expand},
    {"fma", "form multiply-adds", pass_fma},
    {"order", "give every rounded reduction its order; freeze the arithmetic", pass_order},
    {"share", "share what became equal, move what does not vary", pass_share, true},
    {"leaves", "the leaves of reductions by blocks as values", pass_leaves, true},
    {"fuse", "merge producers into consumers, group into kernels", pass_fuse},
    {"schedule", "choose tiles, lanes and stages of each kernel", pass_schedule},
    {"lower", "write the loops", pass_lower},
    {"peak", "order kernels, and run some again, for the peak of memory", pass_peak, true},
    {"memory", "place every buffer", pass_memory},
    {NULL},
};

const PassInfo *pass_by_name(const char *text) {
    for (const PassInfo *i = pipeline; i->name; i++)
        if (!strcmp(i->name, text)) return i;
    return NULL;
}

static bool is_in_list(const char *list, const char *word) {
    size_t n = strlen(word);
    for (const char *at = list; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, word, n) && (at[n] == ',' || !at[n])) return true;
    return false;
}

void print_state(Text *out, const Pass *p) {
    if (p->program) print_program(out, p->program);
    else if (p->schedule) print_schedule(out, p->schedule);
    else print_module(out, p->m);
}

// Before `expand` costly functions may stand in the graph, after it fma and its kin. Text
// that is read may be of either kind.
static const char *verify(const Pass *p) {
    if (p->program) return verify_program(p->program);
    const char *wrong = verify_module(p->m, LEVEL_F);
    return wrong && !p->m->is_frozen ? verify_module(p->m, LEVEL_G) : wrong;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void print_after(Pass *p, PipelineRun *run, const PassInfo *info, Text **before) {
    bool is_asked = run->print_after &&
                    (!strcmp(run->print_after, "all") || !strcmp(run->print_after, info->name));
    if (!is_asked && !run->print_changed) return;
    Text *state = text_new(p->c->arena);
    print_state(state, p);
    bool is_same = run->print_changed && *before && (*before)->n == state->n &&
                   !memcmp((*before)->at, state->at, state->n);
    *before = state;
    text_printf(run->printed, "---- after %s%s\n", info->name, is_same ? " (unchanged)" : "");
    if (!is_same) text_add(run->printed, state->at ? state->at : "");
}

static bool run_pass(Pass *p, PipelineRun *run, const PassInfo *info, Text **before) {
    double start = now();
    info->run(p);
    vec_push(p->c->arena, &run->times, ((PassTime){info->name, now() - start}));
    if (diag_errors(p->c->diags)) return false;
    const char *wrong = verify(p);
    if (wrong) BUG("after %s: %s", info->name, wrong);
    print_after(p, run, info, before);
    if (run->after) run->after(run->context, p, info);
    return true;
}

static bool run_list(Pass *p, PipelineRun *run, Text **before) {
    for (const char *at = run->only; *at;) {
        size_t n = strcspn(at, ",");
        const PassInfo *info = pass_by_name(arena_printf(p->c->arena, "%.*s", (int)n, at));
        if (!info) die("there is no pass %.*s", (int)n, at);
        if (!run_pass(p, run, info, before)) return false;
        at += n;
        if (*at == ',') at++;
    }
    return true;
}

bool pipeline_run(Pass *p, PipelineRun *run) {
    Text *before = NULL;
    run->printed = text_new(p->c->arena);
    if (run->print_changed) {
        before = text_new(p->c->arena);
        print_state(before, p);
    }
    if (run->only) return run_list(p, run, &before);
    const PassInfo *info = pipeline;
    if (p->m->is_frozen)
        while (info->run != pass_share) info++;
    for (; info->name; info++) {
        if (info->is_optional && run->skip && is_in_list(run->skip, info->name)) continue;
        if (!run_pass(p, run, info, &before)) return false;
        if (run->stop_after && !strcmp(run->stop_after, info->name)) break;
    }
    return true;
}
