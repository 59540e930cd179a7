// Streams over bare sockets against the real engine: every byte in order, clean cuts, one delivery for each stream.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type Socket } from 'node:net'
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { NO_USAGE } from '../../../src/model/usage.js'
import { CHAT_PATH, type FakeExchange } from '../../helpers/fake-pipeline.js'
import { startFront } from '../../helpers/front.js'
import { exchangeRaw, openRaw, parseAnswers, post } from '../../helpers/raw-http.js'

const BODY = '{"model":"fast","stream":true}'
const JSON_HEADERS = { 'content-type': 'application/json' }
/** Small numbers that differ from run to run would hide a failure; these do not. */
const RUNS = Number(process.env.SLUICE_SLOW_READER_RUNS ?? 24)

function open(url: string, signal?: AbortSignal): Promise<Response> {
  return fetch(url + CHAT_PATH, { method: 'POST', headers: JSON_HEADERS, body: BODY, ...(signal && { signal }) })
}

function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

test('streams frames with the headers of an event stream, and ends well', async (t) => {
  const { url, pipeline } = await startFront(t, {
    script: (exchange) => {
      exchange.begin().follow()
      exchange.frame('{"a":1}')
      exchange.frame('[DONE]')
      exchange.end()
    },
  })
  const answer = await open(url)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  t.equal(answer.headers.get('cache-control'), 'no-cache, no-transform')
  t.equal(answer.headers.get('x-accel-buffering'), 'no')
  t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  t.equal(answer.headers.get('x-sluice-target'), 'fake/model')
  t.ok(answer.headers.get('x-request-id'))
  t.equal(await answer.text(), 'data: {"a":1}\n\ndata: [DONE]\n\n')
  const exchange = pipeline.exchanges[0]
  t.equal((await exchange?.delivered)?.result, 'delivered')
  t.equal(exchange?.deliveries.length, 1)
  t.equal(exchange?.log.readerCount, 0)
  t.equal(exchange?.sink.transport, 'sse')
})

test('lets each event reach the client before the next is written', async (t) => {
  const { url, pipeline } = await startFront(t, { script: (exchange) => exchange.begin().follow() })
  const opened = open(url)
  while (pipeline.exchanges.length === 0) await new Promise(setImmediate)
  const [exchange] = pipeline.exchanges
  exchange?.frame('0')
  const reader = (await opened).body?.getReader()
  for (let i = 0; i < 50; i++) {
    const { value } = (await reader?.read()) ?? {}
    t.equal(Buffer.from(value ?? []).toString(), `data: ${i}\n\n`)
    exchange?.frame(String(i + 1))
  }
  exchange?.end()
})

test('sends nothing before the first frame or keepalive, so that a late error keeps its status', async (t) => {
  const { url } = await startFront(t, {
    script: (exchange) => setTimeout(() => exchange.reply(502, '{"error":{}}', errorData('upstream_cut')), 30),
  })
  t.equal((await open(url)).status, 502)
})

test('writes keepalives between frames, never within one', async (t) => {
  const { url } = await startFront(t, {
    script: (exchange) => {
      exchange.begin()
      exchange.sink.keepalive()
      setTimeout(() => {
        exchange.follow()
        exchange.log.append(Buffer.from(`data: ${'x'.repeat(100_000)}\n\n`))
        setImmediate(() => exchange.sink.keepalive())
        setTimeout(() => {
          exchange.sink.keepalive()
          exchange.end()
        }, 50)
      }, 20)
    },
  })
  const text = await (await open(url)).text()
  const frame = `data: ${'x'.repeat(100_000)}\n\n`
  t.ok(text.startsWith(': ping\n'))
  t.ok(text.includes(frame))
  t.equal(text.replaceAll(': ping\n', ''), frame)
})

test('places in the queue are comments of an event stream, each in one line, before its frames', async (t) => {
  const { url } = await startFront(t, {
    script: (exchange) => {
      exchange.begin()
      exchange.sink.queued?.({ position: 3, etaMs: 1200 })
      exchange.sink.queued?.({ position: 1, etaMs: null })
      exchange.follow()
      exchange.frame('{"a":1}')
      exchange.end()
    },
  })
  t.equal(await (await open(url)).text(), ': queued 3 1200\n: queued 1 -\ndata: {"a":1}\n\n')
})

test('a framing without comments has no places', async (t) => {
  const { url } = await startFront(t, {
    script: (exchange) => {
      exchange.begin('ndjson')
      exchange.sink.queued?.({ position: 3, etaMs: 1200 })
      exchange.follow()
      exchange.frame('{"a":1}')
      exchange.end()
    },
  })
  t.notMatch(await (await open(url)).text(), /queued/)
})

test('ends an ill stream with an error frame and without an end marker', async (t) => {
  const error = errorData('upstream_cut')
  const { url, pipeline } = await startFront(t, {
    script: (exchange) => {
      exchange.begin().follow()
      exchange.frame('{"a":1}')
      exchange.end({ outcome: 'upstream_cut', error, usage: NO_USAGE, usageSource: 'partial' })
    },
  })
  const text = await (await open(url)).text()
  t.match(text, /^data: {"a":1}\n\ndata: {"error":{[^\n]*"code":"upstream_cut"}}\n\n$/)
  t.equal((await pipeline.exchanges[0]?.delivered)?.result, 'delivered')
})

test('detaches from the log and delivers client_gone once, whenever the client leaves', async (t) => {
  const { server, url, pipeline } = await startFront(t, { script: (exchange) => exchange.begin().follow() })
  for (const phase of ['before the first frame', 'after it', 'in mid flood']) {
    const leave = new AbortController()
    const before = pipeline.exchanges.length
    const opened = open(url, leave.signal)
    opened.catch(() => {})
    while (pipeline.exchanges.length === before) await new Promise(setImmediate)
    const exchange = pipeline.exchanges.at(-1)
    if (phase !== 'before the first frame') exchange?.frame('1')
    if (phase === 'in mid flood') for (let i = 0; i < 100; i++) exchange?.frame('y'.repeat(100_000))
    if (phase !== 'before the first frame') await opened
    leave.abort()
    t.equal((await exchange?.delivered)?.result, 'client_gone', phase)
    exchange?.frame('2')
    exchange?.end()
    await new Promise(setImmediate)
    t.equal(exchange?.deliveries.length, 1, phase)
    t.equal(exchange?.abandons, 1, phase)
    t.equal(exchange?.cancels, 0, phase)
  }
  while (server.open.requests > 0) await new Promise(setImmediate)
})

test('cuts a reader that takes nothing for readerStallMs, without an end and with nothing broken', async (t) => {
  const { port, pipeline } = await startFront(t, { config: { readerStallMs: 300 }, script: flood })
  const socket = await openRaw(port)
  socket.write(post(CHAT_PATH, BODY))
  socket.pause()
  while (pipeline.exchanges.length === 0) await new Promise(setImmediate)
  const delivery = await pipeline.exchanges[0]?.delivered
  t.equal(delivery?.result, 'slow_reader')
  const [answer] = parseAnswers(await readAll(socket))
  t.equal(answer?.isWhole, false)
  t.ok((answer?.body.length ?? 0) > 100_000)
  t.ok((delivery?.bytes ?? 0) >= (answer?.body.length ?? 0))
  t.equal(pipeline.exchanges[0]?.deliveries.length, 1)
})

test('cuts a reader that the log has left behind, at once', async (t) => {
  const { port, pipeline } = await startFront(t, { script: () => {} })
  pipeline.capBytes = 1_000_000
  const socket = await openRaw(port)
  socket.write(post(CHAT_PATH, BODY))
  socket.pause()
  while (pipeline.exchanges.length === 0) await new Promise(setImmediate)
  const [exchange] = pipeline.exchanges
  exchange?.begin().follow()
  let isOver = false
  exchange?.delivered.then(() => {
    isOver = true
  })
  for (let i = 0; i < 2000 && !isOver; i++) {
    exchange?.frame('z'.repeat(50_000))
    await new Promise(setImmediate)
  }
  t.equal((await exchange?.delivered)?.result, 'slow_reader')
  const [answer] = parseAnswers(await readAll(socket))
  t.equal(answer?.isWhole, false)
})

test('gives a slow reader every byte or a clean cut, whatever the chunks', async (t) => {
  let run = 0
  const sent = { hash: '', bytes: 0 }
  const { port } = await startFront(t, {
    script: (exchange) => {
      const random = createRandom(run)
      const hash = createHash('sha256')
      let left = run % 4 === 0 ? 10_000_000 : 1_500_000
      sent.bytes = left
      exchange.begin().follow()
      const step = () => {
        const frames = 1 + Math.floor(random() * 4)
        for (let i = 0; i < frames && left > 0; i++) {
          const entry = Buffer.alloc(
            Math.min(left, pickSize(random)),
            String.fromCharCode(97 + Math.floor(random() * 26)),
          )
          left -= entry.length
          hash.update(entry)
          exchange.log.append(entry)
        }
        if (left > 0) setImmediate(step)
        else {
          sent.hash = hash.digest('hex')
          exchange.end()
        }
      }
      step()
    },
  })
  for (run = 1; run <= RUNS; run++) {
    const socket = await openRaw(port)
    socket.write(post(CHAT_PATH, BODY))
    const bytes = await readSlowly(socket, createRandom(run * 7919))
    const [answer] = parseAnswers(bytes)
    if (answer === undefined) throw new Error('no answer came')
    t.equal(answer.isWhole, true, `run ${run}: ${answer.body.length} of ${sent.bytes}`)
    t.equal(createHash('sha256').update(answer.body).digest('hex'), sent.hash, `run ${run}`)
  }
})

test('leaves the connection fit for the next request after a stream', async (t) => {
  const { port } = await startFront(t, {
    script: (exchange) => {
      exchange.begin().follow()
      setTimeout(() => {
        exchange.frame(exchange.text)
        exchange.end()
      }, 5)
    },
  })
  const socket = await openRaw(port)
  for (let i = 0; i < 3; i++) {
    socket.write(post(CHAT_PATH, `{"n":${i}}`))
    const received: Buffer[] = []
    do received.push((await once(socket, 'data'))[0])
    while (parseAnswers(Buffer.concat(received))[0]?.isWhole !== true)
    t.equal(parseAnswers(Buffer.concat(received))[0]?.body.toString(), `data: {"n":${i}}\n\n`)
  }
  socket.destroy()
})

test('ends an empty stream as an empty answer', async (t) => {
  const { port } = await startFront(t, {
    script: (exchange) => {
      exchange.begin().follow()
      exchange.end()
    },
  })
  const { answers } = await exchangeRaw(port, post(CHAT_PATH, BODY))
  t.equal(answers[0]?.status, 200)
  t.equal(answers[0]?.isWhole, true)
  t.equal(answers[0]?.body.length, 0)
})

function flood(exchange: FakeExchange): void {
  exchange.begin().follow()
  for (let i = 0; i < 300; i++) exchange.frame('w'.repeat(50_000))
}

/** From single bytes, which many share a write, to more than any cork holds. */
function pickSize(random: () => number): number {
  return 1 + Math.floor(200_000 ** random())
}

async function readAll(socket: Socket): Promise<Buffer> {
  const received: Buffer[] = []
  socket.on('data', (chunk) => received.push(chunk))
  socket.on('error', () => {})
  socket.resume()
  if (!socket.closed) await once(socket, 'close')
  return Buffer.concat(received)
}

/** Reads with pauses until the answer is whole or the connection ends. */
async function readSlowly(socket: Socket, random: () => number): Promise<Buffer> {
  const received: Buffer[] = []
  let tail = Buffer.alloc(0)
  const isOver = () => tail.subarray(-5).equals(Buffer.from('0\r\n\r\n'))
  await new Promise<void>((resolve) => {
    socket.on('close', () => resolve())
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      received.push(chunk)
      tail = Buffer.concat([tail, chunk]).subarray(-8)
      if (isOver()) resolve()
      if (random() < 0.1) {
        socket.pause()
        setTimeout(() => socket.resume(), random() * 20)
      }
    })
  })
  socket.destroy()
  return Buffer.concat(received)
}
