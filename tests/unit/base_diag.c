#include <string.h>

#include "base/diag.h"

#include "suite.h"

static Arena *a;
static Sources *sources;
static Diags *diags;
static int file;

static const char text[] =
    "layer dense(units)(x: [n]) {\n"
    "    param w: [512, units] = he\n"
    "    y = x @ w\n"
    "\tz =\tgr\xC3\xB6\xC3\x9F"
    "e + y\n"
    "    return f(y,\n"
    "             z)\n"
    "}";

static void setup(void) {
    a = arena_new();
    sources = sources_new(a);
    diags = diags_new(a, sources);
    file = source_add(sources, "model.nn", text, (int)strlen(text), false);
}

static void teardown(void) {
    arena_free(a);
}

// The place of `word`, from the first occurrence of `from` on.
static Span place(const char *from, const char *word) {
    const char *at = strstr(strstr(text, from), word);
    return (Span){file, (int)(at - text), (int)(at - text + (int)strlen(word))};
}

static void check_shown(const char *expected) {
    char *shown;
    size_t n;
    FILE *f = open_memstream(&shown, &n);
    diag_show(diags, f);
    fclose(f);
    ck_assert_str_eq(shown, expected);
    free(shown);
}

START_TEST(nothing_is_shown_of_nothing) {
    check_shown("");
    ck_assert_int_eq(diag_errors(diags), 0);
}
END_TEST

START_TEST(two_sides_of_a_mismatch) {
    Diag *d =
        diag_error(diags, place("x @", "x"), "the inner sizes of `@` differ: %d and %d", 784, 512);
    diag_here(d, "784 here");
    diag_label(d, place("x @", "w"), "512 here");
    diag_note(d, place("x: [n]", "n"), "784 comes from here");
    diag_help(d, "use `dense(%d)`", 512);
    check_shown(
        "model.nn:3:9: error: the inner sizes of `@` differ: 784 and 512\n"
        "   3 |     y = x @ w\n"
        "     |         ^   ~ 512 here\n"
        "     |         784 here\n"
        "     = help: use `dense(512)`\n"
        "model.nn:1:24: note: 784 comes from here\n"
        "   1 | layer dense(units)(x: [n]) {\n"
        "     |                        ^\n"
        "1 error\n");
}
END_TEST

START_TEST(label_to_the_left_and_on_another_line) {
    Diag *d = diag_error(diags, place("x @", "w"), "differ");
    diag_label(d, place("x @", "x"), "left");
    diag_label(d, place("[512", "512"), "512 here");
    check_shown(
        "model.nn:3:13: error: differ\n"
        "   3 |     y = x @ w\n"
        "     |         ~   ^\n"
        "     |         left\n"
        "   2 |     param w: [512, units] = he\n"
        "     |               ~~~ 512 here\n"
        "1 error\n");
}
END_TEST

START_TEST(place_inside_a_label) {
    Diag *d = diag_error(diags, place("x @", "@"), "no product");
    diag_label(d, place("x @", "x @ w"), "in this");
    diag_here(d, "here");
    check_shown(
        "model.nn:3:11: error: no product\n"
        "   3 |     y = x @ w\n"
        "     |         ~~^~~ here\n"
        "     |         in this\n"
        "1 error\n");
}
END_TEST

START_TEST(sorted_by_place_and_counted) {
    diag_warning(diags, place("z =", "z"), "`z` is not used");
    diag_error(diags, place("return", "f"), "no function `f`");
    diag_error(diags, place("layer", "dense"), "first");
    check_shown(
        "model.nn:1:7: error: first\n"
        "   1 | layer dense(units)(x: [n]) {\n"
        "     |       ^^^^^\n"
        "model.nn:4:2: warning: `z` is not used\n"
        "   4 |     z = gr\xC3\xB6\xC3\x9F"
        "e + y\n"
        "     |     ^\n"
        "model.nn:5:12: error: no function `f`\n"
        "   5 |     return f(y,\n"
        "     |            ^\n"
        "2 errors, 1 warning\n");
    ck_assert_int_eq(diag_errors(diags), 2);
}
END_TEST

START_TEST(one_place_one_error) {
    Span at = place("x @", "x");
    diag_error(diags, at, "first");
    Diag *second = diag_error(diags, at, "second");
    diag_here(second, "may be added to");
    diag_note(second, at, "all the same");
    diag_warning(diags, at, "a warning is kept");
    diag_warning(diags, at, "a warning is kept");
    diag_error(diags, place("x @", "x @"), "a wider place is another");
    check_shown(
        "model.nn:3:9: error: first\n"
        "   3 |     y = x @ w\n"
        "     |         ^\n"
        "model.nn:3:9: warning: a warning is kept\n"
        "   3 |     y = x @ w\n"
        "     |         ^\n"
        "model.nn:3:9: error: a wider place is another\n"
        "   3 |     y = x @ w\n"
        "     |         ^^^\n"
        "2 errors, 1 warning\n");
}
END_TEST

START_TEST(tabs_and_letters_of_two_bytes) {
    diag_error(diags, place("+ y", "y"), "here");
    check_shown(
        "model.nn:4:16: error: here\n"
        "   4 |     z = gr\xC3\xB6\xC3\x9F"
        "e + y\n"
        "     |                 ^\n"
        "1 error\n");
}
END_TEST

START_TEST(several_lines_show_the_first) {
    Span at = place("return", "f(y,\n             z)");
    diag_error(diags, at, "too long");
    check_shown(
        "model.nn:5:12: error: too long\n"
        "   5 |     return f(y,\n"
        "     |            ^^^^\n"
        "1 error\n");
}
END_TEST

START_TEST(ends_and_empty_places) {
    int n = (int)strlen(text);
    diag_error(diags, (Span){file, n, n + 1}, "behind the end");
    diag_error(diags, (Span){file, 5, 5}, "empty");
    check_shown(
        "model.nn:1:6: error: empty\n"
        "   1 | layer dense(units)(x: [n]) {\n"
        "     |      ^\n"
        "model.nn:7:2: error: behind the end\n"
        "   7 | }\n"
        "     |  ^\n"
        "2 errors\n");
}
END_TEST

START_TEST(nowhere_has_no_snippet) {
    Diag *d = diag_error(diags, (Span){0}, "no model in %s", "x.nn");
    diag_help(d, "add one");
    diag_error(diags, (Span){0}, "another one");
    check_shown(
        "nnc: error: no model in x.nn\n"
        "     = help: add one\n"
        "nnc: error: another one\n"
        "2 errors\n");
}
END_TEST

START_TEST(label_in_another_file_is_a_note) {
    int other = source_add(sources, "std/layers.nn", "\n\nlayer x\n", 10, true);
    Diag *d = diag_error(diags, place("x @", "x"), "wrong");
    diag_label(d, (Span){other, 8, 9}, "declared here");
    check_shown(
        "model.nn:3:9: error: wrong\n"
        "   3 |     y = x @ w\n"
        "     |         ^\n"
        "std/layers.nn:3:7: note: declared here\n"
        "   3 | layer x\n"
        "     |       ^\n"
        "1 error\n");
}
END_TEST

START_TEST(control_characters_do_not_reach_the_terminal) {
    static const char bytes[] = "a \x1b[31m \xff\x80 b\r\n";
    int other = source_add(sources, "x.nn", bytes, (int)strlen(bytes), false);
    diag_error(diags, (Span){other, 11, 12}, "here");
    check_shown(
        "x.nn:1:12: error: here\n"
        "   1 | a ?[31m ?? b\n"
        "     |            ^\n"
        "1 error\n");
}
END_TEST

START_TEST(long_lines_are_cut) {
    char *line = arena_alloc(a, 1001);
    for (int i = 0; i < 1000; i++) line[i] = (char)('0' + i % 10);
    int other = source_add(sources, "x.nn", line, 1000, false);
    Diag *d = diag_error(diags, (Span){other, 500, 503}, "here");
    diag_label(d, (Span){other, 10, 12}, "far left");
    diag_label(d, (Span){other, 900, 950}, "far right");
    char *shown;
    size_t n;
    FILE *f = open_memstream(&shown, &n);
    diag_show(diags, f);
    fclose(f);
    ck_assert_uint_lt(n, 500);
    ck_assert_ptr_nonnull(strstr(shown, "^^^"));
    free(shown);
}
END_TEST

START_TEST(thousands_are_counted_not_shown) {
    char *lines = arena_alloc(a, 20001);
    for (int i = 0; i < 20000; i += 2) memcpy(lines + i, "x\n", 2);
    int other = source_add(sources, "x.nn", lines, 20000, false);
    for (int i = 19998; i >= 0; i -= 2) diag_error(diags, (Span){other, i, i + 1}, "wrong");
    ck_assert_int_eq(diag_errors(diags), 10000);
    char *shown;
    size_t n;
    FILE *f = open_memstream(&shown, &n);
    diag_show(diags, f);
    fclose(f);
    ck_assert_uint_lt(n, 10000);
    ck_assert_ptr_nonnull(strstr(shown, "\n10000 errors (the first 100 are shown)\n"));
    free(shown);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("diag");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, nothing_is_shown_of_nothing);
    tcase_add_test(t, two_sides_of_a_mismatch);
    tcase_add_test(t, label_to_the_left_and_on_another_line);
    tcase_add_test(t, place_inside_a_label);
    tcase_add_test(t, sorted_by_place_and_counted);
    tcase_add_test(t, one_place_one_error);
    tcase_add_test(t, tabs_and_letters_of_two_bytes);
    tcase_add_test(t, several_lines_show_the_first);
    tcase_add_test(t, ends_and_empty_places);
    tcase_add_test(t, nowhere_has_no_snippet);
    tcase_add_test(t, label_in_another_file_is_a_note);
    tcase_add_test(t, control_characters_do_not_reach_the_terminal);
    tcase_add_test(t, long_lines_are_cut);
    tcase_add_test(t, thousands_are_counted_not_shown);
    Suite *s = suite_create("diagnostics");
    suite_add_tcase(s, t);
    return run_suite(s);
}
