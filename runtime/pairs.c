// Pairs of texts: a line each, source and target apart by a tab. Each side is a sequence: the start
// mark at place -1, its units from place 0 on, the end mark behind the last, then padding.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/input.h"
#include "runtime/reader.h"
#include "runtime/vocabulary.h"
#include "runtime/words.h"

enum { SOURCE, TARGET, N_SIDE };
static const char *const side_name[N_SIDE] = {"source", "target"};

// The units of all rows, one after the other; a row's source begins at begin[2 * row].
struct Pairs {
    Vocabulary vocabulary[N_SIDE];
    bool is_read[N_SIDE];  // some field is of this side
    int64_t rows, room, n, unit_room;
    int64_t *begin;
    int32_t *unit;
};

static int side_of(const Column *c) {
    return strcmp(json_text_in(c->field->json, "side", ""), side_name[TARGET]) == 0;
}

static bool is_length(const Column *c) {
    return c->field->part != NULL;
}

static void *wider(void *at, int64_t count, size_t size) {
    void *more = realloc(at, (size_t)count * size);
    if (!more) fail_memory((double)count * (double)size, "pairs");
    return more;
}

// ---- reading

static void add_unit(struct Pairs *p, int32_t number) {
    if (p->n == p->unit_room) {
        p->unit_room = p->unit_room ? 2 * p->unit_room : 1 << 14;
        p->unit = wider(p->unit, p->unit_room, sizeof *p->unit);
    }
    p->unit[p->n++] = number;
}

// Where a side of the row that is being read begins, or ends.
static void mark_side(struct Pairs *p, int side) {
    if (p->rows + 2 > p->room) {
        p->room = p->room ? 2 * p->room : 1 << 10;
        p->begin = wider(p->begin, N_SIDE * p->room, sizeof *p->begin);
    }
    p->begin[N_SIDE * p->rows + side] = p->n;
}

static void read_side(struct Pairs *p, int side, const char *at, const char *end, const char *path,
                      int64_t line) {
    Vocabulary *v = &p->vocabulary[side];
    Piece piece;
    mark_side(p, side);
    while (p->is_read[side] && text_next(&v->rule, &at, end, &piece)) {
        int32_t number = vocabulary_number(v, piece);
        if (number < 0 && !v->rule.has_unknown) {
            Mem mem = {0};
            fail("%s: line %" PRId64 ": %s is not in the vocabulary that the checkpoint keeps", path, line,
                 text_show(&mem, piece));
        }
        add_unit(p, number);
    }
}

static void check_lengths(const struct Pairs *p, const Dataset *d, const char *path, int64_t line) {
    for (int i = 0; i < d->n; i++) {
        const Column *c = &d->column[i];
        const int64_t *begin = &p->begin[N_SIDE * p->rows + side_of(c)];
        int64_t units = begin[1] - begin[0], shift = (int64_t)json_number_in(c->field->json, "shift", 0);
        int64_t room = is_length(c) ? c->below - 1 : tensor_row_count(c->tensor) + (shift > 0 ? shift : 0);
        if (units + 1 <= room) continue;
        fail("%s: line %" PRId64 ": a %s of %" PRId64 " and its end mark, expected at most %" PRId64
             " for %s", path, line, side_name[side_of(c)], units, room, c->name);
    }
}

static void read_line(struct Pairs *p, const Dataset *d, const char *at, const char *end, const char *path,
                      int64_t line) {
    const char *tab = memchr(at, '\t', (size_t)(end - at));
    if (!tab && p->is_read[TARGET])
        fail("%s: line %" PRId64 ": no tab, expected a source and a target with one between", path, line);
    const char *again = tab ? memchr(tab + 1, '\t', (size_t)(end - tab - 1)) : NULL;
    if (again) fail("%s: line %" PRId64 ": a second tab, expected a source and a target", path, line);
    read_side(p, SOURCE, at, tab ? tab : end, path, line);
    read_side(p, TARGET, tab ? tab + 1 : end, end, path, line);
    p->rows++;
    mark_side(p, SOURCE);
    p->rows--;
    check_lengths(p, d, path, line);
    p->rows++;
}

static void read_lines(struct Pairs *p, const Dataset *d, const Buffer *text, const char *path) {
    const char *at = text->data, *end = at + text->length;
    for (int64_t line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at)), *next = stop ? stop + 1 : end;
        if (!stop) stop = end;
        if (stop > at && stop[-1] == '\r') stop--;
        if (stop > at) read_line(p, d, at, stop, path, line);
        at = next;
    }
    if (p->rows == 0) fail("%s: no pairs, expected lines of a source, a tab and a target", path);
}

static void open_sides(struct Pairs *p, const Dataset *d, Mem *mem) {
    for (int i = 0; i < d->n; i++) {
        const Column *c = &d->column[i];
        int side = side_of(c);
        if (is_length(c) || p->is_read[side]) continue;
        p->vocabulary[side] = vocabulary_open(mem, text_rule(c->field), c->words);
        p->is_read[side] = true;
    }
    for (int i = 0; i < d->n; i++)
        if (!p->is_read[side_of(&d->column[i])])
            fail("the length of a %s that no field reads", side_name[side_of(&d->column[i])]);
}

static struct Pairs *read_pairs(Dataset *d, Mem *mem, const char *path) {
    struct Pairs *p = mem_get(mem, sizeof *p);
    Buffer text = {0};
    open_sides(p, d, mem);
    text_read(&text, path);
    if (text.length == 0) fail("%s: the file is empty, expected lines of a source, a tab and a target", path);
    TextRule rule = p->vocabulary[p->is_read[SOURCE] ? SOURCE : TARGET].rule;
    text_check(&rule, path, text.data, text.length);
    read_lines(p, d, &text, path);
    buffer_free(&text);
    dataset_reserve(d, p->rows);
    d->rows = p->rows;
    return p;
}

// ---- rows

static int32_t class_at(const struct Pairs *p, int side, int64_t row, int64_t place) {
    const int64_t *begin = &p->begin[N_SIDE * row + side];
    int64_t units = begin[1] - begin[0];
    if (place < 0) return MARK_start;
    if (place >= units) return place == units ? MARK_end : MARK_padding;
    return vocabulary_class(&p->vocabulary[side], p->unit[begin[0] + place]);
}

static void fill_lengths(const struct Pairs *p, Column *c) {
    for (int64_t row = 0; row < p->rows; row++) {
        const int64_t *begin = &p->begin[N_SIDE * row + side_of(c)];
        elem_store(c->tensor->elem, c->data, row, (double)(begin[1] - begin[0] + 1));
    }
}

static void fill_classes(const struct Pairs *p, Column *c) {
    int64_t n = tensor_row_count(c->tensor), shift = (int64_t)json_number_in(c->field->json, "shift", 0);
    for (int64_t row = 0; row < p->rows; row++)
        for (int64_t i = 0; i < n; i++)
            elem_store(c->tensor->elem, c->data, row * n + i, class_at(p, side_of(c), row, i + shift));
}

static void fill(struct Pairs *p, Dataset *d, bool lengths) {
    for (int i = 0; i < d->n; i++) {
        if (is_length(&d->column[i]) != lengths) continue;
        if (lengths) fill_lengths(p, &d->column[i]);
        else fill_classes(p, &d->column[i]);
    }
}

static void close_pairs(struct Pairs *p) {
    free(p->begin);
    free(p->unit);
    *p = (struct Pairs){0};
}

// ---- the reader

static const char *find(Mem *mem, const char *path) {
    return input_find(mem, "", path);
}

static void read(Data *d, Mem *mem, const DataBlock *block, const char *path) {
    (void)block;
    d->pairs = read_pairs(&d->pool, mem, path);
    fill(d->pairs, &d->pool, true);
}

// Classes are there once the vocabulary is, which is that of the train split.
static void refuse_classes(const Machine *m, const char *path) {
    const Entry *keep = manifest_entry(m->manifest, "keep");
    for (int i = 0; keep && i < keep->n_input; i++)
        for (int k = 0; k < m->manifest->data.n_field; k++) {
            const Field *f = &m->manifest->data.field[k];
            if (strcmp(f->name, keep->input[i]->name) == 0 && !f->part)
                fail("%s: `where` may use lengths of pairs, not %s", path, f->name);
        }
}

static void split(Data *d, Mem *mem, Machine *m, const char *path) {
    struct Pairs *p = d->pairs;
    refuse_classes(m, path);
    split_at_random(d, mem, m, path);
    const Split *train = &d->split[SPLIT_train];
    for (int side = 0; side < N_SIDE; side++) {
        Vocabulary *v = &p->vocabulary[side];
        for (int64_t i = 0; i < train->rows && p->is_read[side]; i++) {
            const int64_t *begin = &p->begin[N_SIDE * train->row[i] + side];
            for (int64_t k = begin[0]; k < begin[1]; k++)
                if (p->unit[k] >= 0) v->count[p->unit[k]]++;
        }
        if (p->is_read[side]) vocabulary_settle(v, path);
    }
    fill(p, &d->pool, false);
    close_pairs(p);
}

static bool knows(const char *path, const unsigned char start[8]) {
    size_t n = strlen(path);
    (void)start;
    return n < 4 || strcmp(path + n - 4, ".csv") != 0;
}

static void rows(Dataset *d, Mem *mem, const char *path) {
    struct Pairs *p = read_pairs(d, mem, path);
    for (int i = 0; i < d->n; i++) {
        const Column *c = &d->column[i];
        if (!is_length(c) && !c->words->is_given)
            fail("%s: no vocabulary: a checkpoint keeps that of the pairs that were trained on", path);
    }
    fill(p, d, true);
    fill(p, d, false);
    close_pairs(p);
}

const Reader nn_reader_pairs = {"pairs", "lines of a source, a tab and a target", find, read, knows, rows, split};
