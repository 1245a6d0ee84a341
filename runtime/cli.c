#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/run.h"

static void print_usage(const Run *run, const char *program) {
    const Manifest *m = run->manifest;
    printf("%s: %s, compiled from %s by nnc %s\n\nusage: %s COMMAND [flags]\n\n%s", program, m->name,
           m->source, m->version, program, m->help);
}

// What was printed must have arrived.
static int flush_output(int code) {
    if (fflush(stdout) == EOF || ferror(stdout))
        fail("standard output: cannot write: %s", strerror(errno));
    return code;
}

static void close_run(Run *run) {
    machine_stop(&run->machine);
    data_free(&run->data);
    buffer_free(&run->session.history);
    mem_free(&run->mem);
}

void run_machine(Run *run, int threads) {
    const Options *o = &run->options;
    if (run->machine.memory) machine_stop(&run->machine);
    machine_start(&run->machine, &run->mem, run->program, run->manifest, threads,
                  (uint32_t)o->seed);
    for (int i = 0; i < run->manifest->n_hyper; i++) run->machine.hyper[i] = o->hyper[i];
}

static bool has_ranges(const Manifest *m) {
    for (int i = 0; i < m->n_hyper; i++)
        if (m->hyper[i].n_value || m->hyper[i].low < m->hyper[i].high) return true;
    return false;
}

static _Noreturn void refuse(const Run *run) {
    if (run->options.command == COMMAND_search && !has_ranges(run->manifest)) {
        fail_usage("this program has nothing to search: no hyper of it that is a flag has a range, as "
                   "in `hyper lr = 1e-3 in log(1e-5 .. 1e-1)`");
    }
    if (run->options.command == COMMAND_generate)
        fail_usage("this program generates nothing: its source has no `generate` block");
    fail_usage("this program was compiled with --small: it has no %s",
               command_name[run->options.command]);
}

int nn_main(int argc, char **argv, const NnProgram *program) {
    static int (*const command[N_COMMAND])(Run *) = {
        [COMMAND_train] = run_train,     [COMMAND_eval] = run_eval,
        [COMMAND_predict] = run_predict, [COMMAND_gradcheck] = run_gradcheck,
        [COMMAND_bench] = run_bench,     [COMMAND_profile] = run_profile,
        [COMMAND_summary] = run_summary, [COMMAND_info] = run_info,
        [COMMAND_search] = run_search,   [COMMAND_generate] = run_generate,
    };
    Run run = {0};
    run.manifest = manifest_read(&run.mem, program);
    flags_read(&run.options, &run.mem, run.manifest, argc, argv);
    const Options *o = &run.options;
    if (o->command == COMMAND_help) {
        print_usage(&run, argv[0]);
        mem_free(&run.mem);
        return flush_output(0);
    }
    if (!command[o->command]) refuse(&run);
    // What starts processes starts threads in them.
    bool is_one = o->command != COMMAND_search && !o->folds && !o->ensemble;
    bool computes = o->command != COMMAND_summary && o->command != COMMAND_info;
    run.program = program;
    run_machine(&run, computes && is_one ? (int)o->threads : 1);
    int code = command[o->command](&run);
    close_run(&run);
    return flush_output(code);
}
