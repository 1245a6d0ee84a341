// Loops after the whole pipeline give the bits of the graph after `order`, in the
// interpreters, at every run-time extent.
#include "ir/eval_loops.h"
#include "pass/pipeline.h"
#include "pass_test.h"

enum { MAX_OUT = 32 };

typedef struct Held {  // what the graph gives, before anything is fused
    Module *m;
    const int64_t *extent;
    Leaves leaves;
    const Tensor *result[MAX_OUT], *update[MAX_OUT];
} Held;

static void hold(void *context, Pass *p, const PassInfo *info) {
    Held *h = context;
    if (strcmp(info->name, "order")) return;
    Function *f = p->m->fns.at[0];
    for (int i = 0; i < f->results.n; i++)
        h->result[i] =
            test_eval(p->m, p->m->arena, EVAL_exact, h->extent, &h->leaves, f->results.at[i].v);
    for (int i = 0; i < f->updates.n; i++)
        h->update[i] =
            test_eval(p->m, p->m->arena, EVAL_exact, h->extent, &h->leaves, f->updates.at[i].v);
}

static const Buffer *buffer_of(const Program *p, const Value *v) {
    const Buffer *b = map_get(p->buffer_of, v);
    ck_assert_msg(b != NULL, "a value without a buffer");
    return b;
}

static void put_leaves(LoopEval *e, const Program *p, const Leaves *l) {
    for (int i = 0; i < l->n; i++) {
        const Buffer *b = map_get(p->buffer_of, l->at[i].leaf);  // absent where nothing reads it
        if (!b) continue;
        for (int64_t k = 0; k < tensor_count(l->at[i].tensor); k++)
            loop_eval_put(e, b, k, l->at[i].tensor->at[k]);
    }
}

static void compare(const LoopEval *e, const Buffer *b, const Tensor *t, Name what) {
    for (int64_t k = 0; k < tensor_count(t); k++) {
        double x = loop_eval_get(e, b, k), y = t->at[k];
        ck_assert_msg(x == y || (isnan(x) && isnan(y)), "%s[%d]: %.17g, by the graph %.17g", what,
                      (int)k, x, y);
    }
}

// Rounds reals that are bound as f32 memory will.
static void round_leaves(Leaves *l) {
    for (int i = 0; i < l->n; i++)
        for (int64_t k = 0; k < tensor_count(l->at[i].tensor); k++)
            if (l->at[i].tensor->elem == ELEM_f32)
                l->at[i].tensor->at[k] = (float)l->at[i].tensor->at[k];
}

static void holds_at(const char *text, int64_t batch) {
    const int64_t extent[] = {batch, batch, batch, batch};
    Module *m = read_text(text);
    Function *f = m->fns.at[0];
    Held h = {.m = m, .extent = extent, .leaves = test_leaves(m, f, extent)};
    round_leaves(&h.leaves);
    Pass p = {.c = m->c, .m = m};
    PipelineRun run = {.after = hold, .context = &h};
    ck_assert(pipeline_run(&p, &run));
    ck_assert_ptr_nonnull(p.program);
    LoopEval *e = loop_eval_new(p.program, m->arena, extent, 7, 3);
    put_leaves(e, p.program, &h.leaves);
    loop_eval_run(e, p.program->fns.at[0]);
    f = m->fns.at[0];
    for (int i = 0; i < f->results.n; i++)
        compare(e, buffer_of(p.program, f->results.at[i].v), h.result[i], f->results.at[i].name);
    for (int i = 0; i < f->updates.n; i++)
        compare(e, buffer_of(p.program, f->updates.at[i].target), h.update[i],
                f->updates.at[i].target->leaf.name);
    test_free(m);
}

static void holds(const char *text) {
    const int64_t batch[] = {1, 3, 8, 13, 16};
    for (int i = 0; i < 5; i++) holds_at(text, batch[i]);
}

START_TEST(perceptron) {
    holds(
        "module mlp f32 extent batch <= 16\n"
        "param w f32[20, 37] param b f32[37] param v f32[37, 10]\n"
        "function train_step(x f32[batch, 20], y i32<10>[batch]) {\n"
        "%0 = index [i<batch, j<37 | a<20] sum %x[i, a] * %w[a, j]\n"
        "%1 = index [i<batch, j<37] tanh(%0[i, j] + %b[j])\n"
        "%2 = index [i<batch, j<10 | a<37] sum %1[i, a] * %v[a, j]\n"
        "%3 = index [i<batch | a<10] max %2[i, a]\n"
        "%4 = index [i<batch | a<10] sum exp(%2[i, a] - %3[i])\n"
        "%5 = index [i<batch] log(%4[i]) + %3[i] - %2[i, {%y[i]}]\n"
        "%6 = index [| a<batch] sum %5[a]\n"
        "%7 = grad %6 wrt %w %8 = grad %6 wrt %b %9 = grad %6 wrt %v\n"
        "%10 = index [i<20, j<37] %w[i, j] - 0.1 * %7[i, j]\n"
        "%11 = index [i<37] %b[i] - 0.1 * %8[i]\n"
        "%12 = index [i<37, j<10] %v[i, j] - 0.1 * %9[i, j]\n"
        "result loss = %6 update %w = %10 update %b = %11 update %v = %12 }\n");
}
END_TEST

START_TEST(convolution_and_pooling) {
    holds(
        "module conv f32 extent batch <= 16\n"
        "param k f32[3, 3, 2, 5]\n"
        "function gradients(x f32[batch, 8, 8, 2]) {\n"
        "%0 = index [i<batch, j<8, l<8, m<5 | a<3, b<3, c<2] sum (%x[i, j + a - 1, l + b - 1, c] "
        "if j + a - 1 >= 0, 8 - j - a >= 0, l + b - 1 >= 0, 8 - l - b >= 0 else 0.0) * %k[a, b, c, "
        "m]\n"
        "%1 = index [i<batch, j<4, l<4, m<5 | a<2, b<2] max max(%0[i, 2*j + a, 2*l + b, m], 0.0)\n"
        "%2 = index [i<batch | a<4, b<4, c<5] sum %1[i, a, b, c]\n"
        "%3 = index [| a<batch] sum %2[a] * %2[a]\n"
        "%4 = grad %3 wrt %k\n"
        "result loss = %3 result dk = %4 result y = %1 }\n");
}
END_TEST

START_TEST(rows_draws_scatters_joins) {
    holds(
        "module rows f32 extent batch <= 16\n"
        "param table f32[11, 24]\n"
        "function predict(word i32<11>[batch], x f32[batch, 24]) {\n"
        "%0 = index [i<batch | a<24] sum %x[i, a]\n"
        "%1 = index [i<batch, j<24] (%x[i, j] - %0[i] / 24.0) * (if rand(3, i*24 + j) < 0.5 then "
        "2.0 else 0.0)\n"
        "%2 = index [i<batch, j<24] %1[i, j] + %table[{%word[i]}, j]\n"
        "%3 = accumulate f32[11, 24] [i<batch, j<24] sum at [{%word[i]}, j]: %2[i, j]\n"
        "%4 = join axis 1 extent 49 [%1 at 0 step 2, %2 at 1 step 2] fill 0.5\n"
        "%5 = reshape %3 to [264]\n"
        "%6 = index [i<batch | a<24] argmax %2[i, a]\n"
        "%7 = index [i<24 | a<batch] sum %2[a, i]\n"
        "%8 = index [i<24 | a<24] sum where (i - a >= 0) %7[a]\n"
        "result a = %2 result b = %3 result c = %4 result d = %5 result e = %6 result f = %7 "
        "result g = %8 }\n");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pass_loops");
    TCase *t = tcase_create("loops");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, perceptron);
    tcase_add_test(t, convolution_and_pooling);
    tcase_add_test(t, rows_draws_scatters_joins);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
