// Bodies: what becomes a function. A kernel is one, and so is a long nest of a kernel that stands
// in other places as well: the same convolution of another layer, forward or in another entry
// point. Where the buffers of a place lie, a table tells.
#ifndef NNC_EMIT_BODY_H
#define NNC_EMIT_BODY_H

#include "emit/gen.h"

typedef struct Body {
    const Kernel *kernel;  // the first with this code; for a nest, a kernel of that nest only
    int n;                 // places
    bool is_hot;
    V fn;                  // NULL until it is built
    Code *home;            // the module that it is in
    Map *calls;            // Stmt * of `kernel` to Call *: nests that are bodies of their own
} Body;

typedef struct Call {
    Body *body;
    Table table;           // of the nest
    int at;                // where the table of the kernel around it has that
} Call;

// Finds the bodies of all kernels: g->body_of.
void find_bodies(Code *g);

// The function of a kernel's code, (context, begin, end, table), and the kernel's table: a global,
// or NULL where the function has the places in itself; both for the first module.
V kernel_body(Code *g, const Kernel *k, const char *name, V *table);

// Calls the body of a nest for the current iteration of the loop around it. False where the
// statement has none.
bool emit_call(Gen *k, const Stmt *s);
bool touch_call(Gen *k, const Stmt *s);  // what it may have changed; false where it is no call

#endif
