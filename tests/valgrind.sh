# The compiler on the examples under valgrind: no invalid access, no use of what was never set.
# Not among the suites that run by default: `make valgrind`.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
command -v valgrind > /dev/null || { skip valgrind "valgrind is not installed"; exit 0; }
for file in "$root"/examples/*.nn; do
    name=$(basename "$file" .nn)
    # AVX-512 is unknown to valgrind, as code that it runs: the compiler only writes it.
    valgrind -q --error-exitcode=9 "$nnc" "$file" -o "$name" > "$name.out" 2>&1
    code=$?
    check "valgrind/$name" "exit code $code: $(grep -m 1 '^==' "$name.out")" [ $code = 0 ]
done
