# Deep networks: twenty steps as PyTorch's, the same bits for any number of threads, and code that
# does not grow with the depth.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
last() { ls -t "$1"/*.safetensors | head -n 1; }
here=$root/tests/train/deep

# Where its data are; the words of `gpt` are a formula.
data_of() { [ $1 = gpt ] || echo "--data $1.data"; }

# ---- an independent implementation's losses and parameters
for network in resnet20 unet xception gpt; do
    mkdir -p $network.data
    "$build/tests/make_inputs" $network $network.data < "$here/deep.tsv"
    "$nnc" --dtype=f64 "$here/$network.nn" -o $network > $network.nnc 2>&1 ||
        fail "deep/$network-compiles" "$(first $network.nnc)"
    # shellcheck disable=SC2046
    ./$network train $(data_of $network) --load $network.data/weights.safetensors \
        --log $network.jsonl --ckpt '' --quiet > $network.out 2>&1 ||
        fail "deep/$network-runs" "$(tail -n 1 $network.out)"
    grep '"split": *"train"' $network.jsonl > $network.train
    check "deep/$network-steps" "$(wc -l < $network.train) of 20 steps" \
        [ "$(wc -l < $network.train)" = 20 ]
    wrong=
    while read -r name step loss size; do
        [ "$name" = $network ] || continue
        got=$(json $network.train "$step" loss)
        near "$got" "$loss" 1e-7 || wrong="$wrong step $step: $got, not $loss;"
        got=$(json $network.train "$step" l2)
        near "$got" "$size" 1e-7 || wrong="$wrong step $step: size $got, not $size;"
    done < "$here/deep.tsv"
    check "deep/$network-as-torch" "$wrong" [ -z "$wrong" ]
done

# ---- the same bits for any number of threads
for network in resnet20 unet xception gpt; do
    "$nnc" "$here/$network.nn" -o $network.f32 > $network.nnc 2>&1
    for threads in 1 2 3; do
        # shellcheck disable=SC2046
        ./$network.f32 train $(data_of $network) --load $network.data/weights.safetensors --epochs 2 \
            --threads $threads --ckpt $network.$threads --quiet > $network.out 2>&1 ||
            fail "deep/$network-threads-$threads" "$(tail -n 1 $network.out)"
    done
    for threads in 2 3; do
        check "deep/$network-threads-$threads-as-1" "checkpoints differ" \
            cmp "$(last $network.1)" "$(last $network.$threads)"
    done
done

# ---- without kinks f32 stays beside f64
./gpt.f32 train --load gpt.data/weights.safetensors --log gpt32.jsonl --ckpt '' --quiet > gpt.out 2>&1 ||
    fail deep/gpt-runs-in-f32 "$(tail -n 1 gpt.out)"
grep '"split": *"train"' gpt32.jsonl > gpt32.train
wrong=
while read -r name step loss _; do
    [ "$name" = gpt ] || continue
    got=$(json gpt32.train "$step" loss)
    near "$got" "$loss" 1e-5 || wrong="$wrong step $step: $got, not $loss;"
done < "$here/deep.tsv"
check deep/gpt-f32-as-torch "$wrong" [ -z "$wrong" ]

# ---- twice as many layers, as many functions but for one or the other
functions() { "$nnc" -D blocks=$1 "$here/resnet20.nn" --emit=llvm | grep -c '^define'; }
few=$(functions 4) many=$(functions 8)
check deep/code-by-kinds-of-layers "$few functions for 26 layers, $many for 50" \
    [ $((many - few)) -le 20 ]
