#include "pass/layout.h"

#include "pass/access.h"

struct Layouts {
    Arena *scratch;
    Map *readers;  // Value * to Values *
    Map *fixed;    // values whose memory something else looks at as rows
};

static void add_reader(Layouts *l, Value *v, Value *reader) {
    Values *readers = map_get(l->readers, v);
    if (!readers) {
        readers = NEW(l->scratch, Values);
        map_set(l->readers, v, readers);
    }
    vec_push(l->scratch, readers, reader);
    // A reshape sees rows, and what joins or scatters writes them.
    if (reader->op != VAL_index) map_set(l->fixed, v, v);
}

static void add_member(Layouts *l, Value *v) {
    Values operands = value_operands(v, l->scratch);
    for (int i = 0; i < operands.n; i++) {
        Value *operand = operands.at[i];
        add_reader(l, operand, v);
        for (; operand->op == VAL_reshape; operand = operand->of)
            map_set(l->fixed, operand->of, operand->of);
    }
}

Layouts *layouts_new(const FunctionSchedule *fs, Arena *scratch) {
    Layouts *l = NEW(scratch, Layouts);
    *l = (Layouts){scratch, map_new(scratch), map_new(scratch)};
    for (int i = 0; i < fs->regions.n; i++)
        for (int n = 0; n < fs->regions.at[i]->nests.n; n++) {
            const Nest *nest = fs->regions.at[i]->nests.at[n];
            for (int k = 0; k < nest->members.n; k++) add_member(l, nest->members.at[k].v);
        }
    for (int i = 0; i < fs->fn->results.n; i++) {
        Value *v = fs->fn->results.at[i].v;
        map_set(l->fixed, storage_root(v), v);
    }
    return l;
}

bool is_seen_as_rows(Layouts *l, Value *v) {
    return map_has(l->fixed, v);
}

static bool has_few_channels(const Type *t) {
    enum { FEW_CHANNELS = 8, WIDE_ENOUGH = 12 };
    Dim c = t->dim[t->rank - 1], w = t->dim[t->rank - 2], h = t->dim[t->rank - 3];
    return !c.by && !w.by && !h.by && c.n > 1 && c.n < FEW_CHANNELS && w.n >= WIDE_ENOUGH;
}

bool is_planar(Layouts *l, Value *v) {
    if (v->op != VAL_index || v->type.rank != 4 || map_has(l->fixed, v)) return false;
    if (has_few_channels(&v->type)) return true;
    Values *readers = map_get(l->readers, v);
    if (!readers || v->index.nr || v->type.dim[1].by || v->type.dim[2].by) return false;
    for (int i = 0; i < readers->n; i++) {
        Value *r = readers->at[i];
        if (!is_contraction(r) || r->type.rank != 4 || !has_few_channels(&r->type) ||
            map_has(l->fixed, r))
            return false;
    }
    return readers->n > 0;
}
