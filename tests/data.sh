# Bad input to a compiled program: one line that names the file and what was expected, exit code
# 1 (2 for flags), nothing half-written.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

refuses() {  # NAME TEXT COMMAND...
    name=$1 text=$2
    shift 2
    "$@" > out 2> err
    got=$?
    if [ $got != 1 ]; then fail "data/$name" "exit code $got: $(first err)"
    elif ! grep -q -- "$text" err; then fail "data/$name" "says: $(first err)"
    elif [ "$(wc -l < err)" != 1 ]; then fail "data/$name" "$(wc -l < err) lines: $(first err)"
    else ok "data/$name"
    fi
}

"$nnc" "$root/examples/digits.nn" -o digits > nnc.out 2>&1 || fail data/compile "$(first nnc.out)"
"$nnc" "$root/tests/train/reference/mlp.nn" -o mlp > nnc.out 2>&1 || fail data/compile "$(first nnc.out)"
csv=$root/examples/data/digits.csv
train="./digits train --epochs 1 --quiet --ckpt c --data"

# ---- CSV
refuses csv-missing missing.csv $train missing.csv
: > empty.csv
refuses csv-empty empty.csv $train empty.csv
head -n 1 "$csv" > header.csv
refuses csv-no-rows header.csv $train header.csv
{ head -n 100 "$csv"; sed -n 101p "$csv" | cut -d, -f 1-30; } > cut.csv
refuses csv-cut 'cut.csv: line 101' $train cut.csv
sed '7s/^[^,]*,[^,]*,/0,nan,/' "$csv" > nan.csv
refuses csv-nan 'nan.csv: line 7' $train nan.csv
sed '7s/^[^,]*,[^,]*,/0,,/' "$csv" > gap.csv
refuses csv-missing-value 'gap.csv: line 7' $train gap.csv
sed '7s/^[^,]*,/three,/' "$csv" > word.csv
refuses csv-no-number 'word.csv: line 7' $train word.csv
sed '9s/,[0-9]*$/,10/' "$csv" > label.csv
refuses csv-label 'label.csv: line 9' $train label.csv
sed '9s/,[0-9]*$/,-1/' "$csv" > negative.csv
refuses csv-label-negative 'negative.csv: line 9' $train negative.csv
sed '9s/,[0-9]*$/,1.5/' "$csv" > fraction.csv
refuses csv-label-fraction 'fraction.csv: line 9' $train fraction.csv
sed '1s/p17/q17/' "$csv" > column.csv
refuses csv-no-column 'p17' $train column.csv
refuses csv-folder 'c.d' sh -c "mkdir -p c.d; $train c.d"

# ---- IDX
mkdir -p good
"$build/tests/make_inputs" mlp good
idx() {  # a copy of the good folder to spoil
    rm -rf "$1"
    cp -r good "$1"
}
train="./mlp train --epochs 1 --quiet --ckpt c --data"
refuses idx-missing nowhere $train nowhere
idx cut; head -c 5000 good/train-images-idx3-ubyte > cut/train-images-idx3-ubyte
refuses idx-cut 'cut/train-images-idx3-ubyte' $train cut
idx header; head -c 10 good/train-images-idx3-ubyte > header/train-images-idx3-ubyte
refuses idx-header-cut 'header/train-images-idx3-ubyte' $train header
idx magic; printf 'no idx file at all' > magic/train-images-idx3-ubyte
refuses idx-magic 'magic/train-images-idx3-ubyte' $train magic
idx huge; printf '\000\000\010\003\177\377\377\377\000\000\000\034\000\000\000\034' > huge/train-images-idx3-ubyte
refuses idx-huge 'huge/train-images-idx3-ubyte' $train huge
idx few; { printf '\000\000\010\001\000\000\000\012'; head -c 10 /dev/zero; } > few/train-labels-idx1-ubyte
refuses idx-counts-differ 'few/' $train few
idx label; { head -c 8 good/train-labels-idx1-ubyte; printf '\012'; tail -c 127 good/train-labels-idx1-ubyte; } \
    > label/train-labels-idx1-ubyte
refuses idx-label 'label/train-labels-idx1-ubyte' $train label
idx shape; { printf '\000\000\010\003\000\000\000\200\000\000\000\020\000\000\000\060'; tail -c +17 good/train-images-idx3-ubyte; } \
    > shape/train-images-idx3-ubyte
refuses idx-shape 'shape/train-images-idx3-ubyte' $train shape
idx zip; gzip -c good/train-images-idx3-ubyte | head -c 3000 > zip/train-images-idx3-ubyte.gz; rm zip/train-images-idx3-ubyte
refuses idx-gz-cut 'zip/train-images-idx3-ubyte.gz' $train zip
idx packed; gzip packed/*
./mlp train --epochs 2 --quiet --ckpt plain --data good > out 2> err; ./mlp train --epochs 2 --quiet --ckpt gz --data packed >> out 2>> err
check data/idx-gz-as-plain "$(first err)" cmp plain/last.safetensors gz/last.safetensors

# ---- checkpoints and weights
./digits train --epochs 1 --quiet --ckpt digits.ckpt --data "$csv" > out 2> err || fail data/train "$(first err)"
ckpt=digits.ckpt/last.safetensors
refuses ckpt-of-another-model 'digits.ckpt' ./mlp eval --data good --ckpt digits.ckpt
refuses ckpt-missing 'none.ckpt' ./digits eval --data "$csv" --ckpt none.ckpt
refuses resume-another-model "$ckpt" ./mlp train --data good --ckpt other --resume=$ckpt
refuses load-another-model "$ckpt" ./mlp train --data good --ckpt other --load $ckpt
head -c 1000 $ckpt > cut.safetensors
refuses ckpt-cut cut.safetensors ./digits eval --data "$csv" --ckpt cut.safetensors
printf 'no tensors' > no.safetensors
refuses ckpt-no-safetensors no.safetensors ./digits eval --data "$csv" --ckpt no.safetensors
printf '\377\377\377\377\377\377\377\177{}' > long.safetensors
refuses ckpt-long-header long.safetensors ./digits eval --data "$csv" --ckpt long.safetensors

# ---- writing
touch file
refuses ckpt-folder-is-a-file 'file' ./digits train --epochs 1 --quiet --data "$csv" --ckpt file/ckpt
refuses log-unwritable 'no/such' ./digits train --epochs 1 --quiet --data "$csv" --ckpt w --log no/such/log
refuses log-no-space '/dev/full' ./digits train --epochs 1 --quiet --data "$csv" --ckpt w --log /dev/full
refuses predict-no-space '/dev/full' ./digits predict "$csv" --ckpt digits.ckpt -o /dev/full
mkdir -p small
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k none small 2>/dev/null; then
    refuses ckpt-no-space 'small' ./digits train --epochs 1 --quiet --data "$csv" --ckpt small/ckpt
    check data/ckpt-no-space-leaves-nothing "$(ls small/ckpt 2>/dev/null)" \
        sh -c '! ls small/ckpt/* >/dev/null 2>&1 || ! find small/ckpt -name "*.safetensors*" | grep -q .'
    umount small
else
    skip data/ckpt-no-space "no right to mount a small file system"
fi

# ---- predict
refuses predict-missing missing.csv ./digits predict missing.csv --ckpt digits.ckpt
cut -d, -f 1-20 "$csv" > narrow.csv
refuses predict-narrow narrow.csv ./digits predict narrow.csv --ckpt digits.ckpt

# ---- flags
for flag in --epochs=-1 --threads=x --threads=0 --seed=1.5 --lr=fast --nothing=1; do
    ./digits train --data "$csv" --ckpt c $flag > out 2> err
    got=$?
    check "data/flag$flag" "exit code $got: $(first err)" [ $got = 1 -o $got = 2 ]
done

# ---- the numbers of samples: `index` is a row's place, in every split and however shuffled
show() {  # NAME SPLIT: the figures of an evaluation
    ./"$1" eval --split "$2" 2>&1
}
for name in numbers generated; do
    "$nnc" "$root/tests/data/$name.nn" -o $name > nnc.out 2>&1 || fail data/$name "$(first nnc.out)"
done
{ echo number,a,b,c; i=0; while [ $i -lt 40 ]; do echo "$i,1,2,3"; i=$((i + 1)); done; } > numbers.csv
./numbers train --quiet > out 2> err || fail data/numbers-train "$(first err)"
for split in train:20 valid:12 test:8; do
    rows=${split#*:} split=${split%:*}
    show numbers $split > out
    check data/index-in-$split "$(first out)" grep -qx "$split: loss 0, worst 0, spread 0 ($rows rows)" out
done
./generated train --quiet > out 2> err || fail data/generated-train "$(first err)"
show generated train > out
check data/generated "$(first out)" grep -qx 'train: loss 20, middle 20, odd 0.4878 (41 rows)' out
refuses generated-from-a-file 'generated, from no file' ./generated train --data numbers.csv

# ---- arrays: files that NumPy made (tests/data/arrays.py), and what it says they hold
cp -r "$root/tests/data/arrays" . && cd arrays && figures=$(sed -n 1p figures) && cd .. || exit 1
arrays() {  # NAME FROM: compiles tests/data/arrays.nn with another source
    sed "s|from npz.*|from $2|" "$root/tests/data/arrays.nn" > "$1.nn"
    "$nnc" "$1.nn" -o "$1" > nnc.out 2>&1 || fail "data/$1" "$(first nnc.out)"
    ./"$1" train --quiet --ckpt arrays.ckpt > out 2> err || fail "data/$1-train" "$(first err)"
}
holds() {  # NAME SPLIT FIGURES
    ./"$1" eval --split "$2" --ckpt arrays.ckpt > out 2>&1
    check "data/$1-$2" "$(first out)" grep -q "^$2: $3" out
}
arrays from_stored 'npz("arrays/stored.npz")' && holds from_stored train "$figures"
arrays from_deflated 'npz("arrays/deflated.npz")' && holds from_deflated train "$figures"
arrays from_tensors 'safetensors("arrays/tensors.safetensors")' && holds from_tensors train "$figures"
arrays from_parts 'npy("arrays/parts")' && holds from_parts test "$(sed -n 2p arrays/figures)"
./from_parts eval --split test --data arrays/parts/test/x.npy > out 2> err
check data/one-array-of-two "$(first err)" grep -q 'x.npy: one array, expected a file with 2' err
predicts() {  # NAME FILE EXPECTED
    ./"$1" predict "arrays/$2" --ckpt arrays.ckpt > out 2> err
    check "data/predict-$2" "$(first err)" cmp -s out "arrays/$3"
}
for type in b1 u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8; do predicts from_parts $type.npy $type.csv; done
predicts from_parts flat.npy f4.csv
predicts from_stored stored.npz f4.csv
predicts from_tensors tensors.safetensors f4.csv
./from_parts predict arrays/f4.npy --ckpt arrays.ckpt -o out.npy > out 2>&1
check data/predict-to-npy "$(first out)" cmp -s out.npy arrays/flat.npy
predict="./from_parts predict --ckpt arrays.ckpt"
refuses npy-fortran 'fortran.npy: .*Fortran order' $predict arrays/fortran.npy
refuses npy-big-endian 'big_endian.npy: .*little-endian' $predict arrays/big_endian.npy
refuses npy-text 'text.npy: .*expected elements of' $predict arrays/text.npy
refuses npy-scalar 'scalar.npy: .*expected rows' $predict arrays/scalar.npy
refuses npy-turned 'turned.npy: 7 x 2 x 3 elements, expected 3 x 2 in each row' $predict arrays/turned.npy
refuses npy-nan 'nan.npy: .*row 4: found nan' $predict arrays/nan.npy
head -c 200 arrays/f4.npy > arrays/cut.npy
refuses npy-cut 'cut.npy: 7 x 3 x 2 elements, and the file ends in row 3' $predict arrays/cut.npy
head -c 100 arrays/f4.npy > arrays/head.npy
refuses npy-cut-header 'head.npy: .*ends in its header' $predict arrays/head.npy
{ cat arrays/f4.npy; echo; } > arrays/long.npy
refuses npy-long 'long.npy: .*goes on behind' $predict arrays/long.npy
sed 's/(7, 3, 2)/(9999999999999, 3, 2)/; s/          \(.*\)$/\1/' arrays/f4.npy > arrays/huge.npy
refuses npy-huge huge.npy $predict arrays/huge.npy
refuses npy-predict-no-space '/dev/full' $predict arrays/f4.npy -o /dev/full
train="./from_stored train --quiet --ckpt c --data"
head -c 300 arrays/stored.npz > arrays/cut.npz
refuses npz-cut 'cut.npz: truncated' $train arrays/cut.npz
sed 's/PK\x01\x02/PK\x01\x03/' arrays/stored.npz > arrays/directory.npz
refuses npz-directory 'directory.npz: corrupted: its directory' $train arrays/directory.npz
sed 's/x\.npy/z.npy/g' arrays/stored.npz > arrays/names.npz
refuses npz-no-array 'names.npz: no array x, expected one of z, y' $train arrays/names.npz
n=$(wc -c < arrays/deflated.npz)
{ head -c 120 arrays/deflated.npz; printf '\377\377\377'; tail -c $((n - 123)) arrays/deflated.npz; } > arrays/spoilt.npz
refuses npz-spoilt 'spoilt.npz: x: ' $train arrays/spoilt.npz
refuses npz-none 'digits.csv: no NPZ file' $train "$csv"
train="./from_tensors train --quiet --ckpt c --data"
sed 's/"x"/"z"/' arrays/tensors.safetensors > arrays/names.safetensors
refuses safetensors-no-array 'names.safetensors: no tensor x, expected for x; the first is z' $train arrays/names.safetensors
head -c 150 arrays/tensors.safetensors > arrays/cut.safetensors
refuses safetensors-cut 'cut.safetensors: truncated' $train arrays/cut.safetensors
