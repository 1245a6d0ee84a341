#include "emit/load.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "emit/output.h"
#include "runtime/abi.h"

struct Loaded {
    void *handle;
    const NnProgram *program;
    char *arena, *scratch;
};

static void *aligned_zeros(int64_t bytes) {
    size_t n = ((size_t)bytes + 63) / 64 * 64 + 64;
    void *p = aligned_alloc(64, n);
    if (!p) die("out of memory");
    memset(p, 0, n);
    return p;
}

Loaded *load_program(Compiler *c, const Program *p) {
    return load_program_with(c, p, &(EmitOptions){.split_at = LARGE_PROGRAM});
}

Loaded *load_program_with(Compiler *c, const Program *p, const EmitOptions *o) {
    Code *code = code_new(c, p, o);
    code_optimize(code);
    Arena *arena = arena_new();
    Objects objects = code_objects(code, arena);
    code_free(code);
    char *path = arena_printf(arena, "/tmp/nnc-load-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) die("cannot make a temporary file %s", path);
    close(fd);
    link_shared(c, &objects, path);
    Loaded *l = calloc(1, sizeof *l);
    if (!l) die("out of memory");
    l->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!l->handle) die("cannot load a compiled program: %s", dlerror());
    unlink(path);
    l->program = dlsym(l->handle, "nn_program");
    if (!l->program || l->program->version != NN_ABI_VERSION) BUG("load: no nn_program");
    l->arena = aligned_zeros(l->program->arena_bytes);
    l->scratch = aligned_zeros(l->program->scratch_bytes);
    arena_free(arena);
    return l;
}

void load_free(Loaded *l) {
    dlclose(l->handle);
    free(l->arena);
    free(l->scratch);
    free(l);
}

char *load_arena(Loaded *l) {
    return l->arena;
}

// What threads may share runs in two parts, one after the other.
static void run_step(const NnContext *context, const NnStep *s) {
    int64_t n = nn_iterations(context, s), half = s->parts ? n / 2 : 0;
    if (half) s->kernel(context, 0, half, s->table);
    s->kernel(context, half, n, s->table);
}

bool load_run(Loaded *l, const char *entry, const int64_t *extent, uint32_t seed, uint32_t step) {
    NnContext context = {.arena = l->arena, .scratch = l->scratch, .seed = seed, .step = step};
    if (extent) memcpy(context.extent, extent, sizeof context.extent);
    for (int64_t i = 0; i < l->program->n_entry; i++)
        if (!strcmp(l->program->entry[i].name, entry)) {
            const NnEntryPoint *e = &l->program->entry[i];
            for (int64_t s = 0; s < e->n_step; s++) run_step(&context, &e->step[s]);
            return true;
        }
    return false;
}

double load_get(const Loaded *l, const Buffer *b, int64_t i) {
    const char *at = l->arena + b->offset + i * elem_size[b->elem];
    int32_t n;
    float x;
    double d;
    switch (b->elem) {
    case ELEM_i32: return memcpy(&n, at, sizeof n), n;
    case ELEM_f32: return memcpy(&x, at, sizeof x), (double)x;
    case ELEM_f64: return memcpy(&d, at, sizeof d), d;
    default: return (double)*(const unsigned char *)at;
    }
}

void load_set(Loaded *l, const Buffer *b, int64_t i, double value) {
    char *at = l->arena + b->offset + i * elem_size[b->elem];
    int32_t n = (int32_t)value;
    float x = (float)value;
    switch (b->elem) {
    case ELEM_i32: memcpy(at, &n, sizeof n); break;
    case ELEM_f32: memcpy(at, &x, sizeof x); break;
    case ELEM_f64: memcpy(at, &value, sizeof value); break;
    default: *(unsigned char *)at = (unsigned char)value; break;
    }
}
