# Text in compiled programs: vocabularies, windows and their order, streams and the states that
# they carry, resuming, other texts by the same vocabulary, and bad input.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
python=${PYTHON:-/usr/bin/python3}
script=$root/tests/data/text.py

cat > some.txt <<'END'
The quick brown fox isn't lazy; the dog is. "Où est le chat?" - été, ça va, isn't it?
the the the and and or so what The dog's fox's fox. 漢字 and then the end of it, the end.
END
cut -c 1-40 some.txt > short.txt

seen() {  # NAME UNIT ENTRY ARGS...: by the entry in the data block, against the script
    name=$1 unit=$2 entry=$3
    shift 3
    case $unit in bytes) classes=256 ;; words) classes=20 ;; *) classes=60 ;; esac
    sed "s/UNIT/$unit/; s/^    split/    $entry\n    split/" "$root/tests/data/text.nn" > "$name.nn"
    "$nnc" "$name.nn" -o "$name" -D classes=$classes > out 2> err || fail "text/$name-compiles" "$(first err)"
    ./"$name" train --quiet --ckpt "$name.ckpt" > out 2> err || fail "text/$name-trains" "$(first err)"
    "$python" "$script" some.txt "$name.ckpt/last.safetensors" unit=$unit classes=$classes "$@" > out 2>&1
    check "text/$name" "$(first out)" [ ! -s out ]
    ./"$name" eval --split valid --ckpt "$name.ckpt" > out 2> err
    want=$("$python" "$script" --valid some.txt "$name.ckpt/last.safetensors" unit=$unit classes=$classes "$@" 2> err)
    check "text/$name-valid" "$(first out) $(first err), not $want" \
        near "$(sed -n 's/.*output_mean \([-+0-9.e]*\).*/\1/p' out)" "$want" 1e-3
    ./"$name" predict short.txt --ckpt "$name.ckpt" 2> err | tail -n +2 > out
    "$python" "$script" --rows short.txt "$name.ckpt/last.safetensors" unit=$unit classes=$classes "$@" > want 2> err
    check "text/$name-predicts" "$(first out) $(first err)" cmp -s out want
    check "text/$name-predicts-all" "no rows" [ -s want ]
    # Stopped in an epoch's middle, it goes on to the same bits.
    ./"$name" train --quiet --ckpt "$name.cut" --ckpt-every 1 --keep 90 > out 2> err
    cp "$name.cut/step-4.safetensors" middle.safetensors
    rm -r "$name.cut"
    ./"$name" train --quiet --ckpt "$name.cut" --resume=middle.safetensors > out 2> err
    check "text/$name-resumes" "other bits" cmp -s "$name.cut/last.safetensors" "$name.ckpt/last.safetensors"
}

seen characters characters ''
seen bytes      bytes      ''
seen words      words      ''
seen cut        words      'vocabulary min 2, lowercase' min=2 lowercase=1
seen rare       characters 'vocabulary min 3' min=3
seen every      characters 'windows every 3' every=3
seen random     characters 'windows random' random=1
seen both       words      'windows every 2, random' every=2 random=1
seen stream     characters 'stream 5' stream=1
seen word-stream words     'stream 5' stream=1

# ---- states that a stream carries: a running sum over each row's part, reset where an epoch, a
# validation or a prediction begins

cat > carried.nn <<'END'
data some {
    from text("some.txt")
    a: class(256)[5] = bytes
    stream 5
    split train 60%, valid 20%, test 20%
}
model carried(a: class(256)[batch, 5]) -> [batch] {
    state total: [batch] = 7
    total[n] = total[n] + (sum[t] a[n, t])
    state trained = 0
    if training { trained = trained + (sum[n] total[n]) }
    return total
}
metric output_mean(y: [...]) = mean[...] y[...]
train carried on some {
    metric output_mean(output)
    batch  3
    epochs 2
}
END
compile carried.nn carried
cat > carried.py <<'END'
import json, struct, sys
data = list(open('some.txt', 'rb').read())
n = len(data)
ends = [0, int(.6 * n + .5), int((.6 + .2) * n + .5), int((.6 + .2 + .2) * n + .5)]
def totals(begin, end, parts=3):
    length = ((end - begin - 5) // 5 + 1) // parts
    out = []
    for k in range(length):
        for r in range(parts):
            first = begin + r * length * 5
            out.append(7 + sum(data[first:first + 5 * (k + 1)]))
    return out
for i in range(3):
    t = totals(ends[i], ends[i + 1])
    print(['train', 'valid', 'test'][i], sum(t) / len(t))
print('all', *totals(0, n, 1))
print('trained', 2 * sum(totals(0, ends[1])))
raw = open('carried.ckpt/last.safetensors', 'rb').read()
m = struct.unpack('<Q', raw[:8])[0]
at = json.loads(raw[8:8 + m])['trained']['data_offsets'][0]
print('kept', struct.unpack('<f', raw[8 + m + at:12 + m + at])[0])
END
./carried train --quiet --ckpt carried.ckpt > out 2> err || fail text/carried-trains "$(first err)"
"$python" carried.py > want 2> err || fail text/carried-script "$(tail -n 1 err)"
want() { sed -n "s/^$1 //p" want; }
for split in train valid test; do
    ./carried eval --split $split --ckpt carried.ckpt > out 2> err
    check text/carried-$split "$(first out) $(first err), not $(want $split)" \
        near "$(sed -n 's/.*output_mean \([-+0-9.e]*\).*/\1/p' out)" "$(want $split)" 1e-3
done
check text/carried-trained "$(want kept), not $(want trained)" near "$(want kept)" "$(want trained)" 1e-6
./carried predict some.txt --ckpt carried.ckpt 2> err | tail -n +2 | tr '\n' ' ' > out
check text/carried-predicts "$(first out) $(first err)" [ "$(cat out)" = "$(want all) " ]
./carried train --quiet --ckpt cut.ckpt --ckpt-every 1 --keep 90 > out 2> err
cp cut.ckpt/step-2.safetensors middle.safetensors
./carried train --quiet --ckpt cut.ckpt --resume=middle.safetensors > out 2> err
check text/carried-resumes "other bits" cmp -s cut.ckpt/last.safetensors carried.ckpt/last.safetensors
for threads in 1 3; do
    ./carried train --quiet --ckpt cut.ckpt --threads $threads > out 2> err
    check text/carried-threads-$threads "other bits" cmp -s cut.ckpt/last.safetensors carried.ckpt/last.safetensors
done

./carried train --quiet --ensemble 2 --ckpt two.ckpt > out 2> err || fail text/carried-ensemble "$(first err)"
./carried eval --split valid --ckpt two.ckpt > out 2> err
check text/carried-ensemble "$(first out) $(first err), not $(want valid)" \
    near "$(sed -n 's/.*output_mean \([-+0-9.e]*\).*/\1/p' out)" "$(want valid)" 1e-3
sed 's/bytes/characters/; s/256/60/g' carried.nn > spoken.nn
compile spoken.nn spoken
./spoken train --quiet --ckpt spoken.ckpt --epochs 1 > out 2> err
printf 'The quick brown dog is what the or and so, and the dog is the fox, and then the end of it, the end of the lazy dog.' > next.txt
./spoken train --quiet --data next.txt --load spoken.ckpt/last.safetensors --ckpt loaded.ckpt > out 2> err
./spoken train --quiet --data next.txt --ckpt own.ckpt > out.own 2> err.own
for of in spoken loaded own; do grep -ao '"words.a":"[^]]*' $of.ckpt/last.safetensors > $of.words; done
check text/load-keeps-the-vocabulary "$(first err)" cmp -s spoken.words loaded.words
check text/without-load-it-is-its-own "$(first err.own)" [ "$(cat own.words)" != "$(cat spoken.words)" ]
check text/words-are-there "none" [ -s spoken.words ]

# A recurrent network gives a stream of short windows what it gives one long window.
cat > rnn.nn <<'END'
hyper places = 5
data some {
    from text("some.txt")
    vocabulary 60
    token: class(60)[places] = characters
    next:  class(60)[places] = characters(shift = 1)
    stream places
    split train 100, valid 61
}
layer rnn(units)(x: [batch, time, n]) -> [batch, time, units] {
    param wx: [n, units] = glorot
    param wh: [units, units] = orthogonal
    state first: [batch, units] = 0.25
    scan t < time from h = first {
        h = tanh(x[:, t] @ wx + h @ wh)
        y[:, t] = h
    }
    first = h
    return y
}
model reads(token: class(60)[batch, places]) -> [batch, places, 60] {
    return token |> embedding(60, 8) |> rnn(16) |> dense(60)
}
train reads on some {
    loss      cross_entropy(output, next)
    optimizer adam(lr = 0.01)
    batch     BATCH
    epochs    4
}
END
sed 's/BATCH/2/' rnn.nn > pair-rnn.nn
sed 's/BATCH/1/' rnn.nn > one-rnn.nn
compile pair-rnn.nn pair-rnn
./pair-rnn train --quiet --ckpt rnn.ckpt > out 2> err || fail text/rnn-trains "$(first err)"
for places in 5 15 60; do
    compile one-rnn.nn rnn-$places -D places=$places
    ./rnn-$places eval --split valid --load rnn.ckpt/last.safetensors --log rnn.jsonl > out 2> err
    loss=$(json rnn.jsonl '$' loss)
    [ $places != 5 ] || short=$loss
    check text/stream-of-$places "loss $loss, not $short: $(first err)" near "$loss" "$short" 1e-5
done

# ---- where texts are found

mkdir -p folder/b.d
cut -c 1-90 some.txt > folder/b.txt
printf 'and more of it' | gzip > folder/a.txt.gz
echo 'not text' > folder/c.dat
cat folder/b.txt > /dev/null
{ printf 'and more of it'; cat folder/b.txt; } > joined.txt
./characters train --quiet --data folder --ckpt folder.ckpt > out 2> err || fail text/folder "$(first err)"
./characters train --quiet --data joined.txt --ckpt joined.ckpt > out 2> err
check text/folder-is-its-files "other bits" cmp -s folder.ckpt/last.safetensors joined.ckpt/last.safetensors
mkdir -p under && cp some.txt under/
./characters train --quiet --data under --ckpt under.ckpt > out 2> err
check text/in-a-folder "$(first err)" cmp -s under.ckpt/last.safetensors characters.ckpt/last.safetensors

# ---- bad input

refuses() {  # NAME TEXT COMMAND...
    name=$1 pattern=$2
    shift 2
    code 1 "$name-exit" "$@"
    check "text/$name" "says: $(first err)" grep -q -e "$pattern" err
    check "text/$name-one-line" "$(wc -l < err) lines" [ "$(wc -l < err)" = 1 ]
}
train="./characters train --quiet --ckpt bad.ckpt --data"
: > empty.txt
refuses empty 'empty.txt: the text is empty' $train empty.txt
printf 'some words' > brief.txt
refuses brief 'brief.txt: 3 units of text in the split valid, expected at least 6' $train brief.txt
printf 'abc\377def' > latin.txt
refuses utf8 'latin.txt: byte 3: no character of UTF-8' $train latin.txt
printf 'abcdef\342\202' > cut.txt
refuses utf8-cut 'cut.txt: byte 6: no character of UTF-8' $train cut.txt
printf 'ab\355\240\200cd' > surrogate.txt
refuses utf8-surrogate 'surrogate.txt: byte 2' $train surrogate.txt
printf 'ab\300\200cd' > long.txt
refuses utf8-long 'long.txt: byte 2' $train long.txt
printf 'abc\000def' > zero.txt
refuses zero 'zero.txt: byte 3: a zero byte' $train zero.txt
awk 'BEGIN { for (i = 33; i < 127; i++) printf "%c ", i }' > many.txt
refuses many 'many.txt: 95 different characters, expected at most 60: class(N)' $train many.txt
refuses missing 'nowhere.txt: no such file or folder, expected a text' $train nowhere.txt
printf 'the quick @ brown' > other.txt
refuses unknown "other.txt: byte 10: '@' is not in the vocabulary" \
    ./characters predict other.txt --ckpt characters.ckpt
refuses unknown-eval "other.txt: byte 10: '@' is not in the vocabulary" \
    ./characters eval --ckpt characters.ckpt --data other.txt
awk 'BEGIN { while (i++ < 90) printf "the quick brown fox %s", i % 7 }' > digits.txt
refuses resume-other 'written for the words' ./characters train --quiet --ckpt characters.ckpt --resume --epochs 9 --data digits.txt
refuses folds '--folds draws rows at random' ./characters train --folds 2 --ckpt bad.ckpt
check text/nothing-written "a checkpoint of what was refused" [ ! -e bad.ckpt/last.safetensors ]

# ---- pairs

{ for word in so été abc fox a ab ba cab dog god be bee fee; do printf '%s\t%say\n' "$word" "$word"; done
  printf '\nlast\tone\r\nit is\tis it\nwe are\tare we'; } > pairs.tsv
pairs() {  # NAME UNIT ENTRY ARGS...
    name=$1 unit=$2 entry=$3
    shift 3
    sed "s/UNIT/$unit/; s/^    split/    $entry\n    split/" "$root/tests/data/pairs.nn" > "$name.nn"
    compile "$name.nn" "$name"
    ./"$name" train --quiet --ckpt "$name.ckpt" > out 2> err || fail "text/$name-trains" "$(first err)"
    "$python" "$root/tests/data/pairs.py" pairs.tsv unit=$unit "$@" > want 2> err || fail "text/$name-script" "$(tail -n 1 err)"
    ./"$name" predict pairs.tsv --ckpt "$name.ckpt" 2> err | tail -n +2 > out
    check "text/$name-predicts" "$(diff out want | head -n 2 | tr '\n' ' ') $(first err)" cmp -s out want
    "$python" "$root/tests/data/pairs.py" pairs.tsv unit=$unit --words "$@" > want
    "$python" -c "
import json, struct, sys
raw = open('$name.ckpt/last.safetensors', 'rb').read()
meta = json.loads(raw[8:8 + struct.unpack('<Q', raw[:8])[0]])['__metadata__']
print(json.dumps([json.loads(meta['words.' + f]) for f in ('src', 'dst')]))" > out 2> err
    check "text/$name-words" "$(first out) $(first err)" cmp -s out want
    ./"$name" eval --split train --ckpt "$name.ckpt" > out 2> err
    "$python" "$root/tests/data/pairs.py" pairs.tsv unit=$unit "$@" | tr , '\n' | awk '{ x += $1 } END { print x }' > all
    a=$(sed -n 's/.*output_sum \([0-9]*\).*/\1/p' out)
    ./"$name" eval --split valid --ckpt "$name.ckpt" > out 2> err
    b=$(sed -n 's/.*output_sum \([0-9]*\).*/\1/p' out)
    check "text/$name-splits" "$a and $b, not $(cat all) together" [ $((a + b)) = "$(cat all)" ]
}
pairs pair-characters characters ''
pairs pair-words      words      ''
pairs pair-rare       characters 'vocabulary min 2' min=2

train="./pair-characters train --quiet --ckpt bad.ckpt --data"
printf 'so\tos\nfox\n' > no-tab.tsv
refuses pair-no-tab 'no-tab.tsv: line 2: no tab' $train no-tab.tsv
printf 'so\tos\n\nfox\tox\tx\n' > tabs.tsv
refuses pair-two-tabs 'tabs.tsv: line 3: a second tab' $train tabs.tsv
printf 'so\tos\nelephant\tx\n' > long.tsv
refuses pair-long 'long.tsv: line 2: a source of 8 and its end mark, expected at most 7 for src' $train long.tsv
refuses pair-empty 'empty.txt: the file is empty' $train empty.txt
printf '\n\n' > blank.tsv
refuses pair-blank 'blank.tsv: no pairs' $train blank.tsv
printf 'so\tos\na@\tx\n' > other.tsv
refuses pair-unknown "other.tsv: line 2: '@' is not in the vocabulary" ./pair-characters predict other.tsv --ckpt pair-characters.ckpt
printf 'so\tos\na\377\tx\n' > latin.tsv
refuses pair-utf8 'latin.tsv: byte 7: no character of UTF-8' $train latin.tsv

sed 's/    split/    where n > 2 and n < 5\n    split/' pair-characters.nn > kept.nn
compile kept.nn kept
./kept train --quiet --dry-run > out 2> err
check text/pair-where "$(first out) $(first err)" grep -q ': 7 rows to train on, 5 to validate' out
sed 's/    split/    where (sum[t] src[:, t]) > 2\n    split/' pair-characters.nn > seen-kept.nn
compile seen-kept.nn seen-kept
refuses pair-where-classes '`where` may use lengths of pairs, not src' ./seen-kept train --quiet --ckpt bad.ckpt

# ---- the data of translations are what their script makes

text=$data/tinyshakespeare/input.txt
if [ ! -e "$text" ]; then skip text/pig-latin "no $text"
else
    "$python" "$root/examples/data/pig_latin.py" "$text" > pig_latin.tsv
    check text/pig-latin "another file" cmp -s pig_latin.tsv "$root/examples/data/pig_latin.tsv"
fi
sed 's/\[7\]/[15]/; s/\[9\]/[18]/g; s/class(8)/class(16)/g; s/class(10)/class(19)/g; s/pairs.tsv/pig_latin.tsv/;
     s/, 7\]/, 15]/; s/, 9\]/, 18]/g; s/\[5\]/[14]/; s/, 5\]/, 14]/' pair-characters.nn > latin.nn
compile latin.nn latin
./latin train --quiet --dry-run --data "$root/examples/data/pig_latin.tsv" > out 2> err
check text/pig-latin-reads "$(first out) $(first err)" grep -q ': 6640 rows to train on, 4426 to validate' out

# ---- the examples that count: n-grams against dictionaries, GloVe against NumPy

for text in /usr/share/common-licenses/GPL-3 "$data/tinyshakespeare/input.txt"; do
    name=ngram-$(basename "$text")
    if [ ! -e "$text" ]; then skip "text/$name" "no $text"; continue; fi
    compile "$root/examples/ngram.nn" ngram
    ./ngram eval --split valid --data "$text" > out 2> err
    want=$("$python" "$root/tests/data/ngram.py" "$text" 2> err.py)
    check "text/$name" "$(first out) $(first err), not $want" \
        near "$(sed -n 's/.*perplexity \([-+0-9.e]*\).*/\1/p' out)" "$want" 1e-3
done
text=/usr/share/common-licenses/GPL-3
if [ ! -e $text ]; then skip text/glove "no $text"
else
    compile "$root/examples/glove.nn" glove -D most=150 -D width=7
    ./glove train --quiet --data $text --steps 25 --ckpt-every 1 --keep 90 --log-every 1 --log glove.jsonl > out 2> err
    printf 'the work license you software is' > words.txt
    ./glove predict words.txt --data $text > near.csv 2> err
    "$python" "$root/tests/data/glove.py" $text glove.ckpt glove.jsonl near.csv > out 2>&1
    check text/glove "$(first out)" [ ! -s out ]
    check text/glove-neighbours "$(first err)" [ "$(wc -l < near.csv)" = 7 ]
fi
