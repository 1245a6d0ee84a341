# The entries of train blocks, and random numbers by sample.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

make_program() {  # NAME FLAGS...: of tests/entries/NAME.nn
    made=$1
    shift
    "$nnc" "$@" "$root/tests/entries/$made.nn" -o "$made" > "$made.nnc" 2>&1 ||
        fail "entries/compile-$made" "$(first "$made.nnc")"
}
train() {  # NAME FLAGS...: its figures are in NAME.jsonl, its weights in NAME.ckpt
    trained=$1
    shift
    rm -rf "$trained.jsonl"
    "./$trained" train --quiet --ckpt "$trained.ckpt" --log "$trained.jsonl" "$@" > "$trained.out" 2>&1 ||
        fail "entries/train-$trained" "$(first "$trained.out")"
}
# figure NAME FIGURE WANTED TOLERANCE: of the last epoch's training split.
figure() {
    got=$(grep '"train"' "$1.jsonl" | tail -n 1 | sed -n "s/.*\"$2\":\([-0-9.e+]*\).*/\1/p")
    check "entries/$1-$2" "$got where $3 is expected" near "$got" "$3" "$4"
}

# ---- draws of fields
make_program draws
train draws
for want in 'middle 0.5 0.02' 'square 0.3333 0.02' 'product 0.25 0.02' 'middle#2 0 0.04' 'square#2 1 0.06' \
    'product#2 0 0.06' 'share 0.14286 0.025' 'share#2 0.14286 0.025' 'share#3 0.14286 0.025' \
    'differs 0 0' 'middle#3 999.75 1e-6'; do
    # shellcheck disable=SC2086
    figure draws $want
done
cp draws.jsonl first.jsonl
train draws --seed 5
check entries/fields-whatever-the-seed "the seed changes fields" \
    [ "$(json draws.jsonl 1 share)" = "$(json first.jsonl 1 share)" ]

# ---- augmentation: the same images whatever the batch, the threads and the order
gathered() { tail -c $((40 * 8 * 8 * 2 * 4 + 4)) "$1.ckpt/last.safetensors"; }  # all that it holds
for size in 8 1 7 16 40; do
    make_program augmented -D size=$size
    train augmented --threads $((size % 3 + 1))
    gathered augmented > "seen$size"
    check entries/augmented-in-batches-of-$size "other images" cmp seen8 "seen$size"
done
train augmented --seed 2
gathered augmented > seed2
check entries/augmented-by-seed "the seed does not matter" differs seen8 seed2
train augmented --epochs 2
gathered augmented > both  # the sum over two epochs
check entries/augmented-by-epoch "the epoch does not matter" differs seen8 both

make_program geometry
train geometry
for want in 'no_flip 0 0' 'kept 0.5 0.07' 'no_flip#2 0 0' 'kept#2 0.75 0.07' 'no_window 0 0' \
    'corner 0.04 0.03' 'no_window#2 0 0' 'corner#2 0.1111 0.05' 'spread 0 1e-6' 'outside 0 0' \
    'moved 0 1e-5' 'ratio_outside 0 0' 'ratio_outside#2 0 0' 'spread#2 0 1e-6' 'no_square 0 0'; do
    # shellcheck disable=SC2086
    figure geometry $want
done
make_program noisy
train noisy
# (6 - 2) * (8 - 2) of 6 * 8 squares lie inside
for want in 'whole_square 0.5 0.07' 'difference 0 0.01' 'energy 0.25 0.01' 'ones 0.25 0.06' 'disagree 0 0'; do
    # shellcheck disable=SC2086
    figure noisy $want
done

# ---- steps of several batches
make_program steps
mv steps whole
train whole
make_program steps -D size=8 -D parts=4
mv steps parts
train parts
# losses FILE: all losses and metrics, in order.
losses() { sed 's/.*"loss":\([-0-9.e+]*\),"absolute_error":\([-0-9.e+]*\).*/\1 \2/' "$1.jsonl"; }
# same_losses A B TOLERANCE
same_losses() {
    losses "$1" > a && losses "$2" > b && paste a b | awk -v tol="$3" '
        NF != 4 { exit 1 } { n++; for (i = 1; i < 3; i++) { d = $i - $(i + 2); if (d < 0) d = -d
                             if (!(d <= tol)) { bad = 1; exit } } } END { exit bad || n != 8 }'
}
check entries/parts-as-the-whole "$(head -n 1 parts.jsonl)" same_losses whole parts 1e-6
check entries/parts-count-updates "$(tail -n 1 parts.jsonl)" grep -q '"step":12,"split":"valid"' parts.jsonl
for threads in 2 3; do
    cp parts "parts$threads"
    train parts$threads --threads $threads
    check entries/parts-on-$threads-threads "other bits" cmp parts.ckpt/last.safetensors parts$threads.ckpt/last.safetensors
done
cp parts stopped
train stopped --ckpt-every 1 --keep 20
cp stopped.ckpt/step-8.safetensors middle.safetensors  # of an epoch
train stopped --resume=middle.safetensors
tail -c 2000 parts.ckpt/last.safetensors > parts.tail
tail -c 2000 stopped.ckpt/last.safetensors > stopped.tail
check entries/parts-resumed "other bits" cmp parts.tail stopped.tail

# ---- one number w, 0 at first, whose gradient is 1: what becomes of it after each step
scalar() {  # NAME, and the train block's entries on standard input
    { cat << 'END'
data rows {
    from generated(16)
    x: [] = index
    split train 8, valid 8
}
fn at_least(low)(w: [...]) = max(w, low)
fn weight(y: [batch]) = mean[n] y[n]
fn far(y: [batch]) = mean[n] abs(y[n] + 0.35)
layer held()(x: [batch]) -> [batch] {
    param w: [1] = 0
    y[n] = x[n] * 0 + w[0]
    return y
}
model m(x: [batch]) -> [batch] {
    one = held()
    return one(x)
}
train m on rows {
    loss   weight(output)
    metric weight(output)
    metric far(output)
    batch  8
    epochs 12
END
      cat
      echo '}'; } > "$1.nn"
    "$nnc" "$1.nn" -o "$1" > "$1.nnc" 2>&1 || fail "entries/compile-$1" "$(first "$1.nnc")"
    train "$1"
}
# after NAME SPLIT: the weight, epoch by epoch; before the step in `train`, after it in `valid`.
after() { grep "\"$2\"" "$1.jsonl" | sed 's/.*"weight":\([-0-9.e+]*\).*/\1/'; }
# follows NAME SPLIT PROGRAM: the figures are what the awk program prints.
follows() {
    after "$1" "$2" > got
    awk "BEGIN { $3 }" > want
    paste got want | awk 'NF != 2 { exit 1 } { n++; d = $1 - $2; if (d < -1e-5 || d > 1e-5) exit 1 }
                          END { exit n < 12 }' 2> /dev/null
    if [ $? = 0 ]; then ok "entries/$1-$2"; else fail "entries/$1-$2" "$(tr '\n' ' ' < got)"; fi
}

scalar plain << 'END'
    optimizer sgd(lr = 0.1)
END
follows plain valid 'for (k = 1; k <= 12; k++) print -0.1 * k'
scalar projected << 'END'
    optimizer sgd(lr = 0.1)
    project   at_least(-0.42) for one.w
    project   at_least(-1) for "one"
END
follows projected valid 'for (k = 1; k <= 12; k++) print -0.1 * k < -0.42 ? -0.42 : -0.1 * k'
scalar averaged << 'END'
    optimizer sgd(lr = 0.1)
    average   ema(0.8)
END
follows averaged train 'for (k = 0; k < 12; k++) print -0.1 * k'  # the raw weights go on
follows averaged valid 'for (k = 1; k <= 12; k++) print a = 0.8 * a + 0.2 * -0.1 * k'
scalar mean << 'END'
    optimizer sgd(lr = 0.1)
    average   polyak
END
follows mean valid 'for (k = 1; k <= 12; k++) { s -= 0.1 * k; print s / k }'
check entries/average-has-a-name "not in the checkpoint" \
    grep -q '"average.one.w.a"' mean.ckpt/last.safetensors

# Evaluation takes the averaged weights of the checkpoint.
./averaged eval --split valid --ckpt averaged.ckpt > eval.out 2>&1
best=$(after averaged valid | sort -g | head -n 1)
check entries/averages-are-evaluated "$(first eval.out)" \
    near "$(sed -n 's/.*weight \([-0-9.e+]*\).*/\1/p' eval.out)" "$best" 1e-3
# Weights from a file without averages: those begin as the weights.
./averaged eval --split valid --load plain.ckpt/last.safetensors > eval.out 2>&1
check entries/averages-begin-as-the-weights "$(first eval.out)" \
    near "$(sed -n 's/.*weight \([-0-9.e+]*\).*/\1/p' eval.out)" -1.2 1e-3

# Schedules against plain formulas: e is the epoch, k the step.
schedule() {  # NAME ARGUMENT FORMULA
    echo "    optimizer sgd(lr = $2)" | scalar "$1"
    follows "$1" valid "for (k = 1; k <= 12; k++) { e = k - 1; w -= $3; print w }"
}
schedule constant_rate '0.1' 0.1
schedule inverse 'inverse_decay(0.1, epoch, rate = 0.5)' '0.1 / (1 + 0.5 * e)'
schedule steps_down 'step_decay(0.1, epoch, every = 4, by = 0.5)' '0.1 * 0.5 ^ int(e / 4)'
schedule exponential 'exponential_decay(0.1, epoch, by = 0.9)' '0.1 * 0.9 ^ e'
schedule root 'sqrt_decay(0.1, epoch)' '0.1 / sqrt(1 + e)'
schedule cosine 'cosine_decay(0.1, step, steps, low = 0.01)' \
    '0.01 + 0.09 * 0.5 * (1 + cos(3.141592653589793 * k / 12))'
schedule warm 'warmup(0.1, step, over = 5)' '0.1 * (k < 5 ? k / 5 : 1)'
schedule cycle 'cyclic(0.01, 0.1, step, period = 6)' \
    '0.01 + 0.09 * (1 - ((x = 2 * (k / 6 - int(k / 6)) - 1) < 0 ? -x : x))'
# |w + 0.35| falls, then rises: the figure before each epoch is the one after the last.
plateau='best = 1e9; f = 1; w = 0
    for (k = 1; k <= 12; k++) {
        if (k > 1) { d = w + 0.35; if (d < 0) d = -d
                     if (d < best) { best = d; n = 0 } else n++
                     if (n >= 2) { f *= 0.5; n = 0 } }
        w -= 0.1 * f; print w }'
scalar plateau << 'END'
    optimizer sgd(lr = plateau(0.1, by = 0.5, after = 2)(valid.far))
END
follows plateau valid "$plateau"
cp plateau again
for steps in 1 5 7 8; do  # between epochs, after each kind of evaluation
    train again --epochs $steps
    train again --epochs 12 --resume
    tail -c 40 again.ckpt/last.safetensors > again.tail
    tail -c 40 plateau.ckpt/last.safetensors > plateau.tail
    check entries/plateau-resumed-after-$steps "other bits" cmp plateau.tail again.tail
done

# ---- parameters from files
loading() {  # NAME, and `load` entries on standard input
    { sed '/^    loss /,$d' "$root/tests/entries/steps.nn" | sed 's/body = trunk()/base = trunk()/; s/|> body/|> base/
          s/^hyper parts.*//'
      cat
      cat << 'END'
    freeze    base
    loss      squared_error(output, y)
    metric    absolute_error(output, y)
    optimizer sgd(lr = 0)
    batch     size
}
END
    } > "$1.nn"
    "$nnc" "$1.nn" -o "$1" > "$1.nnc" 2>&1 || fail "entries/compile-$1" "$(first "$1.nnc")"
}
cp whole.ckpt/last.safetensors whole.safetensors
loading taken << 'END'
    load base = "body", head from "whole.safetensors"
END
train taken
./whole eval --split valid --load whole.safetensors > want
./taken eval --split valid --ckpt taken.ckpt > got
check entries/load "$(first got) where $(first want)" \
    [ "$(sed 's/.*absolute_error//' got)" = "$(sed 's/.*absolute_error//' want)" ]
check entries/load-is-above-all-a-beginning "$(first taken.jsonl)" [ "$(wc -l < taken.jsonl)" = 2 ]
mkdir -p elsewhere
(cd elsewhere && ../taken train --quiet --ckpt there.ckpt) > out 2>&1
check entries/load-beside-the-program "$(first out)" [ -s elsewhere/there.ckpt/last.safetensors ]
rm whole.safetensors
./taken train --quiet --ckpt taken.ckpt --epochs 2 --resume > out 2>&1
status=$?
check entries/load-not-when-resumed "$(first out)" [ $status = 0 ]
refused() {  # NAME TEXT
    if "./$1" train --quiet --ckpt "$1.ckpt" > out 2>&1; then fail "entries/$1" "was accepted"
    else check "entries/$1" "$(first out)" grep -q "$2" out; fi
}
refused taken 'taken.nn:[0-9]*: no file whole.safetensors'
cp whole.ckpt/last.safetensors whole.safetensors
loading missing << 'END'
    load base = "trunk" from "whole.safetensors"
END
refused missing 'missing.nn:[0-9]*: .*no trunk.c1.w \[6, 7\], no trunk.c1.b \[7\], no trunk.dense#1.w'
loading misshapen << 'END'
    load head = "body.c1" from "whole.safetensors"
END
refused misshapen 'misshapen.nn:[0-9]*: .*body.c1.w \[6, 7\] F32 where the model has f32 \[5, 3\]'

# ---- the interpreter's bits
cp "$root"/tests/entries/augmented.nn "$root"/tests/entries/noisy.nn "$root"/tests/entries/draws.nn .
sed 's/^hyper parts.*/hyper parts = 3/' "$root/tests/entries/steps.nn" > steps.nn
"$build/agree" --suite=entries/agree augmented.nn noisy.nn draws.nn steps.nn plateau.nn averaged.nn projected.nn
