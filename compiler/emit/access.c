// Addresses, guards, loads and stores at the current point.
//
// An address is the buffer's start, plus one term per loop, each added in that loop's own
// head (so that nothing invariant is computed twice), plus what is known at the point: so
// accesses of different points of a tile differ by constant displacements from one pointer.
// Where no loop is left inside, that pointer becomes a phi that is advanced at the latch.
#include <string.h>

#include "base/die.h"
#include "emit/gen.h"

static int64_t lane_coef(const Gen *k, const Affine *a) {
    int lanes = open_lanes(k);
    return lanes < 0 ? 0 : affine_coef(*a, k->slot[lanes].var);
}

static const Var *var_of(const Gen *k, int slot) {
    const Var *v = &k->var[slot];
    if (v->kind == VAR_none)
        BUG("emit: kernel %s uses variable %d outside its loop", k->k->name, slot);
    return v;
}

V affine_i64(Gen *k, const Affine *a) {
    Code *g = k->g;
    int64_t constant = a->k;
    V sum = NULL;
    for (int i = 0; i < a->n; i++) {
        const Var *v = var_of(k, a->t[i].slot);
        constant += a->t[i].c * v->k;
        if (v->kind != VAR_loop) continue;
        V term = k->loop[v->level].iv;
        if (a->t[i].c != 1) term = LLVMBuildNSWMul(g->b, term, const_i64(g, a->t[i].c), "");
        sum = sum ? LLVMBuildNSWAdd(g->b, sum, term, "") : term;
    }
    if (!sum) return const_i64(g, constant);
    return constant ? LLVMBuildNSWAdd(g->b, sum, const_i64(g, constant), "") : sum;
}

V affine_value(Gen *k, const Affine *a) {
    Code *g = k->g;
    V first = LLVMBuildTrunc(g->b, affine_i64(k, a), g->t_i32, "");
    int64_t c = lane_coef(k, a);
    return c ? LLVMBuildAdd(g->b, splat(g, first), lane_numbers(g, c, 0), "") : first;
}

// ---- guards

static V emit_guard(Gen *k, const Guard *guard) {
    Code *g = k->g;
    V e = affine_value(k, &guard->e);
    if (guard->s) {
        V s = emit_scalar(k, guard->s);
        bool wide = is_vector(e) || is_vector(s);
        e = LLVMBuildAdd(g->b, wide ? splat(g, e) : e, wide ? splat(g, s) : s, "");
    }
    V zero = splat_to(g, const_i32(g, 0), e);
    if (!guard->mod) return LLVMBuildICmp(g->b, LLVMIntSGE, e, zero, "");
    V mod = splat_to(g, const_i32(g, guard->mod), e);
    V rest = LLVMBuildSRem(g->b, e, mod, "");
    return LLVMBuildICmp(g->b, LLVMIntEQ, rest, zero, "");
}

V emit_guards(Gen *k, const Guard *guard, int n) {
    Code *g = k->g;
    V all = NULL;
    for (int i = 0; i < n; i++) {
        V one = emit_guard(k, &guard[i]);
        bool known;
        if (const_bool(one, &known)) {
            if (known) continue;
            return LLVMConstInt(g->t_i1, 0, false);
        }
        if (all) {
            bool wide = is_vector(one) || is_vector(all);
            all = LLVMBuildAnd(g->b, wide ? splat(g, all) : all, wide ? splat(g, one) : one, "");
        } else {
            all = one;
        }
    }
    return all;
}

// ---- addresses

static V advance(Code *g, V p, V count, int64_t bytes) {
    V offset = LLVMBuildNSWMul(g->b, count, const_i64(g, bytes), "");
    int64_t known;
    if (const_int(offset, &known) && known == 0) return p;
    return LLVMBuildGEP2(g->b, g->t_i8, p, &offset, 1, "");
}

static bool same_terms(const Gen *k, const Pointer *p, const Affine *a, int n_loop) {
    int n = 0;
    for (int i = 0; i < a->n; i++) {
        const Var *v = var_of(k, a->t[i].slot);
        if (v->kind != VAR_loop || v->level >= n_loop) continue;
        if (n == p->n || p->t[n].slot != a->t[i].slot || p->t[n].c != a->t[i].c) return false;
        n++;
    }
    return n == p->n;
}

static void copy_terms(Gen *k, Pointer *p, const Affine *a, int n_loop) {
    p->t = NEW_ARRAY(k->arena, Term, a->n);
    for (int i = 0; i < a->n; i++) {
        const Var *v = var_of(k, a->t[i].slot);
        if (v->kind == VAR_loop && v->level < n_loop) p->t[p->n++] = a->t[i];
    }
}

// buffer + the terms of the outermost n_loop loops.
static V loop_pointer(Gen *k, const Buffer *b, const Affine *a, int n_loop) {
    if (n_loop == 0) return frame_buffer(k, b);
    LoopLevel *l = &k->loop[n_loop - 1];
    int64_t c = affine_coef(*a, l->var);
    if (c == 0 || k->var[l->var].kind != VAR_loop) return loop_pointer(k, b, a, n_loop - 1);
    for (int i = 0; i < l->pointers.n; i++)
        if (l->pointers.at[i].buffer == b && same_terms(k, &l->pointers.at[i], a, n_loop))
            return l->pointers.at[i].ptr;
    int64_t bytes = c * elem_size[b->elem];
    Pointer p = {.buffer = b, .outer = loop_pointer(k, b, a, n_loop - 1), .bytes = bytes};
    copy_terms(k, &p, a, n_loop);
    BB saved = insert_before_end(k, l->head);
    p.ptr = advance(k->g, p.outer, l->iv, bytes);
    insert_again(k, saved);
    vec_push(k->arena, &l->pointers, p);
    return p.ptr;
}

V along_loop(Gen *k, V base, int var, int64_t bytes) {
    Code *g = k->g;
    const Var *v = var_of(k, var);
    V p = base;
    if (v->kind == VAR_loop) {
        LoopLevel *l = &k->loop[v->level];
        int i = 0;
        while (i < l->pointers.n && (l->pointers.at[i].buffer || l->pointers.at[i].outer != base)) i++;
        if (i == l->pointers.n) {
            BB saved = insert_before_end(k, l->head);
            Pointer new = {.outer = base, .bytes = bytes, .ptr = advance(g, base, l->iv, bytes)};
            insert_again(k, saved);
            vec_push(k->arena, &l->pointers, new);
        }
        p = l->pointers.at[i].ptr;
    }
    return advance(g, p, const_i64(g, v->k), bytes);
}

// An instruction that nothing reads any more, and what it alone read.
static void erase_unused(V v) {
    if (!LLVMIsAInstruction(v) || LLVMIsAPHINode(v) || LLVMGetFirstUse(v)) return;
    V index = LLVMIsAGetElementPtrInst(v) ? LLVMGetOperand(v, 1) : NULL;
    LLVMInstructionEraseFromParent(v);
    if (index) erase_unused(index);
}

// From what the outer loops give on, by a constant at each iteration.
static void walk(Gen *k, LoopLevel *l, Pointer *p, BB latch) {
    Code *g = k->g;
    BB saved = insert_before_end(k, l->pre);
    V start = advance(g, p->outer, l->low, p->bytes);
    LLVMPositionBuilderBefore(g->b, LLVMGetFirstInstruction(l->head));
    V phi = LLVMBuildPhi(g->b, g->t_ptr, "p");
    insert_again(k, saved);
    V bump = const_i64(g, p->bytes * l->step);
    V next = LLVMBuildGEP2(g->b, g->t_i8, phi, &bump, 1, "");
    LLVMAddIncoming(phi, &start, &l->pre, 1);
    LLVMAddIncoming(phi, &next, &latch, 1);
    LLVMReplaceAllUsesWith(p->ptr, phi);
    erase_unused(p->ptr);
    p->ptr = phi;
}

void finish_pointers(Gen *k, LoopLevel *l, BB latch) {
    for (int i = 0; i < l->pointers.n && !l->has_loop; i++) walk(k, l, &l->pointers.at[i], latch);
}

// Where an access lies at the current point: of lane 0 where it varies along the lanes.
typedef struct Address {
    V pointer;
    bool in_lanes;
    V offsets;  // in elements, per lane; NULL where contiguous
    int stride; // 2 to 4 where the offsets are multiples of that
} Address;

// Of what varies along the lanes: the rest is in the pointer (address_of). A guard that is
// known at the point can make one value of it.
static V dyn_offsets(Gen *k, const Access *a, bool wide) {
    Code *g = k->g;
    T t = wide ? g->t_i64 : g->t_i32;
    V sum = NULL;
    for (int i = 0; i < a->n_dyn; i++) {
        if (!in_lanes(k, scalar_deps(k, a->dyn[i].s))) continue;
        V s = splat(g, emit_scalar(k, a->dyn[i].s));
        if (wide) s = LLVMBuildSExt(g->b, s, lanes_type(g, t), "");
        if (a->dyn[i].c != 1)
            s = LLVMBuildMul(g->b, s, splat(g, LLVMConstInt(t, (uint64_t)a->dyn[i].c, true)), "");
        sum = sum ? LLVMBuildAdd(g->b, sum, s, "") : s;
    }
    return sum;
}

static V lane_offsets(Gen *k, const Access *a, int64_t c) {
    Code *g = k->g;
    bool wide = a->buffer->count >= INT32_MAX / 2;
    V sum = dyn_offsets(k, a, wide);
    if (!c) return sum;
    V lane[LANES], lanes;
    for (int i = 0; i < g->lanes; i++) lane[i] = wide ? const_i64(g, c * i) : const_i32(g, c * i);
    lanes = LLVMConstVector(lane, (unsigned)g->lanes);
    return sum ? LLVMBuildAdd(g->b, sum, lanes, "") : lanes;
}

// What is known at the point, last: a displacement.
static V add_known(Gen *k, V p, const Access *a) {
    int64_t known = a->at.k;
    for (int i = 0; i < a->at.n; i++) known += a->at.t[i].c * var_of(k, a->at.t[i].slot)->k;
    return advance(k->g, p, const_i64(k->g, known), elem_size[a->buffer->elem]);
}

V access_pointer(Gen *k, const Access *a) {
    return add_known(k, loop_pointer(k, a->buffer, &a->at, k->n_loop), a);
}

static Address address_of(Gen *k, const Access *a) {
    Code *g = k->g;
    int size = elem_size[a->buffer->elem];
    V p = loop_pointer(k, a->buffer, &a->at, k->n_loop);
    bool dyn_lanes = false;
    for (int i = 0; i < a->n_dyn; i++) {
        if (in_lanes(k, scalar_deps(k, a->dyn[i].s))) {
            dyn_lanes = true;
            continue;
        }
        V s = LLVMBuildSExt(g->b, emit_scalar(k, a->dyn[i].s), g->t_i64, "");
        p = advance(g, p, s, a->dyn[i].c * size);
    }
    p = add_known(k, p, a);
    int64_t c = lane_coef(k, &a->at);
    int stride = !dyn_lanes && c >= 2 && c <= 4 ? (int)c : 0;
    if (dyn_lanes || (c != 0 && c != 1)) return (Address){p, true, lane_offsets(k, a, c), stride};
    return (Address){p, c == 1};
}

// Distinct buffers of a kernel never overlap: `memory` keeps what a kernel touches apart.
V tag_access(Gen *k, V access, const Buffer *b) {
    if (!k->alias_scope) return access;
    int number = buffer_bit(k, b) - k->k->n_var - k->temps.n;
    LLVMContextRef cx = k->g->cx;
    LLVMSetMetadata(access, LLVMGetMDKindIDInContext(cx, "alias.scope", 11),
                    k->alias_scope[number]);
    LLVMSetMetadata(access, LLVMGetMDKindIDInContext(cx, "noalias", 7), k->alias_others[number]);
    return access;
}

static V element_pointers(Code *g, Elem e, V p, V offsets) {
    return LLVMBuildGEP2(g->b, g->memory_type[e], p, &offsets, 1, "");
}

// ---- loads

// Lanes behind the last point don't count: a guard may hold there, outside of all boxes.
static V any_lane(Gen *k, V mask) {
    Code *g = k->g;
    if (!is_vector(mask)) return mask;
    int lanes = active_lanes(k);
    if (lanes < g->lanes) mask = LLVMBuildAnd(g->b, mask, lane_mask(g, lanes), "");
    return call_intrinsic(g, "llvm.vector.reduce.or", LLVMTypeOf(mask), &mask, 1);
}

// One element, from a safe place where it must not be read.
static V load_one(Gen *k, const Buffer *b, V p, V guard) {
    Code *g = k->g;
    if (guard) p = LLVMBuildSelect(g->b, any_lane(k, guard), p, frame_buffer(k, b), "");
    V v = LLVMBuildLoad2(g->b, g->memory_type[b->elem], p, "");
    LLVMSetAlignment(v, (unsigned)elem_size[b->elem]);
    return value_from_memory(g, b->elem, tag_access(k, v, b));
}

// Lanes two to four elements apart: whole vectors, of which the lanes are picked. Reads up
// to a vector past the last lane's element.
static V load_strided(Gen *k, const Buffer *b, V p, int stride) {
    Code *g = k->g;
    T t = lanes_type(g, g->memory_type[b->elem]);
    int n = g->lanes, last = (active_lanes(k) - 1) * stride;
    V picked = NULL;
    for (int part = 0; part * n <= last; part++) {
        V at = advance(g, p, const_i64(g, part * n), elem_size[b->elem]);
        V v = LLVMBuildLoad2(g->b, t, at, "");
        LLVMSetAlignment(v, (unsigned)elem_size[b->elem]);
        tag_access(k, v, b);
        V lane[LANES];
        for (int i = 0; i < n; i++) {
            int from = i * stride - part * n;
            lane[i] = from < 0 ? const_i32(g, i)
                    : from < n ? const_i32(g, picked ? n + from : from)
                                   : LLVMGetPoison(g->t_i32);
        }
        picked = LLVMBuildShuffleVector(g->b, picked ? picked : v, picked ? v : LLVMGetPoison(t),
                                        LLVMConstVector(lane, (unsigned)n), "");
    }
    return value_from_memory(g, b->elem, picked);
}

static V load_lanes(Gen *k, const Buffer *b, const Address *at, V guard) {
    Code *g = k->g;
    T t = lanes_type(g, g->memory_type[b->elem]);
    if (at->stride && !guard) return load_strided(k, b, at->pointer, at->stride);
    int lanes = active_lanes(k), align = elem_size[b->elem];
    V p = at->pointer, v;
    // The arena and the scratch end in room for a vector past the last buffer: lanes that don't
    // count may be read, but with AVX-512 a mask costs nothing.
    if (guard && !is_vector(guard) && !at->offsets) {
        p = LLVMBuildSelect(g->b, guard, p, frame_buffer(k, b), "");
        guard = NULL;
    }
    V mask = lane_mask(g, lanes);
    if (guard) mask = LLVMBuildAnd(g->b, mask, splat(g, guard), "");
    if (at->offsets) {
        v = masked_gather(g, t, element_pointers(g, b->elem, p, at->offsets), mask,
                          LLVMConstNull(t), align);
    } else if (guard || (lanes < g->lanes && g->has_avx512)) {
        v = masked_load(g, t, p, mask, LLVMConstNull(t), align);
    } else {
        v = LLVMBuildLoad2(g->b, t, p, "");
        LLVMSetAlignment(v, (unsigned)align);
    }
    return value_from_memory(g, b->elem, tag_access(k, v, b));
}

V emit_load(Gen *k, const Scalar *s) {
    Code *g = k->g;
    const Load *l = s->load;
    V guard = emit_guards(k, l->guard, l->n_guard);
    bool known;
    if (guard && const_bool(guard, &known) && !known)
        return l->otherwise ? emit_scalar(k, l->otherwise) : const_elem(g, s->elem, 0);
    V staged = staged_load(k, s);
    if (staged) return staged;
    Address at = address_of(k, &l->access);
    V v = at.in_lanes ? load_lanes(k, l->access.buffer, &at, guard)
                      : load_one(k, l->access.buffer, at.pointer, guard);
    if (!guard) return v;
    V otherwise = l->otherwise ? emit_scalar(k, l->otherwise) : const_elem(g, s->elem, 0);
    bool wide = is_vector(v) || is_vector(otherwise) || is_vector(guard);
    if (wide) v = splat(g, v), otherwise = splat(g, otherwise);
    return LLVMBuildSelect(g->b, guard, v, otherwise, "");
}

// ---- stores

Place emit_place(Gen *k, const Access *a, const Guard *guard, int n_guard) {
    Address at = address_of(k, a);
    Place p = {at.pointer, at.offsets, emit_guards(k, guard, n_guard)};
    p.lanes = at.in_lanes ? active_lanes(k) : 0;
    return p;
}

static void store_plain(Gen *k, const Buffer *b, V v, V pointer) {
    V store = LLVMBuildStore(k->g->b, v, pointer);
    LLVMSetAlignment(store, (unsigned)elem_size[b->elem]);
    tag_access(k, store, b);
}

// The first n lanes by stores of eight, four, two and one: without AVX-512 masked stores take
// very long, or are not there.
static void store_first_lanes(Gen *k, const Buffer *b, V v, V p, int n) {
    Code *g = k->g;
    for (int at = 0, size = LANES; at < n; size /= 2) {
        if (size > n - at) continue;
        V lane[LANES], part;
        for (int i = 0; i < size; i++) lane[i] = const_i32(g, at + i);
        if (size == 1) part = LLVMBuildExtractElement(g->b, v, lane[0], "");
        else part = LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                           LLVMConstVector(lane, (unsigned)size), "");
        store_plain(k, b, part, advance(g, p, const_i64(g, at), elem_size[b->elem]));
        at += size;
    }
}

static void store_lanes(Gen *k, const Buffer *b, const Place *p, V v, V guard) {
    Code *g = k->g;
    int align = elem_size[b->elem];
    V mask = lane_mask(g, p->lanes);
    if (guard) mask = LLVMBuildAnd(g->b, mask, guard, "");
    if (p->offsets) {
        V pointers = element_pointers(g, b->elem, p->pointer, p->offsets);
        tag_access(k, masked_scatter(g, v, pointers, mask, align), b);
    } else if (!guard && p->lanes == 1) {
        // Not a masked store: of a truncated vector LLVM 22 makes one as wide as it was before.
        store_plain(k, b, LLVMBuildExtractElement(g->b, v, const_i32(g, 0), ""), p->pointer);
    } else if (!guard && p->lanes < g->lanes && !g->has_avx512) {
        store_first_lanes(k, b, v, p->pointer, p->lanes);
    } else if (guard || p->lanes < g->lanes) {
        tag_access(k, masked_store(g, v, p->pointer, mask, align), b);
    } else {
        store_plain(k, b, v, p->pointer);
    }
}

void emit_store(Gen *k, const Buffer *b, const Place *p, V value) {
    Code *g = k->g;
    V guard = p->guard;
    bool known;
    if (guard && const_bool(guard, &known) && !known) return;
    V v = value_to_memory(g, b->elem, p->lanes ? splat(g, value) : value);
    if (!p->lanes && is_vector(v))
        BUG("emit: kernel %s stores all lanes into one element of %s", k->k->name, b->name);
    if (guard && !p->lanes) guard = any_lane(k, guard);
    BB after = NULL;
    if (guard && !is_vector(guard)) {
        BB then = LLVMAppendBasicBlockInContext(g->cx, g->fn, "store");
        after = LLVMAppendBasicBlockInContext(g->cx, g->fn, "stored");
        LLVMBuildCondBr(g->b, guard, then, after);
        LLVMPositionBuilderAtEnd(g->b, then);
        guard = NULL;
    }
    if (p->lanes) store_lanes(k, b, p, v, guard);
    else store_plain(k, b, v, p->pointer);
    if (!after) return;
    LLVMBuildBr(g->b, after);
    LLVMPositionBuilderAtEnd(g->b, after);
}
