#!/usr/bin/env bash
# The whole check of the project: build, lint, types, every test by the plan of test/suite.ts. Its last line is the plain count
# `N passed, N failed`.
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

# What V8 counts in each process that is started from here on, for test/coverage.ts.
[ "${SLUICE_COVERAGE:-}" = 1 ] && export NODE_V8_COVERAGE="$PWD/dist/coverage"
exec node dist/test/suite.js
