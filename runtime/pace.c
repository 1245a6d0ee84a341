#include "runtime/pace.h"

// Runs of each kind in a trial, and how many of them only warm up; entry points that take longer
// on all threads are worth them everywhere; how long the first trial's result holds, each later
// one's twice as long while it says the same, and at most; what an earlier trial's times have grown
// by when they are held against a later one's: something else may have had a core in the one.
enum { TRIES = 10, WARM = 4 };
static const double SHORT_SECONDS = 1e-3, FIRST_HOLD = 0.01, LONGEST_HOLD = 0.64, FADING = 1.2;

static void end_trial(Pace *p, bool is_alone, double now) {
    bool is_new = p->hold == 0 || is_alone != p->is_alone;
    p->is_alone = is_alone;
    p->hold = is_new ? FIRST_HOLD : p->hold < LONGEST_HOLD ? 2 * p->hold : LONGEST_HOLD;
    p->until = now + p->hold;
    p->runs = 0;
}

bool pace_is_alone(Pace *p, int64_t rows, double now) {
    if (p->rows == 0) p->rows = rows;
    if (p->rows != rows || now < p->until) return p->is_alone;
    return p->runs >= TRIES;
}

static bool alone_is_faster(Pace *p) {
    for (int i = 0; i < 2; i++) {
        double before = p->best[i] * FADING;
        p->best[i] = before > 0 && before < p->shortest[i] ? before : p->shortest[i];
    }
    return p->best[1] < p->best[0];
}

void pace_note(Pace *p, int64_t rows, double seconds, double now) {
    if (p->rows != rows || now - seconds < p->until) return;
    double *shortest = &p->shortest[p->runs >= TRIES];
    int run = p->runs++ % TRIES;
    if (run == WARM || (run > WARM && seconds < *shortest)) *shortest = seconds;
    if (p->runs == TRIES && p->shortest[0] > SHORT_SECONDS) end_trial(p, false, now);
    if (p->runs == 2 * TRIES) end_trial(p, alone_is_faster(p), now);
}
