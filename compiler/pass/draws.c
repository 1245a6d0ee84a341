// Draws: a condition on random numbers in a long expression becomes a value of its own. Alone it
// is computed sixty-four points at once, for every reader, and takes a byte an element: in the
// thread's scratch where one region reads it, row by row.
#include <math.h>
#include <string.h>

#include "pass/fuse.h"

enum { AT_ONCE = 4 * LANES };

typedef struct Drawn {
    Arena *scratch;
    Map *kind;    // Scalar * to Kind, plus one
    Map *chosen;  // Scalar * (condition) to Value *, of the value under way
} Drawn;

typedef enum Kind { OTHER, OF_NUMBERS, OF_DRAWS } Kind;  // made of numbers alone; of draws, too

static Kind kind_of(Drawn *d, const Scalar *s) {
    if (s->op == OP_rand) return OF_DRAWS;
    if (s->op == OP_const) return OF_NUMBERS;
    uintptr_t known = (uintptr_t)map_get(d->kind, s);
    if (known) return (Kind)(known - 1);
    int n = op_info[s->op].arity;
    Kind kind = n ? OF_NUMBERS : OTHER;
    for (int i = 0; i < n && kind != OTHER; i++) {
        Kind below = kind_of(d, s->arg[i]);
        if (below != OF_NUMBERS) kind = below;
    }
    map_set(d->kind, s, (void *)((uintptr_t)kind + 1));
    return kind;
}

static void find_conditions(Drawn *d, Scalar *s, Map *seen) {
    if (map_has(seen, s)) return;
    map_set(seen, s, s);
    if (s->elem == ELEM_bool && kind_of(d, s) == OF_DRAWS) {
        map_set(d->chosen, s, NULL);
        return;
    }
    for (int i = 0; i < op_info[s->op].arity; i++) find_conditions(d, s->arg[i], seen);
}

static Scalar *read_condition(void *context, Module *m, Scalar *s) {
    const Drawn *d = context;
    return map_has(d->chosen, s) ? scalar_read_identity(m, map_get(d->chosen, s)) : s;
}

// What the expression costs without the conditions.
static double other_cost(const Drawn *d, Scalar *body) {
    double cost = scalar_cost(body, d->scratch);
    for (int i = 0; i < d->chosen->n; i++)
        cost -= scalar_cost((Scalar *)(uintptr_t)d->chosen->key[i], d->scratch);
    return cost;
}

static Value *lift_conditions(void *context, Module *m, Value *v) {
    enum { A_LONG_EXPRESSION = 24 };
    Drawn *d = context;
    if (v->op != VAL_index || v->index.nr || v->type.elem == ELEM_bool) return v;
    if (box_points(v->index.extent, v->index.np) < AT_ONCE) return v;
    d->chosen = map_new(d->scratch);
    find_conditions(d, v->index.body, map_new(d->scratch));
    if (!d->chosen->n || other_cost(d, v->index.body) <= A_LONG_EXPRESSION) return v;
    Index index = v->index;
    for (int i = 0; i < d->chosen->n; i++) {
        Scalar *condition = (Scalar *)(uintptr_t)d->chosen->key[i];
        Value *drawn = build_map(m, v->type.rank, v->type.dim, condition, v->span, v->hint);
        map_set(d->chosen, condition, drawn);
    }
    index.body = scalar_rewrite(m, index.body, read_condition, d);
    return build_index(m, &index, v->span, v->hint);
}

bool is_drawn(const Value *v, Arena *scratch) {
    if (v->op != VAL_index || v->index.nr || v->type.elem != ELEM_bool) return false;
    Drawn d = {.scratch = scratch, .kind = map_new(scratch)};
    return kind_of(&d, v->index.body) == OF_DRAWS;
}

void draws(Function *f, Arena *scratch) {
    Drawn d = {.scratch = scratch, .kind = map_new(scratch)};
    function_rewrite(f, lift_conditions, &d);
}

// ---- into the region that reads it

static bool nest_reads(const Nest *nest, const Value *v, Arena *scratch) {
    for (int i = 0; i < nest->members.n; i++) {
        Values operands = value_operands(nest->members.at[i].v, scratch);
        for (int k = 0; k < operands.n; k++)
            if (storage_root(operands.at[k]) == v) return true;
    }
    return false;
}

// The first nest of the region that reads v, or -1.
static int first_reader(const Region *region, const Value *v, Arena *scratch) {
    for (int i = 0; i < region->nests.n; i++)
        if (nest_reads(region->nests.at[i], v, scratch)) return i;
    return -1;
}

static bool reads_at_point(const Region *region, const Value *v, Arena *scratch) {
    for (int i = 0; i < region->nests.n; i++)
        for (int k = 0; k < region->nests.at[i]->members.n; k++) {
            const Value *reader = region->nests.at[i]->members.at[k].v;
            if (reader->op != VAL_index) return false;
            Reads reads = scalar_reads(reader->index.body, scratch);
            for (int r = 0; r < reads.n; r++) {
                const Read *read = reads.at[r]->read;
                if (storage_root(read->v) != v) continue;
                if (read->v != v || read_prefix(read) < region->n_outer) return false;
            }
        }
    return true;
}

// The outer slots under which a plain nest leaves rows that are drawn at once; 0 for none.
static int depth_of_rows(const Nest *nest) {
    enum { SHORT_ROW = 256 };
    const Value *leader = nest->members.at[0].v;
    if (leader->op != VAL_index || leader->index.nr) return 0;
    for (int depth = leader->index.np - 1; depth > 0; depth--)
        if (box_points(leader->index.extent + depth, leader->index.np - depth) >= SHORT_ROW)
            return depth;
    return 0;
}

// The number of outer slots that the region has with the draws in it, or 0.
static int depth_with(const Region *region, const Value *v, Arena *scratch) {
    int depth = region->n_outer;
    if (!depth && region->nests.n == 1) depth = depth_of_rows(region->nests.at[0]);
    if (!depth || depth >= v->type.rank) return 0;
    const Dim *outer = region->nests.at[0]->members.at[0].v->index.extent;
    double row = box_points(v->type.dim + depth, v->type.rank - depth);
    if (fmod(row, AT_ONCE) != 0) return 0;
    for (int i = 0; i < depth; i++)
        if (!dim_equal(outer[i], v->type.dim[i])) return 0;
    return reads_at_point(region, v, scratch) ? depth : 0;
}

static void insert_nest(Module *m, Region *region, int at, Nest *nest) {
    vec_push(m->arena, &region->nests, nest);
    for (int i = region->nests.n - 1; i > at; i--) region->nests.at[i] = region->nests.at[i - 1];
    region->nests.at[at] = nest;
}

static bool sink(FunctionSchedule *fs, Region *from, Arena *scratch) {
    Nest *nest = from->nests.at[0];
    Member *member = &nest->members.at[0];
    if (from->nests.n > 1 || nest->members.n > 1 || !is_drawn(member->v, scratch)) return false;
    Region *into = NULL;
    for (int i = 0; i < fs->regions.n; i++) {
        Region *region = fs->regions.at[i];
        if (region == from || first_reader(region, member->v, scratch) < 0) continue;
        if (into || region->scan) return false;
        into = region;
    }
    int depth = into ? depth_with(into, member->v, scratch) : 0;
    if (!depth || map_has(fs->target_of, member->v)) return false;
    for (int i = 0; i < fs->fn->results.n; i++)
        if (storage_root(fs->fn->results.at[i].v) == member->v) return false;
    insert_nest(fs->fn->m, into, first_reader(into, member->v, scratch), nest);
    into->n_outer = depth;
    memcpy(into->outer, member->v->type.dim, sizeof(Dim) * (size_t)depth);
    member->keep = KEEP_scratch;
    return true;
}

void sink_draws(FunctionSchedule *fs, Arena *scratch) {
    int n = 0;
    for (int i = 0; i < fs->regions.n; i++) {
        Region *region = fs->regions.at[i];
        if (sink(fs, region, scratch)) region->nests.n = 0;
    }
    for (int i = 0; i < fs->regions.n; i++) {
        Region *region = fs->regions.at[i];
        if (!region->nests.n) continue;
        region->id = n;
        fs->regions.at[n++] = region;
    }
    fs->regions.n = n;
}
