// grad: replaces every VAL_grad by the graph that computes it.
//
// Needs a verified module. Leaves no VAL_grad and no VAL_own. Reverse mode: the adjoint of a value is the
// sum of what each of its readers sends it; it is asked for lazily, from the wanted leaves
// upwards, so that only paths that reach them are differentiated, and all gradients of one
// value share one sweep.
//
// Where that value has axes, every adjoint has them in front: dx[o, q] is what x[q] does to
// element o. A reader's box gets them in front, too; but `of` itself is read at its own places,
// so that its box stays as it is and no identity matrix is made.
//
// A function with a gradient of its own is one reader of its arguments, which it sends what that
// gradient gives, and of what else it reads (ir/own.h), to which a sweep of its own leads.
#include "base/die.h"
#include "ir/build.h"
#include "ir/own.h"
#include "ir/recur.h"
#include "ir/rewrite.h"
#include "pass/access.h"
#include "pass/derive.h"
#include "pass/pass.h"
#include "pass/solve.h"

typedef struct Readers {
    Value **at;
    int n, cap;
} Readers;

// Adjoints that were found together: those of a scan under way are of no use outside.
typedef struct Found Found;
struct Found {
    Found *up;
    Map *adjoint;  // Value * to Value *; NULL is zero
    Map *derived;  // Value * to ReadAdjoints *: what its body sends
};

typedef struct Sweep {
    Module *m;
    Arena *arena;
    Value *of;
    Map *readers;  // Value * to Readers *, below `of`
    Map *opened;   // VAL_scan to Opened *
    Map *around;   // VAL_scan to the VAL_scan at whose steps it stands
    Map *stored;   // Value * to Value *: what a scan keeps of what it could be computed from anew
    Map *inside;   // VAL_own to Sweep *, from its `of` to what it reads
    Found *found;
} Sweep;

typedef struct Contributions {
    Contribution *at;
    int n, cap;
} Contributions;

// ---- the axes of `of`, in front of all others

// How many slots stand in front of y's own where its adjoint is read.
static int lead_of(const Sweep *s, const Value *y) {
    return y == s->of ? 0 : s->of->type.rank;
}

static const Affine *behind(Sweep *s, int lead) {
    Affine *to = NEW_ARRAY(s->arena, Affine, MAX_SLOTS);
    for (int i = 0; i < MAX_SLOTS; i++) to[i] = affine_slot(s->m, i + lead);
    return to;
}

static Scalar *move_behind(Sweep *s, Scalar *x, int lead) {
    return lead ? scalar_subst(s->m, x, behind(s, lead)) : x;
}

static void move_guards(Sweep *s, Guard *out, const Guard *guard, int n, int lead) {
    for (int i = 0; i < n; i++) {
        out[i] = guard[i];
        if (!lead) continue;
        out[i].e = affine_subst(s->m, guard[i].e, behind(s, lead));
        out[i].s = guard[i].s ? move_behind(s, guard[i].s, lead) : NULL;
    }
}

// A type with `of`'s axes in front. Is there room?
static bool type_behind(const Sweep *s, const Type *t, Type *out) {
    const Type *of = &s->of->type;
    *out = type_scalar(t->elem);
    if (of->rank + t->rank > MAX_RANK) return false;
    for (int i = 0; i < of->rank; i++) out->dim[out->rank++] = of->dim[i];
    for (int i = 0; i < t->rank; i++) out->dim[out->rank++] = t->dim[i];
    return true;
}

static void too_many_axes(Sweep *s, Span at) {
    if (diag_errors(s->m->c->diags)) return;
    Diag *d = diag_error(s->m->c->diags, at,
                         "a gradient of a tensor with %d axes passes too many axes here",
                         s->of->type.rank);
    diag_note(d, s->of->span, "this is what is differentiated");
}

// The identity: every element of `of` by itself.
static Value *identity_of(Sweep *s) {
    Module *m = s->m;
    Type t;
    int r = s->of->type.rank;
    if (!type_behind(s, &s->of->type, &t)) return too_many_axes(s, s->of->span), NULL;
    Scalar *same = scalar_bool(m, true);
    for (int i = 0; i < r; i++)
        same = scalar_binary(m, OP_and, same,
                             scalar_binary(m, OP_eq, scalar_iv(m, i), scalar_iv(m, i + r)));
    Scalar *body = scalar_select(m, same, scalar_real(m, 1), scalar_real(m, 0));
    return build_map(m, t.rank, t.dim, body, s->of->span, NULL);
}

// ---- the graph below `of`

// A scan, seen from outside: each part is defined by what its carry starts from and what every
// step leaves of it, or by a tap; all as values over all steps that read parts.
typedef struct Opened {
    Recurrence *r;
    Value **definition;  // by part
    Value **adjoint;     // by carry: carries of the scan of adjoints, while that is made; else NULL
    bool is_begun;       // that scan is made, or under way
} Opened;

static Value *define_part(Recurrence *r, Value *inside) {
    return inside->op == VAL_carry ? recurrence_image(r, inside)
                                   : recurrence_definition(r, inside);
}

static Value *stored_of(const Sweep *s, Value *v) {
    Value *part = map_get(s->stored, v);
    return part ? part : v;
}

// What parts are defined by is there already.
static void note_stored(Sweep *s, Recurrence *r) {
    for (int i = 0, n = r->image->n; i < n; i++) {
        Value *inside = (Value *)(uintptr_t)r->image->key[i], *outside = r->image->value[i];
        if (inside->op == VAL_carry || inside == outside) continue;
        Value *definition = recurrence_definition(r, inside);
        if (definition != outside) map_set(s->stored, definition, outside);
    }
    for (int k = 0; k < r->n; k++) {
        Value *definition = define_part(r, r->carry[k].next);
        bool is_image = r->carry[k].next->op != VAL_carry && definition->id > r->history[k]->id;
        if (is_image) map_set(s->stored, definition, recurrence_after(r, k));
    }
}

static Opened *open_scan(Sweep *s, Value *scan) {
    Opened *o = map_get(s->opened, scan);
    if (o) return o;
    const Scan *x = &scan->scan;
    o = NEW(s->arena, Opened);
    o->r = recurrence_open(s->m, s->arena, scan);
    o->definition = NEW_ARRAY(s->arena, Value *, x->n_carry + x->n_tap);
    for (int i = 0; i < x->n_carry; i++) o->definition[i] = define_part(o->r, x->carry[i].next);
    for (int i = 0; i < x->n_tap; i++)
        o->definition[x->n_carry + i] = define_part(o->r, x->tap[i]);
    note_stored(s, o->r);
    for (int i = 0; i < x->n_carry + x->n_tap; i++)
        if (o->definition[i]->op == VAL_part) map_set(s->around, o->definition[i]->part.scan, scan);
    map_set(s->opened, scan, o);
    return o;
}

static Values operands_of(Sweep *s, Value *v) {
    if (v->op == VAL_own) return own_inputs(v, s->arena);
    if (v->op != VAL_part) return value_operands(v, s->arena);
    const Opened *o = open_scan(s, v->part.scan);
    Values operands = {0};
    vec_push(s->arena, &operands, o->definition[v->part.number]);
    if (v->part.number < o->r->n) vec_push(s->arena, &operands, o->r->carry[v->part.number].init);
    return operands;
}

static void find_readers(Sweep *s, Value *v, Map *seen) {
    if (map_has(seen, v)) return;
    map_set(seen, v, v);
    Values operands = operands_of(s, v);
    for (int i = 0; i < operands.n; i++) {
        Value *x = operands.at[i];
        Readers *r = map_get(s->readers, x);
        if (!r) {
            r = NEW(s->arena, Readers);
            map_set(s->readers, x, r);
        }
        vec_push(s->arena, r, v);
        find_readers(s, x, seen);
    }
}

// ---- reductions

// The row-major number of the reduced slots.
static Scalar *reduced_number(Module *m, const Index *x) {
    Affine number = affine_const(0);
    for (int i = x->np; i < x->np + x->nr; i++)
        number = affine_add(m, affine_scale(m, number, dim_max(x->extent[i])), affine_slot(m, i));
    return scalar_affine(m, number);
}

// Max and min send everything to the first winner.
static Scalar *seed_of_winner(Sweep *s, Value *y, Scalar *dy) {
    Index winner = y->index;
    winner.red = y->index.red == RED_max ? RED_argmax : RED_argmin;
    winner.order = (Order){0};
    Value *at = build_index(s->m, &winner, y->span, NULL);
    Scalar *is_winner =
        scalar_binary(s->m, OP_eq, reduced_number(s->m, &y->index), scalar_read_identity(s->m, at));
    is_winner = move_behind(s, is_winner, lead_of(s, y));
    return scalar_select(s->m, is_winner, dy, scalar_real(s->m, 0));
}

// Exclusive products: the reduced slots once more, without the point itself. Right where
// factors are zero, and quadratic in the reduced extent.
static Scalar *seed_of_factor(Sweep *s, Value *y, Scalar *dy) {
    Module *m = s->m;
    const Index *x = &y->index;
    int np = x->np + x->nr;
    if (np > MAX_RANK || np + x->nr > MAX_SLOTS) BUG("grad: a product has too many axes");
    Affine to[MAX_SLOTS];
    Dim extent[MAX_SLOTS];
    Scalar *same = scalar_bool(m, true);
    for (int i = 0; i < np; i++) {
        to[i] = affine_slot(m, i < x->np ? i : i + x->nr);
        extent[i] = x->extent[i];
        if (i < x->np) continue;
        extent[i + x->nr] = x->extent[i];
        same = scalar_binary(m, OP_and, same,
                             scalar_binary(m, OP_eq, scalar_iv(m, i), scalar_iv(m, i + x->nr)));
    }
    const Guard *where = guards_subst(m, s->arena, x->where, x->n_where, to);
    Index others = {.np = np,
                    .nr = x->nr,
                    .extent = extent,
                    .red = RED_prod,
                    .n_where = x->n_where,
                    .where = where};
    others.body = scalar_select(m, same, scalar_real(m, 1), scalar_subst(m, x->body, to));
    Value *v = build_index(m, &others, y->span, NULL);
    Scalar *factor = move_behind(s, scalar_read_identity(m, v), lead_of(s, y));
    return adjoint_times(m, dy, factor);
}

static bool is_zero(const Scalar *s) {
    return s->op == OP_const && elem_is_real(s->elem) && s->real == 0;
}

// Does s say where it is zero? Then its readers must see that (derive.h).
static bool shows_zeros(const Scalar *s, int depth) {
    if (!depth) return false;
    switch (s->op) {
        case OP_select: return is_zero(s->arg[1]) || is_zero(s->arg[2]);
        case OP_neg: return shows_zeros(s->arg[0], depth - 1);
        case OP_add:
        case OP_sub: return shows_zeros(s->arg[0], depth - 1) || shows_zeros(s->arg[1], depth - 1);
        default: return false;
    }
}

// May the derivative of s be infinite where s is finite or not wanted?
static bool is_risky(const Scalar *s, int depth) {
    if (!depth) return true;
    switch (s->op) {
        case OP_div:
            if (s->arg[1]->op != OP_const) return true;
            break;
        case OP_log:
        case OP_log1p:
        case OP_sqrt:
        case OP_pow: return true;
        default: break;
    }
    for (int i = 0; i < op_info[s->op].arity; i++)
        if (is_risky(s->arg[i], depth - 1)) return true;
    return false;
}

// dy at y's parallel slots: its body where that is next to nothing, or where it shows zeros
// that must not meet what is infinite.
static Scalar *seed_of(Sweep *s, Value *y, Value *dy) {
    if (y == s->of) return scalar_real(s->m, 1);
    if (dy->op == VAL_index && !dy->index.nr) {
        Scalar *body = dy->index.body;
        bool meets = shows_zeros(body, 4) && !is_contraction(y) && is_risky(y->index.body, 12);
        if (body->op == OP_const || meets) return body;
        if (body->op == OP_read && body->read->v->type.rank == 0 && !body->read->n_guard)
            return body;
    }
    return scalar_read_identity(s->m, dy);
}

static Scalar *seed_of_reduction(Sweep *s, Value *y, Scalar *dy) {
    switch (y->index.red) {
        case RED_none:
        case RED_sum: return dy;
        case RED_max:
        case RED_min: return seed_of_winner(s, y, dy);
        case RED_prod: return seed_of_factor(s, y, dy);
        default: return NULL;
    }
}

// ---- what a reader sends to the values that it reads

static const ReadAdjoints *derive_body(Sweep *s, Value *y, Scalar *body, Scalar *seed,
                                       Scalar *result) {
    ReadAdjoints *r = map_get(s->found->derived, y);
    if (r) return r;
    r = NEW(s->arena, ReadAdjoints);
    *r = derive_reads(s->m, s->arena, body, seed, result);
    map_set(s->found->derived, y, r);
    return r;
}

// The box of a reader with the axes of `of` in front, and where in those an adjoint lies.
typedef struct Box {
    int n;
    Dim extent[MAX_SLOTS];
    int n_where;
    Guard *where;
    Subscript at[MAX_RANK];
} Box;

static bool box_of(Sweep *s, Value *y, int n, const Dim *extent, const Guard *where, int n_where,
                   Box *out) {
    const Type *of = &s->of->type;
    int lead = lead_of(s, y);
    if (lead + n > MAX_SLOTS) return too_many_axes(s, y->span), false;
    out->n = lead + n;
    for (int i = 0; i < lead; i++) out->extent[i] = of->dim[i];
    for (int i = 0; i < n; i++) out->extent[lead + i] = extent[i];
    out->n_where = n_where;
    out->where = NEW_ARRAY(s->arena, Guard, n_where + 1);
    move_guards(s, out->where, where, n_where, lead);
    for (int i = 0; i < of->rank; i++) out->at[i] = (Subscript){affine_slot(s->m, i), 1, NULL};
    return true;
}

// One read of x in the body of a box: its guards and the box's say which points take part.
static void send_through(Sweep *s, Value *y, const Box *box, const ReadAdjoint *r,
                         Contributions *out) {
    const Read *read = r->read->read;
    int rank = s->of->type.rank;
    Guard *guard = NEW_ARRAY(s->arena, Guard, box->n_where + read->n_guard);
    int n_guard = 0;
    for (int i = 0; i < box->n_where; i++) guard[n_guard++] = box->where[i];
    for (int i = 0; i < read->n_guard; i++) guard[n_guard++] = read->guard[i];
    Subscript target[2 * MAX_RANK];
    for (int i = 0; i < rank; i++) target[i] = box->at[i];
    for (int i = 0; i < read->v->type.rank; i++) target[rank + i] = read->sub[i];
    Scatter scatter = {.n = box->n,
                       .extent = box->extent,
                       .n_guard = n_guard,
                       .guard = guard,
                       .target = target,
                       .term = r->adjoint,
                       .span = y->span};
    if (type_behind(s, &read->v->type, &scatter.type))
        vec_push(s->arena, out, solve_scatter(s->m, s->arena, &scatter));
    else
        too_many_axes(s, y->span);
}

static void send_reads(Sweep *s, Value *y, const Box *box, const ReadAdjoints *reads, Value *x,
                       Contributions *out) {
    for (int i = 0; i < reads->n; i++)
        if (reads->at[i].read->read->v == x) send_through(s, y, box, &reads->at[i], out);
}

static void send_index(Sweep *s, Value *y, Value *dy, Value *x, Contributions *out) {
    const Index *index = &y->index;
    int lead = lead_of(s, y);
    Box box;
    if (!elem_is_real(y->type.elem)) return;
    if (!box_of(s, y, index->np + index->nr, index->extent, index->where, index->n_where, &box))
        return;
    Scalar *seed = seed_of_reduction(s, y, seed_of(s, y, dy));
    if (!seed) return;
    Scalar *result =
        index->nr ? NULL : move_behind(s, scalar_read_identity(s->m, stored_of(s, y)), lead);
    Scalar *body = move_behind(s, index->body, lead);
    send_reads(s, y, &box, derive_body(s, y, body, seed, result), x, out);
}

// Where an accumulate's target lies, behind `lead` slots.
static Subscript *target_behind(Sweep *s, const Value *y, int lead) {
    Subscript *sub = NEW_ARRAY(s->arena, Subscript, y->type.rank + 1);
    for (int i = 0; i < y->type.rank; i++) {
        sub[i] = y->accumulate.target[i];
        if (!lead) continue;
        sub[i].a = affine_subst(s->m, sub[i].a, behind(s, lead));
        if (sub[i].gather) sub[i].gather = move_behind(s, sub[i].gather, lead);
    }
    return sub;
}

// dy, or where lead is 0 y, at the target of y.
static Scalar *at_target(Sweep *s, Value *v, const Subscript *target, int rank, int lead,
                         const Box *box) {
    Subscript sub[2 * MAX_RANK];
    for (int i = 0; i < lead; i++) sub[i] = (Subscript){affine_slot(s->m, i), 1, NULL};
    for (int i = 0; i < rank; i++) sub[lead + i] = target[i];
    return scalar_read(s->m, v, sub, box->where, box->n_where,
                       box->n_where ? scalar_real(s->m, 0) : NULL);
}

// What an accumulate's start receives.
static Scalar *send_init(Sweep *s, Value *y, Value *dy) {
    Module *m = s->m;
    Value *init = y->accumulate.init;
    Scalar *seed = scalar_read_identity(m, dy);
    if (y->accumulate.red == RED_sum) return seed;
    Scalar *is_winner =
        scalar_binary(m, OP_eq, scalar_read_identity(m, init),
                      scalar_read_identity(m, stored_of(s, y)));
    is_winner = move_behind(s, is_winner, s->of->type.rank);
    return scalar_select(m, is_winner, seed, scalar_real(m, 0));
}

// y[target(u)] += body(u): each point sends on what its target receives. For max and min
// every point that equals the result counts as a winner.
static void send_accumulate(Sweep *s, Value *y, Value *dy, Value *x, Contributions *out) {
    Module *m = s->m;
    const Accumulate *a = &y->accumulate;
    int lead = lead_of(s, y), rank = y->type.rank;
    Box box;
    if (!box_of(s, y, a->n, a->extent, a->where, a->n_where, &box)) return;
    const Subscript *target = target_behind(s, y, lead);
    if (y == s->of)
        for (int i = 0; i < rank; i++) box.at[i] = target[i];
    Scalar *body = move_behind(s, a->body, lead);
    Scalar *seed = y == s->of ? scalar_real(m, 1) : at_target(s, dy, target, rank, lead, &box);
    if (a->red != RED_sum) {
        Scalar *is_winner =
            scalar_binary(m, OP_eq, body, at_target(s, stored_of(s, y), target, rank, 0, &box));
        seed = scalar_select(m, is_winner, seed, scalar_real(m, 0));
    }
    send_reads(s, y, &box, derive_body(s, y, body, seed, NULL), x, out);
    if (a->init == x) vec_push(s->arena, out, ((Contribution){.body = send_init(s, y, dy)}));
}

// A piece receives the slice on which it lay.
static void send_join(Sweep *s, Value *y, Value *dy, Value *x, Contributions *out) {
    for (int i = 0; i < y->join.n; i++) {
        const Piece *p = &y->join.piece[i];
        if (p->v != x) continue;
        Affine at[MAX_RANK];
        int axis = s->of->type.rank + y->join.axis;
        for (int j = 0; j < dy->type.rank; j++) at[j] = affine_slot(s->m, j);
        at[axis] = affine_add_const(affine_scale(s->m, at[axis], p->step), p->start);
        vec_push(s->arena, out, ((Contribution){.body = scalar_read_at(s->m, dy, at)}));
    }
}

// A tap is what defines it. Of a carry's history, `next` made the places of the steps, but for
// the one that is the start.
static void send_part(Sweep *s, Value *y, Value *dy, Value *x, Contributions *out) {
    const Opened *o = open_scan(s, y->part.scan);
    int k = y->part.number, axis = o->r->axis + s->of->type.rank;
    bool is_definition = o->definition[k] == x;
    if (k >= o->r->n) {
        vec_push(s->arena, out, ((Contribution){.v = dy}));
        return;
    }
    int64_t steps = o->r->carry[k].leaf->type.dim[o->r->axis].n;
    if (is_definition) {
        Value *v = o->adjoint ? o->adjoint[k]
                              : value_of_steps(s->m, dy, axis, o->r->is_reverse ? 0 : 1, steps);
        vec_push(s->arena, out, ((Contribution){.v = v}));
    }
    if (o->r->carry[k].init == x && !o->adjoint) {
        Value *v = value_at_step(s->m, dy, axis, o->r->is_reverse ? steps : 0);
        vec_push(s->arena, out, ((Contribution){.v = v}));
    }
}

// ---- functions with gradients of their own

static Found *found_new(Sweep *s, Found *up) {
    Found *f = NEW(s->arena, Found);
    *f = (Found){up, map_new(s->arena), map_new(s->arena)};
    return f;
}

static Sweep *sweep_new(Module *m, Arena *arena, Value *of, Map *stored) {
    Sweep *s = NEW(arena, Sweep);
    *s = (Sweep){.m = m, .arena = arena, .of = of};
    s->readers = map_new(arena);
    s->opened = map_new(arena);
    s->around = map_new(arena);
    s->inside = map_new(arena);
    s->stored = stored;
    s->found = found_new(s, NULL);
    return s;
}

static Value *adjoint_of(Sweep *s, Value *x);

// From y's `of`, which receives dy, down to what it reads.
static Sweep *sweep_inside(Sweep *s, Value *y, Value *dy) {
    Sweep *inside = map_get(s->inside, y);
    if (inside && map_get(inside->found->adjoint, y->own.of) == dy) return inside;
    inside = sweep_new(s->m, s->arena, s->of, s->stored);
    Map *seen = map_new(s->arena);
    Values inputs = own_inputs(y, s->arena);
    for (int i = 0; i < inputs.n; i++) map_set(seen, inputs.at[i], y);
    find_readers(inside, y->own.of, seen);
    map_set(inside->found->adjoint, y->own.of, dy);
    map_set(s->inside, y, inside);
    return inside;
}

static Value *zeros_behind(Sweep *s, const Value *like) {
    Type t;
    if (!type_behind(s, &like->type, &t)) return too_many_axes(s, like->span), NULL;
    return build_map(s->m, t.rank, t.dim, scalar_real(s->m, 0), like->span, NULL);
}

// What the results of y's call receive; NULL where another one of them sends it on.
static Value **cotangents_of(Sweep *s, Value *y, const Value *x) {
    const Readers *readers = map_get(s->readers, x);
    Value **cot = NEW_ARRAY(s->arena, Value *, y->own.n_cot);
    bool is_first = true;
    for (int i = 0; i < readers->n; i++) {
        Value *other = readers->at[i];
        if (other->op != VAL_own || !own_is_sibling(&y->own, &other->own)) continue;
        Value *d = adjoint_of(s, other);
        if (!d) continue;
        if (is_first && other != y) return NULL;
        is_first = false;
        cot[other->own.place] = d;
    }
    for (int i = 0; i < y->own.n_cot; i++)
        if (!cot[i]) cot[i] = zeros_behind(s, y->own.cot[i]);
    return cot;
}

static void send_own(Sweep *s, Value *y, Value *dy, Value *x, Contributions *out) {
    const Own *o = &y->own;
    const Type *of = &s->of->type;
    Value **cot = NULL;
    bool is_argument = false;
    for (int i = 0; i < o->n; i++) {
        if (o->wrt[i] != x) continue;
        if (!is_argument) cot = cotangents_of(s, y, x);
        is_argument = true;
        if (!cot || diag_errors(s->m->c->diags)) return;
        Value *v = own_gives(s->m, o, i, cot, of->dim, of->rank, s->arena);
        if (!v) return too_many_axes(s, y->span);
        vec_push(s->arena, out, ((Contribution){.v = v}));
    }
    if (is_argument) return;
    Value *v = adjoint_of(sweep_inside(s, y, dy), x);
    if (v) vec_push(s->arena, out, ((Contribution){.v = v}));
}

static void send(Sweep *s, Value *y, Value *dy, Value *x, Contributions *out) {
    switch (y->op) {
        case VAL_part: send_part(s, y, dy, x, out); break;
        case VAL_index: send_index(s, y, dy, x, out); break;
        case VAL_accumulate: send_accumulate(s, y, dy, x, out); break;
        case VAL_join: send_join(s, y, dy, x, out); break;
        case VAL_reshape: {
            Type t;
            if (!type_behind(s, &x->type, &t)) {
                too_many_axes(s, y->span);
                break;
            }
            Value *v = build_reshape(s->m, dy, t.rank, t.dim, y->span);
            vec_push(s->arena, out, ((Contribution){.v = v}));
            break;
        }
        case VAL_own: send_own(s, y, dy, x, out); break;
        default: BUG("grad: %s has operands", value_op_name[y->op]);
    }
}

// ---- adjoints

static Name adjoint_name(Sweep *s, const Value *x) {
    if (!x->hint) return NULL;
    return name(s->m->c->names, arena_printf(s->arena, "d_%s", x->hint));
}

static Scalar *sum_at_slots(Sweep *s, const Contributions *c) {
    Module *m = s->m;
    Scalar *sum = NULL;
    for (int i = 0; i < c->n; i++) {
        Scalar *one = c->at[i].body ? c->at[i].body : scalar_read_identity(m, c->at[i].v);
        if (is_zero(one)) continue;
        sum = sum ? scalar_binary(m, OP_add, sum, one) : one;
    }
    return sum;
}

static Value *sum_of(Sweep *s, const Value *x, const Contributions *c) {
    Module *m = s->m;
    Scalar *sum = sum_at_slots(s, c);
    if (!sum) return NULL;
    if (c->n == 1 && c->at[0].v) return c->at[0].v;
    Type t;
    if (!type_behind(s, &x->type, &t)) return too_many_axes(s, x->span), NULL;
    return build_map(m, t.rank, t.dim, sum, x->span, adjoint_name(s, x));
}

static Contributions contributions_to(Sweep *s, Value *x) {
    const Readers *readers = map_get(s->readers, x);
    Contributions c = {0};
    for (int i = 0; readers && i < readers->n; i++) {
        Value *y = readers->at[i], *dy = adjoint_of(s, y);
        if (dy) send(s, y, dy, x, &c);
    }
    return c;
}

// ---- scans: what a history receives is a recurrence in the other direction

// The sum over a history's places, at those that the steps of the other direction make and at
// the one where it starts.
static void carry_adjoint(Sweep *s, const Opened *o, Scalar *sum, const Type *history, Span span,
                          Carry *out) {
    Module *m = s->m;
    Affine step[MAX_SLOTS], first[MAX_SLOTS];
    int axis = o->r->axis + s->of->type.rank, n = 0;
    Dim dim[MAX_RANK];
    int64_t steps = history->dim[axis].n - 1;
    Type t = *history;
    t.dim[axis] = dim_const(steps);
    if (!sum) sum = scalar_real(m, 0);
    for (int i = 0; i < MAX_SLOTS; i++) {
        step[i] = affine_slot(m, i);
        first[i] = i < axis ? affine_slot(m, i) : affine_slot(m, i ? i - 1 : 0);
    }
    step[axis] = affine_add_const(step[axis], o->r->is_reverse ? 1 : 0);
    first[axis] = affine_const(o->r->is_reverse ? 0 : steps);
    for (int i = 0; i < t.rank; i++)
        if (i != axis) dim[n++] = t.dim[i];
    out->next = build_map(m, t.rank, t.dim, scalar_subst(m, sum, step), span, NULL);
    out->init = build_map(m, n, dim, scalar_subst(m, sum, first), span, NULL);
}

// The part of a real carry, wherever it is read.
static Value *carry_part(Sweep *s, Value *scan, int k) {
    const Carry *c = &scan->scan.carry[k];
    return build_scan_part(s->m, scan, k, c->leaf->span, c->leaf->hint);
}

static bool begin_adjoints(Sweep *s, Value *scan, Opened *o, Recurrence *r, int *which) {
    for (int k = 0; k < o->r->n; k++) {
        const Value *leaf = o->r->carry[k].leaf;
        Type t;
        if (!elem_is_real(leaf->type.elem)) continue;
        if (!type_behind(s, &leaf->type, &t)) return too_many_axes(s, scan->span), false;
        which[r->n] = k;
        r->carry[r->n].leaf = o->adjoint[k] = build_carry(s->m, t, leaf->span, adjoint_name(s, leaf));
        r->n++;
    }
    return true;
}

// Adjoints of all histories of a scan at once. What is found on the way reads carries; outside,
// it is the image of that.
static void close_adjoints(Sweep *s, Value *scan) {
    Opened *o = open_scan(s, scan);
    Found *outside = s->found;
    o->is_begun = true;
    int *which = NEW_ARRAY(s->arena, int, o->r->n);
    Recurrence r = {.m = s->m,
                    .arena = s->arena,
                    .axis = o->r->axis + s->of->type.rank,
                    .is_reverse = !o->r->is_reverse,
                    .carry = NEW_ARRAY(s->arena, Carry, o->r->n)};
    o->adjoint = NEW_ARRAY(s->arena, Value *, o->r->n);
    s->found = found_new(s, outside);
    bool is_good = begin_adjoints(s, scan, o, &r, which);
    // Readers of a history that come back to it meet the carry, not this question.
    for (int i = 0; is_good && i < r.n; i++)
        map_set(s->found->adjoint, carry_part(s, scan, which[i]), r.carry[i].leaf);
    for (int i = 0; is_good && i < r.n; i++) {
        Value *part = carry_part(s, scan, which[i]);
        Contributions c = contributions_to(s, part);
        Type t;
        type_behind(s, &part->type, &t);
        carry_adjoint(s, o, sum_at_slots(s, &c), &t, part->span, &r.carry[i]);
    }
    Found *inside = s->found;
    s->found = outside;
    o->adjoint = NULL;
    if (is_good) recurrence_close(&r, scan->span);
    if (is_good) note_stored(s, &r);
    for (int i = 0; is_good && i < inside->adjoint->n; i++) {
        Value *dx = inside->adjoint->value[i];
        map_set_int(outside->adjoint, inside->adjoint->key[i], dx ? recurrence_image(&r, dx) : NULL);
    }
    for (int k = 0; k < o->r->n; k++) map_set(outside->adjoint, carry_part(s, scan, k), NULL);
    for (int i = 0; is_good && i < r.n; i++)
        map_set(outside->adjoint, carry_part(s, scan, which[i]), r.history[i]);
}

static bool is_history(const Value *x) {
    return x->op == VAL_part && x->part.number < x->part.scan->scan.n_carry;
}

static const Found *found_of(const Sweep *s, const Value *x) {
    for (const Found *f = s->found; f; f = f->up)
        if (map_has(f->adjoint, x)) return f;
    return NULL;
}

static Value *adjoint_of(Sweep *s, Value *x) {
    const Found *f = found_of(s, x);
    if (f) return map_get(f->adjoint, x);
    Value *dx = NULL;
    if (x == s->of) {
        dx = identity_of(s);
    } else if (is_history(x)) {
        // The recurrence around it passes through this one, and so it is made first.
        Value *around = map_get(s->around, x->part.scan);
        if (around && !open_scan(s, around)->is_begun) {
            close_adjoints(s, around);
            return adjoint_of(s, x);
        }
        close_adjoints(s, x->part.scan);
        return map_get(found_of(s, x)->adjoint, x);
    } else if (elem_is_real(x->type.elem)) {
        Contributions c = contributions_to(s, x);
        dx = sum_of(s, x, &c);
        if (dx) dx = stored_of(s, dx);
    }
    map_set(s->found->adjoint, x, dx);
    return dx;
}

// ---- the pass

typedef struct Grads {
    Arena *arena;
    Map *sweep;   // Value * to Sweep *
    Map *stored;  // of all sweeps
    Map *now;     // Value * to what it is once what scans keep is read from there
} Grads;

// A history is read by its own steps, too; what is differentiated is read by nothing below it.
static Value *differentiable(Module *m, Value *of) {
    if (!is_history(of)) return of;
    Type t = of->type;
    if (t.rank == MAX_RANK) BUG("grad: a history with %d axes", t.rank);
    t.dim[t.rank++] = dim_const(1);
    return build_reshape(m, of, t.rank, t.dim, of->span);
}

// Operands come first, so a grad of a grad meets the inner one replaced already.
static Value *replace_grad(void *context, Module *m, Value *v) {
    Grads *g = context;
    if (v->op != VAL_grad) return v;
    Value *of = differentiable(m, v->grad.of), *wrt = v->grad.wrt;
    Sweep *s = map_get(g->sweep, of);
    if (!s) {
        s = sweep_new(m, g->arena, of, g->stored);
        find_readers(s, of, map_new(g->arena));
        map_set(g->sweep, of, s);
    }
    Value *dx = adjoint_of(s, wrt);
    if (dx) return build_reshape(m, dx, v->type.rank, v->type.dim, v->span);
    return build_map(m, v->type.rank, v->type.dim, scalar_real(m, 0), v->span, NULL);
}

// Adjoints compute anew what their scans have stored.
static Value *read_stored(Grads *g, Module *m, Value *v) {
    Value *done = map_get(g->now, v);
    if (done) return done;
    Value *stored = map_get(g->stored, v);
    if (stored) {
        done = read_stored(g, m, stored);
    } else {
        Values operands = value_operands(v, g->arena);
        for (int i = 0; i < operands.n; i++) read_stored(g, m, operands.at[i]);
        done = value_with_operands(m, v, g->now);
    }
    map_set(g->now, v, done);
    return done;
}

static void read_all_stored(Grads *g, Function *f) {
    if (!g->stored->n) return;
    for (int i = 0; i < f->results.n; i++)
        f->results.at[i].v = read_stored(g, f->m, f->results.at[i].v);
    for (int i = 0; i < f->updates.n; i++)
        f->updates.at[i].v = read_stored(g, f->m, f->updates.at[i].v);
}

static Value *drop_own(void *context, Module *m, Value *v) {
    (void)context;
    (void)m;
    return v->op == VAL_own ? v->own.of : v;
}

void pass_grad(Pass *p) {
    Arena *arena = arena_new();
    Grads g = {
        .arena = arena, .sweep = map_new(arena), .stored = map_new(arena), .now = map_new(arena)};
    for (int i = 0; i < p->m->fns.n; i++) function_rewrite(p->m->fns.at[i], replace_grad, &g);
    for (int i = 0; i < p->m->fns.n; i++) read_all_stored(&g, p->m->fns.at[i]);
    for (int i = 0; i < p->m->fns.n; i++) function_rewrite(p->m->fns.at[i], drop_own, NULL);
    arena_free(arena);
}
