#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/source.h"

#include "suite.h"

static Arena *a;
static void setup(void) {
    a = arena_new();
}
static void teardown(void) {
    arena_free(a);
}

static void check_place(const Sources *s, int file, int offset, int line, int column) {
    int got_line, got_column;
    source_line(s, file, offset, &got_line, &got_column);
    ck_assert_int_eq(got_line, line);
    ck_assert_int_eq(got_column, column);
}

START_TEST(places_count_from_one) {
    Sources *s = sources_new(a);
    int file = source_add(s, "a.nn", "ab\n\nc\n", 6, false);
    check_place(s, file, 0, 1, 1);
    check_place(s, file, 2, 1, 3);  // the newline belongs to its line
    check_place(s, file, 3, 2, 1);
    check_place(s, file, 4, 3, 1);
    check_place(s, file, 6, 4, 1);
    check_place(s, 0, 17, 0, 0);
}
END_TEST

START_TEST(files_are_told_apart) {
    Sources *s = sources_new(a);
    int one = source_add(s, "one.nn", "", 0, false);
    int two = source_add(s, "two.nn", "\n\n", 2, true);
    ck_assert_int_ne(one, 0);
    ck_assert_str_eq(source_of(s, one)->path, "one.nn");
    ck_assert(!source_of(s, one)->is_library);
    ck_assert(source_of(s, two)->is_library);
    ck_assert_int_eq(source_of(s, two)->n_line, 3);
    check_place(s, one, 0, 1, 1);
}
END_TEST

START_TEST(spans_join) {
    Span x = span_join((Span){1, 4, 6}, (Span){1, 2, 5});
    ck_assert_int_eq(x.begin, 2);
    ck_assert_int_eq(x.end, 6);
    ck_assert_int_eq(span_join((Span){0}, (Span){2, 3, 4}).file, 2);
    ck_assert_int_eq(span_join((Span){2, 3, 4}, (Span){0}).begin, 3);
}
END_TEST

START_TEST(files_are_read_whole) {
    char path[] = "/tmp/nnc-source-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *f = fdopen(fd, "w");
    for (int i = 0; i < 100000; i++) fputc(i % 251, f);
    fclose(f);
    size_t n;
    char *text = read_file(a, path, &n);
    unlink(path);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(n, 100000);
    int n_wrong = 0;
    for (int i = 0; i < 100000; i++) n_wrong += (unsigned char)text[i] != i % 251;
    ck_assert_int_eq(n_wrong, 0);
    ck_assert_int_eq(text[n], 0);
}
END_TEST

START_TEST(what_cannot_be_read_says_why) {
    size_t n;
    ck_assert_ptr_null(read_file(a, "/nowhere/at/all", &n));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_ptr_null(read_file(a, "/tmp", &n));
    ck_assert_int_eq(errno, EISDIR);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("source");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, places_count_from_one);
    tcase_add_test(t, files_are_told_apart);
    tcase_add_test(t, spans_join);
    tcase_add_test(t, files_are_read_whole);
    tcase_add_test(t, what_cannot_be_read_says_why);
    Suite *s = suite_create("source");
    suite_add_tcase(s, t);
    return run_suite(s);
}
