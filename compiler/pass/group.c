// Group: which values are computed together, and in what order.
//
// Values are taken operands first. Each joins the nest of one that it reads at the same
// point, else the region of one that it reads under the same leading indices, else begins
// a region of its own. An edge of the graph between regions never closes a cycle.
//
// A parameter or state is updated in place where every other reader of its old value can
// come first; that is an edge, too. Otherwise a copy at the end moves the new value in.
#include <string.h>

#include "ir/recur.h"
#include "ir/share.h"
#include "pass/fuse.h"
#include "pass/reuse.h"
#include "pass/rows.h"

typedef struct Group {
    Region *region;
    VEC(struct Group *) needs;  // groups that must come before
    VEC(struct Group *) users;  // those that need this one
    int level;                  // above those of all that it needs
    bool is_closed;             // takes no more members
    int mark;
    bool is_placed;
} Group;

typedef struct Grouping {
    Module *m;
    Arena *scratch;
    Function *f;
    Values order;        // scheduled values, joins and reshapes too, operands first
    Map *group_of;       // Value * to Group *
    Map *nest_of;        // Value * to Nest *
    Map *extra;          // Value * to Values *: what must also come before it
    Map *readers;        // Value * (leaf) to Values *
    Map *users;          // Value * to Values *: what reads it or must come after it
    Map *target_of;      // Value * to Value *: the leaf that it updates in place
    Map *scan_of;        // Value * to the VAL_scan whose steps compute it
    Map *region_of;      // VAL_scan to Region *
    VEC(Group *) groups;
    VEC(Update) copies;  // updates that can't be in place
    int mark;
} Grouping;

static bool is_leaf(const Value *v) {
    return v->op <= VAL_state;
}

Value *storage_root(Value *v) {
    while (v->op == VAL_reshape) v = v->of;
    return v;
}

static Values *values_in(Arena *a, Map *map, Value *key) {
    Values *v = map_get(map, key);
    if (!v) {
        v = NEW(a, Values);
        map_set(map, key, v);
    }
    return v;
}

// ---- order, with updates after the readers of what they replace

// All that must come after v.
static Map *users_of(Grouping *g, Value *v) {
    Map *found = map_new(g->scratch);
    map_set(found, v, v);
    for (int i = 0; i < found->n; i++) {
        const Values *users = map_get_int(g->users, found->key[i]);
        for (int k = 0; users && k < users->n; k++) map_set(found, users->at[k], users->at[k]);
    }
    return found;
}

// v is computed after `before`, though it does not read it.
static void add_extra(Grouping *g, Value *v, Value *before) {
    vec_push(g->scratch, values_in(g->scratch, g->extra, v), before);
    vec_push(g->scratch, values_in(g->scratch, g->users, before), v);
}

// A reshape of the leaf is the same memory, seen at other points.
static bool reads_at_point(Grouping *g, Value *v, Value *leaf) {
    if (v->op != VAL_index || v->index.nr) return false;
    Reads reads = scalar_reads(v->index.body, g->scratch);
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        if (storage_root(r->v) != leaf) continue;
        if (r->v != leaf || !read_is_identity(r, v->index.np)) return false;
    }
    return true;
}

static bool scalar_reads_leaf(Grouping *g, Scalar *s, const Value *leaf) {
    if (!s) return false;
    Reads reads = scalar_reads(s, g->scratch);
    for (int i = 0; i < reads.n; i++)
        if (storage_root(reads.at[i]->read->v) == leaf) return true;
    return false;
}

// Does an accumulate look at the leaf other than to start from it?
static bool scatter_reads(Grouping *g, const Value *v, const Value *leaf) {
    const Accumulate *a = &v->accumulate;
    bool reads = scalar_reads_leaf(g, a->body, leaf);
    for (int i = 0; i < a->n_where; i++) reads |= scalar_reads_leaf(g, a->where[i].s, leaf);
    for (int i = 0; i < v->type.rank; i++) reads |= scalar_reads_leaf(g, a->target[i].gather, leaf);
    return reads;
}

static bool has_reader(const Values *readers, const Value *v) {
    for (int i = 0; readers && i < readers->n; i++)
        if (readers->at[i] == v) return true;
    return false;
}

// The result of an entry point has memory of its own, even where it is of another one.
static bool is_some_result(const Module *m, const Value *v) {
    for (int i = 0; i < m->fns.n; i++)
        for (int k = 0; k < m->fns.at[i]->results.n; k++)
            if (storage_root(m->fns.at[i]->results.at[k].v) == v) return true;
    return false;
}

// May the update of `target` write over the old value when v is computed?
static bool can_update_in_place(Grouping *g, Value *target, Value *v) {
    if (is_some_result(g->m, v)) return false;
    if ((v->op != VAL_index && v->op != VAL_accumulate) || map_has(g->target_of, v)) return false;
    if (v->type.elem != target->type.elem || !type_same_shape(&v->type, &target->type)) return false;
    Values *readers = map_get(g->readers, target);
    if (v->op == VAL_index && has_reader(readers, v) && !reads_at_point(g, v, target)) return false;
    if (v->op == VAL_accumulate && scatter_reads(g, v, target)) return false;
    const Map *after = users_of(g, v);
    for (int i = 0; readers && i < readers->n; i++)
        if (readers->at[i] != v && map_has(after, readers->at[i])) return false;
    return true;
}

static Value plain_copy(Grouping *g, Value *v, Span span) {
    Dim *extent = arena_copy(g->m->arena, v->type.dim, sizeof(Dim) * MAX_RANK);
    Value copy = {.op = VAL_index, .type = v->type, .span = span, .hint = v->hint};
    copy.index = (Index){.np = v->type.rank, .extent = extent,
                         .body = scalar_read_identity(g->m, v)};
    return copy;
}

static Value *copy_of(Grouping *g, Value *v, Span span) {
    // Not shared with anything: a copy is a place, not a meaning.
    Value *copy = NEW(g->m->arena, Value);
    *copy = plain_copy(g, v, span);
    copy->id = g->m->n_value++;
    return copy;
}

static void add_order(Grouping *g, Value *v, Map *seen) {
    if (map_has(seen, v)) return;
    map_set(seen, v, v);
    Values operands = value_operands(v, g->scratch);
    for (int i = 0; i < operands.n; i++) add_order(g, operands.at[i], seen);
    Values *extra = map_get(g->extra, v);
    for (int i = 0; extra && i < extra->n; i++) add_order(g, extra->at[i], seen);
    if (!is_leaf(v)) vec_push(g->scratch, &g->order, v);
}

static void find_readers(Grouping *g) {
    Values order = function_order(g->f, g->scratch);
    for (int i = 0; i < order.n; i++) {
        Value *v = order.at[i];
        Values operands = value_operands(v, g->scratch);
        for (int k = 0; k < operands.n; k++) {
            Value *root = storage_root(operands.at[k]);
            vec_push(g->scratch, values_in(g->scratch, g->users, operands.at[k]), v);
            if (v->op == VAL_reshape || !is_leaf(root)) continue;
            Values *readers = values_in(g->scratch, g->readers, root);
            if (!readers->n || readers->at[readers->n - 1] != v)
                vec_push(g->scratch, readers, v);
        }
    }
}

static bool is_updated(const Function *f, const Value *leaf) {
    for (int i = 0; i < f->updates.n; i++)
        if (f->updates.at[i].target == leaf) return true;
    return false;
}

// The value, or a copy of it where it is the old value of what is updated. It stands in the
// function, so it is shared as everything there.
static Value *kept_value(Grouping *g, Value *v) {
    Value *root = storage_root(v);
    bool is_old = is_leaf(root) && is_updated(g->f, root);
    if (!is_old && root->op != VAL_part) return v;
    Value copy = plain_copy(g, v, v->span);
    return share_value(g->m, &copy);
}

// An old value that is a result, or the new value of something else (two that change
// places), needs memory of its own; so does what lies in a scan's history.
static void copy_old_values(Grouping *g) {
    for (int i = 0; i < g->f->results.n; i++) {
        Result *r = &g->f->results.at[i];
        r->v = kept_value(g, r->v);
    }
    for (int i = 0; i < g->f->updates.n; i++) {
        Update *u = &g->f->updates.at[i];
        if (u->v != u->target) u->v = kept_value(g, u->v);
    }
}

// Settles which updates are in place and puts the values in order.
static void find_order(Grouping *g) {
    copy_old_values(g);
    find_readers(g);
    for (int i = 0; i < g->f->updates.n; i++) {
        Update *u = &g->f->updates.at[i];
        if (u->v == u->target) continue;
        Values *readers = map_get(g->readers, u->target);
        Value *v = u->v;
        if (can_update_in_place(g, u->target, v)) {
            map_set(g->target_of, v, u->target);
        } else {
            v = copy_of(g, v, u->span);
            map_set(g->target_of, v, u->target);
            vec_push(g->scratch, &g->copies, ((Update){u->target, v, u->span}));
        }
        for (int k = 0; readers && k < readers->n; k++)
            if (readers->at[k] != v) add_extra(g, v, readers->at[k]);
    }
    Map *seen = map_new(g->scratch);
    for (int i = 0; i < g->f->results.n; i++) add_order(g, g->f->results.at[i].v, seen);
    for (int i = 0; i < g->f->updates.n; i++) add_order(g, g->f->updates.at[i].v, seen);
    for (int i = 0; i < g->copies.n; i++) add_order(g, g->copies.at[i].v, seen);
}

// ---- groups

typedef VEC(Group *) Groups;

static void add_writer(Grouping *g, Value *v, Groups *out) {
    Group *group = map_get(g->group_of, storage_root(v));
    if (group) vec_push(g->scratch, out, group);
}

static Groups needs_of(Grouping *g, Value *v) {
    Groups out = {0};
    Values operands = value_operands(v, g->scratch);
    for (int i = 0; i < operands.n; i++) add_writer(g, operands.at[i], &out);
    Values *extra = map_get(g->extra, v);
    for (int i = 0; extra && i < extra->n; i++) add_writer(g, extra->at[i], &out);
    return out;
}

typedef struct Search {
    Grouping *g;
    const Group *to;
    Groups found;
} Search;

// Groups at or below the level of `to` do not come after it.
static void look_at(Search *s, const Group *from, Group *group) {
    if (group == from || group->mark == s->g->mark) return;
    if (group != s->to && group->level <= s->to->level) return;
    group->mark = s->g->mark;
    vec_push(s->g->scratch, &s->found, group);
}

// Would adding v to `group` make the group wait for itself? The nearest come first: what
// comes after the group mostly does so by few steps.
static bool closes_cycle(Grouping *g, Group *group, const Groups *needs) {
    Search s = {.g = g, .to = group};
    g->mark++;
    for (int i = 0; i < needs->n; i++) look_at(&s, group, needs->at[i]);
    for (int i = 0; i < s.found.n; i++) {
        if (s.found.at[i] == group) return true;
        for (int k = 0; k < s.found.at[i]->needs.n; k++)
            look_at(&s, NULL, s.found.at[i]->needs.at[k]);
    }
    return false;
}

// Raises the group above what it needs, and what needs it above the group.
static void raise_level(Grouping *g, Group *group, int level) {
    if (group->level >= level) return;
    Groups raised = {0};
    group->level = level;
    vec_push(g->scratch, &raised, group);
    while (raised.n) {
        const Group *below = raised.at[--raised.n];
        for (int i = 0; i < below->users.n; i++) {
            Group *user = below->users.at[i];
            if (user->level > below->level) continue;
            user->level = below->level + 1;
            vec_push(g->scratch, &raised, user);
        }
    }
}

static void add_needs(Grouping *g, Group *group, const Groups *needs) {
    for (int i = 0; i < needs->n; i++) {
        Group *need = needs->at[i];
        bool has = need == group;
        for (int k = 0; k < group->needs.n && !has; k++) has = group->needs.at[k] == need;
        if (has) continue;
        vec_push(g->scratch, &group->needs, need);
        vec_push(g->scratch, &need->users, group);
        raise_level(g, group, need->level + 1);
    }
}

static bool same_box(const Value *a, const Value *b) {
    if (a->op != VAL_index || b->op != VAL_index || a->index.np != b->index.np) return false;
    for (int i = 0; i < a->index.np; i++)
        if (!dim_equal(a->index.extent[i], b->index.extent[i])) return false;
    return true;
}

static int nest_place(const Group *group, const Nest *nest) {
    for (int i = 0; i < group->region->nests.n; i++)
        if (group->region->nests.at[i] == nest) return i;
    return -1;
}

static Reads reads_of(Grouping *g, Value *v) {
    return index_reads(v, g->scratch);
}

// Is some reader of the old value of what v updates in this group, other than at the same
// point of the same nest?
static bool overwrites_early(Grouping *g, Value *v, const Group *group, const Nest *nest) {
    Value *target = map_get(g->target_of, v);
    if (!target) return false;
    Values *readers = map_get(g->readers, target);
    for (int i = 0; readers && i < readers->n; i++) {
        Value *r = readers->at[i];
        if (r == v || map_get(g->group_of, r) != group) continue;
        if (!nest || map_get(g->nest_of, r) != nest || !reads_at_point(g, r, target)) return true;
    }
    return false;
}

// Leading axes of a read of a member that are the region's outer slots, seen through
// reshapes that keep them.
static int shared_prefix(const Read *r) {
    int n = read_prefix(r);
    for (const Value *v = r->v; v->op == VAL_reshape; v = v->of) {
        int same = 0;
        while (same < v->type.rank && same < v->of->type.rank &&
               dim_equal(v->type.dim[same], v->of->type.dim[same]))
            same++;
        if (same < n) n = same;
    }
    return n;
}

static bool can_join_nest(Grouping *g, Value *v, Group *group, Nest *nest) {
    Value *leader = nest->members.at[0].v;
    if (v->index.nr || !same_box(leader, v) || nest->is_leaf) return false;
    if (overwrites_early(g, v, group, nest)) return false;
    int place = nest_place(group, nest);
    Reads reads = reads_of(g, v);
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        Value *root = storage_root(r->v);
        if (map_get(g->group_of, root) != group) continue;
        if (root->op != VAL_index) return false;
        Nest *other = map_get(g->nest_of, root);
        if (other == nest) {
            if (r->v != root || !read_is_identity(r, v->index.np)) return false;
        } else if (nest_place(group, other) > place ||
                   shared_prefix(r) < group->region->n_outer) {
            return false;
        }
    }
    return true;
}

typedef bool KeepsReuse(const Value *v, int n_outer, Arena *scratch);

static bool all_keep(Grouping *g, const Region *region, Value *v, int depth, KeepsReuse *keeps) {
    if (!keeps(v, depth, g->scratch)) return false;
    for (int i = 0; i < region->nests.n; i++) {
        const Nest *nest = region->nests.at[i];
        if (!nest->is_leaf && !keeps(nest->members.at[0].v, depth, g->scratch)) return false;
    }
    return true;
}

// May v and the members go by blocks of rows? Then region->block says so.
static bool can_join_block(Grouping *g, Value *v, Region *region, int depth) {
    if (dim_max(v->index.extent[depth - 1]) < LANES) return false;
    if (!all_keep(g, region, v, depth, keeps_reuse_in_block)) return false;
    Region with = *region;
    Nest nest = {0};
    with.n_outer = depth;
    memset(&with.nests, 0, sizeof with.nests);
    for (int i = 0; i < region->nests.n; i++)
        vec_push(g->scratch, &with.nests, region->nests.at[i]);
    vec_push(g->scratch, &nest.members, ((Member){v, KEEP_stored}));
    vec_push(g->scratch, &with.nests, &nest);
    return fits_block(&with);
}

// The number of outer loops under which v can follow the group's nests; 0 for none.
static int region_depth(Grouping *g, Value *v, Group *group) {
    Region *region = group->region;
    Value *first = region->nests.at[0]->members.at[0].v;
    int depth = region->n_outer;
    const Dim *outer = region->outer;
    if (region->nests.n == 1 && !depth) {
        if (first->op != VAL_index) return 0;
        depth = first->index.np;
        outer = first->index.extent;
    }
    if (depth > v->index.np) depth = v->index.np;
    for (int i = 0; i < depth; i++)
        if (!dim_equal(outer[i], v->index.extent[i])) depth = i;
    Reads reads = reads_of(g, v);
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        Value *root = storage_root(r->v);
        if (map_get(g->group_of, root) != group) continue;
        if (root->op != VAL_index) return 0;
        int prefix = shared_prefix(r);
        if (prefix < depth) depth = prefix;
    }
    return depth;
}

static bool can_join_region(Grouping *g, Value *v, Group *group, int *depth) {
    enum { ENOUGH_OUTER = 2 };
    if (group->is_closed || overwrites_early(g, v, group, NULL)) return false;
    *depth = region_depth(g, v, group);
    if (!*depth || box_points(v->index.extent, *depth) < ENOUGH_OUTER) return false;
    Region *region = group->region;
    if (region->block > 1)
        return *depth == region->n_outer && can_join_block(g, v, region, *depth);
    if (*depth < region->n_outer && has_contraction(region)) return false;
    if (all_keep(g, region, v, *depth, keeps_reuse))
        return keeps_shared(g->m, region, v, *depth, g->scratch);
    if (can_join_block(g, v, region, *depth)) {
        region->block = LANES;
        return true;
    }
    // Two that make a region have it where both keep their reuse: all places of a sample's head.
    for (int d = *depth - 1; d > 0 && !region->n_outer; d--) {
        if (box_points(v->index.extent, d) < ENOUGH_OUTER) return false;
        if (!all_keep(g, region, v, d, keeps_reuse)) continue;
        *depth = d;
        return keeps_shared(g->m, region, v, d, g->scratch);
    }
    return false;
}

// Leaves of blocks of rows that this region computes: once a block. What reads no member may
// be read anywhere.
static bool can_join_as_leaf(Grouping *g, Value *v, Group *group) {
    Region *region = group->region;
    const Value *first = region->nests.at[0]->members.at[0].v;
    if (group->is_closed || overwrites_early(g, v, group, NULL) || first->op != VAL_index)
        return false;
    if (region->n_outer > 1 || !first->index.np || first->index.extent[0].by) return false;
    Reads reads = reads_of(g, v);
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        if (map_get(g->group_of, storage_root(r->v)) != group) continue;
        if (r->v->op != VAL_index || !is_leaf_of(r, &v->index)) return false;
        if (!dim_equal(r->v->type.dim[0], first->index.extent[0])) return false;
        if (((Nest *)map_get(g->nest_of, r->v))->is_leaf) return false;
    }
    if (has_contraction(region)) return false;
    Region deep = *region;
    deep.n_outer = 1;
    return fits_block(&deep);
}

static void add_member(Grouping *g, Group *group, Nest *nest, Value *v) {
    vec_push(g->m->arena, &nest->members, ((Member){v, KEEP_stored}));
    map_set(g->group_of, v, group);
    map_set(g->nest_of, v, nest);
}

static void set_outer(Region *region, const Value *v, int depth) {
    region->n_outer = depth;
    memcpy(region->outer, v->index.extent, sizeof(Dim) * (size_t)depth);
}

static Group *new_group(Grouping *g, Value *v, const Groups *needs) {
    Group *group = NEW(g->scratch, Group);
    group->region = NEW(g->m->arena, Region);
    Nest *nest = NEW(g->m->arena, Nest);
    vec_push(g->m->arena, &group->region->nests, nest);
    vec_push(g->scratch, &g->groups, group);
    add_member(g, group, nest, v);
    add_needs(g, group, needs);
    group->is_closed = v->op != VAL_index || is_drawn(v, g->scratch);
    return group;
}

static bool join_some_nest(Grouping *g, Value *v, const Groups *needs) {
    for (int i = needs->n - 1; i >= 0; i--) {
        Group *group = needs->at[i];
        if (group->is_closed || closes_cycle(g, group, needs)) continue;
        for (int k = group->region->nests.n - 1; k >= 0; k--) {
            Nest *nest = group->region->nests.at[k];
            if (!can_join_nest(g, v, group, nest)) continue;
            add_member(g, group, nest, v);
            add_needs(g, group, needs);
            return true;
        }
    }
    return false;
}

static void add_nest(Grouping *g, Group *group, const Groups *needs, Value *v) {
    Nest *nest = NEW(g->m->arena, Nest);
    vec_push(g->m->arena, &group->region->nests, nest);
    add_member(g, group, nest, v);
    add_needs(g, group, needs);
}

static bool join_some_region(Grouping *g, Value *v, const Groups *needs) {
    for (int i = needs->n - 1; i >= 0; i--) {
        Group *group = needs->at[i];
        int depth;
        if (closes_cycle(g, group, needs) || !can_join_region(g, v, group, &depth)) continue;
        set_outer(group->region, v, depth);
        add_nest(g, group, needs, v);
        return true;
    }
    return false;
}

// Does the region read some operand of v under the same leading indices as v would?
static bool reads_alike(Grouping *g, const Region *region, const Value *reader, Value *operand) {
    Reads reads = index_reads(reader, g->scratch);
    for (int i = 0; i < reads.n; i++) {
        const Read *r = reads.at[i]->read;
        if (r->v == operand && shared_prefix(r) >= region->n_outer) return true;
    }
    return false;
}

// A contraction joins the region of others that read what it reads: the gradients of attention's
// keys and values, head by head.
static bool join_beside(Grouping *g, Value *v, const Groups *needs) {
    Values operands = value_operands(v, g->scratch);
    for (int i = 0; i < operands.n && is_contraction(v); i++) {
        const Values *users = map_get(g->users, operands.at[i]);
        if (!map_get(g->group_of, storage_root(operands.at[i]))) continue;
        for (int k = 0; users && k < users->n; k++) {
            Value *other = users->at[k];
            Group *group = map_get(g->group_of, other);
            if (!group || other->op != VAL_index || !group->region->n_outer) continue;
            const Region *region = group->region;
            int depth;
            if (region->block > 1 || !reads_alike(g, region, other, operands.at[i]) ||
                !reads_alike(g, region, v, operands.at[i]) || closes_cycle(g, group, needs) ||
                !can_join_region(g, v, group, &depth) || depth != region->n_outer)
                continue;
            add_nest(g, group, needs, v);
            return true;
        }
    }
    return false;
}

static bool join_as_leaf(Grouping *g, Value *v, const Groups *needs) {
    for (int i = needs->n - 1; i >= 0; i--) {
        Group *group = needs->at[i];
        if (closes_cycle(g, group, needs) || !can_join_as_leaf(g, v, group)) continue;
        Region *region = group->region;
        set_outer(region, region->nests.at[0]->members.at[0].v, 1);
        region->block = LANES;
        Nest *nest = NEW(g->m->arena, Nest);
        nest->is_leaf = true;
        vec_push(g->m->arena, &region->nests, nest);
        add_member(g, group, nest, v);
        add_needs(g, group, needs);
        return true;
    }
    return false;
}

// ---- scans: all that the steps compute is one region

static Region *region_of_scan(Grouping *g, Value *scan) {
    const Scan *x = &scan->scan;
    Region *region = map_get(g->region_of, scan);
    if (region) return region;
    region = NEW(g->m->arena, Region);
    region->scan = scan;
    region->written = NEW_ARRAY(g->m->arena, Value *, x->n_carry);
    region->started = NEW_ARRAY(g->m->arena, Value *, x->n_carry);
    region->block = region->strip = 1;
    region->n_outer = x->axis + 1;
    for (int i = 0; i <= x->axis; i++) region->outer[i] = x->carry[0].leaf->type.dim[i];
    map_set(g->region_of, scan, region);
    return region;
}

// That of the outermost scan around it.
static Group *group_of_scan(Grouping *g, Value *scan) {
    for (Value *around; (around = map_get(g->scan_of, scan));) scan = around;
    Group *group = map_get(g->group_of, scan);
    if (group) return group;
    group = NEW(g->scratch, Group);
    group->region = region_of_scan(g, scan);
    group->is_closed = true;
    vec_push(g->scratch, &g->groups, group);
    map_set(g->group_of, scan, group);
    return group;
}

static void place_step(Grouping *g, Value *scan, Value *v) {
    Group *group = group_of_scan(g, scan);
    Groups needs = needs_of(g, v);
    Region *region = region_of_scan(g, scan);
    Nest *nest = NULL;
    bool may_join = v->op == VAL_index && region == group->region;
    for (int k = region->nests.n - 1; k >= 0 && !nest && may_join; k--) {
        Nest *last = region->nests.at[k];
        if (!last->inner && can_join_nest(g, v, group, last)) nest = last;
    }
    if (!nest) {
        nest = NEW(g->m->arena, Nest);
        vec_push(g->m->arena, &region->nests, nest);
    }
    add_member(g, group, nest, v);
    add_needs(g, group, &needs);
}

// The steps of a scan inside another's: behind what its carries start from.
static void place_inner(Grouping *g, Value *around, Value *scan) {
    Region *region = region_of_scan(g, scan);
    for (int k = 0; k < scan->scan.n_carry; k++) {
        region->started[k] = copy_of(g, scan->scan.carry[k].init, scan->span);
        place_step(g, around, region->started[k]);
    }
    Nest *nest = NEW(g->m->arena, Nest);
    nest->inner = region;
    for (int i = 0; i < region->nests.n; i++)
        for (int k = 0; k < region->nests.at[i]->members.n; k++)
            vec_push(g->m->arena, &nest->members, region->nests.at[i]->members.at[k]);
    vec_push(g->m->arena, &region_of_scan(g, around)->nests, nest);
}

// What a step leaves has to be a member that lies in this carry's history alone: where it is not,
// a copy of it does.
static void place_scan(Grouping *g, Value *scan) {
    const Scan *x = &scan->scan;
    Group *group = group_of_scan(g, scan);
    Region *region = region_of_scan(g, scan);
    Value *around = map_get(g->scan_of, scan);
    for (int k = 0; k < x->n_carry; k++) {
        Value *next = x->carry[k].next;
        bool is_own = next->op == VAL_index && map_get(g->scan_of, next) == scan;
        for (int i = 0; i < k; i++) is_own &= region->written[i] != next;
        if (!is_own) {
            next = copy_of(g, next, scan->span);
            place_step(g, scan, next);
        }
        region->written[k] = next;
    }
    Groups needs = needs_of(g, scan);
    add_needs(g, group, &needs);
    map_set(g->group_of, scan, group);
    if (around) place_inner(g, around, scan);
}

static void find_steps(Grouping *g) {
    g->scan_of = map_new(g->scratch);
    g->region_of = map_new(g->scratch);
    Values order = function_order(g->f, g->scratch);
    for (int i = 0; i < order.n; i++) {
        if (order.at[i]->op != VAL_scan) continue;
        Members members = scan_members(&order.at[i]->scan, g->scratch);
        for (int k = 0; k < members.list.n; k++)
            map_set(g->scan_of, members.list.at[k], order.at[i]);
    }
}

static void place_value(Grouping *g, Value *v) {
    Value *scan = map_get(g->scan_of, v);
    if (v->op == VAL_reshape || v->op == VAL_carry) return;
    if (v->op == VAL_part) return map_set(g->group_of, v, map_get(g->group_of, v->part.scan));
    if (v->op == VAL_scan) return place_scan(g, v);
    if (scan) return place_step(g, scan, v);
    Groups needs = needs_of(g, v);
    if (v->op == VAL_index && (join_some_nest(g, v, &needs) || join_some_region(g, v, &needs) ||
                               join_beside(g, v, &needs) || join_as_leaf(g, v, &needs)))
        return;
    new_group(g, v, &needs);
}

// ---- where each member is kept

static void keep_members(Region *region, const Map *stored, const Map *in_scratch) {
    for (int n = 0; n < region->nests.n; n++) {
        Nest *nest = region->nests.at[n];
        if (nest->inner) keep_members(nest->inner, stored, in_scratch);
        for (int k = 0; k < nest->members.n; k++) {
            Member *member = &nest->members.at[k];
            if (member->v->op != VAL_index || map_has(stored, member->v))
                member->keep = KEEP_stored;
            else
                member->keep = map_has(in_scratch, member->v) ? KEEP_scratch : KEEP_register;
        }
    }
}

static void find_keeps(Grouping *g) {
    Map *stored = map_new(g->scratch), *in_scratch = map_new(g->scratch);
    for (int i = 0; i < g->f->results.n; i++) {
        Value *root = storage_root(g->f->results.at[i].v);
        map_set(stored, root, root);
    }
    for (int i = 0; i < g->order.n; i++) {
        Value *v = g->order.at[i];
        if (map_has(g->target_of, v)) map_set(stored, v, v);
        if (v->op == VAL_reshape) continue;
        Values operands = value_operands(v, g->scratch);
        for (int k = 0; k < operands.n; k++) {
            Value *root = storage_root(operands.at[k]);
            if (v->op == VAL_scan) map_set(stored, root, root);
            if (map_get(g->group_of, root) != map_get(g->group_of, v) || root->op != VAL_index)
                map_set(stored, root, root);
            else if (map_get(g->nest_of, root) != map_get(g->nest_of, v) || root != operands.at[k])
                map_set(in_scratch, root, root);
        }
    }
    for (int i = 0; i < g->region_of->n; i++) {
        const Region *region = g->region_of->value[i];
        for (int k = 0; k < region->scan->scan.n_carry; k++) {
            map_set(stored, region->written[k], region->scan);
            if (region->started[k]) map_set(stored, region->started[k], region->scan);
        }
    }
    for (int i = 0; i < g->groups.n; i++) {
        Region *region = g->groups.at[i]->region;
        if (region->scan) split_rows(region, g->scratch);
        keep_members(region, stored, in_scratch);
    }
}

static void emit_group(Group *group, FunctionSchedule *out, Module *m) {
    if (group->is_placed) return;
    group->is_placed = true;
    for (int i = 0; i < group->needs.n; i++) emit_group(group->needs.at[i], out, m);
    group->region->id = out->regions.n;
    vec_push(m->arena, &out->regions, group->region);
}

FunctionSchedule *group(Function *f, Arena *scratch) {
    Grouping g = {.m = f->m, .scratch = scratch, .f = f};
    g.group_of = map_new(scratch);
    g.nest_of = map_new(scratch);
    g.extra = map_new(scratch);
    g.readers = map_new(scratch);
    g.users = map_new(scratch);
    g.target_of = map_new(f->m->arena);
    find_order(&g);
    find_steps(&g);
    for (int i = 0; i < g.order.n; i++) place_value(&g, g.order.at[i]);
    FunctionSchedule *out = NEW(f->m->arena, FunctionSchedule);
    out->fn = f;
    out->target_of = g.target_of;
    for (int i = 0; i < g.groups.n; i++) emit_group(g.groups.at[i], out, f->m);
    find_keeps(&g);
    return out;
}
