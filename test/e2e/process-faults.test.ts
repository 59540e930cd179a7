// What the machine does to a process: no descriptors left, a log that cannot be written, a reader of its output that is gone,
// a worker that dies or hangs under load. It says so, sheds what it must, and goes on.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, t as tap, test } from 'tap'
import { request } from 'undici'
import { MAIN, simulatedProviders, startSimulator } from '../helpers/gateway.js'

const START_MS = 10_000
const BODY = JSON.stringify({ model: 'openai/lorem', max_tokens: 3, messages: [{ role: 'user', content: 'Hi' }] })

type Started = { readonly child: ChildProcess; readonly origin: string; readonly errors: () => string }

/** Starts the gateway by a shell line, in which `exec "$@"` is the gateway itself. */
async function start(t: Test, shell: string, config: object): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-faults-'))
  const file = join(folder, 'sluice.json')
  writeFileSync(file, JSON.stringify({ server: { port: 0, drainGraceMs: 0, drainMs: 500 }, ...config }))
  const args = ['-c', shell, 'sh', process.execPath, MAIN, 'start', '--config', file]
  const child = spawn('sh', args, { cwd: folder, env: { PATH: process.env.PATH ?? '' }, stdio: 'pipe' })
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  })
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const origin = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready: ${errors}`)), START_MS)
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const found = /http:\/\/[\w.:]+/.exec(text)?.[0]
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${errors}`)))
  })
  return { child, origin, errors: () => errors }
}

async function statusOf({ origin }: Started, body = BODY): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  const answer = await request(`${origin}/v1/chat/completions`, { method: 'POST', headers, body })
  await answer.body.dump()
  return answer.statusCode
}

const simulator = await startSimulator(tap, ['--tokens-per-second', '500'])
const SIMULATED = { providers: simulatedProviders(simulator.origin) }

test('without a descriptor left it does not end, and serves again when there are some', async (t) => {
  const gateway = await start(t, 'ulimit -n 256; exec "$@"', SIMULATED)
  const port = Number(new URL(gateway.origin).port)
  t.equal(await statusOf(gateway), 200)
  const sockets: Socket[] = Array.from({ length: 300 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  t.teardown(() => sockets.forEach((socket) => void socket.destroy()))
  await Promise.all(sockets.map((socket) => once(socket, 'connect').catch(() => null)))
  t.equal(gateway.child.exitCode, null)
  for (const socket of sockets) socket.destroy()
  t.equal(await statusOf(gateway), 200)
  gateway.child.kill('SIGTERM')
  t.same(await once(gateway.child, 'exit'), [0, null])
})

test('a log on a full disk loses lines and nothing else', async (t) => {
  if (!existsSync('/dev/full')) return void t.pass('no /dev/full here')
  const gateway = await start(t, 'exec "$@"', { ...SIMULATED, log: { file: '/dev/full' } })
  for (let i = 0; i < 20; i++) t.equal(await statusOf(gateway), 200)
  gateway.child.kill('SIGTERM')
  t.same(await once(gateway.child, 'exit'), [0, null])
})

test('with nobody reading its output any more it goes on, and ends well', async (t) => {
  const gateway = await start(t, 'exec "$@"', SIMULATED)
  gateway.child.stdout?.destroy()
  gateway.child.stderr?.destroy()
  for (let i = 0; i < 20; i++) t.equal(await statusOf(gateway), 200)
  gateway.child.kill('SIGHUP')
  t.equal(await statusOf(gateway), 200)
  gateway.child.kill('SIGTERM')
  t.same(await once(gateway.child, 'exit'), [0, null])
})

test('a metrics port that is taken is told at the start, with its number', async (t) => {
  const first = await start(t, 'exec "$@"', SIMULATED)
  const port = Number(new URL(first.origin).port)
  await t.rejects(start(t, 'exec "$@"', { metrics: { port } }), new RegExp(`ended with 1: .*127.0.0.1:${port}.*in use`))
})
