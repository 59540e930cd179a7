// Runs test files, each as a process of its own or area by area, and adds up their totals:
//   node dist/test/suite.js                              every test by the plan below; last line: N passed, N failed
//   node dist/test/suite.js NAME JOBS [--areas] FILES    these
// All they say goes to dist/NAME.tap, which ends with the totals; people see a line a process, and all of one that fails.
// tap's own runner loads hooks for coverage and mocks into each process, which takes longer than most of the tests.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** For a process that hangs: none takes a tenth of it, but on a machine that does much else besides. */
const TIMEOUT_S = 300
/** For tap to tell what has timed out before its process is ended. */
const LAST_WORDS_S = 10

/** Files that need a process of their own although their area shares one. */
const ALONE: readonly (readonly [name: RegExp, reason: string])[] = [
  [/\/(jobs|offload|threads|server)\//, 'threads, servers and the engine of their own, and waits for their clocks'],
  [/\/limit\/(shared|threads)|\/test\/redis\//, 'Redis servers and threads, and waits for their clocks'],
  [/\/(fuzz|offload)\.test\.js$/, 'as long as an area'],
]

/** Those of test/e2e that load a gateway, or need the machine's time for themselves. */
const LOADS: ReadonlySet<string> = new Set(
  (
    'aborts busy-processor delivery drain idle-connections job-kill job-nodes jobs-redis jobs-redis-faults limits load nodes ' +
    'overload process-faults reload-load'
  ).split(' '),
)

/** Which files run together, and how many processes at a time: those that start gateways two, since there may be two cores only. */
const PLAN: readonly Group[] = [
  { name: 'unit', jobs: 2, isByArea: true },
  { name: 'processes', jobs: 2, isByArea: false },
  { name: 'load', jobs: 1, isByArea: false },
]

/**
 * Runs in which V8 counts lines for the law about the pure core (coverage.ts --core), which ends a run of the plan. It costs a
 * third of their CPU: some 20 s in all, as the laws take most of it.
 */
const COUNTED = /^dist\/test(\/(model|wire|protocols|laws|server\/routes\/openapi\.test\.js))?$/
const COUNTS = resolve('dist/coverage')

type Group = { readonly name: 'unit' | 'processes' | 'load'; readonly jobs: number; readonly isByArea: boolean }
type Run = { readonly name: string; readonly args: readonly string[]; readonly isCounted?: boolean }
type Totals = { readonly pass: number; readonly fail: number }

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** One run a file, but one for all files of a folder of dist/test/ that can share a process. */
function planAreas(files: readonly string[]): Run[] {
  const areas = new Map<string, string[]>()
  for (const file of files) {
    const isAlone = ALONE.some(([name]) => name.test(file))
    const area = isAlone ? file : (/^dist\/test(?:\/[^/]+(?=\/))?/.exec(file)?.[0] ?? file)
    areas.set(area, [...(areas.get(area) ?? []), file])
  }
  return Array.from(areas, ([name, members]) => {
    return members.length === 1 ? planFile(members[0] ?? name) : { name, args: ['dist/test/area.js', name, ...members] }
  })
}

function planFile(file: string): Run {
  return { name: file, args: [file] }
}

/** Runs one process to its end and tells its totals; whatever goes wrong with it counts as a failure. */
async function perform({ name, args, isCounted = false }: Run, log: string): Promise<Totals> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, ['--enable-source-maps', ...args], {
    env: { ...process.env, TAP_TIMEOUT: String(TIMEOUT_S), ...(isCounted ? { NODE_V8_COVERAGE: COUNTS } : {}) },
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

async function runAll(name: string, jobs: number, runs: readonly Run[]): Promise<Totals> {
  const log = `dist/${name}.tap`
  writeFileSync(log, 'TAP version 14\n')
  const total = { pass: 0, fail: 0 }
  const waiting = runs.values()
  const work = async (): Promise<void> => {
    for (const run of waiting) {
      const { pass, fail } = await perform(run, log)
      total.pass += pass
      total.fail += fail
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  appendFileSync(log, `# { total: ${total.pass + total.fail}, pass: ${total.pass}, fail: ${total.fail} }\n`)
  return total
}

function groupOf(file: string): Group['name'] {
  const name = /^dist\/test\/e2e\/(.+)\.test\.js$/.exec(file)?.[1]
  if (name !== undefined && LOADS.has(name)) return 'load'
  return /^dist\/test\/(compat|e2e|faults)\//.test(file) ? 'processes' : 'unit'
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
  for (const { name, jobs, isByArea } of PLAN) {
    const members = files.filter((file) => groupOf(file) === name)
    const runs = isByArea ? planAreas(members) : members.map(planFile)
    add(await runAll(name, jobs, isCounting ? runs.map(count) : runs))
    if (members.length === 0) add({ pass: 0, fail: 1 })
  }
  if (isCounting)
    add(await runAll('core', 1, [{ name: 'coverage of the core', args: ['dist/test/coverage.js', '--core'] }]))
  return total
}

function count(run: Run): Run {
  return { ...run, isCounted: COUNTED.test(run.name) }
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
  const { fail } = await runAll(name, Number(jobs), runs)
  if (fail > 0) process.exitCode = 1
}
