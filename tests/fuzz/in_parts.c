#include "tests/fuzz/in_parts.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "emit/emit.h"
#include "emit/output.h"
#include "tests/fuzz/parts.h"

struct Loaded {
    const Program *p;
    void *handle;  // NULL where another process runs the program
    const NnProgram *program;
    char *arena, *scratch;
    int64_t arena_bytes, scratch_bytes;
    pid_t elsewhere;
    FILE *ask, *answer;
};

static char *memory(int64_t bytes) {
    char *p = aligned_alloc(64, bytes_with_end(bytes));
    if (!p) die("out of memory");
    memset(p, RUBBISH, bytes_with_end(bytes));
    return p;
}

static void fork_always(Program *p) {
    for (int f = 0; f < p->fns.n; f++)
        for (int k = 0; k < p->fns.at[f]->kernels.n; k++) p->fns.at[f]->kernels.at[k]->cost = 0;
}

static char *temporary(Arena *arena) {
    const char *dir = getenv("TMPDIR");
    char *path = arena_printf(arena, "%s/nnc-fuzz-XXXXXX", dir ? dir : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0) die("cannot make a temporary file %s", path);
    close(fd);
    return path;
}

// ---- a program of another machine, run by a command that emulates it

static void start_elsewhere(Loaded *x, const char *command, const char *program, const char *file) {
    int to[2], from[2];
    if (pipe(to) || pipe(from)) die("cannot make a pipe");
    x->elsewhere = fork();
    if (x->elsewhere < 0) die("cannot start a process");
    if (!x->elsewhere) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[1]);
        close(from[0]);
        execl("/bin/sh", "sh", "-c", "exec $0 \"$1\" \"$2\"", command, program, file, NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    x->ask = fdopen(to[1], "w");
    x->answer = fdopen(from[0], "r");
}

static void load_elsewhere(Loaded *x, const char *command, const char *program, Arena *arena) {
    signal(SIGPIPE, SIG_IGN);
    char *file = temporary(arena);
    start_elsewhere(x, command, program, file);
    long long arena_bytes, scratch_bytes;
    if (fscanf(x->answer, "%lld %lld", &arena_bytes, &scratch_bytes) != 2)
        die("`%s` does not run compiled programs", command);
    x->arena_bytes = arena_bytes;
    x->scratch_bytes = scratch_bytes;
    size_t all = bytes_with_end(arena_bytes) + bytes_with_end(scratch_bytes);
    int fd = open(file, O_RDWR);
    x->arena = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || x->arena == MAP_FAILED) die("cannot map %s", file);
    close(fd);
    unlink(file);
    x->scratch = x->arena + bytes_with_end(arena_bytes);
    memset(x->arena, RUBBISH, all);
}

static void run_elsewhere(Loaded *x, const char *entry, const int64_t *extent, uint32_t seed,
                          uint32_t step, int parts) {
    fprintf(x->ask, "%s %d %u %u", entry, parts, seed, step);
    for (int i = 0; i < NN_EXTENTS; i++) fprintf(x->ask, " %lld", (long long)extent[i]);
    fprintf(x->ask, "\n");
    fflush(x->ask);
    char word[8];
    if (fscanf(x->answer, "%7s", word) != 1) die("the process that runs %s has ended", entry);
}

static void end_elsewhere(Loaded *x) {
    fclose(x->ask);
    fclose(x->answer);
    waitpid(x->elsewhere, NULL, 0);
    munmap(x->arena, bytes_with_end(x->arena_bytes) + bytes_with_end(x->scratch_bytes));
}

// ---- in this process

static void load_here(Loaded *x, const char *path) {
    x->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!x->handle) die("cannot load a compiled program: %s", dlerror());
    x->program = dlsym(x->handle, "nn_program");
    if (!x->program) die("a compiled program without nn_program");
    x->arena_bytes = x->program->arena_bytes;
    x->scratch_bytes = x->program->scratch_bytes;
    x->arena = memory(x->arena_bytes);
    x->scratch = memory(x->scratch_bytes);
}

Loaded *load_in_parts(Compiler *c, Program *p) {
    fork_always(p);
    Code *code = code_new(c, p, &(EmitOptions){.is_any_nest_long = true, .split_at = 1});
    code_optimize(code);
    Arena *arena = arena_new();
    Objects objects = code_objects(code, arena);
    code_free(code);
    char *path = temporary(arena);
    link_shared(c, &objects, path);
    Loaded *x = calloc(1, sizeof *x);
    if (!x) die("out of memory");
    x->p = p;
    const char *command = c->opt.triple ? getenv("ELSEWHERE") : NULL;
    if (command)
        load_elsewhere(x, command, path, arena);
    else
        load_here(x, path);
    unlink(path);
    arena_free(arena);
    return x;
}

void loaded_free(Loaded *x) {
    if (x->handle) {
        dlclose(x->handle);
        free(x->arena);
        free(x->scratch);
    } else {
        end_elsewhere(x);
    }
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

void loaded_run(Loaded *x, const char *entry, const int64_t *extent, uint32_t seed, uint32_t step,
                int parts) {
    if (!x->handle) return run_elsewhere(x, entry, extent, seed, step, parts);
    struct NnPool pool = {parts, x->scratch, x->scratch_bytes};
    NnContext context = {.arena = x->arena, .scratch = x->scratch, .seed = seed, .step = step,
                         .pool = &pool};
    memcpy(context.extent, extent, sizeof context.extent);
    if (!run_in_parts(x->program, &context, entry)) die("the compiled program has no %s", entry);
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
