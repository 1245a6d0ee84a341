// Whole splits: `digits.train.image` is the field `image` over all rows of a split.
//
// It is the field's expression over inputs of the split's extent, `digits.train.image` and so
// on, which the runtime fills once. The extent is known at run time; its largest value follows
// from the data block's `rows` and `split`.
#include <math.h>
#include <string.h>

#include "sema/elab.h"

static const char *const split_names[] = {"train", "valid", "test"};
enum { TRAIN, VALID, TEST, N_SPLITS };

// ---- the most rows

static const SplitSpec *find_split(const Sema *s, int split) {
    for (int i = 0; i < s->spec->splits.n; i++)
        if (is_word(s->spec->splits.at[i].name, split_names[split])) return &s->spec->splits.at[i];
    return NULL;
}

// Some formats hold test rows of their own.
static bool has_split(const Sema *s, int split) {
    if (find_split(s, split)) return true;
    bool is_apart = is_word(s->spec->format, "idx") || is_word(s->spec->format, "folder");
    return split == TEST ? is_apart : split == TRAIN && !s->spec->splits.n;
}

// Of all splits; 0 where there is no bound.
static int64_t bound(const Sema *s) {
    return s->spec->most_rows ? s->spec->most_rows : s->spec->rows;
}

// 0 where it is not known.
static int64_t most_rows_of(const Sema *s, int split) {
    const SplitSpec *x = find_split(s, split);
    if (!x) return has_split(s, split) ? bound(s) : 0;
    if (x->share <= 0) return x->rows;
    if (!bound(s)) return 0;
    // Shares are added up before they are rounded.
    double most = floor(x->share * (double)bound(s)) + 1;
    return most < (double)bound(s) ? (int64_t)most : bound(s);
}

// Cross-validation deals the rows of train and valid anew.
static int64_t extent_of_split(const Sema *s, int split) {
    int64_t most = most_rows_of(s, split);
    int other = split == TRAIN ? VALID : TRAIN;
    if (!most || split == TEST || !find_split(s, other)) return most;
    int64_t more = most_rows_of(s, other), both = more ? most + more : 0;
    return bound(s) && both > bound(s) ? bound(s) : both;
}

static const Extent *split_extent(Sema *s, int split, Span at) {
    const char *id = split_names[split];
    int64_t most = extent_of_split(s, split);
    if (most) return module_extent(s->m, id, most);
    if (bound(s) || !s->spec->format) return NULL;  // an error was reported
    Diag *d = sema_error(s, at, "the most rows of `%s.%s` are not known", s->data->name, id);
    diag_help(d, "give the data block a bound, as `rows 2000`");
    return NULL;
}

// ---- names

static Exp *rows_of(Sema *s, int split) {
    Exp *e = NEW(s->arena, Exp);
    e->kind = EXP_rows;
    e->split = split;
    return e;
}

Exp *whole_data(Sema *s, const Node *data, Span at) {
    if (!s->entry)
        return fail(s, at, "rows of `%s` are not there when the program is compiled", data->name);
    if (data != s->data) {
        Diag *d = sema_error(s, at, "`%s` is not the data that is trained on", data->name);
        diag_help(d, "whole splits are those of the data block that `train ... on` names");
        return exp_error;
    }
    return rows_of(s, -1);
}

int need_split(Sema *s, Name word, Span at) {
    for (int i = 0; i < N_SPLITS; i++)
        if (is_word(word, split_names[i])) return i;
    Diag *d = sema_error(s, at, "unknown split `%s`; there are train, valid and test", word);
    const char *best = nearest(word, split_names, N_SPLITS);
    if (best) diag_help(d, "did you mean `%s`?", best);
    return -1;
}

static Exp *member_split(Sema *s, const Node *n) {
    int split = need_split(s, n->name, n->name_span);
    if (split < 0) return exp_error;
    if (has_split(s, split)) return rows_of(s, split);
    return fail(s, n->name_span, "the data block `%s` has no %s split", s->data->name, n->name);
}

static Exp *unknown_field(Sema *s, const Node *n) {
    Diag *d = sema_error(s, n->name_span, "the data block `%s` has no field `%s`", s->data->name,
                         n->name);
    const char **names = NEW_ARRAY(s->arena, const char *, s->fields->n + 1);
    for (int i = 0; i < s->fields->n; i++) names[i] = (const char *)(uintptr_t)s->fields->key[i];
    const char *best = nearest(n->name, names, s->fields->n);
    if (best) diag_help(d, "did you mean `%s`?", best);
    return exp_error;
}

static Exp *member_field(Sema *s, int split, const Node *n) {
    const Node *field = map_get(s->fields, n->name);
    if (!field) return unknown_field(s, n);
    const Extent *outside = s->rows, *own = split_extent(s, split, n->span);
    if (!own) return exp_error;
    s->rows = own;
    Exp *e = field_value(s, field);
    s->rows = outside;
    return e;
}

Exp *whole_member(Sema *s, const Exp *of, const Node *n) {
    return of->split < 0 ? member_split(s, n) : member_field(s, of->split, n);
}

// ---- inputs

const char *rows_name(Sema *s, const Extent *by, const char *name) {
    if (by == s->batch) return name;
    return arena_printf(s->arena, "%s.%s.%s", s->data->name, by->name, name);
}

const char *count_name(Sema *s, const Extent *by, const char *name) {
    return by == s->batch ? name : arena_printf(s->arena, "%s.%s", name, by->name);
}

bool is_of_split(const Sema *s, const Value *v) {
    if (v->op != VAL_input) return false;
    if (v->type.rank) return v->type.dim[0].by && v->type.dim[0].by != s->batch;
    for (int i = 0; i < s->m->extents.n; i++) {
        const Extent *by = s->m->extents.at[i];
        const char *dot = strrchr(v->leaf.name, '.');
        bool is_count = !strncmp(v->leaf.name, "run.rows.", 9) ||
                        !strncmp(v->leaf.name, "run.inv_rows.", 13);
        if (is_count && dot && !strcmp(dot + 1, by->name)) return true;
    }
    return false;
}
