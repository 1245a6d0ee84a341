#include "tests/agree/subject.h"

#include <errno.h>
#include <string.h>

#include "base/die.h"
#include "emit/emit.h"
#include "ir/build.h"
#include "ir/rewrite.h"

// ---- before and after the passes

static void take_pristine(Subject *s) {
    for (int i = 0; i < s->m->fns.n; i++) {
        Function *f = s->m->fns.at[i];
        Entry *e = NEW(s->a, Entry);
        e->f = f;
        for (int k = 0; k < f->results.n; k++)
            vec_push(s->a, &e->outputs,
                     ((Output){f->results.at[k].name, NULL, f->results.at[k].v, NULL}));
        for (int k = 0; k < f->updates.n; k++) {
            Update *u = &f->updates.at[k];
            vec_push(s->a, &e->outputs, ((Output){u->target->leaf.name, u->target, u->v, NULL}));
        }
        vec_push(s->a, &s->entries, e);
    }
}

static Value *output_now(const Function *f, const Output *o) {
    for (int i = 0; i < f->results.n && !o->target; i++)
        if (f->results.at[i].name == o->name) return f->results.at[i].v;
    for (int i = 0; i < f->updates.n && o->target; i++)
        if (f->updates.at[i].target == o->target) return f->updates.at[i].v;
    return o->target;  // dropped: it changes nothing
}

static void take_frozen(Subject *s) {
    for (int i = 0; i < s->entries.n; i++) {
        Entry *e = s->entries.at[i];
        for (int k = 0; k < e->outputs.n; k++) {
            Output *o = &e->outputs.at[k];
            o->frozen = output_now(e->f, o);
            if (!o->frozen) BUG("%s has lost its result %s", e->f->name, o->name);
        }
    }
}

static void after_pass(void *context, Pass *p, const PassInfo *info) {
    (void)p;
    if (!strcmp(info->name, "grad")) take_pristine(context);
    if (!strcmp(info->name, "order")) take_frozen(context);
}

// ---- from the file to code in memory

static Compiler *new_compiler(const Options *options) {
    Arena *a = arena_new();
    Compiler *c = NEW(a, Compiler);
    c->arena = a;
    c->names = names_new(a);
    c->sources = sources_new(a);
    c->diags = diags_new(a, c->sources);
    c->opt = *options;
    return c;
}

static Module *front_end(Subject *s, const char *path) {
    size_t n;
    char *text = read_file(s->a, path, &n);
    if (!text) die("cannot read %s: %s", path, strerror(errno));
    Node *tree = parse_file(s->c, source_add(s->c->sources, path, text, (int)n, false));
    if (diag_errors(s->c->diags)) return NULL;
    Module *m = sema_module(s->c, tree, false, &s->spec);
    return diag_errors(s->c->diags) ? NULL : m;
}

Subject *subject_new(const char *path, const Options *options) {
    Compiler *c = new_compiler(options);
    Subject *s = NEW(c->arena, Subject);
    s->c = c;
    s->a = c->arena;
    s->is_unfused = emit_machine(&c->opt).is_unfused;
    s->m = front_end(s, path);
    Pass p = {.c = c, .m = s->m};
    PipelineRun run = {.stop_after = "order", .after = after_pass, .context = s};
    if (s->m && pipeline_run(&p, &run)) return s;
    diag_show(c->diags, stderr);
    arena_free(s->a);
    return NULL;
}

// The passes behind `order` replace what functions give.
static void put_frozen(Subject *s) {
    for (int i = 0; i < s->entries.n; i++) {
        Entry *e = s->entries.at[i];
        e->f->results.n = e->f->updates.n = 0;
        for (int k = 0; k < e->outputs.n; k++) {
            const Output *o = &e->outputs.at[k];
            if (o->target) function_update(e->f, o->target, o->frozen, o->target->span);
            else function_result(e->f, o->name, o->frozen);
        }
    }
}

// NULL where the budget cannot be met.
static Program *compile(Subject *s, const Variant *v, int64_t budget, int64_t *needed) {
    s->c->opt.memory_budget = budget;
    s->c->diags = diags_new(s->a, s->c->sources);
    put_frozen(s);
    Pass p = {.c = s->c, .m = s->m};
    PipelineRun run = {.skip = v->skip};
    bool is_good = pipeline_run(&p, &run);
    if (!p.program || (!is_good && !budget)) BUG("errors behind `order`");
    *needed = p.program->arena_bytes + p.program->scratch_bytes;
    return is_good ? p.program : NULL;
}

void subject_compile(Subject *s, const Variant *v) {
    if (s->loaded) loaded_free(s->loaded);
    s->c->opt.opt_level = v->opt_level;
    s->c->opt.machine = v->machine.n_register ? v->machine : emit_machine(&s->c->opt);
    int64_t needed;
    Program *program = compile(s, v, v->has_least_memory ? 1 : 0, &needed);
    if (!program) program = compile(s, v, needed, &needed);
    if (!program) BUG("the smallest budget cannot be met");
    s->loaded = load_in_parts(s->c, program);
}

void subject_free(Subject *s) {
    if (s->loaded) loaded_free(s->loaded);
    arena_free(s->a);
}

Entry *subject_entry(const Subject *s, const char *name) {
    for (int i = 0; i < s->entries.n; i++)
        if (!strcmp(s->entries.at[i]->f->name, name)) return s->entries.at[i];
    return NULL;
}

// ---- work

static void count_scalar(void *context, Scalar *s) {
    Map *seen = context;
    if (map_has(seen, s)) return;
    map_set(seen, s, s);
    scalar_each_below(s, count_scalar, seen);
}

static double points(const Dim *extent, int n, int64_t rows) {
    double count = 1;
    for (int i = 0; i < n; i++) {
        const Extent *by = extent[i].by;
        count *= (double)extent[i].n * (double)(!by ? 1 : by->id ? by->max : rows);
    }
    return count;
}

static double value_work(const Value *v, int64_t rows, Arena *a) {
    Map *steps = map_new(a);
    value_each_scalar(v, count_scalar, steps);
    switch (v->op) {
        case VAL_index: return steps->n * points(v->index.extent, v->index.np + v->index.nr, rows);
        case VAL_accumulate: return steps->n * points(v->accumulate.extent, v->accumulate.n, rows);
        default: return points(v->type.dim, v->type.rank, rows);
    }
}

double entry_work(const Subject *s, const Entry *e, int64_t rows) {
    Arena *a = arena_new();
    Function f = {.name = e->f->name, .m = s->m};
    for (int i = 0; i < e->outputs.n; i++) function_result(&f, "output", e->outputs.at[i].frozen);
    Values order = function_order(&f, a);
    double work = 0;
    for (int i = 0; i < order.n; i++) work += value_work(order.at[i], rows, a);
    arena_free(a);
    return work;
}
