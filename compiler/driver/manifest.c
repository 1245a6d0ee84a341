#include "driver/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "driver/version.h"
#include "ir/rewrite.h"
#include "pass/work.h"

typedef struct Entry {  // of "tensors"
    const char *name, *kind;
    const Buffer *buffer;
    const Value *v;
    bool is_of_layer;
} Entry;

typedef struct Manifest {
    Text *out;
    Arena *arena;
    const Program *p;
    const ModelSpec *spec;
    VEC(Entry) tensors;
    Map *kept_by_model;  // states that eval_step or predict read
} Manifest;

static void quote(Text *out, const char *s) {
    text_add(out, "\"");
    for (; s && *s; s++) {
        if (*s == '"' || *s == '\\') text_printf(out, "\\%c", *s);
        else if ((unsigned char)*s < 32) text_printf(out, "\\u%04x", *s);
        else text_add_n(out, s, 1);
    }
    text_add(out, "\"");
}

static void key(Text *out, const char *k) {
    quote(out, k);
    text_add(out, ": ");
}

static void text_field(Text *out, const char *k, const char *value) {
    key(out, k);
    quote(out, value);
}

void print_dim(Text *out, Dim d) {
    if (!d.by) text_printf(out, "%lld", (long long)d.n);
    else if (d.n == 1) text_printf(out, "\"%s\"", d.by->name);
    else text_printf(out, "\"%lld*%s\"", (long long)d.n, d.by->name);
}

static void dims_field(Text *out, const char *k, const Type *t) {
    key(out, k);
    text_add(out, "[");
    for (int i = 0; i < t->rank; i++) {
        if (i) text_add(out, ", ");
        print_dim(out, t->dim[i]);
    }
    text_add(out, "]");
}

// ---- tensors

static bool starts_with(const char *s, const char *prefix) {
    return !strncmp(s, prefix, strlen(prefix));
}

// Whole splits are given once, and by extents of their own.
static bool is_by_split(const Value *v) {
    return v->type.rank && v->type.dim[0].by && strcmp(v->type.dim[0].by->name, "batch");
}

static const char *input_kind(const Manifest *m, const Value *v) {
    static const char *const given[] = {"run.", "valid.", "total.", "model.", GENERATE_PREFIX};
    const char *input = v->leaf.name;
    if (is_by_split(v)) return "split";
    for (int i = 0; i < 5; i++)
        if (starts_with(input, given[i])) return "run";
    for (int i = 0; m->spec && i < m->spec->hypers.n; i++)
        if (m->spec->hypers.at[i].name == input) return "hyper";
    return "input";
}

// An input has one place in all entry points that use it (see pass/memory.c).
static int add_tensor(Manifest *m, const char *name, const char *kind, const Value *v) {
    const Buffer *b = map_get(m->p->buffer_of, v);
    if (!b) return -1;
    bool is_input = v->op == VAL_input;
    for (int i = 0; i < m->tensors.n; i++) {
        const Entry *e = &m->tensors.at[i];
        bool is_it = is_input ? e->v->op == VAL_input && e->name == name : e->buffer == b && e->v == v;
        if (is_it && !strcmp(e->name, name)) return i;
    }
    bool is_of_layer = v->op == VAL_state && map_has(m->kept_by_model, v);
    vec_push(m->arena, &m->tensors, ((Entry){name, kind, b, v, is_of_layer}));
    return m->tensors.n - 1;
}

// Sums of gradients live from one part of a step to the next, what a generation keeps from place to
// place, and both are in no checkpoint.
static const char *state_kind(const Value *v) {
    if (starts_with(v->leaf.name, KEPT_PREFIX)) return "kept";
    return starts_with(v->leaf.name, SUM_PREFIX) ? "sum" : "state";
}

static const char *result_kind(const Value *v, const Manifest *m) {
    if (v->op == VAL_param) return "param";
    if (v->op == VAL_state) return "state";
    return v->op == VAL_input ? input_kind(m, v) : "result";
}

static int result_tensor(Manifest *m, const Result *r) {
    bool is_leaf = r->v->op <= VAL_state;
    return add_tensor(m, is_leaf ? r->v->leaf.name : r->name, result_kind(r->v, m), r->v);
}

// A state that a stream carries from batch to batch is nothing that is learned.
static bool is_of_stream(const Value *v) {
    return v->op == VAL_state && v->type.rank && v->type.dim[0].by;
}

static void find_states_of_model(Manifest *m) {
    static const char *const forward[] = {"eval_step", "predict"};
    m->kept_by_model = map_new(m->arena);
    for (int i = 0; i < m->p->fns.n; i++)
        for (int k = 0; k < 2; k++) {
            const Function *f = m->p->fns.at[i]->fn;
            if (!f || strcmp(f->name, forward[k])) continue;
            Values order = function_order(f, m->arena);
            for (int v = 0; v < order.n; v++)
                if (order.at[v]->op == VAL_state && !is_of_stream(order.at[v])) map_set(m->kept_by_model, order.at[v], m);
        }
}

static void find_tensors(Manifest *m) {
    const Module *module = m->p->m;
    for (int i = 0; i < module->params.n; i++)
        add_tensor(m, module->params.at[i]->leaf.name, "param", module->params.at[i]);
    for (int i = 0; i < module->states.n; i++)
        add_tensor(m, module->states.at[i]->leaf.name, state_kind(module->states.at[i]),
                   module->states.at[i]);
    for (int i = 0; i < m->p->fns.n; i++) {
        const Function *f = m->p->fns.at[i]->fn;
        for (int k = 0; f && k < f->inputs.n; k++) {
            const Value *v = f->inputs.at[k];
            add_tensor(m, v->leaf.name, input_kind(m, v), v);
        }
        for (int k = 0; f && k < f->results.n; k++) result_tensor(m, &f->results.at[k]);
    }
}

static int64_t classes_of_result(const Manifest *m, const Entry *e) {
    for (int i = 0; m->spec && i < m->spec->results.n; i++)
        if (!strcmp(e->kind, "result") && !strcmp(m->spec->results.at[i].name, e->name))
            return m->spec->results.at[i].classes;
    return 0;
}

static bool has_own_gradient(const Manifest *m, const Value *v) {
    for (int i = 0; m->spec && i < m->spec->own.n; i++)
        if (m->spec->own.at[i] == v) return true;
    return false;
}

static void print_tensors(Manifest *m) {
    Text *out = m->out;
    text_add(out, "  \"tensors\": [");
    for (int i = 0; i < m->tensors.n; i++) {
        const Entry *e = &m->tensors.at[i];
        text_add(out, i ? ",\n    {" : "\n    {");
        text_field(out, "name", e->name);
        text_add(out, ", ");
        text_field(out, "kind", e->kind);
        if (e->buffer->elem != m->p->m->real) {
            text_add(out, ", ");
            text_field(out, "elem", elem_name[e->buffer->elem]);
        }
        if (e->v->type.rank) {
            text_add(out, ", ");
            dims_field(out, "dims", &e->v->type);
        }
        text_printf(out, ", \"offset\": %lld", (long long)e->buffer->offset);
        if (e->is_of_layer) text_add(out, ", \"of\": \"layer\"");
        if (has_own_gradient(m, e->v)) text_add(out, ", \"gradient\": \"own\"");
        int64_t below = e->v->op == VAL_input ? e->v->type.below : classes_of_result(m, e);
        if (below)
            text_printf(out, ", \"below\": %lld", (long long)below);
        text_add(out, "}");
    }
    text_add(out, "\n  ]");
}

// ---- entries, hypers

static void print_result(Manifest *m, const Function *f, const Result *r) {
    int t = result_tensor(m, r);
    if (t < 0) BUG("manifest: the result %s of %s has no memory", r->name, f->name);
    if (!strcmp(m->tensors.at[t].name, r->name)) {
        text_printf(m->out, "%d", t);
        return;
    }
    text_add(m->out, "{");
    text_field(m->out, "name", r->name);
    text_printf(m->out, ", \"tensor\": %d}", t);
}

// Of the entry point whose time matters.
static bool is_benched(const Manifest *m, const LoopFunction *f) {
    if (!strcmp(f->name, "train_step")) return true;
    if (strcmp(f->name, "predict")) return false;
    for (int i = 0; i < m->p->fns.n; i++)
        if (!strcmp(m->p->fns.at[i]->name, "train_step")) return false;
    return true;
}

static void print_kernels(Manifest *m, const LoopFunction *f) {
    text_add(m->out, ", \"kernels\": [");
    for (int i = 0; i < f->kernels.n; i++) {
        const Kernel *k = f->kernels.at[i];
        Work w = kernel_work(k);
        text_add(m->out, i ? ", [" : "[");
        quote(m->out, kernel_label(m->p, f, k, m->arena));
        text_add(m->out, ", ");
        quote(m->out, kernel_place(m->p, k, m->arena));
        text_printf(m->out, ", %.0f, %.0f, %.0f]", w.flops, w.ops, w.bytes);
    }
    text_add(m->out, "]");
}

static void print_entry(Manifest *m, const LoopFunction *loops) {
    const Function *f = loops->fn;
    Text *out = m->out;
    key(out, f->name);
    text_add(out, "{\"inputs\": [");
    bool is_first = true;
    for (int i = 0; i < f->inputs.n; i++) {
        const Value *v = f->inputs.at[i];
        int t = add_tensor(m, v->leaf.name, "", v);
        if (t < 0) continue;
        text_printf(out, "%s%d", is_first ? "" : ", ", t);
        is_first = false;
    }
    text_add(out, "], \"results\": [");
    for (int i = 0; i < f->results.n; i++) {
        if (i) text_add(out, ", ");
        print_result(m, f, &f->results.at[i]);
    }
    text_add(out, "]");
    if (is_benched(m, loops)) print_kernels(m, loops);
    text_add(out, "}");
}

static void print_entries(Manifest *m) {
    text_add(m->out, ",\n  \"entries\": {");
    for (int i = 0; i < m->p->fns.n; i++) {
        text_add(m->out, i ? ",\n    " : "\n    ");
        print_entry(m, m->p->fns.at[i]);
    }
    text_add(m->out, "\n  }");
}

bool is_input(const Program *p, const char *name) {
    for (int i = 0; i < p->fns.n; i++) {
        const Function *f = p->fns.at[i]->fn;
        for (int k = 0; f && k < f->inputs.n; k++)
            if (f->inputs.at[k]->leaf.name == name && map_has(p->buffer_of, f->inputs.at[k])) return true;
    }
    return false;
}

static int input_tensor(const Manifest *m, const char *input) {
    for (int i = 0; i < m->tensors.n; i++)
        if (m->tensors.at[i].v->op == VAL_input && m->tensors.at[i].name == input) return i;
    return -1;
}

// What the field fills: a batch, or a whole split.
static int field_tensor(const Manifest *m, const FieldSpec *f) {
    int batch = input_tensor(m, f->name);
    if (batch >= 0) return batch;
    for (int i = 0; i < m->tensors.n; i++) {
        const Entry *e = &m->tensors.at[i];
        const char *dot = e->v->op == VAL_input && is_by_split(e->v) ? strchr(e->name, '.') : NULL;
        if (dot && !strcmp(strchr(dot + 1, '.') + 1, f->name)) return i;
    }
    return -1;
}

static void print_values(Text *out, const HyperSpec *h) {
    for (int i = 0; i < h->n_value; i++) {
        text_add(out, i ? ", " : ", \"values\": [");
        text_real(out, h->at[i]);
    }
    text_add(out, "]");
}

static void print_range(Text *out, const HyperSpec *h) {
    text_add(out, ", \"low\": ");
    text_real(out, h->low);
    text_add(out, ", \"high\": ");
    text_real(out, h->high);
    if (h->range == RANGE_log) text_add(out, ", \"log\": true");
}

static void print_hypers(Manifest *m) {
    Text *out = m->out;
    bool is_first = true;
    for (int i = 0; i < m->spec->hypers.n; i++) {
        const HyperSpec *h = &m->spec->hypers.at[i];
        int t = input_tensor(m, h->name);
        if (t < 0) continue;  // nothing that is left depends on it
        text_add(out, is_first ? ",\n  \"hypers\": [\n    {" : ",\n    {");
        text_field(out, "name", h->name);
        text_printf(out, ", \"tensor\": %d, \"default\": ", t);
        text_real(out, h->value);
        if (h->is_integer) text_add(out, ", \"integer\": true");
        if (h->range == RANGE_list) print_values(out, h);
        else if (h->range) print_range(out, h);
        text_add(out, "}");
        is_first = false;
    }
    if (!is_first) text_add(out, "\n  ]");
}

// ---- data, training, summary

// The vocabulary of a text, or of a side of pairs, is that of its first field.
static const char *vocabulary_field(const Manifest *m, const FieldSpec *f) {
    for (int i = 0; i < m->spec->fields.n; i++) {
        const FieldSpec *x = &m->spec->fields.at[i];
        if (x->unit && x->side == f->side && field_tensor(m, x) >= 0) return x->name;
    }
    return f->name;
}

static void print_text_field(Manifest *m, const FieldSpec *f) {
    Text *out = m->out;
    const TextSpec *t = &m->spec->text;
    text_add(out, ", ");
    text_field(out, "text", f->unit);
    if (f->shift) text_printf(out, ", \"shift\": %lld", (long long)f->shift);
    if (t->least) text_printf(out, ", \"min\": %lld", (long long)t->least);
    if (t->is_lowercase) text_add(out, ", \"lowercase\": true");
    if (!strcmp(f->unit, "bytes")) return;
    text_add(out, ", ");
    text_field(out, "words", vocabulary_field(m, f));
}

// How windows lie on a text: one after the other where nothing is said.
static void print_windows(Manifest *m) {
    Text *out = m->out;
    const TextSpec *t = &m->spec->text;
    int64_t every = t->stream ? t->stream : t->every;
    for (int i = 0; i < m->spec->fields.n && !t->every && !t->stream; i++) {
        const FieldSpec *f = &m->spec->fields.at[i];
        int64_t places = f->type.rank > 1 ? f->type.dim[1].n : 1;
        if (f->unit && places > every) every = places;
    }
    if (!strcmp(m->spec->format, "text")) text_printf(out, ", \"every\": %lld", (long long)every);
    if (t->is_random) text_add(out, ", \"random\": true");
    if (t->stream) text_printf(out, ", \"stream\": %lld", (long long)m->spec->batch);
    for (int i = 0; i < t->others.n; i++) {
        text_add(out, i ? ", " : ", \"or\": [");
        quote(out, t->others.at[i]);
    }
    if (t->others.n) text_add(out, "]");
}

static void print_field(Manifest *m, const FieldSpec *f, int tensor) {
    Text *out = m->out;
    text_field(out, "name", f->name);
    text_printf(out, ", \"tensor\": %d", tensor);
    if (f->part) {
        text_add(out, ", ");
        text_field(out, "part", f->part);
    } else if (f->unit) {
        print_text_field(m, f);
    } else {
        text_add(out, ", \"columns\": [");
        for (int i = 0; i < f->n_column; i++) {
            if (i) text_add(out, ", ");
            if (f->until[i]) text_add(out, "[");
            quote(out, f->column[i]);
            if (!f->until[i]) continue;
            text_add(out, ", ");
            quote(out, f->until[i]);
            text_add(out, "]");
        }
        text_add(out, "]");
    }
    if (f->classes) text_printf(out, ", \"class\": %lld", (long long)f->classes);
    if (f->side) {
        text_add(out, ", ");
        text_field(out, "side", f->side);
    }
    if (f->is_words) text_add(out, ", \"words\": true");
    text_add(out, "}");
}

static void print_split(Manifest *m) {
    Text *out = m->out;
    text_add(out, "    \"split\": {");
    for (int i = 0; i < m->spec->splits.n; i++) {
        const SplitSpec *s = &m->spec->splits.at[i];
        if (i) text_add(out, ", ");
        key(out, s->name);
        if (s->share > 0) {
            text_add(out, "{\"share\": ");
            text_real(out, s->share);
            text_add(out, "}");
        } else {
            text_printf(out, "{\"rows\": %lld}", (long long)s->rows);
        }
    }
    text_add(out, "}\n");
}

// Does nothing but `init` change what is learned?
static bool is_fixed(const Program *p) {
    for (int i = 0; i < p->fns.n; i++) {
        const Function *f = p->fns.at[i]->fn;
        if (!f || !strcmp(f->name, "init") || !strcmp(f->name, "start")) continue;
        for (int k = 0; k < f->updates.n; k++)
            if (!is_of_stream(f->updates.at[k].target)) return false;
    }
    return true;
}

int line_of(const Compiler *c, Span span) {
    int line = 0, column;
    if (span.file) source_line(c->sources, span.file, span.begin, &line, &column);
    return line;
}

static void print_loads(Manifest *m) {
    Text *out = m->out;
    for (int i = 0; i < m->spec->loads.n; i++) {
        const LoadSpec *l = &m->spec->loads.at[i];
        text_add(out, i ? ",\n    {" : ", \"load\": [\n    {");
        text_field(out, "file", l->file);
        text_add(out, ", ");
        text_field(out, "path", l->path);
        text_add(out, ", ");
        text_field(out, "as", l->as);
        text_printf(out, ", \"line\": %d}", line_of(m->p->m->c, l->span));
    }
    if (m->spec->loads.n) text_add(out, "]");
}

static void print_data(Manifest *m) {
    Text *out = m->out;
    const ModelSpec *spec = m->spec;
    text_add(out, ",\n  \"data\": {\n    ");
    text_field(out, "name", spec->data);
    text_add(out, ", ");
    text_field(out, "from", spec->format);
    text_add(out, ", ");
    text_field(out, "path", spec->path);
    if (spec->rows) text_printf(out, ", \"rows\": %lld", (long long)spec->rows);
    print_windows(m);
    text_printf(out, ", \"seed\": %lld,\n    \"fields\": [", (long long)spec->split_seed);
    bool is_first = true;
    for (int i = 0; i < spec->fields.n; i++) {
        int t = field_tensor(m, &spec->fields.at[i]);
        if (t < 0) continue;  // no entry point reads it
        text_add(out, is_first ? "\n      {" : ",\n      {");
        print_field(m, &spec->fields.at[i], t);
        is_first = false;
    }
    text_add(out, "\n    ],\n");
    print_split(m);
    text_add(out, "  },\n  \"train\": {");
    text_field(out, "data", spec->data);
    if (spec->epochs) text_printf(out, ", \"epochs\": %lld", (long long)spec->epochs);
    if (spec->steps) text_printf(out, ", \"steps\": %lld", (long long)spec->steps);
    if (is_fixed(m->p)) text_add(out, ", \"fixed\": true");
    if (spec->accumulate > 1)
        text_printf(out, ", \"accumulate\": %lld", (long long)spec->accumulate);
    text_add(out, ", \"metrics\": [");
    for (int i = 0; i < spec->metrics.n; i++) {
        if (i) text_add(out, ", ");
        quote(out, spec->metrics.at[i]);
    }
    text_add(out, "]");
    print_loads(m);
    text_add(out, "}");
}

static void print_generate(Manifest *m) {
    const GenerateSpec *g = &m->spec->generate;
    if (!g->is_there) return;
    text_add(m->out, ",\n  \"generate\": {");
    if (g->field) {
        text_field(m->out, "field", g->field);
        text_add(m->out, ", ");
    }
    text_printf(m->out, "\"length\": %lld", (long long)g->length);
    if (g->window) text_printf(m->out, ", \"window\": %lld", (long long)g->window);
    text_add(m->out, "}");
}

static void print_layers(Manifest *m) {
    Text *out = m->out;
    text_add(out, ",\n  \"summary\": [");
    for (int i = 0; i < m->spec->layers.n; i++) {
        const LayerSpec *l = &m->spec->layers.at[i];
        text_add(out, i ? ",\n    {" : "\n    {");
        text_field(out, "layer", l->path);
        if (l->depth) text_printf(out, ", \"depth\": %d", l->depth);
        if (l->value) text_add(out, ", ");
        if (l->value) dims_field(out, "output", &l->output);
        text_printf(out, ", \"params\": %lld, \"multiply_adds\": %lld, ", (long long)l->params,
                    (long long)l->multiply_adds);
        if (*l->field) text_field(out, "receptive_field", l->field);
        text_printf(out, "%s\"line\": %d}", *l->field ? ", " : "", line_of(m->p->m->c, l->span));
    }
    text_add(out, "\n  ]");
}

static int64_t largest_batch(const Module *m) {
    for (int i = 0; i < m->extents.n; i++)
        if (!strcmp(m->extents.at[i]->name, "batch")) return m->extents.at[i]->max;
    return 1;
}

static int vector_bytes(const Compiler *c) {
    return c->opt.machine.vector_bytes ? c->opt.machine.vector_bytes : 64;
}

// Of whole splits, in the order of their places in the context, from 1.
static void print_extents(Manifest *m) {
    const Module *module = m->p->m;
    for (int i = 1; i < module->extents.n; i++) {
        text_add(m->out, i == 1 ? "  \"extents\": {" : ", ");
        key(m->out, module->extents.at[i]->name);
        text_printf(m->out, "%lld", (long long)module->extents.at[i]->max);
    }
    if (module->extents.n > 1) text_add(m->out, "},\n");
}

// Under a budget also the threads that it has room for.
static void print_memory_needed(const Manifest *m) {
    const Program *p = m->p;
    int64_t budget = p->m->c->opt.memory_budget;
    text_printf(m->out, "  \"memory\": {\"arena\": %lld, \"scratch\": %lld", (long long)p->arena_bytes,
                (long long)p->scratch_bytes);
    if (budget) text_printf(m->out, ", \"budget\": %lld", (long long)budget);
    if (budget && p->scratch_bytes)
        text_printf(m->out, ", \"threads\": %lld",
                    (long long)((budget - p->arena_bytes) / p->scratch_bytes));
    text_add(m->out, "},\n");
}

static void print_head(Manifest *m, const Source *source) {
    Text *out = m->out;
    const char *slash = strrchr(source->path, '/');
    char *folder = realpath(slash ? arena_printf(m->arena, "%.*s", (int)(slash - source->path) + 1,
                                                 source->path) : ".", NULL);
    text_add(out, "{\n  ");
    text_field(out, "nnc", NNC_VERSION);
    text_add(out, ",\n  ");
    text_field(out, "name", m->spec && m->spec->model ? m->spec->model : m->p->m->name);
    text_add(out, ",\n  ");
    text_field(out, "source", slash ? slash + 1 : source->path);
    text_add(out, ", ");
    text_field(out, "source_dir", folder ? folder : "");
    text_printf(out, ", \"hash\": \"%016llx\",\n  ",
                (unsigned long long)hash_bytes(source->text, (size_t)source->length));
    text_field(out, "real", elem_name[m->p->m->real]);
    text_printf(out, ",\n  \"batch\": %lld,\n  \"vector\": %d,\n",
                (long long)largest_batch(m->p->m), vector_bytes(m->p->m->c));
    print_memory_needed(m);
    print_extents(m);
    free(folder);
}

// Has evaluation results that are no scalars?
static bool shows_tables(const Program *p) {
    for (int i = 0; i < p->fns.n; i++) {
        const Function *f = p->fns.at[i]->fn;
        if (!f || !starts_with(f->name, "eval_")) continue;
        for (int k = 0; k < f->results.n; k++)
            if (f->results.at[k].v->type.rank && !starts_with(f->results.at[k].name, "total."))
                return true;
    }
    return false;
}

static bool has_ranges(const ModelSpec *spec) {
    for (int i = 0; i < spec->hypers.n; i++)
        if (spec->hypers.at[i].range) return true;
    return false;
}

const char *const *runtime_parts(Arena *arena, const Program *p, const ModelSpec *spec) {
    static const char *const large[] = {"run_gradcheck", "run_profile", "train_many", "load_members"};
    VEC(const char *) parts = {0};
    bool is_small = p->m->c->opt.is_small;
    for (int i = 0; i < 4 && !is_small; i++) vec_push(arena, &parts, large[i]);
    if (has_ranges(spec) && !is_small) vec_push(arena, &parts, "run_search");
    if (shows_tables(p)) vec_push(arena, &parts, "show_tables");
    if (p->m->extents.n > 1) vec_push(arena, &parts, "whole_fill");
    for (int i = 0; i < spec->parts.n; i++) vec_push(arena, &parts, spec->parts.at[i]);
    vec_push(arena, &parts, NULL);
    return parts.at;
}

const char *compact_manifest(Arena *arena, const char *text) {
    char *compact = arena_copy(arena, text, strlen(text) + 1), *to = compact;
    bool in_string = false;
    for (const char *at = text; *at; at++) {
        if (*at == '"') in_string = !in_string;
        if (!in_string && (*at == ' ' || *at == '\n')) continue;
        *to++ = *at;
        if (*at == '\\') *to++ = *++at;
    }
    *to = 0;
    return compact;
}

void print_manifest(Text *out, const Program *p, const ModelSpec *spec, const Source *source) {
    Manifest m = {.out = out, .arena = out->arena, .p = p, .spec = spec};
    find_states_of_model(&m);
    find_tensors(&m);
    print_head(&m, source);
    print_tensors(&m);
    print_entries(&m);
    if (spec) print_hypers(&m);
    if (spec && spec->data) print_data(&m);
    if (spec) print_generate(&m);
    if (spec) print_layers(&m);
    text_add(out, "\n}\n");
}
