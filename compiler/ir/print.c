// The textual form of values, functions and modules: docs/ir.md.
#include "ir/print.h"

#include "ir/printer.h"
#include "ir/rewrite.h"

static void put_where(Printer *p, const Guard *where, int n) {
    if (!n) return;
    text_add(p->out, " where (");
    put_guards(p, where, n);
    text_add(p->out, ")");
}

static void put_box(Printer *p, const Dim *extent, int np, int nr) {
    text_add(p->out, " [");
    for (int i = 0; i < np + nr; i++) {
        if (i == np)
            text_add(p->out, i ? " | " : "| ");
        else if (i)
            text_add(p->out, ", ");
        put_slot(p, i);
        text_add(p->out, "<");
        put_dim(p, extent[i]);
    }
    text_add(p->out, "]");
}

static void put_reduction(Printer *p, RedKind red, Order order) {
    if (red == RED_none) return;
    text_printf(p->out, " %s", red_name[red]);
    if (order.kind == ORDER_seq) text_add(p->out, ".seq");
    if (order.kind == ORDER_lanes16) text_add(p->out, ".lanes16");
    if (order.kind == ORDER_blocks) text_printf(p->out, ".blocks(%lld)", (long long)order.leaf);
}

typedef struct RootList {
    Arena *scratch;
    VEC(const Scalar *) list;
} RootList;

static void add_root(void *context, Scalar *s) {
    RootList *r = context;
    vec_push(r->scratch, &r->list, s);
}

static void put_value_lets(Printer *p, const Value *v, Arena *scratch) {
    RootList roots = {.scratch = scratch};
    value_each_scalar(v, add_root, &roots);
    put_lets(p, roots.list.at, roots.list.n, scratch);
}

static void put_index(Printer *p, const Value *v, Arena *scratch) {
    const Index *x = &v->index;
    p->np = x->np;
    put_box(p, x->extent, x->np, x->nr);
    put_value_lets(p, v, scratch);
    put_reduction(p, x->red, x->order);
    put_where(p, x->where, x->n_where);
    text_add(p->out, " ");
    put_scalar(p, x->body);
}

static void put_accumulate(Printer *p, const Value *v, Arena *scratch) {
    const Accumulate *x = &v->accumulate;
    text_add(p->out, " ");
    put_type(p, &v->type);
    p->np = x->n;
    put_box(p, x->extent, x->n, 0);
    put_value_lets(p, v, scratch);
    put_reduction(p, x->red, (Order){ORDER_none, 0});
    put_where(p, x->where, x->n_where);
    text_add(p->out, " at ");
    put_subscripts(p, x->target, v->type.rank);
    if (x->init) {
        text_add(p->out, " from ");
        put_value_ref(p, x->init);
    }
    text_add(p->out, ": ");
    put_scalar(p, x->body);
}

static void put_join(Printer *p, const Value *v) {
    const Join *j = &v->join;
    text_printf(p->out, " axis %d extent ", j->axis);
    put_dim(p, v->type.dim[j->axis]);
    text_add(p->out, " [");
    for (int i = 0; i < j->n; i++) {
        if (i) text_add(p->out, ", ");
        put_value_ref(p, j->piece[i].v);
        text_printf(p->out, " at %lld", (long long)j->piece[i].start);
        if (j->piece[i].step != 1) text_printf(p->out, " step %lld", (long long)j->piece[i].step);
    }
    text_add(p->out, "] fill ");
    text_real(p->out, j->fill);
}

static void put_reshape(Printer *p, const Value *v) {
    text_add(p->out, " ");
    put_value_ref(p, v->of);
    text_add(p->out, " to [");
    for (int i = 0; i < v->type.rank; i++) {
        if (i) text_add(p->out, ", ");
        put_dim(p, v->type.dim[i]);
    }
    text_add(p->out, "]");
}

// scan axis 0 reverse [%4 from %1 to %9] tap [%6]
static void put_scan(Printer *p, const Scan *x) {
    text_printf(p->out, " axis %d%s [", x->axis, x->is_reverse ? " reverse" : "");
    for (int i = 0; i < x->n_carry; i++) {
        if (i) text_add(p->out, ", ");
        put_value_ref(p, x->carry[i].leaf);
        text_add(p->out, " from ");
        put_value_ref(p, x->carry[i].init);
        text_add(p->out, " to ");
        put_value_ref(p, x->carry[i].next);
    }
    text_add(p->out, "]");
    for (int i = 0; i < x->n_tap; i++) {
        text_add(p->out, i ? ", " : " tap [");
        put_value_ref(p, x->tap[i]);
    }
    if (x->n_tap) text_add(p->out, "]");
}

static void put_own(Printer *p, const Own *o) {
    text_add(p->out, " ");
    put_value_ref(p, o->of);
    text_printf(p->out, " at %d from [", o->place);
    for (int i = 0; i < o->n_cot; i++) {
        if (i) text_add(p->out, ", ");
        put_value_ref(p, o->cot[i]);
    }
    text_add(p->out, "] to [");
    for (int i = 0; i < o->n; i++) {
        if (i) text_add(p->out, ", ");
        put_value_ref(p, o->wrt[i]);
        text_add(p->out, " = ");
        put_value_ref(p, o->gives[i]);
    }
    text_add(p->out, "]");
}

static void put_value(Printer *p, const Value *v) {
    Arena *scratch = arena_new();
    put_value_ref(p, v);
    text_printf(p->out, " = %s", value_op_name[v->op]);
    p->let = NULL;
    switch (v->op) {
        case VAL_index: put_index(p, v, scratch); break;
        case VAL_accumulate: put_accumulate(p, v, scratch); break;
        case VAL_reshape: put_reshape(p, v); break;
        case VAL_join: put_join(p, v); break;
        case VAL_scan: put_scan(p, &v->scan); break;
        case VAL_part:
            text_printf(p->out, " %d of ", v->part.number);
            put_value_ref(p, v->part.scan);
            break;
        case VAL_grad:
            text_add(p->out, " ");
            put_value_ref(p, v->grad.of);
            text_add(p->out, " wrt ");
            put_value_ref(p, v->grad.wrt);
            break;
        case VAL_own: put_own(p, &v->own); break;
        case VAL_cotangent: text_printf(p->out, " %d", v->cotangent);  // fallthrough
        default: text_add(p->out, " "); put_type(p, &v->type);
    }
    p->let = NULL;
    put_span(p, v->span);
    arena_free(scratch);
}

void print_value(Text *out, const Value *v) {
    Printer p = {.out = out, .let_line = ""};
    put_value(&p, v);
}

void print_scalar(Text *out, const Scalar *s, int np) {
    Printer p = {.out = out, .np = np, .let_line = ""};
    Arena *scratch = arena_new();
    const Scalar *root[] = {s};
    if (put_lets(&p, root, 1, scratch)->n) text_add(out, " ");
    put_scalar(&p, s);
    arena_free(scratch);
}

// ---- functions and modules

static void put_signature(Printer *p, const Function *f) {
    text_add(p->out, "function ");
    put_name(p, f->name);
    text_add(p->out, "(");
    for (int i = 0; i < f->inputs.n; i++) {
        if (i) text_add(p->out, ", ");
        put_name(p, f->inputs.at[i]->leaf.name);
        text_add(p->out, " ");
        put_type(p, &f->inputs.at[i]->type);
    }
    text_add(p->out, ") {\n");
}

static void put_outcome(Printer *p, const Function *f) {
    for (int i = 0; i < f->results.n; i++) {
        text_add(p->out, "  result ");
        put_name(p, f->results.at[i].name);
        text_add(p->out, " = ");
        put_value_ref(p, f->results.at[i].v);
        text_add(p->out, "\n");
    }
    for (int i = 0; i < f->updates.n; i++) {
        text_add(p->out, "  update ");
        put_value_ref(p, f->updates.at[i].target);
        text_add(p->out, " = ");
        put_value_ref(p, f->updates.at[i].v);
        put_span(p, f->updates.at[i].span);
        text_add(p->out, "\n");
    }
}

// A value that has not been printed yet; carries that no step reads stand before their scan.
static void put_line(Printer *p, Value *v) {
    if (v->op <= VAL_state || map_has(p->number, v)) return;
    for (int i = 0; v->op == VAL_scan && i < v->scan.n_carry; i++) put_line(p, v->scan.carry[i].leaf);
    map_set(p->number, v, (void *)(intptr_t)(p->number->n + 1));
    text_add(p->out, "  ");
    put_value(p, v);
    text_add(p->out, "\n");
}

static void put_function(Text *out, const Function *f, bool has_spans) {
    Arena *scratch = arena_new();
    Map *number = map_new(scratch);
    Printer p = {.out = out,
                 .m = f->m,
                 .fn = f,
                 .number = number,
                 .has_spans = has_spans,
                 .let_line = "\n     "};
    Values order = function_order(f, scratch);
    put_signature(&p, f);
    for (int i = 0; i < order.n; i++) put_line(&p, order.at[i]);
    put_outcome(&p, f);
    text_add(out, "}\n");
    arena_free(scratch);
}

void print_function(Text *out, const Function *f) {
    put_function(out, f, true);
}

static void put_leaves(Printer *p, Value *const *at, int n) {
    for (int i = 0; i < n; i++) {
        text_printf(p->out, "%s ", value_op_name[at[i]->op]);
        put_name(p, at[i]->leaf.name);
        text_add(p->out, " ");
        put_type(p, &at[i]->type);
        put_span(p, at[i]->span);
        text_add(p->out, "\n");
    }
}

static void put_module(Text *out, const Module *m, bool has_spans) {
    Printer p = {.out = out, .m = m, .has_spans = has_spans};
    text_add(out, "module ");
    put_name(&p, m->name ? m->name : "");
    text_printf(out, " %s%s\n", elem_name[m->real], m->is_frozen ? " frozen" : "");
    for (int i = 0; i < m->extents.n; i++) {
        text_add(out, "extent ");
        put_name(&p, m->extents.at[i]->name);
        text_printf(out, " <= %lld\n", (long long)m->extents.at[i]->max);
    }
    put_leaves(&p, m->params.at, m->params.n);
    put_leaves(&p, m->states.at, m->states.n);
    for (int i = 0; i < m->fns.n; i++) {
        text_add(out, "\n");
        put_function(out, m->fns.at[i], has_spans);
    }
}

void print_module(Text *out, const Module *m) {
    put_module(out, m, true);
}

void print_module_plain(Text *out, const Module *m) {
    put_module(out, m, false);
}
