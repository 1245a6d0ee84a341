// Place: offsets for things, so that those which live at the same time lie apart.
#ifndef NNC_PASS_PLACE_H
#define NNC_PASS_PLACE_H

#include <stdint.h>

#include "base/vec.h"

typedef struct Item {
    int id;           // decides among equal sizes
    int first, last;  // moments, both included
    int64_t bytes, offset;
} Item;

// Gives the items offsets from `start` on; returns their end.
int64_t place_items(Item **item, int n, int64_t start);

#endif
