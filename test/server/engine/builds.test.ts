// What is said of the engine's builds: against the binaries that are installed, and in the words that a user reads.
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'tap'
import { ENGINE_BUILDS, explainNoBuild, nodesServed, type System } from '../../../src/server/engine/builds.js'
import { DOCS, section, tableRows } from '../../helpers/markdown.js'
import { listFiles } from '../../helpers/source-tree.js'

/** node_api's module versions, by which binaries are named (nodejs.org/dist/index.json). */
const ABI_OF_NODE: Readonly<Record<number, string>> = { 20: '115', 22: '127', 24: '137', 26: '147' }

const OLDER = 'node_modules/uWebSockets.js/dist/bin'
const system: System = { platform: 'linux', arch: 'x64', nodeVersion: '24.21.0', glibc: '2.36' }

/** The newest glibc whose symbols a binary asks for. */
function glibcOf(file: string): string | null {
  const versions = Array.from(readFileSync(file, 'latin1').matchAll(/GLIBC_2\.(\d+)/g), (match) => Number(match[1]))
  return versions.length === 0 ? null : `2.${Math.max(...versions)}`
}

test('each build of the older package is installed and needs the documented glibc', async (t) => {
  const files = new Set(listFiles(OLDER))
  for (const { package: name, platform, archs, nodes, glibc } of ENGINE_BUILDS) {
    if (name !== 'uws-pack') continue
    for (const arch of archs) {
      for (const node of nodes) {
        const file = `${OLDER}/uws_${platform}_${arch}_${ABI_OF_NODE[node]}.node`
        t.ok(files.has(file), file)
        if (glibc !== null) t.equal(glibcOf(file), glibc, file)
      }
    }
  }
  for (const abi of ['137', '147'])
    t.notOk(
      [...files].some((file) => file.endsWith(`_${abi}.node`)),
      'none for newer Nodes',
    )
})

test('the newer package, if installed, needs the documented glibc', async (t) => {
  const [newer] = ENGINE_BUILDS
  const files = (newer?.nodes ?? []).map((node) => `node_modules/@uwsjs/linux-x64-${node}/uws.node`)
  // npm installs the one for its own Node alone.
  for (const file of files) if (existsSync(file)) t.equal(glibcOf(file), newer?.glibc, file)
})

test('too old a glibc is named with the one that is needed, and with the Nodes that run all the same', async (t) => {
  t.equal(
    explainNoBuild(system),
    'The HTTP engine (uWebSockets.js) does not run with Node 24.21.0 on linux x64 with glibc 2.36: its build for Node 24 needs glibc 2.38 or newer. On this system it runs with Node 20 or 22.',
  )
})

test('each other cause has words of its own', async (t) => {
  const cases: readonly (readonly [Partial<System>, RegExp])[] = [
    [{ glibc: null }, /without glibc: its builds need glibc, and this system has another C library\.$/],
    [{ arch: 'arm64', glibc: '2.41' }, /no build for Node 24 on this system\. .* Node 20 or 22\.$/],
    [
      { platform: 'darwin', arch: 'arm64', glibc: null },
      /darwin arm64: there is no build for Node 24 .* Node 20 or 22\.$/,
    ],
    [{ arch: 'riscv64', glibc: '2.41' }, /no build for linux riscv64\.$/],
    [{ nodeVersion: '23.1.0', glibc: '2.41' }, /no build for Node 23 on this system\. .* Node 20, 22, 24 or 26\.$/],
    [{ glibc: '2.41' }, /is not installed or cannot be loaded; run npm ci with optional dependencies\./],
    [{ nodeVersion: '20.19.0', glibc: '2.17' }, /its build for Node 20 needs glibc 2\.27 or newer\.$/],
  ]
  for (const [change, words] of cases) t.match(explainNoBuild({ ...system, ...change }), words, JSON.stringify(change))
})

test('the documentation says of each system which Nodes run there', async (t) => {
  const systems = [
    { name: /Linux x64, glibc 2\.38 or newer/, platform: 'linux', arch: 'x64', glibc: '2.38' },
    { name: /Linux x64, glibc 2\.27 to 2\.37/, platform: 'linux', arch: 'x64', glibc: '2.37' },
    { name: /Linux arm64, glibc 2\.27 or newer/, platform: 'linux', arch: 'arm64', glibc: '2.41' },
    { name: /macOS, x64 and arm64/, platform: 'darwin', arch: 'arm64', glibc: null },
    { name: /Windows x64/, platform: 'win32', arch: 'x64', glibc: null },
    { name: /musl/, platform: 'linux', arch: 'x64', glibc: null },
  ]
  const rows = tableRows(section(DOCS, 'Systems'))
  t.equal(rows.length, systems.length)
  for (const { name, ...each } of systems) {
    const row = rows.find(([cell = '']) => name.test(cell))
    t.equal(row?.[1], nodesServed(each).join(', ') || 'none', String(name))
  }
})
