#!/bin/sh
# Prints a C file that holds the given library files as text: `library_files` of sema/sema.h.
set -eu
echo '// Made by compiler/std/embed.sh from compiler/std/*.nn.'
echo '#include "sema/sema.h"'
echo
echo 'const LibraryFile library_files[] = {'
for file; do
    printf '    {"std/%s", ""\n' "${file##*/}"
    sed 's/\\/\\\\/g; s/"/\\"/g; s/^/     "/; s/$/\\n"/' "$file"
    echo '    },'
done
echo '    {NULL, NULL},'
echo '};'
