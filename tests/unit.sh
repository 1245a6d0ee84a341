# The unit tests: each Check program's counts.
. "$(dirname "$0")/lib.sh"
for source in "$root"/tests/unit/*.c; do
    name=$(basename "$source" .c)
    [ -x "$build/unit/$name" ] || { fail "unit/$name" "not built"; continue; }
    (cd "$root" && "$build/unit/$name") > "$work/$name.out" 2>&1
    code=$?
    counts=$(sed -n 's/.*Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' \
        "$work/$name.out" | tail -n 1)
    set -- ${counts:-0 0 0}
    i=0
    while [ $i -lt $(($1 - $2 - $3)) ]; do i=$((i + 1)); ok "unit/$name/$i"; done
    grep -E ':[FE]:' "$work/$name.out" | while IFS= read -r line; do fail "unit/$name" "$line"; done
    [ $code = 0 ] || grep -qE ':[FE]:' "$work/$name.out" || {
        fail "unit/$name" "exit code $code"
        tail -n 5 "$work/$name.out"
    }
done
