#define _GNU_SOURCE
#include "runtime/machine.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/progress.h"
#include "runtime/rng.h"

enum { PAGE = 4096 };

// Threads' scratches begin a page and a half apart from equal places, so that they don't
// fall on the same cache sets.
static int64_t scratch_stride(int64_t bytes) {
    return ((bytes + PAGE - 1) & ~(int64_t)(PAGE - 1)) + PAGE / 2;
}

void machine_start(Machine *m, Mem *mem, const NnProgram *program, const Manifest *manifest,
                   int threads, uint32_t seed) {
    *m = (Machine){.program = program, .manifest = manifest};
    m->hyper = mem_array(mem, (size_t)manifest->n_hyper, sizeof *m->hyper);
    for (int i = 0; i < manifest->n_hyper; i++) m->hyper[i] = manifest->hyper[i].value;
    m->pace = mem_array(mem, (size_t)manifest->n_entry, sizeof *m->pace);

    size_t arena = ((size_t)program->arena_bytes + PAGE - 1) & ~(size_t)(PAGE - 1), scratch;
    int64_t stride = scratch_stride(program->scratch_bytes);
    if (program->arena_bytes < 0 || program->scratch_bytes < 0 ||
        __builtin_mul_overflow((size_t)stride, (size_t)threads, &scratch) ||
        __builtin_add_overflow(arena, scratch, &m->memory_bytes) ||
        m->memory_bytes > SIZE_MAX / 4) {
        fail_memory((double)program->arena_bytes, "the model and its threads");
    }
    m->memory = mem_map(&m->memory_bytes, "the model and its threads");
    m->context.arena = m->memory;
    m->context.scratch = m->memory + arena;
    m->context.seed = seed;
    m->context.pool = threads_start(threads, m->context.scratch, stride);
}

void machine_stop(Machine *m) {
    threads_stop(m->context.pool);
    munmap(m->memory, m->memory_bytes);
    m->context.pool = NULL;
}

// The rows that `run.rows` or `run.inv_rows` counts: of the batch, or, behind a dot, of a split.
static int64_t counted_rows(const Machine *m, const char *rest) {
    for (int i = 1; i <= m->manifest->n_extent && *rest; i++) {
        if (strcmp(rest + 1, m->manifest->extent[i].name) == 0) return m->rows[i];
    }
    return m->rows[0];
}

// A number for each seed and epoch.
static double draw_key(const Machine *m) {
    Rng r = rng_start(m->context.seed, (uint64_t)m->clock.epoch);
    return (int32_t)(uint32_t)(rng_next(&r) >> 32);
}

// Tensors that whoever runs the entry puts there: totals of a split, outputs of a model, what a
// generation goes by.
static bool is_given(const char *name) {
    return strncmp(name, "total.", 6) == 0 || strncmp(name, "model.", 6) == 0 ||
           strncmp(name, "generate.", 9) == 0;
}

// The value of one of the inputs named in docs/manifest.md.
static double run_value(const Machine *m, const char *name) {
    const Clock *c = &m->clock;
    if (strncmp(name, "valid.", 6) == 0) {
        return c->valid && c->valid->rows > 0 ? figures_scalar(c->valid, name + 6) : INFINITY;
    }
    if (strcmp(name, "run.step") == 0) return (double)c->step;
    if (strcmp(name, "run.epoch") == 0) return (double)c->epoch;
    if (strcmp(name, "run.steps") == 0) return (double)c->steps;
    if (strcmp(name, "run.epochs") == 0) return (double)c->epochs;
    if (strcmp(name, "run.row") == 0) return (double)c->row;
    if (strcmp(name, "run.key") == 0) return draw_key(m);
    if (strncmp(name, "run.rows", 8) == 0) return (double)counted_rows(m, name + 8);
    if (strncmp(name, "run.inv_rows", 12) == 0) {
        int64_t rows = counted_rows(m, name + 12);
        return rows > 0 ? 1 / (double)rows : 0;
    }
    fail("this program's manifest: no input %s", name);
}

static double hyper_value(const Machine *m, const Tensor *t) {
    for (int i = 0; i < m->manifest->n_hyper; i++) {
        const Hyper *h = &m->manifest->hyper[i];
        if (h->tensor == t || strcmp(h->name, t->name) == 0) return m->hyper[i];
    }
    fail("this program's manifest: no hyper %s", t->name);
}

// Only what the entry lists: other places may hold something else while it runs.
static void set_inputs(Machine *m, const Entry *entry) {
    for (int i = 0; i < entry->n_input; i++) {
        const Tensor *t = entry->input[i];
        if (tensor_is_sample(t) || is_given(t->name)) continue;  // batch_fill, or who runs it
        if (t->kind == TENSOR_run) {
            elem_store(t->elem, machine_data(m, t), 0, run_value(m, t->name));
        } else if (t->kind == TENSOR_hyper) {
            elem_store(t->elem, machine_data(m, t), 0, hyper_value(m, t));
        }
    }
}

void machine_ready(Machine *m, const Entry *entry, int64_t rows) {
    m->rows[0] = rows;
    memcpy(m->context.extent, m->rows, sizeof m->rows);
    m->context.step = m->clock.draws ? m->clock.draws : (uint32_t)m->clock.step;
    set_inputs(m, entry);
}

void machine_step(const NnContext *context, const NnStep *s) {
    int64_t iterations = nn_iterations(context, s);
    if (s->parts) nn_parallel(s, context, iterations);
    else s->kernel(context, 0, iterations, s->table);
}

static void run_steps(const NnContext *context, const NnEntryPoint *code) {
    for (int64_t i = 0; i < code->n_step; i++) machine_step(context, &code->step[i]);
}

void machine_run(Machine *m, const Entry *entry, int64_t rows) {
    machine_ready(m, entry, rows);
    if (!m->context.pool) {
        run_steps(&m->context, entry->code);
        return;
    }
    Pace *pace = &m->pace[entry - m->manifest->entry];
    double start = seconds_now();
    NnContext context = m->context;
    if (pace_is_alone(pace, rows, start)) context.pool = NULL;
    run_steps(&context, entry->code);
    double end = seconds_now();
    pace_note(pace, rows, end - start, end);
}

void machine_run_batch(Machine *m, const Entry *entry, int64_t batch, int64_t rows) {
    m->clock.draws = UINT32_C(1) << 31 | (uint32_t)batch;  // no step comes so far
    machine_run(m, entry, rows);
    m->clock.draws = 0;
}

double machine_result(const Machine *m, const Entry *entry, const char *name) {
    for (int i = 0; i < entry->n_result; i++) {
        const Tensor *t = entry->result[i].tensor;
        if (strcmp(entry->result[i].name, name) == 0 && t->rank == 0) {
            return elem_load(t->elem, machine_data(m, t), 0);
        }
    }
    return NAN;
}

const Entry *machine_entry(const Machine *m, const char *name) {
    const Entry *entry = manifest_entry(m->manifest, name);
    if (!entry) fail("this program has no %s: its source does not ask for one", name);
    return entry;
}
