#include "ir/print.h"
#include "pass/schedule.h"

static const char *keep_name(Keep keep) {
    static const char *const text[] = {"register", "scratch", "stored"};
    return text[keep];
}

static void print_dim(Text *out, Dim d) {
    if (!d.by)
        text_printf(out, "%lld", (long long)d.n);
    else if (d.n == 1)
        text_add(out, d.by->name);
    else
        text_printf(out, "%lld*%s", (long long)d.n, d.by->name);
}

static void print_nest(Text *out, const Nest *nest) {
    text_add(out, nest->is_leaf ? "  nest once a block" : "  nest");
    int n = nest->n_parallel + nest->n_reduced;
    for (int i = 0; i < n; i++) {
        const Slot *s = &nest->slot[i];
        text_add(out, i == 0 ? " [" : i == nest->n_parallel ? " | " : ", ");
        text_printf(out, "s%d", s->first);
        if (s->n > 1) text_printf(out, "..s%d", s->first + s->n - 1);
        text_add(out, " < ");
        print_dim(out, s->extent);
        if (s->tile > 1)
            text_printf(out, " by %lld%s", (long long)s->tile, s->is_lanes ? " lanes" : "");
        if (s->block) text_printf(out, " in %lld", (long long)s->block);
    }
    if (n) text_add(out, "]");
    if (nest->packed) text_printf(out, " packs %%%d", nest->packed->read->v->id);
    text_add(out, "\n");
    if (nest->inner) {
        text_printf(out, "    steps of %%%d\n", nest->inner->scan->id);
        for (int i = 0; i < nest->inner->nests.n; i++) print_nest(out, nest->inner->nests.at[i]);
        return;
    }
    for (int i = 0; i < nest->members.n; i++) {
        text_printf(out, "    %-8s ", keep_name(nest->members.at[i].keep));
        print_value(out, nest->members.at[i].v);
        if (!out->n || out->at[out->n - 1] != '\n') text_add(out, "\n");
    }
}

void print_schedule(Text *out, const Schedule *s) {
    for (int i = 0; i < s->fns.n; i++) {
        const FunctionSchedule *fs = s->fns.at[i];
        text_printf(out, "fn %s\n", fs->fn->name);
        for (int r = 0; r < fs->regions.n; r++) {
            const Region *region = fs->regions.at[r];
            text_printf(out, "region r%d", region->id);
            for (int d = 0; d < region->n_outer; d++) {
                text_add(out, d ? ", " : " [");
                text_printf(out, "s%d < ", d);
                print_dim(out, region->outer[d]);
            }
            if (region->block > 1) text_printf(out, " by %lld", (long long)region->block);
            if (region->strip < region->block)
                text_printf(out, " in strips of %lld", (long long)region->strip);
            if (region->n_outer) text_add(out, "]");
            if (region->cost) text_printf(out, "  # about %.3g us", region->cost * 1e-3);
            text_add(out, "\n");
            for (int n = 0; n < region->nests.n; n++) print_nest(out, region->nests.at[n]);
        }
        text_add(out, "\n");
    }
}
