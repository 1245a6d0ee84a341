#include "pass/place.h"

#include <stdbool.h>
#include <stdlib.h>

typedef struct Turn {  // when an item is placed
    Item *item;
    int number;
    int64_t breadth;   // the most bytes that live at one moment of its life
} Turn;

typedef struct Placing {
    Arena *scratch;
    Turn *turn;
    int n;
    int64_t start, least;  // no placing ends before
    int64_t best;          // end of the best so far, and the offsets that it has
    int64_t *offset;       // by Turn.number
    Item **near, **placed;
} Placing;

// ---- in turn

// The smallest gap between the n placed items that live along with one, or the lowest; else their end.
static int64_t find_gap(const Item *item, Item **near, int n, int64_t start, bool is_lowest) {
    int64_t best = -1, best_size = INT64_MAX, end = start;
    for (int i = 0; i < n; i++) {
        int64_t gap = near[i]->offset - end, past = near[i]->offset + near[i]->bytes;
        if (gap >= item->bytes && gap < best_size) {
            best = end, best_size = gap;
            if (is_lowest) return best;
        }
        if (past > end) end = past;
    }
    return best >= 0 ? best : end;
}

// Keeps the list in order of offsets.
static void insert_by_offset(Item **list, int n, Item *item) {
    for (; n > 0 && list[n - 1]->offset > item->offset; n--) list[n] = list[n - 1];
    list[n] = item;
}

static void place_in_turn(Placing *p, bool is_lowest) {
    int64_t end = p->start;
    for (int i = 0; i < p->n; i++) p->turn[i].item->offset = p->start - p->turn[i].item->bytes;
    for (int i = 0; i < p->n && end < p->best; i++) {
        Item *item = p->turn[i].item;
        int n_near = 0;
        for (int j = 0; j < i; j++)
            if (p->placed[j]->first <= item->last && item->first <= p->placed[j]->last)
                p->near[n_near++] = p->placed[j];
        item->offset = find_gap(item, p->near, n_near, p->start, is_lowest);
        insert_by_offset(p->placed, i, item);
        if (item->offset + item->bytes > end) end = item->offset + item->bytes;
    }
    if (end >= p->best) return;
    p->best = end;
    for (int i = 0; i < p->n; i++) p->offset[p->turn[i].number] = p->turn[i].item->offset;
}

// ---- whose turn it is

static int by_size(const void *a, const void *b) {
    const Item *x = ((const Turn *)a)->item, *y = ((const Turn *)b)->item;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

// Pisarchyk and Lee, Efficient memory management for deep neural net inference (2020).
static int by_breadth(const void *a, const void *b) {
    const Turn *x = a, *y = b;
    if (x->breadth != y->breadth) return x->breadth < y->breadth ? 1 : -1;
    return by_size(a, b);
}

static int by_life(const void *a, const void *b) {
    const Item *x = ((const Turn *)a)->item, *y = ((const Turn *)b)->item;
    int m = x->last - x->first, n = y->last - y->first;
    if (m != n) return m < n ? 1 : -1;
    return by_size(a, b);
}

static void find_breadths(Placing *p) {
    int end = 0;
    for (int i = 0; i < p->n; i++)
        if (p->turn[i].item->last >= end) end = p->turn[i].item->last + 1;
    int64_t *alive = NEW_ARRAY(p->scratch, int64_t, end + 1);
    for (int i = 0; i < p->n; i++) {
        alive[p->turn[i].item->first] += p->turn[i].item->bytes;
        alive[p->turn[i].item->last + 1] -= p->turn[i].item->bytes;
    }
    for (int i = 1; i < end; i++) alive[i] += alive[i - 1];
    for (int i = 0; i < p->n; i++) {
        Turn *t = &p->turn[i];
        for (int at = t->item->first; at <= t->item->last; at++)
            if (alive[at] > t->breadth) t->breadth = alive[at];
        if (p->start + t->breadth > p->least) p->least = p->start + t->breadth;
    }
}

// What lies last in the try at hand, which ended where it could not be the best, comes first in the next try.
static void advance_last(Placing *p) {
    int last = 0;
    for (int i = 0; i < p->n; i++) {
        const Item *item = p->turn[i].item, *most = p->turn[last].item;
        if (item->offset + item->bytes > most->offset + most->bytes) last = i;
    }
    Turn turn = p->turn[last];
    for (int i = last; i > 0; i--) p->turn[i] = p->turn[i - 1];
    p->turn[0] = turn;
}

int64_t place_items(Item **item, int n, int64_t start) {
    static int (*const order[])(const void *, const void *) = {by_size, by_breadth, by_life};
    enum { N_ORDER = 3, TRIES = 16 };
    if (n == 0) return start;
    Arena *scratch = arena_new();
    Placing p = {.scratch = scratch, .n = n, .start = start, .least = start, .best = INT64_MAX};
    p.turn = NEW_ARRAY(scratch, Turn, n);
    p.offset = NEW_ARRAY(scratch, int64_t, n);
    p.near = NEW_ARRAY(scratch, Item *, n);
    p.placed = NEW_ARRAY(scratch, Item *, n);
    for (int i = 0; i < n; i++) p.turn[i] = (Turn){item[i], i, 0};
    find_breadths(&p);
    for (int way = 0; way < 2 * N_ORDER && p.best > p.least; way++) {
        qsort(p.turn, (size_t)n, sizeof *p.turn, order[way / 2]);
        for (int k = 0; k < TRIES && p.best > p.least; k++) {
            place_in_turn(&p, way % 2);
            advance_last(&p);
        }
    }
    for (int i = 0; i < n; i++) item[i]->offset = p.offset[i];
    arena_free(scratch);
    return p.best;
}
