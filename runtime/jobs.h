// Jobs: trainings side by side, each in a process of its own that begins as a copy of this one,
// so that each makes the same bits as if it ran alone. As many run at a time as there are threads;
// where jobs are fewer, each has several.
//
// What a job writes to run->lines, and its errors, come back as text.
#ifndef NN_RUNTIME_JOBS_H
#define NN_RUNTIME_JOBS_H

#include "runtime/log.h"
#include "runtime/run.h"

#pragma GCC visibility push(hidden)

typedef struct Jobs {
    Run *run;
    void *context;
    int64_t n;
    bool (*is_done)(void *context, int64_t job);  // before it ran; null: none is
    int (*work)(Run *run, void *context, int64_t job);  // in its process: its exit code
    // Here, as jobs end, in whatever order.
    void (*end)(void *context, int64_t job, int code, const char *text);
} Jobs;

// Runs all that are not done. 0, or EXIT_STOPPED after SIGINT or SIGTERM, which go on to the
// jobs at hand.
int jobs_run(const Jobs *jobs);

// The last line of a job's text that says {"split": NAME}, or null. Lines that are no JSON are
// errors and warnings.
const Json *line_of_split(Mem *mem, const char *text, const char *name);
// Is this part of a log's line a scalar figure?
bool is_figure(const Json *part);
// Writes a line of split "kept": the validation's figures with the weights that were kept.
void write_kept(Run *run);
// The text's log lines for the log, each with a key and a number in front.
void log_lines(Log *log, const char *text, const char *key, int64_t number);
// "error: ..." of the text, without a line end, or null
char *job_error(Mem *mem, const char *text);

#pragma GCC visibility pop

#endif
