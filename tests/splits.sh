# Whole splits in compiled programs: who fills them, when data are missing or too many, what
# predictions need, the same bits for all numbers of threads, bytes that stay bytes.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
digits=$root/examples/data/digits.csv

cat > scaled.nn <<'END'
data digits {
    from csv("digits.csv")
    image: [64]      = columns(p0 .. p63) / 16
    label: class(10) = column(digit)
    split train 80%, valid 20%
    rows 2000
}
fn shares(y: class(k)[rows]) -> [k] {
    n: [k] = 0
    n[y[i]] += 1
    return n / rows
}
model scaled(image: [batch, 64]) -> [batch, 10] {
    state share: [10] = shares(digits.train.label)
    z = image |> standardize(digits.train.image) |> dense(10)
    return z + log(share)
}
train scaled on digits {
    loss      cross_entropy(output, label)
    metric    accuracy(output, label)
    optimizer adam(lr = 0.01)
    batch     100
    epochs    1
}
END
cp "$root/examples/knn.nn" .
"$nnc" knn.nn -o knn && "$nnc" scaled.nn -o scaled
head -n 40 "$digits" > some.csv

# ---- threads

./knn predict some.csv --data "$digits" --threads 1 > knn.1 2> knn.err
check splits/neighbours "$(first knn.err)" [ "$(wc -l < knn.1)" = 40 ]
./scaled train --data "$digits" --threads 1 --ckpt 1.ckpt --quiet > scaled.out 2>&1
for threads in 2 3; do
    ./knn predict some.csv --data "$digits" --threads $threads > knn.$threads
    check splits/neighbours-$threads "other bits" cmp -s knn.1 knn.$threads
    ./scaled train --data "$digits" --threads $threads --ckpt $threads.ckpt --quiet > scaled.out 2>&1
    check splits/statistics-$threads "other bits" \
        cmp -s 1.ckpt/last.safetensors $threads.ckpt/last.safetensors
done

# ---- predictions: with data where they read them, from the checkpoint alone else

./scaled predict some.csv --ckpt 1.ckpt --data "$digits" > with.csv 2> with.err
check splits/predict "$(first with.err)" [ "$(wc -l < with.csv)" = 40 ]
./scaled predict some.csv --ckpt 1.ckpt > without.csv 2> without.err
check splits/predict-without-data "$(first without.err)" cmp -s with.csv without.csv
./knn predict some.csv > out 2> err
check splits/none-at-hand "$(first err)" grep -q '^error: data/digits.csv: no such data' err
"$nnc" scaled.nn --emit=manifest | grep -q '"fixed"' && fail splits/trains "said to be fixed" ||
    ok splits/trains
"$nnc" "$root/examples/knn.nn" --emit=manifest | grep -q '"fixed": true' &&
    ok splits/fixed || fail splits/fixed "not said to be fixed"
./scaled eval --split valid --data "$digits" > out 2> err
check splits/no-checkpoint "$(first err)" grep -q 'train first' err

# ---- too many rows, none at all

sed 's/rows 2000/rows 1000/' scaled.nn > few.nn
"$nnc" few.nn -o few && ./few train --data "$digits" --ckpt few.ckpt > out 2> err
code=$?
check splits/too-many-code "exit code $code" [ $code = 1 ]
check splits/too-many "$(first err)" \
    grep -q '1438 rows in the train split, expected at most 1000: `rows`' err

cat > tested.nn <<'END'
data mnist {
    from idx("mnist")
    image: [2] = images / 255
    label: class(3) = labels
    rows 100
}
model m(image: [batch, 2]) -> [batch, 3] {
    return image |> standardize(mnist.test.image) |> dense(3)
}
train m on mnist { loss cross_entropy(output, label); optimizer sgd(0.1) }
END
mkdir mnist
printf '\0\0\010\02\0\0\0\04\0\0\0\02abcdefgh' > mnist/train-images-idx3-ubyte
printf '\0\0\010\01\0\0\0\04\0\01\02\0' > mnist/train-labels-idx1-ubyte
"$nnc" tested.nn -o tested && ./tested train --ckpt tested.ckpt > out 2> err
check splits/none "$(first err)" grep -q 'reads its test split whole, which has no rows' err
cp mnist/train-images-idx3-ubyte mnist/t10k-images-idx3-ubyte
cp mnist/train-labels-idx1-ubyte mnist/t10k-labels-idx1-ubyte
./tested train --ckpt tested.ckpt > out 2> err
check splits/held-out "$(first err)" grep -q 'epoch' out

# ---- memory: what gathers read of bytes is no split of reals

cat > partner.nn <<'END'
data mnist {
    from idx("mnist")
    image: [28, 28, 1] = images / 255
    label: class(10)   = labels
    split train 50000
}
fn partner(t: [rows, h, w, c], n) -> [n, h, w, c] {
    who[k < n] = floor(rand() * rows)
    y[k, i, j, a] = t[who[k], i, j, a] - t[mod(who[k] + 1, rows), i, j, a]
    return y
}
model m(image: [batch, 28, 28, 1]) -> [batch, 10] {
    return image + partner(mnist.train.image, 1) |> flatten |> dense(10)
}
train m on mnist { loss cross_entropy(output, label); optimizer sgd(0.1); batch 32 }
END
"$nnc" partner.nn --emit=memory > out 2> err
bytes=$(sed -n 's/^arena: \([0-9]*\) bytes.*/\1/p' out)
check splits/bytes-stay "arena of $bytes bytes: $(first err)" [ "$bytes" -lt 42000000 ]
