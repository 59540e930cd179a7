// npm run bench:compare [-- --accept]: holds the last run against bench/baseline.json and fails where a ratio got worse than the
// noise explains. --accept makes the last run the baseline, after a change that is worth its price.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ROOT } from './children.js'
import { type Baseline, baselineOf, isFailure, judge, type Verdict } from './judge.js'
import { LATEST, readRun } from './report.js'

const BASELINE = `${ROOT}bench/baseline.json`
const DIGITS = 3

function main(): number {
  const { values } = parseArgs({ options: { accept: { type: 'boolean', default: false } } })
  const run = readRun(LATEST)
  const baseline = existsSync(BASELINE) ? (JSON.parse(readFileSync(BASELINE, 'utf8')) as Baseline) : null
  if (values.accept) {
    // Four digits: more would only be noise in the history.
    const round = (_key: string, value: unknown) => (typeof value === 'number' ? Number(value.toFixed(4)) : value)
    writeFileSync(BASELINE, `${JSON.stringify(baselineOf(run, baseline), round, 1)}\n`)
    return 0
  }
  if (baseline === null) {
    print('There is no baseline yet: --accept makes one.')
    return 1
  }
  if (baseline.isQuick !== run.isQuick) print('One of the two runs is a quick one: small differences say nothing.')
  const verdicts = judge(baseline, run)
  for (const verdict of verdicts) print(lineOf(verdict))
  const failures = verdicts.filter(isFailure)
  print(`${verdicts.length} ratios, ${failures.length} worse or missing`)
  return failures.length === 0 ? 0 : 1
}

function lineOf({ figure, verdict, before, now, allowed }: Verdict): string {
  const numbers = [before, now, allowed].map((each) => (each === null ? '-' : each.toFixed(DIGITS)))
  return `${verdict.padEnd(7)} ${figure}: before ${numbers[0]}, now ${numbers[1]}, allowed ${numbers[2]}`
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exit(main())
