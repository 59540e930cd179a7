// The laws of the house about who imports whom, as functions: a tree and its tables in, breaches out, one line each and none where
// the law holds. Those about what a file is: house-laws.ts.
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

/** The part of the tree that a row of the table is about. */
export function areaOf(path: string): string {
  const [root, first = ''] = path.split('/')
  const name = first.replace(/\.ts$/, '')
  return root === 'src' ? name : `${root}/${name}`
}

/** The part of an area that a file belongs to: a folder, or the file itself. */
function roomOf(path: string): string {
  return (path.split('/')[2] ?? '').replace(/\.ts$/, '')
}

/** Whether a file is one of these, or below one that ends with a slash. */
export function isUnder(path: string, homes: readonly string[]): boolean {
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

/** Files that load a room when they are loaded, where it is to be loaded when it is first needed; a room that is not there. */
export function findEagerLoads(files: readonly SourceFile[], room: string): string[] {
  const isOfRoom = (path: string): boolean => path.startsWith(room)
  const values = /^import \{(?!(?:\s*type \w+,?)+\s*\})[^}]*\} from '([^']+)'/gm
  const name = room.replace(/^src\//, '')
  const loading = files.filter(
    ({ path, code }) => !isOfRoom(path) && [...code.matchAll(values)].some(([, from = '']) => from.includes(name)),
  )
  return [
    ...(files.some(({ path }) => isOfRoom(path)) ? [] : [`${room} is not there`]),
    ...loading.map(({ path }) => `${path} loads ${room}`),
  ]
}

/** Files that load a package's index, for more than its types; one that is said to need it and does not. */
export function findWholeLoads(files: readonly SourceFile[], name: string, needing: readonly string[]): string[] {
  const loading = files
    .filter(({ code }) => {
      const imports = [...code.matchAll(/^import ([^']*?) ?from '([^']+)'/gm)]
      return imports.some(([, what = '', from]) => from === name && !/^\{(?:\s*type \w+,?)+\s*\}$/.test(what))
    })
    .map(({ path }) => path)
  return [
    ...loading.filter((path) => !needing.includes(path)).map((path) => `${path} loads all of ${name}`),
    ...needing.filter((path) => !loading.includes(path)).map((path) => `${path} does not load all of ${name}`),
  ]
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
