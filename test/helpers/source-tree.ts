// The source as text for test/architecture.test.ts: files, what they import, code without its comments.
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'

const REPOSITORY = new URL('../../../', import.meta.url)

export type SourceFile = {
  /** From the repository's root, such as `src/wire/sse.ts`. */
  readonly path: string
  readonly text: string
  readonly lines: number
  /** Files of ours that it imports, types included. */
  readonly imports: readonly string[]
  /** Packages that it imports, types included; Node's own modules left out. */
  readonly packages: readonly string[]
}

/** Paths of all files below a folder, from the repository's root; none if there is no such folder. */
export function listFiles(folder: string): string[] {
  let entries: ReturnType<typeof readEntries>
  try {
    entries = readEntries(folder)
  } catch {
    return []
  }
  return entries.flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    return entry.isDirectory() ? listFiles(path) : [path]
  })
}

function readEntries(folder: string) {
  return readdirSync(new URL(`${folder}/`, REPOSITORY), { withFileTypes: true })
}

export function readText(path: string): string {
  return readFileSync(new URL(path, REPOSITORY), 'utf8')
}

/** All TypeScript below src and workers. */
export function readSource(): SourceFile[] {
  return ['src', 'workers']
    .flatMap(listFiles)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => {
      const text = readText(path)
      const specifiers = findSpecifiers(stripComments(text))
      const isOurs = (specifier: string) => specifier.startsWith('.')
      return {
        path,
        text,
        lines: text.split('\n').length - 1,
        imports: specifiers.filter(isOurs).map((specifier) => resolveImport(path, specifier)),
        packages: specifiers.filter((specifier) => !isOurs(specifier) && !specifier.startsWith('node:')).map(packageOf),
      }
    })
}

function resolveImport(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts')
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Static and dynamic imports, exports from, and types by `import('x')`. */
export function findSpecifiers(code: string): string[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*|\bimport\(\s*|\brequire\(\s*)'([^'\n]+)'/g
  return [...new Set(Array.from(code.matchAll(pattern), (match) => match[1] ?? ''))]
}

/** Code without comments; strings stay. Knows strings and templates, not regular expressions that hold quotes. */
export function stripComments(text: string): string {
  const token = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g
  return text.replace(token, (found) => (found.startsWith('//') || found.startsWith('/*') ? ' ' : found))
}

/** A first cycle through each file that is on one, as paths; files in the order given. */
export function findCycles(files: readonly SourceFile[]): string[][] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const state = new Map<string, 'open' | 'done'>()
  const trail: string[] = []
  const cycles: string[][] = []
  const visit = (path: string): void => {
    state.set(path, 'open')
    trail.push(path)
    for (const next of byPath.get(path)?.imports ?? []) {
      if (state.get(next) === 'open') cycles.push([...trail.slice(trail.indexOf(next)), next])
      else if (!state.has(next)) visit(next)
    }
    trail.pop()
    state.set(path, 'done')
  }
  for (const { path } of files) if (!state.has(path)) visit(path)
  return cycles
}
