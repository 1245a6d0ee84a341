// Holds definitions of the library against figures by PyTorch:
//
//   torch [--suite=NAME] FILE.nn FIGURES.safetensors
//
// Every parameter of the program is filled by a formula of its name and of the element's number,
// which tests/torch/reference.py has too. Then each tensor of the figures must be what the
// compiled program gives, every element x of it to 1e-5 * max(1, |x|). A tensor is named
//
//   PARAMETER            the gradient of the loss by it
//   PARAMETER@K, STATE@K what it holds after K steps of training
//   eval@K               the loss that `eval_step` gives after these steps
//   scale                what the formula's numbers are multiplied by, where it is not 1
//
// One line for each instance of a layer of the program: `ok NAME/INSTANCE` or `FAIL ...: why`.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/map.h"
#include "emit/emit.h"
#include "pass/pipeline.h"
#include "sema/sema.h"
#include "tests/fuzz/in_parts.h"

enum { STEPS = 20, EPOCHS = 4, SEED = 7 };

typedef struct Figures {
    const char *name;
    int rank;
    int64_t dim[MAX_RANK];
    const float *at;
} Figures;

typedef struct Test {
    Arena *a;
    Compiler *c;
    Module *m;
    ModelSpec spec;
    Loaded *loaded;
    const char *suite;
    VEC(Figures) figures;
    Map *failed;  // name of a case -> what failed first
    Map *cases;
    Map *covered;  // leaf of a parameter
    double scale;
} Test;

static const double tolerance = 1e-5;

// ---- figures

static const char *after(const char *text, const char *word) {
    const char *at = strstr(text, word);
    if (!at) die("torch: no %s in the figures", word);
    return at + strlen(word);
}

// One tensor of the header, `"NAME":{"dtype":"F32","shape":[..],"data_offsets":[..]}`.
static const char *read_tensor(Test *t, const char *text, const char *data) {
    Figures f = {0};
    const char *begin = after(text, "\""), *end = strchr(begin, '"');
    f.name = name_n(t->c->names, begin, (size_t)(end - begin));
    const char *at = after(end, "\"shape\":[");
    while (*at != ']') {
        char *next;
        f.dim[f.rank++] = strtoll(at, &next, 10);
        at = *next == ',' ? next + 1 : next;
    }
    f.at = (const float *)(data + strtoll(after(at, "\"data_offsets\":["), NULL, 10));
    if (!strcmp(f.name, "scale")) t->scale = *f.at;
    else vec_push(t->a, &t->figures, f);
    return strchr(after(at, "\"data_offsets\":["), '}') + 1;
}

static void read_figures(Test *t, const char *path) {
    size_t n;
    char *text = read_file(t->a, path, &n);
    uint64_t header;
    if (!text || n < sizeof header) die("torch: cannot read %s", path);
    memcpy(&header, text, sizeof header);
    char *json = arena_printf(t->a, "%.*s", (int)header, text + sizeof header);
    // Floats are read where they are aligned.
    char *data = arena_copy(t->a, text + sizeof header + header, n - sizeof header - header);
    for (const char *at = json + 1; *at == '"' || *at == ',';) at = read_tensor(t, at, data);
}

// ---- the program

static bool is_wanted(const Test *t, const char *entry) {
    for (int i = 0; i < t->figures.n; i++) {
        const char *name = t->figures.at[i].name;
        bool trains = strchr(name, '@') != NULL;
        if (!strcmp(entry, "gradients") && !trains) return true;
        if (!strcmp(entry, "train_step") && trains) return true;
        bool evaluates = !strcmp(entry, "eval_step") || !strcmp(entry, "predict");
        if (evaluates && !strncmp(name, "eval@", 5)) return true;
    }
    return false;
}

static bool compile(Test *t, const char *path) {
    size_t n;
    char *text = read_file(t->a, path, &n);
    if (!text) die("torch: cannot read %s: %s", path, strerror(errno));
    Node *tree = parse_file(t->c, source_add(t->c->sources, path, text, (int)n, false));
    if (diag_errors(t->c->diags)) return false;
    t->m = sema_module(t->c, tree, false, &t->spec);
    if (diag_errors(t->c->diags)) return false;
    int kept = 0;
    for (int i = 0; i < t->m->fns.n; i++)
        if (is_wanted(t, t->m->fns.at[i]->name)) t->m->fns.at[kept++] = t->m->fns.at[i];
    t->m->fns.n = kept;
    t->c->opt.machine = emit_machine(&t->c->opt);
    Pass p = {.c = t->c, .m = t->m};
    if (!pipeline_run(&p, &(PipelineRun){0})) return false;
    t->loaded = load_in_parts(t->c, p.program);
    return true;
}

static Function *find_entry(const Test *t, const char *name) {
    for (int i = 0; i < t->m->fns.n; i++)
        if (!strcmp(t->m->fns.at[i]->name, name)) return t->m->fns.at[i];
    return NULL;
}

// ---- what goes in

// From -2 to 2 in steps of 1/256, times the scale.
static void fill(Tensor *t, const char *name, double scale) {
    uint32_t hash = 2166136261u;
    for (const char *c = name; *c; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (int64_t i = 0; i < tensor_count(t); i++)
        t->at[i] = (double)((i * 389 + hash % 1021) % 1021 - 510) / 256 * scale;
}

static const int64_t extent[4] = {1, 1, 1, 1};

static void put(Test *t, const Value *leaf, double x, bool by_formula) {
    Tensor *data = tensor_new(t->a, &leaf->type, extent);
    for (int64_t i = 0; i < tensor_count(data); i++) data->at[i] = x;
    if (by_formula) fill(data, leaf->leaf.name, t->scale);
    loaded_put(t->loaded, leaf, data);
}

static double input_value(const char *name, int step) {
    if (!strcmp(name, "run.step")) return step;
    if (!strcmp(name, "run.epoch")) return (step - 1) * EPOCHS / STEPS;
    if (!strcmp(name, "run.steps")) return STEPS;
    if (!strcmp(name, "run.epochs")) return EPOCHS;
    return 1;
}

// A state begins at 1 where its name says `var` (of batch norm), else at 0, as in the library.
static double first_state(const char *name) {
    size_t n = strlen(name);
    return n > 4 && !strcmp(name + n - 4, ".var") ? 1 : 0;
}

static void put_all(Test *t) {
    loaded_clear(t->loaded);
    for (int i = 0; i < t->m->params.n; i++) put(t, t->m->params.at[i], 0, true);
    for (int i = 0; i < t->m->states.n; i++)
        put(t, t->m->states.at[i], first_state(t->m->states.at[i]->leaf.name), false);
}

static const Value *result_named(const Function *f, const char *name) {
    for (int i = 0; f && i < f->results.n; i++)
        if (!strcmp(f->results.at[i].name, name)) return f->results.at[i].v;
    return NULL;
}

static void run(Test *t, const char *entry, int step);

// What `eval_step` takes of the model's outputs, as `predict` gives them.
static void put_outputs(Test *t, const Function *f, int step) {
    static const char *const prefix = "model.";
    for (int i = 0; i < f->inputs.n; i++) {
        const Value *to = f->inputs.at[i];
        if (strncmp(to->leaf.name, prefix, strlen(prefix))) continue;
        run(t, "predict", step);
        const Value *from = result_named(find_entry(t, "predict"), to->leaf.name + strlen(prefix));
        loaded_put(t->loaded, to, loaded_get(t->loaded, from, extent, t->a));
    }
}

static void run(Test *t, const char *entry, int step) {
    Function *f = find_entry(t, entry);
    if (!f) die("torch: the program has no %s", entry);
    for (int i = 0; i < f->inputs.n; i++)
        put(t, f->inputs.at[i], input_value(f->inputs.at[i]->leaf.name, step), false);
    put_outputs(t, f, step);
    loaded_run(t->loaded, entry, extent, SEED, (uint32_t)step, 1);
}

// ---- what comes out

static Name case_of(Test *t, const char *name) {
    return name_n(t->c->names, name, strcspn(name, "#.@"));
}

static void complain(Test *t, const char *name, char *why) {
    Name id = case_of(t, name);
    if (!map_has(t->failed, id)) map_set(t->failed, id, why);
}

static const Value *leaf_named(const Test *t, const char *name, size_t n) {
    for (int i = 0; i < t->m->params.n + t->m->states.n; i++) {
        int k = i - t->m->params.n;
        const Value *v = k < 0 ? t->m->params.at[i] : t->m->states.at[k];
        if (!strncmp(v->leaf.name, name, n) && !v->leaf.name[n]) return v;
    }
    return NULL;
}

static bool same_dims(const Tensor *is, const Figures *f) {
    bool same = is->rank == f->rank;
    for (int i = 0; same && i < f->rank; i++) same = is->dim[i] == f->dim[i];
    return same;
}

static void compare(Test *t, const Figures *f, const Value *v) {
    Tensor *is = v ? loaded_get(t->loaded, v, extent, t->a) : NULL;
    map_set(t->cases, case_of(t, f->name), (void *)f);
    if (!is) return complain(t, f->name, arena_printf(t->a, "the program has no %s", f->name));
    if (!same_dims(is, f))
        return complain(t, f->name, arena_printf(t->a, "%s has another shape", f->name));
    double worst = 0;
    for (int64_t i = 0; i < tensor_count(is); i++) {
        double want = f->at[i], d = fabs(is->at[i] - want) / fmax(1, fabs(want));
        if (is->at[i] == want || d <= worst) continue;
        worst = isnan(d) ? INFINITY : d;
        if (worst > tolerance)
            complain(t, f->name, arena_printf(t->a, "%s, element %lld is %.9g, not %.9g", f->name,
                                              (long long)i, is->at[i], want));
    }
}

static void check_gradients(Test *t) {
    Function *f = find_entry(t, "gradients");
    if (!f) return;
    put_all(t);
    run(t, "gradients", 1);
    for (int i = 0; i < t->figures.n; i++) {
        const Figures *g = &t->figures.at[i];
        if (strchr(g->name, '@')) continue;
        const Value *leaf = leaf_named(t, g->name, strlen(g->name));
        if (leaf) map_set(t->covered, leaf, (void *)g);
        compare(t, g, result_named(f, arena_printf(t->a, "grad.%s", g->name)));
    }
    for (int i = 0; i < t->m->params.n; i++) {
        const Value *leaf = t->m->params.at[i];
        if (!map_has(t->covered, leaf))
            complain(t, leaf->leaf.name, arena_printf(t->a, "no figures for %s", leaf->leaf.name));
        map_set(t->cases, case_of(t, leaf->leaf.name), (void *)leaf);
    }
}

static void check_steps(Test *t) {
    if (!find_entry(t, "train_step")) return;
    put_all(t);
    for (int step = 1; step <= STEPS; step++) {
        run(t, "train_step", step);
        for (int i = 0; i < t->figures.n; i++) {
            const Figures *g = &t->figures.at[i];
            const char *at = strchr(g->name, '@');
            if (!at || atoi(at + 1) != step) continue;
            const Value *v = leaf_named(t, g->name, (size_t)(at - g->name));
            if (!strncmp(g->name, "eval@", 5)) {
                run(t, "eval_step", step);
                v = result_named(find_entry(t, "eval_step"), "loss");
            }
            compare(t, g, v);
        }
    }
}

static void report(const Test *t) {
    for (int i = 0; i < t->cases->n; i++) {
        Name id = (Name)t->cases->key[i];
        const char *why = map_get(t->failed, id);
        if (why) printf("FAIL %s/%s: %s\n", t->suite, id, why);
        else printf("ok %s/%s\n", t->suite, id);
    }
}

int main(int argc, char **argv) {
    Test t = {.a = arena_new(), .suite = "torch", .scale = 1};
    if (argc > 1 && !strncmp(argv[1], "--suite=", 8)) {
        t.suite = argv[1] + 8;
        argv++, argc--;
    }
    if (argc != 3) die("usage: torch [--suite=NAME] FILE.nn FIGURES.safetensors");
    t.c = NEW(t.a, Compiler);
    t.c->arena = t.a;
    t.c->names = names_new(t.a);
    t.c->sources = sources_new(t.a);
    t.c->diags = diags_new(t.a, t.c->sources);
    t.c->opt.opt_level = 1;
    t.failed = map_new(t.a);
    t.cases = map_new(t.a);
    t.covered = map_new(t.a);
    read_figures(&t, argv[2]);
    if (!compile(&t, argv[1])) {
        diag_show(t.c->diags, stderr);
        printf("FAIL %s: it does not compile\n", t.suite);
        return 1;
    }
    check_gradients(&t);
    check_steps(&t);
    report(&t);
    if (!loaded_is_intact(t.loaded)) printf("FAIL %s: a store behind the memory\n", t.suite);
    loaded_free(t.loaded);
    arena_free(t.a);
    return 0;
}
