#include "pass/work.h"

#include <string.h>

#include "base/die.h"
#include "pass/access.h"

enum { MAX_DEPTH = 60 };

typedef struct Around {  // a loop or a variable of a tile
    int var;
    int64_t low, step, trips;
    double share;  // of the trips that are made: a loop's guards may hold anywhere
    bool is_loop;
} Around;

typedef struct Touch {  // of one buffer
    double read, written;  // elements, each access on its own; read: before it was written
} Touch;

typedef struct Scope {  // a block under way
    struct Scope *outer;
    Map *seen;    // scalars that it has counted
    Map *places;  // what scalars vary with: Places plus 1
} Scope;

typedef struct Count {
    Arena *arena;
    Around around[MAX_DEPTH];  // outermost first
    int depth;
    Scope *scope;
    Map *vars_of;  // Temp * to Vars *
    Map *touched;  // Buffer * to Touch *
    Work work;
} Count;

typedef VEC(int) Vars;  // that a temp varies with

// Places in `around`, a bit each.
typedef uint64_t Places;

static Places place_of(const Count *c, int var) {
    for (int i = 0; i < c->depth; i++)
        if (c->around[i].var == var) return (Places)1 << i;
    return 0;
}

static Places affine_places(const Count *c, Affine a) {
    Places set = 0;
    for (int i = 0; i < a.n; i++) set |= place_of(c, a.t[i].slot);
    return set;
}

static double product(const Count *c, Places set) {
    double n = 1;
    for (int i = 0; i < c->depth; i++)
        if (set >> i & 1) n *= (double)c->around[i].trips;
    return n;
}

// How often something that varies with `set` is computed: loops outside one of these repeat it.
static double times(const Count *c, Places set) {
    int deepest = c->depth;
    while (deepest > 0 && !(set >> (deepest - 1) & 1 && c->around[deepest - 1].is_loop)) deepest--;
    for (int i = 0; i < deepest; i++)
        if (c->around[i].is_loop) set |= (Places)1 << i;
    double n = product(c, set);
    for (int i = 0; i < c->depth; i++) n *= c->around[i].share;
    return n;
}

// ---- scalars

static Places scalar_places(Count *c, Scalar *s);

static Touch *touch(Count *c, const Buffer *b) {
    Touch *t = map_get(c->touched, b);
    if (!t) map_set(c->touched, b, t = NEW(c->arena, Touch));
    return t;
}

static Places access_places(Count *c, const Access *a) {
    Places set = affine_places(c, a->at);
    for (int i = 0; i < a->n_dyn; i++) set |= scalar_places(c, a->dyn[i].s);
    return set;
}

static Places guard_places(Count *c, const Guard *guard, int n) {
    Places set = 0;
    for (int i = 0; i < n; i++) {
        set |= affine_places(c, guard[i].e);
        if (guard[i].s) set |= scalar_places(c, guard[i].s);
    }
    return set;
}

static Places temp_places(const Count *c, const Temp *t) {
    const Vars *vars = map_get(c->vars_of, t);
    Places set = 0;
    for (int i = 0; vars && i < vars->n; i++) set |= place_of(c, vars->at[i]);
    return set;
}

static Places leaf_places(Count *c, const Scalar *s) {
    if (s->op == OP_iv) return place_of(c, s->slot);
    if (s->op == OP_temp) return temp_places(c, s->temp);
    if (s->op == OP_rand) return scalar_places(c, s->arg[0]);
    if (s->op != OP_load) return 0;
    const Load *l = s->load;
    Places set = access_places(c, &l->access) | guard_places(c, l->guard, l->n_guard);
    return l->otherwise ? set | scalar_places(c, l->otherwise) : set;
}

static Places scalar_places(Count *c, Scalar *s) {
    Places set = (Places)(uintptr_t)map_get(c->scope->places, s);
    if (set) return set - 1;
    if (op_info[s->op].rule == RULE_LEAF) set = leaf_places(c, s);
    else for (int i = 0; i < op_info[s->op].arity; i++) set |= scalar_places(c, s->arg[i]);
    map_set(c->scope->places, s, (void *)(uintptr_t)(set + 1));
    return set;
}

static bool is_counted(Count *c, const Scalar *s) {
    for (const Scope *scope = c->scope; scope; scope = scope->outer)
        if (map_has(scope->seen, s)) return true;
    map_set(c->scope->seen, s, c);
    return false;
}

static void count_scalar(Count *c, Scalar *s);

static void count_access(Count *c, const Access *a, const Guard *guard, int n_guard) {
    for (int i = 0; i < a->n_dyn; i++) count_scalar(c, a->dyn[i].s);
    for (int i = 0; i < n_guard; i++)
        if (guard[i].s) count_scalar(c, guard[i].s);
}

static double flops_of(const Scalar *s) {
    bool rounds = op_info[s->op].traits & TRAIT_ROUNDS && elem_is_real(s->elem);
    return !rounds || s->op == OP_to_real ? 0 : s->op == OP_fma ? 2 : 1;
}

// Of a draw, its share of the multiplications of seven rounds: other units do the rest meanwhile.
static double ops_of(const Scalar *s) {
    return s->op == OP_rand ? 7 : op_info[s->op].cost;
}

static void count_scalar(Count *c, Scalar *s) {
    if (is_counted(c, s)) return;
    if (s->op == OP_load) {
        const Load *l = s->load;
        Touch *t = touch(c, l->access.buffer);
        if (!t->written) t->read += product(c, access_places(c, &l->access));
        count_access(c, &l->access, l->guard, l->n_guard);
        if (l->otherwise) count_scalar(c, l->otherwise);
        return;
    }
    if (!op_info[s->op].arity) return;
    double n = times(c, scalar_places(c, s));
    c->work.flops += n * flops_of(s);
    c->work.ops += n * ops_of(s);
    for (int i = 0; i < op_info[s->op].arity; i++) count_scalar(c, s->arg[i]);
}

// ---- statements

static int64_t greatest_of(Bound b) {
    return dim_max(b.d) / b.multiple * b.multiple;
}

static int64_t trips_of(const Stmt *s) {
    int64_t length = greatest_of(s->loop.high) - greatest_of(s->loop.low);
    return length > 0 ? (length + s->loop.step - 1) / s->loop.step : 0;
}

static int64_t affine_at(const Count *c, Affine a, const int64_t *turn) {
    int64_t sum = a.k;
    for (int i = 0; i < a.n; i++)
        for (int k = 0; k < c->depth; k++)
            if (c->around[k].var == a.t[i].slot)
                sum += a.t[i].c * (c->around[k].low + turn[k] * c->around[k].step);
    return sum;
}

static bool guards_hold(const Count *c, const Stmt *s, const int64_t *turn) {
    for (int i = 0; i < s->loop.n_guard; i++) {
        int64_t e = affine_at(c, s->loop.guard[i].e, turn), mod = s->loop.guard[i].mod;
        if (mod ? e % mod != 0 : e < 0) return false;
    }
    return true;
}

// At how many of the places around it a loop's guards hold: all of them, tried.
static double guarded_share(const Count *c, const Stmt *s) {
    enum { MOST = 1 << 16 };
    Places set = 0;
    for (int i = 0; i < s->loop.n_guard; i++) set |= affine_places(c, s->loop.guard[i].e);
    double n = 1, held = 0;
    for (int k = 0; k < c->depth; k++)
        if (set >> k & 1) n *= (double)c->around[k].trips;
    if (!set || n > MOST) return 1;
    int64_t turn[MAX_DEPTH] = {0};
    for (int k = 0; k >= 0;) {
        held += guards_hold(c, s, turn);
        for (k = c->depth - 1; k >= 0; turn[k--] = 0)
            if (set >> k & 1 && ++turn[k] < c->around[k].trips) break;
    }
    return held / n;
}

static void note_temp(Count *c, const Temp *t) {
    Vars *vars = map_get(c->vars_of, t);
    if (!vars) map_set(c->vars_of, t, vars = NEW(c->arena, Vars));
    for (int i = 0; i < c->depth; i++) vec_push(c->arena, vars, c->around[i].var);
}

static void count_block(Count *c, const Block *b, void (*visit)(Count *, const Stmt *));

static void enter(Count *c, Around a) {
    if (c->depth == MAX_DEPTH) BUG("work: loops nested too deep");
    c->around[c->depth++] = a;
}

static void count_inside(Count *c, const Stmt *s, void (*visit)(Count *, const Stmt *)) {
    int depth = c->depth;
    if (s->kind == STMT_for && !trips_of(s)) return;
    if (s->kind == STMT_for) {
        enter(c, (Around){s->loop.var, greatest_of(s->loop.low), s->loop.step, trips_of(s),
                          guarded_share(c, s), true});
        count_block(c, &s->loop.body, visit);
    } else {
        for (int i = 0; i < s->tile.n; i++)
            enter(c, (Around){s->tile.var[i].var, 0, 1, s->tile.var[i].size, 1, false});
        count_block(c, &s->tile.body, visit);
    }
    c->depth = depth;
}

static void count_block(Count *c, const Block *b, void (*visit)(Count *, const Stmt *)) {
    Scope scope = {c->scope, map_new(c->arena), map_new(c->arena)};
    c->scope = &scope;
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == STMT_for || s->kind == STMT_tile) count_inside(c, s, visit);
        else visit(c, s);
    }
    c->scope = scope.outer;
}

static void visit_temps(Count *c, const Stmt *s) {
    if (s->kind == STMT_let || s->kind == STMT_set) note_temp(c, s->set.temp);
    if (s->kind == STMT_combine) note_temp(c, s->combine.into);
}

static void visit_work(Count *c, const Stmt *s) {
    if (s->kind == STMT_combine || s->kind == STMT_fetch) return;
    Scalar *value = s->kind == STMT_store ? s->store.value : s->set.value;
    count_scalar(c, value);
    if (s->kind != STMT_store) return;
    const Access *a = &s->store.access;
    touch(c, a->buffer)->written += product(c, access_places(c, a));
    count_access(c, a, s->store.guard, s->store.n_guard);
}

static double least(double a, double b) {
    return a < b ? a : b;
}

static double bytes_touched(const Count *c) {
    double sum = 0;
    for (int i = 0; i < c->touched->n; i++) {
        const Buffer *b = (const Buffer *)(uintptr_t)c->touched->key[i];
        const Touch *t = c->touched->value[i];
        if (b->kind != BUFFER_arena) continue;
        double all = (double)b->count;
        sum += (least(t->read, all) + least(t->written, all)) * (double)elem_size[b->elem];
    }
    return sum;
}

Work kernel_work(const Kernel *k) {
    Count c = {.arena = arena_new()};
    c.vars_of = map_new(c.arena);
    c.touched = map_new(c.arena);
    count_block(&c, &k->body, visit_temps);
    count_block(&c, &k->body, visit_work);
    c.work.bytes = bytes_touched(&c);
    arena_free(c.arena);
    return c.work;
}

// ---- names

// As the model calls it; NULL for what only the compiler knows.
static const char *tensor_name(const Program *p, const LoopFunction *f, const Buffer *b) {
    for (int i = 0; f->fn && i < f->fn->results.n; i++) {
        const Result *r = &f->fn->results.at[i];
        if (r->v->op > VAL_state && map_get(p->buffer_of, r->v) == b) return r->name;
    }
    return b->is_kept && b->count > 1 ? b->name : NULL;
}

const char *kernel_label(const Program *p, const LoopFunction *f, const Kernel *k, Arena *arena) {
    const char *own = k->name ? k->name : "", *of = NULL;
    for (int i = 0; i < k->writes.n && !of; i++) of = tensor_name(p, f, k->writes.at[i]);
    const char *sign = of ? ">" : "<";
    for (int i = 0; i < k->reads.n && !of; i++) of = tensor_name(p, f, k->reads.at[i]);
    return of && strcmp(of, own) ? arena_printf(arena, "%s %s %s", own, sign, of) : own;
}

const char *kernel_place(const Program *p, const Kernel *k, Arena *arena) {
    int line, column;
    const Source *source = k->span.file ? source_of(p->m->c->sources, k->span.file) : NULL;
    if (!source) return "";
    source_line(p->m->c->sources, k->span.file, k->span.begin, &line, &column);
    return source->is_library ? arena_printf(arena, "%s:%d", source->path, line)
                              : arena_printf(arena, "%d", line);
}

static void print_row(Text *out, Work w, const char *label, const char *place) {
    text_printf(out, "  %14.0f %14.0f %14.0f  %-32s%s%s\n", w.flops, w.ops, w.bytes, label,
                *place ? " @" : "", place);
}

static void print_function(Text *out, const Program *p, const LoopFunction *f) {
    Work sum = {0};
    Arena *arena = arena_new();
    text_printf(out, "%s\n  %14s %14s %14s  kernel\n", f->name, "flops", "operations", "bytes");
    for (int i = 0; i < f->kernels.n; i++) {
        const Kernel *k = f->kernels.at[i];
        Work w = kernel_work(k);
        sum.flops += w.flops, sum.ops += w.ops, sum.bytes += w.bytes;
        print_row(out, w, kernel_label(p, f, k, arena), kernel_place(p, k, arena));
    }
    print_row(out, sum, "all", "");
    arena_free(arena);
}

void print_work(Text *out, const Program *p) {
    for (int i = 0; i < p->fns.n; i++) print_function(out, p, p->fns.at[i]);
}
