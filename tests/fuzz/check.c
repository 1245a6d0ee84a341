#include "tests/fuzz/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "ir/print.h"
#include "ir/read.h"
#include "ir/verify.h"
#include "pass/pipeline.h"
#include "tests/fuzz/differences.h"
#include "tests/fuzz/from_text.h"
#include "tests/fuzz/noise.h"
#include "tests/fuzz/outputs.h"
#include "tests/fuzz/random_plan.h"
#include "tests/fuzz/in_parts.h"

typedef struct Session {
    Batch *batch;
    Compiler *c;
    Module *m;
    Arena *a;
    int n;
    Made **made;
    bool *has_failed;
    Outputs *before;  // of each function, in f64, after the pass before
    bool seen_grad;
} Session;

// Says what is wrong with a function, the first time.
__attribute__((format(printf, 3, 4))) static void complain(Session *s, int i, const char *format,
                                                           ...) {
    if (s->has_failed[i]) return;
    s->has_failed[i] = true;
    s->batch->n_failed++;
    va_list args;
    va_start(args, format);
    if (s->batch->path) fprintf(s->batch->out, "%s: ", s->batch->path);
    else fprintf(s->batch->out, "seed %llu: ", (unsigned long long)s->made[i]->seed);
    vfprintf(s->batch->out, format, args);
    fprintf(s->batch->out, "\n");
    va_end(args);
    if (s->batch->failed) s->batch->failed(s->batch->context, s->made[i]->seed);
}

// ---- before the arithmetic is frozen

// How exactly a pass must keep values: relatively, and how far data (nudge) or operations of
// some traits (noise) may be off for a difference to be excused.
typedef struct Accuracy {
    double tolerance, nudge, noise;
    unsigned traits;
} Accuracy;

// Is the difference no larger than what tiny changes of the data make (a comparison near a
// tie, cancellation)?
static bool is_excused(Session *s, int i, const Output *was, const Output *is, int64_t k,
                       const Accuracy *accuracy) {
    enum { TRIALS = 6 };
    double moved = 0, base = was->t->at[k], wrong = fabs(base - is->t->at[k]);
    for (int trial = 0; trial < TRIALS; trial++) {
        Arena *a = arena_new();
        Eval *e = made_eval(s->made[i], s->m, a, EVAL_wide, accuracy->nudge * pow(4, trial % 3),
                            (uint64_t)trial + 1);
        Value *v = with_noise(s->m, was->v, accuracy->traits, accuracy->noise, trial);
        moved = fmax(moved, fabs(eval_value(e, v)->at[k] - base));
        arena_free(a);
    }
    return wrong <= 100 * moved;
}

static void compare_output(Session *s, int i, const char *pass, const Output *was,
                           const Output *is, const Accuracy *accuracy) {
    enum { MAX_EXCUSED = 40 };
    if (!was->t || !is->t) return;
    int excused = 0;
    for (int64_t k = -1; (k = first_difference(was->t, is->t, accuracy->tolerance, k + 1)) >= 0;) {
        if (++excused < MAX_EXCUSED && is_excused(s, i, was, is, k, accuracy)) continue;
        if (excused >= MAX_EXCUSED) return;
        complain(s, i, "%s changes %s, element %lld: from %.17g to %.17g", pass, was->name,
                 (long long)k, was->t->at[k], is->t->at[k]);
        return;
    }
}

static void compare_stage(Session *s, const char *pass, const Accuracy *accuracy) {
    for (int i = 0; i < s->n; i++) {
        if (s->has_failed[i]) continue;
        Arena *scratch = arena_new();
        Outputs after = outputs_of(s->made[i], s->m, s->a);
        Eval *e = made_eval(s->made[i], s->m, s->a, EVAL_wide, 0, 0);
        evaluate(&after, e, scratch);
        for (int k = 0; k < after.n; k++)
            compare_output(s, i, pass, &s->before[i].at[k], &after.at[k], accuracy);
        s->before[i] = after;
        arena_free(scratch);
    }
}

static void check_derivatives(Session *s) {
    for (int i = 0; i < s->n; i++) {
        const Made *made = s->made[i];
        if (!made->is_differentiable || s->has_failed[i]) continue;
        for (int k = 0; k < made->derivatives.n; k++) {
            const char *wrong = check_derivative(made, s->m, &s->before[i],
                                                 &made->derivatives.at[k], &s->batch->tally);
            if (wrong) complain(s, i, "%s", wrong);
        }
    }
}

static void dump(const Session *s, const Pass *p, const PassInfo *info) {
    Text *text = text_new(s->a);
    print_state(text, p);
    fprintf(s->batch->out, "---- after %s\n%s", info->name, text->at);
    fflush(s->batch->out);
}

static bool is_before_order(const char *pass) {
    return !strcmp(pass, "grad") || !strcmp(pass, "simplify") || !strcmp(pass, "expand") ||
           !strcmp(pass, "fma") || !strcmp(pass, "order");
}

static void after_pass(void *context, Pass *p, const PassInfo *info) {
    Session *s = context;
    if (s->batch->dumps) dump(s, p, info);
    if (!is_before_order(info->name)) return;
    // The polynomials of f32 have f32's accuracy.
    bool is_rough = !strcmp(info->name, "expand") && s->m->real == ELEM_f32;
    static const Accuracy fine = {1e-10, 1e-11, 1e-12, TRAIT_ROUNDS};
    static const Accuracy rough = {3e-5, 1e-7, 2.5e-7, TRAIT_COSTLY};
    compare_stage(s, info->name, is_rough ? &rough : &fine);
    if (!strcmp(info->name, "grad")) check_derivatives(s);
}

// ---- text

static char *module_text(Session *s, const Module *m) {
    Text *t = text_new(s->a);
    print_module(t, m);
    return t->at;
}

static void compare_text(Session *s, const char *stage, const char *a, const char *b) {
    int line = 1;
    while (*a && *a == *b) line += *a++ == '\n', b++;
    if (!*a && !*b) return;
    while (line > 1 && a[-1] != '\n') a--, b--;
    complain(s, 0, "%s: printed again, line %d is\n%.*s, not\n%.*s", stage, line,
             (int)strcspn(b, "\n"), b, (int)strcspn(a, "\n"), a);
}

// print, read, print: the same text, and the same values.
static void check_text(Session *s, const char *stage) {
    char *text = module_text(s, s->m);
    int file = source_add(s->c->sources, stage, text, (int)strlen(text), false);
    Module *m = read_module(s->c, file);
    if (!m) {
        diag_show(s->c->diags, s->batch->out);
        complain(s, 0, "%s: the text does not read back", stage);
        return;
    }
    compare_text(s, stage, text, module_text(s, m));
    for (int i = 0; i < s->n && !s->has_failed[i]; i++) {
        Arena *a = arena_new();
        Outputs x = outputs_of(s->made[i], m, a);
        evaluate(&x, made_eval(s->made[i], m, a, EVAL_wide, 0, 0), a);
        for (int k = 0; k < x.n; k++) {
            const Output *was = &s->before[i].at[k];
            if (!was->t || !x.at[k].t) continue;
            int64_t at = first_difference(was->t, x.at[k].t, 0, 0);
            if (at >= 0)
                complain(s, i, "%s: read back, %s, element %lld is %.17g, not %.17g", stage,
                         was->name, (long long)at, x.at[k].t->at[at], was->t->at[at]);
        }
        arena_free(a);
    }
}

// ---- compiled

// What a function was before the passes that change it.
typedef struct Saved {
    Result *results;
    Update *updates;
    int n_result, n_update;
} Saved;

static Saved save(Session *s, const Function *f) {
    Saved x = {.n_result = f->results.n, .n_update = f->updates.n};
    x.results = arena_copy(s->a, f->results.at, sizeof *x.results * (size_t)x.n_result);
    x.updates = arena_copy(s->a, f->updates.at, sizeof *x.updates * (size_t)x.n_update);
    return x;
}

static void restore(Session *s, Function *f, const Saved *x) {
    f->results.n = f->updates.n = 0;
    for (int i = 0; i < x->n_result; i++) vec_push(s->a, &f->results, x->results[i]);
    for (int i = 0; i < x->n_update; i++) vec_push(s->a, &f->updates, x->updates[i]);
}

static void put_leaves(Session *s, Loaded *x) {
    loaded_clear(x);
    for (int i = 0; i < s->n; i++)
        for (int k = 0; k < s->made[i]->leaves.n; k++)
            loaded_put(x, s->made[i]->leaves.at[k].v, s->made[i]->leaves.at[k].data);
}

static void compare_bits(Session *s, int i, const char *how, const char *what, const Tensor *is,
                         const Tensor *expected) {
    if (!is) {
        complain(s, i, "%s: %s has no memory", how, what);
        return;
    }
    int64_t k = first_difference(expected, is, 0, 0);
    s->batch->tally.elements += tensor_count(expected);
    if (k < 0) return;
    complain(s, i, "%s: %s, element %lld is %.17g (%a), not %.17g (%a)", how, what, (long long)k,
             is->at[k], is->at[k], expected->at[k], expected->at[k]);
}

// Leaves that no update names keep what they held.
static const Tensor *expected_leaf(const Outputs *expected, const LeafData *leaf) {
    for (int k = 0; k < expected->n; k++)
        if (expected->at[k].target == leaf->v) return expected->at[k].t;
    return leaf->data;
}

static void check_run(Session *s, Loaded *x, int i, const Outputs *expected, const char *how,
                      int parts) {
    Made *made = s->made[i];
    Arena *a = arena_new();
    put_leaves(s, x);
    loaded_run(x, made->f->name, made->extent, FUZZ_SEED, FUZZ_STEP, parts);
    if (!loaded_is_intact(x)) complain(s, i, "%s: a store behind the program's memory", how);
    for (int k = 0; k < expected->n; k++) {
        const Output *e = &expected->at[k];
        if (e->target) continue;
        Value *v = NULL;
        for (int r = 0; r < made->f->results.n; r++)
            if (made->f->results.at[r].name == e->name) v = made->f->results.at[r].v;
        Tensor *t = v ? loaded_get(x, v, made->extent, a) : NULL;
        compare_bits(s, i, how, e->name, t, e->t);
    }
    for (int f = 0; f < s->n; f++)
        for (int k = 0; k < s->made[f]->leaves.n; k++) {
            const LeafData *leaf = &s->made[f]->leaves.at[k];
            const Tensor *e = f == i ? expected_leaf(expected, leaf) : leaf->data;
            // Inputs are the caller's; what a function does not use has no memory.
            Tensor *t = loaded_get(x, leaf->v, s->made[f]->extent, a);
            if (t && (f == i || first_difference(e, t, 0, 0) >= 0))
                compare_bits(s, i, how, leaf->v->leaf.name, t, e);
        }
    arena_free(a);
}

typedef struct Variant {
    const char *name, *skip;
    Machine machine;
    int opt_level;
    bool has_random_plans;
} Variant;

static void randomize(void *context, Pass *p, const PassInfo *info) {
    const Session *s = context;
    if (!strcmp(info->name, "schedule")) randomize_plans(p->schedule, s->batch->salt);
    if (s->batch->dumps) dump(s, p, info);
}

static void check_variant(Session *s, const Variant *v, const Outputs *expected) {
    Saved *saved = NEW_ARRAY(s->a, Saved, s->n);
    for (int i = 0; i < s->n; i++) saved[i] = save(s, s->made[i]->f);
    s->c->opt.machine = v->machine;
    s->c->opt.opt_level = v->opt_level;
    Pass p = {.c = s->c, .m = s->m};
    PipelineRun run = {.skip = v->skip, .after = v->has_random_plans ? randomize : after_pass,
                       .context = s};
    if (s->batch->dumps) fprintf(s->batch->out, "==== %s\n", v->name);
    pipeline_run(&p, &run);
    for (int f = 0; f < p.program->fns.n; f++) s->batch->tally.kernels += p.program->fns.at[f]->kernels.n;
    Loaded *x = load_in_parts(s->c, p.program);
    static const int parts[] = {1, 2, 3, 7};
    for (int i = 0; i < s->n; i++)
        for (int k = 0; k < 4 && !s->has_failed[i]; k++) {
            char how[64];
            snprintf(how, sizeof how, "compiled (%s, in %d parts)", v->name, parts[k]);
            check_run(s, x, i, &expected[i], how, parts[k]);
        }
    loaded_free(x);
    for (int i = 0; i < s->n; i++) restore(s, s->made[i]->f, &saved[i]);
}

// Numbers at the ends of the reals, here and there: compiled code must treat them as the
// interpreter does.
static void make_wild(Session *s, Made *made) {
    static const double wild[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1e-40, -3e38, 1e30, 8388609.5};
    Random r = random_from(made->seed, 11);
    for (int i = 0; i < made->leaves.n; i++) {
        Tensor *t = made->leaves.at[i].data;
        for (int64_t k = 0, n = tensor_count(t); elem_is_real(t->elem) && k < n; k++)
            if (random_chance(&r, 10)) {
                double x = wild[random_below(&r, 9)];
                t->at[k] = s->m->real == ELEM_f32 ? (float)x : x;
            }
    }
}

// Every fourth group, and where asked for.
static bool is_wild(const Batch *b) {
    return b->is_wild || (!b->path && b->request[0].seed / GROUP % 4 == 1);
}

static void check_compiled(Session *s) {
    static const Variant variants[] = {
        {"default", .opt_level = 2},
        {"4 floats wide", "share", {.vector_bytes = 16, .n_register = 16, .l1 = 4096, .l2 = 16384}, 1},
        {"8 floats wide", NULL, {.vector_bytes = 32, .n_register = 16, .l1 = 2048, .l2 = 2048}, 1},
        {"few registers", "share", {.n_register = 6, .l2 = 8192}, 0},
        {"random plans", .opt_level = 1, .has_random_plans = true},
        {"random plans, -O0", .skip = "share", .has_random_plans = true},
    };
    Outputs *expected = NEW_ARRAY(s->a, Outputs, s->n);
    Arena *scratch = arena_new();
    for (int i = 0; is_wild(s->batch) && i < s->n; i++) make_wild(s, s->made[i]);
    for (int i = 0; i < s->n; i++) {
        expected[i] = outputs_of(s->made[i], s->m, s->a);
        evaluate(&expected[i], made_eval(s->made[i], s->m, s->a, EVAL_exact, 0, 0), scratch);
    }
    arena_free(scratch);
    enum { N_VARIANT = sizeof variants / sizeof *variants };
    check_variant(s, &variants[0], expected);
    if (!s->batch->path) {
        uint64_t group = s->batch->request[0].seed / GROUP;
        check_variant(s, &variants[1 + (group + s->batch->salt) % (N_VARIANT - 1)], expected);
    }
    for (int i = 1; s->batch->path && i < N_VARIANT; i++) check_variant(s, &variants[i], expected);
}

// ---- a batch

static Compiler *new_compiler(void) {
    Arena *a = arena_new();
    Compiler *c = NEW(a, Compiler);
    c->arena = a;
    c->names = names_new(a);
    c->sources = sources_new(a);
    c->diags = diags_new(a, c->sources);
    return c;
}

static void read_one(Session *s, const char *path) {
    s->made[0] = made_from_text(s->c, s->a, path);
    if (!s->made[0]) {
        diag_show(s->c->diags, s->batch->out);
        exit(1);
    }
    s->m = s->made[0]->f->m;
    s->c->opt.is_f64 = s->m->real == ELEM_f64;
}

static void generate_all(Session *s, const Batch *b) {
    Compiler *c = s->c;
    c->opt.is_f64 = b->request[0].seed / GROUP % 3 == 2;
    s->m = module_new(c, name(c->names, "fuzz"), c->opt.is_f64 ? ELEM_f64 : ELEM_f32);
    make_extents(s->m);
    for (int i = 0; i < b->n; i++) s->made[i] = generate(s->m, s->a, &b->request[i]);
}

static Session *session_new(Batch *b) {
    Compiler *c = new_compiler();
    Session *s = NEW(c->arena, Session);
    *s = (Session){.batch = b, .c = c, .a = c->arena, .n = b->n};
    s->made = NEW_ARRAY(s->a, Made *, b->n);
    s->has_failed = NEW_ARRAY(s->a, bool, b->n);
    s->before = NEW_ARRAY(s->a, Outputs, b->n);
    if (b->path) read_one(s, b->path);
    else generate_all(s, b);
    return s;
}

void check_batch(Batch *b) {
    Session *s = session_new(b);
    b->tally.functions += b->n;
    bool is_frozen = s->m->is_frozen;  // a file's
    const char *wrong = verify_module(s->m, is_frozen ? LEVEL_F : LEVEL_G);
    if (wrong) BUG("generated: %s", wrong);
    Arena *scratch = arena_new();
    for (int i = 0; i < s->n; i++) {
        s->before[i] = outputs_of(s->made[i], s->m, s->a);
        evaluate(&s->before[i], made_eval(s->made[i], s->m, s->a, EVAL_wide, 0, 0), scratch);
    }
    arena_free(scratch);
    check_text(s, "generated");
    Pass p = {.c = s->c, .m = s->m};
    PipelineRun run = {.stop_after = "order", .after = after_pass, .context = s};
    if (!is_frozen) {
        pipeline_run(&p, &run);
        check_text(s, "after order");
    }
    check_compiled(s);
    arena_free(s->a);
}

void describe(const Request *r, int *n_value, int *n_output, FILE *out) {
    Batch b = {.request = r, .n = 1};
    Session *s = session_new(&b);
    if (n_value) *n_value = s->made[0]->n_value;
    if (n_output) *n_output = s->made[0]->n_output;
    if (out) fputs(module_text(s, s->m), out);
    arena_free(s->a);
}
