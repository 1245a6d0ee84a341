#include "base/name.h"

#include <string.h>

#include "base/map.h"

typedef struct Entry Entry;
struct Entry {
    Entry *next;
    size_t length;
    char text[];
};

struct Names {
    Arena *arena;
    Map *by_hash;  // chains of entries
};

Names *names_new(Arena *a) {
    Names *n = NEW(a, Names);
    n->arena = a;
    n->by_hash = map_new(a);
    return n;
}

Name name_n(Names *names, const char *text, size_t length) {
    uint64_t h = hash_bytes(text, length);
    Entry *first = map_get_int(names->by_hash, h);
    for (Entry *e = first; e; e = e->next)
        if (e->length == length && !memcmp(e->text, text, length)) return e->text;
    Entry *e = arena_alloc(names->arena, sizeof *e + length + 1);
    e->next = first;
    e->length = length;
    memcpy(e->text, text, length);
    map_set_int(names->by_hash, h, e);
    return e->text;
}

Name name(Names *names, const char *text) {
    return name_n(names, text, strlen(text));
}
