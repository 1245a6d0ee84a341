// curves.svg: how the loss and each metric went, from the log's lines.
#ifndef NN_RUNTIME_CURVES_H
#define NN_RUNTIME_CURVES_H

#include "runtime/mem.h"

#pragma GCC visibility push(hidden)

void curves_draw(Buffer *svg, const char *title, const char *history);
void curves_save(const char *folder, const char *title, const Buffer *history);

#pragma GCC visibility pop

#endif
