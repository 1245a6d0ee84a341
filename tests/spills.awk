# Innermost loops with at least 16 multiply-adds that store to the stack: their number.
/^\.L[A-Za-z0-9_]*:/ { label = $1; sub(/:.*/, "", label); at[label] = NR }
{ line[NR] = $0 }
/^[ \t]+j[a-z]+[ \t]/ && ($2 in at) {
    fma = spill = inner = 0
    for (i = at[$2]; i <= NR; i++) {
        if (line[i] ~ /vfmadd/) fma++
        if (line[i] ~ /vmov[a-z0-9]*[ \t]+%[xyz]mm[0-9]+, -?[0-9]*\(%rsp\)/) spill++
        if (back[i]) inner++
    }
    back[NR] = 1
    if (!inner && fma >= 16) { loops++; if (spill) bad++ }
}
END { print loops + 0, bad + 0 }
