// The engine's binaries are those that were looked at: their git blob ids against the committed table, and the table against the
// lock file. test/verify-engine.sh compares the same table with the engine's own repository.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { listFiles, readText } from './helpers/source-tree.js'

type Table = Readonly<Record<string, Readonly<Record<string, string>>>>
type Lock = { readonly packages: Readonly<Record<string, { readonly name?: string; readonly version?: string }>> }

const TABLE = JSON.parse(readText('resources/engine-blobs.json')) as Table
const ENGINE_PACKAGE = /^node_modules\/(uWebSockets\.js|@uwsjs\/[\w-]+)$/

/** As git names the contents of a file. */
function blobIdOf(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

/** Folder of each engine package of the lock file, by name and version. */
function lockedPackages(): Map<string, string> {
  const { packages } = JSON.parse(readText('package-lock.json')) as Lock
  return new Map(
    Object.entries(packages).flatMap(([folder, { name, version }]) => {
      const own = ENGINE_PACKAGE.exec(folder)?.[1]
      return own === undefined ? [] : [[`${name ?? own}@${version}`, folder] as const]
    }),
  )
}

test('the table has every engine package of the lock file, and no other', (t) => {
  t.same(Object.keys(TABLE).sort(), [...lockedPackages().keys()].sort())
  t.end()
})

test('every installed binary has the blob id of the table, and none is beside it', (t) => {
  let looked = 0
  for (const [name, folder] of lockedPackages()) {
    // npm leaves out those for other Nodes and systems.
    if (!existsSync(folder)) continue
    const found = listFiles(folder).filter((file) => file.endsWith('.node'))
    const ids = found.map((file) => [file.slice(folder.length + 1), blobIdOf(readFileSync(file))])
    t.same(Object.fromEntries(ids), TABLE[name], name)
    looked += found.length
  }
  t.ok(looked >= 24, `${looked} binaries`)
  t.end()
})

test('a binary that differs by a byte has another blob id', (t) => {
  const bytes = readFileSync('node_modules/uWebSockets.js/dist/bin/uws_linux_x64_115.node')
  const known = TABLE['uws-pack@20.0.8']?.['dist/bin/uws_linux_x64_115.node']
  t.equal(blobIdOf(bytes), known)
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  t.not(blobIdOf(bytes), known)
  t.end()
})

test('the comparison with a repository finds what its tags have, and fails for what they do not', (t) => {
  if (spawnSync('git', ['--version']).status !== 0) return void t.end()
  const folder = t.testdir()
  const git = (...args: string[]) => execFileSync('git', ['-C', folder, ...args], { stdio: 'pipe' })
  mkdirSync(folder, { recursive: true })
  git('init', '--quiet')
  git('config', 'uploadpack.allowFilter', 'true')
  const binary = readFileSync('node_modules/uWebSockets.js/dist/bin/uws_linux_x64_115.node')
  writeFileSync(join(folder, 'uws_linux_x64_115.node'), binary)
  git('add', '.')
  git('-c', 'user.name=t', '-c', 'user.email=t@localhost', 'commit', '--quiet', '-m', 'one')
  git('tag', 'v1')
  const { status, stdout } = spawnSync('bash', ['test/verify-engine.sh', `file://${folder}`], { encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stdout, /^ok uws-pack@20\.0\.8 dist\/bin\/uws_linux_x64_115\.node is v1 uws_linux_x64_115\.node$/m)
  t.match(stdout, /^NOT PUBLISHED uws-pack@20\.0\.8 dist\/bin\/uws_linux_x64_127\.node/m)
  t.end()
})

test('the image runs no install script of a dependency', (t) => {
  t.notMatch(readText('Dockerfile'), /npm ci(?! --ignore-scripts)/)
  t.end()
})
