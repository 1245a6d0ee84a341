// Damaged programs: whatever is deleted from, doubled in or put into a valid program, the
// parser returns a well-formed tree or errors that can be shown. The mutations are a fixed
// sequence; the sanitizers' build makes the most of it.
#include <string.h>

#include "syntax/tree.h"

#include "suite.h"

enum { N_MUTATION = 1000, MAX_TEXT = 1 << 15, MAX_TREE_DEPTH = 500 };

static const char *const programs[] = {"tests/syntax/kinds.nn", "tests/syntax/hard.nn",
                                       "tests/syntax/training.nn"};

static const char *const insertions[] = {
    "(",    ")",    "[",   "]",    "{",       "}",       "\n",
    ";",    ",",    "=",   "\"",   "#",       "|>",      "..",
    "...",  "else", "if ", "sum[", "-",       "^",       "\xE2\x88\x92",
    "\xFF", "\x01", "1e",  "9",    " layer ", "\nfn f(", "gradient",
    ".",    ":"};

static uint32_t draw(uint32_t *state, uint32_t below) {
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(*state >> 8) * below) >> 24);
}

// One to three changes of `n` bytes at `text`; returns the new length.
static int mutate(char *text, int n, uint32_t *state) {
    for (int changes = 1 + (int)draw(state, 3); changes > 0; changes--) {
        int at = (int)draw(state, (uint32_t)n + 1);
        int length = (int)draw(state, draw(state, 8) ? 4 : 200);
        if (length > n - at) length = n - at;
        switch (draw(state, 4)) {
            case 0:  // delete
                memmove(text + at, text + at + length, (size_t)(n - at - length));
                n -= length;
                break;
            case 1:  // double
                if (n + length > MAX_TEXT) break;
                memmove(text + at + length, text + at, (size_t)(n - at));
                n += length;
                break;
            case 2: {  // put in
                const char *s = insertions[draw(state, sizeof insertions / sizeof *insertions)];
                int k = (int)strlen(s);
                if (n + k > MAX_TEXT) break;
                memmove(text + at + k, text + at, (size_t)(n - at));
                memcpy(text + at, s, (size_t)k);
                n += k;
                break;
            }
            default:  // exchange two bytes
                if (n < 2 || at >= n) break;
                char other = text[at];
                int from = (int)draw(state, (uint32_t)n);
                text[at] = text[from];
                text[from] = other;
        }
    }
    return n;
}

// One assertion a tree: Check makes a system call of each.
static bool is_well_formed(const Node *x, int length, int depth) {
    if (!x) return true;
    if (x->kind >= N_NODE_KIND || depth > MAX_TREE_DEPTH) return false;
    if (x->span.begin < 0 || x->span.begin > x->span.end || x->span.end > length + 1) return false;
    for (int i = 0; i < x->n; i++)
        if (!is_well_formed(x->kid[i], length, depth + 1)) return false;
    return true;
}

static void parse(const char *text, int n) {
    Arena *a = arena_new();
    Compiler c = {.arena = a, .names = names_new(a), .sources = sources_new(a)};
    c.diags = diags_new(a, c.sources);
    int file = source_add(c.sources, "mutated.nn", text, n, false);
    Node *tree = parse_file(&c, file);
    ck_assert_ptr_nonnull(tree);
    ck_assert_int_eq(tree->kind, NODE_file);
    ck_assert(is_well_formed(tree, n, 1));
    Text *out = text_new(a);
    print_tree(out, tree, c.sources);
    print_tokens(out, &c, file);
    FILE *null = fopen("/dev/null", "w");
    diag_show(c.diags, null);
    fclose(null);
    arena_free(a);
}

START_TEST(damaged_programs_do_no_harm) {
    Arena *a = arena_new();
    size_t n;
    char *program = read_file(a, programs[_i], &n);
    ck_assert_msg(program && n < MAX_TEXT, "cannot read %s", programs[_i]);
    uint32_t state = 12345;
    char *text = arena_alloc(a, MAX_TEXT + 1);
    for (int i = 0; i < N_MUTATION; i++) {
        memcpy(text, program, n);
        int length = mutate(text, (int)n, &state);
        text[length] = 0;
        parse(text, length);
    }
    arena_free(a);
}
END_TEST

START_TEST(every_beginning_of_a_program_does_no_harm) {
    Arena *a = arena_new();
    size_t n;
    char *program = read_file(a, programs[0], &n);
    ck_assert_ptr_nonnull(program);
    for (size_t i = 0; i <= n; i++) {
        char *text = arena_copy(a, program, i + 1);
        text[i] = 0;
        parse(text, (int)i);
    }
    arena_free(a);
}
END_TEST

static void parse_repeated(const char *begin, const char *middle, int times, const char *end) {
    Arena *a = arena_new();
    Text *t = text_new(a);
    text_add(t, begin);
    for (int i = 0; i < times; i++) text_add(t, middle);
    text_add(t, end);
    parse(t->at, (int)t->n);
    arena_free(a);
}

START_TEST(deep_programs_do_no_harm) {
    static const char *const middle[] = {"(",
                                         "[",
                                         "f(",
                                         "x[",
                                         "{",
                                         "-",
                                         "not ",
                                         "a ^ ",
                                         "a + ",
                                         "a * ",
                                         "a |> ",
                                         "sum[i] ",
                                         "if a then b else ",
                                         "a and ",
                                         "(a, ",
                                         "a[",
                                         "a ",
                                         "else ",
                                         ".. ",
                                         "@",
                                         "}",
                                         ")"};
    for (size_t i = 0; i < sizeof middle / sizeof *middle; i++)
        parse_repeated("y = ", middle[i], 12000, "1\n");
    parse_repeated("y = f", "(1)", 12000, "\n");
    parse_repeated("y = f", ".g", 12000, "\n");
    parse_repeated("fn f(x) { if a { x = 1 }", " else if a { x = 1 }", 12000, "\n}\n");
    parse_repeated("fn f(x) {", "if a {", 12000, "}\n");
    parse_repeated("fn f(x) {\n", "y = = 3\n", 3000, "}\n");
    parse_repeated("", "fn f(", 12000, "\n");
}
END_TEST

int main(void) {
    TCase *t = tcase_create("mutation");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, damaged_programs_do_no_harm, 0, 3);
    tcase_add_test(t, every_beginning_of_a_program_does_no_harm);
    tcase_add_test(t, deep_programs_do_no_harm);
    Suite *s = suite_create("damaged programs");
    suite_add_tcase(s, t);
    return run_suite(s);
}
