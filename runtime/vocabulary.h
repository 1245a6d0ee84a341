// Text as classes. A text is cut into units: characters (code points of UTF-8), words, or bytes; a
// vocabulary gives each unit its class. It is made from the training text, by how often a unit
// stands in it, then by its bytes (which is the order of code points); checkpoints keep it as they
// keep other words of classes (runtime/words.h), so that other texts map the same way.
//
// Only programs that read text link this.
#ifndef NN_RUNTIME_VOCABULARY_H
#define NN_RUNTIME_VOCABULARY_H

#include "runtime/run.h"
#include "runtime/text.h"

#pragma GCC visibility push(hidden)

typedef enum Unit { UNIT_characters, UNIT_words, UNIT_bytes } Unit;

// Classes in front of the units of pairs.
enum { MARK_padding, MARK_start, MARK_end, N_MARK };

// What a field says of its text.
typedef struct TextRule {
    Unit unit;
    bool is_lowercase;
    bool has_unknown;  // the class behind the marks stands for units that the vocabulary lacks
    int64_t least;     // how often a unit must stand in the training text
    int64_t most;      // classes
    int marks;         // classes in front of all
} TextRule;

TextRule text_rule(const Field *f);

typedef struct Piece {  // a unit of a text
    const char *at;
    size_t length;
} Piece;

// The unit that stands at *at or behind it, and moves *at past it; false at the end.
bool text_next(const TextRule *r, const char **at, const char *end, Piece *out);

// Adds a file, plain or compressed.
void text_read(Buffer *text, const char *path);

// Fails where the bytes are no text of this unit, with the place; makes letters small.
void text_check(const TextRule *r, const char *path, char *text, size_t length);

typedef struct Vocabulary {
    TextRule rule;
    Words *words;       // by class
    Mem *mem;
    int64_t n, room;    // units met, by number
    Piece *unit;
    int64_t *count;
    int32_t *class_of;  // of a unit by its number, once it is settled
    int32_t *table;     // numbers + 1 by hash
    int64_t table_room;
} Vocabulary;

// With the words that a checkpoint gave, or none yet.
Vocabulary vocabulary_open(Mem *mem, TextRule rule, Words *words);

// The unit's number; -1 where the vocabulary is given and lacks it. Bytes are their own numbers.
int32_t vocabulary_number(Vocabulary *v, Piece p);

// Gives units their classes, by v->count. Fails where there are more than the rule allows.
void vocabulary_settle(Vocabulary *v, const char *path);

// The class of a number; of -1 that of unknown units.
static inline int32_t vocabulary_class(const Vocabulary *v, int32_t number) {
    return number < 0 ? v->rule.marks : v->class_of ? v->class_of[number] : number;
}

// As a message shows a unit: 'x', or its code where it can't be shown.
const char *text_show(Mem *mem, Piece p);

// ---- for what generates, once the words are loaded

// The classes of a prompt; fails with the unit that the vocabulary lacks.
int64_t text_encode(Run *run, const Field *f, const char *prompt, Mem *mem, int32_t **classes);
// Adds a class's text; words stand apart from `before` (-1: at the beginning) by a space.
void text_decode(Run *run, const Field *f, int64_t before, int64_t class, Buffer *b);

#pragma GCC visibility pop

#endif
