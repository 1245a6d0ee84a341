// Axes: a contraction whose axes are in another order than those of what it is computed from gets
// theirs. So the product of attention's weights and values, [sample, place, head, ...], can be
// computed head by head, where the weights are.
//
// Regions share leading axes (group.c). The new order makes more of those that a contraction shares
// with an operand, without losing as many of those that it shares with its readers. What is left
// in its place is a permuted copy, which `substitute` puts into its readers.
#include <string.h>

#include "ir/recur.h"
#include "pass/fuse.h"

typedef struct Axes {
    Arena *scratch;
    Map *readers;  // Value * to Values *
} Axes;

static void find_readers(Axes *x, const Values *all) {
    for (int i = 0; i < all->n; i++) {
        Values operands = value_operands(all->at[i], x->scratch);
        for (int k = 0; k < operands.n; k++) {
            Values *readers = map_get(x->readers, operands.at[k]);
            if (!readers) map_set(x->readers, operands.at[k], readers = NEW(x->scratch, Values));
            vec_push(x->scratch, readers, all->at[i]);
        }
    }
}

// The parallel slots that the leading axes of a read are, one after the other.
static int leading_slots(const Read *r, int np, int *slot) {
    int n = 0;
    unsigned seen = 0;
    for (; n < r->v->type.rank; n++) {
        const Subscript *s = &r->sub[n];
        if (s->a.n != 1 || !read_is_slot(r, n, s->a.t[0].slot)) break;
        slot[n] = s->a.t[0].slot;
        if (slot[n] >= np || (seen >> slot[n] & 1)) break;
        seen |= 1u << slot[n];
    }
    return n;
}

// How many leading axes v shares with the operand that is computed and shares the most, where its
// slots are in the given order.
static int shared_with_operands(const Axes *x, const Value *v, const int *order) {
    Reads reads = index_reads(v, x->scratch);
    int most = 0, slot[MAX_RANK];
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        if (r->v->op != VAL_index) continue;
        int n = leading_slots(r, v->index.np, slot), same = 0;
        while (same < n && slot[same] == order[same]) same++;
        if (same > most) most = same;
    }
    return most;
}

// The same of its readers.
static int shared_with_readers(const Axes *x, const Value *v, const int *order) {
    const Values *readers = map_get(x->readers, v);
    int most = 0;
    for (int i = 0; readers && i < readers->n; i++) {
        if (readers->at[i]->op != VAL_index) continue;
        Reads reads = index_reads(readers->at[i], x->scratch);
        for (int k = 0; k < reads.n; k++) {
            const Read *r = reads.at[k]->read;
            int same = 0;
            if (r->v != v) continue;
            while (same < v->type.rank && read_is_slot(r, order[same], same)) same++;
            if (same > most) most = same;
        }
    }
    return most;
}

// The slots of one read first, the others behind them as they are.
static void order_of(const Value *v, const Read *r, int *order) {
    int n = leading_slots(r, v->index.np, order);
    unsigned seen = 0;
    for (int i = 0; i < n; i++) seen |= 1u << order[i];
    for (int s = 0; s < v->index.np; s++)
        if (!(seen >> s & 1)) order[n++] = s;
}

// Operands count double: what is computed where they are need not be stored.
static int worth(const Axes *x, const Value *v, const int *order) {
    return 2 * shared_with_operands(x, v, order) + shared_with_readers(x, v, order);
}

static bool find_best(const Axes *x, const Value *v, int *best) {
    for (int s = 0; s < v->index.np; s++) best[s] = s;
    int most = worth(x, v, best), order[MAX_SLOTS];
    bool found = false;
    Reads reads = index_reads(v, x->scratch);
    for (int i = 0; i < reads.n; i++) {
        if (reads.at[i]->read->v->op != VAL_index) continue;
        order_of(v, reads.at[i]->read, order);
        int now = order[0] ? 0 : worth(x, v, order);  // samples stay outermost
        if (now <= most) continue;
        most = now;
        found = true;
        memcpy(best, order, sizeof *best * (size_t)v->index.np);
    }
    return found;
}

// What follows the contraction at the same points would lose it as the leader of their nest.
static bool has_followers(const Axes *x, const Value *v) {
    const Values *readers = map_get(x->readers, v);
    for (int i = 0; readers && i < readers->n; i++) {
        const Value *r = readers->at[i];
        if (r->op != VAL_index) return true;
        Reads reads = index_reads(r, x->scratch);
        for (int k = 0; k < reads.n; k++)
            if (reads.at[k]->read->v == v && !r->index.nr &&
                read_is_identity(reads.at[k]->read, r->index.np))
                return true;
    }
    return !readers;
}

// v with its slots in the order, read as v.
static Value *permuted(Module *m, const Value *v, const int *order) {
    const Index *x = &v->index;
    int np = x->np, n = np + x->nr;
    Affine to[MAX_SLOTS], at[MAX_RANK];
    Dim extent[MAX_SLOTS];
    for (int i = 0; i < np; i++) {
        extent[i] = x->extent[order[i]];
        to[order[i]] = affine_slot(m, i);
        at[i] = affine_slot(m, order[i]);
    }
    for (int i = np; i < n; i++) extent[i] = x->extent[i], to[i] = affine_slot(m, i);
    Index index = *x;
    index.extent = extent;
    index.body = scalar_subst(m, x->body, to);
    Value *other = build_index(m, &index, v->span, v->hint);
    return build_map(m, np, x->extent, scalar_read_at(m, other, at), v->span, NULL);
}

// In the order of the graph's own values, whose readers are known.
void axes(Function *f, Arena *scratch) {
    Axes x = {scratch, map_new(scratch)};
    OpenValues open = {scratch, map_new(scratch)};
    Map *now = map_new(scratch);
    Values all = function_order(f, scratch);
    int order[MAX_SLOTS];
    find_readers(&x, &all);
    for (int i = 0; i < all.n; i++) {
        Value *v = all.at[i], *made = value_with_operands(f->m, v, now);
        bool may = !is_of_step(&open, v) && is_contraction(v) && !v->index.n_where;
        if (may && !has_followers(&x, v) && find_best(&x, v, order))
            made = permuted(f->m, made, order);
        map_set(now, v, made);
    }
    for (int i = 0; i < f->results.n; i++) f->results.at[i].v = map_get(now, f->results.at[i].v);
    for (int i = 0; i < f->updates.n; i++) f->updates.at[i].v = map_get(now, f->updates.at[i].v);
}
