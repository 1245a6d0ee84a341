#include "ir/eval_code.h"

#include <math.h>
#include <string.h>

#include "base/die.h"
#include "ir/fold.h"
#include "ir/rewrite.h"

typedef struct Step {
    const Scalar *s;
    int arg[MAX_ARGS];
    Elem elem, from;
    const Tensor *tensor;  // of a read
} Step;

struct Code {
    Eval *e;
    const Value *owner;
    Arena *scratch;
    Map *number;  // Scalar * to its register plus one
    VEC(Step) steps;
    VEC(double *) registers;
    int n_slot;
    int64_t extent[MAX_SLOTS];
    int64_t *slot[MAX_SLOTS];  // their values over the chunk
    int64_t first[MAX_SLOTS];  // 0, or the step under way
    int64_t at[MAX_SLOTS];     // of the next point
    int64_t total, done;
    const Guard *where;
    int n_where;
    int n;  // points of the chunk
    bool takes_part[CHUNK];
};

Elem eval_elem(const Eval *e, Elem elem) {
    return elem == ELEM_f32 && e->mode == EVAL_wide ? ELEM_f64 : elem;
}

double eval_round(const Eval *e, Elem elem, double x) {
    return eval_elem(e, elem) == ELEM_f32 ? (float)x : x;
}

Code *eval_code_new(Eval *e, const Value *owner, const Dim *extent, int n, const Guard *where,
                    int n_where) {
    Arena *scratch = arena_new();
    Code *c = NEW(scratch, Code);
    *c = (Code){.e = e,
                .owner = owner,
                .scratch = scratch,
                .number = map_new(scratch),
                .n_slot = n,
                .total = 1,
                .where = where,
                .n_where = n_where};
    for (int i = 0; i < n; i++) {
        c->extent[i] = extent[i].by ? extent[i].n * e->extent[extent[i].by->id] : extent[i].n;
        c->slot[i] = NEW_ARRAY(scratch, int64_t, CHUNK);
        c->first[i] = c->at[i] = i < e->n_step ? e->step_at[i] : 0;
        if (i < e->n_step)
            c->extent[i] = c->first[i] + 1;
        else
            c->total *= c->extent[i];
    }
    for (int i = 0; i < n_where; i++)
        if (where[i].s) code_scalar(c, where[i].s);
    return c;
}

void eval_code_free(Code *c) {
    arena_free(c->scratch);
}

int64_t code_points(const Code *c) {
    return c->total;
}

const double *code_register(const Code *c, int number) {
    return c->registers.at[number];
}

const int64_t *code_slot(const Code *c, int slot) {
    return c->slot[slot];
}

bool code_takes_part(const Code *c, int point) {
    return c->takes_part[point];
}

// ---- from scalars to steps

static int register_of(const Code *c, const Scalar *s) {
    return (int)(intptr_t)map_get(c->number, s) - 1;
}

static void code_below(void *context, Scalar *s) {
    code_scalar(context, s);
}

int code_scalar(Code *c, Scalar *s) {
    int number = register_of(c, s);
    if (number >= 0) return number;
    scalar_each_below(s, code_below, c);
    Step step = {.s = s, .elem = eval_elem(c->e, s->elem)};
    for (int i = 0; i < op_info[s->op].arity; i++) step.arg[i] = register_of(c, s->arg[i]);
    if (op_info[s->op].arity) step.from = eval_elem(c->e, s->arg[0]->elem);
    if (s->op == OP_read) step.tensor = eval_value(c->e, s->read->v);
    double *r = NEW_ARRAY(c->scratch, double, CHUNK);
    if (s->op == OP_const)
        for (int i = 0; i < CHUNK; i++) r[i] = eval_round(c->e, s->elem, scalar_const_value(s));
    vec_push(c->scratch, &c->steps, step);
    vec_push(c->scratch, &c->registers, r);
    map_set(c->number, s, (void *)(intptr_t)c->steps.n);
    return c->steps.n - 1;
}

void code_subscripts(Code *c, const Subscript *sub, int rank) {
    for (int i = 0; i < rank; i++)
        if (sub[i].gather) code_scalar(c, sub[i].gather);
}

// ---- running

static void run_affine(const Code *c, Affine a, int64_t *out) {
    for (int i = 0; i < c->n; i++) out[i] = a.k;
    for (int j = 0; j < a.n; j++) {
        const int64_t *slot = c->slot[a.t[j].slot], by = a.t[j].c;
        for (int i = 0; i < c->n; i++) out[i] += by * slot[i];
    }
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

// mask[i] becomes false where a guard fails.
static void run_guards(const Code *c, const Guard *guard, int n, bool *mask) {
    int64_t value[CHUNK];
    for (int g = 0; g < n; g++) {
        run_affine(c, guard[g].e, value);
        const double *s = guard[g].s ? c->registers.at[register_of(c, guard[g].s)] : NULL;
        for (int i = 0; i < c->n; i++) {
            int64_t x = value[i] + (s ? (int64_t)s[i] : 0);
            mask[i] = mask[i] && (guard[g].mod ? x % guard[g].mod == 0 : x >= 0);
        }
    }
}

_Noreturn static void out_of_range(const Code *c, const char *what, int axis, int64_t at,
                                   int64_t extent) {
    BUG("eval: value %d%s%s: %s, axis %d: %lld is not below %lld", c->owner->id,
        c->owner->hint ? " " : "", c->owner->hint ? c->owner->hint : "", what, axis, (long long)at,
        (long long)extent);
}

static void run_places(const Code *c, const Subscript *sub, const Tensor *t, const char *what,
                       const bool *mask, int64_t *place) {
    int64_t at[CHUNK];
    memset(place, 0, sizeof *place * (size_t)c->n);
    for (int axis = 0; axis < t->rank; axis++) {
        run_affine(c, sub[axis].a, at);
        int64_t div = sub[axis].div, extent = t->dim[axis];
        const double *g =
            sub[axis].gather ? c->registers.at[register_of(c, sub[axis].gather)] : NULL;
        for (int i = 0; i < c->n; i++) {
            if (!mask[i]) continue;
            int64_t x = (div > 1 ? floor_div(at[i], div) : at[i]) + (g ? (int64_t)g[i] : 0);
            if (x < 0 || x >= extent) out_of_range(c, what, axis, x, extent);
            place[i] = place[i] * extent + x;
        }
    }
}

void code_places(Code *c, const Subscript *sub, const Tensor *t, const char *what, int64_t *place) {
    run_places(c, sub, t, what, c->takes_part, place);
}

static const char *value_name(const Value *v) {
    if (v->op <= VAL_state) return v->leaf.name;
    return v->hint ? v->hint : "a read";
}

static void run_read(const Code *c, const Step *step, double *out) {
    const Read *r = step->s->read;
    bool mask[CHUNK];
    int64_t place[CHUNK];
    memcpy(mask, c->takes_part, sizeof mask);
    run_guards(c, r->guard, r->n_guard, mask);
    run_places(c, r->sub, step->tensor, value_name(r->v), mask, place);
    const double *otherwise = r->otherwise ? c->registers.at[register_of(c, r->otherwise)] : NULL;
    for (int i = 0; i < c->n; i++)
        out[i] = mask[i] ? step->tensor->at[place[i]] : otherwise ? otherwise[i] : 0;
}

static void run_rand(const Code *c, const Step *step, double *out) {
    const double *place = c->registers.at[step->arg[0]];
    for (int i = 0; i < c->n; i++)
        out[i] = eval_rand(c->e->seed, step->s->site, c->e->step, (uint32_t)(int64_t)place[i]);
}

static void run_op(const Code *c, const Step *step, double *out) {
    double *const *reg = c->registers.at;
    bool is_fma = step->s->op == OP_fma;
    const double *a = reg[step->arg[0]], *b = reg[step->arg[1]], *d = reg[step->arg[2]];
    for (int i = 0; i < c->n; i++) {
        double arg[MAX_ARGS] = {a[i], b[i], d[i]};
        out[i] = is_fma ? eval_multiply_add(c->e->mode, step->elem, arg)
                        : eval_op(step->s->op, step->elem, step->from, arg);
    }
}

static void run_step(const Code *c, const Step *step, double *out) {
    switch (step->s->op) {
        case OP_const: return;
        case OP_iv:
            for (int i = 0; i < c->n; i++) out[i] = (double)c->slot[step->s->slot][i];
            return;
        case OP_read: return run_read(c, step, out);
        case OP_rand: return run_rand(c, step, out);
        default: run_op(c, step, out);
    }
}

static void advance(Code *c) {
    int64_t left = c->total - c->done;
    c->n = left < CHUNK ? (int)left : CHUNK;
    for (int i = 0; i < c->n; i++) {
        for (int s = 0; s < c->n_slot; s++) c->slot[s][i] = c->at[s];
        for (int s = c->n_slot; s-- > 0;) {
            if (++c->at[s] < c->extent[s]) break;
            c->at[s] = c->first[s];
        }
    }
    c->done += c->n;
}

// The scalars of `where` come first (eval_code_new), evaluated at every point: a read in one has
// to be in range everywhere.
int code_next(Code *c) {
    advance(c);
    if (!c->n) return 0;
    memset(c->takes_part, true, sizeof c->takes_part);
    int first = 0;
    for (int g = 0; g < c->n_where; g++) {
        int last = c->where[g].s ? register_of(c, c->where[g].s) + 1 : 0;
        for (; first < last; first++) run_step(c, &c->steps.at[first], c->registers.at[first]);
    }
    run_guards(c, c->where, c->n_where, c->takes_part);
    for (int i = first; i < c->steps.n; i++) run_step(c, &c->steps.at[i], c->registers.at[i]);
    return c->n;
}
