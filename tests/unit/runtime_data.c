// Random orders, splits and batches.
#include "runtime_fixture.h"

#include "runtime/rng.h"

START_TEST(permutations_are_permutations) {
    int64_t a[1000], b[1000], n = 1000;
    char seen[1000] = {0};
    rng_permutation(a, n, 1, 0);
    for (int i = 0; i < n; i++) seen[a[i]]++;
    for (int i = 0; i < n; i++) ck_assert_int_eq(seen[i], 1);
    rng_permutation(b, n, 1, 0);
    ck_assert_mem_eq(a, b, sizeof a);
    rng_permutation(b, n, 1, 1);
    ck_assert_mem_ne(a, b, sizeof a);
    rng_permutation(b, n, 2, 0);
    ck_assert_mem_ne(a, b, sizeof a);
}
END_TEST

START_TEST(orders_are_fixed_for_good) {
    // Checkpoints hold a place in these orders: they may never change.
    int64_t order[8];
    rng_permutation(order, 8, 1, 0);
    static const int64_t expected[8] = {3, 4, 1, 7, 5, 0, 6, 2};
    ck_assert_mem_eq(order, expected, sizeof order);
}
END_TEST

START_TEST(shuffles_evenly) {
    // Each of 24 orders of four within six standard deviations of its expected count.
    int count[256] = {0};
    enum { TIMES = 24000 };
    for (uint64_t i = 0; i < TIMES; i++) {
        int64_t o[4];
        rng_permutation(o, 4, 9, i);
        count[o[0] | o[1] << 2 | o[2] << 4 | o[3] << 6]++;
    }
    int orders = 0;
    for (int i = 0; i < 256; i++) {
        if (count[i] == 0) continue;
        orders++;
        ck_assert_int_lt(abs(count[i] - TIMES / 24), 190);
    }
    ck_assert_int_eq(orders, 24);
}
END_TEST

static Data split(Mem *mem, int64_t rows, const SplitRule rule[N_SPLIT], uint64_t seed) {
    static Data d;
    d = (Data){.pool = {.rows = rows}};
    DataBlock block = {.name = "d", .seed = seed};
    memcpy(block.split, rule, sizeof block.split);
    split_rows(&d, mem, &block, "rows.csv", split_of_all(&d.pool, mem),
               split_of_all(&d.held_out, mem));
    return d;
}

START_TEST(shares_use_every_row_once) {
    Mem mem = {0};
    SplitRule rule[N_SPLIT] = {{true, 0.8, 0}, {true, 0.1, 0}, {true, 0.1, 0}};
    for (int64_t rows = 10; rows < 200; rows++) {
        Data d = split(&mem, rows, rule, 1);
        char seen[200] = {0};
        int64_t total = 0;
        for (int s = 0; s < N_SPLIT; s++) {
            total += d.split[s].rows;
            for (int64_t i = 0; i < d.split[s].rows; i++) seen[d.split[s].row[i]]++;
        }
        ck_assert_int_eq(total, rows);
        for (int64_t i = 0; i < rows; i++) ck_assert_int_eq(seen[i], 1);
    }
    mem_free(&mem);
}
END_TEST

START_TEST(counts_are_exact) {
    Mem mem = {0};
    SplitRule rule[N_SPLIT] = {{true, 0, 55}, {true, 0, 5}};
    Data d = split(&mem, 60, rule, 1);
    ck_assert_int_eq(d.split[SPLIT_train].rows, 55);
    ck_assert_int_eq(d.split[SPLIT_valid].rows, 5);
    ck_assert_int_eq(d.split[SPLIT_test].rows, 0);
    SplitRule none[N_SPLIT] = {0};
    d = split(&mem, 60, none, 1);
    ck_assert_int_eq(d.split[SPLIT_train].rows, 60);
    ck_assert_int_eq(d.split[SPLIT_train].row[59], 59);
    mem_free(&mem);
}
END_TEST

static int split_too_much(void *rows) {
    Mem mem = {0};
    SplitRule rule[N_SPLIT] = {{true, 0, 55}, {true, 0.1, 0}};
    split(&mem, *(int64_t *)rows, rule, 1);
    return 0;
}

START_TEST(too_few_rows_are_refused) {
    int64_t rows = 56;
    Outcome o = run_call(split_too_much, &rows);
    assert_refused(&o, "rows.csv: 56 rows, expected at least 61 for the splits up to valid");
}
END_TEST

START_TEST(a_partial_batch_is_zeroed) {
    Mem mem = {0};
    const Manifest *m = manifest_read(&mem, fixture_program());
    Machine machine;
    machine_start(&machine, &mem, fixture_program(), m, 1, 1);
    const Entry *entry = manifest_entry(m, "train_step");
    Dataset d = dataset_synthetic(&mem, m, entry, 40, 1);
    int64_t row[40];
    for (int64_t i = 0; i < 40; i++) row[i] = 39 - i;
    Split s = {&d, 40, row};
    Arena *a = (Arena *)machine.context.arena;
    batch_fill(&machine, entry, &s, NULL, 0, 32);
    const float *image = (const float *)d.column[0].data;
    const int32_t *label = (const int32_t *)d.column[1].data;
    ck_assert_mem_eq(a->image[0], image + 39 * PIXELS, sizeof a->image[0]);
    batch_fill(&machine, entry, &s, NULL, 32, 8);
    ck_assert_mem_eq(a->image[7], image, sizeof a->image[0]);
    ck_assert_int_eq(a->label[7], label[0]);
    for (int n = 8; n < BATCH; n++) {
        for (int i = 0; i < PIXELS; i++) ck_assert_float_eq(a->image[n][i], 0);
        ck_assert_int_eq(a->label[n], 0);
    }
    machine_run(&machine, entry, 8);
    ck_assert_float_eq(a->inv_rows, 0.125f);
    dataset_free(&d);
    machine_stop(&machine);
    mem_free(&mem);
}
END_TEST

static int start_huge(void *threads) {
    Mem mem = {0};
    NnProgram p = *fixture_program();
    p.arena_bytes = INT64_C(1) << 60;
    const Manifest *m = manifest_read(&mem, fixture_program());
    Machine machine;
    machine_start(&machine, &mem, &p, m, *(int *)threads, 1);
    return 0;
}

START_TEST(no_memory_is_reported) {
    int threads = 1;
    Outcome o = run_call(start_huge, &threads);
    assert_refused(&o, "no memory left");
}
END_TEST

int main(void) {
    Suite *s = suite_create("data");
    TCase *t = tcase_create("data");
    tcase_add_checked_fixture(t, NULL, remove_folder);
    tcase_add_test(t, permutations_are_permutations);
    tcase_add_test(t, orders_are_fixed_for_good);
    tcase_add_test(t, shuffles_evenly);
    tcase_add_test(t, shares_use_every_row_once);
    tcase_add_test(t, counts_are_exact);
    tcase_add_test(t, too_few_rows_are_refused);
    tcase_add_test(t, a_partial_batch_is_zeroed);
    tcase_add_test(t, no_memory_is_reported);
    suite_add_tcase(s, t);
    return run_suite(s);
}
