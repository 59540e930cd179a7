// Ten thousand streams whose clients leave at a random moment, many at once: each takes its upstream along within a second,
// each is counted once, and afterwards the gateway holds what it held before. SEED=n draws the same moments again.
import { type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { request } from 'undici'
import { type Running, startGateway } from '../helpers/gateway.js'
import { descriptorCount, INSPECTED, type Memory, memoryOf } from '../helpers/inspector.js'
import { type Manner, NumberedUpstream } from '../helpers/numbered-upstream.js'
import { parsePage } from '../helpers/prometheus.js'
import { Random } from '../helpers/random.js'
import { openRaw, post } from '../helpers/raw-http.js'
import { frameOf, RawWebSocket, TEXT } from '../helpers/raw-websocket.js'

const STREAMS = Number(process.env.ABORTED_STREAMS ?? 10_000)
/** At once: enough to meet each other, few enough that a second still says something on two cores. */
const CLIENTS = 64
const CHATS_PER_SOCKET = 4
const RELEASED_WITHIN_MS = 1000
const SETTLE_MS = 20_000
const KEEP_ALIVE_MS = 1000
const MEBIBYTE = 1024 * 1024
/** 5,000 streams that kept 200 bytes each would show. */
const MAX_USED_GROWTH_BYTES = MEBIBYTE
/** Pages that the allocator keeps vary from one time to the next. */
const MAX_RSS_GROWTH = 1.1

const PHASES = ['head', 'body', 'waiting', 'holding', 'streaming', 'end'] as const
type Phase = (typeof PHASES)[number]
const MANNERS: Readonly<Record<Phase, Manner>> = {
  head: 'streaming',
  body: 'streaming',
  waiting: 'silent',
  holding: 'holding',
  streaming: 'streaming',
  end: 'streaming',
}
/** How long after its beginning a phase may be left. */
const MAX_DELAY_MS = 40

/** Draws what each client does, and keeps when each left. */
class Churn {
  readonly #port: number
  readonly #random: Random
  readonly #end: number
  #next: number
  /** By number, in performance.now(). */
  readonly abortedAtMs = new Map<number, number>()

  constructor(port: number, random: Random, first: number, count: number) {
    this.#port = port
    this.#random = random
    this.#next = first
    this.#end = first + count
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: CLIENTS }, () => this.#client()))
  }

  async #client(): Promise<void> {
    while (this.#next < this.#end) {
      const room = this.#end - this.#next
      if (room >= CHATS_PER_SOCKET && this.#random.below(10) < 1) await this.#abortSocket(this.#take(CHATS_PER_SOCKET))
      else await this.#abortRequest(this.#take(1))
    }
  }

  #take(count: number): number {
    this.#next += count
    return this.#next - count
  }

  async #abortRequest(number: number): Promise<void> {
    const phase = this.#random.pick(PHASES)
    const socket = await openRaw(this.#port)
    socket.on('error', () => undefined)
    const bytes = post('/v1/chat/completions', bodyOf(number, MANNERS[phase]), `x-request-id: ${idOf(number)}\r\n`)
    const bodyAt = bytes.indexOf('\r\n\r\n') + 4
    const length =
      phase === 'head'
        ? this.#random.below(bodyAt)
        : phase === 'body'
          ? bodyAt + this.#random.below(bytes.length - bodyAt)
          : bytes.length
    const mark = phase === 'streaming' ? 'word' : phase === 'end' ? '"stop"' : null
    const begun = mark === null ? null : readUntil(socket, mark)
    socket.write(bytes.slice(0, Math.floor(length)))
    if (begun !== null) await begun
    if (phase !== 'end') await sleep(this.#random.below(MAX_DELAY_MS))
    this.abortedAtMs.set(number, performance.now())
    if (this.#random.below(2) < 1) socket.resetAndDestroy()
    else socket.destroy()
  }

  /** Several chats on one socket: one is cancelled, the others go with their socket. */
  async #abortSocket(first: number): Promise<void> {
    const { socket } = await RawWebSocket.open(this.#port, '')
    for (let number = first; number < first + CHATS_PER_SOCKET; number++) {
      const manner = MANNERS[this.#random.pick(PHASES)]
      const chat = `{"type":"chat","id":"${number}","request":${bodyOf(number, manner)}}`
      socket.write(frameOf(TEXT, chat))
    }
    await sleep(this.#random.below(MAX_DELAY_MS))
    this.abortedAtMs.set(first, performance.now())
    socket.write(frameOf(TEXT, `{"type":"cancel","id":"${first}"}`))
    await sleep(this.#random.below(MAX_DELAY_MS))
    for (let i = 1; i < CHATS_PER_SOCKET; i++) this.abortedAtMs.set(first + i, performance.now())
    if (this.#random.below(2) < 1) socket.resetAndDestroy()
    else socket.destroy()
  }
}

function idOf(number: number): string {
  return `churn-${number}`
}

function bodyOf(number: number, manner: Manner): string {
  const messages = [{ role: 'user', content: `#${number} ${manner}` }]
  return JSON.stringify({ model: 'up/m', stream: true, messages })
}

/** Rejects if the connection ends before. */
function readUntil(socket: Socket, mark: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
      if (text.includes(mark)) resolve()
    })
    socket.once('close', () => reject(new Error(`closed before ${mark}: ${text.slice(-300)}`)))
  })
}

type Counted = { readonly total: number; readonly byOutcome: ReadonlyMap<string, number>; readonly open: number }

async function count({ origin }: Running): Promise<Counted> {
  const { samples } = parsePage(await (await request(`${origin}/metrics`)).body.text())
  const byOutcome = new Map<string, number>()
  let [total, open] = [0, 0]
  for (const { name, labels, value } of samples) {
    if (name === 'sluice_requests_total') {
      total += value
      byOutcome.set(labels.outcome ?? '', (byOutcome.get(labels.outcome ?? '') ?? 0) + value)
    }
    const isOpen = name === 'sluice_active_requests' || name === 'sluice_active_streams'
    if (isOpen || (name === 'sluice_upstream_connections' && labels.state === 'busy')) open += value
  }
  return { total, byOutcome, open }
}

/** The longest that the gateway took to say that it lives: what a busy machine costs everything else as well. */
class Pulse {
  worstMs = 0
  readonly #stop = new AbortController()

  async beat(origin: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const askedAtMs = performance.now()
      await (await request(`${origin}/livez`)).body.dump()
      this.worstMs = Math.max(this.worstMs, performance.now() - askedAtMs)
      await sleep(50)
    }
  }

  stop(): void {
    this.#stop.abort()
  }
}

/** Looks until it holds, for a while. */
async function eventually(isTrue: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadlineMs = performance.now() + SETTLE_MS
  while (performance.now() < deadlineMs) {
    if (await isTrue()) return true
    await sleep(20)
  }
  return isTrue()
}

test(`${STREAMS} streams left at random moments leave nothing behind`, { timeout: 150_000 }, async (t) => {
  const random = Random.ofRun()
  t.comment(`SEED=${random.seed}`)
  const upstream = await NumberedUpstream.listen()
  t.teardown(() => upstream.close())
  const provider = { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, keepAliveMs: KEEP_ALIVE_MS }
  const routing = { retries: { max: 0 }, breaker: { enabled: false } }
  // A machine that is busy with the churn itself must not make the gateway refuse: who is refused cannot leave.
  const config = { limits: { shed: { lagMs: null } }, routing, providers: { up: provider } }
  const gateway = await startGateway(t, { config, env: INSPECTED })
  const port = Number(new URL(gateway.origin).port)
  await count(gateway)
  const descriptors = descriptorCount(gateway.pid)

  const pulse = new Pulse()
  const beating = pulse.beat(gateway.origin)
  const startedAtMs = performance.now()
  const halves: Memory[] = []
  const abortedAtMs = new Map<number, number>()
  for (const first of [0, STREAMS / 2]) {
    const churn = new Churn(port, random, first, STREAMS / 2)
    await churn.run()
    for (const [number, atMs] of churn.abortedAtMs) abortedAtMs.set(number, atMs)
    t.ok(await eventually(() => upstream.openCount === 0), `${upstream.openCount} upstream requests are open`)
    t.ok(await eventually(async () => (await count(gateway)).open === 0), 'nothing is in flight')
    halves.push(await memoryOf(gateway))
  }

  pulse.stop()
  await beating
  t.comment(
    `${Math.round(performance.now() - startedAtMs)} ms; a sign of life took ${Math.round(pulse.worstMs)} ms at most`,
  )

  const lags = [...upstream.fates].flatMap(([number, { closedAtMs }]) =>
    closedAtMs === null ? [] : [closedAtMs - (abortedAtMs.get(number) ?? 0)],
  )
  const worstMs = Math.max(...lags)
  t.comment(`${lags.length} upstream connections were closed, the last ${Math.round(worstMs)} ms after its abort`)
  // A machine that is busy elsewhere is late twice: the gateway with the client's end, this process with the upstream's.
  t.ok(worstMs < RELEASED_WITHIN_MS + 2 * pulse.worstMs, 'each within a second')
  t.ok(
    await eventually(() => descriptorCount(gateway.pid) <= descriptors),
    `${descriptorCount(gateway.pid)} descriptors, ${descriptors} before`,
  )

  const { total, byOutcome } = await count(gateway)
  const exchangeLines = () => gateway.lines.filter(({ msg }) => msg === 'exchange')
  // Of those that leave within their body, not more than so many a second have a line of their own.
  const withoutLine = () => gateway.lines.reduce((sum, { refusals }) => sum + Number(refusals ?? 0), 0)
  // Lines linger a moment before they are written.
  await eventually(() => exchangeLines().length + withoutLine() >= total)
  const lines = exchangeLines()
  const ids = lines.flatMap(({ id }) => (id?.startsWith('churn-') === true ? [id] : []))
  t.equal(total, lines.length + withoutLine(), 'the metrics count what the log tells')
  t.equal(new Set(ids).size, ids.length, 'no request is told of twice')
  const told = new Set(ids)
  const chats = lines.filter(({ transport }) => transport === 'websocket').length
  const httpSeen = [...upstream.fates.keys()].filter((number) => told.has(idOf(number))).length
  t.ok(upstream.fates.size - httpSeen <= chats, 'none that the upstream saw is untold')
  t.same(
    [...byOutcome.keys()].filter((outcome) => !/^(?:complete|client_gone)$/.test(outcome)),
    [],
  )
  t.comment(`accepted ${total}: ${[...byOutcome].map(([outcome, value]) => `${outcome} ${value}`).join(', ')}`)

  const [first, second] = halves as [Memory, Memory]
  t.comment(`in use ${first.usedBytes} then ${second.usedBytes}; resident ${first.rssBytes} then ${second.rssBytes}`)
  t.ok(second.usedBytes - first.usedBytes < MAX_USED_GROWTH_BYTES)
  t.ok(second.rssBytes < first.rssBytes * MAX_RSS_GROWTH)
  t.equal(await gateway.stop(), 0)
})
