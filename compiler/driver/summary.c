// --emit=summary.
#include "driver/manifest.h"

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

void print_summary(Text *out, const Compiler *c, const ModelSpec *spec) {
    Arena *arena = out->arena;
    int64_t params = 0, work = 0;
    text_printf(out, "%-28s %-24s %14s %16s  %s\n", "layer", "output", "parameters", "multiply-adds",
                "line");
    for (int i = 0; i < spec->layers.n; i++) {
        const LayerSpec *l = &spec->layers.at[i];
        int line = 0, column;
        if (l->span.file) source_line(c->sources, l->span.file, l->span.begin, &line, &column);
        text_printf(out, "%-28s %-24s %14s %16s  %d\n", l->path, shape_text(arena, &l->output),
                    grouped(arena, l->params), grouped(arena, l->multiply_adds), line);
        params += l->params;
        work += l->multiply_adds;
    }
    text_printf(out, "%-28s %-24s %14s %16s\n", "total", "", grouped(arena, params),
                grouped(arena, work));
    text_add(out, "multiply-adds are those of one sample\n");
}
