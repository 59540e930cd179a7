// Runs the tests of one file or a few, for a person at work: `npm run test:one -- src/wire/sse.ts` runs the test that mirrors it.
// A name may be a test, a source, or a part of a test's path. With --watch the tests run again after each build.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { listFiles } from './helpers/source-tree.js'
import { failuresOf } from './helpers/tap-failures.js'

const BUILT = 'Found 0 errors'

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Test files that a name stands for, from the repository's root. */
function findTests(name: string, tests: readonly string[]): string[] {
  const path = name.replace(/^\.\//, '').replace(/^src\/(.*?)(\.test)?\.ts$/, 'test/$1.test.ts')
  if (tests.includes(path)) return [path]
  return tests.filter((test) => test.includes(path))
}

/** Prints what fails, or the totals; true when nothing failed. */
async function run(test: string): Promise<boolean> {
  const file = test.replace(/^test\/(.*)\.ts$/, 'dist/test/$1.js')
  const startedAt = performance.now()
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    stdio: ['inherit', 'pipe', 'inherit'],
    env: { ...process.env, TAP_TIMEOUT: process.env.TAP_TIMEOUT ?? '300' },
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const totals = /^# \{ total: (.*) \}$/m.exec(output)?.[1] ?? 'nothing was tested'
  const isOk = code === 0 && /pass: [1-9]/.test(totals)
  if (!isOk) print(failuresOf(output))
  print(`${isOk ? 'ok' : 'not ok'} - ${test}: ${totals}, ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  return isOk
}

async function runAll(tests: readonly string[]): Promise<void> {
  let isOk = true
  for (const test of tests) isOk = (await run(test)) && isOk
  process.exitCode = isOk ? 0 : 1
}

/** After each build of the compiler in watch mode; ends with it, by Ctrl-C. */
async function watch(tests: readonly string[]): Promise<void> {
  const compiler = spawn('npx', ['tsc', '-p', 'tsconfig.json', '--watch', '--preserveWatchOutput'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: compiler.stdout })) {
    if (line.includes(BUILT)) await runAll(tests)
    else if (line.trim() !== '') print(line)
  }
}

async function main(args: readonly string[]): Promise<void> {
  const all = listFiles('test').filter((path) => path.endsWith('.test.ts'))
  const names = args.filter((arg) => !arg.startsWith('--'))
  const tests = [...new Set(names.flatMap((name) => findTests(name, all)))]
  const strangers = names.filter((name) => findTests(name, all).length === 0)
  if (names.length === 0 || strangers.length > 0) {
    print(names.length === 0 ? 'Usage: npm run test:one -- FILE...' : `No test matches ${strangers.join(', ')}.`)
    process.exitCode = 2
    return
  }
  await (args.includes('--watch') ? watch(tests) : runAll(tests))
}

await main(process.argv.slice(2))
