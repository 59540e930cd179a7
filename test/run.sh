#!/usr/bin/env bash
# The whole check of the project: build, lint, types, every test by the plan of test/suite.ts. Its last line is the plain count
# `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.."

bash test/needs.sh || { echo '0 passed, 1 failed'; exit 1; }

rm -rf dist
echo '== build and types'
npm run --silent build || { echo '0 passed, 1 failed'; exit 1; }
echo '== lint'
npx biome check . || { echo '0 passed, 1 failed'; exit 1; }
echo '== tests'
npx tap build >/dev/null 2>&1

# What V8 counts in each process that is started from here on, for test/coverage.ts.
# It counts lines of compiled files, so the gateways of that run are not the bundle.
if [ "${SLUICE_COVERAGE:-}" = 1 ]; then export NODE_V8_COVERAGE="$PWD/dist/coverage"; else export SLUICE_TEST_MAIN=bundle/src/main.js; fi
exec node dist/test/suite.js
