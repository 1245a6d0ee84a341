#include "tests/agree/call.h"

#include <math.h>
#include <string.h>

#include "base/die.h"
#include "tests/fuzz/random.h"

const Tensor *held_by(const Memory *memory, const Value *leaf) {
    for (int i = 0; i < memory->n; i++)
        if (memory->at[i].leaf == leaf) return memory->at[i].t;
    return NULL;
}

// ---- inputs

enum { STEPS = 100, EPOCHS = 10 };

// No figure before the first validation, then some that rise and fall.
static double validation_figure(const Call *call) {
    static const double figure[] = {0.75, 0.5, 0.625, 0.6875, 0.25};
    return call->epoch ? figure[(call->epoch - 1) % 5] : INFINITY;
}

// Of the batch or, behind a dot, of a whole split.
static double counted_rows(const Subject *s, const Call *call, const char *rest) {
    for (int i = 1; i < s->m->extents.n && *rest; i++)
        if (!strcmp(rest + 1, s->m->extents.at[i]->name)) return (double)call->extent[i];
    return (double)call->extent[0];
}

static double run_value(const Subject *s, const Call *call, const char *word) {
    if (!strncmp(word, "valid.", 6)) return validation_figure(call);
    if (!strcmp(word, "run.step")) return call->step;
    if (!strcmp(word, "generate.pos")) return call->step;
    if (!strcmp(word, "generate.temperature")) return 0.75 * call->step;
    if (!strcmp(word, "generate.top_k")) return 3 * (call->step % 2);
    if (!strcmp(word, "generate.top_p")) return 0.9;
    if (!strcmp(word, "run.epoch")) return call->epoch;
    if (!strcmp(word, "run.steps")) return STEPS;
    if (!strcmp(word, "run.epochs")) return EPOCHS;
    if (!strcmp(word, "run.key")) return 1e6 * (call->epoch + 1);
    if (!strcmp(word, "run.row")) return 16 * (call->step % 3);
    if (!strncmp(word, "run.rows", 8)) return counted_rows(s, call, word + 8);
    if (!strncmp(word, "run.inv_rows", 12)) {
        double rows = counted_rows(s, call, word + 12);
        return rows > 0 ? 1 / rows : 0;
    }
    BUG("no input %s in docs/manifest.md", word);
}

static double element(const Value *v, Random *r) {
    const Type *t = &v->type;
    if (elem_is_real(t->elem)) return random_unit(r);
    if (t->elem == ELEM_bool) return (double)random_below(r, 2);
    if (t->below) return (double)random_below(r, t->below);
    return (double)random_below(r, 256);
}

static const HyperSpec *hyper_of(const Subject *s, const Value *v) {
    for (int i = 0; i < s->spec.hypers.n; i++)
        if (s->spec.hypers.at[i].name == v->leaf.name) return &s->spec.hypers.at[i];
    return NULL;
}

// What another entry point gave: any number will do.
static bool is_passed_on(const Value *v) {
    return !strncmp(v->leaf.name, "model.", 6) || !strncmp(v->leaf.name, "total.", 6);
}

static Tensor *input_data(Subject *s, const Call *call, const Value *v, Random *r) {
    Tensor *t = tensor_new(s->a, &v->type, call->extent);
    const HyperSpec *hyper = hyper_of(s, v);
    bool is_scalar = v->type.rank == 0 && !is_passed_on(v);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        double x = is_scalar && hyper ? hyper->value
                   : is_scalar        ? run_value(s, call, v->leaf.name)
                                      : element(v, r);
        t->at[i] = v->type.elem == ELEM_f32 ? (float)x : x;
    }
    return t;
}

// ---- states by the batch: memory holds them at the largest, a call sees as many rows as it has

const Tensor *first_rows(Arena *a, const Call *call, const Held *held) {
    Tensor *t = tensor_new(a, &held->leaf->type, call->extent);
    memcpy(t->at, held->t->at, sizeof *t->at * (size_t)tensor_count(t));
    return t;
}

// What `t` leaves of them: the rows behind stay; unknown where there are none.
static const Tensor *all_rows(Subject *s, const Tensor *before, const Tensor *t) {
    if (!before || before->dim[0] == t->dim[0]) return t;
    Tensor *all = arena_copy(s->a, before, sizeof *before);
    all->at = arena_copy(s->a, before->at, sizeof *before->at * (size_t)tensor_count(before));
    memcpy(all->at, t->at, sizeof *t->at * (size_t)tensor_count(t));
    return all;
}

// ---- what the interpreter says

// Leaves of the program that is not run yet hold nothing.
static const Tensor **evaluate(Subject *s, const Call *call, EvalMode mode) {
    Arena *scratch = arena_new();
    Eval *e = eval_new(s->m, scratch, mode, call->extent, CALL_SEED, (uint32_t)call->step);
    for (int i = 0; i < call->inputs.n; i++)
        eval_bind(e, call->inputs.at[i].leaf, call->inputs.at[i].t);
    for (int i = 0; i < call->before.n; i++)
        eval_bind(e, call->before.at[i].leaf, first_rows(s->a, call, &call->before.at[i]));
    const Tensor **t = NEW_ARRAY(s->a, const Tensor *, call->e->outputs.n + 1);
    for (int i = 0; i < call->e->outputs.n; i++) {
        const Output *o = &call->e->outputs.at[i];
        const Tensor *from = eval_value(e, mode == EVAL_wide ? o->pristine : o->frozen);
        Tensor *kept = arena_copy(s->a, from, sizeof *from);
        kept->at = arena_copy(s->a, from->at, sizeof *from->at * (size_t)tensor_count(from));
        t[i] = kept;
    }
    arena_free(scratch);
    return t;
}

// Whole splits have so many rows that blocks of them leave some over, few or all.
static int64_t split_rows(const Extent *e, int number) {
    static const int64_t rows[] = {37, 1, INT32_MAX, 100};
    int64_t n = rows[(number + e->id) % 4];
    return n < e->max ? n : e->max;
}

static void add_after(Subject *s, Call *call, Value *leaf) {
    const Tensor *before = held_by(&call->before, leaf), *t = before;
    for (int i = 0; i < call->e->outputs.n; i++)
        if (call->e->outputs.at[i].target == leaf) t = all_rows(s, before, call->exact[i]);
    if (t) vec_push(s->a, &call->after, ((Held){leaf, t}));
}

Call *call_new(Subject *s, const Entry *e, When when, const Memory *before) {
    Call *call = NEW(s->a, Call);
    *call = (Call){.e = e, .step = when.step, .epoch = when.epoch};
    if (before) call->before = *before;
    call->extent[0] = when.rows;
    for (int i = 1; i < s->m->extents.n; i++)
        call->extent[i] = split_rows(s->m->extents.at[i], when.number);
    Random r = random_from(CALL_SEED, (uint64_t)when.number);
    for (int i = 0; i < e->f->inputs.n; i++) {
        Value *v = e->f->inputs.at[i];
        vec_push(s->a, &call->inputs, ((Held){v, input_data(s, call, v, &r)}));
    }
    call->exact = evaluate(s, call, s->is_unfused ? EVAL_unfused : EVAL_exact);
    call->wide = evaluate(s, call, EVAL_wide);
    for (int i = 0; i < s->m->params.n; i++) add_after(s, call, s->m->params.at[i]);
    for (int i = 0; i < s->m->states.n; i++) add_after(s, call, s->m->states.at[i]);
    return call;
}
