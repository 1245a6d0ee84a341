#include "runtime/pace.h"

// Runs of each kind in a trial, and how many of them only warm up; entry points that take longer
// on all threads are worth them everywhere; how long the first trial's result holds, each later
// one's twice as long, and at most.
enum { TRIES = 10, WARM = 4 };
static const double SHORT_SECONDS = 1e-3, FIRST_HOLD = 0.01, LONGEST_HOLD = 0.64;

static void end_trial(Pace *p, bool is_alone, double now) {
    p->is_alone = is_alone;
    p->hold = p->hold == 0 ? FIRST_HOLD : p->hold < LONGEST_HOLD ? 2 * p->hold : LONGEST_HOLD;
    p->until = now + p->hold;
    p->runs = 0;
}

bool pace_is_alone(Pace *p, int64_t rows, double now) {
    if (p->rows == 0) p->rows = rows;
    if (p->rows != rows || now < p->until) return p->is_alone;
    return p->runs >= TRIES;
}

void pace_note(Pace *p, int64_t rows, double seconds, double now) {
    if (p->rows != rows || now - seconds < p->until) return;
    double *shortest = &p->shortest[p->runs >= TRIES];
    int run = p->runs++ % TRIES;
    if (run == WARM || (run > WARM && seconds < *shortest)) *shortest = seconds;
    if (p->runs == TRIES && p->shortest[0] > SHORT_SECONDS) end_trial(p, false, now);
    if (p->runs == 2 * TRIES) end_trial(p, p->shortest[1] < p->shortest[0], now);
}
