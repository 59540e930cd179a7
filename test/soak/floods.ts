// Floods beside real work: a client that never pauses, on one connection or ten, while a probe asks for /livez and a stream
// brings a token every 20 ms. Neither may notice. The attacker is a process of its own, and a nice one, so that what is
// measured is the gateway's turn and not the machine's.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { parsePage } from '../helpers/prometheus.js'

const FLOODER = fileURLToPath(new URL('./flooder.js', import.meta.url))
const KEY = 'soak-key-0123456789'
const MOST_MS = 250
const TOKENS_PER_SEC = 50
const PROBE_EVERY_MS = 20
const FLOOD_MS = Number(process.env.FLOOD_SECONDS ?? 5) * 1000
/** The attacker connects, and the code of the flood's way is compiled. */
const WARM_UP_MS = 1000

type Flood = { readonly kind: string; readonly hasKey: boolean; readonly series: string }

const FLOODS: readonly Flood[] = [
  { kind: 'livez', hasKey: false, series: 'requests' },
  { kind: 'models', hasKey: false, series: 'requests' },
  { kind: 'models', hasKey: true, series: 'requests' },
  { kind: 'text', hasKey: true, series: 'messages' },
  { kind: 'ping', hasKey: true, series: 'messages' },
  { kind: 'chat', hasKey: true, series: 'messages' },
]

/** Runs every flood with one and ten connections against one and two event loops; gives back what was wrong. */
export async function runFloods(ground: Teardown, say: (text: string) => void): Promise<string[]> {
  const faults: string[] = []
  const simulator = await startSimulator(ground, ['--tokens-per-second', String(TOKENS_PER_SEC)])
  for (const threads of [1, 2]) {
    const gateway = await startGateway(ground, { config: configOf(simulator, threads) })
    for (const flood of FLOODS) {
      for (const connections of [1, 10]) {
        const key = flood.hasKey ? 'with a key' : 'without a key'
        const name = `${flood.kind} ${key}, ${connections} connections, ${threads} event loops`
        const { probeMs, gapMs, closed } = await withstand(gateway, flood, connections)
        say(`${name}: probe ${tell(probeMs)}; gap of the stream ${tell(gapMs)}; ${closed} connections closed`)
        if (!(percentile(probeMs) < MOST_MS)) faults.push(`${name}: the probe waits ${tell(probeMs)}`)
        if (!(percentile(gapMs) < MOST_MS)) faults.push(`${name}: the stream stands still for ${tell(gapMs)}`)
        if (closed === 0) faults.push(`${name}: no connection was closed`)
      }
    }
    const code = await gateway.stop()
    if (code !== 0) faults.push(`exit code ${code}`)
  }
  await simulator.stop()
  return faults
}

function configOf(simulator: Running, threads: number): object {
  return {
    server: { port: 0, threads },
    log: { level: 'warn' },
    // What the machine is short of besides shall cost no request here.
    limits: { shed: { lagMs: null } },
    keys: [{ name: 'soak', key: KEY }],
    providers: simulatedProviders(simulator.origin),
  }
}

async function withstand(gateway: Running, flood: Flood, connections: number) {
  const before = await closedConnections(gateway, flood.series)
  const attacker = attack(gateway, flood, connections)
  await sleep(WARM_UP_MS)
  const untilMs = performance.now() + FLOOD_MS
  const [probeMs, gapMs] = await Promise.all([probe(gateway, untilMs), listen(gateway, untilMs)])
  attacker.kill('SIGKILL')
  if (attacker.exitCode === null && attacker.signalCode === null) await once(attacker, 'exit')
  return { probeMs, gapMs, closed: (await closedConnections(gateway, flood.series)) - before }
}

function attack({ origin }: Running, { kind, hasKey }: Flood, connections: number): ChildProcess {
  const args = [FLOODER, new URL(origin).port, kind, String(connections), ...(hasKey ? [KEY] : [])]
  return spawn('nice', ['-n', '19', process.execPath, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** A new connection each time: with two event loops it may come to either. */
async function probe({ origin }: Running, untilMs: number): Promise<number[]> {
  const waits: number[] = []
  while (performance.now() < untilMs) {
    const agent = new Agent({ pipelining: 0 })
    const startedAtMs = performance.now()
    const { body } = await request(`${origin}/livez`, { dispatcher: agent })
    await body.text()
    waits.push(performance.now() - startedAtMs)
    await agent.close()
    await sleep(PROBE_EVERY_MS)
  }
  return waits
}

/** The time between two pieces of one stream; the first piece has a wait of its own. */
async function listen({ origin }: Running, untilMs: number): Promise<number[]> {
  const { body } = await request(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY },
    body: JSON.stringify({
      model: 'openai/lorem-max',
      stream: true,
      max_tokens: 100_000,
      messages: [{ role: 'user', content: 'Hi' }],
    }),
  })
  const gaps: number[] = []
  let lastMs: number | null = null
  for await (const _ of body) {
    const nowMs = performance.now()
    if (lastMs !== null) gaps.push(nowMs - lastMs)
    lastMs = nowMs
    if (nowMs > untilMs) break
  }
  return gaps
}

async function closedConnections({ origin }: Running, kind: string): Promise<number> {
  const { body } = await request(`${origin}/metrics`, { headers: { 'x-api-key': KEY } })
  const { samples } = parsePage(await body.text())
  return samples.find(({ name, labels }) => name === 'sluice_floods_total' && labels.kind === kind)?.value ?? 0
}

/** The 99th; not a number of none, which is less than nothing. */
function percentile(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN
}

function tell(values: readonly number[]): string {
  return `p99 ${percentile(values).toFixed(0)} ms, worst ${Math.max(...values).toFixed(0)} ms of ${values.length}`
}
