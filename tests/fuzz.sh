# A slice of the random functions of `make fuzz`: compiled and interpreted, bit for bit.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
for seed in 1 101 201 301; do
    "$build/fuzz" --seed=$seed --count=100 > "$seed.out" 2>&1
    code=$?
    check "fuzz/$seed" "exit code $code: $(tail -n 1 "$seed.out")" [ $code = 0 ]
done

# What once failed.
for file in "$root"/tests/ir/fuzz/*.ir; do
    name=$(basename "$file" .ir)
    "$build/fuzz" --file="$file" > "$name.out" 2>&1
    code=$?
    check "fuzz/$name" "exit code $code: $(first "$name.out")" [ $code = 0 ]
done
