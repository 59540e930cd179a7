// What a packed package carries beside its bundle: which of the engine's binaries, and the licences of all that is in it.
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, resolve } from 'node:path'
import { ENGINE_BUILDS } from '../src/server/engine/builds.js'

/** The package of the engine that has a binary for everything. */
const ENGINE_PACKAGE = 'uws-pack'
/** By which binaries name the Nodes that they are for: `process.versions.modules`. */
const ABI_OF_NODE: Readonly<Record<number, number>> = { 20: 115, 22: 127 }
const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i
const RULE = '='.repeat(80)

export type Metafile = {
  readonly inputs: Readonly<Record<string, unknown>>
  readonly outputs: Readonly<Record<string, { readonly imports: readonly Imported[] }>>
}
type Imported = { readonly path: string; readonly external?: boolean }
type Manifest = { readonly name: string; readonly version: string; readonly license?: string }

/** The binaries that the package carries. */
export function carriedBinaries(): string[] {
  const builds = ENGINE_BUILDS.filter((build) => build.package === ENGINE_PACKAGE)
  return builds.flatMap(({ platform, archs, nodes }) =>
    archs.flatMap((arch) => nodes.map((node) => `uws_${platform}_${arch}_${ABI_OF_NODE[node]}.node`)),
  )
}

/** Folders of the packages of which the bundle has a part, by what esbuild says of it. */
export function bundledPackages({ inputs }: Pick<Metafile, 'inputs'>, root: string): string[] {
  const folders = Object.keys(inputs).flatMap((input) => {
    const folder = /^.*\/?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]
    return folder === undefined ? [] : [resolve(root, folder)]
  })
  return [...new Set(folders)].sort()
}

/** Packages that the bundle imports from beside it. */
export function importedPackages({ outputs }: Pick<Metafile, 'outputs'>): string[] {
  const imported = Object.values(outputs).flatMap(({ imports }) => imports)
  const paths = imported
    .filter(({ external, path }) => external === true && !path.startsWith('node:') && !isBuiltin(path))
    .map(({ path }) => path)
  return [...new Set(paths)].sort()
}

/** Their licences as one text. @throws Error for a package that has none, which must not be passed on */
export function licencesOf(folders: readonly string[]): string {
  const texts = folders.map((folder) => {
    const {
      name,
      version,
      license = 'licence below',
    } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
    const text = licenceIn(folder)
    if (text === '') throw new Error(`${name} ${version} has no text of its licence.`)
    return `${RULE}\n${name} ${version} (${license})\n${RULE}\n\n${text}\n`
  })
  return `The package "sluice" contains code of the packages below.\n\n${texts.join('\n')}`
}

/** What its files say, or else the end of its read-me from the heading on. */
function licenceIn(folder: string): string {
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8').trim()
  const files = readdirSync(folder)
  const own = files.filter((file) => LICENCE_FILE.test(file)).map(read)
  if (own.length > 0) return own.join('\n\n')
  const readMe = files.filter((file) => READ_ME.test(file)).map(read)[0] ?? ''
  const heading = LICENCE_HEADING.exec(readMe)
  return heading === null ? '' : readMe.slice(heading.index + heading[0].length).trim()
}

const READ_ME = /^readme/i
const LICENCE_HEADING = /^#* *licen[cs]e *\n[-=]*/im
