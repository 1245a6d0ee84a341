// A kernel's entry block: what it loads from its context, once, where it is used.
#include <stddef.h>

#include "base/die.h"
#include "emit/gen.h"
#include "runtime/abi.h"

// The targets' layout of NnContext is this machine's: all have 64-bit pointers.
_Static_assert(sizeof(void *) == 8, "offsets into NnContext are those of the target");
enum {
    AT_arena = offsetof(NnContext, arena),
    AT_scratch = offsetof(NnContext, scratch),
    AT_extent = offsetof(NnContext, extent),
    AT_seed = offsetof(NnContext, seed),
    AT_step = offsetof(NnContext, step),
};

BB insert_before_end(Gen *k, BB block) {
    BB saved = LLVMGetInsertBlock(k->g->b);
    LLVMPositionBuilderBefore(k->g->b, LLVMGetBasicBlockTerminator(block));
    return saved;
}

void insert_again(Gen *k, BB saved) {
    LLVMPositionBuilderAtEnd(k->g->b, saved);
}

V byte_offset(Code *g, V p, V bytes) {
    int64_t known;
    if (const_int(bytes, &known) && known == 0) return p;
    return LLVMBuildInBoundsGEP2(g->b, g->t_i8, p, &bytes, 1, "");
}

// The context does not change while a kernel runs.
static V context_field(Code *g, V context, int64_t offset, T type, int align) {
    V load = LLVMBuildLoad2(g->b, type, byte_offset(g, context, const_i64(g, offset)), "");
    LLVMSetAlignment(load, (unsigned)align);
    unsigned kind = LLVMGetMDKindIDInContext(g->cx, "invariant.load", 14);
    LLVMMetadataRef none = LLVMMDNodeInContext2(g->cx, NULL, 0);
    LLVMSetMetadata(load, kind, LLVMMetadataAsValue(g->cx, none));
    return load;
}

static V field(Gen *k, V *slot, int64_t offset, T type, int align) {
    if (*slot) return *slot;
    BB saved = insert_before_end(k, k->entry);
    *slot = context_field(k->g, k->context, offset, type, align);
    insert_again(k, saved);
    return *slot;
}

V frame_seed(Gen *k) {
    return field(k, &k->seed, AT_seed, k->g->t_i32, 4);
}

V frame_step(Gen *k) {
    return field(k, &k->step, AT_step, k->g->t_i32, 4);
}

V frame_extent(Gen *k, const Extent *e) {
    if (e->id < 0 || e->id >= NN_EXTENTS) BUG("emit: extent %s has no place in the context", e->name);
    return field(k, &k->extent[e->id], AT_extent + 8 * e->id, k->g->t_i64, 8);
}

V frame_dim(Gen *k, Dim d) {
    if (!d.by) return const_i64(k->g, d.n);
    BB saved = insert_before_end(k, k->entry);
    V extent = frame_extent(k, d.by);
    insert_before_end(k, k->entry);
    V v = d.n == 1 ? extent : LLVMBuildNSWMul(k->g->b, extent, const_i64(k->g, d.n), "");
    insert_again(k, saved);
    return v;
}

T offset_type(const Code *g) {
    bool is_small = g->p->arena_bytes < INT32_MAX && g->p->scratch_bytes < INT32_MAX;
    return is_small ? g->t_i32 : g->t_i64;
}

static V offset_in_table(Gen *k, int number) {
    Code *g = k->g;
    T t = offset_type(g);
    int bytes = t == g->t_i32 ? 4 : 8;
    V offset = LLVMBuildLoad2(g->b, t, byte_offset(g, k->table, const_i64(g, bytes * number)), "");
    LLVMSetAlignment(offset, (unsigned)bytes);
    return LLVMBuildZExt(g->b, offset, g->t_i64, "");
}

// The site is known where there is no table: see_kernel numbered those of a shared body.
V frame_site(Gen *k, uint32_t site) {
    Code *g = k->g;
    if (!k->table) return const_i32(g, site);
    int number = 0;
    while (k->sites.at[number] != site) number++;
    BB saved = insert_before_end(k, k->entry);
    V v = LLVMBuildTrunc(g->b, offset_in_table(k, k->buffers.n + number), g->t_i32, "");
    insert_again(k, saved);
    return v;
}

// A buffer's address, in the entry block.
V frame_buffer(Gen *k, const Buffer *b) {
    int number = buffer_bit(k, b) - k->k->n_var - k->temps.n;
    if (k->base[number]) return k->base[number];
    Code *g = k->g;
    V area = b->kind == BUFFER_arena ? field(k, &k->arena_base, AT_arena, g->t_ptr, 8)
                                     : field(k, &k->scratch_base, AT_scratch, g->t_ptr, 8);
    BB saved = insert_before_end(k, k->entry);
    V offset = const_i64(g, b->offset);
    if (k->table) {  // the kernel is shared: this instance's offsets are in a table
        offset = offset_in_table(k, number);
    } else if (b->offset < 0) {
        BUG("emit: buffer %s has no place", b->name ? b->name : "?");
    }
    k->base[number] = byte_offset(g, area, offset);
    insert_again(k, saved);
    return k->base[number];
}
