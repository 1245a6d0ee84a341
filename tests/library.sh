# The library's losses, activations, optimizers and schedules against an independent
# implementation: each line of tests/train/reference/library.tsv becomes a program in f64, whose
# losses over six steps must agree. And the initializers' distributions.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
reference=$root/tests/train/reference
tab=$(printf '\t')

grep -v '^#' "$reference/library.tsv" > cases
while IFS="$tab" read -r name loss optimizer losses; do
    id=$(echo "$name" | tr ' ' -)
    cat > "$id.nn" <<END
data rows {
    from csv("library.csv")
    z: [3] = columns(z0 .. z2)
    t: [3] = columns(t0 .. t2)
    label: class(3) = column(label)
    split train 5
}
model m(z: [batch, 3]) -> [batch, 3] {
    param w: [3] = 1
    param b: [3] = 0
    return z * w + b
}
train m on rows {
    loss      $loss
    optimizer $optimizer
    batch     5
    epochs    6
}
END
    if ! "$nnc" --dtype=f64 "$id.nn" -o "$id" > "$id.out" 2>&1; then
        fail "library/$id" "does not compile: $(first "$id.out")"
        continue
    fi
    rm -f "$id.jsonl"
    if ! "./$id" train --data "$reference/library.csv" --log "$id.jsonl" --ckpt "$id.ckpt" --quiet \
        > "$id.out" 2>&1; then
        fail "library/$id" "$(tail -n 1 "$id.out")"
        continue
    fi
    grep '"split": *"train"' "$id.jsonl" > "$id.train"
    step=0 wrong=
    for want in $losses; do
        step=$((step + 1))
        got=$(json "$id.train" $step loss)
        near "$got" "$want" 1e-6 || wrong="$wrong step $step: $got, not $want;"
    done
    check "library/$id" "$wrong" [ -z "$wrong" ]
done < cases
"$build/agree" --suite=library/agree *.nn

# ---- initializers: mean and standard deviation of 40,000 draws, and the extremes
initializer() {  # NAME TEXT MEAN SD LOW HIGH, for a parameter [200, 200]
    cat > "init.nn" <<END
data rows {
    from csv("library.csv")
    z: [3] = columns(z0 .. z2)
    split train 5
}
model m(z: [batch, 3]) -> [batch, 3] {
    param w: [200, 200] = $2
    return z + 0.001 * (sum[i, j] w[i, j])
}
train m on rows {
    loss      squared_error(output, z)
    optimizer sgd(lr = 0)
    batch     5
    epochs    1
}
END
    if ! "$nnc" init.nn -o init > init.out 2>&1 || ! ./init train --data "$reference/library.csv" \
        --ckpt "init.$1" --quiet > init.out 2>&1; then
        fail "library/$1" "$(tail -n 1 init.out)"
        return
    fi
    # A safetensors file: eight bytes of header length, the header, then w (here the only param).
    file=init.$1/last.safetensors
    header=$(od -A n -t u8 -N 8 "$file" | tr -d ' ')
    at=$(head -c $((header + 8)) "$file" | tail -c "$header" |
        sed 's/.*"w": *{[^}]*"data_offsets": *\[\([0-9]*\).*/\1/')
    od -A n -v -t f4 -w4 -j $((header + 8 + at)) -N 160000 "$file" > init.values
    awk -v mean="$3" -v sd="$4" -v low="$5" -v high="$6" '
        { n++; s += $1; q += $1 * $1; if (n == 1 || $1 < lo) lo = $1; if (n == 1 || $1 > hi) hi = $1 }
        END { m = s / n; d = sqrt(q / n - m * m)
              printf "mean %g, deviation %g, from %g to %g", m, d, lo, hi
              # Five standard errors of each.
              if ((m - mean)^2 > 25 * (sd^2 + 1e-12) / n || (d - sd)^2 > 25 * (sd^2 + 1e-12) / n ||
                  lo < low || hi > high || n != 40000) exit 1 }' init.values > init.says
    code=$?
    check "library/$1" "$(cat init.says)" [ $code = 0 ]
}
initializer glorot 'glorot' 0 0.0707107 -0.1224745 0.1224745
initializer he 'he' 0 0.1 -0.54 0.54
initializer lecun 'lecun' 0 0.0707107 -0.38 0.38
initializer normal 'normal(0.5)' 0 0.5 -2.7 2.7
initializer uniform 'uniform(2, 3)' 2.5 0.288675 2 3
initializer constant 'constant(0.25)' 0.25 0 0.25 0.25
initializer fan-in 'he(fan_in = 50)' 0 0.2 -1.1 1.1
initializer glorot-normal 'glorot_normal' 0 0.0707107 -0.38 0.38
initializer xavier 'xavier' 0 0.0707107 -0.1224745 0.1224745
initializer he-uniform 'he_uniform' 0 0.1 -0.173206 0.173206
initializer orthogonal 'orthogonal' 0 0.0707107 -0.42 0.42
initializer identity 'identity' 0.005 0.0705337 0 1

# Columns or rows of length 1, at right angles, in each shape of a parameter.
gram() {  # NAME DIMS BODY: `d` is how far w is from what it should be
    cat > gram.nn <<END
data rows {
    from csv("library.csv")
    z: [3] = columns(z0 .. z2)
    split train 5
}
model m(z: [batch, 3]) -> [batch] {
    param w: $2 = orthogonal
    $3
    y[n] = d + 0 * z[n, 0]
    return y
}
train m on rows {
    loss      squared_error(output, 0 * output)
    optimizer sgd(lr = 0)
    batch     5
    epochs    1
}
END
    rm -f gram.jsonl
    if ! "$nnc" gram.nn -o gram > gram.out 2>&1 || ! ./gram train --data "$reference/library.csv" \
        --log gram.jsonl --ckpt gram.ckpt --quiet > gram.out 2>&1; then
        fail "library/orthogonal-$1" "$(tail -n 1 gram.out)"
        return
    fi
    grep '"split": *"train"' gram.jsonl > gram.train
    got=$(json gram.train 1 loss)
    check "library/orthogonal-$1" "off by $got" near "$got" 0 1e-10
}
off='max[j, k] abs(s[j, k] - (if j == k then 1 else 0))'
gram square '[64, 64]' "s[j, k] = sum[i] w[i, j] * w[i, k]; d = $off"
gram tall '[70, 33]' "s[j, k] = sum[i] w[i, j] * w[i, k]; d = $off"
gram wide '[17, 40]' "s[j, k] = sum[i] w[j, i] * w[k, i]; d = $off"
gram one '[1, 1]' "s[j, k] = sum[i] w[j, i] * w[k, i]; d = $off"
gram filters '[3, 3, 2, 5]' "s[j, k] = sum[a, b, i] w[a, b, i, j] * w[a, b, i, k]; d = $off"
