// The package as npm makes it of an unbuilt clone: it builds, holds what it needs, and works where it is installed. Registries are out of
// reach here, so the tarball is unpacked where npm would put it, beside the packages of this clone.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { test } from 'tap'
import { ROOT } from './helpers/gateway.js'

const run = promisify(execFile)
/** What a clone does not have. */
const NOT_CLONED: ReadonlySet<string> = new Set(['node_modules', 'dist', 'bundle', '.git', '.tap'])
const BUILD_MS = 300_000

type Packed = { readonly filename: string; readonly files: readonly { readonly path: string; readonly mode: number }[] }
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

  const app = join(folder, 'app')
  const modules = join(app, 'node_modules')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter((each) => !each.startsWith('.')))
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  await run('tar', ['-xzf', join(clone, packed?.filename ?? ''), '-C', modules])
  await run('mv', [join(modules, 'package'), join(modules, 'sluice')])
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
    const gateway = createGateway({ config: { server: { port: 0, threads: 2 }, log: { level: 'silent' } } })
    const url = await gateway.listen()
    const { status } = await fetch(url + '/health')
    await gateway.close()
    console.log(JSON.stringify([status, typeof SluiceSocket]))`
  writeFileSync(join(app, 'use.mjs'), program)
  const imported = await run(process.execPath, ['use.mjs'], { cwd: app, timeout: 60_000 })
  t.same(JSON.parse(imported.stdout), [200, 'function'])

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
