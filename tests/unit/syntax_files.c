// tests/syntax/NAME.nn: parses without an error, or gives exactly the rendering in NAME.err;
// NAME.ast and NAME.tokens hold the printed tree and tokens. With BLESS=1 in the environment
// the files that exist are rewritten.
#include <dirent.h>
#include <string.h>

#include "syntax/tree.h"

#include "suite.h"

static const char folder[] = "tests/syntax";

typedef struct Run {
    Compiler c;
    int file;
    Node *tree;
    char *errors;
} Run;

static char *errors_of(Arena *a, Diags *d) {
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    diag_show(d, f);
    fclose(f);
    char *copy = arena_copy(a, text, n + 1);
    free(text);
    return copy;
}

static Compiler compiler_new(void) {
    Arena *a = arena_new();
    Compiler c = {.arena = a, .names = names_new(a), .sources = sources_new(a)};
    c.diags = diags_new(a, c.sources);
    return c;
}

static Run run_file(const char *name) {
    Run r = {.c = compiler_new()};
    size_t n;
    char *text = read_file(r.c.arena, arena_printf(r.c.arena, "%s/%s", folder, name), &n);
    ck_assert_msg(text != NULL, "cannot read %s", name);
    r.file = source_add(r.c.sources, name, text, (int)n, false);
    r.tree = parse_file(&r.c, r.file);
    r.errors = errors_of(r.c.arena, r.c.diags);
    return r;
}

// Compares with the file NAME.kind, which holds nothing where it is absent and not required.
static void compare(Run *r, const char *name, const char *kind, const char *got, bool required) {
    Arena *a = r->c.arena;
    const char *path = arena_printf(a, "%s/%.*s%s", folder, (int)strlen(name) - 3, name, kind);
    size_t n;
    const char *expected = read_file(a, path, &n);
    if (!expected && !required) return;
    if (getenv("BLESS")) {
        FILE *f = fopen(path, "w");
        ck_assert_msg(f && fputs(got, f) >= 0 && !fclose(f), "cannot write %s", path);
        return;
    }
    ck_assert_msg(expected != NULL, "%s: unexpected\n%s", name, got);
    ck_assert_msg(!strcmp(expected, got), "%s differs; got\n%s", path, got);
}

static char **files;
static int n_file;

START_TEST(test_file) {
    Run r = run_file(files[_i]);
    Text *tree = text_new(r.c.arena), *tokens = text_new(r.c.arena);
    print_tree(tree, r.tree, r.c.sources);
    print_tokens(tokens, &r.c, r.file);
    compare(&r, files[_i], ".err", r.errors, *r.errors);
    compare(&r, files[_i], ".ast", tree->at, false);
    compare(&r, files[_i], ".tokens", tokens->at, false);
    arena_free(r.c.arena);
}
END_TEST

static void mark_kinds(const Node *x, bool *seen) {
    if (!x) return;
    seen[x->kind] = true;
    for (int i = 0; i < x->n; i++) mark_kinds(x->kid[i], seen);
}

START_TEST(test_every_kind_is_printed) {
    Run r = run_file("kinds.nn");
    bool seen[N_NODE_KIND] = {0};
    mark_kinds(r.tree, seen);
    for (int k = 0; k < N_NODE_KIND; k++)
        ck_assert_msg(seen[k] || k == NODE_broken, "kinds.nn has no %s", node_kind_name[k]);
    arena_free(r.c.arena);
}
END_TEST

static int is_program(const struct dirent *d) {
    size_t n = strlen(d->d_name);
    return n > 3 && !strcmp(d->d_name + n - 3, ".nn");
}

int main(void) {
    struct dirent **entry;
    n_file = scandir(folder, &entry, is_program, alphasort);
    if (n_file < 0) {
        fprintf(stderr, "no folder %s here\n", folder);
        return 1;
    }
    files = calloc((size_t)n_file + 1, sizeof *files);
    for (int i = 0; i < n_file; i++) files[i] = entry[i]->d_name;
    TCase *t = tcase_create("files");
    tcase_add_loop_test(t, test_file, 0, n_file);
    tcase_add_test(t, test_every_kind_is_printed);
    Suite *s = suite_create("syntax files");
    suite_add_tcase(s, t);
    return run_suite(s);
}
