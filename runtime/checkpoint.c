#define _GNU_SOURCE
#include "runtime/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/input.h"
#include "runtime/output.h"
#include "runtime/safetensors.h"
#include "runtime/words.h"

// ---- the session as metadata: alternating keys and values

typedef struct Pairs {
    Mem *mem;
    const char **text;
    int n, room;  // pairs
} Pairs;

static void put(Pairs *p, const char *key, const char *value) {
    if (p->n == p->room) {
        int room = p->room ? 2 * p->room : 32;
        const char **text = mem_array(p->mem, 2 * (size_t)room, sizeof *text);
        if (p->n) memcpy(text, p->text, 2 * (size_t)p->n * sizeof *text);
        p->text = text;
        p->room = room;
    }
    p->text[2 * p->n] = key;
    p->text[2 * p->n++ + 1] = value;
}

static void put_count(Pairs *p, const char *key, int64_t value) {
    put(p, key, mem_format(p->mem, "%" PRId64, value));
}

// Rows, then sums, as hexadecimal numbers: exact.
static void put_figures(Pairs *p, const char *key, const Figures *f) {
    Buffer b = {0};
    buffer_format(&b, "%a", f->rows);
    for (int64_t i = 0; i < f->n_sum; i++) buffer_format(&b, " %a", f->sum[i]);
    put(p, key, mem_text(p->mem, b.data, b.length));
    buffer_free(&b);
}

// What a flag may have said otherwise when training goes on.
typedef enum Said { SAID_nothing, SAID_length, SAID_limit, SAID_overfit, N_SAID } Said;

#define AT(field) offsetof(Session, field)
static const struct {
    char key[12];
    unsigned char said;  // a Said
    unsigned short offset;
} count_field[] = {
    {"step", SAID_nothing, AT(step)},
    {"epoch", SAID_nothing, AT(epoch)},
    {"position", SAID_nothing, AT(batch)},
    {"rows", SAID_nothing, AT(rows)},
    {"epochs", SAID_length, AT(epochs)},
    {"steps", SAID_length, AT(steps)},
    {"batch_limit", SAID_limit, AT(batch_limit)},
    {"overfit", SAID_overfit, AT(overfit)},
    {"best_epoch", SAID_nothing, AT(best_epoch)},
};
#undef AT
enum { N_COUNT = sizeof count_field / sizeof *count_field };

static void put_session(Pairs *p, const Run *run) {
    const Session *s = &run->session;
    const Manifest *m = run->manifest;
    put(p, "format", "pt");  // what PyTorch's reader asks for
    put(p, "nnc", m->version);
    put(p, "model", m->name);
    put(p, "source", m->source);
    put(p, "hash", m->hash);
    put(p, "real", elem_name[m->real]);
    put_count(p, "batch", m->batch);
    put_count(p, "seed", run->machine.context.seed);
    for (int i = 0; i < N_COUNT; i++) {
        put_count(p, count_field[i].key, *(int64_t *)((char *)s + count_field[i].offset));
    }
    put_count(p, "over", s->is_over);
    put(p, "best_loss", mem_format(p->mem, "%a", s->best_loss));
    put_figures(p, "train", &s->train);
    put_figures(p, "valid", &s->valid);
    for (int i = 0; i < m->n_hyper; i++) {
        put(p, mem_format(p->mem, "hyper.%s", m->hyper[i].name),
            mem_format(p->mem, "%a", run->machine.hyper[i]));
    }
    for (int i = 0; nn_words_of && i < m->data.n_field; i++) {
        const char *key, *words = nn_words_of(run, i, p->mem, &key);
        if (words) put(p, key, words);
    }
    put(p, "history", s->history.data ? s->history.data : "");
}

static const char *meta_text(const Safetensors *st, const char *key) {
    return json_text_in(st->metadata, key, NULL);
}

static double meta_number(const Safetensors *st, const char *key) {
    const char *text = meta_text(st, key);
    char *end = NULL;
    double x = text ? strtod(text, &end) : 0;
    if (!text || end == text || *end) {
        fail("%s: no checkpoint: its metadata have no %s; --load reads weights alone", st->path,
             key);
    }
    return x;
}

static int64_t meta_count(const Safetensors *st, const char *key, int64_t below) {
    double x = meta_number(st, key);
    if (!(x >= 0 && x < (double)below) || x != (double)(int64_t)x) {
        fail("%s: corrupted: its metadata give %g for %s", st->path, x, key);
    }
    return (int64_t)x;
}

static void meta_figures(const Safetensors *st, const char *key, Figures *f) {
    const char *text = meta_text(st, key);
    if (!text) fail("%s: no checkpoint: its metadata have no %s", st->path, key);
    char *at;
    f->rows = strtod(text, &at);
    for (int64_t i = 0; i < f->n_sum; i++) f->sum[i] = strtod(at, &at);
    if (*at) fail("%s: checkpoint of another model: its figures are not this program's", st->path);
}

// ---- writing

const char *checkpoint_folder(const Run *run, Mem *mem) {
    if (run->options.ckpt) return run->options.ckpt;
    return mem_format(mem, "%s.ckpt", run->manifest->name);
}

const char *checkpoint_path(Mem *mem, const char *folder, const char *name) {
    return mem_format(mem, "%s/%s.safetensors", folder, name);
}

static const char *step_path(Mem *mem, const char *folder, int64_t step) {
    return mem_format(mem, "%s/step-%" PRId64 ".safetensors", folder, step);
}

static int compare_steps(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// The checkpoints that an earlier part of this run left: they count among those to keep.
static void adopt(Keeper *k, int64_t until) {
    DIR *folder = opendir(k->folder);
    if (!folder) return;
    for (struct dirent *e; (e = readdir(folder));) {
        char *end;
        if (strncmp(e->d_name, "step-", 5) != 0) continue;
        int64_t step = strtoll(e->d_name + 5, &end, 10);
        if (strcmp(end, ".safetensors") != 0 || step > until) continue;
        k->step[k->n++] = step;
        qsort(k->step, (size_t)k->n, sizeof *k->step, compare_steps);
        if (k->n > k->keep) memmove(k->step, k->step + 1, (size_t)--k->n * sizeof *k->step);
    }
    closedir(folder);
}

static bool forget(Mem *mem, const char *folder) {
    bool had_last = unlink(checkpoint_path(mem, folder, "last")) == 0;
    return unlink(checkpoint_path(mem, folder, "best")) == 0 || had_last;
}

void forget_others(Mem *mem, const char *folder, int64_t n) {
    if (n > 0) forget(mem, folder);
    while (forget(mem, mem_format(mem, "%s/member-%" PRId64, folder, ++n))) continue;
}

Keeper keeper_open(Run *run) {
    Keeper k = {.keep = run->options.keep};
    const char *folder = checkpoint_folder(run, &run->mem);
    if (!*folder) return k;
    k.folder = folder;
    make_folder(&run->mem, folder);
    forget_others(&run->mem, folder, 0);
    k.step = mem_array(&run->mem, (size_t)k.keep + 1, sizeof *k.step);
    if (run->session.step > 0) adopt(&k, run->session.step);
    return k;
}

static const char *write_checkpoint(const Run *run, Mem *mem, const char *path) {
    const Manifest *m = run->manifest;
    Pairs pairs = {.mem = mem};
    put_session(&pairs, run);
    const Tensor **tensor = mem_array(mem, (size_t)m->n_tensor, sizeof *tensor);
    int n = 0;
    for (int i = 0; i < m->n_tensor; i++) {
        TensorKind kind = m->tensor[i].kind;
        if (kind == TENSOR_param || kind == TENSOR_state) tensor[n++] = &m->tensor[i];
    }
    return safetensors_write(mem, path, tensor, n, run->machine.context.arena, pairs.text, pairs.n);
}

// Makes `name` another name of the file: by a link, or a second copy where links don't exist.
static const char *name_also(const Run *run, Mem *mem, const char *path, const char *name) {
    char *temporary = mem_format(mem, "%s.tmp", name);
    unlink(temporary);
    if (link(path, temporary) < 0) return write_checkpoint(run, mem, name);
    const char *error = rename(temporary, name) < 0 ? strerror(errno) : NULL;
    unlink(temporary);  // still there where both were names of one file already
    return error;
}

static void note_saved(Keeper *k, int64_t step, Mem *mem) {
    if (k->n > 0 && k->step[k->n - 1] == step) return;
    k->step[k->n++] = step;
    if (k->n <= k->keep) return;
    unlink(step_path(mem, k->folder, k->step[0]));
    memmove(k->step, k->step + 1, (size_t)--k->n * sizeof *k->step);
}

void keeper_save(Keeper *k, Run *run, bool is_best) {
    if (!k->folder) return;
    Mem mem = {0};
    const char *path = step_path(&mem, k->folder, run->session.step);
    const char *best = checkpoint_path(&mem, k->folder, "best");
    const char *error = write_checkpoint(run, &mem, path);
    if (!error) error = name_also(run, &mem, path, checkpoint_path(&mem, k->folder, "last"));
    if (!error && is_best) error = name_also(run, &mem, path, best);
    if (!error && run->session.best_epoch == 0) unlink(best);  // of an earlier run
    if (error) fail("%s: cannot write: %s; earlier checkpoints stand", path, error);
    note_saved(k, run->session.step, &mem);
    mem_free(&mem);
}

// ---- reading

static void describe_dims(Buffer *b, const int64_t *dim, int rank) {
    buffer_format(b, "[");
    for (int i = 0; i < rank; i++) buffer_format(b, "%s%" PRId64, i ? ", " : "", dim[i]);
    buffer_format(b, "]");
}

static bool same_shape(const StoredTensor *s, const Tensor *t) {
    return s->rank == t->rank && memcmp(s->dim, t->dim, (size_t)t->rank * sizeof *t->dim) == 0;
}

enum { MAX_LISTED = 4 };

// One phrase for each tensor that the file lacks or has in another shape, up to four of them.
static int list_mismatch(Buffer *b, int n, const StoredTensor *s, const char *name,
                         const Tensor *t) {
    if (n >= MAX_LISTED) return n + 1;
    buffer_format(b, "%s%s%s ", n ? ", " : "", s ? "" : "no ", name);
    if (s) {
        describe_dims(b, s->dim, s->rank);
        buffer_format(b, " %s where the model has %s ", s->type, elem_name[t->elem]);
    }
    describe_dims(b, t->dim, t->rank);
    return n + 1;
}

typedef enum Wanted { WANT_all, WANT_weights, WANT_parts } Wanted;

typedef struct Loading {
    Run *run;
    const Safetensors *st;
    Wanted wanted;
    const LoadRule *rule;  // null for all tensors, under their own names
    Mem *mem;
    Buffer wrong;
    int n_wrong;
} Loading;

// What the file calls the tensor; null where the rule is not about it.
static const char *stored_name(const Loading *l, const Tensor *t) {
    if (!l->rule) return t->name;
    size_t n = strlen(l->rule->path);
    bool is_below = strncmp(t->name, l->rule->path, n) == 0 && (!t->name[n] || t->name[n] == '.');
    return is_below ? mem_format(l->mem, "%s%s", l->rule->as, t->name + n) : NULL;
}

static void load_tensor(Loading *l, const Tensor *t) {
    bool is_param = t->kind == TENSOR_param;
    if (l->wanted == WANT_weights && !is_param && !t->of_layer) return;
    if (l->wanted != WANT_all && !is_param && t->by_batch) return;  // where a stream stood
    const char *name = stored_name(l, t);
    const StoredTensor *s = name ? safetensors_find(l->st, name) : NULL;
    bool is_optional = !is_param && l->wanted != WANT_all && !(l->run->is_blank && t->of_layer);
    if (!name || (!s && is_optional)) return;
    if (!s || !same_shape(s, t) || !safetensors_load(s, t, machine_data(&l->run->machine, t))) {
        l->n_wrong = list_mismatch(&l->wrong, l->n_wrong, s, name, t);
    }
}

// Copies tensors from the file: all of the model's, or the parameters and layers' states, or
// the parameters and any states that are there. States that begin as parameters do follow those.
static void load_tensors(Loading *l) {
    static const TensorKind kinds[] = {TENSOR_param, TENSOR_state};
    const Manifest *m = l->run->manifest;
    const Entry *start = manifest_entry(m, "start");
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < m->n_tensor; i++) {
            if (m->tensor[i].kind == kinds[k]) load_tensor(l, &m->tensor[i]);
        }
        if (k == 0 && start) machine_run(&l->run->machine, start, 0);
    }
    if (l->n_wrong > MAX_LISTED) buffer_format(&l->wrong, " and %d more", l->n_wrong - MAX_LISTED);
    if (l->n_wrong == 0) return;
    fail("%s%s: weights of another model: %s", l->rule ? l->rule->place : "", l->st->path,
         l->wrong.data);
}

// Hypers are the checkpoint's where no flag gave them.
static void load_hypers(Run *run, const Safetensors *st, Mem *mem) {
    for (int i = 0; i < run->manifest->n_hyper; i++) {
        const char *key = mem_format(mem, "hyper.%s", run->manifest->hyper[i].name);
        if (!run->options.hyper_given[i] && meta_text(st, key)) {
            run->machine.hyper[i] = meta_number(st, key);
        }
    }
}

static void check_origin(const Run *run, const Safetensors *st) {
    const char *hash = meta_text(st, "hash");
    if (hash && strcmp(hash, run->manifest->hash) != 0) {
        warn("%s was written by a program of another source text", st->path);
    }
}

static void load_session(Run *run, const Safetensors *st) {
    Session *s = &run->session;
    const Options *o = &run->options;
    bool said[N_SAID] = {
        [SAID_length] = flag_given(o, "epochs") || flag_given(o, "steps"),
        [SAID_limit] = flag_given(o, "batch-limit"),
        [SAID_overfit] = flag_given(o, "overfit"),
    };
    for (int i = 0; i < N_COUNT; i++) {
        if (said[count_field[i].said]) continue;
        int64_t *count = (int64_t *)((char *)s + count_field[i].offset);
        *count = meta_count(st, count_field[i].key, INT64_C(1) << 53);
    }
    // A run that has ended goes on where another length is asked for.
    bool is_other = s->epochs != meta_count(st, "epochs", INT64_C(1) << 53) ||
                     s->steps != meta_count(st, "steps", INT64_C(1) << 53);
    s->is_over = meta_count(st, "over", 2) && !is_other;
    s->best_loss = meta_number(st, "best_loss");
    meta_figures(st, "train", &s->train);
    meta_figures(st, "valid", &s->valid);
    const char *history = meta_text(st, "history");
    s->history.length = 0;
    if (history) buffer_add(&s->history, history, strlen(history));
    if (!flag_given(o, "seed")) {
        run->machine.context.seed = (uint32_t)meta_count(st, "seed", INT64_C(1) << 32);
    }
}

static void load_checkpoint(Run *run, const char *path, bool with_session) {
    Safetensors st;
    Mem mem = {0};
    safetensors_read(&st, &mem, path);
    load_tensors(&(Loading){run, &st, with_session ? WANT_all : WANT_parts, .mem = &mem});
    load_hypers(run, &st, &mem);
    if (with_session && nn_words_check) nn_words_check(run, &st, &mem);
    if (with_session) load_session(run, &st);
    check_origin(run, &st);
    safetensors_free(&st);
    mem_free(&mem);
}

void checkpoint_resume(Run *run, const char *path) {
    load_checkpoint(run, path, true);
}

void checkpoint_load(Run *run, const char *path) {
    load_checkpoint(run, path, false);
}

static void load_weights(Run *run, const char *path, Wanted wanted, const LoadRule *rule) {
    Safetensors st;
    Mem mem = {0};
    safetensors_read(&st, &mem, path);
    load_tensors(&(Loading){run, &st, wanted, rule, .mem = &mem});
    safetensors_free(&st);
    mem_free(&mem);
}

void weights_load_part(Run *run, const char *path, const LoadRule *rule) {
    load_weights(run, path, WANT_weights, rule);
}

void weights_load(Run *run, const char *path, bool with_states) {
    load_weights(run, path, with_states ? WANT_parts : WANT_weights, NULL);
}

// The checkpoint that a folder, or a file, names.
static const char *trained_path(Run *run) {
    const char *path = checkpoint_folder(run, &run->mem);
    if (!path_is_folder(path)) return path;
    const char *best = checkpoint_path(&run->mem, path, "best");
    const char *member = checkpoint_path(&run->mem, path, "member-1/last");
    if (path_exists(member)) return member;  // of an ensemble: for what all members share
    return path_exists(best) ? best : checkpoint_path(&run->mem, path, "last");
}

void run_load_words(Run *run) {
    data_words(&run->data, &run->mem, &run->manifest->data);
    if (nn_words_load) nn_words_load(run, run->options.load ? run->options.load : trained_path(run));
}

void run_load_trained(Run *run) {
    const Options *o = &run->options;
    const char *path = o->load ? o->load : trained_path(run);
    const char *folder = checkpoint_folder(run, &run->mem);
    bool has_members = !o->load && path_is_folder(folder) &&
                       path_exists(checkpoint_path(&run->mem, folder, "member-1/last"));
    if (has_members && !load_members)
        fail("%s: the members of an ensemble, and this program was compiled with --small", folder);
    run->has_weights = o->load || has_members || path_exists(path);
    // Where training changes nothing, initial values are all there is.
    if (!run->has_weights && ((o->ckpt && *o->ckpt) || !run->manifest->is_fixed)) {
        fail("%s: no checkpoint there: train first, or name one with --ckpt or --load", path);
    }
    run_init(run);
    if (o->load) weights_load(run, path, true);
    else if (has_members) load_members(run, folder);
    else if (run->has_weights) checkpoint_load(run, path);
}
