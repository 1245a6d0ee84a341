// Scans: one to three carries, and members of all kinds at each step.
//
// While a scan is made, what depends on its carries stands in the pool like everything else, but is
// read at the step under way only: slots 0 .. n_step-1 of every box count steps. Nothing of it can
// be evaluated yet, so that its range is what its parts' ranges allow.
#include <math.h>
#include <string.h>

#include "ir/recur.h"
#include "ir/rewrite.h"
#include "tests/fuzz/gen.h"

// Of scans inside of scans (MAX_DEPTH 2) there is none yet.
enum { MAX_CARRIES = 3, MAX_MEMBERS = 5, MAX_DEPTH = 1 };

// ---- what depends on the carries of which scans, as a bit for each axis of steps

static unsigned open_scans(Gen *g, Value *v) {
    unsigned known = (unsigned)(uintptr_t)map_get(g->open, v);
    if (known) return known - 1;
    unsigned bits = 0;
    Values operands = value_operands(v, g->a);
    for (int i = 0; i < operands.n; i++) bits |= open_scans(g, operands.at[i]);
    if (v->op == VAL_scan) bits &= ~(1u << v->scan.axis);
    map_set(g->open, v, (void *)(uintptr_t)(bits + 1));
    return bits;
}

int steps_of(Gen *g, Value *v) {
    if (!g->n_step) return 0;
    int n = 0;
    for (unsigned bits = open_scans(g, v); bits; bits >>= 1) n++;
    return n;
}

static void add_open(Gen *g, Value *v, double low, double high) {
    for (int i = 0; i < g->pool.n; i++)
        if (g->pool.at[i].v == v) return;
    vec_push(g->a, &g->pool, ((Item){.v = v, .low = low, .high = high}));
}

static void add_member(Gen *g, Value *v, double low, double high) {
    if (steps_of(g, v)) add_open(g, v, low, high);
    else add_value(g, v);
}

static Ex item_at_step(Gen *g, Item *item) {
    item->is_read = true;
    return (Ex){scalar_read_identity(g->m, item->v), item->low, item->high};
}

// ---- boxes

static Box step_box(Gen *g) {
    Box b = {.np = g->n_step};
    memcpy(b.extent, g->step, sizeof *g->step * (size_t)g->n_step);
    return b;
}

static void add_axes(Gen *g, Box *b, int n) {
    for (int i = 0; i < n; i++) b->extent[b->np++] = i ? dim_const(pick_extent(g, 6)) : pick_dim(g, 17);
}

// Something of the scan under way with an axis of its own; NULL where there is none.
static Item *open_item(Gen *g, int min_rank) {
    for (int attempt = 0; attempt < 6; attempt++) {
        Item *item = find_item(g, g->m->real, g->n_step + min_rank, 5);
        if (item && steps_of(g, item->v) == g->n_step) return item;
    }
    return NULL;
}

static Value *index_of(Gen *g, const Box *b, RedKind red, const Guard *where, int n_where, Scalar *body) {
    Index x = {.np = b->np, .nr = b->nr, .extent = b->extent, .red = red, .n_where = n_where,
               .where = where, .body = body};
    return build_index(g->m, &x, (Span){0}, NULL);
}

// ---- members

static void member_map(Gen *g) {
    Box b = step_box(g);
    Item *like = chance(g, 60) ? open_item(g, 0) : NULL;
    if (like) {
        b.np = like->v->type.rank;
        memcpy(b.extent, like->v->type.dim, sizeof(Dim) * (size_t)b.np);
    } else {
        add_axes(g, &b, (int)pick(g, 3));
    }
    if (!spend(g, &b)) return;
    begin_body(g);
    Elem elem = chance(g, 80) ? g->m->real : chance(g, 60) ? ELEM_i32 : ELEM_bool;
    Ex e = gen_elem(g, &b, elem, (int)between(g, 1, 3));
    if (elem_is_real(elem)) e = bounded(g, e, 100);
    if (elem == ELEM_i32 && fmax(fabs(e.low), fabs(e.high)) > 1e5)
        e = (Ex){scalar_binary(g->m, OP_mod, e.s, scalar_int(g->m, 97)), 0, 96};
    add_member(g, build_map(g->m, b.np, b.extent, e.s, (Span){0}, NULL), e.low, e.high);
}

static void member_contract(Gen *g) {
    Module *m = g->m;
    Item *item = open_item(g, 1);
    if (!item) return;
    Value *x = item->v;
    double reach = fmax(fabs(item->low), fabs(item->high));
    item->is_read = true;
    int rank = x->type.rank, axis = chance(g, 75) ? rank - 1 : (int)between(g, g->n_step, rank - 1);
    Box b = {.np = rank, .nr = 1};
    memcpy(b.extent, x->type.dim, sizeof(Dim) * (size_t)rank);
    b.extent[axis] = dim_const(chance(g, 50) ? pick_extent(g, 17) : dim_max(x->type.dim[axis]));
    b.extent[rank] = x->type.dim[axis];
    if (!spend(g, &b)) return;
    Dim dim[2] = {x->type.dim[axis], b.extent[axis]};
    Affine at[MAX_RANK], w_at[2] = {slot(g, rank), slot(g, axis)};
    bool is_turned = chance(g, 30);
    Value *w = operand(g, 2, is_turned ? (Dim[]){dim[1], dim[0]} : dim);
    if (is_turned) {
        w_at[0] = slot(g, axis);
        w_at[1] = slot(g, rank);
    }
    for (int i = 0; i < rank; i++) at[i] = slot(g, i == axis ? rank : i);
    double most = 0;
    for (int i = 0; i < g->pool.n; i++)
        if (g->pool.at[i].v == w) most = fmax(fabs(g->pool.at[i].low), fabs(g->pool.at[i].high));
    Scalar *body = scalar_binary(m, OP_mul, scalar_read_at(m, x, at), scalar_read_at(m, w, w_at));
    most *= reach * (double)dim_max(dim[0]);
    add_member(g, index_of(g, &b, RED_sum, NULL, 0, body), -most, most);
}

static void member_reduce(Gen *g) {
    static const RedKind kinds[] = {RED_sum, RED_sum, RED_sum, RED_max, RED_min, RED_argmax};
    RedKind red = kinds[pick(g, 6)];
    Box b = step_box(g);
    add_axes(g, &b, (int)pick(g, 3));
    b.nr = red == RED_argmax ? 1 : (int)between(g, 1, 2);
    for (int i = 0; i < b.nr; i++) b.extent[b.np + i] = pick_dim(g, i ? 5 : 17);
    if (!spend(g, &b)) return;
    begin_body(g);
    Guard where = {affine_const(0), NULL, 0};
    bool has_where = red == RED_sum && chance(g, 20);
    if (has_where) where = gen_guard(g, &b);
    Ex e = bounded(g, gen_real(g, &b, (int)between(g, 0, 2)), 100);
    double n = box_size(b.extent + b.np, b.nr);
    if (red == RED_sum) e = (Ex){e.s, n * fmin(e.low, 0), n * fmax(e.high, 0)};
    if (red == RED_argmax) e = (Ex){e.s, 0, n - 1};
    add_member(g, index_of(g, &b, red, &where, has_where, e.s), e.low, e.high);
}

// exp(x - max x) / sum, over the last axis.
static void member_softmax(Gen *g) {
    Module *m = g->m;
    Item *item = open_item(g, 1);
    if (!item) return;
    Ex x = bounded(g, item_at_step(g, item), 8);
    Type t = item->v->type;
    int k = t.rank - 1;
    Box b = {.np = k, .nr = 1};
    memcpy(b.extent, t.dim, sizeof(Dim) * (size_t)t.rank);
    if (!spend(g, &b)) return;
    Affine row[MAX_RANK];
    for (int i = 0; i < k; i++) row[i] = slot(g, i);
    Value *top = index_of(g, &b, RED_max, NULL, 0, x.s);
    Scalar *e = scalar_unary(m, OP_exp, scalar_binary(m, OP_sub, x.s, scalar_read_at(m, top, row)));
    Value *ex = build_map(m, t.rank, t.dim, e, (Span){0}, NULL);
    Value *sum = index_of(g, &b, RED_sum, NULL, 0, scalar_read_identity(m, ex));
    Scalar *part = scalar_binary(m, OP_div, scalar_read_identity(m, ex), scalar_read_at(m, sum, row));
    add_member(g, build_map(m, t.rank, t.dim, part, (Span){0}, NULL), 0, 1);
}

static void member_scatter(Gen *g) {
    Module *m = g->m;
    Box b = step_box(g);
    add_axes(g, &b, (int)between(g, 1, 2));
    if (!spend(g, &b)) return;
    Type t = type_tensor(m->real, b.np, b.extent);
    Subscript sub[MAX_RANK];
    begin_body(g);
    for (int i = 0; i < b.np; i++) sub[i] = (Subscript){slot(g, i), 1, NULL};
    int axis = b.np - 1;
    t.dim[axis] = dim_const(pick_extent(g, 9));
    sub[axis] = (Subscript){affine_const(0), 1, gen_below(g, &b, t.dim[axis].n, 1).s};
    Ex e = bounded(g, gen_real(g, &b, 1), 50);
    double most = fmax(fabs(e.low), fabs(e.high)) * (double)dim_max(b.extent[axis]);
    Accumulate x = {.n = b.np, .extent = b.extent, .target = sub, .red = RED_sum, .body = e.s};
    add_member(g, build_accumulate(m, &x, &t, (Span){0}, NULL), -most, most);
}

static void member_join(Gen *g) {
    Item *item = open_item(g, 1);
    if (!item) return;
    Value *v = item->v;
    Type t = v->type;
    double low = fmin(item->low, 0), high = fmax(item->high, 0);
    int axis = (int)between(g, g->n_step, t.rank - 1);
    if (t.dim[axis].by) return;
    item->is_read = true;
    Value *other = v;
    if (chance(g, 70)) {
        other = operand(g, t.rank, t.dim);
        for (int i = 0; i < g->pool.n; i++)
            if (g->pool.at[i].v == other) {
                low = fmin(low, g->pool.at[i].low);
                high = fmax(high, g->pool.at[i].high);
            }
    }
    int64_t n = t.dim[axis].n, room = between(g, 0, 2);
    Piece near[2] = {{v, 0, 1}, {other, n + room, 1}}, mixed[2] = {{v, 0, 2}, {other, 1, 2}};
    bool is_mixed = chance(g, 40);
    add_member(g, build_join(g->m, axis, dim_const(2 * n + (is_mixed ? 0 : room)),
                             is_mixed ? mixed : near, chance(g, 75) ? 2 : 1, 0, (Span){0}), low, high);
}

static void member_reshape(Gen *g) {
    Item *item = open_item(g, 1);
    if (!item) return;
    Type t = item->v->type;
    int k = t.rank - 1;
    if (t.dim[k].by) return;
    item->is_read = true;
    double low = item->low, high = item->high;
    if (k > g->n_step && !t.dim[k - 1].by && chance(g, 60)) {
        t.dim[k - 1].n *= t.dim[k].n;
        t.rank--;
    } else {
        int64_t by = between(g, 1, 3);
        if (t.dim[k].n % by || t.rank > 4) return;
        t.dim[k].n /= by;
        t.dim[t.rank++] = dim_const(by);
    }
    add_member(g, build_reshape(g->m, item->v, t.rank, t.dim, (Span){0}), low, high);
}

static void make_member(Gen *g) {
    switch (pick(g, 12)) {
        case 0:
        case 1:
        case 2: member_contract(g); break;
        case 3:
        case 4: member_reduce(g); break;
        case 5: member_softmax(g); break;
        case 6: member_scatter(g); break;
        case 7: member_join(g); break;
        case 8: member_reshape(g); break;
        case 9:
            if (g->n_step < MAX_DEPTH && chance(g, 50)) {
                add_scan(g);
                break;
            }  // fall through
        default: member_map(g); break;
    }
}

// ---- carries

typedef struct CarryMade {
    Box at;       // of a step, the axes of steps among them
    double most;  // of a real: its elements stay within it
} CarryMade;

// What the first step finds: it lacks the innermost axis of steps.
static Value *make_init(Gen *g, const Type *t, CarryMade *made) {
    Module *m = g->m;
    if (!elem_is_real(t->elem)) return new_leaf(g, t->elem, t->rank, t->dim, t->below);
    if (chance(g, 25)) return build_map(m, t->rank, t->dim, scalar_real(m, 0), (Span){0}, NULL);
    Box b = {.np = t->rank};
    memcpy(b.extent, t->dim, sizeof(Dim) * (size_t)t->rank);
    if (chance(g, 50)) {
        Value *v = operand(g, t->rank, t->dim);
        for (int i = 0; i < g->pool.n; i++)
            if (g->pool.at[i].v == v)
                made->most = fmax(made->most, fmax(fabs(g->pool.at[i].low), fabs(g->pool.at[i].high)));
        return v;
    }
    begin_body(g);
    Ex e = bounded(g, gen_real(g, &b, 1), made->most);
    return build_map(m, t->rank, t->dim, e.s, (Span){0}, NULL);
}

static Carry make_carry(Gen *g, int axis, Dim steps, const Carry *before, CarryMade *made) {
    Type init = type_scalar(g->m->real);
    if (before && chance(g, 60)) {
        init = before->init->type;
        init.elem = g->m->real;
        init.below = 0;
    } else {
        Box b = step_box(g);
        add_axes(g, &b, (int)between(g, chance(g, 90), 2));
        init = type_tensor(g->m->real, b.np, b.extent);
    }
    if (chance(g, 12)) {
        init.elem = chance(g, 70) ? ELEM_i32 : ELEM_bool;
        init.below = init.elem == ELEM_i32 ? between(g, 1, 9) : 0;
    }
    made->most = (double)between(g, 4, 10) / 4;
    Carry c = {.init = make_init(g, &init, made)};
    Type t = init;
    memmove(t.dim + axis + 1, t.dim + axis, sizeof(Dim) * (size_t)(t.rank++ - axis));
    t.dim[axis] = steps;
    c.leaf = build_carry(g->m, t, (Span){0}, NULL);
    made->at = (Box){.np = t.rank};
    memcpy(made->at.extent, t.dim, sizeof(Dim) * (size_t)t.rank);
    return c;
}

static Ex times(Gen *g, Ex a, Ex b) {
    double most = fmax(fabs(a.low), fabs(a.high)) * fmax(fabs(b.low), fabs(b.high));
    return (Ex){scalar_binary(g->m, OP_mul, a.s, b.s), -most, most};
}

static Ex plus(Gen *g, Ex a, Ex b) {
    return (Ex){scalar_binary(g->m, OP_add, a.s, b.s), a.low + b.low, a.high + b.high};
}

// A real within what the carry may be: mixed with what it was.
static Ex next_real(Gen *g, const Carry *c, const CarryMade *made) {
    Module *m = g->m;
    Ex h = {scalar_read_identity(m, c->leaf), -made->most, made->most};
    Ex x = bounded(g, gen_real(g, &made->at, (int)between(g, 1, 2)), 20);
    Ex sum = chance(g, 85) ? plus(g, x, h) : x;
    Ex c_new = {scalar_unary(m, OP_tanh, sum.s), -1, 1};
    if (made->most < 1) c_new = bounded(g, c_new, made->most);
    switch (pick(g, 5)) {
        case 0:
        case 1: return c_new;
        case 2: return bounded(g, sum, made->most);
        case 3: {  // s h + (1 - s) c
            Ex y = chance(g, 50) ? sum : bounded(g, gen_real(g, &made->at, 1), 20);
            Ex s = {scalar_unary(m, OP_sigmoid, y.s), 0, 1};
            Ex rest = {scalar_binary(m, OP_sub, scalar_real(m, 1), s.s), 0, 1};
            Ex e = plus(g, times(g, s, h), times(g, rest, c_new));
            return (Ex){e.s, -made->most, made->most};
        }
        default:
            return (Ex){scalar_select(m, gen_bool(g, &made->at, 1), h.s, c_new.s), -made->most,
                        made->most};
    }
}

static Value *fitting(Gen *g, const Type *t, double most) {
    for (int i = g->pool.n; i-- > 0;) {
        Item *item = &g->pool.at[i];
        if (item->is_closed || item->v->type.elem != t->elem || item->v->type.below != t->below) continue;
        if (!type_same_shape(&item->v->type, t) || chance(g, 30)) continue;
        if (elem_is_real(t->elem) && fmax(fabs(item->low), fabs(item->high)) > most) continue;
        item->is_read = true;
        return item->v;
    }
    return NULL;
}

static Value *make_next(Gen *g, const Carry *c, const CarryMade *made) {
    const Type *t = &c->leaf->type;
    Value *found = chance(g, 20) ? fitting(g, t, made->most) : NULL;
    if (found) return found;
    begin_body(g);
    Scalar *s = elem_is_real(t->elem) ? next_real(g, c, made).s
                : t->elem == ELEM_i32 ? gen_below(g, &made->at, t->below, 2).s
                                      : gen_bool(g, &made->at, 2);
    return build_map(g->m, t->rank, t->dim, s, (Span){0}, NULL);
}

// ---- a scan

static void drop_open(Gen *g, int axis) {
    int n = 0;
    for (int i = 0; i < g->pool.n; i++)
        if (!(open_scans(g, g->pool.at[i].v) >> axis & 1)) g->pool.at[n++] = g->pool.at[i];
    g->pool.n = n;
}

typedef struct MembersMade {
    Item at[4 * MAX_MEMBERS];
    int n;
} MembersMade;

static MembersMade members_made(Gen *g, int axis) {
    MembersMade x = {.n = 0};
    for (int i = 0; i < g->pool.n; i++) {
        Item *item = &g->pool.at[i];
        if (item->v->op == VAL_carry || !(open_scans(g, item->v) >> axis & 1)) continue;
        if (x.n < 4 * MAX_MEMBERS) x.at[x.n++] = *item;
    }
    return x;
}

void add_scan(Gen *g) {
    Carry carry[MAX_CARRIES];
    CarryMade made[MAX_CARRIES];
    int axis = g->n_step, n = chance(g, 50) ? 1 : chance(g, 70) ? 2 : 3;
    Dim steps = dim_const(between(g, 2, axis ? 3 : 6));
    for (int k = 0; k < n; k++) {
        carry[k] = make_carry(g, axis, steps, k ? &carry[0] : NULL, &made[k]);
        if (!spend(g, &made[k].at)) return;
    }
    if (!g->open) g->open = map_new(g->a);
    g->step[g->n_step++] = steps;
    for (int k = 0; k < n; k++) {
        unsigned bits = 1u << axis;
        map_set(g->open, carry[k].leaf, (void *)(uintptr_t)(bits + 1));
        bool is_bounded = carry[k].leaf->type.below > 0;
        add_open(g, carry[k].leaf, is_bounded ? 0 : -made[k].most,
                 is_bounded ? (double)carry[k].leaf->type.below - 1 : made[k].most);
    }
    for (int i = (int)between(g, 0, MAX_MEMBERS); i > 0; i--) make_member(g);
    for (int k = 0; k < n; k++) carry[k].next = make_next(g, &carry[k], &made[k]);
    MembersMade members = members_made(g, axis);
    Recurrence r = {.m = g->m, .arena = g->a, .axis = axis, .is_reverse = chance(g, 35), .n = n,
                    .carry = carry};
    recurrence_close(&r, (Span){0});
    drop_open(g, axis);
    g->n_step--;
    for (int i = 0; i < members.n; i++)
        if (chance(g, 30))
            add_member(g, recurrence_image(&r, members.at[i].v), members.at[i].low, members.at[i].high);
    for (int k = 0; k < n; k++) add_member(g, r.history[k], -made[k].most, made[k].most);
}
