// Schedule: storage for every value that is kept, and for each nest the merged slots, the
// tile, the slot along the lanes and the order of loops, by one cost model.
#include "pass/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "ir/build.h"
#include "pass/access.h"
#include "pass/ahead.h"
#include "pass/fuse.h"
#include "pass/history.h"
#include "pass/in_place.h"
#include "pass/layout.h"
#include "pass/pass.h"
#include "pass/plan.h"
#include "pass/rows.h"
#include "pass/storage.h"

static bool is_result(const Function *f, const Value *v) {
    for (int i = 0; i < f->results.n; i++)
        if (storage_root(f->results.at[i].v) == v) return true;
    return false;
}

static void place_reshapes(Schedule *s, Value *v) {
    if (storage_of(s, v) || v->op != VAL_reshape) return;
    place_reshapes(s, v->of);
    if (storage_of(s, v->of)) place_reshape(s, v);
}

// Inputs of the same name in several functions are one buffer.
static void place_leaves(Schedule *s, Module *m) {
    for (int i = 0; i < m->params.n; i++) place_leaf(s, m->params.at[i]);
    for (int i = 0; i < m->states.n; i++) place_leaf(s, m->states.at[i]);
    Map *by_name = map_new(m->arena);
    for (int i = 0; i < m->fns.n; i++) {
        Function *f = m->fns.at[i];
        for (int k = 0; k < f->inputs.n; k++) {
            Value *v = f->inputs.at[k];
            Value *same = map_get(by_name, v->leaf.name);
            if (same)
                map_set(s->storage, v, storage_of(s, same));
            else
                place_leaf(s, v);
            if (!same) map_set(by_name, v->leaf.name, v);
        }
    }
}

// The scratch that v has in this region; other regions that compute v have their own.
static void note_replica(Schedule *s, Region *region, Value *v) {
    if (!region->replicas) region->replicas = map_new(s->m->arena);
    map_set(region->replicas, v, storage_of(s, v));
    if (region->rest) region->rest->replicas = region->replicas;
}

// What the steps of a scan leave is the carries' history: the parts; and what they find is the
// same memory, a step apart. Parts that are taps are what a member stores.
static void place_history(Schedule *s, const FunctionSchedule *fs, const Region *region,
                          Layouts *layouts, Arena *scratch) {
    const Scan *x = &region->scan->scan;
    for (int k = 0; k < x->n_carry; k++) {
        Value *leaf = x->carry[k].leaf;
        Value *part = build_scan_part(s->m, region->scan, k, leaf->span, leaf->hint);
        bool is_free = !is_seen_as_rows(layouts, part) && !is_seen_as_rows(layouts, leaf) &&
                       !is_seen_as_rows(layouts, region->written[k]);
        bool is_in_one = is_free && !region->started[k] && has_one_place(s->m, fs, region, k, scratch);
        if (is_in_one)
            place_in_one(s, part, x->axis);
        else
            place_stored(s, part, NULL, false, is_free ? LAYOUT_rows_outermost : LAYOUT_row_major);
        storage_of(s, part)->buffer->is_history = !is_in_one;
        storage_of(s, part)->buffer->is_moving = is_in_one;
        place_steps_of(s, leaf, part, x->axis, x->is_reverse ? 1 : 0);
        place_steps_of(s, region->written[k], part, x->axis, x->is_reverse ? 0 : 1);
        if (region->started[k])
            place_start_of(s, region->started[k], part, x->axis,
                           x->is_reverse ? leaf->type.dim[x->axis].n : 0);
    }
}

static Value *tap_part(Schedule *s, const Region *region, int i) {
    const Scan *x = &region->scan->scan;
    return build_scan_part(s->m, region->scan, x->n_carry + i, x->tap[i]->span, x->tap[i]->hint);
}

static void place_taps(Schedule *s, const Region *region) {
    const Scan *x = &region->scan->scan;
    for (int n = 0; n < region->nests.n; n++)
        if (region->nests.at[n]->inner) place_taps(s, region->nests.at[n]->inner);
    for (int i = 0; i < x->n_tap; i++)
        if (storage_of(s, x->tap[i]))
            place_steps_of(s, tap_part(s, region, i), x->tap[i], x->axis, 0);
}

// A tap's part is the same memory.
static bool is_tap_seen_as_rows(Schedule *s, Layouts *layouts, const Region *region, const Value *v) {
    const Scan *x = &region->scan->scan;
    for (int i = 0; i < x->n_tap; i++)
        if (x->tap[i] == v && is_seen_as_rows(layouts, tap_part(s, region, i))) return true;
    return false;
}

static Layout layout_of(Schedule *s, Layouts *layouts, const Region *region, Value *v, bool is_kept) {
    bool is_free = v->op == VAL_index && !is_kept && !is_seen_as_rows(layouts, v);
    if (is_free && region->scan) is_free = !is_tap_seen_as_rows(s, layouts, region, v);
    return is_free ? LAYOUT_rows_outermost : LAYOUT_row_major;
}

static void place_members(Schedule *s, FunctionSchedule *fs, Region *region, Layouts *layouts,
                          Arena *scratch) {
    if (region->scan) place_history(s, fs, region, layouts, scratch);
    for (int n = 0; n < region->nests.n; n++)
        if (region->nests.at[n]->inner)
            place_history(s, fs, region->nests.at[n]->inner, layouts, scratch);
    for (int n = 0; n < region->nests.n; n++) {
        Nest *nest = region->nests.at[n];
        for (int k = 0; k < nest->members.n; k++) {
            Member *member = &nest->members.at[k];
            Value *target = map_get(fs->target_of, member->v);
            bool is_kept = is_result(fs->fn, member->v);
            bool planar = !target && !is_kept && !region->scan && is_planar(layouts, member->v);
            if (region->scan && storage_of(s, member->v))
                continue;  // in a carry's history
            if (member->keep == KEEP_stored)
                place_stored(s, member->v, target, is_kept,
                             planar ? LAYOUT_planar
                                    : layout_of(s, layouts, region, member->v, target || is_kept));
            else if (member->keep == KEEP_scratch && region->block > 1)
                place_rows(s, member->v, region,
                           are_rows_lanes(region, member->v) && !is_seen_as_rows(layouts, member->v));
            else if (member->keep == KEEP_scratch)
                place_scratch(s, member->v, region->n_outer,
                              planar && region->n_outer <= member->v->type.rank - 3);
            if (member->is_replica && member->keep == KEEP_scratch)
                note_replica(s, region, member->v);
        }
    }
}

// What does not depend on inputs may be a value of several functions, and lie elsewhere in each.
static void begin_storage(Schedule *s, FunctionSchedule *fs, const Map *leaves) {
    fs->storage = s->storage = map_new(s->m->arena);
    for (int i = 0; i < leaves->n; i++) map_set_int(s->storage, leaves->key[i], leaves->value[i]);
}

static void place_scan_reshapes(Schedule *s, const Region *region, Arena *scratch) {
    Values operands = value_operands(region->scan, scratch);
    for (int i = 0; i < operands.n; i++) place_reshapes(s, operands.at[i]);
    for (int n = 0; n < region->nests.n; n++)
        if (region->nests.at[n]->inner) place_scan_reshapes(s, region->nests.at[n]->inner, scratch);
}

static void place_function(Schedule *s, FunctionSchedule *fs, Arena *scratch) {
    Layouts *layouts = layouts_new(fs, scratch);
    for (int i = 0; i < fs->regions.n; i++) place_members(s, fs, fs->regions.at[i], layouts, scratch);
    for (int i = 0; i < fs->regions.n; i++)
        if (fs->regions.at[i]->scan) place_taps(s, fs->regions.at[i]);
    place_in_place(s, fs, scratch);
    // What is read or returned through reshapes.
    for (int i = 0; i < fs->regions.n; i++)
        for (int n = 0; n < fs->regions.at[i]->nests.n; n++) {
            Nest *nest = fs->regions.at[i]->nests.at[n];
            for (int k = 0; k < nest->members.n; k++) {
                Values operands = value_operands(nest->members.at[k].v, scratch);
                for (int o = 0; o < operands.n; o++) place_reshapes(s, operands.at[o]);
            }
        }
    for (int i = 0; i < fs->regions.n; i++)
        if (fs->regions.at[i]->scan) place_scan_reshapes(s, fs->regions.at[i], scratch);
    for (int i = 0; i < fs->fn->results.n; i++) place_reshapes(s, fs->fn->results.at[i].v);
}

static void plan_region(Schedule *s, Region *region, Arena *scratch) {
    s->replicas = region->replicas;
    choose_ahead(s, region, scratch);
    for (int n = 0; n < region->nests.n; n++) {
        Nest *nest = region->nests.at[n];
        if (nest->inner) {
            plan_region(s, nest->inner, scratch);
            region->cost += nest->inner->cost / (double)dim_max(region->outer[0]);
        } else {
            region->cost += plan_nest(s, region, nest, scratch);
        }
    }
    for (int d = 0; d < region->n_outer; d++)
        region->cost *= (double)dim_max(region->outer[d]);
    region->cost /= (double)region->block;
}

void pass_schedule(Pass *p) {
    Schedule *s = p->schedule;
    s->storage = map_new(p->m->arena);
    s->kept = map_new(p->m->arena);
    Arena *scratch = arena_new();
    place_leaves(s, p->m);
    const Map *leaves = s->storage;
    for (int i = 0; i < s->fns.n; i++) {
        FunctionSchedule *fs = s->fns.at[i];
        begin_storage(s, fs, leaves);
        place_function(s, fs, scratch);
        for (int r = 0; r < fs->regions.n; r++) {
            plan_region(s, fs->regions.at[r], scratch);
            if (fs->regions.at[r]->rest) plan_region(s, fs->regions.at[r]->rest, scratch);
        }
    }
    arena_free(scratch);
}

void pass_fuse(Pass *p) {
    Schedule *s = NEW(p->m->arena, Schedule);
    s->m = p->m;
    Arena *scratch = arena_new();
    for (int i = 0; i < p->m->fns.n; i++) {
        Function *f = p->m->fns.at[i];
        halo(f, scratch);
        axes(f, scratch);
        substitute(f, scratch);
        turn(f, scratch);
        draws(f, scratch);
    }
    // Grouping looks at what all functions give.
    for (int i = 0; i < p->m->fns.n; i++) {
        vec_push(p->m->arena, &s->fns, group(p->m->fns.at[i], scratch));
        replicate(p->m, s->fns.at[i], scratch);
        sink_draws(s->fns.at[i], scratch);
        choose_blocks(s, s->fns.at[i]);
    }
    arena_free(scratch);
    p->schedule = s;
}
