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
    wrong= compared=0
    while read -r name step loss size; do
        [ "$name" = $network ] || continue
        compared=$((compared + 1))
        got=$(json $network.train "$step" loss)
        near "$got" "$loss" 1e-7 || wrong="$wrong step $step: $got, not $loss;"
        got=$(json $network.train "$step" l2)
        near "$got" "$size" 1e-7 || wrong="$wrong step $step: size $got, not $size;"
    done < "$here/deep.tsv"
    check "deep/$network-as-torch" "$compared compared; $wrong" [ $compared = 20 -a -z "$wrong" ]
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
wrong= compared=0
while read -r name step loss _; do
    [ "$name" = gpt ] || continue
    compared=$((compared + 1))
    got=$(json gpt32.train "$step" loss)
    near "$got" "$loss" 1e-5 || wrong="$wrong step $step: $got, not $loss;"
done < "$here/deep.tsv"
check deep/gpt-f32-as-torch "$compared compared; $wrong" [ $compared = 20 -a -z "$wrong" ]

# ---- truncated back-propagation: an epoch of twenty steps, states going on from each to the next
text=$root/examples/data/pig_latin.tsv
mkdir -p char_lstm.data
"$build/tests/make_inputs" char_lstm char_lstm.data < "$here/deep.tsv"
for real in f64 f32; do
    run=char_lstm.$real bound=1e-7
    [ $real = f64 ] || bound=1e-5
    "$nnc" --dtype=$real "$here/char_lstm.nn" -o $run > $run.nnc 2>&1 ||
        fail "deep/$run-compiles" "$(first $run.nnc)"
    ./$run train --data "$text" --load char_lstm.data/weights.safetensors --log $run.jsonl --log-every 1 \
        --threads 1 --ckpt $run.1 --quiet > $run.out 2>&1 ||
        fail "deep/$run-runs" "$(tail -n 1 $run.out)"
    grep '"split": *"step"' $run.jsonl > $run.steps
    check "deep/$run-steps" "$(wc -l < $run.steps) of 20 steps" [ "$(wc -l < $run.steps)" = 20 ]
    wrong= compared=0
    while read -r name step loss _; do
        [ "$name" = char_lstm ] || continue
        compared=$((compared + 1))
        got=$(json $run.steps "$step" loss)
        near "$got" "$loss" $bound || wrong="$wrong step $step: $got, not $loss;"
    done < "$here/deep.tsv"
    size=$(awk '$1 == "char_lstm" { s += $4; n++ } END { printf "%.10g", s / n }' "$here/deep.tsv")
    grep '"split": *"train"' $run.jsonl > $run.train
    got=$(json $run.train 1 l2)
    near "$got" "$size" $bound || wrong="$wrong mean size $got, not $size"
    check "deep/$run-as-torch" "$compared compared; $wrong" [ $compared = 20 -a -z "$wrong" ]
done
for threads in 2 3; do
    ./char_lstm.f32 train --data "$text" --load char_lstm.data/weights.safetensors --threads $threads \
        --ckpt char_lstm.f32.$threads --quiet > char_lstm.out 2>&1 ||
        fail "deep/char_lstm-threads-$threads" "$(tail -n 1 char_lstm.out)"
    check "deep/char_lstm-threads-$threads-as-1" "checkpoints differ" \
        cmp "$(last char_lstm.f32.1)" "$(last char_lstm.f32.$threads)"
done

# ---- twice as many layers, as many functions but for one or the other
functions() { "$nnc" -D blocks=$1 "$here/resnet20.nn" --emit=llvm | grep -c '^define'; }
few=$(functions 4) many=$(functions 8)
check deep/code-by-kinds-of-layers "$few functions for 26 layers, $many for 50" \
    [ "$few" -gt 50 -a $((many - few)) -le 20 ]
# What is computed straight into padded copies is so in the last of many layers.
beside_copies() { "$nnc" -D blocks=$1 "$root/bench/w4.nn" --emit=fused | grep -c 'scratch .*d_y = '; }
few=$(beside_copies 1) many=$(beside_copies 5)
check deep/fused-at-any-depth "$few gradients beside their padded copies in 8 layers, $many in 32" \
    [ "$few" -gt 0 -a "$few" = "$many" ]
functions_of_gpt() { "$nnc" -D layers=$1 "$root/bench/w6.nn" --emit=llvm | grep -c '^define'; }
few=$(functions_of_gpt 4) many=$(functions_of_gpt 12)
check deep/code-by-kinds-of-blocks "$few functions for 4 blocks, $many for 12" \
    [ "$few" -gt 50 -a $((many - few)) -le 20 ]
"$nnc" -D layers=12 "$root/bench/w6.nn" -o large > large.nnc 2>&1 && strip large
check deep/gpt-of-12-blocks-is-small "$(wc -c < large) bytes, $(first large.nnc)" [ "$(wc -c < large)" -lt 300000 ]
