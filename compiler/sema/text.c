// Data that are text: windows, streams, vocabularies, and fields that read units of it.
#include <string.h>

#include "sema/elab.h"

static bool is_text(const Sema *s) {
    return is_word(s->spec->format, "text");
}

static bool is_pairs(const Sema *s) {
    return is_word(s->spec->format, "pairs");
}

// ---- entries

void read_texts(Sema *s, const Node *call) {
    const Node *args = call->kid[1];
    bool are_paths = args->n > 0;
    for (int i = 0; i < args->n; i++) are_paths &= args->kid[i]->kind == NODE_string;
    if (!are_paths) {
        fail(s, call->span, "the path stands in quotes: `%s(\"PATH\")`, or several, of which the "
             "first that exists is read", call->kid[0]->name);
        return;
    }
    s->spec->format = call->kid[0]->name;
    s->spec->path = args->kid[0]->text;
    for (int i = 1; i < args->n; i++)
        vec_push(s->arena, &s->spec->text.others, args->kid[i]->text);
    need_part(s, arena_printf(s->arena, "nn_reader_%s", s->spec->format));
    need_part(s, "nn_words_insert");
}

static bool need_positive(Sema *s, const Node *n, int64_t *out) {
    Number x;
    bool is_good = n->kind == NODE_count || n->kind == NODE_call ? need_count(s, n, &x)
                                                                 : need_number(s, n, &x);
    if (!is_good) return false;
    is_good = number_is_int(x) && x.num >= 1 && x.num <= INT32_MAX;
    if (is_good) *out = x.num;
    else fail(s, n->span, "a number from 1 to %d is needed here", INT32_MAX);
    return is_good;
}

// vocabulary 2000, min 3, lowercase
static void read_vocabulary(Sema *s, const Node *entry) {
    TextSpec *t = &s->spec->text;
    for (int i = 0; i < entry_args(entry); i++) {
        const Node *n = entry->kid[i];
        Name word = count_word(n);
        if (is_word(word, "min")) need_positive(s, n, &t->least);
        else if (word) fail(s, n->span, "`vocabulary` takes a number, `min 3` and `lowercase`");
        else if (n->kind == NODE_name && is_word(n->name, "lowercase")) t->is_lowercase = true;
        else need_positive(s, n, &t->most);
    }
}

// windows every 16, random
static void read_windows(Sema *s, const Node *entry) {
    TextSpec *t = &s->spec->text;
    for (int i = 0; i < entry_args(entry); i++) {
        const Node *n = entry->kid[i];
        if (is_word(count_word(n), "every")) need_positive(s, n, &t->every);
        else if (n->kind == NODE_name && is_word(n->name, "random")) t->is_random = true;
        else fail(s, n->span, "`windows` takes `every 16`, `random`, or both");
    }
}

static void read_stream(Sema *s, const Node *entry) {
    if (entry_args(entry) != 1)
        fail(s, entry->span, "`stream` takes one number: the places of a window");
    else if (need_positive(s, entry->kid[0], &s->spec->text.stream))
        need_part(s, "stream_begin");
}

static const struct {
    const char *word;
    void (*read)(Sema *s, const Node *entry);
    bool is_of_windows;
} entries[] = {{"vocabulary", read_vocabulary, false},
               {"windows", read_windows, true},
               {"stream", read_stream, true}};
enum { N_ENTRIES = sizeof entries / sizeof *entries };

bool read_text_entry(Sema *s, const Node *entry) {
    for (int i = 0; i < N_ENTRIES; i++) {
        if (!is_word(entry->name, entries[i].word)) continue;
        entries[i].read(s, entry);
        return true;
    }
    return false;
}

void check_text(Sema *s) {
    const Node *stream = block_entry(s->data, "stream", 0), *windows = block_entry(s->data, "windows", 0);
    for (int i = 0; i < N_ENTRIES && s->spec->format && !is_text(s); i++) {
        const Node *n = block_entry(s->data, entries[i].word, 0);
        if (n && (entries[i].is_of_windows || !is_pairs(s)))
            fail(s, n->span, "`%s` is for data `from text(\"PATH\")`", n->name);
    }
    if (stream && windows)
        fail(s, windows->span, "a stream's windows follow each other: `windows` has no place here");
    if (is_text(s) && s->where) {
        fail(s, s->where->span, "`where` has no place here: a text's rows are parts of it");
        s->where = NULL;
    }
    if (stream && s->spec->accumulate > 1)
        fail(s, stream->span, "`stream` does not go with `accumulate`: a step is one batch");
}

// ---- fields

// What a call gives besides the unit.
typedef struct Reading {
    const char *side;
    int64_t shift;
} Reading;

static bool read_argument(Sema *s, const Node *n, Reading *r) {
    bool is_name = n->kind == NODE_name && is_pairs(s);
    if (n->kind == NODE_named && is_word(n->name, "shift")) return need_int(s, n->kid[0], &r->shift);
    if (is_name && (is_word(n->name, "source") || is_word(n->name, "target"))) {
        r->side = n->name;
        return true;
    }
    fail(s, n->span, is_pairs(s) ? "a field of pairs is `characters(source)` or `words(target, shift = -1)`"
                                 : "text takes `shift = 1`: how many places on it begins");
    return false;
}

static bool read_arguments(Sema *s, const Node *args, Reading *r) {
    for (int i = 0; args && i < args->n; i++)
        if (!read_argument(s, args->kid[i], r)) return false;
    return true;
}

// One vocabulary serves all fields of a text, or of a side of pairs.
static bool agrees(Sema *s, const FieldSpec *spec, int64_t below) {
    for (int i = 0; i < s->spec->fields.n; i++) {
        const FieldSpec *f = &s->spec->fields.at[i];
        if (!f->unit || f->side != spec->side || f->name == s->being.node->name) continue;
        if (!strcmp(f->unit, spec->unit) && f->classes == below) continue;
        Diag *d = sema_error(s, s->being.node->span, "`%s` and `%s` read the same text by other units or classes",
                             f->name, s->being.node->name);
        diag_note(d, f->span, "`%s` is here", f->name);
        return false;
    }
    return true;
}

static bool fits_stream(Sema *s) {
    const Type *t = &s->being.type;
    int64_t places = s->spec->text.stream;
    if (!places || (t->rank == 1 && t->dim[0].n == places)) return true;
    fail(s, s->being.node->kid[0]->span, "a row of `stream %lld` has %lld places: `class(%lld)[%lld]`",
         (long long)places, (long long)places, (long long)t->below, (long long)places);
    return false;
}

static bool is_good_type(Sema *s, const char *unit) {
    const Type *t = &s->being.type;
    const TextSpec *text = &s->spec->text;
    bool is_byte = !strcmp(unit, "bytes");
    Span at = s->being.node->kid[0]->span;
    if (t->rank > 1 || !t->below)
        fail(s, at, "text is classes, one or a row of them: `class(65)[64]`");
    else if (is_byte && is_text(s) && t->below != 256)
        fail(s, at, "bytes are of class(256)");
    else if (!is_byte && text->most && text->most != t->below)
        fail(s, at, "class(%lld) where the data block has `vocabulary %lld`", (long long)t->below,
             (long long)text->most);
    else
        return fits_stream(s);
    return false;
}

static bool is_good_shift(Sema *s, const Reading *r, Span at) {
    int64_t least = is_pairs(s) ? -1 : 0;
    if (r->shift >= least && r->shift <= INT32_MAX) return true;
    fail(s, at, is_pairs(s) ? "`shift` is -1, to begin with the start mark, or more"
                            : "`shift` is 0 or more");
    return false;
}

static Exp *read_units(Sema *s, const char *unit, const Node *args, Span at) {
    Reading r = {0};
    if (!is_text(s) && !is_pairs(s))
        return fail(s, at, "`%s` reads data `from text(\"PATH\")` or `pairs(\"PATH\")`", unit);
    if (s->being.node->kind != NODE_field)
        return fail(s, at, "give `%s` a name in a field of its own", unit);
    if (!read_arguments(s, args, &r) || !is_good_shift(s, &r, at) || !is_good_type(s, unit)) return exp_error;
    if (is_pairs(s) && !strcmp(unit, "bytes"))
        return fail(s, at, "pairs are of `characters` or `words`");
    if (is_pairs(s) && !r.side)
        return fail(s, at, "which side of the pairs? `%s(source)` or `%s(target)`", unit, unit);
    FieldSpec spec = {.unit = unit, .side = r.side, .shift = r.shift};
    int64_t below = s->being.type.below;
    if (!agrees(s, &spec, below)) return exp_error;
    return field_input(s, spec, below <= 256 ? ELEM_u8 : ELEM_i32, below);
}

// length(source): the units of a side, its end mark among them.
static Exp *read_length(Sema *s, const Node *args, Span at) {
    Reading r = {0};
    if (!is_pairs(s)) return NULL;
    if (!read_arguments(s, args, &r)) return exp_error;
    if (!r.side) return fail(s, at, "which side of the pairs? `length(source)` or `length(target)`");
    if (s->being.type.rank || !s->being.type.below)
        return fail(s, s->being.node->span, "lengths are classes: `%s: class(20) = length(%s)`",
                    s->being.node->name, r.side);
    FieldSpec spec = {.part = "length", .side = r.side};
    return field_input(s, spec, ELEM_i32, s->being.type.below);
}

static const char *const units[] = {"characters", "words", "bytes"};
enum { N_UNITS = sizeof units / sizeof *units };

const char *text_word(int i) {
    return i < N_UNITS ? units[i] : i == N_UNITS ? "length" : NULL;
}

Exp *text_part(Sema *s, Name id) {
    if (!s->being.node || s->frame->def || !s->spec->format) return NULL;
    for (int i = 0; i < N_UNITS; i++)
        if (is_word(id, units[i])) return read_units(s, units[i], NULL, s->being.node->kid[1]->span);
    return NULL;
}

Exp *text_call(Sema *s, const Node *call) {
    const Node *callee = call->kid[0];
    if (!s->spec->format) return NULL;
    for (int i = 0; i < N_UNITS; i++)
        if (is_word(callee->name, units[i])) return read_units(s, units[i], call->kid[1], call->span);
    return is_word(callee->name, "length") ? read_length(s, call->kid[1], call->span) : NULL;
}

// ---- streams

bool is_batch_state(const Sema *s, const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i].by == s->batch) return true;
    return false;
}

bool is_stream_state(const Sema *s, const Type *t) {
    return s->spec->text.stream && is_batch_state(s, t);
}
