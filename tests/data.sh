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
"$nnc" "$root/tests/data/draws.nn" -o draws > nnc.out 2>&1 || fail data/draws "$(first nnc.out)"
./draws train --quiet --ckpt draws.ckpt > out 2> err || fail data/draws-train "$(first err)"
figures() { sed 's/[^0-9.]*loss \([0-9.]*\), metric \([0-9.]*\), middle \([0-9.]*\) .*/\1 \2 \3/' out; }
./draws eval --split train --ckpt draws.ckpt > out 2>&1
check data/draws-by-sample "$(first out)" [ "$(figures | tr ' ' '\n' | sort -u | wc -l)" = 1 ]
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

# ---- image folders: pictures that Pillow made and read (tests/data/images.py)
cp -r "$root/tests/data/images" .
sed 's/\[6, 5, 3\]/[6, 5, 1]/' "$root/tests/data/images.nn" > grey.nn
cp "$root/tests/data/images.nn" rgb.nn
for name in rgb grey; do
    "$nnc" $name.nn -o $name > nnc.out 2>&1 || fail data/$name "$(first nnc.out)"
    ./$name train --quiet --ckpt $name.ckpt > out 2> err || fail data/$name-train "$(first err)"
    ./$name predict images/train --ckpt $name.ckpt > out 2> err
    check data/images-$name "$(first err)" cmp -s out images/$name.csv
done
./rgb eval --split train --ckpt rgb.ckpt > out 2>&1
check data/images-classes "$(first out)" grep -q 'label_mean 0.875 (8 rows)' out
./rgb eval --split test --ckpt rgb.ckpt > out 2>&1
check data/images-classes-of-test "$(first out)" grep -q 'label_mean 1 (2 rows)' out
predict="./rgb predict --ckpt rgb.ckpt"
refuses image-size 'wide.png: 6 x 10 pixels, expected 6 x 5' $predict images/other/wide.png
refuses image-cmyk 'cmyk.jpg: .*CMYK' $predict images/other/cmyk.jpg
pictures() {  # a copy of the folder to spoil
    rm -rf "$1"
    cp -r images "$1"
}
train="./rgb train --quiet --ckpt c --data"
pictures cut; head -c 500 images/train/bee/c.jpg > cut/train/bee/c.jpg
refuses image-jpeg-cut 'cut/train/bee/c.jpg: corrupted JPEG' $train cut
pictures cut; head -c 90 images/train/bee/a.png > cut/train/bee/a.png
refuses image-png-cut 'cut/train/bee/a.png: corrupted PNG' $train cut
pictures cut; { head -c 60 images/train/bee/a.png; printf '\377\377'; tail -c +63 images/train/bee/a.png; } > cut/train/bee/a.png
refuses image-png-spoilt 'cut/train/bee/a.png: corrupted PNG' $train cut
pictures none; echo text > none/train/ant/grey.jpeg
refuses image-no-image 'none/train/ant/grey.jpeg: neither a JPEG nor a PNG' $train none
pictures more; mkdir more/train/dog more/train/eel; cp images/test/ant/a.png more/train/dog
refuses images-many-classes 'more/train: 5 folders of classes, expected at most 3' $train more
pictures other; mv other/test/ant other/test/asp
refuses images-other-class 'other/test: asp is no class of label, which are ant, bee, cat' $train other
mkdir -p hollow/train/ant
refuses images-none 'hollow/train: no images' $train hollow
refuses images-missing nowhere $train nowhere
if [ -f "$data/cifar10/cifar10-jpeg.tar.xz" ]; then
    sed 's/"images"/"cifar10"/; s/\[6, 5, 3\]/[32, 32, 3]/; s/class(3)/class(10)/g' rgb.nn > cifar.nn
    mkdir -p cifar10 && tar xf "$data/cifar10/cifar10-jpeg.tar.xz" -C cifar10 ./test 2>/dev/null ||
        tar xf "$data/cifar10/cifar10-jpeg.tar.xz" -C cifar10 test
    "$nnc" cifar.nn -o cifar > nnc.out 2>&1 || fail data/cifar "$(first nnc.out)"
    ./cifar train --quiet --ckpt cifar.ckpt --data cifar10/test > out 2> err
    ./cifar eval --split train --ckpt cifar.ckpt --data cifar10/test > out 2>> err
    check data/cifar "$(cat out err | head -n 1)" grep -q 'label_mean 4.5 (10000 rows)' out
    rm -rf cifar10
else
    skip data/cifar "no CIFAR-10 in $data"
fi

# ---- words as classes, columns by their places
cp "$root/tests/data/people.csv" .
"$nnc" "$root/tests/data/categories.nn" -o categories > nnc.out 2>&1 || fail data/categories "$(first nnc.out)"
./categories train --quiet --ckpt words > out 2> err || fail data/categories-train "$(first err)"
./categories predict people.csv --ckpt words 2> err | sed 's/^[^,]*,[^,]*,[^,]*,//' > out
check data/categories-by-name "$(first err)" [ "$(tr '\n' ' ' < out)" = 'class zebra "ant, red" mole mole zebra "ant, red" zebra ' ]
grep 'ant\|kind' people.csv > ants.csv
./categories eval --split train --ckpt words --data ants.csv > out 2> err
check data/categories-of-the-checkpoint "$(cat out err | head -n 1)" grep -q 'accuracy 1 (2 rows)' out

# Tables of classes have the names that the data have; of a number of classes that two fields have,
# or for which the data have no names, numbers.
of_classes() {  # NAME SED-SCRIPT CSV: compiles and evaluates
    sed "s/^    metric .*/&; metric confusion(output, kind); metric recall(output, kind)/;$2" \
        "$root/tests/data/categories.nn" > "$1.nn"
    "$nnc" "$1.nn" -o "$1" > nnc.out 2>&1 || fail "data/$1" "$(first nnc.out)"
    "./$1" train --quiet --ckpt "$1.ckpt" --data "$3" > out 2> err
    "./$1" eval --split train --ckpt "$1.ckpt" --data "$3" > out 2>> err
}
of_classes class-names '' people.csv
check data/class-names-matrix "$(cat err out | first /dev/stdin)" sh -c '
    grep -q "^confusion  ant, red  mole  zebra$" out && grep -q "^ant, red          2     0      0$" out &&
    grep -q "^zebra             0     0      3$" out'
check data/class-names-vector "$(cat err out | first /dev/stdin)" sh -c '
    grep -q "^class     recall$" out && grep -q "^mole           1$" out'
sed 's/mole/grün/' people.csv > green.csv
of_classes class-names-utf8 '' green.csv
check data/class-names-wide "$(grep recall -A 4 out | tr '\n' '|')" grep -q '^grün           1$' out
of_classes class-names-of-two 's/^    score: .*/&; other: class(3) = column(s9)/;s/^    batch .*/&; metric top_accuracy(output, other)/' people.csv
check data/class-names-ambiguous "$(cat err out | first /dev/stdin)" grep -q '^confusion  0  1  2$' out

sed 's/mole/vole/' people.csv > vole.csv
refuses category-unknown 'vole.csv: line 4, column kind: found vole, expected one of: ant, red, mole, zebra' \
    ./categories eval --split train --ckpt words --data vole.csv
refuses category-resume 'written for the words' ./categories train --ckpt words --data vole.csv --resume
sed '3s/S/XXL/' people.csv > xxl.csv
refuses category-too-many 'xxl.csv: line 7, column shirt size: found S, expected no more words than class(4) has' \
    ./categories train --ckpt c --data xxl.csv
sed '4s/mole/?/' people.csv > gap.csv
refuses category-missing 'gap.csv: line 4, column kind: missing value' ./categories train --ckpt c --data gap.csv
cut -d, -f 1-2,4- people.csv > narrow.csv
refuses columns-by-place 'narrow.csv: line 1: 3 columns for x, expected 4' ./categories train --ckpt c --data narrow.csv
