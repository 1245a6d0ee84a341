// How a generated function ends: a loss and its gradients, updates, results.
#include <stdio.h>
#include <string.h>

#include "ir/rewrite.h"
#include "tests/fuzz/gen.h"

typedef struct Ends {
    Gen *g;
    const Request *request;
    int n_output;
    VEC(Value *) updated;
    VEC(Value *) results;
} Ends;

static bool is_wanted(Ends *e) {
    int n = e->n_output++;
    if (e->request->value >= 0) return false;
    return n >= 64 || !(e->request->drop >> n & 1);
}

static void add_result(Ends *e, const char *text, Value *v) {
    for (int i = 0; i < e->results.n; i++)
        if (e->results.at[i] == v && chance(e->g, 80)) return;
    vec_push(e->g->a, &e->results, v);
    if (is_wanted(e)) function_result(e->g->f, text, v);
}

static void add_update(Ends *e, Value *target, Value *v) {
    for (int i = 0; i < e->updated.n; i++)
        if (e->updated.at[i] == target) return;
    vec_push(e->g->a, &e->updated, target);
    if (is_wanted(e)) function_update(e->g->f, target, v, (Span){0});
}

// ---- losses

static Scalar *loss_of_element(Gen *g, Scalar *x, double n) {
    Module *m = g->m;
    Scalar *weight = scalar_real(m, (chance(g, 50) ? 1 : -0.5) / n);
    switch (pick(g, 3)) {
        case 0: return scalar_binary(m, OP_mul, x, weight);
        case 1: return scalar_binary(m, OP_mul, scalar_binary(m, OP_mul, x, x), weight);
        default: return scalar_binary(m, OP_mul, scalar_unary(m, OP_tanh, x), weight);
    }
}

// A scalar that sums something of every element of v.
static Value *summed(Gen *g, Value *v) {
    Module *m = g->m;
    int rank = v->type.rank;
    Scalar *x = scalar_read_identity(m, v);
    Scalar *body = loss_of_element(g, x, (double)type_count(&v->type));
    Index sum = {.np = 0, .nr = rank, .extent = v->type.dim, .red = rank ? RED_sum : RED_none,
                 .body = body};
    return build_index(m, &sum, (Span){0}, NULL);
}

static Value *add_scalars(Gen *g, Value *a, Value *b) {
    Module *m = g->m;
    Scalar *body = scalar_binary(m, OP_add, scalar_read_identity(m, a), scalar_read_identity(m, b));
    return build_map(m, 0, NULL, body, (Span){0}, NULL);
}

static bool uses_leaf(Value *v) {
    return v->op <= VAL_state;
}

static Value *gen_loss(Gen *g) {
    Value *loss = NULL;
    int n = (int)between(g, 1, 3);
    for (int i = 0; i < n; i++) {
        Item *item = find_item(g, g->m->real, 0, 5);
        if (!item || uses_leaf(item->v)) continue;
        item->is_read = true;
        Value *term = summed(g, item->v);
        loss = loss ? add_scalars(g, loss, term) : term;
    }
    return loss;
}

static Value *real_leaf(Gen *g) {
    Value *found = NULL;
    int n = 0;
    for (int i = 0; i < g->pool.n; i++) {
        Value *v = g->pool.at[i].v;
        if (uses_leaf(v) && v->type.elem == g->m->real && pick(g, ++n) == 0) found = v;
    }
    return found;
}

static void add_gradients(Ends *e, Value *loss, const char *loss_name, int most, int level) {
    Gen *g = e->g;
    char text[32];
    int n = (int)between(g, 1, most);
    Value *last = NULL;
    Made *made = g->made;
    for (int i = 0; i < n; i++) {
        Value *wrt = real_leaf(g);
        if (!wrt) return;
        bool is_known = false;
        for (int k = 0; k < made->derivatives.n; k++)
            is_known |= made->derivatives.at[k].wrt == wrt &&
                        made->derivatives.at[k].loss == loss_name;
        if (is_known) continue;
        snprintf(text, sizeof text, "%s_by_%s", loss_name, wrt->leaf.name);
        Value *grad = build_grad(g->m, loss, wrt, (Span){0});
        add_result(e, text, grad);
        const char *grad_name = name(g->m->c->names, text);
        vec_push(g->a, &made->derivatives, ((Derivative){loss_name, grad_name, wrt}));
        last = grad;
    }
    if (!level || !last || !chance(g, 12)) return;
    Value *second = summed(g, last);
    add_result(e, "norm", second);
    add_gradients(e, second, name(g->m->c->names, "norm"), 2, level - 1);
}

// ---- Jacobians, each summed with weights to the gradient of the same sum of what it is of

static Scalar *weight_of(Gen *g, int rank) {
    Module *m = g->m;
    Affine number = affine_const(1);
    for (int i = 0; i < rank; i++)
        number = affine_add(m, affine_scale(m, number, 3), affine_slot(m, i));
    return scalar_unary(m, OP_sin, scalar_unary(m, OP_to_real, scalar_affine(m, number)));
}

// The sum over the first axes, as many as `of` has.
static Value *weighed(Gen *g, Value *v, int rank) {
    Module *m = g->m;
    int rest = v->type.rank - rank;
    Affine to[MAX_SLOTS], at[MAX_RANK];
    Dim extent[MAX_SLOTS];
    for (int i = 0; i < rank; i++) to[i] = affine_slot(m, rest + i);
    for (int i = 0; i < v->type.rank; i++) {
        at[i] = affine_slot(m, i < rank ? rest + i : i - rank);
        extent[i < rank ? rest + i : i - rank] = v->type.dim[i];
    }
    Scalar *weight = scalar_subst(m, weight_of(g, rank), to);
    Index sum = {.np = rest, .nr = rank, .extent = extent, .red = rank ? RED_sum : RED_none,
                 .body = scalar_binary(m, OP_mul, scalar_read_at(m, v, at), weight)};
    return build_index(m, &sum, (Span){0}, NULL);
}

static void add_jacobian(Ends *e) {
    Gen *g = e->g;
    Item *item = find_item(g, g->m->real, 1, 3);
    Value *wrt = real_leaf(g);
    const int64_t most = 20000;
    if (!item || uses_leaf(item->v) || !wrt || item->v->type.rank + wrt->type.rank > 5) return;
    if (type_count(&item->v->type) * type_count(&wrt->type) > most) return;
    item->is_read = true;
    Value *jacobian = build_grad(g->m, item->v, wrt, (Span){0});
    int rank = item->v->type.rank;
    const char *of_name = name(g->m->c->names, "weighed");
    const char *grad_name = name(g->m->c->names, "weighed_jacobian");
    add_result(e, of_name, weighed(g, item->v, rank));
    add_result(e, grad_name, weighed(g, jacobian, rank));
    vec_push(g->a, &g->made->derivatives, ((Derivative){of_name, grad_name, wrt}));
}

// ---- updates

static Value *map_like(Gen *g, Value *v, Scalar *body) {
    return build_map(g->m, v->type.rank, v->type.dim, body, (Span){0}, NULL);
}

static Scalar *mixed(Gen *g, Scalar *a, double x, Scalar *b, double y) {
    Module *m = g->m;
    return scalar_binary(m, OP_add, scalar_binary(m, OP_mul, a, scalar_real(m, x)),
                         scalar_binary(m, OP_mul, b, scalar_real(m, y)));
}

static Value *state_like(Gen *g, Value *v) {
    for (int attempt = 0; attempt < 8; attempt++) {
        Value *leaf = new_leaf(g, v->type.elem, v->type.rank, v->type.dim, v->type.below);
        if (leaf->op != VAL_input) return leaf;
    }
    return v;
}

static void train(Ends *e, Value *w, Value *grad) {
    Gen *g = e->g;
    Module *m = g->m;
    Scalar *x = scalar_read_identity(m, w), *dx = scalar_read_identity(m, grad);
    if (chance(g, 40)) {
        add_update(e, w, map_like(g, w, mixed(g, x, 1, dx, -0.1)));
        return;
    }
    Value *velocity = state_like(g, w);
    if (velocity == w) return;
    Value *next = map_like(g, w, mixed(g, scalar_read_identity(m, velocity), 0.9, dx, 1));
    Scalar *moved = mixed(g, x, 1, scalar_read_identity(m, next), -0.05);
    if (chance(g, 40)) {  // as adam divides
        Scalar *square = scalar_binary(m, OP_mul, dx, dx);
        Scalar *root = scalar_unary(m, OP_sqrt, scalar_binary(m, OP_add, square, scalar_real(m, 0.01)));
        moved = scalar_binary(m, OP_sub, x, scalar_binary(m, OP_div, scalar_read_identity(m, next), root));
    }
    Value *new_w = map_like(g, w, moved);
    if (chance(g, 50)) {
        add_update(e, velocity, next);
        add_update(e, w, new_w);
    } else {
        add_update(e, w, new_w);
        add_update(e, velocity, next);
    }
}

// The leaf read elsewhere than at the point: backwards, or one before.
static Scalar *read_elsewhere(Gen *g, Value *v) {
    Affine at[MAX_RANK];
    Axes x = {.n_guard = 0};
    int axis = (int)pick(g, v->type.rank);
    for (int i = 0; i < v->type.rank; i++) at[i] = slot(g, i);
    Dim d = v->type.dim[axis];
    if (!d.by && chance(g, 50)) {
        at[axis] = affine_add_const(affine_scale(g->m, at[axis], -1), d.n - 1);
    } else {
        at[axis] = affine_add_const(at[axis], -1);
        x.guard[x.n_guard++] = (Guard){at[axis], NULL, 0};
    }
    for (int i = 0; i < v->type.rank; i++) x.sub[i] = (Subscript){at[i], 1, NULL};
    return scalar_read(g->m, v, x.sub, x.guard, x.n_guard, scalar_const(g->m, v->type.elem, 0));
}

static void swap(Ends *e, Value *a) {
    Gen *g = e->g;
    Value *b = state_like(g, a);
    if (a == b) return;
    Scalar *x = scalar_read_identity(g->m, a), *y = scalar_read_identity(g->m, b);
    bool is_real = elem_is_real(a->type.elem);
    if (!is_real || chance(g, 40)) {
        add_update(e, a, b);
        add_update(e, b, a);
    } else {
        add_update(e, a, map_like(g, a, mixed(g, y, 0.75, x, 0.25)));
        add_update(e, b, chance(g, 50) ? a : map_like(g, a, mixed(g, x, 0.5, y, 2)));
    }
}

static void accumulate_into(Ends *e, Value *target) {
    Gen *g = e->g;
    if (!target->type.rank || target->type.rank > 3) return;
    Box b = {.np = target->type.rank};
    memcpy(b.extent, target->type.dim, sizeof(Dim) * MAX_RANK);
    Subscript sub[MAX_RANK];
    begin_body(g);
    for (int i = 0; i < b.np; i++) {
        sub[i] = (Subscript){slot(g, i), 1, NULL};
        if (!b.extent[i].by && chance(g, 50))
            sub[i] = (Subscript){affine_const(0), 1, gen_below(g, &b, b.extent[i].n, 0).s};
    }
    Accumulate x = {.n = b.np, .extent = b.extent, .target = sub, .red = RED_sum,
                    .body = gen_real(g, &b, 1).s, .init = target};
    Type t = target->type;
    add_update(e, target, build_accumulate(g->m, &x, &t, (Span){0}, NULL));
}

static Value *same_type(Gen *g, Value *like) {
    Value *found = NULL;
    int n = 0;
    for (int i = 0; i < g->pool.n; i++) {
        Value *v = g->pool.at[i].v;
        if (v != like && v->type.elem == like->type.elem && type_same_shape(&v->type, &like->type) &&
            v->type.below == like->type.below && pick(g, ++n) == 0)
            found = v;
    }
    return found;
}

static void update(Ends *e, Value *v) {
    Gen *g = e->g;
    Module *m = g->m;
    Box b = {.np = v->type.rank};
    memcpy(b.extent, v->type.dim, sizeof(Dim) * MAX_RANK);
    Scalar *x = scalar_read_identity(m, v);
    Value *other = same_type(g, v);
    if (other && chance(g, 30)) {
        add_update(e, v, other);
        return;
    }
    if (v->type.elem == ELEM_i32 && !v->type.below) {
        add_update(e, v, map_like(g, v, scalar_binary(m, OP_add, x, scalar_int(m, 1))));
        return;
    }
    if (!elem_is_real(v->type.elem)) {
        if (v->type.rank && chance(g, 50)) add_update(e, v, map_like(g, v, read_elsewhere(g, v)));
        else if (chance(g, 50)) swap(e, v);
        return;
    }
    begin_body(g);
    switch (pick(g, 5)) {
        case 0: add_update(e, v, map_like(g, v, mixed(g, x, 0.5, gen_real(g, &b, 1).s, 1))); break;
        case 1:
            if (v->type.rank)
                add_update(e, v, map_like(g, v, mixed(g, x, 0.5, read_elsewhere(g, v), 0.25)));
            break;
        case 2: swap(e, v); break;
        case 3: accumulate_into(e, v); break;
        default: add_update(e, v, map_like(g, v, gen_real(g, &b, 2).s)); break;
    }
}

static void add_updates(Ends *e) {
    Gen *g = e->g;
    for (int i = 0; i < g->made->derivatives.n; i++) {
        Derivative *d = &g->made->derivatives.at[i];
        if (d->wrt->op == VAL_input || !chance(g, 50)) continue;
        Value *grad = NULL;
        for (int k = 0; k < e->results.n; k++)
            if (e->results.at[k]->op == VAL_grad && e->results.at[k]->grad.wrt == d->wrt)
                grad = e->results.at[k];
        if (grad) train(e, d->wrt, grad);
    }
    for (int i = 0, n = g->pool.n; i < n && e->updated.n < 4; i++) {
        Value *v = g->pool.at[i].v;
        if (uses_leaf(v) && v->op != VAL_input && chance(g, 30)) update(e, v);
    }
}

// ---- results

static void add_results(Ends *e) {
    Gen *g = e->g;
    char text[32];
    int n = 0;
    for (int i = g->pool.n; i-- > 0;) {
        Item *item = &g->pool.at[i];
        bool is_leaf = uses_leaf(item->v);
        if (n < 4 && chance(g, is_leaf ? 4 : item->is_read ? 12 : 75)) {
            snprintf(text, sizeof text, "r%d", n++);
            add_result(e, text, item->v);
        }
    }
    if (!n && g->pool.n) add_result(e, "r0", g->pool.at[g->pool.n - 1].v);
}

void add_ends(Gen *g, const Request *r) {
    Ends e = {.g = g, .request = r};
    Value *loss = chance(g, 55) ? gen_loss(g) : NULL;
    if (loss) {
        add_result(&e, "loss", loss);
        add_gradients(&e, loss, name(g->m->c->names, "loss"), 3, g->has_product ? 0 : 1);
    }
    if (!g->has_product && chance(g, 25)) add_jacobian(&e);
    if (chance(g, 45)) add_updates(&e);
    add_results(&e);
    g->made->n_output = e.n_output;
    if (r->value >= 0 && r->value < g->pool.n) function_result(g->f, "r0", g->pool.at[r->value].v);
}
