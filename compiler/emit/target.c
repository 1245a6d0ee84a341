// The processor that code is made for, LLVM's passes, and machine code in memory.
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include "base/die.h"
#include "emit/gen.h"

// Pointers walk along loops as they are made (access.c). LLVM's own reduction of addresses finds
// nothing more in them and takes a quarter of the time. It is no choice of a machine, but one of
// the process, and LLVM takes it once.
static void without_strength_reduction(void) {
    const char *const words[] = {"nnc", "-disable-lsr"};
    LLVMParseCommandLineOptions(2, words, NULL);
}

void target_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, without_strength_reduction);
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
}

static char *take(Arena *arena, char *message) {
    char *copy = arena_printf(arena, "%s", message);
    LLVMDisposeMessage(message);
    return copy;
}

static bool is_native(const Options *o) {
    return !o->triple && (!o->cpu || !strcmp(o->cpu, "native"));
}

bool is_x86(const Code *g) {
    return !strncmp(g->triple, "x86_64", 6);
}

// LLVM's C interface does not tell what features a processor has that is given by name.
static bool is_among(const char *cpu, const char *const *names) {
    for (int i = 0; names[i]; i++)
        if (!strcmp(cpu, names[i])) return true;
    return false;
}

static const char *const without_fma[] = {  // all older than 2013
    "x86-64", "x86-64-v2", "generic", "core2", "penryn", "nehalem", "westmere", "sandybridge",
    "ivybridge", "bonnell", "silvermont", "goldmont", "goldmont-plus", "tremont", "btver1",
    "btver2", "k8", "amdfam10", NULL};

static const char *const without_sse41[] = {
    "x86-64", "generic", "core2", "bonnell", "btver1", "k8", "amdfam10", NULL};

static const char *const with_avx512[] = {
    "x86-64-v4", "skylake-avx512", "skx", "cascadelake", "cooperlake", "cannonlake",
    "icelake-client", "icelake-server", "tigerlake", "rocketlake", "sapphirerapids",
    "emeraldrapids", "graniterapids", "graniterapids-d", "diamondrapids", "znver4", "znver5",
    NULL};

static bool has_feature(const Code *g, const char *feature) {
    size_t n = strlen(feature);
    for (const char *at = g->features; (at = strstr(at, feature)); at += n)
        if (at[n] == ',' || at[n] == 0) return true;
    return false;
}

static void choose_cpu(Code *g) {
    const Options *o = &g->c->opt;
    bool is_native_cpu = is_native(o);
    g->cpu = is_native_cpu ? take(g->arena, LLVMGetHostCPUName())
           : arena_printf(g->arena, "%s", o->cpu && strcmp(o->cpu, "native") ? o->cpu
                                          : is_x86(g) ? "x86-64" : "generic");
    g->features = is_native_cpu ? take(g->arena, LLVMGetHostCPUFeatures()) : "";
    g->has_fma = !is_x86(g) || (is_native_cpu ? has_feature(g, "+fma")
                                              : !is_among(g->cpu, without_fma));
    g->has_rounding = !is_x86(g) || (is_native_cpu ? has_feature(g, "+sse4.1")
                                                   : !is_among(g->cpu, without_sse41));
    g->has_avx512 = is_x86(g) && (is_native_cpu ? has_feature(g, "+avx512f")
                                                : is_among(g->cpu, with_avx512));
}

static LLVMCodeGenOptLevel code_level(int opt_level) {
    static const LLVMCodeGenOptLevel level[] = {LLVMCodeGenLevelNone, LLVMCodeGenLevelLess,
                                                LLVMCodeGenLevelDefault,
                                                LLVMCodeGenLevelAggressive};
    return level[opt_level < 0 ? 0 : opt_level > 3 ? 3 : opt_level];
}

// LLVM's C interface does not tell whether it knows a processor: it warns on standard error
// and goes on. So what it says while the machine is made is caught.
static LLVMTargetMachineRef make_machine(Code *g, LLVMTargetRef target,
                                         LLVMTargetMachineOptionsRef o) {
    if (is_native(&g->c->opt)) return LLVMCreateTargetMachineWithOptions(target, g->triple, o);
    FILE *caught = tmpfile();
    int saved = dup(STDERR_FILENO);
    if (!caught || saved < 0) die("cannot make a temporary file");
    fflush(stderr);
    dup2(fileno(caught), STDERR_FILENO);
    LLVMTargetMachineRef machine = LLVMCreateTargetMachineWithOptions(target, g->triple, o);
    dup2(saved, STDERR_FILENO);
    close(saved);
    char said[4096];
    rewind(caught);
    said[fread(said, 1, sizeof said - 1, caught)] = 0;
    fclose(caught);
    if (strstr(said, "is not a recognized processor"))
        die("unknown processor %s for %s", g->cpu, g->triple);
    fputs(said, stderr);
    return machine;
}

void target_open(Code *g) {
    unsigned major, minor, patch;
    LLVMGetVersion(&major, &minor, &patch);
    g->version = (int)major;
    const char *triple = g->c->opt.triple;
    g->triple = triple ? take(g->arena, LLVMNormalizeTargetTriple(triple))
                       : take(g->arena, LLVMGetDefaultTargetTriple());
    LLVMTargetRef target;
    char *why = NULL;
    if (LLVMGetTargetFromTriple(g->triple, &target, &why))
        die("unknown target %s: this compiler makes code for x86_64 and aarch64", g->triple);
    choose_cpu(g);
    LLVMTargetMachineOptionsRef o = LLVMCreateTargetMachineOptions();
    LLVMTargetMachineOptionsSetCPU(o, g->cpu);
    LLVMTargetMachineOptionsSetFeatures(o, g->features);
    LLVMTargetMachineOptionsSetCodeGenOptLevel(o, code_level(g->c->opt.opt_level));
    LLVMTargetMachineOptionsSetRelocMode(o, LLVMRelocPIC);
    g->machine = make_machine(g, target, o);
    LLVMDisposeTargetMachineOptions(o);
    if (!g->machine) die("cannot make code for %s", g->triple);
    LLVMSetTarget(g->m, g->triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(g->machine);
    LLVMSetModuleDataLayout(g->m, layout);
    LLVMDisposeTargetData(layout);
}

static void attribute(Code *g, V fn, const char *name, const char *value) {
    LLVMAttributeRef a = LLVMCreateStringAttribute(g->cx, name, (unsigned)strlen(name), value,
                                                   (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, a);
}

void target_attributes(Code *g, V fn) {
    attribute(g, fn, "target-cpu", g->cpu);
    if (g->features[0]) attribute(g, fn, "target-features", g->features);
    attribute(g, fn, "prefer-vector-width", "512");
    unsigned os = LLVMGetEnumAttributeKindForName("optsize", 7);
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(g->cx, os, 0));
    unsigned kind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(g->cx, kind, 0));
}

// Kernels are explicit vectors already: default<O3> would merge their pointers into indexed
// addresses that cannot be folded into multiply-adds, and takes twice the time.
static const char light_passes[] =
    "function(simplifycfg,early-cse,instcombine<no-verify-fixpoint>,loop-mssa(licm),"
    "early-cse<memssa>,simplifycfg)";

static void optimize_module(Code *g) {
    LLVMPassBuilderOptionsRef o = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(g->m, light_passes, g->machine, o);
    LLVMDisposePassBuilderOptions(o);
    if (error) g->wrong = LLVMGetErrorMessage(error);
}

void code_optimize(Code *g) {
    if (g->c->opt.opt_level == 0) return;
    each_module(g, optimize_module);
    for (Code *m = g; m; m = m->second)
        if (m->wrong) BUG("emit: LLVM's passes: %s", m->wrong);
}

static void generate(Code *g, LLVMCodeGenFileType type) {
    char *why = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(g->machine, g->m, type, &why, &g->made)) g->wrong = why;
}

static void generate_object(Code *g) {
    generate(g, LLVMObjectFile);
}

static void take_made(Code *g, Text *out) {
    if (g->wrong) BUG("emit: LLVM cannot make code: %s", g->wrong);
    text_add_n(out, LLVMGetBufferStart(g->made), LLVMGetBufferSize(g->made));
    LLVMDisposeMemoryBuffer(g->made);
}

static void check_whole(const Code *g) {
    if (g->second) BUG("emit: text of a program in two modules");
}

const char *code_llvm(Code *g, Arena *arena) {
    check_whole(g);
    return take(arena, LLVMPrintModuleToString(g->m));
}

void code_assembly(Code *g, Text *out) {
    check_whole(g);
    generate(g, LLVMAssemblyFile);
    take_made(g, out);
}

Objects code_objects(Code *g, Arena *arena) {
    Objects objects = {0};
    each_module(g, generate_object);
    for (Code *m = g; m; m = m->second)
        take_made(m, objects.at[objects.n++] = text_new(arena));
    return objects;
}

static int64_t cache_bytes(int which, int64_t otherwise) {
    long n = sysconf(which);
    return n > 0 ? n : otherwise;
}

Machine emit_machine(const Options *o) {
    Arena *arena = arena_new();
    Compiler c = {.opt = *o};
    Code g = {.c = &c, .arena = arena};
    g.triple = o->triple ? (char *)o->triple : take(arena, LLVMGetDefaultTargetTriple());
    choose_cpu(&g);
    Machine m = {.vector_bytes = 16, .n_register = 32, .is_unfused = !g.has_fma};
    if (is_x86(&g)) {
        m.n_register = g.has_avx512 ? 32 : 16;
        m.vector_bytes = g.has_avx512 ? 64 : g.has_fma ? 32 : 16;  // who has fma has AVX
    }
    bool is_here = is_native(o);
    m.l1 = is_here ? cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 0) : 0;
    m.l2 = is_here ? cache_bytes(_SC_LEVEL2_CACHE_SIZE, 0) : 0;
    arena_free(arena);
    return m;
}

const char *emit_llvm_version(Arena *arena) {
    unsigned major, minor, patch;
    LLVMGetVersion(&major, &minor, &patch);
    return arena_printf(arena, "%u.%u.%u", major, minor, patch);
}

const char *emit_host(Arena *arena) {
    char *cpu = LLVMGetHostCPUName(), *triple = LLVMGetDefaultTargetTriple();
    const char *text = arena_printf(arena, "%s, %s", triple, cpu);
    LLVMDisposeMessage(cpu);
    LLVMDisposeMessage(triple);
    return text;
}
