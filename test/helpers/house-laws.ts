// The laws of the house about what a file is, as functions: a tree in, breaches out, one line each and none where the law holds;
// those about who imports whom are in import-laws.ts. test/architecture.test.ts applies them to this repository,
// test/laws/house.test.ts to trees that break them.
import { areaOf, isUnder } from './import-laws.js'
import { type SourceFile } from './source-tree.js'

/** What touches the world; the pure core must not. */
const IMPURE = [
  // A hash is a function of its input; nothing else of that module is one.
  /^(?!import \{ createHash \} from 'node:crypto').*\bfrom 'node:(?!buffer')/m,
  /\bprocess\.|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.|\bcrypto\./,
  /\bset(Timeout|Interval|Immediate)\b|\bfetch\(|\bqueueMicrotask\b/,
]

export function findImpurity(files: readonly SourceFile[], core: RegExp): string[] {
  return among(files, core, (inCore) =>
    inCore.flatMap(({ path, code }) =>
      IMPURE.filter((pattern) => pattern.test(code)).map((pattern) => `${path} ${pattern}`),
    ),
  )
}

/** What a browser does not have. */
const NODE_ONLY = [/\bfrom 'node:/, /\b(?:process|Buffer|setImmediate|require|__dirname)\b/]

/** Uses of Node in files that must run in a browser as well. */
export function findNodeUses(files: readonly SourceFile[], shared: RegExp): string[] {
  return among(files, shared, (inShared) =>
    inShared.flatMap(({ path, code }) =>
      NODE_ONLY.filter((pattern) => pattern.test(code)).map((pattern) => `${path} ${pattern}`),
    ),
  )
}

/** A law about some files needs some. */
function among(
  files: readonly SourceFile[],
  pattern: RegExp,
  law: (files: readonly SourceFile[]) => string[],
): string[] {
  const some = files.filter(({ path }) => pattern.test(path))
  return some.length === 0 ? [`no file is ${pattern}`] : law(some)
}

/** Files that every request passes, each with its functions that only some requests pass, or that few call, and so may. */
export type SpreadLaw = Readonly<Record<string, readonly string[]>>

/** Objects that are spread into others where every request passes: each time costs as much as a stage. */
export function findSpreads(files: readonly SourceFile[], law: SpreadLaw): string[] {
  return Object.entries(law).flatMap(([path, allowed]) => {
    const spreads = files.find((file) => file.path === path)?.spreads
    if (spreads === undefined) return [`no file is ${path}`]
    const found = spreads.filter((name) => !allowed.includes(name)).map((name) => `${path} spreads in ${name}`)
    const idle = allowed.filter((name) => !spreads.includes(name)).map((name) => `${path} ${name} needs no exception`)
    return [...found, ...idle]
  })
}

export type Sizes = {
  readonly maxLines: number
  /** The first that matches counts. */
  readonly special: readonly (readonly [files: RegExp, maxLines: number])[]
}

export function findLongFiles(files: readonly SourceFile[], { maxLines, special }: Sizes): string[] {
  const stale = special.filter(([pattern]) => !files.some(({ path }) => pattern.test(path)))
  const long = files.filter(({ path, lines }) => {
    return lines > (special.find(([pattern]) => pattern.test(path))?.[1] ?? maxLines)
  })
  return [
    ...stale.map(([pattern]) => `no file is ${pattern}`),
    ...long.map(({ path, lines }) => `${path}: ${lines} lines`),
  ]
}

/** Short files that one file alone imports: they belong in it, unless `reasons` says why not. Entries, which none imports, may be short. */
export function findSplinters(
  files: readonly SourceFile[],
  minLines: number,
  reasons: Readonly<Record<string, string>>,
): string[] {
  const importers = new Map<string, number>()
  for (const { imports } of files) {
    for (const target of imports) importers.set(target, (importers.get(target) ?? 0) + 1)
  }
  const splinters = files.filter(({ path, lines }) => lines < minLines && importers.get(path) === 1)
  const stale = Object.keys(reasons).filter((path) => !splinters.some((file) => file.path === path))
  return [
    ...splinters
      .filter(({ path }) => !(path in reasons))
      .map(({ path, lines }) => `${path}: ${lines} lines, one importer`),
    ...stale.map((path) => `${path} needs no exception`),
  ]
}

/** Folders with more files than one sees at a glance; `reasons` has those that may, by path. */
export function findCrowdedFolders(
  files: readonly SourceFile[],
  maxFiles: number,
  reasons: Readonly<Record<string, string>>,
): string[] {
  const counts = new Map<string, number>()
  for (const { path } of files) {
    const folder = path.replace(/\/[^/]+$/, '')
    counts.set(folder, (counts.get(folder) ?? 0) + 1)
  }
  const crowded = [...counts].filter(([folder, count]) => count > maxFiles && !(folder in reasons))
  const stale = Object.keys(reasons).filter((folder) => (counts.get(folder) ?? 0) <= maxFiles)
  return [
    ...crowded.map(([folder, count]) => `${folder}: ${count} files`),
    ...stale.map((folder) => `${folder} needs no exception`),
  ]
}

const BANNED_WORDS = new Set(
  'util utils helper helpers common manager service services data info process do any'.split(' '),
)
/** Exported names: a banned word at the end, or `do`, `process`, `any` in front. */
const BANNED_NAME = /^(?:do|process|any)[A-Z]|(?:Utils?|Helpers?|Common|Manager|Services?|Info)$/

/** Names that say nothing, and file names that are not in kebab-case. */
export function findEmptyNames(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, exports }) => [
    ...(path.split(/[/.-]/).some((word) => BANNED_WORDS.has(word)) ? [path] : []),
    ...(/^[a-z0-9/-]+(?:\.d)?\.ts$/.test(path) ? [] : [`${path} is not in kebab-case`]),
    ...exports.filter(({ name }) => BANNED_NAME.test(name)).map(({ name }) => `${path}: ${name}`),
  ])
}

/** Files that do not open with a comment on what they are, and exported functions without a docstring. */
export function findUndocumented(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, opening, exports }) => [
    ...(/^\/\/ \S.{15}/.test(opening ?? '') ? [] : [`${path} does not say what it is`]),
    ...exports
      .filter(({ isFunction, hasDocstring }) => isFunction && !hasDocstring)
      .map(({ name }) => `${path}: ${name} has no docstring`),
  ])
}

/** Vendors and protocols that are called by name outside `homes`, as a word or within one: groq, groqTarget, isGroq. */
export function findForeignNames(
  files: readonly SourceFile[],
  names: readonly string[],
  homes: readonly string[],
): string[] {
  if (names.length === 0) return ['no name is known']
  const spell = (change: (name: string) => string) => names.map((name) => change(name).replace(/[.]/g, '\\.')).join('|')
  const capital = spell((name) => name.charAt(0).toUpperCase() + name.slice(1))
  const upper = spell((name) => name.toUpperCase())
  const word = new RegExp(`(?:(?<![A-Za-z])(?:${spell((name) => name)}|${upper})|${capital})(?![a-z])`)
  const stale = homes.filter((home) => !files.some(({ path, code }) => isUnder(path, [home]) && word.test(code)))
  const breaches = files
    .filter(({ path }) => !isUnder(path, homes))
    .flatMap(({ path, code }) => {
      const found = word.exec(code)
      return found === null ? [] : [`${path}: ${found[0]}`]
    })
  return [...stale.map((home) => `${home} names none`), ...breaches]
}

export type Mirror = {
  /** All paths below test/. */
  readonly tests: readonly string[]
  /** Sources with logic that another test covers. */
  readonly testedElsewhere: readonly (readonly [source: string, test: string])[]
  /** Tests of a source area that mirror no file, with what they test. */
  readonly suites: Readonly<Record<string, string>>
}

/** Sources without their test, tests without their source, exceptions without a reason. */
export function findMirrorBreaks(files: readonly SourceFile[], { tests, testedElsewhere, suites }: Mirror): string[] {
  const present = new Set(tests)
  const sources = new Set(files.map(({ path }) => path))
  const areas = new Set(files.map(({ path }) => areaOf(path)))
  const testOf = (path: string) => path.replace(/^src\//, 'test/').replace(/\.ts$/, '.test.ts')
  const sourceOf = (path: string) => path.replace(/^test\//, 'src/').replace(/\.test\.ts$/, '.ts')
  const untested = files
    .filter(({ path, hasLogic }) => hasLogic && !present.has(testOf(path)))
    .filter(({ path }) => !testedElsewhere.some(([source, test]) => source === path && present.has(test)))
    .map(({ path }) => `${path} has no test`)
  const needless = testedElsewhere
    .filter(([source]) => !sources.has(source) || present.has(testOf(source)))
    .map(([source]) => `${source} needs no exception`)
  const orphans = tests
    .filter((path) => path.endsWith('.test.ts') && areas.has((path.split('/')[1] ?? '').replace(/\.test\.ts$/, '')))
    .filter((path) => !sources.has(sourceOf(path)) && !(path in suites))
    .map((path) => `${path} mirrors no file`)
  const idle = Object.keys(suites)
    .filter((path) => !present.has(path) || sources.has(sourceOf(path)))
    .map((path) => `${path} needs no exception`)
  return [...untested, ...needless, ...orphans, ...idle]
}
