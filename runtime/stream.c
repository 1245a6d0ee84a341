#include "runtime/stream.h"

void stream_begin(Run *run) {
    const Entry *entry = manifest_entry(run->manifest, "stream_begin");
    if (!entry) return;  // no state by the batch
    for (int k = 0; k < run->n_member; k++) {
        snapshot_put(run, run->member[k]);
        machine_run(&run->machine, entry, run->manifest->batch);
        snapshot_take(run, run->member[k]);
    }
    if (!run->n_member) machine_run(&run->machine, entry, run->manifest->batch);
}
