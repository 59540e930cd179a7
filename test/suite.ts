// Runs test files, each as a process of its own or area by area, and adds up their totals:
//   node dist/test/suite.js                              every test by plan.ts; last line: N passed, N failed
//   node dist/test/suite.js NAME JOBS [--areas] FILES    these
// All they say goes to dist/NAME.tap, which ends with the totals; people see a line a process, and all of one that fails.
// tap's own runner loads hooks for coverage and mocks into each process, which takes longer than most of the tests.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Group, isCounted, planAll, planAreas, planFile, type Run } from './plan.js'

/** For a process that hangs: none takes a tenth of it, but on a machine that does much else besides. */
const TIMEOUT_S = 300
/** For tap to tell what has timed out before its process is ended. */
const LAST_WORDS_S = 10

/** What V8 counts in the runs of the core, for the law that ends a run of the plan (coverage.ts --core). */
const COUNTS = resolve('dist/coverage')

type Totals = { readonly pass: number; readonly fail: number }

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Runs one process to its end and tells its totals; whatever goes wrong with it counts as a failure. */
async function perform({ name, args }: Run, log: string, isCounting: boolean): Promise<Totals> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, ['--enable-source-maps', ...args], {
    env: { ...process.env, TAP_TIMEOUT: String(TIMEOUT_S), ...(isCounting ? { NODE_V8_COVERAGE: COUNTS } : {}) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), (TIMEOUT_S + LAST_WORDS_S) * 1000)
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  clearTimeout(timer)
  const totals = readTotals(output, code === 0)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const isOk = totals.fail === 0
  const verdict = `${isOk ? 'ok' : 'not ok'} - ${name} # ${totals.pass} passed, ${totals.fail} failed, ${seconds} s`
  const whole = `# Subtest: ${name}\n${output}${verdict}\n`
  appendFileSync(log, whole)
  print(isOk ? verdict : `${whole}${errors}${name} ended with ${signal ?? code}`)
  return totals
}

/** From the last totals line of tap; a process that failed without a failed test, or that tested nothing, is one failure. */
function readTotals(output: string, isOk: boolean): Totals {
  const line = output.match(/^# \{ total: .*\}$/gm)?.at(-1) ?? ''
  const pass = Number(/pass: (\d+)/.exec(line)?.[1] ?? 0)
  const fail = Number(/fail: (\d+)/.exec(line)?.[1] ?? 0)
  return { pass, fail: fail === 0 && (!isOk || pass === 0) ? 1 : fail }
}

/** Whether V8 counts lines in a run. */
type Counting = (run: Run) => boolean

async function runAll({ name, jobs, runs }: Group, counting: Counting = () => false): Promise<Totals> {
  const log = `dist/${name}.tap`
  writeFileSync(log, 'TAP version 14\n')
  const total = { pass: 0, fail: 0 }
  const waiting = runs.values()
  const work = async (): Promise<void> => {
    for (const run of waiting) {
      const { pass, fail } = await perform(run, log, counting(run))
      total.pass += pass
      total.fail += fail
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  appendFileSync(log, `# { total: ${total.pass + total.fail}, pass: ${total.pass}, fail: ${total.fail} }\n`)
  return total
}

/** Every group of the plan; one without files is a plan that no longer fits. Then what its runs have reached of the core. */
async function runPlan(): Promise<Totals> {
  const names = readdirSync('dist/test', { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.test\.js$/.test(name),
  )
  const files = names.map((name) => `dist/test/${name}`).sort()
  const total = { pass: 0, fail: 0 }
  const add = ({ pass, fail }: Totals): void => {
    total.pass += pass
    total.fail += fail
  }
  // Where the whole run is counted (`npm run coverage`), so is what it reaches.
  const isCounting = process.env.NODE_V8_COVERAGE === undefined
  for (const group of planAll(files)) {
    add(await runAll(group, (run) => isCounting && isCounted(run)))
    if (group.runs.length === 0) add({ pass: 0, fail: 1 })
  }
  const core = { name: 'coverage of the core', args: ['dist/test/coverage.js', '--core'] }
  if (isCounting) add(await runAll({ name: 'core', jobs: 1, runs: [core] }))
  return total
}

const [name, jobs = '1', ...files] = process.argv.slice(2)
if (name === undefined) {
  const { pass, fail } = await runPlan().catch((thrown: unknown) => {
    print(String(thrown))
    return { pass: 0, fail: 1 }
  })
  print(`${pass} passed, ${fail} failed`)
  process.exitCode = fail === 0 && pass > 0 ? 0 : 1
} else {
  const runs = files[0] === '--areas' ? planAreas(files.slice(1)) : files.map(planFile)
  const { fail } = await runAll({ name, jobs: Number(jobs), runs })
  if (fail > 0) process.exitCode = 1
}
