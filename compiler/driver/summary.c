// --emit=summary.
#include "driver/manifest.h"

#include <string.h>

static const char *shape_text(Arena *arena, const Type *t) {
    Text *s = text_new(arena);
    text_add(s, "[");
    for (int i = 0; i < t->rank; i++) {
        Dim d = t->dim[i];
        if (i) text_add(s, ", ");
        if (!d.by) text_printf(s, "%lld", (long long)d.n);
        else if (d.n == 1) text_add(s, d.by->name);
        else text_printf(s, "%lld*%s", (long long)d.n, d.by->name);
    }
    text_add(s, "]");
    return s->at;
}

static const char *grouped(Arena *arena, int64_t n) {
    char *plain = arena_printf(arena, "%lld", (long long)n);
    Text *s = text_new(arena);
    for (const char *at = plain; *at; at++) {
        size_t left = 0;
        while (at[left]) left++;
        if (at != plain && at[-1] != '-' && left % 3 == 0) text_add(s, ",");
        text_add_n(s, at, 1);
    }
    return s->at;
}

// As wide as the longest, layers inside others further in.
static int layer_width(const ModelSpec *spec) {
    int width = (int)sizeof "layer" - 1;
    for (int i = 0; i < spec->layers.n; i++) {
        int own = (int)strlen(spec->layers.at[i].path) + 2 * spec->layers.at[i].depth;
        if (own > width) width = own;
    }
    return width;
}

// runtime/summary.c prints the same.
void print_summary(Text *out, const Compiler *c, const ModelSpec *spec) {
    Arena *arena = out->arena;
    int width = layer_width(spec);
    text_printf(out, "%-*s  %-22s %12s %15s %15s %6s\n", width, "layer", "output", "parameters",
                "multiply-adds", "receptive field", "line");
    for (int i = 0; i < spec->layers.n; i++) {
        const LayerSpec *l = &spec->layers.at[i];
        text_printf(out, "%*s%-*s  %-22s %12s %15s %15s %6d\n", 2 * l->depth, "",
                    width - 2 * l->depth, l->path, l->value ? shape_text(arena, &l->output) : "",
                    grouped(arena, l->params), grouped(arena, l->multiply_adds), l->field,
                    line_of(c, l->span));
    }
    text_add(out, "multiply-adds are those of one sample\n");
}
