// Runs a compiled program for a process that can't load it, on memory that both have in a file:
//
//   elsewhere PROGRAM.so FILE
//
// Says how many bytes the arena and the scratch memory have, then runs what it is asked to, line by
// line: `ENTRY PARTS SEED STEP EXTENTS...`, each answered by `done`. Built for the machine that is
// emulated; it sees no header of the compiler.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/parts.h"

static void stop(const char *why) {
    fprintf(stderr, "elsewhere: %s\n", why);
    exit(1);
}

static const NnProgram *open_program(const char *path) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) stop(dlerror());
    const NnProgram *p = dlsym(handle, "nn_program");
    if (!p || p->version != NN_ABI_VERSION) stop("no nn_program of this version");
    return p;
}

static char *map_file(const char *path, size_t n) {
    int fd = open(path, O_RDWR);
    if (fd < 0 || ftruncate(fd, (off_t)n)) stop("cannot grow the file");
    char *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) stop("cannot map the file");
    return at;
}

int main(int argc, char **argv) {
    if (argc != 3) stop("usage: elsewhere PROGRAM.so FILE");
    const NnProgram *p = open_program(argv[1]);
    size_t arena = bytes_with_end(p->arena_bytes);
    char *memory = map_file(argv[2], arena + bytes_with_end(p->scratch_bytes));
    printf("%lld %lld\n", (long long)p->arena_bytes, (long long)p->scratch_bytes);
    fflush(stdout);
    struct NnPool pool = {1, memory + arena, p->scratch_bytes};
    NnContext context = {.arena = memory, .scratch = memory + arena, .pool = &pool};
    char entry[64];
    while (scanf("%63s %d %u %u", entry, &pool.parts, &context.seed, &context.step) == 4) {
        for (int i = 0; i < NN_EXTENTS; i++) {
            long long n = 0;
            if (scanf("%lld", &n) != 1) stop("extents are missing");
            context.extent[i] = n;
        }
        if (!run_in_parts(p, &context, entry)) stop("no such entry point");
        puts("done");
        fflush(stdout);
    }
    return 0;
}
