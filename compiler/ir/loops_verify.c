// What must hold of loops.
#include <stdarg.h>

#include "ir/build.h"
#include "ir/loops.h"
#include "ir/rewrite.h"

// The values that a variable in scope takes.
typedef struct Range {
    int64_t low, high;
    bool in_scope, is_lanes;
    int64_t lanes;
} Range;

typedef struct Check {
    const Program *program;
    const Kernel *kernel;
    Arena *scratch;
    Map *buffers;  // those of the program
    Map *temps;    // in scope: Temp * to itself
    Map *seen;     // scalars of the statement under way
    Range *var;    // n_var
    int n_filter;  // open loops that run only for some values of the variables outside
    char *wrong;
} Check;

__attribute__((format(printf, 2, 3))) static bool fail(Check *c, const char *format, ...) {
    if (c->wrong) return false;
    va_list args;
    va_start(args, format);
    char *what = arena_vprintf(c->program->m->arena, format, args);
    va_end(args);
    c->wrong = arena_printf(c->program->m->arena, "kernel %s: %s",
                            c->kernel ? c->kernel->name : "none", what);
    return false;
}

// ---- scalars

static bool check_affine(Check *c, Affine a) {
    for (int i = 0; i < a.n; i++) {
        int slot = a.t[i].slot;
        if (!a.t[i].c || (i && slot <= a.t[i - 1].slot))
            return fail(c, "an affine form out of order");
        if (slot < 0 || slot >= c->kernel->n_var) return fail(c, "variable %d", slot);
        if (!c->var[slot].in_scope)
            return fail(c, "the variable %s is used outside its loop", c->kernel->var_name[slot]);
    }
    return true;
}

static bool check_scalar(Check *c, Scalar *s);

static bool check_guards(Check *c, const Guard *guard, int n) {
    for (int i = 0; i < n; i++) {
        if (!check_affine(c, guard[i].e)) return false;
        if (guard[i].s && guard[i].s->elem != ELEM_i32)
            return fail(c, "a guard's scalar is no i32");
        if (guard[i].s && !check_scalar(c, guard[i].s)) return false;
    }
    return true;
}

static bool check_access(Check *c, const Access *a, bool is_guarded) {
    const Buffer *b = a->buffer;
    if (!map_has(c->buffers, b)) return fail(c, "the buffer %s is not of this program", b->name);
    if (!check_affine(c, a->at)) return false;
    for (int i = 0; i < a->n_dyn; i++) {
        if (a->dyn[i].s->elem != ELEM_i32) return fail(c, "a subscript of %s is no i32", b->name);
        if (!check_scalar(c, a->dyn[i].s)) return false;
    }
    if (is_guarded || a->n_dyn || c->n_filter) return true;
    __int128 low = a->at.k, high = a->at.k;
    for (int i = 0; i < a->at.n; i++) {
        const Range *r = &c->var[a->at.t[i].slot];
        __int128 x = (__int128)a->at.t[i].c * r->low, y = (__int128)a->at.t[i].c * r->high;
        low += x < y ? x : y;
        high += x < y ? y : x;
    }
    if (low >= 0 && high < b->count) return true;
    return fail(c, "%s is reached at %lld .. %lld, and has %lld elements", b->name, (long long)low,
                (long long)high, (long long)b->count);
}

static bool check_load(Check *c, const Scalar *s) {
    const Load *l = s->load;
    if (s->elem != l->access.buffer->elem) return fail(c, "a load of another element");
    if ((l->n_guard > 0) != (l->otherwise != NULL))
        return fail(c, "a guarded load lacks what stands outside");
    if (l->otherwise && l->otherwise->elem != s->elem)
        return fail(c, "a guarded load of two elements");
    return check_guards(c, l->guard, l->n_guard) && check_access(c, &l->access, l->n_guard) &&
           (!l->otherwise || check_scalar(c, l->otherwise));
}

static bool check_leaf(Check *c, const Scalar *s) {
    switch (s->op) {
        case OP_load: return check_load(c, s);
        case OP_temp:
            if (s->elem != s->temp->elem)
                return fail(c, "the temp %s of another element", s->temp->name);
            if (map_get(c->temps, s->temp)) return true;
            return fail(c, "the temp %s.%d is used where it is not declared", s->temp->name,
                        s->temp->id);
        case OP_iv:
            if (s->slot < 0 || s->slot >= c->kernel->n_var) return fail(c, "variable %d", s->slot);
            return c->var[s->slot].in_scope || fail(c, "a variable is used outside its loop");
        case OP_rand:
            if (s->arg[0]->elem != ELEM_i32) return fail(c, "a draw's place is no i32");
            return check_scalar(c, s->arg[0]);
        default: return true;
    }
}

static bool check_scalar(Check *c, Scalar *s) {
    if (map_has(c->seen, s)) return true;
    map_set(c->seen, s, s);
    const OpInfo *info = &op_info[s->op];
    if (!(info->levels & LEVEL_L)) return fail(c, "%s may not stand in loops", info->name);
    if (info->rule == RULE_LEAF) return check_leaf(c, s);
    const char *problem = scalar_op_problem(c->program->m, s->op, s->arg);
    if (problem) return fail(c, "%s %s", info->name, problem);
    for (int i = 0; i < info->arity; i++)
        if (!check_scalar(c, s->arg[i])) return false;
    return true;
}

// ---- statements

static bool check_block(Check *c, const Block *b);

static int64_t round_down(int64_t x, int64_t multiple) {
    return x - x % multiple;
}

static int64_t least_of(Bound b) {  // a run-time extent is at least 1
    return round_down(b.d.n, b.multiple);
}

static int64_t greatest_of(Bound b) {
    return round_down(dim_max(b.d), b.multiple);
}

static bool open_var(Check *c, int var, Range range) {
    if (var < 0 || var >= c->kernel->n_var) return fail(c, "variable %d", var);
    if (c->var[var].in_scope)
        return fail(c, "the variable %s is set by two nested loops", c->kernel->var_name[var]);
    range.in_scope = true;
    c->var[var] = range;
    return true;
}

// The temps that a block declared go out of scope with it.
static bool check_body(Check *c, const Block *b) {
    bool is_well = check_block(c, b);
    for (int i = 0; i < b->n; i++)
        if (b->at[i]->kind == STMT_let) map_set(c->temps, b->at[i]->set.temp, NULL);
    return is_well;
}

static bool check_for(Check *c, const Stmt *s) {
    Bound low = s->loop.low, high = s->loop.high;
    if (s->loop.step < 1) return fail(c, "a loop with step %lld", (long long)s->loop.step);
    if (low.multiple < 1 || high.multiple < 1) return fail(c, "a bound without a multiple");
    Range r = {.low = least_of(low), .high = greatest_of(high) - 1};
    for (int i = 0; i < s->loop.n_guard; i++)
        if (s->loop.guard[i].s || !check_affine(c, s->loop.guard[i].e))
            return fail(c, "a loop's guard is not of loops around it");
    // From a constant start, the last value is a whole number of steps away.
    if (!low.d.by && r.high >= r.low) r.high = r.low + round_down(r.high - r.low, s->loop.step);
    if (!open_var(c, s->loop.var, r)) return false;
    bool is_empty = r.high < r.low;  // whatever stands inside is never reached
    c->n_filter += s->loop.n_guard > 0;
    bool is_well = is_empty || check_body(c, &s->loop.body);
    c->n_filter -= s->loop.n_guard > 0;
    c->var[s->loop.var].in_scope = false;
    return is_well;
}

static bool check_tile(Check *c, const Stmt *s) {
    for (int i = 0; i < s->tile.n; i++) {
        const TileVar *v = &s->tile.var[i];
        if (v->size < 1) return fail(c, "a tile of no points");
        if (v->is_lanes && i != s->tile.n - 1)
            return fail(c, "lanes that are not the last of a tile");
        Range r = {.high = v->size - 1, .is_lanes = v->is_lanes, .lanes = v->size};
        if (!open_var(c, v->var, r)) return false;
    }
    bool is_well = check_body(c, &s->tile.body);
    for (int i = 0; i < s->tile.n; i++) c->var[s->tile.var[i].var].in_scope = false;
    return is_well;
}

static bool check_set(Check *c, const Stmt *s) {
    const Temp *t = s->set.temp;
    bool is_declared = map_get(c->temps, t) != NULL;
    if (!check_scalar(c, s->set.value)) return false;
    if (s->set.value->elem != t->elem)
        return fail(c, "the temp %s is %s and gets %s", t->name, elem_name[t->elem],
                    elem_name[s->set.value->elem]);
    if (s->kind == STMT_let && is_declared)
        return fail(c, "the temp %s.%d is declared twice", t->name, t->id);
    if (s->kind == STMT_set && !is_declared)
        return fail(c, "the temp %s.%d is not declared", t->name, t->id);
    map_set(c->temps, t, (void *)t);
    return true;
}

static bool check_store(Check *c, const Stmt *s) {
    const Buffer *b = s->store.access.buffer;
    if (!check_guards(c, s->store.guard, s->store.n_guard)) return false;
    if (!check_access(c, &s->store.access, s->store.n_guard)) return false;
    if (s->store.value->elem != b->elem)
        return fail(c, "%s is stored into %s of %s", elem_name[s->store.value->elem], b->name,
                    elem_name[b->elem]);
    return check_scalar(c, s->store.value);
}

static bool check_combine(Check *c, const Stmt *s) {
    int lane = s->combine.lane;
    const Temp *into = s->combine.into, *from = s->combine.from;
    if (!map_get(c->temps, into) || !map_get(c->temps, from))
        return fail(c, "a combine of undeclared temps");
    if (into->elem != from->elem) return fail(c, "a combine of two elements");
    if (lane < 0 || lane >= c->kernel->n_var || !c->var[lane].in_scope || !c->var[lane].is_lanes)
        return fail(c, "a combine over what are no lanes");
    if (c->var[lane].lanes > LANES)
        return fail(c, "a combine over %lld lanes", (long long)c->var[lane].lanes);
    return s->combine.red != RED_none || fail(c, "a combine without a kind");
}

static bool check_fetch(Check *c, const Affine *at) {
    for (int i = 0; i < at->n; i++)
        if (at->t[i].slot < 0 || at->t[i].slot >= c->kernel->n_var || !c->var[at->t[i].slot].in_scope)
            return fail(c, "a fetch by a variable outside its loop");
    return true;
}

static bool check_stmt(Check *c, const Stmt *s) {
    switch (s->kind) {
        case STMT_for: return check_for(c, s);
        case STMT_tile: return check_tile(c, s);
        case STMT_let:
        case STMT_set: return check_set(c, s);
        case STMT_store: return check_store(c, s);
        case STMT_fetch: return check_fetch(c, &s->fetch.access.at);
        case STMT_combine: return check_combine(c, s);
    }
    return fail(c, "a statement of no kind");
}

// What was seen holds for one statement only: scopes change between them.
static bool check_block(Check *c, const Block *b) {
    for (int i = 0; i < b->n; i++) {
        c->seen = map_new(c->scratch);
        if (!check_stmt(c, b->at[i])) return false;
    }
    return true;
}

static bool check_kernel(Check *c, const Kernel *k) {
    c->kernel = k;
    c->temps = map_new(c->scratch);
    c->var = NEW_ARRAY(c->scratch, Range, k->n_var);
    if (k->is_parallel && (k->body.n != 1 || k->body.at[0]->kind != STMT_for))
        return fail(c, "a parallel kernel is one loop");
    return check_body(c, &k->body);
}

static bool check_buffers(Check *c) {
    const Program *p = c->program;
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        int64_t room = b->kind == BUFFER_arena ? p->arena_bytes : p->scratch_bytes;
        map_set(c->buffers, b, (void *)b);
        if (b->count < 0) return fail(c, "the buffer %s has no size", b->name);
        if (b->offset < 0 || !room) continue;  // before `memory`
        if (b->offset % elem_size[b->elem] || b->offset + b->count * elem_size[b->elem] > room)
            return fail(c, "the buffer %s lies outside its memory", b->name);
    }
    return true;
}

const char *verify_program(const Program *p) {
    Check c = {.program = p, .scratch = arena_new()};
    c.buffers = map_new(c.scratch);
    bool is_well = check_buffers(&c);
    for (int i = 0; is_well && i < p->fns.n; i++)
        for (int k = 0; is_well && k < p->fns.at[i]->kernels.n; k++)
            is_well = check_kernel(&c, p->fns.at[i]->kernels.at[k]);
    arena_free(c.scratch);
    return c.wrong;
}
