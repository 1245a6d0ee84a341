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

// Whether s is a multiple of 64 plus a known number below 64, for lane 0, and counts the
// lanes: then sixteen lanes are one word of four (see eval_rand).
static bool is_aligned_place(Gen *k, const Scalar *s, Affine *place, int *word) {
    int lanes = open_lanes(k);
    if (lanes < 0 || !scalar_as_affine(k->g->p->m, (Scalar *)s, place)) return false;
    if (affine_coef(*place, k->slot[lanes].var) != 1) return false;
    int64_t known = place->k;
    for (int i = 0; i < place->n; i++) {
        const Var *v = &k->var[place->t[i].slot];
        known += place->t[i].c * v->k;
        if (v->kind == VAR_loop && place->t[i].c * k->loop[v->level].grain % 64 != 0) return false;
    }
    known = (known % 64 + 64) % 64;
    if (known % LANES != 0) return false;
    *word = (int)(known / LANES);
    return true;
}

// The words of a draw are shared by the groups of lanes that they serve.
static V emit_aligned_rand(Gen *k, const Scalar *s, Affine place, int word) {
    Code *g = k->g;
    int64_t base = -(int64_t)LANES * word;
    V first = LLVMBuildTrunc(g->b, affine_i64(k, &place), g->t_i32, "");
    V words[4];
    first = LLVMBuildAdd(g->b, first, const_i32(g, base), "");
    emit_rand_words(g, frame_seed(k), s->site, frame_step(k), first, words);
    return emit_rand_fraction(g, words[word], s->elem);
}

static V emit_draw(Gen *k, const Scalar *s) {
    Affine place;
    int word;
    if (is_aligned_place(k, s->arg[0], &place, &word)) return emit_aligned_rand(k, s, place, word);
    V at = emit_scalar(k, s->arg[0]);
    return emit_rand(k->g, frame_seed(k), s->site, frame_step(k), at, s->elem);
}

static V emit_operation(Gen *k, const Scalar *s) {
    bool as_vector = in_lanes(k, scalar_deps(k, s));
    V arg[MAX_ARGS];
    int n = op_info[s->op].arity;
    for (int i = 0; i < n; i++) arg[i] = emit_scalar_as(k, s->arg[i], as_vector);
    return emit_op(k->g, s->op, s->elem, s->arg[s->op == OP_select ? 1 : 0]->elem, arg);
}

V emit_scalar(Gen *k, const Scalar *s) {
    if (s->op == OP_const)
        return const_elem(k->g, s->elem, elem_is_real(s->elem) ? s->real : (double)s->integer);
    if (s->op == OP_temp) return emit_temp(k, s);
    V known = memo_get(k, s, false);
    if (known) return known;
    V v = s->op == OP_iv ? emit_iv(k, s) : s->op == OP_load ? emit_load(k, s)
        : s->op == OP_rand ? emit_draw(k, s) : emit_operation(k, s);
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
