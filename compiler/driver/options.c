#include "driver/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/version.h"
#include "emit/emit.h"
#include "pass/pipeline.h"

const EmitInfo emit_info[N_EMIT_KIND] = {
#define X(id, name, stage, is_text, what) {name, what, stage, is_text},
    EMIT_KINDS(X)
#undef X
};

_Noreturn void usage_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("nnc: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n(nnc --help lists commands and options)\n", stderr);
    va_end(args);
    exit(2);
}

static void print_help(void) {
    fputs("nnc compiles a neural network training program to one executable.\n\n"
          "  nnc model.nn -o model     compile\n"
          "  nnc check model.nn        diagnostics only\n"
          "  nnc --help | --version\n\n"
          "  -o PATH                   where the result goes\n"
          "  -O0 -O1 -O2 -O3           effort; never changes a result (default -O2)\n"
          "  -g                        debug information\n"
          "  --small                   a program without gradcheck, profile, search, --folds, --ensemble\n"
          "  --cpu=native|NAME         processor to compile for (default: this one)\n"
          "  --target=TRIPLE           machine to compile for\n"
          "  -D NAME=VALUE             another value for a hyper\n"
          "  --fp=default|strict       strict: no fused multiply-add\n"
          "  --dtype=f32|f64           precision of real numbers (default f32)\n"
          "  --memory-budget=BYTES     the most memory the program may take, or it is an error: what does\n"
          "                            not fit is computed again; never changes a result (64M, 1GB ...)\n"
          "  --emit=KIND[=PATH],...    what to write; PATH \"-\" is standard output\n", stdout);
    for (int i = 0; i < N_EMIT_KIND; i++)
        printf("      %-10s            %s\n", emit_info[i].name, emit_info[i].what);
    fputs("  --print-after=PASS|all    the state after a pass    --print-changed\n"
          "  --stop-after=PASS         go no further; print the state\n"
          "  --skip=PASS,...           leave out passes that change no result\n"
          "  --passes=a,b FILE.ir      run passes on textual IR; print the result\n"
          "  --time-report             where the time goes\n\npasses:\n", stdout);
    for (const PassInfo *i = pipeline; i->name; i++)
        printf("      %-10s            %s%s\n", i->name, i->what, i->is_optional ? " (optional)" : "");
    fputs("\nExit codes: 0, 1 for errors in the program compiled, 2 for usage.\n", stdout);
}

static void print_version(Arena *arena) {
    printf("nnc %s (LLVM %s; %s)\n", NNC_VERSION, emit_llvm_version(arena), emit_host(arena));
}

// What is designed and not built yet says so.
static void refuse_planned_kind(const char *kind) {
    static const char *const planned[] = {"bc", "lib", "shared", "header", "dot", "html", NULL};
    for (int i = 0; planned[i]; i++)
        if (!strcmp(kind, planned[i])) usage_error("--emit=%s is not available yet", kind);
}

static EmitKind kind_by_name(const char *kind) {
    for (int i = 0; i < N_EMIT_KIND; i++)
        if (!strcmp(emit_info[i].name, kind)) return (EmitKind)i;
    refuse_planned_kind(kind);
    usage_error("--emit does not know %s", kind);
}

static void parse_emit(Arena *arena, CommandLine *line, const char *list) {
    while (*list) {
        size_t n = strcspn(list, ",");
        char *item = arena_printf(arena, "%.*s", (int)n, list), *path = strchr(item, '=');
        if (path) *path++ = 0;
        if (path && !*path) usage_error("--emit=%s= lacks a path", item);
        vec_push(arena, &line->outputs, ((Output){kind_by_name(item), path}));
        list += n;
        if (*list == ',') list++;
    }
    if (!line->outputs.n) usage_error("--emit= lacks a kind");
}

static void parse_define(Arena *arena, Options *o, const char *text) {
    char *left = arena_printf(arena, "%s", text), *value = strchr(left, '=');
    if (!value || value == left || !value[1]) usage_error("-D %s is not NAME=VALUE", text);
    *value++ = 0;
    o->define = arena_grow(arena, o->define, sizeof *o->define * (size_t)o->n_define,
                           sizeof *o->define * (size_t)(o->n_define + 1));
    for (int i = 0; i < o->n_define; i++)
        if (!strcmp(o->define[i].name, left)) usage_error("-D %s is given twice", left);
    o->define[o->n_define++] = (Define){left, value};
}

// The value of "--name=value", or NULL where argument is another option.
static const char *value_of(const char *argument, const char *option) {
    size_t n = strlen(option);
    if (strncmp(argument, option, n) || (argument[n] != '=' && argument[n])) return NULL;
    if (!argument[n] || !argument[n + 1]) usage_error("%s lacks a value", option);
    return argument + n + 1;
}

static void check_pass(const char *option, const char *text, bool all_is_one) {
    if (all_is_one && !strcmp(text, "all")) return;
    if (!pass_by_name(text)) usage_error("%s: there is no pass %s", option, text);
}

static void check_passes(Arena *arena, const char *option, const char *list, bool optional_only) {
    while (*list) {
        size_t n = strcspn(list, ",");
        const char *pass = arena_printf(arena, "%.*s", (int)n, list);
        check_pass(option, pass, false);
        if (optional_only && !pass_by_name(pass)->is_optional)
            usage_error("%s: %s cannot be left out", option, pass);
        list += n;
        if (*list == ',') list++;
    }
}

static void parse_fp(Options *o, const char *value) {
    if (!strcmp(value, "fast")) usage_error("--fp=fast is not available yet");
    if (strcmp(value, "default") && strcmp(value, "strict"))
        usage_error("--fp is default or strict, not %s", value);
    o->strict_fp = !strcmp(value, "strict");
}

static void parse_dtype(Options *o, const char *value) {
    if (strcmp(value, "f32") && strcmp(value, "f64"))
        usage_error("--dtype is f32 or f64, not %s", value);
    o->is_f64 = !strcmp(value, "f64");
}

// "4000000", "64M", "1GB", "512KiB": K, M and G are powers of 1024, as KiB, MiB and GiB are; KB, MB
// and GB are powers of 1000.
static int64_t parse_bytes(const char *option, const char *text) {
    static const char letters[] = "KMG";
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    const char *letter = *end ? strchr(letters, *end) : NULL;
    int64_t unit = 1;
    if (letter) {
        bool is_decimal = !strcmp(end + 1, "B");
        for (const char *at = letters; at <= letter; at++) unit *= is_decimal ? 1000 : 1024;
        end += is_decimal ? 2 : !strcmp(end + 1, "iB") ? 3 : 1;
    }
    if (!isdigit((unsigned char)*text) || *end || errno)
        usage_error("%s takes a number of bytes, such as 4000000, 64M, 1GB or 512KiB, not %s", option, text);
    int64_t bytes;
    if (__builtin_mul_overflow((int64_t)n, unit, &bytes))
        usage_error("%s=%s is more than there can be", option, text);
    if (!bytes) usage_error("%s=%s: nothing runs in no memory", option, text);
    return bytes;
}

// Options of the form --name=value; false where it is none.
static bool parse_valued(Arena *arena, CommandLine *line, const char *a) {
    const char *v;
    if ((v = value_of(a, "--emit"))) parse_emit(arena, line, v);
    else if ((v = value_of(a, "--cpu"))) line->options.cpu = v;
    else if ((v = value_of(a, "--target"))) line->options.triple = v;
    else if ((v = value_of(a, "--memory-budget"))) line->options.memory_budget = parse_bytes("--memory-budget", v);
    else if ((v = value_of(a, "--fp"))) parse_fp(&line->options, v);
    else if ((v = value_of(a, "--dtype"))) parse_dtype(&line->options, v);
    else if ((v = value_of(a, "--print-after"))) check_pass("--print-after", line->print_after = v, true);
    else if ((v = value_of(a, "--stop-after"))) check_pass("--stop-after", line->stop_after = v, false);
    else if ((v = value_of(a, "--passes"))) check_passes(arena, "--passes", line->passes = v, false);
    else if ((v = value_of(a, "--skip"))) check_passes(arena, "--skip", line->skip = v, true);
    else return false;
    return true;
}

static void refuse_planned_option(const char *a) {
    static const char *const planned[] = {"-Rfuse", "-Rfuse-missed", "-Rvec", "-Rmem", "--save-temps",
                                          "--selftest", NULL};
    for (int i = 0; planned[i]; i++)
        if (!strncmp(a, planned[i], strlen(planned[i]))) usage_error("%s is not available yet", a);
}

static const char *next_argument(int argc, char **argv, int *i, const char *option) {
    if (*i + 1 >= argc) usage_error("%s lacks its argument", option);
    return argv[++*i];
}

static void set_input(CommandLine *line, const char *path) {
    if (line->input) usage_error("there are two input files, %s and %s", line->input, path);
    line->input = path;
}

static void parse_option(Arena *arena, CommandLine *line, int argc, char **argv, int *i,
                         const char **output) {
    const char *a = argv[*i];
    Options *o = &line->options;
    if (!strcmp(a, "--help") || !strcmp(a, "-h")) {
        print_help();
        exit(0);
    } else if (!strcmp(a, "--version")) {
        print_version(arena);
        exit(0);
    } else if (!strcmp(a, "-o")) {
        *output = next_argument(argc, argv, i, a);
    } else if (!strcmp(a, "-D")) {
        parse_define(arena, o, next_argument(argc, argv, i, a));
    } else if (!strncmp(a, "-D", 2)) {
        parse_define(arena, o, a + 2);
    } else if (!strncmp(a, "-O", 2)) {
        if (a[2] < '0' || a[2] > '3' || a[3]) usage_error("%s: the levels are -O0 to -O3", a);
        o->opt_level = a[2] - '0';
    } else if (!strcmp(a, "-g")) {
        o->debug_info = true;
    } else if (!strcmp(a, "--small")) {
        o->is_small = true;
    } else if (!strcmp(a, "--print-changed")) {
        line->print_changed = true;
    } else if (!strcmp(a, "--time-report")) {
        line->time_report = true;
    } else if (!parse_valued(arena, line, a)) {
        refuse_planned_option(a);
        usage_error("there is no option %s", a);
    }
}

static const char *default_path(Arena *arena, const CommandLine *line, EmitKind kind) {
    if (emit_info[kind].is_text) return "-";
    const char *stem = stem_of(arena, line->input);
    if (kind == KIND_exe) return stem;
    return arena_printf(arena, "%s.%s", stem, emit_info[kind].name);
}

// -o names the one thing that is written, else the program beside the rest.
static void place_outputs(Arena *arena, CommandLine *line, const char *output) {
    bool is_stopped = line->stop_after || line->passes || line->is_check;
    int n_open = 0;
    for (int i = 0; i < line->outputs.n; i++) n_open += !line->outputs.at[i].path;
    if (is_stopped) {
        if (line->is_check && (output || line->outputs.n)) usage_error("check writes nothing");
        return;
    }
    if (!line->outputs.n) {
        vec_push(arena, &line->outputs, ((Output){KIND_exe, output}));
    } else if (output && line->outputs.n == 1 && n_open == 1) {
        line->outputs.at[0].path = output;
    } else if (output) {
        for (int i = 0; i < line->outputs.n; i++)
            if (line->outputs.at[i].kind == KIND_exe) usage_error("the program is to go to two places");
        vec_push(arena, &line->outputs, ((Output){KIND_exe, output}));
    }
    for (int i = 0; i < line->outputs.n; i++) {
        Output *o = &line->outputs.at[i];
        if (!o->path) o->path = default_path(arena, line, o->kind);
        if (!strcmp(o->path, line->input)) usage_error("%s would be written over itself", o->path);
    }
}

const char *stem_of(Arena *arena, const char *path) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    if (!dot || dot == base) return arena_printf(arena, "%s.out", base);
    return arena_printf(arena, "%.*s", (int)(dot - base), base);
}

// The first word may be a command.
static int parse_command(CommandLine *line, int argc, char **argv) {
    static const char *const planned[] = {"fmt", "explain", NULL};
    if (argc < 2) return 1;
    if (!strcmp(argv[1], "check")) return line->is_check = true, 2;
    for (int i = 0; planned[i]; i++)
        if (!strcmp(argv[1], planned[i])) usage_error("nnc %s is not available yet", planned[i]);
    return 1;
}

CommandLine parse_command_line(Arena *arena, int argc, char **argv) {
    CommandLine line = {.options.opt_level = 2};
    const char *output = NULL;
    int i = parse_command(&line, argc, argv);
    bool only_files = false;
    for (; i < argc; i++) {
        if (!only_files && !strcmp(argv[i], "--")) only_files = true;
        else if (only_files || argv[i][0] != '-' || !argv[i][1]) set_input(&line, argv[i]);
        else parse_option(arena, &line, argc, argv, &i, &output);
    }
    if (!line.input) usage_error("there is no input file");
    if (output && !*output) usage_error("-o lacks its argument");
    size_t n = strlen(line.input);
    bool is_ir = n > 3 && !strcmp(line.input + n - 3, ".ir");
    if (line.passes && !is_ir) usage_error("--passes works on textual IR, a file named .ir");
    if ((line.passes || line.stop_after) && output)
        vec_push(arena, &line.outputs, ((Output){KIND_graph, output}));
    place_outputs(arena, &line, output);
    return line;
}
