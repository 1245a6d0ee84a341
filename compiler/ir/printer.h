// What the printers of the graph and of the loops share.
#ifndef NNC_IR_PRINTER_H
#define NNC_IR_PRINTER_H

#include "base/text.h"
#include "ir/ir.h"
#include "ir/loops.h"

typedef struct Printer {
    Text *out;
    const Module *m;       // NULL where it isn't known
    const Function *fn;    // whose values are printed, or NULL
    Map *number;           // Value * to its number plus one; NULL: by id
    const Map *let;        // Scalar * to its number plus one, of those printed as tN; or NULL
    const char *let_line;  // what stands before each `let` and after the last
    int np;                // slots below it are parallel
    const Name *var_name;  // loops: names of slots
    const Map *twin;       // loops: Buffer *s whose name another one has; or NULL
    bool has_spans;
} Printer;

void put_name(Printer *p, const char *text);  // quoted where it is no plain word
void put_slot(Printer *p, int slot);
void put_dim(Printer *p, Dim d);
void put_type(Printer *p, const Type *t);
void put_affine(Printer *p, Affine a);
void put_guards(Printer *p, const Guard *guard, int n);
void put_subscripts(Printer *p, const Subscript *s, int n);
void put_scalar(Printer *p, const Scalar *s);
void put_buffer_name(Printer *p, const Buffer *b);
void put_access(Printer *p, const Access *access);
void put_value_ref(Printer *p, const Value *v);
void put_span(Printer *p, Span span);

// Finds what `roots` share and is too long to be written twice, and prints it as lets.
// The map is what Printer.let must be while the roots are printed.
const Map *put_lets(Printer *p, const Scalar *const *root, int n, Arena *scratch);

#endif
