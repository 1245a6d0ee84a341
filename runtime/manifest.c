#include "runtime/manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

const char *const split_name[N_SPLIT] = {"train", "valid", "test"};

static const char *const kind_name[N_TENSOR_KIND] = {"param", "state", "sum",  "kept", "input",
                                                     "split", "hyper", "run", "result"};

// What is wrong here was wrong when the program was compiled.
static _Noreturn void broken(const char *what, const char *name) {
    fail("this program's manifest: %s%s%s", what, name ? " " : "", name ? name : "");
}

static const char *need_text(const Json *object, const char *key) {
    const char *text = json_text_in(object, key, NULL);
    if (!text) broken("no text for", key);
    return text;
}

static int64_t need_integer(const Json *object, const char *key) {
    int64_t value;
    if (!json_integer_in(object, key, &value) || value < 0) broken("no count for", key);
    return value;
}

// Zeros for as many as the list has.
static void *array_for(Mem *mem, const Json *list, size_t size) {
    return mem_array(mem, (size_t)json_count(list), size);
}

static int find_name(const char *const *names, int n, const char *name) {
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) return i;
    }
    return -1;
}

// An integer, or "batch", "train" and so on, or "4*batch"; `by` is the place of the extent, -1
// for none.
static int64_t read_dim(const Json *dim, const Manifest *m, int *by) {
    int64_t value;
    *by = -1;
    if (dim->kind != JSON_string) {
        if (!json_integer(dim, &value) || value < 0) broken("bad dimension", NULL);
        return value;
    }
    char *star;
    value = strtoll(dim->text, &star, 10);
    const char *name = *star == '*' ? star + 1 : dim->text;
    if (name == dim->text) value = 1;
    if (value < 1 || value > INT32_MAX) broken("bad dimension", dim->text);
    if (strcmp(name, "batch") == 0) return *by = 0, value * m->batch;
    for (int i = 1; i <= m->n_extent; i++) {
        if (strcmp(name, m->extent[i].name) == 0) return *by = i, value * m->extent[i].most;
    }
    broken("bad dimension", dim->text);
}

static void read_tensor(Tensor *t, const Json *json, const Manifest *m, int64_t arena_bytes) {
    t->name = need_text(json, "name");
    int kind = find_name(kind_name, N_TENSOR_KIND, need_text(json, "kind"));
    int elem = find_name(elem_name, N_ELEM, json_text_in(json, "elem", elem_name[m->real]));
    const Json *dims = json_get(json, "dims");
    if (kind < 0 || elem < 0 || json_count(dims) > MAX_RANK) broken("bad tensor", t->name);
    t->kind = (TensorKind)kind;
    t->elem = (Elem)elem;
    t->offset = need_integer(json, "offset");
    t->of_layer = strcmp(json_text_in(json, "of", ""), "layer") == 0;
    t->has_own_gradient = strcmp(json_text_in(json, "gradient", ""), "own") == 0;
    json_integer_in(json, "below", &t->below);
    t->count = 1;
    for (const Json *d = json_first(dims); d; d = d->next) {
        int by;
        int64_t dim = read_dim(d, m, &by);
        if (t->rank == 0) t->by_batch = by == 0;
        if (t->rank == 0 && by > 0) t->by = by;
        t->dim[t->rank++] = dim;
        if (__builtin_mul_overflow(t->count, dim, &t->count)) broken("bad tensor", t->name);
    }
    if (t->kind == TENSOR_split && !t->by) broken("no split in", t->name);
    int64_t end;
    if (t->count < 0 || __builtin_mul_overflow(t->count, elem_bytes[elem], &end) ||
        __builtin_add_overflow(end, t->offset, &end) || end > arena_bytes ||
        t->offset % elem_bytes[elem] != 0) {
        broken("tensor outside the arena:", t->name);
    }
}

static const Tensor *tensor_at(const Manifest *m, const Json *place) {
    int64_t i;
    if (!json_integer(place, &i) || i < 0 || i >= m->n_tensor) broken("no tensor there", NULL);
    return &m->tensor[i];
}

static const Json *next_of(const Json **at) {
    const Json *j = *at;
    if (j) *at = j->next;
    return j;
}

static void read_kernels(Mem *mem, Entry *e, const Json *list) {
    if (!list) return;
    if (list->count != e->code->n_step) broken("another number of kernels in entry", e->name);
    e->kernel = mem_array(mem, (size_t)list->count, sizeof *e->kernel);
    for (const Json *k = list->first; k; k = k->next) {
        const Json *at = k->first;
        KernelNote *note = &e->kernel[e->n_kernel++];
        note->name = json_text(next_of(&at), "");
        note->place = json_text(next_of(&at), "");
        note->flops = json_number(next_of(&at), 0);
        note->ops = json_number(next_of(&at), 0);
        note->bytes = json_number(next_of(&at), 0);
    }
}

static void read_entry(Mem *mem, Entry *e, const Json *json, const Manifest *m,
                       const NnProgram *program) {
    e->name = json->key;
    for (int64_t i = 0; i < program->n_entry; i++) {
        if (strcmp(program->entry[i].name, e->name) == 0) e->code = &program->entry[i];
    }
    if (!e->code) broken("no code for entry", e->name);
    read_kernels(mem, e, json_get(json, "kernels"));
    const Json *inputs = json_get(json, "inputs"), *results = json_get(json, "results");
    e->input = array_for(mem, inputs, sizeof *e->input);
    e->result = array_for(mem, results, sizeof *e->result);
    for (const Json *i = json_first(inputs); i; i = i->next) {
        e->input[e->n_input++] = tensor_at(m, i);
    }
    for (const Json *r = json_first(results); r; r = r->next) {
        const Tensor *t = tensor_at(m, r->kind == JSON_number ? r : json_get(r, "tensor"));
        e->result[e->n_result++] = (Result){json_text_in(r, "name", t->name), t};
    }
}

// What a search goes through.
static void read_range(Mem *mem, Hyper *h, const Json *json) {
    const Json *list = json_get(json, "values");
    h->low = json_number_in(json, "low", 0);
    h->high = json_number_in(json, "high", 0);
    h->is_log = json_is_true(json, "log");
    h->at = array_for(mem, list, sizeof *h->at);
    for (const Json *v = json_first(list); v; v = v->next) {
        h->at[h->n_value++] = json_number(v, 0);
    }
}

static void read_hypers(Mem *mem, Manifest *m, const Json *list) {
    m->hyper = array_for(mem, list, sizeof *m->hyper);
    for (const Json *h = json_first(list); h; h = h->next) {
        m->hyper[m->n_hyper] = (Hyper){
            .name = need_text(h, "name"),
            .tensor = tensor_at(m, json_get(h, "tensor")),
            .value = json_number_in(h, "default", 0),
            .is_integer = json_is_true(h, "integer"),
        };
        read_range(mem, &m->hyper[m->n_hyper++], h);
    }
}

static void read_field(Mem *mem, Field *f, const Json *json, const Manifest *m) {
    f->name = need_text(json, "name");
    f->tensor = tensor_at(m, json_get(json, "tensor"));
    bool is_split = f->tensor->kind == TENSOR_split;
    if (!is_split && (!f->tensor->by_batch || f->tensor->dim[0] != m->batch)) {
        broken("the first axis is not the batch in field", f->name);
    }
    int64_t below = 0;
    json_integer_in(json, "class", &below);
    f->below = below > 0 ? below : f->tensor->below;
    const char *owner = json_text_in(json, "words", "");
    f->is_words = json_get(json, "words") != NULL;
    f->json = json;
    f->block = &m->data;
    f->words_of = (int)(f - m->data.field);
    for (int i = 0; i < m->data.n_field; i++)
        if (strcmp(m->data.field[i].name, owner) == 0) f->words_of = i;
    f->part = json_text_in(json, "part", NULL);
    if (f->part) return;
    const Json *columns = json_get(json, "columns");
    f->column = array_for(mem, columns, sizeof *f->column);
    f->until = array_for(mem, columns, sizeof *f->until);
    for (const Json *c = json_first(columns); c; c = c->next) {
        const Json *first = c->kind == JSON_array ? c->first : c;
        const char *name = json_text(first, NULL);
        if (!name) broken("bad column in field", f->name);
        if (first != c) f->until[f->n_column] = json_text(first->next, NULL);
        f->column[f->n_column++] = name;
    }
}

static void read_split(SplitRule *rule, const Json *json) {
    if (!json) return;
    rule->is_declared = true;
    rule->share = json_number_in(json, "share", 0);
    if (!(rule->share > 0)) rule->rows = need_integer(json, "rows");
}

static void read_data(Mem *mem, Manifest *m, const Json *json) {
    DataBlock *d = &m->data;
    if (!json) return;
    d->name = need_text(json, "name");
    d->path = need_text(json, "path");
    d->from = need_text(json, "from");
    d->json = json;
    json_integer_in(json, "rows", &d->rows);
    d->seed = (uint64_t)json_number_in(json, "seed", 1);
    const Json *fields = json_get(json, "fields"), *split = json_get(json, "split");
    d->field = array_for(mem, fields, sizeof *d->field);
    for (const Json *f = json_first(fields); f; f = f->next) {
        read_field(mem, &d->field[d->n_field], f, m);
        d->n_field++;
    }
    for (int s = 0; s < N_SPLIT; s++) read_split(&d->split[s], json_get(split, split_name[s]));
}

static void read_extents(Manifest *m, const Json *list) {
    for (const Json *x = json_first(list); x; x = x->next) {
        int64_t most;
        int split = find_name(split_name, N_SPLIT, x->key);
        if (m->n_extent + 1 == NN_EXTENTS || split < 0 || !json_integer(x, &most) || most < 1) {
            broken("bad extent", x->key);
        }
        m->extent[++m->n_extent] = (RowExtent){x->key, split, most};
    }
}

static void read_tables(Mem *mem, Manifest *m, const Json *json, const NnProgram *program) {
    const Json *tensors = json_get(json, "tensors"), *entries = json_get(json, "entries");
    m->tensor = array_for(mem, tensors, sizeof *m->tensor);
    for (const Json *t = json_first(tensors); t; t = t->next) {
        read_tensor(&m->tensor[m->n_tensor++], t, m, program->arena_bytes);
    }
    m->entry = array_for(mem, entries, sizeof *m->entry);
    for (const Json *e = json_first(entries); e; e = e->next) {
        read_entry(mem, &m->entry[m->n_entry++], e, m, program);
    }
    read_hypers(mem, m, json_get(json, "hypers"));
    read_data(mem, m, json_get(json, "data"));
}

const Manifest *manifest_read(Mem *mem, const NnProgram *program) {
    if (program->version != NN_ABI_VERSION) {
        fail("this program was compiled for runtime %" PRId64 ", and is linked with runtime %d",
             program->version, NN_ABI_VERSION);
    }
    JsonError error;
    uLong bytes = (uLong)program->manifest_bytes;
    char *text = mem_get(mem, bytes + 2);
    if (uncompress((Bytef *)text, &bytes, (const Bytef *)program->manifest,
                   (uLong)program->deflated_bytes) != Z_OK) {
        broken("cannot be inflated", NULL);
    }
    const Json *json = json_parse(mem, text, strlen(text), &error);
    if (!json) broken(error.what, mem_format(mem, "at byte %zu", error.at));
    Manifest *m = mem_get(mem, sizeof *m);
    m->text = text;
    m->help = text + strlen(text) + 1;
    m->version = json_text_in(json, "nnc", "");
    m->name = need_text(json, "name");
    m->source = json_text_in(json, "source", "");
    m->source_dir = json_text_in(json, "source_dir", "");
    m->hash = json_text_in(json, "hash", "");
    m->real = strcmp(json_text_in(json, "real", "f32"), "f64") == 0 ? ELEM_f64 : ELEM_f32;
    m->batch = need_integer(json, "batch");
    if (m->batch < 1 || m->batch > INT32_MAX) broken("bad batch", NULL);
    m->vector_bytes = (int)json_number_in(json, "vector", 16);
    m->threads = (int64_t)json_number_in(json_get(json, "memory"), "threads", INT32_MAX);
    read_extents(m, json_get(json, "extents"));
    read_tables(mem, m, json, program);
    const Json *train = json_get(json, "train");
    m->epochs = (int64_t)json_number_in(train, "epochs", 0);
    m->steps = (int64_t)json_number_in(train, "steps", 0);
    m->is_fixed = json_is_true(train, "fixed");
    m->accumulate = (int64_t)json_number_in(train, "accumulate", 1);
    m->load = json_get(train, "load");
    m->generate = json_get(json, "generate");
    m->summary = json_get(json, "summary");
    return m;
}

const Entry *manifest_entry(const Manifest *m, const char *name) {
    for (int i = 0; i < m->n_entry; i++) {
        if (strcmp(m->entry[i].name, name) == 0) return &m->entry[i];
    }
    return NULL;
}

const Tensor *manifest_input(const Entry *entry, const char *name) {
    for (int i = 0; i < entry->n_input; i++) {
        if (strcmp(entry->input[i]->name, name) == 0) return entry->input[i];
    }
    return NULL;
}

int64_t manifest_parameters(const Manifest *m) {
    int64_t count = 0;
    for (int i = 0; i < m->n_tensor; i++) {
        if (m->tensor[i].kind == TENSOR_param) count += m->tensor[i].count;
    }
    return count;
}
