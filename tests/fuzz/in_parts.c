#include "tests/fuzz/in_parts.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "emit/emit.h"
#include "emit/output.h"
#include "runtime/abi.h"

enum { RUBBISH = 0xC3, BEHIND = 4096 };

struct Loaded {
    const Program *p;
    void *handle;
    const NnProgram *program;
    char *arena, *scratch;
    int64_t arena_bytes, scratch_bytes;
};

// The runtime's stands in for threads: context->pool tells into how many parts.
struct NnPool {
    int parts;
    char *scratch;
    int64_t scratch_bytes;
};

static void run_step(const NnContext *context, const NnStep *s) {
    const struct NnPool *pool = context->pool;
    int64_t n = nn_iterations(context, s);
    if (!s->parts) s->kernel(context, 0, n, s->table);
    for (int i = s->parts ? pool->parts : 0; i-- > 0;) {
        int64_t begin = n * i / pool->parts, end = n * (i + 1) / pool->parts;
        if (begin == end) continue;
        memset(pool->scratch, RUBBISH, (size_t)pool->scratch_bytes);
        s->kernel(context, begin, end, s->table);
    }
}

static char *memory(int64_t bytes) {
    size_t n = ((size_t)bytes + BEHIND + 63) / 64 * 64;
    char *p = aligned_alloc(64, n);
    if (!p) die("out of memory");
    memset(p, RUBBISH, n);
    return p;
}

static void fork_always(Program *p) {
    for (int f = 0; f < p->fns.n; f++)
        for (int k = 0; k < p->fns.at[f]->kernels.n; k++) p->fns.at[f]->kernels.at[k]->cost = 0;
}

Loaded *load_in_parts(Compiler *c, Program *p) {
    fork_always(p);
    Code *code = code_new(c, p, &(EmitOptions){.is_any_nest_long = true, .split_at = 1});
    code_optimize(code);
    Arena *arena = arena_new();
    Objects objects = code_objects(code, arena);
    code_free(code);
    const char *dir = getenv("TMPDIR");
    char *path = arena_printf(arena, "%s/nnc-fuzz-XXXXXX", dir ? dir : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0) die("cannot make a temporary file %s", path);
    close(fd);
    link_shared(c, &objects, path);
    Loaded *x = calloc(1, sizeof *x);
    if (!x) die("out of memory");
    x->p = p;
    x->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    unlink(path);
    if (!x->handle) die("cannot load a compiled program: %s", dlerror());
    x->program = dlsym(x->handle, "nn_program");
    if (!x->program) die("a compiled program without nn_program");
    x->arena_bytes = x->program->arena_bytes;
    x->scratch_bytes = x->program->scratch_bytes;
    x->arena = memory(x->arena_bytes);
    x->scratch = memory(x->scratch_bytes);
    arena_free(arena);
    return x;
}

void loaded_free(Loaded *x) {
    dlclose(x->handle);
    free(x->arena);
    free(x->scratch);
    free(x);
}

void loaded_clear(Loaded *x) {
    memset(x->arena, RUBBISH, (size_t)x->arena_bytes);
    memset(x->scratch, RUBBISH, (size_t)x->scratch_bytes);
}

bool loaded_is_intact(const Loaded *x) {
    for (int i = 0; i < BEHIND - 64; i++)
        if ((unsigned char)x->arena[x->arena_bytes + i] != RUBBISH ||
            (unsigned char)x->scratch[x->scratch_bytes + i] != RUBBISH)
            return false;
    return true;
}

void loaded_run(Loaded *x, const char *entry, const int64_t *extent, uint32_t seed,
                  uint32_t step, int parts) {
    struct NnPool pool = {parts, x->scratch, x->scratch_bytes};
    NnContext context = {.arena = x->arena, .scratch = x->scratch, .seed = seed, .step = step,
                         .pool = &pool};
    memcpy(context.extent, extent, sizeof context.extent);
    for (int64_t i = 0; i < x->program->n_entry; i++)
        if (!strcmp(x->program->entry[i].name, entry)) {
            const NnEntryPoint *e = &x->program->entry[i];
            for (int64_t s = 0; s < e->n_step; s++) run_step(&context, &e->step[s]);
            return;
        }
    die("the compiled program has no %s", entry);
}

// ---- elements

static double load(Elem e, const char *at) {
    int32_t n;
    float x;
    double d;
    switch (e) {
        case ELEM_i32: return memcpy(&n, at, sizeof n), n;
        case ELEM_f32: return memcpy(&x, at, sizeof x), (double)x;
        case ELEM_f64: return memcpy(&d, at, sizeof d), d;
        default: return (double)*(const unsigned char *)at;
    }
}

static void store(Elem e, char *at, double value) {
    int32_t n = (int32_t)value;
    float x = (float)value;
    switch (e) {
        case ELEM_i32: memcpy(at, &n, sizeof n); break;
        case ELEM_f32: memcpy(at, &x, sizeof x); break;
        case ELEM_f64: memcpy(at, &value, sizeof value); break;
        default: *(unsigned char *)at = (unsigned char)value; break;
    }
}

// Do elements lie one behind the other? Strides are those of the largest extents.
static bool is_contiguous(const Type *type, const Tensor *t) {
    for (int i = 1; i < t->rank; i++)
        if (t->dim[i] != dim_max(type->dim[i])) return false;
    return true;
}

// The place of an element of t in its buffer.
static int64_t place_of(const Type *type, const Tensor *t, int64_t number) {
    int64_t place = 0, stride = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        place += number % t->dim[i] * stride;
        number /= t->dim[i];
        stride *= dim_max(type->dim[i]);
    }
    return place;
}

static Buffer *buffer_of(const Loaded *x, const Value *v) {
    return map_get(x->p->buffer_of, v);
}

void loaded_put(Loaded *x, const Value *v, const Tensor *t) {
    const Buffer *b = buffer_of(x, v);
    if (!b) return;
    char *at = x->arena + b->offset;
    memset(at, 0, (size_t)(b->count * elem_size[b->elem]));
    bool is_plain = is_contiguous(&v->type, t);
    for (int64_t i = 0, n = tensor_count(t); i < n; i++) {
        int64_t place = is_plain ? i : place_of(&v->type, t, i);
        store(b->elem, at + place * elem_size[b->elem], t->at[i]);
    }
}

Tensor *loaded_get(const Loaded *x, const Value *v, const int64_t *extent, Arena *a) {
    const Buffer *b = buffer_of(x, v);
    if (!b) return NULL;
    Tensor *t = tensor_new(a, &v->type, extent);
    const char *at = x->arena + b->offset;
    bool is_plain = is_contiguous(&v->type, t);
    for (int64_t i = 0, n = tensor_count(t); i < n; i++) {
        int64_t place = is_plain ? i : place_of(&v->type, t, i);
        t->at[i] = load(b->elem, at + place * elem_size[b->elem]);
    }
    return t;
}
