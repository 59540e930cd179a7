// Puts beside the bundle what a package carries: the engine's binaries for the systems that it runs on, and the licences of all that is
// in it. `npm pack` runs it after the build; with `here`, as for an image, it takes only the binary of this system.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundledPackages, carriedBinaries, licencesOf, type Metafile } from './package-parts.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const ENGINE = 'node_modules/uWebSockets.js'
/** The licence's own text, which the engine's package leaves out. */
const APACHE_LICENCE = 'node_modules/@opentelemetry/core/LICENSE'
const RULE = '='.repeat(80)
const ENGINE_NOTICE = `${RULE}
uWebSockets.js (Apache-2.0)
${RULE}

The binaries in engine/ are those of https://github.com/uNetworking/uWebSockets.js, as the package uws-pack has them.
They contain uWebSockets, uSockets and the libraries that these name, under the licences that are named there.`

function carryEngine(names: readonly string[]): void {
  const to = join(ROOT, 'bundle/engine')
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  for (const file of ['LICENSE', 'package.json']) cpSync(join(ROOT, ENGINE, file), join(to, file))
  for (const name of names) cpSync(join(ROOT, ENGINE, 'dist/bin', name), join(to, name))
}

function carryLicences(): void {
  const metafile = JSON.parse(readFileSync(join(ROOT, 'dist/bundle.json'), 'utf8')) as Metafile
  const folders = [...bundledPackages(metafile, ROOT), join(ROOT, ENGINE)]
  const apache = readFileSync(join(ROOT, APACHE_LICENCE), 'utf8').trim()
  writeFileSync(join(ROOT, 'bundle/THIRD_PARTY_LICENSES'), `${licencesOf(folders)}\n${ENGINE_NOTICE}\n\n${apache}\n`)
}

const { platform, arch, versions } = process
const ours = `uws_${platform}_${arch}_${versions.modules}.node`
carryEngine(carriedBinaries().filter((name) => process.argv[2] !== 'here' || name === ours))
carryLicences()
