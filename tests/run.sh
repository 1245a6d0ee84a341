#!/bin/sh
# Runs the suites (all, or those named) and counts. V=1 shows every test, not only those that
# failed or were skipped. The last line is `N passed, N failed`.
cd "$(dirname "$0")/.." || exit 1
suites="${*:-unit golden lang cli values grad library train data}"
log=${BUILD:-build}/tests/log
mkdir -p "$(dirname "$log")"
: > "$log"

for suite in $suites; do
    start=$(date +%s)
    # Each suite ends with a line of its own, so that one that breaks off is seen.
    { sh "tests/$suite.sh" && echo "end $suite"; } 2>&1 | tee -a "$log" |
        if [ "${V-}" ]; then cat; else grep -v '^ok \|^end ' || true; fi
    grep -q "^end $suite\$" "$log" || echo "FAIL $suite: the suite broke off" | tee -a "$log"
    echo "    $suite: $(($(date +%s) - start)) s"
done

passed=$(grep -c '^ok ' "$log")
failed=$(grep -c '^FAIL ' "$log")
skipped=$(grep -c '^skip ' "$log")
[ "$skipped" = 0 ] && skipped= || skipped=", $skipped skipped"
echo "$passed passed, $failed failed$skipped"
[ "$failed" = 0 ]
