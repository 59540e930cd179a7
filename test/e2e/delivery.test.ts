// How frames reach clients: each at once, slow readers correctly or cleanly cut, keepalives in silence.
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { test } from 'tap'
import { request } from 'undici'
import { ChunkedReader } from '../helpers/chunked.js'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { scriptedSse } from '../helpers/scripted-sse.js'

async function gatewayOn(t: Teardown, origin: string, server: object = {}): Promise<Running> {
  // What is delivered of one try: a second one would be another call for the upstream to answer.
  const routing = { retries: { max: 0 } }
  return startGateway(t, { config: { server, routing, providers: simulatedProviders(origin) } })
}

function chat(model: string, fields: object = {}): string {
  return JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Hi' }], ...fields })
}

test('each event reaches a real client before the next is written, at a pace of 200 ms, on both relays', async (t) => {
  const upstream = await scriptedSse(t)
  const gateway = await gatewayOn(t, upstream.origin)
  for (const path of ['/v1/chat/completions', '/v1/messages']) {
    const answer = request(gateway.origin + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: chat('openai/any', { max_tokens: 50 }),
    })
    const call = await upstream.next()
    call.write('data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"0;"}}]}\n\n')
    const body = (await answer).body
    const reader = body[Symbol.asyncIterator]()
    let text = ''
    for (let i = 1; i <= 5; i++) {
      // The next event is only written once the one before has been read: a gateway that holds one back deadlocks here.
      while (!text.includes(`${i - 1};`)) text += String((await reader.next()).value)
      await new Promise((resolve) => setTimeout(resolve, 200))
      call.write(`data: {"id":"c","choices":[{"index":0,"delta":{"content":"${i};"}}]}\n\n`)
    }
    call.write('data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
    call.end()
    for (let step = await reader.next(); !step.done; step = await reader.next()) text += String(step.value)
    t.match(text, /5;/, path)
  }
})

test('the bytes of a passthrough are the bytes of the upstream', async (t) => {
  const simulator = await startSimulator(t)
  const gateway = await gatewayOn(t, simulator.origin)
  const hashes = new Set<string>()
  for (const [origin, model] of [
    [simulator.origin, 'lorem-max'],
    [gateway.origin, 'openai/lorem-max'],
  ] as const) {
    const answer = await request(`${origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: chat(model, { max_tokens: 500, stream_options: { include_usage: true } }),
    })
    // The simulator's ids and times are made from the request, which is the same but for the model's name.
    const text = (await answer.body.text()).replace(/"(id|model|created)":("[^"]*"|\d+)/g, '')
    hashes.add(createHash('sha256').update(text).digest('hex'))
  }
  t.equal(hashes.size, 1)
})

test('keepalives fill the silence from accept on, in the form of the surface, and commit the head', async (t) => {
  const upstream = await scriptedSse(t)
  const gateway = await gatewayOn(t, upstream.origin, { keepaliveMs: 1000 })
  const forms = [
    ['/v1/chat/completions', ': ping\n'],
    ['/v1/messages', 'event: ping\ndata: {"type":"ping"}\n\n'],
  ] as const
  for (const [path, form] of forms) {
    const asked = request(gateway.origin + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: chat('openai/any', { max_tokens: 50 }),
    })
    const call = await upstream.next()
    const answer = await asked
    t.equal(answer.statusCode, 200, 'the head came with the first keepalive')
    const reader = answer.body[Symbol.asyncIterator]()
    t.equal(String((await reader.next()).value), form)
    call.destroy()
    let text = ''
    for (let step = await reader.next(); !step.done; step = await reader.next()) text += String(step.value)
    t.match(text, /"error"/, 'after a keepalive a failure is told in-band')
  }
})

const RUNS = Number(process.env.SLOW_READER_RUNS ?? 200)
const STREAM_BYTES = 10 * 1024 * 1024

test(`a slow reader gets a correct body or a clean cut, never a framing error, in ${RUNS} runs`, async (t) => {
  const upstream = await scriptedSse(t)
  const gateway = await gatewayOn(t, upstream.origin, { readerStallMs: 1000 })
  const results = { whole: 0, cut: 0 }
  const batch = 25
  for (let run = 0; run < RUNS; run += batch) {
    const runs = Array.from({ length: Math.min(batch, RUNS - run) }, (_, i) => slowRun(gateway, upstream, run + i))
    for (const result of await Promise.all(runs)) {
      if (result.problem !== null) t.fail(`run ${result.seed}: ${result.problem}`)
      results[result.isWhole ? 'whole' : 'cut'] += 1
    }
  }
  t.comment(`${results.whole} whole, ${results.cut} cut`)
  t.equal(results.whole + results.cut, RUNS)
  t.ok(results.whole > 0 && results.cut > 0, 'both ways were exercised')
})

/** One run: frames of 1 B to 200 KB up to 10 MB; the client stops reading for a while, reads slowly, then drains. */
async function slowRun(gateway: Running, upstream: Awaited<ReturnType<typeof scriptedSse>>, seed: number) {
  const random = randomOf(seed)
  const socket = connect({
    port: Number(new URL(gateway.origin).port),
    host: '127.0.0.1',
    highWaterMark: 1024,
  } as never)
  const reader = new ChunkedReader()
  const model = `openai/run-${seed}`
  const body = chat(model)
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  )
  const call = await upstream.for(`run-${seed}`)
  const sent = createHash('sha256')
  const total = seed % 2 === 0 ? STREAM_BYTES : STREAM_BYTES / 40
  let bytes = 0
  while (bytes < total) {
    const size = random() < 0.5 ? 1 + Math.floor(random() * 64) : Math.floor(random() * 200_000)
    const frame = `data: {"choices":[{"delta":{"content":"${'x'.repeat(size)}"}}]}\n\n`
    call.write(frame)
    sent.update(frame)
    bytes += frame.length
  }
  const last = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
  call.write(last)
  call.end()
  sent.update(last)
  const expected = sent.digest('hex')
  return new Promise<{ seed: number; isWhole: boolean; problem: string | null }>((resolve) => {
    let slowReads = 20
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch (error) {
        socket.destroy()
        resolve({ seed, isWhole: false, problem: error instanceof Error ? error.message : String(error) })
        return
      }
      if (slowReads-- > 0) {
        socket.pause()
        setTimeout(() => socket.resume(), 10 + random() * 60)
      }
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      const hash = createHash('sha256').update(reader.body()).digest('hex')
      if (!reader.isEnded) resolve({ seed, isWhole: false, problem: null })
      else resolve({ seed, isWhole: true, problem: hash === expected ? null : 'the body ended but differs' })
    })
  })
}

/** A small deterministic generator (mulberry32), so that a failing run can be run again. */
function randomOf(seed: number): () => number {
  let state = seed + 1
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
