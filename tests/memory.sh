# The plan of every program's memory is within 10% of the largest sum of bytes that are alive at
# one time (--emit=memory).
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
for file in bench/*.nn examples/*.nn tests/agree/programs/*.nn tests/train/reference/*.nn; do
    "$nnc" --emit=memory=- "$file" > "$work/out" 2>&1
    set -- $(sed -n 's/^arena: \([0-9]*\) bytes,.* less than \([0-9]*\)$/\1 \2/p' "$work/out")
    if [ $# != 2 ]; then fail "memory/$file" "no plan"
    elif [ "$1" -le $(($2 + $2 / 10)) ]; then ok "memory/$file"
    else fail "memory/$file" "$1 bytes; $2 would do"
    fi
done
