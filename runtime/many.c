// Several trainings of one command: the folds of a cross-validation, the members of an ensemble.
// Each is a job; their figures stand in a table at the end.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/checkpoint.h"
#include "runtime/input.h"
#include "runtime/jobs.h"
#include "runtime/output.h"
#include "runtime/table.h"

typedef struct Row {
    const Json *valid, *test;  // lines of figures, or null
    double epoch;
} Row;

typedef struct Many {
    Run *run;
    const char *what;    // "fold" or "member"
    const char *folder;  // null: keeps no checkpoints
    int64_t n;
    Row *row;
    Log log;
    char *error;         // of the first job that failed
    int code;
} Many;

static const char *job_folder(const Many *many, Mem *mem, int64_t job) {
    return mem_format(mem, "%s/%s-%" PRId64, many->folder, many->what, job + 1);
}

// ---- in the job

// The validation's figures with the weights that were kept.
void write_kept(Run *run) {
    const Split *valid = &run->data.split[SPLIT_valid];
    const Session *s = &run->session;
    if (valid->rows == 0 || !manifest_entry(run->manifest, "eval_step")) return;
    Figures f = run_figures(run, "eval_step");
    run_evaluate(run, valid, 0, &f);
    Buffer b = {0};
    log_line(&b, s->best_epoch ? s->best_epoch : s->epoch, s->step, "kept", &f, MAX_RANK);
    fputs(b.data, run->lines);
    buffer_free(&b);
}

static int work(Run *run, void *context, int64_t job) {
    Many *many = context;
    Options *o = &run->options;
    if (o->folds) split_fold(&run->data, &run->mem, run->manifest->data.seed, job, o->folds);
    else o->seed += job;
    if (o->bagging) split_bag(&run->data, &run->mem, (uint64_t)o->seed);
    o->ckpt = many->folder ? job_folder(many, &run->mem, job) : "";
    run_machine(run, (int)o->threads);
    int code = train_model(run);
    if (code == 0) write_kept(run);
    return code;
}

// ---- back here

static void print_figures(Buffer *b, const char *title, const Json *line) {
    const char *before = title;
    for (const Json *f = json_first(line); f; f = f->next) {
        if (!is_figure(f)) continue;
        buffer_format(b, "%s%s %.4g", before, f->key, f->number);
        before = ", ";
    }
}

static void end(void *context, int64_t job, int code, const char *text) {
    Many *many = context;
    Mem *mem = &many->run->mem;
    Row *row = &many->row[job];
    Buffer b = {0};
    log_lines(&many->log, text, many->what, job + 1);
    row->valid = line_of_split(mem, text, "kept");
    row->test = line_of_split(mem, text, "test");
    row->epoch = json_number_in(row->valid ? row->valid : row->test, "epoch", 0);
    if (code == EXIT_STOPPED) return;
    if (code != 0) {
        char *error = job_error(mem, text);
        if (!many->error) many->error = mem_format(mem, "%s %" PRId64 ": %s", many->what, job + 1, error ? error : "failed");
        return;
    }
    buffer_format(&b, "%s %" PRId64 "/%" PRId64, many->what, job + 1, many->n);
    print_figures(&b, "   valid: ", row->valid);
    print_figures(&b, "   test: ", row->test);
    if (!many->run->options.quiet) printf("%s   (epoch %.0f)\n", b.data, row->epoch);
    fflush(stdout);
    buffer_free(&b);
}

// ---- the table

static void add_names(Table *t, const char *split, const Json *line) {
    for (const Json *f = json_first(line); f; f = f->next) {
        if (is_figure(f)) table_cell(t, "%s %s", split, f->key);
    }
}

static void add_cells(Table *t, const Json *line, const Json *like) {
    for (const Json *f = json_first(like); f; f = f->next) {
        if (is_figure(f)) table_cell(t, "%.4g", json_number_in(line, f->key, NAN));
    }
}

// The mean of a figure over the rows, or its standard deviation (of a sample).
static double over_rows(const Many *many, bool of_test, const char *key, bool is_spread) {
    double sum = 0, squares = 0, n = (double)many->n;
    for (int i = 0; i < 2; i++) {
        for (int64_t k = 0; k < many->n; k++) {
            const Row *row = &many->row[k];
            double x = json_number_in(of_test ? row->test : row->valid, key, NAN);
            if (i == 0) sum += x;
            else squares += (x - sum / n) * (x - sum / n);
        }
    }
    return is_spread ? sqrt(squares / (n - 1)) : sum / n;
}

static void add_summary(Table *t, const Many *many, bool of_test, bool is_spread) {
    const Json *like = of_test ? many->row[0].test : many->row[0].valid;
    for (const Json *f = json_first(like); f; f = f->next) {
        if (is_figure(f)) table_cell(t, "%.4g", over_rows(many, of_test, f->key, is_spread));
    }
}

static void log_summary(Many *many, bool of_test, bool is_spread) {
    const Json *like = of_test ? many->row[0].test : many->row[0].valid;
    if (!like) return;
    Buffer b = {0};
    buffer_format(&b, "{\"%ss\":%" PRId64 ",\"split\":\"%s\",\"over\":\"%s\"", many->what, many->n,
                  of_test ? "test" : "valid", is_spread ? "deviation" : "mean");
    for (const Json *f = like->first; f; f = f->next) {
        if (!is_figure(f)) continue;
        buffer_format(&b, ",");
        json_write_text(&b, f->key);
        buffer_format(&b, ":");
        json_write_number(&b, over_rows(many, of_test, f->key, is_spread));
    }
    buffer_format(&b, "}\n");
    log_write(&many->log, b.data);
    buffer_free(&b);
}

static void add_row(Table *t, const char *name, const char *epoch, const Row *row, const Row *like) {
    table_cell(t, "%s", name);
    table_cell(t, "%s", epoch);
    add_cells(t, row->valid, like->valid);
    add_cells(t, row->test, like->test);
    table_row(t);
}

static void print_table(Many *many, const Row *together) {
    Table t = {0};
    Mem mem = {0};
    const Row *like = &many->row[0];
    table_cell(&t, "%s", many->what);
    table_cell(&t, "epoch");
    add_names(&t, "valid", like->valid);
    add_names(&t, "test", like->test);
    table_row(&t);
    for (int64_t i = 0; i < many->n; i++) {
        const Row *row = &many->row[i];
        add_row(&t, mem_format(&mem, "%" PRId64, i + 1), mem_format(&mem, "%.0f", row->epoch), row, like);
    }
    for (int is_spread = 0; is_spread < 2; is_spread++) {
        table_cell(&t, is_spread ? "deviation" : "mean");
        table_cell(&t, "%s", "");
        for (int of_test = 0; of_test < 2; of_test++) {
            add_summary(&t, many, of_test, is_spread);
            log_summary(many, of_test, is_spread);
        }
        table_row(&t);
    }
    if (together) add_row(&t, "ensemble", "", together, like);
    Buffer b = {0};
    table_print(&b, &t);
    fputs(b.data, stdout);
    buffer_free(&b);
    mem_free(&mem);
}

// ---- ensembles

static const char *best_of(Mem *mem, const char *folder) {
    const char *best = checkpoint_path(mem, folder, "best");
    const char *last = checkpoint_path(mem, folder, "last");
    return path_exists(best) ? best : path_exists(last) ? last : NULL;
}

bool load_members(Run *run, const char *folder) {
    int n = 0;
    while (best_of(&run->mem, mem_format(&run->mem, "%s/member-%d", folder, n + 1))) n++;
    if (n == 0) return false;
    run->member = mem_array(&run->mem, (size_t)n, sizeof *run->member);
    for (int i = 0; i < n; i++) {
        checkpoint_load(run, best_of(&run->mem, mem_format(&run->mem, "%s/member-%d", folder, i + 1)));
        run->member[i] = snapshot_new(run);
        snapshot_take(run, run->member[i]);
    }
    run->n_member = n;
    return true;
}

static const Json *judge(Many *many, SplitKind kind) {
    Run *run = many->run;
    const Split *split = &run->data.split[kind];
    if (split->rows == 0) return NULL;
    Figures f = run_figures(run, "eval_step");
    run_evaluate(run, split, 0, &f);
    Buffer b = {0};
    log_line(&b, 0, 0, split_name[kind], &f, MAX_RANK);
    JsonError error;
    const Json *line = json_parse(&run->mem, b.data, b.length, &error);
    log_lines(&many->log, b.data, "ensemble", many->n);
    buffer_free(&b);
    return line;
}

static Row judge_together(Many *many) {
    Run *run = many->run;
    run_machine(run, (int)run->options.threads);
    run_init(run);
    load_members(run, many->folder);
    Row row = {.valid = judge(many, SPLIT_valid)};
    row.test = judge(many, SPLIT_test);
    return row;
}

// Can what the members give together be judged?
static bool has_output_apart(const Run *run) {
    const Entry *e = manifest_entry(run->manifest, "eval_step");
    for (int i = 0; e && i < e->n_input; i++) {
        if (strncmp(e->input[i]->name, "model.", 6) == 0) return true;
    }
    return false;
}

int train_many(Run *run) {
    const Options *o = &run->options;
    Many many = {.run = run, .what = o->folds ? "fold" : "member", .n = o->folds ? o->folds : o->ensemble};
    if (o->folds && o->ensemble) fail_usage("--folds and --ensemble don't go together");
    if (o->dry_run) fail_usage("--dry-run is of one training, without --folds and --ensemble");
    const char *folder = checkpoint_folder(run, &run->mem);
    if (*folder) many.folder = folder;
    else if (o->ensemble) fail("--ensemble keeps its members in the folder of checkpoints: --ckpt names one");
    if (many.folder) make_folder(&run->mem, folder);
    if (o->ensemble) forget_others(&run->mem, folder, o->ensemble);
    many.row = mem_array(&run->mem, (size_t)many.n, sizeof *many.row);
    log_open(&many.log, o->log, -1);
    Jobs jobs = {.run = run, .context = &many, .n = many.n, .work = work, .end = end};
    int code = jobs_run(&jobs);
    if (many.error) fail("%s", many.error);
    if (code == 0) {
        bool is_judged = o->ensemble && has_output_apart(run);
        Row together = {0};
        if (is_judged) together = judge_together(&many);
        print_table(&many, is_judged ? &together : NULL);
    } else {
        printf("stopped%s\n", many.folder ? "; saved, the same with --resume goes on" : "");
    }
    log_close(&many.log);
    return code;
}
