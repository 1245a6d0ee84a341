// What `./model help` prints below its first line: commands, values, flags.
#include <string.h>

#include "driver/manifest.h"
#include "runtime/commands.h"

static void describe(Text *out, unsigned commands) {
    static const char *const name[N_COMMAND] = {
#define X(name, argument, what) #name,
        NN_COMMANDS(X)
#undef X
    };
    if (commands == RUN) return;
    const char *before = "  [";
    for (int c = 0; c < N_COMMAND; c++) {
        if (!(commands >> c & 1)) continue;
        text_printf(out, "%s%s", before, name[c]);
        before = ", ";
    }
    text_add(out, "]");
}

static void print_flag(Text *out, const char *name, const char *argument, unsigned commands,
                       const char *what) {
    const char *space = *argument && strncmp(argument, "[=", 2) ? " " : "";
    text_printf(out, "  %-22s %s", arena_printf(out->arena, "--%s%s%s", name, space, argument), what);
    describe(out, commands);
    text_add(out, "\n");
}

static void print_values(Text *out, const Program *p, const ModelSpec *spec) {
    const char *title = "\nvalues of this program\n";
    for (int i = 0; i < spec->hypers.n; i++) {
        const HyperSpec *h = &spec->hypers.at[i];
        if (!is_input(p, h->name)) continue;
        const char *left = arena_printf(out->arena, "--%s %s", h->name, h->is_integer ? "N" : "X");
        text_printf(out, "%s  %-22s default %.10g\n", title, left, h->value);
        title = "";
    }
}

void print_help(Text *out, const Program *p, const ModelSpec *spec) {
#define X(name, argument, what) text_printf(out, "  %-9s %-5s  %s\n", #name, argument, what);
    NN_COMMANDS(X)
#undef X
    if (spec) print_values(out, p, spec);
    text_add(out, "\nflags\n");
#define X(name, argument, kind, low, high, commands, field, what) \
    print_flag(out, name, argument, commands, what);
    NN_FLAGS(X)
#undef X
}
