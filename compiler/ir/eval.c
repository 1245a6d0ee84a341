#include "ir/eval.h"

#include <math.h>
#include <string.h>

#include "base/die.h"
#include "ir/build.h"
#include "ir/eval_code.h"
#include "ir/fold.h"
#include "ir/recur.h"

// ---- tensors

int64_t tensor_count(const Tensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

Tensor *tensor_new(Arena *a, const Type *t, const int64_t *extent) {
    Tensor *x = NEW(a, Tensor);
    x->elem = t->elem;
    x->rank = t->rank;
    for (int i = 0; i < t->rank; i++)
        x->dim[i] = t->dim[i].by ? t->dim[i].n * extent[t->dim[i].by->id] : t->dim[i].n;
    x->at = NEW_ARRAY(a, double, tensor_count(x));
    return x;
}

Eval *eval_new(Module *m, Arena *a, EvalMode mode, const int64_t *extent, uint32_t seed,
               uint32_t step) {
    Eval *e = NEW(a, Eval);
    *e = (Eval){.m = m,
                .arena = a,
                .mode = mode,
                .extent = extent,
                .seed = seed,
                .step = step,
                .done = map_new(a)};
    return e;
}

void eval_bind(Eval *e, const Value *leaf, const Tensor *t) {
    Type type = leaf->type;
    if (t->rank != type.rank)
        BUG("eval: %s is bound to a tensor of rank %d", leaf->leaf.name, t->rank);
    for (int i = 0; i < type.rank; i++) {
        Dim d = type.dim[i];
        int64_t n = d.by ? d.n * e->extent[d.by->id] : d.n;
        if (t->dim[i] != n)
            BUG("eval: %s is bound to a tensor of another shape, axis %d: %lld, not %lld",
                leaf->leaf.name, i, (long long)t->dim[i], (long long)n);
    }
    map_set(e->done, leaf, (void *)t);
}

// ---- reductions

typedef struct Reducer {
    const Eval *e;
    RedKind red;
    Order order;
    Elem elem;  // of the body
    double identity;
    double acc[LANES];  // acc[0] alone but for lanes16
    double total;       // blocks: of the leaves that are complete
    int64_t leaf;       // blocks: the one under way
    double best;        // argmax, argmin
    int64_t best_at;    // -1 before the first point
} Reducer;

// One step of a reduction. NaN wins in max and min.
static double combine(RedKind red, Elem elem, double acc, double x) {
    double arg[MAX_ARGS] = {acc, x};
    switch (red) {
        case RED_sum: return eval_op(OP_add, elem, elem, arg);
        case RED_prod: return eval_op(OP_mul, elem, elem, arg);
        case RED_max: return isnan(acc) || acc >= x ? acc : x;
        case RED_min: return isnan(acc) || acc <= x ? acc : x;
        case RED_any: return acc || x;
        case RED_all: return acc && x;
        default: BUG("eval: %s has no step", red_name[red]);
    }
}

static Reducer reducer_new(const Eval *e, const Index *x) {
    Elem elem = x->body->elem;
    Reducer r = {.e = e, .red = x->red, .order = x->order, .elem = eval_elem(e, elem)};
    if (e->mode == EVAL_wide) r.order.kind = ORDER_none;
    r.identity = scalar_const_value(red_identity(e->m, x->red, elem));
    return r;
}

static void reducer_start(Reducer *r) {
    for (int l = 0; l < LANES; l++) r->acc[l] = r->identity;
    r->total = r->identity;
    r->leaf = 0;
    r->best_at = -1;
}

static void step_best(Reducer *r, double x, int64_t at) {
    bool wins = r->best_at < 0;
    if (!wins && !isnan(r->best))
        wins = isnan(x) || (r->red == RED_argmax ? x > r->best : x < r->best);
    if (!wins) return;
    r->best = x;
    r->best_at = at;
}

// The point's place in the order: `outer` and `inner` are the values of the first and the
// last reduced slot. The partial that it belongs to.
static double *partial_of(Reducer *r, int64_t outer, int64_t inner) {
    if (r->order.kind == ORDER_lanes16) return &r->acc[inner % LANES];
    if (r->order.kind == ORDER_blocks && outer / r->order.leaf != r->leaf) {
        r->total = combine(r->red, r->elem, r->total, r->acc[0]);
        r->acc[0] = r->identity;
        r->leaf = outer / r->order.leaf;
    }
    return &r->acc[0];
}

static double reducer_finish(Reducer *r) {
    if (r->red == RED_argmax || r->red == RED_argmin)
        return r->best_at < 0 ? 0 : (double)r->best_at;
    if (r->order.kind == ORDER_blocks) return combine(r->red, r->elem, r->total, r->acc[0]);
    if (r->order.kind != ORDER_lanes16) return r->acc[0];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            r->acc[l] = combine(r->red, r->elem, r->acc[l], r->acc[l + half]);
    return r->acc[0];
}

// A body as one or, at the root of a sum, two registers whose product is added by fma.
typedef struct Body {
    int a, b;  // b < 0: a alone
} Body;

static Body code_body(Code *c, Scalar *s) {
    if (s->op == OP_mac) return (Body){code_scalar(c, s->arg[0]), code_scalar(c, s->arg[1])};
    return (Body){code_scalar(c, s), -1};
}

static double step_sum(EvalMode mode, RedKind red, Elem elem, const Code *c, Body body, int i,
                       double acc) {
    double x = code_register(c, body.a)[i];
    if (body.b < 0) return combine(red, elem, acc, x);
    double arg[MAX_ARGS] = {x, code_register(c, body.b)[i], acc};
    return eval_multiply_add(mode, elem, arg);
}

// The row-major number among the reduced slots of point i, at the largest extents.
static int64_t reduced_number(const Index *x, const Code *c, int i) {
    int64_t number = 0;
    for (int s = x->np; s < x->np + x->nr; s++)
        number = number * dim_max(x->extent[s]) + code_slot(c, s)[i];
    return number;
}

// The elements of the step under way; outside of scans, all.
typedef struct Slice {
    double *at;
    int64_t count;
} Slice;

static Slice slice_of(const Eval *e, const Tensor *t) {
    Slice s = {t->at, 1};
    int64_t number = 0;
    for (int i = 0; i < t->rank; i++) {
        if (i < e->n_step)
            number = number * t->dim[i] + e->step_at[i];
        else
            s.count *= t->dim[i];
    }
    s.at += number * s.count;
    return s;
}

static void reduce(Eval *e, const Index *x, Code *c, Body body, Slice out) {
    Reducer r = reducer_new(e, x);
    int64_t count = out.count, inner = count ? code_points(c) / count : 0, k = 0, to = 0;
    int first = x->np, last = x->np + x->nr - 1;
    bool is_best = x->red == RED_argmax || x->red == RED_argmin;
    reducer_start(&r);
    for (int n; (n = code_next(c));) {
        const int64_t *slot_first = code_slot(c, first), *slot_last = code_slot(c, last);
        for (int i = 0; i < n; i++) {
            if (code_takes_part(c, i) && is_best) {
                step_best(&r, code_register(c, body.a)[i], reduced_number(x, c, i));
            } else if (code_takes_part(c, i)) {
                double *acc = partial_of(&r, slot_first[i], slot_last[i]);
                *acc = step_sum(e->mode, x->red, r.elem, c, body, i, *acc);
            }
            if (++k < inner) continue;
            out.at[to++] = reducer_finish(&r);
            reducer_start(&r);
            k = 0;
        }
    }
    while (to < count) out.at[to++] = reducer_finish(&r);  // an empty box
}

// ---- indices, scatters, joins

static void eval_index(Eval *e, const Value *v, Tensor *out) {
    const Index *x = &v->index;
    Code *c = eval_code_new(e, v, x->extent, x->np + x->nr, x->where, x->n_where);
    Body body = code_body(c, x->body);
    if (x->red != RED_none) {
        reduce(e, x, c, body, slice_of(e, out));
    } else {
        double *to = slice_of(e, out).at;
        for (int n; (n = code_next(c)); to += n)
            memcpy(to, code_register(c, body.a), sizeof *to * (size_t)n);
    }
    eval_code_free(c);
}

static void eval_accumulate(Eval *e, const Value *v, Tensor *out) {
    const Accumulate *x = &v->accumulate;
    Code *c = eval_code_new(e, v, x->extent, x->n, x->where, x->n_where);
    Elem elem = eval_elem(e, v->type.elem);
    int64_t place[CHUNK];
    Slice slice = slice_of(e, out);
    double start = scalar_const_value(red_identity(e->m, x->red, v->type.elem));
    if (x->init)
        memcpy(slice.at, slice_of(e, eval_value(e, x->init)).at,
               sizeof *slice.at * (size_t)slice.count);
    else
        for (int64_t i = 0; i < slice.count; i++) slice.at[i] = start;
    code_subscripts(c, x->target, v->type.rank);
    Body body = code_body(c, x->body);
    for (int n; (n = code_next(c));) {
        code_places(c, x->target, out, "target", place);
        for (int i = 0; i < n; i++)
            if (code_takes_part(c, i))
                out->at[place[i]] = step_sum(e->mode, x->red, elem, c, body, i, out->at[place[i]]);
    }
    eval_code_free(c);
}

static void eval_join(Eval *e, const Value *v, Tensor *out) {
    const Join *j = &v->join;
    int64_t inner = 1, outer = 1;
    Slice slice = slice_of(e, out);
    for (int i = 0; i < out->rank; i++) {
        if (i < j->axis && i >= e->n_step) outer *= out->dim[i];
        if (i > j->axis) inner *= out->dim[i];
    }
    for (int64_t i = 0; i < slice.count; i++) slice.at[i] = eval_round(e, v->type.elem, j->fill);
    for (int p = 0; p < j->n; p++) {
        const Tensor *from = eval_value(e, j->piece[p].v);
        const double *piece = slice_of(e, from).at;
        int64_t length = from->dim[j->axis];
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < length; i++) {
                int64_t to = j->piece[p].start + i * j->piece[p].step;
                if (to < 0 || to >= out->dim[j->axis])
                    BUG("eval: a piece of a join lies outside it");
                memcpy(slice.at + (o * out->dim[j->axis] + to) * inner,
                       piece + (o * length + i) * inner, sizeof *out->at * (size_t)inner);
            }
    }
}

// ---- scans

static void compute(Eval *e, Value *v, Tensor *out);

static void copy_step(Eval *e, const Tensor *from, const Tensor *to, int axis, int64_t at) {
    Slice source = slice_of(e, from);
    int64_t now = e->step_at[axis];
    e->step_at[axis] = at;
    Slice target = slice_of(e, to);
    e->step_at[axis] = now;
    memcpy(target.at, source.at, sizeof *source.at * (size_t)source.count);
}

// The part's places along the axis: what the carry is before the first step is at its end.
static void keep_history(Eval *e, const Scan *x, int k, bool is_first, int64_t at) {
    const Carry *c = &x->carry[k];
    const Tensor *part = map_get(e->done, &x->carry[k]);
    const Tensor *from = map_get(e->done, is_first ? c->leaf : c->next);
    copy_step(e, from, part, x->axis, at);
}

// Where the axes before the steps are not under way, once for each of their places.
static void run_scan(Eval *e, const Scan *x, const Members *members) {
    const Tensor *leaf = map_get(e->done, x->carry[0].leaf);
    if (e->n_step < x->axis) {
        int at = e->n_step++;
        for (e->step_at[at] = 0; e->step_at[at] < leaf->dim[at]; e->step_at[at]++)
            run_scan(e, x, members);
        e->n_step = at;
        return;
    }
    int64_t steps = leaf->dim[x->axis];
    e->n_step = x->axis + 1;
    for (int64_t i = 0; i < steps; i++) {
        int64_t t = x->is_reverse ? steps - 1 - i : i, then = x->is_reverse ? t - 1 : t + 1;
        e->step_at[x->axis] = t;
        for (int k = 0; k < x->n_carry && !i; k++) {
            e->n_step = x->axis;
            Slice init = slice_of(e, map_get(e->done, x->carry[k].init));
            e->n_step = x->axis + 1;
            Slice first = slice_of(e, map_get(e->done, x->carry[k].leaf));
            memcpy(first.at, init.at, sizeof *init.at * (size_t)init.count);
            keep_history(e, x, k, true, x->is_reverse ? steps : 0);
        }
        for (int k = 0; k < members->list.n; k++) {
            Value *v = members->list.at[k];
            compute(e, v, map_get(e->done, v));
        }
        for (int k = 0; k < x->n_carry; k++) {
            const Tensor *next = map_get(e->done, x->carry[k].next);
            if (i + 1 < steps)
                copy_step(e, next, map_get(e->done, x->carry[k].leaf), x->axis, then);
            keep_history(e, x, k, false, x->is_reverse ? t : t + 1);
        }
    }
    e->n_step = x->axis;
}

static Tensor *make_tensor(Eval *e, Value *v) {
    Tensor *t = map_get(e->done, v);
    if (t) return t;
    t = tensor_new(e->arena, &v->type, e->extent);
    map_set(e->done, v, t);
    return t;
}

// A scan's parts are kept in the map under the places of its carries.
static void eval_scan(Eval *e, Value *v) {
    const Scan *x = &v->scan;
    Members members = scan_members(x, e->arena);
    for (int k = 0; k < x->n_carry; k++) make_tensor(e, x->carry[k].leaf);
    for (int k = 0; k < members.list.n; k++) {
        make_tensor(e, members.list.at[k]);
        Values operands = value_operands(members.list.at[k], e->arena);
        for (int i = 0; i < operands.n; i++)
            if (!map_has(members.open, operands.at[i]) && !map_has(members.inner, operands.at[i]))
                eval_value(e, operands.at[i]);
    }
    for (int k = 0; k < x->n_carry; k++) {
        eval_value(e, x->carry[k].init);
        eval_value(e, x->carry[k].next);
        Type t = x->carry[k].leaf->type;
        t.dim[x->axis].n++;
        if (!map_has(e->done, &x->carry[k]))
            map_set(e->done, &x->carry[k], tensor_new(e->arena, &t, e->extent));
    }
    for (int k = 0; k < x->n_tap; k++)  // one that depends on no carry any more
        if (!map_has(members.open, x->tap[k])) eval_value(e, x->tap[k]);
    run_scan(e, x, &members);
}

static void eval_part(Eval *e, const Value *v, Tensor *out) {
    const Scan *x = &v->part.scan->scan;
    int k = v->part.number;
    eval_value(e, v->part.scan);
    const Tensor *from = k < x->n_carry ? map_get(e->done, &x->carry[k])
                                        : map_get(e->done, x->tap[k - x->n_carry]);
    Slice source = slice_of(e, from), target = slice_of(e, out);
    memcpy(target.at, source.at, sizeof *source.at * (size_t)source.count);
}

// ---- values

static void compute(Eval *e, Value *v, Tensor *out) {
    switch (v->op) {
        case VAL_index: eval_index(e, v, out); break;
        case VAL_accumulate: eval_accumulate(e, v, out); break;
        case VAL_join: eval_join(e, v, out); break;
        case VAL_scan: eval_scan(e, v); break;
        case VAL_part: eval_part(e, v, out); break;
        case VAL_own:
        case VAL_reshape: {
            Value *of = v->op == VAL_own ? v->own.of : v->of;
            Slice from = slice_of(e, eval_value(e, of)), to = slice_of(e, out);
            memcpy(to.at, from.at, sizeof *to.at * (size_t)to.count);
            break;
        }
        default: BUG("eval: a %s is not formed yet", value_op_name[v->op]);
    }
}

const Tensor *eval_value(Eval *e, Value *v) {
    const Tensor *known = map_get(e->done, v);
    if (known) return known;
    if (v->op <= VAL_state) BUG("eval: %s %s is not bound", value_op_name[v->op], v->leaf.name);
    if (v->op == VAL_carry) BUG("eval: a carry outside of its scan");
    // What the steps under way compute has a tensor already: this is whole.
    Tensor *out = tensor_new(e->arena, &v->type, e->extent);
    int n_step = e->n_step;
    int64_t step_at[MAX_RANK];
    memcpy(step_at, e->step_at, sizeof step_at);
    e->n_step = 0;
    compute(e, v, out);
    e->n_step = n_step;
    memcpy(e->step_at, step_at, sizeof step_at);
    map_set(e->done, v, out);
    return out;
}
