#!/usr/bin/env bash
# The whole check of the project: build, lint, types, every test. Its last line is the plain count `N passed, N failed`,
# added up from tap's own totals.
set -uo pipefail
cd "$(dirname "$0")/.."

# Real parts the tests use. As root on Debian what is missing is installed, else it is named.
missing=()
for tool in curl redis-server; do command -v "$tool" >/dev/null || missing+=("$tool"); done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" || exit 1
  else
    echo "The tests need: ${missing[*]}. Please install them." >&2
    exit 1
  fi
fi

rm -rf dist
echo '== build and types'
npx tsc -p tsconfig.json || { echo '0 passed, 1 failed'; exit 1; }
echo '== lint'
npx biome check . || { echo '0 passed, 1 failed'; exit 1; }
echo '== tests'
npx tap build >/dev/null 2>&1

passed=0
failed=0
status=0
# run NAME JOBS FILES...: one tap run; its totals are the last `# { total: N, pass: N, fail: N }` line of its TAP.
run() {
  local name=$1 jobs=$2
  shift 2
  [ -e "$1" ] || return 0
  npx tap --reporter="${TAP_REPORTER:-terse}" --output-file="dist/$name.tap" --jobs="$jobs" "$@" || status=1
  local totals
  totals=$(grep -aE '^# \{ total: ' "dist/$name.tap" | tail -n 1)
  local pass fail
  pass=$(sed -nE 's/.*pass: ([0-9]+).*/\1/p' <<<"$totals")
  fail=$(sed -nE 's/.*fail: ([0-9]+).*/\1/p' <<<"$totals")
  passed=$((passed + ${pass:-0}))
  failed=$((failed + ${fail:-0}))
  if [ -z "$totals" ]; then failed=$((failed + 1)); fi
}

shopt -s globstar nullglob extglob
# Tests that start gateways run two at a time, those that load them one at a time: there may be two cores only.
loads=' delivery drain job-kill jobs-redis idle-connections limits load nodes overload process-faults reload-load '
unit=()
processes=()
alone=()
for file in dist/test/**/*.test.js; do
  name=$(basename "$file" .test.js)
  if [[ $file == dist/test/e2e/* && $loads == *" $name "* ]]; then alone+=("$file")
  elif [[ $file == dist/test/@(e2e|seeds|faults)/* ]]; then processes+=("$file")
  else unit+=("$file"); fi
done
run unit 2 "${unit[@]}"
run processes 2 "${processes[@]}"
run load 1 "${alone[@]}"

if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
# The reporter may leave a terminal sequence on its last line: the count stands on a line of its own.
echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
