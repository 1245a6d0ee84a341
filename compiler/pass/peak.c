#include "pass/peak.h"


#include <stdlib.h>

#include "base/die.h"
#include "pass/memory.h"

enum { MOST_RUNS_IN_BATCH = 200 };

Search *search_new(Model *m) {
    Search *s = NEW(m->scratch, Search);
    s->m = m;
    s->t = timeline_new(m);
    s->tried = timeline_new(m);
    s->before = timeline_new(m);
    s->made = NEW_ARRAY(m->scratch, int, m->thing.n + 1);
    s->needed = map_new(m->scratch);
    s->made_thing = NEW_ARRAY(m->scratch, int, MOST_RUNS_IN_BATCH + 1);
    s->next = NEW_ARRAY(m->scratch, int, m->thing.n + 1);
    for (int i = 0; i < m->thing.n; i++) s->made[i] = FRESH;
    for (int i = 0; i < m->first.n; i++) vec_push(m->scratch, &s->now, m->first.at[i]);
    if (!timeline_of(m, &s->now, s->t)) BUG("peak: the list of kernels is not good");
    return s;
}

static void add_run(Search *s, Runs *runs, Run *r) {
    vec_push(s->m->scratch, runs, r);
}

static uint64_t key_of(int kernel, int thing) {
    return (uint64_t)kernel << 32 | (uint32_t)thing;
}

// ---- trying

// The first n_same runs are those of the list so far. Where the peak was, its bytes are to be fewer,
// and as many nowhere where there were fewer before.
static void judge(Search *s, int at, int n_same) {
    if (n_same > s->before->n) timeline_extend(s->m, &s->now, n_same, s->before);
    if (n_same == s->before->n) timeline_copy(s->m, s->tried, s->before);
    else timeline_begin(s->m, s->tried);
    if (!timeline_end(s->m, &s->trial, s->tried) || s->tried->peak > s->t->peak) return;
    int n_before = 0, n_after = 0;
    for (int i = 0; i < s->now.n; i++) n_before += s->t->alive[i] == s->t->peak;
    for (int i = 0; i < s->trial.n; i++) n_after += s->tried->alive[i] == s->t->peak;
    if (n_after >= n_before) return;
    int64_t freed = s->t->peak - s->tried->alive[at];
    if (s->t->peak > s->target && freed > s->t->peak - s->target) freed = s->t->peak - s->target;
    const double ORDER = 1;  // nanoseconds: what a change of order alone counts as
    double score = (double)freed / (s->tried->cost - s->t->cost + ORDER);
    if (score <= s->best_score) return;
    s->best_score = score;
    s->best_less = s->tried_less;
    s->best.n = 0;
    for (int i = 0; i < s->trial.n; i++) add_run(s, &s->best, s->trial.at[i]);
}

// The run at `from` comes right before the one at `to`.
static void try_move(Search *s, int from, int to) {
    if (from == to || from + 1 == to) return;
    s->trial.n = 0;
    for (int i = 0; i < s->now.n; i++) {
        if (i == to) add_run(s, &s->trial, s->now.at[from]);
        if (i != from) add_run(s, &s->trial, s->now.at[i]);
    }
    int p = s->t->at;
    judge(s, from < p && to > p ? p - 1 : from > p && to <= p ? p + 1 : p, from < to ? from : to);
}

// The batch comes before the run `at`; at the peak, `less` stands in the place of what does, or NULL.
static void try_batch(Search *s, int at, Run *less) {
    s->trial.n = 0;
    for (int i = 0; i < s->now.n; i++) {
        for (int k = 0; i == at && k < s->batch.n; k++) add_run(s, &s->trial, s->batch.at[k]);
        add_run(s, &s->trial, less && i == s->t->at ? less : s->now.at[i]);
    }
    judge(s, s->t->at, less ? s->t->at : at);
}

// ---- what is to run again, before the run `at`

static bool is_held(const Search *s, int thing, int at) {
    int open = s->t->open[thing];
    for (int i = 0; open >= 0 && i < s->t->stay.n; i++) {
        const Stay *x = &s->t->stay.at[i];
        if (x->thing == thing && x->first < at && at <= x->last) return true;
    }
    return false;
}

// Would keeping the thing until then add to the peak?
static bool would_cross_peak(const Search *s, int thing) {
    int open = s->before->open[thing];
    return open >= 0 && s->before->stay.at[open].last < s->t->at;
}

static void undo(Search *s, int n) {
    while (s->batch.n > n) s->made[s->made_thing[--s->batch.n]] = FRESH;
}

static bool make(Search *s, int thing, int version, int at, int depth);

static bool provide(Search *s, const RunUse *u, int at, int depth) {
    if (u->finds == FRESH || s->made[u->thing] == u->finds) return true;
    bool is_there = s->made[u->thing] == FRESH && s->before->version[u->thing] == u->finds;
    if (!is_there) return make(s, u->thing, u->finds, at, depth - 1);
    if (s->m->thing.at[u->thing].is_fixed || is_held(s, u->thing, at)) return true;
    if (depth > 0 && would_cross_peak(s, u->thing)) make(s, u->thing, u->finds, at, depth - 1);
    return true;
}

static bool make(Search *s, int thing, int version, int at, int depth) {
    if (version < 0 || s->m->thing.at[thing].is_fixed) return false;
    int n = s->batch.n;
    Run *part = part_of_kernel(s->m, PART_again, version, &thing, 1);
    bool is_good = part && n < MOST_RUNS_IN_BATCH && depth > -MOST_RUNS_IN_BATCH;
    for (int i = 0; is_good && i < part->n_use; i++) is_good = provide(s, &part->use[i], at, depth);
    if (!is_good || s->batch.n >= MOST_RUNS_IN_BATCH) {
        undo(s, n);
        return false;
    }
    s->made_thing[s->batch.n] = thing;
    s->made[thing] = version;
    add_run(s, &s->batch, part);
    return true;
}

static int by_number(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

static RunUse *use_in(const Run *r, int thing) {
    for (int i = 0; i < r->n_use; i++)
        if (r->use[i].thing == thing) return &r->use[i];
    return NULL;
}

// Outlines: parts that are tried before they are made, without code; what they use and cost follows
// from others.

static Run *outline(Search *s, PartKind kind, int kernel, int n_use) {
    Run *r = NEW(s->m->scratch, Run);
    *r = (Run){.kind = kind, .kernel = kernel};
    r->use = NEW_ARRAY(s->m->scratch, RunUse, n_use + 1);
    r->keep = NEW_ARRAY(s->m->scratch, int, n_use + 1);
    return r;
}

static void add_use(Run *r, const RunUse *u) {
    RunUse *own = use_in(r, u->thing);
    if (u->is_stored && (!own || !own->is_stored)) r->keep[r->n_keep++] = u->thing;
    if (own) own->is_stored |= u->is_stored;
    else r->use[r->n_use++] = *u;
}

// Two parts of a kernel, one after the other, as one.
static Run *outline_both(Search *s, const Run *a, const Run *b) {
    Run *r = outline(s, PART_again, a->kernel, a->n_use + b->n_use);
    for (int i = 0; i < a->n_use; i++) add_use(r, &a->use[i]);
    for (int i = 0; i < b->n_use; i++) add_use(r, &b->use[i]);
    r->cost = a->cost + b->cost;
    return r;
}

// The run at the peak without what it stores of the thing; NULL where nothing would be left.
static Run *outline_without(Search *s, const Run *r, int thing) {
    bool again = is_again(r);
    Run *less = outline(s, again ? PART_again_alone : PART_less, r->kernel, r->n_use);
    for (int i = 0; i < r->n_use; i++)
        if (r->use[i].thing != thing) add_use(less, &r->use[i]);
    less->cost = r->cost;
    return less->n_keep ? less : NULL;
}

// Makes what the list has in outline. False where one has no such part, which is noted.
static bool fill_in(Search *s, Runs *runs) {
    for (int i = 0; i < runs->n; i++) {
        Run *r = runs->at[i];
        if (r->code) continue;
        qsort(r->keep, (size_t)r->n_keep, sizeof *r->keep, by_number);
        runs->at[i] = part_of_kernel(s->m, r->kind, r->kernel, r->keep, r->n_keep);
        if (runs->at[i]) continue;
        if (r->kind == PART_again) BUG("peak: no part of a kernel that does what two of them do");
        map_set_int(s->needed, key_of(r->kernel, s->best_less), s);
        return false;
    }
    return true;
}

// Neighbours that are parts of one kernel become one.
static bool merge_batch(Search *s) {
    int n = 0;
    bool has_merged = false;
    for (int i = 0; i < s->batch.n; i++) {
        Run *r = s->batch.at[i], *last = n ? s->batch.at[n - 1] : NULL;
        bool is_one = last && last->kernel == r->kernel && last->kind == PART_again && r->kind == PART_again;
        if (is_one) s->batch.at[n - 1] = outline_both(s, last, r);
        else s->batch.at[n++] = r;
        has_merged |= is_one;
    }
    s->batch.n = n;
    return has_merged;
}

static bool begin_batch(Search *s, int thing, int at) {
    s->batch.n = 0;
    timeline_begin(s->m, s->before);
    return timeline_extend(s->m, &s->now, at, s->before) && s->before->version[thing] >= 0;
}

// By one run that reads nothing else of what its kernel has stored.
static void try_alone(Search *s, int thing, int at, Run *less) {
    if (!begin_batch(s, thing, at)) return;
    Run *alone = part_of_kernel(s->m, PART_again_alone, s->before->version[thing], &thing, 1);
    if (!alone) return;
    add_run(s, &s->batch, alone);
    try_batch(s, at, less);
}

static void try_again(Search *s, int thing, Run *less) {
    int at = s->next[thing], n_last = 0;
    try_alone(s, thing, at, less);
    for (int depth = 0; depth <= 64; depth = depth ? 2 * depth : 1) {
        if (!begin_batch(s, thing, at)) return;
        bool is_made = make(s, thing, s->before->version[thing], at, depth);
        int n = s->batch.n;
        for (int i = 0; i < n; i++) s->made[s->made_thing[i]] = FRESH;
        if (is_made && n != n_last) try_batch(s, at, less);
        if (is_made && n != n_last && merge_batch(s)) try_batch(s, at, less);
        if (is_made && n == n_last) return;
        if (is_made) n_last = n;
    }
}

// ---- the search

static int last_toucher(const Search *s, int thing) {
    for (int i = s->t->at - 1; i >= 0; i--)
        for (int u = 0; u < s->now.at[i]->n_use; u++)
            if (s->now.at[i]->use[u].thing == thing) return i;
    return -1;
}

// The first run behind the peak that touches a thing which is touched there; false where none does.
static bool find_next_after(Search *s, int thing) {
    for (int i = s->t->at + 1; i < s->now.n; i++)
        for (int u = 0; u < s->now.at[i]->n_use; u++)
            if (s->now.at[i]->use[u].thing == thing) {
                s->next[thing] = i;
                return true;
            }
    return false;
}

static void find_next(Search *s) {
    for (int i = 0; i < s->m->thing.n; i++) s->next[i] = -1;
    for (int i = s->now.n - 1; i >= s->t->at; i--)
        for (int u = 0; u < s->now.at[i]->n_use; u++) s->next[s->now.at[i]->use[u].thing] = i;
}

// Lies at the peak, and is not touched there.
static bool is_idle(const Search *s, const Stay *x) {
    return x->first < s->t->at && s->t->at < x->last && s->next[x->thing] != s->t->at;
}

static void try_idle(Search *s, const Stay *x, bool may_run_again) {
    timeline_begin(s->m, s->before);
    try_move(s, last_toucher(s, x->thing), s->next[x->thing]);
    timeline_begin(s->m, s->before);
    try_move(s, x->last, s->t->at);
    if (may_run_again) try_again(s, x->thing, NULL);
}

// What the run at the peak stores it may leave to a later one.
static void try_stored(Search *s) {
    const Run *r = s->now.at[s->t->at];
    for (int i = 0; i < r->n_use; i++) {
        const RunUse *u = &r->use[i];
        if (!u->is_stored || u->finds != FRESH || s->m->thing.at[u->thing].is_fixed) continue;
        if (map_has_int(s->needed, key_of(r->kernel, u->thing)) || !find_next_after(s, u->thing)) continue;
        Run *less = outline_without(s, r, u->thing);
        s->tried_less = u->thing;
        if (less) try_again(s, u->thing, less);
    }
}

// Small things only where nothing else helps: there are many of them.
static bool improve(Search *s, bool may_run_again) {
    enum { SMALL = 16 };
    int64_t most = 0;
    s->best_score = 0;
    if (!s->now.n) return false;
    find_next(s);
    for (int i = 0; i < s->t->stay.n; i++) {
        int64_t bytes = s->m->thing.at[s->t->stay.at[i].thing].bytes;
        if (is_idle(s, &s->t->stay.at[i]) && bytes > most) most = bytes;
    }
    for (int is_small = 0; is_small < 2 && !s->best_score; is_small++)
        for (int i = 0; i < s->t->stay.n; i++) {
            Stay x = s->t->stay.at[i];
            bool is_among_small = SMALL * s->m->thing.at[x.thing].bytes < most;
            if (is_idle(s, &x) && is_among_small == is_small) try_idle(s, &x, may_run_again);
        }
    if (may_run_again) try_stored(s);
    if (!s->best_score) return false;
    if (!fill_in(s, &s->best)) return improve(s, may_run_again);
    Runs now = s->now;
    s->now = s->best;
    s->best = now;
    if (!timeline_of(s->m, &s->now, s->t)) BUG("peak: the list of kernels is not good");
    return true;
}

static void begin(Search *s, const Runs *runs, int64_t target) {
    s->now.n = 0;
    for (int i = 0; i < runs->n; i++) add_run(s, &s->now, runs->at[i]);
    if (!timeline_of(s->m, &s->now, s->t)) BUG("peak: the list of kernels is not good");
    s->target = target;
}

static bool fits(const Search *s, const Timeline *t, int64_t bytes) {
    return t->peak <= bytes && place_stays(s->m, t) <= bytes;
}

static bool lower(Search *s, int64_t bytes) {
    while (!fits(s, s->t, bytes))
        if (!improve(s, true)) return false;
    return true;
}

static Runs copy_runs(Search *s, const Runs *runs) {
    Runs out = {0};
    for (int i = 0; i < runs->n; i++) add_run(s, &out, runs->at[i]);
    return out;
}

// The way down that leads as low as there is, found once.
static void find_descent(Search *s) {
    if (s->descent.n) return;
    begin(s, &s->ordered, 0);
    do {
        Runs now = copy_runs(s, &s->now);
        vec_push(s->m->scratch, &s->descent, now);
    } while (improve(s, true));
}

static bool descend(Search *s, int64_t bytes) {
    find_descent(s);
    for (int i = 0; i < s->descent.n; i++) {
        begin(s, &s->descent.at[i], 0);
        if (fits(s, s->t, bytes)) return true;
    }
    return false;
}

// The costliest run of a part that was not looked at yet; -1 for none.
static int costliest_again(const Search *s, const Map *seen) {
    int most = -1;
    for (int i = 0; i < s->now.n; i++) {
        const Run *r = s->now.at[i];
        if (!is_again(r) || map_has(seen, r)) continue;
        if (most < 0 || r->cost > s->now.at[most]->cost) most = i;
    }
    return most;
}

// What was made again early in the search may not be needed any more.
static void drop_needless(Search *s, int64_t bytes) {
    Map *seen = map_new(s->m->scratch);
    for (int most; (most = costliest_again(s, seen)) >= 0;) {
        map_set(seen, s->now.at[most], s);
        s->trial.n = 0;
        for (int i = 0; i < s->now.n; i++)
            if (i != most) add_run(s, &s->trial, s->now.at[i]);
        if (timeline_of(s->m, &s->trial, s->tried) && fits(s, s->tried, bytes))
            begin(s, &s->trial, bytes);
    }
}

void search_order(Search *s) {
    while (improve(s, false)) {}
    s->ordered = copy_runs(s, &s->now);
}

// At first every step gains what is still to be gained, and no more.
bool search_fit(Search *s, int64_t bytes) {
    bool is_good = !s->descent.n || descend(s, bytes);  // is there any hope?
    if (is_good) {
        begin(s, &s->ordered, bytes);
        is_good = lower(s, bytes) || descend(s, bytes);
    }
    if (is_good) drop_needless(s, bytes);
    return is_good;
}

void search_lowest(Search *s) {
    find_descent(s);
    begin(s, &s->descent.at[s->descent.n - 1], 0);
}
