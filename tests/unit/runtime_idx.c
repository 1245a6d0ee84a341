// IDX: plain and compressed, and files whose headers lie.
#include <zlib.h>

#include "runtime_fixture.h"

#include "runtime/reader.h"

static Tensor image = {.name = "image",
                       .kind = TENSOR_input,
                       .elem = ELEM_u8,
                       .rank = 3,
                       .dim = {4, 2, 3},
                       .by_batch = true,
                       .count = 24};
static Tensor label = {.name = "label",
                       .kind = TENSOR_input,
                       .elem = ELEM_i32,
                       .rank = 1,
                       .dim = {4},
                       .by_batch = true,
                       .count = 4};
static Field image_field = {"image", &image, "images", 0, NULL, 0};
static Field label_field = {"label", &label, "labels", 0, NULL, 10};

static Dataset dataset(const Field *f, Column *column) {
    *column = (Column){.name = f->name,
                       .tensor = f->tensor,
                       .field = f,
                       .below = f->below,
                       .row_bytes = f == &image_field ? 6 : 4};
    return (Dataset){.n = 1, .column = column};
}

#define U8_2_2_3 "\0\0\10\3\0\0\0\2\0\0\0\2\0\0\0\3"

START_TEST(reads_plain_and_compressed) {
    static const char text[] = U8_2_2_3 "abcdefghijkl";
    write_bytes("$/x", text, sizeof text - 1);
    gzFile gz = gzopen(in_folder("$/x.gz"), "wb");
    gzwrite(gz, text, sizeof text - 1);
    gzclose(gz);
    for (int i = 0; i < 2; i++) {
        Column c;
        Dataset d = dataset(&image_field, &c);
        idx_read(&d, &c, in_folder(i ? "$/x.gz" : "$/x"));
        ck_assert_int_eq(d.rows, 2);
        ck_assert_mem_eq(c.data, "abcdefghijkl", 12);
        free(c.data);
    }
}
END_TEST

START_TEST(reads_labels_and_wide_elements) {
    Column c;
    Dataset d = dataset(&label_field, &c);
    write_bytes("$/x", "\0\0\10\1\0\0\0\3\0\11\5", 11);
    idx_read(&d, &c, in_folder("$/x"));
    ck_assert_int_eq(((int32_t *)c.data)[1], 9);
    free(c.data);
    d = dataset(&label_field, &c);
    write_bytes("$/x", "\0\0\13\1\0\0\0\2\0\7\0\1", 12);
    idx_read(&d, &c, in_folder("$/x"));
    ck_assert_int_eq(((int32_t *)c.data)[0], 7);
    free(c.data);
}
END_TEST

static const struct {
    const char *text;
    size_t length;
    const Field *field;
    const char *says;
} bad[] = {
    {"", 0, &image_field, "not an IDX file"},
    {"\0\0\10", 3, &image_field, "not an IDX file"},
    {"P5 is a picture", 15, &image_field, "not an IDX file: begins with 50 35 20 69"},
    {"\0\0\10\0", 4, &image_field, "not an IDX file"},
    {U8_2_2_3, 10, &image_field, "ends in its header, at dimension 2 of 3"},
    {U8_2_2_3, 16, &image_field, "2 x 2 x 3 elements, and the file ends in row 0"},
    {U8_2_2_3 "abcdefghijk", 27, &image_field, "and the file ends in row 1"},
    {U8_2_2_3 "abcdefghijklm", 29, &image_field, "and the file goes on behind them"},
    {"\0\0\10\3\377\377\377\377\0\0\0\2\0\0\0\3abcdef", 22, &image_field,
     "and the file ends in row 1"},
    {"\0\0\10\4\0\0\0\1\377\377\377\377\377\377\377\377\377\377\377\377", 20, &image_field,
     "expected rows that a memory can hold"},
    {"\0\0\10\3\0\0\0\2\0\0\0\3\0\0\0\3", 16, &image_field, "2 x 3 x 3 elements, expected 2 x 3 in each row for image"},
    {"\0\0\10\3\0\0\0\0\0\0\0\2\0\0\0\3", 16, &image_field, "0 x 2 x 3 elements, expected a row"},
    {"\0\0\10\1\0\0\0\3\0\12\5", 11, &label_field,
     "row 1: found 10, expected an integer from 0 to 9"},
    {U8_2_2_3 "abcdefghijkl", 28, &label_field, "2 x 2 x 3 elements, expected 1 in each row"},
};

static int read_it(void *field) {
    Column c;
    Dataset d = dataset(field, &c);
    idx_read(&d, &c, in_folder("$/x"));
    return 0;
}

START_TEST(refuses) {
    write_bytes("$/x", bad[_i].text, bad[_i].length);
    Outcome o = run_call(read_it, (void *)(uintptr_t)bad[_i].field);
    assert_refused(&o, bad[_i].says);
    ck_assert_ptr_nonnull(strstr(o.err, in_folder("$/x")));
}
END_TEST

START_TEST(refuses_cut_and_broken_compression) {
    static char text[4096] = U8_2_2_3 "abcdefghijkl";
    gzFile gz = gzopen(in_folder("$/x"), "wb");
    gzwrite(gz, text, 28);
    gzclose(gz);
    size_t n = 0;
    char *packed = read_file("$/x", &n);
    write_bytes("$/x", packed, n - 12);
    Outcome o = run_call(read_it, &image_field);
    assert_refused(&o, "/x: ");
    packed[n - 7] ^= 1;
    write_bytes("$/x", packed, n);
    o = run_call(read_it, &image_field);
    assert_refused(&o, "/x: cannot read: ");
    free(packed);
}
END_TEST

START_TEST(refuses_other_counts) {
    Column c;
    Dataset d = dataset(&label_field, &c);
    d.rows = 5;
    write_bytes("$/x", "\0\0\10\1\0\0\0\3\0\11\5", 11);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen(in_folder("$/err"), "w", stderr)) _exit(99);
        idx_read(&d, &c, in_folder("$/x"));
        _exit(0);
    }
    write_text("$/out", "");
    Outcome o = finish_call(child);
    assert_refused(&o, "3 elements, expected 5 rows as before");
}
END_TEST

int main(void) {
    Suite *s = suite_create("idx");
    TCase *t = tcase_create("idx");
    tcase_add_checked_fixture(t, NULL, remove_folder);
    tcase_add_test(t, reads_plain_and_compressed);
    tcase_add_test(t, reads_labels_and_wide_elements);
    tcase_add_loop_test(t, refuses, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, refuses_cut_and_broken_compression);
    tcase_add_test(t, refuses_other_counts);
    suite_add_tcase(s, t);
    return run_suite(s);
}
