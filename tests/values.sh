# Index notation and the scalar functions against NumPy: each line of tests/lang/values/values.tsv
# becomes a program in f64, whose predictions for rows.csv must be the values given.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
reference=$root/tests/lang/values
tab=$(printf '\t')

grep -v '^#' "$reference/values.tsv" > cases
while IFS="$tab" read -r name count body values; do
    id=$(echo "$name" | tr ' ' -)
    defined=
    case $body in *own_*) defined=$(cat "$reference/own.nn") ;; esac
    # A bias that stays 0 is there so that there is something to train and to load.
    cat > "$id.nn" <<END
data rows {
    from csv("rows.csv")
    x: [12] = columns(x0 .. x11)
    k: class(8) = column(k)
    split train 5
}
$defined
layer case()(x: [batch, 12], k: class(8)[batch]) -> [batch, $count] {
    $body
}
model m(x: [batch, 12], k: class(8)[batch]) -> [batch, $count] {
    param zero: [$count] = 0
    return case()(x, k) + zero
}
train m on rows {
    loss      mean[...] 0 * output[...]
    optimizer sgd(lr = 0)
    batch     5
    epochs    1
}
END
    rm -f "$id.csv"
    if ! "$nnc" --dtype=f64 "$id.nn" -o "$id" > "$id.out" 2>&1; then
        fail "values/$id" "does not compile: $(grep error "$id.out" | head -n 1)"
    elif ! "./$id" train --data "$reference/rows.csv" --ckpt "$id.ckpt" --quiet > "$id.out" 2>&1 ||
        ! "./$id" predict "$reference/rows.csv" --data "$reference/rows.csv" --ckpt "$id.ckpt" -o "$id.csv" >> "$id.out" 2>&1; then
        fail "values/$id" "$(tail -n 1 "$id.out")"
    else
        wrong=$(tail -n +2 "$id.csv" | tr ',' '\n' | awk -v want="$values" '
            BEGIN { n = split(want, w, " ") }
            { i++; d = $1 - w[i]; if (d < 0) d = -d
              m = w[i] < 0 ? -w[i] : w[i]; if (m < 1) m = 1
              if (!(d <= 1e-8 * m)) { print "value " i ": " $1 ", not " w[i]; exit } }
            END { if (i != n) print i " values, not " n }')
        check "values/$id" "$(echo "$wrong" | head -n 1)" [ -z "$wrong" ]
    fi
done < cases
"$build/agree" --suite=values/agree *.nn
