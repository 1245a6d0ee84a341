// A whole program: training, the same bits after an interruption and for any number of
// threads, evaluation, prediction, its command line.
#include <dirent.h>
#include <signal.h>

#include "runtime_fixture.h"

static double figure_of(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at ? strtod(at + strlen(name), NULL) : NAN;
}

START_TEST(trains_to_a_good_accuracy) {
    Outcome o = run_well("train --ckpt $/a --log $/a.jsonl");
    ck_assert_double_gt(figure_of(strstr(o.out, "test:"), "accuracy "), 0.93);
    char *log = read_file("$/a.jsonl", NULL), *last = strstr(log, "\"split\":\"test\"");
    ck_assert_ptr_nonnull(last);
    ck_assert_ptr_null(strchr(strchr(last, '\n') + 1, '\n'));
    ck_assert_ptr_nonnull(strstr(log, "{\"epoch\":1,\"step\":45,\"split\":\"train\",\"loss\":"));
    ck_assert_ptr_nonnull(strstr(log, "{\"epoch\":8,\"step\":360,\"split\":\"valid\",\"loss\":"));
    char *svg = read_file("$/a/curves.svg", NULL);
    ck_assert_ptr_nonnull(strstr(svg, "accuracy"));
    free(log);
    free(svg);
}
END_TEST

START_TEST(same_bits_for_any_number_of_threads) {
    run_well("train --threads 1 --epochs 2 --ckpt $/t1");
    run_well("train --threads 2 --epochs 2 --ckpt $/t2");
    run_well("train --threads 5 --epochs 2 --ckpt $/t5");
    ck_assert(same_files("$/t1/last.safetensors", "$/t2/last.safetensors"));
    ck_assert(same_files("$/t1/last.safetensors", "$/t5/last.safetensors"));
    run_well("train --threads 1 --epochs 2 --seed 2 --ckpt $/seed");
    ck_assert(!same_files("$/t1/last.safetensors", "$/seed/last.safetensors"));
}
END_TEST

START_TEST(resumes_between_epochs_to_the_same_bits) {
    run_well("train --epochs 4 --ckpt $/whole --log $/whole.jsonl");
    run_well("train --epochs 2 --ckpt $/parts --log $/parts.jsonl");
    run_well("train --epochs 4 --ckpt $/parts --log $/parts.jsonl --resume");
    ck_assert(same_files("$/whole/last.safetensors", "$/parts/last.safetensors"));
    ck_assert(same_files("$/whole/best.safetensors", "$/parts/best.safetensors"));
    ck_assert(same_files("$/whole.jsonl", "$/parts.jsonl"));
    ck_assert(same_files("$/whole/curves.svg", "$/parts/curves.svg"));
}
END_TEST

START_TEST(resumes_inside_an_epoch_to_the_same_bits) {
    run_well("train --epochs 3 --ckpt $/whole --log $/whole.jsonl --lr 0.3");
    run_well(
        "train --epochs 3 --ckpt $/parts --log $/parts.jsonl --lr 0.3 --ckpt-every 17 --keep 9");
    char *log = read_file("$/parts.jsonl", NULL);
    char *copy = strdup(in_folder("$/parts/step-68.safetensors"));
    ck_assert_int_eq(access(copy, R_OK), 0);
    // What a run leaves that is killed in its second epoch.
    *strstr(log, "{\"epoch\":2,\"step\":90,\"split\":\"valid\"") = 0;
    strcat(log, "{\"epoch\":2,\"st");
    write_text("$/parts.jsonl", log);
    run_well("train --ckpt $/parts --log $/parts.jsonl --resume=$/parts/step-68.safetensors");
    ck_assert(same_files("$/whole/last.safetensors", "$/parts/last.safetensors"));
    ck_assert(same_files("$/whole.jsonl", "$/parts.jsonl"));
    free(log);
    free(copy);
}
END_TEST

START_TEST(a_signal_saves_and_exits_75) {
    run_well("train --epochs 40 --ckpt $/whole --quiet");
    folder();
    pid_t child = start_call(call_program, "train --epochs 40 --ckpt $/cut --ckpt-every 1");
    while (access(in_folder("$/cut/last.safetensors"), R_OK) != 0) usleep(1000);
    kill(child, SIGTERM);
    Outcome o = finish_call(child);
    ck_assert_int_eq(o.code, 75);
    run_well("train --ckpt $/cut --resume --quiet");
    ck_assert(same_files("$/whole/last.safetensors", "$/cut/last.safetensors"));
}
END_TEST

START_TEST(survives_being_killed) {
    run_well("train --epochs 40 --ckpt $/whole --quiet");
    folder();
    pid_t child = start_call(call_program, "train --epochs 40 --ckpt $/cut --quiet");
    while (access(in_folder("$/cut/step-90.safetensors"), R_OK) != 0) usleep(500);
    kill(child, SIGKILL);
    finish_call(child);
    run_well("train --ckpt $/cut --resume --quiet");
    ck_assert(same_files("$/whole/last.safetensors", "$/cut/last.safetensors"));
}
END_TEST

START_TEST(keeps_the_last_checkpoints_only) {
    run_well("train --epochs 5 --keep 2 --ckpt $/k");
    DIR *d = opendir(in_folder("$/k"));
    int n = 0;
    for (struct dirent *e; (e = readdir(d));) n += strncmp(e->d_name, "step-", 5) == 0;
    closedir(d);
    ck_assert_int_eq(n, 2);
    ck_assert(same_files("$/k/step-225.safetensors", "$/k/last.safetensors"));
}
END_TEST

START_TEST(writes_nothing_without_a_checkpoint_folder) {
    Outcome o = run_well("train --epochs 1 --ckpt= --quiet");
    ck_assert_ptr_nonnull(strstr(o.out, "test: loss"));
}
END_TEST

START_TEST(ends_as_asked) {
    Outcome o = run_well("train --epochs 50 --stop_below 0.5 --ckpt $/s");
    ck_assert_ptr_null(strstr(o.out, "epoch 50/50"));
    o = run_well("train --epochs 100000 --max-time 0.2 --quiet --ckpt $/t");
    ck_assert_ptr_nonnull(strstr(o.out, "test: "));
    o = run_well("train --steps 50 --ckpt $/u --log $/u.jsonl");
    char *log = read_file("$/u.jsonl", NULL);
    ck_assert_ptr_nonnull(strstr(log, "\"epoch\":2,\"step\":50,\"split\":\"valid\""));
    free(log);
    o = run_well("train --epochs 1 --batch-limit 3 --ckpt $/v --log $/v.jsonl --log-every 1");
    log = read_file("$/v.jsonl", NULL);
    ck_assert_ptr_nonnull(strstr(log, "\"step\":3,\"split\":\"step\""));
    ck_assert_ptr_null(strstr(log, "\"step\":4,"));
    free(log);
}
END_TEST

START_TEST(overfits_a_few_rows) {
    run_well("train --epochs 200 --overfit 8 --ckpt $/o --log $/o.jsonl --quiet");
    char *log = read_file("$/o.jsonl", NULL), *last = log;
    for (char *next; (next = strchr(last, '\n')) && next[1];) last = next + 1;
    ck_assert_double_lt(figure_of(last, "\"loss\":"), 0.01);
    free(log);
}
END_TEST

START_TEST(dry_run_writes_nothing) {
    Outcome o = run_well("train --dry-run --ckpt $/d");
    ck_assert_ptr_nonnull(strstr(o.out, "1438 rows to train on"));
    ck_assert_int_ne(access(in_folder("$/d"), F_OK), 0);
}
END_TEST

START_TEST(evaluates_the_best_weights) {
    Outcome train = run_well("train --epochs 3 --ckpt $/e");
    Outcome eval = run_well("eval --ckpt $/e");
    ck_assert_double_eq(figure_of(strstr(train.out, "test:"), "loss "),
                        figure_of(eval.out, "loss "));
    eval = run_well("eval --ckpt $/e/last.safetensors --split train");
    ck_assert_ptr_nonnull(strstr(eval.out, "(1438 rows)"));
    Outcome load = run_well("eval --load $/e/best.safetensors");
    ck_assert_double_eq(figure_of(strstr(train.out, "test:"), "loss "),
                        figure_of(load.out, "loss "));
}
END_TEST

START_TEST(predicts) {
    run_well("train --epochs 5 --ckpt $/p");
    run_well("predict examples/data/digits.csv --ckpt $/p -o $/p.csv");
    FILE *rows = fopen("examples/data/digits.csv", "r"), *found = fopen(in_folder("$/p.csv"), "r");
    char row[4096], line[4096];
    int right = 0, n = 0;
    ck_assert_ptr_nonnull(fgets(row, sizeof row, rows));
    ck_assert_ptr_nonnull(fgets(line, sizeof line, found));
    ck_assert_str_eq(line,
                     "output.0,output.1,output.2,output.3,output.4,output.5,output.6,output.7,"
                     "output.8,output.9,class\n");
    while (fgets(row, sizeof row, rows) && fgets(line, sizeof line, found)) {
        right += atoi(strrchr(row, ',') + 1) == atoi(strrchr(line, ',') + 1);
        n++;
    }
    fclose(rows);
    fclose(found);
    ck_assert_int_eq(n, 1797);
    ck_assert_int_gt(right, 1650);
    ck_assert_int_ne(access(in_folder("$/p.csv.tmp"), F_OK), 0);
}
END_TEST

START_TEST(gradients_hold) {
    Outcome o = run_well("gradcheck");
    ck_assert_ptr_nonnull(strstr(o.out, "passed"));
    fixture_is_wrong = true;
    o = run_program("gradcheck");
    ck_assert_int_eq(o.code, 1);
    ck_assert_ptr_nonnull(strstr(o.out, "failed"));
}
END_TEST

// Rates that go by the epoch have their first value, not 0.
START_TEST(begins_an_epoch_before_it_benches) {
    setenv("NN_FIXTURE_SAYS", "1", 1);
    ck_assert_ptr_nonnull(strstr(run_well("bench --steps 9").out, "epoch begins"));
    ck_assert_ptr_nonnull(strstr(run_well("profile --steps 9").out, "epoch begins"));
    unsetenv("NN_FIXTURE_SAYS");
}
END_TEST

START_TEST(benches) {
    Outcome o = run_well("bench --steps 9 --threads 2");
    ck_assert_double_gt(figure_of(o.out, "\"step_ms\":"), 0);
    ck_assert_double_eq(figure_of(o.out, "\"params\":"), 650);
    ck_assert_double_gt(figure_of(o.out, "\"gflops\":"), 0);
}
END_TEST

START_TEST(profiles) {
    Outcome o = run_well("profile --steps 9 --threads 2");
    ck_assert_double_gt(figure_of(o.out, "measured in this run:"), 0);
    ck_assert_ptr_nonnull(strstr(o.out, "  3                    all > dense#1.w\n"));
}
END_TEST

START_TEST(describes_itself) {
    Outcome o = run_well("help");
    ck_assert_ptr_nonnull(strstr(o.out, "--lr X"));
    ck_assert_ptr_nonnull(strstr(o.out, "default 0.5"));
    o = run_well("summary");
    ck_assert_ptr_nonnull(strstr(o.out, "[batch, 10]"));
    o = run_well("info");
    ck_assert_ptr_nonnull(strstr(o.out, "\n  \"hash\": \"0123456789abcdef\""));
}
END_TEST

static const struct {
    const char *line;
    int code;
    const char *says;
} wrong[] = {
    {"dance", 2, "unknown command dance"},
    {"export", 2, "unknown command export"},
    {"train --frobnicate", 2, "unknown flag --frobnicate"},
    {"bench --epochs 3", 2, "unknown flag --epochs"},
    {"train --epochs", 2, "needs a value"},
    {"train --quiet=1", 2, "takes no value"},
    {"train twice", 2, "unexpected argument twice"},
    {"predict", 2, "needs a file"},
    {"train --epochs 0", 1, "--epochs 0: expected a whole number from 1"},
    {"train --epochs=2.5", 1, "--epochs 2.5"},
    {"train --threads many", 1, "--threads many"},
    {"train --lr fast", 1, "--lr fast: expected a number"},
    {"train --lr nan", 1, "--lr nan: expected a number"},
    {"train --seed 4294967296", 1, "--seed 4294967296"},
    {"eval --split rest", 1, "--split rest: expected train, valid or test"},
    {"eval --ckpt $/none", 1, "no checkpoint there"},
    {"train --data $/none.csv", 1, "none.csv: no such file"},
    {"train --data other=$/none.csv", 1, "no data block other, expected digits"},
    {"train --data tests", 1, "tests: no digits.csv in this folder"},
    {"train --ckpt Makefile/c", 1, "Makefile/c: cannot make this folder"},
    {"train --log $/no/log --ckpt $/x", 1, "no/log: cannot write"},
    {"train --log /dev/full --ckpt $/x", 1, "/dev/full: cannot write: No space left"},
    {"predict examples/data/digits.csv --load Makefile", 1, "Makefile: no safetensors file"},
};

START_TEST(refuses_wrong_usage) {
    Outcome o = run_program(wrong[_i].line);
    ck_assert_msg(o.code == wrong[_i].code, "%s: exit code %d: %s", wrong[_i].line, o.code, o.err);
    ck_assert_msg(strstr(o.err, wrong[_i].says), "%s says: %s", wrong[_i].line, o.err);
    ck_assert_ptr_eq(strchr(o.err, '\n'), o.err + strlen(o.err) - 1);
}
END_TEST

START_TEST(a_wild_learning_rate_is_reported) {
    Outcome o = run_program("train --lr 1e38 --ckpt $/n");
    assert_refused(&o, "the loss is");
    ck_assert_ptr_nonnull(strstr(o.err, "step"));
}
END_TEST

int main(void) {
    Suite *s = suite_create("program");
    TCase *t = tcase_create("program");
    tcase_add_checked_fixture(t, NULL, remove_folder);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, trains_to_a_good_accuracy);
    tcase_add_test(t, same_bits_for_any_number_of_threads);
    tcase_add_test(t, resumes_between_epochs_to_the_same_bits);
    tcase_add_test(t, resumes_inside_an_epoch_to_the_same_bits);
    tcase_add_test(t, a_signal_saves_and_exits_75);
    tcase_add_test(t, survives_being_killed);
    tcase_add_test(t, keeps_the_last_checkpoints_only);
    tcase_add_test(t, writes_nothing_without_a_checkpoint_folder);
    tcase_add_test(t, ends_as_asked);
    tcase_add_test(t, overfits_a_few_rows);
    tcase_add_test(t, dry_run_writes_nothing);
    tcase_add_test(t, evaluates_the_best_weights);
    tcase_add_test(t, predicts);
    tcase_add_test(t, gradients_hold);
    tcase_add_test(t, benches);
    tcase_add_test(t, begins_an_epoch_before_it_benches);
    tcase_add_test(t, profiles);
    tcase_add_test(t, describes_itself);
    tcase_add_loop_test(t, refuses_wrong_usage, 0, sizeof wrong / sizeof *wrong);
    tcase_add_test(t, a_wild_learning_rate_is_reported);
    suite_add_tcase(s, t);
    return run_suite(s);
}
