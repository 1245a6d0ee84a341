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
check entries/augmented-by-seed "the seed does not matter" sh -c '! cmp -s seen8 seed2'
train augmented --epochs 2
gathered augmented > both  # the sum over two epochs
check entries/augmented-by-epoch "the epoch does not matter" sh -c '! cmp -s seen8 both'

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
