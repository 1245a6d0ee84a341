# What the compiler says of programs: `nnc check` must report exactly the errors and warnings
# that the program's comments expect, each on its line: `# error: part of the text`.
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1

expected() {  # LINE error: TEXT
    awk '{ line = $0
           while (match(line, /# (error|warning): /)) {
               line = substr(line, RSTART + 2)
               text = line
               sub(/ *# (error|warning): .*/, "", text)
               print FNR " " text
           } }' "$1" | sort -n
}

# Each expected line takes one reported line that starts with it and holds its text.
compare() {  # EXPECTED REPORTED
    awk 'FILENAME == ARGV[1] { n++; line[n] = $1; kind[n] = $2; text[n] = substr($0, length($1 $2) + 3); next }
         { hit = 0
           for (i = 1; i <= n && !hit; i++)
               if (!seen[i] && $1 == line[i] && $2 == kind[i] && index($0, text[i])) hit = seen[i] = 1
           if (!hit) { print "unexpected: " $0; bad = 1 } }
         END { for (i = 1; i <= n; i++)
                   if (!seen[i]) { print "missing: " line[i] " " kind[i] " " text[i]; bad = 1 }
               exit bad }' "$1" "$2"
}

for file in $(find tests/lang examples -name '*.nn' | sort); do
    "$nnc" check "$file" > "$work/out" 2>&1
    code=$?
    expected "$file" > "$work/expected"
    sed -n "s!^$file:\\([0-9]*\\):[0-9]*: \\(error\\|warning\\): !\\1 \\2: !p" "$work/out" |
        sort -n > "$work/reported"
    want=0
    grep -q '^[0-9]* error:' "$work/expected" && want=1
    if ! compare "$work/expected" "$work/reported" > "$work/diff"; then
        fail "lang/$file" "$(first "$work/diff")"
        sed -n '2,8p' "$work/diff"
    elif [ $code != $want ]; then
        fail "lang/$file" "exit code $code: $(first "$work/out")"
    else
        ok "lang/$file"
    fi
done
