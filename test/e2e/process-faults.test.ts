// What the machine does to a process: no descriptors left, a log that cannot be written, a reader of its output that is gone,
// a worker that dies or hangs under load. It says so, sheds what it must, and goes on.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, t as tap, test } from 'tap'
import { Client, request } from 'undici'
import { cpuMs } from '../../bench/stats.js'
import { MAIN, simulatedProviders, startSimulator } from '../helpers/gateway.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'

const START_MS = 10_000
/** Long enough to tell a busy core from an idle one. */
const IDLE_MS = 2000
const BODY = JSON.stringify({ model: 'openai/lorem-max', max_tokens: 3, messages: [{ role: 'user', content: 'Hi' }] })

type Started = {
  readonly child: ChildProcess
  readonly origin: string
  readonly errors: () => string
  readonly output: () => string
}

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
  let text = ''
  const origin = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready: ${errors}`)), START_MS)
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const found = /http:\/\/[\w.:]+/.exec(text)?.[0]
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${errors}`)))
  })
  return { child, origin, errors: () => errors, output: () => text }
}

async function statusOf({ origin }: Started, body = BODY): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  const answer = await request(`${origin}/v1/chat/completions`, { method: 'POST', headers, body })
  await answer.body.dump()
  return answer.statusCode
}

const simulator = await startSimulator(tap, ['--tokens-per-second', '500'])
const SIMULATED = { providers: simulatedProviders(simulator.origin) }

/** Waits for what a metric says, as told on a connection that is there already. */
async function pausedListeners(client: Client, wanted: number): Promise<boolean> {
  for (let i = 0; i < 50; i++) {
    const page = await (await client.request({ method: 'GET', path: '/metrics' })).body.text()
    if (sampleValue(parsePage(page).samples, 'sluice_listeners_paused', {}) === wanted) return true
    await sleep(100)
  }
  return false
}

test('short of descriptors it takes no connections, serves those it has without a busy core, and takes them again', async (t) => {
  const gateway = await start(t, 'ulimit -n 256; exec "$@"', SIMULATED)
  const port = Number(new URL(gateway.origin).port)
  const client = new Client(gateway.origin)
  const chat = {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: { 'content-type': 'application/json' },
  } as const
  const ask = async (): Promise<number> => {
    const { statusCode, body } = await client.request({ ...chat, body: BODY })
    await body.dump()
    return statusCode
  }
  t.teardown(() => client.destroy())
  t.equal(await ask(), 200)
  for (const round of [1, 2]) {
    const sockets: Socket[] = Array.from({ length: 400 }, () => connect(port, '127.0.0.1').on('error', () => {}))
    t.teardown(() => sockets.forEach((socket) => void socket.destroy()))
    const connected = await Promise.all(sockets.map((socket) => once(socket, 'connect').then(isTrue, isFalse)))
    t.ok(connected.includes(true) && connected.includes(false), 'some get in, some are refused')
    t.ok(await pausedListeners(client, 1), `round ${round}`)
    const beforeMs = cpuMs(gateway.child.pid ?? 0)
    await sleep(IDLE_MS)
    const cpuShare = (cpuMs(gateway.child.pid ?? 0) - beforeMs) / IDLE_MS
    t.ok(cpuShare < 0.3, `${(100 * cpuShare).toFixed(0)} % of a core`)
    t.equal(await ask(), 200)
    for (const socket of sockets) socket.destroy()
    t.ok(await pausedListeners(client, 0), 'and it is over when they have gone')
    t.equal(await statusOf(gateway), 200, 'on a connection of its own')
  }
  t.match(gateway.output(), /listeners paused.*\n(.*\n)*.*listeners resumed/)
  gateway.child.kill('SIGTERM')
  t.same(await once(gateway.child, 'exit'), [0, null])
})

function isTrue(): boolean {
  return true
}

function isFalse(): boolean {
  return false
}

test('a log on a full disk loses lines and nothing else', async (t) => {
  if (!existsSync('/dev/full')) return void t.pass('no /dev/full here')
  const gateway = await start(t, 'exec "$@"', { ...SIMULATED, log: { file: '/dev/full' } })
  for (let i = 0; i < 20; i++) t.equal(await statusOf(gateway), 200)
  gateway.child.kill('SIGTERM')
  t.same(await once(gateway.child, 'exit'), [0, null])
})

test('continues when its output is no longer read, and ends with exit code 0', async (t) => {
  const gateway = await start(t, 'exec "$@"', SIMULATED)
  gateway.child.stdout?.destroy()
  gateway.child.stderr?.destroy()
  for (let i = 0; i < 20; i++) t.equal(await statusOf(gateway), 200)
  gateway.child.kill('SIGHUP')
  t.equal(await statusOf(gateway), 200)
  gateway.child.kill('SIGTERM')
  t.same(await once(gateway.child, 'exit'), [0, null])
})

test('a metrics port in use is reported at the start, with its number', async (t) => {
  const first = await start(t, 'exec "$@"', SIMULATED)
  const port = Number(new URL(first.origin).port)
  await t.rejects(start(t, 'exec "$@"', { metrics: { port } }), new RegExp(`ended with 1: .*127.0.0.1:${port}.*in use`))
})
