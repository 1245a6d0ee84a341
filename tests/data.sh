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
