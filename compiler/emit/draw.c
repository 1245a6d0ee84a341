// Draws at the current point. Sixty-four places that begin at a multiple of 64 are the four words
// of sixteen counters (see eval_rand): one computation serves four vectors.
#include "emit/gen.h"

// Whether the place of lane 0 is a multiple of 64 plus a known number below 64, and the lanes
// count on. `place` is then that of the current point.
static bool is_aligned_place(Gen *k, const Scalar *s, Affine *place, int64_t *known) {
    int lanes = open_lanes(k);
    if (lanes < 0 || !scalar_as_affine(k->g->p->m, (Scalar *)s, place)) return false;
    if (affine_coef(*place, k->slot[lanes].var) != 1) return false;
    *known = place->k;
    for (int i = 0; i < place->n; i++) {
        const Var *v = &k->var[place->t[i].slot];
        *known += place->t[i].c * v->k;
        if (v->kind == VAR_loop && place->t[i].c * k->loop[v->level].grain % 64 != 0) return false;
    }
    return (*known % LANES) == 0;
}

// The words of the sixty-four places around the current one; computed before, perhaps, for
// another of their four vectors.
static const V *aligned_words(Gen *k, const Scalar *s, Affine place, int64_t known, int word) {
    Drawn *drawn = map_get(k->drawn, s);
    int64_t block = known - LANES * word;
    if (drawn && drawn->block == block && is_still_good(k, s, &drawn->when)) return drawn->word;
    if (!drawn) map_set(k->drawn, s, drawn = NEW(k->arena, Drawn));
    Code *g = k->g;
    V at = LLVMBuildTrunc(g->b, affine_i64(k, &place), g->t_i32, "");
    V first = LLVMBuildAdd(g->b, at, const_i32(g, -(int64_t)LANES * word), "");
    emit_rand_words(g, frame_seed(k), frame_site(k, s->site), frame_step(k), first, k->is_compact, drawn->word);
    drawn->block = block;
    drawn->when = now(k);
    return drawn->word;
}

static V drawn_word(Gen *k, const Scalar *s) {
    Affine place;
    int64_t known;
    if (is_aligned_place(k, s->arg[0], &place, &known)) {
        int word = (int)((known % 64 + 64) % 64 / LANES);
        return aligned_words(k, s, place, known, word)[word];
    }
    V at = emit_scalar(k, s->arg[0]);
    return emit_rand_word(k->g, frame_seed(k), frame_site(k, s->site), frame_step(k), at);
}

V emit_draw(Gen *k, const Scalar *s) {
    return emit_rand_fraction(k->g, drawn_word(k, s), s->elem);
}

bool is_draw_below(const Scalar *s) {
    return s->op == OP_lt && s->arg[0]->op == OP_rand && s->arg[1]->op == OP_const;
}

V emit_draw_below(Gen *k, const Scalar *s) {
    const Scalar *draw = s->arg[0];
    return emit_rand_below(k->g, drawn_word(k, draw), draw->elem, s->arg[1]->real);
}
