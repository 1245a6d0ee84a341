#!/bin/sh
# Compiles examples/digits.nn, trains it, and shows what it reached.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
demo=$build/demo
mkdir -p "$demo"
echo
echo "\$ nnc examples/digits.nn -o digits"
"$build/nnc" examples/digits.nn -o "$demo/digits"
echo "\$ ./digits train"
"$demo/digits" train --data examples/data/digits.csv --ckpt "$demo/digits.ckpt" \
    --log "$demo/digits.jsonl"
echo
accuracy=$(sed -n '$s/.*"accuracy": *\([0-9.e-]*\).*/\1/p' "$demo/digits.jsonl")
echo "test accuracy    $(echo "$accuracy" | awk '{ printf "%.1f%%", 100 * $1 }')"
echo "learning curves  $demo/digits.ckpt/curves.svg"
echo "checkpoints      $demo/digits.ckpt/"
echo "the program      $demo/digits ($(($(wc -c < "$demo/digits") / 1024)) KB): eval, predict FILE, summary, bench ..."
