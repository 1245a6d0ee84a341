#include "emit/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/vec.h"

// ---- whole files

static bool write_all(int fd, const char *data, size_t n) {
    while (n) {
        ssize_t done = write(fd, data, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        data += done;
        n -= (size_t)done;
    }
    return true;
}

static mode_t file_mode(bool is_executable) {
    mode_t mask = umask(0);
    umask(mask);
    return (is_executable ? 0777 : 0666) & ~mask;
}

// A device or a pipe can't be replaced by a file: it is written as it is.
static bool is_special(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode);
}

static void write_plain(int fd, const char *path, const void *data, size_t n) {
    if (fd < 0 || !write_all(fd, data, n)) die("cannot write %s: %s", path, strerror(errno));
}

void write_output(const char *path, const void *data, size_t n, bool is_executable) {
    if (!strcmp(path, "-")) {
        write_plain(STDOUT_FILENO, "standard output", data, n);
        return;
    }
    if (is_special(path)) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        write_plain(fd, path, data, n);
        if (close(fd)) die("cannot write %s: %s", path, strerror(errno));
        return;
    }
    Arena *arena = arena_new();
    char *temporary = arena_printf(arena, "%s.XXXXXX", path);
    int fd = mkstemp(temporary);
    if (fd < 0) die("cannot write %s: %s", path, strerror(errno));
    bool is_written = write_all(fd, data, n) && fchmod(fd, file_mode(is_executable)) == 0;
    int why = errno;
    if (close(fd) && is_written) is_written = false, why = errno;
    if (is_written && rename(temporary, path)) is_written = false, why = errno;
    if (!is_written) {
        unlink(temporary);
        die("cannot write %s: %s", path, strerror(why));
    }
    arena_free(arena);
}

// ---- linking

static const char *runtime_library(Arena *arena) {
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) die("cannot find the runtime library: /proc/self/exe: %s", strerror(errno));
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;
    const char *installed = arena_printf(arena, "%s/../lib/nnc/libnnrt.a", self);
    const char *built = arena_printf(arena, "%s/libnnrt.a", self);
    if (!access(built, R_OK)) return built;
    if (!access(installed, R_OK)) return installed;
    die("cannot find the runtime library: neither %s nor %s is there", built, installed);
}

typedef struct Args {
    VEC(char *) list;
} Args;

static void run(Arena *arena, Args *args, const char *doing) {
    vec_push(arena, &args->list, NULL);
    pid_t child = fork();
    if (child < 0) die("cannot run %s: %s", args->list.at[0], strerror(errno));
    if (child == 0) {
        execvp(args->list.at[0], args->list.at);
        _exit(errno == ENOENT ? 127 : 126);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) die("cannot wait for %s: %s", args->list.at[0], strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        die("cannot %s: there is no `%s` here (a C compiler is needed as linker driver; set CC "
            "to name another)", doing, args->list.at[0]);
    die("cannot %s: `%s` failed", doing, args->list.at[0]);
}

static char *work_folder(Arena *arena) {
    const char *tmp = getenv("TMPDIR");
    char *folder = arena_printf(arena, "%s/nnc-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) die("cannot make a temporary folder %s: %s", folder, strerror(errno));
    return folder;
}

static void write_file(const char *path, const void *data, size_t n) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    write_plain(fd, path, data, n);
    if (close(fd)) die("cannot write %s: %s", path, strerror(errno));
}

// Fails before anything is compiled or linked where the output could not be written.
static void link_with(Compiler *c, const void *object, size_t n, const char *path,
                      const char *const *option, const char *library) {
    Arena *arena = arena_new();
    char *folder = work_folder(arena);
    char *input = arena_printf(arena, "%s/model.o", folder);
    char *linked = arena_printf(arena, "%s/model", folder);
    write_file(input, object, n);
    const char *cc = getenv("CC");
    Args args = {0};
    vec_push(arena, &args.list, (char *)(cc && *cc ? cc : "cc"));
    vec_push(arena, &args.list, "-o");
    vec_push(arena, &args.list, linked);
    vec_push(arena, &args.list, input);
    if (library) vec_push(arena, &args.list, (char *)library);
    for (int i = 0; option[i]; i++) vec_push(arena, &args.list, (char *)option[i]);
    if (!c->opt.debug_info) vec_push(arena, &args.list, "-s");
    run(arena, &args, "link the program");
    size_t size;
    char *result = read_file(arena, linked, &size);
    if (!result) die("cannot read %s: %s", linked, strerror(errno));
    unlink(input);
    unlink(linked);
    rmdir(folder);
    write_output(path, result, size, true);
    arena_free(arena);
}

void link_executable(Compiler *c, const void *object, size_t n, const char *path) {
    static const char *const option[] = {
        "-Wl,--gc-sections", "-Wl,--as-needed", "-Wl,-z,noseparate-code", "-Wl,--build-id=none",
        "-lz", "-lm", "-lpthread", NULL};
    const char *library = runtime_library(c->arena);
    link_with(c, object, n, path, option, library);
}

void link_shared(Compiler *c, const void *object, size_t n, const char *path) {
    static const char *const option[] = {"-shared", NULL};
    link_with(c, object, n, path, option, NULL);
}
