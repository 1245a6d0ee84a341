# bench/results.md from what run.sh measured: the files about, limits.tsv, times, programs,
# torch_memory, reasons.tsv and kernels, in this order.

BEGIN {
    FS = "\t"
    title["w1"] = "W1: MLP 784-512-256-10, Adam, batch 128"
    title["w2"] = "W2: 784-30-10, batch 10"
    title["w3"] = "W3: LeNet-5, momentum, batch 64"
    title["w4"] = "W4: ResNet-20, momentum, batch 128"
    title["w5"] = "W5: character LSTM, 2 x 128, 50 sequences of 50, RMSprop"
    title["w6"] = "W6: GPT, 4 layers 128 wide, block 64, AdamW, batch 12"
    title["w6b"] = "W6b: GPT, 6 layers 384 wide, block 256, AdamW, batch 8"
    title["w7"] = "W7: U-Net, 128 x 128 pixels, Adam, batch 8"
    title["w8"] = "W8: softmax regression, 1000 steps"
    title["w10"] = "W10: layer norm, GELU, dropout, residual, both ways"
    title["w10n"] = "W10n: the same without dropout"
    title["w11:1"] = "W11: inference, MLP, batch 1"
    title["w11:256"] = "W11: inference, MLP, batch 256"
    title["w11lenet:1"] = "W11: inference, LeNet-5, batch 1"
    title["w11lenet:256"] = "W11: inference, LeNet-5, batch 256"
    title["block"] = "block: 16-channel residual block, both ways"
    least_mb["w10"] = least_mb["w10n"] = 5 * 4096 * 768 * 4 / 1e6  # x, y; x, g, dx
    label["onednn"] = "oneDNN"; label["openblas"] = "OpenBLAS"; label["blis"] = "BLIS"
    label["torch"] = "PyTorch"; label["numpy"] = "NumPy"
}
FNR == 1 { file = FILENAME; sub(/.*\//, "", file) }
file == "about" { about[$1] = $2; next }
file == "limits.tsv" {
    if (!($1 in peak)) { peak[$1] = $3; third[$1] = $6; memory[$1] = $7 }
    limit_row[++n_limit] = $0
    next
}
file == "times" {
    key = $1 FS $2
    if (!(key in seen)) { seen[key] = 1; place[++n_place] = key }
    if (!((key, $3, $4) in count)) settings[key, $3] = settings[key, $3] "\n" $4
    value[key, $3, $4, ++count[key, $3, $4]] = $5
    if ($3 == "nnc" && !($1 in rss) && $6 != "") rss[$1] = $6
    if ($3 == "nnc") gflops[key] = $7 * $5  # of one step, times a second over a thousand
    next
}
file == "programs" { program[++n_program] = $0; next }
file == "torch_memory" { torch_rss[$1] = $2; next }
file == "reasons.tsv" { if ($0 !~ /^#/ && NF >= 4) reason[$1, $2, $3] = $4; next }
file == "kernels" {
    kernel[++n_kernel] = $0
    split($2, part, " ")
    if ($2 ~ / all$/) limit_share[$1] = part[5] "%"
    next
}

# Median, least and largest of what one setting measured.
function summary(key, who, setting,    i, j, n, v, x) {
    n = count[key, who, setting]
    for (i = 1; i <= n; i++) {
        x = value[key, who, setting, i]
        for (j = i - 1; j >= 1 && v[j] > x; j--) v[j + 1] = v[j]
        v[j + 1] = x
    }
    low = v[1]; high = v[n]
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

# The best setting of a peer: its median, with low, high and its name in `best`; 0 for none.
function fastest(key, who,    i, n, part, m, least, l, h) {
    n = split(substr(settings[key, who], 2), part, "\n")
    least = 0
    for (i = 1; i <= n; i++) {
        m = summary(key, who, part[i])
        if (!least || m < least) { least = m; l = low; h = high; best = part[i] }
    }
    low = l; high = h
    return least
}

function ms(x) { return x >= 100 ? sprintf("%.0f", x) : x >= 1 ? sprintf("%.2f", x) : sprintf("%.4f", x) }
function spread(m, scale) { return m ? ms(m * scale) " (" ms(low * scale) " .. " ms(high * scale) ")" : "-" }
function named(w,    part, op) {
    if (w !~ /^w9:/) return w
    split(w, part, ":")
    op = part[5] == "NN" ? "" : " " part[5]
    return part[2] "x" part[3] "x" part[4] op
}

function print_head() {
    print "# Results"
    print ""
    print "Made by `make bench` in one run. Each program is measured in turns with its peers: the"
    print "median of " about["rounds"] " rounds, of which each is the median of the steps that fit in " about["time"] " s (a third of"
    print "that for products); in brackets the fastest and the slowest round. Every peer runs in the best"
    print "of its settings (kernels for AVX2 or AVX-512 in both of PyTorch's libraries, multi-tensor"
    print "optimizers, channels last, one pool of threads, an allocator that keeps its memory, as"
    print "installed), chosen by a first look at all of them. A ratio is the peer's time over nnc's:"
    print "above 1, nnc is faster."
    print ""
    printf "Machine: %s. %s.", about["machine"], about["nnc"]
    if (about["torch"] != "") printf " PyTorch %s.", about["torch"]
    if (about["numpy"] != "") printf " NumPy %s.", about["numpy"]
    print "\n"
    print "| threads | vector bits | multiply-adds, GFLOP/s | triad in L1, GB/s | L2 | L3 | memory |"
    print "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for (i = 1; i <= n_limit; i++) {
        split(limit_row[i], c, FS)
        printf "| %s | %d | %s | %s | %s | %s | %s |\n", c[1], 8 * c[2], c[3], c[4], c[5], c[6], c[7]
    }
}

function print_steps(    i, p, w, t, own, own_text, torch, torch_text, numpy, numpy_text, least, who, scale) {
    print "\n## Steps\n"
    print "Milliseconds. GFLOP/s are the program's floating-point operations (`nnc --emit=cost`, a"
    print "multiply-add is two) over its time, and their share of the machine's multiply-adds at the same"
    print "number of threads; of its limits: what its kernels' limits (below) allow over the step's time in"
    print "a profile on one thread. W8 is 1000 times the median step" (about["loss"] != "" ? "; its loss after 1000 steps is " sprintf("%.4f", about["loss"]) : "") "."
    print ""
    print "| workload | threads | nnc | PyTorch | NumPy | ratio to the best | GFLOP/s | of the peak | of its limits | setting of the best |"
    print "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for (i = 1; i <= n_place; i++) {
        split(place[i], p, FS); w = p[1]; t = p[2]
        if (w ~ /^w9:/) continue
        scale = w == "w8" ? 1000 : 1
        own = fastest(place[i], "nnc"); own_text = spread(own, scale)
        own_ms[w, t] = own
        torch = fastest(place[i], "torch"); torch_text = spread(torch, scale); who = best
        numpy = fastest(place[i], "numpy"); numpy_text = spread(numpy, scale)
        least = torch
        if (numpy && (!least || numpy < least)) { least = numpy; who = best }
        printf "| %s | %s | %s | %s | %s | %s | %.1f | %.0f%% | %s | %s |\n", title[w], t, own_text, torch_text,
            numpy_text, least ? sprintf("**%.2f**", least / own) : "-", gflops[place[i]] / own,
            100 * gflops[place[i]] / own / peak[t], t == 1 && w in limit_share ? limit_share[w] : "-",
            least ? who : "-"
    }
    for (w in least_mb) for (t = 1; t <= 2; t++) if ((w, t) in own_ms)
        printf "\n%s, %s thread%s: the least traffic (%.1f MB) at %.1f GB/s, %.0f%% of L3's bandwidth and %.0f%% of memory's.\n",
            toupper(substr(w, 1, 3)) substr(w, 4), t, (t == 2 ? "s" : ""), least_mb[w], least_mb[w] / own_ms[w, t],
            100 * least_mb[w] / own_ms[w, t] / third[t], 100 * least_mb[w] / own_ms[w, t] / memory[t]
}

function rate(key, who, flops,    m) {
    m = fastest(key, who)
    return m ? sprintf("%.1f (%.1f .. %.1f)", flops / m / 1e6, flops / high / 1e6, flops / low / 1e6) : "-"
}

function print_products(    i, k, p, part, t, own, m, flops, who, peers, least, one, text) {
    print "\n## Products (W9)\n"
    print "GFLOP/s. TN: the first operand is stored transposed; NT: the second."
    print ""
    print "| MxKxN | threads | nnc | oneDNN | OpenBLAS | BLIS | ratio to oneDNN | to the best | of the peak |"
    print "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    split("onednn openblas blis", peers, " ")
    for (i = 1; i <= n_place; i++) {
        split(place[i], p, FS); t = p[2]
        if (p[1] !~ /^w9:/) continue
        split(p[1], part, ":")
        flops = 2 * part[2] * part[3] * part[4]
        own = fastest(place[i], "nnc"); own_ms[p[1], t] = own
        text = rate(place[i], "nnc", flops)
        least = 0; one = fastest(place[i], "onednn")
        for (k = 1; k <= 3; k++) {
            m = fastest(place[i], peers[k])
            if (m && (!least || m < least)) least = m
        }
        printf "| %s | %s | %s | %s | %s | %s | %s | %s | %.0f%% |\n", named(p[1]), t, text,
            rate(place[i], "onednn", flops), rate(place[i], "openblas", flops), rate(place[i], "blis", flops),
            one ? sprintf("**%.2f**", one / own) : "-", least ? sprintf("%.2f", least / own) : "-",
            100 * flops / own / 1e6 / peak[t]
        if (one) { sum[t] += log(one / own); n_sum[t]++ }
        if (one && (!(t in worst) || one / own < worst[t])) { worst[t] = one / own; worst_at[t] = named(p[1]) }
    }
    for (t = 1; t <= 2; t++) if (n_sum[t])
        printf "\nGeometric mean to oneDNN, %s thread%s: **%.3f**; the least is %.2f, at %s.\n", t, (t == 2 ? "s" : ""),
            exp(sum[t] / n_sum[t]), worst[t], worst_at[t]
}

function print_slower(    i, p, text) {
    for (i = 1; i <= n_place; i++) {
        split(place[i], p, FS)
        if (p[2] == 2 && (p[1], 1) in own_ms && own_ms[p[1], 2] > 1.03 * own_ms[p[1], 1])
            text = text (text == "" ? "" : ", ") named(p[1]) sprintf(" (%.2f)", own_ms[p[1], 2] / own_ms[p[1], 1])
    }
    if (n_place) print "\nSlower on two threads than on one by more than 3%: " (text == "" ? "none" : text) "."
}

function print_programs(    i, c) {
    print "\n## Programs\n"
    print "The median of three compilations; the peak memory of a process that runs the steps, PyTorch's in"
    print "its fastest setting; the arena beside the largest sum of bytes alive at one time."
    print ""
    print "| workload | compiled in, ms | stripped, KB | peak memory, MB | PyTorch's | share | arena, MB | least, MB | over it |"
    print "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for (i = 1; i <= n_program; i++) {
        split(program[i], c, FS)
        printf "| %s | %.0f | %.0f | %s | %s | %s | %.2f | %.2f | %.1f%% |\n", named(c[1]), c[2], c[3] / 1000,
            c[1] in rss ? sprintf("%.1f", rss[c[1]]) : "-", c[1] in torch_rss ? torch_rss[c[1]] : "-",
            c[1] in torch_rss && c[1] in rss ? sprintf("%.2f", rss[c[1]] / torch_rss[c[1]]) : "-",
            c[4] / 1e6, c[5] / 1e6, c[5] ? 100 * (c[4] / c[5] - 1) : 0
    }
}

# A row of `profile`: us, share of the step, GFLOP/s, GB/s, percent of the limit, what bounds it,
# its place, its name.
function print_kernels(    i, k, c, p, w, name, n, why) {
    print "\n## Kernels far from their limits\n"
    print "Every kernel that takes more than 5% of a workload's time on one thread and reaches less than 60%"
    print "of its own limit: of the larger of the times that its arithmetic needs at the measured rate of"
    print "multiply-adds (an addition takes as long as a multiply-add), and its bytes at the bandwidth of"
    print "the level of memory that holds the program's arena. `PROGRAM profile` lists all kernels."
    print ""
    for (i = 1; i <= n_kernel; i++) {
        split(kernel[i], c, FS); w = c[1]
        split(c[2], p, " ")
        name = c[2]
        for (k = 1; k <= 7; k++) sub(/^ *[^ ]+ +/, "", name)
        if (name == "all" || p[2] <= 5 || p[5] >= 60) continue
        why = (w, name, p[7]) in reason ? reason[w, name, p[7]] : "not explained"
        printf "- %s, `%s` at %s: %s us, %s%% of the step, %s%% of its limit (%s; %s GFLOP/s, %s GB/s): %s.\n", named(w), name, p[7],
            p[1], p[2], p[5], p[6], p[3], p[4], why
        n++
    }
    if (!n) print "None."
}

END {
    print_head()
    for (i = 1; i <= n_place; i++) if (place[i] ~ /^w9:/) has_products = 1; else has_steps = 1
    if (has_steps) print_steps()
    if (has_products) print_products()
    print_slower()
    if (n_program) print_programs()
    print_kernels()
}
