# Whole runs: accuracy, the same bits for any number of threads and after --resume, losses that
# agree with an independent implementation, other processors.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
digits_csv=$root/examples/data/digits.csv

at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a ~ /^[0-9]/ && a + 0 >= b + 0) }'; }
last() { readlink -f "$1/last.safetensors" 2>/dev/null || ls -t "$1"/*.safetensors | head -n 1; }

# ---- digits, whole
compile "$root/examples/digits.nn" digits
if ./digits train --data "$digits_csv" --ckpt digits.ckpt --log digits.jsonl > digits.out 2>&1; then
    ok train/digits-runs
else
    fail train/digits-runs "$(tail -n 1 digits.out)"
fi
accuracy=$(json digits.jsonl '$' accuracy)
check train/digits-accuracy "test accuracy $accuracy" at_least "$accuracy" 0.97
check train/digits-test-line "no line for the test split" \
    sh -c 'tail -n 1 digits.jsonl | grep -q "\"split\": *\"test\""'
check train/digits-curves "no curves.svg" [ -s digits.ckpt/curves.svg ]
check train/digits-checkpoint "no checkpoint" [ -s "$(last digits.ckpt)" ]
./digits eval --data "$digits_csv" --ckpt digits.ckpt > eval.out 2>&1
check train/digits-eval "$(first eval.out)" grep -q accuracy eval.out
head -n 6 "$digits_csv" > five.csv
./digits predict five.csv --ckpt digits.ckpt -o predicted.csv > predict.out 2>&1
check train/digits-predict "$(first predict.out)" [ "$(grep -c '^[-0-9]' predicted.csv)" = 5 ]

# ---- size and speed of the compiler and of what it makes
case $build in
*asan*) skip train/size "sanitizers are in it" ;;
*)
    compile "$root/examples/digits.nn" digits.small --small
    strip -o digits.stripped digits.small
    size=$(wc -c < digits.stripped)
    limit=100000
    grep -qw avx512f /proc/cpuinfo 2>/dev/null || limit=120000  # short vectors take more code
    check train/size "$size bytes stripped" [ "$size" -lt $limit ]
    size=$(strip -o digits.stripped digits; wc -c < digits.stripped)
    check train/whole-size "$size bytes stripped, with all parts" [ "$size" -lt $((limit + 10000)) ]
    needs=$(ldd digits | sed 's/^\s*\([^ ]*\).*/\1/' | grep -v 'libc\.\|libm\.\|libz\.\|linux-vdso\|ld-linux' )
    check train/libraries "needs $needs" [ -z "$needs" ]
    ;;
esac

# ---- the same bits
for threads in 1 2 3; do
    ./digits train --data "$digits_csv" --epochs 3 --threads $threads --ckpt threads$threads --quiet \
        > threads.out 2>&1 || fail train/threads-$threads "$(tail -n 1 threads.out)"
done
check train/threads-2-as-1 "checkpoints differ" cmp "$(last threads1)" "$(last threads2)"
check train/threads-3-as-1 "checkpoints differ" cmp "$(last threads1)" "$(last threads3)"
./digits train --data "$digits_csv" --epochs 3 --seed 5 --ckpt seed5 --quiet > seed.out 2>&1
check train/seed-matters "another seed, same bits" differs "$(last threads1)" "$(last seed5)"

./digits train --data "$digits_csv" --epochs 2 --ckpt resumed --quiet > resume.out 2>&1
./digits train --data "$digits_csv" --epochs 3 --ckpt resumed --resume --quiet >> resume.out 2>&1
check train/resume "checkpoints differ: $(tail -n 1 resume.out)" cmp "$(last threads1)" "$(last resumed)"

# Stopped by a signal in the middle: exit code 75, and the same bits in the end.
./digits train --data "$digits_csv" --epochs 400 --ckpt whole --quiet > whole.out 2>&1
cp "$(last whole)" over.safetensors
./digits train --data "$digits_csv" --epochs 400 --ckpt whole --resume --quiet > over.out 2>&1
check train/over-stays-over "trains on: $(tail -n 1 over.out)" cmp over.safetensors "$(last whole)"
./digits train --data "$digits_csv" --epochs 400 --ckpt stopped --quiet > stopped.out 2>&1 &
pid=$!
sleep 0.4
kill -TERM $pid 2>/dev/null
wait $pid
stopped=$?
if [ $stopped = 0 ]; then
    skip train/stopped "it was done before the signal came"
else
    check train/stopped-code "exit code $stopped" [ $stopped = 75 ]
    ./digits train --data "$digits_csv" --epochs 400 --ckpt stopped --resume --quiet > stopped.out 2>&1
    check train/stopped-resumes "checkpoints differ: $(tail -n 1 stopped.out)" \
        cmp "$(last whole)" "$(last stopped)"
fi

# ---- draws where nothing is trained: each row has its own, the same after every epoch
cat > draws.nn <<'END'
data rows {
    from csv("draws.csv")
    x: [1] = column(a)
    split train 50%, valid 50%
}
model draws(x: [batch, 1]) -> [batch, 1] {
    param w: [1] = 0
    y[n, k] = x[n, k] * w[k] + rand()
    return y
}
train draws on rows {
    loss      squared_error(output, x)
    optimizer sgd(lr = 0)
    batch     4
    epochs    2
}
END
compile draws.nn draws
{ echo a; seq 40; } > draws.csv
./draws train --log draws.jsonl --quiet > draws.out 2>&1
./draws predict draws.csv > draws.predicted 2>> draws.out
check train/draws-of-epochs "$(cat draws.out)" \
    [ "$(grep '"valid"' draws.jsonl | sed 's/.*"loss"//' | sort -u | wc -l)" = 1 ]
check train/draws-of-rows "$(cat draws.predicted)" [ "$(sort -u draws.predicted | wc -l)" = 41 ]

# ---- an independent implementation's losses
for network in mlp lenet5 siamese; do
    mkdir -p $network.data
    "$build/tests/make_inputs" $network $network.data
    compile "$root/tests/train/reference/$network.nn" $network
    ./$network train --data $network.data --load $network.data/weights.safetensors \
        --log $network.jsonl --ckpt $network.ckpt --quiet > $network.out 2>&1 ||
        fail "train/$network-runs" "$(tail -n 1 $network.out)"
    grep '"split": *"train"' $network.jsonl > $network.train
    check "train/$network-steps" "$(wc -l < $network.train) of 20 steps" \
        [ "$(wc -l < $network.train)" = 20 ]
    wrong=
    while read -r name step loss; do
        [ "$name" = $network ] || continue
        got=$(json $network.train "$step" loss)
        near "$got" "$loss" 1e-4 || wrong="$wrong step $step: $got, not $loss;"
    done < "$root/tests/train/reference/losses.tsv"
    check "train/$network-losses" "$wrong" [ -z "$wrong" ]
done

# ---- a program of more than one object: the same bits as of one, and the same file every time
"$nnc" "$root/tests/train/reference/lenet5.nn" --emit=exe=lenet5.one,obj=lenet5.o > one.out 2>&1 ||
    fail train/one-object "$(first one.out)"
check train/two-objects "lenet5 is one object: this tests nothing" differs lenet5 lenet5.one
./lenet5.one train --data lenet5.data --load lenet5.data/weights.safetensors --ckpt lenet5.one.ckpt \
    --quiet > one.out 2>&1 || fail train/one-object-runs "$(tail -n 1 one.out)"
check train/two-objects-as-one "checkpoints differ" cmp "$(last lenet5.ckpt)" "$(last lenet5.one.ckpt)"
compile "$root/tests/train/reference/lenet5.nn" lenet5.again
check train/two-objects-every-time "the programs differ" cmp lenet5 lenet5.again

# ---- other processors of the same kind: the same bits with fused multiply-adds, nearly the same
# without, and code that is not much larger where vectors are short
runs_here() {  # does this processor have them all?
    for flag in "$@"; do grep -qw "$flag" /proc/cpuinfo 2>/dev/null || return 1; done
}
on_processor() {  # CPU: digits and LeNet-5, some steps each
    compile "$root/examples/digits.nn" digits.$1 --cpu=$1
    ./digits.$1 train --data "$digits_csv" --epochs 3 --ckpt digits.$1.ckpt --log digits.$1.jsonl \
        --quiet > digits.$1.out 2>&1 || fail train/$1-digits "$(tail -n 1 digits.$1.out)"
    compile "$root/tests/train/reference/lenet5.nn" lenet5.$1 --cpu=$1
    ./lenet5.$1 train --data lenet5.data --load lenet5.data/weights.safetensors \
        --log lenet5.$1.jsonl --ckpt lenet5.$1.ckpt --quiet > lenet5.$1.out 2>&1 ||
        fail train/$1-lenet5 "$(tail -n 1 lenet5.$1.out)"
}
for cpu in x86-64-v3 x86-64-v2 x86-64; do
    case $cpu in
    x86-64-v3) flags="avx2 bmi2 fma" ;;
    x86-64-v2) flags="sse4_2 popcnt" ;;
    *) flags=sse2 ;;
    esac
    if ! runs_here $flags; then
        skip train/$cpu "not for this processor"
        continue
    fi
    on_processor $cpu
    if [ $cpu = x86-64-v3 ]; then
        check train/$cpu-digits-as-here "checkpoints differ" \
            cmp "$(last threads1)" "$(last digits.$cpu.ckpt)"
        check train/$cpu-lenet5-as-here "checkpoints differ" \
            cmp "$(last lenet5.ckpt)" "$(last lenet5.$cpu.ckpt)"
    fi
    loss=$(json lenet5.$cpu.jsonl '$' loss)
    check train/$cpu-lenet5-loss "loss '$loss'" near "$loss" "$(json lenet5.jsonl '$' loss)" 1e-2
    accuracy=$(json digits.$cpu.jsonl '$' accuracy)
    check train/$cpu-digits-accuracy "accuracy '$accuracy'" at_least "$accuracy" 0.9
    case $build in *asan*) continue ;; esac
    compile "$root/examples/digits.nn" digits.$cpu --cpu=$cpu --small
    strip digits.$cpu
    size=$(wc -c < digits.$cpu)
    check train/$cpu-size "$size bytes stripped" [ "$size" -lt 120000 ]
done

# ---- softmax regression by full-batch gradient descent, from zero: where NumPy and PyTorch end
compile "$root/bench/w8.nn" w8
./w8 train --data "$digits_csv" --log w8.jsonl --ckpt '' --quiet > w8.out 2>&1
loss=$(json w8.jsonl '$' loss)
check train/softmax-regression-loss "loss '$loss' after 1000 steps" near "$loss" 0.12592 1e-5
