// The laws of the house about its own source, as functions: a tree and its tables in, breaches out, one line each and none where
// the law holds. test/architecture.test.ts applies them to this repository, test/laws/house.test.ts to trees that break them.
import { type SourceFile } from './source-tree.js'

/**
 * Area -> what it may import: an area, or `area/room` or `area/file` for that alone; `*` is everything but main and threads.
 * An area is the first folder below src, or a file there, or a worker entry.
 */
export type ImportTable = Readonly<Record<string, readonly string[]>>

/** Area -> its rooms and the files beside them, from the top down: each imports only what is below it. */
export type RoomOrder = Readonly<Record<string, readonly string[]>>

/** Library -> where it may be imported: files, or `folder/` for all in it. */
export type LibraryHomes = Readonly<Record<string, readonly string[]>>

function areaOf(path: string): string {
  const [root, first = ''] = path.split('/')
  const name = first.replace(/\.ts$/, '')
  return root === 'src' ? name : `${root}/${name}`
}

/** The part of an area that a file belongs to: a folder, or the file itself. */
function roomOf(path: string): string {
  return (path.split('/')[2] ?? '').replace(/\.ts$/, '')
}

function isUnder(path: string, homes: readonly string[]): boolean {
  return homes.some((home) => path === home || (home.endsWith('/') && path.startsWith(home)))
}

/** Imports between areas that the table does not allow, files outside of it, and rows without a file or a use. */
export function findForbiddenImports(files: readonly SourceFile[], table: ImportTable): string[] {
  const strangers = files.filter(({ path }) => !(areaOf(path) in table)).map(({ path }) => `${path} is in no area`)
  const areas = new Set(files.map(({ path }) => areaOf(path)))
  const used = new Set<string>()
  const breaches = files.flatMap(({ path, imports }) =>
    imports
      .filter((target) => {
        const rule = ruleFor(table, path, target)
        if (rule !== null) used.add(rule)
        return rule === null
      })
      .map((target) => `${path} -> ${target}`),
  )
  const stale = Object.entries(table).flatMap(([area, rules]) => {
    if (!areas.has(area)) return [`${area} has no file`]
    return rules.filter((rule) => !used.has(`${area} -> ${rule}`)).map((rule) => `${area} -> ${rule} is not used`)
  })
  return [...strangers, ...breaches, ...stale]
}

function ruleFor(table: ImportTable, from: string, to: string): string | null {
  const [source, target] = [areaOf(from), areaOf(to)]
  if (source === target) return source
  const file = to.replace(/^src\//, '').replace(/\.ts$/, '')
  const rule = (table[source] ?? []).find(
    (name) =>
      name === target ||
      name === file ||
      (name !== target && file.startsWith(`${name}/`)) ||
      (name === '*' && target !== 'main' && target !== 'threads'),
  )
  return rule === undefined ? null : `${source} -> ${rule}`
}

/** Imports within an area from a lower room to a higher one, files without a place in the order, places without a file. */
export function findUpwardImports(files: readonly SourceFile[], order: RoomOrder): string[] {
  return Object.entries(order).flatMap(([area, rooms]) => {
    const inArea = files.filter(({ path }) => areaOf(path) === area)
    const present = new Set(inArea.map(({ path }) => roomOf(path)))
    const missing = [...present].filter((room) => !rooms.includes(room)).map((room) => `${area}/${room} has no place`)
    const stale = rooms.filter((room) => !present.has(room)).map((room) => `${area}/${room} has no file`)
    const breaches = inArea.flatMap(({ path, imports }) =>
      imports
        .filter((target) => areaOf(target) === area)
        .filter((target) => rooms.indexOf(roomOf(path)) > rooms.indexOf(roomOf(target)))
        .map((target) => `${path} -> ${target}`),
    )
    return [...missing, ...stale, ...breaches]
  })
}

/** A first cycle through each file that is on one, imports of types included. */
export function findCycles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const state = new Map<string, 'open' | 'done'>()
  const trail: string[] = []
  const cycles: string[] = []
  const visit = (path: string): void => {
    state.set(path, 'open')
    trail.push(path)
    for (const next of byPath.get(path)?.imports ?? []) {
      if (state.get(next) === 'open') cycles.push([...trail.slice(trail.indexOf(next)), next].join(' -> '))
      else if (!state.has(next)) visit(next)
    }
    trail.pop()
    state.set(path, 'done')
  }
  for (const { path } of files) if (!state.has(path)) visit(path)
  return cycles
}

/** Imports of files that are not there: the other laws would not see them. */
export function findDeadImports(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path))
  return files.flatMap(({ path, imports }) =>
    imports.filter((target) => target.endsWith('.ts') && !paths.has(target)).map((target) => `${path} -> ${target}`),
  )
}

/** Folders below src/protocols with a file of their own that joins them; the others are rooms that all protocols share. */
export function protocolNames(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path }) => /^src\/protocols\/([^/]+)\/index\.ts$/.exec(path)?.[1] ?? [])
}

/** A protocol imports no other; only the registry imports protocols by name. */
export function findCrossedProtocols(files: readonly SourceFile[]): string[] {
  const protocols = protocolNames(files)
  const folderOf = (path: string) => {
    const folder = /^src\/protocols\/([^/]+)\//.exec(path)?.[1]
    return folder !== undefined && protocols.includes(folder) ? folder : null
  }
  return files.flatMap(({ path, imports }) =>
    imports
      .filter((target) => folderOf(target) !== null && folderOf(target) !== folderOf(path))
      .filter((target) => !(path === 'src/protocols/index.ts' && target.endsWith('/index.ts')))
      .map((target) => `${path} -> ${target}`),
  )
}

/** Imports of a library outside its homes, libraries without a row, homes that do not import it. */
export function findStrayLibraries(files: readonly SourceFile[], homes: LibraryHomes): string[] {
  const strays = files.flatMap(({ path, packages }) =>
    packages.filter((name) => !isUnder(path, homes[name] ?? [])).map((name) => `${path} -> ${name}`),
  )
  const stale = Object.entries(homes).flatMap(([name, places]) =>
    places
      .filter((place) => !files.some(({ path, packages }) => isUnder(path, [place]) && packages.includes(name)))
      .map((place) => `${place} does not import ${name}`),
  )
  return [...strays, ...stale]
}

/** What a file loads, itself and step by step, outside of what is allowed: files by pattern, packages by name. */
export function findHeavyLoads(
  files: readonly SourceFile[],
  entry: string,
  allowed: { readonly files: RegExp; readonly packages: readonly string[] },
): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  if (!byPath.has(entry)) return [`${entry} is not there`]
  const loaded = new Set<string>()
  const packages = new Set<string>()
  const load = (path: string): void => {
    if (loaded.has(path)) return
    loaded.add(path)
    for (const name of byPath.get(path)?.packages ?? []) packages.add(name)
    for (const next of byPath.get(path)?.imports ?? []) load(next)
  }
  load(entry)
  return [
    ...[...loaded].filter((path) => !allowed.files.test(path)),
    ...[...packages].filter((name) => !allowed.packages.includes(name)),
  ]
}

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

/** A law about some files needs some. */
function among(
  files: readonly SourceFile[],
  pattern: RegExp,
  law: (files: readonly SourceFile[]) => string[],
): string[] {
  const some = files.filter(({ path }) => pattern.test(path))
  return some.length === 0 ? [`no file is ${pattern}`] : law(some)
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
    ...(/^[a-z0-9/-]+\.ts$/.test(path) ? [] : [`${path} is not in kebab-case`]),
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

/** Files that import a name from its home although they are none of its holders; holders that do not, and a home that is gone. */
export function findHolders(
  files: readonly SourceFile[],
  { name, home, holders }: { readonly name: string; readonly home: string; readonly holders: readonly string[] },
): string[] {
  const importsName = new RegExp(`\\bimport \\{[^}]*\\b${name}\\b[^}]*\\} from`)
  const holding = files
    .filter(({ imports, code }) => imports.includes(home) && importsName.test(code))
    .map(({ path }) => path)
  return [
    ...(files.some(({ path }) => path === home) ? [] : [`${home} is not there`]),
    ...holding.filter((path) => !holders.includes(path)).map((path) => `${path} holds ${name}`),
    ...holders.filter((path) => !holding.includes(path)).map((path) => `${path} does not hold ${name}`),
  ]
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

/** The tables as the map shows them, line by line. */
export function drawTables(table: ImportTable, order: RoomOrder, homes: LibraryHomes): string[] {
  const draw = (rows: Readonly<Record<string, readonly string[]>>, arrow: string, separator: string) => {
    const width = Math.max(...Object.keys(rows).map((name) => name.length))
    return Object.entries(rows).map(
      ([name, items]) => `${name.padEnd(width)} ${arrow} ${items.length === 0 ? '(nothing)' : items.join(separator)}`,
    )
  }
  return [draw(table, '->', ', '), draw(order, ':', ' > '), draw(homes, 'in', ', ')]
    .flatMap((rows) => ['', ...rows])
    .slice(1)
}

/** The map with the drawing under a heading made anew. */
export function redraw(map: string, heading: string, drawn: readonly string[]): string {
  const [before = '', section = ''] = map.split(`\n${heading}\n`)
  return `${before}\n${heading}\n${section.replace(DRAWING, () => `\`\`\`\n${drawn.join('\n')}\n\`\`\``)}`
}

/** The first fenced block. */
const DRAWING = /```\n([\s\S]*?)\n```/

/** Whether the map's drawing under a heading is what the tables draw, both ways. */
export function findMapErrors(map: string, heading: string, drawn: readonly string[]): string[] {
  const [, section] = map.split(`\n${heading}\n`)
  const block = DRAWING.exec(section ?? '')?.[1]
  if (block === undefined) return [`the map has no drawing under ${heading}`]
  const shown = block.split('\n')
  return [
    ...drawn.filter((line) => !shown.includes(line)).map((line) => `missing: ${line}`),
    ...shown.filter((line) => !drawn.includes(line)).map((line) => `wrong: ${line}`),
  ]
}
