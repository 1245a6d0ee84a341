// What generated functions are made of: the shapes of networks, and random boxes.
#include <math.h>
#include <string.h>

#include "tests/fuzz/gen.h"

static Value *index_value(Gen *g, const Box *b, RedKind red, const Guard *where, int n_where,
                          Scalar *body) {
    Index x = {.np = b->np, .nr = b->nr, .extent = b->extent, .red = red, .n_where = n_where,
               .where = where, .body = body};
    return add_value(g, build_index(g->m, &x, (Span){0}, NULL));
}

static Value *map_value(Gen *g, int rank, const Dim *dim, Scalar *body) {
    return add_value(g, build_map(g->m, rank, dim, body, (Span){0}, NULL));
}

static void double_range(Gen *g, Value *v, double *low, double *high) {
    *low = *high = 0;
    for (int i = 0; i < g->pool.n; i++)
        if (g->pool.at[i].v == v) {
            *low = g->pool.at[i].low;
            *high = g->pool.at[i].high;
            g->pool.at[i].is_read = true;
        }
}

static Ex range_of(Gen *g, Value *v, Scalar *read) {
    Ex e = {read, 0, 0};
    double_range(g, v, &e.low, &e.high);
    return e;
}

static Elem pick_elem(Gen *g) {
    int64_t how = pick(g, 20);
    return how < 13 ? g->m->real : how < 16 ? ELEM_i32 : how < 19 ? ELEM_bool : ELEM_u8;
}

// ---- random boxes

static Box random_box(Gen *g, int most_parallel) {
    Box b = {.np = (int)pick(g, most_parallel + 1)};
    Item *like = chance(g, 50) ? find_item(g, pick_elem(g), 1, most_parallel) : NULL;
    if (like) {
        b.np = like->v->type.rank;
        memcpy(b.extent, like->v->type.dim, sizeof(Dim) * (size_t)b.np);
        return b;
    }
    for (int i = 0; i < b.np; i++) b.extent[i] = pick_dim(g, i < 2 ? 65 : 9);
    return b;
}

static void add_map(Gen *g) {
    Box b = random_box(g, 4);
    if (!spend(g, &b)) return;
    begin_body(g);
    Scalar *body = gen_elem(g, &b, pick_elem(g), (int)between(g, 1, 4)).s;
    map_value(g, b.np, b.extent, body);
}

static bool is_arg(RedKind red) {
    return red == RED_argmax || red == RED_argmin;
}

static RedKind pick_red(Gen *g, Elem elem) {
    if (elem == ELEM_bool) return chance(g, 50) ? RED_any : RED_all;
    if (elem == ELEM_u8) return chance(g, 50) ? RED_max : RED_min;
    static const RedKind kinds[] = {RED_sum, RED_sum, RED_sum, RED_sum, RED_prod,
                                    RED_max, RED_max, RED_min, RED_argmax, RED_argmin};
    return kinds[pick(g, 10)];
}

// Its number among the points is asked for: only the first slot may be of a run-time extent.
static void add_reduced_slots(Gen *g, Box *b, RedKind red) {
    b->nr = (int)between(g, 1, 3);
    g->has_product |= red == RED_prod;
    bool is_long = b->nr == 1 && chance(g, 25);
    for (int i = 0; i < b->nr; i++) {
        int64_t most = red == RED_prod ? 5 : b->nr == 1 ? 65 : i == b->nr - 1 ? 33 : 6;
        Dim d = is_arg(red) && i ? dim_const(pick_extent(g, most)) : pick_dim(g, most);
        if (is_long && red != RED_prod) d = dim_const(between(g, 50, 200));
        b->extent[b->np + i] = d;
    }
}

static Ex reduced_body(Gen *g, const Box *b, RedKind red, Elem elem) {
    Module *m = g->m;
    if (red == RED_prod && elem == ELEM_i32) return gen_below(g, b, 3, 2);
    Ex e = gen_elem(g, b, elem, (int)between(g, 0, 3));
    if (red == RED_prod) {
        e = bounded(g, e, 0.9);
        e.s = scalar_binary(m, OP_add, e.s, scalar_real(m, 1));
    } else if (elem == ELEM_i32 && fmax(fabs(e.low), fabs(e.high)) > 1e5) {
        e.s = scalar_binary(m, OP_mod, e.s, scalar_int(m, 1009));
    }
    return e;
}

static void add_reduce(Gen *g) {
    Elem elem = pick_elem(g);
    RedKind red = pick_red(g, elem);
    Box b = random_box(g, 3);
    add_reduced_slots(g, &b, red);
    if (!spend(g, &b)) return;
    begin_body(g);
    Guard where[2];
    int n_where = chance(g, 20) ? (int)between(g, 1, 2) : 0;
    for (int i = 0; i < n_where; i++) where[i] = gen_guard(g, &b);
    index_value(g, &b, red, where, n_where, reduced_body(g, &b, red, elem).s);
}

// ---- contractions

enum { AXIS_h, AXIS_m, AXIS_m2, AXIS_n, AXIS_n2, AXIS_k, AXIS_k2, N_AXIS };

typedef struct Contraction {
    Dim extent[N_AXIS];
    bool has[N_AXIS];
    int slot[N_AXIS];
    Box box;
} Contraction;

static void place_axis(Contraction *c, int axis, bool is_reduced) {
    if (!c->has[axis]) return;
    c->slot[axis] = box_slots(&c->box);
    c->box.extent[c->slot[axis]] = c->extent[axis];
    if (is_reduced) c->box.nr++;
    else c->box.np++;
}

static void shuffle(Gen *g, int *at, int n) {
    for (int i = n - 1; i > 0; i--) {
        int k = (int)pick(g, i + 1), t = at[i];
        at[i] = at[k];
        at[k] = t;
    }
}

static void place_axes(Gen *g, Contraction *c) {
    int parallel[] = {AXIS_h, AXIS_m, AXIS_m2, AXIS_n, AXIS_n2}, reduced[] = {AXIS_k, AXIS_k2};
    if (chance(g, 15)) shuffle(g, parallel, 5);
    if (chance(g, 15)) shuffle(g, reduced, 2);
    for (int i = 0; i < 5; i++) place_axis(c, parallel[i], false);
    for (int i = 0; i < 2; i++) place_axis(c, reduced[i], true);
}

// A layer over what is there: the last axis is contracted.
static bool layer_over(Gen *g, Item *item, Contraction *c) {
    static const int before[] = {AXIS_m, AXIS_m2, AXIS_h};
    *c = (Contraction){.has = {[AXIS_n] = true}};
    int rank = item->v->type.rank;
    if (rank < 1 || rank > 4) return false;
    for (int i = 0; i < rank; i++) {
        int axis = i == rank - 1 ? AXIS_k : before[i];
        c->has[axis] = true;
        c->extent[axis] = item->v->type.dim[i];
    }
    c->extent[AXIS_n] = dim_const(between(g, 1, 20));
    place_axes(g, c);
    return true;
}

static Contraction random_contraction(Gen *g) {
    Item *item = chance(g, 40) ? find_item(g, g->m->real, 2, 3) : NULL;
    Contraction c;
    if (item && layer_over(g, item, &c)) return c;
    c = (Contraction){.has = {[AXIS_m] = chance(g, 92), [AXIS_n] = chance(g, 88), [AXIS_k] = true}};
    c.has[AXIS_h] = chance(g, 20);
    c.has[AXIS_m2] = chance(g, 15);
    c.has[AXIS_n2] = chance(g, 10);
    c.has[AXIS_k2] = chance(g, 20);
    c.extent[AXIS_h] = pick_dim(g, 6);
    c.extent[AXIS_m] = chance(g, 50) ? g->batch : pick_dim(g, 65);
    c.extent[AXIS_m2] = dim_const(pick_extent(g, 5));
    c.extent[AXIS_n] = chance(g, 70) ? dim_const(between(g, 1, 20)) : pick_dim(g, 65);
    c.extent[AXIS_n2] = dim_const(pick_extent(g, 5));
    c.extent[AXIS_k] = chance(g, 25) ? dim_const(between(g, 40, 200)) : pick_dim(g, 48);
    if (chance(g, 20)) c.extent[AXIS_k] = g->batch;
    c.extent[AXIS_k2] = pick_dim(g, 6);
    place_axes(g, &c);
    return c;
}

// A factor that has the axes given, in that order or another.
static Ex factor(Gen *g, const Contraction *c, const int *axes, int n) {
    int order[N_AXIS], rank = 0;
    for (int i = 0; i < n; i++)
        if (c->has[axes[i]] && !chance(g, 2)) order[rank++] = axes[i];
    if (chance(g, 35)) shuffle(g, order, rank);
    Dim dim[MAX_RANK];
    Affine at[MAX_RANK];
    for (int i = 0; i < rank; i++) {
        dim[i] = c->extent[order[i]];
        at[i] = slot(g, c->slot[order[i]]);
    }
    Value *v = operand(g, rank, dim);
    Ex e = range_of(g, v, scalar_read_at(g->m, v, at));
    if (chance(g, 15)) e.s = activation(g, e.s, e.low, e.high);
    return e;
}

// act(y + bias) over the axes of y.
static void add_epilogue(Gen *g, Value *y) {
    Module *m = g->m;
    int rank = y->type.rank;
    Box b = {.np = rank};
    memcpy(b.extent, y->type.dim, sizeof(Dim) * (size_t)rank);
    if (!elem_is_real(y->type.elem) || !spend(g, &b)) return;
    begin_body(g);
    Ex x = range_of(g, y, scalar_read_identity(m, y));
    if (rank && !y->type.dim[rank - 1].by && chance(g, 60)) {
        Value *bias = operand(g, 1, &y->type.dim[rank - 1]);
        Affine last = slot(g, rank - 1);
        Ex z = range_of(g, bias, scalar_read_at(m, bias, &last));
        x = (Ex){scalar_binary(m, OP_add, x.s, z.s), x.low + z.low, x.high + z.high};
    }
    Scalar *s = activation(g, x.s, x.low, x.high);
    if (chance(g, 15)) {  // dropout
        Affine place = affine_const(0);
        for (int i = 0; i < rank; i++)
            place = affine_add(m, affine_scale(m, place, dim_max(b.extent[i])), slot(g, i));
        uint32_t site = (uint32_t)(g->made->seed * 64 + g->n_rand++ % 64);
        Scalar *at = scalar_affine(m, place), *draw = scalar_rand(m, site, at);
        if (rank && chance(g, 40)) {  // by sample
            Scalar *sample = scalar_affine(m, affine_scale(m, slot(g, 0), between(g, -3, 3)));
            draw = scalar_op(m, OP_draw, scalar_int(m, site), sample, at);
        }
        s = scalar_select(m, scalar_binary(m, OP_lt, draw, scalar_real(m, 0.7)),
                          scalar_binary(m, OP_mul, s, scalar_real(m, 1 / 0.7)), scalar_real(m, 0));
    }
    map_value(g, rank, b.extent, s);
}

static void add_contract(Gen *g) {
    Contraction c;
    int attempts = 0;
    do c = random_contraction(g);
    while (++attempts < 8 && box_size(c.box.extent, box_slots(&c.box)) > fmin(g->budget, 12000));
    if (!spend(g, &c.box)) return;
    int left[] = {AXIS_h, AXIS_m, AXIS_m2, AXIS_k, AXIS_k2};
    int right[] = {AXIS_h, AXIS_k, AXIS_k2, AXIS_n, AXIS_n2};
    begin_body(g);
    Ex a = bounded(g, factor(g, &c, left, 5), 30), b = factor(g, &c, right, 5);
    Scalar *body = scalar_binary(g->m, OP_mul, a.s, b.s);
    if (chance(g, 6)) {
        int third[] = {AXIS_k};
        body = scalar_binary(g->m, OP_mul, body, factor(g, &c, third, 1).s);
    }
    Guard where = {affine_const(0), NULL, 0};
    int n_where = chance(g, 8);
    if (n_where) where = gen_guard(g, &c.box);
    Value *y = index_value(g, &c.box, RED_sum, &where, n_where, body);
    if (chance(g, 60)) add_epilogue(g, y);
}

// ---- convolutions and windows

typedef struct Window {
    int64_t size, stride, dilation, pad, out;
} Window;

static Window random_window(Gen *g, int64_t in) {
    for (int attempt = 0; attempt < 8; attempt++) {
        Window w = {between(g, 1, 3), between(g, 1, 2), 1, 0, 0};
        if (chance(g, 15)) w.size = 5;
        if (chance(g, 20)) w.dilation = 2;
        if (chance(g, 50)) w.pad = between(g, 1, 2);
        int64_t span = w.dilation * (w.size - 1) + 1;
        w.out = (in + 2 * w.pad - span) / w.stride + 1;
        if (in + 2 * w.pad >= span && w.out >= 1) return w;
    }
    return (Window){1, 1, 1, 0, in};
}

static Affine window_at(Gen *g, const Window *w, int outer, int inner) {
    Affine a = affine_add(g->m, affine_scale(g->m, slot(g, outer), w->stride),
                          affine_scale(g->m, slot(g, inner), w->dilation));
    return affine_add_const(a, -w->pad);
}

static Scalar *padding(Gen *g) {
    return scalar_real(g->m, chance(g, 85) ? 0 : -0.75);
}

// Something of the rank of images, its space of known extents.
static Value *image_of(Gen *g, int n_space) {
    Item *item = find_item(g, g->m->real, n_space + 2, n_space + 2);
    if (!item) return NULL;
    for (int i = 1; i < n_space + 2; i++)
        if (item->v->type.dim[i].by) return NULL;
    item->is_read = true;
    return item->v;
}

static void add_conv(Gen *g) {
    Module *m = g->m;
    int n_space = chance(g, 60) ? 2 : 1;
    bool is_first = chance(g, 15);  // channels before space
    Window w[2];
    Dim dim[4], out[4];
    dim[0] = out[0] = dim_max(g->batch) <= 5 ? g->batch : dim_const(between(g, 1, 3));
    int space = is_first ? 2 : 1, channel = is_first ? 1 : n_space + 1;
    static const int64_t few[] = {1, 1, 2, 3, 4, 5, 8}, filters[] = {1, 2, 3, 4, 6, 8, 16, 17};
    dim[channel] = dim_const(few[pick(g, 7)]);
    int64_t n_filter = filters[pick(g, 8)];
    Value *found = chance(g, 45) ? image_of(g, n_space) : NULL;
    bool is_wide = chance(g, 15);
    for (int i = 0; i < n_space; i++)
        dim[space + i] = dim_const(is_wide ? between(g, 12, 15) : between(g, 3, n_space == 1 ? 20 : 8));
    if (found) memcpy(dim, found->type.dim, sizeof(Dim) * (size_t)(n_space + 2));
    out[0] = dim[0];
    for (int i = 0; i < n_space; i++) {
        w[i] = random_window(g, dim[space + i].n);
        out[1 + i] = dim_const(w[i].out);
    }
    out[n_space + 1] = dim_const(n_filter);
    // y[b, i, j, f] = sum[u, v, c] x[b, i*s + u*d - p, ...] * k[u, v, c, f]
    Box b = {.np = n_space + 2, .nr = n_space + 1};
    memcpy(b.extent, out, sizeof(Dim) * (size_t)b.np);
    for (int i = 0; i < n_space; i++) b.extent[b.np + i] = dim_const(w[i].size);
    b.extent[b.np + n_space] = dim[channel];
    if (box_size(b.extent, box_slots(&b)) > (is_wide ? 40000 : 16000) || !spend(g, &b)) return;
    Value *x = found ? found : operand(g, n_space + 2, dim);
    Axes axes = {.n_guard = 0};
    axes.sub[0] = (Subscript){slot(g, 0), 1, NULL};
    axes.sub[channel] = (Subscript){slot(g, b.np + n_space), 1, NULL};
    for (int i = 0; i < n_space; i++) {
        Affine a = window_at(g, &w[i], 1 + i, b.np + i);
        axes.sub[space + i] = (Subscript){a, 1, NULL};
        add_axis_guards(g, &b, &axes, a, 1, dim[space + i].n);
    }
    Dim k_dim[4];
    Affine k_at[4];
    int order[4] = {b.np, b.np + 1, b.np + 2, n_space + 1};
    order[n_space + 1] = n_space + 1;
    if (chance(g, 20)) shuffle(g, order, n_space + 2);
    for (int i = 0; i < n_space + 2; i++) {
        k_dim[i] = b.extent[order[i]];
        k_at[i] = slot(g, order[i]);
    }
    Value *k = operand(g, n_space + 2, k_dim);
    Ex left = range_of(g, x, scalar_read(m, x, axes.sub, axes.guard, axes.n_guard, padding(g)));
    Ex right = range_of(g, k, scalar_read_at(m, k, k_at));
    if (chance(g, 10)) left.s = activation(g, left.s, left.low, left.high);
    Value *y = index_value(g, &b, RED_sum, NULL, 0, scalar_binary(m, OP_mul, left.s, right.s));
    if (chance(g, 60)) add_epilogue(g, y);
}

// A window over one or two axes of something of rank 2 or more.
static void add_pool(Gen *g) {
    Module *m = g->m;
    Elem elem = chance(g, 85) ? m->real : ELEM_i32;
    Item *item = find_item(g, elem, 2, 4);
    Value *x = item ? item->v : NULL;
    if (!x) {
        Dim dim[4] = {g->batch, dim_const(between(g, 3, 9)), dim_const(between(g, 3, 9)),
                      dim_const(between(g, 1, 5))};
        x = new_leaf(g, m->real, 4, dim, 0);
        elem = m->real;
    }
    int rank = x->type.rank, n_window = 0, at[2], first = (int)between(g, 0, rank - 1);
    Window w[2];
    Box b = {.np = rank};
    memcpy(b.extent, x->type.dim, sizeof(Dim) * (size_t)rank);
    for (int i = first; i < rank && n_window < 2; i++) {
        if (x->type.dim[i].by) continue;
        at[n_window] = i;
        w[n_window] = random_window(g, x->type.dim[i].n);
        b.extent[i] = dim_const(w[n_window].out);
        b.extent[rank + n_window] = dim_const(w[n_window].size);
        n_window++;
    }
    b.nr = n_window;
    if (!n_window || !spend(g, &b)) return;
    Axes axes = {.n_guard = 0};
    for (int i = 0; i < rank; i++) axes.sub[i] = (Subscript){slot(g, i), 1, NULL};
    for (int i = 0; i < n_window; i++) {
        Affine a = window_at(g, &w[i], at[i], rank + i);
        axes.sub[at[i]].a = a;
        add_axis_guards(g, &b, &axes, a, 1, x->type.dim[at[i]].n);
    }
    RedKind red = pick_red(g, elem);
    if (red == RED_prod) red = RED_sum;
    Ex e = range_of(g, x, NULL);
    double outside = red == RED_max ? -1e4 : red == RED_min ? 1e4 : 0;
    bool by_where = axes.n_guard && chance(g, 30);
    Scalar *otherwise = scalar_const(m, elem, outside);
    e.s = scalar_read(m, x, axes.sub, axes.guard, axes.n_guard, otherwise);
    index_value(g, &b, red, axes.guard, by_where ? axes.n_guard : 0, e.s);
}

// ---- rows

// The value read at all slots but `axis`, which is slot `at`.
static Scalar *read_row(Gen *g, Value *v, int axis, int at) {
    Affine a[MAX_RANK];
    for (int i = 0, s = 0; i < v->type.rank; i++) a[i] = i == axis ? slot(g, at) : slot(g, s++);
    return scalar_read_at(g->m, v, a);
}

typedef struct Row {
    Value *x;
    int axis, rank;
    Box reduced;  // parallel: all axes but one; reduced: that one
} Row;

static Value *reduce_row(Gen *g, const Row *r, RedKind red, Scalar *body) {
    return index_value(g, &r->reduced, red, NULL, 0, body);
}

// v, which lacks the axis, read over x's axes.
static Scalar *spread(Gen *g, const Row *r, Value *v) {
    Affine a[MAX_RANK];
    for (int i = 0, k = 0; i < r->rank; i++)
        if (i != r->axis) a[k++] = slot(g, i);
    return scalar_read_at(g->m, v, a);
}

static Value *over_row(Gen *g, const Row *r, Scalar *body) {
    return map_value(g, r->rank, r->x->type.dim, body);
}

static void add_softmax(Gen *g, const Row *r) {
    Module *m = g->m;
    int k = r->rank - 1;
    Value *x = r->x;
    Value *top = reduce_row(g, r, RED_max, read_row(g, x, r->axis, k));
    Scalar *from_top = scalar_binary(m, OP_sub, scalar_read_identity(m, x), spread(g, r, top));
    if (chance(g, 50)) {
        Value *e = over_row(g, r, scalar_unary(m, OP_exp, from_top));
        Value *sum = reduce_row(g, r, RED_sum, read_row(g, e, r->axis, k));
        over_row(g, r, scalar_binary(m, OP_div, scalar_read_identity(m, e), spread(g, r, sum)));
        return;
    }
    Affine same[MAX_RANK];  // of top, among the slots of the reduction
    for (int i = 0; i < r->rank - 1; i++) same[i] = slot(g, i);
    Scalar *d = scalar_binary(m, OP_sub, read_row(g, x, r->axis, k), scalar_read_at(m, top, same));
    Value *sum = reduce_row(g, r, RED_sum, scalar_unary(m, OP_exp, d));
    Value *lse = map_value(g, r->reduced.np, r->reduced.extent,
                           scalar_binary(m, OP_add, scalar_unary(m, OP_log, scalar_read_identity(m, sum)),
                                         scalar_read_identity(m, top)));
    if (r->axis == r->rank - 1 && chance(g, 60)) {  // minus the logit of the label
        Ex y = gen_below(g, &(Box){.np = r->reduced.np, .extent = {r->reduced.extent[0],
                         r->reduced.extent[1], r->reduced.extent[2]}}, x->type.dim[r->axis].n, 0);
        Subscript sub[MAX_RANK];
        for (int i = 0; i < r->rank; i++) sub[i] = (Subscript){slot(g, i), 1, NULL};
        sub[r->axis] = (Subscript){affine_const(0), 1, y.s};
        Scalar *logit = scalar_read(m, x, sub, NULL, 0, NULL);
        map_value(g, r->reduced.np, r->reduced.extent,
                  scalar_binary(m, OP_sub, scalar_read_identity(m, lse), logit));
    } else {
        over_row(g, r, scalar_binary(m, OP_sub, scalar_read_identity(m, x), spread(g, r, lse)));
    }
}

static void add_norm(Gen *g, const Row *r) {
    Module *m = g->m;
    int k = r->rank - 1;
    Value *x = r->x;
    double n = (double)dim_max(x->type.dim[r->axis]);
    Value *sum = reduce_row(g, r, RED_sum, read_row(g, x, r->axis, k));
    Value *mean = map_value(g, r->reduced.np, r->reduced.extent,
                            scalar_binary(m, OP_mul, scalar_read_identity(m, sum), scalar_real(m, 1 / n)));
    Affine same[MAX_RANK];
    for (int i = 0; i < k; i++) same[i] = slot(g, i);
    Scalar *d = scalar_binary(m, OP_sub, read_row(g, x, r->axis, k), scalar_read_at(m, mean, same));
    Value *squares = reduce_row(g, r, RED_sum, scalar_binary(m, OP_mul, d, d));
    Scalar *var = scalar_binary(m, OP_mul, spread(g, r, squares), scalar_real(m, 1 / n));
    Scalar *deviation = scalar_unary(m, OP_sqrt, scalar_binary(m, OP_add, var, scalar_real(m, 0.05)));
    Scalar *y = scalar_binary(m, OP_sub, scalar_read_identity(m, x), spread(g, r, mean));
    y = scalar_binary(m, OP_div, y, deviation);
    Dim d_axis = x->type.dim[r->axis];
    if (!d_axis.by && chance(g, 60)) {
        Value *gamma = operand(g, 1, &d_axis), *beta = operand(g, 1, &d_axis);
        Affine at = slot(g, r->axis);
        y = scalar_binary(m, OP_mul, y, scalar_read_at(m, gamma, &at));
        y = scalar_binary(m, OP_add, y, scalar_read_at(m, beta, &at));
    }
    over_row(g, r, y);
}

static void add_one_hot(Gen *g, const Row *r) {
    Module *m = g->m;
    RedKind red = chance(g, 50) ? RED_argmax : RED_argmin;
    if (r->x->type.dim[r->axis].by) return;
    Value *best = reduce_row(g, r, red, read_row(g, r->x, r->axis, r->rank - 1));
    Scalar *is_best = scalar_binary(m, OP_eq, scalar_iv(m, r->axis), spread(g, r, best));
    over_row(g, r, scalar_select(m, is_best, scalar_read_identity(m, r->x), scalar_real(m, 0)));
}

static void add_rows(Gen *g) {
    Item *item = find_item(g, g->m->real, 1, 3);
    Value *x = item ? item->v : NULL;
    if (!x || chance(g, 20)) {
        Dim dim[3] = {g->batch, pick_dim(g, 48), pick_dim(g, 6)};
        x = operand(g, (int)between(g, 1, 3), dim);
    }
    Row r = {.x = x, .rank = x->type.rank};
    r.axis = chance(g, 65) ? r.rank - 1 : (int)pick(g, r.rank);
    r.reduced = (Box){.np = r.rank - 1, .nr = 1};
    for (int i = 0, s = 0; i < r.rank; i++)
        r.reduced.extent[i == r.axis ? r.rank - 1 : s++] = x->type.dim[i];
    for (int i = 0; i < 4; i++)
        if (!spend(g, &r.reduced)) return;
    int64_t how = pick(g, 10);
    if (how < 4) add_softmax(g, &r);
    else if (how < 8) add_norm(g, &r);
    else add_one_hot(g, &r);
}

// ---- scatter

// Where on an axis of n points the box's points go; false where `where` must filter.
static Subscript target_axis(Gen *g, const Box *b, Dim d, unsigned *used, Axes *axes) {
    for (int s = 0; s < b->np; s++)
        if (dim_equal(b->extent[s], d) && !(*used >> s & 1) && (d.by || chance(g, 40))) {
            *used |= 1u << s;
            return (Subscript){slot(g, s), 1, NULL};
        }
    if (d.by) return (Subscript){affine_const(0), 1, NULL};
    if (!b->np || chance(g, 35)) {
        begin_body(g);
        return (Subscript){affine_const(0), 1, gen_below(g, b, d.n, 1).s};
    }
    int s = (int)pick(g, b->np), t = (int)pick(g, b->np);
    Affine a = affine_scale(g->m, slot(g, s), chance(g, 20) ? -1 : between(g, 1, 2));
    if (chance(g, 50)) a = affine_add(g->m, a, slot(g, t));
    *used |= 1u << s;
    int64_t div = chance(g, 12) ? 2 : 1;
    if (chance(g, 40)) a = affine_add_const(a, between(g, -1, 2));
    add_axis_guards(g, b, axes, a, div, d.n);
    return (Subscript){a, div, NULL};
}

static void add_scatter(Gen *g) {
    Module *m = g->m;
    Elem elem = chance(g, 80) ? m->real : ELEM_i32;
    Box b = random_box(g, 3);
    if (b.np < 3 && chance(g, 60)) b.extent[b.np++] = pick_dim(g, 8);
    if (!spend(g, &b)) return;
    RedKind red = chance(g, 75) ? RED_sum : chance(g, 50) ? RED_max : RED_min;
    Dim dim[3];
    int rank = (int)between(g, 0, 3);
    for (int i = 0; i < rank; i++)
        dim[i] = b.np && chance(g, 45) ? b.extent[pick(g, b.np)] : pick_dim(g, i ? 20 : 33);
    if (rank && b.np && !b.extent[b.np - 1].by && chance(g, 40)) dim[rank - 1] = b.extent[b.np - 1];
    Type t = type_tensor(elem, rank, dim);
    Axes axes = {.n_guard = 0};
    unsigned used = 0;
    for (int i = 0; i < rank; i++) axes.sub[i] = target_axis(g, &b, dim[i], &used, &axes);
    if (chance(g, 10)) axes.guard[axes.n_guard++] = gen_guard(g, &b);
    begin_body(g);
    Ex body = gen_elem(g, &b, elem, (int)between(g, 0, 2));
    if (elem == ELEM_i32 && fmax(fabs(body.low), fabs(body.high)) > 1e4)
        body.s = scalar_binary(m, OP_mod, body.s, scalar_int(m, 101));
    Value *init = NULL;
    if (chance(g, 40)) {
        if (elem == ELEM_i32) init = new_leaf(g, elem, rank, dim, 0);
        else init = operand(g, rank, dim);
    }
    // An element that arrives twice is a tie at which the extreme has no derivative.
    if (red != RED_sum) g->made->is_differentiable = false;
    Accumulate x = {.n = b.np, .extent = b.extent, .target = axes.sub, .red = red,
                    .n_where = axes.n_guard, .where = axes.guard, .body = body.s, .init = init};
    add_value(g, build_accumulate(m, &x, &t, (Span){0}, NULL));
}

// ---- structure

static void add_reshape(Gen *g) {
    Item *item = find_item(g, pick_elem(g), 1, 5);
    if (!item) return;
    Value *v = item->v;
    item->is_read = true;
    Dim dim[MAX_RANK];
    int rank = 0;
    for (int i = 0; i < v->type.rank; i++) {
        Dim d = v->type.dim[i];
        bool can_merge = rank && !d.by && chance(g, 45);
        if (can_merge) {
            dim[rank - 1].n *= d.n;
            continue;
        }
        int64_t by = between(g, 2, 4);
        if (!d.by && d.n > by && d.n % by == 0 && rank < 5 && chance(g, 40)) {
            dim[rank++] = dim_const(by);
            d.n /= by;
        }
        dim[rank++] = d;
    }
    if (chance(g, 15)) dim[rank++] = dim_const(1);
    add_value(g, build_reshape(g->m, v, rank, dim, (Span){0}));
}

// Like v, but with another extent on one axis: a slice, or something else of that shape.
static Value *piece_like(Gen *g, Value *v, int axis, int64_t n) {
    Dim dim[MAX_RANK];
    memcpy(dim, v->type.dim, sizeof dim);
    dim[axis] = dim_const(n);
    if (elem_is_real(v->type.elem) && chance(g, 30)) return operand(g, v->type.rank, dim);
    Box b = {.np = v->type.rank};
    memcpy(b.extent, dim, sizeof dim);
    if (!spend(g, &b)) return NULL;
    begin_body(g);
    if (chance(g, 50) && n <= v->type.dim[axis].n) {  // a slice, perhaps backwards
        Affine at[MAX_RANK];
        for (int i = 0; i < v->type.rank; i++) at[i] = slot(g, i);
        int64_t room = v->type.dim[axis].n - n;
        if (chance(g, 30)) at[axis] = affine_add_const(affine_scale(g->m, at[axis], -1), n - 1);
        at[axis] = affine_add_const(at[axis], between(g, 0, room));
        return map_value(g, v->type.rank, dim, scalar_read_at(g->m, v, at));
    }
    Scalar *body = gen_elem(g, &b, v->type.elem, 1).s;
    return map_value(g, v->type.rank, dim, body);
}

static void add_join(Gen *g) {
    Elem elem = pick_elem(g);
    Item *item = find_item(g, elem, 1, 4);
    if (!item) return;
    item->is_read = true;
    Value *v = item->v;
    int axis = (int)pick(g, v->type.rank), n = (int)between(g, 1, 3);
    if (v->type.dim[axis].by) return;
    int64_t step = chance(g, 30) ? between(g, 2, 3) : 1, length = v->type.dim[axis].n, at = 0;
    Piece piece[4];
    if (step > 1 && n > step) n = (int)step;
    for (int i = 0; i < n; i++) {
        int64_t size = step > 1 || chance(g, 30) ? length : between(g, 1, 6);
        Value *p = i == 0 || (size == length && chance(g, 40)) ? v : piece_like(g, v, axis, size);
        if (!p || p->type.elem != v->type.elem || p->type.dim[axis].by) return;
        if (!type_same_shape(&p->type, &v->type) && p->type.rank != v->type.rank) return;
        if (step == 1 && chance(g, 25)) at += between(g, 1, 2);
        piece[i] = (Piece){p, step > 1 ? i : at, step};
        at += p->type.dim[axis].n;
    }
    int64_t extent = step > 1 ? length * step + (chance(g, 30) ? 1 : 0)
                              : at + (chance(g, 25) ? between(g, 1, 3) : 0);
    if (step > 1 && extent > 60) return;
    double fill = chance(g, 60) || !elem_is_real(elem) ? (elem == ELEM_i32 ? -1 : 0) : 0.625;
    Dim d = dim_const(extent);
    add_value(g, build_join(g->m, axis, d, piece, n, fill, (Span){0}));
}

static void add_transpose(Gen *g) {
    Item *item = find_item(g, pick_elem(g), 2, 4);
    if (!item) return;
    item->is_read = true;
    Value *v = item->v;
    int order[MAX_RANK], rank = v->type.rank;
    for (int i = 0; i < rank; i++) order[i] = i;
    shuffle(g, order, rank);
    Box b = {.np = rank};
    Affine at[MAX_RANK];
    for (int i = 0; i < rank; i++) {  // slot i walks axis order[i]
        b.extent[i] = v->type.dim[order[i]];
        at[order[i]] = slot(g, i);
    }
    if (spend(g, &b)) map_value(g, rank, b.extent, scalar_read_at(g->m, v, at));
}

static void add_structure(Gen *g) {
    int64_t how = pick(g, 10);
    if (!g->pool.n) add_map(g);
    if (how < 4) add_reshape(g);
    else if (how < 8) add_join(g);
    else add_transpose(g);
}

void add_block(Gen *g, Kind kind) {
    switch (kind) {
        case KIND_map: add_map(g); break;
        case KIND_reduce: add_reduce(g); break;
        case KIND_contract: add_contract(g); break;
        case KIND_conv: add_conv(g); break;
        case KIND_pool: add_pool(g); break;
        case KIND_rows: add_rows(g); break;
        case KIND_scatter: add_scatter(g); break;
        case KIND_scan: add_scan(g); break;
        default: add_structure(g); break;
    }
}
