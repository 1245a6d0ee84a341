#include "pass/solve.h"

#include <stdlib.h>
#include <string.h>

#include "ir/build.h"
#include "ir/rewrite.h"
#include "pass/solved.h"

// ---- unknowns and equations

static int var_new(Solver *s, Dim extent) {
    s->extent[s->n_var] = extent;
    s->solution[s->n_var].n = -1;
    return s->n_var++;
}

static bool is_unbound(const Solver *s, int var) {
    return var < s->n_var && s->solution[var].n < 0 && !s->is_axis[var];
}

// With everything that is bound replaced by what it was bound to.
Affine solver_resolve(const Solver *s, Affine a) {
    for (;;) {
        bool is_done = true;
        for (int i = 0; i < a.n; i++) is_done &= s->solution[a.t[i].slot].n < 0;
        if (is_done) return a;
        a = affine_subst(s->m, a, s->solution);
    }
}

// a(u) - remainder - div * q, which is 0.
static Affine equation(const Solver *s, int axis) {
    Affine e = s->scatter->target[axis].a;
    int64_t div = s->scatter->target[axis].div;
    Affine q = affine_slot(s->m, s->axis[axis].q);
    e = affine_add(s->m, e, affine_scale(s->m, q, -div));
    if (div > 1)
        e = affine_add(s->m, e, affine_scale(s->m, affine_slot(s->m, s->axis[axis].rem), -1));
    return solver_resolve(s, e);
}

static int count_unbound(const Solver *s, Affine e) {
    int n = 0;
    for (int i = 0; i < e.n; i++) n += is_unbound(s, e.t[i].slot);
    return n;
}

// ---- candidates: ways to solve one axis

typedef struct Choice {
    PlanKind kind;
    int var;      // what is eliminated
    double cost;  // iterations left
} Choice;

static void consider(Choice *best, PlanKind kind, int var, double cost) {
    if (best->kind != PLAN_none && best->cost <= cost) return;
    *best = (Choice){kind, var, cost};
}

static double iterations_without(const Solver *s, Affine e, int var) {
    double n = 1;
    for (int i = 0; i < e.n; i++)
        if (e.t[i].slot != var && is_unbound(s, e.t[i].slot))
            n *= (double)dim_max(s->extent[e.t[i].slot]);
    return n;
}

// e less its term of var, divided by minus that term's coefficient (1 or -1): what var is.
static Affine solved_for(const Solver *s, Affine e, int var) {
    int64_t c = affine_coef(e, var);
    Affine rest = affine_add(s->m, e, affine_scale(s->m, affine_slot(s->m, var), -c));
    return affine_scale(s->m, rest, -c);
}

// A run-time extent can't stand in a guard, so what it bounds must be a plain axis.
static bool has_known_range(const Solver *s, Affine value, Dim extent) {
    if (!extent.by) return true;
    return value.n == 1 && value.t[0].c == 1 && value.k == 0 &&
           dim_equal(s->extent[value.t[0].slot], extent);
}

static bool can_bind(const Solver *s, Affine e, int var) {
    return is_unbound(s, var) && llabs(affine_coef(e, var)) == 1 &&
           has_known_range(s, solved_for(s, e, var), s->extent[var]);
}

static int by_coefficient(const void *a, const void *b) {
    const Term *x = a, *y = b;
    return (x->c < y->c) - (x->c > y->c);
}

// q = sum c * u + k where the c are the places of a mixed radix: one u for each q.
static bool as_radix(const Solver *s, int axis, Affine e, AxisPlan *out) {
    Dim whole = s->scatter->type.dim[axis];
    int q = s->axis[axis].q, n = 0;
    Term t[MAX_SPLIT];
    if (s->scatter->target[axis].div != 1 || e.k < 0) return false;
    for (int i = 0; i < e.n; i++) {
        if (e.t[i].slot == q) continue;
        if (!is_unbound(s, e.t[i].slot) || e.t[i].c < 0 || n == MAX_SPLIT) return false;
        t[n++] = e.t[i];
    }
    if (n < 2) return false;
    qsort(t, (size_t)n, sizeof *t, by_coefficient);
    int64_t place = 1;
    for (int i = n; i-- > 0;) {
        Dim d = s->extent[t[i].slot];
        if (t[i].c != place || (d.by && i > 0)) return false;
        place *= d.n;
        out->split[i] = t[i].slot;
    }
    out->n_split = n;
    out->covered = (Dim){place, s->extent[t[0].slot].by};
    out->start = e.k;
    if (dim_equal(out->covered, whole) && e.k == 0) return true;
    return !whole.by && !out->covered.by && e.k + place <= whole.n;
}

static int64_t gcd(int64_t a, int64_t b) {
    return b ? gcd(b, a % b) : llabs(a);
}

// q = c * u + c_o * o + k with |c| > 1 and nothing else: solved per q mod |c|.
static bool as_phases(const Solver *s, int axis, Affine e, int var, AxisPlan *out) {
    int q = s->axis[axis].q;
    out->u = var;
    out->c = affine_coef(e, var);
    out->o = -1;
    out->c_o = 0;
    out->start = e.k;
    if (s->scatter->target[axis].div != 1 || llabs(out->c) < 2 || llabs(out->c) > MAX_PHASES)
        return false;
    if (s->scatter->type.dim[axis].by || s->extent[var].by) return false;
    for (int i = 0; i < e.n; i++) {
        int v = e.t[i].slot;
        if (v == q || v == var) continue;
        if (out->o >= 0 || !is_unbound(s, v) || s->extent[v].by) return false;
        out->o = v;
        out->c_o = e.t[i].c;
    }
    return true;
}

static double phase_cost(const Solver *s, const AxisPlan *p) {
    if (p->o < 0) return 1;
    int64_t period = llabs(p->c) / gcd(p->c, p->c_o);
    return (double)((s->extent[p->o].n + period - 1) / period);
}

static Choice best_choice(const Solver *s, int axis, Affine e) {
    Choice best = {.kind = PLAN_none};
    AxisPlan scratch;
    for (int i = 0; i < e.n; i++) {
        int v = e.t[i].slot;
        if (can_bind(s, e, v)) consider(&best, PLAN_bind, v, iterations_without(s, e, v));
    }
    if (as_radix(s, axis, e, &scratch)) consider(&best, PLAN_split, -1, 1);
    for (int i = 0; i < e.n; i++) {
        int v = e.t[i].slot;
        if (!is_unbound(s, v) || !as_phases(s, axis, e, v, &scratch)) continue;
        consider(&best, PLAN_phase, v, phase_cost(s, &scratch));
    }
    return best;
}

// ---- the plan

static void push_guard(Solver *s, Affine e) {
    vec_push(s->arena, &s->guards, ((Guard){.e = e}));
}

// 0 <= value < extent. A plain axis of the same run-time extent needs no upper guard.
static void guard_range(Solver *s, Affine value, Dim extent) {
    push_guard(s, value);
    if (!extent.by) push_guard(s, affine_add_const(affine_scale(s->m, value, -1), extent.n - 1));
}

static void apply_bind(Solver *s, int axis, Affine e, int var) {
    Affine value = solved_for(s, e, var);
    s->solution[var] = value;
    s->axis[axis].kind = PLAN_bind;
    guard_range(s, affine_slot(s->m, var), s->extent[var]);
}

static void apply_split(Solver *s, int axis, Affine e) {
    AxisPlan *p = &s->axis[axis];
    as_radix(s, axis, e, p);
    p->kind = PLAN_split;
    for (int i = 0; i < p->n_split; i++) {
        int u = p->split[i], w = var_new(s, s->extent[u]);
        s->is_axis[w] = true;
        s->solution[u] = affine_slot(s->m, w);
        p->split[i] = w;
    }
}

// u and o are expressed per residue later (solver_phase); here they only stop being free.
static void apply_phase(Solver *s, int axis, Affine e, int var) {
    AxisPlan *p = &s->axis[axis];
    as_phases(s, axis, e, var, p);
    p->kind = PLAN_phase;
    s->is_axis[p->u] = true;
    if (p->o >= 0) s->is_axis[p->o] = true;
    p->tap = var_new(s, dim_const(1));
    s->is_axis[p->tap] = true;
    guard_range(s, affine_slot(s->m, p->u), s->extent[p->u]);
}

static bool apply(Solver *s, int axis, Affine e, Choice c) {
    switch (c.kind) {
        case PLAN_bind: apply_bind(s, axis, e, c.var); return true;
        case PLAN_split: apply_split(s, axis, e); return true;
        case PLAN_phase: apply_phase(s, axis, e, c.var); return true;
        default: return false;
    }
}

// An axis whose subscript is known says which q receives.
static void apply_given(Solver *s, int axis, Affine e) {
    s->axis[axis].kind = PLAN_given;
    push_guard(s, e);
    push_guard(s, affine_scale(s->m, e, -1));
}

// Axes with nothing or one thing to choose first; false where there was none.
static bool solve_plain_axes(Solver *s) {
    bool progress = false;
    for (int j = 0; j < s->scatter->type.rank; j++) {
        if (s->axis[j].kind != PLAN_none) continue;
        Affine e = equation(s, j);
        int unknowns = count_unbound(s, e);
        bool mixes_phases = false;
        for (int i = 0; i < e.n; i++)
            mixes_phases |= s->is_axis[e.t[i].slot] && e.t[i].slot < s->scatter->n;
        if (mixes_phases) return false;
        if (unknowns == 0) {
            apply_given(s, j, e);
            progress = true;
        } else if (unknowns == 1) {
            for (int i = 0; i < e.n; i++) {
                if (!can_bind(s, e, e.t[i].slot)) continue;
                apply_bind(s, j, e, e.t[i].slot);
                progress = true;
                break;
            }
        }
    }
    return progress;
}

static bool mentions_phased(const Solver *s, Affine e) {
    for (int i = 0; i < e.n; i++)
        if (s->is_axis[e.t[i].slot] && e.t[i].slot < s->scatter->n) return true;
    return false;
}

static bool solve_next_axis(Solver *s, bool *is_done) {
    *is_done = false;
    for (int j = 0; j < s->scatter->type.rank; j++) {
        if (s->axis[j].kind != PLAN_none) continue;
        Affine e = equation(s, j);
        return !mentions_phased(s, e) && apply(s, j, e, best_choice(s, j, e));
    }
    *is_done = true;
    return true;
}

static bool all_bound(const Solver *s) {
    for (int v = 0; v < s->scatter->n; v++)
        if (is_unbound(s, v)) return false;
    return true;
}

// Gathered axes are solved last, by comparison; only where the others bind everything.
static bool plan_gathers(Solver *s) {
    bool has_gather = false;
    for (int j = 0; j < s->scatter->type.rank; j++) {
        if (s->axis[j].kind != PLAN_gather) continue;
        has_gather = true;
        if (s->scatter->target[j].div != 1) return false;
    }
    return !has_gather || all_bound(s);
}

static bool make_plan(Solver *s) {
    const Scatter *sc = s->scatter;
    for (int u = 0; u < sc->n; u++) {
        int v = var_new(s, sc->extent[u]);
        if (dim_equal(sc->extent[u], dim_const(1))) s->solution[v] = affine_const(0);
    }
    for (int j = 0; j < sc->type.rank; j++) {
        s->axis[j].q = var_new(s, sc->type.dim[j]);
        s->is_axis[s->axis[j].q] = true;
        s->axis[j].rem = -1;
        if (sc->target[j].gather)
            s->axis[j].kind = PLAN_gather;
        else if (sc->target[j].div > 1)
            s->axis[j].rem = var_new(s, dim_const(sc->target[j].div));
    }
    for (bool is_done = false; !is_done;) {
        while (solve_plain_axes(s)) {
        }
        if (!solve_next_axis(s, &is_done)) return false;
    }
    return plan_gathers(s);
}

// ---- the last resort

static Contribution as_accumulate(Module *m, const Scatter *s) {
    Accumulate a = {.n = s->n,
                    .extent = s->extent,
                    .target = s->target,
                    .red = RED_sum,
                    .n_where = s->n_guard,
                    .where = s->guard,
                    .body = s->term};
    return (Contribution){.v = build_accumulate(m, &a, &s->type, s->span, s->hint)};
}

Contribution solve_scatter(Module *m, Arena *arena, const Scatter *scatter) {
    Solver *s = NEW(arena, Solver);
    s->m = m;
    s->arena = arena;
    s->scatter = scatter;
    Contribution c = {0};
    if (make_plan(s) && solver_build(s, &c)) return c;
    return as_accumulate(m, scatter);
}
