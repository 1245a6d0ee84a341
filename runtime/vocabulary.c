#include "runtime/vocabulary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/input.h"
#include "runtime/words.h"

static const char *const unit_name[] = {"characters", "words", "bytes"};
static const char *const mark_word[] = {"<padding>", "<start>", "<end>"};
static const char unknown_word[] = "<unknown>";

TextRule text_rule(const Field *f) {
    TextRule r = {.most = f->below};
    const char *unit = json_text_in(f->json, "text", "");
    while (r.unit < UNIT_bytes && strcmp(unit, unit_name[r.unit]) != 0) r.unit++;
    r.is_lowercase = json_get(f->json, "lowercase") != NULL;
    r.least = (int64_t)json_number_in(f->json, "min", 1);
    r.marks = json_get(f->json, "side") ? N_MARK : 0;
    r.has_unknown = r.unit == UNIT_words || json_get(f->json, "min");
    return r;
}

// ---- units

// Bytes of the code point there, by RFC 3629; 0 where it is none.
static size_t code_point(const unsigned char *at, size_t room) {
    static const unsigned char low[] = {0, 0, 0xc2, 0xe0, 0xf0}, high[] = {0, 0x7f, 0xdf, 0xef, 0xf4};
    size_t n = 1;
    if (room == 0) return 0;
    if (at[0] <= high[1]) return 1;
    for (n = 2; n <= 4 && at[0] > high[n]; n++) continue;
    if (n > 4 || at[0] < low[n] || n > room) return 0;
    for (size_t i = 1; i < n; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    bool is_long = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool is_none = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return is_long || is_none ? 0 : n;
}

void text_read(Buffer *text, const char *path) {
    enum { STEP = 1 << 20 };
    Mem mem = {0};
    Input *in = mem_get(&mem, sizeof *in);
    size_t n;
    input_open(in, path);
    do {
        n = input_read(in, buffer_extend(text, STEP), STEP);
        text->length -= STEP - n;
    } while (n == STEP);
    input_close(in);
    mem_free(&mem);
}

void text_check(const TextRule *r, const char *path, char *text, size_t length) {
    if (r->unit == UNIT_bytes) return;
    for (size_t i = 0, n; i < length; i += n) {
        n = code_point((const unsigned char *)text + i, length - i);
        if (n == 0 || !text[i]) {
            fail("%s: byte %zu: %s, expected text in UTF-8 (`bytes` reads any file)", path, i,
                 n ? "a zero byte" : "no character of UTF-8 begins here");
        }
        if (r->is_lowercase && text[i] >= 'A' && text[i] <= 'Z') text[i] += 'a' - 'A';
    }
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// Letters and digits; all that is not ASCII counts as a letter.
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c < 0;
}

// A run of letters, with apostrophes inside; else one sign.
static size_t word_length(const char *at, const char *end) {
    const char *p = at;
    if (!is_letter(*p)) return 1;
    while (p < end && (is_letter(*p) || (*p == '\'' && p + 1 < end && is_letter(p[1])))) p++;
    return (size_t)(p - at);
}

bool text_next(const TextRule *r, const char **at, const char *end, Piece *out) {
    while (r->unit == UNIT_words && *at < end && is_space(**at)) ++*at;
    if (*at >= end) return false;
    size_t n = 1;
    if (r->unit == UNIT_words) n = word_length(*at, end);
    if (r->unit == UNIT_characters)
        n = code_point((const unsigned char *)*at, (size_t)(end - *at));
    *out = (Piece){*at, n ? n : 1};
    *at += out->length;
    return true;
}

const char *text_show(Mem *mem, Piece p) {
    unsigned char c = (unsigned char)*p.at;
    if (c == '\n') return "a line end";
    if (c < ' ' || c == 127) return mem_format(mem, "character %u", c);
    return mem_format(mem, "'%.*s'", (int)p.length, p.at);
}

// ---- numbers

static uint64_t hash(Piece p) {  // FNV-1a
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < p.length; i++) h = (h ^ (unsigned char)p.at[i]) * UINT64_C(1099511628211);
    return h ^ h >> 29;
}

static int32_t *place_of(const Vocabulary *v, Piece p) {
    uint64_t mask = (uint64_t)v->table_room - 1;
    for (uint64_t i = hash(p) & mask;; i = (i + 1) & mask) {
        const Piece *unit = &v->unit[v->table[i] - 1];
        if (!v->table[i]) return &v->table[i];
        if (unit->length == p.length && memcmp(unit->at, p.at, p.length) == 0) return &v->table[i];
    }
}

// At most half of the table is full.
static void grow(Vocabulary *v) {
    int64_t room = v->room ? 2 * v->room : 256;
    Piece *unit = mem_array(v->mem, (size_t)room, sizeof *unit);
    int64_t *count = mem_array(v->mem, (size_t)room, sizeof *count);
    if (v->n) {
        memcpy(unit, v->unit, (size_t)v->n * sizeof *unit);
        memcpy(count, v->count, (size_t)v->n * sizeof *count);
    }
    v->unit = unit;
    v->count = count;
    v->room = room;
    v->table_room = 2 * room;
    v->table = mem_array(v->mem, (size_t)v->table_room, sizeof *v->table);
    for (int64_t i = 0; i < v->n; i++) *place_of(v, unit[i]) = (int32_t)i + 1;
}

static int32_t add(Vocabulary *v, Piece p) {
    if (v->n == v->room) grow(v);
    if (v->n == INT32_MAX) fail("more than %d different words", INT32_MAX);
    v->unit[v->n] = (Piece){mem_text(v->mem, p.at, p.length), p.length};
    *place_of(v, p) = (int32_t)v->n + 1;
    return (int32_t)v->n++;
}

Vocabulary vocabulary_open(Mem *mem, TextRule rule, Words *words) {
    Vocabulary v = {.rule = rule, .words = words, .mem = mem};
    if (rule.unit == UNIT_bytes) return v;
    grow(&v);
    for (int64_t i = 0; words->is_given && i < words->n; i++) {
        const char *word = words->word[i];
        add(&v, (Piece){word, strlen(word)});
    }
    return v;
}

int32_t vocabulary_number(Vocabulary *v, Piece p) {
    if (v->rule.unit == UNIT_bytes) return (unsigned char)*p.at;
    int32_t number = *place_of(v, p) - 1;
    return number >= 0 || v->words->is_given ? number : add(v, p);
}

// ---- classes

typedef struct Ranked {
    int32_t number;
    int64_t count;
    const char *text;
} Ranked;

static int by_rank(const void *x, const void *y) {
    const Ranked *a = x, *b = y;
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    return strcmp(a->text, b->text);
}

static void add_word(Words *w, const char *text) {
    w->word[w->n++] = mem_text(w->mem, text, strlen(text));
}

static _Noreturn void fail_many(const Vocabulary *v, const char *path) {
    fail("%s: %" PRId64 " different characters%s, expected at most %" PRId64
         ": class(N) of the data block's fields says how many there may be, `vocabulary min 2` "
         "leaves out rare ones",
         path, v->n, v->rule.marks ? " and 3 marks" : "", v->rule.most);
}

void vocabulary_settle(Vocabulary *v, const char *path) {
    Words *w = v->words;
    const TextRule *r = &v->rule;
    if (r->unit == UNIT_bytes || w->is_given) return;
    int64_t first = r->marks + r->has_unknown;
    if (!r->has_unknown && v->n + first > r->most) fail_many(v, path);
    Ranked *order = mem_array(v->mem, (size_t)v->n + 1, sizeof *order);
    for (int64_t i = 0; i < v->n; i++)
        order[i] = (Ranked){(int32_t)i, v->count[i], v->unit[i].at};
    qsort(order, (size_t)v->n, sizeof *order, by_rank);
    v->class_of = mem_array(v->mem, (size_t)v->n + 1, sizeof *v->class_of);
    w->n = 0;
    w->word = mem_array(w->mem, (size_t)(v->n + first), sizeof *w->word);
    for (int i = 0; i < r->marks; i++) add_word(w, mark_word[i]);
    if (r->has_unknown) add_word(w, unknown_word);
    for (int64_t i = 0; i < v->n; i++) {
        bool is_kept = !r->has_unknown || (order[i].count >= r->least && w->n < r->most);
        v->class_of[order[i].number] = is_kept ? (int32_t)w->n : r->marks;
        if (is_kept) add_word(w, order[i].text);
    }
}

// ---- prompts and what is generated

const Field *text_field(const Manifest *m) {
    for (int i = 0; i < m->data.n_field; i++)
        if (json_get(m->data.field[i].json, "text")) return &m->data.field[i];
    return NULL;
}

static Words *words_of(Run *run, const Field *f) {
    return &run->data.words[f->words_of];
}

int64_t text_encode(Run *run, const Field *f, const char *prompt, Mem *mem, int32_t **classes) {
    Vocabulary v = vocabulary_open(mem, text_rule(f), words_of(run, f));
    size_t length = strlen(prompt);
    char *text = mem_text(mem, prompt, length);
    const char *at = text;
    int64_t n = 0;
    Piece p;
    text_check(&v.rule, "the prompt", text, length);
    *classes = mem_array(mem, length + 1, sizeof **classes);
    while (text_next(&v.rule, &at, text + length, &p)) {
        int32_t number = vocabulary_number(&v, p);
        if (number < 0 && !v.rule.has_unknown)
            fail("the prompt: %s is not in the vocabulary", text_show(mem, p));
        (*classes)[n++] = vocabulary_class(&v, number);
    }
    return n;
}

void text_decode(Run *run, const Field *f, int64_t before, int64_t class, Buffer *b) {
    TextRule r = text_rule(f);
    const Words *w = words_of(run, f);
    char byte = (char)class;
    if (r.unit == UNIT_bytes) {
        buffer_add(b, &byte, 1);
        return;
    }
    if (class < r.marks || class >= w->n) return;
    const char *word = w->word[class];
    bool is_apart = r.unit == UNIT_words && before >= r.marks && (is_letter(*word) || *word == '<');
    buffer_format(b, "%s%s", is_apart ? " " : "", word);
}
