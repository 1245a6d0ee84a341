// Reductions and the matrix product.
#include <string.h>

#include "sema/elab.h"

typedef struct Reducing {
    const Node *node;
    int slot[MAX_SLOTS], n;
    Guard where[MAX_SLOTS];
    int n_where;
    Scalar *filter;  // the part of `where` that is no list of guards, or NULL
} Reducing;

// ---- binders

static void bind_all(Sema *s, const Node *binders, Pack *pack) {
    for (int i = 0; i < binders->n; i++) {
        const Node *b = binders->kid[i];
        if (b->kind == NODE_pack)
            s->frame->live = pack;
        else
            bind_index(s, b->name, b->name_span, b->n ? b->kid[0] : NULL);
    }
}

static bool reduced_slots(Sema *s, const Node *binders, const Pack *pack, Reducing *r) {
    if (binders->n + pack->n > MAX_SLOTS)
        return fail(s, binders->span, "too many indices: the most is %d", MAX_SLOTS), false;
    for (int i = 0; i < binders->n; i++) {
        const Node *b = binders->kid[i];
        if (b->kind != NODE_pack) {
            Binding *own = find_binding(s->frame, b->name);
            if (r->n < MAX_SLOTS) r->slot[r->n++] = own->slot;
            continue;
        }
        if (!pack->is_known) {
            fail(s, b->span, "what `...` stands for is not known: it is in no subscript here");
            return false;
        }
        for (int k = 0; k < pack->n && r->n < MAX_SLOTS; k++) r->slot[r->n++] = pack->axis[k].slot;
    }
    return true;
}

// ---- where

static bool read_where(Sema *s, const Node *where, Reducing *r) {
    Exp *e = operand(s, expr(s, where), where);
    if (is_error(e)) return false;
    if (exp_elem(s, e) != ELEM_bool || exp_shape(s, e).rank) {
        fail(s, where->span, "`where` takes a truth value at each index, and this is %s",
             exp_describe(s, e));
        return false;
    }
    Scalar *condition = exp_at(s, e, &(Shape){0});
    if (!condition_guards(s, condition, r->where, MAX_SLOTS, &r->n_where)) {
        r->n_where = 0;
        r->filter = condition;
    }
    claims_of(s, condition, true, &s->known);
    return true;
}

// ---- kinds

static RedKind red_of(const Node *n) {
    if (is_word(n->name, "mean")) return RED_sum;
    for (int k = 1; k < N_RED; k++)
        if (is_word(n->name, red_name[k])) return k;
    return RED_none;
}

static Scalar *body_for(Sema *s, const Node *n, RedKind red, Scalar *x) {
    if (red == RED_any || red == RED_all) return x;
    return is_word(n->name, "mean") ? to_real(s, x) : to_number(s, x);
}

static Exp *reduce_body(Sema *s, const Reducing *r, RedKind red, Scalar *body, const Shape *axes) {
    if (r->filter) body = scalar_select(s->m, r->filter, body, red_identity(s->m, red, body->elem));
    Reduction x = {.red = red,
                   .nr = r->n,
                   .slot = r->slot,
                   .where = r->where,
                   .n_where = r->n_where,
                   .body = body,
                   .axes = *axes,
                   .span = r->node->span};
    return store_reduction(s, &x);
}

// 1 / the number of points: a constant, or over rows a constant times 1 / rows.
static Scalar *inverse_count(Sema *s, const Reducing *r) {
    double count = 1;
    Scalar *inverse = NULL;
    for (int i = 0; i < r->n; i++) {
        Dim d = s->slots.at[r->slot[i]].dim;
        count *= (double)d.n;
        if (!d.by) continue;
        Exp *rows = run_input(s, count_name(s, d.by, "run.inv_rows"), s->m->real);
        Scalar *one = exp_at(s, rows, &(Shape){0});
        inverse = inverse ? scalar_binary(s->m, OP_mul, inverse, one) : one;
    }
    if (!inverse) return scalar_real(s->m, 1 / count);
    return scalar_binary(s->m, OP_mul, inverse, scalar_real(s->m, 1 / count));
}

// The filtered mean divides by the points that are left.
static Exp *mean(Sema *s, const Reducing *r, Exp *sum) {
    Shape shape = exp_axes(s, sum);
    Scalar *total = exp_at(s, sum, &shape);
    if (!r->n_where && !r->filter)
        return exp_body(s, scalar_binary(s->m, OP_mul, total, inverse_count(s, r)), &shape);
    Exp *count = reduce_body(s, r, RED_sum, scalar_real(s->m, 1), &(Shape){0});
    if (is_error(count)) return count;
    Scalar *points = exp_at(s, count, &(Shape){0});
    return exp_body(s, scalar_binary(s->m, OP_div, total, points), &shape);
}

static Exp *reduce_term(Sema *s, const Reducing *r, Exp *e, RedKind red) {
    const Node *n = r->node;
    bool is_logic = red == RED_any || red == RED_all;
    if (is_logic && exp_elem(s, e) != ELEM_bool)
        return fail(s, n->kid[2]->span, "`%s` takes truth values, and this is %s", n->name,
                    exp_describe(s, e));
    Shape axes = exp_axes(s, e);
    Scalar *body = body_for(s, n, red, exp_at(s, e, &axes));
    Exp *result = reduce_body(s, r, red, body, &axes);
    if (is_error(result) || !is_word(n->name, "mean")) return result;
    return mean(s, r, result);
}

static Exp *reduce_inside(Sema *s, const Node *n, const Binding *outside, const Pack *pack) {
    const Node *binders = n->kid[0], *where = n->kid[1];
    Reducing r = {.node = n};
    if (where) infer_ranges(s, where);
    infer_ranges(s, n->kid[2]);
    bool is_good = !where || read_where(s, where, &r);
    Exp *e = operand(s, expr(s, n->kid[2]), n->kid[2]);
    if (is_error(e) || !is_good) return exp_error;
    if (!bindings_known(s, s->frame->binding, outside)) return exp_error;
    if (!reduced_slots(s, binders, pack, &r)) return exp_error;
    return reduce_term(s, &r, e, red_of(n));
}

Exp *reduce(Sema *s, const Node *n) {
    Frame *f = s->frame;
    Binding *outside = f->binding;
    Pack *live = f->live, pack = {0};
    bool is_indexed = f->is_indexed;
    int n_known = s->known.n;
    bind_all(s, n->kid[0], &pack);
    f->is_indexed = true;
    Exp *e = reduce_inside(s, n, outside, &pack);
    f->binding = outside;
    f->live = live;
    f->is_indexed = is_indexed;
    s->known.n = n_known;
    return e;
}

// ---- a @ b: the last axis of a against the last but one of b (its only one, for a vector)

static void report_inner(Sema *s, const Node *n, Axis a, Axis b) {
    Diag *d = sema_error(s, n->name_span, "the inner sizes of `@` differ: %s and %s",
                         dim_text(s, a.dim), dim_text(s, b.dim));
    diag_label(d, n->kid[0]->span, "%s here", dim_text(s, a.dim));
    diag_label(d, n->kid[1]->span, "%s here", dim_text(s, b.dim));
    if (a.from.file) diag_note(d, a.from, "%s comes from here", dim_text(s, a.dim));
    if (b.from.file) diag_note(d, b.from, "%s comes from here", dim_text(s, b.dim));
}

// The axes in front of the matrices; they broadcast where both have some.
static bool leading_axes(Sema *s, const Node *n, const Shape *a, int na, const Shape *b, int nb,
                         Shape *out) {
    Shape lead[2] = {*a, *b};
    Exp *e[2];
    lead[0].rank = na;
    lead[1].rank = nb;
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < lead[i].rank; k++)
            lead[i].axis[k] = axis_new(s, lead[i].axis[k].dim, lead[i].axis[k].from);
        e[i] = exp_body(s, scalar_real(s->m, 0), &lead[i]);
    }
    Span span[2] = {n->kid[0]->span, n->kid[1]->span};
    return broadcast(s, n->name_span, e, span, 2, out);
}

static Shape with_axis(Shape shape, Axis a) {
    shape.axis[shape.rank++] = a;
    return shape;
}

Exp *matrix_product(Sema *s, Exp *a, Exp *b, const Node *n) {
    a = operand(s, a, n->kid[0]);
    b = operand(s, b, n->kid[1]);
    if (is_error(a) || is_error(b)) return exp_error;
    Shape sa = exp_shape(s, a), sb = exp_shape(s, b);
    if (!sa.rank || !sb.rank)
        return fail(s, n->kid[sa.rank ? 1 : 0]->span, "`@` takes tensors with axes; use `*`");
    Axis ka = sa.axis[sa.rank - 1], kb = sb.axis[sb.rank > 1 ? sb.rank - 2 : 0];
    if (!dim_equal(ka.dim, kb.dim)) return report_inner(s, n, ka, kb), exp_error;
    Shape out;
    // With a matrix on the right, all axes of the left but the last are rows.
    int na = sa.rank - 1 - (sb.rank > 2 && sa.rank > 1), nb = sb.rank > 2 ? sb.rank - 2 : 0;
    if (!leading_axes(s, n, &sa, na, &sb, nb, &out)) return exp_error;
    Axis k = axis_new(s, ka.dim, ka.from);
    Shape at_a = out, at_b = out;
    if (na < sa.rank - 1) {
        Axis m = axis_new(s, sa.axis[na].dim, sa.axis[na].from);
        at_a = with_axis(at_a, m);
        out = with_axis(out, m);
    }
    at_a = with_axis(at_a, k);
    at_b = with_axis(at_b, k);
    if (sb.rank > 1) {
        Axis u = axis_new(s, sb.axis[sb.rank - 1].dim, sb.axis[sb.rank - 1].from);
        at_b = with_axis(at_b, u);
        out = with_axis(out, u);
    }
    Scalar *x = exp_at(s, a, &at_a), *y = exp_at(s, b, &at_b);
    as_numbers(s, &x, &y, false);
    Reduction r = {.red = RED_sum,
                   .nr = 1,
                   .slot = &k.slot,
                   .axes = out,
                   .span = n->span,
                   .body = scalar_binary(s->m, OP_mul, x, y)};
    return store_reduction(s, &r);
}
