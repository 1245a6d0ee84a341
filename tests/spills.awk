# Innermost loops with at least 16 multiply-adds (-v least=N: N of them) that store to the stack:
# their number. For x86-64, where without FMA the additions count, and AArch64.
BEGIN { if (!least) least = 16 }
/^\.L[A-Za-z0-9_]*:/ { label = $1; sub(/:.*/, "", label); at[label] = NR }
{ line[NR] = $0 }
/^[ \t]+(j[a-z]+|b\.[a-z]+|cbn?z|tbn?z)[ \t]/ && ($NF in at) {
    fma = spill = inner = 0
    for (i = at[$NF]; i <= NR; i++) {
        if (line[i] ~ /vfmadd|[ \t]addps|fmla/) fma++
        if (line[i] ~ /v?mov[a-z0-9]*[ \t]+%[xyz]mm[0-9]+, -?[0-9]*\(%rsp\)/) spill++
        if (line[i] ~ /st[rp][ \t]+[qds][0-9].*\[sp/) spill++
        if (back[i]) inner++
    }
    back[NR] = 1
    if (!inner && fma >= least) { loops++; if (spill) bad++ }
}
END { print loops + 0, bad + 0 }
