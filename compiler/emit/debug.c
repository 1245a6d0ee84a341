// Debug information: with -g, every instruction of a kernel has the line of the source that
// it was made from.
#include <string.h>

#include <llvm-c/DebugInfo.h>

#include "emit/gen.h"

struct Debug {
    LLVMDIBuilderRef builder;
    LLVMMetadataRef unit, type;
    LLVMMetadataRef *file;  // by number of the source; made when first asked for
    int n_file;
    LLVMMetadataRef scope;  // of the function being built
    int function_file;
};

static void module_flag(Code *g, const char *name, uint64_t value) {
    LLVMMetadataRef v = LLVMValueAsMetadata(const_i32(g, (int64_t)value));
    LLVMAddModuleFlag(g->m, LLVMModuleFlagBehaviorWarning, name, strlen(name), v);
}

static LLVMMetadataRef make_file(Code *g, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t folder = slash ? (size_t)(slash - path) : 0;
    return LLVMDIBuilderCreateFile(g->debug->builder, base, strlen(base), slash ? path : ".",
                                   slash ? folder : 1);
}

void debug_start(Code *g) {
    if (!g->c->opt.debug_info) return;
    struct Debug *d = g->debug = NEW(g->arena, struct Debug);
    d->builder = LLVMCreateDIBuilder(g->m);
    d->n_file = 256;
    d->file = NEW_ARRAY(g->arena, LLVMMetadataRef, d->n_file);
    LLVMMetadataRef file = make_file(g, g->opt.source ? g->opt.source : "model.nn");
    d->unit = LLVMDIBuilderCreateCompileUnit(
        d->builder, LLVMDWARFSourceLanguageC, file, "nnc", 3, g->c->opt.opt_level > 0, "", 0, 0, "",
        0, LLVMDWARFEmissionFull, 0, false, false, "", 0, "", 0);
    d->type = LLVMDIBuilderCreateSubroutineType(d->builder, file, NULL, 0, LLVMDIFlagZero);
    module_flag(g, "Debug Info Version", LLVMDebugMetadataVersion());
    module_flag(g, "Dwarf Version", 5);
}

static LLVMMetadataRef file_of(Code *g, int number) {
    struct Debug *d = g->debug;
    const Source *source = source_of(g->c->sources, number);
    if (!source || number >= d->n_file) return NULL;
    if (!d->file[number]) d->file[number] = make_file(g, source->path);
    return d->file[number];
}

void debug_function(Code *g, V fn, Span span) {
    struct Debug *d = g->debug;
    if (!d) return;
    d->scope = NULL;
    LLVMMetadataRef file = span.file ? file_of(g, span.file) : NULL;
    if (!file) file = make_file(g, g->opt.source ? g->opt.source : "model.nn");
    int line = 0, column = 0;
    if (span.file) source_line(g->c->sources, span.file, span.begin, &line, &column);
    size_t length;
    const char *name = LLVMGetValueName2(fn, &length);
    d->scope = LLVMDIBuilderCreateFunction(d->builder, file, name, length, name, length, file,
                                           (unsigned)line, d->type, true, true, (unsigned)line,
                                           LLVMDIFlagZero, g->c->opt.opt_level > 0);
    d->function_file = span.file;
    LLVMSetSubprogram(fn, d->scope);
    debug_at(g, span);
}

void debug_at(Code *g, Span span) {
    struct Debug *d = g->debug;
    if (!d || !d->scope) return;
    int line = 0, column = 0;
    LLVMMetadataRef scope = d->scope;
    if (span.file) {
        source_line(g->c->sources, span.file, span.begin, &line, &column);
        LLVMMetadataRef file = file_of(g, span.file);
        if (file && span.file != d->function_file)
            scope = LLVMDIBuilderCreateLexicalBlockFile(d->builder, d->scope, file, 0);
    }
    LLVMMetadataRef at = LLVMDIBuilderCreateDebugLocation(g->cx, (unsigned)line, (unsigned)column,
                                                          scope, NULL);
    LLVMSetCurrentDebugLocation2(g->b, at);
}

void debug_end(Code *g) {
    if (!g->debug) return;
    g->debug->scope = NULL;
    LLVMSetCurrentDebugLocation2(g->b, NULL);
}

void debug_finish(Code *g) {
    if (!g->debug) return;
    LLVMDIBuilderFinalize(g->debug->builder);
    LLVMDisposeDIBuilder(g->debug->builder);
}
