// Routing as clients that stream see it, by SSE and by WebSocket alike: one answer from one provider, whatever was tried on
// the way; `x-sluice-attempts` and the log tell how much that was.
import { once } from 'node:events'
import { type Test, test } from 'tap'
import { request } from 'undici'
import WebSocket from 'ws'
import { type LogLine, type Running, startGateway } from '../helpers/gateway.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'
import {
  answer,
  chunk,
  LAST_CHUNK,
  type Script,
  ScriptedUpstream,
  streamHead,
  whole,
} from '../helpers/scripted-upstream.js'

type Way = 'sse' | 'websocket'
const WAYS: readonly Way[] = ['sse', 'websocket']

function event(delta: object, finish: string | null = null) {
  const choices = [{ index: 0, delta, finish_reason: finish }]
  return chunk(`data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices })}\n\n`)
}

const ROLE = event({ role: 'assistant', content: '' })
const END = [event({}, 'stop'), chunk('data: [DONE]\n\n'), LAST_CHUNK]
const RST = { end: 'rst' } as const
const says = (text: string): Script => answer(streamHead(), ROLE, event({ content: text }), ...END)
const refuses = (status: number, error: object, ...headers: string[]): Script =>
  answer(whole(status, JSON.stringify({ error }), ['content-type: application/json', ...headers]))
/** Died after a beginning that holds nothing yet. */
const FALSE_START: Script = answer(streamHead(), ROLE, chunk(': ping\n\n'), RST)

type Seen = { readonly text: string; readonly target: unknown; readonly attempts: unknown; readonly outcome: unknown }

/** A gateway before scripted upstreams, asked by either kind of client. */
class Stand {
  readonly upstreams: Readonly<Record<string, ScriptedUpstream>>
  readonly gateway: Running
  readonly #told = new Set<LogLine>()

  private constructor(upstreams: Readonly<Record<string, ScriptedUpstream>>, gateway: Running) {
    this.upstreams = upstreams
    this.gateway = gateway
  }

  static async start(t: Test, scripts: Readonly<Record<string, readonly Script[]>>, config: object): Promise<Stand> {
    const upstreams: Record<string, ScriptedUpstream> = {}
    for (const [name, list] of Object.entries(scripts)) upstreams[name] = await ScriptedUpstream.listen(...list)
    t.teardown(() => Promise.all(Object.values(upstreams).map((upstream) => upstream.close())))
    const providers = Object.entries(upstreams).map(([name, { origin }]) => [
      name,
      { protocol: 'openai-chat', baseUrl: `${origin}/v1` },
    ])
    const gateway = await startGateway(t, { config: { ...config, providers: Object.fromEntries(providers) } })
    return new Stand(upstreams, gateway)
  }

  /** How often each upstream was asked. */
  get asked(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.upstreams).map(([name, { requests }]) => [name, requests.length]))
  }

  async ask(way: Way, model: string, content = 'Hi'): Promise<Seen> {
    const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content }] })
    return way === 'sse' ? this.#askSse(body) : this.#askSocket(body)
  }

  async #askSse(body: string): Promise<Seen> {
    const headers = { 'content-type': 'application/json' }
    const answered = await request(`${this.gateway.origin}/v1/chat/completions`, { method: 'POST', headers, body })
    const raw = await answered.body.text()
    const line = await this.gateway.exchange(String(answered.headers['x-request-id']))
    const told = Number(answered.headers['x-sluice-attempts'])
    if (told !== line.attempts) throw new Error(`the header says ${told} attempts, the log ${String(line.attempts)}`)
    return { ...seenOf(line), text: contentOf(raw) }
  }

  async #askSocket(body: string): Promise<Seen> {
    const socket = new WebSocket(`${this.gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'])
    await once(socket, 'open')
    const frames: string[] = []
    const ended = new Promise<void>((resolve) => {
      socket.on('message', (bytes: Buffer) => {
        frames.push(bytes.toString())
        if (!bytes.includes('"type":"event"')) resolve()
      })
    })
    socket.send(`{"type":"chat","id":"a","request":${body}}`)
    await ended
    socket.terminate()
    const line = await this.gateway.logLine((one) => one.transport === 'websocket' && !this.#told.has(one))
    this.#told.add(line)
    const last = JSON.parse(frames.at(-1) ?? '{}') as { outcome?: string }
    if (last.outcome !== line.outcome) throw new Error(`the socket says ${last.outcome}, the log ${line.outcome}`)
    return { ...seenOf(line), text: contentOf(frames.join('\n')) }
  }
}

function seenOf({ target, attempts, outcome }: LogLine): Omit<Seen, 'text'> {
  return { target, attempts, outcome }
}

function contentOf(text: string): string {
  return Array.from(text.matchAll(/"content":"([^"]*)"/g), (match) => match[1]).join('')
}

for (const way of WAYS) {
  test(`${way}: what fails before content is tried again, and nothing of it is seen`, async (t) => {
    const scripts = { ill: [FALSE_START, answer(RST), says('well')], spare: [says('spare')] }
    const stand = await Stand.start(t, scripts, {
      routing: { retries: { max: 3, baseDelayMs: 10 } },
      models: { again: 'ill/m' },
    })
    t.same(await stand.ask(way, 'again'), { text: 'well', target: 'ill/m', attempts: 3, outcome: 'complete' })
    t.same(stand.asked, { ill: 3, spare: 0 })
  })

  test(`${way}: a model's other target, then its fallback, takes over before content; never after it`, async (t) => {
    const dead = answer(RST)
    const cut = answer(streamHead(), event({ content: 'half' }), RST)
    const scripts = {
      first: [FALSE_START],
      second: [refuses(500, { message: 'no' })],
      third: [says('third')],
      cut: [cut],
    }
    const stand = await Stand.start(
      t,
      { ...scripts, dead: [dead] },
      {
        routing: { retries: { max: 0 } },
        models: {
          main: { targets: ['first/m', 'second/m'], fallbacks: ['spare'] },
          spare: 'third/m',
          torn: { targets: ['cut/m'], fallbacks: ['spare'] },
          gone: 'dead/m',
        },
      },
    )
    t.same(await stand.ask(way, 'main'), { text: 'third', target: 'third/m', attempts: 3, outcome: 'complete' })
    t.same(await stand.ask(way, 'torn'), { text: 'half', target: 'cut/m', attempts: 1, outcome: 'upstream_cut' })
    t.same(await stand.ask(way, 'gone'), { text: '', target: 'dead/m', attempts: 1, outcome: 'rejected' })
    t.same(stand.asked, { first: 1, second: 1, third: 1, cut: 1, dead: 1 })
  })

  test(`${way}: a request that is too long goes to a model with more room, and to no other`, async (t) => {
    const tooLong = refuses(400, { message: 'too long', code: 'context_length_exceeded' })
    const stand = await Stand.start(
      t,
      { small: [tooLong], large: [says('large')], other: [says('other')] },
      {
        models: {
          main: { targets: ['small/m'], fallbacks: ['other'], contextFallbacks: ['roomy'] },
          other: 'other/m',
          roomy: 'large/m',
        },
      },
    )
    t.same(await stand.ask(way, 'main'), { text: 'large', target: 'large/m', attempts: 2, outcome: 'complete' })
    t.same(stand.asked, { small: 1, large: 1, other: 0 })
  })

  test(`${way}: streams that last are spread evenly, by weight where there is one`, async (t) => {
    const held = answer(streamHead(), event({ content: 'x' }), { wait: 'go', name: 'on' }, ...END)
    const stand = await Stand.start(
      t,
      { a: [held], b: [held], idle: [held] },
      {
        models: {
          even: {
            targets: [
              { provider: 'a', model: 'm' },
              { provider: 'b', model: 'm' },
              { provider: 'idle', model: 'm', weight: 0 },
            ],
          },
        },
      },
    )
    const asked: Promise<Seen>[] = []
    for (let i = 1; i <= 6; i++) {
      asked.push(stand.ask(way, 'even'))
      const total = () => Object.values(stand.asked).reduce((sum, count) => sum + count)
      while (total() < i) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    t.same(stand.asked, { a: 3, b: 3, idle: 0 })
    for (const upstream of Object.values(stand.upstreams)) upstream.go('on')
    for (const { outcome, attempts } of await Promise.all(asked)) t.same([outcome, attempts], ['complete', 1])
  })

  test(`${way}: with affinity a conversation stays with its target, and conversations spread`, async (t) => {
    const stand = await Stand.start(
      t,
      { a: [says('a')], b: [says('b')] },
      {
        models: { sticky: { targets: ['a/m', 'b/m'], affinity: 'prefix' } },
      },
    )
    const homes = new Set<unknown>()
    for (let conversation = 0; conversation < 12; conversation++) {
      const content = `Conversation ${conversation}`
      const targets = new Set<unknown>()
      for (let turn = 0; turn < 3; turn++) targets.add((await stand.ask(way, 'sticky', content)).target)
      t.equal(targets.size, 1, content)
      for (const target of targets) homes.add(target)
    }
    t.same([...homes].sort(), ['a/m', 'b/m'])
  })

  test(`${way}: a first token that is late is hedged; the loser is closed, counted and told`, async (t) => {
    const late = answer(streamHead(), ROLE, { stall: true })
    const stand = await Stand.start(
      t,
      { late: [late], quick: [says('quick')] },
      {
        models: {
          hedged: {
            targets: [
              { provider: 'late', model: 'm', weight: 1 },
              { provider: 'quick', model: 'm', weight: 0 },
            ],
            hedge: { afterMs: 100 },
          },
        },
      },
    )
    t.same(await stand.ask(way, 'hedged'), { text: 'quick', target: 'quick/m', attempts: 2, outcome: 'complete' })
    await stand.upstreams.late?.until(({ closed }) => closed > 0)
    t.same(stand.asked, { late: 1, quick: 1 })
    const { samples } = parsePage(await (await request(`${stand.gateway.origin}/metrics`)).body.text())
    t.equal(sampleValue(samples, 'sluice_upstream_attempts_total', { provider: 'late', result: 'aborted' }), 1)
    t.equal(sampleValue(samples, 'sluice_upstream_retries_total', { provider: 'quick', kind: 'hedge' }), 1)
  })

  test(`${way}: a 429 rests its target for as long as it asks, and the others serve`, async (t) => {
    const busy = refuses(429, { message: 'slow down' }, 'retry-after: 30')
    const stand = await Stand.start(
      t,
      { busy: [busy], spare: [says('spare')] },
      {
        routing: { retries: { maxWaitMs: 0 } },
        models: { main: { targets: ['busy/m'], fallbacks: ['second'] }, second: 'spare/m' },
      },
    )
    t.match(await stand.ask(way, 'main'), { text: 'spare', attempts: 2 })
    t.match(await stand.ask(way, 'main'), { text: 'spare', attempts: 1 })
    t.same(stand.asked, { busy: 1, spare: 2 })
  })
}
