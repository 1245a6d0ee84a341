// What the grammar of the textual IR calls: grammar/ir.y reads, reader.c builds.
//
// Everything from the text is checked before it reaches a constructor. Functions that
// report an error return NULL or false, and parsing ends there.
#ifndef NNC_IR_READER_H
#define NNC_IR_READER_H

#include "ir/ir.h"

enum { READ_GUARDS = 32, READ_OWN = 64, READ_DEPTH = 1000, READ_COTANGENT = 1 << 20 };

typedef struct Reader {
    Compiler *c;
    Arena *arena;
    Module *m;
    Function *fn;
    int file, offset;  // of the token under way
    Map *values;       // of the function: number plus one to Value *
    Map *lets;         // of the value: Name to Scalar *
    Map *depth;        // Scalar * to how deep it is nested
    int np, nr;        // the box under way
    Name slot[MAX_SLOTS];
    Dim extent[MAX_SLOTS];
} Reader;

typedef struct Ref {  // %12.hint, %name, %param:name
    int number;       // -1: a leaf
    Name name;        // of the leaf, or the hint
    int kind;         // VAL_param, VAL_state where it is given; else -1
} Ref;

typedef struct Dims {
    int n;
    Dim at[MAX_RANK];
} Dims;

typedef struct Guards {
    int n;
    Guard at[READ_GUARDS];
} Guards;

typedef struct Subscripts {
    int n;
    Subscript at[MAX_RANK];
} Subscripts;

typedef struct Arguments {
    int n;
    Scalar *at[MAX_ARGS];
} Arguments;

typedef struct Pieces {
    VEC(Piece) list;
} Pieces;

typedef struct Steps {
    VEC(Carry) carries;
    VEC(Value *) taps;
} Steps;

typedef struct Owning {  // cotangents, or arguments with what they receive
    int n;
    Value *at[READ_OWN], *gives[READ_OWN];
} Owning;

typedef struct Reduction {
    RedKind red;
    Order order;
} Reduction;

bool reader_error(Reader *r, Span at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Module level.
bool reader_begin(Reader *r, Span at, Name name, Elem real, bool is_frozen);
bool reader_extent(Reader *r, Span at, Name name, int64_t max);
bool reader_leaf(Reader *r, Span at, ValueOp op, Name name, const Type *t);
bool reader_function(Reader *r, Span at, Name name);
bool reader_result(Reader *r, Span at, Name name, Value *v);
bool reader_update(Reader *r, Span at, Value *target, Value *v);

// Types. n times the extent `by` (NULL: a constant); max > 0 declares the extent.
bool reader_dim(Reader *r, Span at, int64_t n, Name by, int64_t max, Dim *out);
bool reader_add_dim(Reader *r, Span at, Dims *dims, Dim d);
bool reader_type(Reader *r, Span at, Elem elem, int64_t below, const Dims *dims, Type *out);

// Scalars.
void reader_begin_box(Reader *r);
bool reader_add_slot(Reader *r, Span at, Name name, Dim extent, bool is_reduced);
bool reader_end_box(Reader *r, Span at);
bool reader_let(Reader *r, Span at, Name name, Scalar *s);
Scalar *reader_word(Reader *r, Span at, Name name);
Scalar *reader_integer(Reader *r, Span at, int64_t x);
Scalar *reader_op(Reader *r, Span at, Op op, Scalar *a, Scalar *b, Scalar *c);
Scalar *reader_negated(Reader *r, Span at, Scalar *a);
Scalar *reader_call(Reader *r, Span at, Name name, const Arguments *arguments);
Scalar *reader_rand(Reader *r, Span at, int64_t site, Scalar *place);
Scalar *reader_read(Reader *r, Span at, Value *v, const Subscripts *sub, const Guards *guards,
                    Scalar *otherwise);
bool reader_term(Reader *r, Span at, Affine *sum, int64_t c, Name slot);  // sum += c * slot
bool reader_guard(Reader *r, Span at, Guards *guards, Affine e, Scalar *s, int64_t mod);
bool reader_subscript(Reader *r, Span at, Subscripts *list, Affine a, int64_t div, Scalar *gather);

// Values.
Value *reader_ref(Reader *r, Span at, Ref ref);
bool reader_define(Reader *r, Span at, Ref ref, Value *v);
Value *reader_index(Reader *r, Span at, const Reduction *red, const Guards *where, Scalar *body);
Value *reader_accumulate(Reader *r, Span at, const Type *t, const Reduction *red,
                         const Guards *where, const Subscripts *target, Value *init, Scalar *body);
Value *reader_reshape(Reader *r, Span at, Value *v, const Dims *dims);
bool reader_piece(Reader *r, Span at, Pieces *pieces, Value *v, int64_t start, int64_t step);
Value *reader_join(Reader *r, Span at, int64_t axis, Dim extent, const Pieces *pieces, double fill);
bool reader_carry(Reader *r, Span at, Steps *steps, Value *leaf, Value *init, Value *next);
Value *reader_scan(Reader *r, Span at, int64_t axis, bool is_reverse, const Steps *carries,
                   const Steps *taps);
Value *reader_part(Reader *r, Span at, int64_t number, Value *scan);
Value *reader_grad(Reader *r, Span at, Value *of, Value *wrt);
Value *reader_cotangent(Reader *r, Span at, int64_t number, const Type *t);
bool reader_owning(Reader *r, Span at, Owning *list, Value *v, Value *gives);
Value *reader_own(Reader *r, Span at, Value *of, int64_t place, const Owning *cotangents,
                  const Owning *gradients);

#endif
