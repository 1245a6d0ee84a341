#include "ir/eval.h"

#include <math.h>
#include <string.h>

#include "base/die.h"
#include "ir/build.h"
#include "ir/eval_code.h"
#include "ir/fold.h"

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
    *e = (Eval){m, a, mode, extent, seed, step, map_new(a)};
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

static double step_sum(RedKind red, Elem elem, const Code *c, Body body, int i, double acc) {
    double x = code_register(c, body.a)[i];
    if (body.b < 0) return combine(red, elem, acc, x);
    double arg[MAX_ARGS] = {x, code_register(c, body.b)[i], acc};
    return eval_op(OP_fma, elem, elem, arg);
}

// The row-major number among the reduced slots of point i, at the largest extents.
static int64_t reduced_number(const Index *x, const Code *c, int i) {
    int64_t number = 0;
    for (int s = x->np; s < x->np + x->nr; s++)
        number = number * dim_max(x->extent[s]) + code_slot(c, s)[i];
    return number;
}

static void reduce(Eval *e, const Index *x, Code *c, Body body, Tensor *out) {
    Reducer r = reducer_new(e, x);
    int64_t count = tensor_count(out), inner = count ? code_points(c) / count : 0, k = 0, to = 0;
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
                *acc = step_sum(x->red, r.elem, c, body, i, *acc);
            }
            if (++k < inner) continue;
            out->at[to++] = reducer_finish(&r);
            reducer_start(&r);
            k = 0;
        }
    }
    while (to < count) out->at[to++] = reducer_finish(&r);  // an empty box
}

// ---- values

static void eval_index(Eval *e, const Value *v, Tensor *out) {
    const Index *x = &v->index;
    Code *c = eval_code_new(e, v, x->extent, x->np + x->nr, x->where, x->n_where);
    Body body = code_body(c, x->body);
    if (x->red != RED_none) {
        reduce(e, x, c, body, out);
    } else {
        double *to = out->at;
        for (int n; (n = code_next(c)); to += n)
            memcpy(to, code_register(c, body.a), sizeof *to * (size_t)n);
    }
    eval_code_free(c);
}

static void eval_accumulate(Eval *e, const Value *v, Tensor *out) {
    const Accumulate *x = &v->accumulate;
    Code *c = eval_code_new(e, v, x->extent, x->n, x->where, x->n_where);
    Elem elem = eval_elem(e, v->type.elem);
    int64_t place[CHUNK], count = tensor_count(out);
    double start = scalar_const_value(red_identity(e->m, x->red, v->type.elem));
    if (x->init)
        memcpy(out->at, eval_value(e, x->init)->at, sizeof *out->at * (size_t)count);
    else
        for (int64_t i = 0; i < count; i++) out->at[i] = start;
    code_subscripts(c, x->target, v->type.rank);
    Body body = code_body(c, x->body);
    for (int n; (n = code_next(c));) {
        code_places(c, x->target, out, "target", place);
        for (int i = 0; i < n; i++)
            if (code_takes_part(c, i))
                out->at[place[i]] = step_sum(x->red, elem, c, body, i, out->at[place[i]]);
    }
    eval_code_free(c);
}

static void eval_join(Eval *e, const Value *v, Tensor *out) {
    const Join *j = &v->join;
    int64_t inner = 1, outer = 1, count = tensor_count(out);
    for (int i = 0; i < out->rank; i++) {
        if (i < j->axis) outer *= out->dim[i];
        if (i > j->axis) inner *= out->dim[i];
    }
    for (int64_t i = 0; i < count; i++) out->at[i] = eval_round(e, v->type.elem, j->fill);
    for (int p = 0; p < j->n; p++) {
        const Tensor *from = eval_value(e, j->piece[p].v);
        int64_t length = from->dim[j->axis];
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < length; i++) {
                int64_t to = j->piece[p].start + i * j->piece[p].step;
                if (to < 0 || to >= out->dim[j->axis])
                    BUG("eval: a piece of a join lies outside it");
                memcpy(out->at + (o * out->dim[j->axis] + to) * inner,
                       from->at + (o * length + i) * inner, sizeof *out->at * (size_t)inner);
            }
    }
}

const Tensor *eval_value(Eval *e, Value *v) {
    const Tensor *known = map_get(e->done, v);
    if (known) return known;
    if (v->op <= VAL_state) BUG("eval: %s %s is not bound", value_op_name[v->op], v->leaf.name);
    Tensor *out = tensor_new(e->arena, &v->type, e->extent);
    switch (v->op) {
        case VAL_index: eval_index(e, v, out); break;
        case VAL_accumulate: eval_accumulate(e, v, out); break;
        case VAL_join: eval_join(e, v, out); break;
        case VAL_reshape: out->at = eval_value(e, v->of)->at; break;
        default: BUG("eval: a gradient is not formed yet");
    }
    map_set(e->done, v, out);
    return out;
}
