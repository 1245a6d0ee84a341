# --memory-budget: kept to, the smallest is named, and the same bits with any.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

# least ARGS...: the smallest budget for which nnc ARGS is no error.
least() {
    "$nnc" --memory-budget=1 "$@" -o refused 2>&1 |
        sed -n 's/.*--memory-budget=\([0-9]*\) is the smallest .*/\1/p'
}

# needed PROGRAM: its arena and the scratch of one thread.
needed() { "./$1" info | awk '/"arena":/ { n += $2 } /"scratch":/ { n += $2 } END { printf "%d", n }'; }

# bits NAME FLAGS FILE ARGS...: the same checkpoint after some steps, and what is compiled keeps to
# the budget.
bits() {
    name=$1 flags=$2 file=$3
    shift 3
    compile "$file" "$name" "$@"
    plain=$(needed "$name") small=$(least "$@" "$file")
    check "budget/$name-least" "'$small' of $plain" [ "$small" -gt 0 -a "$small" -le "$plain" ]
    ./"$name" train --quiet $flags --epochs 1 --batch-limit 6 --ckpt "$name.ckpt" > out 2> err ||
        fail "budget/$name-trains" "$(first err)"
    for budget in $small $(((small + plain) / 2)); do
        compile "$file" "$name.less" "$@" --memory-budget=$budget
        is=$(needed "$name.less")
        check "budget/$name-$budget-kept" "takes $is" [ "$is" -le "$budget" ]
        rm -rf "$name.less.ckpt"
        ./"$name.less" train --quiet $flags --epochs 1 --batch-limit 6 --ckpt "$name.less.ckpt" > out 2> err
        check "budget/$name-$budget-bits" "other bits: $(first err)" \
            cmp -s "$name.ckpt/last.safetensors" "$name.less.ckpt/last.safetensors"
    done
}

cat > residual.nn <<'END'
data some {
    from generated(64)
    image: [16, 16, 8] = wave(index)
    label: class(10)   = mod(index, 10)
    split train 64
}
fn wave(row: [n]) {
    w[r, i < 16, j < 16, c < 8] = sin(row[r] + 0.7 * i * c - 0.3 * j)
    return w
}
layer double(x: [batch, h, w, c]) -> [batch, h, w, c] {
    y = x |> conv2d(8, 3, bias = false) |> batch_norm |> relu
    return relu(x + (y |> conv2d(8, 3, bias = false) |> batch_norm))
}
model residual(image: [batch, 16, 16, 8]) -> [batch, 10] {
    return image |> double |> double |> double |> global_avg_pool |> dense(10)
}
train residual on some {
    loss      cross_entropy(output, label)
    optimizer momentum(lr = 0.05)
    batch     8
    epochs    3
}
END
for i in 1 2 3 4 5 6 7 8 9; do cat "$root/LICENSE" "$root/README.md"; done > text.txt
bits residual '' residual.nn
"$nnc" --memory-budget="$(least residual.nn)" --emit=memory residual.nn > out 2> err
says what-runs-again out 'train_step runs parts of [1-9]'
bits digits "--data $root/examples/data/digits.csv" "$root/examples/digits.nn" -D hidden=64
bits gpt '--data text.txt' "$root/examples/gpt.nn" -D layers=2 -D width=32 -D block=32 -D drop=0.1 -D symbols=200
bits lstm '--data text.txt' "$root/examples/char_lstm.nn" -D units=32 -D symbols=200

# ---- the option
cp "$root/examples/digits.nn" digits.nn
code 1 too-small "$nnc" --memory-budget=1K digits.nn -o refused
says too-small-text err '^nnc: error: the program needs [0-9]* bytes of memory, and --memory-budget allows 1024$'
check budget/refused-is-not-written "a program is there" [ ! -e refused ]
small=$(least digits.nn)
code 0 smallest "$nnc" --memory-budget="$small" digits.nn -o digits.small
code 1 smaller "$nnc" --memory-budget=$((small - 1)) digits.nn -o refused
code 1 too-small-for-text "$nnc" --memory-budget=1 --emit=memory digits.nn
code 0 needs-no-plan "$nnc" --memory-budget=1 --emit=grad digits.nn
code 0 check "$nnc" check --memory-budget=1 digits.nn
for bytes in 1M 1MB 1MiB 1000KB 1G 1000000; do
    code 0 "accepts-$bytes" "$nnc" --memory-budget=$bytes --emit=manifest digits.nn
done
"$nnc" --memory-budget=3MB --emit=manifest digits.nn > out
says decimal-unit out '"budget": 3000000'
"$nnc" --memory-budget=3M --emit=manifest digits.nn > out
says binary-unit out '"budget": 3145728'
for bytes in 0 -5 x 12Q 1KX 1.5M 99999999999999999999 9000000000G ''; do
    code 2 "refuses-$bytes" "$nnc" --memory-budget=$bytes digits.nn -o refused
    says "refuses-$bytes-text" err 'memory-budget'
done

# As many threads as the budget has room for.
"$nnc" --memory-budget="$small" digits.nn -o digits.one
code 0 fewer-threads ./digits.one bench --steps 5 --threads 3
says fewer-threads-text err 'has room for 1'
says fewer-threads-used out '"threads":1'

# A program whose entry points have no kernels but for one.
cat > product.nn <<'EOF'
model product(a: [64, 64], b: [64, 64]) -> [64, 64] { return a @ b }
EOF
small=$(least product.nn)
check budget/no-kernels "the smallest is '$small'" [ "${small:-0}" -gt 0 ]
