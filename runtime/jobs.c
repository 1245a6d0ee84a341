#define _GNU_SOURCE
#include "runtime/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Slot {
    int64_t job;
    pid_t pid;  // 0: free
    Buffer text;
} Slot;

static _Noreturn void be_job(const Jobs *jobs, int64_t job, int64_t side, int to) {
    Run *run = jobs->run;
    Options *o = &run->options;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(to, STDERR_FILENO);
    run->lines = fdopen(to, "w");
    if (!run->lines) fail_memory(BUFSIZ, "a log");
    o->quiet = true;
    o->threads = o->threads > side ? o->threads / side : 1;
    int code = jobs->work(run, jobs->context, job);
    fflush(run->lines);
    _exit(code);
}

// Where its text is read.
static int start(const Jobs *jobs, Slot *slot, int64_t job, int64_t side) {
    int ends[2];
    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) < 0) fail("cannot make a pipe: %s", strerror(errno));
    slot->job = job;
    slot->pid = fork();
    if (slot->pid < 0) fail("cannot start a process: %s", strerror(errno));
    if (slot->pid == 0) be_job(jobs, job, side, ends[1]);
    close(ends[1]);
    return ends[0];
}

static void finish(const Jobs *jobs, Slot *slot) {
    int status = 0;
    while (waitpid(slot->pid, &status, 0) < 0 && errno == EINTR) continue;
    slot->pid = 0;
    const char *text = slot->text.data ? slot->text.data : "";
    if (WIFSIGNALED(status)) fail("a training ended with signal %d", WTERMSIG(status));
    jobs->end(jobs->context, slot->job, WEXITSTATUS(status), text);
    buffer_free(&slot->text);
}

// False at the end.
static bool take(Slot *slot, int from) {
    char bytes[4096];
    ssize_t n = read(from, bytes, sizeof bytes);
    if (n > 0) buffer_add(&slot->text, bytes, (size_t)n);
    return n > 0 || (n < 0 && errno == EINTR);
}

static int open_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    return signalfd(-1, set, SFD_CLOEXEC);
}

int jobs_run(const Jobs *jobs) {
    Mem mem = {0};
    sigset_t set;
    int64_t threads = jobs->run->options.threads, side = jobs->n < threads ? jobs->n : threads;
    Slot *slot = mem_array(&mem, (size_t)side, sizeof *slot);
    struct pollfd *at = mem_array(&mem, (size_t)side + 1, sizeof *at);
    bool is_stopped = false;
    int64_t next = 0, running = 0;
    for (int64_t i = 0; i < side; i++) at[i].fd = -1;
    at[side] = (struct pollfd){open_signals(&set), POLLIN, 0};
    for (;;) {
        for (int64_t i = 0; i < side && !is_stopped; i++) {
            while (next < jobs->n && jobs->is_done && jobs->is_done(jobs->context, next)) next++;
            if (slot[i].pid || next >= jobs->n) continue;
            at[i] = (struct pollfd){start(jobs, &slot[i], next++, side), POLLIN, 0};
            running++;
        }
        if (running == 0) break;
        if (poll(at, (nfds_t)side + 1, -1) < 0 && errno != EINTR) fail("poll: %s", strerror(errno));
        if (at[side].revents && !is_stopped) {
            is_stopped = true;
            at[side].fd = -1 - at[side].fd;  // not asked again
            for (int64_t i = 0; i < side; i++) {
                if (slot[i].pid) kill(slot[i].pid, SIGTERM);
            }
        }
        for (int64_t i = 0; i < side; i++) {
            if (at[i].fd < 0 || !at[i].revents || take(&slot[i], at[i].fd)) continue;
            close(at[i].fd);
            at[i].fd = -1;
            finish(jobs, &slot[i]);
            running--;
        }
    }
    struct timespec none = {0};
    while (sigtimedwait(&set, NULL, &none) > 0) is_stopped = true;
    close(is_stopped && at[side].fd < 0 ? -1 - at[side].fd : at[side].fd);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    mem_free(&mem);
    return is_stopped ? EXIT_STOPPED : 0;
}

// ---- what a job wrote

// Is the line of that split? The text goes on behind it.
static bool is_of_split(const char *line, size_t length, const char *mark) {
    const char *at = *line == '{' ? strstr(line, mark) : NULL;
    return at && at < line + length;
}

const Json *line_of_split(Mem *mem, const char *text, const char *name) {
    const Json *found = NULL;
    char *mark = mem_format(mem, "\"split\":\"%s\"", name);
    for (size_t n; (n = line_length(text)) > 0; text += n) {
        JsonError error;
        if (is_of_split(text, n, mark))
            found = json_parse(mem, text, n, &error);
    }
    return found;
}

bool is_figure(const Json *f) {
    return f->kind == JSON_number && strcmp(f->key, "epoch") != 0 && strcmp(f->key, "step") != 0;
}

void log_lines(Log *log, const char *text, const char *key, int64_t number) {
    Buffer b = {0};
    for (size_t n; (n = line_length(text)) > 0; text += n) {
        if (*text != '{' || is_of_split(text, n, "\"split\":\"kept\"")) continue;
        buffer_format(&b, "{\"%s\":%" PRId64 ",", key, number);
        buffer_add(&b, text + 1, n - 1);
    }
    if (b.length) log_write(log, b.data);
    buffer_free(&b);
}

char *job_error(Mem *mem, const char *text) {
    static const char mark[] = "error: ";
    for (size_t n; (n = line_length(text)) > 0; text += n) {
        if (strncmp(text, mark, sizeof mark - 1) != 0) continue;
        text += sizeof mark - 1;
        return mem_text(mem, text, strcspn(text, "\n"));
    }
    return NULL;
}
