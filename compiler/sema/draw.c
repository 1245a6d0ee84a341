// Draws of random numbers: what decides one, and where it stands.
//
// An ordinary draw is decided by the run's seed, the step, its site in the program and its place:
// the row-major number of the element that it ends up in. In data fields and in `augment` the
// sample decides instead of the batch: a draw is that of a key, the sample's number and the place
// in the sample. The key of a field's draw is a number; that of an augmentation comes from the
// runtime, one for each seed and epoch, and the site is added.
#include <string.h>

#include "sema/elab.h"

uint32_t site_number(Sema *s, const char *path) {
    Name key = sema_name(s, path);
    uintptr_t site = (uintptr_t)map_get(s->sites, key);
    if (!site) {
        site = (uintptr_t)s->sites->n + 1;
        map_set(s->sites, key, (void *)site);
    }
    return (uint32_t)site - 1;
}

Drawing *drawing_new(Sema *s, const char *name, bool is_by_epoch) {
    Drawing *d = NEW(s->arena, Drawing);
    *d = (Drawing){.name = name, .is_by_epoch = is_by_epoch};
    return d;
}

static Scalar *read_number(Sema *s, const char *input) {
    return exp_at(s, run_input(s, input, ELEM_i32), &(Shape){0});
}

// Draws are numbered as they are met, so that nothing outside of the field or the entry, and no
// line of it that moves, changes them.
static Scalar *next_key(Sema *s, Drawing *d) {
    const char *text = arena_printf(s->arena, "%s:%d:%lld", d->name, d->n++,
                                    d->is_by_epoch ? 0 : (long long)s->spec->split_seed);
    uint64_t hash = hash_bytes(text, strlen(text));
    Scalar *key = scalar_int(s->m, (int32_t)(uint32_t)(hash ^ hash >> 32));
    if (!d->is_by_epoch) return key;
    return scalar_binary(s->m, OP_add, read_number(s, "run.key"), key);
}

static Scalar *draw_by_sample(Sema *s, Drawing *d) {
    Affine row = affine_slot(s->m, SLOT_row);
    Scalar *sample = scalar_read_at(s->m, run_sample(s), &row);
    return scalar_op(s->m, OP_draw, next_key(s, d), sample, scalar_iv(s->m, SLOT_inner));
}

// Where a step takes several batches, a row's number counts in all of them.
static Scalar *draw_by_place(Sema *s, const char *what, Span at) {
    uint32_t site = site_number(s, site_below(s, sema_name(s, what), at));
    Scalar *place = scalar_iv(s->m, SLOT_place);
    if (s->entry && s->entry->is_part && !s->is_init) {
        Scalar *before = scalar_binary(s->m, OP_mul, read_number(s, "run.row"),
                                       scalar_iv(s->m, SLOT_stride));
        place = scalar_binary(s->m, OP_add, before, place);
    }
    return scalar_rand(s->m, site, place);
}

Scalar *draw_here(Sema *s, const char *what, Span at) {
    Drawing *d = s->is_init ? NULL : s->frame->drawing;
    return d ? draw_by_sample(s, d) : draw_by_place(s, what, at);
}

// ---- where a draw stands, once its definition's indices are known

// The row-major number of a point, at the largest extents, leaving out one slot.
static Affine linear_place(Sema *s, const int *slot, int n, int without) {
    Affine place = affine_const(0);
    for (int i = 0; i < n; i++) {
        Dim d = s->slots.at[slot[i]].dim;
        if (i == without) continue;
        place = affine_scale(s->m, place, dim_max(d) * (d.by == s->batch ? s->spec->accumulate : 1));
        place = affine_add(s->m, place, affine_slot(s->m, i));
    }
    return place;
}

static int row_among(const Sema *s, const int *slot, int n) {
    for (int i = 0; i < n; i++) {
        Dim d = s->slots.at[slot[i]].dim;
        if (d.by == s->rows && d.n == 1) return i;
    }
    return -1;
}

void renumber_places(Sema *s, const int *slot, int n, Affine *to) {
    int row = row_among(s, slot, n);
    Affine place = linear_place(s, slot, n, -1);
    to[SLOT_place] = place;
    to[SLOT_row] = row < 0 ? affine_const(0) : affine_slot(s->m, row);
    to[SLOT_inner] = linear_place(s, slot, n, row);
    to[SLOT_stride] = affine_const(row < 0 ? 0 : affine_coef(place, row));
}

bool has_place(const bool *used) {
    for (int i = 0; i < N_SPECIAL; i++)
        if (used[i]) return true;
    return false;
}

bool check_rows(Sema *s, const bool *used, const int *slot, int n, Span at) {
    if (!used[SLOT_row] || row_among(s, slot, n) >= 0) return true;
    Diag *d = sema_error(s, at, "a draw of a sample is not by the sample here");
    diag_help(d, "give it the batch's index: `r[n < batch] = rand()`");
    return false;
}
