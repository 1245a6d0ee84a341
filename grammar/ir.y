// The textual index IR: docs/ir.md. Actions only build; what they build with checks.
%code requires {
#include "ir/reader.h"
}
%code {
#include "ir/build.h"
int ir_lex(IR_STYPE *value, Span *span, Reader *r, void *scanner);
static void ir_error(Span *span, Reader *r, void *scanner, const char *message);

#define YYLLOC_DEFAULT(to, rhs, n)                                                   \
    (to) = (n) ? (Span){YYRHSLOC(rhs, 1).file, YYRHSLOC(rhs, 1).begin,               \
                        YYRHSLOC(rhs, n).end}                                        \
               : (Span){YYRHSLOC(rhs, 0).file, YYRHSLOC(rhs, 0).end, YYRHSLOC(rhs, 0).end}
// Parsing ends at the first error.
#define CHECK(made) do { if (!(made)) YYABORT; } while (0)
}

%define api.prefix {ir_}
%define api.pure full
%define api.location.type {Span}
%define parse.error detailed
%locations
%expect 0
%param {Reader *r} {void *scanner}

%union {
    int64_t integer;
    double real;
    Name name;
    Elem elem;
    bool truth;
    Ref ref;
    Dim dim;
    Dims *dims;
    Type *type;
    Affine *affine;
    Guards *guards;
    Subscripts *subscripts;
    Arguments *arguments;
    Pieces *pieces;
    Steps *steps;
    Owning *owning;
    Reduction reduction;
    Scalar *scalar;
    Value *value;
}

%token T_MODULE "module" T_FROZEN "frozen" T_EXTENT "extent" T_PARAM "param" T_STATE "state"
%token T_FUNCTION "function" T_RESULT "result" T_UPDATE "update" T_INDEX "index"
%token T_ACCUMULATE "accumulate" T_RESHAPE "reshape" T_JOIN "join" T_GRAD "grad" T_WRT "wrt"
%token T_OWN "own" T_COTANGENT "cotangent"
%token T_AXIS "axis" T_FILL "fill" T_AT "at" T_STEP "step" T_FROM "from" T_TO "to" T_LET "let"
%token T_WHERE "where" T_IF "if" T_THEN "then" T_ELSE "else" T_OR "or" T_AND "and" T_NOT "not"
%token T_CARRY "carry" T_SCAN "scan" T_REVERSE "reverse" T_TAP "tap" T_PART "part" T_OF "of"
%token T_MOD "mod" T_RAND "rand" T_LE "<=" T_GE ">=" T_EQ "==" T_NE "!="
%token T_INVALID "a character that means nothing" T_END 0 "the end of the text"
%token <integer> T_INT "an integer" T_U8 "a u8" T_BOOL "a truth value"
%token <real> T_REAL "a real"
%token <elem> T_ELEM "an element"
%token <name> T_WORD "a name" T_STRING "a string"
%token <ref> T_NUMBERED "a value" T_NAMED "a leaf"
%token <reduction> T_RED "a reduction" T_MAXMIN "max or min" T_BLOCKS "a reduction by blocks"

%type <truth> frozen reverse
%type <name> name
%type <integer> below signed_integer guard_kind
%type <real> signed_real
%type <dim> dim
%type <dims> dims dim_list
%type <type> type
%type <affine> affine term
%type <guards> guards guard where
%type <subscripts> subscripts subscript_list subscript
%type <arguments> arguments
%type <pieces> pieces
%type <steps> carries taps tap_list
%type <owning> cotangents own_gradients
%type <reduction> reduction any_reduction
%type <scalar> scalar disjunction conjunction negation comparison sum product signed primary braced
%type <value> ref value from read_value

%%

module : header items

header : "module" name T_ELEM frozen     { CHECK(reader_begin(r, @$, $2, $3, $4)); }

frozen : %empty                          { $$ = false; }
       | "frozen"                        { $$ = true; }

items  : %empty
       | items item

item   : "extent" name "<=" T_INT        { CHECK(reader_extent(r, @$, $2, $4)); }
       | "param" name type               { CHECK(reader_leaf(r, @$, VAL_param, $2, $3)); }
       | "state" name type               { CHECK(reader_leaf(r, @$, VAL_state, $2, $3)); }
       | function_name '(' inputs ')' '{' statements '}'

function_name : "function" name          { CHECK(reader_function(r, @$, $2)); }

inputs : %empty
       | input_list

input_list : input
           | input_list ',' input

input  : name type                       { CHECK(reader_leaf(r, @$, VAL_input, $1, $2)); }

name   : T_WORD
       | T_STRING

// ---- types

type   : T_ELEM below '[' dims ']'       { $$ = NEW(r->arena, Type);
                                           CHECK(reader_type(r, @$, $1, $2, $4, $$)); }

below  : %empty                          { $$ = 0; }
       | '<' T_INT '>'                   { $$ = $2;
                                           CHECK($2 || reader_error(r, @2, "a bound of 0")); }

dims   : %empty                          { $$ = NEW(r->arena, Dims); }
       | dim_list

dim_list : dim                           { $$ = NEW(r->arena, Dims);
                                           CHECK(reader_add_dim(r, @1, $$, $1)); }
         | dim_list ',' dim              { $$ = $1; CHECK(reader_add_dim(r, @3, $$, $3)); }

dim    : T_INT                           { CHECK(reader_dim(r, @$, $1, NULL, 0, &$$)); }
       | name                            { CHECK(reader_dim(r, @$, 1, $1, 0, &$$)); }
       | name "<=" T_INT                 { CHECK(reader_dim(r, @$, 1, $1, $3, &$$)); }
       | T_INT '*' name                  { CHECK(reader_dim(r, @$, $1, $3, 0, &$$)); }

// ---- statements

statements : %empty
           | statements statement

statement : T_NUMBERED '=' value         { CHECK(reader_define(r, @1, $1, $3)); }
          | "result" name '=' ref        { CHECK(reader_result(r, @$, $2, $4)); }
          | "update" ref '=' ref         { CHECK(reader_update(r, @$, $2, $4)); }

ref    : T_NUMBERED                      { CHECK($$ = reader_ref(r, @1, $1)); }
       | T_NAMED                         { CHECK($$ = reader_ref(r, @1, $1)); }

value  : "index" box lets scalar         { CHECK($$ = reader_index(r, @$, NULL, NULL, $4)); }
       | "index" box lets reduction scalar
                                         { CHECK($$ = reader_index(r, @$, &$4, NULL, $5)); }
       | "index" box lets reduction where scalar
                                         { CHECK($$ = reader_index(r, @$, &$4, $5, $6)); }
       | "index" box lets T_MAXMIN scalar
                                         { CHECK($$ = reader_index(r, @$, &$4, NULL, $5)); }
       | "index" box lets T_MAXMIN where scalar
                                         { CHECK($$ = reader_index(r, @$, &$4, $5, $6)); }
       | "accumulate" type box lets any_reduction "at" subscripts from ':' scalar
                                         { CHECK($$ = reader_accumulate(r, @$, $2, &$5, NULL, $7,
                                                                        $8, $10)); }
       | "accumulate" type box lets any_reduction where "at" subscripts from ':' scalar
                                         { CHECK($$ = reader_accumulate(r, @$, $2, &$5, $6, $8, $9,
                                                                        $11)); }
       | "reshape" ref "to" '[' dims ']' { CHECK($$ = reader_reshape(r, @$, $2, $5)); }
       | "join" "axis" T_INT "extent" dim '[' pieces ']' "fill" signed_real
                                         { CHECK($$ = reader_join(r, @$, $3, $5, $7, $10)); }
       | "grad" ref "wrt" ref            { CHECK($$ = reader_grad(r, @$, $2, $4)); }
       | "cotangent" T_INT type          { CHECK($$ = reader_cotangent(r, @$, $2, $3)); }
       | "own" ref "at" T_INT "from" '[' cotangents ']' "to" '[' own_gradients ']'
                                         { CHECK($$ = reader_own(r, @$, $2, $4, $7, $11)); }
       | "carry" type                    { $$ = build_carry(r->m, *$2, (Span){0}, NULL); }
       | "scan" "axis" T_INT reverse '[' carries ']' taps
                                         { CHECK($$ = reader_scan(r, @$, $3, $4, $6, $8)); }
       | "part" T_INT "of" ref           { CHECK($$ = reader_part(r, @$, $2, $4)); }

reverse : %empty                         { $$ = false; }
        | "reverse"                      { $$ = true; }

carries : ref "from" ref "to" ref        { $$ = NEW(r->arena, Steps);
                                           CHECK(reader_carry(r, @$, $$, $1, $3, $5)); }
        | carries ',' ref "from" ref "to" ref
                                         { $$ = $1; CHECK(reader_carry(r, @$, $$, $3, $5, $7)); }

taps   : %empty                          { $$ = NEW(r->arena, Steps); }
       | "tap" '[' tap_list ']'          { $$ = $3; }

tap_list : ref                           { $$ = NEW(r->arena, Steps);
                                           vec_push(r->arena, &$$->taps, $1); }
         | tap_list ',' ref              { $$ = $1; vec_push(r->arena, &$$->taps, $3); }

box    : box_begin slots ']'             { CHECK(reader_end_box(r, @$)); }
       | box_begin slots '|' reduced_slots ']'
                                         { CHECK(reader_end_box(r, @$)); }

box_begin : '['                          { reader_begin_box(r); }

slots  : %empty
       | slot_list

slot_list : T_WORD '<' dim               { CHECK(reader_add_slot(r, @1, $1, $3, false)); }
          | slot_list ',' T_WORD '<' dim { CHECK(reader_add_slot(r, @3, $3, $5, false)); }

reduced_slots : T_WORD '<' dim           { CHECK(reader_add_slot(r, @1, $1, $3, true)); }
              | reduced_slots ',' T_WORD '<' dim
                                         { CHECK(reader_add_slot(r, @3, $3, $5, true)); }

lets   : %empty
       | lets "let" T_WORD '=' scalar ';'
                                         { CHECK(reader_let(r, @3, $3, $5)); }

reduction : T_RED
          | T_BLOCKS '(' T_INT ')'       { $$ = $1; $$.order.leaf = $3; }

any_reduction : reduction
              | T_MAXMIN

where  : "where" '(' guards ')'          { $$ = $3; }

from   : %empty                          { $$ = NULL; }
       | "from" ref                      { $$ = $2; }

pieces : ref "at" T_INT                  { $$ = NEW(r->arena, Pieces);
                                           CHECK(reader_piece(r, @$, $$, $1, $3, 1)); }
       | ref "at" T_INT "step" T_INT     { $$ = NEW(r->arena, Pieces);
                                           CHECK(reader_piece(r, @$, $$, $1, $3, $5)); }
       | pieces ',' ref "at" T_INT       { $$ = $1; CHECK(reader_piece(r, @3, $$, $3, $5, 1)); }
       | pieces ',' ref "at" T_INT "step" T_INT
                                         { $$ = $1; CHECK(reader_piece(r, @3, $$, $3, $5, $7)); }

cotangents : ref                         { $$ = NEW(r->arena, Owning);
                                           CHECK(reader_owning(r, @$, $$, $1, NULL)); }
           | cotangents ',' ref          { $$ = $1; CHECK(reader_owning(r, @3, $$, $3, NULL)); }

own_gradients : ref '=' ref              { $$ = NEW(r->arena, Owning);
                                           CHECK(reader_owning(r, @$, $$, $1, $3)); }
              | own_gradients ',' ref '=' ref
                                         { $$ = $1; CHECK(reader_owning(r, @3, $$, $3, $5)); }

signed_real : T_REAL
            | '-' T_REAL                 { $$ = -$2; }
            | signed_integer             { $$ = (double)$1; }

signed_integer : T_INT
               | '-' T_INT               { $$ = -$2; }

// ---- scalars

scalar : disjunction
       | "if" disjunction "then" disjunction "else" scalar
                                         { CHECK($$ = reader_op(r, @$, OP_select, $2, $4, $6)); }

disjunction : conjunction
            | disjunction "or" conjunction
                                         { CHECK($$ = reader_op(r, @$, OP_or, $1, $3, NULL)); }

conjunction : negation
            | conjunction "and" negation { CHECK($$ = reader_op(r, @$, OP_and, $1, $3, NULL)); }

negation : comparison
         | "not" negation                { CHECK($$ = reader_op(r, @$, OP_not, $2, NULL, NULL)); }

comparison : sum
           | sum '<' sum                 { CHECK($$ = reader_op(r, @$, OP_lt, $1, $3, NULL)); }
           | sum "<=" sum                { CHECK($$ = reader_op(r, @$, OP_le, $1, $3, NULL)); }
           | sum "==" sum                { CHECK($$ = reader_op(r, @$, OP_eq, $1, $3, NULL)); }
           | sum "!=" sum                { CHECK($$ = reader_op(r, @$, OP_ne, $1, $3, NULL)); }

sum    : product
       | sum '+' product                 { CHECK($$ = reader_op(r, @$, OP_add, $1, $3, NULL)); }
       | sum '-' product                 { CHECK($$ = reader_op(r, @$, OP_sub, $1, $3, NULL)); }

product : signed
        | product '*' signed             { CHECK($$ = reader_op(r, @$, OP_mul, $1, $3, NULL)); }
        | product '/' signed             { CHECK($$ = reader_op(r, @$, OP_div, $1, $3, NULL)); }

signed : primary
       | '-' signed                      { CHECK($$ = reader_negated(r, @$, $2)); }

primary : T_INT                          { CHECK($$ = reader_integer(r, @1, $1)); }
        | T_U8                           { CHECK($1 < 256 || reader_error(r, @1, "a u8 above 255"));
                                           $$ = scalar_const(r->m, ELEM_u8, (double)$1); }
        | T_BOOL                         { $$ = scalar_bool(r->m, $1); }
        | T_REAL                         { $$ = scalar_real(r->m, $1); }
        | T_WORD                         { CHECK($$ = reader_word(r, @1, $1)); }
        | T_WORD '(' arguments ')'       { CHECK($$ = reader_call(r, @$, $1, $3)); }
        | T_MAXMIN '(' scalar ',' scalar ')'
                                         { Op op = $1.red == RED_max ? OP_max : OP_min;
                                           CHECK($$ = reader_op(r, @$, op, $3, $5, NULL)); }
        | "rand" '(' T_INT ',' scalar ')'
                                         { CHECK($$ = reader_rand(r, @$, $3, $5)); }
        | read_value subscripts          { CHECK($$ = reader_read(r, @$, $1, $2, NULL, NULL)); }
        | '(' read_value subscripts "if" guards "else" scalar ')'
                                         { CHECK($$ = reader_read(r, @$, $2, $3, $5, $7)); }
        | '(' scalar ')'                 { $$ = $2; }

read_value : ref

arguments : scalar                       { $$ = NEW(r->arena, Arguments); $$->at[$$->n++] = $1; }
          | arguments ',' scalar         { $$ = $1;
                                           CHECK($$->n < MAX_ARGS ||
                                                 reader_error(r, @3, "too many arguments"));
                                           $$->at[$$->n++] = $3; }

// ---- subscripts and guards

subscripts : '[' ']'                     { $$ = NEW(r->arena, Subscripts); }
           | '[' subscript_list ']'      { $$ = $2; }

subscript_list : subscript               { $$ = $1; }
               | subscript_list ',' subscript
                                         { $$ = $1;
                                           Subscript last = $3->at[0];
                                           CHECK(reader_subscript(r, @3, $$, last.a, last.div,
                                                                  last.gather)); }

subscript : affine                       { $$ = NEW(r->arena, Subscripts);
                                           CHECK(reader_subscript(r, @$, $$, *$1, 1, NULL)); }
          | affine '+' braced            { $$ = NEW(r->arena, Subscripts);
                                           CHECK(reader_subscript(r, @$, $$, *$1, 1, $3)); }
          | braced                       { $$ = NEW(r->arena, Subscripts);
                                           CHECK(reader_subscript(r, @$, $$, (Affine){0}, 1, $1)); }
          | '(' affine ')' '/' T_INT     { $$ = NEW(r->arena, Subscripts);
                                           CHECK(reader_subscript(r, @$, $$, *$2, $5, NULL)); }
          | '(' affine ')' '/' T_INT '+' braced
                                         { $$ = NEW(r->arena, Subscripts);
                                           CHECK(reader_subscript(r, @$, $$, *$2, $5, $7)); }

braced : '{' scalar '}'                  { $$ = $2; }

affine : term
       | '-' T_INT                       { $$ = NEW(r->arena, Affine);
                                           CHECK(reader_term(r, @$, $$, -$2, NULL)); }
       | '-' T_WORD                      { $$ = NEW(r->arena, Affine);
                                           CHECK(reader_term(r, @$, $$, -1, $2)); }
       | '-' T_INT '*' T_WORD            { $$ = NEW(r->arena, Affine);
                                           CHECK(reader_term(r, @$, $$, -$2, $4)); }
       | affine '+' T_INT                { $$ = $1; CHECK(reader_term(r, @$, $$, $3, NULL)); }
       | affine '+' T_WORD               { $$ = $1; CHECK(reader_term(r, @$, $$, 1, $3)); }
       | affine '+' T_INT '*' T_WORD     { $$ = $1; CHECK(reader_term(r, @$, $$, $3, $5)); }
       | affine '-' T_INT                { $$ = $1; CHECK(reader_term(r, @$, $$, -$3, NULL)); }
       | affine '-' T_WORD               { $$ = $1; CHECK(reader_term(r, @$, $$, -1, $3)); }
       | affine '-' T_INT '*' T_WORD     { $$ = $1; CHECK(reader_term(r, @$, $$, -$3, $5)); }

term   : T_INT                           { $$ = NEW(r->arena, Affine);
                                           CHECK(reader_term(r, @$, $$, $1, NULL)); }
       | T_WORD                          { $$ = NEW(r->arena, Affine);
                                           CHECK(reader_term(r, @$, $$, 1, $1)); }
       | T_INT '*' T_WORD                { $$ = NEW(r->arena, Affine);
                                           CHECK(reader_term(r, @$, $$, $1, $3)); }

guards : guard
       | guards ',' guard                { $$ = $1;
                                           Guard g = $3->at[0];
                                           CHECK(reader_guard(r, @3, $$, g.e, g.s, g.mod)); }

guard  : affine guard_kind               { $$ = NEW(r->arena, Guards);
                                           CHECK(reader_guard(r, @$, $$, *$1, NULL, $2)); }
       | affine '+' braced guard_kind    { $$ = NEW(r->arena, Guards);
                                           CHECK(reader_guard(r, @$, $$, *$1, $3, $4)); }
       | braced guard_kind               { $$ = NEW(r->arena, Guards);
                                           CHECK(reader_guard(r, @$, $$, (Affine){0}, $1, $2)); }

// Both compare with zero.
guard_kind : ">=" T_INT                  { $$ = 0; CHECK(!$2 || reader_error(r, @2, "not 0")); }
           | "==" T_INT "mod" T_INT      { $$ = $4; CHECK(!$2 || reader_error(r, @2, "not 0"));
                                           CHECK($4 || reader_error(r, @4, "modulo 0")); }
%%

static void ir_error(Span *span, Reader *r, void *scanner, const char *message) {
    (void)scanner;
    reader_error(r, *span, "%s", message);
}
