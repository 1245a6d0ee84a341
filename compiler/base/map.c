#include "base/map.h"

#include <string.h>

Map *map_new(Arena *a) {
    Map *m = NEW(a, Map);
    m->arena = a;
    return m;
}

uint64_t hash_mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
}

uint64_t hash_bytes(const void *p, size_t n) {
    const unsigned char *s = p;
    uint64_t h = 0xCBF29CE484222325u;  // FNV-1a, 64 bits
    for (size_t i = 0; i < n; i++) h = (h ^ s[i]) * 0x100000001B3u;
    return h;
}

static int *find_slot(const Map *m, uint64_t key) {
    unsigned mask = (unsigned)m->n_slot - 1;
    for (unsigned i = (unsigned)hash_mix(1, key) & mask;; i = (i + 1) & mask) {
        int e = m->slot[i];
        if (!e || m->key[e - 1] == key) return &m->slot[i];
    }
}

static void rehash(Map *m) {
    m->n_slot = m->n_slot ? 2 * m->n_slot : 16;
    m->slot = NEW_ARRAY(m->arena, int, m->n_slot);
    for (int i = 0; i < m->n; i++) *find_slot(m, m->key[i]) = i + 1;
}

bool map_has_int(const Map *m, uint64_t key) {
    return m->n_slot && *find_slot(m, key);
}

void *map_get_int(const Map *m, uint64_t key) {
    if (!m->n_slot) return NULL;
    int e = *find_slot(m, key);
    return e ? m->value[e - 1] : NULL;
}

void map_set_int(Map *m, uint64_t key, void *value) {
    if (2 * (m->n + 1) > m->n_slot) rehash(m);
    int *slot = find_slot(m, key);
    if (*slot) {
        m->value[*slot - 1] = value;
        return;
    }
    if (m->n == m->cap) {
        int cap = m->cap ? 2 * m->cap : 8;
        m->key = arena_grow(m->arena, m->key, sizeof *m->key * (size_t)m->n,
                            sizeof *m->key * (size_t)cap);
        m->value = arena_grow(m->arena, m->value, sizeof *m->value * (size_t)m->n,
                              sizeof *m->value * (size_t)cap);
        m->cap = cap;
    }
    m->key[m->n] = key;
    m->value[m->n++] = value;
    *slot = m->n;
}

bool map_has(const Map *m, const void *key) {
    return map_has_int(m, (uint64_t)(uintptr_t)key);
}

void *map_get(const Map *m, const void *key) {
    return map_get_int(m, (uint64_t)(uintptr_t)key);
}

void map_set(Map *m, const void *key, void *value) {
    map_set_int(m, (uint64_t)(uintptr_t)key, value);
}
