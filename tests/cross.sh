# Other processors: shorter vectors of this machine's kind, and programs for AArch64 under emulation.
# What is compiled for them gives the interpreter's bits, and a whole run this machine's; loops of
# contractions keep their sums in registers.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
last() { readlink -f "$1/last.safetensors" 2>/dev/null || echo "$1/none"; }
work_of_agree=2e6
case $build in *asan*) work_of_agree=5e5 ;; esac

# ---- loops of contractions: their multiply-adds, and nothing on the stack
loops() {  # NAME LEAST PATTERN FLAGS...: of a product, with PATTERN in it
    name=$1 least=$2 pattern=$3
    shift 3
    for shape in "512 512 512" "128 784 512" "1024 1024 1024" "100 90 50"; do
        # shellcheck disable=SC2086
        set -- $shape "$@"
        m=$1 k=$2 n=$3
        shift 3
        "$nnc" "$@" -D m=$m -D k=$k -D n=$n --emit=asm "$root/bench/w9.nn" > out 2> err ||
            fail "cross/$name-product-compiles" "$(first err)"
        # shellcheck disable=SC2046
        set -- $(awk -v least="$least" -f "$root/tests/spills.awk" out) "$@"
        check "cross/$name-${m}x${k}x$n" "$1 loops of $least, $2 of them store to the stack" \
            [ "$1" -gt 0 -a "$2" = 0 ]
        shift 2
        check "cross/$name-${m}x${k}x$n-code" "no $pattern" grep -Eq "$pattern" out
    done
    "$nnc" "$@" --emit=asm "$root/bench/w1.nn" > out 2> err
    calls=$(grep -Ec 'callq?[[:space:]]+_?(roundeven|floor|fma|exp|log)' out)
    check "cross/$name-calls-nothing" "$calls calls of the library" [ "$calls" = 0 ]
}
loops aarch64   16 'fmla[[:space:]]+v[0-9]+\.4s, v[0-9]+\.4s, v[0-9]+\.(s\[0\]|4s)' --target=aarch64-linux-gnu
loops x86-64-v3 12 'vfmadd231ps[[:space:]].*%ymm' --cpu=x86-64-v3
loops x86-64    16 'mulps[[:space:]].*%xmm'       --cpu=x86-64
loops x86-64-v4 16 'vfmadd231ps[[:space:]].*%zmm' --cpu=x86-64-v4

# ---- programs against the interpreter, compiled for other processors
programs="attention dropouts odd_conv residual scan_lstm scan_nested scatter"
files=
for program in $programs; do files="$files $root/tests/agree/programs/$program.nn"; done
runs_here() {  # does this processor have them all?
    for flag in "$@"; do grep -qw "$flag" /proc/cpuinfo 2>/dev/null || return 1; done
}
for cpu in x86-64-v3 x86-64; do
    flags=sse2
    [ $cpu = x86-64 ] || flags="avx2 bmi2 fma"
    # shellcheck disable=SC2086
    if runs_here $flags; then "$build/agree" --cpu=$cpu --work=$work_of_agree --suite=cross/$cpu $files
    else skip "cross/$cpu" "not for this processor"; fi
done

# ---- without a compiler or a runtime for the target
code 1 no-compiler env TARGET_CC=no-such-cc "$nnc" --target=aarch64-linux-gnu "$root/examples/digits.nn" -o none
says no-compiler-text err 'no-such-cc\|make runtime TARGET=aarch64-linux-gnu'
mkdir -p bin
cp "$nnc" bin/nnc
code 1 no-runtime bin/nnc --target=aarch64-linux-gnu "$root/examples/digits.nn" -o none
says no-runtime-text err 'make runtime TARGET=aarch64-linux-gnu'
check cross/leaves-nothing "a program is there" [ ! -e none ]

# ---- AArch64
target=aarch64-linux-gnu
for need in $target-gcc qemu-aarch64; do
    command -v $need > /dev/null || { skip cross/aarch64 "there is no $need"; exit 0; }
done
if [ "$(uname -m)" = aarch64 ]; then
    skip cross/aarch64 "this is one"
    exit 0
fi
# The folder by the name that `make` knows it by: by another, it would not see what is out of date.
env -u MAKEFLAGS -u MAKELEVEL make -s -C "$root" BUILD="${BUILD:-build}" TARGET=$target runtime elsewhere > make.out 2>&1 ||
    fail cross/runtime "$(tail -n 1 make.out)"
emulate="qemu-aarch64"
echo 'int main(void) { return 0; }' > probe.c
$target-gcc probe.c -o probe -l:libz.so.1 2> /dev/null || { skip cross/aarch64 "there is no zlib for it"; exit 0; }
$emulate ./probe 2> /dev/null || emulate="qemu-aarch64 -L /usr/$target"
$emulate ./probe 2> /dev/null || { skip cross/aarch64 "$emulate does not run programs"; exit 0; }

# shellcheck disable=SC2086
ELSEWHERE="$emulate $build/$target/elsewhere" "$build/agree" --target=$target --work=$work_of_agree \
    --suite=cross/aarch64 $files

# Whole programs: some steps here and there, then the same checkpoint.
as_here() {  # NAME FILE TRAIN FLAGS...: TRAIN are the arguments of both runs, FLAGS the compiler's
    name=$1 file=$2 train=$3
    shift 3
    compile "$file" "$name.here" "$@"
    compile "$file" "$name.there" "$@" --target=$target
    # shellcheck disable=SC2086
    "./$name.here" train $train --quiet --ckpt "$name.here.ckpt" > "$name.here.out" 2>&1 ||
        fail "cross/$name-runs-here" "$(tail -n 1 "$name.here.out")"
    # shellcheck disable=SC2086
    $emulate "./$name.there" train $train --quiet --ckpt "$name.there.ckpt" > "$name.there.out" 2>&1 ||
        fail "cross/$name-runs-there" "$(tail -n 1 "$name.there.out")"
    check "cross/$name-same-bits" "checkpoints differ" cmp "$(last "$name.here.ckpt")" "$(last "$name.there.ckpt")"
    check "cross/$name-same-words" "$(first "$name.there.out")" cmp "$name.here.out" "$name.there.out"
}
if ! grep -qw fma /proc/cpuinfo 2>/dev/null; then
    skip cross/same-bits "this processor has no fused multiply-adds"
    exit 0
fi
mkdir -p lenet5.data
"$build/tests/make_inputs" lenet5 lenet5.data
head -c 20000 "$root/docs/language.md" > text.txt
as_here digits "$root/examples/digits.nn" "--data $root/examples/data/digits.csv --epochs 2 --threads 2"
as_here lenet5 "$root/tests/train/reference/lenet5.nn" \
    "--data lenet5.data --load lenet5.data/weights.safetensors --steps 3"
as_here char_lstm "$root/examples/char_lstm.nn" "--data text.txt --steps 2" -D units=32
as_here gpt "$root/examples/gpt.nn" "--data text.txt --steps 3" -D layers=2 -D width=32 -D block=32

./gpt.here generate --ckpt gpt.here.ckpt --prompt nnc --length 60 > here.txt 2>&1
$emulate ./gpt.there generate --ckpt gpt.there.ckpt --prompt nnc --length 60 > there.txt 2>&1
check cross/gpt-same-text "$(first there.txt)" cmp here.txt there.txt
