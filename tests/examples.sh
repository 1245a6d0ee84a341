# The examples on real data: each compiles without a word, trains as a line of examples/examples.tsv
# says, and reaches its figure. Briefly, or with FULL=1 as its header says. ONLY="mlp lenet5" for
# some; SEED=N for other draws. They run in one folder in the table's order, so that one may read
# what another left in its NAME.ckpt.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
when=brief
[ -z "$FULL" ] || when=full

# The place of a data set: with the examples, or among those that only tests have. CIFAR-10's
# pictures are unpacked; for brief runs some of them.
place() {
    if [ -e "$root/examples/$1" ]; then echo "$root/examples/$1"
    elif [ -e "$data/$1/$1-jpeg.tar.xz" ]; then unpacked "$data/$1/$1-jpeg.tar.xz"
    else echo "$data/$1"; fi
}
unpacked() {
    folder=$work/$when.$(basename "$1" .tar.xz)
    if [ ! -e "$folder" ]; then
        some='train/*/00??.jpg test/*/00[0-2]?.jpg'
        [ $when = brief ] || some='*.jpg'
        mkdir -p "$folder.part"
        (set -f; tar xJf "$1" -C "$folder.part" --wildcards $some) && mv "$folder.part" "$folder"
    fi
    echo "$folder"
}

# figure_of RUN SPLIT KEY: of the log's last line for a split; `printed` of the last line with it.
figure_of() {
    if [ "$2" = printed ]; then
        sed -n "s/.*$3[: ] *\([-0-9.e+]*\).*/\1/p" "$1.out" | tail -n 1
    else
        grep "\"split\":\"$2\"" "$1.jsonl" > "$1.split" 2> "$1.none"
        json "$1.split" '$' "$3"
    fi
}

# holds FIGURE ">= BOUND"
holds() {
    awk -v a="$1" -v bound="$2" 'BEGIN {
        split(bound, b, " ")
        exit !(a ~ /^-?[0-9]/ && (b[1] == ">=" ? a + 0 >= b[2] + 0 : b[1] == "<=" && a + 0 <= b[2] + 0)) }'
}

seconds_since() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f s", b - a }'; }

# example NAME DATA COMMAND "SPLIT KEY" BOUND; the command's -D flags are the compiler's.
example() {
    name=$1 from=$(place "$2") run=$1-$((count += 1)) defines= flags=
    if [ ! -e "$from" ]; then
        skip "examples/$name" "no $2 in $data"
        return
    fi
    for word in $3; do
        case $word in -D*) defines="$defines $word" ;; *) flags="$flags $word" ;; esac
    done
    start=$(date +%s.%N)
    if ! "$nnc" $defines "$root/examples/$name.nn" -o "$run" > "$run.nnc" 2>&1 || [ -s "$run.nnc" ]; then
        fail "examples/$name" "$(first "$run.nnc")"
        return
    fi
    "./$run" $flags --data "$from" --log "$run.jsonl" --seed "${SEED:-1}" \
        > "$run.out" 2>&1 || { fail "examples/$name" "$(tail -n 1 "$run.out")"; return; }
    figure=$(figure_of "$run" $4)
    said="$4 ${figure:-is missing}, asked for $5; $(seconds_since "$start")"
    if holds "$figure" "$5"; then ok "examples/$name: $said"; else fail "examples/$name" "$said"; fi
}

is_asked() { [ -z "$ONLY" ] || echo " $ONLY " | grep -q " $1 "; }

count=0
tab=$(printf '\t')
sed '/^#/d' "$root/examples/examples.tsv" > rows
while IFS=$tab read -r name from run_when command figure bound; do
    is_asked "$name" || continue
    case $run_when in "$when" | both) example "$name" "$from" "$command" "$figure" "$bound" < /dev/null ;; esac
done < rows

# Every example is in both tables, and its header says what a reader wants to know.
for file in "$root"/examples/*.nn; do
    name=$(basename "$file" .nn)
    is_asked "$name" || continue
    wrong=
    grep -q "^$name$tab" rows || wrong="no row in examples.tsv"
    grep -q "($name.nn)" "$root/examples/README.md" || wrong="$wrong; no row in README.md"
    for word in Shows Data Run Takes Expect; do
        sed '/^[^#]/,$d' "$file" | grep -q "^# $word  *[^ ]" || wrong="$wrong; no '$word' in the header"
    done
    check "examples/$name-is-described" "${wrong#; }" [ -z "$wrong" ]
done
