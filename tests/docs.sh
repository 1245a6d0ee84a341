# docs/coverage.md tells the truth: what it names exists.
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
tab=$(printf '\t')

is_defined() {  # a definition of the library, a field of an example, or a word of the language
    cat compiler/std/*.nn | grep -Eq "^(fn|layer|loss|metric|optimizer) $1\\b" ||
        [ -e "examples/$1.nn" ] || [ -e "$1" ] || grep -q "\`$1\b" docs/language.md
}

is_a_test() {  # SUITE NAME
    case $1 in
    examples) grep -q "^$2$tab" examples/examples.tsv ;;
    grad)     [ "$2" = has-NAME ] || grep -q "^$2[ .:]" tests/grad/definitions ;;
    torch)    [ -e "tests/torch/$2.safetensors" ] ;;
    values)   cut -f1 tests/lang/values/values.tsv | tr ' ' - | grep -qx "$2" ;;
    library)  cut -f1 tests/train/reference/library.tsv | tr ' ' - | grep -qx "$2" ||
                  grep -q "^initializer $2 " tests/library.sh ;;
    golden)   [ -e "tests/lang/golden/$2.expected" ] ;;
    unit)     [ -e "tests/unit/$2.c" ] ;;
    numerics) grep -q "^$2\\b" tests/numerics/*.tsv || grep -Eq "\\b$2\\b" tests/numerics.sh ;;
    *)        grep -Eq "$1/$2|$1/\\\$(name|network|1)|(follows|same_path|agrees) ${2%%-*}" "tests/$1.sh" ;;
    esac
}

# The rows of the tables: what, as, test.
grep '^|' docs/coverage.md | grep -v '^| *|\|^| ---' > "$work/rows"
check docs/coverage-has-rows "$(wc -l < "$work/rows") rows" [ "$(wc -l < "$work/rows")" -gt 60 ]
cut -d '|' -f 3 "$work/rows" | grep -o '`[^`]*`' | tr -d '`' | sed 's/[ (].*//' | sort -u |
    while read -r name; do
        case $name in -* | PROGRAM | nnc | train) continue ;; esac
        check "docs/coverage-names-$name" "there is none" is_defined "$name"
    done
cut -d '|' -f 4 "$work/rows" | grep -o '[a-z]*/[A-Za-z0-9_-]*' | sort -u | while IFS=/ read -r suite name; do
    check "docs/coverage-test-$suite-$name" "there is none" is_a_test "$suite" "$name"
done
