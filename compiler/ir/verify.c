#include "ir/verify.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "ir/build.h"
#include "ir/fold.h"
#include "ir/own.h"
#include "ir/print.h"
#include "ir/prove.h"
#include "ir/rewrite.h"
#include "ir/share.h"

typedef struct Check {
    const Module *m;
    const Function *fn;
    unsigned level;
    Arena *scratch;
    Map *checked;    // values that are well formed
    const Value *v;  // the one under way
    Map *seen;       // its scalars
    const Dim *extent;
    int n_slot;
    const Guard *where;
    int n_where;
    char *wrong;  // the first thing found
} Check;

__attribute__((format(printf, 2, 3))) static bool fail(Check *c, const char *format, ...) {
    if (c->wrong) return false;
    va_list args;
    va_start(args, format);
    char *what = arena_vprintf(c->m->arena, format, args);
    va_end(args);
    Text *shown = text_new(c->m->arena);
    if (c->v) {
        text_add(shown, "\n  in ");
        print_value(shown, c->v);
    }
    const char *fn = c->fn ? c->fn->name : "the module";
    c->wrong = arena_printf(c->m->arena, "%s: %s%s", fn, what, c->v ? shown->at : "");
    return false;
}

// ---- dimensions and types

static bool check_dim(Check *c, Dim d) {
    if (d.n < 1 || dim_max(d) > INT32_MAX) return fail(c, "an extent out of range");
    if (d.by && (d.by->id >= c->m->extents.n || c->m->extents.at[d.by->id] != d.by))
        return fail(c, "an extent of another module");
    return true;
}

static bool check_type(Check *c, const Type *t) {
    if (t->rank < 0 || t->rank > MAX_RANK) return fail(c, "rank %d", t->rank);
    if (elem_is_real(t->elem) && t->elem != c->m->real)
        return fail(c, "%s in a module of %s", elem_name[t->elem], elem_name[c->m->real]);
    if (t->below < 0 || (t->below && t->elem != ELEM_i32 && t->elem != ELEM_u8))
        return fail(c, "a bound of elements that takes none");
    for (int i = 0; i < t->rank; i++)
        if (!check_dim(c, t->dim[i])) return false;
    return true;
}

static bool check_box(Check *c, const Dim *extent, int n) {
    if (n < 0 || n > MAX_SLOTS) return fail(c, "%d slots", n);
    for (int i = 0; i < n; i++)
        if (!check_dim(c, extent[i])) return false;
    return true;
}

// ---- scalars

static bool check_scalar(Check *c, Scalar *s);

static bool check_affine(Check *c, Affine a) {
    for (int i = 0; i < a.n; i++) {
        if (!a.t[i].c) return fail(c, "an affine term with coefficient 0");
        if (i && a.t[i].slot <= a.t[i - 1].slot) return fail(c, "affine terms out of order");
        if (a.t[i].slot < 0 || a.t[i].slot >= c->n_slot) return fail(c, "slot %d", a.t[i].slot);
    }
    return true;
}

static bool check_integer(Check *c, Scalar *s, const char *what) {
    if (!s) return true;
    if (s->elem != ELEM_i32) return fail(c, "%s is no i32", what);
    return check_scalar(c, s);
}

static bool check_guards(Check *c, const Guard *guard, int n) {
    for (int i = 0; i < n; i++) {
        if (guard[i].mod < 0) return fail(c, "a guard modulo %lld", (long long)guard[i].mod);
        if (!check_affine(c, guard[i].e)) return false;
        if (!check_integer(c, guard[i].s, "a guard's scalar")) return false;
    }
    return true;
}

// The bound of what is read, or of a remainder, may prove the subscript wrong; where nothing
// is known, or where it came about on the way (an arm of a select), it is trusted.
static bool gather_fits(const Check *c, const Subscript *s, Dim d, bool is_guarded) {
    int64_t below = scalar_below(s->gather, c->extent), low, high;
    bool is_close = s->gather->op == OP_mod ||
                    (s->gather->op == OP_read && !s->gather->read->n_guard);
    if (!below || !is_close || is_guarded || s->div != 1) return true;
    affine_range(s->a, c->extent, &low, &high);
    return low < 0 || below + low <= dim_max(d);
}

static bool check_subscripts(Check *c, const Subscript *sub, const Type *t, const Guard *guard,
                             int n_guard, const char *what) {
    Known known = {.extent = c->extent};
    known_add(&known, guard, n_guard);
    known_add(&known, c->where, c->n_where);
    bool is_guarded = n_guard || c->n_where;
    for (int i = 0; i < t->rank; i++) {
        if (sub[i].div < 1) return fail(c, "a division by %lld", (long long)sub[i].div);
        if (!check_affine(c, sub[i].a)) return false;
        if (!check_integer(c, sub[i].gather, "a gather")) return false;
        if (sub[i].gather ? !gather_fits(c, &sub[i], t->dim[i], is_guarded)
                          : !prove_in_range(&known, sub[i].a, sub[i].div, t->dim[i]))
            return fail(c, "%s, axis %d: not provably in range", what, i);
    }
    return true;
}

static bool is_known_leaf(const Check *c, const Value *v) {
    if (v->op == VAL_input && v->leaf.fn != c->fn) return false;
    int n = v->op == VAL_input   ? c->fn->inputs.n
            : v->op == VAL_param ? c->m->params.n
                                 : c->m->states.n;
    Value *const *at = v->op == VAL_input   ? c->fn->inputs.at
                       : v->op == VAL_param ? c->m->params.at
                                            : c->m->states.at;
    for (int i = 0; i < n; i++)
        if (at[i] == v) return true;
    return false;
}

static bool check_operand(Check *c, const Value *v) {
    if (v->op <= VAL_state && !is_known_leaf(c, v))
        return fail(c, "%s %s is not one of this function or module", value_op_name[v->op],
                    v->leaf.name);
    return true;
}

static bool check_read(Check *c, const Read *r, Elem elem) {
    if (!check_operand(c, r->v)) return false;
    if (elem != r->v->type.elem) return fail(c, "a read of another element");
    if (!check_guards(c, r->guard, r->n_guard)) return false;
    if ((r->n_guard > 0) != (r->otherwise != NULL))
        return fail(c, "a guarded read lacks what stands outside");
    if (r->otherwise && r->otherwise->elem != elem)
        return fail(c, "a guarded read of two elements");
    if (r->otherwise && !check_scalar(c, r->otherwise)) return false;
    const char *what = r->v->op <= VAL_state ? r->v->leaf.name : r->v->hint;
    return check_subscripts(c, r->sub, &r->v->type, r->guard, r->n_guard, what ? what : "a read");
}

static bool check_leaf(Check *c, const Scalar *s) {
    switch (s->op) {
        case OP_iv:
            if (s->slot < 0 || s->slot >= c->n_slot) return fail(c, "slot %d", s->slot);
            return s->elem == ELEM_i32 || fail(c, "an index value of %s", elem_name[s->elem]);
        case OP_read: return check_read(c, s->read, s->elem);
        case OP_rand:
            if (s->elem != c->m->real) return fail(c, "a draw of %s", elem_name[s->elem]);
            return check_integer(c, s->arg[0], "a draw's place");
        default: return true;
    }
}

static bool check_scalar(Check *c, Scalar *s) {
    if (map_has(c->seen, s)) return true;
    map_set(c->seen, s, s);
    const OpInfo *info = &op_info[s->op];
    if (!(info->levels & c->level)) return fail(c, "%s may not stand at this level", info->name);
    if (elem_is_real(s->elem) && s->elem != c->m->real)
        return fail(c, "%s in a module of %s", elem_name[s->elem], elem_name[c->m->real]);
    if (s->op == OP_mac) return fail(c, "mac stands elsewhere than at the root of a sum");
    if (info->rule == RULE_LEAF && !check_leaf(c, s)) return false;
    if (info->rule != RULE_LEAF) {
        const char *problem = scalar_op_problem(c->m, s->op, s->arg);
        if (problem) return fail(c, "%s %s", info->name, problem);
        if (s->elem != scalar_op_elem(c->m, s->op, s->arg))
            return fail(c, "%s has the element %s", info->name, elem_name[s->elem]);
        for (int i = 0; i < info->arity; i++)
            if (!check_scalar(c, s->arg[i])) return false;
    }
    return scalar_is_shared(c->m, s) || fail(c, "a scalar (%s) that is not shared", info->name);
}

// The body; at the root of a sum a mac may stand.
static bool check_body(Check *c, Scalar *s, RedKind red) {
    if (s->op != OP_mac || red != RED_sum) return check_scalar(c, s);
    if (!(op_info[OP_mac].levels & c->level)) return fail(c, "mac may not stand at this level");
    const char *problem = scalar_op_problem(c->m, OP_mac, s->arg);
    if (problem) return fail(c, "mac %s", problem);
    return check_scalar(c, s->arg[0]) && check_scalar(c, s->arg[1]);
}

// ---- values

static bool red_takes(RedKind red, Elem e) {
    bool is_number = elem_is_real(e) || e == ELEM_i32;
    switch (red) {
        case RED_none: return true;
        case RED_any:
        case RED_all: return e == ELEM_bool;
        case RED_max:
        case RED_min: return is_number || e == ELEM_u8;
        default: return is_number;
    }
}

static bool check_order(Check *c, const Index *x) {
    bool is_rounded = (x->red == RED_sum || x->red == RED_prod) && elem_is_real(x->body->elem);
    bool is_extreme = (x->red == RED_max || x->red == RED_min) && elem_is_real(x->body->elem);
    bool may_have = is_rounded || (is_extreme && x->order.kind == ORDER_lanes16);
    if (x->order.kind != ORDER_none && !may_have) return fail(c, "an order where nothing rounds");
    if (x->order.kind == ORDER_none && is_rounded && c->m->is_frozen)
        return fail(c, "a rounded reduction without an order in a frozen module");
    if (x->order.kind == ORDER_blocks && x->order.leaf < 1) return fail(c, "blocks of no steps");
    return true;
}

// The scalars of `where` are evaluated at every point, so that `where` itself helps the
// proofs of none of them.
static void begin_box(Check *c, const Dim *extent, int n) {
    c->seen = map_new(c->scratch);
    c->extent = extent;
    c->n_slot = n;
    c->n_where = 0;
}

static bool check_where(Check *c, const Guard *where, int n) {
    if (!check_guards(c, where, n)) return false;
    c->where = where;
    c->n_where = n;
    return true;
}

static bool check_index(Check *c, const Value *v) {
    const Index *x = &v->index;
    int n = x->np + x->nr;
    if (x->np != v->type.rank || x->nr < 0) return fail(c, "%d parallel slots", x->np);
    if (!check_box(c, x->extent, n)) return false;
    for (int i = 0; i < x->np; i++)
        if (!dim_equal(x->extent[i], v->type.dim[i]))
            return fail(c, "the type differs from the box");
    if ((x->red == RED_none) != (x->nr == 0))
        return fail(c, "reduced slots and no kind, or a kind and none");
    if (x->red == RED_none && x->n_where) return fail(c, "`where` without a reduction");
    if (!red_takes(x->red, x->body->elem))
        return fail(c, "%s over %s", red_name[x->red], elem_name[x->body->elem]);
    bool is_arg = x->red == RED_argmax || x->red == RED_argmin;
    if (v->type.elem != (is_arg ? ELEM_i32 : x->body->elem))
        return fail(c, "the type's element differs");
    begin_box(c, x->extent, n);
    return check_order(c, x) && check_where(c, x->where, x->n_where) &&
           check_body(c, x->body, x->red);
}

static bool check_accumulate(Check *c, const Value *v) {
    const Accumulate *x = &v->accumulate;
    if (x->red != RED_sum && x->red != RED_max && x->red != RED_min)
        return fail(c, "an accumulate by %s", red_name[x->red]);
    if (!red_takes(x->red, x->body->elem) || x->body->elem != v->type.elem)
        return fail(c, "%s over %s into %s", red_name[x->red], elem_name[x->body->elem],
                    elem_name[v->type.elem]);
    if (x->init &&
        (!type_same_shape(&x->init->type, &v->type) || x->init->type.elem != v->type.elem))
        return fail(c, "what it starts from has another type");
    if (x->init && !check_operand(c, x->init)) return false;
    if (!check_box(c, x->extent, x->n)) return false;
    begin_box(c, x->extent, x->n);
    return check_where(c, x->where, x->n_where) && check_body(c, x->body, x->red) &&
           check_subscripts(c, x->target, &v->type, NULL, 0, "the target");
}

// The constant extents before, between and behind the run-time ones, each multiplied.
typedef struct Factors {
    int n;
    const Extent *by[MAX_RANK];
    int64_t factor[MAX_RANK + 1];
} Factors;

static Factors factors_of(const Type *t) {
    Factors f = {.factor = {1}};
    for (int i = 0; i < t->rank; i++) {
        if (t->dim[i].by) {
            f.by[f.n++] = t->dim[i].by;
            f.factor[f.n] = 1;
        }
        f.factor[f.n] *= t->dim[i].n;
    }
    return f;
}

// Elements keep their row-major places both at the largest extents, which memory is laid out
// for, and at the actual ones: each run-time extent stays where it is among the others.
static bool same_places(const Type *a, const Type *b) {
    Factors x = factors_of(a), y = factors_of(b);
    if (x.n != y.n) return false;
    for (int i = 0; i < x.n; i++)
        if (x.by[i] != y.by[i]) return false;
    return !memcmp(x.factor, y.factor, sizeof *x.factor * (size_t)(x.n + 1));
}

static bool check_reshape(Check *c, const Value *v) {
    if (!check_operand(c, v->of)) return false;
    if (v->of->type.elem != v->type.elem) return fail(c, "a reshape to another element");
    if (type_count(&v->of->type) != type_count(&v->type))
        return fail(c, "a reshape to another count of elements");
    return same_places(&v->of->type, &v->type) ||
           fail(c, "a reshape that moves run-time extents");
}

static int64_t gcd(int64_t a, int64_t b) {
    return b ? gcd(b, a % b) : a;
}

static bool is_apart(const Piece *p, int64_t n_p, const Piece *q, int64_t n_q) {
    int64_t last_p = p->start + (n_p - 1) * p->step, last_q = q->start + (n_q - 1) * q->step;
    if (last_p < q->start || last_q < p->start) return true;
    if ((p->start - q->start) % gcd(p->step, q->step)) return true;
    int64_t at = p->start, end = last_p < last_q ? last_p : last_q;
    if (at < q->start) at += (q->start - at + p->step - 1) / p->step * p->step;
    for (; at <= end; at += p->step)
        if ((at - q->start) % q->step == 0) return false;
    return true;
}

static bool check_piece(Check *c, const Value *v, int number) {
    const Piece *p = &v->join.piece[number];
    int axis = v->join.axis;
    Dim whole = v->type.dim[axis];
    if (!check_operand(c, p->v)) return false;
    if (p->v->type.elem != v->type.elem || p->v->type.rank != v->type.rank)
        return fail(c, "piece %d has another type", number);
    for (int i = 0; i < v->type.rank; i++)
        if (i != axis && !dim_equal(p->v->type.dim[i], v->type.dim[i]))
            return fail(c, "piece %d has another extent on axis %d", number, i);
    Dim d = p->v->type.dim[axis];
    if (p->start < 0 || p->step < 1) return fail(c, "piece %d starts or steps wrongly", number);
    if (dim_equal(d, whole) && p->start == 0 && p->step == 1) return true;
    if (d.by || p->step > INT32_MAX || p->start + (d.n - 1) * p->step >= whole.n)
        return fail(c, "piece %d reaches outside", number);
    return true;
}

static bool check_join(Check *c, const Value *v) {
    const Join *j = &v->join;
    if (j->axis < 0 || j->axis >= v->type.rank || j->n < 1)
        return fail(c, "a join along axis %d", j->axis);
    for (int i = 0; i < j->n; i++)
        if (!check_piece(c, v, i)) return false;
    for (int i = 0; i < j->n; i++)
        for (int k = 0; k < i; k++) {
            const Piece *p = &j->piece[i], *q = &j->piece[k];
            if (!is_apart(p, dim_max(p->v->type.dim[j->axis]), q, dim_max(q->v->type.dim[j->axis])))
                return fail(c, "pieces %d and %d overlap", k, i);
        }
    return true;
}

// ---- scans

// Is v a read or an operand that depends on a carry of this scan?
typedef struct Inside {
    const Scan *scan;
    Map *open;  // Value * to itself: what depends on its carries
} Inside;

static bool is_open(Inside *in, const Value *v) {
    return map_has(in->open, v);
}

static void find_open(Inside *in, Value *const *roots, int n, Arena *scratch) {
    Values below = values_below(roots, n, scratch);
    for (int i = 0; i < below.n; i++) {
        Value *v = below.at[i];
        bool depends = false;
        for (int k = 0; k < in->scan->n_carry; k++) depends |= v == in->scan->carry[k].leaf;
        Values operands = value_operands(v, scratch);
        for (int k = 0; k < operands.n; k++) depends |= is_open(in, operands.at[k]);
        if (depends) map_set(in->open, v, v);
    }
}

typedef struct StepReads {
    Check *c;
    Inside *in;
} StepReads;

// What is of a step is read at that step.
static void check_step(void *context, Scalar *s) {
    StepReads *r = context;
    int axis = r->in->scan->axis;
    Affine own = affine_slot((Module *)r->c->m, axis);
    Reads reads = scalar_reads(s, r->c->scratch);
    for (int i = 0; i < reads.n; i++) {
        const Read *read = reads.at[i]->read;
        const Subscript *sub = &read->sub[axis];
        if (is_open(r->in, read->v) && (sub->gather || sub->div != 1 || !affine_equal(sub->a, own)))
            fail(r->c, "a scan reads another step than its own");
    }
}

static bool check_member(Check *c, Inside *in, const Value *v) {
    int axis = in->scan->axis;
    Dim steps = in->scan->carry[0].leaf->type.dim[axis];
    const Value *shown = c->v;
    if (v->op == VAL_scan || v->op == VAL_part) return true;
    c->v = v;
    if (v->type.rank <= axis || !dim_equal(v->type.dim[axis], steps))
        return fail(c, "what depends on a carry lacks the steps' axis");
    if (v->op == VAL_index || v->op == VAL_accumulate)
        value_each_scalar(v, check_step, &(StepReads){c, in});
    if (v->op == VAL_join && v->join.axis <= axis) return fail(c, "a join along the steps");
    for (int i = 0; v->op == VAL_reshape && i <= axis; i++)
        if (!dim_equal(v->of->type.dim[i], v->type.dim[i]))
            return fail(c, "a reshape of the steps");
    for (int i = 0; v->op == VAL_accumulate && i <= axis; i++) {
        const Subscript *s = &v->accumulate.target[i];
        if (s->gather || s->div != 1 || !affine_equal(s->a, affine_slot((Module *)c->m, i)))
            return fail(c, "a scatter to another step");
    }
    c->v = shown;
    return !c->wrong;
}

static bool check_carry(Check *c, const Scan *x, const Carry *carry) {
    const Type *leaf = &carry->leaf->type, *init = &carry->init->type, *next = &carry->next->type;
    if (carry->leaf->op != VAL_carry) return fail(c, "a carry is no carry");
    if (x->axis < 0 || x->axis >= leaf->rank || leaf->dim[x->axis].by)
        return fail(c, "a carry without the steps' axis");
    if (leaf->dim[x->axis].n != x->carry[0].leaf->type.dim[x->axis].n)
        return fail(c, "carries of different steps");
    if (next->elem != leaf->elem || !type_same_shape(next, leaf))
        return fail(c, "what a step leaves has another type");
    bool fits = init->elem == leaf->elem && init->rank == leaf->rank - 1;
    for (int i = 0; fits && i < init->rank; i++)
        fits = dim_equal(init->dim[i], leaf->dim[i + (i >= x->axis)]);
    if (!fits) return fail(c, "what a scan starts from has another type");
    bool is_bounded = !leaf->below || (init->below && init->below <= leaf->below && next->below &&
                                       next->below <= leaf->below);
    return is_bounded || fail(c, "a carry may leave its bound");
}

static bool check_scan(Check *c, Value *v) {
    const Scan *x = &v->scan;
    Inside in = {x, map_new(c->scratch)};
    if (x->n_carry < 1) return fail(c, "a scan without a carry");
    for (int i = 0; i < x->n_carry; i++)
        if (!check_carry(c, x, &x->carry[i])) return false;
    Values ends = {0};
    for (int i = 0; i < x->n_carry; i++) vec_push(c->scratch, &ends, x->carry[i].init);
    find_open(&in, ends.at, ends.n, c->scratch);
    if (in.open->n) return fail(c, "a scan starts from its own carry");
    for (int i = 0; i < x->n_carry; i++) vec_push(c->scratch, &ends, x->carry[i].next);
    for (int i = 0; i < x->n_tap; i++) vec_push(c->scratch, &ends, x->tap[i]);
    find_open(&in, ends.at, ends.n, c->scratch);
    for (int i = 0; i < in.open->n; i++)
        if (!check_member(c, &in, in.open->value[i])) return false;
    return true;
}

// ---- no carry is seen from outside its scan

static bool is_carry_of(const Scan *x, const Value *leaf) {
    for (int i = 0; i < x->n_carry; i++)
        if (x->carry[i].leaf == leaf) return true;
    return false;
}

// The carries that v sees from outside their scans, as a map to themselves, which values share;
// NULL for none. `free` has those of v's operands.
static Map *free_carries(Check *c, Value *v, const Map *free) {
    Values operands = value_operands(v, c->scratch);
    Map *all = NULL;
    bool is_own = false;  // not shared with an operand
    if (v->op == VAL_carry) {
        all = map_new(c->scratch);
        map_set(all, v, v);
    }
    for (int i = 0; i < operands.n; i++) {
        Map *below = map_get(free, operands.at[i]);
        if (!below || below == all) continue;
        if (!all && v->op != VAL_scan) {
            all = below;
            continue;
        }
        Map *both = is_own ? all : map_new(c->scratch);
        for (int k = 0; !is_own && all && k < all->n; k++) map_set(both, all->value[k], all->value[k]);
        for (int k = 0; k < below->n; k++)
            if (v->op != VAL_scan || !is_carry_of(&v->scan, below->value[k]))
                map_set(both, below->value[k], below->value[k]);
        all = both;
        is_own = true;
    }
    return all && all->n ? all : NULL;
}

static bool check_closed(Check *c, const Map *free, const Value *v) {
    return !map_has(free, v) || fail(c, "a carry outside of its scan");
}

static bool check_all_closed(Check *c, const Function *f, Values order) {
    Map *free = map_new(c->scratch);
    for (int i = 0; i < order.n; i++) {
        Map *carries = free_carries(c, order.at[i], free);
        if (carries) map_set(free, order.at[i], carries);
    }
    for (int i = 0; i < f->results.n; i++)
        if (!check_closed(c, free, f->results.at[i].v)) return false;
    for (int i = 0; i < f->updates.n; i++)
        if (!check_closed(c, free, f->updates.at[i].v)) return false;
    return true;
}

static bool has_scan(Values order) {
    for (int i = 0; i < order.n; i++)
        if (order.at[i]->op == VAL_scan || order.at[i]->op == VAL_carry) return true;
    return false;
}

static bool check_part(Check *c, const Value *v) {
    if (v->part.scan->op != VAL_scan) return fail(c, "a part of what is no scan");
    const Scan *x = &v->part.scan->scan;
    if (v->part.number < 0 || v->part.number >= x->n_carry + x->n_tap)
        return fail(c, "there is no part %d", v->part.number);
    return true;
}

static bool check_grad(Check *c, const Value *v) {
    if (!(c->level & LEVEL_G)) return fail(c, "a gradient may not stand at this level");
    const Type *of = &v->grad.of->type, *wrt = &v->grad.wrt->type;
    if (!elem_is_real(of->elem)) return fail(c, "a gradient of what is not real");
    if (!elem_is_real(wrt->elem)) return fail(c, "a gradient by what is not real");
    bool fits = v->type.elem == wrt->elem && v->type.rank == of->rank + wrt->rank;
    for (int i = 0; fits && i < v->type.rank; i++)
        fits = dim_equal(v->type.dim[i], i < of->rank ? of->dim[i] : wrt->dim[i - of->rank]);
    return fits || fail(c, "a gradient of another shape");
}

static bool check_own(Check *c, const Value *v) {
    const Own *o = &v->own;
    if (!elem_is_real(o->of->type.elem)) return fail(c, "an own gradient of what is not real");
    if (!check_operand(c, o->of)) return false;
    for (int i = 0; i < o->n_cot; i++) {
        if (o->cot[i]->op != VAL_cotangent) return fail(c, "cotangent %d is none", i);
        for (int k = 0; k < i; k++)
            if (o->cot[i] == o->cot[k]) return fail(c, "cotangents %d and %d are one", k, i);
    }
    if (!type_equal(&o->cot[o->place]->type, &o->of->type))
        return fail(c, "a cotangent of another type than its result");
    for (int i = 0; i < o->n; i++) {
        if (!check_operand(c, o->wrt[i]) || !check_operand(c, o->gives[i])) return false;
        if (!elem_is_real(o->wrt[i]->type.elem)) return fail(c, "argument %d is not real", i);
        if (!type_equal(&o->wrt[i]->type, &o->gives[i]->type))
            return fail(c, "what argument %d receives has another type", i);
    }
    return true;
}

static bool check_cotangent(Check *c, const Value *v) {
    if (!(c->level & LEVEL_G)) return fail(c, "a cotangent may not stand at this level");
    return elem_is_real(v->type.elem) || fail(c, "a cotangent that is not real");
}

static bool check_value(Check *c, Value *v) {
    if (v->op <= VAL_state && !check_operand(c, v)) return false;
    if (map_has(c->checked, v)) return true;
    map_set(c->checked, v, v);
    c->v = v;
    if (!check_type(c, &v->type)) return false;
    if (!value_is_shared(c->m, v)) return fail(c, "a value that is not shared");
    switch (v->op) {
        case VAL_index: return check_index(c, v);
        case VAL_accumulate: return check_accumulate(c, v);
        case VAL_reshape: return check_reshape(c, v);
        case VAL_join: return check_join(c, v);
        case VAL_grad: return check_grad(c, v);
        case VAL_scan: return check_scan(c, v);
        case VAL_part: return check_part(c, v);
        case VAL_own: return check_own(c, v);
        case VAL_cotangent: return check_cotangent(c, v);
        default: return true;
    }
}

// ---- functions and modules

static bool check_update(Check *c, const Function *f, int number) {
    const Update *u = &f->updates.at[number];
    const Type *to = &u->target->type, *from = &u->v->type;
    if (u->target->op != VAL_param && u->target->op != VAL_state)
        return fail(c, "an update of what is neither param nor state");
    Name target = u->target->leaf.name;
    if (!is_known_leaf(c, u->target))
        return fail(c, "an update of %s, which is not of this module", target);
    if (to->elem != from->elem || !type_same_shape(to, from))
        return fail(c, "the update of %s has another type", target);
    if (to->below && (!from->below || from->below > to->below))
        return fail(c, "the update of %s may leave its bound", target);
    for (int i = 0; i < number; i++)
        if (f->updates.at[i].target == u->target) return fail(c, "two updates of %s", target);
    return true;
}

static bool check_function(Check *c, const Function *f) {
    c->fn = f;
    Values order = function_order(f, c->scratch);
    for (int i = 0; i < order.n; i++)
        if (!check_value(c, order.at[i])) return false;
    c->v = free_cotangent(f, c->scratch);
    if (c->v) return fail(c, "a cotangent outside of what it is given to");
    c->v = NULL;
    if (has_scan(order) && !check_all_closed(c, f, order)) return false;
    for (int i = 0; i < f->results.n; i++)
        for (int k = 0; k < i; k++)
            if (f->results.at[i].name == f->results.at[k].name)
                return fail(c, "two results %s", f->results.at[i].name);
    for (int i = 0; i < f->updates.n; i++)
        if (!check_update(c, f, i)) return false;
    return true;
}

static bool check_leaves(Check *c, Value *const *at, int n, ValueOp op) {
    for (int i = 0; i < n; i++) {
        if (at[i]->op != op || !check_type(c, &at[i]->type))
            return fail(c, "%s is no %s", at[i]->leaf.name, value_op_name[op]);
        for (int k = 0; k < i; k++)
            if (at[i]->leaf.name == at[k]->leaf.name)
                return fail(c, "two of the name %s", at[i]->leaf.name);
    }
    return true;
}

const char *verify_module(const Module *m, unsigned level) {
    Check c = {.m = m, .level = level, .scratch = arena_new()};
    c.checked = map_new(c.scratch);
    bool is_well = check_leaves(&c, m->params.at, m->params.n, VAL_param) &&
                   check_leaves(&c, m->states.at, m->states.n, VAL_state);
    for (int i = 0; is_well && i < m->fns.n; i++) {
        c.fn = m->fns.at[i];
        is_well = check_leaves(&c, c.fn->inputs.at, c.fn->inputs.n, VAL_input) &&
                  check_function(&c, m->fns.at[i]);
        for (int k = 0; is_well && k < i; k++)
            if (m->fns.at[i]->name == m->fns.at[k]->name)
                is_well = fail(&c, "two functions of one name");
        c.v = NULL;
    }
    arena_free(c.scratch);
    return c.wrong;
}
