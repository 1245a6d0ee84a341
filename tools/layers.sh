#!/bin/sh
# Checks the direction of includes: base < {syntax, ir} < sema < {pass, emit} < driver. Only emit
# sees LLVM; the runtime sees nothing of the compiler; of the runtime, the compiler sees abi.* and commands.h.
# And that compiler/README.md names every file.
set -eu
cd "$(dirname "$0")/.."

below() {  # the layers that a layer may include
    case $1 in
    base)   echo base ;;
    syntax) echo base syntax ;;
    ir)     echo base ir ;;
    sema)   echo base syntax ir sema ;;
    pass)   echo base syntax ir sema pass ;;
    emit)   echo base syntax ir sema emit runtime ;;
    driver) echo base syntax ir sema pass emit driver runtime ;;
    esac
}

{
    for layer in base syntax ir sema pass emit driver; do
        allowed=" $(below $layer) "
        files=$(find compiler/$layer -name '*.[ch]' -o -path "compiler/$layer/*.def")
        case $layer in
        syntax) files="$files $(find grammar -name 'nn.[ly]')" ;;
        ir)     files="$files $(find grammar -name 'ir.[ly]')" ;;
        esac
        [ -n "$files" ] || continue
        grep -Hno '^ *# *include *"[^"/]*/[^"]*"' $files | while IFS= read -r line; do
            file=$(echo "$line" | cut -d: -f1,2)
            path=$(echo "$line" | sed 's/.*"\(.*\)"/\1/')
            to=${path%%/*}
            case $path in
            runtime/abi.*|runtime/commands.h) ;;
            runtime/*) echo "$file: $layer includes $path" ;;
            grammar/*) [ $layer = syntax ] || [ $layer = ir ] || echo "$file: $layer includes $path" ;;
            *) case $allowed in *" $to "*) ;; *) echo "$file: $layer includes $path" ;; esac ;;
            esac
        done
    done
    grep -rn '^ *# *include *[<"]llvm' compiler grammar runtime 2>/dev/null |
        grep -v '^compiler/emit/' || true
    for file in $(find compiler -name '*.[ch]' -o -name '*.nn') $(find runtime -name '*.c'); do
        name=${file##*/}
        grep -qE "(^|[^a-z_])$name([^a-z_]|\$)" compiler/README.md || echo "$file: not in compiler/README.md"
    done
    find runtime -name '*.[ch]' | xargs grep -Hn '^ *# *include *"' | grep -v '"runtime/' || true
} > "${TMPDIR:-/tmp}/layers.$$"

if [ -s "${TMPDIR:-/tmp}/layers.$$" ]; then
    cat "${TMPDIR:-/tmp}/layers.$$"
    rm -f "${TMPDIR:-/tmp}/layers.$$"
    exit 1
fi
rm -f "${TMPDIR:-/tmp}/layers.$$"
echo "layers: all includes point downwards, compiler/README.md names every file"
