// The linker driver, and what it links: objects, the runtime, libraries.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/vec.h"
#include "emit/gen.h"
#include "emit/output.h"

// ---- whom to ask

// The compiler that drives the linker, and where the runtime lies beside this one.
typedef struct Toolchain {
    const char *cc;
    const char *platform;  // aarch64-linux-gnu; NULL for programs that run here
    const char *folder;    // "aarch64-linux-gnu/" or ""
} Toolchain;

static const char *set_to(const char *variable) {
    const char *value = getenv(variable);
    return value && *value ? value : NULL;
}

// As distributions name their tools: aarch64-linux-gnu for aarch64-unknown-linux-gnu. Takes `said`.
static const char *platform_of(Arena *arena, char *said) {
    char *triple = LLVMNormalizeTargetTriple(said);
    LLVMDisposeMessage(said);
    const char *vendor = strchr(triple, '-'), *system = vendor ? strchr(vendor + 1, '-') : NULL;
    const char *platform =
        system ? arena_printf(arena, "%.*s%s", (int)(vendor - triple), triple, system)
               : arena_printf(arena, "%s", triple);
    LLVMDisposeMessage(triple);
    return platform;
}

static Toolchain find_toolchain(Arena *arena, const char *triple) {
    const char *cc = set_to("CC"), *here = platform_of(arena, LLVMGetDefaultTargetTriple());
    const char *there = triple ? platform_of(arena, LLVMCreateMessage(triple)) : here;
    if (!strcmp(here, there)) return (Toolchain){cc ? cc : "cc", NULL, ""};
    cc = set_to("TARGET_CC");
    return (Toolchain){cc ? cc : arena_printf(arena, "%s-gcc", there), there,
                       arena_printf(arena, "%s/", there)};
}

static const char *missing_compiler(Arena *arena, const Toolchain *t) {
    if (t->platform)
        return arena_printf(arena,
                            "there is no `%s` here (the C compiler for %s drives the linker; "
                            "Debian's package gcc-%s has one; set TARGET_CC to name another)",
                            t->cc, t->platform, t->platform);
    return arena_printf(arena,
                        "there is no `%s` here (a C compiler is needed as the linker's "
                        "driver; set CC to name another)",
                        t->cc);
}

static const char *runtime_library(Arena *arena, const Toolchain *t) {
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) die("cannot find the runtime library: /proc/self/exe: %s", strerror(errno));
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;
    const char *installed = arena_printf(arena, "%s/../lib/nnc/%slibnnrt.a", self, t->folder);
    const char *built = arena_printf(arena, "%s/%slibnnrt.a", self, t->folder);
    if (!access(built, R_OK)) return built;
    if (!access(installed, R_OK)) return installed;
    if (t->platform)
        die("there is no runtime library for %s: `make runtime TARGET=%s` builds it (neither %s "
            "nor "
            "%s is there)",
            t->platform, t->platform, built, installed);
    die("cannot find the runtime library: neither %s nor %s is there", built, installed);
}

// Where the compiler finds a file that programs are linked with; "" where it does not.
static const char *library_path(Arena *arena, const Toolchain *t, const char *name) {
    FILE *answer =
        popen(arena_printf(arena, "%s -print-file-name=%s 2>/dev/null", t->cc, name), "r");
    char path[PATH_MAX] = "";
    bool is_read = answer && fgets(path, sizeof path, answer);
    if (answer) pclose(answer);
    return is_read && path[0] == '/' ? arena_printf(arena, "%s", path)
                                     : "";  // else as it was asked
}

// ---- files on the way

typedef VEC(char *) Args;

typedef struct Link {
    Arena *arena;
    Toolchain tools;
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
static const char *run(const Link *l, Args *args, bool is_quiet) {
    Arena *arena = l->arena;
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
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return missing_compiler(arena, &l->tools);
    return arena_printf(arena, "`%s` failed", arg[0]);
}

static const char *temporary_root(void) {
    const char *tmp = set_to("TMPDIR");
    return tmp ? tmp : "/tmp";
}

static Link start_link(Arena *arena, const Toolchain *tools, int n_input) {
    Link l = {arena, *tools, .n_input = n_input};
    l.folder = arena_printf(arena, "%s/nnc-XXXXXX", temporary_root());
    if (!mkdtemp(l.folder))
        die("cannot make a folder in %s: %s", temporary_root(), strerror(errno));
    for (int i = 0; i < n_input; i++) l.input[i] = arena_printf(arena, "%s/model%d.o", l.folder, i);
    l.linked = arena_printf(arena, "%s/model", l.folder);
    l.layout = arena_printf(arena, "%s/layout.ld", l.folder);
    return l;
}

static const char *write_new(const Link *l, const char *path, const char *data, size_t n) {
    FILE *f = fopen(path, "wxe");
    bool is_written = f && fwrite(data, 1, n, f) == n;
    if (f && fclose(f)) is_written = false;
    return is_written ? NULL : arena_printf(l->arena, "%s: %s", path, strerror(errno));
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
    vec_push(l->arena, &args, (char *)l->tools.cc);
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
        if (!run(l, &args, true)) return NULL;
    }
    Args args = link_command(l, keeps_symbols, option, NULL, library);
    return run(l, &args, false);
}

static void link_with(Compiler *c, const Toolchain *tools, const Objects *objects, const char *path,
                      const char *const *option, const char *const *more, const char *library) {
    Arena *arena = arena_new();
    Link l = start_link(arena, tools, objects->n);
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

// ---- what is linked

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

static bool has_file(Compiler *c, const Toolchain *t, const char *format, const char *library) {
    return *library_path(c->arena, t, arena_printf(c->arena, format, library));
}

static bool has_archives(Compiler *c, const Toolchain *t, const char *const *library) {
    for (int i = 0; library[i]; i++)
        if (!has_file(c, t, "lib%s.a", library[i])) return false;
    return true;
}

// Another machine's libraries are seldom here. zlib's own file does where what one develops with
// is missing: it has the one name everywhere.
static const char *zlib_option(Compiler *c, const Toolchain *t) {
    if (!t->platform || has_file(c, t, "lib%s.so", "z") || has_file(c, t, "lib%s.a", "z"))
        return "-lz";
    if (has_file(c, t, "lib%s.so.1", "z")) return "-l:libz.so.1";
    if (!has_file(c, t, "%s", "libc.so.6"))
        die("cannot link the program: %s", missing_compiler(c->arena, t));
    die("there is no zlib for %s here (on Debian, of another architecture: the package "
        "zlib1g:ARCH)",
        t->platform);
}

static void check_libraries(Compiler *c, const Toolchain *t, const char *const *library) {
    for (int i = 0; t->platform && library[i]; i++)
        if (!has_file(c, t, "lib%s.a", library[i]) && !has_file(c, t, "lib%s.so", library[i]))
            die("there is no lib%s for %s here, and the program reads images", library[i],
                t->platform);
}

void link_executable(Compiler *c, const Objects *objects, const char *const *libraries,
                     const char *path) {
    // No relocations at start, which are 4 KB, and no segment padded to a page in the file.
    static const char *const small[] = {"-Wl,--as-needed",
                                        "-Wl,-z,noseparate-code",
                                        "-Wl,-z,norelro",
                                        "-Wl,-z,common-page-size=64",
                                        "-Wl,--build-id=none",
                                        "-Wl,--no-eh-frame-hdr",
                                        NULL};
    Toolchain tools = find_toolchain(c->arena, c->opt.triple);
    const char *runtime = runtime_library(c->arena, &tools);
    const char *const option[] = {"-no-pie", "-Wl,--gc-sections", zlib_option(c, &tools),
                                  "-lm",     "-lpthread",         NULL};
    check_libraries(c, &tools, libraries);
    bool as_archives = libraries[0] && has_archives(c, &tools, libraries);
    link_with(c, &tools, objects, path, with_libraries(c, option, libraries, as_archives), small,
              runtime);
}

void link_shared(Compiler *c, const Objects *objects, const char *path) {
    static const char *const option[] = {"-shared", NULL};
    Toolchain tools = find_toolchain(c->arena, c->opt.triple);
    link_with(c, &tools, objects, path, option, NULL, NULL);
}
