// What small programs compute, by the interpreter, against loops written out here.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/build.h"
#include "ir/eval.h"
#include "sema/sema.h"

enum { ROWS = 3 };  // of the batch; the largest batch is larger
static const int64_t extents[] = {ROWS};

typedef struct Program {
    Compiler c;
    Module *m;
    ModelSpec spec;
    Function *f;
    Eval *eval;
} Program;

static Program *program(const char *text, const char *entry) {
    Arena *a = arena_new();
    Program *p = NEW(a, Program);
    p->c = (Compiler){.arena = a, .names = names_new(a), .sources = sources_new(a)};
    p->c.diags = diags_new(a, p->c.sources);
    int file = source_add(p->c.sources, "test.nn", text, (int)strlen(text), false);
    Node *tree = parse_file(&p->c, file);
    p->m = tree ? sema_module(&p->c, tree, false, &p->spec) : NULL;
    if (!p->m) diag_show(p->c.diags, stderr);
    ck_assert_ptr_nonnull(p->m);
    p->f = module_function(p->m, entry);
    p->eval = eval_new(p->m, a, EVAL_wide, extents, 1, 1);
    return p;
}

// A fixed wave, different for every leaf.
static double wave(int leaf, int64_t i) {
    return sin(1.3 * (double)i + leaf) + 0.2 * cos(0.7 * (double)i * leaf);
}

static Tensor *bind(Program *p, const Value *v, int leaf) {
    Tensor *t = tensor_new(p->c.arena, &v->type, extents);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        double x = wave(leaf, i);
        if (v->type.elem == ELEM_i32)
            x = floor(fabs(x) * 1000 -
                      (double)v->type.below * floor(fabs(x) * 1000 / (double)v->type.below));
        if (v->type.elem == ELEM_u8) x = floor(fabs(x) * 100);
        if (!strcmp(v->leaf.name, "run.inv_rows")) x = 1.0 / ROWS;
        if (!strcmp(v->leaf.name, "run.rows")) x = ROWS;
        t->at[i] = x;
    }
    eval_bind(p->eval, v, t);
    return t;
}

// Binds every leaf; gives that of the name.
static Tensor *bind_all(Program *p, const char *name) {
    Tensor *wanted = NULL;
    int leaf = 1;
    for (int i = 0; i < p->f->inputs.n; i++, leaf++) {
        Tensor *t = bind(p, p->f->inputs.at[i], leaf);
        if (!strcmp(p->f->inputs.at[i]->leaf.name, name)) wanted = t;
    }
    for (int i = 0; i < p->m->params.n; i++, leaf++) {
        Tensor *t = bind(p, p->m->params.at[i], leaf);
        if (!strcmp(p->m->params.at[i]->leaf.name, name)) wanted = t;
    }
    for (int i = 0; i < p->m->states.n; i++, leaf++) {
        Tensor *t = bind(p, p->m->states.at[i], leaf);
        if (!strcmp(p->m->states.at[i]->leaf.name, name)) wanted = t;
    }
    return wanted;
}

static Tensor *leaf_tensor(Program *p, const char *name) {
    Tensor *t = bind_all(p, name);
    ck_assert_msg(t != NULL, "no leaf %s", name);
    return t;
}

static const Tensor *result(Program *p, const char *name) {
    for (int i = 0; i < p->f->results.n; i++)
        if (!strcmp(p->f->results.at[i].name, name))
            return eval_value(p->eval, p->f->results.at[i].v);
    ck_abort_msg("no result %s", name);
}

#define NEAR(a, b) ck_assert_double_eq_tol((a), (b), 1e-12)

START_TEST(test_convolution) {
    Program *p = program(
        "model m(x: [batch, 5, 6, 4]) -> [batch, 3, 3, 6] {\n"
        "    return x |> conv2d(6, 3, stride = 2, groups = 2)\n}",
        "predict");
    const double *x = leaf_tensor(p, "x")->at, *k = leaf_tensor(p, "conv2d#1.k")->at;
    const double *b = leaf_tensor(p, "conv2d#1.b")->at;
    const Tensor *y = result(p, "output");
    ck_assert_int_eq(tensor_count(y), ROWS * 3 * 3 * 6);
    for (int n = 0, at = 0; n < ROWS; n++)
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
                for (int f = 0; f < 6; f++, at++) {
                    double sum = b[f];
                    for (int u = 0; u < 3; u++)
                        for (int v = 0; v < 3; v++)
                            for (int c = 0; c < 2; c++) {
                                int h = 2 * i + u - 1, w = 2 * j + v - 1, g = f / 3;
                                if (h < 0 || h >= 5 || w < 0 || w >= 6) continue;
                                sum += x[((n * 5 + h) * 6 + w) * 4 + g * 2 + c] *
                                       k[(((u * 3 + v) * 2 + g) * 2 + c) * 3 + f % 3];
                            }
                    NEAR(y->at[at], sum);
                }
    arena_free(p->c.arena);
}
END_TEST

START_TEST(test_pooling) {
    Program *p = program(
        "model m(x: [batch, 4, 4, 2]) -> a: [batch, 2, 2, 2], b: [batch, 2, 2, 2] {\n"
        "    a[n, i, j, c] = max[u < 2, v < 2] x[n, (i, u), (j, v), c]\n"
        "    return a, x |> avg_pool(2)\n}",
        "predict");
    const double *x = leaf_tensor(p, "x")->at;
    const Tensor *a = result(p, "a"), *b = result(p, "b");
    for (int n = 0, at = 0; n < ROWS; n++)
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++)
                for (int c = 0; c < 2; c++, at++) {
                    double most = -INFINITY, sum = 0;
                    for (int q = 0; q < 4; q++) {
                        double v = x[((n * 4 + 2 * i + q / 2) * 4 + 2 * j + q % 2) * 2 + c];
                        most = fmax(most, v);
                        sum += v;
                    }
                    NEAR(a->at[at], most);
                    NEAR(b->at[at], sum / 4);
                }
    arena_free(p->c.arena);
}
END_TEST

START_TEST(test_means) {
    Program *p = program(
        "model m(x: [batch, 4]) -> a: [], b: [4], c: [batch], d: [batch], e: [] {\n"
        "    a = mean[...] x[...]\n"
        "    b[k] = mean[...] x[..., k]\n"
        "    c = mean[k] x[..., k]\n"
        "    d[n] = mean[k where k > 1] x[n, k]\n"
        "    e = mean[n, k where x[n, k] > 0] x[n, k]\n"
        "    return a, b, c, d, e\n}",
        "predict");
    const double *x = leaf_tensor(p, "x")->at;
    double all = 0, positive = 0, count = 0, column[4] = {0};
    for (int i = 0; i < ROWS * 4; i++) {
        all += x[i];
        column[i % 4] += x[i];
        if (x[i] > 0) positive += x[i], count++;
    }
    NEAR(result(p, "a")->at[0], all / (ROWS * 4));
    NEAR(result(p, "e")->at[0], positive / count);
    for (int k = 0; k < 4; k++) NEAR(result(p, "b")->at[k], column[k] / ROWS);
    for (int n = 0; n < ROWS; n++) {
        const double *r = x + 4 * n;
        NEAR(result(p, "c")->at[n], (r[0] + r[1] + r[2] + r[3]) / 4);
        NEAR(result(p, "d")->at[n], (r[2] + r[3]) / 2);
    }
    arena_free(p->c.arena);
}
END_TEST

START_TEST(test_subscripts) {
    Program *p = program(
        "model m(x: [batch, 6], t: [5, 2], w: class(5)[batch])"
        " -> a: [batch, 8], b: [batch, 2], c: [batch, 6], d: [batch, 3], e: [batch, 4], g: [batch] "
        "{\n"
        "    a[n, k < 8] = if k < 2 then t[w[n], k] else x[n, k - 2]\n"
        "    b = t[w]\n"
        "    c[n, i < 6] = (x[n, i - 2] else 7) + (x[n, i + 1] else -1)\n"
        "    d[n, i < 3] = x[n, floor((2 * i + 1) / 2) + mod(i, 2)]\n"
        "    e = x[:, 1:5]\n"
        "    g[n] = x[n, clamp(w[n] - 1, 0, 5)]\n"
        "    return a, b, c, d, e, g\n}",
        "predict");
    const double *x = leaf_tensor(p, "x")->at, *t = leaf_tensor(p, "t")->at;
    const double *w = leaf_tensor(p, "w")->at;
    for (int n = 0; n < ROWS; n++) {
        const double *r = x + 6 * n;
        int row = (int)w[n];
        ck_assert(row >= 0 && row < 5);
        for (int k = 0; k < 8; k++)
            NEAR(result(p, "a")->at[8 * n + k], k < 2 ? t[2 * row + k] : r[k - 2]);
        for (int k = 0; k < 2; k++) NEAR(result(p, "b")->at[2 * n + k], t[2 * row + k]);
        for (int i = 0; i < 6; i++)
            NEAR(result(p, "c")->at[6 * n + i], (i < 2 ? 7 : r[i - 2]) + (i > 4 ? -1 : r[i + 1]));
        for (int i = 0; i < 3; i++) NEAR(result(p, "d")->at[3 * n + i], r[i + i % 2]);
        for (int i = 0; i < 4; i++) NEAR(result(p, "e")->at[4 * n + i], r[i + 1]);
        NEAR(result(p, "g")->at[n], r[row > 0 ? row - 1 : 0]);
    }
    arena_free(p->c.arena);
}
END_TEST

START_TEST(test_merged_axes) {
    Program *p = program(
        "model m(x: [batch, 2, 3]) -> a: [batch, 6], b: [batch, 3, 2] {\n"
        "    a[n, (j, i)] = x[n, i, j]\n"
        "    y[n, (i, j)] = x[n, i, j]\n"
        "    b[n, i < 3, j] = y[n, (i, j)]\n"
        "    return a, b\n}",
        "predict");
    const double *x = leaf_tensor(p, "x")->at;
    for (int n = 0; n < ROWS; n++)
        for (int q = 0; q < 6; q++) {
            NEAR(result(p, "a")->at[6 * n + q], x[6 * n + q % 2 * 3 + q / 2]);
            NEAR(result(p, "b")->at[6 * n + q], x[6 * n + q]);
        }
    arena_free(p->c.arena);
}
END_TEST

START_TEST(test_products) {
    Program *p = program(
        "model m(x: [batch, 2, 3], w: [3, 4], v: [3], y: [batch, 3, 2])"
        " -> a: [batch, 2, 4], b: [batch, 2], c: [batch, 2, 2], d: [4] {\n"
        "    return x @ w, x @ v, x @ y, v @ w\n}",
        "predict");
    const double *x = leaf_tensor(p, "x")->at, *w = leaf_tensor(p, "w")->at;
    const double *v = leaf_tensor(p, "v")->at, *y = leaf_tensor(p, "y")->at;
    for (int n = 0; n < ROWS; n++)
        for (int i = 0; i < 2; i++) {
            const double *r = x + (n * 2 + i) * 3;
            for (int u = 0; u < 4; u++)
                NEAR(result(p, "a")->at[(n * 2 + i) * 4 + u],
                     r[0] * w[u] + r[1] * w[4 + u] + r[2] * w[8 + u]);
            NEAR(result(p, "b")->at[n * 2 + i], r[0] * v[0] + r[1] * v[1] + r[2] * v[2]);
            for (int u = 0; u < 2; u++) {
                const double *s = y + n * 6 + u;
                NEAR(result(p, "c")->at[(n * 2 + i) * 2 + u],
                     r[0] * s[0] + r[1] * s[2] + r[2] * s[4]);
            }
        }
    for (int u = 0; u < 4; u++)
        NEAR(result(p, "d")->at[u], v[0] * w[u] + v[1] * w[4 + u] + v[2] * w[8 + u]);
    arena_free(p->c.arena);
}
END_TEST

START_TEST(test_reductions) {
    Program *p = program(
        "model m(x: [batch, 4]) -> a: [batch], b: [batch], c: [], d: [batch], e: [] {\n"
        "    a[n] = argmax[k] x[n, k]\n"
        "    b[n] = prod[k where k < 3] x[n, k]\n"
        "    c = if (any[n, k] (x[n, k] > 1)) then 1 else 0\n"
        "    d[n] = min[k] abs(x[n, k]) * 2\n"
        "    e = argmin[n, k] x[n, k]\n"
        "    return a, b, c, d, e\n}",
        "predict");
    const double *x = leaf_tensor(p, "x")->at;
    bool has_any = false;
    int least = 0;
    for (int n = 0; n < ROWS; n++) {
        int most = 0;
        double low = INFINITY;
        for (int k = 0; k < 4; k++) {
            double v = x[4 * n + k];
            if (v > x[4 * n + most]) most = k;
            if (v < x[least]) least = 4 * n + k;
            low = fmin(low, fabs(v));
            has_any |= v > 1;
        }
        NEAR(result(p, "a")->at[n], most);
        NEAR(result(p, "b")->at[n], x[4 * n] * x[4 * n + 1] * x[4 * n + 2]);
        NEAR(result(p, "d")->at[n], 2 * low);
    }
    NEAR(result(p, "c")->at[0], has_any);
    NEAR(result(p, "e")->at[0], least);
    arena_free(p->c.arena);
}
END_TEST

START_TEST(test_cross_entropy) {
    Program *p = program(
        "model m(z: [batch, 5], y: class(5)[batch]) -> a: [], b: [], c: [] {\n"
        "    return cross_entropy(z, y), cross_entropy(z, y, smoothing = 10%), accuracy(z, y)\n}",
        "predict");
    const double *z = leaf_tensor(p, "z")->at, *y = leaf_tensor(p, "y")->at;
    double plain = 0, smooth = 0, right = 0;
    for (int n = 0; n < ROWS; n++) {
        double sum = 0, mean = 0;
        int most = 0, label = (int)y[n];
        for (int k = 0; k < 5; k++) {
            sum += exp(z[5 * n + k]);
            mean += z[5 * n + k] / 5;
            if (z[5 * n + k] > z[5 * n + most]) most = k;
        }
        plain += log(sum) - z[5 * n + label];
        smooth += log(sum) - 0.9 * z[5 * n + label] - 0.1 * mean;
        right += most == label;
    }
    NEAR(result(p, "a")->at[0], plain / ROWS);
    NEAR(result(p, "b")->at[0], smooth / ROWS);
    NEAR(result(p, "c")->at[0], right / ROWS);
    arena_free(p->c.arena);
}
END_TEST

START_TEST(test_scatter) {
    Program *p = program(
        "model m(x: [batch, 3], w: class(4)[batch]) -> a: [4], b: [batch, 7] {\n"
        "    a: [4] = 1\n"
        "    a[w[n]] += x[n, 0]\n"
        "    b: [batch, 7] = 0\n"
        "    for d < 2 { b[n, 2 * i + d] += x[n, i] * (d + 1) }\n"
        "    return a, b\n}",
        "predict");
    const double *x = leaf_tensor(p, "x")->at, *w = leaf_tensor(p, "w")->at;
    double a[4] = {1, 1, 1, 1};
    for (int n = 0; n < ROWS; n++) {
        double b[7] = {0};
        a[(int)w[n]] += x[3 * n];
        for (int i = 0; i < 3; i++) b[2 * i] += x[3 * n + i], b[2 * i + 1] += 2 * x[3 * n + i];
        for (int i = 0; i < 7; i++) NEAR(result(p, "b")->at[7 * n + i], b[i]);
    }
    for (int i = 0; i < 4; i++) NEAR(result(p, "a")->at[i], a[i]);
    arena_free(p->c.arena);
}
END_TEST

// A compile-time number is an exact fraction; integers divide to reals.
START_TEST(test_arithmetic) {
    Program *p = program(
        "model m(x: [batch, 2]) -> a: [batch, 2], b: [], c: [4], d: [batch, 2] {\n"
        "    third = 1 / 3\n"
        "    a = x * (third * 3 == 1 and 0.1 + 0.2 == 0.3) + (x > 0)\n"
        "    b = (sum[i < 4] i / 2) + 7 ^ 2 + 2 ^ -1 + mod(-7, 3) + floor(-1 / 2)\n"
        "    c[i < 4] = if i == 1 or i == 3 then i else -i * 0.5\n"
        "    d = -x ^ 2 + max(min(x, 0.5), -0.5) + clamp(x, 0, 1)\n"
        "    return a, b, c, d\n}",
        "predict");
    const double *x = leaf_tensor(p, "x")->at;
    for (int i = 0; i < ROWS * 2; i++) {
        NEAR(result(p, "a")->at[i], x[i] + (x[i] > 0));
        NEAR(result(p, "d")->at[i],
             -x[i] * x[i] + fmax(fmin(x[i], 0.5), -0.5) + fmin(fmax(x[i], 0), 1));
    }
    NEAR(result(p, "b")->at[0], 3 + 49 + 0.5 + 2 - 1);
    const double c[] = {0, 1, -1, 3};
    for (int i = 0; i < 4; i++) NEAR(result(p, "c")->at[i], c[i]);
    arena_free(p->c.arena);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("values");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_convolution);
    tcase_add_test(t, test_pooling);
    tcase_add_test(t, test_means);
    tcase_add_test(t, test_subscripts);
    tcase_add_test(t, test_merged_axes);
    tcase_add_test(t, test_products);
    tcase_add_test(t, test_reductions);
    tcase_add_test(t, test_cross_entropy);
    tcase_add_test(t, test_scatter);
    tcase_add_test(t, test_arithmetic);
    Suite *suite = suite_create("sema values");
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
