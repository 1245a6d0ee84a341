#!/bin/sh
# Times the programs of bench/ beside PyTorch, NumPy, oneDNN, OpenBLAS and BLIS, where they are
# installed: each in the best of its settings, in turns, so that all meet the same machine, on one
# thread and on two. Writes bench/results.md; reasons.tsv says why kernels stay far below their
# limits, notes.md is added as it stands.
#
#   WORKLOADS="w1 w9" THREADS="1" ROUNDS=5 TIME=0.3 PYTHON=/usr/bin/python3 sh bench/run.sh
#
# TIME is the seconds that one measurement takes; BENCH_LOCK a file to lock meanwhile; OUT where the
# result goes. All takes 20 minutes.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build} rounds=${ROUNDS:-5} time=${TIME:-0.3} python=${PYTHON:-/usr/bin/python3}
workloads=${WORKLOADS:-w1 w2 w3 w4 w5 w6 w6b w7 w8 w10 w10n w11 block w9} threads=${THREADS:-1 2}
out=${OUT:-bench/results.md} work=${WORK:-$build/bench}
tab=$(printf '\t')
rm -rf "$work"
mkdir -p "$work"
: > "$work/times"    # workload threads who setting ms peak_mb gflops
: > "$work/programs" # workload compile_ms stripped_kb arena_bytes least_bytes rss_mb
: > "$work/kernels"  # workload, then a row of `profile`

now() { date +%s%N; }
field() { sed -n "s/.*\"$1\": *\\([0-9.e+-]*\\).*/\\1/p"; }
say() { echo "bench: $(( ($(now) - begun) / 1000000000)) s: $*" >&2; }
begun=$(now)
less() { awk -v a="$1" -v b="$2" 'BEGIN { print a * b }'; }  # a times b, for shares of `time`

# Runs one measurement, alone if there is a lock.
alone() {
    if [ "${BENCH_LOCK-}" ]; then ( flock 9; "$@" ) 9> "$BENCH_LOCK"; else "$@"; fi
}

record() {  # WORKLOAD THREADS WHO SETTING JSON
    ms=$(echo "$5" | field step_ms)
    [ -z "$ms" ] || printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$ms" \
        "$(echo "$5" | field peak_rss_mb)" "$(echo "$5" | field gflops)" >> "$work/times"
}

# ---- our programs

# M K N and how the operands are stored.
products="512:512:512:NN 1024:1024:1024:NN 2048:2048:2048:NN 128:784:512:NN 784:128:512:TN
128:512:256:NN 128:256:512:NT 128:256:10:NN 10:784:30:NN 768:128:384:NN 768:128:512:NN
768:512:128:NN 2048:384:1536:NN 2048:1536:384:NN 384:2048:1536:TN"

all=
for w in $workloads; do
    case $w in
    w9) for p in $products; do all="$all w9:$p"; done ;;
    w11) all="$all w11:1 w11:256 w11lenet:1 w11lenet:256" ;;  # of so many rows
    *) all="$all $w" ;;
    esac
done

dimension() { echo "$1" | cut -d : -f "$2"; }  # of w9:M:K:N:NN and w11:ROWS, from 2

# What nnc compiles for a workload: its options and its file.
source_of() {
    case $1 in
    w9:*)
        suffix=
        case $1 in *TN) suffix=tn ;; *NT) suffix=nt ;; esac
        echo "-D m=$(dimension "$1" 2) -D k=$(dimension "$1" 3) -D n=$(dimension "$1" 4) bench/w9$suffix.nn"
        ;;
    w11*) echo "-D rows=$(dimension "$1" 2) bench/${1%:*}.nn" ;;
    *) echo "bench/$1.nn" ;;
    esac
}

program_of() { echo "$work/$(echo "$1" | tr : _)"; }

compile() {  # WORKLOAD: the median of three times
    program=$(program_of "$1")
    for _ in 1 2 3; do
        start=$(now)
        # shellcheck disable=SC2046
        "$build/nnc" $(source_of "$1") -o "$program"
        echo $((($(now) - start) / 100000))
    done | sort -n | sed -n 's/.$/.&/;2p'
}

# How many steps of a program fit, but three at least: by two steps, and where they are short by more.
steps_in() {  # PROGRAM THREADS SECONDS
    n=2
    for _ in 1 2; do
        ms=$("$1" bench --threads "$2" --steps "$n" --warmup $((n / 2)) | field min_ms)
        n=$(awk -v ms="$ms" -v s="$3" 'BEGIN { print int(1000 * s / ms) }')
        [ "$n" -gt 100 ] || break
    done
    echo "$n" | awk '{ print ($1 < 3 ? 3 : $1 > 99999 ? 99999 : $1) }'
}

own_time() {  # WORKLOAD THREADS SECONDS
    program=$(program_of "$1")
    steps=$(steps_in "$program" "$2" "$3")
    alone "$program" bench --threads "$2" --steps "$steps" --warmup $((steps / 3 + 1))
}

prepare() {  # WORKLOAD
    ms=$(compile "$1")
    program=$(program_of "$1")
    strip -o "$program.stripped" "$program"
    # shellcheck disable=SC2046
    memory=$("$build/nnc" --emit=memory=- $(source_of "$1") |
        sed -n 's/^arena: \([0-9]*\) bytes.* less than \([0-9]*\)/\1\t\2/p')
    printf '%s\t%s\t%s\t%s\n' "$1" "$ms" "$(wc -c < "$program.stripped")" "$memory" >> "$work/programs"
    alone "$program" profile --threads 1 --steps "$(steps_in "$program" 1 "$time")" --warmup 2 |
        sed -n "/^ *us /,/ all\$/s/^/$1$tab/p" | grep -v ' us .* kernel$' >> "$work/kernels"
}

# ---- peers in Python: servers, one for each environment, that measure what they are asked

lib=$(cd "$(dirname "$(${CC:-cc} -print-file-name=libm.so.6)")" && pwd -P)
common="env"
[ ! -d "$lib/openblas-openmp" ] || common="$common LD_LIBRARY_PATH=$lib/openblas-openmp"
[ ! -e "$lib/libtcmalloc_minimal.so.4" ] || common="$common LD_PRELOAD=$lib/libtcmalloc_minimal.so.4"
levels="avx2"
cores="default"
if grep -q avx512f /proc/cpuinfo; then levels="avx2 avx512" cores="default SkylakeX"; fi
has() { "$python" -c "import $1" 2> /dev/null; }

servers=
stop_servers() {
    for s in $servers; do
        kill "$(cat "$work/$s.pid")" 2> /dev/null || :
    done
    servers=
}
trap stop_servers EXIT
trap 'exit 1' INT TERM

serve() {  # NAME THREADS FILE ENVIRONMENT...: its ends stay open while it runs
    name=$1 n=$2 file=$3
    shift 3
    rm -f "$work/$name.in" "$work/$name.out"
    mkfifo "$work/$name.in" "$work/$name.out"
    "$@" OMP_NUM_THREADS="$n" OPENBLAS_NUM_THREADS="$n" "$python" -B "$file" \
        0<> "$work/$name.in" 1<> "$work/$name.out" 2>> "$work/$name.err" &
    echo $! > "$work/$name.pid"
    servers="$servers $name"
}

start_servers() {  # THREADS
    for c in $cores; do
        core=
        [ "$c" = default ] || core="OPENBLAS_CORETYPE=$c"
        # shellcheck disable=SC2086
        [ -z "$has_numpy" ] || serve "numpy,$c" "$1" bench/numpy_bench.py $common $core
        for l in $levels; do
            # shellcheck disable=SC2086
            [ -z "$has_torch" ] || serve "torch,$c,$l" "$1" bench/torch_bench.py $common $core ATEN_CPU_CAPABILITY="$l"
        done
    done
    [ -z "$has_torch" ] || serve torch,asis "$1" bench/torch_bench.py env
}

ask() {  # SERVER WORKLOAD SECONDS FLAGS...
    server=$1
    shift
    kill -0 "$(cat "$work/$server.pid")" 2> /dev/null || return 0
    echo "$@" > "$work/$server.in"
    read -r answer < "$work/$server.out"
    echo "$answer"
}

python_settings() {  # WORKLOAD: servers and flags
    for s in $servers; do
        case $s in
        numpy*) case $1 in w1 | w2 | w8 | w11:*) echo "$s" ;; esac ;;
        torch,asis) echo "$s" ;;
        *)
            echo "$s"
            case $1 in w1 | w2 | w3 | w5 | w6 | w6b | w8) echo "$s foreach" ;; esac
            case $1 in w3 | w4 | w7 | block) echo "$s channels-last" ;; esac
            case $1 in w3 | w4 | w7) echo "$s foreach channels-last" ;; esac
            case $1 in w11*) echo "$s trace" && echo "$s optimized" ;; esac
            case $1 in w11lenet*) echo "$s optimized channels-last" ;; esac
            ;;
        esac
    done
}

python_time() {  # WORKLOAD SECONDS SERVER FLAGS...
    workload=$1 seconds=$2 server=$3
    shift 3
    alone ask "$server" "$workload" "$seconds" "$@"
}

# ---- libraries of products

library_of() {
    for path in "$lib"/$1; do
        [ ! -e "$path" ] || { echo "$path"; return; }
    done
}
dnnl=$(library_of 'libdnnl.so*') openblas=$(library_of 'openblas-openmp/libopenblas.so*')
blis=$(library_of 'blis-openmp/libblis.so*')

product_settings() {
    [ -z "$dnnl" ] || echo onednn
    for c in $cores; do
        [ -z "$openblas" ] || echo "openblas $c"
        [ -z "$blis" ] || echo "blis $c"
    done
}

product_time() {  # WORKLOAD THREADS SECONDS LIBRARY [CORE]
    kind=cblas core=
    case $4 in
    onednn) path=$dnnl kind=dnnl ;;
    openblas) path=$openblas ;;
    blis) path=$blis ;;
    esac
    [ "${5-default}" = default ] || core="OPENBLAS_CORETYPE=$5 BLIS_ARCH_TYPE=skx"
    # shellcheck disable=SC2046,SC2086
    alone env OMP_NUM_THREADS="$2" BLIS_NUM_THREADS="$2" OMP_PROC_BIND=true $core "$work/products" "$path" $kind \
        $(echo "$1" | cut -d : -f 2-5 | tr : ' ') "$3"
}

# ---- one workload: a first look at all settings, then rounds with the best of each peer

peer_time() {  # WORKLOAD THREADS SECONDS SETTING...
    case $1 in
    w9:*) product_time "$@" ;;
    *)
        w=$1 s=$3
        shift 3
        python_time "$w" "$s" "$@"
        ;;
    esac
}

peer_settings() {
    case $1 in w9:*) product_settings ;; *) python_settings "$1" ;; esac
}

# The fastest setting of each peer, and PyTorch's second: milliseconds and setting from standard
# input, the fastest first.
choose() {
    awk -F '\t' '{
        split($2, part, "[ ,]")
        most = part[1] == "torch" ? 2 : 1
        if ($1 != "" && taken[part[1]]++ < most) print $2 }'
}

run_workload() {  # WORKLOAD THREADS SECONDS
    look=$(less "$3" 0.4)
    peer_settings "$1" | while IFS= read -r setting; do
        # shellcheck disable=SC2086
        printf '%s\t%s\n' "$(peer_time "$1" "$2" "$look" $setting | field step_ms)" "$setting"
    done | sort -g > "$work/look"
    sed "s/^/$1$tab$2$tab/" "$work/look" >> "$work/looks"
    choose < "$work/look" > "$work/chosen"
    round=0
    while [ $round -lt "$rounds" ]; do
        round=$((round + 1))
        record "$1" "$2" nnc - "$(own_time "$1" "$2" "$3")"
        while IFS= read -r setting; do
            # shellcheck disable=SC2086
            record "$1" "$2" "${setting%%[ ,]*}" "$setting" "$(peer_time "$1" "$2" "$3" $setting)"
        done < "$work/chosen"
    done
    say "$1, $2 threads: done"
}

# Peak memory of a process that does nothing else, in the setting that was the fastest.
torch_memory() {  # WORKLOAD
    setting=$(awk -F '\t' -v w="$1" '$1 == w && $3 == "torch" { print $4; exit }' "$work/times")
    [ -n "$setting" ] || return 0
    flags=$(echo "$setting" | sed 's/^[^ ]*//')
    echo "$1 0.1 alone$flags" | OMP_NUM_THREADS=1 $common "$python" -B bench/torch_bench.py 2> /dev/null |
        field peak_rss_mb | sed "s/^/$1$tab/" >> "$work/torch_memory"
}

# Softmax regression ends where it must: the figure is that of 1000 steps by NumPy and PyTorch.
check_loss() {
    "$work/w8" train --ckpt '' --quiet --threads 2 --log "$work/w8.log" > /dev/null
    loss=$(tail -n 1 "$work/w8.log" | field loss)
    awk -v loss="$loss" 'BEGIN { exit !(loss > 0.12585 && loss < 0.12595) }' ||
        { say "w8: the loss after 1000 steps is $loss, not 0.1259"; exit 1; }
    echo "$loss" > "$work/w8.loss"
}

main() {
    ${CC:-cc} -O2 -o "$work/products" bench/products.c -ldl
    ${CC:-cc} -O2 -no-pie -I. -o "$work/limits" bench/limits.c "$build/libnnrt.a" -lz -lm -lpthread
    alone "$work/limits" > "$work/limits.tsv"
    has_torch= has_numpy=
    ! has torch || has_torch=yes
    ! has numpy || has_numpy=yes
    for w in $all; do prepare "$w"; done
    [ ! -e "$work/w8" ] || check_loss
    say "compiled and profiled"
    for t in $threads; do
        start_servers "$t"
        for w in $all; do
            case $w in w9:*) run_workload "$w" "$t" "$(less "$time" 0.3)" ;; *) run_workload "$w" "$t" "$time" ;; esac
        done
        stop_servers
    done
    : > "$work/torch_memory"
    [ -z "$has_torch" ] || for w in $all; do torch_memory "$w"; done
    {
        printf 'machine\t%s, %s cores, %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
            "$(nproc)" "$(uname -s -m)"
        printf 'nnc\t%s\n' "$("$build/nnc" --version | head -n 1)"
        [ -z "$has_torch" ] || printf 'torch\t%s\n' "$("$python" -c 'import torch; print(torch.__version__)')"
        [ -z "$has_numpy" ] || printf 'numpy\t%s\n' "$("$python" -c 'import numpy; print(numpy.__version__)')"
        printf 'rounds\t%s\ntime\t%s\n' "$rounds" "$time"
        [ ! -e "$work/w8.loss" ] || printf 'loss\t%s\n' "$(cat "$work/w8.loss")"
    } > "$work/about"
    awk -f bench/report.awk "$work/about" "$work/limits.tsv" "$work/times" "$work/programs" \
        "$work/torch_memory" bench/reasons.tsv "$work/kernels" > "$work/results.md"
    [ ! -e bench/notes.md ] || { echo; cat bench/notes.md; } >> "$work/results.md"
    cp "$work/results.md" "$out"
    say "$out is written"
}
main
