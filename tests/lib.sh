# What the test scripts share. A test reports one line: `ok NAME`, `FAIL NAME: why` or
# `skip NAME: why`; run.sh counts them.

build=$(cd "${BUILD:-build}" && pwd)
nnc=$build/nnc
root=$(cd "$(dirname "$0")/.." && pwd)
suite=$(basename "$0" .sh)
work=$build/tests/work/$suite
rm -rf "$work"
mkdir -p "$work"
data=${NNC_DATA:-$root/../shared/data}  # real data sets; tests that want one skip without it

# `make asan` leaves a linker driver here, by which nnc links programs with the sanitizers.
[ ! -x "$build/cc" ] || export CC="$build/cc"

# Sanitizers stop with a code of their own.
export ASAN_OPTIONS="detect_leaks=0:exitcode=99${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS="print_stacktrace=1:exitcode=99${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"

ok() { echo "ok $1"; }
fail() { echo "FAIL $1: $2"; }
skip() { echo "skip $1: $2"; }

# check NAME WHY COMMAND...: ok where the command succeeds.
check() {
    check_name=$1 check_why=$2
    shift 2
    if "$@"; then ok "$check_name"; else fail "$check_name" "$check_why"; fi
}

# differs A B: two files that are there, and not the same.
differs() {
    [ -s "$1" ] && [ -s "$2" ] || return 1
    cmp -s "$1" "$2"
    [ $? = 1 ]
}

# first FILE: its first line, for reports.
first() { head -n 1 "$1" | cut -c 1-200; }

# says NAME FILE PATTERN
says() { check "$suite/$1" "says: $(first "$2")" grep -q -e "$3" "$2"; }

compile() {  # FILE OUT FLAGS...
    compile_file=$1 compile_out=$2
    shift 2
    "$nnc" "$@" "$compile_file" -o "$compile_out" > "$compile_out.nnc" 2>&1 ||
        fail "$suite/compile-$compile_out" "$(first "$compile_out.nnc")"
}

# code WANT NAME COMMAND...: its exit code; what it prints is in out and err.
code() {
    code_want=$1 code_name=$2
    shift 2
    "$@" > out 2> err
    code_got=$?
    check "$suite/$code_name" "exit code $code_got, not $code_want: $(first err)" [ $code_got = "$code_want" ]
}

# near A B TOLERANCE: |A - B| <= TOLERANCE * max(1, |B|); false for what is no number.
near() {
    awk -v a="$1" -v b="$2" -v tol="$3" 'BEGIN {
        if (a !~ /^-?[0-9]/ || b !~ /^-?[0-9]/) exit 1
        d = a - b; if (d < 0) d = -d
        m = b < 0 ? -b : b; if (m < 1) m = 1
        exit !(d <= tol * m) }'
}

# json FILE LINE KEY: the number behind a key of one line ($ for the last).
json() { sed -n "$2s/.*\"$3\": *\\([-0-9.e+]*\\).*/\\1/p" "$1"; }
