// Connections of which one side stands still without closing: a provider that is stopped in mid-stream (as a paused container
// is), a client that takes nothing any more. No FIN, no RST: only the timers find them, each at the value it was set to.
import { once } from 'node:events'
import { type Socket } from 'node:net'
import { type Test, test } from 'tap'
import { request } from 'undici'
import WebSocket from 'ws'
import { type LogLine, type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'
import { openRaw, post } from '../helpers/raw-http.js'
import { answer, chunk, ScriptedUpstream, streamHead } from '../helpers/scripted-upstream.js'

/** A busy machine is late, but not by as much as a limit that was not set would be: those are a minute and more. */
const SLACK_MS = 20_000

/** `lived`: how long the exchange took by the gateway's own clock, which cannot be shorter than the limit. */
function within(
  t: Test,
  times: { readonly tookMs: number; readonly lived: LogLine },
  setMs: number,
  what: string,
): void {
  const { tookMs, lived } = times
  const text = `${what}: ${Math.round(tookMs)} ms, for the gateway ${lived.totalMs}, set to ${setMs}`
  t.comment(text)
  t.ok(Number(lived.totalMs) >= setMs && tookMs < setMs + SLACK_MS, text)
}

function chatOf(model: string, stream: boolean): object {
  return { model, stream, max_tokens: 1000, messages: [{ role: 'user', content: 'Hi' }] }
}

/** A gateway before a provider that answers slowly for long, and one that is well. */
async function startPair(t: Test, timeouts: object): Promise<{ ill: Running; gateway: Running }> {
  const ill = await startSimulator(t, ['--tokens-per-second', '50'])
  const well = await startSimulator(t, ['--tokens-per-second', '500'])
  const config = {
    routing: { retries: { max: 0 }, breaker: { enabled: false } },
    providers: {
      ill: { ...simulatedProviders(ill.origin).openai, timeouts },
      well: simulatedProviders(well.origin).openai,
      // Another API than the client's: what it does not stream is collected from a stream.
      other: { ...simulatedProviders(ill.origin).anthropic, timeouts },
    },
    models: { spared: { targets: ['ill/lorem-max'], fallbacks: ['second'] }, second: 'well/lorem-3' },
  }
  return { ill, gateway: await startGateway(t, { config }) }
}

/** Stops the process between two of its tokens, and tells when its last one came. */
class Freezer {
  readonly #ill: Running
  lastAtMs = 0
  #seen = 0

  constructor(ill: Running) {
    this.#ill = ill
  }

  sawToken(): void {
    this.#seen += 1
    this.lastAtMs = performance.now()
    if (this.#seen === 3) this.#ill.child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#seen = 0
    this.#ill.child.kill('SIGCONT')
  }
}

function lineOf(gateway: Running, transport: string): Promise<LogLine> {
  return gateway.logLine((line) => line.transport === transport)
}

for (const betweenTokensMs of [1000, 2500]) {
  test(`a provider that stops in mid-stream is given up after ${betweenTokensMs} ms, by SSE and by WebSocket`, async (t) => {
    const { ill, gateway } = await startPair(t, { betweenTokensMs })
    const freezer = new Freezer(ill)
    const { body } = await request(`${gateway.origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(chatOf('ill/lorem-max', true)),
    })
    let text = ''
    let isOver = false
    for await (const bytes of body) {
      text += String(bytes)
      isOver ||= text.includes('"error"')
      if (!isOver) freezer.sawToken()
    }
    const tookMs = performance.now() - freezer.lastAtMs
    within(t, { tookMs, lived: await lineOf(gateway, 'sse') }, betweenTokensMs, 'SSE')
    t.match(text, `paused between tokens for more than ${betweenTokensMs} ms`)
    t.notMatch(text, '[DONE]')
    freezer.thaw()

    const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'])
    t.teardown(() => socket.terminate())
    await once(socket, 'open')
    const ended = new Promise<string>((resolve) => {
      socket.on('message', (bytes: Buffer) => {
        if (bytes.includes('"type":"event"')) freezer.sawToken()
        else resolve(bytes.toString())
      })
    })
    socket.send(JSON.stringify({ type: 'chat', id: 'a', request: chatOf('ill/lorem-max', true) }))
    t.match(JSON.parse(await ended), { type: 'error', outcome: 'stalled' })
    const chatTookMs = performance.now() - freezer.lastAtMs
    within(t, { tookMs: chatTookMs, lived: await lineOf(gateway, 'websocket') }, betweenTokensMs, 'WebSocket')
    freezer.thaw()
  })
}

test('a provider that stands still from the start is given up at the limit of the request’s kind; the fallback answers', async (t) => {
  const [firstTokenMs, wholeMs] = [3000, 2000]
  const { ill, gateway } = await startPair(t, { firstTokenMs, wholeMs })
  const ask = async (model: string, stream: boolean) => {
    const askedAtMs = performance.now()
    const { statusCode, headers, body } = await request(`${gateway.origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(chatOf(model, stream)),
    })
    await body.dump()
    const tookMs = performance.now() - askedAtMs
    return { statusCode, tookMs, lived: await gateway.exchange(String(headers['x-request-id'])) }
  }
  t.equal((await ask('ill/lorem-1', false)).statusCode, 200, 'with a connection that is kept')
  ill.child.kill('SIGSTOP')
  const kinds = [
    ['ill/lorem-max', true, firstTokenMs, 504],
    ['ill/lorem-max', false, wholeMs, 504],
    ['other/lorem-max', false, firstTokenMs, 504],
    ['spared', true, firstTokenMs, 200],
    ['spared', false, wholeMs, 200],
  ] as const
  const answers = await Promise.all(kinds.map(([model, stream]) => ask(model, stream)))
  for (const [i, [model, stream, setMs, status]] of kinds.entries()) {
    const answered = answers[i]
    t.equal(answered?.statusCode, status)
    if (answered !== undefined) within(t, answered, setMs, `${model}, stream ${stream}`)
  }
  ill.child.kill('SIGCONT')
})

const READER_STALL_MS = 2000
const FLOOD = Array.from({ length: 400 }, () =>
  chunk(`data: {"choices":[{"index":0,"delta":{"content":"${'x'.repeat(60_000)}"}}]}\n\n`),
)

test('a client that takes nothing any more is found by readerStallMs, by SSE and by WebSocket', async (t) => {
  const upstream = await ScriptedUpstream.listen(answer(streamHead(), ...FLOOD, { stall: true }))
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, {
    config: {
      // More than the flood: the time decides, not the lag.
      server: { readerStallMs: READER_STALL_MS, maxReaderLagBytes: 64 * 1024 * 1024 },
      providers: { flood: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } },
    },
  })
  const chat = JSON.stringify(chatOf('flood/m', true))
  const socket: Socket = await openRaw(Number(new URL(gateway.origin).port))
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined)
  const askedAtMs = performance.now()
  socket.write(post('/v1/chat/completions', chat))
  await once(socket, 'data')
  socket.pause()
  const line = await gateway.logLine(({ transport }) => transport === 'sse')
  t.equal(line.outcome, 'slow_reader')
  within(t, { tookMs: performance.now() - askedAtMs, lived: line }, READER_STALL_MS, 'SSE')
  await upstream.until(({ closed }) => closed === 1)

  const webSocket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'])
  t.teardown(() => webSocket.terminate())
  await once(webSocket, 'open')
  const beganAtMs = performance.now()
  webSocket.send(JSON.stringify({ type: 'chat', id: 'a', request: JSON.parse(chat) }))
  await once(webSocket, 'message')
  webSocket.pause()
  const chatLine = await gateway.logLine(({ transport }) => transport === 'websocket')
  t.equal(chatLine.outcome, 'slow_reader')
  within(t, { tookMs: performance.now() - beganAtMs, lived: chatLine }, READER_STALL_MS, 'WebSocket')
  await upstream.until(({ closed }) => closed === 2)
  const { samples } = parsePage(await (await request(`${gateway.origin}/metrics`)).body.text())
  t.equal(sampleValue(samples, 'sluice_active_requests'), 0)
})
