/* The grammar of nn: docs/language.md in rules. Actions only build nodes (syntax/tree.h). */

%define api.pure full
%define api.prefix {nn_}
%define api.token.prefix {T_}
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param { Parser *p }

%code requires {
#include "syntax/parser.h"
}

%union {
    Node *node;
    NodeList *list;
    Name text;
    NodeKind kind;
}

%code {
#include "base/die.h"

#define YYLLOC_DEFAULT(current, rhs, n)                                   \
    ((current) = (n) ? span_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n))      \
                     : (Span){YYRHSLOC(rhs, 0).file, YYRHSLOC(rhs, 0).end, YYRHSLOC(rhs, 0).end})

static int nn_lex(NN_STYPE *value, Span *at, Parser *p);
static void nn_error(const Span *at, Parser *p, const char *message);
}

%token NL "the end of the line"
%token HYPER "hyper" DATA "data" MODEL "model" LAYER "layer" FN "fn" LOSS "loss"
%token METRIC "metric" OPTIMIZER "optimizer" TRAIN "train" GENERATE "generate"
%token PARAM "param" STATE "state" RETURN "return" IF "if" THEN "then" ELSE "else" FOR "for"
%token IN "in" SCAN "scan" WHERE "where" FROM "from" GRADIENT "gradient"
%token REQUIRE "require" AND "and" OR "or" NOT "not" ON "on" OVER "over" AT "at"
%token <text> NAME "a name" NUMBER "a number" STRING "a string" REDUCE "a reduction"
%token PACK "..." RANGE ".." PIPE "|>" ARROW "->" ADD_TO "+=" LE "<=" GE ">=" EQ "==" NE "!="

%type <kind> callable
%type <text> word rel mulop
%type <node> item decl entries entry earg paths path params param returns result type dims dim
%type <node> body gradient block stmt simple if names targets carries carry over at values
%type <node> rhs guarded atom expr pipe or and not cmp sum prodx prod reduce unary power postfix
%type <node> primary arg range binders binder subs sub where args from for
%type <list> items entry_list eargs path_list param_list result_list dim_list stmts name_list
%type <list> target_list carry_list binder_list arg_list arg_list1 sub_list tuple

%%

file
    : items                      { p->tree = node_of_list(p, NODE_file, @1, $1); }
    ;

/* ---- declarations. After an error, parsing goes on behind the line or the block. */

items
    : %empty                     { $$ = list_new(p); }
    | items item                 { $$ = list_add(p, $1, $2); }
    ;
item
    : decl NL                    { $$ = settled_item(p, $1); }
    | error NL                   { $$ = lost_item(p, @$); yyerrok; }
    | error block NL             { $$ = lost_item(p, @$); yyerrok; }
    | error block ELSE block NL  { $$ = lost_item(p, @$); yyerrok; }
    | error block ELSE if NL     { $$ = lost_item(p, @$); yyerrok; }
    | DATA error skipped         { $$ = lost_item(p, @$); }
    | TRAIN error skipped        { $$ = lost_item(p, @$); }
    | GENERATE error skipped     { $$ = lost_item(p, @$); }
    ;
skipped
    : NL                         { yyerrok; }
    | entries NL                 { yyerrok; }
    ;
decl
    : HYPER NAME '=' expr values { $$ = named(node(p, NODE_hyper, @$, 2, $4, $5), $2, @2); }
    | DATA NAME entries          { $$ = named($3, $2, @2); $$->kind = NODE_data; $$->span = @$; }
    | GENERATE NAME entries
        { $$ = named($3, $2, @2); $$->kind = NODE_generate; $$->span = @$; }
    | TRAIN NAME ON NAME entries
        { $$ = named($5, $2, @2); $$->kind = NODE_train; $$->text = $4; $$->span = @$; }
    | callable NAME params returns body gradient
        { $$ = named(node(p, $1, @$, 5, $3, NULL, $4, $5, $6), $2, @2); }
    | callable NAME params params returns body gradient
        { $$ = named(node(p, $1, @$, 5, $3, $4, $5, $6, $7), $2, @2); }
    | MODEL NAME params returns body
        { $$ = named(node(p, NODE_model, @$, 3, $3, $4, $5), $2, @2); }
    | OPTIMIZER NAME params FOR param ',' NAME at block
        { Node *g = named(node(p, NODE_param, @7, 2, NULL, NULL), $7, @7);
          $$ = named(node(p, NODE_optimizer, @$, 5, $3, $5, g, $8, $9), $2, @2); }
    | NAME '=' rhs               { $$ = named(node(p, NODE_constant, @$, 1, $3), $1, @1); }
    ;
callable
    : LAYER                      { $$ = NODE_layer; }
    | FN                         { $$ = NODE_fn; }
    | LOSS                       { $$ = NODE_loss; }
    | METRIC                     { $$ = NODE_metric; }
    ;
values
    : %empty                     { $$ = NULL; }
    | IN expr                    { $$ = $2; }
    | IN range                   { $$ = $2; }
    ;
at
    : %empty                     { $$ = NULL; }
    | AT expr                    { $$ = $2; }
    ;
gradient
    : %empty                     { $$ = NULL; }
    | GRADIENT params body       { $$ = node(p, NODE_gradient, @$, 2, $2, $3); }
    ;
params
    : '(' ')'                    { $$ = leaf(p, NODE_params, @$); }
    | '(' param_list ')'         { $$ = node_of_list(p, NODE_params, @$, $2); }
    ;
param_list
    : param                      { $$ = list_of(p, $1); }
    | param_list ',' param       { $$ = list_add(p, $1, $3); }
    ;
param
    : NAME                       { $$ = named(node(p, NODE_param, @$, 2, NULL, NULL), $1, @1); }
    | NAME ':' type              { $$ = named(node(p, NODE_param, @$, 2, $3, NULL), $1, @1); }
    | NAME '=' expr              { $$ = named(node(p, NODE_param, @$, 2, NULL, $3), $1, @1); }
    | NAME ':' type '=' expr     { $$ = named(node(p, NODE_param, @$, 2, $3, $5), $1, @1); }
    ;
returns
    : %empty                     { $$ = leaf(p, NODE_returns, @$); }
    | ARROW result_list          { $$ = node_of_list(p, NODE_returns, @2, $2); }
    ;
result_list
    : result                     { $$ = list_of(p, $1); }
    | result_list ',' result     { $$ = list_add(p, $1, $3); }
    ;
result
    : type                       { $$ = node(p, NODE_result, @$, 1, $1); }
    | NAME ':' type              { $$ = named(node(p, NODE_result, @$, 1, $3), $1, @1); }
    ;
body
    : block
    | '=' rhs                    { $$ = $2; }
    ;

/* ---- entries of data, train and generate */

entries
    : open entry_list '}'        { $$ = node_of_list(p, NODE_data, @$, $2); }
    ;
open
    : '{'                        { yyerrok; }
    ;
entry_list
    : %empty                     { $$ = list_new(p); }
    | entry_list entry NL        { $$ = list_add(p, $1, unless_broken(p, $2)); }
    | entry_list error NL        { $$ = list_add(p, $1, broken_node(p, @2)); yyerrok; }
    ;
entry
    : word eargs for from        { $$ = named(entry_node(p, @$, $1, $2, $3, $4), $1, @1); }
    | NAME ':' type '=' expr     { $$ = named(node(p, NODE_field, @$, 2, $3, $5), $1, @1); }
    ;
word
    : NAME
    | FROM                       { $$ = name(p->c->names, "from"); }
    | WHERE                      { $$ = name(p->c->names, "where"); }
    | GRADIENT                   { $$ = name(p->c->names, "gradient"); }
    ;
for
    : %empty                     { $$ = NULL; }
    | FOR paths                  { $$ = $2; }
    ;
from
    : %empty                     { $$ = NULL; }
    | FROM STRING                { $$ = string_node(p, @2, $2); }
    ;
eargs
    : earg                       { $$ = list_of(p, $1); }
    | eargs ',' earg             { $$ = list_add(p, $1, $3); }
    ;
earg
    : arg
    | NAME NUMBER
        { $$ = number_node(p, @2, $2); $$->kind = NODE_count; $$->span = @$; named($$, $1, @1); }
    ;
paths
    : path_list                  { $$ = node_of_list(p, NODE_paths, @$, $1); }
    ;
path_list
    : path                       { $$ = list_of(p, $1); }
    | path_list ',' path         { $$ = list_add(p, $1, $3); }
    ;
path
    : NAME                       { $$ = named(leaf(p, NODE_name, @$), $1, @1); }
    | STRING                     { $$ = string_node(p, @1, $1); }
    | path '.' NAME              { $$ = named(node(p, NODE_member, @$, 1, $1), $3, @3); }
    ;

/* ---- types */

type
    : '[' dims ']'               { $$ = node(p, NODE_type, @$, 2, NULL, $2); }
    | NAME                       { $$ = named(node(p, NODE_type, @$, 2, NULL, NULL), $1, @1); }
    | NAME '[' dims ']'          { $$ = named(node(p, NODE_type, @$, 2, NULL, $3), $1, @1); }
    | NAME '(' expr ')'          { $$ = named(node(p, NODE_type, @$, 2, $3, NULL), $1, @1); }
    | NAME '(' expr ')' '[' dims ']'
        { $$ = named(node(p, NODE_type, @$, 2, $3, $6), $1, @1); }
    ;
dims
    : %empty                     { $$ = leaf(p, NODE_dims, @$); }
    | dim_list                   { $$ = node_of_list(p, NODE_dims, @$, $1); }
    ;
dim_list
    : dim                        { $$ = list_of(p, $1); }
    | dim_list ',' dim           { $$ = list_add(p, $1, $3); }
    ;
dim
    : expr
    | PACK                       { $$ = leaf(p, NODE_pack, @$); }
    ;

/* ---- statements */

block
    : open stmts '}'             { $$ = node_of_list(p, NODE_block, @$, $2); }
    ;
stmts
    : %empty                     { $$ = list_new(p); }
    | stmts stmt                 { $$ = list_add(p, $1, $2); }
    ;
stmt
    : simple NL                  { $$ = unless_broken(p, $1); }
    | error NL                   { $$ = broken_node(p, @$); yyerrok; }
    | error block NL             { $$ = broken_node(p, @$); yyerrok; }
    | error block ELSE block NL  { $$ = broken_node(p, @$); yyerrok; }
    | error block ELSE if NL     { $$ = broken_node(p, @$); yyerrok; }
    ;
simple
    : PARAM names ':' type '=' rhs   { $$ = node(p, NODE_param_def, @$, 3, $2, $4, $6); }
    | STATE names '=' rhs            { $$ = node(p, NODE_state_def, @$, 3, $2, NULL, $4); }
    | STATE names ':' type '=' rhs   { $$ = node(p, NODE_state_def, @$, 3, $2, $4, $6); }
    | NAME ':' type '=' rhs      { $$ = named(node(p, NODE_typed, @$, 2, $3, $5), $1, @1); }
    | targets '=' rhs            { $$ = node(p, NODE_assign, @$, 2, $1, $3); }
    | postfix ADD_TO rhs
        { check_target(p, $1); $$ = node(p, NODE_add_to, @$, 2, $1, $3); }
    | RETURN arg_list1
        { $$ = node(p, NODE_return, @$, 1, node_of_list(p, NODE_args, @2, $2)); }
    | REQUIRE expr ',' STRING
        { $$ = node(p, NODE_require, @$, 2, $2, string_node(p, @4, $4)); }
    | FOR NAME IN expr block     { $$ = named(node(p, NODE_for_in, @$, 2, $4, $5), $2, @2); }
    | FOR NAME '<' sum block     { $$ = named(node(p, NODE_for_below, @$, 2, $4, $5), $2, @2); }
    | SCAN NAME '<' sum FROM carries block
        { $$ = named(node(p, NODE_scan, @$, 3, $4, $6, $7), $2, @2); }
    | SCAN NAME over FROM carries block
        { $$ = named(node(p, NODE_scan_over, @$, 3, $3, $5, $6), $2, @2); }
    | if
    ;
over
    : OVER expr                  { $$ = $2; }
    ;
if
    : IF expr block              { $$ = node(p, NODE_if, @$, 3, $2, $3, NULL); }
    | IF expr block ELSE block   { $$ = node(p, NODE_if, @$, 3, $2, $3, $5); }
    | IF expr block ELSE if      { $$ = node(p, NODE_if, @$, 3, $2, $3, $5); }
    ;
names
    : name_list                  { $$ = node_of_list(p, NODE_names, @$, $1); }
    ;
name_list
    : NAME                       { $$ = list_of(p, named(leaf(p, NODE_name, @1), $1, @1)); }
    | name_list ',' NAME         { $$ = list_add(p, $1, named(leaf(p, NODE_name, @3), $3, @3)); }
    ;
targets
    : target_list                { $$ = node_of_list(p, NODE_targets, @$, $1); }
    ;
target_list
    : postfix                    { check_target(p, $1); $$ = list_of(p, $1); }
    | target_list ',' postfix    { check_target(p, $3); $$ = list_add(p, $1, $3); }
    ;
carries
    : carry_list                 { $$ = node_of_list(p, NODE_carries, @$, $1); }
    ;
carry_list
    : carry                      { $$ = list_of(p, $1); }
    | carry_list ',' carry       { $$ = list_add(p, $1, $3); }
    ;
carry
    : NAME '=' expr              { $$ = named(node(p, NODE_carry, @$, 2, NULL, $3), $1, @1); }
    | NAME ':' type '=' expr     { $$ = named(node(p, NODE_carry, @$, 2, $3, $5), $1, @1); }
    ;

/* ---- expressions, the loosest first */

rhs
    : expr
    | guarded
    ;
guarded
    : postfix ELSE atom          { $$ = node(p, NODE_guarded, @$, 2, $1, $3); }
    ;
atom
    : NUMBER                     { $$ = number_node(p, @$, $1); }
    | NAME                       { $$ = named(leaf(p, NODE_name, @$), $1, @1); }
    | '-' atom                   { $$ = unary_node(p, @$, "-", $2); }
    | '(' expr ')'               { $$ = $2; $$->span = @$; }
    ;
expr
    : pipe
    | IF expr THEN expr ELSE expr  { $$ = node(p, NODE_choose, @$, 3, $2, $4, $6); }
    ;
pipe
    : or
    | pipe PIPE postfix          { $$ = node(p, NODE_pipe, @$, 2, $1, $3); }
    ;
or
    : and
    | or OR and                  { $$ = binary_node(p, @2, "or", $1, $3); }
    ;
and
    : not
    | and AND not                { $$ = binary_node(p, @2, "and", $1, $3); }
    ;
not
    : cmp
    | NOT not                    { $$ = unary_node(p, @$, "not", $2); }
    ;
cmp
    : sum
    | sum rel sum                { $$ = binary_node(p, @2, $2, $1, $3); }
    ;
rel
    : '<'                        { $$ = "<"; }
    | '>'                        { $$ = ">"; }
    | LE                         { $$ = "<="; }
    | GE                         { $$ = ">="; }
    | EQ                         { $$ = "=="; }
    | NE                         { $$ = "!="; }
    ;
sum
    : prodx
    | sum '+' prodx              { $$ = binary_node(p, @2, "+", $1, $3); }
    | sum '-' prodx              { $$ = binary_node(p, @2, "-", $1, $3); }
    ;
prodx
    : prod
    | reduce
    | prod mulop reduce
        { check_quotient(p, $2, $3); $$ = binary_node(p, @2, $2, $1, $3); }
    ;
prod
    : unary
    | prod mulop unary           { $$ = binary_node(p, @2, $2, $1, $3); }
    ;
mulop
    : '*'                        { $$ = "*"; }
    | '/'                        { $$ = "/"; }
    | '@'                        { $$ = "@"; }
    ;
reduce
    : REDUCE '[' binders where ']' prodx
        { $$ = named(node(p, NODE_reduce, @$, 3, $3, $4, $6), $1, @1); }
    | '-' reduce                 { $$ = unary_node(p, @$, "-", $2); }
    ;
where
    : %empty                     { $$ = NULL; }
    | WHERE expr                 { $$ = $2; }
    ;
binders
    : binder_list                { $$ = node_of_list(p, NODE_binders, @$, $1); }
    ;
binder_list
    : binder                     { $$ = list_of(p, $1); }
    | binder_list ',' binder     { $$ = list_add(p, $1, $3); }
    ;
binder
    : NAME                       { $$ = named(node(p, NODE_binder, @$, 1, NULL), $1, @1); }
    | NAME '<' sum               { $$ = named(node(p, NODE_binder, @$, 1, $3), $1, @1); }
    | PACK                       { $$ = leaf(p, NODE_pack, @$); }
    ;
unary
    : power
    | '-' unary                  { $$ = unary_node(p, @$, "-", $2); }
    ;
power
    : postfix
    | postfix '^' unary          { $$ = binary_node(p, @2, "^", $1, $3); }
    ;
postfix
    : primary
    | postfix '(' args ')'       { $3->span = span_join(@2, @4);
                                   $$ = node(p, NODE_call, @$, 2, $1, $3); }
    | postfix '[' subs ']'       { $3->span = span_join(@2, @4);
                                   $$ = node(p, NODE_subscript, @$, 2, $1, $3); }
    | postfix '.' NAME           { $$ = named(node(p, NODE_member, @$, 1, $1), $3, @3); }
    ;
primary
    : NAME                       { $$ = named(leaf(p, NODE_name, @$), $1, @1); }
    | NUMBER                     { $$ = number_node(p, @$, $1); }
    | STRING                     { $$ = string_node(p, @$, $1); }
    | '(' rhs ')'                { $$ = $2; $$->span = @$; }
    | '(' tuple ')'              { $$ = node_of_list(p, NODE_tuple, @$, $2); }
    | '[' arg_list ']'           { $$ = node_of_list(p, NODE_list, @$, $2); }
    ;
tuple
    : expr ',' expr              { $$ = list_add(p, list_of(p, $1), $3); }
    | tuple ',' expr             { $$ = list_add(p, $1, $3); }
    ;
args
    : arg_list                   { $$ = node_of_list(p, NODE_args, @$, $1); }
    ;
arg_list
    : %empty                     { $$ = list_new(p); }
    | arg_list1
    ;
arg_list1
    : arg                        { $$ = list_of(p, $1); }
    | arg_list1 ',' arg          { $$ = list_add(p, $1, $3); }
    ;
arg
    : rhs
    | range
    | NAME '=' rhs               { $$ = named(node(p, NODE_named, @$, 1, $3), $1, @1); }
    ;
range
    : sum RANGE sum              { $$ = node(p, NODE_range, @$, 2, $1, $3); }
    ;
subs
    : sub_list                   { $$ = node_of_list(p, NODE_subs, @$, $1); }
    ;
sub_list
    : sub                        { $$ = list_of(p, $1); }
    | sub_list ',' sub           { $$ = list_add(p, $1, $3); }
    ;
sub
    : expr
    | PACK                       { $$ = leaf(p, NODE_pack, @$); }
    | '(' PACK ')'               { $$ = node(p, NODE_tuple, @$, 1, leaf(p, NODE_pack, @2)); }
    | ':'                        { $$ = node(p, NODE_slice, @$, 2, NULL, NULL); }
    | expr ':'                   { $$ = node(p, NODE_slice, @$, 2, $1, NULL); }
    | ':' expr                   { $$ = node(p, NODE_slice, @$, 2, NULL, $2); }
    | expr ':' expr              { $$ = node(p, NODE_slice, @$, 2, $1, $3); }
    ;

%%

static int nn_lex(NN_STYPE *value, Span *at, Parser *p) {
    if (p->at < p->tokens.n - 1) p->at++;
    const Token *t = &p->tokens.at[p->at];
    value->text = t->text;
    *at = t->span;
    return t->kind;
}

// Called by the parser itself only where its stack is full.
static void nn_error(const Span *at, Parser *p, const char *message) {
    (void)message;
    report_too_deep(p, *at);
}

// What would have been right instead, by the tokens' codes.
static int yyreport_syntax_error(const yypcontext_t *context, Parser *p) {
    _Static_assert(YYMAXUTOK < TOKEN_LIMIT, "Expected has room for every token");
    yysymbol_kind_t kind[YYNTOKENS];
    int n = yypcontext_expected_tokens(context, kind, YYNTOKENS);
    Expected expected = {0};
    for (int code = 0; code <= YYMAXUTOK; code++)
        for (int i = 0; i < n; i++)
            if (YYTRANSLATE(code) == kind[i]) expected.token[code] = true;
    report_unexpected(p, &expected);
    return 0;
}
