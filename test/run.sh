#!/usr/bin/env bash
# The whole check of the project: build, lint, types, every test. Its last line is the plain count `N passed, N failed`,
# added up from tap's own totals.
set -uo pipefail
cd "$(dirname "$0")/.."

bash test/needs.sh || { echo '0 passed, 1 failed'; exit 1; }

rm -rf dist
echo '== build and types'
npx tsc -p tsconfig.json || { echo '0 passed, 1 failed'; exit 1; }
echo '== lint'
npx biome check . || { echo '0 passed, 1 failed'; exit 1; }
echo '== tests'
npx tap build >/dev/null 2>&1

passed=0
failed=0
# run NAME JOBS FILES...: so many processes at a time; the totals are the last line of dist/NAME.tap.
run() {
  local name=$1 jobs=$2
  shift 2
  node dist/test/suite.js "$name" "$jobs" "$@"
  local totals pass fail
  totals=$(grep -aE '^# \{ total: ' "dist/$name.tap" | tail -n 1)
  pass=$(sed -nE 's/.*pass: ([0-9]+).*/\1/p' <<<"$totals")
  fail=$(sed -nE 's/.*fail: ([0-9]+).*/\1/p' <<<"$totals")
  passed=$((passed + ${pass:-0}))
  # Without totals the run itself has failed.
  failed=$((failed + ${fail:-1}))
}

shopt -s globstar nullglob extglob
# Tests that start gateways run two at a time, those that load them one at a time: there may be two cores only.
loads=' aborts busy-processor delivery drain job-kill job-nodes jobs-redis jobs-redis-faults idle-connections limits load nodes overload process-faults reload-load '
unit=()
processes=()
alone=()
for file in dist/test/**/*.test.js; do
  name=$(basename "$file" .test.js)
  if [[ $file == dist/test/e2e/* && $loads == *" $name "* ]]; then alone+=("$file")
  elif [[ $file == dist/test/@(compat|e2e|faults)/* ]]; then processes+=("$file")
  else unit+=("$file"); fi
done
run unit 2 --areas "${unit[@]}"
run processes 2 "${processes[@]}"
run load 1 "${alone[@]}"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
