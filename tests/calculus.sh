# Derivatives beyond the first, against NumPy and PyTorch: tests/calculus holds the programs, the
# figures, and the scripts that made them. And what derivatives must leave alone.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
reference=$root/tests/calculus
rows=$root/tests/train/reference/library.csv

# run NAME SOURCE DATA: trained in f64, its log in NAME.jsonl.
run() {
    if ! "$nnc" --dtype=f64 "$2" -o "$1" > "$1.out" 2>&1; then
        fail "calculus/$1" "does not compile: $(first "$1.out")"
    elif ! "./$1" train --data "$3" --log "$1.jsonl" --ckpt "$1.ckpt" --quiet > "$1.out" 2>&1; then
        fail "calculus/$1" "$(tail -n 1 "$1.out")"
    else
        return 0
    fi
    return 1
}

# agrees NAME: the losses of its steps with NAME.losses.
agrees() {
    grep '"split": *"train"' "$1.jsonl" > "$1.train"
    step=0 wrong=
    while read -r loss; do
        step=$((step + 1))
        got=$(json "$1.train" $step loss)
        near "$got" "$loss" 1e-9 || wrong="$wrong step $step: $got, not $loss;"
    done < "$reference/$1.losses"
    check "calculus/$1" "$wrong" [ -z "$wrong" ]
}

# ---- Newton's method: the Hessian, and a system of equations
if [ -e "$data/tabular/breast_cancer.csv" ]; then
    run newton "$root/examples/newton.nn" "$data/tabular/breast_cancer.csv" && agrees newton
else
    skip calculus/newton "no tabular/breast_cancer.csv in $data"
fi

# ---- a gradient inside the loss
run penalty "$reference/penalty.nn" "$rows" && agrees penalty
./penalty gradcheck --data "$rows" > penalty.gradcheck 2>&1
status=$?
check calculus/penalty-gradient "$(tail -n 1 penalty.gradcheck)" [ $status = 0 ]

# ---- gradients elsewhere: Nesterov's look-ahead takes the path of its rewritten form, which holds
# w + beta v, so the losses of their steps are the same; noise of no size is no noise
program() {  # OPTIMIZER, from the rows of library.csv
    sed "s/optimizer .*/optimizer $1/; s/epochs .*/epochs 20/; s/batch     2/batch 5/
        s/constant([-0-9.]*)/he/" "$reference/symmetry.nn"
}
same_path() {  # NAME OPTIMIZER OTHER DEFINITION
    { program "$2"; echo "$4"; } > "$1.nn"
    program "$3" > "$1-other.nn"
    run "$1" "$1.nn" "$rows" && run "$1-other" "$1-other.nn" "$rows" || return
    for name in "$1" "$1-other"; do
        grep '"split": *"train"' $name.jsonl | sed 's/.*"loss": *\([-0-9.e]*\).*/\1/' > $name.losses
    done
    wrong=$(paste "$1.losses" "$1-other.losses" | awk '
        { d = $1 - $2; if (d < 0) d = -d; if (!(d <= 1e-10 * $2)) print "step " NR ": " $1 " and " $2 }
        END { if (NR != 20) print NR " steps" }')
    check "calculus/$1" "$(echo "$wrong" | head -n 1)" [ -z "$wrong" ]
}
same_path lookahead "nesterov_lookahead(lr = 0.05, beta = 0.8)" "nesterov(lr = 0.05, beta = 0.8)"
same_path no-noise "noisy(0.1, 0)" "sgd(lr = 0.1)" \
    "optimizer noisy(lr, sigma) for w, g at w + sigma * randn() { w = w - lr * g }"
sed 's/noisy(0.1, 0)/noisy(0.1, 0.3)/' no-noise.nn > noise.nn
run noise noise.nn "$rows"
check calculus/noise "the losses are those without noise" \
    [ "$(json noise.jsonl 1 loss)" != "$(json no-noise.jsonl 1 loss)" ]

# ---- units that begin equal stay equal, to the bit; others don't
sed 's/constant(0.25)/normal(0.3)/' "$reference/symmetry.nn" > broken_symmetry.nn
run symmetry "$reference/symmetry.nn" "$rows"
run broken_symmetry broken_symmetry.nn "$rows"
check calculus/symmetry "spread $(json symmetry.jsonl '$' spread)" \
    [ "$(json symmetry.jsonl '$' spread)" = 0 ]
check calculus/symmetry-is-no-standstill "the weights have not moved" \
    [ "$(json symmetry.jsonl '$' change)" != 0 ]
check calculus/broken-symmetry "units are equal that began apart" \
    [ "$(json broken_symmetry.jsonl '$' spread)" != 0 ]
"$build/agree" --suite=calculus/agree "$reference"/*.nn
