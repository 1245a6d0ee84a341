// Functions with gradients of their own: `fn f(x) = e gradient (x, dy) = e2`. The gradient is
// elaborated where the function is called, on the arguments and on cotangents, which the pass
// `grad` gives their values.
#include "ir/own.h"

#include <string.h>

#include "sema/elab.h"

struct OwnCall {
    const Node *def;
    int n;               // arguments
    Arg *arg;
    int n_outer, *outer;  // slots of enclosing bodies that the arguments use
};

static const Node *tensor_params(const Node *def) {
    return def->kid[1] ? def->kid[1] : def->kid[0];
}

static bool takes_gradient(Sema *s, const Exp *e) {
    return is_tensor(e) && elem_is_real(exp_elem(s, e));
}

// ---- arguments: values over the same slots

static void add_outer(OwnCall *c, const Exp *e) {
    for (int i = 0; i < e->stored.n_outer; i++) {
        int k = 0, slot = e->stored.outer[i];
        while (k < c->n_outer && c->outer[k] < slot) k++;
        if (k < c->n_outer && c->outer[k] == slot) continue;
        memmove(c->outer + k + 1, c->outer + k, sizeof *c->outer * (size_t)(c->n_outer - k));
        c->outer[k] = slot;
        c->n_outer++;
    }
}

OwnCall *begin_own(Sema *s, const Node *def) {
    const Node *params = tensor_params(def);
    OwnCall *c = NEW(s->arena, OwnCall);
    *c = (OwnCall){.def = def, .n = params->n, .arg = NEW_ARRAY(s->arena, Arg, params->n + 1)};
    c->outer = NEW_ARRAY(s->arena, int, slot_room(s));
    for (int i = 0; i < c->n; i++) {
        const Node *p = params->kid[i];
        Var *v = frame_var(s->frame, p->name);
        c->arg[i] = (Arg){NULL, v->e, v->given, v->given};
        if (is_error(v->e)) return NULL;
        if (!is_scalar_like(v->e)) {
            Diag *d = sema_error(s, v->given, "`%s` has a gradient of its own, and `%s` is %s",
                                 def->name, p->name, exp_describe(s, v->e));
            diag_help(d, "what is no tensor stands in the first of two lists: `%s(%s)(x)`",
                      def->name, p->name);
            return NULL;
        }
        if (!takes_gradient(s, v->e)) continue;
        v->e = c->arg[i].e = exp_store(s, v->e, v->given, p->name);
        if (is_error(v->e)) return NULL;
        add_outer(c, v->e);
    }
    for (int i = 0; i < c->n; i++) {
        if (!takes_gradient(s, c->arg[i].e)) continue;
        Var *v = frame_var(s->frame, params->kid[i]->name);
        v->e = c->arg[i].e = exp_store_over(s, v->e, c->n_outer, c->outer, v->given, v->name);
        if (is_error(v->e)) return NULL;
    }
    return c;
}

// ---- results and their cotangents

static Exp *as_reals(Sema *s, Exp *e) {
    if (takes_gradient(s, e)) return e;
    Shape shape = exp_axes(s, e);
    return exp_body(s, to_real(s, exp_at(s, e, &shape)), &shape);
}

static bool store_results(Sema *s, OwnCall *c, Exp *e, int n, Exp **result, OwnCall *over) {
    *over = *c;
    over->outer = NEW_ARRAY(s->arena, int, slot_room(s));
    memcpy(over->outer, c->outer, sizeof *c->outer * (size_t)c->n_outer);
    for (int i = 0; i < n; i++) {
        Exp *one = e->kind == EXP_tuple ? e->list.at[i] : e;
        if (!is_scalar_like(one))
            return fail(s, s->result_span, "`%s` has a gradient of its own, and gives %s",
                        c->def->name, exp_describe(s, one)), false;
        result[i] = exp_store(s, as_reals(s, one), s->result_span, NULL);
        if (is_error(result[i])) return false;
        add_outer(over, result[i]);
    }
    for (int i = 0; i < n; i++) {
        result[i] = exp_store_over(s, result[i], over->n_outer, over->outer, s->result_span, NULL);
        if (is_error(result[i])) return false;
    }
    return true;
}

static Exp *stored_over(Sema *s, Value *v, const OwnCall *over) {
    Exp *e = exp_stored(s, v);
    e->stored.n_outer = over->n_outer;
    e->stored.outer = over->outer;
    return e;
}

// ---- the gradient

static const char *plural(int n) {
    return n == 1 ? "" : "s";
}

// The arguments, then a cotangent for each result.
static bool bind_gradient(Sema *s, const OwnCall *c, int n, Exp *const *cot) {
    const Node *params = c->def->kid[4]->kid[0];
    if (params->n != c->n + n) {
        Diag *d = sema_error(s, params->span,
                             "the gradient of `%s` takes %d argument%s, and this has %d: those of "
                             "`%s`, then what %s",
                             c->def->name, c->n + n, plural(c->n + n), params->n, c->def->name,
                             n == 1 ? "its result receives" : "each of its results receives");
        diag_note(d, tensor_params(c->def)->span, "%d argument%s here, and %d result%s", c->n,
                  plural(c->n), n, plural(n));
        return false;
    }
    Args args = {params->n, NEW_ARRAY(s->arena, Arg, params->n)};
    for (int i = 0; i < c->n; i++) args.at[i] = c->arg[i];
    for (int i = 0; i < n; i++) {
        Span at = params->kid[c->n + i]->span;
        args.at[c->n + i] = (Arg){NULL, cot[i], at, at};
    }
    int n_errors = diag_errors(s->c->diags);
    bind_params(s, params, args, params->span,
                arena_printf(s->arena, "the gradient of `%s`", c->def->name));
    return n_errors == diag_errors(s->c->diags);
}

// Summed over the slots that the argument does not have.
static Value *sum_over_others(Sema *s, const OwnCall *c, const OwnCall *over, Scalar *body,
                              const Shape *axes, Span at) {
    int slot[MAX_SLOTS], n = 0;
    int *reduced = NEW_ARRAY(s->arena, int, over->n_outer + 1), nr = 0;
    for (int i = 0; i < over->n_outer; i++) {
        bool is_kept = false;
        for (int k = 0; k < c->n_outer; k++) is_kept |= c->outer[k] == over->outer[i];
        if (is_kept) slot[n++] = over->outer[i];
        else reduced[nr++] = over->outer[i];
    }
    Shape kept = {0};
    for (int i = 0; i < n; i++) kept.axis[kept.rank++] = slot_axis(s, slot[i]);
    for (int i = 0; i < axes->rank; i++) kept.axis[kept.rank++] = axes->axis[i];
    Reduction sum = {.red = RED_sum, .nr = nr, .slot = reduced, .body = body, .axes = kept,
                     .span = at};
    if (!nr) sum.red = RED_none;
    Exp *e = nr ? store_reduction(s, &sum) : exp_store_over(s, exp_body(s, body, axes), n, slot, at, NULL);
    return is_error(e) ? NULL : e->stored.v;
}

// What argument i receives; a number stands for all its elements.
static Value *gradient_of(Sema *s, const OwnCall *c, const OwnCall *over, int i, Exp *e, Span at) {
    const Exp *x = c->arg[i].e;
    const char *id = tensor_params(c->def)->kid[i]->name;
    Shape shape = exp_axes(s, x), given = {0};
    if (is_error(e)) return NULL;
    bool fits = is_scalar_like(e);
    if (fits) given = exp_shape(s, e);
    if (fits && is_tensor(e)) {
        fits = given.rank == shape.rank;
        for (int k = 0; fits && k < shape.rank; k++)
            fits = dim_equal(given.axis[k].dim, shape.axis[k].dim);
    }
    if (!fits) {
        Diag *d = sema_error(s, at, "the gradient of `%s` by `%s` is %s, and `%s` has the shape %s",
                             c->def->name, id, exp_describe(s, e), id, shape_text(s, &shape));
        if (c->arg[i].span.file) diag_note(d, c->arg[i].span, "`%s` is given here", id);
        return NULL;
    }
    Scalar *body = to_real(s, exp_at(s, e, &shape));
    return sum_over_others(s, c, over, body, &shape, at);
}

static bool is_class(const Node *param) {
    return param->kid[0] && param->kid[0]->kid[0];
}

// One for each argument but classes, in order.
static bool match_gradients(Sema *s, const OwnCall *c, const OwnCall *over, Exp *e, Own *own) {
    const Node *params = tensor_params(c->def);
    Value **wrt = NEW_ARRAY(s->arena, Value *, c->n + 1);
    Value **gives = NEW_ARRAY(s->arena, Value *, c->n + 1);
    int n = 0, n_given = e->kind == EXP_tuple ? e->list.n : 1;
    Span at = s->result_span;
    for (int i = 0; i < c->n; i++) n += !is_class(params->kid[i]);
    if (is_error(e)) return false;
    if (n != n_given) {
        Diag *d = sema_error(s, at, "the gradient of `%s` has %d result%s, and this is %s",
                             c->def->name, n, plural(n), exp_describe(s, e));
        diag_note(d, params->span, "one for each argument that is no class");
        return false;
    }
    n = 0;
    for (int i = 0; i < c->n; i++) {
        if (is_class(params->kid[i])) continue;
        Exp *one = e->kind == EXP_tuple ? e->list.at[n] : e;
        n++;
        if (!takes_gradient(s, c->arg[i].e)) continue;
        Value *v = gradient_of(s, c, over, i, one, at);
        if (!v) return false;
        wrt[own->n] = c->arg[i].e->stored.v;
        gives[own->n++] = v;
    }
    own->wrt = wrt;
    own->gives = gives;
    return true;
}

static bool run_gradient(Sema *s, const OwnCall *c, const OwnCall *over, int n, Exp *const *result,
                         Own *own) {
    Exp **cot = NEW_ARRAY(s->arena, Exp *, n);
    Value **leaf = NEW_ARRAY(s->arena, Value *, n);
    for (int i = 0; i < n; i++) {
        Value *v = result[i]->stored.v;
        leaf[i] = build_cotangent(s->m, s->m->n_cotangent, &v->type, c->def->kid[4]->span);
        cot[i] = stored_over(s, leaf[i], over);
        for (int k = 0; k < v->type.rank; k++) set_origin(s, leaf[i], k, origin_of(s, v, k));
    }
    own->cot = leaf;
    own->n_cot = n;
    if (!bind_gradient(s, c, n, cot)) return false;
    int64_t multiply_adds = s->multiply_adds;  // of the forward pass alone
    const Node *outer = s->gradient;
    s->gradient = c->def->kid[4];
    Exp *e = run_body(s, c->def->kid[4]->kid[1], &(Node){0});
    s->gradient = outer;
    s->multiply_adds = multiply_adds;
    return match_gradients(s, c, over, e, own);
}

Exp *end_own(Sema *s, OwnCall *c, Exp *e) {
    if (!c || is_error(e)) return exp_error;
    bool has_tensor = false;
    for (int i = 0; i < c->n; i++) has_tensor |= takes_gradient(s, c->arg[i].e);
    if (!has_tensor) return e;
    int n = e->kind == EXP_tuple ? e->list.n : 1;
    Exp **result = NEW_ARRAY(s->arena, Exp *, n + 1);
    OwnCall over;
    Own own = {0};
    Span at = s->result_span;
    if (!store_results(s, c, e, n, result, &over)) return exp_error;
    if (!run_gradient(s, c, &over, n, result, &own)) return exp_error;
    s->result_span = at;
    for (own.place = 0; own.place < n; own.place++) {
        Value *v = own.of = result[own.place]->stored.v;
        Value *made = build_own(s->m, &own, v->span);
        for (int k = 0; k < v->type.rank; k++) set_origin(s, made, k, origin_of(s, v, k));
        result[own.place] = stored_over(s, made, &over);
    }
    if (e->kind != EXP_tuple) return result[0];
    Exp *all = exp_list(s, EXP_tuple, n, result);
    all->list.name = e->list.name;
    return all;
}
