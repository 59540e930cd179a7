// A run as JSON for machines and as tables for people: what was aimed at beside what came out, then every figure.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { ROOT } from './children.js'
import { GOALS, type Goal } from './goals.js'
import { type Bench } from './rounds.js'
import { type Figure, keyOf, type Voided } from './samples.js'
import { type Spread } from './stats.js'

export type Run = {
  readonly versions: Readonly<Record<string, string>>
  readonly cores: number
  readonly isQuick: boolean
  readonly rounds: number
  readonly scenarios: readonly string[]
  readonly figures: readonly Figure[]
  readonly voided: readonly Voided[]
  readonly notes: readonly string[]
}

const OUT = `${ROOT}bench/out/`
export const LATEST = `${OUT}latest.json`
const README = `${ROOT}bench/README.md`
const BEGIN = '<!-- written by npm run bench -- --write: begin -->'
const END = '<!-- end -->'

/** Makes a run of what was measured and writes it to bench/out. */
export function saveRun(bench: Bench, made: Pick<Run, 'scenarios' | 'notes'>): Run {
  const { samples, isQuick, rounds } = bench
  const versions = { node: process.version, v8: process.versions.v8, linux: release(), commit: readCommit() }
  const run: Run = {
    ...{ versions, cores: cpus().length, isQuick, rounds, ...made },
    ...{ figures: samples.figures(), voided: samples.voided },
  }
  mkdirSync(OUT, { recursive: true })
  writeFileSync(LATEST, `${JSON.stringify(run, null, 1)}\n`)
  return run
}

/** Reads what saveRun wrote. */
export function readRun(file: string): Run {
  return JSON.parse(readFileSync(file, 'utf8')) as Run
}

/** The tables of a run in Markdown. */
export function printRun(run: Run): string {
  const { versions, cores, rounds, isQuick, voided, notes } = run
  const machine = `${cores} cores shared by simulator, contender and load. Node ${versions.node}, V8 ${versions.v8}, Linux ${versions.linux}, commit ${versions.commit}.`
  const how = `${isQuick ? 'A quick run, ' : ''}${rounds} rounds, median (min..max); the ratio is the median of the rounds' ratios to the floor.`
  const lines = [machine, how, '', ...goalTable(run), '', ...figureTable(run.figures)]
  if (notes.length > 0) lines.push('', ...notes.map((note) => `- ${note}`))
  if (voided.length > 0) lines.push('', ...voided.map((each) => `- Void: ${keyOf({ ...each, unit: each.reason })}`))
  return `${lines.join('\n')}\n`
}

/** Puts the tables between the two markers of bench/README.md. @throws when it has no markers */
export function writeReadme(run: Run): void {
  writeFileSync(README, between(readFileSync(README, 'utf8'), printRun(run)))
}

/** `text` with what stands between the two markers replaced; all outside of them stays. */
export function between(text: string, inside: string): string {
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END, begin)
  if (begin < 0 || end < 0) throw new Error('bench/README.md has no markers')
  return `${text.slice(0, begin + BEGIN.length)}\n\n${inside}\n${text.slice(end)}`
}

function readCommit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim()
    const isClean = git('status', '--porcelain', '--', 'src', 'workers', 'bench') === ''
    return `${git('rev-parse', '--short', 'HEAD')}${isClean ? '' : ' and changes'}`
  } catch {
    return 'unknown'
  }
}

function goalTable({ figures, scenarios }: Run): string[] {
  const rows = GOALS.filter((goal) => scenarios.includes(goal.scenario.split(' ')[0] ?? '')).map((goal) => {
    const figure = figures.find((each) => keyOf(each) === keyOf(goal))
    const reached = figure === undefined ? null : spreadOf(goal, figure)
    const isReached = reached !== null && reached.median <= goal.most
    const here = reached === null ? 'not measured' : format(reached)
    return `| ${goal.text} | ${goal.most}${goal.of === 'ratio' ? ' x' : ''} | ${here} | ${reached === null ? '' : isReached ? 'yes' : '**no**'} |`
  })
  return ['| goal | at most | here | reached |', '| --- | --: | --: | --- |', ...rows]
}

function spreadOf(goal: Goal, figure: Figure): Spread | null {
  return goal.of === 'ratio' ? figure.ratio : figure.value
}

function figureTable(figures: readonly Figure[]): string[] {
  const units = [...new Set(figures.map(({ scenario, unit }) => `${scenario} | ${unit}`))]
  const rows = units.flatMap((name) =>
    figures
      .filter(({ scenario, unit }) => `${scenario} | ${unit}` === name)
      .map(({ contender, value, ratio, floor }) => {
        const times = ratio === null || contender === floor ? '' : `${format(ratio)} x ${floor}`
        return `| ${name} | ${contender} | ${format(value)} | ${times} |`
      }),
  )
  return ['| scenario | unit | contender | median | ratio |', '| --- | --- | --- | --: | --: |', ...rows]
}

function format({ median, min, max }: Spread): string {
  return min === max ? digits(median) : `${digits(median)} (${digits(min)}..${digits(max)})`
}

function digits(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size >= 1000 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3)
}
