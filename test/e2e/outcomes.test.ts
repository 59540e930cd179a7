// One word for how a request ended, in every place that tells it: the metric, the log, the WebSocket's last message, the job.
import { once } from 'node:events'
import { type Test, test } from 'tap'
import { request } from 'undici'
import WebSocket from 'ws'
import { type Outcome } from '../../src/model/event.js'
import { type Running, startGateway } from '../helpers/gateway.js'
import { JobClient } from '../helpers/job-client.js'
import { parsePage } from '../helpers/prometheus.js'
import {
  answer,
  chunk,
  LAST_CHUNK,
  type Script,
  ScriptedUpstream,
  streamHead,
  whole,
} from '../helpers/scripted-upstream.js'

const KEY = 'key-of-outcomes-0123456789'
const SPENT_KEY = 'key-without-tokens-0123456789'
const TIMEOUT_MS = 300
const TYPE = ['content-type: application/json']
const WORD = chunk('data: {"choices":[{"index":0,"delta":{"content":"word"}}]}\n\n')
const FINISH = chunk('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
const FLOOD = Array.from({ length: 100 }, () => {
  return chunk(`data: {"choices":[{"index":0,"delta":{"content":"${'x'.repeat(60_000)}"}}]}\n\n`)
})
const ANSWER = JSON.stringify({
  choices: [{ index: 0, message: { role: 'assistant', content: 'word' }, finish_reason: 'stop' }],
})
const STALL = { stall: true } as const

type Row = {
  readonly outcome: Outcome
  /** What the upstream does to a stream, and to a request that wants its answer whole. */
  readonly stream: Script
  readonly whole: Script | null
  /** Begins in the middle of the stream. */
  readonly leave?: 'cancel' | 'stop-reading'
  readonly key?: string
  /** Type of the last message; null where the socket is closed instead. */
  readonly last: 'done' | 'error' | null
}

const ROWS: readonly Row[] = [
  {
    outcome: 'complete',
    stream: answer(streamHead(), WORD, FINISH, LAST_CHUNK),
    whole: answer(whole(200, ANSWER, TYPE)),
    last: 'done',
  },
  {
    outcome: 'client_gone',
    stream: answer(streamHead(), WORD, STALL),
    whole: answer(STALL),
    leave: 'cancel',
    last: 'done',
  },
  {
    outcome: 'upstream_cut',
    stream: answer(streamHead(), WORD, { end: 'fin' }),
    whole: answer({ send: 'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{' }, { end: 'fin' }),
    last: 'error',
  },
  { outcome: 'stalled', stream: answer(STALL), whole: answer(STALL), last: 'error' },
  { outcome: 'stalled', stream: answer(streamHead(), WORD, STALL), whole: null, last: 'error' },
  {
    outcome: 'rejected',
    stream: answer(whole(400, '{"error":{"message":"no"}}', TYPE)),
    whole: answer(whole(400, '{"error":{"message":"no"}}', TYPE)),
    last: 'error',
  },
  // A job that a limit of ours refuses waits and is begun again: it never ends so.
  { outcome: 'limit', stream: answer(STALL), whole: null, key: SPENT_KEY, last: 'error' },
  {
    outcome: 'slow_reader',
    stream: answer(streamHead(), ...FLOOD, STALL),
    whole: null,
    leave: 'stop-reading',
    last: null,
  },
]

type LastFrame = { readonly type: string; readonly outcome?: string }

async function start(t: Test, row: Row): Promise<Running> {
  const [streaming, plain] = [await ScriptedUpstream.listen(row.stream), await ScriptedUpstream.listen(row.whole ?? [])]
  t.teardown(() => Promise.all([streaming.close(), plain.close()]))
  const provider = (upstream: ScriptedUpstream) => ({
    protocol: 'openai-chat',
    baseUrl: `${upstream.origin}/v1`,
    // Short where nothing else ends it: a busy machine must not run into it.
    timeouts: { firstTokenMs: 60_000, totalMs: 120_000, ...(row.outcome === 'stalled' ? SHORT : {}) },
  })
  return startGateway(t, {
    config: {
      server: { readerStallMs: 1000, maxReaderLagBytes: 65_536, drainGraceMs: 0, drainMs: 300 },
      keys: [
        { name: 'k', key: KEY },
        { name: 'spent', key: SPENT_KEY, limits: { tokensPerMinute: 1 } },
      ],
      routing: { retries: { max: 0 }, breaker: { enabled: false } },
      providers: { stream: provider(streaming), whole: provider(plain) },
      jobs: { attempts: 1 },
    },
  })
}

const SHORT = { firstTokenMs: TIMEOUT_MS, betweenTokensMs: TIMEOUT_MS, wholeMs: TIMEOUT_MS }

async function openSocket(t: Test, gateway: Running, key: string): Promise<WebSocket> {
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'], {
    headers: { authorization: `Bearer ${key}` },
  })
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  return socket
}

function chat(socket: WebSocket, id = 'a'): void {
  const body = { model: 'stream/m', messages: [{ role: 'user', content: 'Hi' }] }
  socket.send(JSON.stringify({ type: 'chat', id, request: body }))
}

/** The outcome that the socket tells: in its last message, or as the reason of its close. */
async function askSocket(t: Test, gateway: Running, row: Row): Promise<LastFrame> {
  const socket = await openSocket(t, gateway, row.key ?? KEY)
  const last = lastFrame(socket, (frame) => {
    if (frame.type !== 'event') return
    if (row.leave === 'cancel') socket.send('{"type":"cancel","id":"a"}')
    else if (row.leave === 'stop-reading') {
      socket.pause()
      void gateway.logLine(({ msg }) => msg === 'exchange').then(() => socket.resume())
    }
  })
  chat(socket)
  return last
}

function lastFrame(socket: WebSocket, onFrame: (frame: LastFrame) => void = () => undefined): Promise<LastFrame> {
  return new Promise((resolve) => {
    socket.on('message', (bytes: Buffer) => {
      const frame = JSON.parse(bytes.toString()) as LastFrame
      if (frame.type === 'event') onFrame(frame)
      else resolve(frame)
    })
    socket.once('close', (_code, reason: Buffer) => resolve({ type: 'close', outcome: reason.toString() }))
  })
}

async function countedOutcomes(gateway: Running): Promise<Record<string, number>> {
  const answered = await request(`${gateway.origin}/metrics`, { headers: { authorization: `Bearer ${KEY}` } })
  const counts: Record<string, number> = {}
  for (const { name, labels, value } of parsePage(await answered.body.text()).samples) {
    if (name !== 'sluice_requests_total' || value === 0) continue
    counts[labels.outcome ?? ''] = (counts[labels.outcome ?? ''] ?? 0) + value
  }
  return counts
}

for (const [at, row] of ROWS.entries()) {
  const { outcome } = row
  test(`${outcome} is one word in the socket's end, the log, the metric and the job (${at})`, async (t) => {
    const gateway = await start(t, row)
    const last = await askSocket(t, gateway, row)
    t.equal(last.outcome, outcome, 'the socket')
    t.equal(last.type, row.last ?? 'close')
    t.equal((await gateway.logLine(({ msg }) => msg === 'exchange')).outcome, outcome, 'the log')
    t.same(await countedOutcomes(gateway), { [outcome]: 1 }, 'the metric')
    if (row.whole === null) return
    const client = new JobClient(gateway, KEY)
    const id = await client.submit({ model: 'whole/m', messages: [{ role: 'user', content: 'Hi' }] })
    if (row.leave === 'cancel') {
      await client.until(id, ({ status }) => status === 'processing')
      await client.cancel(id)
    }
    t.equal((await client.until(id)).outcome, outcome, 'the job')
    const line = await gateway.logLine(({ msg, transport }) => msg === 'exchange' && transport === 'json')
    t.equal(line.outcome, outcome, "the log of the job's exchange")
    t.same(await countedOutcomes(gateway), { [outcome]: 2 })
  })
}

test('a chat that is rejected on arrival has an outcome, is counted and logged', async (t) => {
  const gateway = await start(t, { outcome: 'rejected', stream: answer(STALL), whole: null, last: 'error' })
  const socket = await openSocket(t, gateway, KEY)
  chat(socket)
  chat(socket)
  const last = await lastFrame(socket)
  t.match(last, { type: 'error', outcome: 'rejected', error: { message: 'A chat with this id is already open.' } })
  t.match(await gateway.logLine(({ msg }) => msg === 'exchange'), { outcome: 'rejected', key: 'k' })
  t.same(await countedOutcomes(gateway), { rejected: 1 })
})

test('what a drain ends is drained in the socket and in the log', async (t) => {
  const row = { outcome: 'drained', stream: answer(streamHead(), WORD, STALL), whole: null, last: 'error' } as const
  const gateway = await start(t, { ...row, leave: 'cancel' })
  const socket = await openSocket(t, gateway, KEY)
  let hasBegun: () => void = () => undefined
  const begun = new Promise<void>((resolve) => {
    hasBegun = resolve
  })
  const last = lastFrame(socket, hasBegun)
  chat(socket)
  await begun
  const ended = gateway.stop()
  t.match(await last, { type: 'error', outcome: 'drained' })
  t.equal(await ended, 0)
  t.equal((await gateway.logLine(({ msg }) => msg === 'exchange')).outcome, 'drained')
})
