#include "ir/window.h"

#include <string.h>

#include "ir/rewrite.h"

// ---- intervals

typedef struct Part {
    bool is_there;
    int64_t low, high;
} Part;

// What is wanted along an axis, or the values of a slot: some of it moves with the element that
// sees it, some does not.
typedef struct Range {
    Part moving, fixed;
} Range;

typedef struct Wanted {  // of a value
    Range axis[MAX_RANK];
    bool is_there;
} Wanted;

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static int64_t ceil_div(int64_t a, int64_t b) {
    return -floor_div(-a, b);
}

static Part part(int64_t low, int64_t high) {
    return (Part){low <= high, low, high};
}

static Part hull(Part a, Part b) {
    if (!a.is_there) return b;
    if (!b.is_there) return a;
    return part(a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high);
}

static Part clipped(Part a, int64_t n) {
    if (!a.is_there) return a;
    return part(a.low < 0 ? 0 : a.low, a.high > n - 1 ? n - 1 : a.high);
}

static Range whole(Dim d) {
    return (Range){.fixed = part(0, d.n - 1)};
}

static Part either(const Range *r) {
    return r->moving.is_there ? r->moving : r->fixed;
}

static bool is_nothing(const Range *r) {
    return !r->moving.is_there && !r->fixed.is_there;
}

// ---- affine forms

typedef struct Slots {
    int n;
    Range at[MAX_SLOTS];
} Slots;

static Part times(Part a, int64_t c) {
    return (Part){a.is_there, c < 0 ? a.high * c : a.low * c, c < 0 ? a.low * c : a.high * c};
}

static Part plus(Part a, Part b) {
    return (Part){a.is_there && b.is_there, a.low + b.low, a.high + b.high};
}

// A form moves where one of its slots does; it stands still where all of them do.
static Range form_range(const Slots *slots, Affine a) {
    Range r = {.fixed = part(a.k, a.k)};
    Part moving = part(a.k, a.k);
    bool moves = false;
    for (int i = 0; i < a.n; i++) {
        const Range *slot = &slots->at[a.t[i].slot];
        moves |= slot->moving.is_there;
        moving = plus(moving, times(either(slot), a.t[i].c));
        r.fixed = plus(r.fixed, times(slot->fixed, a.t[i].c));
    }
    if (moves) r.moving = moving;
    return r;
}

// Are the slots' parts of two forms multiples of each other?
static bool is_parallel(Affine a, Affine b) {
    if (a.n != b.n || !a.n) return false;
    for (int i = 0; i < a.n; i++)
        if (a.t[i].slot != b.t[i].slot || a.t[i].c * b.t[0].c != b.t[i].c * a.t[0].c) return false;
    return true;
}

// ---- subscripts

static Part divided(Part a, int64_t div, bool is_exact) {
    if (!a.is_there) return a;
    return part(is_exact ? ceil_div(a.low, div) : floor_div(a.low, div), floor_div(a.high, div));
}

// Only multiples of the divisor are read.
static bool is_exact(const Read *r, const Subscript *sub) {
    for (int i = 0; i < r->n_guard; i++) {
        const Guard *g = &r->guard[i];
        bool fits = g->mod && !g->s && g->mod % sub->div == 0 && is_parallel(g->e, sub->a) &&
                    g->e.t[0].c == sub->a.t[0].c && (g->e.k - sub->a.k) % sub->div == 0;
        if (fits) return true;
    }
    return false;
}

// An i32 scalar of slots alone: what it can be. Clamps at constants let windows pass, as padding
// does; so does `mod` by the extent of the axis, which leads around it.
static bool scalar_range(const Slots *slots, const Scalar *s, int64_t around, Range *out) {
    Range a, b;
    if (s->op == OP_const) {
        *out = (Range){.fixed = part(s->integer, s->integer)};
        return true;
    }
    if (s->op == OP_iv) {
        *out = slots->at[s->slot];
        return true;
    }
    if (s->op == OP_read || s->op == OP_load || op_info[s->op].arity < 1 ||
        op_info[s->op].arity > 2 || !scalar_range(slots, s->arg[0], around, &a))
        return false;
    if (s->op == OP_neg) {
        *out = (Range){times(a.moving, -1), times(a.fixed, -1)};
        return true;
    }
    if (op_info[s->op].arity != 2 || !scalar_range(slots, s->arg[1], around, &b)) return false;
    bool moves = a.moving.is_there || b.moving.is_there;
    bool is_by = s->arg[1]->op == OP_const;
    int64_t by = is_by ? s->arg[1]->integer : 0;
    switch (s->op) {
    case OP_add:
    case OP_sub: {
        int64_t c = s->op == OP_add ? 1 : -1;
        *out = (Range){.fixed = plus(a.fixed, times(b.fixed, c))};
        if (moves) out->moving = plus(either(&a), times(either(&b), c));
        return true;
    }
    case OP_mul:
        if (!is_by) return false;
        *out = (Range){times(a.moving, by), times(a.fixed, by)};
        return true;
    case OP_idiv:
        if (by < 1) return false;
        *out = (Range){divided(a.moving, by, false), divided(a.fixed, by, false)};
        return true;
    case OP_mod:
        if (by != around) return false;
        *out = a;
        return true;
    case OP_min:
    case OP_max:
        *out = moves ? (Range){hull(a.moving, b.moving), (Part){0}}
                     : (Range){.fixed = hull(a.fixed, b.fixed)};
        return true;
    default:
        return false;
    }
}

static Range subscript_range(const Slots *slots, const Read *r, int axis) {
    const Subscript *sub = &r->sub[axis];
    Dim d = r->v->type.dim[axis];
    Range a = form_range(slots, sub->a), g;
    bool exact = sub->div > 1 && is_exact(r, sub);
    a = (Range){divided(a.moving, sub->div, exact), divided(a.fixed, sub->div, exact)};
    if (sub->gather) {
        if (!scalar_range(slots, sub->gather, d.n, &g)) return whole(d);
        bool moves = a.moving.is_there || g.moving.is_there;
        Part moving = plus(either(&a), either(&g));
        a.fixed = plus(a.fixed, g.fixed);
        if (moves) a.moving = moving;
    }
    a.fixed = clipped(a.fixed, d.n);
    return a;
}

// ---- guards: they narrow reduced slots

typedef struct Bounds {
    bool has_low, has_high;
    int64_t low, high;
} Bounds;

// What e >= 0 says of a slot, given what the others can be.
static void bound_slot(const Slots *slots, Affine e, int slot, Bounds *moving, Bounds *fixed) {
    int64_t c = 0, rest = e.k;
    bool moves = false;
    for (int i = 0; i < e.n; i++) {
        Part p = either(&slots->at[e.t[i].slot]);
        if (e.t[i].slot == slot) {
            c = e.t[i].c;
            continue;
        }
        if (!p.is_there) return;
        moves |= slots->at[e.t[i].slot].moving.is_there;
        rest += times(p, e.t[i].c).high;
    }
    Bounds *b = moves ? moving : fixed;
    int64_t low = c > 0 ? ceil_div(-rest, c) : 0, high = c < 0 ? floor_div(rest, -c) : 0;
    if (c > 0 && (!b->has_low || low > b->low)) *b = (Bounds){true, b->has_high, low, b->high};
    if (c < 0 && (!b->has_high || high < b->high)) *b = (Bounds){b->has_low, true, b->low, high};
}

// A guard that says of a subscript that it is in range is padding.
static bool is_padding(const Guard *g, const Reads *reads) {
    for (int i = 0; i < reads->n; i++) {
        const Read *r = reads->at[i]->read;
        for (int k = 0; k < r->v->type.rank; k++)
            if (is_parallel(g->e, r->sub[k].a)) return true;
    }
    return false;
}

// Slots from `first` on are reduced. One is moved by guards only where they bound it on both
// sides: what sees all that came before it sees, at the end, all.
static void narrow(Slots *slots, int first, const Guard *guard, int n, const Reads *reads) {
    Slots before = *slots;
    for (int s = first; s < slots->n; s++) {
        Bounds moving = {0}, fixed = {0};
        for (int i = 0; i < n; i++)
            if (!guard[i].mod && !guard[i].s && !is_padding(&guard[i], reads))
                bound_slot(&before, guard[i].e, s, &moving, &fixed);
        Range *r = &slots->at[s];
        if (fixed.has_low && r->fixed.low < fixed.low) r->fixed.low = fixed.low;
        if (fixed.has_high && r->fixed.high > fixed.high) r->fixed.high = fixed.high;
        if (moving.has_low && moving.has_high)
            *r = (Range){.moving = part(moving.low, moving.high)};
    }
}

// ---- from a value to what it reads

typedef struct Walk {
    Arena *scratch;
    const Value *source;
    Values order;
    Map *place;      // of a value that depends on the source, plus one
    Wanted *wanted;  // by place, as the next
    Reads *reads;
} Walk;

static Wanted *wanted_of(const Walk *w, const Value *v) {
    uintptr_t place = (uintptr_t)map_get(w->place, (void *)v);
    return place ? &w->wanted[place - 1] : NULL;
}

static void want(Walk *w, const Value *v, const Range *axis) {
    Wanted *all = wanted_of(w, v);
    if (!all) return;
    for (int i = 0; i < v->type.rank; i++)
        if (is_nothing(&axis[i])) return;
    for (int i = 0; i < v->type.rank; i++) {
        all->axis[i].moving = hull(all->axis[i].moving, axis[i].moving);
        all->axis[i].fixed = hull(all->axis[i].fixed, axis[i].fixed);
    }
    all->is_there = true;
}

static void want_reads(Walk *w, const Slots *slots, int first, const Reads *reads) {
    for (int i = 0; i < reads->n; i++) {
        const Read *r = reads->at[i]->read;
        if (!wanted_of(w, r->v)) continue;
        Slots own = *slots;
        Reads one = {&reads->at[i], 1, 1};
        narrow(&own, first, r->guard, r->n_guard, &one);
        Range axis[MAX_RANK];
        for (int k = 0; k < r->v->type.rank; k++) axis[k] = subscript_range(&own, r, k);
        want(w, r->v, axis);
    }
}

typedef struct Gathered {
    Arena *scratch;
    Reads reads;
    Map *always;  // scalars outside of what selects choose from
} Gathered;

static void gather_always(void *context, Scalar *s) {
    Gathered *g = context;
    if (map_has(g->always, s)) return;
    map_set(g->always, s, s);
    if (s->op == OP_select) gather_always(g, s->arg[0]);
    else scalar_each_below(s, gather_always, g);
}

static void gather_reads(void *context, Scalar *s) {
    Gathered *g = context;
    Reads reads = scalar_reads(s, g->scratch);
    for (int i = 0; i < reads.n; i++) vec_push(g->scratch, &g->reads, reads.at[i]);
    gather_always(g, s);
}

// Chosen beside a read of the same tensor that goes along an axis: its first or last element there,
// which stands for what lies outside, as padding does.
static bool is_edge(const Gathered *g, Scalar *s) {
    const Read *r = s->read;
    for (int i = 0; i < g->reads.n && !map_has(g->always, s); i++) {
        const Read *other = g->reads.at[i]->read;
        for (int k = 0; other->v == r->v && k < r->v->type.rank; k++) {
            const Subscript *sub = &r->sub[k];
            bool is_end = !sub->a.n && !sub->gather &&
                          (sub->a.k == 0 || sub->a.k == r->v->type.dim[k].n - 1);
            if (is_end && other->sub[k].a.n) return true;
        }
    }
    return false;
}

static Reads find_reads(Arena *scratch, const Value *v) {
    Gathered g = {.scratch = scratch, .always = map_new(scratch)};
    Reads reads = {0};
    value_each_scalar(v, gather_reads, &g);
    for (int i = 0; i < g.reads.n; i++)
        if (!is_edge(&g, g.reads.at[i])) vec_push(scratch, &reads, g.reads.at[i]);
    return reads;
}

static Reads value_reads(const Walk *w, const Value *v) {
    return w->reads[(uintptr_t)map_get(w->place, (void *)v) - 1];
}

static void through_index(Walk *w, const Value *v, const Wanted *wanted) {
    const Index *x = &v->index;
    Slots slots = {.n = x->np + x->nr};
    for (int i = 0; i < slots.n; i++)
        slots.at[i] = i < x->np ? wanted->axis[i] : whole(x->extent[i]);
    Reads reads = value_reads(w, v);
    narrow(&slots, x->np, x->where, x->n_where, &reads);
    want_reads(w, &slots, x->np, &reads);
}

// Of the slots of a target, the one that moves along what depends on the source.
static int driver(const Walk *w, const Accumulate *a, Affine target, const Reads *reads) {
    int best = -1;
    int64_t most = -1;
    for (int t = 0; t < target.n; t++) {
        int slot = target.t[t].slot;
        int64_t c = target.t[t].c, reach = (c < 0 ? -c : c) * (a->extent[slot].n - 1);
        bool leads = false;
        for (int i = 0; i < reads->n && !leads; i++) {
            const Read *r = reads->at[i]->read;
            for (int k = 0; wanted_of(w, r->v) && k < r->v->type.rank; k++)
                for (int j = 0; j < r->sub[k].a.n; j++) leads |= r->sub[k].a.t[j].slot == slot;
        }
        if (!leads || reach <= most) continue;
        best = slot;
        most = reach;
    }
    return best;
}

// The values of `slot` for which the form lies in p, whatever the other slots are.
static Part solved(const Slots *slots, Affine a, int slot, Part p) {
    int64_t c = 1;
    Part rest = part(a.k, a.k);
    for (int i = 0; i < a.n; i++) {
        if (a.t[i].slot == slot) c = a.t[i].c;
        else rest = plus(rest, times(either(&slots->at[a.t[i].slot]), a.t[i].c));
    }
    p = plus(p, times(rest, -1));
    if (c < 0) p = times(p, -1);
    if (c < 0) c = -c;
    return p.is_there ? part(ceil_div(p.low, c), floor_div(p.high, c)) : p;
}

static void through_accumulate(Walk *w, const Value *v, const Wanted *wanted) {
    const Accumulate *a = &v->accumulate;
    Slots box = {.n = a->n}, slots;
    for (int i = 0; i < a->n; i++) box.at[i] = whole(a->extent[i]);
    slots = box;
    Reads reads = value_reads(w, v);
    for (int i = 0; i < v->type.rank; i++) {
        const Subscript *to = &a->target[i];
        int slot = to->gather || to->div > 1 ? -1 : driver(w, a, to->a, &reads);
        if (slot < 0) continue;
        const Range *r = &wanted->axis[i];
        slots.at[slot].moving = solved(&box, to->a, slot, r->moving);
        slots.at[slot].fixed = clipped(solved(&box, to->a, slot, r->fixed), a->extent[slot].n);
    }
    want_reads(w, &slots, 0, &reads);
    if (a->init) want(w, a->init, wanted->axis);
}

// ---- reshapes, joins

// n axes as one: from a part of each to a part of the whole.
static Part merged(const Range *axis, const Dim *dim, int n, bool moving) {
    Part all = part(0, 0);
    for (int i = 0; i < n; i++) {
        Part p = moving ? either(&axis[i]) : axis[i].fixed;
        all = plus(times(all, dim[i].n), p);
    }
    return all;
}

static void add_part(Range *r, Part p, bool moves, Dim d) {
    if (moves && p.high - p.low + 1 < d.n) r->moving = hull(r->moving, p);
    else r->fixed = hull(r->fixed, clipped(p, d.n));
}

// And back: where a part spans several of the outer axes, all of the inner ones.
static void split(Part p, bool moves, const Dim *dim, int n, Range *axis) {
    int64_t inner = 1;
    for (int i = 1; i < n; i++) inner *= dim[i].n;
    for (int i = 0; i < n && p.is_there; i++) {
        Part own = part(floor_div(p.low, inner), floor_div(p.high, inner));
        if (i == 0 && moves) axis[0].moving = hull(axis[0].moving, own);
        else add_part(&axis[i], own, moves, dim[i]);
        p = own.low == own.high ? part(p.low - own.low * inner, p.high - own.low * inner)
                                : part(0, inner - 1);
        if (i + 1 < n) inner /= dim[i + 1].n;
    }
}

// Runs of axes that hold the same elements on both sides, each by itself.
static void through_reshape(Walk *w, const Value *v, const Wanted *wanted) {
    const Type *from = &v->of->type, *to = &v->type;
    Range axis[MAX_RANK] = {0};
    int i = 0, k = 0;
    while (i < from->rank || k < to->rank) {
        int i0 = i, k0 = k;
        int64_t n = i < from->rank ? from->dim[i++].n : 1, m = k < to->rank ? to->dim[k++].n : 1;
        while (n != m && (i < from->rank || k < to->rank)) {
            if (n < m && i < from->rank) n *= from->dim[i++].n;
            else if (k < to->rank) m *= to->dim[k++].n;
            else n *= from->dim[i++].n;
        }
        bool moves = false;
        for (int j = k0; j < k; j++) moves |= wanted->axis[j].moving.is_there;
        if (i - i0 == 1 && k - k0 == 1) {
            axis[i0] = wanted->axis[k0];
            continue;
        }
        for (int j = i0; j < i; j++) axis[j] = (Range){0};
        Part fixed = merged(wanted->axis + k0, to->dim + k0, k - k0, false);
        split(fixed, false, from->dim + i0, i - i0, axis + i0);
        Part moving = merged(wanted->axis + k0, to->dim + k0, k - k0, true);
        if (moves) split(moving, true, from->dim + i0, i - i0, axis + i0);
    }
    want(w, v->of, axis);
}

static int64_t last_of(const Join *j, int i) {
    const Piece *p = &j->piece[i];
    return p->start + (p->v->type.dim[j->axis].n - 1) * p->step;
}

// A window is cut where another piece begins, and not where nothing but padding lies.
static Part within_piece(const Join *j, int i, Part p) {
    for (int k = 0; k < j->n && p.is_there; k++) {
        int64_t end = last_of(j, k), start = j->piece[k].start;
        if (end < j->piece[i].start && p.low <= end) p = part(end + 1, p.high);
        if (start > last_of(j, i) && p.high >= start) p = part(p.low, start - 1);
    }
    if (!p.is_there) return p;
    p = part(p.low - j->piece[i].start, p.high - j->piece[i].start);
    return part(ceil_div(p.low, j->piece[i].step), floor_div(p.high, j->piece[i].step));
}

static void through_join(Walk *w, const Value *v, const Wanted *wanted) {
    const Join *j = &v->join;
    for (int i = 0; i < j->n; i++) {
        Range axis[MAX_RANK];
        memcpy(axis, wanted->axis, sizeof axis);
        const Range *r = &wanted->axis[j->axis];
        axis[j->axis].moving = within_piece(j, i, r->moving);
        axis[j->axis].fixed =
            clipped(within_piece(j, i, r->fixed), j->piece[i].v->type.dim[j->axis].n);
        want(w, j->piece[i].v, axis);
    }
}

static void through_all(Walk *w, const Value *v) {
    Values operands = value_operands(v, w->scratch);
    for (int i = 0; i < operands.n; i++) {
        Range axis[MAX_RANK];
        for (int k = 0; k < operands.at[i]->type.rank; k++)
            axis[k] = whole(operands.at[i]->type.dim[k]);
        want(w, operands.at[i], axis);
    }
}

static void pass_on(Walk *w, const Value *v) {
    const Wanted *wanted = wanted_of(w, v);
    if (!wanted || !wanted->is_there || v == w->source) return;
    if (v->op == VAL_index) through_index(w, v, wanted);
    else if (v->op == VAL_accumulate) through_accumulate(w, v, wanted);
    else if (v->op == VAL_reshape) through_reshape(w, v, wanted);
    else if (v->op == VAL_join) through_join(w, v, wanted);
    else if (v->op == VAL_own) want(w, v->own.of, wanted->axis);
    else through_all(w, v);
}

// ---- the whole

static void find_dependent(Walk *w) {
    w->place = map_new(w->scratch);
    w->wanted = NEW_ARRAY(w->scratch, Wanted, w->order.n);
    w->reads = NEW_ARRAY(w->scratch, Reads, w->order.n);
    for (int i = 0; i < w->order.n; i++) {
        Value *v = w->order.at[i];
        Values operands = value_operands(v, w->scratch);
        bool depends = v == w->source;
        for (int k = 0; k < operands.n; k++) depends |= map_has(w->place, operands.at[k]);
        if (!depends) continue;
        map_set(w->place, v, (void *)(uintptr_t)(i + 1));
        w->reads[i] = find_reads(w->scratch, v);
    }
}

// Elements of one place see more than those of the next where what they see is enlarged first.
static bool has_phases(const Walk *w) {
    for (int i = 0; i < w->order.n; i++) {
        const Value *v = w->order.at[i];
        if (!map_has(w->place, (void *)v)) continue;
        if (v->op == VAL_reshape || v->op == VAL_join || v->op == VAL_accumulate) return true;
        if (v->op != VAL_index) continue;
        Reads reads = value_reads(w, v);
        for (int k = 0; k < reads.n; k++)
            for (int j = 0; j < reads.at[k]->read->v->type.rank; j++) {
                const Subscript *sub = &reads.at[k]->read->sub[j];
                if (sub->div > 1 || sub->gather) return true;
            }
    }
    return false;
}

// The t-th element from the middle on.
static void start(Walk *w, const Value *v, int t, bool whole_last) {
    memset(w->wanted, 0, sizeof *w->wanted * (size_t)w->order.n);
    Wanted *first = wanted_of(w, v);
    first->is_there = true;
    for (int i = 0; i < v->type.rank; i++) {
        int64_t n = v->type.dim[i].n, at = (n / 2 + t) % n;
        if (n == 1 || (whole_last && i == v->type.rank - 1)) first->axis[i] = whole(v->type.dim[i]);
        else first->axis[i].moving = part(at, at);
    }
}

static void widen(Window *all, const Wanted *seen, const Type *t) {
    for (int i = 0; i < t->rank && seen->is_there; i++) {
        const Range *r = &seen->axis[i];
        Part p = hull(r->moving, r->fixed);
        bool is_all = r->fixed.is_there && r->fixed.low == 0 && r->fixed.high == t->dim[i].n - 1;
        all->is_seen = true;
        all->moves[i] |= r->moving.is_there && !is_all;
        if (is_all) all->size[i] = WINDOW_ALL;
        else if (all->size[i] != WINDOW_ALL && p.high - p.low + 1 > all->size[i])
            all->size[i] = p.high - p.low + 1;
    }
}

Window window_of(Value *v, const Value *source, bool whole_last, Arena *scratch) {
    enum { PHASES = 32 };
    Function f = {0};
    Window window = {0};
    Walk w = {.scratch = scratch, .source = source};
    vec_push(scratch, &f.results, ((Result){NULL, v}));
    w.order = function_order(&f, scratch);
    find_dependent(&w);
    if (!map_has(w.place, v)) return window;
    int n = has_phases(&w) ? PHASES : 1;
    for (int t = 0; t < n; t++) {
        start(&w, v, t, whole_last);
        for (int i = w.order.n - 1; i >= 0; i--) pass_on(&w, w.order.at[i]);
        widen(&window, wanted_of(&w, source), &source->type);
    }
    return window;
}
