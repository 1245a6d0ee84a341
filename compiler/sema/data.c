// The data block: where rows come from, and what the program makes of a file's columns.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sema/elab.h"

static const char *const formats[] = {"csv",         "idx",  "folder", "npy",      "npz",
                                      "safetensors", "text", "pairs",  "generated"};
enum { N_FORMAT = sizeof formats / sizeof *formats };

static bool is_format(Name id) {
    for (int i = 0; i < N_FORMAT; i++)
        if (is_word(id, formats[i])) return true;
    return false;
}

// "a, b and c"
static const char *list_words(Sema *s, const char *const *word, int n) {
    Text *t = text_new(s->arena);
    for (int i = 0; i < n; i++)
        text_printf(t, "%s%s", i == 0 ? "" : i == n - 1 ? " and " : ", ", word[i]);
    return t->at;
}

// ---- entries

// The program links what it needs of the runtime.
void need_part(Sema *s, const char *symbol) {
    for (int i = 0; i < s->spec->parts.n; i++)
        if (!strcmp(s->spec->parts.at[i], symbol)) return;
    vec_push(s->arena, &s->spec->parts, symbol);
}

static const Node *string_arg(Sema *s, const Node *call) {
    const Node *args = call->kid[1];
    if (args->n == 1 && args->kid[0]->kind == NODE_string) return args->kid[0];
    fail(s, call->span, "the path stands in quotes: `%s(\"PATH\")`", call->kid[0]->name);
    return NULL;
}

// generated(10000): so many rows without a file.
static void read_generated(Sema *s, const Node *call) {
    const Node *args = call->kid[1];
    int64_t rows = 0;
    s->spec->format = call->kid[0]->name;
    s->spec->path = "";
    s->spec->rows = 1;
    if (args->n != 1) {
        fail(s, call->span, "`generated` takes the number of rows: `generated(10000)`");
    } else if (need_int(s, args->kid[0], &rows) && (rows < 1 || rows > INT32_MAX)) {
        fail(s, args->kid[0]->span, "the number of rows lies from 1 to %d", INT32_MAX);
    } else if (rows) {
        s->spec->rows = rows;
    }
}

static void read_from(Sema *s, const Node *entry) {
    const Node *call = entry->kid[0];
    const Node *callee = call->kind == NODE_call ? call->kid[0] : NULL;
    if (entry_args(entry) != 1 || !callee || callee->kind != NODE_name) {
        fail(s, entry->span, "`from` takes `csv(\"PATH\")` or another format with its path");
        return;
    }
    if (!is_format(callee->name)) {
        Diag *d = sema_error(s, callee->span, "unknown format `%s`", callee->name);
        const char *best = nearest(callee->name, formats, N_FORMAT);
        if (best) diag_help(d, "did you mean `%s`?", best);
        else diag_help(d, "the formats are %s", list_words(s, formats, N_FORMAT));
        return;
    }
    if (is_word(callee->name, "generated")) {
        read_generated(s, call);
        return;
    }
    if (is_word(callee->name, "text") || is_word(callee->name, "pairs")) {
        read_texts(s, call);
        return;
    }
    const Node *path = string_arg(s, call);
    if (!path) return;
    s->spec->format = callee->name;
    s->spec->path = path->text;
    need_part(s, arena_printf(s->arena, "nn_reader_%s", callee->name));
    if (!is_word(callee->name, "folder")) return;
    vec_push(s->arena, &s->spec->libraries, "jpeg");
    vec_push(s->arena, &s->spec->libraries, "png");
}

static void read_split(Sema *s, const Node *entry) {
    double shares = 0;
    for (int i = 0; i < entry_args(entry); i++) {
        const Node *n = entry->kid[i];
        Name word = count_word(n);
        if (!word) {
            fail(s, n->span, "a split is `train 80%%`, `train 55000` or `train(2 * n)`");
            continue;
        }
        if (need_split(s, word, n->span) < 0) continue;
        for (int k = 0; k < s->spec->splits.n; k++)
            if (s->spec->splits.at[k].name == word) fail(s, n->span, "a second `%s`", word);
        SplitSpec split = {.name = word};
        Number x;
        if (!need_count(s, n, &x)) continue;
        double size = number_value(x);
        bool is_share = (n->kind == NODE_count && strchr(n->text, '%')) || !number_is_int(x);
        if (is_share)
            split.share = size;
        else
            split.rows = x.num;
        if (size <= 0 || (is_share && size > 1))
            fail(s, n->span, "a split needs a share up to 100%%, or some rows");
        shares += split.share;
        vec_push(s->arena, &s->spec->splits, split);
    }
    if (shares > 1 + 1e-9) fail(s, entry->span, "the shares add up to %g%%", 100 * shares);
}

// The most rows that there may be.
static void read_rows(Sema *s, const Node *entry) {
    int64_t *most = &s->spec->most_rows;
    if (entry_args(entry) != 1) {
        fail(s, entry->span, "`rows` takes one number");
    } else if (need_int(s, entry->kid[0], most) && (*most < 1 || *most > INT32_MAX)) {
        fail(s, entry->kid[0]->span, "`rows` lies from 1 to %d", INT32_MAX);
        *most = 1;
    }
}

static const char *const known_entries[] = {"from",  "split",   "rows",   "seed",
                                            "where", "windows", "stream", "vocabulary"};
enum { N_KNOWN = sizeof known_entries / sizeof *known_entries };

static void read_entry(Sema *s, const Node *entry) {
    if (read_text_entry(s, entry)) return;
    if (is_word(entry->name, "from")) {
        read_from(s, entry);
    } else if (is_word(entry->name, "split")) {
        read_split(s, entry);
    } else if (is_word(entry->name, "rows")) {
        read_rows(s, entry);
    } else if (is_word(entry->name, "where")) {
        read_choice(s, entry);
    } else if (is_word(entry->name, "seed")) {
        need_int(s, entry->kid[0], &s->spec->split_seed);
    } else {
        Diag *d = sema_error(s, entry->span, "unknown entry `%s` of a data block", entry->name);
        const char *best = nearest(entry->name, known_entries, N_KNOWN);
        if (best) diag_help(d, "did you mean `%s`?", best);
    }
}

static void lose_fields(Sema *s, const Node *broken) {
    for (int i = 0; i < broken->n; i++)
        if (!map_has(s->fields, broken->kid[i]->name))
            map_set(s->fields, broken->kid[i]->name, broken->kid[i]);
}

void read_data(Sema *s) {
    s->fields = map_new(s->arena);
    if (!s->data) return;
    s->spec->split_seed = 1;
    frame_push(s, NULL, s->data->span);
    for (int i = 0; i < s->data->n; i++) {
        const Node *n = s->data->kid[i];
        const Node *old = map_get(s->fields, n->name);
        if (n->kind == NODE_entry) {
            read_entry(s, n);
        } else if (n->kind == NODE_broken) {
            lose_fields(s, n);
        } else if (old && old->kind == NODE_field) {
            fail(s, n->name_span, "the field `%s` is defined twice", n->name);
        } else {
            map_set(s->fields, n->name, (void *)n);
        }
    }
    check_single(s, s->data, known_entries, N_KNOWN);
    check_text(s);
    if (!s->spec->format && !diag_errors(s->c->diags))
        fail(s, s->data->name_span,
             "the data block says nothing of where rows come from: `from csv(\"PATH\")`");
    frame_pop(s);
}

void make_fields(Sema *s) {
    for (int i = 0; i < s->fields->n; i++) {
        const Node *n = s->fields->value[i];
        frame_set(s, s->frame, VAR_field, n->name, NULL, n->name_span)->node = n;
    }
}

// ---- inputs of fields

Type batched(Sema *s, const Type *row, Elem elem, int64_t below) {
    Type t = type_scalar(elem);
    t.rank = row->rank + 1;
    t.dim[0] = dim_of(s->rows);
    memcpy(t.dim + 1, row->dim, sizeof *row->dim * (size_t)row->rank);
    t.below = below;
    return t;
}

// The first input of a field has the field's name.
Exp *field_input(Sema *s, FieldSpec spec, Elem elem, int64_t below) {
    const Node *field = s->being.node;
    const char *id = ++s->being.n_input == 1
                         ? field->name
                         : arena_printf(s->arena, "%s.%d", field->name, s->being.n_input);
    spec.name = sema_name(s, id);
    spec.type = batched(s, &s->being.type, elem, below);
    spec.classes = below;
    spec.span = field->span;
    bool is_known = false;
    for (int i = 0; i < s->spec->fields.n; i++) is_known |= s->spec->fields.at[i].name == spec.name;
    if (!is_known) vec_push(s->arena, &s->spec->fields, spec);
    Value *v = build_input(s->entry->fn, rows_name(s, s->rows, id), spec.type, field->span);
    for (int i = 0; i < s->being.type.rank; i++) set_origin(s, v, i + 1, s->being.from[i]);
    return exp_stored(s, v);
}

Value *run_sample(Sema *s) {
    Type row = type_scalar(ELEM_i32);
    const char *id = rows_name(s, s->rows, "run.sample");
    Type t = batched(s, &row, ELEM_i32, s->spec->rows);
    return build_input(s->entry->fn, id, t, s->data ? s->data->span : (Span){0});
}

// [height, width] or [height, width, 1 or 3].
static bool is_image(Sema *s) {
    const Type *t = &s->being.type;
    int64_t channels = t->rank > 2 ? t->dim[2].n : 1;
    if ((t->rank == 2 || t->rank == 3) && (channels == 1 || channels == 3)) return true;
    fail(s, s->being.node->span,
         "images have height, width and channels, 1 or 3: `%s: [32, 32, 3] = images`",
         s->being.node->name);
    return false;
}

// `where` reads rows by their fields.
static bool is_field(Sema *s, Name part) {
    if (s->being.node->kind == NODE_field) return true;
    fail(s, s->being.node->span, "`where` is over fields: give `%s` a name in a field of its own",
         part);
    return false;
}

typedef struct Columns {
    VEC(const char *) at;
    VEC(const char *) until;  // of a range by place, else NULL
    bool has_places;          // how many columns there are is known when the header is read
} Columns;

static void push_column(Sema *s, Columns *c, const char *name, const char *until) {
    vec_push(s->arena, &c->at, name);
    vec_push(s->arena, &c->until, until);
    c->has_places |= until != NULL;
}

static const char *column_name(const Node *n) {
    return n->kind == NODE_name ? n->name : n->kind == NODE_string ? n->text : NULL;
}

// p0 .. p63 by number; age .. s6 by place in the header.
static bool add_range(Sema *s, Columns *c, const Node *n) {
    const char *a = column_name(n->kid[0]), *b = column_name(n->kid[1]);
    if (!a || !b) {
        fail(s, n->span, "a range of columns is `p0 .. p63` or `first .. last`");
        return false;
    }
    size_t i = strlen(a);
    while (i > 0 && isdigit((unsigned char)a[i - 1])) i--;
    bool by_number = a[i] && !strncmp(a, b, i) && b[i] && strlen(a + i) <= 6 && strlen(b + i) <= 6;
    for (const char *d = by_number ? b + i : ""; *d; d++)
        by_number &= isdigit((unsigned char)*d) != 0;
    if (!by_number) {
        push_column(s, c, a, b);
        return true;
    }
    int from = atoi(a + i), to = atoi(b + i);
    for (int k = from; k <= to; k++)
        push_column(s, c, arena_printf(s->arena, "%.*s%d", (int)i, a, k), NULL);
    if (to < from) fail(s, n->span, "the range of columns is empty");
    return to >= from;
}

static bool add_column(Sema *s, Columns *c, const Node *n) {
    if (n->kind == NODE_range) return add_range(s, c, n);
    if (column_name(n)) push_column(s, c, column_name(n), NULL);
    else fail(s, n->span, "columns are names of the file's header");
    return column_name(n) != NULL;
}

// The arguments of `column` and its kin; false where an error was reported.
static bool add_columns(Sema *s, Columns *c, const Node *args) {
    bool are_good = true;
    for (int i = 0; i < args->n; i++) are_good &= add_column(s, c, args->kid[i]);
    return are_good;
}

static bool has_arrays(const Sema *s) {
    return is_word(s->spec->format, "npy") || is_word(s->spec->format, "npz") ||
           is_word(s->spec->format, "safetensors");
}

// array(name)
static Exp *read_array(Sema *s, const Node *call) {
    const Node *args = call->kid[1], *n = args->n == 1 ? args->kid[0] : NULL;
    bool is_named = n && (n->kind == NODE_name || n->kind == NODE_string);
    if (!has_arrays(s))
        return fail(s, call->span, "`array` reads a file of arrays: npy, npz or safetensors");
    if (!is_named) return fail(s, call->span, "`array` takes a name: `array(x)`");
    FieldSpec spec = {.part = n->kind == NODE_name ? n->name : n->text};
    int64_t below = s->being.type.below;
    return field_input(s, spec, below ? ELEM_i32 : s->m->real, below);
}

static Exp *read_columns(Sema *s, const Node *call) {
    const Node *args = call->kid[1];
    Columns c = {0};
    if (!is_word(s->spec->format, "csv"))
        return fail(s, call->span, "`%s` reads a CSV file", call->kid[0]->name);
    if (!add_columns(s, &c, args)) return exp_error;
    int64_t places = type_count(&s->being.type);
    if (c.has_places ? c.at.n > places : c.at.n != places)
        return fail(s, call->span, "%d column%s for a field of %lld number%s", c.at.n,
                    c.at.n == 1 ? "" : "s", (long long)places, places == 1 ? "" : "s");
    FieldSpec spec = {.column = c.at.at, .until = c.until.at, .n_column = c.at.n};
    int64_t below = s->being.type.below;
    return field_input(s, spec, below ? ELEM_i32 : s->m->real, below);
}

// category(c): a class for each distinct text of the column.
static Exp *read_category(Sema *s, const Node *call) {
    const Node *args = call->kid[1];
    Columns c = {0};
    if (!is_word(s->spec->format, "csv"))
        return fail(s, call->span, "`category` reads a CSV file");
    if (!add_columns(s, &c, args)) return exp_error;
    if (c.at.n != 1 || c.has_places)
        return fail(s, call->span, "`category` takes one column: `category(kind)`");
    if (s->being.type.rank || !s->being.type.below)
        return fail(s, s->being.node->span, "categories are classes: `%s: class(3) = category(%s)`",
                    s->being.node->name, c.at.at[0]);
    need_part(s, "nn_words_insert");
    FieldSpec spec = {.column = c.at.at, .until = c.until.at, .n_column = 1, .is_words = true};
    return field_input(s, spec, ELEM_i32, s->being.type.below);
}

// A field's expression is written for a row: what has fewer axes than it is the same all over the
// row, so its other axes come last, behind ones.
Exp *align_rows(Sema *s, Exp *e, int rank) {
    if (!s->being.node || s->frame->def || !is_tensor(e)) return e;
    Shape own = exp_axes(s, e), wide = {0};
    if (own.rank == 0 || own.rank >= rank || own.axis[0].dim.by != s->rows) return e;
    Scalar *body = exp_at(s, e, &own);
    wide.axis[wide.rank++] = own.axis[0];
    while (wide.rank <= rank - own.rank)
        wide.axis[wide.rank++] = axis_new(s, dim_const(1), (Span){0});
    for (int i = 1; i < own.rank; i++) wide.axis[wide.rank++] = own.axis[i];
    return exp_body(s, body, &wide);
}

// What fields read of a file by a name that stands in it.
static const struct {
    const char *word, *usage;
    Exp *(*read)(Sema *s, const Node *call);
} reads[] = {{"column", "column(c)", read_columns},
             {"columns", "columns(p0 .. p63)", read_columns},
             {"category", "category(c)", read_category},
             {"array", "array(x)", read_array}};
enum { N_READS = sizeof reads / sizeof *reads };

const char *field_word(int i) {
    static const char *const part[] = {"images", "labels", "index"};
    enum { N_PART = sizeof part / sizeof *part };
    if (i < N_READS) return reads[i].word;
    return i < N_READS + N_PART ? part[i - N_READS] : text_word(i - N_READS - N_PART);
}

Exp *field_part(Sema *s, Name id) {
    for (int i = 0; i < N_READS && s->being.node && !s->frame->def; i++)
        if (is_word(id, reads[i].word))
            return !is_field(s, id) ? exp_error
                                    : fail(s, s->being.node->kid[1]->span,
                                           "`%s` takes names of the file: `%s`", id, reads[i].usage);
    Exp *text = text_part(s, id);
    if (text) return text;
    bool is_images = is_word(id, "images"), is_labels = is_word(id, "labels");
    if (s->being.node && !s->frame->def && is_word(id, "index")) return exp_stored(s, run_sample(s));
    if (!s->being.node || (!is_images && !is_labels)) return NULL;
    if (!s->spec->format) return exp_error;
    bool is_folder = is_word(s->spec->format, "folder");
    if (!is_folder && !is_word(s->spec->format, "idx")) return NULL;
    FieldSpec spec = {.part = id, .is_words = is_labels && is_folder};
    if (!is_field(s, id)) return exp_error;
    if (is_images) return is_folder && !is_image(s) ? exp_error : field_input(s, spec, ELEM_u8, 0);
    if (s->being.type.rank || !s->being.type.below)
        return fail(s, s->being.node->span, "labels are classes: `%s: class(10) = labels`",
                    s->being.node->name);
    return field_input(s, spec, ELEM_i32, s->being.type.below);
}

Exp *field_call(Sema *s, const Node *call) {
    const Node *callee = call->kid[0];
    if (!s->being.node || s->frame->def || callee->kind != NODE_name) return NULL;
    for (int i = 0; i < N_READS; i++)
        if (is_word(callee->name, reads[i].word))
            return s->spec->format && is_field(s, callee->name) ? reads[i].read(s, call) : exp_error;
    return text_call(s, call);
}

// ---- a field in an entry point: its expression over the inputs

Exp *fit_field(Sema *s, Exp *e, const Type *row, Span at, Name id) {
    Type whole = batched(s, row, row->elem, row->below);
    e = fit_type(s, e, &whole, NULL, at, id);
    if (is_error(e)) return e;
    int64_t below = row->below, count = below ? class_count(s, e) : 0;
    if (!below || (count && count <= below)) return e;
    return fail(s, at, "this may lie outside of class(%lld)", (long long)below);
}

static Exp *elaborate_field(Sema *s, const Node *field) {
    Span from[MAX_RANK + 1] = {0};
    if (!eval_type(s, field->kid[0], &s->being.type, from)) return exp_error;
    if (s->being.type.rank >= MAX_RANK)
        return fail(s, field->kid[0]->span, "too many axes: the most is %d besides the batch",
                    MAX_RANK - 1);
    memcpy(s->being.from, from, sizeof s->being.from);
    Exp *e = expr_plain(s, field->kid[1]);
    e = align_rows(s, e, s->being.type.rank + 1);
    e = fit_field(s, e, &s->being.type, field->kid[1]->span, field->name);
    if (is_error(e)) return e;
    for (int i = 0; i < s->being.type.rank; i++) set_origin(s, e->stored.v, i + 1, from[i]);
    return e;
}

Exp *run_by_row(Sema *s, const Node *n, Exp *(*elaborate)(Sema *s, const Node *n)) {
    FieldBeing outside = s->being;
    Frame *caller = s->frame;
    bool was_init = s->is_init;
    s->depth++;
    s->is_init = false;  // its draws are by the sample in a first value, too
    s->being = (FieldBeing){.node = n};
    Frame *f = frame_push(s, NULL, n->span);
    f->site = arena_printf(s->arena, "data.%s", n->name);
    f->drawing = drawing_new(s, n->name, false);
    f->is_apart = true;
    make_fields(s);
    Exp *e = elaborate(s, n);
    s->frame = caller;
    s->depth--;
    s->is_init = was_init;
    s->being = outside;
    return e;
}

// A field may use others.
Exp *field_value(Sema *s, const Node *field) {
    if (field->kind != NODE_field) return exp_error;  // its entry is broken
    if (s->depth >= MAX_CALLS)
        return fail(s, field->name_span, "the field `%s` is defined by itself", field->name);
    return run_by_row(s, field, elaborate_field);
}

Exp *run_input(Sema *s, const char *id, Elem elem) {
    if (!s->entry) return exp_number(s, number_int(1));
    return exp_stored(s, build_input(s->entry->fn, id, type_scalar(elem), (Span){0}));
}
