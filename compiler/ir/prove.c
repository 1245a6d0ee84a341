#include "ir/prove.h"

#include <string.h>

// LARGE to the power of PROOF_DEPTH, times an extent and a coefficient, is below 2^127.
enum { MAX_FORM_EXTENTS = 8, PROOF_DEPTH = 3, LARGE = 1 << 16 };

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

const Extent *counted_extent(const Value *v) {
    static const char prefix[] = "run.rows";
    if (v->op != VAL_input || strncmp(v->leaf.name, prefix, strlen(prefix))) return NULL;
    const char *rest = v->leaf.name + strlen(prefix), *id = *rest == '.' ? rest + 1 : "batch";
    const Module *m = v->leaf.fn->m;
    for (int i = 0; i < m->extents.n && (!*rest || *rest == '.'); i++)
        if (!strcmp(m->extents.at[i]->name, id)) return m->extents.at[i];
    return NULL;
}

// A number of rows, perhaps multiplied: what a guard adds where an axis ends at a run-time extent.
static bool as_count(const Scalar *s, Dim *out) {
    out->n = 1;
    if (s->op == OP_mul && s->arg[1]->op == OP_const) {
        out->n = s->arg[1]->integer;
        s = s->arg[0];
    }
    out->by = s->op == OP_read ? counted_extent(s->read->v) : NULL;
    return out->by && out->n > 0 && out->n <= LARGE;
}

void known_add(Known *known, const Guard *guard, int n) {
    for (int i = 0; i < n && known->n_guard < 2 * MAX_SLOTS; i++) {
        Dim count;
        bool is_affine = !guard[i].s || as_count(guard[i].s, &count);
        if (is_affine && !guard[i].mod) known->guard[known->n_guard++] = &guard[i];
    }
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
    if (d.by)
        add_extent(f, d.by, c * d.n);
    else
        f->k += c * d.n;
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

static int64_t gcd(int64_t a, int64_t b) {
    return b ? gcd(b, a % b) : a;
}

// by * f - c * guard + by - 1. Where it is at least 0 and the guard holds, by * f > -by, so
// that f, an integer, is at least 0. `by` and c are chosen to make the slot vanish.
static Form without_slot(const Form *f, const Guard *known, int term) {
    Affine guard = known->e;
    Dim count;
    int64_t have = (int64_t)f->slot[guard.t[term].slot], there = guard.t[term].c;
    int64_t g = gcd(have < 0 ? -have : have, there < 0 ? -there : there);
    int64_t by = (there < 0 ? -there : there) / g, c = (have < 0 ? -have : have) / g;
    Form rest = *f;
    for (int i = 0; i < MAX_SLOTS; i++) rest.slot[i] *= by;
    for (int i = 0; i < MAX_FORM_EXTENTS; i++) rest.by[i] *= by;
    rest.k = rest.k * by + by - 1;
    add_affine(&rest, guard, -c);
    if (known->s && as_count(known->s, &count)) add_dim(&rest, count, -c);
    return rest;
}

// f >= 0: by the box alone, or with the help of guards.
static bool prove(const Known *known, const Form *f, int depth) {
    if (least(*f, known->extent) >= 0) return true;
    if (!depth) return false;
    for (int g = 0; g < known->n_guard; g++) {
        Affine e = known->guard[g]->e;
        for (int i = 0; i < e.n; i++) {
            Wide have = f->slot[e.t[i].slot];
            bool is_large = have > LARGE || have < -LARGE || e.t[i].c > LARGE || e.t[i].c < -LARGE;
            if (!have || is_large || (have > 0) != (e.t[i].c > 0)) continue;
            Form rest = without_slot(f, known->guard[g], i);
            if (prove(known, &rest, depth - 1)) return true;
        }
    }
    return false;
}

// A guard that never holds lets no point take part, and everything is true of none.
static bool is_empty(const Known *known) {
    for (int g = 0; g < known->n_guard; g++)
        if (!known->guard[g]->s && !known->guard[g]->e.n && known->guard[g]->e.k < 0) return true;
    return false;
}

bool prove_in_range(const Known *known, Affine a, int64_t div, Dim d) {
    Form low = {0}, high = {0};
    if (is_empty(known)) return true;
    add_affine(&low, a, 1);
    add_dim(&high, d, div);
    add_affine(&high, a, -1);
    high.k -= 1;
    return prove(known, &low, PROOF_DEPTH) && prove(known, &high, PROOF_DEPTH);
}
