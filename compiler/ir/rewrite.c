#include "ir/rewrite.h"

#include <string.h>

#include "base/die.h"
#include "ir/build.h"
#include "ir/fold.h"
#include "ir/loops.h"

// ---- what a scalar stands on

// The scalars directly below s: arguments, or what a read or load holds, in order of text.
static void below_guards(const Guard *g, int n, void (*visit)(void *, Scalar *), void *context) {
    for (int i = 0; i < n; i++)
        if (g[i].s) visit(context, g[i].s);
}

static void below_subscripts(const Subscript *s, int n, void (*visit)(void *, Scalar *),
                             void *context) {
    for (int i = 0; i < n; i++)
        if (s[i].gather) visit(context, s[i].gather);
}

void scalar_each_below(const Scalar *s, void (*visit)(void *context, Scalar *below),
                       void *context) {
    if (s->op == OP_read) {
        const Read *r = s->read;
        below_subscripts(r->sub, r->v->type.rank, visit, context);
        below_guards(r->guard, r->n_guard, visit, context);
        if (r->otherwise) visit(context, r->otherwise);
    } else if (s->op == OP_load) {
        const Load *l = s->load;
        for (int i = 0; i < l->access.n_dyn; i++) visit(context, l->access.dyn[i].s);
        below_guards(l->guard, l->n_guard, visit, context);
        if (l->otherwise) visit(context, l->otherwise);
    } else {
        for (int i = 0; i < op_info[s->op].arity; i++) visit(context, s->arg[i]);
    }
}

// The scalars that a value holds, in order of text: targets, `where`, the body.
void value_each_scalar(const Value *v, void (*visit)(void *context, Scalar *s), void *context) {
    if (v->op == VAL_index) {
        below_guards(v->index.where, v->index.n_where, visit, context);
        visit(context, v->index.body);
    } else if (v->op == VAL_accumulate) {
        const Accumulate *a = &v->accumulate;
        below_subscripts(a->target, v->type.rank, visit, context);
        below_guards(a->where, a->n_where, visit, context);
        visit(context, a->body);
    }
}

// Most bodies are small: a few pointers are remembered in place, more of them in a map.
enum { FEW = 64 };

typedef struct Seen {
    const void *few[FEW];  // open addressing, half of it in use at most
    int n;
    Arena *scratch;        // NULL as long as these do
    Map *many;
} Seen;

static bool is_new_to_many(Seen *seen, const void *p) {
    if (!seen->many) {
        seen->scratch = arena_new();
        seen->many = map_new(seen->scratch);
        for (int i = 0; i < FEW; i++)
            if (seen->few[i]) map_set(seen->many, seen->few[i], seen);
    }
    int before = seen->many->n;
    map_set(seen->many, p, seen);
    return seen->many->n > before;
}

static bool is_new(Seen *seen, const void *p) {
    if (seen->n == FEW / 2) return is_new_to_many(seen, p);
    unsigned i = (unsigned)hash_mix(1, (uint64_t)(uintptr_t)p) % FEW;
    for (; seen->few[i]; i = (i + 1) % FEW)
        if (seen->few[i] == p) return false;
    seen->few[i] = p;
    seen->n++;
    return true;
}

typedef struct Gather {
    Arena *arena;
    Seen seen;
    Reads reads;
    Values values;
} Gather;

static void gather_reads(void *context, Scalar *s) {
    Gather *g = context;
    if (!is_new(&g->seen, s)) return;
    if (s->op == OP_read) vec_push(g->arena, &g->reads, s);
    scalar_each_below(s, gather_reads, g);
}

Reads scalar_reads(Scalar *s, Arena *arena) {
    Gather g = {.arena = arena};
    gather_reads(&g, s);
    arena_free(g.seen.scratch);
    return g.reads;
}

static void add_value(Gather *g, Value *v) {
    if (v && is_new(&g->seen, v)) vec_push(g->arena, &g->values, v);
}

static void gather_values(void *context, Scalar *s) {
    Gather *g = context;
    if (!is_new(&g->seen, s)) return;
    if (s->op == OP_read) add_value(g, s->read->v);
    scalar_each_below(s, gather_values, g);
}

static void add_scan(Gather *g, const Scan *x) {
    for (int i = 0; i < x->n_carry; i++) add_value(g, x->carry[i].init);
    for (int i = 0; i < x->n_carry; i++) add_value(g, x->carry[i].next);
    for (int i = 0; i < x->n_tap; i++) add_value(g, x->tap[i]);
}

Values value_operands(const Value *v, Arena *arena) {
    if (v->operand) return (Values){v->operand, v->n_operand, v->n_operand};
    Gather g = {.arena = arena};
    if (v->op == VAL_accumulate) add_value(&g, v->accumulate.init);
    value_each_scalar(v, gather_values, &g);
    if (v->op == VAL_reshape) add_value(&g, v->of);
    if (v->op == VAL_grad) {
        add_value(&g, v->grad.of);
        add_value(&g, v->grad.wrt);
    }
    if (v->op == VAL_own) {
        const Own *o = &v->own;
        add_value(&g, o->of);
        for (int i = 0; i < o->n; i++) add_value(&g, o->wrt[i]);
        for (int i = 0; i < o->n_cot; i++) add_value(&g, o->cot[i]);
        for (int i = 0; i < o->n; i++) add_value(&g, o->gives[i]);
    }
    for (int i = 0; v->op == VAL_join && i < v->join.n; i++) add_value(&g, v->join.piece[i].v);
    if (v->op == VAL_scan) add_scan(&g, &v->scan);
    if (v->op == VAL_part) add_value(&g, v->part.scan);
    arena_free(g.seen.scratch);
    return g.values;
}

static bool affine_uses(Affine a, int slot) {
    return affine_coef(a, slot) != 0;
}

typedef struct Use {
    int slot;
    bool found;
    Map *seen;
} Use;

static bool uses_directly(const Scalar *s, int slot) {
    const Guard *guard = NULL;
    int n_guard = 0;
    if (s->op == OP_iv) return s->slot == slot;
    if (s->op == OP_read) {
        guard = s->read->guard;
        n_guard = s->read->n_guard;
        for (int i = 0; i < s->read->v->type.rank; i++)
            if (affine_uses(s->read->sub[i].a, slot)) return true;
    } else if (s->op == OP_load) {
        guard = s->load->guard;
        n_guard = s->load->n_guard;
        if (affine_uses(s->load->access.at, slot)) return true;
    }
    for (int i = 0; i < n_guard; i++)
        if (affine_uses(guard[i].e, slot)) return true;
    return false;
}

static void find_use(void *context, Scalar *s) {
    Use *use = context;
    if (use->found || map_has(use->seen, s)) return;
    map_set(use->seen, s, s);
    if (uses_directly(s, use->slot))
        use->found = true;
    else
        scalar_each_below(s, find_use, use);
}

// Most scalars are small: the first steps go without remembering what was seen.
typedef struct Glance {
    int slot, steps;
    bool found;
} Glance;

static void glance(void *context, Scalar *s) {
    Glance *g = context;
    if (g->found || --g->steps < 0) return;
    if (uses_directly(s, g->slot))
        g->found = true;
    else
        scalar_each_below(s, glance, g);
}

bool scalar_uses_slot(const Scalar *s, int slot) {
    Glance g = {slot, 200, false};
    glance(&g, (Scalar *)s);
    if (g.found || g.steps >= 0) return g.found;
    Arena *scratch = arena_new();
    Use use = {slot, false, map_new(scratch)};
    find_use(&use, (Scalar *)s);
    arena_free(scratch);
    return use.found;
}

// ---- rebuilding scalars

typedef struct Rewrite {
    Module *m;
    ScalarFn *fn;
    void *context;
    Map *done;
    Arena *scratch;
    // Substitution: what replaces the slots; both NULL in other rewrites.
    const Affine *affine;
    Scalar *const *scalar;
    const Map *values;  // Value * to Value *, or NULL
} Rewrite;

static Scalar *rewrite(Rewrite *r, Scalar *s);

// An affine form under a substitution: an affine part and a rest that is not affine.
typedef struct Form {
    Affine a;
    Scalar *rest;
} Form;

static Form subst_affine(Rewrite *r, Affine a) {
    if (r->affine) return (Form){affine_subst(r->m, a, r->affine), NULL};
    if (!r->scalar) return (Form){a, NULL};
    Form f = {affine_const(a.k), NULL};
    for (int i = 0; i < a.n; i++) {
        Scalar *by = r->scalar[a.t[i].slot], *rest = NULL;
        Affine part = affine_slot(r->m, a.t[i].slot);
        if (by) split_affine(r->m, by, &part, &rest);
        f.a = affine_add(r->m, f.a, affine_scale(r->m, part, a.t[i].c));
        if (!rest) continue;
        rest = scalar_binary(r->m, OP_mul, rest, scalar_int(r->m, a.t[i].c));
        f.rest = f.rest ? scalar_binary(r->m, OP_add, f.rest, rest) : rest;
    }
    return f;
}

static Scalar *add_rest(Rewrite *r, Scalar *s, Scalar *rest) {
    if (!rest) return s;
    return s ? scalar_binary(r->m, OP_add, s, rest) : rest;
}

static Subscript rewrite_subscript(Rewrite *r, Subscript s) {
    Scalar *gather = s.gather ? rewrite(r, s.gather) : NULL;
    Form f = subst_affine(r, s.a);
    if (!f.rest) return (Subscript){f.a, s.div, gather};
    if (s.div == 1) return (Subscript){f.a, 1, add_rest(r, gather, f.rest)};
    Scalar *sum = scalar_binary(r->m, OP_add, f.rest, scalar_affine(r->m, f.a));
    Scalar *quotient = scalar_binary(r->m, OP_idiv, sum, scalar_int(r->m, s.div));
    return (Subscript){affine_const(0), 1, add_rest(r, gather, quotient)};
}

static Guard *rewrite_guards(Rewrite *r, const Guard *guard, int n) {
    Guard *out = NEW_ARRAY(r->scratch, Guard, n);
    for (int i = 0; i < n; i++) {
        Form f = subst_affine(r, guard[i].e);
        Scalar *s = guard[i].s ? rewrite(r, guard[i].s) : NULL;
        out[i] = (Guard){f.a, add_rest(r, s, f.rest), guard[i].mod};
    }
    return out;
}

static Scalar *rewrite_read(Rewrite *r, const Read *read) {
    Subscript sub[MAX_RANK];
    for (int i = 0; i < read->v->type.rank; i++) sub[i] = rewrite_subscript(r, read->sub[i]);
    Guard *guard = rewrite_guards(r, read->guard, read->n_guard);
    Scalar *otherwise = read->otherwise ? rewrite(r, read->otherwise) : NULL;
    Value *v = r->values ? map_get(r->values, read->v) : NULL;
    return scalar_read(r->m, v ? v : read->v, sub, guard, read->n_guard, otherwise);
}

static Scalar *rewrite_load(Rewrite *r, const Load *load) {
    Access access = load->access;
    Form f = subst_affine(r, access.at);
    struct Dyn *dyn = NEW_ARRAY(r->scratch, struct Dyn, access.n_dyn + 1);
    for (int i = 0; i < access.n_dyn; i++)
        dyn[i] = (struct Dyn){access.dyn[i].c, rewrite(r, access.dyn[i].s)};
    if (f.rest) dyn[access.n_dyn++] = (struct Dyn){1, f.rest};
    access.at = f.a;
    access.dyn = dyn;
    Guard *guard = rewrite_guards(r, load->guard, load->n_guard);
    Scalar *otherwise = load->otherwise ? rewrite(r, load->otherwise) : NULL;
    return scalar_load(r->m, &access, guard, load->n_guard, otherwise);
}

static Scalar *rewrite_iv(Rewrite *r, Scalar *s) {
    if (r->affine && r->affine[s->slot].n >= 0) return scalar_affine(r->m, r->affine[s->slot]);
    if (r->scalar && r->scalar[s->slot]) return r->scalar[s->slot];
    return s;
}

static Scalar *rewrite_arguments(Rewrite *r, Scalar *s) {
    Scalar *arg[MAX_ARGS] = {0};
    bool changed = false;
    for (int i = 0; i < op_info[s->op].arity; i++) {
        arg[i] = rewrite(r, s->arg[i]);
        changed |= arg[i] != s->arg[i];
    }
    if (!changed) return s;
    if (s->op == OP_rand) return scalar_rand(r->m, s->site, arg[0]);
    return scalar_op(r->m, s->op, arg[0], arg[1], arg[2]);
}

static Scalar *rewrite(Rewrite *r, Scalar *s) {
    Scalar *done = map_get(r->done, s);
    if (done) return done;
    Scalar *made = s;
    if (s->op == OP_read)
        made = rewrite_read(r, s->read);
    else if (s->op == OP_load)
        made = rewrite_load(r, s->load);
    else if (s->op == OP_iv)
        made = rewrite_iv(r, s);
    else
        made = rewrite_arguments(r, s);
    if (r->fn) made = r->fn(r->context, r->m, made);
    map_set(r->done, s, made);
    return made;
}

static Scalar *run_rewrite(Rewrite r, Scalar *s) {
    r.scratch = arena_new();
    r.done = map_new(r.scratch);
    Scalar *result = rewrite(&r, s);
    arena_free(r.scratch);
    return result;
}

Scalar *scalar_rewrite(Module *m, Scalar *s, ScalarFn *fn, void *context) {
    return run_rewrite((Rewrite){.m = m, .fn = fn, .context = context}, s);
}

Scalar *scalar_subst(Module *m, Scalar *s, const Affine *to) {
    return run_rewrite((Rewrite){.m = m, .affine = to}, s);
}

Guard *guards_subst(Module *m, Arena *arena, const Guard *guard, int n, const Affine *to) {
    Guard *out = NEW_ARRAY(arena, Guard, n + 1);
    for (int i = 0; i < n; i++)
        out[i] = (Guard){affine_subst(m, guard[i].e, to),
                         guard[i].s ? scalar_subst(m, guard[i].s, to) : NULL, guard[i].mod};
    return out;
}

Subscript subscript_subst(Module *m, Subscript s, const Affine *to) {
    return (Subscript){affine_subst(m, s.a, to), s.div,
                       s.gather ? scalar_subst(m, s.gather, to) : NULL};
}

Scalar *scalar_subst_scalar(Module *m, Scalar *s, Scalar *const *to) {
    return run_rewrite((Rewrite){.m = m, .scalar = to}, s);
}

// ---- the graph

typedef struct Visit {
    Value *v;
    Values operands;
    int next;
} Visit;

// Depth first without recursion: a graph may be a chain of any length.
static void visit_value(Value *root, Values *order, Map *seen, Arena *arena, Arena *scratch) {
    VEC(Visit) stack = {0};
    if (map_has(seen, root)) return;
    map_set(seen, root, root);
    vec_push(scratch, &stack, ((Visit){root, value_operands(root, scratch), 0}));
    while (stack.n) {
        Visit *top = &stack.at[stack.n - 1];
        if (top->next == top->operands.n) {
            vec_push(arena, order, top->v);
            stack.n--;
            continue;
        }
        Value *v = top->operands.at[top->next++];
        if (map_has(seen, v)) continue;
        map_set(seen, v, v);
        vec_push(scratch, &stack, ((Visit){v, value_operands(v, scratch), 0}));
    }
}

Values function_order(const Function *f, Arena *arena) {
    Values order = {0};
    Arena *scratch = arena_new();
    Map *seen = map_new(scratch);
    for (int i = 0; i < f->results.n; i++)
        visit_value(f->results.at[i].v, &order, seen, arena, scratch);
    for (int i = 0; i < f->updates.n; i++)
        visit_value(f->updates.at[i].v, &order, seen, arena, scratch);
    arena_free(scratch);
    return order;
}

Values values_below(Value *const *roots, int n, Arena *arena) {
    Values order = {0};
    Arena *scratch = arena_new();
    Map *seen = map_new(scratch);
    for (int i = 0; i < n; i++) visit_value(roots[i], &order, seen, arena, scratch);
    arena_free(scratch);
    return order;
}

Value *value_replaced(const Map *replacement, Value *v) {
    Value *by = v ? map_get(replacement, v) : NULL;
    return by ? by : v;
}

static Value *index_with(Rewrite *r, Value *v) {
    Index x = v->index;
    x.where = rewrite_guards(r, x.where, x.n_where);
    x.body = rewrite(r, x.body);
    return build_index(r->m, &x, v->span, v->hint);
}

static Value *accumulate_with(Rewrite *r, Value *v) {
    Accumulate x = v->accumulate;
    Subscript target[MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) target[i] = rewrite_subscript(r, x.target[i]);
    x.target = target;
    x.where = rewrite_guards(r, x.where, x.n_where);
    x.body = rewrite(r, x.body);
    x.init = value_replaced(r->values, x.init);
    return build_accumulate(r->m, &x, &v->type, v->span, v->hint);
}

static Value *join_with(Rewrite *r, Value *v) {
    Piece *piece = NEW_ARRAY(r->scratch, Piece, v->join.n);
    for (int i = 0; i < v->join.n; i++) {
        piece[i] = v->join.piece[i];
        piece[i].v = value_replaced(r->values, piece[i].v);
    }
    return build_join(r->m, v->join.axis, v->type.dim[v->join.axis], piece, v->join.n, v->join.fill,
                      v->span);
}

static Value *scan_with(Rewrite *r, Value *v) {
    Scan x = v->scan;
    Carry *carry = NEW_ARRAY(r->scratch, Carry, x.n_carry);
    Value **tap = NEW_ARRAY(r->scratch, Value *, x.n_tap + 1);
    for (int i = 0; i < x.n_carry; i++)
        carry[i] = (Carry){x.carry[i].leaf, value_replaced(r->values, x.carry[i].init),
                           value_replaced(r->values, x.carry[i].next)};
    for (int i = 0; i < x.n_tap; i++) tap[i] = value_replaced(r->values, x.tap[i]);
    x.carry = carry;
    x.tap = tap;
    return build_scan(r->m, &x, v->span);
}

static Value *own_with(Rewrite *r, Value *v) {
    Own o = v->own;
    Value **wrt = NEW_ARRAY(r->scratch, Value *, o.n + 1);
    Value **gives = NEW_ARRAY(r->scratch, Value *, o.n + 1);
    for (int i = 0; i < o.n; i++) {
        wrt[i] = value_replaced(r->values, o.wrt[i]);
        gives[i] = value_replaced(r->values, o.gives[i]);
    }
    o.of = value_replaced(r->values, o.of);
    o.wrt = wrt;
    o.gives = gives;
    return build_own(r->m, &o, v->span);
}

static Value *rebuild(Rewrite *r, Value *v) {
    switch (v->op) {
        case VAL_index: return index_with(r, v);
        case VAL_accumulate: return accumulate_with(r, v);
        case VAL_join: return join_with(r, v);
        case VAL_reshape:
            return build_reshape(r->m, value_replaced(r->values, v->of), v->type.rank, v->type.dim,
                                 v->span);
        case VAL_scan: return scan_with(r, v);
        case VAL_part:
            return build_scan_part(r->m, value_replaced(r->values, v->part.scan), v->part.number, v->span,
                              v->hint);
        case VAL_grad:
            return build_grad(r->m, value_replaced(r->values, v->grad.of),
                              value_replaced(r->values, v->grad.wrt), v->span);
        case VAL_own: return own_with(r, v);
        default: return v;
    }
}

static bool changes(Values operands, const Map *replacement) {
    for (int i = 0; i < operands.n; i++)
        if (value_replaced(replacement, operands.at[i]) != operands.at[i]) return true;
    return false;
}

Value *value_with_operands(Module *m, Value *v, const Map *replacement) {
    Rewrite r = {.m = m, .scratch = arena_new(), .values = replacement};
    r.done = map_new(r.scratch);
    Value *result = v;
    if (changes(value_operands(v, r.scratch), replacement)) result = rebuild(&r, v);
    arena_free(r.scratch);
    return result;
}

static void note_former(Map *former, Value *now, Value *was) {
    Value *other = map_get(former, now);
    map_set(former, now, other && other != was ? now : was);
}

void function_rewrite(Function *f, ValueFn *fn, void *context) {
    function_rewrite_known(f, fn, context, NULL);
}

void function_rewrite_known(Function *f, ValueFn *fn, void *context, Map *former) {
    Arena *scratch = arena_new();
    Values order = function_order(f, scratch);
    Map *replacement = map_new(scratch);
    for (int i = 0; i < order.n; i++) {
        Value *v = value_with_operands(f->m, order.at[i], replacement);
        v = fn(context, f->m, v);
        map_set(replacement, order.at[i], v);
        if (former) note_former(former, v, order.at[i]);
    }
    for (int i = 0; i < f->results.n; i++)
        f->results.at[i].v = value_replaced(replacement, f->results.at[i].v);
    for (int i = 0; i < f->updates.n; i++)
        f->updates.at[i].v = value_replaced(replacement, f->updates.at[i].v);
    arena_free(scratch);
}
