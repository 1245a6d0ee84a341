// Affine forms: the sum of c * slot over sorted terms, plus k.
#include "base/die.h"
#include "ir/build.h"

Affine affine_const(int64_t k) {
    return (Affine){.k = k};
}

Affine affine_slot(Module *m, int slot) {
    Term *t = NEW(m->arena, Term);
    *t = (Term){slot, 1};
    return (Affine){.n = 1, .t = t};
}

static int64_t checked_add(int64_t a, int64_t b) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) BUG("affine form out of range");
    return sum;
}

static int64_t checked_mul(int64_t a, int64_t b) {
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product)) BUG("affine form out of range");
    return product;
}

Affine affine_add(Module *m, Affine a, Affine b) {
    int64_t k = checked_add(a.k, b.k);
    if (!b.n) return (Affine){a.n, a.t, k};
    if (!a.n) return (Affine){b.n, b.t, k};
    Term *t = NEW_ARRAY(m->arena, Term, a.n + b.n);
    int n = 0, i = 0, j = 0;
    while (i < a.n || j < b.n) {
        if (j == b.n || (i < a.n && a.t[i].slot < b.t[j].slot)) {
            t[n++] = a.t[i++];
        } else if (i == a.n || b.t[j].slot < a.t[i].slot) {
            t[n++] = b.t[j++];
        } else {
            int64_t c = checked_add(a.t[i].c, b.t[j].c);
            if (c) t[n++] = (Term){a.t[i].slot, c};
            i++, j++;
        }
    }
    return (Affine){n, t, k};
}

Affine affine_scale(Module *m, Affine a, int64_t c) {
    if (c == 0) return affine_const(0);
    if (c == 1) return a;
    Term *t = NEW_ARRAY(m->arena, Term, a.n);
    for (int i = 0; i < a.n; i++) t[i] = (Term){a.t[i].slot, checked_mul(a.t[i].c, c)};
    return (Affine){a.n, t, checked_mul(a.k, c)};
}

Affine affine_add_const(Affine a, int64_t k) {
    a.k = checked_add(a.k, k);
    return a;
}

bool affine_equal(Affine a, Affine b) {
    if (a.n != b.n || a.k != b.k) return false;
    for (int i = 0; i < a.n; i++)
        if (a.t[i].slot != b.t[i].slot || a.t[i].c != b.t[i].c) return false;
    return true;
}

int64_t affine_coef(Affine a, int slot) {
    for (int i = 0; i < a.n; i++)
        if (a.t[i].slot == slot) return a.t[i].c;
    return 0;
}

Affine affine_subst(Module *m, Affine a, const Affine *to) {
    Affine result = affine_const(a.k);
    for (int i = 0; i < a.n; i++) {
        Affine by = to[a.t[i].slot];
        if (by.n < 0) by = affine_slot(m, a.t[i].slot);
        result = affine_add(m, result, affine_scale(m, by, a.t[i].c));
    }
    return result;
}

static int64_t clamp(__int128 x) {
    return x > INT64_MAX ? INT64_MAX : x < INT64_MIN ? INT64_MIN : (int64_t)x;
}

void affine_range(Affine a, const Dim *extent, int64_t *low, int64_t *high) {
    __int128 least = a.k, greatest = a.k;
    for (int i = 0; i < a.n; i++) {
        int64_t last = dim_max(extent[a.t[i].slot]) - 1;
        __int128 reach = (__int128)a.t[i].c * (last < 0 ? 0 : last);
        if (reach < 0)
            least += reach;
        else
            greatest += reach;
    }
    *low = clamp(least);
    *high = clamp(greatest);
}
