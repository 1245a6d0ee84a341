#!/bin/sh
# clang-format 14 on the C files changed since the last commit, or on all with any argument.
set -eu
cd "$(dirname "$0")/.."
format=$(command -v clang-format-14 || command -v clang-format) || {
    echo "clang-format is not installed (Debian: apt-get install clang-format-14)" >&2
    exit 1
}
if [ $# -gt 0 ]; then
    files=$(git ls-files '*.c' '*.h')
else
    files=$({ git diff --name-only HEAD; git ls-files --others --exclude-standard; } |
        grep '\.[ch]$' || true)
fi
for file in $files; do
    [ -f "$file" ] && "$format" -i "$file"
done
