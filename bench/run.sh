#!/bin/sh
# Times a training step of W1 (an MLP) and W3 (LeNet-5) by the compiled program and, where it is
# installed, by PyTorch in every setting that helps it somewhere; in turns, so that both meet the
# same machine. Writes bench/results.md.  ROUNDS=5 STEPS=200 PYTHON=/usr/bin/python3
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build} rounds=${ROUNDS:-5} steps=${STEPS:-200} python=${PYTHON:-/usr/bin/python3}
work=$build/bench
out=bench/results.md
mkdir -p "$work"
: > "$work/times"   # workload threads who setting step_ms

now() { date +%s%N; }
step_ms() { sed -n 's/.*"step_ms": *\([0-9.e+-]*\).*/\1/p'; }

# ---- compile, and start (to print its usage): the medians of five
for w in w1 w3; do
    : > "$work/$w.compile"
    : > "$work/$w.start"
    for _ in 1 2 3 4 5; do
        start=$(now)
        "$build/nnc" bench/$w.nn -o "$work/$w"
        echo $((($(now) - start) / 1000000)) >> "$work/$w.compile"
        start=$(now)
        "$work/$w" --help > /dev/null
        echo $((($(now) - start) / 1000)) >> "$work/$w.start"
    done
    strip -o "$work/$w.stripped" "$work/$w"
done

# ---- PyTorch's settings: threads of one pool (the OpenMP build of OpenBLAS), an allocator that
# keeps its memory, AVX-512 or AVX2 kernels in each of the two libraries.
has_torch=
"$python" -c 'import torch' 2>/dev/null && has_torch=yes
lib=$(dirname "$(cc -print-file-name=libm.so.6)")
lib=$(cd "$lib" && pwd -P)
common="env"
for dir in "$lib/openblas-openmp" /usr/lib/*/openblas-openmp; do
    [ -d "$dir" ] && common="env LD_LIBRARY_PATH=$dir" && break
done
for pre in /usr/lib/*/libtcmalloc_minimal.so.4; do
    [ -e "$pre" ] && common="$common LD_PRELOAD=$pre" && break
done
blas="blas=default"
grep -q avx512f /proc/cpuinfo && blas="$blas blas=SkylakeX"

torch_settings() {  # WORKLOAD: environment settings, then flags
    for b in $blas; do
        for aten in avx2 avx512; do
            case $aten in avx512) grep -q avx512f /proc/cpuinfo || continue ;; esac
            for flags in "" "--foreach"; do
                echo "$b aten=$aten $flags"
                [ "$1" != w3 ] || echo "$b aten=$aten $flags --channels-last"
            done
        done
    done
    echo "asis"
}

torch_step() {  # WORKLOAD THREADS SETTING STEPS
    run=$common flags=
    for word in $3; do
        case $word in
        asis) run=env ;;
        blas=default) ;;
        blas=*) run="$run OPENBLAS_CORETYPE=${word#blas=}" ;;
        aten=*) run="$run ATEN_CPU_CAPABILITY=${word#aten=}" ;;
        *) flags="$flags $word" ;;
        esac
    done
    $run "$python" bench/torch_bench.py "$1" --threads "$2" --steps "$4" $flags 2>/dev/null | step_ms
}

record() {
    [ -z "$5" ] || printf '%s\t%s\t%s\t%s\t%s\n' "$@" >> "$work/times"
}

# A first look at all settings, then rounds with the three fastest and the one as installed.
for w in w1 w3; do
    for t in 1 2; do
        if [ "$has_torch" ]; then
            torch_settings $w | while IFS= read -r setting; do
                printf '%s\t%s\n' "$(torch_step $w $t "$setting" 60)" "$setting"
            done | sort -n > "$work/$w.$t.first"
            grep -v asis "$work/$w.$t.first" | head -n 3 > "$work/$w.$t.best"
            grep asis "$work/$w.$t.first" >> "$work/$w.$t.best"
        else
            : > "$work/$w.$t.best"
        fi
        round=0
        while [ $round -lt "$rounds" ]; do
            round=$((round + 1))
            record $w $t nnc - "$("$work/$w" bench --threads $t --steps "$steps" --warmup 50 | step_ms)"
            cut -f 2 "$work/$w.$t.best" | while IFS= read -r setting; do
                record $w $t torch "$setting" "$(torch_step $w $t "$setting" "$steps")"
            done
        done
        echo "$w, $t threads: done" >&2
    done
done

# ---- the table
{
    echo "# Step times"
    echo
    echo "Milliseconds per training step: the median of $rounds runs, each the median of $steps steps;"
    echo "in brackets the fastest and the slowest run. Made by \`make bench\` in one session, the"
    echo "programs in turns."
    echo
    echo "Machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores," \
        "$(grep -q avx512f /proc/cpuinfo && echo "with AVX-512" || echo "without AVX-512")." \
        "$(uname -s -m). $("$build/nnc" --version | head -n 1);" \
        "$([ "$has_torch" ] && "$python" -c 'import torch; print("PyTorch", torch.__version__)' || echo "no PyTorch")."
    echo
    echo "| workload | threads | nnc | PyTorch, best setting | ratio | its setting | PyTorch as installed |"
    echo "| --- | ---: | ---: | ---: | ---: | --- | ---: |"
    sort -t "$(printf '\t')" -k 1,4 -k 5,5g "$work/times" | awk -F '\t' '
        function close_group() {
            if (!n) return
            m = n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
            text = sprintf("%.3f (%.3f .. %.3f)", m, v[1], v[n])
            place = w " " t
            if (!(place in seen)) { seen[place] = 1; order[++places] = place }
            if (who == "nnc") { nnc[place] = m; nnc_text[place] = text }
            else if (s == "asis") asis[place] = text
            else if (!(place in best) || m < best[place]) {
                best[place] = m; best_text[place] = text; setting[place] = s
            }
            n = 0
        }
        { key = $1 FS $2 FS $3 FS $4
          if (key != last) { close_group(); last = key; w = $1; t = $2; who = $3; s = $4 }
          v[++n] = $5 }
        END {
            close_group()
            name["w1"] = "W1: MLP 784-512-256-10, batch 128, Adam"
            name["w3"] = "W3: LeNet-5, batch 64, momentum"
            for (i = 1; i <= places; i++) {
                p = order[i]; split(p, part, " ")
                ratio = p in best ? sprintf("%.2f", best[p] / nnc[p]) : "-"
                printf "| %s | %s | %s | %s | %s | %s | %s |\n", name[part[1]], part[2], nnc_text[p],
                    p in best ? best_text[p] : "-", ratio, p in best ? setting[p] : "-",
                    p in asis ? asis[p] : "-"
            }
        }'
    echo
    echo "The ratio is PyTorch's time over nnc's: above 1, nnc is faster."
    echo
    echo "| workload | compile time, ms | program, stripped, KB | prints its usage in, ms |"
    echo "| --- | ---: | ---: | ---: |"
    for w in w1 w3; do
        echo "| $w | $(sort -n "$work/$w.compile" | sed -n 3p) | $(($(wc -c < "$work/$w.stripped") / 1024)) |" \
            "$(sort -n "$work/$w.start" | sed -n 3p | awk '{ printf "%.1f", $1 / 1000 }') |"
    done
} > "$work/results.md"
mv "$work/results.md" $out
cat $out
