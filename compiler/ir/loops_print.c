// The textual form of loops.
#include "ir/loops.h"

#include "ir/printer.h"

typedef struct LoopPrinter {
    Printer p;
    Arena *scratch;
} LoopPrinter;

static void put_block(LoopPrinter *l, const Block *b, int indent);

static void new_line(LoopPrinter *l, int indent) {
    text_printf(l->p.out, "\n%*s", 2 * indent, "");
}

// Prints what the scalars of a statement share on lines before it.
static void put_shared(LoopPrinter *l, const Scalar *const *root, int n, int indent) {
    l->p.let = NULL;
    l->p.let_line = arena_printf(l->scratch, "\n%*s", 2 * indent, "");
    Text *after = l->p.out;
    Text *lines = l->p.out = text_new(l->scratch);
    const Map *let = put_lets(&l->p, root, n, l->scratch);
    l->p.out = after;
    l->p.let = let;
    if (!let->n) return;
    // put_lets ends with the line's beginning, which new_line writes.
    text_add_n(after, lines->at, lines->n - (size_t)(2 * indent + 1));
}

static void put_bound(LoopPrinter *l, Bound b) {
    if (b.multiple > 1) text_add(l->p.out, "floor(");
    put_dim(&l->p, b.d);
    if (b.multiple > 1) text_printf(l->p.out, ", %lld)", (long long)b.multiple);
}

static void put_for(LoopPrinter *l, const Stmt *s, int indent) {
    text_add(l->p.out, "for ");
    put_slot(&l->p, s->loop.var);
    text_add(l->p.out, " in ");
    put_bound(l, s->loop.low);
    text_add(l->p.out, " .. ");
    put_bound(l, s->loop.high);
    if (s->loop.step != 1) text_printf(l->p.out, " step %lld", (long long)s->loop.step);
    if (s->loop.is_unrolled) text_add(l->p.out, " unrolled");
    if (s->loop.n_guard) text_add(l->p.out, " if ");
    put_guards(&l->p, s->loop.guard, s->loop.n_guard);
    put_span(&l->p, s->span);
    put_block(l, &s->loop.body, indent + 1);
}

static void put_tile(LoopPrinter *l, const Stmt *s, int indent) {
    text_add(l->p.out, "tile [");
    for (int i = 0; i < s->tile.n; i++) {
        if (i) text_add(l->p.out, ", ");
        put_slot(&l->p, s->tile.var[i].var);
        text_printf(l->p.out, " < %lld", (long long)s->tile.var[i].size);
        if (s->tile.var[i].is_lanes) text_add(l->p.out, " lanes");
    }
    text_add(l->p.out, "]");
    put_span(&l->p, s->span);
    put_block(l, &s->tile.body, indent + 1);
}

static void put_temp(LoopPrinter *l, const Temp *t) {
    text_printf(l->p.out, "%s.%d", t->name, t->id);
}

static void put_store(LoopPrinter *l, const Stmt *s) {
    put_access(&l->p, &s->store.access);
    text_add(l->p.out, " = ");
    put_scalar(&l->p, s->store.value);
    if (!s->store.n_guard) return;
    text_add(l->p.out, " if ");
    put_guards(&l->p, s->store.guard, s->store.n_guard);
}

static void put_stmt(LoopPrinter *l, const Stmt *s, int indent) {
    switch (s->kind) {
        case STMT_for: return put_for(l, s, indent);
        case STMT_tile: return put_tile(l, s, indent);
        case STMT_let:
            text_add(l->p.out, "temp ");
            put_temp(l, s->set.temp);
            text_printf(l->p.out, " %s = ", elem_name[s->set.temp->elem]);
            put_scalar(&l->p, s->set.value);
            break;
        case STMT_set:
            put_temp(l, s->set.temp);
            text_add(l->p.out, " = ");
            put_scalar(&l->p, s->set.value);
            break;
        case STMT_store: put_store(l, s); break;
        case STMT_fetch:
            text_add(l->p.out, s->fetch.is_stored ? "fetch to store " : "fetch ");
            put_access(&l->p, &s->fetch.access);
            break;
        case STMT_combine:
            put_temp(l, s->combine.into);
            text_printf(l->p.out, " = %s[", red_name[s->combine.red]);
            put_slot(&l->p, s->combine.lane);
            text_add(l->p.out, "] ");
            put_temp(l, s->combine.from);
            break;
    }
    put_span(&l->p, s->span);
}

static void put_block(LoopPrinter *l, const Block *b, int indent) {
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        const Scalar *value = s->kind == STMT_let || s->kind == STMT_set ? s->set.value
                              : s->kind == STMT_store                    ? s->store.value
                                                                         : NULL;
        if (value) put_shared(l, &value, 1, indent);
        new_line(l, indent);
        put_stmt(l, s, indent);
        l->p.let = NULL;
    }
}

static void put_kernel(LoopPrinter *l, const Kernel *k) {
    l->p.var_name = k->var_name;
    text_printf(l->p.out, "\n  kernel %s", k->name);
    if (k->is_parallel) text_add(l->p.out, " parallel");
    put_span(&l->p, k->span);
    put_block(l, &k->body, 2);
    text_add(l->p.out, "\n");
}

static void put_buffer(Printer *p, const Buffer *b) {
    text_add(p->out, "buffer ");
    put_buffer_name(p, b);
    text_printf(p->out, " %s %s[%lld]", b->kind == BUFFER_arena ? "arena" : "scratch",
                elem_name[b->elem], (long long)b->count);
    if (b->offset >= 0) text_printf(p->out, " at %lld", (long long)b->offset);
    if (b->is_kept) text_add(p->out, " kept");
    text_add(p->out, "\n");
}

// Buffers that share their name with another one, which are printed with their number.
static const Map *find_twins(const Program *program, Arena *scratch) {
    Map *first = map_new(scratch), *twin = map_new(scratch);
    for (int i = 0; i < program->buffers.n; i++) {
        Buffer *b = program->buffers.at[i], *other = map_get(first, b->name);
        if (!other)
            map_set(first, b->name, b);
        else if (!other->is_kept)
            map_set(twin, other, other);
        if (other) map_set(twin, b, b);
    }
    return twin;
}

void print_program(Text *out, const Program *program) {
    LoopPrinter l = {.p = {.out = out, .m = program->m, .has_spans = true}, .scratch = arena_new()};
    l.p.twin = find_twins(program, l.scratch);
    for (int i = 0; i < program->buffers.n; i++) put_buffer(&l.p, program->buffers.at[i]);
    for (int i = 0; i < program->fns.n; i++) {
        const LoopFunction *f = program->fns.at[i];
        text_printf(out, "\nfunction %s\n", f->name);
        for (int k = 0; k < f->kernels.n; k++) put_kernel(&l, f->kernels.at[k]);
    }
    arena_free(l.scratch);
}
