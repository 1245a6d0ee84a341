#include "pass/solved.h"

#include <math.h>
#include <stdlib.h>

#include "ir/build.h"
#include "ir/fold.h"
#include "ir/rewrite.h"

// One piece of the result: the plan with a residue chosen for each phased axis.
typedef struct Part {
    Solver s;  // with the phases' solutions and extents
    int64_t residue[MAX_RANK];
    Affine slot[MAX_VARS];  // what a variable is in the piece's slots
    int np, nr;
    Dim extent[MAX_SLOTS];
    int n_guard;
    Guard *guard;
} Part;

static int64_t ceil_div(int64_t a, int64_t b) {  // b > 0
    return a <= 0 ? 0 : (a + b - 1) / b;
}

static int64_t gcd(int64_t a, int64_t b) {
    return b ? gcd(b, a % b) : llabs(a);
}

// ---- phases

// q = |c| * v + residue: u in terms of v and of the taps t with o = first + period * t.
// False where no point of the box reaches the phase.
static bool solve_phase(Part *p, int axis) {
    const AxisPlan *plan = &p->s.axis[axis];
    Module *m = p->s.m;
    int64_t stride = llabs(plan->c), at = p->residue[axis] - plan->start;
    int64_t period = plan->o < 0 ? 1 : stride / gcd(plan->c, plan->c_o);
    int64_t first = 0, taps = 1;
    while (first < period && (at - plan->c_o * first) % plan->c) first++;
    if (first == period) return false;
    if (plan->o >= 0) {
        taps = ceil_div(p->s.extent[plan->o].n - first, period);
        if (!taps) return false;
        Affine t = taps == 1 ? affine_const(0) : affine_slot(m, plan->tap);
        p->s.solution[plan->o] = affine_add_const(affine_scale(m, t, period), first);
    }
    int64_t rows = ceil_div(p->s.extent[plan->q].n - p->residue[axis], stride);
    if (!rows) return false;
    p->s.extent[plan->q] = dim_const(rows);
    p->s.extent[plan->tap] = dim_const(taps);
    Affine u = affine_scale(m, affine_slot(m, plan->q), stride / plan->c);
    u = affine_add_const(u, (at - plan->c_o * first) / plan->c);
    if (taps > 1)
        u = affine_add(m, u,
                       affine_scale(m, affine_slot(m, plan->tap), -plan->c_o * period / plan->c));
    p->s.solution[plan->u] = u;
    return true;
}

// ---- slots

static bool give_slot(Part *p, int var, int *n) {
    if (p->np + p->nr == MAX_SLOTS) return false;
    p->slot[var] = affine_slot(p->s.m, p->np + p->nr);
    p->extent[p->np + p->nr] = p->s.extent[var];
    ++*n;
    return true;
}

static const AxisPlan *phase_of(const Solver *s, int o) {
    for (int j = 0; j < s->scatter->type.rank; j++)
        if (s->axis[j].kind == PLAN_phase && s->axis[j].o == o) return &s->axis[j];
    return NULL;
}

// Axes first; then what is left is summed in the order of the box that it comes from.
static bool number_slots(Part *p) {
    const Solver *s = &p->s;
    for (int v = 0; v < s->n_var; v++) p->slot[v].n = -1;
    for (int j = 0; j < s->scatter->type.rank; j++) {
        const AxisPlan *a = &s->axis[j];
        bool is_split = a->kind == PLAN_split;
        for (int i = 0; i < (is_split ? a->n_split : 1); i++)
            if (!give_slot(p, is_split ? a->split[i] : a->q, &p->np)) return false;
    }
    if (p->np > MAX_RANK) return false;
    for (int u = 0; u < s->scatter->n; u++) {
        const AxisPlan *phase = phase_of(s, u);
        if (phase && s->extent[phase->tap].n > 1) {
            if (!give_slot(p, phase->tap, &p->nr)) return false;
        } else if (!s->is_axis[u] && s->solution[u].n < 0) {
            if (!give_slot(p, u, &p->nr)) return false;
        }
    }
    for (int j = 0; j < s->scatter->type.rank; j++) {
        int rem = s->axis[j].rem;
        if (rem >= 0 && s->solution[rem].n < 0 && !give_slot(p, rem, &p->nr)) return false;
    }
    return true;
}

static Affine in_slots(const Part *p, Affine a) {
    return affine_subst(p->s.m, solver_resolve(&p->s, a), p->slot);
}

// ---- guards, and the term inside them

static Scalar *guard_read(void *context, Module *m, Scalar *s);

// Puts guards in order and drops what the box decides. False where one never holds.
static bool keep_guards(Part *p, const Guard *all, int n) {
    int n_kept;
    Guard *kept = NEW_ARRAY(p->s.arena, Guard, n);
    p->guard = NEW_ARRAY(p->s.arena, Guard, n);
    if (!normal_guards(p->s.m, all, n, kept, &n_kept)) return false;
    return fold_guards_in_box(p->s.m, kept, n_kept, p->extent, p->guard, &p->n_guard);
}

// Whose points take part. False where there are none. What a guard itself reads may be
// outside where the affine ones fail, so those come first.
static bool gather_guards(Part *p, const Affine *to) {
    const Scatter *sc = p->s.scatter;
    Module *m = p->s.m;
    int n = 0, n_affine;
    Guard *all = NEW_ARRAY(p->s.arena, Guard, sc->n_guard + p->s.guards.n);
    for (int i = 0; i < p->s.guards.n; i++) {
        all[n] = p->s.guards.at[i];
        all[n].e = in_slots(p, all[n].e);
        n++;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < sc->n_guard; i++) {
            Guard g = sc->guard[i];
            if ((g.s != NULL) != pass) continue;
            g.e = affine_subst(m, g.e, to);
            if (g.s) g.s = scalar_rewrite(m, scalar_subst(m, g.s, to), guard_read, p);
            all[n++] = g;
        }
        if (pass == 0) n_affine = n;
        if ((pass == 0 || n > n_affine) && !keep_guards(p, all, n)) return false;
    }
    return true;
}

static bool subscript_fits(const Subscript *s, Dim axis, const Dim *extent) {
    int64_t low, high;
    if (s->gather) return s->a.n == 0;  // as it was proved where it came from
    if (s->div == 1 && s->a.n == 1 && s->a.t[0].c == 1 && s->a.k == 0 &&
        dim_equal(extent[s->a.t[0].slot], axis))
        return true;
    if (axis.by) return false;
    affine_range(s->a, extent, &low, &high);
    return low >= 0 && high / s->div < axis.n;
}

static Scalar *zero_of(Module *m, Elem elem) {
    return scalar_const(m, elem, 0);
}

// A read that may leave its tensor outside the guards gets them.
static Scalar *guard_read(void *context, Module *m, Scalar *s) {
    const Part *p = context;
    if (s->op != OP_read || !p->n_guard) return s;
    const Read *r = s->read;
    bool fits = true;
    for (int i = 0; i < r->v->type.rank; i++)
        fits &= subscript_fits(&r->sub[i], r->v->type.dim[i], p->extent);
    if (fits) return s;
    Guard *g = NEW_ARRAY(m->arena, Guard, r->n_guard + p->n_guard);
    int n = 0;
    for (int i = 0; i < r->n_guard; i++) g[n++] = r->guard[i];
    for (int i = 0; i < p->n_guard; i++) g[n++] = p->guard[i];
    Scalar *zero = zero_of(m, s->elem);
    if (!r->n_guard || r->otherwise == zero) return scalar_read(m, r->v, r->sub, g, n, zero);
    Scalar *inside = scalar_read(m, r->v, r->sub, g, n, r->otherwise);
    return scalar_select(m, scalar_guard(m, p->guard, p->n_guard), inside, zero);
}

static bool has_guard(const Read *r, const Guard *g) {
    for (int i = 0; i < r->n_guard; i++) {
        const Guard *h = &r->guard[i];
        if (affine_equal(h->e, g->e) && h->s == g->s && h->mod == g->mod) return true;
    }
    return false;
}

// Is s finite for all finite elements, those that guards put in their place too?
static bool is_finite(const Scalar *s, int depth) {
    if (!depth) return false;
    switch (s->op) {
        case OP_const: return !elem_is_real(s->elem) || isfinite(s->real);
        case OP_read: return !s->read->n_guard || is_finite(s->read->otherwise, depth - 1);
        case OP_to_real:
        case OP_draw:
        case OP_rand: return true;
        case OP_div: return s->arg[1]->op == OP_const && is_finite(s->arg[0], depth - 1);
        case OP_select:
        case OP_add:
        case OP_sub:
        case OP_mul:
        case OP_min:
        case OP_max:
        case OP_neg:
        case OP_abs:
        case OP_tanh:
        case OP_sigmoid:
        case OP_erf:
        case OP_sin:
        case OP_cos:
            for (int i = s->op == OP_select; i < op_info[s->op].arity; i++)
                if (!is_finite(s->arg[i], depth - 1)) return false;
            return true;
        default: return false;
    }
}

// Is s zero wherever one of the guards fails?
static bool is_zero_outside(const Part *p, const Scalar *s, int depth) {
    if (!depth) return false;
    switch (s->op) {
        case OP_const: return elem_is_real(s->elem) && s->real == 0;
        case OP_read:
            if (!s->read->n_guard || !is_zero_outside(p, s->read->otherwise, depth - 1))
                return false;
            for (int i = 0; i < p->n_guard; i++)
                if (!has_guard(s->read, &p->guard[i])) return false;
            return true;
        case OP_mul:
            return (is_zero_outside(p, s->arg[0], depth - 1) && is_finite(s->arg[1], depth - 1)) ||
                   (is_zero_outside(p, s->arg[1], depth - 1) && is_finite(s->arg[0], depth - 1));
        case OP_neg: return is_zero_outside(p, s->arg[0], depth - 1);
        case OP_div: return s->arg[1]->op == OP_const && is_zero_outside(p, s->arg[0], depth - 1);
        case OP_add:
        case OP_sub:
            return is_zero_outside(p, s->arg[0], depth - 1) &&
                   is_zero_outside(p, s->arg[1], depth - 1);
        case OP_select:
            return is_zero_outside(p, s->arg[1], depth - 1) &&
                   is_zero_outside(p, s->arg[2], depth - 1);
        default: return false;
    }
}

// ---- gathered axes

typedef struct Known {
    Scalar *gather, *is;
} Known;

static Scalar *replace_known(void *context, Module *m, Scalar *s) {
    const Known *k = context;
    (void)m;
    return s == k->gather ? k->is : s;
}

// Where q == gather, the gather is q: the term need not read it again.
static Scalar *compare_gathers(Part *p, const Affine *to, Scalar *body, Scalar **condition) {
    const Scatter *sc = p->s.scatter;
    Module *m = p->s.m;
    *condition = scalar_bool(m, true);
    for (int j = 0; j < sc->type.rank; j++) {
        if (p->s.axis[j].kind != PLAN_gather) continue;
        Affine a = affine_subst(m, sc->target[j].a, to);
        Affine rest = affine_add(m, p->slot[p->s.axis[j].q], affine_scale(m, a, -1));
        Known k = {scalar_subst(m, sc->target[j].gather, to), scalar_affine(m, rest)};
        Scalar *same = scalar_binary(m, OP_eq, k.is, k.gather);
        *condition = scalar_binary(m, OP_and, *condition, same);
        body = scalar_rewrite(m, body, replace_known, &k);
    }
    return body;
}

// ---- the piece

// The index that computes one piece; where it has no reduction, only its body is set.
static bool build_body(Part *p, Index *index) {
    const Scatter *sc = p->s.scatter;
    Module *m = p->s.m;
    Scalar *zero = scalar_real(m, 0), *condition;
    Affine to[MAX_SLOTS];
    for (int u = 0; u < sc->n; u++) to[u] = in_slots(p, affine_slot(m, u));
    *index = (Index){.np = p->np,
                     .nr = p->nr,
                     .extent = p->extent,
                     .body = zero,
                     .red = p->nr ? RED_sum : RED_none};
    if (!gather_guards(p, to)) return false;
    Scalar *body = compare_gathers(p, to, scalar_subst(m, sc->term, to), &condition);
    body = scalar_rewrite(m, body, guard_read, p);
    condition = scalar_rewrite(m, condition, guard_read, p);
    if (p->n_guard && !is_zero_outside(p, body, 16)) {
        if (p->nr) {
            index->n_where = p->n_guard;
            index->where = p->guard;
        } else {
            condition = scalar_binary(m, OP_and, condition, scalar_guard(m, p->guard, p->n_guard));
        }
    }
    index->body = scalar_select(m, condition, body, zero);
    return true;
}

// Merges split axes again and lays them where they belong.
static Value *merge_splits(const Part *p, Value *v) {
    const Scatter *sc = p->s.scatter;
    Module *m = p->s.m;
    Dim dim[MAX_RANK];
    bool has_split = false;
    for (int j = 0; j < sc->type.rank; j++) {
        const AxisPlan *a = &p->s.axis[j];
        has_split |= a->kind == PLAN_split;
        dim[j] = a->kind == PLAN_split ? a->covered : p->s.extent[a->q];
    }
    if (!has_split) return v;
    v = build_reshape(m, v, sc->type.rank, dim, sc->span);
    for (int j = 0; j < sc->type.rank; j++) {
        const AxisPlan *a = &p->s.axis[j];
        if (a->kind != PLAN_split || dim_equal(a->covered, sc->type.dim[j])) continue;
        Piece piece = {.v = v, .start = a->start, .step = 1};
        v = build_join(m, j, sc->type.dim[j], &piece, 1, 0, sc->span);
    }
    return v;
}

static bool has_structure(const Solver *s) {
    for (int j = 0; j < s->scatter->type.rank; j++)
        if (s->axis[j].kind == PLAN_split || s->axis[j].kind == PLAN_phase) return true;
    return false;
}

// False where there are too many slots; *v stays NULL where nothing reaches the piece.
static bool build_piece(const Solver *s, const int64_t *residue, Contribution *out) {
    Part *p = NEW(s->arena, Part);
    Index index;
    p->s = *s;
    for (int j = 0; j < s->scatter->type.rank; j++) {
        p->residue[j] = residue[j];
        if (s->axis[j].kind == PLAN_phase && !solve_phase(p, j)) return true;
    }
    if (!number_slots(p)) return false;
    if (!build_body(p, &index)) return true;
    if (!p->nr && !has_structure(s)) {
        out->body = index.body;
        return true;
    }
    out->v = merge_splits(p, build_index(s->m, &index, s->scatter->span, s->scatter->hint));
    return true;
}

// All residues of the phased axes from `axis` on, joined.
static bool build_phases(const Solver *s, int axis, int64_t *residue, Contribution *out) {
    int rank = s->scatter->type.rank;
    while (axis < rank && s->axis[axis].kind != PLAN_phase) axis++;
    if (axis == rank) return build_piece(s, residue, out);
    int64_t stride = llabs(s->axis[axis].c);
    Piece piece[MAX_PHASES];
    int n = 0;
    for (int64_t r = 0; r < stride; r++) {
        Contribution one = {0};
        residue[axis] = r;
        if (!build_phases(s, axis + 1, residue, &one)) return false;
        if (one.v) piece[n++] = (Piece){.v = one.v, .start = r, .step = stride};
    }
    if (n)
        out->v = build_join(s->m, axis, s->scatter->type.dim[axis], piece, n, 0, s->scatter->span);
    return true;
}

bool solver_build(Solver *s, Contribution *out) {
    int64_t residue[MAX_RANK] = {0};
    if (!build_phases(s, 0, residue, out)) return false;
    if (!out->v && !out->body) out->body = scalar_real(s->m, 0);
    return true;
}
