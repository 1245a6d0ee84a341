// search: trainings with other values of the hypers that declare a range, drawn at random or on a
// grid, each as `train` with these values makes it; those that validate best are printed as flags.
//
// Trial t's values are a function of the seed, t and the ranges alone. The log's first line says
// what search it is, every other one a trial; --resume takes these for done.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/checkpoint.h"
#include "runtime/input.h"
#include "runtime/jobs.h"
#include "runtime/output.h"
#include "runtime/rng.h"
#include "runtime/table.h"

typedef struct Trial {
    double *value;        // of each hyper
    int64_t left;         // trainings that have not ended
    const Json **fold;    // their figures, or null
    const Json *figures;  // the means over the folds
    char *error;
} Trial;

typedef struct Search {
    Run *run;
    int64_t n, folds;
    Trial *trial;
    const char *by;
    bool is_quiet;
    Log log;
    char *header;
} Search;

static bool is_searched(const Run *run, int i) {
    const Hyper *h = &run->manifest->hyper[i];
    return (h->n_value || h->low < h->high) && !run->options.hyper_given[i];
}

// ---- values

// What the flag with this text sets: six digits are enough, and what is printed is what was run.
static double as_flag(double x) {
    char text[32];
    snprintf(text, sizeof text, "%.6g", x);
    return strtod(text, NULL);
}

// At a place from 0 to 1 of the range.
static double at_place(const Hyper *h, double u) {
    double x = h->is_log ? exp(log(h->low) + u * (log(h->high) - log(h->low)))
                         : h->low + u * (h->high - h->low);
    if (h->is_integer) x = floor(x + 0.5);
    return fmin(fmax(as_flag(x), h->low), h->high);
}

static double draw(const Hyper *h, Rng *r) {
    if (h->n_value) return h->at[rng_below(r, (uint64_t)h->n_value)];
    if (!h->is_integer || h->is_log) return at_place(h, rng_uniform(r));
    return h->low + (double)rng_below(r, (uint64_t)(h->high - h->low) + 1);
}

// How many values a grid has of it.
static int64_t grid_count(const Hyper *h, int64_t n) {
    if (h->n_value) return h->n_value;
    double whole = h->high - h->low + 1;
    return h->is_integer && whole < (double)n ? (int64_t)whole : n;
}

static double grid_value(const Hyper *h, int64_t k, int64_t n) {
    if (h->n_value) return h->at[k];
    return at_place(h, n > 1 ? (double)k / (double)(n - 1) : 0.5);
}

static void set_values(Search *s, int64_t t) {
    Run *run = s->run;
    const Manifest *m = run->manifest;
    Trial *trial = &s->trial[t];
    int64_t rest = t;
    trial->value = mem_array(&run->mem, (size_t)m->n_hyper, sizeof *trial->value);
    for (int i = 0; i < m->n_hyper; i++) {
        const Hyper *h = &m->hyper[i];
        trial->value[i] = run->options.hyper[i];
        if (!is_searched(run, i)) continue;
        if (run->options.grid) {
            int64_t n = grid_count(h, run->options.grid);
            trial->value[i] = grid_value(h, rest % n, n);
            rest /= n;
        } else {
            Rng r = rng_start((uint64_t)run->options.seed + ((uint64_t)(t + 1) << 32), (uint64_t)i);
            trial->value[i] = draw(h, &r);
        }
    }
}

static int64_t count_trials(const Run *run) {
    const Options *o = &run->options;
    double n = 1;
    int searched = 0;
    for (int i = 0; i < run->manifest->n_hyper; i++) {
        if (!is_searched(run, i)) continue;
        searched++;
        if (o->grid) n *= (double)grid_count(&run->manifest->hyper[i], o->grid);
    }
    if (!searched) fail_usage("nothing is left to search: flags give every value that has a range");
    if (n > 1e6) fail("--grid %" PRId64 ": %.0f trials, expected at most 1000000", o->grid, n);
    return o->grid ? (int64_t)n : o->trials ? o->trials : 20;
}

static void print_values(Buffer *b, const Search *s, const Trial *t) {
    for (int i = 0; i < s->run->manifest->n_hyper; i++) {
        if (!is_searched(s->run, i)) continue;
        buffer_format(b, "%s--%s %.6g", b->length ? " " : "", s->run->manifest->hyper[i].name, t->value[i]);
    }
}

// ---- one training

static int work(Run *run, void *context, int64_t job) {
    Search *s = context;
    Options *o = &run->options;
    const Trial *t = &s->trial[job / s->folds];
    memcpy(o->hyper, t->value, (size_t)run->manifest->n_hyper * sizeof *o->hyper);
    if (o->folds) split_fold(&run->data, &run->mem, run->manifest->data.seed, job % s->folds, s->folds);
    o->ckpt = "";
    o->resume = NULL;
    run_machine(run, (int)o->threads);
    int code = train_model(run);
    if (code == 0) write_kept(run);
    return code;
}

static bool is_done(void *context, int64_t job) {
    const Search *s = context;
    return s->trial[job / s->folds].left == 0;
}

// ---- its end

static double figure(const Trial *t, const char *key) {
    return json_number_in(t->figures, key, NAN);
}

// {"trial":3,"values":{"lr":0.01},"figures":{"loss":0.5}} or "error"
static void write_trial(Buffer *b, const Search *s, int64_t number) {
    const Trial *t = &s->trial[number];
    const char *comma = "";
    buffer_format(b, "{\"trial\":%" PRId64 ",\"values\":{", number + 1);
    for (int i = 0; i < s->run->manifest->n_hyper; i++) {
        if (!is_searched(s->run, i)) continue;
        buffer_format(b, "%s", comma);
        json_write_text(b, s->run->manifest->hyper[i].name);
        buffer_format(b, ":");
        json_write_number(b, t->value[i]);
        comma = ",";
    }
    buffer_format(b, "},");
    if (t->error) {
        buffer_format(b, "\"error\":");
        json_write_text(b, t->error);
        buffer_format(b, "}\n");
        return;
    }
    buffer_format(b, "\"figures\":{");
    comma = "";
    for (const Json *f = json_first(t->fold[0]); f; f = f->next) {
        double sum = 0;
        if (!is_figure(f)) continue;
        for (int64_t k = 0; k < s->folds; k++) sum += json_number_in(t->fold[k], f->key, NAN);
        buffer_format(b, "%s", comma);
        json_write_text(b, f->key);
        buffer_format(b, ":");
        json_write_number(b, sum / (double)s->folds);
        comma = ",";
    }
    buffer_format(b, "}}\n");
}

static void print_trial(const Search *s, int64_t number) {
    const Trial *t = &s->trial[number];
    Buffer b = {0};
    print_values(&b, s, t);
    buffer_format(&b, "  ");
    for (const Json *f = json_first(t->figures); f; f = f->next) {
        if (is_figure(f)) buffer_format(&b, " %s %.4g", f->key, f->number);
    }
    printf("trial %" PRId64 "/%" PRId64 "   %s%s\n", number + 1, s->n, b.data, t->error ? t->error : "");
    fflush(stdout);
    buffer_free(&b);
}

static void end(void *context, int64_t job, int code, const char *text) {
    Search *s = context;
    Mem *mem = &s->run->mem;
    Trial *t = &s->trial[job / s->folds];
    if (code == EXIT_STOPPED) return;  // it is to be run again
    t->fold[job % s->folds] = line_of_split(mem, text, "kept");
    if (code && !t->error) {
        char *error = job_error(mem, text);
        t->error = error ? error : "failed";
    }
    if (--t->left > 0) return;
    Buffer b = {0};
    write_trial(&b, s, job / s->folds);
    log_write(&s->log, b.data);
    JsonError error;
    t->figures = json_get(json_parse(mem, b.data, b.length, &error), "figures");
    if (!s->is_quiet) print_trial(s, job / s->folds);
    buffer_free(&b);
}

// ---- what was done before

static bool same_values(const Search *s, const Trial *t, const Json *values) {
    for (int i = 0; i < s->run->manifest->n_hyper; i++) {
        if (!is_searched(s->run, i)) continue;
        double x = json_number_in(values, s->run->manifest->hyper[i].name, NAN);
        if (x != t->value[i]) return false;
    }
    return true;
}

static bool take_line(Search *s, const char *line, size_t length) {
    JsonError error;
    const Json *json = json_parse(&s->run->mem, line, length, &error);
    int64_t number;
    if (!json_integer_in(json, "trial", &number) || number < 1 || number > s->n) return false;
    Trial *t = &s->trial[number - 1];
    if (!same_values(s, t, json_get(json, "values"))) return false;
    t->figures = json_get(json, "figures");
    t->error = (char *)json_text_in(json, "error", NULL);
    t->left = 0;
    return true;
}

// The header, and the trials that are done.
static Buffer read_done(Search *s, const char *path) {
    Buffer kept = {0}, line = {0};
    buffer_add(&kept, s->header, strlen(s->header));
    FILE *f = s->run->options.resume ? fopen(path, "r") : NULL;
    int64_t lines = 0;
    for (int c; f && (c = getc(f)) != EOF;) {
        char byte = (char)c;
        buffer_add(&line, &byte, 1);
        if (c != '\n') continue;
        if (lines++ == 0 && strcmp(line.data, s->header) != 0)
            fail("%s: the log of another search: other ranges, flags or program", path);
        if (lines > 1 && take_line(s, line.data, line.length)) buffer_add(&kept, line.data, line.length);
        line.length = 0;
    }
    if (f) fclose(f);
    buffer_free(&line);
    return kept;
}

// All that a trial depends on besides its values.
static char *make_header(Search *s) {
    const Run *run = s->run;
    const Options *o = &run->options;
    Buffer b = {0};
    buffer_format(&b, "{\"search\":\"%s\",\"hash\":\"%s\",\"seed\":%" PRId64 ",\"folds\":%" PRId64
                  ",\"grid\":%" PRId64 ",\"epochs\":%" PRId64 ",\"steps\":%" PRId64
                  ",\"batch_limit\":%" PRId64 ",\"patience\":%" PRId64,
                  run->manifest->name, run->manifest->hash, o->seed, o->folds, o->grid, o->epochs, o->steps,
                  o->batch_limit, o->patience);
    for (int i = 0; i < run->manifest->n_hyper; i++) {
        if (!o->hyper_given[i]) continue;
        buffer_format(&b, ",");
        json_write_text(&b, run->manifest->hyper[i].name);
        buffer_format(&b, ":");
        json_write_number(&b, o->hyper[i]);
    }
    buffer_format(&b, "}\n");
    char *text = mem_text(&s->run->mem, b.data, b.length);
    buffer_free(&b);
    return text;
}

static void open_log(Search *s) {
    Run *run = s->run;
    const char *path = run->options.log;
    if (!path) {
        const char *folder = checkpoint_folder(run, &run->mem);
        make_folder(&run->mem, folder);
        path = mem_format(&run->mem, "%s/search.jsonl", folder);
    }
    Buffer kept = read_done(s, path);
    output_save(&run->mem, path, &kept);
    buffer_free(&kept);
    s->log.path = path;
    s->log.file = fopen(path, "a");
    if (!s->log.file) fail("%s: cannot write", path);
}

// ---- the best

// Errors and perplexities are to be small, other figures large.
static bool wants_small(const char *key) {
    const char *last = strrchr(key, '_');
    last = last ? last + 1 : key;
    return strcmp(last, "loss") == 0 || strcmp(last, "error") == 0 || strcmp(last, "perplexity") == 0;
}

static const Search *sorted;

// The better first; those without the figure last; else in their order.
static int compare(const void *a, const void *b) {
    int64_t i = *(const int64_t *)a, k = *(const int64_t *)b;
    double x = figure(&sorted->trial[i], sorted->by), y = figure(&sorted->trial[k], sorted->by);
    double sign = wants_small(sorted->by) ? 1 : -1;
    if (isnan(x) != isnan(y)) return isnan(x) ? 1 : -1;
    if (x != y && !isnan(x)) return x * sign < y * sign ? -1 : 1;
    return (i > k) - (i < k);
}

static void print_table(const Search *s, const int64_t *order) {
    const Manifest *m = s->run->manifest;
    const Json *like = s->trial[order[0]].figures;
    Table t = {0};
    table_cell(&t, "trial");
    for (int i = 0; i < m->n_hyper; i++) {
        if (is_searched(s->run, i)) table_cell(&t, "%s", m->hyper[i].name);
    }
    for (const Json *f = json_first(like); f; f = f->next) table_cell(&t, "%s", f->key);
    table_row(&t);
    for (int64_t k = 0; k < s->n; k++) {
        const Trial *trial = &s->trial[order[k]];
        table_cell(&t, "%" PRId64, order[k] + 1);
        for (int i = 0; i < m->n_hyper; i++) {
            if (is_searched(s->run, i)) table_cell(&t, "%.6g", trial->value[i]);
        }
        if (trial->error) table_cell(&t, "%s", trial->error);
        for (const Json *f = like && !trial->error ? like->first : NULL; f; f = f->next) {
            table_cell(&t, "%.4g", figure(trial, f->key));
        }
        table_row(&t);
    }
    Buffer b = {0};
    table_print(&b, &t);
    fputs(b.data, stdout);
    buffer_free(&b);
}

static void report(const Search *s) {
    int64_t *order = mem_array(&s->run->mem, (size_t)s->n, sizeof *order);
    for (int64_t i = 0; i < s->n; i++) order[i] = i;
    sorted = s;
    qsort(order, (size_t)s->n, sizeof *order, compare);
    const Trial *best = &s->trial[order[0]];
    if (isnan(figure(best, s->by))) fail("no trial ended with a validation %s", s->by);
    if (!s->is_quiet) print_table(s, order);
    Buffer b = {0};
    print_values(&b, s, best);
    printf("best: %s   (trial %" PRId64 ": %s %.4g)\n", b.data, order[0] + 1, s->by, figure(best, s->by));
    buffer_free(&b);
}

// The figure that decides: what --by names, else the loss, else the first.
static const char *decisive(Run *run) {
    const Options *o = &run->options;
    Figures f = run_figures(run, "eval_step");
    const Figure *first = NULL;
    for (int i = f.n - 1; i >= 0; i--) {
        if (figure_is_scalar(&f.figure[i])) first = &f.figure[i];
    }
    if (!first) fail("this program has no loss and no metric to judge trials by");
    const char *name = o->by ? o->by : figures_find(&f, "loss") ? "loss" : first->name;
    const Figure *by = figures_find(&f, name);
    if (!by || !figure_is_scalar(by)) fail("--by %s: validation gives no such number", name);
    return name;
}

int run_search(Run *run) {
    const Options *o = &run->options;
    if (o->grid && o->trials) fail_usage("--trials draws at random, --grid does not: one of them");
    Search s = {.run = run, .n = count_trials(run), .folds = o->folds ? o->folds : 1};
    s.is_quiet = o->quiet;
    s.by = decisive(run);
    data_load(&run->data, &run->mem, &run->machine, o->data);
    if (!o->folds && run->data.split[SPLIT_valid].rows == 0)
        fail("trials are judged by validation, and the data have no valid split: --folds K makes some");
    s.trial = mem_array(&run->mem, (size_t)s.n, sizeof *s.trial);
    for (int64_t t = 0; t < s.n; t++) {
        set_values(&s, t);
        s.trial[t].left = s.folds;
        s.trial[t].fold = mem_array(&run->mem, (size_t)s.folds, sizeof *s.trial[t].fold);
    }
    s.header = make_header(&s);
    open_log(&s);
    Jobs jobs = {run, &s, s.n * s.folds, is_done, work, end};
    int code = jobs_run(&jobs);
    if (code == 0) report(&s);
    else printf("stopped; search --resume goes on, with the same flags\n");
    log_close(&s.log);
    return code;
}
