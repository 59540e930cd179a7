// What the tests reach: the pure core whole, every other file nearly so. Reads what V8 has counted, prints a line for each area
// and each file below its figure; the exit code is the verdict.
//   node dist/test/coverage.js            all processes of a run (`npm run coverage`)
//   node dist/test/coverage.js --core     the pure core, by the runs that suite.ts has counted: a part of `npm test`
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type Counted, type CoverageLaw, findUncovered, percentOf } from './helpers/coverage-law.js'

const COUNTS = 'dist/coverage'
const REPORT = 'dist/coverage-report'

const CORE = ['src/errors.ts', 'src/model/**', 'src/wire/**', 'src/protocols/**']
const LAW: CoverageLaw = {
  figures: [
    [/^src\/(errors\.ts|(model|wire|protocols)\/)/, 100],
    [/./, 95],
  ],
  exceptions: {
    'workers/frontend.ts': 'its thread ends with the process, before V8 writes what that thread has counted',
  },
  leastFiles: 300,
}
const CORE_LAW: CoverageLaw = { ...LAW, exceptions: {}, leastFiles: 100 }

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Lines by source path; c8 follows the source maps. */
function readCounts(sources: readonly string[]): Map<string, Counted> {
  const args = ['c8', 'report', '--temp-directory', COUNTS, '--exclude-after-remap', '--reporter', 'json-summary']
  const include = sources.flatMap((source) => ['--include', source])
  const { status } = spawnSync('npx', [...args, ...include, '-o', REPORT, '--merge-async'], { stdio: 'inherit' })
  if (status !== 0) throw new Error('c8 failed')
  const summary = JSON.parse(readFileSync(`${REPORT}/coverage-summary.json`, 'utf8')) as Record<
    string,
    { lines: Counted }
  >
  const root = `${process.cwd()}/`
  return new Map(
    Object.entries(summary)
      .filter(([path]) => path !== 'total')
      .map(([path, { lines }]) => [path.replace(root, ''), lines]),
  )
}

function printAreas(counts: ReadonlyMap<string, Counted>): void {
  const areas = new Map<string, { files: number; total: number; covered: number }>()
  for (const [path, { total, covered }] of counts) {
    const area = path.split('/').slice(0, 2).join('/')
    const sum = areas.get(area) ?? { files: 0, total: 0, covered: 0 }
    areas.set(area, { files: sum.files + 1, total: sum.total + total, covered: sum.covered + covered })
  }
  for (const [area, sum] of [...areas].sort()) {
    print(`# ${area.padEnd(24)} ${String(sum.files).padStart(4)} files ${percentOf(sum).toFixed(1).padStart(6)} %`)
  }
}

const isCore = process.argv[2] === '--core'
const counts = readCounts(isCore ? CORE : ['src/**', 'workers/**'])
printAreas(counts)
const breaches = findUncovered(counts, isCore ? CORE_LAW : LAW)
for (const line of breaches) print(`not ok - ${line}`)
const pass = breaches.length === 0 ? 1 : 0
print(`# { total: ${pass + breaches.length}, pass: ${pass}, fail: ${breaches.length} }`)
process.exitCode = breaches.length === 0 ? 0 : 1
