#!/bin/sh
# Runs the suites (all, or those named), as many at a time as there are cores, and counts. V=1
# shows every test, not only those that failed or were skipped. The last line is `N passed, N
# failed`.
cd "$(dirname "$0")/.." || exit 1
suites="${*:-train program entries agree examples deep cross unit fuzz calculus grad library torch numerics values splits where cli data lang golden docs memory budget text generate}"  # the longest first
logs=${BUILD:-build}/tests/log
rm -rf "$logs"
mkdir -p "$logs"
export logs

# Each suite ends with a line of its own, so that one that breaks off is seen.
echo "$suites" | tr ' ' '\n' | xargs -P "$(nproc)" -I SUITE sh -c '
    start=$(date +%s)
    { sh tests/SUITE.sh && echo "end SUITE"; } > "$logs/SUITE" 2>&1
    grep -q "^end SUITE\$" "$logs/SUITE" || echo "FAIL SUITE: the suite broke off" >> "$logs/SUITE"
    if [ "${V-}" ]; then cat "$logs/SUITE"; else grep -v "^ok \|^end " "$logs/SUITE"; fi
    echo "    SUITE: $(grep -c "^ok " "$logs/SUITE") passed, $(($(date +%s) - start)) s"'

passed=$(cat "$logs"/* | grep -c '^ok ')
failed=$(cat "$logs"/* | grep -c '^FAIL ')
skipped=$(cat "$logs"/* | grep -c '^skip ')
[ "$skipped" = 0 ] && skipped= || skipped=", $skipped skipped"
echo "$passed passed, $failed failed$skipped"
[ "$failed" = 0 ]
