# Text in, text out: tests/ir/**/*.ir and tests/lang/**/*.nn whose first line is
# `# nnc ARGS` are run as `nnc ARGS FILE`; what is printed must be what stands in FILE.expected.
# BLESS=1 writes it instead. Places in the library are left out.
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
for file in $(find tests/ir tests/lang -name '*.ir' -o -name '*.nn' | sort); do
    args=$(sed -n '1s/^# nnc //p' "$file")
    [ "$args" ] || continue
    expected=${file%.*}.expected
    eval "\"$nnc\" $args \"$file\"" 2>&1 | sed 's/  @std[^ ]*$//' > "$work/out"
    [ "${BLESS-}" ] && cp "$work/out" "$expected"
    if diff -u "$expected" "$work/out" > "$work/diff" 2>&1; then ok "golden/$file"
    else
        fail "golden/$file" "differs"
        sed -n '3,20p' "$work/diff"
    fi
done
