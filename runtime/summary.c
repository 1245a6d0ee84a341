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

enum { LINE_DEPTH = 2 };  // what is nested deeper stays on one line

static void break_line(int depth) {
    if (depth <= LINE_DEPTH) printf("\n%*s", 2 * depth, "");
}

// The manifest comes without spaces.
int run_info(Run *run) {
    int depth = 0;
    bool in_string = false;
    for (const char *at = run->manifest->text; *at; at++) {
        char c = *at;
        bool opens = !in_string && (c == '{' || c == '['), closes = !in_string && (c == '}' || c == ']');
        if (c == '"') in_string = !in_string;
        if (closes && depth-- <= LINE_DEPTH) break_line(depth);
        putchar(c);
        if (c == '\\') putchar(*++at);
        if (opens && ++depth <= LINE_DEPTH) break_line(depth);
        if (!in_string && (c == ',' || c == ':')) {
            if (c == ':' || depth > LINE_DEPTH) putchar(' ');
            else break_line(depth);
        }
    }
    putchar('\n');
    return 0;
}
