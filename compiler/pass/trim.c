#include "pass/trim.h"

#include "ir/build.h"
#include "ir/rewrite.h"

typedef struct Trim {
    Arena *arena;
    Map *used;    // VAL_scan to bool[parts]
    Map *number;  // VAL_scan to int[parts]: a part's number from now on
    Map *now;     // Value * to what replaces it
} Trim;

static int count_parts(const Scan *x) {
    return x->n_carry + x->n_tap;
}

static bool find_used(Trim *t, Values order) {
    bool has_unused = false;
    for (int i = 0; i < order.n; i++) {
        const Value *v = order.at[i];
        if (v->op == VAL_scan)
            map_set(t->used, v, NEW_ARRAY(t->arena, bool, count_parts(&v->scan)));
        if (v->op == VAL_part) {
            bool *used = map_get(t->used, v->part.scan);
            used[v->part.number] = true;
        }
    }
    for (int i = 0; i < t->used->n; i++) {
        const Scan *x = &((Value *)(uintptr_t)t->used->key[i])->scan;
        const bool *used = t->used->value[i];
        for (int k = x->n_carry; k < count_parts(x); k++) has_unused |= !used[k];
    }
    return has_unused;
}

static Value *trim_scan(Trim *t, Module *m, const Value *old, Value *v) {
    const bool *used = map_get(t->used, old);
    Scan x = v->scan;
    int *number = NEW_ARRAY(t->arena, int, count_parts(&x));
    Value **tap = NEW_ARRAY(t->arena, Value *, x.n_tap + 1);
    for (int i = 0; i < x.n_carry; i++) number[i] = i;
    x.n_tap = 0;
    for (int i = 0; i < v->scan.n_tap; i++) {
        if (!used[x.n_carry + i]) continue;
        number[x.n_carry + i] = x.n_carry + x.n_tap;
        tap[x.n_tap++] = v->scan.tap[i];
    }
    x.tap = tap;
    map_set(t->number, old, number);
    return build_scan(m, &x, v->span);
}

static Value *trim_value(Trim *t, Module *m, Value *old) {
    if (old->op == VAL_part) {
        const int *number = map_get(t->number, old->part.scan);
        return build_scan_part(m, map_get(t->now, old->part.scan), number[old->part.number],
                               old->span, old->hint);
    }
    Value *v = value_with_operands(m, old, t->now);
    return v->op == VAL_scan ? trim_scan(t, m, old, v) : v;
}

static bool trim_once(Function *f, Arena *arena) {
    Trim t = {arena, map_new(arena), map_new(arena), map_new(arena)};
    Values order = function_order(f, arena);
    if (!find_used(&t, order)) return false;
    for (int i = 0; i < order.n; i++)
        map_set(t.now, order.at[i], trim_value(&t, f->m, order.at[i]));
    for (int i = 0; i < f->results.n; i++) f->results.at[i].v = map_get(t.now, f->results.at[i].v);
    for (int i = 0; i < f->updates.n; i++) f->updates.at[i].v = map_get(t.now, f->updates.at[i].v);
    return true;
}

// A tap that is dropped may have been all that read another scan's.
bool trim_scans(Function *f) {
    Arena *arena = arena_new();
    bool changed = false;
    while (trim_once(f, arena)) changed = true;
    arena_free(arena);
    return changed;
}
