// Growing arrays in an arena:  VEC(int) v = {0};  vec_push(arena, &v, 3);  v.at[i], v.n
#ifndef NNC_BASE_VEC_H
#define NNC_BASE_VEC_H

#include "base/arena.h"

#define VEC(T)      \
    struct {        \
        T *at;      \
        int n, cap; \
    }

#define vec_push(arena, v, x)                                                                  \
    do {                                                                                       \
        if ((v)->n == (v)->cap) {                                                              \
            (v)->cap = (v)->cap ? 2 * (v)->cap : 8;                                            \
            (v)->at = arena_grow((arena), (v)->at, sizeof *(v)->at * (size_t)(v)->n,           \
                                 sizeof *(v)->at * (size_t)(v)->cap);                          \
        }                                                                                      \
        (v)->at[(v)->n++] = (x);                                                               \
    } while (0)

#endif
