// Units of texts, and prompts and classes turned into each other.
#include "runtime_fixture.h"

#include "runtime/vocabulary.h"

static int pieces(Unit unit, const char *text, const char *joined) {
    TextRule r = {.unit = unit};
    const char *at = text, *end = text + strlen(text);
    Buffer b = {0};
    Piece p;
    int n = 0;
    for (; text_next(&r, &at, end, &p); n++) {
        if (n) buffer_add(&b, "|", 1);
        buffer_add(&b, p.at, p.length);
    }
    ck_assert_str_eq(b.data ? b.data : "", joined);
    buffer_free(&b);
    return n;
}

START_TEST(units_are_cut) {
    ck_assert_int_eq(pieces(UNIT_characters, "aé漢\n", "a|é|漢|\n"), 4);
    ck_assert_int_eq(pieces(UNIT_words, "  Don't 'stop'--it's été.\n", "Don't|'|stop|'|-|-|it's|été|."), 9);
    ck_assert_int_eq(pieces(UNIT_words, " \t\r\n", ""), 0);
    ck_assert_int_eq(pieces(UNIT_bytes, "a b", "a| |b"), 3);
}
END_TEST

static const char *kept[] = {"<unknown>", "the", "end", ".", "it's"};

// A run whose one field has these words.
static Run run_of(Mem *mem, const char *field, int n, const char **word) {
    static Words words;
    static Field f;
    JsonError error;
    f = (Field){.name = "x", .below = 10, .json = json_parse(mem, field, strlen(field), &error)};
    words = (Words){.n = n, .word = word, .mem = mem, .is_given = true};
    Manifest *m = mem_get(mem, sizeof *m);
    m->data.n_field = 1;
    m->data.field = &f;
    return (Run){.manifest = m, .data = {.words = &words}};
}

static const char *decoded(Run *run, Mem *mem, const int32_t *class, int64_t n) {
    Buffer b = {0};
    for (int64_t i = 0; i < n; i++)
        text_decode(run, text_field(run->manifest), i ? class[i - 1] : -1, class[i], &b);
    const char *text = mem_text(mem, b.data, b.length);
    buffer_free(&b);
    return text;
}

START_TEST(prompts_become_classes_and_back) {
    Mem mem = {0};
    Run run = run_of(&mem, "{\"text\": \"words\", \"lowercase\": true}", 5, kept);
    const Field *f = text_field(run.manifest);
    int32_t *class;
    static const int32_t expected[] = {1, 2, 3, 4, 1, 0};
    ck_assert_int_eq(text_encode(&run, f, "The END. It's the beginning", &mem, &class), 6);
    ck_assert_mem_eq(class, expected, sizeof expected);
    ck_assert_str_eq(decoded(&run, &mem, class, 6), "the end. it's the <unknown>");
    mem_free(&mem);
}
END_TEST

START_TEST(characters_and_bytes_too) {
    Mem mem = {0};
    static const char *letters[] = {"é", "a", "\n"};
    Run run = run_of(&mem, "{\"text\": \"characters\"}", 3, letters);
    int32_t *class;
    ck_assert_int_eq(text_encode(&run, text_field(run.manifest), "aé\n", &mem, &class), 3);
    ck_assert_str_eq(decoded(&run, &mem, class, 3), "aé\n");
    run = run_of(&mem, "{\"text\": \"bytes\"}", 0, NULL);
    ck_assert_int_eq(text_encode(&run, text_field(run.manifest), "\xff\x01", &mem, &class), 2);
    ck_assert_int_eq(class[0], 255);
    ck_assert_str_eq(decoded(&run, &mem, class, 2), "\xff\x01");
    mem_free(&mem);
}
END_TEST

START_TEST(unknown_characters_end_it) {
    Mem mem = {0};
    static const char *letters[] = {"a"};
    Run run = run_of(&mem, "{\"text\": \"characters\"}", 1, letters);
    int32_t *class;
    text_encode(&run, text_field(run.manifest), "ab", &mem, &class);
}
END_TEST

int main(void) {
    Suite *s = suite_create("vocabulary");
    TCase *t = tcase_create("all");
    tcase_add_test(t, units_are_cut);
    tcase_add_test(t, prompts_become_classes_and_back);
    tcase_add_test(t, characters_and_bytes_too);
    tcase_add_exit_test(t, unknown_characters_end_it, EXIT_DATA);
    suite_add_tcase(s, t);
    return run_suite(s);
}
