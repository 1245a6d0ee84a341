// Splits: each takes its rows from one permutation of all rows, one after the other.
#include <inttypes.h>
#include <math.h>

#include "runtime/data.h"
#include "runtime/rng.h"

Split split_of_all(const Dataset *d, Mem *mem) {
    Split s = {d, d->rows, mem_array(mem, (size_t)d->rows, sizeof *s.row)};
    for (int64_t i = 0; i < d->rows; i++) s.row[i] = i;
    return s;
}

static const char *kept(const Split *rows) {
    return rows->rows < rows->data->rows ? " kept" : "";
}

// Where splits end whose shares and counts of rows add up to these. Shares are summed before
// they are rounded, so that shares that make a whole use every row.
static int64_t split_end(double share, int64_t counted, const Split *pool, const char *name,
                         const char *path) {
    double rows = (double)pool->rows, end = floor(share * rows + 0.5) + (double)counted;
    if (end > rows) {
        fail("%s: %.0f rows%s, expected at least %.0f for the splits up to %s", path, rows,
             kept(pool), end, name);
    }
    return (int64_t)end;
}

void split_rows(Data *d, Mem *mem, const DataBlock *block, const char *path, Split pool,
                Split held_out) {
    int64_t rows = pool.rows, begin = 0, counted = 0;
    bool any = false;
    for (int s = 0; s < N_SPLIT; s++) any |= block->split[s].is_declared;
    if (held_out.rows) d->split[SPLIT_test] = held_out;
    if (!any) {
        d->split[SPLIT_train] = pool;
        return;
    }
    int64_t *order = mem_array(mem, (size_t)rows, sizeof *order);
    rng_permutation(order, rows, block->seed, 0);
    for (int64_t i = 0; i < rows; i++) order[i] = pool.row[order[i]];
    double share = 0;
    for (int s = 0; s < N_SPLIT; s++) {
        if (!block->split[s].is_declared) continue;
        share += block->split[s].share;
        counted += block->split[s].rows;
        int64_t end = split_end(share, counted, &pool, split_name[s], path);
        if (end == begin) {
            fail("%s: %" PRId64 " rows%s leave none for the %s split", path, rows, kept(&pool),
                 split_name[s]);
        }
        d->split[s] = (Split){&d->pool, end - begin, order + begin};
        begin = end;
    }
}
