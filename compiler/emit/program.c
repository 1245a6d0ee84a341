// The module: kernels, one function per entry point, and the constant `nn_program`.
#include <string.h>

#include <llvm-c/Analysis.h>

#include "base/die.h"
#include "emit/gen.h"
#include "emit/output.h"
#include "runtime/abi.h"

// ---- the runtime's functions

static void declare_runtime(Code *g) {
    T t_void = g->t_void, t_ptr = g->t_ptr, t_i64 = g->t_i64;
#define ptr t_ptr
#define i64 t_i64
#define LIST(...) {__VA_ARGS__}
#define RT(name_, result, params)                                                            \
    {                                                                                        \
        T param[] = LIST params;                                                             \
        T type = LLVMFunctionType(t_##result, param, sizeof param / sizeof *param, false);   \
        V fn = LLVMAddFunction(g->m, #name_, type);                                          \
        g->runtime[g->n_runtime++] = (RuntimeFunction){#name_, type, fn};                    \
    }
#include "runtime/abi.def"
#undef RT
#undef LIST
#undef ptr
#undef i64
    (void)t_void, (void)t_i64;
}

static void call_runtime(Code *g, const char *name, V *arg, unsigned n) {
    for (int i = 0; i < g->n_runtime; i++)
        if (!strcmp(g->runtime[i].name, name)) {
            LLVMBuildCall2(g->b, g->runtime[i].type, g->runtime[i].fn, arg, n, "");
            return;
        }
    BUG("emit: the runtime has no %s", name);
}

// ---- kernels

static V new_function(Code *g, const char *name, T *param, unsigned n, bool is_internal) {
    V fn = LLVMAddFunction(g->m, name, LLVMFunctionType(g->t_void, param, n, false));
    LLVMSetLinkage(fn, is_internal ? LLVMInternalLinkage : LLVMExternalLinkage);
    target_attributes(g, fn);
    return fn;
}

static V kernel_function(Code *g, const char *fn, const Kernel *k) {
    T param[3] = {g->t_ptr, g->t_i64, g->t_i64};
    const char *name = arena_printf(g->arena, "%s.k%d_%s", fn, k->id, k->name ? k->name : "");
    return new_function(g, name, param, 3, true);
}

// Entry points that run once in a while: their code is to be small.
static bool is_cold(const LoopFunction *f) {
    static const char *const cold[] = {"init", "gradients", "epoch_end", NULL};
    for (int i = 0; cold[i]; i++)
        if (!strcmp(f->name, cold[i])) return true;
    return false;
}

typedef struct Shared {  // kernels with one key
    const Kernel *first;
    int n;
    bool is_hot;
    V body;
} Shared;

static uint64_t hash_of(const Code *g, const Kernel *k, Buffers buffers) {
    (void)g;
    Arena *arena = arena_new();
    Text *text = text_new(arena);
    kernel_key(text, k, buffers);
    uint64_t hash = hash_bytes(text->at, text->n);
    arena_free(arena);
    return hash ? hash : 1;
}

static void count_shared(Code *g) {
    g->body_of = map_new(g->arena);
    for (int f = 0; f < g->p->fns.n; f++)
        for (int i = 0; i < g->p->fns.at[f]->kernels.n; i++) {
            const Kernel *k = g->p->fns.at[f]->kernels.at[i];
            uint64_t hash = hash_of(g, k, kernel_buffers(k, g->arena));
            Shared *s = map_get_int(g->body_of, hash);
            if (!s) {
                s = NEW(g->arena, Shared);
                s->first = k;
                map_set_int(g->body_of, hash, s);
            }
            s->n++;
            s->is_hot |= !is_cold(g->p->fns.at[f]);
        }
}

static V offsets_table(Code *g, V fn, Buffers buffers) {
    T t = offset_type(g);
    V *offset = NEW_ARRAY(g->arena, V, buffers.n + 1);
    for (int i = 0; i < buffers.n; i++)
        offset[i] = LLVMConstInt(t, (unsigned long long)buffers.at[i]->offset, false);
    V value = LLVMConstArray2(t, offset, (uint64_t)buffers.n);
    V table = LLVMAddGlobal(g->m, LLVMTypeOf(value), arena_printf(g->arena, "%s.offsets", LLVMGetValueName(fn)));
    LLVMSetInitializer(table, value);
    LLVMSetAlignment(table, t == g->t_i32 ? 4 : 8);  // else it is padded to 16
    LLVMSetGlobalConstant(table, true);
    LLVMSetLinkage(table, LLVMPrivateLinkage);
    return table;
}

static V shared_body(Code *g, Shared *s) {
    if (s->body) return s->body;
    T param[4] = {g->t_ptr, g->t_i64, g->t_i64, g->t_ptr};
    const char *name = arena_printf(g->arena, "body_%s", s->first->name ? s->first->name : "");
    s->body = new_function(g, name, param, 4, true);
    emit_kernel(g, s->first, s->body, true, !s->is_hot);
    return s->body;
}

// A kernel whose code others have too calls it with a table of where its buffers lie.
static V build_kernel(Code *g, const char *fn_name, const Kernel *k) {
    Buffers buffers = kernel_buffers(k, g->arena);
    Shared *s = map_get_int(g->body_of, hash_of(g, k, buffers));
    V fn = kernel_function(g, fn_name, k);
    if (s->n == 1) {
        emit_kernel(g, k, fn, false, !s->is_hot);
        return fn;
    }
    V body = shared_body(g, s);
    debug_end(g);
    LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->cx, fn, "entry"));
    V arg[4] = {LLVMGetParam(fn, 0), LLVMGetParam(fn, 1), LLVMGetParam(fn, 2),
                offsets_table(g, fn, buffers)};
    V call = LLVMBuildCall2(g->b, LLVMGlobalGetValueType(body), body, arg, 4, "");
    LLVMSetTailCall(call, true);
    LLVMBuildRetVoid(g->b);
    return fn;
}

// ---- entry points

static V run_time_bound(Code *g, V context, Bound b) {
    V d = const_i64(g, b.d.n);
    if (b.d.by) d = LLVMBuildNSWMul(g->b, d, context_extent(g, context, b.d.by), "");
    if (b.multiple <= 1) return d;
    V m = const_i64(g, b.multiple);
    return LLVMBuildNSWMul(g->b, LLVMBuildSDiv(g->b, d, m, ""), m, "");
}

static V iterations(Code *g, V context, const Kernel *k) {
    if (k->body.n != 1 || k->body.at[0]->kind != STMT_for)
        BUG("emit: parallel kernel %s is not one loop", k->name);
    const Stmt *s = k->body.at[0];
    V low = run_time_bound(g, context, s->loop.low), high = run_time_bound(g, context, s->loop.high);
    V length = LLVMBuildNSWSub(g->b, high, low, "");
    V up = LLVMBuildNSWAdd(g->b, length, const_i64(g, s->loop.step - 1), "");
    return LLVMBuildSDiv(g->b, up, const_i64(g, s->loop.step), "");
}

// Nanoseconds of work below which waking another thread costs more than it gains.
static const double worth_forking = 6000;

static void call_kernel(Code *g, V context, const Kernel *k, V fn) {
    if (k->is_parallel && (k->cost == 0 || k->cost >= worth_forking)) {
        V arg[3] = {fn, context, iterations(g, context, k)};
        call_runtime(g, "nn_parallel", arg, 3);
        return;
    }
    V n = k->is_parallel ? iterations(g, context, k) : const_i64(g, 0);
    V arg[3] = {context, const_i64(g, 0), n};
    LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, arg, 3, "");
}

static V build_entry(Code *g, const LoopFunction *f) {
    V *kernel = NEW_ARRAY(g->arena, V, f->kernels.n + 1);
    for (int i = 0; i < f->kernels.n; i++) kernel[i] = build_kernel(g, f->name, f->kernels.at[i]);
    V fn = new_function(g, arena_printf(g->arena, "nn_%s", f->name), &g->t_ptr, 1,
                        !g->opt.is_standalone);
    g->fn = fn;
    debug_end(g);
    LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->cx, fn, "entry"));
    for (int i = 0; i < f->kernels.n; i++)
        call_kernel(g, LLVMGetParam(fn, 0), f->kernels.at[i], kernel[i]);
    LLVMBuildRetVoid(g->b);
    return fn;
}

// Half of the iterations, then the others.
static void define_parallel(Code *g) {
    V fn = g->runtime[0].fn;
    V kernel = LLVMGetParam(fn, 0), context = LLVMGetParam(fn, 1), n = LLVMGetParam(fn, 2);
    T param[3] = {g->t_ptr, g->t_i64, g->t_i64};
    T type = LLVMFunctionType(g->t_void, param, 3, false);
    LLVMSetVisibility(fn, LLVMHiddenVisibility);
    LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->cx, fn, "entry"));
    V half = LLVMBuildSDiv(g->b, n, const_i64(g, 2), "");
    V first[3] = {context, const_i64(g, 0), half}, second[3] = {context, half, n};
    LLVMBuildCall2(g->b, type, kernel, first, 3, "");
    LLVMBuildCall2(g->b, type, kernel, second, 3, "");
    LLVMBuildRetVoid(g->b);
}

// ---- nn_program

static V constant(Code *g, const char *name, V value, LLVMLinkage linkage) {
    V global = LLVMAddGlobal(g->m, LLVMTypeOf(value), name);
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, linkage);
    return global;
}

static V text_constant(Code *g, const char *name, const char *text) {
    V s = LLVMConstStringInContext(g->cx, text, (unsigned)strlen(text), false);
    return constant(g, name, s, LLVMPrivateLinkage);
}

static void build_program(Code *g, V *entry) {
    int n = g->p->fns.n;
    V *row = NEW_ARRAY(g->arena, V, n + 1);
    T row_type[2] = {g->t_ptr, g->t_ptr};
    for (int i = 0; i < n; i++) {
        const char *name = g->p->fns.at[i]->name;
        V part[2] = {text_constant(g, arena_printf(g->arena, "name.%s", name), name), entry[i]};
        row[i] = LLVMConstStructInContext(g->cx, part, 2, false);
    }
    V rows = LLVMConstArray2(LLVMStructTypeInContext(g->cx, row_type, 2, false), row, (uint64_t)n);
    V part[6] = {const_i64(g, NN_ABI_VERSION),
                 const_i64(g, g->p->arena_bytes),
                 const_i64(g, g->p->scratch_bytes),
                 text_constant(g, "manifest", g->opt.manifest ? g->opt.manifest : "{}"),
                 const_i64(g, n),
                 constant(g, "entries", rows, LLVMPrivateLinkage)};
    constant(g, "nn_program", LLVMConstStructInContext(g->cx, part, 6, false), LLVMExternalLinkage);
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

Code *code_new(Compiler *c, const Program *p, const EmitOptions *o) {
    Arena *arena = arena_new();
    Code *g = NEW(arena, Code);
    *g = (Code){.c = c, .arena = arena, .p = p, .opt = *o};
    g->cx = LLVMContextCreate();
    g->m = LLVMModuleCreateWithNameInContext(p->m->name ? p->m->name : "model", g->cx);
    g->b = LLVMCreateBuilderInContext(g->cx);
    make_types(g);
    target_open(g);
    declare_runtime(g);
    debug_start(g);
    count_shared(g);
    V *entry = NEW_ARRAY(arena, V, p->fns.n + 1);
    for (int i = 0; i < p->fns.n; i++) entry[i] = build_entry(g, p->fns.at[i]);
    if (o->is_standalone) define_parallel(g);
    build_program(g, entry);
    debug_finish(g);
    char *why = NULL;
    if (LLVMVerifyModule(g->m, LLVMReturnStatusAction, &why)) BUG("emit: %s", why);
    LLVMDisposeMessage(why);
    return g;
}

void code_free(Code *g) {
    LLVMDisposeBuilder(g->b);
    LLVMDisposeModule(g->m);
    LLVMDisposeTargetMachine(g->machine);
    LLVMContextDispose(g->cx);
    arena_free(g->arena);
}

void emit_object(Compiler *c, const Program *p, const EmitOptions *o, const char *path) {
    Code *g = code_new(c, p, o);
    code_optimize(g);
    Arena *arena = arena_new();
    Text *object = text_new(arena);
    code_object(g, object);
    code_free(g);
    write_output(path, object->at, object->n, false);
    arena_free(arena);
}
