// Which values take over the memory of others.
#include "pass/pipeline.h"
#include "pass/schedule.h"
#include "pass_test.h"

typedef struct Asked {
    const char *a, *b;  // hints of two values, or "join"
    bool are_one, found;
} Asked;

static const Buffer *buffer_of_hint(const FunctionSchedule *fs, const char *hint) {
    for (int i = 0; i < fs->regions.n; i++)
        for (int n = 0; n < fs->regions.at[i]->nests.n; n++) {
            const Nest *nest = fs->regions.at[i]->nests.at[n];
            for (int k = 0; k < nest->members.n; k++) {
                Value *v = nest->members.at[k].v;
                const char *is = v->op == VAL_join ? "join" : v->hint ? v->hint : "";
                if (nest->members.at[k].keep == KEEP_stored && !strcmp(is, hint))
                    return ((Storage *)map_get(fs->storage, v))->buffer;
            }
        }
    return NULL;
}

static void ask(void *context, Pass *p, const PassInfo *info) {
    Asked *asked = context;
    if (strcmp(info->name, "schedule")) return;
    const FunctionSchedule *fs = p->schedule->fns.at[0];
    const Buffer *a = buffer_of_hint(fs, asked->a), *b = buffer_of_hint(fs, asked->b);
    asked->found = a && b;
    asked->are_one = a == b;
}

static bool are_one(const char *text, const char *a, const char *b) {
    Module *m = read_text(text);
    Asked asked = {a, b};
    Pass p = {.c = m->c, .m = m};
    PipelineRun run = {.after = ask, .context = &asked};
    ck_assert(pipeline_run(&p, &run));
    ck_assert(asked.found);
    test_free(m);
    return asked.are_one;
}

// A normalization by the whole tensor's mean, between two products.
#define NORM(body, more)                                                                    \
    "module m f32 extent batch <= 100 param w f32[64, 64]"                                  \
    "function predict(x f32[batch, 64]) {"                                                  \
    "%0.first = index [i<batch, j<64 | a<64] sum %x[i, a] * %w[a, j]"                       \
    "%1.mean = index [| a<batch, b<64] sum exp(%0[a, b])"                                   \
    "%2.then = index [i<batch, j<64] " body                                                 \
    "%3 = index [i<64, j<64 | a<batch] sum %2[a, i] * %x[a, j]"                             \
    "result y = %3 " more "}"

#define PLAIN "tanh(%0[i, j]) * exp(%1[]) + tanh(%0[i, j] * 3.0)"

START_TEST(takes_what_is_read_for_the_last_time) {
    ck_assert(are_one(NORM(PLAIN, ""), "first", "then"));
}
END_TEST

START_TEST(leaves_results_alone) {
    ck_assert(!are_one(NORM(PLAIN, "result z = %0"), "first", "then"));
    ck_assert(!are_one(NORM(PLAIN, "result z = %2"), "first", "then"));
}
END_TEST

START_TEST(leaves_what_is_read_later) {
    ck_assert(!are_one(NORM(PLAIN, "%4 = index [i<64 | a<batch] sum %0[a, i] * exp(%3[i, i]) result z = %4"),
                       "first", "then"));
}
END_TEST

START_TEST(leaves_what_is_read_elsewhere) {
    ck_assert(!are_one(NORM("tanh(%0[i, j]) * exp(%1[]) + tanh(%0[i, -j + 63] * 3.0)", ""), "first", "then"));
}
END_TEST

#define JOIN(pieces, more)                                                                  \
    "module m f32 extent batch <= 100 param w f32[64, 32] param v f32[64, 64]"              \
    "function predict(x f32[batch, 64]) {"                                                  \
    "%0.first = index [i<batch, j<32 | a<64] sum %x[i, a] * %w[a, j]"                       \
    "%1.second = index [i<batch, j<32 | a<64] sum %x[i, a] * %v[a, 2*j]"                    \
    "%2 = join axis 1 extent " pieces " fill 0.0 "                                       \
    "%3 = index [i<64, j<64 | a<batch] sum %x[a, i] * %2[a, j]"                             \
    "%4 = index [i<64 | a<batch] sum %x[a, i] * exp(%0[a, 0]) result y = %3 result z = %4 " more "}"

#define SIDE_BY_SIDE JOIN("64 [%0 at 0 step 1, %1 at 32 step 1]", "")

START_TEST(pieces_are_written_into_joins) {
    ck_assert(are_one(SIDE_BY_SIDE, "first", "join"));
    ck_assert(are_one(SIDE_BY_SIDE, "second", "join"));
}
END_TEST

START_TEST(other_pieces_are_copied) {
    // Gaps are filled first; every other element of a row; a result; rows of another shape.
    ck_assert(!are_one(JOIN("65 [%0 at 0 step 1, %1 at 33 step 1]", ""), "first", "join"));
    ck_assert(!are_one(JOIN("64 [%0 at 0 step 2, %1 at 1 step 2]", ""), "first", "join"));
    ck_assert(!are_one(JOIN("64 [%0 at 0 step 1, %1 at 32 step 1]", "result f = %0"), "first", "join"));
    ck_assert(!are_one(JOIN("64 [%0 at 0 step 1, %1 at 32 step 1]",
                            "%5 = reshape %0 to [batch, 4, 8]"
                            "%6 = index [i<8 | a<batch] sum %5[a, 3, i] * %x[a, i] result f = %6"),
                       "first", "join"));
}
END_TEST

int main(void) {
    TCase *t = tcase_create("in place");
    tcase_add_test(t, takes_what_is_read_for_the_last_time);
    tcase_add_test(t, leaves_results_alone);
    tcase_add_test(t, leaves_what_is_read_later);
    tcase_add_test(t, leaves_what_is_read_elsewhere);
    tcase_add_test(t, pieces_are_written_into_joins);
    tcase_add_test(t, other_pieces_are_copied);
    Suite *suite = suite_create("pass_in_place");
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
