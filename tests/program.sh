# What programs do around training: metrics of totals, cross-validation, ensembles, searches.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
digits_csv=$root/examples/data/digits.csv

figure() {  # NAME FILE KEY VALUE: of the last line
    got=$(json "$2" '$' "$3")
    check "program/$1" "$got, not $4" near "$got" "$4" 1e-6
}

# ---- metrics of totals: seven rows in batches of three, by hand. The classes' matrix is
#   2 1 0      precision 1 2/3 1/2     recall 2/3 2/3 1     f1 4/5 2/3 2/3
#   0 2 1
#   0 0 1
# and of the numbers s, 2 0 1 0 4 0 1 for 1 1 0 0 5 0 2: squared errors are 5 in all, those of the
# targets' mean 31 - 81/7.
cat > seven.csv <<END
z0,z1,z2,s,t,label
2,1,0,2,1,0
0,3,1,0,1,1
1,0,2,1,0,1
0,1,5,0,0,2
4,0,0,4,5,0
0,2,1,0,0,0
1,3,0,1,2,1
END
cat > seven.nn <<END
data rows {
    from csv("seven.csv")
    z: [3] = columns(z0 .. z2)
    s: [1] = column(s)
    t: [1] = column(t)
    label: class(3) = column(label)
    split train 7
}
model m(z: [batch, 3], s: [batch, 1]) -> z: [batch, 3], s: [batch, 1] {
    param w: [1] = 1
    return z * w, s * w
}
metric hits(z: [..., k], y: class(k)[...]) = total(if (argmax[j] z[..., j]) == y[...] then 1 else 0)
train m on rows {
    loss      cross_entropy(output.z, label)
    metric    accuracy(output.z, label)
    metric    perplexity(output.z, label)
    metric    r_squared(output.s, t)
    metric    root_mean_squared_error(output.s, t)
    metric    hits(output.z, label)
    metric    confusion(output.z, label)
    metric    precision(output.z, label)
    metric    recall(output.z, label)
    metric    f1(output.z, label)
    metric    macro_precision(output.z, label)
    metric    macro_recall(output.z, label)
    metric    macro_f1(output.z, label)
    optimizer sgd(lr = 0)
    batch     3
    epochs    1
}
END
compile seven.nn seven --dtype=f64
code 0 totals-train ./seven train --log seven.jsonl --ckpt seven.ckpt
says totals-epoch-line out 'hits 5, macro_precision 0\.7222, macro_recall 0\.7778, macro_f1 0\.7111 '
check program/totals-epoch-scalars-only "$(first out)" sh -c '! grep -q confusion out'
code 0 totals-eval ./seven eval --split train --ckpt seven.ckpt --log eval.jsonl
cp out tables
for log in seven eval; do  # while training, and afterwards
    figure "totals-$log-loss" $log.jsonl loss 0.803318732
    figure "totals-$log-accuracy" $log.jsonl accuracy 0.714285714
    figure "totals-$log-perplexity" $log.jsonl perplexity 2.23293917
    figure "totals-$log-r-squared" $log.jsonl r_squared 0.742647059
    figure "totals-$log-rmse" $log.jsonl root_mean_squared_error 0.845154255
    figure "totals-$log-hits" $log.jsonl hits 5
    figure "totals-$log-macro-precision" $log.jsonl macro_precision 0.722222222
    figure "totals-$log-macro-recall" $log.jsonl macro_recall 0.777777778
    figure "totals-$log-macro-f1" $log.jsonl macro_f1 0.711111111
    says "totals-$log-confusion" $log.jsonl '"confusion":\[\[2,1,0\],\[0,2,1\],\[0,0,1\]\]'
    says "totals-$log-precision" $log.jsonl '"precision":\[1,0\.66666666666[0-9]*,0\.5\]'
done
says totals-table-confusion tables '^confusion  0  1  2$'
says totals-table-row tables '^1          0  2  1$'
says totals-table-vectors tables '^class  precision  recall      f1$'
says totals-table-class tables '^1         0\.6667  0\.6667  0\.6667$'
says totals-table-mean tables '^mean      0\.7222  0\.7778  0\.7111$'

# ---- cross-validation: every row to validate on once
compile "$root/examples/digits.nn" digits
code 0 folds ./digits train --data "$digits_csv" --folds 3 --epochs 2 --log folds.jsonl --ckpt folds
says folds-table out '^fold  *epoch  *valid loss  *valid accuracy  *test loss  *test accuracy$'
says folds-mean out '^mean  '
says folds-deviation out '^deviation  '
check program/folds-log "$(first folds.jsonl)" [ "$(grep -c '"split":"valid","loss"' folds.jsonl)" = 6 ]
# the mean of the table is that of the three last validations
want=$(grep '"epoch":2,.*"split":"valid","loss"' folds.jsonl | sed 's/.*"loss":\([^,]*\).*/\1/' |
    awk '{ s += $1 } END { printf "%.9g", s / NR }')
got=$(sed -n 's/.*"folds":3,"split":"valid","over":"mean","loss":\([^,]*\).*/\1/p' folds.jsonl)
check program/folds-mean-loss "'$got', not $want" near "$got" "$want" 1e-6
./digits train --data "$digits_csv" --folds 3 --epochs 2 --threads 1 --log folds1.jsonl --ckpt '' > one 2> err
check program/folds-any-threads "tables differ" sh -c 'tail -n 6 out > a; tail -n 6 one > b; cmp -s a b'
code 1 folds-too-many ./digits train --data "$digits_csv" --folds 5000 --ckpt ''
says folds-too-many-text err '5000: there are 1617 rows'
code 1 folds-one ./digits train --data "$digits_csv" --folds 1
code 2 folds-and-ensemble ./digits train --data "$digits_csv" --folds 2 --ensemble 2

# A model without parameters, validated on each of seven rows: the votes of the label's own class.
cat > none.nn <<END
data rows {
    from csv("seven.csv")
    z: [3] = columns(z0 .. z2)
    label: class(3) = column(label)
    split train 7
}
model m(z: [batch, 3]) -> [batch, 3] { return 2 * z }
train m on rows {
    metric accuracy(output, label)
    batch  2
}
END
compile none.nn none
code 0 folds-without-parameters ./none train --folds 7 --ckpt ''
says folds-without-parameters-mean out '^mean  *0\.7143$'

# ---- ensembles: seeds 1, 2, 3; the mean of outputs loses no more than the mean of losses
code 0 ensemble ./digits train --data "$digits_csv" --ensemble 3 --epochs 4 --log ensemble.jsonl --ckpt e
row() { awk -v name="$1" -v n="$2" '$1 == name { print $n }' out; }
check program/ensemble-loss "$(row ensemble 4) and $(row mean 4)" \
    sh -c "awk 'BEGIN { exit !($(row ensemble 4) > 0 && $(row ensemble 4) <= $(row mean 4)) }'"
check program/ensemble-accuracy "$(row ensemble 5) and $(row mean 5)" \
    sh -c "awk 'BEGIN { exit !($(row ensemble 5) >= $(row mean 5)) }'"
together=$(row ensemble 4)
./digits train --data "$digits_csv" --epochs 4 --seed 2 --ckpt second --quiet > two 2>&1
check program/ensemble-member-as-alone "checkpoints differ" \
    cmp -s e/member-2/last.safetensors second/last.safetensors
code 0 ensemble-eval ./digits eval --data "$digits_csv" --ckpt e
says ensemble-eval-loss out "^test: loss $together,"
head -n 3 "$digits_csv" > three.csv
for i in 1 2 3; do ./digits predict three.csv --ckpt e/member-$i -o p$i.csv; done
./digits predict three.csv --ckpt e -o p.csv
paste -d, p1.csv p2.csv p3.csv p.csv | awk -F, 'NR == 2 {
    for (i = 1; i <= 10; i++) { d = ($i + $(i + 11) + $(i + 22)) / 3 - $(i + 33); if (d < 0) d = -d
                                if (d > 1e-5) exit 1 } n++ } END { exit n != 1 }'
check program/ensemble-predicts-means "they are not" [ $? = 0 ]
code 0 not-bagging ./digits train --data "$digits_csv" --ensemble 2 --epochs 1 --ckpt plain
code 0 bagging ./digits train --data "$digits_csv" --ensemble 2 --bagging --epochs 1 --ckpt e
check program/ensemble-forgets "a third member is left" [ ! -e e/member-3/last.safetensors ]
check program/bagging-differs "a bag as the whole" \
    differs e/member-1/last.safetensors plain/member-1/last.safetensors
code 2 bagging-alone ./digits train --data "$digits_csv" --bagging
code 0 alone-again ./digits train --data "$digits_csv" --epochs 1 --ckpt e --quiet
check program/alone-forgets-members "a member is left" [ ! -e e/member-1/last.safetensors ]
code 1 ensemble-without-folder ./digits train --data "$digits_csv" --ensemble 2 --ckpt ''

# ---- searches
sed 's/^hyper lr .*/hyper lr = 2e-3 in log(1e-4 .. 1e-1)\nhyper beta = 0.9 in [0.8, 0.9, 0.95]/; s/adam(lr = lr)/adam(lr = lr, beta1 = beta)/' \
    "$root/examples/digits.nn" > search.nn
compile search.nn search
code 0 search ./search search --data "$digits_csv" --trials 4 --epochs 2 --ckpt s
says search-best out '^best: --lr [0-9.e-]* --beta 0[.0-9]*   (trial [1-4]: loss 0\.[0-9]*)$'
check program/search-log "$(first s/search.jsonl)" [ "$(wc -l < s/search.jsonl)" = 5 ]
cp s/search.jsonl four
sed -n 's/^best: \(.*\)   (.*/\1/p' out > flags
./search train --data "$digits_csv" --epochs 2 $(cat flags) --log alone.jsonl --ckpt '' --quiet > alone 2>&1
want=$(grep '"split":"valid"' alone.jsonl | sed 's/.*"loss":\([^,]*\).*/\1/' | sort -g | head -n 1)
got=$(tail -n +2 s/search.jsonl | sed 's/.*"loss":\([^,]*\).*/\1/' | sort -g | head -n 1)
check program/search-trial-as-alone "$got, not $want" [ "$got" = "$want" ]
head -n 3 four > s/search.jsonl
printf '{"trial":4,"val' >> s/search.jsonl  # cut off
code 0 search-resumes ./search search --data "$digits_csv" --trials 4 --epochs 2 --ckpt s --resume
sort four > a; sort s/search.jsonl > b
check program/search-resumes-to-the-same "logs differ" cmp -s a b
check program/search-runs-the-rest "$(grep -c '^trial [0-9]*/' out) trials ran" [ "$(grep -c '^trial [0-9]*/' out)" = 2 ]
code 1 search-of-others ./search search --data "$digits_csv" --trials 4 --epochs 3 --ckpt s --resume
code 0 search-grid ./search search --data "$digits_csv" --grid 2 --beta 0.9 --epochs 1 --by accuracy --folds 2 --ckpt s
says search-grid-best out '^best: --lr [0-9.e-]*   (trial [12]: accuracy 0\.[0-9]*)$'
check program/search-grid-ends "$(grep -c lr s/search.jsonl)" grep -q '"lr":0.0001' s/search.jsonl
code 1 search-by-nothing ./search search --data "$digits_csv" --by nothing --ckpt s
code 2 search-nothing-left ./search search --data "$digits_csv" --lr 1 --beta 0.9 --ckpt s
code 2 search-without-ranges ./digits search
says search-without-ranges-text err 'no hyper of it that is a flag has a range'
compile search.nn search-small --small
code 2 search-left-out ./search-small search --data "$digits_csv"
says search-left-out-text err 'compiled with --small'
./search train --data "$digits_csv" --lr 5 --dry-run > out 2> err
says outside-the-range err 'warning: --lr 5: outside of the range'

# ---- stopped: 75, nothing lost
./digits train --data "$digits_csv" --folds 2 --epochs 100000 --ckpt f > out 2>&1 &
pid=$!
while [ ! -e f/fold-1/last.safetensors ]; do sleep 0.1; done
kill -INT $pid
wait $pid
got=$?
check program/folds-stop "exit code $got" [ $got = 75 ]
check program/folds-stop-children "one is left" sh -c "! pgrep -P $pid > /dev/null"

# ---- the best weights: of the test figures, of eval, with and without checkpoints
./digits train --data "$digits_csv" --epochs 12 --lr 0.05 --ckpt best --log best.jsonl > with 2>&1
./digits train --data "$digits_csv" --epochs 12 --lr 0.05 --ckpt '' > without 2>&1
check program/best-without-a-folder "$(tail -n 1 without)" [ "$(tail -n 1 with)" = "$(tail -n 1 without)" ]
./digits eval --data "$digits_csv" --ckpt best > out 2>&1
says best-eval out "$(tail -n 1 with | sed 's/  (.*//; s/\./\\./g')"
least=$(grep '"split":"valid"' best.jsonl | sed 's/.*"epoch":\([0-9]*\),.*"loss":\([^,]*\).*/\2 \1/' | sort -g | head -n 1)
says best-epoch with "(weights of epoch ${least#* })"
check program/last-is-the-end "it is the best" differs best/last.safetensors best/best.safetensors

# ---- more figures than anybody looks at: none is lost
awk '{ print } /^    metric/ { for (i = 2; i <= 20; i++) print }' "$root/examples/digits.nn" > figures.nn
compile figures.nn figures
code 0 figures ./figures train --epochs 2 --data "$digits_csv" --ckpt figures.ckpt
check program/figures-reported "$(tail -n 1 out | cut -c 1-200)" sh -c 'tail -n 1 out | grep -q "accuracy#20"'
check program/figures-drawn "$(grep -c 'class="name"' figures.ckpt/curves.svg) panels" \
    [ "$(grep -c 'class="name"' figures.ckpt/curves.svg)" = 21 ]

# ---- small programs
compile "$root/examples/digits.nn" small --small
code 2 small-folds ./small train --data "$digits_csv" --folds 2
says small-text err 'compiled with --small'
code 2 small-gradcheck ./small gradcheck
