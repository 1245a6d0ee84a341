// summary and info: what was compiled in, for reading.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/run.h"

static const char *dims_text(Buffer *b, const Json *dims) {
    buffer_format(b, dims ? "[" : "");
    for (const Json *d = json_first(dims); d; d = d->next) {
        if (d->kind == JSON_string) {
            buffer_format(b, "%s", d->text);
        } else {
            buffer_format(b, "%.0f", d->number);
        }
        if (d->next) buffer_format(b, ", ");
    }
    buffer_format(b, dims ? "]" : "");
    return b->data;
}

// 1,234,567
static const char *grouped(char text[32], double x) {
    char plain[24], *to = text;
    int n = snprintf(plain, sizeof plain, "%.0f", x);
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) *to++ = ',';
        *to++ = plain[i];
    }
    *to = 0;
    return text;
}

static int depth_of(const Json *l) {
    return 2 * (int)json_number_in(l, "depth", 0);
}

static const char *layer_of(const Json *l) {
    return json_text_in(l, "layer", "");
}

static void print_row(const Json *l, int width) {
    Buffer dims = {0};
    char params[32], adds[32];
    printf("%*s%-*s  %-22s %12s %15s %15s %6.0f\n", depth_of(l), "", width - depth_of(l),
           layer_of(l), dims_text(&dims, json_get(l, "output")),
           grouped(params, json_number_in(l, "params", 0)),
           grouped(adds, json_number_in(l, "multiply_adds", 0)),
           json_text_in(l, "receptive_field", ""), json_number_in(l, "line", 0));
    buffer_free(&dims);
}

// The table is that of nnc --emit=summary.
int run_summary(Run *run) {
    const Manifest *m = run->manifest;
    const Json *first = json_first(m->summary);
    int width = sizeof "layer" - 1;
    for (const Json *l = first; l; l = l->next) {
        int own = (int)strlen(layer_of(l)) + depth_of(l);
        if (own > width) width = own;
    }
    printf("%-*s  %-22s %12s %15s %15s %6s\n", width, "layer", "output", "parameters",
           "multiply-adds", "receptive field", "line");
    for (const Json *l = first; l; l = l->next) print_row(l, width);
    printf("multiply-adds are those of one sample\n\n%" PRId64
           " parameters; arena %.2f MB, scratch %.2f MB a thread; batch %" PRId64 ", %s\n",
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
