// Scalars at the current point of the open tiles.
#include "base/die.h"
#include "emit/gen.h"

int temp_point(const Gen *k, const TempState *t) {
    int point = 0;
    for (int i = 0; i < t->n_slot; i++)
        for (int j = 0; j < k->n_slot; j++)
            if (k->slot[j].var == t->slot[i].var) point = point * t->slot[i].n + k->point[j];
    return point;
}

static V emit_temp(Gen *k, const Scalar *s) {
    const TempState *t = temp_state(k, s->temp);
    if (!t->value) BUG("emit: temp %d of %s is read before it is declared", s->temp->id, k->k->name);
    return t->value[temp_point(k, t)];
}

static V emit_iv(Gen *k, const Scalar *s) {
    Term t = {s->slot, 1};
    Affine a = {1, &t, 0};
    return affine_value(k, &a);
}

// A whole real that is made an integer, or NULL.
static const Scalar *whole_real(const Scalar *s) {
    return s->op == OP_to_int && is_small_whole(s->arg[0]) ? s->arg[0] : NULL;
}

static V emit_operation(Gen *k, const Scalar *s) {
    bool as_vector = in_lanes(k, scalar_deps(k, s));
    V arg[MAX_ARGS];
    int n = op_info[s->op].arity;
    const Scalar *same = without_clamp(s);
    if (same != s) return emit_scalar_as(k, same, as_vector);
    const Scalar *whole = s->op == OP_scale2 && k->g->has_avx512 ? whole_real(s->arg[1]) : NULL;
    if (whole)
        return emit_scaled(k->g, s->elem, emit_scalar_as(k, s->arg[0], as_vector),
                           emit_scalar_as(k, whole, as_vector));
    for (int i = 0; i < n; i++) arg[i] = emit_scalar_as(k, s->arg[i], as_vector);
    if (whole_real(s))
        return LLVMBuildFPToSI(k->g->b, arg[0], same_lanes(arg[0], k->g->t_i32), "");
    return emit_op(k->g, s->op, s->elem, s->arg[s->op == OP_select ? 1 : 0]->elem, arg);
}

V emit_scalar(Gen *k, const Scalar *s) {
    if (s->op == OP_const)
        return const_elem(k->g, s->elem, elem_is_real(s->elem) ? s->real : (double)s->integer);
    if (s->op == OP_temp) return emit_temp(k, s);
    V known = memo_get(k, s, false);
    if (known) return known;
    V v = s->op == OP_iv ? emit_iv(k, s) : s->op == OP_load ? emit_load(k, s)
        : s->op == OP_rand ? emit_draw(k, s)
        : is_draw_below(s) ? emit_draw_below(k, s) : emit_operation(k, s);
    memo_set(k, s, false, v);
    return v;
}

V emit_scalar_as(Gen *k, const Scalar *s, bool as_vector) {
    V v = emit_scalar(k, s);
    if (!as_vector || is_vector(v)) return v;
    if (LLVMIsConstant(v)) return splat(k->g, v);
    V known = memo_get(k, s, true);
    if (known) return known;
    V wide = splat(k->g, v);
    memo_set(k, s, true, wide);
    return wide;
}
