# Gradients of every definition of the library, in f64, against central differences: each line
# of tests/grad/definitions becomes a program, whose gradcheck must hold.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

program() {  # KIND BODY LOSS
    case $1 in
    row)    field='x: [6] = columns(x0 .. x5)' input='x: [batch, 6]' ;;
    image)  field='x: [6, 6, 2] = columns(x0 .. x71)' input='x: [batch, 6, 6, 2]' ;;
    series) field='x: [3, 2] = columns(x0 .. x5)' input='x: [batch, 3, 2]' ;;
    padded) field='x: [3, 2] = columns(x0 .. x5); len: class(4) = column(len)'
            input='x: [batch, 3, 2], len: class(4)[batch]' ;;
    word)   field='word: class(5) = column(word)' input='word: class(5)[batch]' ;;
    esac
    cat <<END
data rows {
    from csv("rows.csv")
    $field
    t: [3] = columns(t0 .. t2)
    label: class(3) = column(label)
    split train 100%
    rows 40
}
model m($input) -> [batch, 3] {
    $2
}
train m on rows {
    loss      $3
    optimizer sgd(lr = 0.1)
    batch     4
    epochs    1
}
END
}

while IFS= read -r line; do
    case $line in '' | '#'*) continue ;; esac
    name=${line%% *} loss=${line##*:: }
    rest=${line#*:: } kind=${rest%% *}
    rest=${rest#*:: } body=${rest% :: *}
    program "$kind" "$body" "$loss" > "$name.nn"
    if ! "$nnc" --dtype=f64 "$name.nn" -o "$name" > "$name.out" 2>&1; then
        fail "grad/$name" "does not compile: $(first "$name.out")"
    elif ! "./$name" gradcheck > "$name.out" 2>&1; then
        fail "grad/$name" "$(tail -n 1 "$name.out")"
    else
        ok "grad/$name"
    fi
done < "$root/tests/grad/definitions"
"$build/agree" --suite=grad/agree *.nn

# ---- gradients of functions' own: shown where they are no derivatives, and not judged
own() {  # NAME BODY LOSS, with the functions of own.nn
    { cat "$root/tests/grad/own.nn"; program row "$2" "$3"; } > "own-$1.nn"
    "$nnc" --dtype=f64 "own-$1.nn" -o "own-$1" > "own-$1.out" 2>&1 &&
        "./own-$1" gradcheck > "own-$1.out" 2>&1
    status=$?
    check "grad/own-$1" "$(tail -n 1 "own-$1.out")" [ $status = 0 ]
}
derived() {  # NAME BODY LOSS: as the differences say
    own "$@"
    check "grad/own-$1-is-derived" "$(grep '  own$' "own-$1.out")" [ "$(grep -c '  own$' "own-$1.out")" = 0 ]
}
derived logsumexp 'return x |> dense(3)' 'mean[n] (log_sum(output)[n] - output[n, label[n]])'
derived polar 'h = x |> dense(3); r, p = polar(h + 2, tanh(h)); y[n, i] = sum_of(r[n, i], p[n, i]) + p[n, i]; return y' \
    'squared_error(output, t)'
derived layer 'l = slope(6); h = x |> l |> l; g = grad(mean[...] h[...]^2, x); return (h + g) |> slope(3)' \
    'squared_error(output, t)'
derived penalty 'l = slope(6); return x |> l |> l |> dense(3)' \
    'squared_error(output, t) + (sum[...] grad(squared_error(output, t), l.w)[...]^2)'
derived in-a-scan 'l = slope(3); k = dense(3); h0 = dense(3)(x); scan t < 4 from h = h0 { z = k(h); r, p = polar(h + 2, z); h = l(r * 0.3) + p * 0.1 }; return h' \
    'squared_error(output, t)'
own of-a-scan 'return x |> recurrent(4) |> dense(3)' 'squared_error(output, t)'
check grad/own-of-a-scan-by-its-parameters "$(first own-of-a-scan.out)" [ "$(grep -c '  own$' own-of-a-scan.out)" = 0 ]
own reversed 'return x |> dense(5) |> reversed |> tanh |> dense(3)' 'squared_error(output, t)'
check grad/own-is-said "$(first own-reversed.out)" [ "$(grep -c '  own$' own-reversed.out)" = 2 ]

# ---- kinks: rows of zeros under biases of zero stand at the kink of every relu
awk 'BEGIN { print "a,b,c"
             for (i = 0; i < 128; i++) print (i % 2 ? "0,0" : i / 40 "," 1 - i / 50) "," i % 3 }' > kinks.csv
cat > kinks.nn <<'END'
data rows {
    from csv("kinks.csv")
    x:     [2]      = columns(a, b)
    label: class(3) = column(c)
    split train 100%
}
model kinks(x: [batch, 2]) -> [batch, 3] {
    return x |> dense(40) |> relu |> dense(40) |> relu |> dense(3)
}
train kinks on rows {
    loss      cross_entropy(output, label)
    optimizer sgd(lr = 0.1)
    batch     128
}
END
"$nnc" --dtype=f64 kinks.nn -o kinks > kinks.out 2>&1 && ./kinks gradcheck > kinks.out 2>&1
check grad/kinks "$(tail -n 1 kinks.out)" grep -q passed kinks.out

# No definition with a gradient is left out.
cd "$root/compiler/std" || exit 1
cat activations.nn dense.nn convolution.nn pooling.nn normalization.nn noise.nn embedding.nn \
    attention.nn positions.nn transformer.nn recurrent.nn shape.nn augmentation.nn linear_algebra.nn losses.nn \
    penalties.nn |
    sed -n 's/^\(fn\|layer\|loss\) \([a-z_0-9]*\).*/\2/p' | while read -r name; do
    check "grad/has-$name" "no line in tests/grad/definitions" \
        grep -q "^$name[ .:]" "$root/tests/grad/definitions"
done
