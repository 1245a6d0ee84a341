#include "pass/reuse.h"

#include "pass/access.h"

bool keeps_reuse(const Value *v, int n_outer, Arena *scratch) {
    enum { ENOUGH_REUSE = 16 };
    if (!is_contraction(v)) return true;
    int n = v->index.np + v->index.nr;
    double inner = box_points(v->index.extent + n_outer, n - n_outer);
    Dim extent[MAX_SLOTS];
    for (int s = 0; s < n; s++) extent[s] = s < n_outer ? dim_const(1) : v->index.extent[s];
    Reads reads = index_reads(v, scratch);
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        double touched = 1;
        for (int a = 0; a < r->v->type.rank; a++) {
            int64_t low, high, all = dim_max(r->v->type.dim[a]);
            affine_range(r->sub[a].a, extent, &low, &high);
            int64_t span = r->sub[a].gather ? all : (high - low) / r->sub[a].div + 1;
            touched *= (double)(span < all ? span : all);
        }
        if (inner < ENOUGH_REUSE * touched) return false;
    }
    return true;
}

bool keeps_reuse_in_block(const Value *v, int n_outer, Arena *scratch) {
    const double SMALL_OPERAND = 16 << 10;
    if (!is_contraction(v)) return true;
    Reads reads = index_reads(v, scratch);
    for (int i = 0; i < reads.n; i++) {
        const Type *t = &reads.at[i]->read->v->type;
        bool is_shared = !scalar_uses_slot(reads.at[i], n_outer - 1);
        if (is_shared && (double)type_count(t) * elem_size[t->elem] > SMALL_OPERAND) return false;
    }
    return true;
}
