// The data block's `where`: the program's entry point `keep` says of each row whether it stays.
// Linked where it is said.
#include "runtime/data.h"

static void keep_of(Split *rows, Machine *m, const Entry *keep) {
    const Tensor *t = keep->result[0].tensor;
    int64_t batch = m->manifest->batch, kept = 0;
    batch_check(keep, rows->data);
    for (int64_t begin = 0; begin < rows->rows; begin += batch) {
        int64_t n = rows->rows - begin < batch ? rows->rows - begin : batch;
        batch_fill(m, keep, rows, NULL, begin, n);
        machine_run(m, keep, n);
        for (int64_t i = 0; i < n; i++) {
            if (elem_load(t->elem, machine_data(m, t), i) == 0) continue;
            rows->row[kept++] = rows->row[begin + i];
        }
    }
    rows->rows = kept;
}

void rows_keep(Split *pool, Split *held_out, Machine *m, const char *path) {
    const Entry *keep = machine_entry(m, "keep");
    keep_of(pool, m, keep);
    keep_of(held_out, m, keep);
    if (pool->rows > 0) return;
    fail("%s: `where` in the data block %s keeps none of the rows", path, m->manifest->data.name);
}
