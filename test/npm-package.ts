// The package as npm makes it of an unbuilt clone: it builds, holds what it needs, and works where it is installed. Registries are out of
// reach here, so the tarball is unpacked where npm would put it, beside those packages of this clone that it depends on, and no others.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { type Test, test } from 'tap'
import { ROOT } from './helpers/gateway.js'
import { bundledPackages, carriedBinaries, importedPackages } from './package-parts.js'

const run = promisify(execFile)
/** What a clone does not have. */
const NOT_CLONED: ReadonlySet<string> = new Set(['node_modules', 'dist', 'bundle', '.git', '.tap'])
const BUILD_MS = 300_000

/** On Linux x64; docs/guide/embed.md says what it is made up of. */
const MOST_BYTES = 100e6

type Lock = { readonly packages: Readonly<Record<string, { readonly dev?: boolean }>> }
type Packed = {
  readonly unpackedSize: number
  readonly filename: string
  readonly files: readonly { readonly path: string; readonly mode: number }[]
}
type Manifest = { readonly scripts: Record<string, string>; readonly bin: Record<string, string> }

test('npm pack builds an unbuilt clone, and its tarball serves, is imported, has types and runs no install script', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-package-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const clone = join(folder, 'clone')
  cpSync(ROOT, clone, { recursive: true, filter: (path) => !NOT_CLONED.has(basename(path)) })
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'))
  const packing = await run('npm', ['pack', '--json', '--offline'], { cwd: clone, timeout: BUILD_MS, maxBuffer: 1e8 })
  const [packed] = JSON.parse(packing.stdout.slice(packing.stdout.indexOf('['))) as Packed[]
  const paths = packed?.files.map(({ path }) => path) ?? []
  for (const path of [
    'bundle/src/main.js',
    'bundle/workers/frontend.js',
    'resources/models.json',
    'LICENSE',
    'README.md',
  ])
    t.ok(paths.includes(path), path)
  t.notOk(paths.some((path) => /^(src|test|bench|dist|docs)\//.test(path)))
  t.same(
    paths.filter((path) => path.endsWith('.node')).sort(),
    carriedBinaries()
      .map((name) => `bundle/engine/${name}`)
      .sort(),
  )

  const app = join(folder, 'app')
  const modules = join(app, 'node_modules')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  const needed = neededPackages()
  for (const name of needed) linkPackage(name, modules)
  const bytes =
    (packed?.unpackedSize ?? 0) + needed.reduce((sum, name) => sum + sizeOf(join(ROOT, 'node_modules', name)), 0)
  t.ok(bytes < MOST_BYTES, `${Math.round(bytes / 1e6)} MB are installed`)
  await run('tar', ['-xzf', join(clone, packed?.filename ?? ''), '-C', modules])
  await run('mv', [join(modules, 'package'), join(modules, 'sluice')])
  checkLicences(t, join(clone, 'dist/bundle.json'), join(modules, 'sluice/bundle/THIRD_PARTY_LICENSES'))
  const { scripts, bin } = JSON.parse(readFileSync(join(modules, 'sluice/package.json'), 'utf8')) as Manifest
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) t.notOk(name in scripts, name)
  t.equal(packed?.files.find(({ path }) => path === bin.sluice)?.mode, 0o755, 'npm links it as it is')
  symlinkSync(join('../sluice', bin.sluice ?? ''), join(modules, '.bin/sluice'))
  writeFileSync(join(app, 'package.json'), '{"name":"app","version":"1.0.0","type":"module"}')

  const version = await run('npx', ['--offline', '--no', 'sluice', '--version'], { cwd: app })
  t.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
  const child = spawn(process.execPath, [join(modules, '.bin/sluice'), 'start', '--port', '0'], { cwd: app })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const { url } = JSON.parse(line) as { url: string }
  t.equal((await fetch(`${url}/health`)).status, 200)
  child.kill('SIGINT')
  t.same(await once(child, 'exit'), [0, null])

  const program = `
    import { createGateway } from 'sluice'
    import { SluiceSocket } from 'sluice/client'
    const accounts = { store: 'sqlite', path: 'accounts.db' }
    const config = { server: { port: 0, threads: 2 }, log: { level: 'silent' }, accounts }
    const gateway = createGateway({ config })
    const url = await gateway.listen()
    const { status } = await fetch(url + '/health')
    await gateway.close()
    console.log(JSON.stringify([status, typeof SluiceSocket]))`
  writeFileSync(join(app, 'use.mjs'), program)
  const imported = await run(process.execPath, ['use.mjs'], { cwd: app, timeout: 60_000 })
  t.same(JSON.parse(imported.stdout), [200, 'function'])

  const metafile = JSON.parse(readFileSync(join(clone, 'dist/bundle.json'), 'utf8'))
  // pg asks for its native twin, and does without.
  for (const name of importedPackages(metafile).filter((each) => each !== 'pg-native'))
    t.ok(existsSync(join(modules, name)), `${name} is installed with it`)

  for (const name of ['typescript', '@typescript', '@types']) linkPackage(name, modules)
  writeFileSync(
    join(app, 'use.ts'),
    `import { createGateway, type Gateway } from 'sluice'
import { SluiceSocket } from 'sluice/client'
const gateway: Gateway = createGateway({ config: 'sluice.yaml', onFailure: (error: Error) => console.error(error) })
export const url: Promise<string> = gateway.listen()
export { SluiceSocket }
// @ts-expect-error
createGateway({ config: 7 })\n`,
  )
  const flags = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--types',
    'node',
    '--skipLibCheck',
  ]
  const types = await run('npx', ['--offline', '--no', 'tsc', '--', ...flags, 'use.ts'], { cwd: app }).catch(
    (error) => error,
  )
  t.equal(types.stdout, '')
})

/** Packages that npm would install with it here. */
function neededPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock
  const names = Object.entries(packages).flatMap(([folder, { dev }]) =>
    dev === true ? [] : [/^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(folder)?.[1] ?? []].flat(),
  )
  return names.filter((name) => existsSync(join(ROOT, 'node_modules', name)))
}

function linkPackage(name: string, modules: string): void {
  if (!existsSync(join(ROOT, 'node_modules', name))) return
  mkdirSync(dirname(join(modules, name)), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
}

function sizeOf(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
}

/** All that is in the bundle has its licence beside it. */
function checkLicences(t: Test, metafile: string, licences: string): void {
  const text = readFileSync(licences, 'utf8')
  const folders = bundledPackages(JSON.parse(readFileSync(metafile, 'utf8')), dirname(dirname(metafile)))
  t.ok(folders.length > 20)
  for (const folder of folders) {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    t.match(text, `\n${name} ${version} (`)
  }
  for (const words of ['Apache License', 'uWebSockets.js (Apache-2.0)', 'Permission is hereby granted'])
    t.match(text, words)
}
