#include <string.h>

#include "syntax/tree.h"

#include "suite.h"

static Compiler c;
static void setup(void) {
    c = (Compiler){.arena = arena_new()};
    c.names = names_new(c.arena);
    c.sources = sources_new(c.arena);
    c.diags = diags_new(c.arena, c.sources);
}
static void teardown(void) {
    arena_free(c.arena);
}

static Node *parse(const char *text) {
    int file = source_add(c.sources, "test.nn", text, (int)strlen(text), false);
    return parse_file(&c, file);
}

// The expression of `y = TEXT`.
static Node *parse_expr(const char *text) {
    Node *tree = parse(arena_printf(c.arena, "y = %s\n", text));
    ck_assert_msg(diag_errors(c.diags) == 0, "%s", text);
    ck_assert_int_eq(tree->n, 1);
    return tree->kid[0]->kid[0];
}

static void check_number(const char *text, double value, int64_t num, int64_t den) {
    Node *x = parse_expr(text);
    ck_assert_int_eq(x->kind, NODE_number);
    ck_assert_str_eq(x->text, text);
    ck_assert_double_eq(x->number, value);
    ck_assert_int_eq(x->den, den);
    if (den) ck_assert_int_eq(x->num, num);
}

START_TEST(numbers_are_exact) {
    check_number("0", 0, 0, 1);
    check_number("000", 0, 0, 1);
    check_number("128", 128, 128, 1);
    check_number("0.5", 0.5, 1, 2);
    check_number("1e-3", 1e-3, 1, 1000);
    check_number("20%", 0.2, 1, 5);
    check_number("12.50e-3%", 12.50e-5, 1, 8000);
    check_number("100%", 1, 1, 1);
    check_number("1000000000000000000000e-18", 1000, 1000, 1);
    check_number("0.000e99999999999", 0, 0, 1);
    check_number("9223372036854775807", 9223372036854775807.0, INT64_MAX, 1);
    check_number("1E18", 1e18, 1000000000000000000, 1);
}
END_TEST

START_TEST(numbers_beyond_64_bits_are_real) {
    check_number("9223372036854775808", 9223372036854775808.0, 0, 0);
    check_number("1e19", 1e19, 0, 0);
    check_number("1e-19", 1e-19, 0, 0);
    check_number("1e-999", 0, 0, 0);
    check_number("3.14159265358979323846264338327950288", 3.14159265358979323846, 0, 0);
}
END_TEST

// In prefix form, to see what binds to what.
static void add(Text *t, const Node *x) {
    if (!x) return text_add(t, "-");
    if (x->n) text_add(t, "(");
    text_add(t, x->name ? x->name : x->text ? x->text : node_kind_name[x->kind]);
    for (int i = 0; i < x->n; i++) {
        text_add(t, " ");
        add(t, x->kid[i]);
    }
    if (x->n) text_add(t, ")");
}

static void check_form(const char *text, const char *form) {
    Text *t = text_new(c.arena);
    add(t, parse_expr(text));
    ck_assert_str_eq(t->at, form);
}

START_TEST(what_binds_to_what) {
    check_form("a + b * c - d", "(- (+ a (* b c)) d)");
    check_form("a @ b / c", "(/ (@ a b) c)");
    check_form("-a ^ -b ^ c", "(- (^ a (- (^ b c))))");
    check_form("a < b + 1 and not c == d or e", "(or (and (< a (+ b 1)) (not (== c d))) e)");
    check_form("a + b |> f |> g(1)", "(pipe (pipe (+ a b) f) (call g (args 1)))");
    check_form("if a then b + 1 else c |> f", "(choose a (+ b 1) (pipe c f))");
    check_form("f(a)(b).c[i]", "(subscript (c (call (call f (args a)) (args b))) (subs i))");
    check_form("(x[i - 1] else -1)", "(guarded (subscript x (subs (- i 1))) (- 1))");
    check_form("(a, b)", "(tuple a b)");
    check_form("[1 .. 3, a]", "(list (range 1 3) a)");
}
END_TEST

START_TEST(reductions_take_a_product) {
    check_form("sum[i] a * b + c", "(+ (sum (binders (i -)) - (* a b)) c)");
    check_form("2 * sum[i < n, ... where i > 0] a", "(* 2 (sum (binders (i n) pack) (> i 0) a))");
    check_form("a / (sum[j] b * c)", "(/ a (sum (binders (j -)) - (* b c)))");
    check_form("a / sum[j] (b * c)", "(/ a (sum (binders (j -)) - (* b c)))");
    check_form("-sum[j] b - -max[k] c",
               "(- (- (sum (binders (j -)) - b)) (- (max (binders (k -)) - c)))");
}
END_TEST

START_TEST(names_of_reductions_are_names_elsewhere) {
    check_form("mean(x)", "(call mean (args x))");
    check_form("max(x, 0)", "(call max (args x 0))");
    check_form("(mean)[k]", "(subscript mean (subs k))");
    check_form("bn.mean[k]", "(subscript (mean bn) (subs k))");
    check_form("mean [k]", "(subscript mean (subs k))");
}
END_TEST

START_TEST(declaration_words_are_names_inside) {
    Node *tree = parse("fn f(data, model) {\n    loss = data\n    return loss, train.layer\n}\n");
    ck_assert_int_eq(diag_errors(c.diags), 0);
    ck_assert_int_eq(tree->n, 1);
    ck_assert_int_eq(tree->kid[0]->kind, NODE_fn);
}
END_TEST

START_TEST(spans_cover_what_was_written) {
    const char *text = "fn f(x) = (x + 1) * g(x)[i]\n";
    Node *product = parse(text)->kid[0]->kid[3];
    ck_assert_int_eq(product->span.begin, 10);
    ck_assert_int_eq(product->span.end, 27);
    ck_assert_int_eq(product->name_span.begin, 18);
    ck_assert_int_eq(product->name_span.end, 19);
    ck_assert_int_eq(product->kid[0]->span.begin, 10);  // with its parentheses
    ck_assert_int_eq(product->kid[0]->span.end, 17);
    ck_assert_int_eq(product->kid[1]->kid[1]->span.begin, 24);  // the brackets of the indices
    ck_assert_int_eq(product->kid[1]->kid[1]->span.end, 27);
}
END_TEST

START_TEST(what_is_right_is_kept) {
    Node *tree = parse("fn f(x) {\n    y = = x\n    z = x\n}\nfn g(a b) = 3\nfn h(x) = x\n");
    ck_assert_int_eq(diag_errors(c.diags), 2);
    ck_assert_int_eq(tree->n, 3);
    ck_assert_str_eq(tree->kid[0]->name, "f");
    ck_assert_int_eq(tree->kid[0]->kid[3]->n, 2);  // y, which is broken, and z
    ck_assert_int_eq(tree->kid[0]->kid[3]->kid[0]->kind, NODE_broken);
    ck_assert_int_eq(tree->kid[0]->kid[3]->kid[1]->kind, NODE_assign);
    ck_assert_int_eq(tree->kid[1]->kind, NODE_broken);
    ck_assert_str_eq(tree->kid[2]->name, "h");
}
END_TEST

// The names that stand for errors: those that it may define.
static void check_broken(const char *text, const char *word, const char *names) {
    const Node *tree = parse(text), *x = tree->kid[0];
    if (x->kind == NODE_fn) x = x->kid[3]->kid[0];
    ck_assert_int_eq(x->kind, NODE_broken);
    ck_assert_str_eq(x->text, word);
    Text *all = text_new(c.arena);
    for (int i = 0; i < x->n; i++) text_printf(all, " %s", x->kid[i]->name);
    ck_assert_str_eq(all->n ? all->at + 1 : "", names);
}

START_TEST(what_is_broken_says_what_it_may_define) {
    check_broken("hyper lr =\n", "hyper", "lr");
    check_broken("layer f(x y) {\n    y = x\n}\n", "layer", "f");
    check_broken("train m in d { batch 3 }\n", "train", "m");
    check_broken("import torch\n", "import", "import torch");
    check_broken("fn f(x) {\n    y = x +\n    z = y\n}\n", "y", "y z");
    check_broken("fn f(x) {\n    a, b[i, j] = x +* a\n}\n", "a", "a b");
    check_broken("fn f(x) {\n    for i in { y = x }\n}\n", "for", "i y");
    check_broken("fn f(x) {\n    return x +\n}\n", "return", "");
    check_broken("fn f(x) {\n    y = (x + 1\n}\n", "y", "y");
}
END_TEST

START_TEST(a_zero_byte_is_no_text) {
    int file = source_add(c.sources, "test.nn", "y = 1\n\0z = 2\n", 13, false);
    const Node *tree = parse_file(&c, file);
    ck_assert_int_eq(tree->n, 1);
    ck_assert_int_eq(tree->kid[0]->kind, NODE_broken);
    ck_assert_int_eq(diag_errors(c.diags), 1);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("tree");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, numbers_are_exact);
    tcase_add_test(t, numbers_beyond_64_bits_are_real);
    tcase_add_test(t, what_binds_to_what);
    tcase_add_test(t, reductions_take_a_product);
    tcase_add_test(t, names_of_reductions_are_names_elsewhere);
    tcase_add_test(t, declaration_words_are_names_inside);
    tcase_add_test(t, spans_cover_what_was_written);
    tcase_add_test(t, what_is_right_is_kept);
    tcase_add_test(t, what_is_broken_says_what_it_may_define);
    tcase_add_test(t, a_zero_byte_is_no_text);
    Suite *s = suite_create("syntax tree");
    suite_add_tcase(s, t);
    return run_suite(s);
}
