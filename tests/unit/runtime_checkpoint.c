// Checkpoints and weights: the file's form, files that are not what they say, full disks.
#include <signal.h>
#include <sys/resource.h>

#include "runtime_fixture.h"

#include "runtime/safetensors.h"

// A safetensors file of this header and so many bytes of data.
static void write_file(const char *name, const char *header, size_t data) {
    Buffer b = {0};
    uint64_t n = strlen(header);
    for (int i = 0; i < 8; i++) buffer_format(&b, "%c", 'x');
    for (int i = 0; i < 8; i++) b.data[i] = (char)(n >> 8 * i);
    buffer_add(&b, header, n);
    memset(buffer_extend(&b, data), 0, data);
    write_bytes(name, b.data, b.length);
    buffer_free(&b);
}

START_TEST(has_the_form_that_other_readers_want) {
    run_well("train --epochs 1 --ckpt $/c --quiet");
    size_t length;
    char *file = read_file("$/c/last.safetensors", &length);
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--) n = n << 8 | (unsigned char)file[i];
    ck_assert_uint_eq(n % 8, 0);
    ck_assert_int_eq(file[8], '{');
    ck_assert_uint_eq(length - 8 - n, 2 * (640 + 10) * 4);
    Mem m = {0};
    JsonError e;
    const Json *header = json_parse(&m, file + 8, n, &e);
    int64_t at = 0, end = 0, count = 0;
    for (const Json *t = header->first; t; t = t->next) {
        if (strcmp(t->key, "__metadata__") == 0) {
            for (const Json *v = t->first; v; v = v->next) ck_assert_int_eq(v->kind, JSON_string);
            continue;
        }
        const Json *offsets = json_get(t, "data_offsets");
        ck_assert(json_integer(offsets->first, &at) && at == end);
        ck_assert(json_integer(offsets->first->next, &end));
        count++;
    }
    ck_assert_int_eq(count, 4);
    ck_assert_uint_eq((uint64_t)end, length - 8 - n);
    mem_free(&m);
    free(file);
}
END_TEST

#define W(type, shape, from, to)                                                                 \
    "\"dense#1.w\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to \
    "]}"
#define B(type, from, to) \
    "\"dense#1.b\":{\"dtype\":\"" type "\",\"shape\":[10],\"data_offsets\":[" #from "," #to "]}"

static const struct {
    const char *header;
    size_t data;
    const char *says;
} bad[] = {
    {"{" B("F32", 0, 40) "}", 40, "weights of another model: no dense#1.w [64, 10]"},
    {"{" W("F32", "[10,64]", 0, 2560) "," B("F32", 2560, 2600) "}", 2600,
     "another model: dense#1.w [10, 64] F32 where the model has f32 [64, 10]"},
    {"{" W("I32", "[64,10]", 0, 2560) "," B("F32", 2560, 2600) "}", 2600,
     "dense#1.w [64, 10] I32 where the model has f32"},
    {"{" W("F32", "[64,10]", 0, 2560) "," B("F32", 2560, 2600) "}", 2599, "truncated: "},
    {"{" W("F32", "[64,10]", 0, 2560) "," B("F32", 2560, 2600) "}", 2601, "corrupted: "},
    {"{" W("F32", "[64,10]", 0, 2500) "," B("F32", 2560, 2600) "}", 2600, "entry for dense#1.w"},
    {"{" W("F32", "[64,-10]", 0, 2560) "}", 2560, "entry for dense#1.w"},
    {"{" W("F32", "[9007199254740992,9007199254740992]", 0, 2560) "}", 2560, "entry for dense#1.w"},
    {"{" W("F33", "[64,10]", 0, 2560) "}", 2560, "entry for dense#1.w"},
    {"{" W("F32", "[64,10]", 2560, 0) "}", 2560, "entry for dense#1.w"},
    {"{\"dense#1.w\":7}", 0, "entry for dense#1.w"},
    {"[1]", 0, "expected an object"},
    {"{\"a\":", 0, "corrupted: byte"},
    {"{}", 0, "no dense#1.w [64, 10], no dense#1.b [10]"},
};

START_TEST(refuses) {
    write_file("$/x.safetensors", bad[_i].header, bad[_i].data);
    Outcome o = run_program("eval --load $/x.safetensors");
    assert_refused(&o, bad[_i].says);
    ck_assert_ptr_nonnull(strstr(o.err, "x.safetensors: "));
}
END_TEST

START_TEST(converts_other_precisions) {
    write_file("$/x.safetensors", "{" W("F64", "[64,10]", 0, 5120) "," B("BF16", 5120, 5140) "}",
               5140);
    Outcome o = run_well("eval --load $/x.safetensors");
    ck_assert_ptr_nonnull(strstr(o.out, "loss 2.303"));  // log 10: all weights are zero
    write_file("$/x.safetensors", "{" W("F16", "[64,10]", 0, 1280) "," B("F32", 1280, 1320) "}",
               1320);
    o = run_well("eval --load $/x.safetensors");
    ck_assert_ptr_nonnull(strstr(o.out, "loss 2.303"));
}
END_TEST

START_TEST(weights_alone_are_no_checkpoint) {
    write_file("$/x.safetensors", "{" W("F32", "[64,10]", 0, 2560) "," B("F32", 2560, 2600) "}",
               2600);
    Outcome o = run_program("train --ckpt $/c --resume=$/x.safetensors");
    assert_refused(&o, "no momentum#1.v.dense#1.w [64, 10]");
    run_well("train --epochs 1 --ckpt $/c --load $/x.safetensors");
}
END_TEST

START_TEST(cut_anywhere_is_refused) {
    run_well("train --epochs 1 --ckpt $/c --quiet");
    size_t length = 0;
    char *file = read_file("$/c/last.safetensors", &length);
    for (size_t n = 0; n < length; n += n < 64 ? 7 : 997) {
        write_bytes("$/cut.safetensors", file, n);
        Outcome o = run_program("train --ckpt $/d --resume=$/cut.safetensors");
        assert_refused(&o, "cut.safetensors: ");
    }
    free(file);
}
END_TEST

START_TEST(other_rows_are_noticed) {
    run_well("train --epochs 1 --ckpt $/c --quiet");
    char *csv = read_file("examples/data/digits.csv", NULL);
    char *at = csv;
    for (int i = 0; i < 1000; i++) at = strchr(at, '\n') + 1;
    *at = 0;
    write_text("$/digits.csv", csv);
    Outcome o = run_program("train --ckpt $/c --resume --data $/digits.csv");
    assert_refused(&o, "written for 1438 rows to train on, the data have 799");
    free(csv);
}
END_TEST

// A limit on the size of files stands for a full disk: the write fails in the middle.
static int train_without_space(void *line) {
    struct rlimit limit = {6000, 6000};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    return call_program(line);
}

START_TEST(a_full_disk_loses_nothing) {
    run_well("train --epochs 1 --ckpt $/c --quiet --log $/l");
    run_well("train --epochs 1 --ckpt $/d --quiet");
    Outcome o = run_call(train_without_space, "train --ckpt $/c --resume --epochs 3 --quiet");
    assert_refused(&o, "c/step-90.safetensors: cannot write: ");
    ck_assert(same_files("$/c/last.safetensors", "$/d/last.safetensors"));
    ck_assert_int_ne(access(in_folder("$/c/step-90.safetensors"), F_OK), 0);
    ck_assert_int_ne(access(in_folder("$/c/step-90.safetensors.tmp"), F_OK), 0);
}
END_TEST

int main(void) {
    Suite *s = suite_create("checkpoint");
    TCase *t = tcase_create("checkpoint");
    tcase_add_checked_fixture(t, NULL, remove_folder);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, has_the_form_that_other_readers_want);
    tcase_add_loop_test(t, refuses, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, converts_other_precisions);
    tcase_add_test(t, weights_alone_are_no_checkpoint);
    tcase_add_test(t, cut_anywhere_is_refused);
    tcase_add_test(t, other_rows_are_noticed);
    tcase_add_test(t, a_full_disk_loses_nothing);
    suite_add_tcase(s, t);
    return run_suite(s);
}
