// The runner of the tests, over made-up test files: what fails makes it fail, and so does what was never run.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import { planAll, staleNames } from './plan.js'

const SUITE = fileURLToPath(new URL('suite.js', import.meta.url))
const AREA = fileURLToPath(new URL('area.js', import.meta.url))
const GOOD = "console.log('# { total: 2, pass: 2 }')"
const BAD = "console.log('# { total: 3, pass: 2, fail: 1 }'); process.exitCode = 1"

/** A folder with these files below dist/test, and the runner in it. */
function rig(t: Test, files: Readonly<Record<string, string>>) {
  const cwd = mkdtempSync(join(tmpdir(), 'sluice-suite-'))
  t.teardown(() => rmSync(cwd, { recursive: true }))
  for (const [name, code] of Object.entries(files)) {
    const path = join(cwd, 'dist/test', name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, code)
  }
  // Left out, Node would hand on that of this process; undefined, it does not.
  const env = { ...process.env, NODE_V8_COVERAGE: undefined }
  return {
    cwd,
    run(...args: string[]) {
      const { status, stdout } = spawnSync(process.execPath, [SUITE, ...args], { cwd, env, encoding: 'utf8' })
      return { status, last: stdout.trimEnd().split('\n').at(-1), stdout }
    },
  }
}

test('one process: its totals, and failure for a failed test, a crash, and for a file that tests nothing', async (t) => {
  const { cwd, run } = rig(t, {
    'good.js': GOOD,
    'bad.js': BAD,
    'crash.js': `${GOOD}; process.exitCode = 3`,
    'empty.js': "console.log('nothing to test')",
  })
  t.match(run('one', '1', 'dist/test/good.js'), { status: 0, last: /^ok - dist\/test\/good\.js # 2 passed, 0 failed/ })
  for (const name of ['bad', 'crash', 'empty']) {
    const { status, stdout } = run('one', '1', 'dist/test/good.js', `dist/test/${name}.js`)
    t.equal(status, 1, name)
    t.match(stdout, new RegExp(`^not ok - dist/test/${name}.js # \\d passed, 1 failed`, 'm'))
  }
  t.match(readFileSync(join(cwd, 'dist/one.tap'), 'utf8'), /# \{ total: 3, pass: 2, fail: 1 \}\n$/)
})

const WHOLE = {
  'a.test.js': GOOD,
  'e2e/start.test.js': GOOD,
  'e2e/overload.test.js': GOOD,
  'coverage.js': "console.log(process.argv[2] === '--core' ? '# { total: 1, pass: 1 }' : '')",
}

test('the plan: every group runs, then the law about the core, and the last line is the count', async (t) => {
  const { run } = rig(t, WHOLE)
  t.match(run(), { status: 0, last: '7 passed, 0 failed' })
})

test('the plan fails with one test, with a group that has no file, and with a core that is not reached', async (t) => {
  t.match(rig(t, { ...WHOLE, 'b/c.test.js': BAD }).run(), { status: 1, last: '9 passed, 1 failed' })
  for (const name of ['a.test.js', 'e2e/start.test.js', 'e2e/overload.test.js'] as const) {
    const { [name]: _, ...rest } = WHOLE
    t.match(rig(t, rest).run(), { status: 1, last: '5 passed, 1 failed' }, name)
  }
  const unreached = "console.log('# { total: 1, pass: 0, fail: 1 }'); process.exitCode = 1"
  t.match(rig(t, { ...WHOLE, 'coverage.js': unreached }).run(), { status: 1, last: '6 passed, 1 failed' })
  t.match(rig(t, {}).run(), { status: 1, last: '0 passed, 1 failed' })
})

test('the plan of this tree runs each of its files once, those that share a process as well, and names none that is gone', async (t) => {
  const names = readdirSync(new URL('.', import.meta.url), { recursive: true, encoding: 'utf8' })
  const files = names.flatMap((name) => (name.endsWith('.test.js') ? [`dist/test/${name}`] : []))
  const planned = planAll(files).flatMap(({ runs }) =>
    runs.flatMap(({ args }) => args.filter((arg) => /\.test\.js$/.test(arg))),
  )
  t.same(planned.sort(), files.sort())
  t.same(staleNames(files), [])
  t.match(staleNames([]).join(), /^accounts\/database,.*kill/)
})

test('the files of an area share a process, those of the server and of accounts by their rooms; what waits for long has its own', async (t) => {
  const files = ['a', 'server/b', 'server/http/c', 'server/http/d/e', 'streams/f', 'streams/log/g', 'jobs/kill'].map(
    (name) => `dist/test/${name}.test.js`,
  )
  const ofAccounts = ['accounts/j', 'accounts/k', 'accounts/database/l', 'accounts/database/rollups/m']
  const more = ['h', 'server/i', ...ofAccounts].map((name) => `dist/test/${name}.test.js`)
  const [unit] = planAll([...files, ...more])
  const byName = unit?.runs.map(({ name, args }) => [name, args.filter((arg) => arg.endsWith('.test.js')).length])
  t.same(
    new Map(byName as [string, number][]),
    new Map([
      ['dist/test', 2],
      ['dist/test/server', 2],
      ['dist/test/server/http', 2],
      ['dist/test/streams', 2],
      ['dist/test/accounts', 2],
      ['dist/test/accounts/database', 2],
      ['dist/test/jobs/kill.test.js', 1],
    ]),
  )
})

test('what takes long begins first', async (t) => {
  const files = [
    'config/a',
    'config/b',
    'laws/a',
    'laws/b',
    'laws/fuzz',
    'e2e/a',
    'e2e/reload',
    'faults/kept-nodes',
  ].map((name) => `dist/test/${name}.test.js`)
  const [unit, processes] = planAll(files).map(({ runs }) => runs.map(({ name }) => name.replace('dist/test/', '')))
  t.same([unit?.at(-1), processes?.at(-1)], ['config', 'e2e/a.test.js'])
  t.same([unit?.length, processes?.length], [3, 3])
})

test('V8 counts in the runs of the core alone', async (t) => {
  const names = ['wire/a', 'wire/b', 'routing/a', 'routing/b'].map((name) => [`${name}.test.js`, GOOD])
  // In the place of what runs an area.
  const told = `${GOOD}; console.log(process.argv[2], process.env.NODE_V8_COVERAGE ?? 'none')`
  const { cwd, run } = rig(t, { ...WHOLE, ...Object.fromEntries(names), 'area.js': told })
  run()
  const log = readFileSync(join(cwd, 'dist/unit.tap'), 'utf8')
  t.match(log, /^dist\/test\/wire \/.*\/dist\/coverage$/m)
  t.match(log, /^dist\/test\/routing none$/m)
})

test('a file that waits for its server is not left out where the tests before it have ended', async (t) => {
  const tap = JSON.stringify(import.meta.resolve('tap'))
  const { cwd } = rig(t, {
    'a.test.mjs': `import tap, { test } from ${tap}
      tap.teardown(() => console.log('a is torn down'))
      test('a', async (t) => t.pass())`,
    'b.test.mjs': `import { test } from ${tap}
      for (let i = 0; i < 100; i++) await new Promise((resolve) => setTimeout(resolve, 1))
      test('b', async (t) => t.pass())`,
  })
  const files = ['dist/test/a.test.mjs', 'dist/test/b.test.mjs']
  const { status, stdout } = spawnSync(process.execPath, [AREA, 'made up', ...files], { cwd, encoding: 'utf8' })
  t.equal(status, 0)
  t.match(stdout, /^# \{ total: 2, pass: 2 \}$/m)
  t.match(stdout, /^ok 2 - b .*a is torn down/ms, 'in the end')
})
