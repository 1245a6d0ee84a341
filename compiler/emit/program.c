// The module, or both: kernels, a table of steps per entry point, and the constant `nn_program`.
#include <string.h>

#include <llvm-c/Analysis.h>
#include <zlib.h>

#include "base/die.h"
#include "emit/body.h"
#include "emit/output.h"
#include "runtime/abi.h"

// ---- entry points

static V constant(Code *g, const char *name, V value, LLVMLinkage linkage) {
    V global = LLVMAddGlobal(g->m, LLVMTypeOf(value), name);
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, linkage);
    return global;
}

// Parts of each thread's share: a thread that has finished takes what another one, which the
// system has given less time, has not begun.
static int parts_of(const Kernel *k) {
    const double WORTH_FORKING = 3000, WORTH_A_PART = 20000;  // nanoseconds of one thread
    enum { MOST_PARTS = 8 };
    if (!k->is_parallel || (k->cost > 0 && k->cost < WORTH_FORKING)) return 0;
    double parts = k->cost / WORTH_A_PART;
    return parts < 1 ? 1 : parts > MOST_PARTS ? MOST_PARTS : (int)parts;
}

// The range of a kernel's outermost loop.
static NnStep range_of(const Kernel *k) {
    NnStep step = {.until = 1, .stride = 1, .by = -1};
    if (!k->is_parallel) return step;
    const Stmt *s = k->body.at[0];
    if (k->body.n != 1 || s->kind != STMT_for)
        BUG("emit: parallel kernel %s is not one loop", k->name);
    Bound low = s->loop.low, high = s->loop.high;
    step.count = high.d.n;
    step.stride = (int32_t)s->loop.step;
    step.until = (int32_t)high.multiple;
    if (!high.d.by && !low.d.by) {
        step.count = high.d.n / high.multiple * high.multiple - low.d.n / low.multiple * low.multiple;
        step.until = 1;
        return step;
    }
    if (!high.d.by || high.d.by->id < 0 || high.d.by->id >= NN_EXTENTS)
        BUG("emit: kernel %s ends at an extent without a place in the context", k->name);
    step.by = (int16_t)high.d.by->id;
    if (low.d.by && low.d.by == high.d.by && low.d.n == high.d.n) step.from = (int32_t)low.multiple;
    else if (low.d.by || low.d.n) BUG("emit: kernel %s begins somewhere else", k->name);
    return step;
}

// An NnStep.
static V step(Code *g, const LoopFunction *f, const Kernel *k) {
    NnStep s = range_of(k);
    T t_i16 = LLVMInt16TypeInContext(g->cx);
    V table, fn = kernel_body(g, k, arena_printf(g->arena, "%s.k%d_%s", f->name, k->id, k->name ? k->name : ""), &table);
    V part[8] = {fn, table, const_i64(g, s.count), const_i32(g, s.from), const_i32(g, s.until),
                 const_i32(g, s.stride), LLVMConstInt(t_i16, (unsigned long long)s.by, true),
                 LLVMConstInt(t_i16, (unsigned long long)parts_of(k), false)};
    return LLVMConstStructInContext(g->cx, part, 8, false);
}

// The table of an entry point's steps.
static V build_entry(Code *g, const LoopFunction *f) {
    int n = f->kernels.n;
    V *row = NEW_ARRAY(g->arena, V, n + 1);
    for (int i = 0; i < n; i++) {
        const Kernel *k = f->kernels.at[i];
        row[i] = step(g, f, k);
    }
    if (!n) return LLVMConstNull(g->t_ptr);
    V rows = LLVMConstArray2(LLVMTypeOf(row[0]), row, (uint64_t)n);
    return constant(g, arena_printf(g->arena, "steps.%s", f->name), rows, LLVMPrivateLinkage);
}

// ---- nn_program

static V text_constant(Code *g, const char *name, const char *text) {
    V s = LLVMConstStringInContext(g->cx, text, (unsigned)strlen(text), false);
    return constant(g, name, s, LLVMPrivateLinkage);
}

// Naming a part of the runtime makes the linker take it.
static V build_parts(Code *g) {
    int n = 0;
    while (g->opt.part && g->opt.part[n]) n++;
    if (!n) return LLVMConstNull(g->t_ptr);
    V *part = NEW_ARRAY(g->arena, V, n + 1);
    for (int i = 0; i < n; i++) {
        part[i] = LLVMAddGlobal(g->m, g->t_i8, g->opt.part[i]);
        LLVMSetLinkage(part[i], LLVMExternalLinkage);
    }
    part[n] = LLVMConstNull(g->t_ptr);
    V parts = LLVMConstArray2(g->t_ptr, part, (uint64_t)n + 1);
    return constant(g, "parts", parts, LLVMPrivateLinkage);
}

static V build_manifest(Code *g, uLong *bytes, uLong *deflated) {
    const char *manifest = g->opt.manifest ? g->opt.manifest : "{}", *help = g->opt.help ? g->opt.help : "";
    size_t n = strlen(manifest) + 1;
    *bytes = n + strlen(help);
    char *text = NEW_ARRAY(g->arena, char, (int)*bytes + 1);
    memcpy(text, manifest, n);
    memcpy(text + n, help, *bytes - n);
    *deflated = compressBound(*bytes);
    char *data = NEW_ARRAY(g->arena, char, (int)*deflated);
    if (compress2((Bytef *)data, deflated, (const Bytef *)text, *bytes, Z_BEST_COMPRESSION) != Z_OK)
        BUG("emit: the manifest cannot be deflated");
    V s = LLVMConstStringInContext(g->cx, data, (unsigned)*deflated, true);
    return constant(g, "manifest", s, LLVMPrivateLinkage);
}

static void build_program(Code *g, V *steps) {
    int n = g->p->fns.n;
    V *row = NEW_ARRAY(g->arena, V, n + 1);
    T row_type[3] = {g->t_ptr, g->t_i64, g->t_ptr};
    for (int i = 0; i < n; i++) {
        const char *name = g->p->fns.at[i]->name;
        V part[3] = {text_constant(g, arena_printf(g->arena, "name.%s", name), name),
                     const_i64(g, g->p->fns.at[i]->kernels.n), steps[i]};
        row[i] = LLVMConstStructInContext(g->cx, part, 3, false);
    }
    V rows = LLVMConstArray2(LLVMStructTypeInContext(g->cx, row_type, 3, false), row, (uint64_t)n);
    uLong bytes, deflated;
    V manifest = build_manifest(g, &bytes, &deflated);
    V part[9] = {const_i64(g, NN_ABI_VERSION),
                 const_i64(g, g->p->arena_bytes),
                 const_i64(g, g->p->scratch_bytes),
                 manifest,
                 const_i64(g, (int64_t)bytes),
                 const_i64(g, (int64_t)deflated),
                 const_i64(g, n),
                 constant(g, "entries", rows, LLVMPrivateLinkage),
                 build_parts(g)};
    constant(g, "nn_program", LLVMConstStructInContext(g->cx, part, 9, false), LLVMExternalLinkage);
}

static void make_types(Code *g) {
    g->t_void = LLVMVoidTypeInContext(g->cx);
    g->t_ptr = LLVMPointerTypeInContext(g->cx, 0);
    g->t_i1 = LLVMInt1TypeInContext(g->cx);
    g->t_i8 = LLVMInt8TypeInContext(g->cx);
    g->t_i32 = LLVMInt32TypeInContext(g->cx);
    g->t_i64 = LLVMInt64TypeInContext(g->cx);
    T f32 = LLVMFloatTypeInContext(g->cx), f64 = LLVMDoubleTypeInContext(g->cx);
    T value[N_ELEM] = {g->t_i1, g->t_i32, g->t_i32, f32, f64};
    T memory[N_ELEM] = {g->t_i8, g->t_i8, g->t_i32, f32, f64};
    memcpy(g->value_type, value, sizeof value);
    memcpy(g->memory_type, memory, sizeof memory);
}

// ---- modules

static Code *open_module(Compiler *c, Arena *arena, const Program *p, const EmitOptions *o) {
    Code *g = NEW(arena, Code);
    *g = (Code){.c = c, .arena = arena, .p = p, .opt = *o};
    g->cx = LLVMContextCreate();
    g->m = LLVMModuleCreateWithNameInContext(p->m->name ? p->m->name : "model", g->cx);
    g->b = LLVMCreateBuilderInContext(g->cx);
    make_types(g);
    target_open(g);
    debug_start(g);
    return g;
}

static void close_module(Code *g) {
    debug_finish(g);
    char *why = NULL;
    if (LLVMVerifyModule(g->m, LLVMReturnStatusAction, &why)) BUG("emit: %s", why);
    LLVMDisposeMessage(why);
}

static void free_module(Code *g) {
    LLVMDisposeBuilder(g->b);
    LLVMDisposeModule(g->m);
    LLVMDisposeTargetMachine(g->machine);
    LLVMContextDispose(g->cx);
}

Code *next_module(Code *g) {
    if (!g->opt.split_at || g->size < g->opt.split_at) return g;
    if (!g->second) g->second = open_module(g->c, g->arena, g->p, &g->opt);
    return g->second->size < g->size ? g->second : g;
}

Code *code_new(Compiler *c, const Program *p, const EmitOptions *o) {
    target_start();
    Arena *arena = arena_new();
    Code *g = open_module(c, arena, p, o);
    find_bodies(g);
    V *steps = NEW_ARRAY(arena, V, p->fns.n + 1);
    for (int i = 0; i < p->fns.n; i++) steps[i] = build_entry(g, p->fns.at[i]);
    build_program(g, steps);
    for (Code *m = g; m; m = m->second) close_module(m);
    return g;
}

void code_free(Code *g) {
    for (Code *m = g; m; m = m->second) free_module(m);
    arena_free(g->arena);
}

void emit_object(Compiler *c, const Program *p, const EmitOptions *o, const char *path) {
    EmitOptions whole = *o;
    whole.split_at = 0;
    Code *g = code_new(c, p, &whole);
    code_optimize(g);
    Arena *arena = arena_new();
    const Text *object = code_objects(g, arena).at[0];
    code_free(g);
    write_output(path, object->at, object->n, false);
    arena_free(arena);
}
