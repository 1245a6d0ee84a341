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

typedef VEC(char *) Args;

typedef struct Link {  // files on the way
    Arena *arena;
    char *folder, *input[MAX_OBJECTS], *linked, *layout;
    int n_input;
} Link;

static void clean(const Link *l) {
    for (int i = 0; i < l->n_input; i++) unlink(l->input[i]);
    unlink(l->linked);
    unlink(l->layout);
    rmdir(l->folder);
}

// NULL where the command did its work, else why not.
static const char *run(Arena *arena, Args *args, bool is_quiet) {
    vec_push(arena, args, NULL);
    char *const *arg = args->at;
    pid_t child = fork();
    if (child < 0) return arena_printf(arena, "cannot run %s: %s", arg[0], strerror(errno));
    if (child == 0) {
        int nowhere = is_quiet ? open("/dev/null", O_WRONLY) : -1;
        if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
        execvp(arg[0], arg);
        _exit(errno == ENOENT ? 127 : 126);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return arena_printf(arena, "%s: %s", arg[0], strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return NULL;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return arena_printf(arena, "there is no `%s` here (a C compiler is needed as the linker's "
                            "driver; set CC to name another)", arg[0]);
    return arena_printf(arena, "`%s` failed", arg[0]);
}

static const char *temporary_root(void) {
    const char *tmp = getenv("TMPDIR");
    return tmp && *tmp ? tmp : "/tmp";
}

static Link start_link(Arena *arena, int n_input) {
    Link l = {arena, .n_input = n_input};
    l.folder = arena_printf(arena, "%s/nnc-XXXXXX", temporary_root());
    if (!mkdtemp(l.folder)) die("cannot make a folder in %s: %s", temporary_root(), strerror(errno));
    for (int i = 0; i < n_input; i++)
        l.input[i] = arena_printf(arena, "%s/model%d.o", l.folder, i);
    l.linked = arena_printf(arena, "%s/model", l.folder);
    l.layout = arena_printf(arena, "%s/layout.ld", l.folder);
    return l;
}

static const char *write_new(const Link *l, const char *path, const char *data, size_t n) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || !write_all(fd, data, n) || close(fd))
        return arena_printf(l->arena, "%s: %s", path, strerror(errno));
    return NULL;
}

// Leaves out what only the linker's own start files have: nothing in a program unwinds.
static const char layout[] =
    "SECTIONS { /DISCARD/ : { *(.comment) *(.note.gnu.property) *(.note.ABI-tag) *(.eh_frame) } } "
    "INSERT AFTER .interp;\n";

static const char *write_objects(const Link *l, const Objects *objects) {
    const char *why = write_new(l, l->layout, layout, sizeof layout - 1);
    for (int i = 0; !why && i < objects->n; i++)
        why = write_new(l, l->input[i], objects->at[i]->at, (size_t)objects->at[i]->n);
    return why;
}

static Args link_command(const Link *l, bool keeps_symbols, const char *const *option,
                         const char *const *more, const char *library) {
    Args args = {0};
    const char *cc = getenv("CC");
    vec_push(l->arena, &args, (char *)(cc && *cc ? cc : "cc"));
    vec_push(l->arena, &args, "-o");
    vec_push(l->arena, &args, l->linked);
    for (int i = 0; i < l->n_input; i++) vec_push(l->arena, &args, l->input[i]);
    if (library) vec_push(l->arena, &args, (char *)library);
    if (more) vec_push(l->arena, &args, arena_printf(l->arena, "-Wl,-T,%s", l->layout));
    for (int i = 0; more && more[i]; i++) vec_push(l->arena, &args, (char *)more[i]);
    for (int i = 0; option[i]; i++) vec_push(l->arena, &args, (char *)option[i]);
    if (!keeps_symbols) vec_push(l->arena, &args, "-s");
    return args;
}

// With `more` first, if there is any: not every linker has those.
static const char *run_linker(const Link *l, bool keeps_symbols, const char *const *option,
                              const char *const *more, const char *library) {
    if (more) {
        Args args = link_command(l, keeps_symbols, option, more, library);
        if (!run(l->arena, &args, true)) return NULL;
    }
    Args args = link_command(l, keeps_symbols, option, NULL, library);
    return run(l->arena, &args, false);
}

static void link_with(Compiler *c, const Objects *objects, const char *path,
                      const char *const *option, const char *const *more, const char *library) {
    Arena *arena = arena_new();
    Link l = start_link(arena, objects->n);
    const char *why = write_objects(&l, objects);
    if (!why) why = run_linker(&l, c->opt.debug_info, option, more, library);
    size_t size = 0;
    char *result = why ? NULL : read_file(arena, l.linked, &size);
    if (!why && !result) why = arena_printf(arena, "%s: %s", l.linked, strerror(errno));
    clean(&l);
    if (why) die("cannot link the program: %s", why);
    write_output(path, result, size, true);
    arena_free(arena);
}

// Each library, by name or as its archive, which is put into the program; then the options.
static const char *const *with_libraries(Compiler *c, const char *const *option,
                                         const char *const *library, bool as_archives) {
    Args all = {0};
    for (int i = 0; library[i]; i++) {
        const char *format = as_archives ? "-l:lib%s.a" : "-l%s";
        vec_push(c->arena, &all, arena_printf(c->arena, format, library[i]));
    }
    for (int i = 0; option[i]; i++) vec_push(c->arena, &all, (char *)option[i]);
    vec_push(c->arena, &all, NULL);
    return (const char *const *)all.at;
}

static bool has_archives(Compiler *c, const char *const *library) {
    const char *cc = getenv("CC");
    for (int i = 0; library[i]; i++) {
        // The path where the compiler knows one, else the name as it was asked.
        const char *ask = arena_printf(c->arena, "%s -print-file-name=lib%s.a 2>/dev/null",
                                       cc && *cc ? cc : "cc", library[i]);
        FILE *answer = popen(ask, "r");
        int first = answer ? fgetc(answer) : EOF;
        if (answer) pclose(answer);
        if (first != '/') return false;
    }
    return true;
}

void link_executable(Compiler *c, const Objects *objects, const char *const *libraries,
                     const char *path) {
    // No relocations at start, which are 4 KB, and no segment padded to a page in the file.
    static const char *const small[] = {
        "-Wl,--as-needed", "-Wl,-z,noseparate-code", "-Wl,-z,norelro",
        "-Wl,-z,common-page-size=64", "-Wl,--build-id=none", "-Wl,--no-eh-frame-hdr", NULL};
    static const char *const option[] = {"-no-pie", "-Wl,--gc-sections", "-lz", "-lm", "-lpthread",
                                         NULL};
    if (c->opt.triple) die("cannot link for %s here: ask for --emit=obj", c->opt.triple);
    bool as_archives = libraries[0] && has_archives(c, libraries);
    link_with(c, objects, path, with_libraries(c, option, libraries, as_archives), small,
              runtime_library(c->arena));
}

void link_shared(Compiler *c, const Objects *objects, const char *path) {
    static const char *const option[] = {"-shared", NULL};
    link_with(c, objects, path, option, NULL, NULL);
}
