#include "ir/prove.h"

#include <string.h>

enum { MAX_FORM_EXTENTS = 8, PROOF_DEPTH = 3 };

// The sum of slot[i] * slot i + by[j] * extent j + k. 128 bits: no sum of products of
// extents and coefficients overflows.
typedef __int128 Wide;

typedef struct Form {
    Wide slot[MAX_SLOTS];
    const Extent *extent[MAX_FORM_EXTENTS];
    Wide by[MAX_FORM_EXTENTS];
    Wide k;
    bool too_many;  // more extents than there is room for: nothing is proved
} Form;

void known_add(Known *known, const Guard *guard, int n) {
    for (int i = 0; i < n && known->n_guard < 2 * MAX_SLOTS; i++)
        if (!guard[i].s && !guard[i].mod) known->guard[known->n_guard++] = &guard[i];
}

static void add_extent(Form *f, const Extent *extent, Wide c) {
    for (int i = 0; i < MAX_FORM_EXTENTS; i++) {
        if (f->extent[i] && f->extent[i] != extent) continue;
        f->extent[i] = extent;
        f->by[i] += c;
        return;
    }
    f->too_many = true;
}

static void add_dim(Form *f, Dim d, Wide c) {
    if (d.by) add_extent(f, d.by, c * d.n);
    else f->k += c * d.n;
}

static void add_affine(Form *f, Affine a, Wide c) {
    for (int i = 0; i < a.n; i++) f->slot[a.t[i].slot] += c * a.t[i].c;
    f->k += c * a.k;
}

// The least value over the box, slots first (0, or extent - 1), then extents (1, or max).
static Wide least(Form f, const Dim *extent) {
    for (int i = 0; i < MAX_SLOTS; i++) {
        if (f.slot[i] >= 0) continue;
        add_dim(&f, extent[i], f.slot[i]);
        f.k -= f.slot[i];
    }
    Wide low = f.k;
    for (int i = 0; i < MAX_FORM_EXTENTS && f.extent[i]; i++)
        low += f.by[i] >= 0 ? f.by[i] : f.by[i] * f.extent[i]->max;
    return f.too_many ? -1 : low;
}

// f >= 0: by the box alone, or because f - c * guard >= 0 for some guard and c > 0. The
// multiples tried are those that make a slot vanish.
static bool prove(const Known *known, const Form *f, int depth) {
    if (least(*f, known->extent) >= 0) return true;
    if (!depth) return false;
    for (int g = 0; g < known->n_guard; g++) {
        Affine e = known->guard[g]->e;
        for (int i = 0; i < e.n; i++) {
            Wide have = f->slot[e.t[i].slot], c = have / e.t[i].c;
            if (c < 1 || c * e.t[i].c != have) continue;
            Form rest = *f;
            add_affine(&rest, e, -c);
            if (prove(known, &rest, depth - 1)) return true;
        }
    }
    return false;
}

bool prove_in_range(const Known *known, Affine a, int64_t div, Dim d) {
    Form low = {0}, high = {0};
    add_affine(&low, a, 1);
    add_dim(&high, d, div);
    add_affine(&high, a, -1);
    high.k -= 1;
    return prove(known, &low, PROOF_DEPTH) && prove(known, &high, PROOF_DEPTH);
}
