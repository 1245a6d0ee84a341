// CSV: what is read, and what is refused with its line and column.
#include "runtime_fixture.h"

#include "runtime/reader.h"

// Two reals a and b, a label of 3 classes, from the columns of those names.
static Dataset dataset(void) {
    static Tensor x = {.name = "x",
                       .kind = TENSOR_input,
                       .elem = ELEM_f64,
                       .rank = 2,
                       .dim = {4, 2},
                       .by_batch = true,
                       .count = 8};
    static Tensor y = {.name = "y",
                       .kind = TENSOR_input,
                       .elem = ELEM_i32,
                       .rank = 1,
                       .dim = {4},
                       .by_batch = true,
                       .count = 4};
    static const char *ab[] = {"a", "b"}, *label[] = {"label"};
    static Field field[] = {{"x", &x, NULL, 2, ab, 0},
                            {"y", &y, NULL, 1, label, 3}};
    static Column column[2];
    for (int i = 0; i < 2; i++) {
        column[i] = (Column){.name = field[i].name,
                             .tensor = field[i].tensor,
                             .field = &field[i],
                             .below = field[i].below,
                             .row_bytes = i ? 4 : 16};
    }
    return (Dataset){.n = 2, .column = column};
}

static const struct {
    const char *text;
    int rows;
    double a0, b0, a1, b1;
    int y0, y1;
} good[] = {
    {"a,b,label\n1,2,0\n3,4,2\n", 2, 1, 2, 3, 4, 0, 2},
    {"a,b,label\n1,2,0\n3,4,2", 2, 1, 2, 3, 4, 0, 2},
    {"a,b,label\r\n1,2,0\r\n3,4,2\r\n", 2, 1, 2, 3, 4, 0, 2},
    {"a,b,label\r1,2,0\r3,4,2\r", 2, 1, 2, 3, 4, 0, 2},
    {"\xef\xbb\xbf"
     "a,b,label\n1,2,0\n3,4,2\n",
     2, 1, 2, 3, 4, 0, 2},
    {"label,name,b,a\n0,\"x, y\",2,1\n2,\"say \"\"no\"\"\nagain\",4,3\n", 2, 1, 2, 3, 4, 0, 2},
    {"\"a\",\"b\",\"label\"\n\"1\",\"2\",\"0\"\n3,4,2\n", 2, 1, 2, 3, 4, 0, 2},
    {" a , b,label\n 1 ,\t2,0\n3,4,2 \n", 2, 1, 2, 3, 4, 0, 2},
    {"\na,b,label\n\n1,2,0\n\n3,4,2\n\n", 2, 1, 2, 3, 4, 0, 2},
    {"a,b,label\n-1.5e2,+.25,0.0\n1E-3,4.,2e0\n", 2, -150, 0.25, 1e-3, 4, 0, 2},
};

START_TEST(reads) {
    write_text("$/x.csv", good[_i].text);
    Dataset d = dataset();
    csv_read(&d, in_folder("$/x.csv"));
    ck_assert_int_eq(d.rows, good[_i].rows);
    const double *x = (const double *)d.column[0].data;
    const int32_t *y = (const int32_t *)d.column[1].data;
    ck_assert_double_eq(x[0], good[_i].a0);
    ck_assert_double_eq(x[1], good[_i].b0);
    ck_assert_double_eq(x[2], good[_i].a1);
    ck_assert_double_eq(x[3], good[_i].b1);
    ck_assert_int_eq(y[0], good[_i].y0);
    ck_assert_int_eq(y[1], good[_i].y1);
    free(d.column[0].data);
    free(d.column[1].data);
}
END_TEST

static const struct {
    const char *text, *says;
} bad[] = {
    {"", "x.csv: line 1: the file is empty"},
    {"a,b,label\n", "x.csv: line 2: no row"},
    {"a,label\n1,0\n", "x.csv: line 1: no column b, expected for x; the first of 2 is a"},
    {"a,b,b,label\n1,2,2,0\n", "x.csv: line 1: columns 2 and 3 are both named b"},
    {"a,b,label\n1,2,0\n1,,0\n",
     "x.csv: line 3, column b: missing value, expected a finite number"},
    {"a,b,label\n1,2,0\n1,NA,0\n", "x.csv: line 3, column b: missing value (NA)"},
    {"a,b,label\n1,2,0\n1,two,0\n", "x.csv: line 3, column b: found two, expected a finite number"},
    {"a,b,label\n1,2,0\n1,nan,0\n", "x.csv: line 3, column b: found nan"},
    {"a,b,label\n1,-inf,0\n", "x.csv: line 2, column b: found -inf"},
    {"a,b,label\n1,1e999,0\n", "x.csv: line 2, column b: found 1e999"},
    {"a,b,label\n1,0x10,0\n", "x.csv: line 2, column b: found 0x10"},
    {"a,b,label\n1,1-2,0\n", "x.csv: line 2, column b: found 1-2"},
    {"a,b,label\n1,2,3\n", "x.csv: line 2, column label: found 3, expected an integer from 0 to 2"},
    {"a,b,label\n1,2,-1\n", "x.csv: line 2, column label: found -1"},
    {"a,b,label\n1,2,0.5\n", "x.csv: line 2, column label: found 0.5"},
    {"a,b,label\n1,2\n", "x.csv: line 2: 2 cells, expected 3 as in the header"},
    {"a,b,label\n1,2,0,4\n", "x.csv: line 2: 4 cells, expected 3"},
    {"a,b,label\n\"1\n2\",2,0\n", "x.csv: line 2, column a: found 1 2"},
    {"a,b,label,t\n1,2,0,\"x\ny\"\n1,?,0,z\n", "x.csv: line 4, column b: missing value (?)"},
    {"a,b,label\n1,2,\"0\n3,4,1\n", "x.csv: line 2: the file ends inside a quoted cell"},
    {"a,b,label\n1,2,\"0\"1\n", "x.csv: line 2: text after a closing quote"},
};

static int read_it(void *unused) {
    (void)unused;
    Dataset d = dataset();
    csv_read(&d, in_folder("$/x.csv"));
    return 0;
}

START_TEST(refuses) {
    write_text("$/x.csv", bad[_i].text);
    Outcome o = run_call(read_it, NULL);
    assert_refused(&o, bad[_i].says);
}
END_TEST

START_TEST(refuses_bytes_and_endless_cells) {
    write_bytes("$/x.csv", "a,b,label\n1,2\0,0\n", 17);
    Outcome o = run_call(read_it, NULL);
    assert_refused(&o, "x.csv: line 2, column b");
    char *text = calloc(1, 100000);
    memset(text, 'q', 99999);
    memcpy(text, "a,b,label\n\"", 11);
    write_text("$/x.csv", text);
    o = run_call(read_it, NULL);
    assert_refused(&o,
                   "x.csv: line 2: a cell longer than 65536 bytes, is its closing quote missing?");
    free(text);
}
END_TEST

START_TEST(reads_many_rows) {
    Buffer b = {0};
    buffer_format(&b, "label,b,a\n");
    for (int i = 0; i < 5000; i++) buffer_format(&b, "%d,%d,%d\n", i % 3, i, -i);
    write_text("$/x.csv", b.data);
    Dataset d = dataset();
    csv_read(&d, in_folder("$/x.csv"));
    ck_assert_int_eq(d.rows, 5000);
    for (int i = 0; i < 5000; i++) {
        ck_assert_double_eq(((double *)d.column[0].data)[2 * i], -i);
        ck_assert_int_eq(((int32_t *)d.column[1].data)[i], i % 3);
    }
    free(d.column[0].data);
    free(d.column[1].data);
    buffer_free(&b);
}
END_TEST

int main(void) {
    Suite *s = suite_create("csv");
    TCase *t = tcase_create("csv");
    tcase_add_checked_fixture(t, NULL, remove_folder);
    tcase_add_loop_test(t, reads, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(t, refuses, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, refuses_bytes_and_endless_cells);
    tcase_add_test(t, reads_many_rows);
    suite_add_tcase(s, t);
    return run_suite(s);
}
