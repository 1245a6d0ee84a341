#include "runtime/flags.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/threads.h"

const char command_name[N_COMMAND][10] = {
#define X(name, argument, what) #name,
    NN_COMMANDS(X)
#undef X
};

typedef enum FlagKind {
    FLAG_text,
    FLAG_maybe,
    FLAG_count,
    FLAG_real,
    FLAG_split,
    FLAG_yes
} FlagKind;

typedef struct Flag {
    char name[12];
    unsigned char kind, low;  // a FlagKind; the least number, `high` the largest
    unsigned short commands;  // bits
    unsigned short offset;    // of its place in Options
    uint32_t high;
} Flag;

static const Flag flag[] = {
#define X(name, argument, kind, low, high, commands, field, what) \
    {name, FLAG_##kind, low, commands, offsetof(Options, field), high},
    NN_FLAGS(X)
#undef X
};
enum { N_FLAG = sizeof flag / sizeof *flag };

static void set_defaults(Options *o, Mem *mem, const Manifest *m) {
    *o = (Options){.seed = 1, .keep = 2, .samples = 50, .warmup = 5, .split = SPLIT_test,
                     .temperature = 1, .top_p = 1, .count = 1};
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
    // What a program itself calls so comes first where it generates: `hyper temperature`.
    bool may_be_hyper = !f || f->commands == GENERATE;
    int hyper = may_be_hyper && (RUN >> o->command & 1) ? find_hyper(m, name, length) : -1;
    if (hyper < 0 && !f) {
        fail_usage("unknown flag %s for %s; help lists them", argv[i],
                   command_name[o->command]);
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
    for (int c = 0; c < N_COMMAND; c++) {
        if (strcmp(command_name[c], name) == 0) return (Command)c;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return COMMAND_help;
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
    if (o->threads > m->threads) {
        if (flag_given(o, "threads"))
            warn("--threads %" PRId64 ": the memory budget that this program was compiled with has room "
                 "for %" PRId64, o->threads, m->threads);
        o->threads = m->threads;
    }
}

bool flag_given(const Options *o, const char *name) {
    const Flag *f = find_flag(name, strlen(name));
    return f && (o->given >> (f - flag) & 1);
}
