// Golden files: what the code gives must be what the file holds. UPDATE_GOLDEN=1 rewrites them, a missing or left-over one fails.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type Test } from 'tap'

const ROOT = new URL('../../../test/golden/', import.meta.url)

/** The golden files of one run; `folders` below test/golden belong to it alone. */
export class GoldenFiles {
  readonly #isUpdate = process.env.UPDATE_GOLDEN === '1'
  readonly #seen = new Set<string>()

  /** How many files have been compared. */
  get count(): number {
    return this.#seen.size
  }

  /** Compares byte by byte; `path` is relative to test/golden. */
  compare(t: Test, path: string, actual: string): void {
    this.#seen.add(path)
    const file = new URL(path, ROOT)
    if (this.#isUpdate) {
      mkdirSync(new URL('./', file), { recursive: true })
      writeFileSync(file, actual)
    }
    t.equal(actual, readOrNull(file), path)
  }

  compareJson(t: Test, path: string, actual: unknown): void {
    this.compare(t, path, `${JSON.stringify(actual, null, 2)}\n`)
  }

  /** Fails for each file that nothing was compared with; `inputs` are files that tests read. */
  checkLeftOver(t: Test, inputs: ReadonlySet<string>): void {
    const leftOver = listGolden('').filter((path) => !this.#seen.has(path) && !inputs.has(path))
    if (this.#isUpdate) for (const path of leftOver) rmSync(new URL(path, ROOT))
    else t.strictSame(leftOver, [], 'files without a cell')
  }
}

/** Paths of all files below a folder of test/golden, in order. */
export function listGolden(folder: string): string[] {
  return readdirSync(new URL(folder, ROOT), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.split('/test/golden/').at(-1)?.replaceAll('//', '/') ?? '')
    .sort()
}

export function readGolden(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

function readOrNull(file: URL): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
