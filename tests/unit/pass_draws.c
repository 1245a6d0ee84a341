// Where draws are computed: by themselves, in the scratch of the region that reads them.
#include "pass/pipeline.h"
#include "pass/schedule.h"
#include "pass_test.h"

typedef struct Found {
    int regions, nests, stored, in_scratch;  // of what is a bool
    int n_outer;
} Found;

static void count_bools(void *context, Pass *p, const PassInfo *info) {
    Found *found = context;
    if (strcmp(info->name, "fuse")) return;
    const FunctionSchedule *fs = p->schedule->fns.at[0];
    found->regions = fs->regions.n;
    for (int i = 0; i < fs->regions.n; i++)
        for (int n = 0; n < fs->regions.at[i]->nests.n; n++) {
            const Nest *nest = fs->regions.at[i]->nests.at[n];
            for (int k = 0; k < nest->members.n; k++) {
                if (nest->members.at[k].v->type.elem != ELEM_bool) continue;
                ck_assert_int_eq(nest->members.n, 1);
                found->nests++;
                found->stored += nest->members.at[k].keep == KEEP_stored;
                found->in_scratch += nest->members.at[k].keep == KEEP_scratch;
                found->n_outer = fs->regions.at[i]->n_outer;
            }
        }
}

static Found find(const char *text) {
    Module *m = read_text(text);
    Found found = {0};
    Pass p = {.c = m->c, .m = m};
    PipelineRun run = {.after = count_bools, .context = &found};
    ck_assert(pipeline_run(&p, &run));
    test_free(m);
    return found;
}

#define CHAIN(row, place) \
    "module m f32 extent batch <= 100 function predict(x f32[batch, " row "]) {" \
    "%0 = index [i<batch | a<" row "] sum %x[i, a]" \
    "%1 = index [i<batch, j<" row "] let t = tanh(%x[i, j] - %0[i]);" \
    " if rand(0, " place ") < 0.1 then 0.0 else t * exp(t)" \
    "%2 = index [i<batch, j<" row "] if rand(0, " place ") < 0.1 then 0.0 else log(2.0 + abs(%x[i, j] - %0[i]))" \
    "result y = %1 result z = %2 }"

START_TEST(row_by_row) {
    Found found = find(CHAIN("192", "i * 192 + j"));
    ck_assert_int_eq(found.nests, 1);
    ck_assert_int_eq(found.in_scratch, 1);
    ck_assert_int_eq(found.n_outer, 1);
}
END_TEST

START_TEST(rows_that_are_no_multiples_of_64_are_drawn_in_one) {
    Found found = find(CHAIN("100", "i * 100 + j"));
    ck_assert_int_eq(found.nests, 1);
    ck_assert_int_eq(found.stored, 1);
    ck_assert_int_eq(found.n_outer, 0);
}
END_TEST

START_TEST(a_plain_expression_gets_rows) {
    Found found = find("module m f32 function predict(x f32[8, 8, 8, 16]) {"
                       "%0 = index [i<8, j<8, k<8, l<16]"
                       " if rand(0, i * 1024 + j * 128 + k * 16 + l) < 0.5 then 0.0"
                       " else tanh(%x[i, j, k, l]) * exp(%x[i, j, k, l]) result y = %0 }");
    ck_assert_int_eq(found.regions, 1);
    ck_assert_int_eq(found.in_scratch, 1);
    ck_assert_int_eq(found.n_outer, 1);
}
END_TEST

START_TEST(short_expressions_keep_their_draws) {
    Found found = find("module m f32 function predict(x f32[8, 64]) {"
                       "%0 = index [i<8, j<64] if rand(0, i * 64 + j) < 0.5 then 0.0"
                       " else %x[i, j] * 2.0 result y = %0 }");
    ck_assert_int_eq(found.regions, 1);
    ck_assert_int_eq(found.nests, 0);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("draws");
    tcase_add_test(t, row_by_row);
    tcase_add_test(t, rows_that_are_no_multiples_of_64_are_drawn_in_one);
    tcase_add_test(t, a_plain_expression_gets_rows);
    tcase_add_test(t, short_expressions_keep_their_draws);
    Suite *suite = suite_create("pass_draws");
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
