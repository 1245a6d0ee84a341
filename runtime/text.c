#include "runtime/text.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/input.h"
#include "runtime/reader.h"
#include "runtime/rng.h"
#include "runtime/vocabulary.h"
#include "runtime/words.h"

// ---- files

static bool ends_in(const char *name, const char *ending) {
    size_t n = strlen(name), k = strlen(ending);
    return n > k && strcmp(name + n - k, ending) == 0;
}

static int is_text_name(const struct dirent *e) {
    return e->d_name[0] != '.' && (ends_in(e->d_name, ".txt") || ends_in(e->d_name, ".gz"));
}

// The texts of a folder by their names' bytes, whatever the locale; their number.
static int list(const char *folder, struct dirent ***entry) {
    return scandir(folder, entry, is_text_name, NULL);
}

static int compare_entries(const void *a, const void *b) {
    return strcmp((*(struct dirent *const *)a)->d_name, (*(struct dirent *const *)b)->d_name);
}

static const char *find(Mem *mem, const char *path) {
    if (!path_is_folder(path)) return input_find(mem, "", path);
    struct dirent **entry = NULL;
    int n = list(path, &entry);
    for (int i = 0; i < n; i++) free(entry[i]);
    free(entry);
    return n > 0 ? path : NULL;
}

static void read_file(Buffer *text, const TextRule *r, const char *path) {
    size_t begin = text->length;
    text_read(text, path);
    text_check(r, path, text->data + begin, text->length - begin);
}

static void read_files(Buffer *text, const TextRule *r, const char *path) {
    if (!path_is_folder(path)) {
        read_file(text, r, path);
        return;
    }
    Mem mem = {0};
    struct dirent **entry = NULL;
    int n = list(path, &entry);
    if (n < 0) fail("%s: cannot read: %s", path, strerror(errno));
    if (n) qsort(entry, (size_t)n, sizeof *entry, compare_entries);
    for (int i = 0; i < n; i++) {
        read_file(text, r, mem_format(&mem, "%s/%s", path, entry[i]->d_name));
        free(entry[i]);
    }
    free(entry);
    mem_free(&mem);
}

// ---- units

// Units as the columns hold them: of one byte or four.
typedef struct Units {
    int64_t n;
    char *data;
    bool are_bytes;
} Units;

static _Noreturn void fail_unknown(const char *path, size_t place, Piece p) {
    Mem mem = {0};
    fail("%s: byte %zu: %s is not in the vocabulary that the checkpoint keeps", path, place,
         text_show(&mem, p));
}

// The number of each unit.
static int32_t *number_units(Vocabulary *v, const char *path, const Buffer *text, int64_t *n) {
    const char *at = text->data, *end = at + text->length;
    int64_t room = 0;
    int32_t *number = NULL;
    Piece p;
    *n = 0;
    while (text_next(&v->rule, &at, end, &p)) {
        if (*n == room) {
            room = room ? 2 * room : 1 << 16;
            number = realloc(number, (size_t)room * sizeof *number);
            if (!number) fail_memory((double)room * sizeof *number, path);
        }
        int32_t i = number[(*n)++] = vocabulary_number(v, p);
        if (i < 0 && !v->rule.has_unknown) fail_unknown(path, (size_t)(p.at - text->data), p);
    }
    return number;
}

// Bytes where the columns are, in the same memory.
static Units classify(const Vocabulary *v, int32_t *number, int64_t n, bool are_bytes) {
    unsigned char *byte = (unsigned char *)number;
    for (int64_t i = 0; i < n; i++) {
        int32_t class = vocabulary_class(v, number[i]);
        if (are_bytes) byte[i] = (unsigned char)class;
        else number[i] = class;
    }
    char *data = realloc(number, (size_t)n * (are_bytes ? 1 : sizeof *number) + 1);
    if (!data) fail_memory((double)n, "the text");
    return (Units){n, data, are_bytes};
}

// Which units, in order, a split has.
typedef struct Part {
    int64_t begin, end;
} Part;

static void cut(const DataBlock *block, int64_t n, const char *path, Part part[N_SPLIT]) {
    double share = 0;
    int64_t begin = 0, counted = 0;
    bool any = false;
    for (int s = 0; s < N_SPLIT; s++) {
        const SplitRule *r = &block->split[s];
        part[s] = (Part){begin, begin};
        if (!r->is_declared) continue;
        any = true;
        share += r->share;
        counted += r->rows;
        double end = floor(share * (double)n + 0.5) + (double)counted;
        if (end > (double)n) {
            fail("%s: a text of %" PRId64 ", expected at least %.0f for the splits up to %s", path, n,
                 end, split_name[s]);
        }
        part[s].end = begin = (int64_t)end;
    }
    if (!any) part[SPLIT_train].end = n;
}

// ---- rows

// How windows lie on the text.
typedef struct Windows {
    int64_t reach;    // of the fields, from a row's place
    int64_t every;    // units from one row's place to the next's
    int64_t parts;    // of a stream, side by side; 0 elsewhere
    bool is_random;   // from another first place in each epoch
} Windows;

struct TextData {
    Part part[N_SPLIT];
    Windows windows;
    int64_t slack;  // of the train split: how far its first row may lie from its beginning
};

static int64_t shift_of(const Column *c) {
    return (int64_t)json_number_in(c->field->json, "shift", 0);
}

static Windows windows_of(const Dataset *d) {
    const Json *block = d->n ? d->column[0].field->block->json : NULL;
    Windows w = {.reach = 1, .every = 1};
    json_integer_in(block, "every", &w.every);
    json_integer_in(block, "stream", &w.parts);
    w.is_random = json_get(block, "random") != NULL;
    for (int i = 0; i < d->n; i++) {
        int64_t reach = shift_of(&d->column[i]) + tensor_row_count(d->column[i].tensor);
        if (reach > w.reach) w.reach = reach;
    }
    return w;
}

static int64_t windows_in(const Windows *w, int64_t units) {
    return units < w->reach ? 0 : (units - w->reach) / w->every + 1;
}

static _Noreturn void fail_short(const char *path, int64_t units, const char *split, const Windows *w) {
    fail("%s: %" PRId64 " units of text%s%s, expected at least %" PRId64 " for a window", path, units,
         *split ? " in the split " : "", split, w->reach);
}

// Of a stream: `parts` parts of the text walked side by side, so that row r of a batch goes on
// where row r of the one before ended. A short text has fewer parts.
static Split stream_rows(Mem *mem, const Dataset *d, const Windows *w, Part p) {
    int64_t whole = windows_in(w, p.end - p.begin), parts = whole < w->parts ? whole : w->parts;
    int64_t length = whole / parts;
    Split s = {d, parts * length, mem_array(mem, (size_t)(parts * length), sizeof *s.row)};
    for (int64_t k = 0; k < length; k++)
        for (int64_t r = 0; r < parts; r++)
            s.row[k * parts + r] = p.begin + (r * length + k) * w->every;
    return s;
}

static Split window_rows(Mem *mem, const Dataset *d, const Windows *w, Part p, int64_t rows) {
    Split s = {d, rows, mem_array(mem, (size_t)rows, sizeof *s.row)};
    for (int64_t i = 0; i < rows; i++) s.row[i] = p.begin + i * w->every;
    return s;
}

// Rows of the train split where its windows begin anywhere: as many as fit from any first place.
static int64_t rows_anywhere(struct TextData *t) {
    const Windows *w = &t->windows;
    int64_t units = t->part[SPLIT_train].end - t->part[SPLIT_train].begin;
    int64_t rows = windows_in(w, units - (w->every - 1));
    if (rows < 1) rows = 1;
    int64_t rest = units - w->reach - (rows - 1) * w->every;
    t->slack = rest < w->every ? rest : w->every - 1;
    return rows;
}

static void split(Data *d, Mem *mem, Machine *m, const char *path) {
    const DataBlock *block = &m->manifest->data;
    struct TextData *t = d->text;
    const Windows *w = &t->windows;
    for (int s = 0; s < N_SPLIT; s++) {
        Part p = t->part[s];
        int64_t rows = windows_in(w, p.end - p.begin);
        if (!block->split[s].is_declared && p.end == p.begin) continue;
        if (rows == 0) fail_short(path, p.end - p.begin, split_name[s], w);
        if (s == SPLIT_train && w->is_random) rows = rows_anywhere(t);
        d->split[s] = w->parts ? stream_rows(mem, &d->pool, w, p) : window_rows(mem, &d->pool, w, p, rows);
    }
}

void text_order(Data *d, int64_t *order, int64_t rows, uint64_t seed, uint64_t epoch) {
    struct TextData *t = d->text;
    const Windows *w = &t->windows;
    if (w->parts) {
        for (int64_t i = 0; i < rows; i++) order[i] = i;
        return;
    }
    rng_permutation(order, rows, seed, epoch);
    if (!w->is_random) return;
    Rng r = rng_start(seed, ~epoch);
    int64_t first = t->part[SPLIT_train].begin + (int64_t)rng_below(&r, (uint64_t)t->slack + 1);
    for (int64_t i = 0; i < d->split[SPLIT_train].rows; i++)
        d->split[SPLIT_train].row[i] = first + i * w->every;
}

// ---- the reader

// The columns see the same units, each from its own shift on.
static void show_units(Dataset *d, Units u, int64_t step) {
    int64_t bytes = u.are_bytes ? 1 : sizeof(int32_t);
    for (int i = 0; i < d->n; i++) {
        Column *c = &d->column[i];
        c->data = u.data;
        c->is_view = i > 0;
        c->first = shift_of(c) * bytes;
        c->row_step = step * bytes;
    }
}

static Units read_units(Dataset *d, const DataBlock *block, const char *path, Part part[N_SPLIT]) {
    Mem mem = {0};
    Buffer text = {0};
    int64_t n;
    Vocabulary v = vocabulary_open(&mem, text_rule(d->column[0].field), d->column[0].words);
    read_files(&text, &v.rule, path);
    if (text.length == 0) fail("%s: the text is empty", path);
    int32_t *number = number_units(&v, path, &text, &n);
    buffer_free(&text);
    if (n == 0) fail("%s: the text has no words", path);
    if (part) {
        cut(block, n, path, part);
        const Part *train = &part[SPLIT_train];
        for (int64_t i = train->begin; i < train->end && v.count; i++)
            if (number[i] >= 0) v.count[number[i]]++;
    }
    if (!part && v.rule.unit != UNIT_bytes && !v.words->is_given)
        fail("%s: no vocabulary: a checkpoint keeps that of the text that was trained on", path);
    vocabulary_settle(&v, path);
    Units u = classify(&v, number, n, d->column[0].tensor->elem == ELEM_u8);
    mem_free(&mem);
    return u;
}

static void read(Data *d, Mem *mem, const DataBlock *block, const char *path) {
    d->text = mem_get(mem, sizeof *d->text);
    d->text->windows = windows_of(&d->pool);
    Units u = read_units(&d->pool, block, path, d->text->part);
    d->pool.rows = u.n;
    show_units(&d->pool, u, 1);
}

static bool knows(const char *path, const unsigned char start[8]) {
    (void)start;
    return !ends_in(path, ".csv");
}

// For `predict`: windows one after the other, through all of the text.
static void rows(Dataset *d, Mem *mem, const char *path) {
    (void)mem;
    Windows w = windows_of(d);
    Units u = read_units(d, NULL, path, NULL);
    d->rows = windows_in(&w, u.n);
    if (d->rows == 0) fail_short(path, u.n, "", &w);
    show_units(d, u, w.every);
}

const Reader nn_reader_text = {"text", "a text, or a folder of .txt and .gz files", find, read, knows, rows, split};
