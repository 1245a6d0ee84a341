// nnc: from the command line through the stages to the outputs.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/die.h"
#include "driver/manifest.h"
#include "driver/options.h"
#include "emit/emit.h"
#include "emit/output.h"
#include "ir/print.h"
#include "ir/read.h"
#include "ir/verify.h"
#include "pass/memory.h"
#include "pass/pipeline.h"
#include "pass/schedule.h"
#include "pass/work.h"
#include "sema/sema.h"
#include "syntax/tree.h"

typedef struct Timed {
    const char *what;
    double seconds;
} Timed;

typedef struct Driver {
    Compiler *c;
    CommandLine *line;
    int file;                  // number of the source
    bool is_ir;
    Stage last;                // the last stage that is asked for
    Text *text[N_EMIT_KIND];   // what has been made
    Objects objects;
    ModelSpec spec;
    Pass pass;
    VEC(Timed) times;
    double started;
} Driver;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void lap(Driver *d, const char *what, double start) {
    vec_push(d->c->arena, &d->times, ((Timed){what, now() - start}));
}

static bool wants(const Driver *d, EmitKind kind) {
    for (int i = 0; i < d->line->outputs.n; i++)
        if (d->line->outputs.at[i].kind == kind) return true;
    return false;
}

static Text *start_text(Driver *d, EmitKind kind) {
    return d->text[kind] = text_new(d->c->arena);
}

// ---- the end

static void report_times(const Driver *d) {
    double total = now() - d->started;
    fprintf(stderr, "%-12s %10s\n", "stage", "ms");
    for (int i = 0; i < d->times.n; i++)
        fprintf(stderr, "%-12s %10.2f %5.1f%%\n", d->times.at[i].what, 1e3 * d->times.at[i].seconds,
                100 * d->times.at[i].seconds / total);
    fprintf(stderr, "%-12s %10.2f\n", "all", 1e3 * total);
}

_Noreturn static void finish(Driver *d) {
    diag_show(d->c->diags, stderr);
    if (d->line->time_report) report_times(d);
    int code = diag_errors(d->c->diags) ? 1 : 0;
    arena_free(d->c->arena);
    exit(code);
}

static void stop_on_errors(Driver *d) {
    if (diag_errors(d->c->diags)) finish(d);
}

// Those that few programs need, with null at the end.
static const char *const *libraries_of(Driver *d) {
    vec_push(d->c->arena, &d->spec.libraries, NULL);
    d->spec.libraries.n--;
    return d->spec.libraries.at;
}

// Everything was made: now it is written.
static void write_outputs(Driver *d) {
    double start = now();
    for (int i = 0; i < d->line->outputs.n; i++) {
        const Output *o = &d->line->outputs.at[i];
        const Text *t = d->text[o->kind];
        if (o->kind == KIND_exe)
            link_executable(d->c, &d->objects, libraries_of(d), o->path);
        else
            write_output(o->path, t->at, t->n, false);
    }
    lap(d, d->last == STAGE_link ? "link" : "write", start);
}

// ---- front end

static void read_source(Driver *d) {
    size_t n;
    const char *path = d->line->input;
    char *text = read_file(d->c->arena, path, &n);
    if (!text) die("cannot read %s: %s", path, strerror(errno));
    if (memchr(text, 0, n)) die("%s is not text: it holds a zero byte", path);
    d->file = source_add(d->c->sources, path, text, (int)n, false);
    size_t length = strlen(path);
    d->is_ir = length > 3 && !strcmp(path + length - 3, ".ir");
}

static void parse_and_check(Driver *d) {
    Compiler *c = d->c;
    if (wants(d, KIND_tokens)) print_tokens(start_text(d, KIND_tokens), c, d->file);
    if (d->last == STAGE_source && !d->line->is_check) return;
    double start = now();
    Node *tree = parse_file(c, d->file);
    lap(d, "parse", start);
    if (wants(d, KIND_ast) && !diag_errors(c->diags))
        print_tree(start_text(d, KIND_ast), tree, c->sources);
    if (d->last == STAGE_parse && !d->line->is_check) return;
    start = now();
    d->pass.m = sema_module(c, tree, d->line->is_check, &d->spec);
    lap(d, "sema", start);
}

static void check_defines(const Driver *d) {
    const Options *o = &d->c->opt;
    for (int i = 0; i < o->n_define; i++)
        if (!o->define[i].is_used)
            usage_error("-D %s: the program has no hyper of that name", o->define[i].name);
}

static void read_ir(Driver *d) {
    double start = now();
    d->pass.m = read_module(d->c, d->file);
    lap(d, "read", start);
    stop_on_errors(d);
    const char *wrong = verify_module(d->pass.m, LEVEL_F);
    if (wrong && !d->pass.m->is_frozen) wrong = verify_module(d->pass.m, LEVEL_G);
    if (wrong) diag_error(d->c->diags, (Span){d->file, 0, 0}, "%s", wrong);
}

static void front_end(Driver *d) {
    if (d->is_ir) read_ir(d);
    else parse_and_check(d);
    stop_on_errors(d);
    if (!d->pass.m) return;
    check_defines(d);
    if (wants(d, KIND_graph)) print_module(start_text(d, KIND_graph), d->pass.m);
    if (wants(d, KIND_summary)) {
        if (d->is_ir) usage_error("--emit=summary needs a program, not IR");
        print_summary(start_text(d, KIND_summary), d->c, &d->spec);
    }
}

// ---- passes

static void take_texts(void *context, Pass *p, const PassInfo *info) {
    Driver *d = context;
    if (!strcmp(info->name, "simplify") && wants(d, KIND_grad))
        print_module(start_text(d, KIND_grad), p->m);
    if (!strcmp(info->name, "schedule") && wants(d, KIND_fused))
        print_schedule(start_text(d, KIND_fused), p->schedule);
    if (strcmp(info->name, "memory")) return;
    if (wants(d, KIND_loops)) print_program(start_text(d, KIND_loops), p->program);
    if (wants(d, KIND_memory)) print_memory(start_text(d, KIND_memory), p->program);
    if (wants(d, KIND_cost)) print_work(start_text(d, KIND_cost), p->program);
    if (d->last >= STAGE_memory)
        print_manifest(start_text(d, KIND_manifest), p->program, d->is_ir ? NULL : &d->spec,
                       source_of(d->c->sources, d->file));
}

static const char *last_pass(const Driver *d) {
    if (d->line->stop_after) return d->line->stop_after;
    return d->last == STAGE_simplify ? "simplify" : d->last == STAGE_schedule ? "schedule" : NULL;
}

static void print_stopped(Driver *d) {
    Text *state = text_new(d->c->arena);
    print_state(state, &d->pass);
    const char *path = d->line->outputs.n ? d->line->outputs.at[0].path : "-";
    write_output(path, state->at, state->n, false);
}

static void run_passes(Driver *d) {
    PipelineRun run = {.stop_after = last_pass(d), .only = d->line->passes, .skip = d->line->skip,
                       .print_after = d->line->print_after,
                       .print_changed = d->line->print_changed,
                       .after = take_texts, .context = d};
    if (d->is_ir && d->pass.m->is_frozen && wants(d, KIND_grad))
        usage_error("--emit=grad: the arithmetic of this IR is already frozen");
    bool is_good = pipeline_run(&d->pass, &run);
    for (int i = 0; i < run.times.n; i++)
        vec_push(d->c->arena, &d->times, ((Timed){run.times.at[i].name, run.times.at[i].seconds}));
    if (run.printed->n) write_output("-", run.printed->at, run.printed->n, false);
    if (!is_good) finish(d);
    if (d->line->passes || d->line->stop_after) {
        print_stopped(d);
        finish(d);
    }
}

// ---- back end

// Where only the program is asked for, nobody sees how many objects it is made of; two take a
// kilobyte or two more.
static bool is_one_object(const Driver *d) {
    return d->c->opt.is_small || wants(d, KIND_llvm) || wants(d, KIND_llvm_opt) ||
           wants(d, KIND_asm) || wants(d, KIND_obj);
}

static void generate_code(Driver *d) {
    double start = now();
    Text *help = text_new(d->c->arena);
    print_help(help, d->pass.program, d->is_ir ? NULL : &d->spec);
    EmitOptions o = {.manifest = compact_manifest(d->c->arena, d->text[KIND_manifest]->at),
                     .help = help->at,
                     .source = d->line->input,
                     .part = runtime_parts(d->c->arena, d->pass.program, &d->spec),
                     .split_at = is_one_object(d) ? 0 : LARGE_PROGRAM};
    Code *code = code_new(d->c, d->pass.program, &o);
    lap(d, "emit", start);
    if (wants(d, KIND_llvm)) text_add(start_text(d, KIND_llvm), code_llvm(code, d->c->arena));
    if (d->last >= STAGE_optimize) {
        start = now();
        code_optimize(code);
        lap(d, "llvm passes", start);
    }
    if (wants(d, KIND_llvm_opt)) text_add(start_text(d, KIND_llvm_opt), code_llvm(code, d->c->arena));
    start = now();
    if (wants(d, KIND_asm)) code_assembly(code, start_text(d, KIND_asm));
    if (wants(d, KIND_obj) || wants(d, KIND_exe)) d->objects = code_objects(code, d->c->arena);
    d->text[KIND_obj] = d->objects.at[0];
    if (d->last >= STAGE_machine) lap(d, "llvm code", start);
    code_free(code);
}

static Stage last_stage(const CommandLine *line) {
    Stage last = STAGE_source;
    if (line->passes || line->stop_after) return STAGE_memory;
    for (int i = 0; i < line->outputs.n; i++) {
        Stage s = emit_info[line->outputs.at[i].kind].stage;
        if (s > last) last = s;
    }
    return last;
}

static Compiler *compiler_new(Arena *arena, const Options *o) {
    Compiler *c = NEW(arena, Compiler);
    c->arena = arena;
    c->names = names_new(arena);
    c->sources = sources_new(arena);
    c->diags = diags_new(arena, c->sources);
    c->opt = *o;
    c->opt.machine = emit_machine(o);
    return c;
}

int main(int argc, char **argv) {
    Arena *arena = arena_new();
    CommandLine line = parse_command_line(arena, argc, argv);
    Driver d = {.c = compiler_new(arena, &line.options), .line = &line, .started = now()};
    d.pass.c = d.c;
    d.last = last_stage(&line);
    read_source(&d);
    if (d.is_ir && !line.is_check && d.last < STAGE_sema && line.outputs.n)
        usage_error("--emit=%s needs a program, not IR", emit_info[line.outputs.at[0].kind].name);
    front_end(&d);
    if (line.is_check) finish(&d);
    if (d.last > STAGE_sema) run_passes(&d);
    if (d.last >= STAGE_code) generate_code(&d);
    write_outputs(&d);
    finish(&d);
}
