#include "tests/fuzz/from_text.h"

#include <string.h>

#include "base/die.h"
#include "ir/read.h"
#include "tests/fuzz/random.h"

static void add_leaves(Made *made, Value *const *at, int n) {
    for (int i = 0; i < n; i++) {
        Random r = random_from(1, (uint64_t)made->leaves.n);
        Tensor *t = random_tensor(made, &r, &at[i]->type);
        vec_push(made->arena, &made->leaves, ((LeafData){at[i], t}));
    }
}

// Gradients whose loss is a result, too.
static void find_derivatives(Made *made) {
    const Function *f = made->f;
    made->is_differentiable = true;
    for (int i = 0; i < f->results.n; i++) {
        const Value *grad = f->results.at[i].v;
        for (int k = 0; grad->op == VAL_grad && k < f->results.n; k++)
            if (f->results.at[k].v == grad->grad.of)
                vec_push(made->arena, &made->derivatives,
                         ((Derivative){f->results.at[k].name, f->results.at[i].name,
                                       grad->grad.wrt}));
    }
}

Made *made_from_text(Compiler *c, Arena *a, const char *path) {
    size_t n;
    char *text = read_file(a, path, &n);
    if (!text) die("cannot read %s", path);
    Module *m = read_module(c, source_add(c->sources, path, text, (int)n, false));
    if (!m) return NULL;
    if (m->fns.n != 1 || m->extents.n > N_EXTENT) die("%s: want one function", path);
    Made *made = NEW(a, Made);
    *made = (Made){.f = m->fns.at[0], .arena = a};
    for (int i = 0; i < m->extents.n; i++)  // the last rows are missing
        made->extent[i] = m->extents.at[i]->max - m->extents.at[i]->max / 4;
    add_leaves(made, made->f->inputs.at, made->f->inputs.n);
    add_leaves(made, m->params.at, m->params.n);
    add_leaves(made, m->states.at, m->states.n);
    find_derivatives(made);
    return made;
}
