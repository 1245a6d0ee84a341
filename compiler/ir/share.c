#include "ir/share.h"

#include <string.h>

#include "ir/build.h"
#include "ir/loops.h"
#include "ir/own.h"
#include "ir/rewrite.h"

typedef struct Chain Chain;
struct Chain {  // what has one hash
    void *at;
    Chain *next;
};

static uint64_t hash_pointer_id(uint64_t h, const Scalar *s) {
    return hash_mix(h, s ? (uint64_t)s->id + 1 : 0);
}

static uint64_t hash_dim(uint64_t h, Dim d) {
    return hash_mix(hash_mix(h, (uint64_t)d.n), d.by ? (uint64_t)d.by->id + 1 : 0);
}

static uint64_t hash_affine(uint64_t h, Affine a) {
    h = hash_mix(h, (uint64_t)a.k);
    for (int i = 0; i < a.n; i++)
        h = hash_mix(hash_mix(h, (uint64_t)a.t[i].slot), (uint64_t)a.t[i].c);
    return h;
}

static uint64_t hash_guards(uint64_t h, const Guard *g, int n) {
    h = hash_mix(h, (uint64_t)n);
    for (int i = 0; i < n; i++)
        h = hash_mix(hash_pointer_id(hash_affine(h, g[i].e), g[i].s), (uint64_t)g[i].mod);
    return h;
}

static uint64_t hash_subscripts(uint64_t h, const Subscript *s, int n) {
    for (int i = 0; i < n; i++)
        h = hash_pointer_id(hash_mix(hash_affine(h, s[i].a), (uint64_t)s[i].div), s[i].gather);
    return h;
}

static uint64_t real_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t hash_read(uint64_t h, const Read *r) {
    h = hash_mix(h, (uint64_t)r->v->id);
    h = hash_subscripts(h, r->sub, r->v->type.rank);
    return hash_pointer_id(hash_guards(h, r->guard, r->n_guard), r->otherwise);
}

static uint64_t hash_load(uint64_t h, const Load *l) {
    h = hash_affine(hash_mix(h, (uint64_t)l->access.buffer->id), l->access.at);
    for (int i = 0; i < l->access.n_dyn; i++)
        h = hash_pointer_id(hash_mix(h, (uint64_t)l->access.dyn[i].c), l->access.dyn[i].s);
    return hash_pointer_id(hash_guards(h, l->guard, l->n_guard), l->otherwise);
}

static bool commutes(const Scalar *s) {
    return op_info[s->op].traits & TRAIT_COMMUTES;
}

static uint64_t hash_scalar(const Scalar *s) {
    uint64_t h = hash_mix(hash_mix(1, s->op), s->elem);
    if (commutes(s)) {
        int a = s->arg[0]->id, b = s->arg[1]->id;
        return hash_mix(hash_mix(h, (uint64_t)(a < b ? a : b)), (uint64_t)(a < b ? b : a));
    }
    for (int i = 0; i < MAX_ARGS; i++) h = hash_pointer_id(h, s->arg[i]);
    switch (s->op) {
        case OP_const:
            return hash_mix(h, elem_is_real(s->elem) ? real_bits(s->real) : (uint64_t)s->integer);
        case OP_iv: return hash_mix(h, (uint64_t)s->slot);
        case OP_read: return hash_read(h, s->read);
        case OP_rand: return hash_mix(h, s->site);
        case OP_load: return hash_load(h, s->load);
        case OP_temp: return hash_mix(h, (uint64_t)(uintptr_t)s->temp);
        default: return h;
    }
}

static bool same_guards(const Guard *a, int n_a, const Guard *b, int n_b) {
    if (n_a != n_b) return false;
    for (int i = 0; i < n_a; i++)
        if (!affine_equal(a[i].e, b[i].e) || a[i].s != b[i].s || a[i].mod != b[i].mod) return false;
    return true;
}

static bool same_subscripts(const Subscript *a, const Subscript *b, int n) {
    for (int i = 0; i < n; i++)
        if (!affine_equal(a[i].a, b[i].a) || a[i].div != b[i].div || a[i].gather != b[i].gather)
            return false;
    return true;
}

static bool same_read(const Read *a, const Read *b) {
    return a->v == b->v && a->otherwise == b->otherwise &&
           same_subscripts(a->sub, b->sub, a->v->type.rank) &&
           same_guards(a->guard, a->n_guard, b->guard, b->n_guard);
}

static bool same_load(const Load *a, const Load *b) {
    if (a->access.buffer != b->access.buffer || a->access.n_dyn != b->access.n_dyn) return false;
    for (int i = 0; i < a->access.n_dyn; i++)
        if (a->access.dyn[i].c != b->access.dyn[i].c || a->access.dyn[i].s != b->access.dyn[i].s)
            return false;
    return affine_equal(a->access.at, b->access.at) && a->otherwise == b->otherwise &&
           same_guards(a->guard, a->n_guard, b->guard, b->n_guard);
}

static bool same_scalar(const Scalar *a, const Scalar *b) {
    if (a->op != b->op || a->elem != b->elem) return false;
    if (commutes(a) && a->arg[0] == b->arg[1] && a->arg[1] == b->arg[0]) return true;
    for (int i = 0; i < MAX_ARGS; i++)
        if (a->arg[i] != b->arg[i]) return false;
    switch (a->op) {
        case OP_const:
            return elem_is_real(a->elem) ? real_bits(a->real) == real_bits(b->real)
                                         : a->integer == b->integer;
        case OP_iv: return a->slot == b->slot;
        case OP_read: return same_read(a->read, b->read);
        case OP_rand: return a->site == b->site;
        case OP_load: return same_load(a->load, b->load);
        case OP_temp: return a->temp == b->temp;
        default: return true;
    }
}

// ---- copies that own their arrays

static Affine copy_affine(Arena *arena, Affine a) {
    a.t = a.n ? arena_copy(arena, a.t, sizeof *a.t * (size_t)a.n) : NULL;
    return a;
}

static const Guard *copy_guards(Arena *arena, const Guard *g, int n) {
    if (!n) return NULL;
    Guard *copy = arena_copy(arena, g, sizeof *g * (size_t)n);
    for (int i = 0; i < n; i++) copy[i].e = copy_affine(arena, g[i].e);
    return copy;
}

static const Subscript *copy_subscripts(Arena *arena, const Subscript *s, int n) {
    Subscript *copy = arena_copy(arena, s, sizeof *s * (size_t)n);
    for (int i = 0; i < n; i++) copy[i].a = copy_affine(arena, s[i].a);
    return copy;
}

static const Read *copy_read(Arena *arena, const Read *r) {
    Read *copy = arena_copy(arena, r, sizeof *r);
    copy->sub = copy_subscripts(arena, r->sub, r->v->type.rank);
    copy->guard = copy_guards(arena, r->guard, r->n_guard);
    return copy;
}

static const Load *copy_load(Arena *arena, const Load *l) {
    Load *copy = arena_copy(arena, l, sizeof *l);
    copy->access.at = copy_affine(arena, l->access.at);
    copy->access.dyn =
        arena_copy(arena, l->access.dyn, sizeof *l->access.dyn * (size_t)l->access.n_dyn);
    copy->guard = copy_guards(arena, l->guard, l->n_guard);
    return copy;
}

Scalar *share_scalar(Module *m, const Scalar *like) {
    uint64_t h = hash_scalar(like);
    Chain *chain = map_get_int(m->shared_scalars, h);
    for (Chain *c = chain; c; c = c->next)
        if (same_scalar(c->at, like)) return c->at;
    Scalar *s = arena_copy(m->arena, like, sizeof *like);
    s->id = m->n_scalar++;
    if (s->op == OP_read) s->read = copy_read(m->arena, like->read);
    if (s->op == OP_load) s->load = copy_load(m->arena, like->load);
    Chain *first = NEW(m->arena, Chain);
    *first = (Chain){s, chain};
    map_set_int(m->shared_scalars, h, first);
    return s;
}

bool scalar_is_shared(const Module *m, const Scalar *s) {
    for (Chain *c = map_get_int(m->shared_scalars, hash_scalar(s)); c; c = c->next)
        if (c->at == s) return true;
    return false;
}

// ---- values

static uint64_t hash_box(uint64_t h, const Dim *extent, int n) {
    h = hash_mix(h, (uint64_t)n);
    for (int i = 0; i < n; i++) h = hash_dim(h, extent[i]);
    return h;
}

static uint64_t hash_index(uint64_t h, const Index *x) {
    h = hash_box(hash_mix(h, (uint64_t)x->np), x->extent, x->np + x->nr);
    h = hash_mix(hash_mix(hash_mix(h, x->red), x->order.kind), (uint64_t)x->order.leaf);
    return hash_pointer_id(hash_guards(h, x->where, x->n_where), x->body);
}

static uint64_t hash_accumulate(uint64_t h, const Type *t, const Accumulate *x) {
    h = hash_mix(hash_box(h, x->extent, x->n), x->red);
    h = hash_subscripts(h, x->target, t->rank);
    h = hash_guards(h, x->where, x->n_where);
    return hash_mix(hash_pointer_id(h, x->body), x->init ? (uint64_t)x->init->id + 1 : 0);
}

static uint64_t hash_scan(uint64_t h, const Scan *x) {
    h = hash_mix(hash_mix(h, (uint64_t)x->axis), x->is_reverse);
    for (int i = 0; i < x->n_carry; i++) {
        const Carry *c = &x->carry[i];
        h = hash_mix(hash_mix(h, (uint64_t)c->leaf->id), (uint64_t)c->init->id);
        h = hash_mix(h, (uint64_t)c->next->id);
    }
    for (int i = 0; i < x->n_tap; i++) h = hash_mix(h, (uint64_t)x->tap[i]->id);
    return h;
}

static uint64_t hash_own(uint64_t h, const Own *o) {
    h = hash_mix(hash_mix(h, (uint64_t)o->of->id), (uint64_t)o->place);
    for (int i = 0; i < o->n_cot; i++) h = hash_mix(h, (uint64_t)o->cot[i]->id);
    for (int i = 0; i < o->n; i++)
        h = hash_mix(hash_mix(h, (uint64_t)o->wrt[i]->id), (uint64_t)o->gives[i]->id);
    return h;
}

static uint64_t hash_value(const Value *v) {
    uint64_t h = hash_mix(hash_mix(2, v->op), v->type.elem);
    h = hash_mix(hash_box(h, v->type.dim, v->type.rank), (uint64_t)v->type.below);
    switch (v->op) {
        case VAL_index: return hash_index(h, &v->index);
        case VAL_accumulate: return hash_accumulate(h, &v->type, &v->accumulate);
        case VAL_reshape: return hash_mix(h, (uint64_t)v->of->id);
        case VAL_join:
            h = hash_mix(hash_mix(h, (uint64_t)v->join.axis), real_bits(v->join.fill));
            for (int i = 0; i < v->join.n; i++) {
                const Piece *p = &v->join.piece[i];
                h = hash_mix(hash_mix(h, (uint64_t)p->v->id), (uint64_t)p->start);
                h = hash_mix(h, (uint64_t)p->step);
            }
            return h;
        case VAL_scan: return hash_scan(h, &v->scan);
        case VAL_part:
            return hash_mix(hash_mix(h, (uint64_t)v->part.scan->id), (uint64_t)v->part.number);
        case VAL_grad:
            return hash_mix(hash_mix(h, (uint64_t)v->grad.of->id), (uint64_t)v->grad.wrt->id);
        case VAL_own: return hash_own(h, &v->own);
        case VAL_cotangent: return hash_mix(h, (uint64_t)v->cotangent);
        default: return hash_mix(h, hash_bytes(v->leaf.name, strlen(v->leaf.name)));
    }
}

static bool same_box(const Dim *a, int n_a, const Dim *b, int n_b) {
    if (n_a != n_b) return false;
    for (int i = 0; i < n_a; i++)
        if (!dim_equal(a[i], b[i])) return false;
    return true;
}

static bool same_index(const Index *a, const Index *b) {
    return a->np == b->np && a->red == b->red && a->order.kind == b->order.kind &&
           a->order.leaf == b->order.leaf && a->body == b->body &&
           same_box(a->extent, a->np + a->nr, b->extent, b->np + b->nr) &&
           same_guards(a->where, a->n_where, b->where, b->n_where);
}

static bool same_accumulate(const Type *t, const Accumulate *a, const Accumulate *b) {
    return a->red == b->red && a->body == b->body && a->init == b->init &&
           same_box(a->extent, a->n, b->extent, b->n) &&
           same_subscripts(a->target, b->target, t->rank) &&
           same_guards(a->where, a->n_where, b->where, b->n_where);
}

static bool same_join(const Join *a, const Join *b) {
    if (a->axis != b->axis || a->n != b->n || real_bits(a->fill) != real_bits(b->fill))
        return false;
    for (int i = 0; i < a->n; i++) {
        const Piece *p = &a->piece[i], *q = &b->piece[i];
        if (p->v != q->v || p->start != q->start || p->step != q->step) return false;
    }
    return true;
}

static bool same_scan(const Scan *a, const Scan *b) {
    if (a->axis != b->axis || a->is_reverse != b->is_reverse) return false;
    if (a->n_carry != b->n_carry || a->n_tap != b->n_tap) return false;
    for (int i = 0; i < a->n_carry; i++) {
        const Carry *x = &a->carry[i], *y = &b->carry[i];
        if (x->leaf != y->leaf || x->init != y->init || x->next != y->next) return false;
    }
    for (int i = 0; i < a->n_tap; i++)
        if (a->tap[i] != b->tap[i]) return false;
    return true;
}

static bool same_values(Value *const *a, Value *const *b, int n) {
    for (int i = 0; i < n; i++)
        if (a[i] != b[i]) return false;
    return true;
}

bool own_is_sibling(const Own *a, const Own *b) {
    return a->n_cot == b->n_cot && a->n == b->n && same_values(a->cot, b->cot, a->n_cot) &&
           same_values(a->wrt, b->wrt, a->n) && same_values(a->gives, b->gives, a->n);
}

static bool same_value(const Value *a, const Value *b) {
    if (a->op != b->op || !type_equal(&a->type, &b->type)) return false;
    switch (a->op) {
        case VAL_index: return same_index(&a->index, &b->index);
        case VAL_accumulate: return same_accumulate(&a->type, &a->accumulate, &b->accumulate);
        case VAL_reshape: return a->of == b->of;
        case VAL_join: return same_join(&a->join, &b->join);
        case VAL_scan: return same_scan(&a->scan, &b->scan);
        case VAL_part: return a->part.scan == b->part.scan && a->part.number == b->part.number;
        case VAL_grad: return a->grad.of == b->grad.of && a->grad.wrt == b->grad.wrt;
        case VAL_own:
            return a->own.of == b->own.of && a->own.place == b->own.place &&
                   own_is_sibling(&a->own, &b->own);
        case VAL_cotangent: return a->cotangent == b->cotangent;
        default: return a->leaf.name == b->leaf.name && a->leaf.fn == b->leaf.fn;
    }
}

static void own_arrays(Arena *arena, Value *v) {
    if (v->op == VAL_index) {
        Index *x = &v->index;
        x->extent = arena_copy(arena, x->extent, sizeof *x->extent * (size_t)(x->np + x->nr));
        x->where = copy_guards(arena, x->where, x->n_where);
    } else if (v->op == VAL_accumulate) {
        Accumulate *x = &v->accumulate;
        x->extent = arena_copy(arena, x->extent, sizeof *x->extent * (size_t)x->n);
        x->target = copy_subscripts(arena, x->target, v->type.rank);
        x->where = copy_guards(arena, x->where, x->n_where);
    } else if (v->op == VAL_join) {
        v->join.piece = arena_copy(arena, v->join.piece, sizeof *v->join.piece * (size_t)v->join.n);
    } else if (v->op == VAL_scan) {
        Scan *x = &v->scan;
        x->carry = arena_copy(arena, x->carry, sizeof *x->carry * (size_t)x->n_carry);
        x->tap = arena_copy(arena, x->tap, sizeof(Value *) * (size_t)x->n_tap);
    } else if (v->op == VAL_own) {
        Own *o = &v->own;
        o->cot = arena_copy(arena, o->cot, sizeof *o->cot * (size_t)o->n_cot);
        o->wrt = arena_copy(arena, o->wrt, sizeof *o->wrt * (size_t)o->n);
        o->gives = arena_copy(arena, o->gives, sizeof *o->gives * (size_t)o->n);
    }
}

Value *share_value(Module *m, const Value *like) {
    uint64_t h = hash_value(like);
    Chain *chain = map_get_int(m->shared_values, h);
    for (Chain *c = chain; c; c = c->next)
        if (same_value(c->at, like)) return c->at;
    Value *v = arena_copy(m->arena, like, sizeof *like);
    v->id = m->n_value++;
    own_arrays(m->arena, v);
    v->operand = NULL;
    Values operands = value_operands(v, m->arena);
    v->operand = operands.at;
    v->n_operand = operands.n;
    Chain *first = NEW(m->arena, Chain);
    *first = (Chain){v, chain};
    map_set_int(m->shared_values, h, first);
    return v;
}

bool value_is_shared(const Module *m, const Value *v) {
    for (Chain *c = map_get_int(m->shared_values, hash_value(v)); c; c = c->next)
        if (c->at == v) return true;
    return false;
}
