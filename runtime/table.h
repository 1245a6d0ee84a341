// Text in columns: cells are added row by row; the first column stands left, the others right.
#ifndef NN_RUNTIME_TABLE_H
#define NN_RUNTIME_TABLE_H

#include "runtime/figures.h"

#pragma GCC visibility push(hidden)

struct Run;

typedef struct Table {
    Buffer text;  // cells end with a tab, rows with a line end
} Table;

void table_cell(Table *t, const char *format, ...) NN_FORMAT(2);
void table_row(Table *t);                   // ends a row
void table_print(Buffer *out, Table *t);    // and empties it

// Adds tables of the figures that are vectors or matrices. Linked into programs that have such
// metrics.
void show_tables(Buffer *out, const struct Run *run, const Figures *f) __attribute__((weak));

#pragma GCC visibility pop

#endif
