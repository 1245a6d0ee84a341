// The second container: an ordered tree of loops over planned memory.
//
// Scalars, affine forms and the table of operations are those of the graph; a slot is the
// number of a loop variable of the kernel, and the leaves are loads, temps and loop
// variables. A program is a list of kernels for each entry point; a kernel is a function
// that is called once or, where it is parallel, for disjoint ranges of its outermost loop.
//
//   kernel k3 parallel
//     for n in 0 .. batch step 8
//       for u in 0 .. 512 step 64
//         tile [p < 8, q < 64 lanes]
//           acc = 0
//           for i in 0 .. 784
//             acc = fma(x[784 * n + 784 * p + i], w[512 * i + u + q], acc)
//           h[512 * n + 512 * p + u + q] = max(acc + b[u + q], 0)
//
// A tile is a small box of points that are computed in lockstep: a temp inside it is one
// register per point along unrolled variables, and one vector per group of points along
// the lanes. It is the only form of vectorization and of register tiling.
#ifndef NNC_IR_LOOPS_H
#define NNC_IR_LOOPS_H

#include "base/text.h"
#include "ir/ir.h"

typedef enum BufferKind {
    BUFFER_arena,    // one for all threads, at `offset` bytes from the arena's start
    BUFFER_scratch,  // one per thread, at `offset` bytes from the thread's scratch
} BufferKind;

typedef struct Buffer {
    int id;
    Name name;       // for printing
    BufferKind kind;
    Elem elem;       // bool is stored in one byte
    int64_t count;   // elements
    int64_t offset;  // bytes; -1 until `memory` has placed it
    bool is_kept;    // params, states, inputs, results: lives for the whole run
    bool is_history; // of a scan's carry at all times: no element is ever stored over
    bool is_moving;  // of a carry in one place: each step stores over what it finds
    Value *v;        // what it holds, for reports; NULL for a stage
} Buffer;

// buffer[at + sum of c * s], in elements.
typedef struct Access {
    Buffer *buffer;
    Affine at;
    int n_dyn;
    const struct Dyn {
        int64_t c;
        Scalar *s;  // i32
    } *dyn;
} Access;

// Where a guard fails the load does not happen and gives `otherwise`.
typedef struct Load {
    Access access;
    int n_guard;
    const Guard *guard;
    Scalar *otherwise;  // NULL where there is no guard
} Load;

// A register, private to the innermost tile (or loop) that declares it.
typedef struct Temp {
    int id;  // unique in its kernel
    Elem elem;
    Name name;
} Temp;

// d, rounded down to a multiple: the end of the full blocks of a loop.
typedef struct Bound {
    Dim d;
    int64_t multiple;  // 1 for d itself
} Bound;

typedef enum StmtKind {
    STMT_for,      // var from low to high by step
    STMT_tile,     // points in lockstep
    STMT_let,      // declare temp with a first value
    STMT_set,      // a new value for a temp
    STMT_store,    // buffer element = value
    STMT_fetch,    // memory that will be wanted soon comes nearer; may lie outside its buffer
    STMT_combine,  // temp = tree over the LANES values that another temp has along `lane`
} StmtKind;

typedef struct Stmt Stmt;

typedef struct Block {
    Stmt **at;
    int n, cap;
} Block;

typedef struct TileVar {
    int var;
    int64_t size;
    bool is_lanes;  // at most one, the last; consecutive points share vectors
} TileVar;

struct Stmt {
    StmtKind kind;
    Span span;
    union {
        struct {
            int var;
            Bound low, high;
            int64_t step;
            bool is_unrolled;
            int n_guard;         // it does not run where one fails; the same at all points of a
            const Guard *guard;  // tile, and without scalars
            Block body;
        } loop;
        struct {
            int n;
            TileVar var[4];
            Block body;
        } tile;
        struct {
            const Temp *temp;
            Scalar *value;
        } set;  // let, set
        struct {
            Access access;
            int n_guard;         // no store where one fails
            const Guard *guard;
            Scalar *value;
        } store;
        struct {
            Access access;       // no dyn
            bool is_stored;      // to be written
        } fetch;
        struct {
            const Temp *into, *from;  // `into` is declared outside the tile that holds `from`
            RedKind red;
            int lane;
        } combine;
    };
};

typedef struct Kernel {
    int id;
    Name name;
    Span span;
    int n_var;
    const Name *var_name;   // n_var
    const Dim *var_extent;  // an upper bound of each variable's values plus one
    bool is_parallel;       // body is one loop, whose iterations are independent
    double cost;            // estimated nanoseconds at the largest extents, one thread
    const struct Kernel *again;  // the earlier one of which it runs a part a second time; or NULL
    Block body;
    // What it touches, for `memory`: filled by `lower`.
    VEC(Buffer *) reads, writes;
} Kernel;

typedef struct LoopFunction {
    Name name;
    Function *fn;
    VEC(Kernel *) kernels;   // in order
} LoopFunction;

typedef struct Program {
    Module *m;
    VEC(Buffer *) buffers;
    VEC(LoopFunction *) fns;
    Map *buffer_of;            // Value * (leaves and results) to Buffer *
    int64_t arena_bytes;       // filled by `memory`
    int64_t kept_bytes;        // of the arena, from its start: what lives for the whole run
    int64_t scratch_bytes;     // per thread
} Program;

// The same scalar, load and temp constructors share and fold as the graph's do.
Scalar *scalar_load(Module *m, const Access *access, const Guard *guard, int n_guard,
                    Scalar *otherwise);
Scalar *scalar_temp(Module *m, const Temp *temp);

void print_program(Text *out, const Program *p);

// NULL where all is well, else what is wrong: levels of operations, declared temps and
// variables, loads and stores inside their buffers (for unguarded, non-dynamic ones).
const char *verify_program(const Program *p);

#endif
