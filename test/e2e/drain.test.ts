// The end of a gateway that has work: readiness first, then no new work, then the last words to whoever is left; exit code 0.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { t as tap, test } from 'tap'
import { request } from 'undici'
import WebSocket from 'ws'
import {
  MAIN,
  type Running,
  simulatedProviders,
  startGateway,
  startSimulator,
  type Teardown,
} from '../helpers/gateway.js'

const STREAMS = { 1: 500, 2: 200 }
/** What an exit may take beyond `server.drainMs`. */
const EXIT_MS = 2000

const chat = (stream: boolean, tokens: number) => ({
  ...{ model: 'openai/lorem-max', stream, max_tokens: tokens },
  messages: [{ role: 'user', content: 'Hi' }],
})

function ask(gateway: Running, body: object) {
  const headers = { 'content-type': 'application/json' }
  return request(`${gateway.origin}/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify(body) })
}

const paced = await startSimulator(tap, ['--tokens-per-second', '20'])
const slow = await startSimulator(tap, ['--tokens-per-second', '2'])

function start(t: Teardown, server: object, { origin } = paced): Promise<Running> {
  return startGateway(t, { config: { server, providers: simulatedProviders(origin) } })
}

/** A stream on a socket of its own; resolves with all it brought once it is closed. `begun` resolves with the first bytes. */
function openStream(gateway: Running): { begun: Promise<unknown>; text: Promise<string> } {
  const socket = connect(Number(new URL(gateway.origin).port), '127.0.0.1')
  const body = JSON.stringify(chat(true, 100_000))
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`
  socket.write(`${head}\r\n\r\n${body}`)
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  return { begun: once(socket, 'data'), text: once(socket, 'close').then(() => text) }
}

for (const threads of [1, 2] as const) {
  const count = STREAMS[threads]
  test(`${count} open streams on ${threads} event loops all hear of the end, and the process ends well in time`, async (t) => {
    const drainMs = 1000
    const gateway = await start(t, { threads, drainMs, drainGraceMs: 0 }, slow)
    const streams = Array.from({ length: count }, () => openStream(gateway))
    await Promise.all(streams.map(({ begun }) => begun))
    const signalledMs = performance.now()
    const code = await gateway.stop('SIGTERM')
    const tookMs = performance.now() - signalledMs
    t.equal(code, 0)
    t.ok(tookMs >= drainMs && tookMs < drainMs + EXIT_MS, `${Math.round(tookMs)} ms`)
    const texts = await Promise.all(streams.map(({ text }) => text))
    const told = texts.filter((text) => /data: \{"error":\{[^\n]*"code":"draining"[^\n]*\n\n\r\n0\r\n\r\n$/.test(text))
    t.equal(told.length, count, 'an error frame, and the end of the body after it')
    t.equal(texts.filter((text) => text.includes('[DONE]')).length, 0)
    t.equal(gateway.lines.filter(({ outcome }) => outcome === 'drained').length, count)
  })
}

test('readyz is 503 at once, new work is served for the grace, then refused on the connections there are', async (t) => {
  const gateway = await start(t, { drainMs: 10_000, drainGraceMs: 700 })
  const kept = connect(Number(new URL(gateway.origin).port), '127.0.0.1')
  t.teardown(() => kept.destroy())
  await once(kept, 'connect')
  const stream = await ask(gateway, chat(true, 40))
  const stopped = gateway.stop('SIGTERM')
  // The signal has come when readyz says so; no answer but 200 and 503 may come before.
  let status = 200
  while (status === 200) status = (await request(`${gateway.origin}/readyz`)).statusCode
  t.equal(status, 503)
  t.equal((await request(`${gateway.origin}/livez`)).statusCode, 200, 'but it lives')
  const late = await ask(gateway, chat(false, 1))
  t.equal(late.statusCode, 200, 'new work is served')
  t.equal(late.headers.connection, 'close', 'and its client sent elsewhere')
  await late.body.dump()
  await refusedConnection(gateway)
  const body = JSON.stringify(chat(false, 1))
  kept.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  const [answer] = (await once(kept, 'data')) as [Buffer]
  t.match(answer.toString(), /^HTTP\/1\.1 503 [\s\S]*retry-after: 1[\s\S]*"code":"draining"/i)
  t.match(await stream.body.text(), /\[DONE\]/, 'what ran has ended by itself')
  t.equal(await stopped, 0)
  t.equal(gateway.lines.filter(({ outcome }) => outcome === 'drained').length, 1, 'the refused one, by the same word')
})

/** Resolves when the listener is closed. */
async function refusedConnection(gateway: Running): Promise<void> {
  for (;;) {
    const socket = connect(Number(new URL(gateway.origin).port), '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (!isOpen) return
    await setTimeout(20)
  }
}

test('chats on a WebSocket end with the outcome of the log and the metric; sockets close with 1001, idle ones first', async (t) => {
  const gateway = await start(t, { drainMs: 800, drainGraceMs: 100 })
  const url = `${gateway.origin.replace('http', 'ws')}/v1/ws`
  const [idle, busy] = [new WebSocket(url), new WebSocket(url)]
  await Promise.all([once(idle, 'open'), once(busy, 'open')])
  busy.send(JSON.stringify({ type: 'chat', id: 'a', request: chat(true, 100_000) }))
  await once(busy, 'message')
  const messages: { type?: string; outcome?: string; error?: { code?: string } }[] = []
  busy.on('message', (bytes: Buffer) => messages.push(JSON.parse(bytes.toString())))
  const closed: string[] = []
  const idleClosed = once(idle, 'close').then(([code]) => closed.push(`idle ${code}`))
  const busyClosed = once(busy, 'close').then(([code]) => closed.push(`busy ${code}`))
  t.equal(await gateway.stop('SIGTERM'), 0)
  await Promise.all([idleClosed, busyClosed])
  t.same(closed, ['idle 1001', 'busy 1001'])
  t.match(messages.at(-1), { type: 'error', outcome: 'drained', error: { code: 'draining' } })
  t.match(
    gateway.lines.filter(({ transport }) => transport === 'websocket'),
    [{ outcome: 'drained' }],
  )
})

test('the metric counts the drained by that word', async (t) => {
  const gateway = await start(t, { drainMs: 10_000, drainGraceMs: 0 })
  const port = Number(new URL(gateway.origin).port)
  const [scraper, kept] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  t.teardown(() => [scraper, kept].forEach((socket) => void socket.destroy()))
  await Promise.all([once(scraper, 'connect'), once(kept, 'connect')])
  const stream = openStream(gateway)
  await stream.begun
  gateway.child.kill('SIGTERM')
  await refusedConnection(gateway)
  kept.write(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
  )
  await once(kept, 'data')
  scraper.write('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n')
  let page = ''
  for await (const chunk of scraper) page += String(chunk)
  t.match(page, /sluice_requests_total\{[^}]*outcome="drained",status="503"\} 1\n/)
})

for (const [threads, signal, code] of [
  [1, 'SIGINT', 130],
  [2, 'SIGTERM', 143],
] as const) {
  test(`a second ${signal} ends at once on ${threads} event loops: each stream is told, has its line, and the exit code is ${code}`, async (t) => {
    const count = 20
    const gateway = await start(t, { threads, drainMs: 60_000, drainGraceMs: 60_000 })
    const streams = Array.from({ length: count }, () => openStream(gateway))
    await Promise.all(streams.map(({ begun }) => begun))
    gateway.child.kill('SIGTERM')
    while ((await request(`${gateway.origin}/readyz`)).statusCode === 200);
    // The drain has a minute, so an exit is the second signal's.
    t.equal(await gateway.stop(signal), code)
    const texts = await Promise.all(streams.map(({ text }) => text))
    t.equal(texts.filter((text) => /"code":"draining"[^\n]*\n\n\r\n0\r\n\r\n$/.test(text)).length, count)
    t.equal(gateway.lines.filter(({ outcome }) => outcome === 'drained').length, count)
    t.equal(gateway.lines.filter(({ msg }) => msg === 'exchange').length, count, 'and no other')
  })
}

test('SIGINT has no grace: with nothing open the process ends at once', async (t) => {
  // Longer than any test: a process that waits for it is one that does not end.
  const hour = 3_600_000
  const gateway = await start(t, { drainMs: hour, drainGraceMs: hour })
  t.equal(await Promise.race([gateway.stop('SIGINT'), setTimeout(25_000, 'still there', { ref: false })]), 0)
})

test('a signal while it starts is obeyed, with exit code 0', async (t) => {
  for (const threads of ['1', '2']) {
    const env = { PATH: process.env.PATH ?? '' }
    const child = spawn(process.execPath, [MAIN, 'start', '--port', '0', '--threads', threads], { env, stdio: 'pipe' })
    t.teardown(() => child.kill('SIGKILL'))
    // Signals before the first line of ours find Node's own default; the handlers are up long before the listener is.
    await setTimeout(450)
    child.kill('SIGTERM')
    const [code, signal] = await once(child, 'exit')
    t.ok(code === 0 || signal === 'SIGTERM', `${threads}: ${code} ${signal}`)
  }
})
