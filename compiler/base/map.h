// Map: from pointers (or 64-bit keys) to pointers, in an arena. Insertion order is
// kept (keys, values), so that whatever iterates over a map is deterministic.
#ifndef NNC_BASE_MAP_H
#define NNC_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct Map {
    Arena *arena;
    int n, cap;         // entries in insertion order
    uint64_t *key;      // [n]
    void **value;       // [n]
    int *slot, n_slot;  // open addressing: index of the entry plus 1, 0 for free
} Map;

Map *map_new(Arena *a);
void *map_get(const Map *m, const void *key);  // NULL where absent
bool map_has(const Map *m, const void *key);
void map_set(Map *m, const void *key, void *value);
void *map_get_int(const Map *m, uint64_t key);
bool map_has_int(const Map *m, uint64_t key);
void map_set_int(Map *m, uint64_t key, void *value);

uint64_t hash_mix(uint64_t h, uint64_t x);  // one step of a running hash
uint64_t hash_bytes(const void *p, size_t n);

#endif
