#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/generate.h"

typedef struct Candidate {
    double score;  // log-probability of all that was generated
    int64_t row;   // that it goes on from
    int32_t unit;
} Candidate;

typedef struct Beam {
    Generation *g;
    int64_t classes, end;
    double *score;     // of each row
    Candidate *best;   // the rows' next, best first
    int64_t n_best;
    int32_t *ended;    // the best sequence that came to its end
    int64_t n_ended;
    double ended_score;
    char *copy;        // of a state
} Beam;

// ---- states go with their sequences

static bool is_row_state(const Tensor *t) {
    return t->by_batch && (t->kind == TENSOR_kept || t->kind == TENSOR_state);
}

static void move_rows(Beam *b, char *data, size_t bytes) {
    memcpy(b->copy, data, bytes * (size_t)b->g->rows);
    for (int64_t row = 0; row < b->n_best; row++)
        memcpy(data + (size_t)row * bytes, b->copy + (size_t)b->best[row].row * bytes, bytes);
}

static void move_all(Beam *b) {
    Generation *g = b->g;
    const Manifest *m = g->run->manifest;
    for (int i = 0; i < m->n_tensor; i++) {
        const Tensor *t = &m->tensor[i];
        if (is_row_state(t))
            move_rows(b, machine_data(&g->run->machine, t), (size_t)(tensor_bytes(t) / t->dim[0]));
    }
    move_rows(b, (char *)g->unit, (size_t)g->room * sizeof *g->unit);
}

static size_t largest_copy(const Generation *g) {
    const Manifest *m = g->run->manifest;
    size_t most = (size_t)(g->rows * g->room) * sizeof *g->unit;
    for (int i = 0; i < m->n_tensor; i++) {
        size_t bytes = (size_t)tensor_bytes(&m->tensor[i]);
        if (is_row_state(&m->tensor[i]) && bytes > most) most = bytes;
    }
    return most;
}

// ---- candidates

// Keeps the best, as many as there are rows; of equal ones the first.
static void offer(Beam *b, Candidate c) {
    int64_t at = b->n_best;
    while (at > 0 && c.score > b->best[at - 1].score) at--;
    if (at == b->g->rows) return;
    int64_t last = b->n_best < b->g->rows ? b->n_best++ : b->n_best - 1;
    memmove(b->best + at + 1, b->best + at, (size_t)(last - at) * sizeof *b->best);
    b->best[at] = c;
}

static double log_sum(const Tensor *t, const char *data, int64_t from, int64_t n) {
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, elem_load(t->elem, data, from + i));
    for (int64_t i = 0; i < n; i++) sum += exp(elem_load(t->elem, data, from + i) - most);
    return most + log(sum);
}

static void note_end(Beam *b, int64_t row, double score) {
    if (b->n_ended && score <= b->ended_score) return;
    b->ended_score = score;
    b->n_ended = b->g->n;
    memcpy(b->ended, generation_row(b->g, row), (size_t)b->g->n * sizeof *b->ended);
}

// Of the first `rows` rows: at the beginning all are the same.
static void find_best(Beam *b, int64_t rows) {
    const Tensor *t = b->g->logits;
    const char *data = machine_data(&b->g->run->machine, t);
    b->n_best = 0;
    for (int64_t row = 0; row < rows; row++) {
        int64_t from = row * b->classes;
        double all = log_sum(t, data, from, b->classes);
        for (int64_t k = 0; k < b->classes; k++) {
            double score = b->score[row] + elem_load(t->elem, data, from + k) - all;
            if (k == b->end) note_end(b, row, score);
            else if (score > -INFINITY) offer(b, (Candidate){score, row, (int32_t)k});
        }
    }
}

static void go_on(Beam *b) {
    Generation *g = b->g;
    move_all(b);
    for (int64_t row = 0; row < b->n_best; row++) {
        generation_row(g, row)[g->n] = b->best[row].unit;
        b->score[row] = b->best[row].score;
    }
    g->n++;
}

// A sequence that ends later is no better than what it has so far.
static bool is_decided(const Beam *b) {
    return !b->n_best || (b->n_ended && b->ended_score >= b->best[0].score);
}

void beam_search(Generation *g, int64_t length) {
    Mem *mem = &g->run->mem;
    Beam b = {.g = g, .end = generation_end(g)};
    b.classes = tensor_row_count(g->logits);
    b.score = mem_array(mem, (size_t)g->rows, sizeof *b.score);
    b.best = mem_array(mem, (size_t)g->rows + 1, sizeof *b.best);
    b.ended = mem_array(mem, (size_t)g->room, sizeof *b.ended);
    b.copy = mem_get(mem, largest_copy(g));
    int64_t rows = 1;
    for (int64_t i = 0; i < length; i++) {
        generation_feed(g, g->n - 1);
        find_best(&b, rows);
        if (is_decided(&b)) break;
        go_on(&b);
        rows = b.n_best;
    }
    if (!b.n_ended) return;
    memcpy(generation_row(g, 0), b.ended, (size_t)b.n_ended * sizeof *b.ended);
    g->n = b.n_ended;
}
