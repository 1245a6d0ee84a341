// One program, compiled in one precision and loaded into this process, together with what the
// interpreter needs to say what it must give.
#ifndef NNC_AGREE_SUBJECT_H
#define NNC_AGREE_SUBJECT_H

#include "base/text.h"
#include "ir/eval.h"
#include "pass/pipeline.h"
#include "sema/sema.h"
#include "tests/fuzz/in_parts.h"

// A result, or what an update leaves in `target`. Passes replace values and never change them,
// so that what a function was before a pass can be evaluated after it.
typedef struct Output {
    Name name;
    Value *target;  // NULL for a result
    Value *pristine;  // with derivatives formed, and nothing else done
    Value *frozen;    // after `order`
} Output;

typedef struct Entry {
    Function *f;
    VEC(Output) outputs;
} Entry;

typedef struct Subject {
    Compiler *c;
    Arena *a;
    Module *m;
    ModelSpec spec;
    VEC(Entry *) entries;
    bool is_unfused;  // the processor has no fused multiply-adds
    Loaded *loaded;   // as compiled last
} Subject;

// How the passes behind `order` run: none of it may change a bit.
typedef struct Variant {
    const char *name, *skip;
    Machine machine;
    int opt_level;
    bool has_least_memory;  // the smallest budget that can be met
} Variant;

// Reads a program and freezes its arithmetic. NULL after errors of the program, which are shown
// on standard error. Of the options: the precision, the hypers, the processor and
// the target.
Subject *subject_new(const char *path, const Options *options);
void subject_compile(Subject *s, const Variant *v);
void subject_free(Subject *s);
Entry *subject_entry(const Subject *s, const char *name);  // NULL where there is none

// Scalar steps that the interpreter makes for what an entry gives, at a number of rows.
double entry_work(const Subject *s, const Entry *e, int64_t rows);

#endif
