// summary and info: what was compiled in, for reading.
#include <inttypes.h>
#include <stdio.h>

#include "runtime/run.h"

static void print_dims(Buffer *b, const Json *dims) {
    buffer_format(b, "[");
    for (const Json *d = dims ? dims->first : NULL; d; d = d->next) {
        if (d->kind == JSON_string) {
            buffer_format(b, "%s", d->text);
        } else {
            buffer_format(b, "%.0f", d->number);
        }
        if (d->next) buffer_format(b, ", ");
    }
    buffer_format(b, "]");
}

int run_summary(Run *run) {
    const Manifest *m = run->manifest;
    double params = 0, adds = 0;
    printf("%-28s %-24s %12s %14s %6s\n", "layer", "output", "parameters", "multiply-adds", "line");
    for (const Json *l = m->summary ? m->summary->first : NULL; l; l = l->next) {
        Buffer dims = {0};
        print_dims(&dims, json_get(l, "output"));
        double p = json_number(json_get(l, "params"), 0);
        double a = json_number(json_get(l, "multiply_adds"), 0);
        printf("%-28s %-24s %12.0f %14.0f %6.0f\n", json_text(json_get(l, "layer"), ""), dims.data,
               p, a, json_number(json_get(l, "line"), 0));
        params += p;
        adds += a;
        buffer_free(&dims);
    }
    printf("%-28s %-24s %12.0f %14.0f\n", "total", "", params, adds);
    printf("\n%" PRId64 " parameters; arena %.2f MB, scratch %.2f MB a thread; batch %" PRId64
           ", %s\n",
           manifest_parameters(m), (double)run->machine.program->arena_bytes / 1e6,
           (double)run->machine.program->scratch_bytes / 1e6, m->batch, elem_name[m->real]);
    return 0;
}

int run_info(Run *run) {
    printf("%s\n", run->machine.program->manifest);
    return 0;
}
