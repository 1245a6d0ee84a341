#include "pass/part.h"

#include "ir/build.h"
#include "ir/rewrite.h"

Value *part_of_body(Algebra *a, Scalar *s, const Dim *extent, int n, Span span, Affine *at) {
    Affine to[MAX_SLOTS];
    Dim dim[MAX_SLOTS];
    int rank = 0;
    for (int i = 0; i < n; i++) {
        to[i] = (Affine){.n = -1};
        if (!(scalar_slots(a, s) >> i & 1)) continue;
        if (rank == MAX_RANK) return NULL;
        to[i] = affine_slot(a->m, rank);
        at[rank] = affine_slot(a->m, i);
        dim[rank++] = extent[i];
    }
    return build_map(a->m, rank, dim, scalar_subst(a->m, s, to), span, NULL);
}

static bool draws(const Scalar *s, Map *seen) {
    if (map_has(seen, s)) return false;
    map_set(seen, s, seen);
    if (op_is_draw(s->op)) return true;
    for (int i = 0; i < op_info[s->op].arity; i++)
        if (draws(s->arg[i], seen)) return true;
    return false;
}

bool part_draws(const Scalar *s) {
    Arena *scratch = arena_new();
    bool does = draws(s, map_new(scratch));
    arena_free(scratch);
    return does;
}
