// How the simulator answers: its pace, and the faults before the head, in the stream and in whole answers, seen by real clients.
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'tap'
import { Player, UNEVEN } from '../../src/simulator/player.js'
import { type Reply } from '../../src/simulator/reply.js'
import { Ticker } from '../../src/simulator/ticker.js'
import { type SimWire, type StreamScript } from '../../src/simulator/wires/wire.js'
import { chat, ndjsonObjects, post, ssePayloads, startSimulator } from '../helpers/simulator.js'

const PATH = '/v1/chat/completions'

/** Posts over a raw socket and gives all bytes until the connection closes. */
async function raw(port: number, path: string, body: object): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const text = JSON.stringify(body)
  socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
  let seen = ''
  socket.on('data', (bytes) => {
    seen += bytes.toString()
  })
  socket.on('error', () => undefined)
  await once(socket, 'close')
  return seen
}

test('paces tokens one by one, and whole answers by their length', async (t) => {
  const { origin } = await startSimulator(t, { tokensPerSecond: 20 })
  const startedAtMs = performance.now()
  const response = await fetch(`${origin}/api/chat`, { method: 'POST', body: JSON.stringify(chat('echo')) })
  const arrivals: number[] = []
  const decoder = new TextDecoder()
  let text = ''
  for await (const part of response.body ?? []) {
    text += decoder.decode(part as Uint8Array, { stream: true })
    arrivals.push(performance.now() - startedAtMs)
  }
  t.equal(ndjsonObjects(text).length, 7)
  t.ok(arrivals.length >= 3, `${arrivals.length} reads`)
  t.ok((arrivals.at(-1) ?? 0) >= 290, `${arrivals.at(-1)} ms`)
  const wholeAtMs = performance.now()
  await post(`${origin}/api/chat`, { ...chat('echo'), stream: false })
  t.ok(performance.now() - wholeAtMs >= 290)
})

test('an uneven pace has the same mean, and tokens that come together', async (t) => {
  const shares = UNEVEN.reduce((total, share) => total + share, 0) / UNEVEN.length
  t.ok(Math.abs(shares - 1) < 0.001, `mean ${shares}`)
  let nowMs = 0
  const ticker = new Ticker(() => nowMs)
  const readsOf = (unevenFrom: number | null) => {
    const sent: number[] = []
    const steps = Array.from({ length: 2 * UNEVEN.length }, (_, i) => `token ${i}\n`).values()
    const reply = {
      isBlocked: false,
      write: () => void sent.push(nowMs),
      writeEach: () => undefined,
      end: () => undefined,
    }
    const script = { open: '', close: '', end: '', steps }
    const player = new Player({
      ...{ wire: {} as SimWire, script: script as unknown as StreamScript, reply: reply as unknown as Reply },
      ...{ ticker, gapMs: 20, unevenFrom, fault: null, onOver: () => undefined },
    })
    player.start()
    for (const end = nowMs + 600; nowMs < end; nowMs += 4) ticker.turn()
    return sent
  }
  const even = readsOf(null)
  const uneven = readsOf(0)
  const other = readsOf(5)
  ticker.stop()
  t.equal(even.length, 2 * UNEVEN.length)
  t.ok(uneven.length < even.length, 'tokens that are due together are sent together')
  t.not(gapsOf(uneven).join(), gapsOf(other).join())
  t.end()
})

function gapsOf(times: readonly number[]): number[] {
  return times.slice(1).map((time, i) => time - (times[i] ?? 0))
}

test('plays hundreds of paced streams side by side, each in order', async (t) => {
  const { origin, simulator } = await startSimulator(t, { tokensPerSecond: 200 })
  const body = { ...chat('lorem'), options: { num_predict: 40 } }
  const all = await Promise.all(Array.from({ length: 300 }, () => post(`${origin}/api/chat`, body)))
  const texts = new Set(
    all.map((got) =>
      ndjsonObjects(got.text)
        .map((line) => (line.message as { content: string }).content)
        .join(''),
    ),
  )
  t.equal(texts.size, 1)
  t.equal(simulator.stats().openStreams, 0)
})

test('fault status: each code comes in the vendor’s shape, with Retry-After', async (t) => {
  const { origin } = await startSimulator(t)
  const got = await post(origin + PATH, chat('echo'), { 'x-sim-fault': 'status,429,2' })
  t.equal(got.status, 429)
  t.equal(got.headers.get('retry-after'), '2')
  t.match(got.json, { error: { code: 'rate_limit_exceeded' } })
  const plain = await post(origin + PATH, chat('echo+fault=status,500'))
  t.equal(plain.status, 500)
  t.equal(plain.headers.get('retry-after'), null)
})

test('faults before the head: html, delay, a close, silence', async (t) => {
  const { origin, port } = await startSimulator(t)
  const html = await post(origin + PATH, chat('echo+fault=html'))
  t.equal(html.status, 200)
  t.match(html.headers.get('content-type'), /^text\/html/)
  const startedAtMs = performance.now()
  t.match((await post(origin + PATH, chat('echo+fault=delay,120'))).text, /\[DONE\]/)
  t.ok(performance.now() - startedAtMs >= 118)
  t.equal(await raw(port, PATH, chat('echo+fault=cut-after-accept')), '')
  const silent = fetch(origin + PATH, {
    method: 'POST',
    body: JSON.stringify(chat('echo+fault=stall-head')),
    signal: AbortSignal.timeout(100),
  })
  await t.rejects(silent)
})

test('faults that cut the stream: after the head, in a frame, between frames, before the end marker', async (t) => {
  const { port } = await startSimulator(t)
  const head = await raw(port, PATH, chat('echo+fault=cut-after-head'))
  t.match(head, /^HTTP\/1\.1 200 OK\r\n/)
  t.notMatch(head, /data:/)
  const middle = await raw(port, PATH, chat('echo+fault=cut-mid-frame,2'))
  t.match(middle, /" two"/)
  t.notMatch(middle, /three|DONE/)
  t.match(middle, /data: \{"id":[^\n]*[^\n}]\s*$/)
  const between = await raw(port, PATH, chat('echo+fault=cut-between-frames,3'))
  t.match(between, /" three"[^\n]*\n\n\s*$/)
  t.notMatch(between, /four/)
  const end = await raw(port, PATH, chat('echo+fault=cut-before-end'))
  t.match(end, /"finish_reason":"stop"/)
  t.notMatch(end, /DONE/)
  t.notMatch(end, /\r\n0\r\n\r\n$/)
})

test('faults within the stream: no end marker, garbage, an error frame, an oversize frame', async (t) => {
  const { origin } = await startSimulator(t)
  const open = await post(origin + PATH, chat('echo+fault=no-end-marker'))
  t.match(open.text, /"finish_reason":"stop"/)
  t.notMatch(open.text, /DONE/)
  const garbage = await post(origin + PATH, chat('echo+fault=garbage,1'))
  t.equal(ssePayloads(garbage.text).filter((payload) => payload === '{"this is": not JSON').length, 1)
  t.match(garbage.text, / six.*\[DONE\]/s)
  const error = await post(origin + PATH, chat('echo+fault=error-frame,2'))
  t.match(JSON.parse(ssePayloads(error.text).at(-1) ?? ''), { error: { type: 'server_error' } })
  const oversize = await post(origin + PATH, chat('echo+fault=oversize,200000,1'))
  t.ok(ssePayloads(oversize.text).some((payload) => payload.length > 200_000))
  t.match(oversize.text, /\[DONE\]/)
})

test('fault stall: says nothing more, paced or not, until the peer goes', async (t) => {
  for (const tokensPerSecond of [null, 500]) {
    const { origin, simulator } = await startSimulator(t, { tokensPerSecond })
    const response = await fetch(origin + PATH, {
      method: 'POST',
      body: JSON.stringify(chat('echo+fault=stall,2')),
      signal: AbortSignal.timeout(150),
    })
    t.equal(response.status, 200)
    await t.rejects(response.text())
    while (simulator.stats().aborted === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    t.equal(simulator.stats().openStreams, 0)
  }
})

test('fault drip: the same bytes, one at a time', async (t) => {
  const { origin } = await startSimulator(t, { wallMs: () => 0 })
  const short = { model: 'echo', messages: [{ role: 'user', content: 'hi' }] }
  const plain = await post(`${origin}/api/chat`, short)
  const dripped = await post(`${origin}/api/chat`, { ...short, model: 'echo+fault=drip,0' })
  t.equal(dripped.text, plain.text)
})

test('whole answers are cut half way, garbled or padded', async (t) => {
  const { port, origin } = await startSimulator(t)
  const cut = await raw(port, PATH, chat('echo+fault=cut-mid-frame', { stream: false }))
  const length = Number(/content-length: (\d+)/i.exec(cut)?.[1])
  t.equal(cut.split('\r\n\r\n')[1]?.length, Math.floor(length / 2))
  const head = await raw(port, PATH, chat('echo+fault=cut-after-head', { stream: false }))
  t.notMatch(head, /choices/)
  t.equal((await post(origin + PATH, chat('echo+fault=garbage', { stream: false }))).text, '{"this is": not JSON')
  const padded = await post(origin + PATH, chat('echo+fault=oversize,100000', { stream: false }))
  t.ok(padded.text.length > 100_000)
  t.match(padded.json, { object: 'chat.completion' })
})
