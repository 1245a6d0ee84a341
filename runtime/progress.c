#define _GNU_SOURCE
#include "runtime/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 30 };

double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

Progress progress_start(bool is_quiet, int64_t done, int64_t total) {
    return (Progress){
        .is_quiet = is_quiet,
        .on_terminal = !is_quiet && isatty(STDOUT_FILENO),
        .start = seconds_now(),
        .first = done,
        .done = done,
        .total = total,
    };
}

double progress_rate(const Progress *p) {
    double elapsed = seconds_now() - p->start;
    return elapsed > 0 ? (double)p->rows / elapsed : 0;
}

static void draw(Progress *p, double loss, double now) {
    double done = p->total > 0 ? (double)p->done / (double)p->total : 0;
    double each = (now - p->start) / (double)(p->done - p->first);
    long left = (long)(each * (double)(p->total - p->done) + 0.5);
    char bar[BAR * 3 + 1] = "";
    for (int i = 0; i < BAR; i++) strcat(bar, i < (int)(done * BAR + 0.5) ? "\u2588" : "\u2591");
    printf("\r\033[K%s %3.0f%%  loss %.4g  %.4g samples/s  %ld:%02ld left", bar, 100 * done, loss,
           progress_rate(p), left / 60, left % 60);
    fflush(stdout);
    p->is_drawn = true;
    p->drawn = now;
}

void progress_step(Progress *p, int64_t rows, double loss) {
    p->rows += rows;
    p->done++;
    if (!p->on_terminal) return;
    double now = seconds_now();
    if (now - p->drawn > 0.1) draw(p, loss, now);
}

void progress_line(Progress *p, const char *format, ...) {
    if (p->is_quiet) return;
    if (p->is_drawn) fputs("\r\033[K", stdout);
    p->is_drawn = false;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stdout, format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}
