# The compiler's command line.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
digits=$root/examples/digits.nn

code 0 version "$nnc" --version
says version-text out '^nnc [0-9]'
code 0 help "$nnc" --help
says help-text out '--emit'
code 2 no-arguments "$nnc"
code 2 unknown-flag "$nnc" --frobnicate "$digits"
says unknown-flag-text err frobnicate
code 2 unknown-emit "$nnc" --emit=nonsense "$digits"
code 1 missing-file "$nnc" missing.nn -o missing
says missing-file-text err 'missing.nn'
code 0 check "$nnc" check "$digits"
check cli/check-is-silent "prints something" [ ! -s out ]

printf 'model m(x: [batch, 4]) -> [batch, 4] {\n    return x |> nothing\n}\n' > bad.nn
rm -f bad
code 1 error-in-program "$nnc" bad.nn -o bad
says error-place err '^bad.nn:2:'
says error-count err '1 error'
check cli/error-leaves-no-output "an output file is there" [ ! -e bad ]
code 1 unwritable-output "$nnc" "$digits" -o no/such/folder/digits

for kind in tokens ast graph grad fused loops memory cost summary llvm llvm.opt asm manifest; do
    code 0 "emit-$kind" "$nnc" --emit=$kind "$digits"
    check "cli/emit-$kind-text" "prints nothing" [ -s out ]
    cp out first
    "$nnc" --emit=$kind "$digits" > out 2> err
    check "cli/emit-$kind-is-deterministic" "differs from run to run" cmp -s first out
done
code 0 emit-obj "$nnc" --emit=obj=digits.o "$digits"
check cli/emit-obj-file "no object" [ -s digits.o ]
code 0 emit-several "$nnc" --emit=graph=a.ir,grad=b.ir "$digits"
check cli/emit-several-files "missing" [ -s a.ir -a -s b.ir ]
code 0 passes "$nnc" --passes=grad,simplify a.ir
sed 's/  @.*//' out > passes.ir  # places in the library are not read back
sed 's/  @.*//' b.ir > grad.ir
check cli/passes-give-grad "differs from --emit=grad" cmp -s passes.ir grad.ir
code 0 exe "$nnc" "$digits" -o digits
code 0 print-after "$nnc" --print-after=simplify "$digits" -o digits
says print-after-text out 'train_step'
code 0 time-report "$nnc" --time-report "$digits" -o digits
says time-report-text err 'simplify'
code 0 define "$nnc" -D hidden=17 --emit=graph "$digits"
says define-changes-shape out '17'
code 1 define-unknown "$nnc" -D nothing=17 --emit=graph "$digits"
code 0 levels "$nnc" -O0 "$digits" -o digits0

# Accumulators of a contraction stay in registers, whatever its epilogue keeps there.
if [ "$(uname -m)" = x86_64 ]; then
    "$nnc" --cpu=x86-64-v4 --emit=asm "$root/bench/w1.nn" > out 2> err
    set -- $(awk -f "$root/tests/spills.awk" out)
    check cli/loops-of-contractions "none found" [ "$1" -gt 4 ]
    check cli/loops-without-spills "$2 of $1 loops store to the stack" [ "$2" = 0 ]
    "$nnc" --cpu=sapphirerapids --emit=asm "$root/bench/w2.nn" > out 2> err
    check cli/wide-vectors-by-name "no multiply-add of 64 bytes" grep -q 'vfmadd.*zmm' out
fi

# Without -o the program takes the file's name.
cp "$digits" here.nn
code 0 default-name "$nnc" here.nn
check cli/default-name-file "no program" [ -x here ]

# ---- a compiled program's own command line
code 0 program-help ./digits --help
says program-help-text out 'train'
code 2 program-unknown-flag ./digits train --frobnicate
code 2 program-unknown-command ./digits dance
code 0 program-info ./digits info
code 0 program-summary ./digits summary
sed '/^multiply-adds/q' out > table
"$nnc" --emit=summary "$digits" > first
check cli/program-summary-table "differs from --emit=summary" cmp -s first table
"$nnc" "$root/tests/lang/golden/summary_residual.nn" -o residual && ./residual summary > out
sed '/^multiply-adds/q' out > table
sed 1d "$root/tests/lang/golden/summary_residual.expected" > rows
check cli/program-summary-nested "differs" sh -c 'sed 1d table | cmp -s - rows'
code 0 program-bench ./digits bench --steps 20 --threads 1
says program-bench-json out '"step_ms": *[0-9]'
code 0 program-profile ./digits profile --steps 20 --threads 1
says program-profile-kernels out 'arithmetic .*dense#1\.w'

# ---- the arena is no more than a tenth larger than the most bytes alive at one time
for program in bench/w1 bench/w3 bench/w8 bench/w10 bench/block examples/digits; do
    "$nnc" --emit=memory "$root/$program.nn" > out 2> err
    check "cli/memory-$(basename $program)" "$(grep '^arena:' out)" \
        awk '/^arena:/ { exit !($2 > 0 && $2 <= 1.1 * $NF) } END { if (!NR) exit 1 }' out
done

# ---- the benchmark's script, on one workload without peers
WORKLOADS=w2 THREADS=1 ROUNDS=1 TIME=0.01 PYTHON=false BUILD="$build" WORK="$work/bench" \
    OUT="$work/bench.md" code 0 bench-script sh "$root/bench/run.sh"
says bench-script-limits bench.md '^| 1 | 128 | [1-9]'
says bench-script-step bench.md '^| W2.* | 1 | 0[.0-9]* (.*) | - | - | - | [1-9]'
