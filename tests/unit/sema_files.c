// tests/sema/NAME.nn: elaborates without a word, or gives exactly the diagnostics in NAME.err;
// NAME.graph holds the printed module. A first line `# define NAME=VALUE` stands for -D. With
// BLESS=1 in the environment the files that exist are rewritten.
#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ir/print.h"
#include "ir/verify.h"
#include "sema/sema.h"

static const char folder[] = "tests/sema";

typedef struct Run {
    Compiler c;  // the module points to it
    Module *m;
    ModelSpec spec;
    char *said;
} Run;

static char *diagnostics(Compiler *c) {
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    diag_show(c->diags, f);
    fclose(f);
    char *copy = arena_copy(c->arena, text, n + 1);
    free(text);
    return copy;
}

// Places in the library may move: notes there are left out, with the lines that they show.
static char *without_library_notes(Arena *a, const char *text) {
    Text *out = text_new(a);
    bool is_left_out = false;
    text_add(out, "");
    while (*text) {
        size_t n = strcspn(text, "\n") + (strchr(text, '\n') != NULL);
        if (*text != ' ') is_left_out = !strncmp(text, "std/", 4);
        if (!is_left_out) text_add_n(out, text, n);
        text += n;
    }
    return out->at;
}

// Margins are as wide as the longest line number, which may be that of a note left out.
static char *without_margins(Arena *a, const char *text) {
    Text *out = text_new(a);
    text_add(out, "");
    while (*text) {
        size_t n = strcspn(text, "\n") + (strchr(text, '\n') != NULL);
        size_t margin = strspn(text, " ");
        text_add_n(out, text + margin, n - margin);
        text += n;
    }
    return out->at;
}

static char *without_library_places(Arena *a, const char *text) {
    Text *out = text_new(a);
    while (*text) {
        size_t n = strcspn(text, "\n") + (strchr(text, '\n') != NULL), kept = n;
        for (size_t i = 0; i + 4 < n; i++)
            if (!strncmp(text + i, "  @std", 6)) kept = i;
        text_add_n(out, text, kept);
        if (kept < n) text_add(out, "\n");
        text += n;
    }
    return out->at;
}

static void read_define(Compiler *c, const char *text) {
    static const char word[] = "# define ";
    if (strncmp(text, word, strlen(word))) return;
    const char *at = text + strlen(word), *equals = strchr(at, '='), *end = strchr(at, '\n');
    Define *d = NEW(c->arena, Define);
    d->name = arena_printf(c->arena, "%.*s", (int)(equals - at), at);
    d->value = arena_printf(c->arena, "%.*s", (int)(end - equals - 1), equals + 1);
    c->opt.define = d;
    c->opt.n_define = 1;
}

static Run *run_file(const char *name) {
    Arena *a = arena_new();
    Run *r = NEW(a, Run);
    r->c = (Compiler){.arena = a, .names = names_new(a), .sources = sources_new(a)};
    r->c.diags = diags_new(a, r->c.sources);
    size_t n;
    char *text = read_file(a, arena_printf(a, "%s/%s", folder, name), &n);
    ck_assert_msg(text != NULL, "cannot read %s", name);
    read_define(&r->c, text);
    Node *tree = parse_file(&r->c, source_add(r->c.sources, name, text, (int)n, false));
    ck_assert_msg(tree != NULL, "%s does not parse", name);
    r->m = sema_module(&r->c, tree, true, &r->spec);
    r->said = without_library_notes(a, diagnostics(&r->c));
    return r;
}

// Compares with NAME.kind, which is empty where it is absent and not required.
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
    bool is_same = !strcmp(without_margins(a, expected), without_margins(a, got));
    ck_assert_msg(is_same, "%s differs; got\n%s", path, got);
}

static char **files;
static int n_file;

START_TEST(test_file) {
    const char *name = files[_i];
    Run *r = run_file(name);
    compare(r, name, ".err", r->said, *r->said != 0);
    ck_assert_msg((r->m == NULL) == (diag_errors(r->c.diags) > 0), "%s: errors and a module", name);
    if (r->m) {
        const char *wrong = verify_module(r->m, LEVEL_G);
        ck_assert_msg(!wrong, "%s: %s", name, wrong);
        Text *graph = text_new(r->c.arena);
        print_module(graph, r->m);
        compare(r, name, ".graph", without_library_places(r->c.arena, graph->at), false);
    }
    arena_free(r->c.arena);
}
END_TEST

// The same text gives the same bytes.
START_TEST(test_deterministic) {
    Run *a = run_file(files[_i]), *b = run_file(files[_i]);
    ck_assert_str_eq(a->said, b->said);
    if (a->m) {
        Text *x = text_new(a->c.arena), *y = text_new(b->c.arena);
        print_module(x, a->m);
        print_module(y, b->m);
        ck_assert_str_eq(x->at, y->at);
    }
    arena_free(a->c.arena);
    arena_free(b->c.arena);
}
END_TEST

static int is_program(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);
    return n > 3 && !strcmp(entry->d_name + n - 3, ".nn");
}

int main(void) {
    struct dirent **entry;
    n_file = scandir(folder, &entry, is_program, alphasort);
    if (n_file <= 0) {
        fprintf(stderr, "no programs in %s\n", folder);
        return 1;
    }
    files = calloc((size_t)n_file, sizeof *files);
    for (int i = 0; i < n_file; i++) files[i] = entry[i]->d_name;
    TCase *t = tcase_create("files");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_file, 0, n_file);
    tcase_add_loop_test(t, test_deterministic, 0, n_file);
    Suite *suite = suite_create("sema files");
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
