# The library's functions at +-10,000 in f32, and properties that need no reference: convolution is
# a Toeplitz matrix product and moves along with its image, pooling does not mind small moves and
# sends its gradient to one pixel, equal weights stay equal.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
programs=$root/tests/numerics
tab=$(printf '\t')

predict() {  # NAME ROWS: NAME.csv is what the program gives for them once it was trained
    "$nnc" "$programs/$1.nn" -o "$1" > "$1.out" 2>&1 &&
        "./$1" train --data "$2" --ckpt "$1.ckpt" --quiet > "$1.out" 2>&1 &&
        "./$1" predict "$2" --ckpt "$1.ckpt" -o "$1.csv" > "$1.out" 2>&1 && return 0
    fail "numerics/$1" "$(tail -n 1 "$1.out")"
    return 1
}

column() {  # FILE NAME: its values, in one line
    awk -F , -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) k = i }
        NR > 1 && k { printf "%s ", $k }' "$1"
}

# Within 2^-23 of what they should be.
same() {  # "VALUES" "EXPECTED"
    echo "$1 $2" | awk -v n="$(echo "$2" | wc -w)" '{
        if (NF != 2 * n) exit 1
        for (i = 1; i <= n; i++) {
            if ($i !~ /^-?[0-9]/) exit 1
            d = $i - $(n + i); m = $(n + i)
            if (d < 0) d = -d; if (m < 0) m = -m
            if (d > 1.2e-7 * (m > 1 ? m : 1)) exit 1
        } }'
}

if predict extremes "$programs/extremes.csv"; then
    grep -v '^#' "$programs/extremes.tsv" > extremes.tsv
    while IFS="$tab" read -r name expected; do
        expected=$(echo "$expected" | tr '\t' ' ')
        got=$(column extremes.csv "$name")
        check "numerics/$name" "$got, not $expected" same "$got" "$expected"
    done < extremes.tsv
fi

if predict properties "$programs/extremes.csv"; then
    for name in toeplitz toeplitz_pad toeplitz_apart moves_along moves_little first_of_equal \
        one_winner transposes transposes_apart; do
        got=$(column properties.csv "$name" | cut -d ' ' -f 1)
        check "numerics/$name" "apart by $got" near "$got" 0 2e-6
    done
fi

if predict sequences "$programs/extremes.csv"; then
    for name in padded_loss padded_gradients causal relative unseen equal_scores; do
        got=$(column sequences.csv "$name" | cut -d ' ' -f 1)
        check "numerics/$name" "apart by $got" near "$got" 0 2e-6
    done
    got=$(column sequences.csv loss | cut -d ' ' -f 1)  # of a network that has just been made
    check numerics/padded "a loss of $got" awk -v x="$got" 'BEGIN { exit !(x > 0.5 && x < 10) }'
fi

if predict recurrent "$programs/extremes.csv"; then
    for name in padded_states padded_loss padded_gradients empty forget; do
        got=$(column recurrent.csv "$name" | cut -d ' ' -f 1)
        check "numerics/recurrent-$name" "apart by $got" near "$got" 0 2e-6
    done
    got=$(column recurrent.csv loss | cut -d ' ' -f 1)
    check numerics/recurrent-padded "a loss of $got" awk -v x="$got" 'BEGIN { exit !(x > 0.5 && x < 10) }'
fi

if predict equal "$root/tests/train/reference/library.csv"; then
    got=$(column equal.csv spread | cut -d ' ' -f 1)
    check numerics/equal_stay_equal "apart by $got" [ "$got" = 0 ]
    got=$(column equal.csv moved | cut -d ' ' -f 1)
    check numerics/equal_move "by $got only" awk -v x="$got" 'BEGIN { exit !(x > 0.1) }'
fi
