#include "emit/body.h"

#include <string.h>

// ---- nests that could be bodies

// The statements that make up a kernel: what its outermost loop runs, where threads share that.
static const Block *nests_of(const Kernel *k) {
    return k->is_parallel ? &k->body.at[0]->loop.body : &k->body;
}

static double trips(const Stmt *s) {
    Bound low = s->loop.low, high = s->loop.high;
    double from = low.d.by ? 0 : (double)low.d.n, to = (double)dim_max(high.d);
    return to > from ? (to - from) / (double)s->loop.step : 0;
}

// Roughly how many vector operations.
static double work(const Block *b) {
    double n = 0;
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        double points = 1;
        switch (s->kind) {
        case STMT_for: n += trips(s) * work(&s->loop.body); break;
        case STMT_tile:
            for (int v = 0; v < s->tile.n; v++) {
                double size = (double)s->tile.var[v].size;
                points *= s->tile.var[v].is_lanes ? (size < LANES ? 1 : size / LANES) : size;
            }
            n += points * work(&s->tile.body);
            break;
        default: n += 1; break;
        }
    }
    return n;
}

// Worth a call, which takes some tens of cycles: much longer than that, or once in a step.
static bool is_long(const Code *g, const Kernel *k, const Stmt *s) {
    const double LONG = k->is_parallel ? 500 : 100;
    if (s->kind != STMT_for && s->kind != STMT_tile) return false;
    Block one = {(Stmt **)&s, 1, 1};
    return g->opt.is_any_nest_long || work(&one) >= LONG;
}

// A kernel of that nest only.
static Kernel *kernel_of_nest(Code *g, const Kernel *whole, const Stmt *s) {
    Kernel *k = NEW(g->arena, Kernel);
    Stmt **at = NEW_ARRAY(g->arena, Stmt *, 1), *copy = NEW(g->arena, Stmt);
    *k = *whole;
    *copy = *s;
    at[0] = copy;
    k->body = (Block){at, 1, 1};
    if (!whole->is_parallel) return k;
    Stmt *loop = NEW(g->arena, Stmt), **outer = NEW_ARRAY(g->arena, Stmt *, 1);
    *loop = *whole->body.at[0];
    loop->loop.body = k->body;
    outer[0] = loop;
    k->body = (Block){outer, 1, 1};
    return k;
}

// ---- temps of a nest are its own

static bool scalar_is_closed(const Scalar *s, Map *seen, Map *lets) {
    if (map_has(seen, s)) return true;
    map_set(seen, s, (void *)s);
    if (s->op == OP_temp && !map_has_int(lets, (uint64_t)s->temp->id + 1)) return false;
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++)
        if (!scalar_is_closed(s->arg[i], seen, lets)) return false;
    if (s->op != OP_load) return true;
    const Load *l = s->load;
    for (int i = 0; i < l->access.n_dyn; i++)
        if (!scalar_is_closed(l->access.dyn[i].s, seen, lets)) return false;
    for (int i = 0; i < l->n_guard; i++)
        if (l->guard[i].s && !scalar_is_closed(l->guard[i].s, seen, lets)) return false;
    return !l->otherwise || scalar_is_closed(l->otherwise, seen, lets);
}

static bool store_is_closed(const Stmt *s, Map *seen, Map *lets) {
    for (int i = 0; i < s->store.access.n_dyn; i++)
        if (!scalar_is_closed(s->store.access.dyn[i].s, seen, lets)) return false;
    for (int i = 0; i < s->store.n_guard; i++)
        if (s->store.guard[i].s && !scalar_is_closed(s->store.guard[i].s, seen, lets)) return false;
    return scalar_is_closed(s->store.value, seen, lets);
}

static bool is_closed(const Block *b, Map *seen, Map *lets) {
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        bool is = true;
        switch (s->kind) {
        case STMT_for: is = is_closed(&s->loop.body, seen, lets); break;
        case STMT_tile: is = is_closed(&s->tile.body, seen, lets); break;
        case STMT_let:
            is = scalar_is_closed(s->set.value, seen, lets);
            map_set_int(lets, (uint64_t)s->set.temp->id + 1, (void *)s);
            break;
        case STMT_set:
            is = map_has_int(lets, (uint64_t)s->set.temp->id + 1) &&
                 scalar_is_closed(s->set.value, seen, lets);
            break;
        case STMT_store: is = store_is_closed(s, seen, lets); break;
        case STMT_fetch: break;
        case STMT_combine: is = map_has_int(lets, (uint64_t)s->combine.into->id + 1); break;
        }
        if (!is) return false;
    }
    return true;
}

static bool uses_own_temps(const Stmt *s) {
    Arena *arena = arena_new();
    Block one = {(Stmt **)&s, 1, 1};
    bool is = is_closed(&one, map_new(arena), map_new(arena));
    arena_free(arena);
    return is;
}

// ---- finding them

// Entry points that run once in a while: their code is to be small.
static bool is_cold(const LoopFunction *f) {
    static const char *const cold[] = {"init", "start", "stream_begin", "generate_begin", "gradients", "epoch_begin", "epoch_end",
                                       "eval_end", "keep", NULL};
    for (int i = 0; cold[i]; i++)
        if (!strcmp(f->name, cold[i])) return true;
    return false;
}

static Body *body_of(Code *g, const Kernel *k) {
    Arena *arena = arena_new();
    Text *text = text_new(arena);
    kernel_key(text, k, kernel_table(k, arena));
    uint64_t hash = hash_bytes(text->at, text->n);
    arena_free(arena);
    Body *body = map_get_int(g->bodies, hash);
    if (!body) {
        body = NEW(g->arena, Body);
        body->kernel = k;
        map_set_int(g->bodies, hash, body);
    }
    body->n++;
    return body;
}

static void find_nests(Code *g, Body *body) {
    const Block *nests = nests_of(body->kernel);
    body->calls = map_new(g->arena);
    for (int i = 0; nests->n > 1 && i < nests->n; i++) {
        const Stmt *s = nests->at[i];
        if (!is_long(g, body->kernel, s) || !uses_own_temps(s)) continue;
        const Kernel *nest = kernel_of_nest(g, body->kernel, s);
        Call *call = NEW(g->arena, Call);
        call->body = body_of(g, nest);
        call->table = kernel_table(nest, g->arena);
        map_set(body->calls, s, call);
    }
}

// What stands in one place only stays there; the others get places in the table.
static void keep_shared(Code *g, Body *body) {
    Map *all = body->calls;
    int at = body->calls->n ? table_count(kernel_table(body->kernel, g->arena)) : 0;
    body->calls = map_new(g->arena);
    for (int i = 0; i < all->n; i++) {
        Call *call = all->value[i];
        if (call->body->n < 2) continue;
        call->at = at;
        at += table_count(call->table);
        call->body->is_hot |= body->is_hot;
        map_set_int(body->calls, all->key[i], call);
    }
}

void find_bodies(Code *g) {
    g->bodies = map_new(g->arena);
    g->body_of = map_new(g->arena);
    Map *whole = map_new(g->arena);
    for (int f = 0; f < g->p->fns.n; f++)
        for (int i = 0; i < g->p->fns.at[f]->kernels.n; i++) {
            const Kernel *k = g->p->fns.at[f]->kernels.at[i];
            Body *body = body_of(g, k);
            body->is_hot |= !is_cold(g->p->fns.at[f]);
            map_set(g->body_of, k, body);
            map_set(whole, body, body);
        }
    for (int i = 0; i < whole->n; i++) find_nests(g, whole->value[i]);
    for (int i = 0; i < whole->n; i++) keep_shared(g, whole->value[i]);
}

// ---- tables

static int add_table(Code *g, V *row, Table table) {
    T t = offset_type(g);
    int n = 0;
    for (int i = 0; i < table.n; i++)
        row[n++] = LLVMConstInt(t, (unsigned long long)table.buffer[i]->offset, false);
    for (int i = 0; i < table.n_site; i++) row[n++] = LLVMConstInt(t, table.site[i], false);
    return n;
}

static V table_of(Code *g, const Kernel *k, const Body *body, const char *name) {
    const Block *first = nests_of(body->kernel), *own = nests_of(k);
    Table table = kernel_table(k, g->arena);
    int n = table_count(table);
    for (int i = 0; i < body->calls->n; i++)
        n += table_count(((Call *)body->calls->value[i])->table);
    V *row = NEW_ARRAY(g->arena, V, n + 1);
    n = add_table(g, row, table);
    for (int i = 0; i < first->n; i++)
        if (map_has(body->calls, first->at[i]))
            n += add_table(g, row + n,
                           kernel_table(kernel_of_nest(g, k, own->at[i]), g->arena));
    T t = offset_type(g);
    V value = LLVMConstArray2(t, row, (uint64_t)n);
    V global = LLVMAddGlobal(g->m, LLVMTypeOf(value), arena_printf(g->arena, "%s.table", name));
    LLVMSetInitializer(global, value);
    LLVMSetAlignment(global, t == g->t_i32 ? 4 : 8);  // else it is padded to 16
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    return global;
}

// ---- functions

static bool has_table(const Body *body) {
    return body->n > 1 || body->calls->n;
}

static T body_type(const Code *g) {
    T param[4] = {g->t_ptr, g->t_i64, g->t_i64, g->t_ptr};
    return LLVMFunctionType(g->t_void, param, 4, false);
}

static int64_t count_instructions(V fn) {
    int64_t n = 0;
    for (BB b = LLVMGetFirstBasicBlock(fn); b; b = LLVMGetNextBasicBlock(b))
        for (V i = LLVMGetFirstInstruction(b); i; i = LLVMGetNextInstruction(i)) n++;
    return n;
}

// Names are the program's, for where one module calls what is in the other.
static void build_body(Code *first, Body *body, const char *name) {
    if (body->fn) return;
    if (!body->calls) body->calls = map_new(first->arena);
    for (int i = 0; i < body->calls->n; i++) {
        Body *nest = ((Call *)body->calls->value[i])->body;
        const char *what = nest->kernel->name ? nest->kernel->name : "";
        build_body(first, nest, arena_printf(first->arena, "%s.nest%d_%s", name, i, what));
    }
    Code *g = body->home = next_module(first);
    body->fn = LLVMAddFunction(g->m, name, body_type(g));
    LLVMSetLinkage(body->fn, LLVMInternalLinkage);
    target_attributes(g, body->fn);
    emit_kernel(g, body->kernel, body->fn, body->calls, has_table(body), !body->is_hot);
    g->size += count_instructions(body->fn);
}

static void share_with_modules(V fn) {
    LLVMSetLinkage(fn, LLVMExternalLinkage);
    LLVMSetVisibility(fn, LLVMHiddenVisibility);
}

// A body that is built, as a module calls it.
static V body_in(Code *g, const Body *body) {
    if (body->home == g) return body->fn;
    size_t n;
    const char *name = LLVMGetValueName2(body->fn, &n);
    V declared = LLVMGetNamedFunction(g->m, name);
    if (declared) return declared;
    share_with_modules(body->fn);
    declared = LLVMAddFunction(g->m, name, body_type(g));
    share_with_modules(declared);
    target_attributes(g, declared);  // it does not unwind
    return declared;
}

V kernel_body(Code *g, const Kernel *k, const char *name, V *table) {
    Body *body = map_get(g->body_of, k);
    build_body(g, body, name);
    *table = has_table(body) ? table_of(g, k, body, name) : LLVMConstNull(g->t_ptr);
    return body_in(g, body);
}

// ---- calls

// The number of the outermost loop's iteration.
static V iteration(Gen *k) {
    Code *g = k->g;
    const Stmt *loop = k->k->body.at[0];
    V done = LLVMBuildNSWSub(g->b, k->loop[0].iv, k->first, "");
    V n = LLVMBuildExactSDiv(g->b, done, const_i64(g, loop->loop.step), "");
    return LLVMBuildNSWAdd(g->b, n, k->begin, "");
}

bool touch_call(Gen *k, const Stmt *s) {
    const Call *call = map_get(k->calls, s);
    for (int i = 0; call && i < call->table.n; i++) touch(k, buffer_bit(k, call->table.buffer[i]));
    return call;
}

bool emit_call(Gen *k, const Stmt *s) {
    const Call *call = map_get(k->calls, s);
    if (!call) return false;
    Code *g = k->g;
    V begin = const_i64(g, 0), end = begin;
    if (k->k->is_parallel) {
        begin = iteration(k);
        end = LLVMBuildNSWAdd(g->b, begin, const_i64(g, 1), "");
    }
    int bytes = offset_type(g) == g->t_i32 ? 4 : 8;
    V table = byte_offset(g, k->table, const_i64(g, (int64_t)bytes * call->at));
    V arg[4] = {k->context, begin, end, table};
    LLVMBuildCall2(g->b, body_type(g), body_in(g, call->body), arg, 4, "");
    return touch_call(k, s);
}
