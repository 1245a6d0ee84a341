// What the files of emit/ share: the module that is built, and the kernel inside it.
//
// A large program is two modules, in contexts of their own, so that a thread can work on each: the
// first has `nn_program` and the tables, and `second`. What is said of the program stands in the
// first only: `bodies`, `body_of`, `opt`.
//
// Values are LLVM's. A scalar of the IR becomes one LLVM value per point of the tile that it
// varies over; along the lanes, sixteen points share a vector
// (eight or four, where the tile has no more). Whatever does not vary along
// the lanes stays a scalar and is broadcast where a vector is wanted.
#ifndef NNC_EMIT_GEN_H
#define NNC_EMIT_GEN_H

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

#include "emit/emit.h"
#include "ir/build.h"
#include "runtime/abi.h"

typedef LLVMValueRef V;
typedef LLVMTypeRef T;
typedef LLVMBasicBlockRef BB;

struct Code {
    Compiler *c;
    Arena *arena;       // of the back end's own data; freed by code_free
    const Program *p;
    EmitOptions opt;
    Code *second;        // NULL where one module holds all
    int64_t size;        // instructions that were built
    const char *wrong;   // what LLVM's passes or its code generator had to say; else NULL
    LLVMMemoryBufferRef made;
    LLVMContextRef cx;
    LLVMModuleRef m;
    LLVMBuilderRef b;
    LLVMTargetMachineRef machine;
    char *triple, *cpu, *features;
    bool has_fma;        // else a fused multiply-add is a multiply and an add
    bool has_avx512;
    bool has_rounding;   // reals to whole numbers by an instruction
    int version;         // LLVM's major number
    T t_void, t_ptr, t_i1, t_i8, t_i32, t_i64;
    T value_type[N_ELEM];   // of a value: i1, i32, i32, float, double
    T memory_type[N_ELEM];  // of an element of a buffer: i8, i8, i32, float, double
    V fn;                // the function being built
    int lanes;           // of a vector in the open tile: LANES, or 8 or 4 where those suffice
    struct Debug *debug; // NULL without -g
    Map *bodies;         // hash of their key to Body * (body.h)
    Map *body_of;        // Kernel * to Body *
};

// ---- values (value.c)

V const_i32(const Code *g, int64_t x);
V const_i64(const Code *g, int64_t x);
V const_elem(const Code *g, Elem e, double x);          // rounded to e
T vector_type(T element);                               // <16 x element>
T lanes_type(const Code *g, T element);                 // of the open tile's lanes
T same_lanes(V v, T element);                           // of v's lanes; an element where it has none
int lanes_of(V v);
V with_lanes(Code *g, V v, int n);                      // its first n; what it lacks is undefined
bool is_vector(V v);
T element_type(V v);                                    // v's type, or that of its lanes
V splat(Code *g, V v);                                  // a vector as it is
V splat_to(Code *g, V v, V like);                       // splat where `like` is a vector
V lane_numbers(Code *g, int64_t c, int64_t k);          // i32: c * lane + k
V lane_mask(Code *g, int n);                            // the first n lanes
V shuffle(Code *g, V v, const int *lane /* of each */);
V call_intrinsic(Code *g, const char *name, T overload, V *arg, int n);
V call_intrinsic2(Code *g, const char *name, T overload, T overload2, V *arg, int n);
bool const_bool(V v, bool *out);                        // is v a known i1 (or splat of one)?
bool const_int(V v, int64_t *out);
V value_to_memory(Code *g, Elem e, V v);
V value_from_memory(Code *g, Elem e, V v);
V masked_load(Code *g, T type, V p, V mask, V otherwise, int align);
V masked_store(Code *g, V v, V p, V mask, int align);
V masked_gather(Code *g, T type, V pointers, V mask, V otherwise, int align);
V masked_scatter(Code *g, V v, V pointers, V mask, int align);

// ---- scalar operations (scalar.c): one emit_NAME for every operation of the level L

// The arguments are all vectors or all scalars.
V emit_op(Code *g, Op op, Elem elem, Elem argument_elem, V *arg);

// ---- draws (random.c)

V emit_rand_word(Code *g, V seed, V site, V step, V place);
// The four words that serve places base .. base + 63, base a multiple of 64: lane l of
// word w is the draw of place base + 16 w + l.
void emit_rand_words(Code *g, V seed, V site, V step, V base, bool is_compact, V word[4]);
V emit_rand_fraction(Code *g, V word, Elem real);          // the draw
V emit_draw_word(Code *g, V key, V sample, V place);       // of the operation `draw`
V emit_rand_below(Code *g, V word, Elem real, double x);   // draw < x

// x times two to the power of n, a whole real; where `has_avx512`.
V emit_scaled(Code *g, Elem elem, V x, V n);

// ---- what is known of a real (range.c)

typedef struct RealRange {
    double low, high;  // where it is no NaN
    bool may_be_nan;
    bool is_whole;     // where it is no NaN, and finite
} RealRange;

RealRange real_range(const Scalar *s);
const Scalar *without_clamp(const Scalar *s);  // s, or what a min or max always gives
bool is_small_whole(const Scalar *s);          // its own integer, and no NaN

// ---- a kernel

enum { MAX_TILE_VARS = 8, MAX_LOOPS = 24 };

typedef struct Pointer {  // a buffer's start plus the terms of the loops down to a level
    const Buffer *buffer;
    int n;
    Term *t;
    V ptr;
    V outer;       // the same without the term of this level
    int64_t bytes; // that one step of the variable makes
} Pointer;

typedef struct LoopLevel {
    int var;
    V iv;          // i64
    V low;         // i64, valid in `pre`
    int64_t step;  // of one iteration of the emitted loop
    int64_t grain; // iv is always a multiple of it
    int64_t trips; // iterations to expect
    BB pre, head;
    bool has_loop; // inside, that is not unrolled
    VEC(Pointer) pointers;
} LoopLevel;

typedef enum VarKind { VAR_none, VAR_const, VAR_loop, VAR_lanes } VarKind;

typedef struct Var {
    VarKind kind;
    int64_t k;   // const: the value; loop: added to the level's iv; lanes: value of lane 0
    int level;   // loop
} Var;

typedef struct TileSlot {  // an open tile variable
    int var;
    int64_t size;
    int n;          // points, or groups of lanes
    bool is_lanes;
} TileSlot;

typedef struct TempState {
    const Temp *temp;
    int number;
    const uint64_t *open;  // tile variables that are open where it is declared
    uint64_t *varies;      // those of them over which it differs
    int n_slot;        // those, with the sizes they had where it was declared
    TileSlot slot[MAX_TILE_VARS];
    bool is_vector;
    int n_point;
    V *value;          // n_point; NULL while it is not declared
} TempState;

typedef struct Facts {  // about a scalar of the kernel
    uint64_t *deps;     // bits: variables, then temps, then buffers
    int64_t latest, checked;
    int visit;          // the last walk that came by
} Facts;

typedef struct Moment {  // when something was computed, and the scope that it stands in
    int64_t time;
    int depth;
    int64_t scope;
} Moment;

typedef struct Memo {
    V value;
    Moment when;
} Memo;

typedef struct Drawn {  // the words of a draw for sixty-four places in a row
    int64_t block;      // the known part of the first place
    V word[4];
    Moment when;
} Drawn;

enum { MAX_SQUARES = 24 };

typedef struct Stage {  // loads and stores of a loop whose lanes are rows (stage.c)
    int n, n_store, n_square;
    const Scalar *load[MAX_SQUARES];
    int first[MAX_SQUARES];  // its first square; one for each point
    const Stmt *store[MAX_SQUARES];
    int first_of_store[MAX_SQUARES];
    int var;                 // of the loop
    int outer;               // of a loop around it that walks on along the rows, or -1
    int64_t n_inner;         // the inner loop's iterations, then
    V start;                 // its value at the block's first iteration
} Stage;

typedef struct Gen {  // one kernel
    Code *g;
    Arena *arena;
    const Kernel *k;
    bool is_compact;          // no copies of loops' bodies: -O0, and what is seldom run
    int n_word;               // of a set of bits
    Map *temp_of, *buffer_of; // id plus one to TempState *, Buffer * to number plus one
    VEC(TempState *) temps;
    VEC(const Buffer *) buffers;
    VEC(uint32_t) sites;      // of draws
    Map *calls;               // statements that are functions of their own (body.h)
    Map *facts;               // Scalar * to Facts *
    int visit;                // number of the current walk over scalars
    // Shared values.
    Map *memo;
    Map *drawn;               // Scalar * to Drawn *
    int64_t clock, next_scope;
    int64_t *changed;         // when each bit last changed
    VEC(int64_t) scopes;
    // Where we are.
    Var *var;                 // n_var
    int n_loop;
    LoopLevel loop[MAX_LOOPS];
    int n_slot;
    TileSlot slot[MAX_TILE_VARS];
    int point[MAX_TILE_VARS];  // the current point of each open tile variable
    // The function's frame.
    BB entry;                  // ends in a branch to the rest
    V context, begin, end;
    V first;                   // the outermost variable at `begin`, where threads share its loop
    V arena_base, scratch_base, seed, step;
    V extent[NN_EXTENTS];
    V table;                   // offsets of the buffers, then sites; NULL where they are known
    V *base;                   // addresses of the buffers
    const Stage *stage;        // what the current loop has transposed, or NULL
    V square[MAX_SQUARES + 1]; // memory for it; one at least is free
    // Alias scopes, one per buffer; NULL where there are too many.
    V *alias_scope, *alias_others;
} Gen;

// memo.c: what scalars depend on, and values that are still good.
void see_kernel(Gen *k);  // its temps, and what its table holds
void facts_init(Gen *k);
const uint64_t *scalar_deps(Gen *k, const Scalar *s);
bool has_draws(Gen *k, const Scalar *s);         // in this walk, with what was not visited before
bool first_visit(Gen *k, const Scalar *s);  // in this walk; ++k->visit begins another one
bool has_bit(const uint64_t *set, int bit);
void add_bit(uint64_t *set, int bit);
void deps_of_access(Gen *k, const Access *a, uint64_t *into);
void deps_of_guards(Gen *k, const Guard *guard, int n, uint64_t *into);
int temp_bit(Gen *k, const Temp *t);
int buffer_bit(Gen *k, const Buffer *b);
TempState *temp_state(Gen *k, const Temp *t);
void touch(Gen *k, int bit);
void scope_open(Gen *k);
void scope_close(Gen *k);
Moment now(const Gen *k);
bool is_still_good(Gen *k, const Scalar *s, const Moment *then);  // s, computed then
V memo_get(Gen *k, const Scalar *s, bool is_splat);
void memo_set(Gen *k, const Scalar *s, bool is_splat, V v);
bool in_lanes(const Gen *k, const uint64_t *deps);  // varies along the open lanes
int open_lanes(const Gen *k);                       // the open lanes variable's slot, or -1
int active_lanes(const Gen *k);                     // at the current point, 1 .. 16

// frame.c: the function's entry block and what comes from the context.
V byte_offset(Code *g, V p, V bytes);
V frame_extent(Gen *k, const Extent *e);
V frame_dim(Gen *k, Dim d);            // i64
V frame_seed(Gen *k);
V frame_step(Gen *k);
V frame_buffer(Gen *k, const Buffer *b);
V frame_site(Gen *k, uint32_t site);   // i32
T offset_type(const Code *g);          // of the tables of bodies
// Builds at the end of another block, before its branch; then back to where it was.
BB insert_before_end(Gen *k, BB block);
void insert_again(Gen *k, BB saved);

// access.c: addresses, guards, loads, stores.
V affine_i64(Gen *k, const Affine *a);   // the part that does not vary along the lanes
V affine_value(Gen *k, const Affine *a); // i32, or a vector of them
V emit_guards(Gen *k, const Guard *guard, int n);  // i1 or a mask; NULL for always
V emit_load(Gen *k, const Scalar *s);

typedef struct Place {  // where a store goes, all of it evaluated
    V pointer;          // of one element, or of the first of sixteen
    V offsets;          // in elements from pointer, a vector; NULL where contiguous or single
    V guard;            // NULL for always
    int lanes;          // active ones; 0 for a single element
} Place;

Place emit_place(Gen *k, const Access *a, const Guard *guard, int n_guard);
void emit_store(Gen *k, const Buffer *b, const Place *p, V value);
void finish_pointers(Gen *k, LoopLevel *l, BB latch);
V access_pointer(Gen *k, const Access *a);           // without dyn; of lane 0
// base, and the loop's variable times bytes.
V along_loop(Gen *k, V base, int var, int64_t bytes);
V tag_access(Gen *k, V access, const Buffer *b);     // what it can't alias

// stage.c
bool plan_stage(Gen *k, const Stmt *loop, Stage *out);  // false where there is nothing to stage
void fill_stage(Gen *k, Stage *stage, int n);           // for n iterations, n <= 16
V staged_load(Gen *k, const Scalar *s);
bool staged_store(Gen *k, const Stmt *s, V value);      // false where it is not staged
void flush_stage(Gen *k, const Stage *stage, int n);    // what was stored in n iterations
int row_store_slot(Gen *k, const Stmt *store);
void store_rows(Gen *k, const Access *a, const V *v, int n);

// eval.c: scalars at the current point.
V emit_scalar(Gen *k, const Scalar *s);             // a vector where it varies along the lanes
V emit_scalar_as(Gen *k, const Scalar *s, bool as_vector);
int temp_point(const Gen *k, const TempState *t);

// draw.c
V emit_draw(Gen *k, const Scalar *s);
bool is_draw_below(const Scalar *s);                // rand(...) < number
V emit_draw_below(Gen *k, const Scalar *s);

// stmt.c: points of the open tiles, row-major over the variables in the set.
void first_point(Gen *k);
bool next_point(Gen *k, const uint64_t *set);
int count_points(const Gen *k, const uint64_t *set);
void deps_of_store(Gen *k, const Stmt *s, uint64_t *set);
void emit_let(Gen *k, const Stmt *s);
void emit_set(Gen *k, const Stmt *s);
void emit_store_stmt(Gen *k, const Stmt *s);
void emit_fetch(Gen *k, const Stmt *s);
void emit_combine(Gen *k, const Stmt *s);
// How many statements from `first` on can be done point by point; 1 for none.
int straight_run(Gen *k, const Block *b, int first);
void emit_run(Gen *k, Stmt *const *s, int n);

// loop.c
void emit_for(Gen *k, const Stmt *s);
BB new_block(Gen *k, const char *what);

// kernel.c
void emit_block(Gen *k, const Block *b);
void open_tile(Gen *k, const Stmt *s);
void close_tile(Gen *k, const Stmt *s);

// fn is (context, begin, end, table). `calls` are nests that are functions of their own (body.h).
// is_cold: its code is to be small rather than fast.
void emit_kernel(Code *g, const Kernel *k, V fn, Map *calls, bool has_table, bool is_cold);

typedef struct Table {  // what equal kernels may differ in, in the order of appearance
    const Buffer **buffer;
    int n;
    const uint32_t *site;  // of draws
    int n_site;
} Table;

Table kernel_table(const Kernel *kernel, Arena *arena);
int table_count(Table t);

// debug.c: lines of the source, with -g; nothing without.
void debug_start(Code *g);
void debug_function(Code *g, V fn, Span span);
void debug_at(Code *g, Span span);
void debug_end(Code *g);      // of a function
void debug_finish(Code *g);

// key.c: the text of a kernel with its variables, buffers and draws numbered in order, equal for
// equal code.
void kernel_key(Text *out, const Kernel *k, Table table);

// program.c: the module for the next function, of about as many instructions in each.
Code *next_module(Code *g);

// threads.c: the work on each module, at the same time. Must not die.
void each_module(Code *g, void (*work)(Code *g));

// target.c
void target_start(void);   // before any module is opened
void target_open(Code *g);
bool is_x86(const Code *g);
void target_attributes(Code *g, V fn);

#endif
