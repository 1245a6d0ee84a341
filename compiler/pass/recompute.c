#include "pass/recompute.h"

// The values that v reads and that have not far fewer elements than v; the last in *source.
static int large_sources(const Value *v, Arena *scratch, Value **source) {
    enum { SMALL = 16 };
    int n = 0;
    Reads reads = scalar_reads(v->index.body, scratch);
    for (int i = 0; i < reads.n; i++) {
        Value *of = reads.at[i]->read->v;
        if (SMALL * box_points(of->type.dim, of->type.rank) <= box_points(v->type.dim, v->type.rank))
            continue;
        n++;
        *source = of;
    }
    return n;
}

Value *large_source(const Value *v, Arena *scratch) {
    Value *source = NULL;
    return large_sources(v, scratch, &source) == 1 ? source : NULL;
}

// Takes what one evaluation of s costs from *left, in vector operations. False where s draws,
// gathers or divides subscripts, and where nothing is left.
static bool is_plain(Scalar *s, double *left) {
    const double READ = 0.5, INTEGER = 0.1;  // what slots alone decide is no vector operation
    if (op_is_draw(s->op) || *left < 0) return false;
    if (s->op == OP_read) {
        const Read *r = s->read;
        *left -= READ;
        for (int i = 0; i < r->v->type.rank; i++)
            if (r->sub[i].gather || r->sub[i].div != 1) return false;
        for (int i = 0; i < r->n_guard; i++)
            if (r->guard[i].s) return false;
        return !r->n_guard || is_plain(r->otherwise, left);
    }
    if (op_info[s->op].arity) *left -= elem_is_real(s->elem) ? op_info[s->op].cost : INTEGER;
    for (int i = 0; i < op_info[s->op].arity; i++)
        if (!is_plain(s->arg[i], left)) return false;
    return *left >= 0;
}

bool is_cheap_padded(const Value *v) {
    double cheap = 24;
    return v->op == VAL_index && !v->index.nr && is_plain(v->index.body, &cheap);
}

bool is_cheap_again(const Value *v, Arena *scratch) {
    double cheap = 8;
    Value *source;
    if (v->op != VAL_index || v->index.nr || !is_plain(v->index.body, &cheap)) return false;
    return large_sources(v, scratch, &source) <= 1;
}

bool is_short_again(const Value *v, Arena *scratch) {
    const double SHORT = 48;
    double as_tree = 4000;  // shared parts are counted wherever they stand
    return v->op == VAL_index && !v->index.nr && is_plain(v->index.body, &as_tree) &&
           scalar_cost(v->index.body, scratch) <= SHORT;
}

bool is_short_product(const Value *v) {
    enum { SHORT = 64 };
    return is_contraction(v) && !v->index.n_where &&
           box_points(v->index.extent + v->index.np, v->index.nr) <= SHORT;
}
