// What the runtime's tests share: a temporary folder, files, programs run in a process of
// their own, and a program written by hand as the compiler would make one: softmax regression
// of 64 pixels on 10 classes by gradient descent with momentum, in f32.
#ifndef NN_TEST_RUNTIME_FIXTURE_H
#define NN_TEST_RUNTIME_FIXTURE_H

#include "runtime/run.h"  // before Check, which has a macro of the name fail

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "suite.h"

// ---- files, in a temporary folder of the test's process

static inline const char *folder(void) {
    static char name[64];
    if (!*name) {
        strcpy(name, "/tmp/nn_runtime_XXXXXX");
        if (!mkdtemp(name)) abort();
    }
    return name;
}

// "$/x" stands for x in the folder. Four results live at a time.
static inline const char *in_folder(const char *name) {
    static char path[4][512];
    static int next;
    if (strncmp(name, "$/", 2) != 0) return name;
    char *p = path[next++ & 3];
    snprintf(p, sizeof path[0], "%s/%s", folder(), name + 2);
    return p;
}

static inline void write_bytes(const char *name, const void *data, size_t n) {
    FILE *f = fopen(in_folder(name), "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    fclose(f);
}

static inline void write_text(const char *name, const char *text) {
    write_bytes(name, text, strlen(text));
}

// The whole file with a zero byte after it; null where there is none.
static inline char *read_file(const char *name, size_t *length) {
    FILE *f = fopen(in_folder(name), "rb");
    if (!f) return NULL;
    Buffer b = {0};
    char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) buffer_add(&b, piece, n);
    fclose(f);
    buffer_extend(&b, 0);
    if (length) *length = b.length;
    return b.data;
}

static inline bool same_files(const char *a, const char *b) {
    size_t n = 0, m = 0;
    char *x = read_file(a, &n), *y = read_file(b, &m);
    bool same = x && y && n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

static inline void remove_folder(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder());
    if (system(command)) abort();
}

// ---- calls that may end the process

typedef struct Outcome {
    int code;  // of exit; 128 + the signal
    char out[4096], err[4096];
} Outcome;

static inline void take_text(char *to, size_t room, const char *name) {
    char *text = read_file(name, NULL);
    snprintf(to, room, "%s", text ? text : "");
    free(text);
}

static inline pid_t start_call(int (*call)(void *), void *argument) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen(in_folder("$/out"), "w", stdout) ||
            !freopen(in_folder("$/err"), "w", stderr)) {
            _exit(99);
        }
        int code = call(argument);
        fflush(NULL);
        _exit(code);
    }
    return child;
}

static inline Outcome finish_call(pid_t child) {
    Outcome o = {0};
    int status;
    waitpid(child, &status, 0);
    o.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    take_text(o.out, sizeof o.out, "$/out");
    take_text(o.err, sizeof o.err, "$/err");
    return o;
}

static inline Outcome run_call(int (*call)(void *), void *argument) {
    folder();
    return finish_call(start_call(call, argument));
}

// Ended with exit code 1 and one line that has this in it.
static inline void assert_refused(const Outcome *o, const char *text) {
    ck_assert_msg(o->code == 1, "exit code %d: %s", o->code, o->err);
    ck_assert_msg(strstr(o->err, text), "expected %s in: %s", text, o->err);
    ck_assert_msg(strchr(o->err, '\n') == o->err + strlen(o->err) - 1, "not one line: %s", o->err);
}

// ---- the program

enum { BATCH = 32, PIXELS = 64, CLASSES = 10 };

typedef struct Arena {
    float image[BATCH][PIXELS];
    int32_t label[BATCH];
    float w[PIXELS * CLASSES], b[CLASSES], mw[PIXELS * CLASSES], mb[CLASSES];
    float gw[PIXELS * CLASSES], gb[CLASSES];
    float delta[BATCH][CLASSES], row_loss[BATCH], right[BATCH], logits[BATCH][CLASSES];
    float lr, inv_rows, stop_below, valid_loss, loss, accuracy;
    int32_t step, stop;
} Arena;

static inline void fixture_forward(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    Arena *a = (Arena *)c->arena;
    float *z = (float *)c->scratch;
    for (int64_t n = begin; n < end; n++) {
        int best = 0;
        float total = 0;
        for (int k = 0; k < CLASSES; k++) {
            z[k] = a->b[k];
            for (int i = 0; i < PIXELS; i++) z[k] += a->image[n][i] / 16 * a->w[i * CLASSES + k];
            if (z[k] > z[best]) best = k;
            a->logits[n][k] = z[k];
        }
        for (int k = 0; k < CLASSES; k++) total += expf(z[k] - z[best]);
        for (int k = 0; k < CLASSES; k++) {
            float p = expf(z[k] - z[best]) / total;
            a->delta[n][k] = (p - (float)(k == a->label[n])) * a->inv_rows;
        }
        a->row_loss[n] = logf(total) + z[best] - z[a->label[n]];
        a->right[n] = best == a->label[n];
    }
}

static inline void fixture_losses(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    (void)begin, (void)end;
    Arena *a = (Arena *)c->arena;
    nn_parallel(&(NnStep){.kernel = fixture_forward, .parts = 1}, c, c->extent[0]);
    a->loss = a->accuracy = 0;
    for (int64_t n = 0; n < c->extent[0]; n++) {
        a->loss += a->row_loss[n] * a->inv_rows;
        a->accuracy += a->right[n] * a->inv_rows;
    }
}

static bool fixture_is_wrong;  // the gradient is: gradcheck must see it

static inline void fixture_gradient(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    Arena *a = (Arena *)c->arena;
    for (int64_t i = begin; i < end; i++) {
        for (int k = 0; k < CLASSES; k++) {
            float g = fixture_is_wrong && k == 3 ? 0.02f : 0;
            for (int64_t n = 0; n < c->extent[0]; n++) {
                g += (i < PIXELS ? a->image[n][i] / 16 : 1) * a->delta[n][k];
            }
            *(i < PIXELS ? &a->gw[i * CLASSES + k] : &a->gb[k]) = g;
        }
    }
}

static inline void fixture_init(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    (void)begin, (void)end;
    Arena *a = (Arena *)c->arena;
    memset(a->b, 0, sizeof a->b);
    memset(a->mw, 0, sizeof a->mw);
    memset(a->mb, 0, sizeof a->mb);
    for (int i = 0; i < PIXELS * CLASSES; i++) {
        a->w[i] = 0.01f * sinf((float)(i + 1) * (float)(c->seed + 1));
    }
}

static inline void fixture_gradients(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    (void)begin, (void)end;
    fixture_losses(c, 0, 0, NULL);
    nn_parallel(&(NnStep){.kernel = fixture_gradient, .parts = 1}, c, PIXELS + 1);
}

// A learning rate that falls with the step: a run that forgot its step would be seen.
static inline void fixture_train_step(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    (void)begin, (void)end;
    Arena *a = (Arena *)c->arena;
    float lr = a->lr / (1 + 1e-4f * (float)a->step);
    fixture_gradients(c, 0, 0, NULL);
    for (int i = 0; i < PIXELS * CLASSES; i++) {
        a->mw[i] = 0.9f * a->mw[i] + a->gw[i];
        a->w[i] -= lr * a->mw[i];
    }
    for (int k = 0; k < CLASSES; k++) {
        a->mb[k] = 0.9f * a->mb[k] + a->gb[k];
        a->b[k] -= lr * a->mb[k];
    }
}

static inline void fixture_epoch_end(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)table;
    (void)begin, (void)end;
    Arena *a = (Arena *)c->arena;
    a->stop = a->valid_loss < a->stop_below;
}

// For tests of when it runs.
static inline void fixture_epoch_begin(const NnContext *c, int64_t begin, int64_t end, const void *table) {
    (void)c, (void)begin, (void)end, (void)table;
    if (getenv("NN_FIXTURE_SAYS")) printf("epoch begins\n");
}

#define STEP(kernel) 1, &(const NnStep){kernel, .until = 1, .stride = 1, .by = -1}
static const NnEntryPoint fixture_entry[] = {
    {"init", STEP(fixture_init)},           {"train_step", STEP(fixture_train_step)},
    {"eval_step", STEP(fixture_losses)},    {"predict", STEP(fixture_losses)},
    {"gradients", STEP(fixture_gradients)}, {"epoch_end", STEP(fixture_epoch_end)},
    {"epoch_begin", STEP(fixture_epoch_begin)},
};
#undef STEP

#define TENSOR(name, kind, elem, dims, field)                                           \
    "{\"name\":\"" name "\",\"kind\":\"" kind "\",\"elem\":\"" elem "\",\"dims\":" dims \
    ",\"offset\":%zu}",                                                                 \
        offsetof(Arena, field)

static inline void fixture_tensors(Buffer *b) {
    buffer_format(b, TENSOR("image", "input", "f32", "[\"batch\",64]", image));  // 0
    buffer_format(b, "," TENSOR("label", "input", "i32", "[\"batch\"]", label));
    buffer_format(b, "," TENSOR("dense#1.w", "param", "f32", "[64,10]", w));
    buffer_format(b, "," TENSOR("dense#1.b", "param", "f32", "[10]", b));
    buffer_format(b, "," TENSOR("momentum#1.v.dense#1.w", "state", "f32", "[64,10]", mw));
    buffer_format(b, "," TENSOR("momentum#1.v.dense#1.b", "state", "f32", "[10]", mb));  // 5
    buffer_format(b, "," TENSOR("lr", "hyper", "f32", "[]", lr));
    buffer_format(b, "," TENSOR("run.inv_rows", "run", "f32", "[]", inv_rows));
    buffer_format(b, "," TENSOR("run.step", "run", "i32", "[]", step));
    buffer_format(b, "," TENSOR("valid.loss", "run", "f32", "[]", valid_loss));
    buffer_format(b, "," TENSOR("loss", "result", "f32", "[]", loss));  // 10
    buffer_format(b, "," TENSOR("accuracy", "result", "f32", "[]", accuracy));
    buffer_format(b, "," TENSOR("output", "result", "f32", "[\"batch\",10]", logits));
    buffer_format(b, "," TENSOR("grad.dense#1.w", "result", "f32", "[64,10]", gw));
    buffer_format(b, "," TENSOR("grad.dense#1.b", "result", "f32", "[10]", gb));
    buffer_format(b, "," TENSOR("stop", "result", "i32", "[]", stop));  // 15
    buffer_format(b, "," TENSOR("stop_below", "hyper", "f32", "[]", stop_below));
}

static inline void fixture_fields(Buffer *b) {
    buffer_format(b, "[{\"name\":\"image\",\"tensor\":0,\"columns\":[");
    for (int i = 0; i < PIXELS; i++) buffer_format(b, "%s\"p%d\"", i ? "," : "", i);
    buffer_format(
        b,
        "],\"class\":0},{\"name\":\"label\",\"tensor\":1,\"columns\":[\"digit\"],\"class\":10}]");
}

static const char fixture_entries[] =
    "\"entries\":{\"init\":{\"inputs\":[],\"results\":[]},"
    "\"train_step\":{\"inputs\":[0,1,6,7,8],\"results\":[{\"name\":\"loss\",\"tensor\":10}],"
    "\"kernels\":[[\"all > dense#1.w\",\"3\",100000,60000,20000]]},"
    "\"eval_step\":{\"inputs\":[0,1,7],\"results\":[{\"name\":\"loss\",\"tensor\":10},"
    "{\"name\":\"accuracy\",\"tensor\":11}]},"
    "\"predict\":{\"inputs\":[0],\"results\":[{\"name\":\"output\",\"tensor\":12}]},"
    "\"gradients\":{\"inputs\":[0,1,7],\"results\":[{\"name\":\"loss\",\"tensor\":10},"
    "{\"name\":\"grad.dense#1.w\",\"tensor\":13},{\"name\":\"grad.dense#1.b\",\"tensor\":14}]},"
    "\"epoch_end\":{\"inputs\":[9,16],\"results\":[{\"name\":\"stop\",\"tensor\":15}]},"
    "\"epoch_begin\":{\"inputs\":[],\"results\":[]}},"
    "\"hypers\":[{\"name\":\"lr\",\"tensor\":6,\"default\":0.5,\"integer\":false},"
    "{\"name\":\"stop_below\",\"tensor\":16,\"default\":-1,\"integer\":false}],";

static inline char *deflated(const char *text, size_t bytes, uLong *n) {
    *n = compressBound(bytes);
    char *data = malloc(*n);
    ck_assert_int_eq(compress((Bytef *)data, n, (const Bytef *)text, bytes), Z_OK);
    return data;
}

static inline const NnProgram *fixture_program(void) {
    static NnProgram program;
    uLong deflated_bytes;
    static Buffer b;
    if (b.length) return &program;
    buffer_format(&b,
                  "{\"nnc\":\"0.1.0\",\"name\":\"softmax\",\"source\":\"softmax.nn\","
                  "\"source_dir\":\"\",\"hash\":\"0123456789abcdef\",\"real\":\"f32\","
                  "\"batch\":%d,\"tensors\":[",
                  BATCH);
    fixture_tensors(&b);
    buffer_format(&b,
                  "],%s\"data\":{\"name\":\"digits\",\"from\":\"csv\","
                  "\"path\":\"examples/data/digits.csv\",\"seed\":1,\"fields\":",
                  fixture_entries);
    fixture_fields(&b);
    buffer_format(&b,
                  ",\"split\":{\"train\":{\"share\":0.8},\"valid\":{\"share\":0.1},"
                  "\"test\":{\"share\":0.1}}},"
                  "\"train\":{\"data\":\"digits\",\"epochs\":8,\"steps\":0},\"summary\":["
                  "{\"layer\":\"dense#1\",\"output\":[\"batch\",10],\"params\":650,"
                  "\"multiply_adds\":640,\"line\":3}]}%c--lr X  default 0.5\n", 0);
    program = (NnProgram){
        .version = NN_ABI_VERSION,
        .arena_bytes = sizeof(Arena),
        .scratch_bytes = CLASSES * sizeof(float),
        .manifest = deflated(b.data, b.length, &deflated_bytes),
        .manifest_bytes = (int64_t)b.length,
        .deflated_bytes = (int64_t)deflated_bytes,
        .n_entry = sizeof fixture_entry / sizeof *fixture_entry,
        .entry = fixture_entry,
    };
    return &program;
}

// "train --ckpt $/c": words, split at spaces.
static inline int call_program(void *line) {
    char *argv[32] = {"softmax"}, *text = strdup(line);
    int argc = 1;
    for (char *word = strtok(text, " "); word && argc < 32; word = strtok(NULL, " ")) {
        char *dollar = strstr(word, "$/");
        argv[argc] = word;
        if (dollar) {
            size_t before = (size_t)(dollar - word);
            argv[argc] = malloc(1024);
            snprintf(argv[argc], 1024, "%.*s%s", (int)before, word, in_folder(dollar));
        }
        argc++;
    }
    return nn_main(argc, argv, fixture_program());
}

static inline Outcome run_program(const char *line) {
    return run_call(call_program, (void *)(uintptr_t)line);
}

static inline Outcome run_well(const char *line) {
    Outcome o = run_program(line);
    ck_assert_msg(o.code == 0, "%s: exit code %d: %s", line, o.code, o.err);
    return o;
}

// Runs the tests of a suite; the exit code of main.
#endif
