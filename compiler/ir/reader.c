#include "ir/reader.h"

#include <stdarg.h>

#include "ir/build.h"
#include "ir/fold.h"

// No number in a text may be larger in size, so that no arithmetic on forms overflows.
#define LIMIT ((int64_t)1 << 31)
#define COUNT_LIMIT ((int64_t)1 << 40)  // elements of a tensor
#define BOX_LIMIT ((int64_t)1 << 50)    // points of a box
enum { DIV_LIMIT = 1 << 20, EXTENT_LIMIT = 8 };

bool reader_error(Reader *r, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    diag_error(r->c->diags, at, "%s", arena_vprintf(r->arena, format, args));
    va_end(args);
    return false;
}

static Span nowhere(void) {
    return (Span){0, 0, 0};
}

// ---- modules

bool reader_begin(Reader *r, Span at, Name module_name, Elem real, bool is_frozen) {
    if (!elem_is_real(real)) return reader_error(r, at, "a module's real is f32 or f64");
    r->m = module_new(r->c, module_name, real);
    r->m->is_frozen = is_frozen;
    return true;
}

static const Extent *find_extent(const Module *m, Name n) {
    for (int i = 0; i < m->extents.n; i++)
        if (m->extents.at[i]->name == n) return m->extents.at[i];
    return NULL;
}

bool reader_extent(Reader *r, Span at, Name n, int64_t max) {
    const Extent *e = find_extent(r->m, n);
    if (max < 1 || max >= LIMIT) return reader_error(r, at, "the extent %s is out of range", n);
    if (e && e->max != max) return reader_error(r, at, "the extent %s has two largest values", n);
    if (!e && r->m->extents.n == EXTENT_LIMIT) return reader_error(r, at, "too many extents");
    module_extent(r->m, n, max);
    return true;
}

static bool is_declared(Value *const *at, int n, Name leaf) {
    for (int i = 0; i < n; i++)
        if (at[i]->leaf.name == leaf) return true;
    return false;
}

bool reader_leaf(Reader *r, Span at, ValueOp op, Name n, const Type *t) {
    const Module *m = r->m;
    bool is_second = op == VAL_input   ? is_declared(r->fn->inputs.at, r->fn->inputs.n, n)
                     : op == VAL_param ? is_declared(m->params.at, m->params.n, n)
                                       : is_declared(m->states.at, m->states.n, n);
    if (is_second) return reader_error(r, at, "%s stands here a second time", n);
    if (op == VAL_input) build_input(r->fn, n, *t, nowhere());
    if (op == VAL_param) build_param(r->m, n, *t, nowhere());
    if (op == VAL_state) build_state(r->m, n, *t, nowhere());
    return true;
}

bool reader_function(Reader *r, Span at, Name n) {
    if (module_function(r->m, n)) return reader_error(r, at, "two functions %s", n);
    r->fn = function_new(r->m, n);
    r->values = map_new(r->arena);
    return true;
}

bool reader_result(Reader *r, Span at, Name n, Value *v) {
    for (int i = 0; i < r->fn->results.n; i++)
        if (r->fn->results.at[i].name == n) return reader_error(r, at, "two results %s", n);
    function_result(r->fn, n, v);
    return true;
}

bool reader_update(Reader *r, Span at, Value *target, Value *v) {
    if (target->op != VAL_param && target->op != VAL_state)
        return reader_error(r, at, "only a param or a state is updated");
    function_update(r->fn, target, v, nowhere());
    return true;
}

// ---- types

bool reader_dim(Reader *r, Span at, int64_t n, Name by, int64_t max, Dim *out) {
    if (n < 1 || n >= LIMIT) return reader_error(r, at, "an extent out of range");
    *out = dim_const(n);
    if (!by) return true;
    if (max && !reader_extent(r, at, by, max)) return false;
    out->by = find_extent(r->m, by);
    if (!out->by) return reader_error(r, at, "no extent is called %s", by);
    return dim_max(*out) < LIMIT || reader_error(r, at, "an extent out of range");
}

bool reader_add_dim(Reader *r, Span at, Dims *dims, Dim d) {
    if (dims->n == MAX_RANK) return reader_error(r, at, "more than %d dimensions", MAX_RANK);
    dims->at[dims->n++] = d;
    return true;
}

static bool check_count(Reader *r, Span at, const Dim *d, int n, int64_t limit) {
    int64_t count = 1;  // at most 2^50 * 2^31 before it is refused: in 128 bits
    for (int i = 0; i < n; i++) {
        __int128 more = (__int128)count * dim_max(d[i]);
        if (more > limit) return reader_error(r, at, "too large");
        count = (int64_t)more;
    }
    return true;
}

bool reader_type(Reader *r, Span at, Elem elem, int64_t below, const Dims *dims, Type *out) {
    if (elem_is_real(elem) && elem != r->m->real)
        return reader_error(r, at, "%s in a module of %s", elem_name[elem], elem_name[r->m->real]);
    if (below && elem != ELEM_i32 && elem != ELEM_u8)
        return reader_error(r, at, "elements of %s have no bound", elem_name[elem]);
    if (below < 0 || below > LIMIT) return reader_error(r, at, "a bound out of range");
    *out = type_tensor(elem, dims->n, dims->at);
    out->below = below;
    return check_count(r, at, dims->at, dims->n, COUNT_LIMIT);
}

// ---- boxes and names

void reader_begin_box(Reader *r) {
    r->np = r->nr = 0;
    r->lets = map_new(r->arena);
    r->depth = map_new(r->arena);
}

static int find_slot(const Reader *r, Name n) {
    for (int i = 0; i < r->np + r->nr; i++)
        if (r->slot[i] == n) return i;
    return -1;
}

bool reader_add_slot(Reader *r, Span at, Name n, Dim extent, bool is_reduced) {
    int slot = r->np + r->nr;
    if (slot == MAX_SLOTS) return reader_error(r, at, "more than %d slots", MAX_SLOTS);
    if (find_slot(r, n) >= 0) return reader_error(r, at, "two slots %s", n);
    r->slot[slot] = n;
    r->extent[slot] = extent;
    if (is_reduced)
        r->nr++;
    else
        r->np++;
    return true;
}

bool reader_end_box(Reader *r, Span at) {
    return check_count(r, at, r->extent, r->np + r->nr, BOX_LIMIT);
}

bool reader_let(Reader *r, Span at, Name n, Scalar *s) {
    if (map_has(r->lets, n) || find_slot(r, n) >= 0)
        return reader_error(r, at, "%s stands here a second time", n);
    map_set(r->lets, n, s);
    return true;
}

// ---- scalars

// How deep s is nested: whatever walks over scalars recurses.
static int depth_of(const Reader *r, const Scalar *s) {
    return s ? (int)(intptr_t)map_get(r->depth, s) : 0;
}

static Scalar *at_depth(Reader *r, Span at, Scalar *s, int depth) {
    if (depth > READ_DEPTH) {
        reader_error(r, at, "nested too deeply");
        return NULL;
    }
    if (depth_of(r, s) < depth) map_set(r->depth, s, (void *)(intptr_t)depth);
    return s;
}

static int deeper(int a, int b) {
    return a > b ? a : b;
}

Scalar *reader_word(Reader *r, Span at, Name n) {
    Scalar *s = map_get(r->lets, n);
    int slot = find_slot(r, n);
    if (s) return s;
    if (slot >= 0) return scalar_iv(r->m, slot);
    reader_error(r, at, "no slot and no let is called %s", n);
    return NULL;
}

Scalar *reader_integer(Reader *r, Span at, int64_t x) {
    if (x > LIMIT) {
        reader_error(r, at, "an integer out of range");
        return NULL;
    }
    return scalar_int(r->m, x);
}

Scalar *reader_op(Reader *r, Span at, Op op, Scalar *a, Scalar *b, Scalar *c) {
    Scalar *arg[MAX_ARGS] = {a, b, c};
    const char *problem = scalar_op_problem(r->m, op, arg);
    if (problem) {
        reader_error(r, at, "%s %s", op_info[op].name, problem);
        return NULL;
    }
    int depth = deeper(deeper(depth_of(r, a), depth_of(r, b)), depth_of(r, c));
    return at_depth(r, at, scalar_op(r->m, op, a, b, c), depth + 1);
}

// A minus before a real is part of the number: even frozen, what is read is not rounded.
Scalar *reader_negated(Reader *r, Span at, Scalar *a) {
    if (a->op == OP_const && elem_is_real(a->elem)) return scalar_real(r->m, -a->real);
    return reader_op(r, at, OP_neg, a, NULL, NULL);
}

Scalar *reader_call(Reader *r, Span at, Name n, const Arguments *arguments) {
    Op op = op_by_name(n);
    if (op == N_OP || op_info[op].rule == RULE_LEAF)
        return reader_error(r, at, "no operation is called %s", n), NULL;
    if (op_info[op].arity != arguments->n)
        return reader_error(r, at, "%s takes %d arguments", n, op_info[op].arity), NULL;
    return reader_op(r, at, op, arguments->at[0], arguments->at[1], arguments->at[2]);
}

Scalar *reader_rand(Reader *r, Span at, int64_t site, Scalar *place) {
    if (site > UINT32_MAX) return reader_error(r, at, "a site out of range"), NULL;
    if (place->elem != ELEM_i32) return reader_error(r, at, "a draw's place is an i32"), NULL;
    return at_depth(r, at, scalar_rand(r->m, (uint32_t)site, place), depth_of(r, place) + 1);
}

Scalar *reader_read(Reader *r, Span at, Value *v, const Subscripts *sub, const Guards *guards,
                    Scalar *otherwise) {
    int depth = depth_of(r, otherwise), n_guard = guards ? guards->n : 0;
    if (sub->n != v->type.rank)
        return reader_error(r, at, "%d subscripts, and rank %d", sub->n, v->type.rank), NULL;
    if (otherwise && otherwise->elem != v->type.elem)
        return reader_error(r, at, "%s here and %s outside", elem_name[v->type.elem],
                            elem_name[otherwise->elem]),
               NULL;
    for (int i = 0; i < sub->n; i++) depth = deeper(depth, depth_of(r, sub->at[i].gather));
    for (int i = 0; i < n_guard; i++) depth = deeper(depth, depth_of(r, guards->at[i].s));
    Scalar *s = scalar_read(r->m, v, sub->at, guards ? guards->at : NULL, n_guard, otherwise);
    return at_depth(r, at, s, depth + 1);
}

bool reader_term(Reader *r, Span at, Affine *sum, int64_t c, Name slot_name) {
    Affine term = affine_const(c);
    if (c > LIMIT || c < -LIMIT) return reader_error(r, at, "an integer out of range");
    if (slot_name) {
        int slot = find_slot(r, slot_name);
        if (slot < 0) return reader_error(r, at, "no slot is called %s", slot_name);
        term = affine_scale(r->m, affine_slot(r->m, slot), c);
    }
    *sum = affine_add(r->m, *sum, term);
    for (int i = 0; i < sum->n; i++)
        if (sum->t[i].c > LIMIT || sum->t[i].c < -LIMIT)
            return reader_error(r, at, "an integer out of range");
    return (sum->k <= LIMIT && sum->k >= -LIMIT) || reader_error(r, at, "an integer out of range");
}

bool reader_guard(Reader *r, Span at, Guards *guards, Affine e, Scalar *s, int64_t mod) {
    if (s && s->elem != ELEM_i32) return reader_error(r, at, "a guard compares i32");
    if (guards->n == READ_GUARDS) return reader_error(r, at, "too many guards");
    if (mod < 0 || mod > LIMIT) return reader_error(r, at, "an integer out of range");
    guards->at[guards->n++] = (Guard){e, s, mod};
    return true;
}

bool reader_subscript(Reader *r, Span at, Subscripts *list, Affine a, int64_t div, Scalar *gather) {
    if (div < 1 || div > DIV_LIMIT) return reader_error(r, at, "a divisor out of range");
    if (gather && gather->elem != ELEM_i32) return reader_error(r, at, "a subscript is an i32");
    if (list->n == MAX_RANK) return reader_error(r, at, "more than %d subscripts", MAX_RANK);
    list->at[list->n++] = (Subscript){a, div, gather};
    return true;
}

// ---- values

Value *reader_ref(Reader *r, Span at, Ref ref) {
    Value *v = NULL;
    if (ref.number >= 0) v = map_get_int(r->values, (uint64_t)ref.number);
    if (ref.number == -1) {
        const Module *m = r->m;
        for (int i = 0; !v && ref.kind < 0 && i < r->fn->inputs.n; i++)
            if (r->fn->inputs.at[i]->leaf.name == ref.name) v = r->fn->inputs.at[i];
        for (int i = 0; !v && ref.kind != VAL_state && i < m->params.n; i++)
            if (m->params.at[i]->leaf.name == ref.name) v = m->params.at[i];
        for (int i = 0; !v && ref.kind != VAL_param && i < m->states.n; i++)
            if (m->states.at[i]->leaf.name == ref.name) v = m->states.at[i];
    }
    if (v) return v;
    if (ref.number >= 0)
        reader_error(r, at, "no value has the number %d", ref.number);
    else
        reader_error(r, at, "no leaf is called %s", ref.name ? ref.name : "so");
    return NULL;
}

bool reader_define(Reader *r, Span at, Ref ref, Value *v) {
    if (ref.number < 0) return reader_error(r, at, "a number out of range");
    if (map_has_int(r->values, (uint64_t)ref.number))
        return reader_error(r, at, "two values with the number %d", ref.number);
    map_set_int(r->values, (uint64_t)ref.number, v);
    if (v->op > VAL_state && !v->hint) v->hint = ref.name;
    return true;
}

Value *reader_index(Reader *r, Span at, const Reduction *red, const Guards *where, Scalar *body) {
    Index x = {.np = r->np, .nr = r->nr, .extent = r->extent, .body = body};
    if (x.np > MAX_RANK) return reader_error(r, at, "more than %d dimensions", MAX_RANK), NULL;
    if (!red != (x.nr == 0))
        return reader_error(r, at, "reduced slots without a reduction, or one without slots"), NULL;
    if (!check_count(r, at, r->extent, x.np, COUNT_LIMIT)) return NULL;
    if (red) {
        x.red = red->red;
        x.order = red->order;
    }
    if (x.order.kind == ORDER_blocks && (x.order.leaf < 1 || x.order.leaf > LIMIT))
        return reader_error(r, at, "an integer out of range"), NULL;
    if (where) {
        x.n_where = where->n;
        x.where = where->at;
    }
    return build_index(r->m, &x, nowhere(), NULL);
}

Value *reader_accumulate(Reader *r, Span at, const Type *t, const Reduction *red,
                         const Guards *where, const Subscripts *target, Value *init, Scalar *body) {
    Accumulate x = {.n = r->np,
                    .extent = r->extent,
                    .target = target->at,
                    .red = red->red,
                    .body = body,
                    .init = init};
    if (r->nr) return reader_error(r, at, "an accumulate has no reduced slots"), NULL;
    if (red->red != RED_sum && red->red != RED_max && red->red != RED_min)
        return reader_error(r, at, "an accumulate by %s", red_name[red->red]), NULL;
    if (red->order.kind != ORDER_none)
        return reader_error(r, at, "an accumulate has no order but that of its box"), NULL;
    if (target->n != t->rank)
        return reader_error(r, at, "%d subscripts, and rank %d", target->n, t->rank), NULL;
    if (where) {
        x.n_where = where->n;
        x.where = where->at;
    }
    return build_accumulate(r->m, &x, t, nowhere(), NULL);
}

Value *reader_reshape(Reader *r, Span at, Value *v, const Dims *dims) {
    if (!check_count(r, at, dims->at, dims->n, COUNT_LIMIT)) return NULL;
    return build_reshape(r->m, v, dims->n, dims->at, nowhere());
}

bool reader_piece(Reader *r, Span at, Pieces *pieces, Value *v, int64_t start, int64_t step) {
    if (start > LIMIT || step < 1 || step > LIMIT)
        return reader_error(r, at, "an integer out of range");
    vec_push(r->arena, &pieces->list, ((Piece){v, start, step}));
    return true;
}

Value *reader_join(Reader *r, Span at, int64_t axis, Dim extent, const Pieces *pieces,
                   double fill) {
    Type t = pieces->list.at[0].v->type;
    if (axis >= t.rank) return reader_error(r, at, "no axis %lld", (long long)axis), NULL;
    t.dim[axis] = extent;
    if (!check_count(r, at, t.dim, t.rank, COUNT_LIMIT)) return NULL;
    return build_join(r->m, (int)axis, extent, pieces->list.at, pieces->list.n, fill, nowhere());
}

Value *reader_grad(Reader *r, Span at, Value *of, Value *wrt) {
    const Type *a = &of->type, *b = &wrt->type;
    Dim dim[2 * MAX_RANK];
    int n = 0;
    for (int i = 0; i < a->rank; i++) dim[n++] = a->dim[i];
    for (int i = 0; i < b->rank; i++) dim[n++] = b->dim[i];
    if (n > MAX_RANK) return reader_error(r, at, "more than %d dimensions", MAX_RANK), NULL;
    if (!check_count(r, at, dim, n, COUNT_LIMIT)) return NULL;
    return build_grad(r->m, of, wrt, nowhere());
}

bool reader_carry(Reader *r, Span at, Steps *steps, Value *leaf, Value *init, Value *next) {
    if (leaf->op != VAL_carry) return reader_error(r, at, "no carry");
    vec_push(r->arena, &steps->carries, ((Carry){leaf, init, next}));
    return true;
}

// What else there is to say against a scan, the verifier says.
Value *reader_scan(Reader *r, Span at, int64_t axis, bool is_reverse, const Steps *carries,
                   const Steps *taps) {
    Scan x = {.axis = (int)axis,
              .is_reverse = is_reverse,
              .n_carry = carries->carries.n,
              .n_tap = taps->taps.n,
              .carry = carries->carries.at,
              .tap = taps->taps.at};
    for (int i = 0; i < x.n_carry; i++) {
        const Type *t = &x.carry[i].leaf->type;
        if (axis >= t->rank || t->dim[axis].by || t->dim[axis].n >= LIMIT - 1)
            return reader_error(r, at, "a carry without the steps' axis"), NULL;
    }
    return build_scan(r->m, &x, nowhere());
}

Value *reader_part(Reader *r, Span at, int64_t number, Value *scan) {
    if (scan->op != VAL_scan) return reader_error(r, at, "a part of what is no scan"), NULL;
    if (number >= scan->scan.n_carry + scan->scan.n_tap)
        return reader_error(r, at, "the scan has no part %lld", (long long)number), NULL;
    return build_scan_part(r->m, scan, (int)number, nowhere(), NULL);
}

// Numbers stay small, so that new ones can follow them.
Value *reader_cotangent(Reader *r, Span at, int64_t number, const Type *t) {
    if (number > READ_COTANGENT) return reader_error(r, at, "an integer out of range"), NULL;
    return build_cotangent(r->m, (int)number, t, nowhere());
}

bool reader_owning(Reader *r, Span at, Owning *list, Value *v, Value *gives) {
    if (list->n == READ_OWN) return reader_error(r, at, "more than %d of them", READ_OWN);
    list->at[list->n] = v;
    list->gives[list->n++] = gives;
    return true;
}

Value *reader_own(Reader *r, Span at, Value *of, int64_t place, const Owning *cotangents,
                  const Owning *gradients) {
    if (place >= cotangents->n) return reader_error(r, at, "no result %lld", (long long)place), NULL;
    Own own = {.of = of,
               .place = (int)place,
               .n_cot = cotangents->n,
               .n = gradients->n,
               .cot = cotangents->at,
               .wrt = gradients->at,
               .gives = gradients->gives};
    return build_own(r->m, &own, nowhere());
}
