// JSON: what is read and written, and what is refused.
#include "runtime_fixture.h"

static const Json *parse(Mem *m, const char *text, JsonError *error) {
    return json_parse(m, text, strlen(text), error);
}

START_TEST(reads_values) {
    Mem m = {0};
    JsonError e;
    const Json *v =
        parse(&m, " {\"a\": [1, -2.5e3, true, null], \"b\": {\"c\": \"x\"}, \"d\":[]} ", &e);
    ck_assert_ptr_nonnull(v);
    const Json *a = json_get(v, "a");
    ck_assert_int_eq(a->count, 4);
    ck_assert_double_eq(a->first->next->number, -2500);
    ck_assert_int_eq(a->first->next->next->kind, JSON_true);
    ck_assert_int_eq(a->first->next->next->next->kind, JSON_null);
    ck_assert_str_eq(json_text(json_get(json_get(v, "b"), "c"), ""), "x");
    ck_assert_int_eq(json_get(v, "d")->count, 0);
    ck_assert_ptr_null(json_get(v, "e"));
    int64_t i = 0;
    ck_assert(json_integer(a->first, &i) && i == 1);
    ck_assert(!json_integer(json_get(v, "b"), &i));
    mem_free(&m);
}
END_TEST

START_TEST(reads_escapes) {
    Mem m = {0};
    JsonError e;
    const Json *v = parse(&m, "\"\\\"\\\\\\/\\n\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", &e);
    ck_assert_str_eq(v->text, "\"\\/\n\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    mem_free(&m);
}
END_TEST

static const char *const bad[] = {
    "",
    " ",
    "{",
    "[",
    "[1",
    "[1,",
    "[1,]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{a:1}",
    "\"a",
    "\"a\\",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\u0000\"",
    "\"a\nb\"",
    "+1",
    "1 2",
    "tru",
    "nul",
    "--1",
    "1e",
    ".",
    "'a'",
    "\"\\ud83d\\u0041\"",
    "[1 2]",
    "{\"a\" 1}",
};

START_TEST(refuses) {
    Mem m = {0};
    JsonError e = {0};
    ck_assert_ptr_null(parse(&m, bad[_i], &e));
    ck_assert_ptr_nonnull(e.what);
    // A text that is cut anywhere is refused or read, never run past.
    for (size_t n = 0; n <= strlen(bad[_i]); n++) {
        char *copy = memcpy(malloc(n ? n : 1), bad[_i], n);
        json_parse(&m, copy, n, &e);
        free(copy);
    }
    mem_free(&m);
}
END_TEST

START_TEST(refuses_depth) {
    Mem m = {0};
    JsonError e;
    char text[200001];
    memset(text, '[', 200000);
    text[200000] = 0;
    ck_assert_ptr_null(parse(&m, text, &e));
    ck_assert_str_eq(e.what, "nested too deep");
    mem_free(&m);
}
END_TEST

START_TEST(writes_what_it_reads) {
    Mem m = {0};
    JsonError e;
    Buffer b = {0};
    json_write_text(&b, "a\"b\\c\n\x01 \xc3\xa9");
    ck_assert_str_eq(b.data, "\"a\\\"b\\\\c\\u000a\\u0001 \xc3\xa9\"");
    ck_assert_str_eq(parse(&m, b.data, &e)->text, "a\"b\\c\n\x01 \xc3\xa9");
    static const double x[] = {0, 1, -0.1, 1.0 / 3, 1e300, 5e-324, 123456789, 0.071};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        b.length = 0;
        json_write_number(&b, x[i]);
        ck_assert_double_eq(parse(&m, b.data, &e)->number, x[i]);
    }
    b.length = 0;
    json_write_number(&b, 0.071);
    json_write_number(&b, NAN);
    ck_assert_str_eq(b.data, "0.071null");
    buffer_free(&b);
    mem_free(&m);
}
END_TEST

int main(void) {
    Suite *s = suite_create("json");
    TCase *t = tcase_create("json");
    tcase_add_test(t, reads_values);
    tcase_add_test(t, reads_escapes);
    tcase_add_loop_test(t, refuses, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, refuses_depth);
    tcase_add_test(t, writes_what_it_reads);
    suite_add_tcase(s, t);
    return run_suite(s);
}
