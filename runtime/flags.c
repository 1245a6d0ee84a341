#include "runtime/flags.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/threads.h"

const CommandInfo command_info[N_COMMAND] = {
    [COMMAND_train] = {"train", "", "train, keep checkpoints, report on the test split"},
    [COMMAND_eval] = {"eval", "", "loss and metrics of a split, with the best weights"},
    [COMMAND_predict] = {"predict", "FILE", "outputs for the rows of a file, as CSV or NPY"},
    [COMMAND_search] = {"search", "", "train with other values of what declares a range"},
    [COMMAND_gradcheck] = {"gradcheck", "", "hold the gradients against central differences"},
    [COMMAND_bench] = {"bench", "", "time the training step; prints one JSON line"},
    [COMMAND_profile] = {"profile", "", "time each kernel of it, beside the machine's limits"},
    [COMMAND_summary] = {"summary", "", "the layers, their shapes and sizes"},
    [COMMAND_info] = {"info", "", "the manifest that was compiled in"},
    [COMMAND_help] = {"help", "", "this text"},
};

typedef enum FlagKind {
    FLAG_text,
    FLAG_maybe,
    FLAG_count,
    FLAG_real,
    FLAG_split,
    FLAG_yes
} FlagKind;

enum {
    TRAIN = 1 << COMMAND_train,
    EVAL = 1 << COMMAND_eval,
    PREDICT = 1 << COMMAND_predict,
    CHECK = 1 << COMMAND_gradcheck,
    SEARCH = 1 << COMMAND_search,
    BENCH = 1 << COMMAND_bench | 1 << COMMAND_profile,
    RUN = TRAIN | EVAL | PREDICT | SEARCH | CHECK | BENCH,
};

typedef struct Flag {
    const char *name, *argument;
    unsigned char kind, low;  // a FlagKind; the least number, `high` the largest
    unsigned short commands;  // bits
    unsigned short offset;    // of its place in Options
    double high;
    const char *what;
} Flag;

#define AT(field) offsetof(Options, field)
static const Flag flag[] = {
    {"data", "[NAME=]PATH", FLAG_text, 0, TRAIN | EVAL | PREDICT | CHECK | BENCH | SEARCH, AT(data), 0,
     "the data: a folder, or the file itself"},
    {"epochs", "N", FLAG_count, 1, TRAIN | SEARCH, AT(epochs), 1e9, "passes over the training split"},
    {"steps", "N", FLAG_count, 1, TRAIN | BENCH | SEARCH, AT(steps), 1e9,
     "updates to make; for bench and profile, steps to time"},
    {"batch-limit", "N", FLAG_count, 1, TRAIN | EVAL | SEARCH, AT(batch_limit), 1e9,
     "at most so many batches in an epoch, or of the split"},
    {"seed", "N", FLAG_count, 0, RUN, AT(seed), 4294967295.0,
     "of initial values, dropout and the order of rows (default 1)"},
    {"threads", "N", FLAG_count, 1, RUN, AT(threads), MAX_THREADS,
     "threads to use (default: the cores available); never changes a result"},
    {"ckpt", "PATH", FLAG_text, 0, TRAIN | EVAL | PREDICT | SEARCH, AT(ckpt), 0,
     "folder of checkpoints (default NAME.ckpt); empty: keep none"},
    {"ckpt-every", "N", FLAG_count, 1, TRAIN, AT(ckpt_every), 1e9,
     "a checkpoint every N steps, besides those after each epoch"},
    {"keep", "K", FLAG_count, 1, TRAIN, AT(keep), 1e5,
     "how many of the last step-N checkpoints stay (default 2)"},
    {"resume", "[=auto|PATH]", FLAG_maybe, 0, TRAIN | SEARCH, AT(resume), 0,
     "go on from a checkpoint, by default the last one"},
    {"load", "FILE", FLAG_text, 0, RUN, AT(load), 0,
     "weights from a safetensors file with the same names"},
    {"log", "FILE", FLAG_text, 0, TRAIN | EVAL | SEARCH, AT(log), 0, "JSON lines: one for each split and epoch"},
    {"log-every", "N", FLAG_count, 1, TRAIN, AT(log_every), 1e9,
     "a line in the log every N steps, too"},
    {"folds", "K", FLAG_count, 2, TRAIN | SEARCH, AT(folds), 1e6,
     "cross-validation: K trainings, each validated on another Kth of the rows"},
    {"ensemble", "N", FLAG_count, 2, TRAIN, AT(ensemble), 1e6,
     "train N members with seeds from --seed on; their outputs are averaged"},
    {"bagging", "", FLAG_yes, 0, TRAIN, AT(bagging), 0,
     "each member on as many rows, drawn with replacement"},
    {"trials", "N", FLAG_count, 1, SEARCH, AT(trials), 1e6, "values drawn at random (default 20)"},
    {"grid", "N", FLAG_count, 1, SEARCH, AT(grid), 1e6,
     "N values of each range instead, all of a list, all combinations"},
    {"by", "NAME", FLAG_text, 0, SEARCH, AT(by), 0,
     "the validation's figure that decides (default loss)"},
    {"overfit", "N", FLAG_count, 1, TRAIN, AT(overfit), 1e9,
     "train on the first N rows alone, to see whether the loss vanishes"},
    {"patience", "N", FLAG_count, 1, TRAIN | SEARCH, AT(patience), 1e9,
     "stop after N epochs without a smaller validation loss"},
    {"max-time", "S", FLAG_real, 0, TRAIN, AT(max_time), 1e12, "stop after S seconds"},
    {"dry-run", "", FLAG_yes, 0, TRAIN, AT(dry_run), 0,
     "read all data and make one step; writes nothing"},
    {"quiet", "", FLAG_yes, 0, TRAIN | EVAL | SEARCH, AT(quiet), 0, "only the last line, and errors"},
    {"split", "NAME", FLAG_split, 0, EVAL, AT(split), 0, "train, valid or test (default test)"},
    {"output", "FILE", FLAG_text, 0, PREDICT, AT(output), 0, "also -o: where to write"},
    {"warmup", "N", FLAG_count, 0, BENCH, AT(warmup), 1e9, "steps before the clock starts"},
    {"samples", "N", FLAG_count, 1, CHECK, AT(samples), 1e9,
     "elements to check of each parameter (default 50)"},
    {"tolerance", "X", FLAG_real, 0, CHECK, AT(tolerance), 1e9,
     "largest relative error (default 1e-6; 1e-2 in f32)"},
};
#undef AT
enum { N_FLAG = sizeof flag / sizeof *flag };

static void set_defaults(Options *o, Mem *mem, const Manifest *m) {
    *o = (Options){.seed = 1, .keep = 2, .samples = 50, .warmup = 5, .split = SPLIT_test};
    o->threads = threads_available();
    o->hyper = mem_array(mem, (size_t)m->n_hyper, sizeof *o->hyper);
    o->hyper_given = mem_array(mem, (size_t)m->n_hyper, sizeof *o->hyper_given);
    for (int i = 0; i < m->n_hyper; i++) o->hyper[i] = m->hyper[i].value;
}

// A number that the whole text is, or NaN.
static double number_of(const char *text) {
    char *end;
    double x = strtod(text, &end);
    return end == text || *end ? NAN : x;
}

static double need_number(const char *name, const char *text, double low, double high, bool whole) {
    double x = number_of(text);
    if (!(x >= low && x <= high) || (whole && x != floor(x))) {
        fail("--%s %s: expected %s from %.15g to %.15g", name, text,
             whole ? "a whole number" : "a number", low, high);
    }
    return x;
}

static int64_t split_of(const char *text) {
    for (int s = 0; s < N_SPLIT; s++) {
        if (strcmp(split_name[s], text) == 0) return s;
    }
    fail("--split %s: expected train, valid or test", text);
}

static void set_flag(Options *o, const Flag *f, const char *value) {
    void *place = (char *)o + f->offset;
    switch (f->kind) {
        case FLAG_text:
        case FLAG_maybe: *(const char **)place = value; break;
        case FLAG_count:
            *(int64_t *)place = (int64_t)need_number(f->name, value, f->low, f->high, true);
            break;
        case FLAG_real:
            *(double *)place = need_number(f->name, value, f->low, f->high, false);
            break;
        case FLAG_split: *(int64_t *)place = split_of(value); break;
        case FLAG_yes: *(bool *)place = true; break;
    }
    o->given |= UINT64_C(1) << (f - flag);
}

static const Flag *find_flag(const char *name, size_t length) {
    for (int i = 0; i < N_FLAG; i++) {
        if (strlen(flag[i].name) == length && memcmp(flag[i].name, name, length) == 0)
            return &flag[i];
    }
    return NULL;
}

static int find_hyper(const Manifest *m, const char *name, size_t length) {
    for (int i = 0; i < m->n_hyper; i++) {
        const char *hyper = m->hyper[i].name;
        if (strlen(hyper) == length && memcmp(hyper, name, length) == 0) return i;
    }
    return -1;
}

static void set_hyper(Options *o, const Manifest *m, int i, const char *value) {
    double high = m->hyper[i].is_integer ? INT32_MAX : 1e300;
    o->hyper[i] = need_number(m->hyper[i].name, value, -high, high, m->hyper[i].is_integer);
    o->hyper_given[i] = true;
    const Hyper *h = &m->hyper[i];
    if (h->low < h->high && !(o->hyper[i] >= h->low && o->hyper[i] <= h->high))
        warn("--%s %s: outside of the range that the program declares, %g .. %g", h->name, value,
             h->low, h->high);
}

// Reads the flag at argv[i] and its value; the place of the last argument that it took.
static int read_flag(Options *o, const Manifest *m, int argc, char **argv, int i) {
    bool is_output = strcmp(argv[i], "-o") == 0;
    const char *name = is_output ? "output" : argv[i] + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] ? name + length + 1 : NULL;
    const Flag *f = find_flag(name, length);
    if (f && !(f->commands >> o->command & 1)) f = NULL;  // another command's: may be a hyper here
    int hyper = f || !(RUN >> o->command & 1) ? -1 : find_hyper(m, name, length);
    if (hyper < 0 && !f) {
        fail_usage("unknown flag %s for %s; help lists them", argv[i],
                   command_info[o->command].name);
    }
    bool takes_value = hyper >= 0 || (f->kind != FLAG_yes && f->kind != FLAG_maybe);
    if (takes_value && !value) {
        if (i + 1 == argc) fail_usage("%s needs a value", argv[i]);
        value = argv[++i];
    }
    if (f && f->kind == FLAG_yes && value) fail_usage("--%s takes no value", f->name);
    if (f && f->kind == FLAG_maybe && !value) value = "auto";
    if (hyper >= 0) {
        set_hyper(o, m, hyper, value);
    } else {
        set_flag(o, f, value);
    }
    return i;
}

static Command read_command(const char *name) {
    static const char *const later[] = {"generate", "selftest", "export"};
    for (int c = 0; c < N_COMMAND; c++) {
        if (strcmp(command_info[c].name, name) == 0) return (Command)c;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return COMMAND_help;
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        if (strcmp(later[i], name) == 0) fail_usage("this program has no command %s yet", name);
    }
    fail_usage("unknown command %s; help lists them", name);
}

void flags_read(Options *o, Mem *mem, const Manifest *m, int argc, char **argv) {
    set_defaults(o, mem, m);
    o->command = argc < 2 ? COMMAND_help : read_command(argv[1]);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            o->command = COMMAND_help;
            return;
        }
        if (strncmp(argv[i], "--", 2) == 0 || strcmp(argv[i], "-o") == 0) {
            i = read_flag(o, m, argc, argv, i);
        } else if (o->command == COMMAND_predict && !o->file) {
            o->file = argv[i];
        } else {
            fail_usage("unexpected argument %s", argv[i]);
        }
    }
    if (o->command == COMMAND_predict && !o->file) fail_usage("predict needs a file to read");
}

bool flag_given(const Options *o, const char *name) {
    const Flag *f = find_flag(name, strlen(name));
    return f && (o->given >> (f - flag) & 1);
}

static void describe_commands(Buffer *b, unsigned commands) {
    if (commands == RUN) return;
    const char *before = "  [";
    for (int c = 0; c < N_COMMAND; c++) {
        if (!(commands >> c & 1)) continue;
        buffer_format(b, "%s%s", before, command_info[c].name);
        before = ", ";
    }
    buffer_format(b, "]");
}

void flags_usage(Buffer *b, const Manifest *m, const char *program) {
    buffer_format(b, "%s: %s, compiled from %s by nnc %s\n\nusage: %s COMMAND [flags]\n\n", program,
                  m->name, m->source, m->version, program);
    for (int c = 0; c < N_COMMAND; c++) {
        const CommandInfo *info = &command_info[c];
        buffer_format(b, "  %-9s %-5s  %s\n", info->name, info->argument, info->what);
    }
    if (m->n_hyper) buffer_format(b, "\nvalues of this program\n");
    for (int i = 0; i < m->n_hyper; i++) {
        const Hyper *h = &m->hyper[i];
        char left[64];
        snprintf(left, sizeof left, "--%s %s", h->name, h->is_integer ? "N" : "X");
        buffer_format(b, "  %-22s default %.10g\n", left, h->value);
    }
    buffer_format(b, "\nflags\n");
    for (int i = 0; i < N_FLAG; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", flag[i].name,
                 *flag[i].argument && flag[i].kind != FLAG_maybe ? " " : "", flag[i].argument);
        buffer_format(b, "  %-22s %s", left, flag[i].what);
        describe_commands(b, flag[i].commands);
        buffer_format(b, "\n");
    }
}
