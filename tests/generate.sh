# Generating: place by place against the whole, draws and their options, beams, prompts, bad input.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
programs=$root/tests/generate

make_program() {  # NAME FLAGS...: of tests/generate/NAME.nn
    made=$1
    shift
    compile "$programs/$made.nn" "$made" "$@"
}
train() {  # NAME FLAGS...
    trained=$1
    shift
    ./"$trained" train --quiet --ckpt "$trained.ckpt" "$@" > train.out 2>&1 ||
        fail "generate/train-$trained" "$(first train.out)"
}
says_text() { check "generate/$1" "$(first out) $(first err)" [ "$(cat out)" = "$2" ]; }

# ---- scores place by place are those of the whole (tests/generate/steps.c)
# shellcheck disable=SC2086
${CC:-cc} -std=gnu11 -g -fno-pie -I"$root" -c "$programs/steps.c" -o steps.o 2> err ||
    fail generate/steps "$(first err)"
for name in recurrent stream attention long last small; do
    if "$nnc" "$programs/$name.nn" --emit=obj="$name.o" 2> err &&
        ${CC:-cc} -no-pie steps.o "$name.o" "$build/libnnrt.a" -ljpeg -lpng -lz -lm -lpthread -o "steps-$name" 2>> err
    then
        code 0 "places-$name" ./"steps-$name" places
        check "generate/places-$name-compared" "$(cat out)" [ "$(grep -c ' places: ' out)" = 3 ]
    else
        fail "generate/places-$name" "$(first err)"
    fi
done
code 0 beam ./steps-small beam
for name in recurrent stream attention long last drawn decoder reader; do set -- "$@" "$programs/$name.nn"; done
"$build/agree" --work=3e7 --suite=generate/agree "$@"

# ---- a text learned by heart
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do printf 'the cat sat. on a mat. '; done > song.txt
cp song.txt once.txt
for i in 1 2 3 4 5 6 7; do cat once.txt; done > song.txt
for unit in characters words bytes; do
    sed "s/= characters/= $unit/" "$programs/song.nn" > "$unit.nn"
    case $unit in bytes) classes=256 epochs=40 ;; *) classes=16 epochs=12 ;; esac
    compile "$unit.nn" $unit -D classes=$classes
    train $unit --epochs $epochs
done
code 0 characters ./characters generate --ckpt characters.ckpt --temperature 0.1 --prompt 'the c'
says_text characters-text 'the cat sat. on a mat. the cat sat.'
code 0 bytes ./bytes generate --ckpt bytes.ckpt --greedy --prompt 'the c' --length 12
says_text bytes-text 'the cat sat. on a'
code 0 words ./words generate --ckpt words.ckpt --greedy --prompt 'the cat' --length 9
says_text words-text 'the cat sat. on a mat. the cat sat'
code 0 beam-text ./characters generate --ckpt characters.ckpt --beam 3 --prompt 'on' --length 9
says_text beam-is-likeliest 'on a mat. t'
printf 'on a m' > prompt.txt
code 0 prompt-file ./characters generate --ckpt characters.ckpt --greedy --prompt-file prompt.txt --length 4
says_text prompt-file-text 'on a mat. '
code 0 length-0 ./characters generate --ckpt characters.ckpt --prompt 'on a' --length 0
says_text length-0-text 'on a'
code 0 no-prompt ./characters generate --ckpt characters.ckpt --greedy --length 8
check generate/no-prompt-text "$(wc -c < out)" [ "$(wc -c < out)" = 9 ]
code 0 repeated ./characters generate --ckpt characters.ckpt --greedy --prompt "$(cat once.txt)" --length 5
check generate/long-prompt "$(tail -c 6 out)" [ "$(tail -c 6 out)" = 'the c' ]

# ---- the same text for the same seed, whatever the threads
draw() { ./characters generate --ckpt characters.ckpt --temperature 3 --length 200 "$@"; }
draw --threads 1 > one
for flags in '--threads 2' '--threads 3 --seed 1'; do
    # shellcheck disable=SC2086
    draw $flags > other
    check "generate/same-with${flags# }" "another text" cmp -s one other
done
draw --seed 2 > other
check generate/another-seed "the same text" differs one other

# ---- several side by side
code 0 count ./characters generate --ckpt characters.ckpt --temperature 2 --count 3 --prompt 'on a' --length 20
check generate/count-prompts "$(cat out)" [ "$(grep -c '^on a' out)" = 3 ]
check generate/count-differ "$(cat out)" [ "$(sort -u out | wc -l)" = 3 ]
head -n 1 out > first-of-3
./characters generate --ckpt characters.ckpt --temperature 2 --prompt 'on a' --length 20 > one
check generate/count-first "the first row is another text" cmp -s one first-of-3

# ---- counts of the text itself, which has no vocabulary but that of the data
make_program counted
code 0 counted ./counted generate --data song.txt --prompt 'on' --length 7 --greedy
says_text counted-text 'on a mat.'
code 1 counted-unknown ./counted generate --data song.txt --prompt 'dog'
says counted-unknown-text err "the prompt: 'd' is not in the vocabulary"

# ---- how often known scores are drawn: 1, 2, 3, 4 and 6 of 16
make_program drawn
often() {  # NAME WANTED... where counts of 20,000 draws may be off by five deviations; then FLAGS...
    often=$1 want=$2
    shift 2
    ./drawn generate "$@" 2> err | tr ' ' '\n' | sort | uniq -c > out
    check "generate/drawn-$often" "$(tr '\n' ' ' < out)" awk -v want="$want" '
        BEGIN { n = split(want, w, " ") }
        { d = $1 - w[$2 + 1]; if (d * d > 25 * w[$2 + 1]) bad = 1; seen += $1 }
        END { exit bad || seen != 20000 }' out
}
often all         '1250 2500 3750 5000 7500'
often seed-9      '1250 2500 3750 5000 7500' --seed 9
often top-k-3     '0 0 4615 6154 9231'       --top-k 3
often top-p       '0 0 0 8000 12000'         --top-p 0.62
often top-p-all   '1250 2500 3750 5000 7500' --top-p 1
often temperature '303 1212 2727 4848 10909' --temperature 0.5
often warm-top-p  '0 0 0 6154 13846'         --temperature 0.5 --top-p 0.7
often greedy      '0 0 0 0 20000'            --greedy
often cold        '0 0 0 0 20000'            --temperature 0
often top-k-1     '0 0 0 0 20000'            --top-k 1

sed 's/^generate/hyper temperature = 0.5\n&/; s/output\[:, 0\]/& \/ temperature/' "$programs/drawn.nn" > warm.nn
compile warm.nn drawn
often own-temperature       '303 1212 2727 4848 10909'
often own-temperature-given '1250 2500 3750 5000 7500' --temperature 1

# ---- pairs: a loop inside of the model, and a decoder that is fed
printf 'abc\tcba\nbca\tacb\nfa\taf\ndeed\tdede\nabcdef\tfedcba\nf\tf\n' > pairs.tsv
cut -f 1 pairs.tsv > sources.txt
cut -f 2 pairs.tsv > targets.txt
for name in whole decoder reader; do
    make_program $name
    train $name
    code 0 $name ./$name generate --ckpt $name.ckpt --greedy --prompt-file sources.txt
    check "generate/$name-text" "$(tr '\n' ' ' < out)" cmp -s out targets.txt
done
code 0 decoder-beam ./decoder generate --ckpt decoder.ckpt --beam 4 --prompt-file sources.txt
check generate/decoder-beam-text "$(tr '\n' ' ' < out)" cmp -s out targets.txt

code 0 decoder-count ./decoder generate --ckpt decoder.ckpt --greedy --count 2 --prompt fa
says_text decoder-count-text "af
af"
code 0 whole-count ./whole generate --ckpt whole.ckpt --count 3 --prompt fa
says_text whole-count-text "af
af
af"
# What the source decides is no part of the step.
"$nnc" --emit=graph "$programs/decoder.nn" 2> err > graph
sed -n '/^function generate_step/,/^}/p' graph > step
sed -n '/^function generate_source/,/^}/p' graph > source
check generate/encoded-once "$(grep -m 1 'encoder_block\|wkv' step)" sh -c \
    'grep -q "cross_attention#1.wq\[" step && ! grep -q "encoder_block\|wkv" step && grep -q "encoder_block" source && grep -q wkv source'

# ---- bad input
refused() {  # NAME PATTERN CODE ARGS...
    refused=$1 pattern=$2 want=$3
    shift 3
    code "$want" "$refused" "$@"
    says "$refused-text" err "$pattern"
}
refused unknown-symbol "the prompt: 'Z' is not in the vocabulary" 1 \
    ./characters generate --ckpt characters.ckpt --prompt 'the Z'
refused no-checkpoint 'no checkpoint there: train first' 1 ./characters generate --ckpt none.ckpt
refused no-prompt-file 'none.txt: cannot read' 1 ./characters generate --ckpt characters.ckpt --prompt-file none.txt
refused two-prompts 'not both' 2 ./characters generate --prompt a --prompt-file prompt.txt
refused negative-length 'length -1: expected a whole number from 0' 1 ./characters generate --length -1
refused top-p-above-1 'top-p 1.5: expected a number from 0 to 1' 1 ./characters generate --top-p 1.5
refused wide-beam 'expected at most 8, the program.s largest batch' 1 \
    ./characters generate --ckpt characters.ckpt --beam 9
refused many 'expected at most 8, the program.s largest batch' 1 \
    ./characters generate --ckpt characters.ckpt --count 9
refused beam-and-count 'not both' 2 ./characters generate --ckpt characters.ckpt --count 2 --beam 2
refused beam-of-whole 'a beam needs a model that is fed place by place' 1 \
    ./whole generate --ckpt whole.ckpt --beam 2
refused long-source '7 units and an end mark are too long for .source' 1 \
    ./whole generate --ckpt whole.ckpt --prompt abcdefa
refused no-units 'expected whole numbers from 0 to' 1 ./drawn generate --prompt 'a b'
sed '/^generate/,$d' characters.nn > plain.nn
compile plain.nn plain -D classes=16
refused no-block 'its source has no .generate. block' 2 ./plain generate
check generate/linked-where-asked "runs without a generate block" \
    sh -c '[ "$(wc -c < plain)" -lt "$(wc -c < characters)" ]'
