// `npm run dev` on a small project of its own, so that no test sees its build change under it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'tap'
import { ROOT } from '../helpers/gateway.js'

/** Prints its word and its process id, then lives until it is stopped. */
function source(word: string): string {
  return `declare const process: { pid: number; argv: string[] }
declare function setInterval(run: () => void, ms: number): void
declare const console: { log(text: string): void }
console.log(\`${word} \${process.pid} \${process.argv.slice(2).join(' ')}\`)
setInterval(() => {}, 1000)
`
}

function createProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-dev-'))
  mkdirSync(join(folder, 'src/deep'), { recursive: true })
  mkdirSync(join(folder, 'dist/src'), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const compilerOptions = { rootDir: '.', outDir: 'dist', module: 'NodeNext', target: 'ES2023', types: [] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }))
  writeFileSync(join(folder, 'src/main.ts'), source('one'))
  writeFileSync(join(folder, 'dist/src/main.js'), source('one').replace(/^declare.*\n/gm, ''))
  return folder
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('dev starts, builds and starts again on a change, outlives a broken build, and ends all at SIGINT', async (t) => {
  const folder = createProject()
  // tap hands its loaders on to every child by NODE_OPTIONS, and the compiler does not start under them.
  const args = ['-u', 'NODE_OPTIONS', process.execPath, join(ROOT, 'dist/bench/dev.js'), '--port', '0']
  const dev = spawn('env', args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => {
    dev.kill('SIGTERM')
    rmSync(folder, { recursive: true, force: true })
  })
  const lines = createInterface({ input: dev.stdout })[Symbol.asyncIterator]()
  const nextLine = async (): Promise<string> => String((await lines.next()).value)
  const first = await nextLine()
  t.match(first, /^one \d+ start --port 0$/, 'options are passed on')

  writeFileSync(join(folder, 'src/deep/part.ts'), 'export const part: number = "no number"\n')
  t.match(await nextLine(), /part\.ts.*error TS2322/, 'the compiler tells what is wrong')
  const [told] = (await once(dev.stderr, 'data')) as [Buffer]
  t.match(told.toString(), /the build failed/)
  t.ok(isAlive(Number(first.split(' ')[1])), 'what ran before goes on')

  writeFileSync(join(folder, 'src/deep/part.ts'), 'export const part: number = 1\n')
  writeFileSync(join(folder, 'src/main.ts'), source('two'))
  const second = await nextLine()
  t.match(second, /^two \d+/)
  t.notOk(isAlive(Number(first.split(' ')[1])), 'the one before is gone')

  dev.kill('SIGINT')
  const [code] = await once(dev, 'exit')
  t.equal(code, 0)
  t.notOk(isAlive(Number(second.split(' ')[1])), 'nothing is left behind')
})
