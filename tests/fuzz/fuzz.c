// The fuzzer: random functions against the interpreter, as many as asked for.
//
//   fuzz [--seed=N] [--count=N] [--only=KIND] [--salt=N] [--jobs=N] [--limit=N] [--print]
//   fuzz --single --seed=N [--value=N] [--drop=N]     one function, in this process; with
//                                                     --dump, what every pass leaves
//   fuzz --file=PATH.ir                               the function in a file
//
// --wild puts infinities, NaN and their kin into the data of what is compiled.
//
// A group of functions is checked in a process of its own, so that a compiler that ends is
// found like one that is wrong. A function at fault is made smaller: one of its values as
// the only result, or as few results and updates as still fail. Exit code 1 where any is.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/vec.h"
#include "tests/fuzz/check.h"

typedef struct Settings {
    uint64_t seed, count, salt;
    int only, jobs, limit, value;
    uint64_t drop;
    bool prints, is_single, dumps, is_wild;
    const char *file;
} Settings;

typedef struct Fuzz {
    Settings o;
    Arena *a;
    VEC(uint64_t) suspects;
    Tally tally;
    int n_fault;
} Fuzz;

static Request request_of(const Settings *o, uint64_t seed) {
    return (Request){.seed = seed, .only = o->only, .value = o->value, .drop = o->drop};
}

// ---- children

enum { GROUP_SECONDS = 300, SINGLE_SECONDS = 60 };

static void be_quiet(void) {
    if (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout)) _exit(3);
}

static void tell_seed(void *context, uint64_t seed) {
    FILE *pipe = context;
    fprintf(pipe, "F %llu\n", (unsigned long long)seed);
    fflush(pipe);
}

static void check_group(const Settings *o, uint64_t seed, int n, FILE *pipe) {
    Request request[GROUP];
    for (int i = 0; i < n; i++) request[i] = request_of(o, seed + (uint64_t)i);
    Batch b = {.request = request, .n = n, .out = stdout, .salt = o->salt, .is_wild = o->is_wild, .failed = tell_seed,
               .context = pipe};
    check_batch(&b);
    const Tally *t = &b.tally;
    fprintf(pipe, "T %d %d %lld %d %d\n", t->functions, t->kernels, (long long)t->elements,
            t->derivatives, t->near_kinks);
    fflush(pipe);
}

typedef struct Child {
    pid_t pid;
    FILE *from;
    uint64_t seed;
    int n;
} Child;

static Child start_group(const Settings *o, uint64_t seed, int n) {
    int fd[2];
    if (pipe(fd)) die("no pipe");
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) die("no process");
    if (pid == 0) {
        close(fd[0]);
        FILE *to = fdopen(fd[1], "w");
        be_quiet();
        alarm(GROUP_SECONDS);
        check_group(o, seed, n, to);
        _exit(0);
    }
    close(fd[1]);
    return (Child){pid, fdopen(fd[0], "r"), seed, n};
}

static void finish_group(Fuzz *z, Child *c) {
    char line[256];
    bool is_whole = false;
    while (fgets(line, sizeof line, c->from)) {
        unsigned long long seed;
        Tally t;
        long long elements;
        if (sscanf(line, "F %llu", &seed) == 1) vec_push(z->a, &z->suspects, (uint64_t)seed);
        if (sscanf(line, "T %d %d %lld %d %d", &t.functions, &t.kernels, &elements,
                   &t.derivatives, &t.near_kinks) == 5) {
            is_whole = true;
            z->tally.functions += t.functions;
            z->tally.kernels += t.kernels;
            z->tally.elements += elements;
            z->tally.derivatives += t.derivatives;
            z->tally.near_kinks += t.near_kinks;
        }
    }
    fclose(c->from);
    waitpid(c->pid, NULL, 0);
    if (is_whole) return;
    for (int i = 0; i < c->n; i++)
        vec_push(z->a, &z->suspects, c->seed + (uint64_t)i);
}

// One function in a process of its own; does it pass?
static bool passes(const Settings *o, const Request *r, bool is_loud) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) die("no process");
    if (pid == 0) {
        if (!is_loud) be_quiet();
        alarm(SINGLE_SECONDS);
        Batch b = {.request = r, .n = 1, .out = stdout, .salt = o->salt, .is_wild = o->is_wild};
        check_batch(&b);
        fflush(NULL);
        _exit(b.n_failed ? 1 : 0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (is_loud && WIFSIGNALED(status))
        printf("seed %llu: ended by signal %d\n", (unsigned long long)r->seed, WTERMSIG(status));
    return status == 0;
}

// ---- a function at fault

// In a process of its own, since the generator asks the interpreter and the constructors.
static void print_function(const Request *r) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(SINGLE_SECONDS);
        describe(r, NULL, NULL, stdout);
        fflush(NULL);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static bool sizes(const Request *r, int *n_value, int *n_output) {
    int fd[2], n[2] = {0, 0};
    if (pipe(fd)) die("no pipe");
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        be_quiet();
        alarm(SINGLE_SECONDS);
        describe(r, &n[0], &n[1], NULL);
        _exit(write(fd[1], n, sizeof n) == sizeof n ? 0 : 1);
    }
    close(fd[1]);
    bool ok = read(fd[0], n, sizeof n) == sizeof n;
    close(fd[0]);
    waitpid(pid, NULL, 0);
    *n_value = n[0];
    *n_output = n[1];
    return ok;
}

static Request smaller(const Settings *o, Request r) {
    int n_value, n_output;
    if (!sizes(&r, &n_value, &n_output)) return r;
    for (int i = 0; i < n_value; i++) {
        Request one = r;
        one.value = i;
        if (!passes(o, &one, false)) return one;
    }
    for (int i = 0; i < n_output && i < 64; i++) {
        Request less = r;
        less.drop |= UINT64_C(1) << i;
        if (!passes(o, &less, false)) r = less;
    }
    return r;
}

static void report(Fuzz *z, uint64_t seed) {
    Request r = request_of(&z->o, seed);
    if (passes(&z->o, &r, false)) {
        printf("seed %llu: fails in its group only\n", (unsigned long long)seed);
        return;
    }
    r = smaller(&z->o, r);
    passes(&z->o, &r, true);
    printf("again by: fuzz --single --seed=%llu --value=%d --drop=%llu%s%s\n",
           (unsigned long long)seed, r.value, (unsigned long long)r.drop,
           r.only >= 0 ? " --only=" : "", r.only >= 0 ? kind_name[r.only] : "");
    print_function(&r);
    printf("\n");
}

// ---- all of them

static void check_all(Fuzz *z) {
    const Settings *o = &z->o;
    Child child[64];
    int running = 0;
    uint64_t at = o->seed, end = o->seed + o->count;
    while (at < end || running) {
        while (at < end && running < o->jobs) {
            uint64_t stop = (at / GROUP + 1) * GROUP;
            if (stop > end) stop = end;
            child[running++] = start_group(o, at, (int)(stop - at));
            at = stop;
        }
        finish_group(z, &child[0]);
        memmove(child, child + 1, sizeof *child * (size_t)--running);
        if (z->suspects.n >= o->limit * GROUP) break;
    }
    for (int i = 0; i < running; i++) finish_group(z, &child[i]);
}

// Functions that fail together only: what the group says.
static void report_group(Fuzz *z, uint64_t seed) {
    uint64_t begin = seed / GROUP * GROUP, end = begin + GROUP;
    if (begin < z->o.seed) begin = z->o.seed;
    if (end > z->o.seed + z->o.count) end = z->o.seed + z->o.count;
    printf("by themselves they pass: --seed=%llu --count=%llu\n", (unsigned long long)begin,
           (unsigned long long)(end - begin));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(GROUP_SECONDS);
        FILE *none = fopen("/dev/null", "w");
        check_group(&z->o, begin, (int)(end - begin), none);
        fflush(NULL);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void report_suspects(Fuzz *z) {
    for (int i = 0; i < z->suspects.n && z->n_fault < z->o.limit; i++) {
        uint64_t seed = z->suspects.at[i];
        Request r = request_of(&z->o, seed);
        if (passes(&z->o, &r, false)) continue;
        z->n_fault++;
        report(z, seed);
    }
    if (z->suspects.n && !z->n_fault) {
        report_group(z, z->suspects.at[0]);
        z->n_fault = 1;
    }
}

static bool option(const char *arg, const char *text, const char **value) {
    size_t n = strlen(text);
    if (strncmp(arg, text, n) || arg[n] != '=') return false;
    *value = arg + n + 1;
    return true;
}

static Settings parse(int argc, char **argv) {
    Settings o = {.seed = 1, .count = 200, .only = -1, .jobs = 2, .limit = 5, .value = -1};
    for (int i = 1; i < argc; i++) {
        const char *v;
        if (option(argv[i], "--seed", &v)) o.seed = strtoull(v, NULL, 10);
        else if (option(argv[i], "--count", &v)) o.count = strtoull(v, NULL, 10);
        else if (option(argv[i], "--salt", &v)) o.salt = strtoull(v, NULL, 10);
        else if (option(argv[i], "--jobs", &v)) o.jobs = atoi(v);
        else if (option(argv[i], "--limit", &v)) o.limit = atoi(v);
        else if (option(argv[i], "--value", &v)) o.value = atoi(v);
        else if (option(argv[i], "--drop", &v)) o.drop = strtoull(v, NULL, 10);
        else if (option(argv[i], "--file", &v)) o.file = v;
        else if (!strcmp(argv[i], "--wild")) o.is_wild = true;
        else if (!strcmp(argv[i], "--print")) o.prints = true;
        else if (!strcmp(argv[i], "--single")) o.is_single = true;
        else if (!strcmp(argv[i], "--dump")) o.is_single = o.dumps = true;
        else if (option(argv[i], "--only", &v)) {
            for (int k = 0; k < N_KIND; k++)
                if (!strcmp(v, kind_name[k])) o.only = k;
            if (o.only < 0) die("--only=%s: there is no such kind", v);
        } else {
            die("%s: an unknown option", argv[i]);
        }
    }
    if (o.jobs < 1 || o.jobs > 64) o.jobs = 1;
    return o;
}

static int check_file(const Settings *o) {
    Batch b = {.path = o->file, .n = 1, .out = stdout, .dumps = o->dumps, .salt = o->salt,
               .is_wild = o->is_wild};
    check_batch(&b);
    return b.n_failed != 0;
}

int main(int argc, char **argv) {
    Fuzz z = {.o = parse(argc, argv), .a = arena_new()};
    if (z.o.prints)
        for (uint64_t i = 0; i < z.o.count; i++) {
            Request r = request_of(&z.o, z.o.seed + i);
            print_function(&r);
        }
    if (z.o.prints) return 0;
    if (z.o.file) return check_file(&z.o);
    if (z.o.is_single) {  // in this process, for a debugger
        Request r = request_of(&z.o, z.o.seed);
        Batch b = {.request = &r, .n = 1, .out = stdout, .dumps = z.o.dumps, .salt = z.o.salt,
                   .is_wild = z.o.is_wild};
        check_batch(&b);
        return b.n_failed != 0;
    }
    check_all(&z);
    report_suspects(&z);
    const Tally *t = &z.tally;
    printf("fuzz: seeds %llu to %llu: %d functions, %d kernels, %lld elements bit for bit, "
           "%d derivatives (%d near kinks), %s\n",
           (unsigned long long)z.o.seed, (unsigned long long)(z.o.seed + z.o.count - 1),
           t->functions, t->kernels, (long long)t->elements, t->derivatives, t->near_kinks,
           z.n_fault ? "with mismatches" : "no mismatch");
    return z.n_fault != 0;
}
