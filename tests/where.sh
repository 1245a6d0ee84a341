# The data block's `where`: the rows that it keeps, by their own numbers, are those that splits,
# whole splits and training see.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

figures() {  # PROGRAM SPLIT: of an evaluation
    ./"$1" eval --split "$2" --ckpt "$1.ckpt" 2>&1
}
compiled() {  # PROGRAM: compiled from PROGRAM.nn, trained
    "$nnc" "$1.nn" -o "$1" > nnc.out 2>&1 || fail "where/$1" "$(first nnc.out)"
    ./"$1" train --quiet --ckpt "$1.ckpt" > out 2> err || fail "where/$1-train" "$(first err)"
}
figure() { sed -n "s/.*[ ,]$1 \\([-0-9.e]*\\).*/\\1/p" out; }

# ---- csv: 38 of 60 rows, which is 19, 11 and 8; whole splits hold those, draws are by their numbers

{ echo number,kind; i=0; while [ $i -lt 60 ]; do echo "$i,$((i % 4))"; i=$((i + 1)); done; } > where.csv
cp "$root/tests/data/where.nn" csv.nn
for batch in 7 1 19 60; do
    sed "s/batch     .*/batch     $batch/" "$root/tests/data/where.nn" > csv.nn
    compiled csv
    for split in train:19 valid:11 test:8; do
        rows=${split#*:} split=${split%:*}
        figures csv $split > out
        check where/$split-by-$batch "$(first out)" \
            grep -q "^$split: loss 0, share 0, .*, metric#3 0 ($rows rows)" out
    done
    figures csv train > out
    check where/whole-by-$batch "$(first out)" near "$(figure 'metric#2')" 1 1e-6
    check where/draws-by-$batch "$(first out)" near "$(figure metric)" 0 1e-6
done
./csv predict where.csv --ckpt csv.ckpt > out 2> err
check where/predict-takes-all "$(first err)" [ "$(wc -l < out)" = 61 ]
for threads in 1 3; do
    ./csv train --quiet --ckpt $threads.ckpt --threads $threads > out 2>&1
    check where/threads-$threads "other bits" cmp -s $threads.ckpt/last.safetensors csv.ckpt/last.safetensors
done
./csv train --quiet --ckpt low.ckpt --low 50 --dry-run > out 2>&1
check where/hyper "$(first out)" grep -q ': 4 rows to train on, 2 to validate, 2 to test' out
./csv train --low 1000 --ckpt none.ckpt > out 2> err
check where/few-left "$(first err)" grep -q 'where.csv: 1 rows kept leave none for the valid split' err
sed 's/ or index == 1//' csv.nn > none.nn
"$nnc" none.nn -o none > nnc.out 2>&1
./none train --low 1000 --ckpt none.ckpt > out 2> err
check where/none-left "$(first err)" \
    grep -qx 'error: where.csv: `where` in the data block numbers keeps none of the rows' err

# ---- idx: its own test rows are chosen as well, and numbered behind the rest

mkdir -p good
"$build/tests/make_inputs" mlp good
cat > idx.nn <<'END'
data digits {
    from idx("good")
    image: [28, 28]  = images / 255
    digit: class(10) = labels
    label: class(5)  = mod(digit, 5)
    place: []        = index
    where digit >= 5
    split train 50%, valid 50%
}
model m(image: [batch, 28, 28]) -> [batch, 5] {
    return image |> flatten |> dense(5)
}
train m on digits {
    loss      cross_entropy(output, label)
    metric    min[i] digit[i]
    metric    min[i] place[i]
    optimizer sgd(lr = 0)
    batch     200
}
END
# How many digits of a file are 5 or more.
high() { tail -c +9 "$1" | od -An -v -tu1 -w1 | awk '$1 >= 5' | wc -l; }
compiled idx
pool=$(high good/train-labels-idx1-ubyte) held_out=$(high good/t10k-labels-idx1-ubyte)
./idx train --dry-run --ckpt dry.ckpt > out 2>&1
check where/idx-rows "$(first out)" grep -q \
    ": $(((pool + 1) / 2)) rows to train on, $((pool / 2)) to validate, $held_out to test" out
rows=$(od -An -j4 -N4 -tu1 good/train-labels-idx1-ubyte | awk '{ print $3 * 256 + $4 }')
figures idx test > out
check where/idx-test "$(first out)" [ "$(figure metric)" = 5 ]
check where/idx-test-numbers "$(first out)" [ "$(figure 'metric#2')" -ge "$rows" ]

# ---- linked where it is said

"$nnc" "$root/examples/digits.nn" -o digits > nnc.out 2>&1
for program in csv:1 digits:0; do
    n=$(grep -c -a 'keeps none of the rows' "${program%:*}")
    check where/linked-${program%:*} "$n texts of runtime/where.c" [ "$n" = "${program#*:}" ]
done
