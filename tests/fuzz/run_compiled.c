#include "run_compiled.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "emit/load.h"
#include "ir/build.h"
#include "pass/pipeline.h"

struct Compiled {
    Pass pass;
    Loaded *loaded;
    int64_t extent[4];
};

Compiled *compile_module(Compiler *c, Module *m, const char *skip) {
    Compiled *k = calloc(1, sizeof *k);
    if (!k) die("out of memory");
    k->pass = (Pass){.c = c, .m = m};
    PipelineRun run = {.skip = skip};
    if (!pipeline_run(&k->pass, &run)) {
        free(k);
        return NULL;
    }
    k->loaded = load_program(c, k->pass.program);
    memset(load_arena(k->loaded), 0xFF, (size_t)k->pass.program->arena_bytes);
    return k;
}

void compiled_free(Compiled *k) {
    load_free(k->loaded);
    free(k);
}

const Program *compiled_program(const Compiled *k) {
    return k->pass.program;
}

// Place in the buffer (strides at the largest extents) of element i of a tensor (at the
// actual ones).
static int64_t place_of(const Type *type, const Tensor *t, int64_t i) {
    int64_t place = 0, stride = 1;
    for (int d = t->rank - 1; d >= 0; d--) {
        place += stride * (i % t->dim[d]);
        i /= t->dim[d];
        stride *= dim_max(type->dim[d]);
    }
    return place;
}

void compiled_bind(Compiled *k, const Value *leaf, const Tensor *t) {
    const Buffer *b = map_get(k->pass.program->buffer_of, leaf);
    if (!b) return;
    for (int64_t i = 0; i < b->count; i++) load_set(k->loaded, b, i, 0);
    for (int64_t i = 0; i < tensor_count(t); i++)
        load_set(k->loaded, b, place_of(&leaf->type, t, i), t->at[i]);
}

bool compiled_run(Compiled *k, const char *fn, const int64_t *extent, uint32_t seed, uint32_t step) {
    memcpy(k->extent, extent, sizeof k->extent);
    return load_run(k->loaded, fn, extent, seed, step);
}

static Tensor *read_tensor(Compiled *k, Arena *a, const Value *v) {
    const Buffer *b = map_get(k->pass.program->buffer_of, v);
    if (!b) return NULL;
    Tensor *t = tensor_new(a, &v->type, k->extent);
    for (int64_t i = 0; i < tensor_count(t); i++)
        t->at[i] = load_get(k->loaded, b, place_of(&v->type, t, i));
    return t;
}

Tensor *compiled_leaf(Compiled *k, Arena *a, const Value *leaf) {
    return read_tensor(k, a, leaf);
}

Tensor *compiled_result(Compiled *k, Arena *a, const char *fn, const char *result) {
    const Function *f = module_function(k->pass.m, fn);
    for (int i = 0; f && i < f->results.n; i++)
        if (!strcmp(f->results.at[i].name, result)) return read_tensor(k, a, f->results.at[i].v);
    return NULL;
}
