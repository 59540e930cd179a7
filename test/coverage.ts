// What the tests reach: the pure core whole, every other file nearly so. Reads what V8 has counted in all processes of a run
// (`npm run coverage`), prints a line for each area and each file below its figure; the exit code is the verdict.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const COUNTS = 'dist/coverage'
const REPORT = 'dist/coverage-report'

/** The first that matches a path counts. */
const FIGURES: readonly (readonly [files: RegExp, minPercent: number])[] = [
  [/^src\/(model|wire|protocols)\//, 100],
  [/./, 95],
]

/** Files below their figure, with the reason. */
const EXCEPTIONS: Readonly<Record<string, string>> = {}

type Counted = { readonly total: number; readonly covered: number }

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function percent({ total, covered }: Counted): number {
  return total === 0 ? 100 : (100 * covered) / total
}

/** Lines by source path; c8 follows the source maps. */
function readCounts(): Map<string, Counted> {
  const args = ['c8', 'report', '--temp-directory', COUNTS, '--exclude-after-remap', '--reporter', 'json-summary']
  const { status } = spawnSync(
    'npx',
    [...args, '--include', 'src/**', '--include', 'workers/**', '-o', REPORT, '--merge-async'],
    {
      stdio: 'inherit',
    },
  )
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
    print(`${area.padEnd(24)} ${String(sum.files).padStart(4)} files ${percent(sum).toFixed(1).padStart(6)} %`)
  }
}

function findShort(counts: ReadonlyMap<string, Counted>): string[] {
  const short = [...counts].filter(([path, lines]) => {
    const figure = FIGURES.find(([files]) => files.test(path))?.[1] ?? 100
    return percent(lines) < figure && !(path in EXCEPTIONS)
  })
  const stale = Object.keys(EXCEPTIONS).filter((path) => !counts.has(path))
  return [
    ...short.map(([path, lines]) => `${path}: ${percent(lines).toFixed(1)} % of ${lines.total} lines`),
    ...stale.map((path) => `${path} is not there`),
  ]
}

const counts = readCounts()
printAreas(counts)
const short = counts.size < 300 ? [`only ${counts.size} files were reached`] : findShort(counts)
for (const line of short) print(`not ok - ${line}`)
process.exitCode = short.length === 0 ? 0 : 1
