# The library against PyTorch: values and gradients of definitions (tests/torch/reference.py says
# how), and properties that need no reference.
. "$(dirname "$0")/lib.sh"

for figures in "$root"/tests/torch/*.safetensors; do
    family=${figures%.safetensors}
    "$build/torch" --suite="torch/${family##*/}" "$family.nn" "$figures" 2> "$work/out" || cat "$work/out"
done
