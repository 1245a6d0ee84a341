// Rows along the lanes: where sixteen lanes lie a row apart in memory, and the loop or tile
// walks along the rows, whole vectors are loaded or stored along the rows and transposed in
// registers, in place of gathers and scatters.
//
// For loads, sixteen iterations of a loop are one block: its rows are transposed into a
// little memory on the stack, from which the iterations load.
#include <string.h>

#include "base/die.h"
#include "emit/gen.h"

// ---- a square of sixteen vectors

static V shuffle2(Code *g, V a, V b, const int *lane) {
    V number[LANES];
    for (int i = 0; i < LANES; i++) number[i] = const_i32(g, lane[i]);
    return LLVMBuildShuffleVector(g->b, a, b, LLVMConstVector(number, LANES), "");
}

// Interleaves pairs of `unit` elements of the low or high half of each four.
static V unpack(Code *g, V a, V b, int unit, bool is_high) {
    int lane[LANES];
    for (int q = 0; q < LANES; q += 4)
        for (int i = 0; i < 4; i++) {
            int pair = i / unit, within = i % unit;  // unit 1: a b a b; unit 2: a a b b
            int element = unit == 1 ? pair / 2 : within;
            lane[q + i] = (pair % 2 ? LANES : 0) + q + element + (is_high ? 2 : 0);
        }
    return shuffle2(g, a, b, lane);
}

// The even or odd fours of a, then those of b.
static V fours(Code *g, V a, V b, bool is_odd) {
    int lane[LANES];
    for (int i = 0; i < LANES; i++) lane[i] = i / 4 * 8 + i % 4 + (is_odd ? 4 : 0);
    return shuffle2(g, a, b, lane);
}

static void shuffle_rows(Code *g, V r[LANES]) {
    V t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = unpack(g, r[i], r[i + 1], 1, false);
        t[i + 1] = unpack(g, r[i], r[i + 1], 1, true);
    }
    for (int i = 0; i < LANES; i += 4)
        for (int h = 0; h < 2; h++) {
            r[i + 2 * h] = unpack(g, t[i + h], t[i + 2 + h], 2, false);
            r[i + 2 * h + 1] = unpack(g, t[i + h], t[i + 2 + h], 2, true);
        }
    for (int i = 0; i < LANES; i += 8)
        for (int j = 0; j < 4; j++) {
            t[i + j] = fours(g, r[i + j], r[i + 4 + j], false);
            t[i + 4 + j] = fours(g, r[i + j], r[i + 4 + j], true);
        }
    for (int j = 0; j < 8; j++) {
        r[j] = fours(g, t[j], t[8 + j], false);
        r[8 + j] = fours(g, t[j], t[8 + j], true);
    }
}

// ---- one function for all kernels

enum { ROW_BYTES = 4 * LANES };

typedef struct Side {  // up to sixteen rows of up to sixteen elements of four bytes
    V at;
    int64_t pitch;  // bytes from row to row
    int rows, columns;
} Side;

static V row_at(Code *g, V at, V pitch, V row) {
    V offset = LLVMBuildNSWMul(g->b, pitch, row, "");
    return LLVMBuildGEP2(g->b, g->t_i8, at, &offset, 1, "");
}

static V low_bits(Code *g, V mask) {
    return LLVMBuildBitCast(g->b, mask, vector_type(g->t_i1), "");
}

static T sixteen_rows(Code *g) {
    T row[LANES];
    for (int i = 0; i < LANES; i++) row[i] = vector_type(LLVMFloatTypeInContext(g->cx));
    return LLVMStructTypeInContext(g->cx, row, LANES, false);
}

static V transposer(Code *g, bool is_whole);

static V new_function(Code *g, const char *name, T type, BB *saved) {
    V fn = LLVMAddFunction(g->m, name, type);
    LLVMSetLinkage(fn, LLVMInternalLinkage);
    target_attributes(g, fn);
    *saved = LLVMGetInsertBlock(g->b);
    LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->cx, fn, "entry"));
    return fn;
}

enum { CC_REGCALL = 92 };  // llvm::CallingConv::X86_RegCall: sixteen vectors in registers

static V shuffler(Code *g) {
    V fn = LLVMGetNamedFunction(g->m, "transpose.rows"), row[LANES];
    if (fn) return fn;
    T rows = sixteen_rows(g), param[LANES];
    LLVMGetStructElementTypes(rows, param);
    BB saved;
    fn = new_function(g, "transpose.rows", LLVMFunctionType(rows, param, LANES, false), &saved);
    LLVMSetFunctionCallConv(fn, CC_REGCALL);
    LLVMGetParams(fn, row);
    shuffle_rows(g, row);
    LLVMBuildAggregateRet(g->b, row, LANES);
    LLVMPositionBuilderAtEnd(g->b, saved);
    return fn;
}

// Where sixteen rows are sixteen registers, one copy of the code serves all.
static void transpose(Code *g, V row[LANES]) {
    if (!g->has_avx512) {
        shuffle_rows(g, row);
        return;
    }
    V fn = shuffler(g);
    V call = LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, row, LANES, "");
    LLVMSetInstructionCallConv(call, CC_REGCALL);
    for (unsigned i = 0; i < LANES; i++) row[i] = LLVMBuildExtractValue(g->b, call, i, "");
}

// Rows behind the last are read at the first again, and written there not at all: a store of no
// lanes to a page that is not there takes very long.
static void define_part(Code *g, V fn) {
    T t = vector_type(LLVMFloatTypeInContext(g->cx));
    V p[8], row[LANES];
    LLVMGetParams(fn, p);
    V in = low_bits(g, p[3]), out = low_bits(g, p[7]);
    for (int i = 0; i < LANES; i++) {
        V is_there = LLVMBuildICmp(g->b, LLVMIntSLT, const_i64(g, i), p[2], "");
        V at = LLVMBuildSelect(g->b, is_there, row_at(g, p[0], p[1], const_i64(g, i)), p[0], "");
        row[i] = masked_load(g, t, at, in, LLVMConstNull(t), 4);
    }
    transpose(g, row);
    for (int i = 0; i < LANES; i++) {
        V is_there = LLVMBuildICmp(g->b, LLVMIntSLT, const_i64(g, i), p[6], "");
        V mask = LLVMBuildSelect(g->b, is_there, out, LLVMConstNull(LLVMTypeOf(out)), "");
        V at = LLVMBuildSelect(g->b, is_there, row_at(g, p[4], p[5], const_i64(g, i)), p[4], "");
        masked_store(g, row[i], at, mask, 4);
    }
}

static V start_count(Code *g, V fn) {
    BB before = LLVMGetInsertBlock(g->b), loop = LLVMAppendBasicBlockInContext(g->cx, fn, "loop");
    LLVMBuildBr(g->b, loop);
    LLVMPositionBuilderAtEnd(g->b, loop);
    V i = LLVMBuildPhi(g->b, g->t_i64, "i"), zero = const_i64(g, 0);
    LLVMAddIncoming(i, &zero, &before, 1);
    return i;
}

static void end_count(Code *g, V fn, V i, V n) {
    BB loop = LLVMGetInsertBlock(g->b), done = LLVMAppendBasicBlockInContext(g->cx, fn, "done");
    V next = LLVMBuildNSWAdd(g->b, i, const_i64(g, 1), "");
    LLVMAddIncoming(i, &next, &loop, 1);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, next, n, ""), loop, done);
    LLVMPositionBuilderAtEnd(g->b, done);
}

static void copy_floats(Code *g, int n, V from, V to) {
    V v = LLVMBuildLoad2(g->b, LLVMVectorType(LLVMFloatTypeInContext(g->cx), (unsigned)n), from, "");
    LLVMSetAlignment(v, 4);
    LLVMSetAlignment(LLVMBuildStore(g->b, v, to), 4);
}

// Rows of a square go to where they belong, `columns` of each: the first and the last eight, four
// or two, which may be partly the same. Without AVX-512 masked stores take very long.
static void copy_rows(Code *g, V fn, V square, V to, V pitch, V rows, V columns) {
    BB done = LLVMAppendBasicBlockInContext(g->cx, fn, "copied");
    for (int n = LANES / 2; n; n /= 2) {
        if (n > 1) {
            BB then = LLVMAppendBasicBlockInContext(g->cx, fn, "wide");
            BB next = LLVMAppendBasicBlockInContext(g->cx, fn, "narrow");
            V fits = LLVMBuildICmp(g->b, LLVMIntSGE, columns, const_i64(g, n), "");
            LLVMBuildCondBr(g->b, fits, then, next);
            LLVMPositionBuilderAtEnd(g->b, then);
            V i = start_count(g, fn);
            V from = row_at(g, square, const_i64(g, ROW_BYTES), i), at = row_at(g, to, pitch, i);
            V last = LLVMBuildNSWSub(g->b, columns, const_i64(g, n), "");
            copy_floats(g, n, from, at);
            copy_floats(g, n, row_at(g, from, const_i64(g, 4), last),
                        row_at(g, at, const_i64(g, 4), last));
            end_count(g, fn, i, rows);
            LLVMBuildBr(g->b, done);
            LLVMPositionBuilderAtEnd(g->b, next);
        } else {
            V i = start_count(g, fn);
            copy_floats(g, 1, row_at(g, square, const_i64(g, ROW_BYTES), i), row_at(g, to, pitch, i));
            end_count(g, fn, i, rows);
            LLVMBuildBr(g->b, done);
        }
    }
    LLVMPositionBuilderAtEnd(g->b, done);
}

// The same by way of a square on the stack. Where a row is several registers this is no slower,
// and a tenth of the code.
static void define_part_by_square(Code *g, V fn) {
    T t = vector_type(LLVMFloatTypeInContext(g->cx));
    V p[8], bytes = const_i64(g, ROW_BYTES);
    LLVMGetParams(fn, p);
    V columns = call_intrinsic(g, "llvm.ctpop", LLVMTypeOf(p[7]), &p[7], 1);
    columns = LLVMBuildZExt(g->b, columns, g->t_i64, "");
    V square = LLVMBuildAlloca(g->b, LLVMArrayType2(t, LANES), "square");
    LLVMSetAlignment(square, ROW_BYTES);
    V i = start_count(g, fn);
    V is_there = LLVMBuildICmp(g->b, LLVMIntSLT, i, p[2], "");
    V row = LLVMBuildSelect(g->b, is_there, i, const_i64(g, 0), "");
    V v = LLVMBuildLoad2(g->b, t, row_at(g, p[0], p[1], row), "");  // past the row's end, too
    LLVMSetAlignment(v, 4);
    LLVMSetAlignment(LLVMBuildStore(g->b, v, row_at(g, square, bytes, i)), ROW_BYTES);
    end_count(g, fn, i, const_i64(g, LANES));
    V whole = transposer(g, true), arg[4] = {square, bytes, square, bytes};
    LLVMBuildCall2(g->b, LLVMGlobalGetValueType(whole), whole, arg, 4, "");
    copy_rows(g, fn, square, p[4], p[5], p[6], columns);
}

static void define_whole(Code *g, V fn) {
    T t = vector_type(LLVMFloatTypeInContext(g->cx));
    V p[4], row[LANES];
    LLVMGetParams(fn, p);
    for (int i = 0; i < LANES; i++) {
        row[i] = LLVMBuildLoad2(g->b, t, row_at(g, p[0], p[1], const_i64(g, i)), "");
        LLVMSetAlignment(row[i], 4);
    }
    transpose(g, row);
    for (int i = 0; i < LANES; i++)
        LLVMSetAlignment(LLVMBuildStore(g->b, row[i], row_at(g, p[2], p[3], const_i64(g, i))), 4);
}

// (from, pitch, to, pitch), or
// (from, pitch, rows, columns as a mask, to, pitch, rows, columns as a mask)
static V transposer(Code *g, bool is_whole) {
    const char *name = is_whole ? "transpose.whole" : "transpose.part";
    V fn = LLVMGetNamedFunction(g->m, name);
    if (fn) return fn;
    T mask = LLVMIntTypeInContext(g->cx, LANES);
    T whole[4] = {g->t_ptr, g->t_i64, g->t_ptr, g->t_i64};
    T part[8] = {g->t_ptr, g->t_i64, g->t_i64, mask, g->t_ptr, g->t_i64, g->t_i64, mask};
    T type = LLVMFunctionType(g->t_void, is_whole ? whole : part, is_whole ? 4 : 8, false);
    LLVMMetadataRef place = LLVMGetCurrentDebugLocation2(g->b);
    LLVMSetCurrentDebugLocation2(g->b, NULL);
    BB saved;
    fn = new_function(g, name, type, &saved);
    if (is_whole) define_whole(g, fn);
    else if (g->has_avx512) define_part(g, fn);
    else define_part_by_square(g, fn);
    LLVMBuildRetVoid(g->b);
    LLVMPositionBuilderAtEnd(g->b, saved);
    LLVMSetCurrentDebugLocation2(g->b, place);
    return fn;
}

static bool is_square(const Side *s) {
    return s->rows == LANES && s->columns == LANES;
}

// Element (i, j) of `from` becomes element (j, i) of `to`.
static void call_transpose(Code *g, Side from, Side to) {
    T mask = LLVMIntTypeInContext(g->cx, LANES);
    bool is_whole = is_square(&from) && is_square(&to);
    V arg[8], fn = transposer(g, is_whole);
    unsigned n = 0;
    for (int i = 0; i < 2; i++) {
        const Side *x = i ? &to : &from;
        arg[n++] = x->at;
        arg[n++] = const_i64(g, x->pitch);
        if (is_whole) continue;
        arg[n++] = const_i64(g, x->rows);
        arg[n++] = LLVMConstInt(mask, (1u << x->columns) - 1, false);
    }
    LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, arg, n, "");
}

// ---- loads: which

enum { SMALL_STRIDE = 4 };

static int64_t coef_along_lanes(const Gen *k, const Affine *a) {
    int lanes = open_lanes(k);
    return lanes < 0 ? 0 : affine_coef(*a, k->slot[lanes].var);
}

static bool is_row_load(Gen *k, const Scalar *s, int var) {
    if (s->op != OP_load) return false;
    const Load *l = s->load;
    return !l->n_guard && !l->access.n_dyn && elem_size[l->access.buffer->elem] == 4 &&
           coef_along_lanes(k, &l->access.at) > SMALL_STRIDE && affine_coef(l->access.at, var) == 1;
}

static int staged_point(Gen *k, const uint64_t *deps) {
    int point = 0;
    for (int i = 0; i < k->n_slot; i++)
        if (has_bit(deps, k->slot[i].var)) point = point * k->slot[i].n + k->point[i];
    return point;
}

static void find_rows(Gen *k, const Scalar *s, int var, Stage *out) {
    if (!first_visit(k, s)) return;
    if (is_row_load(k, s, var)) {
        for (int i = 0; i < out->n; i++)
            if (out->load[i] == s) return;
        int n = count_points(k, scalar_deps(k, s));
        if (out->n == MAX_SQUARES || out->n_square + n > MAX_SQUARES) return;
        out->first[out->n] = out->n_square;
        out->load[out->n++] = s;
        out->n_square += n;
        return;
    }
    for (int i = 0; i < MAX_ARGS && s->arg[i]; i++) find_rows(k, s->arg[i], var, out);
}

static int stores_into(const Block *b, const Buffer *buffer) {
    int n = 0;
    for (int i = 0; i < b->n; i++)
        n += b->at[i]->kind == STMT_store && b->at[i]->store.access.buffer == buffer;
    return n;
}

// ---- stores: which

static bool loads_from(Gen *k, const Block *b, const Buffer *buffer) {
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == STMT_for) {
            if (loads_from(k, &s->loop.body, buffer)) return true;
            continue;
        }
        const Scalar *value = s->kind == STMT_store ? s->store.value : s->set.value;
        if (has_bit(scalar_deps(k, value), buffer_bit(k, buffer))) return true;
    }
    return false;
}

static bool is_row_store(Gen *k, const Block *b, const Stmt *s, int var) {
    const Access *a = &s->store.access;
    return !s->store.n_guard && !a->n_dyn && elem_size[a->buffer->elem] == 4 &&
           coef_along_lanes(k, &a->at) > 1 && affine_coef(a->at, var) == 1 &&
           row_store_slot(k, s) < 0 && stores_into(b, a->buffer) == 1 &&
           !loads_from(k, b, a->buffer);
}

static uint64_t *store_deps(Gen *k, const Stmt *s) {
    uint64_t *set = NEW_ARRAY(k->arena, uint64_t, k->n_word);
    deps_of_store(k, s, set);
    return set;
}

static void find_row_store(Gen *k, const Block *b, const Stmt *s, int var, Stage *out) {
    if (!is_row_store(k, b, s, var)) return;
    int n = count_points(k, store_deps(k, s));
    if (out->n_square + n > MAX_SQUARES) return;
    out->first_of_store[out->n_store] = out->n_square;
    out->store[out->n_store++] = s;
    out->n_square += n;
}

// Loops of lets and sets, at any depth.
static bool only_computes(const Block *b) {
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == STMT_for ? !only_computes(&s->loop.body)
                                : s->kind != STMT_let && s->kind != STMT_set)
            return false;
    }
    return true;
}

// Around loops, of the stores alone.
bool plan_stage(Gen *k, const Stmt *s, Stage *out) {
    memset(out, 0, sizeof *out);
    out->outer = -1;
    if (k->stage || s->loop.step != 1 || open_lanes(k) < 0) return false;
    bool has_loops = false;
    for (int i = 0; i < s->loop.body.n; i++) {
        const Stmt *x = s->loop.body.at[i];
        if (x->kind == STMT_tile || x->kind >= STMT_fetch) return false;
        if (x->kind == STMT_for && !only_computes(&x->loop.body)) return false;
        has_loops |= x->kind == STMT_for;
    }
    for (int i = 0; i < s->loop.body.n && !has_loops; i++) {
        const Stmt *x = s->loop.body.at[i];
        k->visit++;
        find_rows(k, x->kind == STMT_store ? x->store.value : x->set.value, s->loop.var, out);
    }
    for (int i = 0; i < s->loop.body.n; i++)
        if (s->loop.body.at[i]->kind == STMT_store)
            find_row_store(k, &s->loop.body, s->loop.body.at[i], s->loop.var, out);
    for (int i = 0; i < out->n; i++)
        if (stores_into(&s->loop.body, out->load[i]->load->access.buffer)) return false;
    out->var = s->loop.var;
    return out->n + out->n_store > 0;
}

// ---- loads: the square of a block

static V square(Gen *k, int i) {
    if (k->square[i]) return k->square[i];
    BB saved = insert_before_end(k, k->entry);
    k->square[i] = LLVMBuildAlloca(k->g->b, LLVMArrayType2(vector_type(k->g->t_i32), LANES), "rows");
    LLVMSetAlignment(k->square[i], ROW_BYTES);
    insert_again(k, saved);
    return k->square[i];
}

static V element_at(Code *g, V p, int64_t bytes) {
    return byte_offset(g, p, const_i64(g, bytes));
}

// Columns 0 .. n - 1 of the rows at the current point.
static void fill_square(Gen *k, const Load *l, V to, int n) {
    Code *g = k->g;
    int64_t pitch = coef_along_lanes(k, &l->access.at) * elem_size[l->access.buffer->elem];
    Side rows = {access_pointer(k, &l->access), pitch, active_lanes(k), n};
    call_transpose(g, rows, (Side){to, ROW_BYTES, n, LANES});
}

// The loop's variable stands at the block's first iteration.
void fill_stage(Gen *k, Stage *stage, int n) {
    stage->start = affine_i64(k, &(Affine){1, &(Term){stage->var, 1}, 0});
    for (int i = 0; i < stage->n; i++) {
        const uint64_t *deps = scalar_deps(k, stage->load[i]);
        first_point(k);
        do {
            int at = stage->first[i] + staged_point(k, deps);
            fill_square(k, stage->load[i]->load, square(k, at), n);
        } while (next_point(k, deps));
    }
    first_point(k);
}

// Row of a square that belongs to the current iteration.
static V row_of_iteration(Gen *k, const Stage *stage, int number) {
    Code *g = k->g;
    V p = square(k, number);
    if (stage->outer >= 0) p = along_loop(k, p, stage->outer, stage->n_inner * ROW_BYTES);
    p = along_loop(k, p, stage->var, ROW_BYTES);
    return byte_offset(g, p, LLVMBuildNSWMul(g->b, stage->start, const_i64(g, -ROW_BYTES), ""));
}

// The load at the current point and iteration, or NULL where it is not staged.
V staged_load(Gen *k, const Scalar *s) {
    Code *g = k->g;
    const Stage *stage = k->stage;
    int i = 0;
    while (stage && i < stage->n && stage->load[i] != s) i++;
    if (!stage || i == stage->n) return NULL;
    V from = row_of_iteration(k, stage, stage->first[i] + staged_point(k, scalar_deps(k, s)));
    V v = LLVMBuildLoad2(g->b, lanes_type(g, g->memory_type[s->elem]), from, "");
    LLVMSetAlignment(v, ROW_BYTES);
    return v;
}

// ---- stores

bool staged_store(Gen *k, const Stmt *s, V value) {
    const Stage *stage = k->stage;
    int i = 0;
    while (stage && i < stage->n_store && stage->store[i] != s) i++;
    if (!stage || i == stage->n_store) return false;
    int number = stage->first_of_store[i] + staged_point(k, store_deps(k, s));
    V store = LLVMBuildStore(k->g->b, splat(k->g, value), row_of_iteration(k, stage, number));
    LLVMSetAlignment(store, ROW_BYTES);
    return true;
}

// The loop's variable stands at the block's first iteration.
void flush_stage(Gen *k, const Stage *stage, int n) {
    for (int i = 0; i < stage->n_store; i++) {
        const Access *a = &stage->store[i]->store.access;
        const uint64_t *deps = store_deps(k, stage->store[i]);
        first_point(k);
        do {
            V from = square(k, stage->first_of_store[i] + staged_point(k, deps));
            int64_t pitch = coef_along_lanes(k, &a->at) * elem_size[a->buffer->elem];
            Side to = {access_pointer(k, a), pitch, active_lanes(k), n};
            call_transpose(k->g, (Side){from, ROW_BYTES, n, LANES}, to);
        } while (next_point(k, deps));
        touch(k, buffer_bit(k, a->buffer));
    }
    first_point(k);
}

// Lanes a row apart, and an unrolled tile variable along the row: its slot, or -1.
int row_store_slot(Gen *k, const Stmt *s) {
    const Access *a = &s->store.access;
    if (s->store.n_guard || a->n_dyn || elem_size[a->buffer->elem] != 4) return -1;
    if (coef_along_lanes(k, &a->at) < 2) return -1;
    for (int i = 0; i < k->n_slot; i++) {
        const TileSlot *t = &k->slot[i];
        bool fits = t->size > 1 && t->size <= coef_along_lanes(k, &a->at);
        if (!t->is_lanes && fits && affine_coef(a->at, t->var) == 1) return i;
    }
    return -1;
}

// Vectors v[0 .. n - 1] are columns of rows at the current point, where the slot is at 0.
void store_rows(Gen *k, const Access *a, const V *v, int n) {
    Code *g = k->g;
    int64_t pitch = coef_along_lanes(k, &a->at) * elem_size[a->buffer->elem];
    V first = access_pointer(k, a);
    int free = k->stage ? k->stage->n_square : 0;  // those before it hold the current loop's
    for (int c = 0; c < n; c += LANES) {
        int width = n - c < LANES ? n - c : LANES;
        V from = square(k, free + c / LANES % (MAX_SQUARES + 1 - free));
        for (int i = 0; i < width; i++)
            LLVMSetAlignment(LLVMBuildStore(g->b, splat(g, v[c + i]),
                                            element_at(g, from, ROW_BYTES * i)), ROW_BYTES);
        Side to = {element_at(g, first, 4 * c), pitch, active_lanes(k), width};
        call_transpose(g, (Side){from, ROW_BYTES, width, LANES}, to);
    }
}
