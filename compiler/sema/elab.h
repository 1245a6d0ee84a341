// Elaboration: what the files of sema share.
//
// The program is run once for every entry point, with tensors in place of numbers. An
// expression becomes a Term: a value known when compiled, a stored tensor (a Value), or a
// scalar body over symbolic slots. Slots are numbers that stand for "any place on this
// axis"; they live while one statement is elaborated, and are renumbered from 0 when a body
// becomes a Value (term_store).
#ifndef NNC_SEMA_ELAB_H
#define NNC_SEMA_ELAB_H

#include <setjmp.h>

#include "ir/build.h"
#include "ir/rewrite.h"
#include "sema/number.h"
#include "sema/sema.h"

typedef struct Sema Sema;
typedef struct OwnCall OwnCall;
typedef struct Frame Frame;
typedef struct Binding Binding;
typedef struct Steps Steps;  // scan.c

// Slots in draws that stand for what is known once the definition's indices are: the row-major
// number of the element drawn; the index of its sample; the number in the sample; how many
// elements a sample has.
enum { SLOT_place, SLOT_row, SLOT_inner, SLOT_stride, N_SPECIAL };
enum { MAX_CALLS = 200 };  // calls inside calls

// ---- terms

typedef enum ExpKind {
    EXP_error,  // an error was reported; silences what follows
    EXP_number,
    EXP_bool,
    EXP_string,
    EXP_dim,  // a run-time extent, times a number
    EXP_list,
    EXP_tuple,     // several results, perhaps with names
    EXP_callable,  // a definition, perhaps with its configuration
    EXP_builtin,
    EXP_instance,  // a layer that has, or will have, parameters of its own
    EXP_group,     // `output`, `valid`: a prefix of names
    EXP_path,      // `f.c1`: a prefix of the paths of parameters
    EXP_rows,      // a data block, or a split of it: a prefix of fields
    EXP_stored,    // a tensor that is a Value
    EXP_body,      // a tensor that is a scalar over slots
} ExpKind;

typedef struct Exp Exp;
typedef struct Instance Instance;
typedef struct Builtin Builtin;

typedef struct Axis {
    int slot;
    Dim dim;
    Span from;  // where the size was said
} Axis;

typedef struct Shape {
    int rank;
    Axis axis[MAX_SLOTS];
} Shape;

typedef struct Arg {
    Name name;  // NULL for one by place
    Exp *e;
    Span span;  // of the name, where it has one
    Span value_span;
} Arg;

typedef struct Args {
    int n;
    Arg *at;
} Args;

struct Exp {
    ExpKind kind;
    union {
        Number number;
        bool truth;
        Name string;  // of a string, or the name of a group
        Dim dim;
        struct {
            int n;
            Exp **at;
            Name *name;  // of a tuple's parts, or NULL
        } list;
        struct {
            const Node *def;
            bool has_config;
            Args config;
        } callable;
        const Builtin *builtin;
        Instance *instance;
        int split;  // of rows; -1: all splits
        // v[outer slots ..., own axes ...]: computed inside a body over the outer slots.
        struct {
            Value *v;
            int n_outer;
            const int *outer;
        } stored;
        struct {
            Scalar *body;
            int rank;
            const Axis *axis;
        } body;
    };
};

// ---- layers

// Names of layers inside one body: dense#1, dense#2.
typedef struct LayerScope {
    const char *path;  // "" or "block#1."
    Map *ordinal;      // layer name -> count
    Map *taken;        // names given to instances by variables -> count
} LayerScope;

struct Instance {
    const Node *def;
    Args config;
    const char *path;  // NULL until it is named or used
};

// A parameter or a state of the module.
typedef struct Kept {
    Value *leaf;
    Value *first;  // what `init` gives it
    Span span;
    bool is_state;
    bool is_generated;  // generations alone keep it: nothing else gives it a value
} Kept;

// ---- names

typedef enum VarKind { VAR_local, VAR_argument, VAR_dim, VAR_kept, VAR_field, VAR_hyper } VarKind;

typedef struct Var {
    VarKind kind;
    Name name;
    Exp *e;  // NULL for kept ones (their current version) and for fields not yet read
    Kept *kept;
    const Node *node;  // of a field
    Span span;
    Span given;  // of an argument: where its value stands, in the call
} Var;

// An index name, from its binder on.
struct Binding {
    Binding *up;
    Name name;
    int slot;
    Span span;
    bool is_given;  // by `i < n`
};

// What `...` stands for in a statement or a reduction.
typedef struct Pack {
    bool is_known;
    int n;
    Axis axis[MAX_RANK];
    Span span;  // of the use that fixed it
} Pack;

// Draws that the sample decides: those of a data field or of an `augment` entry.
typedef struct Drawing {
    const char *name;  // of the field or the entry
    bool is_by_epoch;
    int n;  // met so far
} Drawing;

// The body of a definition that is being run.
struct Frame {
    Frame *up;        // the caller
    const Node *def;  // NULL for a train block or a field
    Span call;
    bool is_library;
    Map *vars;  // Name -> Var *
    LayerScope *layers;
    const char *site;  // the path of calls, for draws
    Map *occurrence;   // Node * -> times met, for draws
    Drawing *drawing;  // NULL where the step decides draws
    bool is_apart;     // a field's: no index of its callers lives in it
    bool has_pack;     // the pack of the signature
    bool pack_lost;    // what it stands for depends on an error
    int n_pack;
    Axis pack[MAX_RANK];
    Binding *binding;  // innermost index
    Pack *live;        // what `...` means here; NULL outside of expressions
    bool is_indexed;   // inside an indexed definition or a reduction
    Number fan_in, fan_out;
    bool has_fan;                           // inside an initializer
    const char *kept_prefix, *kept_suffix;  // optimizers: adam#1. and .dense#1.w
    const Type *kept_type;                  // of an untyped state
    Exp *result;
    Span result_span;
    bool names_lost;   // to a syntax error: an unknown name says nothing
    bool return_lost;  // the same of a body without a `return`
};

// ---- what is known of indices

// e + s + plus >= 0.
typedef struct Claim {
    Affine e;
    Scalar *s;  // i32 or NULL
    Dim plus;
} Claim;

typedef VEC(Claim) Claims;

// ---- the elaboration

typedef struct SlotInfo {
    Dim dim;
    bool is_known;
    bool is_lost;  // an error would have told its range
    Span from;
    Name name;  // NULL for an axis without one
} SlotInfo;

typedef struct HyperInfo {
    const Node *node;
    Name name;
    Exp *e;  // its value
    bool is_fixed;
    bool is_integer;
    bool is_defined;  // by -D
    HyperSpec range;  // what stands behind `in`
} HyperInfo;

// A field while its expression is elaborated.
typedef struct FieldBeing {
    const Node *node;  // NULL outside of fields
    int n_input;       // inputs so far
    Type type;         // of a row
    Span from[MAX_RANK + 1];
} FieldBeing;

// The entry point that is being built.
typedef struct Entry {
    Function *fn;
    bool training, moves_states;
    bool moves_streams;  // the states of a stream, at least
    bool generates;      // `generating` is true
    bool feeds;          // one place at a time, number `pos`
    bool is_part;        // of a step over several batches
    bool is_of_sums;     // their update
    Map *version;        // leaf of a state -> Value *
    VEC(Kept *) params;  // that the model has, in order of declaration
    VEC(Kept *) states;  // that were updated, in order
    VEC(Kept *) rows_kept;  // states by the batch, of what generates
    LayerScope *root;
    Map *constants;  // Node of the file -> Exp *
} Entry;

// The states of an entry point as they were.
typedef struct Undo {
    Map *version;
    int n_state;
} Undo;

// The metric that is being elaborated.
typedef struct Totals {
    Name metric;  // NULL outside of one
    int n;        // totals in it so far
    bool is_end;  // they are inputs
} Totals;

struct Sema {
    Compiler *c;
    Arena *arena;
    Module *m;
    ModelSpec *spec;
    Map *library, *globals;  // Name -> Node *
    const Node *file;
    VEC(HyperInfo) hypers;
    const Node *model, *train, *data, *generate;
    const Node *where;  // the data block's entry, or NULL
    Extent *batch;
    const Extent *rows;  // that fields are elaborated over: the batch, or a whole split
    Frame *frame;
    int depth;
    Steps *steps;  // the innermost scan, or NULL
    Entry *entry;
    Function *init;
    Map *kept;     // path -> Kept *
    Map *kept_of;  // leaf -> Kept *
    Map *sites;    // text -> number + 1
    Map *averages; // leaf of a parameter -> leaf of the state that holds its average
    Map *sums;     // leaf of a parameter -> leaf of its gradients' sum, where a step has parts
    Entry *epoch_begin;  // NULL where nothing needs it
    Map *origin;   // Value * -> Span[rank]
    Map *fields;   // Name -> Node *
    VEC(SlotInfo) slots;
    Claims known;
    Map *uses;  // Node of a definition -> used or not
    VEC(const Node *) locals;
    int64_t multiply_adds;  // of a sample, so far
    bool is_summarizing;
    int summary_depth;  // of rows that are begun
    Span result_span;  // of the last body's result
    bool is_init;      // in the first value of a parameter or state
    bool is_reading_hypers;
    bool is_alone;      // what is run serves its own errors alone
    bool names_lost;    // to a declaration that is broken: an unknown name says nothing
    bool calls_lost;    // to an error: parameters are missing
    FieldBeing being;   // the field of the data block whose expression is elaborated
    const Node *gradient;  // the one of a function's own that is run, or NULL
    Totals totals;
    Map *totalled;              // train entries of metrics that have totals
    VEC(const Node *) missing;  // dimensions without a size
    jmp_buf *restart;           // taken where a hyper turns out to fix a shape
};

// ---- names.c

// The innermost span in the user's file; library places become a note.
Diag *sema_error(Sema *s, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
Exp *fail(Sema *s, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
Diag *not_compiled(Sema *s, Span at, const char *what);
Name sema_name(Sema *s, const char *text);
bool is_word(Name a, const char *text);
Var *frame_var(Frame *f, Name id);
Var *frame_set(Sema *s, Frame *f, VarKind kind, Name id, Exp *e, Span at);
void frame_define(Sema *s, const Node *target, Exp *e);  // a local, which should be used
Frame *frame_push(Sema *s, const Node *def, Span call);
void frame_pop(Sema *s);
Binding *find_binding(const Frame *f, Name id);
Exp *lookup(Sema *s, const Node *name_node);
Exp *lookup_quiet(Sema *s, Name id);                // NULL where there is none
bool is_lost_name(Sema *s, const Node *name_node);  // unknown, or an error
bool has_broken(const Node *items);
void lose_name(Sema *s, const Node *name_node);  // to an error: what depends on it is silent
const Node *global_def(Sema *s, Name id, bool from_library);
const char *nearest(Name id, const char *const *word, int n);
HyperInfo *find_hyper(Sema *s, Name id);

// ---- term.c

extern Exp *const exp_error;
Exp *exp_number(Sema *s, Number n);
Exp *exp_int(Sema *s, int64_t n);
Exp *exp_bool(Sema *s, bool truth);
Exp *exp_string(Sema *s, Name text);
Exp *exp_dim(Sema *s, Dim d);
Exp *exp_list(Sema *s, ExpKind kind, int n, Exp *const *at);
Exp *exp_stored(Sema *s, Value *v);
Exp *exp_scalar(Sema *s, Scalar *body);  // rank 0
Exp *exp_body(Sema *s, Scalar *body, const Shape *shape);

bool is_tensor(const Exp *e);       // stored or body
bool is_scalar_like(const Exp *e);  // a tensor, number, bool or dim: may be computed with
bool is_error(const Exp *e);
const char *exp_describe(Sema *s, const Exp *e);
Elem exp_elem(Sema *s, const Exp *e);
Shape exp_shape(Sema *s, const Exp *e);  // a stored tensor's axes have slot -1
Shape exp_axes(Sema *s, const Exp *e);   // the same with slots
const char *shape_text(Sema *s, const Shape *shape);
const char *dim_text(Sema *s, Dim d);
// The element of e at axes aligned from the right; size-1 axes are read at 0.
Scalar *exp_at(Sema *s, const Exp *e, const Shape *at);
Scalar *to_elem(Sema *s, Scalar *x, Elem elem);
Scalar *to_real(Sema *s, Scalar *x);
Scalar *to_int(Sema *s, Scalar *x);
Scalar *to_number(Sema *s, Scalar *x);                            // bool becomes real, u8 i32
void as_numbers(Sema *s, Scalar **a, Scalar **b, bool as_reals);  // of one element

int slot_new(Sema *s, Dim d, Span from);
int slot_unknown(Sema *s, Name id, Span at);
Axis slot_axis(Sema *s, int slot);
Axis axis_new(Sema *s, Dim d, Span from);
void slots_used(Sema *s, Scalar *x, bool *used);               // used[slot], room for slot_room
int slot_room(const Sema *s);                                  // of an array by slot
const Affine *slots_at_zero(Sema *s, const int *slot, int n);  // a substitution
const Dim *slot_extents(Sema *s);                              // by slot
// The common shape of terms that broadcast from the right; false after an error.
// In a field of the data block, terms by row are aligned first (see align_rows).
bool broadcast(Sema *s, Span at, Exp **e, const Span *span, int n, Shape *out);

// The tensor as a Value over its outer slots and its own axes.
Exp *exp_store(Sema *s, Exp *e, Span at, Name hint);
// The same over outer slots that are given, among them all that it uses.
Exp *exp_store_over(Sema *s, Exp *e, int n_outer, const int *outer, Span at, Name hint);
Exp *exp_bind(Sema *s, Exp *e, Span at, Name hint);  // what a name may hold
void set_origin(Sema *s, Value *v, int axis, Span from);
Span origin_of(Sema *s, const Value *v, int axis);

// From symbolic slots to 0, 1, ..; the special ones become what they stand for.
Affine *renumbering(Sema *s, const int *slot, int n);
Dim *extents_of(Sema *s, const int *slot, int n);

// A body over exactly these slots; NULL after an error.
Value *store_over(Sema *s, Scalar *body, int n, const int *slot, Span at, Name hint);

typedef struct Reduction {
    RedKind red;
    int nr;
    const int *slot;  // reduced
    const Guard *where;
    int n_where;
    Scalar *body;
    Shape axes;  // kept
    Span span;
    Name hint;
} Reduction;
Exp *store_reduction(Sema *s, const Reduction *r);

// ---- prove.c

bool always(Sema *s, Claim c);   // over all of the box
bool implied(Sema *s, Claim c);  // by what is known here
Guard claim_guard(Sema *s, Claim c);
void claims_of(Sema *s, Scalar *condition, bool holds, Claims *out);
// Is the condition exactly these guards?
bool condition_guards(Sema *s, Scalar *condition, Guard *out, int room, int *n);
void interval_of(Sema *s, Scalar *x, double *low, double *high);
int64_t class_count(Sema *s, const Exp *e);  // every element is below it; 0 for nothing known

// ---- expr.c, reduce.c, subscript.c, infer.c

Exp *expr(Sema *s, const Node *n);
Exp *expr_plain(Sema *s, const Node *n);       // a whole expression: closes a free `...`
Exp *operand(Sema *s, Exp *e, const Node *n);  // reads a bare tensor at the live pack
Exp *arithmetic(Sema *s, const char *op, Exp *a, Exp *b, const Node *n);
Exp *pointwise(Sema *s, Op op, Exp *a, const Node *n);
Exp *reduce(Sema *s, const Node *n);
Exp *matrix_product(Sema *s, Exp *a, Exp *b, const Node *n);
Exp *subscript(Sema *s, const Node *n, const Node *otherwise);
void fail_merged(Sema *s, const Node *part, Dim d);  // a part that must come first, and does not
void infer_ranges(Sema *s, const Node *n);
void infer_from_target(Sema *s, const Node *target);  // the left side of `+=`

// Where a scatter adds: a subscript for each axis, guards that conditions prove, kept axes.
typedef struct Place {
    const Subscript *sub;
    const Guard *guard;
    int n_guard;
    Shape kept;
} Place;
bool target_place(Sema *s, const Node *n, Exp *base, Place *out);
Binding *bind_index(Sema *s, Name id, Span at, const Node *bound);
bool bindings_known(Sema *s, const Binding *from, const Binding *to);

// Known when compiled, or an error; a hyper that it depends on becomes fixed.
bool need_number(Sema *s, const Node *n, Number *out);
bool need_int(Sema *s, const Node *n, int64_t *out);
// A word and a number: `train 80%`, `train(2 * n)`. The word, or NULL where n is no such thing.
Name count_word(const Node *n);
bool need_count(Sema *s, const Node *n, Number *out);
bool need_dim(Sema *s, const Node *n, Dim *out);
bool fix_hypers(Sema *s, const Exp *e);  // restarts where e depends on hypers alone

// ---- shape.c

bool eval_type(Sema *s, const Node *type, Type *out, Span *from);
// A tensor of the type, where all of its sizes are known; else an error, without a word.
Exp *stand_in(Sema *s, const Node *type, Span at);
// Unites a declared type with what is given; the term as the declared element, or an error.
Exp *match_type(Sema *s, const Node *type, Exp *e, Span at, const char *what);
// e broadcast to the type and stored; `from` says where each size comes from, or is NULL.
Exp *fit_type(Sema *s, Exp *e, const Type *t, const Span *from, Span at, Name hint);

// ---- stmt.c, define.c

Map *map_copy(Sema *s, const Map *from);
bool run_block(Sema *s, const Node *block);  // true where it returned
Exp *define_indexed(Sema *s, const Node *target, const Node *rhs);
Exp *scatter(Sema *s, const Node *target, const Node *rhs);  // target[...] += rhs

// ---- scan.c

bool run_scan(Sema *s, const Node *n);                     // false after an error
bool may_assign(Sema *s, const Node *target);              // else an error: a scan is in the way
bool is_collected(const Sema *s, const Node *target);      // y[:, t], with t a scan's index
void collect(Sema *s, const Node *target, const Node *rhs);

// ---- call.c, builtin.c, layer.c

bool is_fan(Name id);
Arg eval_arg(Sema *s, const Node *n);
Args eval_args(Sema *s, const Node *args);
Exp *call(Sema *s, const Node *n);
Exp *apply(Sema *s, Exp *f, Args args, Span at, Span callee);
Exp *apply_pipe(Sema *s, Exp *f, Exp *x, Span x_span, Span at, Span callee);
Exp *run_def(Sema *s, const Node *def, Args config, Args args, Span at, LayerScope *layers);
Exp *run_body(Sema *s, const Node *body, const Node *returns);  // of the frame's definition
void bind_params(Sema *s, const Node *params, Args args, Span at, const char *what);
// Are these arguments what the definition takes first?
bool check_config(Sema *s, const Node *def, Args config, Span at);
const char *site_below(Sema *s, Name what, Span at);
const Builtin *find_builtin(Name id);
const char *builtin_name(int i);  // NULL after the last
Exp *call_builtin(Sema *s, const Builtin *b, const Node *call);
Exp *apply_builtin(Sema *s, const Builtin *b, Args args, Span span);

// ---- own.c: the call of a function with a gradient of its own

OwnCall *begin_own(Sema *s, const Node *def);  // once its arguments are bound; NULL after an error
Exp *end_own(Sema *s, OwnCall *c, Exp *e);     // e: what its body gives

// ---- draw.c

uint32_t site_number(Sema *s, const char *path);
Drawing *drawing_new(Sema *s, const char *name, bool is_by_epoch);
Scalar *draw_here(Sema *s, const char *what, Span at);
void renumber_places(Sema *s, const int *slot, int n, Affine *to);
bool has_place(const bool *used);  // is it of a draw, whose place is not known yet?
bool check_rows(Sema *s, const bool *used, const int *slot, int n, Span at);

Exp *make_instance(Sema *s, const Node *def, Args config);
void name_instance(Sema *s, Instance *x, Name id);
Exp *call_instance(Sema *s, Instance *x, Args args, Span at);
Exp *instance_member(Sema *s, Instance *x, Name id, Span at);
// The parameter or state of a path, or the prefix of such paths; NULL where there is none.
Exp *path_value(Sema *s, const char *path);
LayerScope *layer_scope(Sema *s, const char *path);
void define_param(Sema *s, const Node *n);
void define_state(Sema *s, const Node *n);
Exp *kept_current(Sema *s, Kept *k);
void kept_update(Sema *s, Kept *k, Exp *e, Span at);
void finish_init(Sema *s);
void take_inputs(Function *f);  // inputs of other functions that it reads become its own
Kept *keep_number(Sema *s, const char *path, Span at);  // a state of rank 0, at first 0

// ---- data.c, train.c, optimizer.c, augment.c

void read_data(Sema *s);
void make_fields(Sema *s);
Exp *field_value(Sema *s, const Node *field);
const char *field_word(int i);  // `column`, `images` ...; NULL after the last
// What stands in the data block, in a frame of its own where fields have their names.
Exp *run_by_row(Sema *s, const Node *n, Exp *(*elaborate)(Sema *s, const Node *n));
Type batched(Sema *s, const Type *row, Elem elem, int64_t below);  // over the rows at hand
Exp *field_part(Sema *s, Name id);  // `images`, `labels` in a field; NULL elsewhere
// As a field whose rows have this type; classes are held against their number.
Exp *fit_field(Sema *s, Exp *e, const Type *row, Span at, Name id);
Exp *align_rows(Sema *s, Exp *e, int rank);
Value *run_sample(Sema *s);         // the numbers of the batch's samples
Exp *field_call(Sema *s, const Node *call);  // `column(c)`, `array(a)`; NULL elsewhere
Exp *run_input(Sema *s, const char *name, Elem elem);
void read_train(Sema *s);
void build_entries(Sema *s);
Exp *model_input(Sema *s, const Node *param);
void begin_aside(Sema *s, const char *name);  // a function that is no part of the module
void finish_entries(Sema *s);
void begin_entry(Sema *s, const char *name, bool training, bool moves_states);
void end_entry(Sema *s);
Exp *run_model(Sema *s);                // and `output`
void add_results(Sema *s, Exp *output);  // of the model
Entry *new_entry(Sema *s, const char *name, bool training, bool moves_states);
void build_updates(Sema *s, Value *loss);  // loss: NULL after an error
void build_sums(Sema *s, Value *loss);     // of gradients, where a step has parts
void build_update_of_sums(Sema *s);
bool path_matches(Sema *s, Node *const *path, int n, const Value *leaf);
void check_loads(Sema *s);

// ---- average.c, schedule.c

Exp *project(Sema *s, const Kept *k, Exp *w);        // w: what becomes of the parameter
void average(Sema *s, const Kept *k, Exp *w);
void use_averages(Sema *s, Map *version);            // in place of parameters
Undo mark_states(Sema *s);
void undo_states(Sema *s, const Undo *undo);
Args eval_schedules(Sema *s, const Node *def, const Node *args, const char *prefix);
void finish_epoch_begin(Sema *s);

const Node *block_entry(const Node *block, const char *word, int nth);  // NULL for none
const Node *train_entry(Sema *s, const char *word, int nth);
void check_single(Sema *s, const Node *block, const char *const *word, int n);  // once at most
int entry_args(const Node *entry);  // how many
bool one_argument(Sema *s, const Node *entry);  // or an error
const Node *entry_paths(const Node *entry);
const Node *entry_file(const Node *entry);  // behind `from`
void run_augmentations(Sema *s);  // of the fields in the entry's frame
void need_part(Sema *s, const char *symbol);  // of the runtime, linked where it is named
void check_reachable(Sema *s, Value *loss);

// ---- generate.c

void build_generate(Sema *s);
const FieldSpec *source_field(const Sema *s, const char *name);  // that reads the source of pairs
void build_source(Sema *s, Function *step);       // source.c: what is computed once
Exp *generate_place(Sema *s, Span at);            // `pos`
Exp *generate_window(Sema *s, Span at);           // `window`
Exp *generate_member(Sema *s, const Node *n);     // `generate.temperature`

// ---- text.c: data that are text, streams

void read_texts(Sema *s, const Node *call);  // `text("a", "b")`, `pairs("a")`
bool read_text_entry(Sema *s, const Node *entry);  // false where it is none of text's
void check_text(Sema *s);                          // once all entries are read
const char *text_word(int i);       // `characters`, `words` ...; NULL after the last
Exp *text_part(Sema *s, Name id);   // a field's text by its unit; NULL elsewhere
Exp *text_call(Sema *s, const Node *call);
Exp *field_input(Sema *s, FieldSpec spec, Elem elem, int64_t below);
bool is_batch_state(const Sema *s, const Type *t);   // has the batch among its axes
bool is_stream_state(const Sema *s, const Type *t);  // carried from batch to batch

// ---- where.c: which rows are kept

void read_choice(Sema *s, const Node *entry);
Value *where_value(Sema *s);  // a truth value for each row, or NULL after an error

// ---- summary.c: rows of --emit=summary

int begin_row(Sema *s, const char *path, Span at);  // -1 where none are wanted
void end_row(Sema *s, int row, Exp *output);
void summarize(Sema *s);  // runs the model once more, on inputs that are leaves

// ---- split.c: whole splits

Exp *whole_data(Sema *s, const Node *data, Span at);          // `digits`
int need_split(Sema *s, Name word, Span at);  // its place; -1, and an error, for another word
Exp *whole_member(Sema *s, const Exp *of, const Node *n);     // `.train`, and then `.image`
// What an input by rows is called: `image` of the batch, `digits.train.image` of a split.
const char *rows_name(Sema *s, const Extent *by, const char *name);
// run.rows or run.inv_rows of the batch, run.rows.train of a split.
const char *count_name(Sema *s, const Extent *by, const char *name);
bool is_of_split(const Sema *s, const Value *v);              // an input that is known in `init`
// ---- metric.c

Value *run_loss(Sema *s);  // NULL where there is none, and after an error
void run_metrics(Sema *s);
bool has_totals(const Sema *s);
void run_totalled(Sema *s);  // metrics of totals, which are inputs
Exp *total(Sema *s, Exp *e, Span at);
Name result_name(Sema *s, const Exp *output, int i);  // of the model
void give_output(Sema *s);  // `output` becomes inputs model.NAME

// ---- rest.c

void run_rest(Sema *s);
void warn_unused(Sema *s);

#endif
