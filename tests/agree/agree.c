// Holds compiled programs against the interpreter:
//
//   agree [--suite=NAME] [--work=STEPS] [--cpu=NAME] [--target=TRIPLE] [--verbose]
//         [-DNAME=VALUE...] FILE.nn...
//
// Every entry point of each program is run on seeded data at small batches, compiled for several
// machines, with kernels whole and split into parts, and must give the interpreter's bits: those
// of the graph after `order`, in the module's precision. And it must agree with the graph as it
// stood before anything but derivatives was done to it, in f64: to 1e-4 of a tensor's largest
// element in f32, 1e-10 in f64 (excuse.h says what is let pass). For another processor or target
// (run by a command, fuzz/in_parts.h) only as it is compiled for that, in f32. One line for each
// entry point, `ok NAME`, `FAIL NAME: why` or `skip NAME: why`.
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "tests/agree/excuse.h"

typedef struct Line {
    const char *suite;
    double work;  // scalar steps of the interpreter that one call may take
    bool is_verbose;
    Define define[8];  // hypers that all programs take
    int n_define;
    const char *cpu, *triple;
} Line;

static bool is_for_here(const Line *line) {
    return !line->cpu && !line->triple;
}

typedef struct Check {
    Subject *s;
    const Line *line;
    const char *name;      // suite/PROGRAM/f32
    const char *part;      // under way: an entry point, or all of them in a row
    const Variant *variant;
    bool has_failed;       // that part has
    int64_t n_exact, n_near, n_excused;
    VEC(Call *) calls;
} Check;

__attribute__((format(printf, 2, 3))) static void complain(Check *k, const char *format, ...) {
    if (k->has_failed) return;
    k->has_failed = true;
    printf("FAIL %s/%s: %s, ", k->name, k->part, k->variant->name);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

// ---- comparing

static bool same_bits(double x, double y) {
    return isnan(x) || isnan(y) ? isnan(x) && isnan(y) : x == y && signbit(x) == signbit(y);
}

static void compare_bits(Check *k, const char *how, const char *what, const Tensor *is,
                         const Tensor *expected) {
    if (!is) {
        complain(k, "%s: %s has no memory", how, what);
        return;
    }
    int64_t n = tensor_count(expected), n_wrong = 0, first = -1;
    k->n_exact += n;
    for (int64_t i = n; i-- > 0;)
        if (!same_bits(is->at[i], expected->at[i])) n_wrong++, first = i;
    if (n_wrong)
        complain(k, "%s: %s, element %lld is %.17g (%a), not %.17g (%a); %lld of %lld differ", how,
                 what, (long long)first, is->at[first], is->at[first], expected->at[first],
                 expected->at[first], (long long)n_wrong, (long long)n);
}

static double largest(const Tensor *t) {
    double most = 0;
    for (int64_t i = 0; i < tensor_count(t); i++)
        if (isfinite(t->at[i])) most = fmax(most, fabs(t->at[i]));
    return most;
}

static void compare_near(Check *k, const char *how, const Call *call, int output,
                         const Tensor *is) {
    const Tensor *wide = call->wide[output];
    // Less than the smallest normal number is nothing: products underflow.
    bool is_f32 = k->s->m->real == ELEM_f32;
    double allowed = is_f32 ? 1e-4 * largest(wide) + FLT_MIN : 1e-10 * largest(wide) + DBL_MIN;
    Arena *scratch = arena_new();
    Excuse *excuse = NULL;
    for (int64_t i = 0; i < tensor_count(wide); i++) {
        double x = is->at[i], y = wide->at[i];
        k->n_near++;
        if (same_bits(x, y) || fabs(x - y) <= allowed) continue;
        if (!excuse) excuse = excuse_new(k->s, call, output, scratch);
        k->n_excused++;
        if (is_excused(excuse, i, fabs(x - y))) continue;
        complain(k, "%s: %s, element %lld is %.17g, and in f64 before the passes %.17g", how,
                 call->e->outputs.at[output].name, (long long)i, x, y);
        break;
    }
    arena_free(scratch);
}

// ---- running

static void put_all(Check *k, const Memory *memory) {
    for (int i = 0; i < memory->n; i++)
        loaded_put(k->s->loaded, memory->at[i].leaf, memory->at[i].t);
}

static Value *result_now(const Function *f, Name name) {
    for (int i = 0; i < f->results.n; i++)
        if (f->results.at[i].name == name) return f->results.at[i].v;
    return NULL;
}

static bool is_output(const Call *call, const Value *leaf) {
    for (int i = 0; i < call->e->outputs.n; i++)
        if (call->e->outputs.at[i].target == leaf) return true;
    return false;
}

// Runs a call on what memory holds, and compares all that it gives and leaves.
static void run_call(Check *k, const Call *call, const char *how, int parts, bool also_near) {
    Loaded *loaded = k->s->loaded;
    Arena *scratch = arena_new();
    put_all(k, &call->inputs);
    loaded_run(loaded, call->e->f->name, call->extent, CALL_SEED, (uint32_t)call->step, parts);
    if (!loaded_is_intact(loaded)) complain(k, "%s: a store behind the program's memory", how);
    for (int i = 0; i < call->e->outputs.n; i++) {
        const Output *o = &call->e->outputs.at[i];
        Value *v = o->target ? o->target : result_now(call->e->f, o->name);
        Tensor *is = v ? loaded_get(loaded, v, call->extent, scratch) : NULL;
        compare_bits(k, how, o->name, is, call->exact[i]);
        if (is && also_near) compare_near(k, how, call, i, is);
    }
    for (int i = 0; i < call->after.n; i++) {
        const Held *held = &call->after.at[i];
        if (is_output(call, held->leaf)) continue;
        int64_t whole[MAX_EXTENTS];
        memcpy(whole, call->extent, sizeof whole);
        if (held->t->rank) whole[0] = k->s->m->extents.at[0]->max;  // of a state by the batch
        Tensor *is = loaded_get(loaded, held->leaf, whole, scratch);
        if (is) compare_bits(k, how, held->leaf->leaf.name, is, held->t);
    }
    arena_free(scratch);
}

static const char *how_text(Check *k, const Call *call, const char *what) {
    return arena_printf(k->s->a, "%s with %lld rows, step %d, %s", call->e->f->name,
                        (long long)call->extent[0], call->step, what);
}

// On its own: from memory full of rubbish but for what it reads.
static void run_apart(Check *k, const Call *call, int parts, bool also_near) {
    const char *what = arena_printf(k->s->a, "in %d part%s", parts, parts > 1 ? "s" : "");
    loaded_clear(k->s->loaded);
    put_all(k, &call->before);
    run_call(k, call, how_text(k, call, what), parts, also_near);
}

static void run_in_all_parts(Check *k, const Call *call) {
    static const int parts[] = {1, 2, 7};
    for (int i = 0; i < 3 && !k->has_failed; i++) run_apart(k, call, parts[i], i == 0);
}

static void begin_part(Check *k, const char *part) {
    k->part = part;
    k->has_failed = false;
}

static void end_part(Check *k) {
    if (!k->has_failed) printf("ok %s/%s\n", k->name, k->part);
}

// All calls in a row: each finds what those before it have left.
static void run_in_a_row(Check *k) {
    loaded_clear(k->s->loaded);
    for (int i = 0; i < k->calls.n && !k->has_failed; i++) {
        const Call *call = k->calls.at[i];
        run_call(k, call, how_text(k, call, "after those before it"), 3, false);
    }
}

// ---- which calls

static const Memory *memory_now(const Check *k) {
    return k->calls.n ? &k->calls.at[k->calls.n - 1]->after : NULL;
}

static bool is_affordable(const Check *k, const Entry *e, int64_t rows) {
    return entry_work(k->s, e, rows) <= k->line->work;
}

static void add_call(Check *k, const Entry *e, int64_t rows, int step, int epoch) {
    When when = {rows, step, epoch, k->calls.n};
    Call *call = call_new(k->s, e, when, memory_now(k));
    vec_push(k->s->a, &k->calls, call);
}

// The largest batch, and an odd one next to it, where these are affordable.
enum { WHOLE = 1 << 30, ODD };

// As many rows as asked for, or fewer where that is too much work; 0 where one row is.
static int64_t rows_for(const Check *k, const Entry *e, int64_t rows) {
    int64_t most = k->s->m->extents.n ? k->s->m->extents.at[0]->max : 1;
    if (rows == WHOLE) return is_affordable(k, e, most) ? most : 0;
    if (rows == ODD) rows = most > 2 && is_affordable(k, e, most) ? most - 2 + most % 2 : 2;
    if (rows > most) rows = most;
    while (rows > 0 && !is_affordable(k, e, rows)) rows--;
    return rows;
}

// A call for each number of rows; where one is much work, only `least` of them.
static void check_entry(Check *k, const char *name, const int64_t *rows, int n, int least,
                        int first_step) {
    const Entry *e = subject_entry(k->s, name);
    if (!e) return;
    begin_part(k, name);
    int made = k->calls.n;
    for (int i = 0; i < n; i++) {
        int64_t affordable = rows_for(k, e, rows[i]);
        bool is_much = affordable && entry_work(k->s, e, affordable) > k->line->work / 10;
        if (!affordable || (is_much && k->calls.n >= made + least)) continue;
        add_call(k, e, affordable, first_step + i, first_step + i);
        run_in_all_parts(k, k->calls.at[k->calls.n - 1]);
    }
    if (k->calls.n == made) printf("skip %s/%s: too much for the interpreter\n", k->name, name);
    else end_part(k);
}

static void check_epoch_end(Check *k) {
    const Entry *e = subject_entry(k->s, "epoch_end");
    if (!e) return;
    begin_part(k, "epoch_end");
    for (int epoch = 0; epoch < 4; epoch++) {
        add_call(k, e, 0, 3, epoch);
        run_in_all_parts(k, k->calls.at[k->calls.n - 1]);
    }
    end_part(k);
}

static void check_entries(Check *k) {
    static const int64_t rows[] = {WHOLE, 3, 1, ODD, WHOLE};
    check_entry(k, "init", rows, 1, 1, 0);
    if (!k->calls.n) return;
    check_entry(k, "stream_begin", rows, 1, 1, 0);
    check_entry(k, "train_step", rows + 1, 4, 3, 1);
    check_entry(k, "eval_step", rows, 2, 1, 4);
    check_entry(k, "eval_end", rows, 1, 1, 0);
    check_entry(k, "predict", rows + 2, 3, 1, 0);
    check_entry(k, "gradients", rows, 2, 1, 5);
    check_entry(k, "generate_begin", rows, 1, 1, 0);
    check_entry(k, "generate_source", rows, 1, 1, 0);
    check_entry(k, "generate_step", rows + 1, 4, 3, 0);
    check_epoch_end(k);
    begin_part(k, "in_a_row");
    run_in_a_row(k);
    end_part(k);
}

// The same calls, compiled otherwise.
static void check_variant(Check *k) {
    if (!k->calls.n) return;
    begin_part(k, k->variant->name);
    for (int i = 0; i < k->calls.n && !k->has_failed; i++)
        run_apart(k, k->calls.at[i], 2 + i % 2, false);
    if (!k->has_failed) run_in_a_row(k);
    end_part(k);
}

static void check_subject(Check *k) {
    static const Variant variant[] = {
        {"plain", NULL, {0}, 2, false},
        {"narrow-unshared", "share",
         {.vector_bytes = 16, .n_register = 16, .l1 = 4096, .l2 = 16384}, 1, true},
        {"half-wide-O0", NULL, {.vector_bytes = 32, .n_register = 16, .l1 = 2048, .l2 = 8192}, 0, true},
    };
    for (int i = 0; i < (is_for_here(k->line) ? 3 : 1); i++) {
        // One of the others for each precision.
        if (i && (i == 1) != (k->s->m->real == ELEM_f32)) continue;
        k->variant = &variant[i];
        subject_compile(k->s, k->variant);
        if (i) check_variant(k);
        else check_entries(k);
    }
}

// ---- programs

static void check_program(const Line *line, const char *path) {
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    for (int is_f64 = 0; is_f64 < (is_for_here(line) ? 2 : 1); is_f64++) {
        Arena *a = arena_new();
        const char *name = arena_printf(a, "%s/%.*s/%s", line->suite,
                                        (int)(strrchr(base, '.') - base), base,
                                        is_f64 ? "f64" : "f32");
        Options options = {.is_f64 = is_f64, .n_define = line->n_define, .cpu = line->cpu,
                           .triple = line->triple};
        options.define = memcpy(arena_alloc(a, sizeof line->define), line->define, sizeof line->define);
        Subject *s = subject_new(path, &options);
        Check k = {.s = s, .line = line, .name = name};
        if (!s) printf("FAIL %s: it does not compile\n", name);
        else check_subject(&k);
        // Rounding explains single elements, never a tenth of a program.
        if (s && k.n_excused > k.n_near / 10)
            printf("FAIL %s/excused: %lld of %lld elements\n", name, (long long)k.n_excused,
                   (long long)k.n_near);
        if (s && line->is_verbose)
            printf("    %s: %lld elements bit for bit, %lld near, %lld of them excused\n", name,
                   (long long)k.n_exact, (long long)k.n_near, (long long)k.n_excused);
        fflush(stdout);
        if (s) subject_free(s);
        arena_free(a);
    }
}

static void take_define(Line *line, char *text) {
    char *value = strchr(text, '=');
    if (!value || line->n_define == sizeof line->define / sizeof *line->define) die("agree: -D%s", text);
    *value++ = 0;
    line->define[line->n_define++] = (Define){text, value};
}

// In a process of its own: an internal error is the program's alone.
static void check_apart(const Line *line, const char *path) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) die("cannot start a process");
    if (!pid) {
        check_program(line, path);
        exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    printf("FAIL %s/%s: it ended with %s %d\n", line->suite, path,
           WIFSIGNALED(status) ? "signal" : "exit code",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

int main(int argc, char **argv) {
    Line line = {.suite = "agree", .work = 5e6};
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "--suite=", 8)) line.suite = argv[i] + 8;
        else if (!strncmp(argv[i], "--work=", 7)) line.work = atof(argv[i] + 7);
        else if (!strncmp(argv[i], "-D", 2)) take_define(&line, argv[i] + 2);
        else if (!strncmp(argv[i], "--cpu=", 6)) line.cpu = argv[i] + 6;
        else if (!strncmp(argv[i], "--target=", 9)) line.triple = argv[i] + 9;
        else if (!strcmp(argv[i], "--verbose")) line.is_verbose = true;
        else if (argv[i][0] == '-' || !strrchr(argv[i], '.')) die("agree: no %s", argv[i]);
        else check_apart(&line, argv[i]);
    }
    return 0;
}
