// Names: interned strings; equal text is an equal pointer.
#ifndef NNC_BASE_NAME_H
#define NNC_BASE_NAME_H

#include "base/arena.h"

typedef const char *Name;
typedef struct Names Names;

Names *names_new(Arena *a);
Name name(Names *names, const char *text);
Name name_n(Names *names, const char *text, size_t length);

#endif
