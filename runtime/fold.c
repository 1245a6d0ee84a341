// Splits drawn from splits: folds, and bootstrap samples.
#include <inttypes.h>
#include <string.h>

#include "runtime/data.h"
#include "runtime/rng.h"

enum { FOLD_STREAM = 1, BAG_STREAM = 2 };  // stream 0 draws the splits

static void need_rows(const Data *d, const char *flag) {
    if (d->text) fail("%s draws rows at random: those of a text are parts of it, in their order", flag);
}

static int64_t *both_splits(const Data *d, Mem *mem, uint64_t seed) {
    const Split *train = &d->split[SPLIT_train], *valid = &d->split[SPLIT_valid];
    int64_t n = train->rows + valid->rows;
    int64_t *order = mem_array(mem, (size_t)n, sizeof *order);
    rng_permutation(order, n, seed, FOLD_STREAM);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = order[i];
        order[i] = at < train->rows ? train->row[at] : valid->row[at - train->rows];
    }
    return order;
}

void split_fold(Data *d, Mem *mem, uint64_t seed, int64_t i, int64_t k) {
    Split *train = &d->split[SPLIT_train], *valid = &d->split[SPLIT_valid];
    int64_t n = train->rows + valid->rows;
    need_rows(d, "--folds");
    if (k > n) fail("--folds %" PRId64 ": there are %" PRId64 " rows to train and validate on", k, n);
    if (valid->rows && valid->data != train->data)
        fail("--folds: the train and valid splits are read from files of their own");
    int64_t *order = both_splits(d, mem, seed);
    int64_t begin = n * i / k, end = n * (i + 1) / k;
    int64_t *rest = mem_array(mem, (size_t)n, sizeof *rest);
    memcpy(rest, order, (size_t)begin * sizeof *rest);
    memcpy(rest + begin, order + end, (size_t)(n - end) * sizeof *rest);
    *valid = (Split){train->data, end - begin, order + begin};
    *train = (Split){train->data, n - (end - begin), rest};
}

void split_bag(Data *d, Mem *mem, uint64_t seed) {
    Split *train = &d->split[SPLIT_train];
    need_rows(d, "--bagging");
    int64_t *row = mem_array(mem, (size_t)train->rows, sizeof *row);
    Rng r = rng_start(seed, BAG_STREAM);
    for (int64_t i = 0; i < train->rows; i++) {
        row[i] = train->row[rng_below(&r, (uint64_t)train->rows)];
    }
    train->row = row;
}
